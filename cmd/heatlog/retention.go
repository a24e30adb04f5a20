package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"heatlog/journal"
)

// retention says how much of the journal is kept: hits of an age, segments of a size in all, or what fulfils both. The zero
// value keeps everything.
type retention struct {
	age  age
	size byteSize
}

// UnmarshalText reads 90d, 50GiB or both with a comma between them. A size needs its B, so that no 18m meant as months is a
// few bytes.
func (r *retention) UnmarshalText(text []byte) error {
	*r = retention{}
	if len(text) == 0 {
		return nil
	}
	for part := range strings.SplitSeq(string(text), ",") {
		if err := r.add(strings.TrimSpace(part)); err != nil {
			return err
		}
	}
	return nil
}

func (r *retention) add(part string) error {
	var a age
	if a.UnmarshalText([]byte(part)) == nil {
		if r.age != 0 {
			return errors.New("retention has two ages, want one")
		}
		r.age = a
		return nil
	}
	var s byteSize
	if !strings.HasSuffix(strings.ToLower(part), "b") || s.UnmarshalText([]byte(part)) != nil || s == 0 {
		return fmt.Errorf("retention %q is neither an age, as 90d or 36h, nor a size, as 50GiB", part)
	}
	if r.size != 0 {
		return errors.New("retention has two sizes, want one")
	}
	r.size = s
	return nil
}

// segmentAge is how long hits may go into one segment of the journal, which is deleted as a whole: a tenth of their age, at
// most a day. Without an age it is 0, for ever.
func (r *retention) segmentAge() time.Duration {
	const least, most = 10 * time.Minute, 24 * time.Hour
	if r.age == 0 {
		return 0
	}
	return min(max(time.Duration(r.age)/10, least), most)
}

// prunable is a journal of which the oldest can be deleted.
type prunable interface {
	Prune(ctx context.Context, o journal.PruneOptions) (journal.PruneReport, error)
	Stats() journal.Stats
}

// pruner deletes what retention does not keep, from time to time.
type pruner struct {
	keep    retention
	every   time.Duration
	journal prunable
	index   interface { // of all generations
		Needed(ctx context.Context) (below func(source string) uint64, err error)
	}
	now func() time.Time
	log *slog.Logger

	said   string      // what was logged last of a round that did not end well
	failed atomic.Bool // the last round did
}

// run goes on until ctx ends. The first round is at once.
func (p *pruner) run(ctx context.Context) {
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for {
		p.round(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// round deletes what can go now. What keeps it from that is logged when it changes, and tried again.
func (p *pruner) round(ctx context.Context) {
	rep, err := p.prune(ctx)
	if rep.Segments > 0 {
		p.log.Info("journal was pruned", "segments", rep.Segments, "hits", rep.Hits, "bytes", rep.Bytes,
			"until", instant(rep.Until), "first", rep.First)
	}
	if rep.Aside > 0 {
		p.log.Info("old files that were put aside are deleted", "files", rep.Aside, "bytes", rep.AsideBytes)
	}
	if ctx.Err() != nil {
		return
	}
	p.failed.Store(err != nil)
	switch {
	case err != nil:
		p.say(slog.LevelError, "pruning failed, trying again: "+err.Error())
	case rep.Unsealed && !p.journal.Stats().Sealed.Running:
		p.say(slog.LevelWarn, "retention waits for a journal segment that is not sealed")
	default:
		p.said = ""
	}
}

func (p *pruner) say(level slog.Level, what string) {
	if p.said != what {
		p.said = what
		p.log.Log(context.Background(), level, what)
	}
}

func (p *pruner) prune(ctx context.Context) (journal.PruneReport, error) {
	below, err := p.index.Needed(ctx)
	if err != nil {
		return journal.PruneReport{}, err
	}
	o := journal.PruneOptions{KeepBytes: int64(p.keep.size), Below: below}
	if p.keep.age > 0 {
		o.OlderThan = p.now().Add(-time.Duration(p.keep.age)).UnixMilli()
	}
	return p.journal.Prune(ctx, o)
}

// openPruner starts to delete what flags do not keep.
func (s *server) openPruner(c *serveCmd) error {
	if c.Retention == (retention{}) {
		return nil
	}
	s.pruner = &pruner{keep: c.Retention, every: c.PruneEvery, journal: s.journal, index: s.counts, now: c.now, log: s.log}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.pruner.run(ctx)
	}()
	s.opened("pruning", func(context.Context) error {
		stop()
		<-done
		return nil
	})
	return nil
}
