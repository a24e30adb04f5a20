package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"text/tabwriter"
	"time"

	"heatlog/collector"
	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/journal"
	"heatlog/replay"
)

// plural is a number with the name of what is counted: "1 hit", "2 hits".
func plural[N int | int64 | uint64](n N, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// are puts is or are behind a number of things.
func are[N int | int64 | uint64](text string, n N) string {
	if n == 1 {
		return text + " is"
	}
	return text + " are"
}

// journalCmd looks at the journal of a data folder and keeps it small. List, verify and dump change nothing and work while
// a server runs there; seal and prune take the folder for themselves.
type journalCmd struct {
	List   journalListCmd   `cmd:"" help:"List the segments."`
	Verify journalVerifyCmd `cmd:"" help:"Read everything and check every checksum."`
	Dump   journalDumpCmd   `cmd:"" help:"Print the hits, one a line."`
	Seal   journalSealCmd   `cmd:"" help:"Rewrite full segments as small archives (no server may run)."`
	Prune  journalPruneCmd  `cmd:"" help:"Delete the oldest sealed segments that are counted (no server may run)."`
}

// folderFlags say which data folder is meant.
type folderFlags struct {
	Data dataDir `help:"Data folder of the server." env:"HEATLOG_DATA" default:"./data" placeholder:"DIR"`
}

// check says what to do where there is no journal.
func (f *folderFlags) check() error {
	if _, err := os.Stat(f.Data.journal()); errors.Is(err, fs.ErrNotExist) {
		return withHint(fmt.Errorf("there is no journal in data folder %s", f.Data), "name the server's folder with --data DIR")
	}
	return nil
}

// journalListCmd lists segments.
type journalListCmd struct{ folderFlags }

// Run prints one line a segment.
func (c *journalListCmd) Run(s *streams) error {
	if err := c.check(); err != nil {
		return err
	}
	segments, err := journal.List(nil, c.Data.journal())
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SEGMENT\tPOSITIONS\tHITS\tCHUNKS\tBYTES\tFIRST APPEND\tLAST APPEND\tSTATE")
	for _, seg := range segments {
		fmt.Fprintf(t, "%s\t%d-%d\t%d\t%d\t%d\t%s\t%s\t%s\n", seg.Source+"/"+seg.Name, seg.Base, seg.End, seg.End-seg.Base,
			seg.Chunks, seg.Bytes, instant(seg.First), instant(seg.Last), segmentState(&seg))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(s.out, "the state is that of headers, no hit was read; heatlog journal verify reads all")
	return c.printLeftovers(s.out)
}

// printLeftovers tells of files that are no part of the journal.
func (f *folderFlags) printLeftovers(w io.Writer) error {
	all, err := journal.Leftovers(nil, f.Data.journal())
	for _, l := range all {
		what := "put aside, in no count; journal prune --older-than deletes it"
		if l.Unfinished {
			what = "being written now, or left by a crash; the next start deletes it"
		}
		fmt.Fprintf(w, "beside the segments: %s/%s, %d bytes of %s: %s\n", l.Source, l.Name, l.Bytes, instant(l.Modified), what)
	}
	return err
}

// instant writes a Unix time in ms, "-" for none.
func instant(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}

// segmentState says in a word what is special about a segment.
func segmentState(seg *journal.SegmentInfo) string {
	switch {
	case seg.Missing:
		return "missing"
	case seg.Damaged:
		return "damaged"
	case seg.Superseded:
		return "superseded"
	case seg.Sealed && seg.Frozen:
		return "sealed, frozen"
	case seg.Sealed:
		return "sealed"
	case seg.TailBytes > 0:
		return fmt.Sprintf("%d bytes behind the last chunk", seg.TailBytes)
	}
	if seg.Frozen {
		return "frozen"
	}
	return "ok"
}

// journalVerifyCmd checks everything.
type journalVerifyCmd struct {
	folderFlags
	storeFlags
}

// Run says where damage is and what it cost; damage is a failure.
func (c *journalVerifyCmd) Run(s *streams) error {
	if err := errors.Join(c.checkStore(), c.check()); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	start := time.Now()
	report, err := journal.Verify(ctx, nil, c.Data.journal(), func(e *journal.CorruptError) {
		fmt.Fprintf(s.out, "%s:%d: %v: %s lost\n", e.Segment, e.Offset, e.Err, plural(e.Lost(), "hit"))
	})
	if err != nil {
		return hintForJournal(c.Data, err)
	}
	var damages int
	var lost uint64
	var manifest []error
	var identity error
	for _, rep := range append(slices.Clip(report.Others), report) {
		printReport(s.out, rep, time.Since(start))
		identity = errors.Join(identity, rep.Identity)
		damages += len(rep.Damages)
		lost += rep.Lost
		manifest = append(manifest, rep.Manifest...)
	}
	if err := c.printLeftovers(s.out); err != nil {
		return err
	}
	if damages > 0 {
		return withHint(fmt.Errorf("journal is damaged in %s, %s lost", plural(damages, "place"), are(plural(lost, "hit"), lost)),
			"nothing was deleted: put a copy of the segment back, or count what lies behind with heatlog serve --skip-damaged")
	}
	if identity != nil {
		return withHint(identity, "%s", identityHint)
	}
	for _, err := range manifest {
		if !errors.Is(err, journal.ErrManifest) {
			return withHint(fmt.Errorf("journal does not hold what was sealed: %w", err), "put the copy of the segment back that MANIFEST lists")
		}
	}
	if err := c.compareStore(ctx, s, report); err != nil {
		return err
	}
	fmt.Fprintln(s.out, "ok")
	return nil
}

// compareStore refuses a journal that ends before what the store has counted of it: it lost its end, which no checksum tells.
// While a server runs, nothing is compared: it did so at its start.
func (c *journalVerifyCmd) compareStore(ctx context.Context, s *streams, rep *journal.Report) (err error) {
	if rep.Frozen || !c.hasStore(c.Data) {
		return nil
	}
	store, closeStore, err := c.openOffline(ctx, c.Data)
	if err != nil {
		_, err = fmt.Fprintf(s.out, "not compared with what is counted: %v\n", err)
		return err
	}
	defer func() { err = errors.Join(err, closeStore()) }()
	err = replay.Behind(ctx, store, rep.Source, rep.End)
	if older := (*index.JournalBehindError)(nil); errors.As(err, &older) {
		return withHint(fmt.Errorf("journal %s ends at position %d, and hits up to %d are counted: it lost its end, or is an older copy", rep.Source, older.End, older.High),
			"put a copy of the last segment back; a server that is started goes on under a new source, and what is counted stays")
	}
	return err
}

// printReport says what one source holds. The time is that of all.
func printReport(w io.Writer, rep *journal.Report, took time.Duration) {
	frozen := ""
	if rep.Frozen {
		frozen = " (frozen)"
	}
	fmt.Fprintf(w, "%s%s: positions %d to %d, %s in %s of %s, %s, read in %.1f s\n", rep.Source, frozen,
		rep.First, rep.End, plural(rep.Hits, "hit"), plural(rep.Chunks, "chunk"), plural(rep.Segments, "segment"), byteSize(rep.StoredBytes), took.Seconds())
	if rep.TailBytes > 0 {
		fmt.Fprintf(w, "%s behind the last chunk: being written, or torn by a crash; nothing vouches that they were ever durable\n",
			plural(rep.TailBytes, "byte"))
	}
	for _, err := range rep.Manifest {
		fmt.Fprintln(w, err)
	}
}

// journalDumpCmd prints hits.
type journalDumpCmd struct {
	Source string `help:"Only hits of this source." placeholder:"SOURCE"`
	From   uint64 `help:"First position, of each source." placeholder:"N"`
	To     uint64 `help:"Position after the last, of each source." placeholder:"N"`
	Limit  uint64 `help:"Hits at most; 0 = all." placeholder:"N"`
	Import bool   `help:"Print lines that heatlog import reads."`
	folderFlags
}

// errEnough ends a dump at its limit.
var errEnough = errors.New("limit reached")

// Run prints hits until the end of what is durable. Damage is told on stderr and left out.
func (c *journalDumpCmd) Run(s *streams) error {
	if err := c.check(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	w := bufio.NewWriterSize(s.out, 64<<10)
	var lines, damages uint64
	print := func(line []byte) error {
		if lines++; c.Limit > 0 && lines > c.Limit {
			return errEnough
		}
		return writeLine(w, line)
	}
	damaged := func(e *journal.CorruptError) {
		damages++
		fmt.Fprintf(s.err, "heatlog: %v\n", e)
	}
	var err error
	if part := (journal.Range{Source: c.Source, From: c.From, To: c.To}); c.Import {
		var line []byte
		err = journal.Hits(ctx, nil, c.Data.journal(), part, func(h *heatmap.Hit) error {
			line = collector.AppendLine(line[:0], h)
			return print(line)
		}, damaged)
	} else {
		err = journal.Dump(ctx, nil, c.Data.journal(), part, print, damaged)
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	if err := errors.Join(err, w.Flush()); err != nil {
		return err
	}
	if damages > 0 {
		return fmt.Errorf("journal is damaged in %s", plural(damages, "place"))
	}
	return nil
}

func writeLine(w io.Writer, line []byte) error {
	if _, err := w.Write(line); err != nil {
		return err
	}
	_, err := w.Write([]byte{'\n'})
	return err
}
