package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"heatlog/heatmap"
)

// Compare checks what the index has counted and stored against the journal, and says what it counts otherwise than the active
// one does. The index stands still at one position of each source while it is compared; the active one goes on. Progress, if
// not nil, is told how many hits of the journal are read again, and of how many. It works at the lowest priority of the
// system's threads and reads the store of the index once and the journal once. See package replay for what is compared.
//
// What must hold and does not is in the report; damage in the journal is an error, as it ends reading. Any other error means
// that the two could not be compared.
func (x *Index) Compare(ctx context.Context, active *Index, progress func(done, of uint64)) (report *heatmap.Report, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		atLowPriority(func() { report, err = x.compare(ctx, active, progress) })
	}()
	<-done
	return report, err
}

// comparison is one under way.
type comparison struct {
	*Index
	active   *Index
	progress func(done, of uint64)
	cuts     []*comparedSource // of the feeds
	report   *heatmap.Report
	problems findings
	notes    findings
}

// comparedSource is a source up to where it is compared.
type comparedSource struct {
	feed     *feed
	pipeline *pipeline // nil if all of it is stored
	id       string
	position uint64
	totals   Totals  // as stored with the checkpoint at position
	theirs   *Totals // of the active one at position, nil = not known
	first    uint64  // that the journal has
	end      uint64  // that it can be read to, at most position
	whole    bool    // its documents and totals were carried over
}

// recountable reports whether the journal still has every hit that is counted.
func (s *comparedSource) recountable() bool {
	return !s.whole && s.end == s.position && s.first == s.totals.Since
}

func (x *Index) compare(ctx context.Context, active *Index, progress func(done, of uint64)) (*heatmap.Report, error) {
	began := time.Now()
	c := &comparison{Index: x, active: active, progress: progress}
	pinned := x.pins.add()
	defer pinned.release()
	resume, err := c.standStill(ctx)
	if err != nil {
		return nil, err
	}
	defer resume()
	c.report = &heatmap.Report{
		Generation: x.options.Generation, Active: active.options.Generation, Compared: x.options.Now().UTC().Truncate(time.Millisecond),
		Scope: x.base.anew(), SameRules: bytes.Equal(x.options.Rules.spec, active.options.Rules.spec), Positions: make(map[string]uint64),
	}
	for _, s := range c.cuts {
		c.report.Positions[s.id] = s.position
		if s.first > 0 {
			if c.report.KeptFrom == nil {
				c.report.KeptFrom = make(map[string]uint64)
			}
			c.report.KeptFrom[s.id] = s.first
		}
	}
	keys, err := c.checkDocuments(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.recount(ctx, keys, func(feed int, to uint64) { pinned.move(feed, to) }); err != nil {
		return nil, err
	}
	if err := c.checkKeys(ctx, keys); err != nil {
		return nil, err
	}
	if !c.stands() {
		return nil, errMoved
	}
	c.report.Problems, c.report.Notes = c.problems.list(), c.notes.list()
	c.report.TookMS = time.Since(began).Milliseconds()
	return c.report, nil
}

// errMoved says that an index did not stand still while it was compared: it had to start over.
var errMoved = errors.New("the generation started over while it was compared")

// standTries is how often another position is tried if nobody knows the active one's totals there, standEvery how long after.
const (
	standTries = 20
	standEvery = 50 * time.Millisecond
)

// standStill stores all that the index has counted, with its totals, and lets it stand still there.
func (c *comparison) standStill(ctx context.Context) (resume func(), err error) {
	for try := 1; ; try++ {
		if resume, err = c.Index.standStill(ctx); err != nil {
			return nil, err
		}
		if err = c.Flush(ctx); err == nil {
			err = c.cut(ctx, try < standTries)
		}
		if err == nil {
			return resume, nil
		}
		resume()
		if !errors.Is(err, errMoved) || try >= standTries {
			return nil, err
		}
		if err := pause(ctx, standEvery); err != nil {
			return nil, err
		}
	}
}

// cut notes where each source stands. The error is errMoved if there are no totals of just there, of the active one only if
// they must be there.
func (c *comparison) cut(ctx context.Context, both bool) error {
	c.cuts = nil
	for _, f := range c.feeds {
		s := &comparedSource{feed: f, id: f.source.ID(), whole: c.base.isWhole(f.source.ID())}
		p, stored := f.pipeline()
		if s.pipeline, s.position = p, stored.Position; p != nil {
			s.position = p.routed.Load()
		}
		at, _, err := readCheckpoint(ctx, c.options.Store, c.options.Generation, s.id)
		if err != nil {
			return err
		}
		if at.Position != s.position {
			return errMoved
		}
		s.totals = at.Totals
		if s.theirs, err = c.theirTotals(ctx, s.id, s.position); err != nil {
			return err
		}
		if s.theirs == nil && both {
			return errMoved
		}
		s.first = f.source.First()
		s.end = min(s.position, f.source.Durable())
		c.cuts = append(c.cuts, s)
	}
	return nil
}

// theirTotals gives the totals of the active index at a position, nil if it does not know them or does not get there in time.
func (c *comparison) theirTotals(ctx context.Context, source string, position uint64) (*Totals, error) {
	const patience = 2 * time.Second
	for until := time.Now().Add(patience); ; {
		if t, ok := c.active.TotalsAt(source, position); ok {
			return &t, nil
		}
		if time.Now().After(until) || c.active.passed(source, position) {
			return nil, nil
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// passed reports whether an index has applied a source up to a position, or does not read it.
func (x *Index) passed(source string, position uint64) bool {
	for _, f := range x.feeds {
		if f.source.ID() != source {
			continue
		}
		p, _ := f.pipeline()
		return p == nil || p.routed.Load() >= position
	}
	return true
}

// stands reports whether every source still is where it was.
func (c *comparison) stands() bool {
	for _, s := range c.cuts {
		if p, _ := s.feed.pipeline(); p != s.pipeline || p != nil && p.routed.Load() != s.position {
			return false
		}
	}
	return true
}

// check records what was compared and how much of it was wrong.
func (c *comparison) check(name, what string, done, failed uint64) {
	c.report.Checks = append(c.report.Checks, heatmap.Check{Name: name, What: what, Done: done, Failed: failed})
}

// findings are sentences for people, not more than a report has room for.
type findings struct {
	found []string
	n     int
}

func (f *findings) add(format string, args ...any) {
	if f.n++; f.n <= heatmap.MaxReportProblems {
		f.found = append(f.found, fmt.Sprintf(format, args...))
	}
}

func (f *findings) list() []string {
	if more := f.n - len(f.found); more > 0 {
		return append(f.found, fmt.Sprintf("and %d more", more))
	}
	return f.found
}

// keyText names a key for people.
func keyText(k heatmap.Key) string {
	return k.Site + " " + heatmap.ReportPage(k.Page) + " " + k.Period.String()
}
