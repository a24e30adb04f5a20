package index

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"heatlog/heatmap"
	"heatlog/journal"
)

// NewBase says what a new generation with a scope is to carry over from this index, which must stay open while the documents are
// copied. It carries what is out of the scope, and all days that may have had hits which were pruned. It returns when the index
// is as far as what it has stored. The error is a *heatmap.ParamError if nothing would be counted anew.
func (x *Index) NewBase(ctx context.Context, scope heatmap.Scope) (*Base, error) {
	if err := x.waitPrepared(ctx); err != nil {
		return nil, err
	}
	b := &Base{
		Generation: x.options.Generation, Kept: make(map[string]uint64), Sites: scope.Sites, From: scope.From,
		Zones: x.options.Rules.zoneNames(), Cell: x.options.Rules.CellSize(), Whole: slices.Clone(x.absentSources().ids),
	}
	for _, f := range x.feeds {
		if err := b.keep(ctx, f); err != nil {
			return nil, err
		}
	}
	if err := b.found(x); err != nil {
		return nil, err
	}
	if b.Empty() {
		return b, nil
	}
	b.Source = x.active().source.ID()
	return b, x.waitSettled(ctx)
}

// keep takes into account what of a source is not kept any more. An older copy that was frozen may have lost hits of any day, so
// all that is stored of it is carried over as it is.
func (b *Base) keep(ctx context.Context, f *feed) error {
	id, first := f.source.ID(), f.source.First()
	if f.frozen {
		high, _, err := f.high.read(ctx)
		if err != nil {
			return err
		}
		if end := f.source.Durable(); behind(end, high) || first > 0 && first >= end {
			b.Whole = append(b.Whole, id)
			return nil
		}
	}
	if b.Kept[id] = first; first == 0 {
		return nil
	}
	until, err := prunedUntil(ctx, f.source, f.index.options.Now().UnixMilli())
	if err != nil {
		return fmt.Errorf("find the days of pruned hits in journal %s: %w", id, err)
	}
	b.From = max(b.From, dayAfter(until).String())
	return nil
}

// furthestEast is the largest offset from UTC that a time zone has.
const furthestEast = 14 * time.Hour

// dayAfter is the first day that begins nowhere on earth before a Unix time in ms is over.
func dayAfter(ms int64) heatmap.Date {
	return heatmap.DateOf(ms+furthestEast.Milliseconds(), time.UTC) + 1
}

// prunedUntil gives a Unix time in ms such that no hit which was pruned, or which cannot be judged without those that were, is of
// later. A hit's time is at most [heatmap.MaxAhead] ahead of when it was appended, and append times do not fall. What is
// judged by hits before it, a repeat or a burst, needs those from the start of the last bucket before its own that holds a
// hit: of the first two buckets that hold a hit that is kept, not all of it may be.
func prunedUntil(ctx context.Context, source Source, now int64) (int64, error) {
	bucket := bucketOf(now)
	for position, n := source.First(), 0; n < 2 && position < source.Durable(); n++ {
		appended, err := appendTime(ctx, source, position)
		if err != nil {
			return 0, err
		}
		bucket = bucketOf(appended)
		if position, err = source.Since((bucket + 1) * bucketMillis); err != nil {
			return 0, err
		}
	}
	return (bucket+1)*bucketMillis + heatmap.MaxAhead.Milliseconds(), nil
}

// appendTime gives that of the hit at a position, Unix ms, or of the next one that can be read.
func appendTime(ctx context.Context, source Source, position uint64) (int64, error) {
	reader, err := source.Open(position, 0, nil)
	if err != nil {
		return 0, err
	}
	defer reader.Close()
	var c heatmap.Chunk
	for c.End() <= position {
		if err := reader.Next(ctx, &c); err != nil {
			return 0, err
		}
	}
	return c.Appended, nil
}

// found takes into account what the index has carried over itself. That is counted anew where it can be; but not if it has hits
// of a source that cannot be read any more, which nobody can tell from the others. While hits can be read of which the
// index has the day from elsewhere, its base says which.
func (b *Base) found(x *Index) error {
	old := x.base
	if old == nil || !old.carries() {
		return nil
	}
	b.Cell = max(b.Cell, old.Cell)
	readable, complete := false, !old.Stays
	for id, below := range old.Positions {
		i := slices.IndexFunc(x.feeds, func(f *feed) bool { return f.source.ID() == id })
		readable = readable || i >= 0 && x.feeds[i].source.First() < below
		complete = complete && (below == 0 || i >= 0 && !slices.Contains(b.Whole, id) && x.feeds[i].source.Durable() >= below)
	}
	if readable {
		b.Base = old
	}
	if complete {
		return nil
	}
	b.Stays = true
	return b.join(old)
}

// waitPrepared waits until it is known what the index itself has carried over.
func (x *Index) waitPrepared(ctx context.Context) error {
	select {
	case <-x.prepared:
		return nil
	case <-x.done:
		return errors.New("the index is closed")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// waitSettled waits until frozen sources are stored to their end, and what may have been stored of the active one before the
// start is applied. Only then documents are not ahead of what the index knows.
func (x *Index) waitSettled(ctx context.Context) error {
	for {
		if err := x.Failed(); err != nil {
			return &heatmap.StateError{Message: fmt.Sprintf("what generation %s has cannot be carried over, because it does not go on: %v", x.options.Generation, err)}
		}
		if x.settled() {
			return nil
		}
		select {
		case <-x.done:
			return errors.New("the index is closed")
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (x *Index) settled() bool {
	for _, f := range x.feeds {
		p, _ := f.pipeline()
		if f.frozen && p != nil || !f.frozen && (p.bulk.Load() || !p.recovered()) {
			return false
		}
	}
	return true
}

// counted gives the position of a source below which all hits are counted, and above which no document holds any.
func (x *Index) counted(ctx context.Context, source string) (uint64, error) {
	for _, f := range x.feeds {
		switch {
		case f.source.ID() != source:
		case f.frozen:
			high, _, err := f.high.read(ctx)
			return max(high, f.source.Durable()), err
		default:
			return x.pipeline().routed.Load(), nil
		}
	}
	return 0, fmt.Errorf("journal %s is not there", source)
}

// shorter is a source that ends at a position, under another name.
type shorter struct {
	Source
	id  string
	end uint64
}

func (s shorter) ID() string      { return s.id }
func (s shorter) Durable() uint64 { return min(s.end, s.Source.Durable()) }

func (s shorter) Spans(from, to uint64) []journal.Span { return s.Source.Spans(from, min(to, s.end)) }

func (s shorter) Open(position uint64, fields journal.Fields, passes func(*journal.CorruptError) bool) (Reader, error) {
	r, err := s.Source.Open(position, fields, passes)
	return &shorterReader{Reader: r, at: position, end: s.end}, err
}

type shorterReader struct {
	Reader
	at, end uint64
}

// Next gives the next chunk that begins before the end.
func (r *shorterReader) Next(ctx context.Context, c *heatmap.Chunk) error {
	if r.at >= r.end {
		return io.EOF
	}
	if err := r.Reader.Next(ctx, c); err != nil {
		return err
	}
	if c.Position >= r.end {
		return io.EOF
	}
	r.at = c.End()
	return nil
}
