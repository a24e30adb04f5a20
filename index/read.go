package index

import (
	"context"
	"errors"
	"maps"
	"time"

	"heatlog/heatmap"
)

// A reducer sums what a query asks for. Part runs on the workers, for several deltas at once, and takes what is wanted
// of a live delta; the rest runs where the query was asked. Whoever asked does not wait for workers of a pipeline that ended, so
// nothing that part reads may be written by the rest.
type reducer interface {
	part(d *heatmap.Delta) any
	add(k heatmap.Key, part any)
	blob(k heatmap.Key, blob []byte) error
	reset()
}

// errOvertaken says that a flush went on between the copy of the live deltas and the reading of the blobs.
var errOvertaken = errors.New("a flush has overtaken the query")

// errOverlap says that a blob ends within what an entry holds. No flush of this index's does that: another one stores the
// same source.
var errOverlap = errors.New("another index stores what this one holds")

// readError says that the store could not be read.
type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }
func (e *readError) Unwrap() error { return e.err }

// copied is what the live entries held of some keys when they had applied exactly the position of the mark.
type copied map[heatmap.Key][]held

// reduce feeds r with every delta and blob that the plan covers, each hit exactly once, and says which part of the log
// that is.
//
// The live deltas are copied first, at a mark that all workers pass at the same position; then the blobs are read. A
// delta that a blob's watermark covers by then is dropped, and a blob that is ahead of the mark means that the copy
// must be taken again. A query that is overtaken again and again holds the flushes back while it tries. A store that was
// being read when a write broke it can often be read all the same when it is asked again.
func (x *Index) reduce(ctx context.Context, pl *plan, r reducer) (heatmap.Prefix, error) {
	const patience = 3
	x.stats.queries.Add(1)
	for try := 1; ; try++ {
		if err := x.waitRecovered(ctx, x.feeds); err != nil {
			return heatmap.Prefix{}, err
		}
		prefix, err := x.tryReduce(ctx, pl, r, try >= patience)
		again := errors.Is(err, errOvertaken) || errors.Is(err, errEnded) || errors.As(err, new(*readError)) && try < patience
		if !again {
			return prefix, err
		}
		x.stats.retries.Add(1)
		r.reset()
		if err := pause(ctx, time.Duration(try)*time.Millisecond); err != nil {
			return prefix, err
		}
	}
}

// tryReduce is reduceOnce when it is its turn, alone without any flush if it is to be.
func (x *Index) tryReduce(ctx context.Context, pl *plan, r reducer, alone bool) (heatmap.Prefix, error) {
	t, err := x.turns.take(ctx)
	if err != nil {
		return heatmap.Prefix{}, err
	}
	defer t.end()
	pl.begin()
	if alone {
		x.gate.Lock()
		defer x.gate.Unlock()
	}
	return x.reduceOnce(ctx, t, pl, r)
}

func (x *Index) reduceOnce(ctx context.Context, t *turn, pl *plan, r reducer) (heatmap.Prefix, error) {
	f := fold{cuts: make(map[string]*cut), reducer: r}
	pipelines := make(map[string]*pipeline)
	for _, feed := range x.feeds {
		p, stored := feed.pipeline()
		if p == nil {
			f.cuts[feed.source.ID()] = &cut{position: stored.Position, ended: true}
			continue
		}
		stopped := p.stopped() // before the mark, which then is the last one
		copies, position, err := copyLive(ctx, p, pl, r)
		if err != nil {
			return heatmap.Prefix{}, err
		}
		pipelines[feed.source.ID()] = p
		f.cuts[feed.source.ID()] = &cut{position: position, ended: stopped || p.frozen && position >= p.startEnd, copies: copies}
	}
	err := x.readStored(ctx, t, pl, &f)
	if err == nil {
		err = f.rest()
	}
	if p := pipelines[f.overlap]; p != nil && errors.Is(err, errOverlap) {
		x.stats.conflicts.Add(1)
		p.end(errConflict)
		err = errEnded
	}
	if err != nil {
		return heatmap.Prefix{}, err
	}
	return x.prefix(ctx, &f)
}

// prefix names the positions of an answer: those of the sources that are read, and of those that only the store has hits of.
func (x *Index) prefix(ctx context.Context, f *fold) (heatmap.Prefix, error) {
	prefix := heatmap.Prefix{Generation: x.options.Generation, Positions: make(map[string]uint64)}
	for _, feed := range x.feeds {
		c := f.cuts[feed.source.ID()]
		prefix.Positions[feed.source.ID()] = c.position
		prefix.Lag += max(feed.source.Durable(), c.position) - c.position
	}
	for _, id := range x.absentSources().ids {
		f.other(id)
	}
	for id := range f.others {
		c, _, err := readCheckpoint(ctx, x.options.Store, x.options.Generation, id)
		if err != nil {
			return prefix, err
		}
		prefix.Positions[id] = c.Position
	}
	return prefix, nil
}

// copyLive takes the wanted parts of all live and flushing entries at one position.
func copyLive(ctx context.Context, p *pipeline, pl *plan, r reducer) (copied, uint64, error) {
	var key *pageKey
	if pl.exact {
		key = &pageKey{pl.query.Site, pl.page}
	}
	copies := make([]copied, len(p.workers))
	position, err := p.mark(ctx, key, func(i int, s *shard) { copies[i] = s.copy(pl, r) })
	if err != nil {
		return nil, 0, err
	}
	all := copies[0]
	for _, c := range copies[1:] {
		if all == nil {
			all = c
			continue
		}
		maps.Copy(all, c)
	}
	return all, position, nil
}

// copy takes the parts of the shard's entries that the plan covers.
func (s *shard) copy(pl *plan, r reducer) copied {
	c := make(copied)
	take := func(p *page) {
		p.visit(s.applied, func(period heatmap.Period, first, to uint64, deltas ...*heatmap.Delta) {
			if !pl.covers(period) {
				return
			}
			h := held{first: first, to: to}
			for _, d := range deltas {
				h.parts = append(h.parts, r.part(d))
			}
			k := heatmap.Key{Site: p.site, Page: p.page, Period: period}
			c[k] = append(c[k], h)
		})
	}
	if pl.exact {
		if p := s.pages[pageKey{pl.query.Site, pl.page}]; p != nil {
			take(p)
		}
		return c
	}
	for k, p := range s.pages {
		if k.site == pl.query.Site && pl.match(k.page) {
			take(p)
		}
	}
	return c
}

// fold puts copies and blobs together: of each key the blob, then the copies that go on exactly where it ends.
type fold struct {
	cuts    map[string]*cut // by source
	reducer reducer
	others  map[string]bool // sources that are only in the store
	overlap string          // the source that errOverlap is about
}

// cut is where an answer ends in a source, and what of it was live.
type cut struct {
	position uint64
	ended    bool // a frozen source, to its end, or one that cannot be read any further: no flush goes on there, and what blobs hold above it the journal does not say
	copies   copied
}

func (f *fold) other(source string) {
	if f.others == nil {
		f.others = make(map[string]bool)
	}
	f.others[source] = true
}

// doc adds a stored document and the copies of its key.
func (f *fold) doc(d Doc) error {
	c := f.cuts[d.Source]
	if c == nil {
		if !isCarried(d.Source) {
			f.other(d.Source)
		}
		return f.reducer.blob(d.Key, d.Blob)
	}
	if d.Watermark > c.position && !c.ended {
		return errOvertaken
	}
	if err := f.reducer.blob(d.Key, d.Blob); err != nil {
		return err
	}
	parts := c.copies[d.Key]
	delete(c.copies, d.Key)
	return f.chain(d.Source, d.Key, d.Watermark, parts)
}

// chain adds copies of a key to what the store has of it below the watermark.
func (f *fold) chain(source string, k heatmap.Key, watermark uint64, parts []held) error {
	for _, h := range parts {
		switch {
		case watermark >= h.to:
		case watermark <= h.first:
			for _, part := range h.parts {
				f.reducer.add(k, part)
			}
			watermark = h.to
		default:
			f.overlap = source
			return errOverlap
		}
	}
	return nil
}

// rest adds the copies of keys that the store has nothing of.
func (f *fold) rest() error {
	for source, c := range f.cuts {
		for k, parts := range c.copies {
			if err := f.chain(source, k, 0, parts); err != nil {
				return err
			}
		}
	}
	return nil
}

// catchUp is how long a query waits after a start for hits that were there before it. Then it answers without, and says
// how far behind it is.
const catchUp = 2 * time.Second

// waitRecovered waits until feeds are as far as the store is, as blobs must not be ahead of them, or cannot be read any
// further, and for at most catchUp until all that the logs held at start is applied.
func (x *Index) waitRecovered(ctx context.Context, feeds []*feed) error {
	until := time.Now().Add(catchUp)
	for _, f := range feeds {
		if p, _ := f.pipeline(); p != nil {
			if err := p.waitRecovered(ctx, until); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *pipeline) waitRecovered(ctx context.Context, until time.Time) error {
	for {
		if p.caughtUp() || p.recovered() && time.Now().After(until) {
			return nil
		}
		if err := p.failed.Load(); err != nil {
			if p.begun() {
				return nil // there is no more to come
			}
			return *err
		}
		if p.ctx.Err() != nil {
			return nil // the next pipeline will be asked
		}
		if err := pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
