package index

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// feed applies one source, by one pipeline at a time. That of a frozen source ends when all of it is stored.
type feed struct {
	index  *Index
	source Source
	frozen bool // nothing is ever added to the source
	high   *highMark
	lost   losses
	tap    *tap // nil where nobody can listen

	mu      sync.RWMutex
	current *pipeline  // guarded by mu; nil when all of a frozen source is stored
	stored  checkpoint // guarded by mu; every hit below it is stored if current is nil
}

// errBulkDone says that a pipeline has read and stored in bulk what the source held.
var errBulkDone = errors.New("what the source held is stored")

// errFinished says that a pipeline has stored all of a frozen source.
var errFinished = errors.New("all of the source is stored")

func (x *Index) newFeed(source Source, frozen bool) *feed {
	return &feed{index: x, source: source, frozen: frozen, high: &highMark{store: x.options.Store, generation: x.options.Generation, source: source.ID()}}
}

// behind reports whether a source ends before the position that flushes of its hits may have gone to. Then it is an older
// copy, and its next positions were given out before.
func behind(end, high uint64) bool { return end < high }

// Behind gives a *JournalBehindError if hits must not be added to a source, because one of the generations, which need not
// be open, has stored more of it than there is.
func Behind(ctx context.Context, store Records, generations []string, source Source) error {
	return BehindAt(ctx, store, generations, source.ID(), source.Durable())
}

// BehindAt is Behind for a source that is not open and ends at a position.
func BehindAt(ctx context.Context, store Records, generations []string, source string, end uint64) error {
	var most uint64
	for _, generation := range generations {
		high, _, err := (&highMark{store: store, generation: generation, source: source}).read(ctx)
		if err != nil {
			return err
		}
		most = max(most, high)
	}
	if behind(end, most) {
		return &JournalBehindError{Source: source, End: end, High: most}
	}
	return nil
}

// covers reports whether all of a source that ends at a position is stored.
func (c checkpoint) covers(end uint64) bool { return c.Position >= end }

// begin makes the first pipeline, or none if a frozen source is stored to its end. It fails with a *JournalBehindError if
// hits are to be added to a source that is behind.
func (f *feed) begin(ctx, run context.Context) error {
	high, _, err := f.high.read(ctx)
	if err != nil {
		return err
	}
	end := f.source.Durable()
	if !f.frozen && behind(end, high) {
		return &JournalBehindError{Source: f.source.ID(), End: end, High: high}
	}
	if f.frozen {
		c, _, err := readCheckpoint(ctx, f.index.options.Store, f.index.options.Generation, f.source.ID())
		if err != nil {
			return err
		}
		f.index.options.Logger.Info("journal source is frozen", slog.String("source", f.source.ID()), slog.Uint64("end", end),
			slog.Uint64("counted", c.Position), slog.Uint64("stored", high))
		if c.covers(end) {
			f.stored = c
			return nil
		}
	}
	f.index.running.Add(1)
	f.current = newPipeline(run, f, f.index.options.BulkBytes > 0)
	return nil
}

// run keeps a pipeline running until the index closes or all of a frozen source is stored.
func (f *feed) run(ctx context.Context) {
	for p := f.current; p != nil; {
		err := p.run()
		if ctx.Err() != nil || errors.As(err, new(*unstoredError)) {
			return
		}
		if errors.Is(err, errFinished) {
			f.index.options.Logger.Info("frozen source is counted", slog.String("source", f.source.ID()), slog.Uint64("position", p.routed.Load()))
			f.index.running.Add(-1)
			f.set(nil, p.intake.ends.latest())
			return
		}
		bulk := false
		if !errors.Is(err, errBulkDone) {
			f.index.options.Logger.Warn("index starts over at the checkpoint", slog.String("source", f.source.ID()), slog.Any("err", err))
			bulk = p.bulk.Load()
		}
		p = newPipeline(ctx, f, bulk)
		f.set(p, checkpoint{})
	}
}

// carry tells a stream which hits were carried over. It fails if hits that were not, at or above a checkpoint, were pruned since
// the generation began.
func (f *feed) carry(s *Stream, checkpoint uint64) (err error) {
	if b := f.index.base; b != nil {
		if first := f.source.First(); first > max(checkpoint, b.Kept[f.source.ID()]) {
			return fmt.Errorf("hits below position %d of journal %s were pruned while the generation began: start it again", first, f.source.ID())
		}
	}
	s.skips, err = f.index.leftOut(f.source.ID())
	return err
}

func (f *feed) set(p *pipeline, stored checkpoint) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.current, f.stored = p, stored
}

// pipeline gives the pipeline that runs, or nil and the checkpoint at the end of the source.
func (f *feed) pipeline() (p *pipeline, stored checkpoint) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.current, f.stored
}

// lag is the number of durable hits that queries do not count yet.
func (f *feed) lag() uint64 {
	p, _ := f.pipeline()
	if p == nil {
		return 0
	}
	routed, durable := p.routed.Load(), f.source.Durable()
	return max(durable, routed) - routed
}

// drain stores what is live.
func (f *feed) drain(ctx context.Context) error {
	p, _ := f.pipeline()
	if p == nil {
		return nil
	}
	err := p.drain(ctx)
	cause := context.Cause(p.ctx)
	if errors.Is(cause, errFinished) || errors.Is(cause, errBulkDone) { // it has stored all that it had
		return nil
	}
	if errors.As(cause, new(*unstoredError)) {
		return cause
	}
	return err
}

// active is the feed of the source that hits are added to.
func (x *Index) active() *feed { return x.feeds[len(x.feeds)-1] }

// sourcesName is the record that lists the sources of a generation, one a line.
func sourcesName(generation string) string { return "sources/" + generation }

// lonely are the sources that only the store has hits of.
type lonely struct {
	ids []string
	at  map[string]checkpoint
}

// absentSources gives those that are known so far.
func (x *Index) absentSources() lonely {
	if a := x.absent.Load(); a != nil {
		return *a
	}
	return lonely{}
}

// listSources adds the sources that are read to the record, before anything of them is stored, and notes which of those
// in the record are not there but may have hits in the store.
func (x *Index) listSources(ctx context.Context) error {
	ids := make([]string, len(x.feeds))
	for i, f := range x.feeds {
		ids[i] = f.source.ID()
	}
	listed, err := addSources(ctx, x.options.Store, x.options.Generation, ids)
	if err != nil {
		return err
	}
	return x.findAbsent(ctx, listed)
}

// addSources adds sources to the record that lists those of a generation, and gives those that were there.
func addSources(ctx context.Context, store Records, generation string, sources []string) (listed []string, err error) {
	name := sourcesName(generation)
	for {
		old, err := store.Record(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("read record %s: %w", name, err)
		}
		listed = strings.Fields(string(old))
		all := slices.Clone(listed)
		for _, id := range sources {
			if !slices.Contains(all, id) {
				all = append(all, id)
			}
		}
		if len(all) == len(listed) {
			return listed, nil
		}
		done, err := store.SwapRecord(ctx, name, old, []byte(strings.Join(all, "\n")))
		if err != nil {
			return nil, fmt.Errorf("write record %s: %w", name, err)
		}
		if done {
			return listed, nil
		}
	}
}

// findAbsent notes the sources that only the store has hits of.
func (x *Index) findAbsent(ctx context.Context, listed []string) error {
	found := lonely{at: make(map[string]checkpoint)}
	for _, id := range listed {
		if isCarried(id) || slices.ContainsFunc(x.feeds, func(f *feed) bool { return f.source.ID() == id }) {
			continue
		}
		high, _, err := (&highMark{store: x.options.Store, generation: x.options.Generation, source: id}).read(ctx)
		if err != nil {
			return err
		}
		if high == 0 {
			continue // nothing was ever stored of it
		}
		if found.at[id], _, err = readCheckpoint(ctx, x.options.Store, x.options.Generation, id); err != nil {
			return err
		}
		found.ids = append(found.ids, id)
		x.options.Logger.Warn("the store holds hits of a journal that is not there: they stay counted, but cannot be read again",
			slog.String("source", id), slog.Uint64("stored", high))
	}
	x.absent.Store(&found)
	return nil
}
