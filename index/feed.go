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
	if errors.Is(cause, errFinished) {
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

// listSources adds the sources that are read to the record, before anything of them is stored, and notes which of those
// in the record are not there but may have hits in the store.
func (x *Index) listSources(ctx context.Context) error {
	name := sourcesName(x.options.Generation)
	for {
		old, err := x.options.Store.Record(ctx, name)
		if err != nil {
			return fmt.Errorf("read record %s: %w", name, err)
		}
		listed := strings.Fields(string(old))
		all := slices.Clone(listed)
		for _, f := range x.feeds {
			if !slices.Contains(all, f.source.ID()) {
				all = append(all, f.source.ID())
			}
		}
		if len(all) > len(listed) {
			done, err := x.options.Store.SwapRecord(ctx, name, old, []byte(strings.Join(all, "\n")))
			if err != nil {
				return fmt.Errorf("write record %s: %w", name, err)
			}
			if !done {
				continue
			}
		}
		return x.findAbsent(ctx, listed)
	}
}

// findAbsent notes the sources that only the store has hits of.
func (x *Index) findAbsent(ctx context.Context, listed []string) error {
	for _, id := range listed {
		if slices.ContainsFunc(x.feeds, func(f *feed) bool { return f.source.ID() == id }) {
			continue
		}
		high, _, err := (&highMark{store: x.options.Store, generation: x.options.Generation, source: id}).read(ctx)
		if err != nil {
			return err
		}
		if high == 0 {
			continue // nothing was ever stored of it
		}
		c, _, err := readCheckpoint(ctx, x.options.Store, x.options.Generation, id)
		if err != nil {
			return err
		}
		if x.gone == nil {
			x.gone = make(map[string]checkpoint)
		}
		x.absent, x.gone[id] = append(x.absent, id), c
		x.options.Logger.Warn("the store holds hits of a journal that is not there: they stay counted, but cannot be read again",
			slog.String("source", id), slog.Uint64("stored", high))
	}
	return nil
}
