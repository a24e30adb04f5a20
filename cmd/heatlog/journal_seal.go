package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"heatlog/index"
	"heatlog/journal"
	"heatlog/replay"
)

// age is how long ago something happened, in hours or days.
type age time.Duration

// UnmarshalText reads 36h, 90d, 12w or 2y (of 365 days).
func (a *age) UnmarshalText(text []byte) error {
	s := string(text)
	for unit, d := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour, "y": 365 * 24 * time.Hour, "h": time.Hour} {
		number, ok := strings.CutSuffix(s, unit)
		if n, err := strconv.ParseUint(number, 10, 32); ok && err == nil && n > 0 && n < uint64(1<<63-1)/uint64(d) {
			*a = age(time.Duration(n) * d)
			return nil
		}
	}
	return fmt.Errorf("parse age %q: want a number of hours, days, weeks or years, as in 90d", s)
}

// open opens the journal for a change to it; no server may run.
func (f *folderFlags) open(s *streams) (*journal.Journal, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	j, err := journal.Open(f.Data.journal(), journal.Options{Logger: log})
	if errors.Is(err, journal.ErrLocked) {
		return nil, withHint(fmt.Errorf("data folder %s is in use by a server: %w", f.Data, err), "stop the server first")
	}
	return j, hintForFolder(f.Data, err)
}

// journalSealCmd seals what is full.
type journalSealCmd struct{ folderFlags }

// Run says how much smaller the segments have become.
func (c *journalSealCmd) Run(s *streams) (err error) {
	j, err := c.open(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	start := time.Now()
	rep, err := j.Seal(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s sealed, %s, %s before, %s after, in %.1f s\n", plural(rep.Segments, "segment"), plural(rep.Hits, "hit"),
		byteSize(rep.Before), byteSize(rep.After), time.Since(start).Seconds())
	if rep.Segments+rep.Unsound == 0 {
		fmt.Fprintln(s.out, "there is no full segment to seal: the one that is written is closed at 64 MiB, or by the first hit after a start")
	}
	if rep.Listed > 0 {
		fmt.Fprintf(s.out, "listed in MANIFEST now, where they were not: %s\n", plural(rep.Listed, "sealed segment"))
	}
	if rep.Unsound > 0 {
		return withHint(fmt.Errorf("%s cannot be sealed: %w", plural(rep.Unsound, "segment"), errors.Join(rep.UnsoundErrs...)),
			"they stay as they are; heatlog journal verify tells what is damaged")
	}
	return nil
}

// journalPruneCmd deletes what is old.
type journalPruneCmd struct {
	OlderThan age      `help:"Delete segments whose hits are all older, as in 90d, and files put aside before." placeholder:"AGE"`
	Keep      byteSize `help:"Delete the oldest segments while the journal is larger, as in 20GiB." placeholder:"SIZE"`
	folderFlags
	storeFlags
}

// Run deletes sealed segments that the store has counted and says what is kept.
func (c *journalPruneCmd) Run(s *streams) (err error) {
	if c.OlderThan == 0 && c.Keep == 0 {
		return misuse{errors.New("prune what? give --older-than AGE, --keep SIZE or both")}
	}
	if err := c.checkStore(); err != nil {
		return err
	}
	j, err := c.open(s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	needed, err := c.needed(ctx, j)
	if err != nil {
		return err
	}
	o := journal.PruneOptions{KeepBytes: int64(c.Keep), Below: func(source string) uint64 { return needed[source] }}
	if c.OlderThan > 0 {
		o.OlderThan = time.Now().Add(-time.Duration(c.OlderThan)).UnixMilli()
	}
	rep, err := j.Prune(ctx, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.out, "%s deleted, %s, %s; the first position that is kept is %d\n", plural(rep.Segments, "segment"), plural(rep.Hits, "hit"),
		byteSize(rep.Bytes), rep.First)
	if rep.Aside > 0 {
		fmt.Fprintf(s.out, "put aside before and deleted now: %s, %s\n", plural(rep.Aside, "file"), byteSize(rep.AsideBytes))
	}
	for _, l := range j.Frozen() {
		if l.First() > 0 {
			fmt.Fprintf(s.out, "frozen source %s is kept from position %d to %d\n", l.Source(), l.First(), l.Durable())
		}
	}
	switch {
	case rep.Held:
		fmt.Fprintf(s.out, "what comes next is kept whatever its age: hits from position %d on are not counted by every generation yet, or tell repeats\n", needed[j.Source()])
	case rep.Unsealed:
		fmt.Fprintln(s.out, "the next segment is not sealed: heatlog journal seal, or it is the last one, which is never deleted")
	case rep.Segments == 0:
		fmt.Fprintln(s.out, c.whyNothing())
	}
	return nil
}

// whyNothing says why no segment was to be deleted that could have been.
func (c *journalPruneCmd) whyNothing() string {
	switch {
	case c.Keep == 0:
		return "no sealed segment has only hits that are older"
	case c.OlderThan == 0:
		return "the journal is not larger"
	}
	return "no sealed segment has only hits that are older, and the journal is not larger"
}

// needed gives the position of each source below which no generation needs a hit.
func (c *journalPruneCmd) needed(ctx context.Context, j *journal.Journal) (needed map[string]uint64, err error) {
	if !c.hasStore(c.Data) {
		return nil, withHint(fmt.Errorf("data folder %s has no store: no hit is counted yet", c.Data), "start the server once, so that it counts them; a store that is elsewhere is named by --store")
	}
	store, closeStore, err := c.openToRead(ctx, c.Data)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	needed = map[string]uint64{}
	active := index.JournalSource(j, nil)
	if needed[active.ID()], err = replay.Needed(ctx, store, active, false); err != nil {
		return nil, err
	}
	for _, source := range index.FrozenSources(j, nil) {
		if needed[source.ID()], err = replay.Needed(ctx, store, source, true); err != nil {
			return nil, err
		}
	}
	return needed, nil
}
