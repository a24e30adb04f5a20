package replay

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
)

// take gives the generation with an id, "" for the active one, for one question. The caller must call users.Done on it.
func (g *Generations) take(id string) (*generation, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	e, err := g.record.asked(id)
	if err != nil {
		return nil, err
	}
	n := g.live[e.ID]
	if n == nil || !e.State.Answers() || e.Paused {
		state := string(e.State)
		if e.Paused {
			state = "paused"
		}
		return nil, &heatmap.ParamError{Field: "generation", Message: "generation " + e.ID + " cannot be asked: it is " + state}
	}
	n.users.Add(1)
	return n, nil
}

// ask puts a question to the generation that it names. It is the same one to the end, whatever is switched meanwhile.
func ask[A any](g *Generations, ctx context.Context, q heatmap.Query, put func(*index.Index, context.Context, heatmap.Query) (A, error)) (A, error) {
	n, err := g.take(q.Generation)
	if err != nil {
		var none A
		return none, err
	}
	defer n.users.Done()
	q.Generation = n.id
	return put(n.index, ctx, q)
}

// Heatmap answers a query for a kind's points, as [index.Index.Heatmap] does.
func (g *Generations) Heatmap(ctx context.Context, q heatmap.Query) (*heatmap.Heatmap, error) {
	return ask(g, ctx, q, (*index.Index).Heatmap)
}

// Difference answers a query for how a map differs from that of another range, expression or generation, as
// [index.Difference] does.
func (g *Generations) Difference(ctx context.Context, q, minus heatmap.Query) (*heatmap.Difference, error) {
	return ask(g, ctx, q, func(x *index.Index, ctx context.Context, q heatmap.Query) (*heatmap.Difference, error) {
		if minus.Generation == "" {
			minus.Generation = q.Generation // the active one, whatever is switched meanwhile
		}
		d, err := ask(g, ctx, minus, func(y *index.Index, ctx context.Context, minus heatmap.Query) (*heatmap.Difference, error) {
			return index.Difference(ctx, x, q, y, minus)
		})
		if param := (*heatmap.ParamError)(nil); errors.As(err, &param) && param.Field == "generation" && minus.Generation != q.Generation {
			return nil, &heatmap.ParamError{Field: "minus_generation", Message: param.Message}
		}
		return d, err
	})
}

// Elements answers a query for the elements that clicks were at, as [index.Index.Elements] does.
func (g *Generations) Elements(ctx context.Context, q heatmap.Query) (*heatmap.ElementList, error) {
	return ask(g, ctx, q, (*index.Index).Elements)
}

// Scroll answers a query for reach, attention and fold.
func (g *Generations) Scroll(ctx context.Context, q heatmap.Query) (*heatmap.Scroll, error) {
	return ask(g, ctx, q, (*index.Index).Scroll)
}

// Pages answers a query for the pages of a site with their counts.
func (g *Generations) Pages(ctx context.Context, q heatmap.Query) (*heatmap.PageList, error) {
	return ask(g, ctx, q, (*index.Index).Pages)
}

// Trend answers a query for hits over time.
func (g *Generations) Trend(ctx context.Context, q heatmap.Query) (*heatmap.Trend, error) {
	return ask(g, ctx, q, (*index.Index).Trend)
}

// Timeline answers a query for when a page was clicked where.
func (g *Generations) Timeline(ctx context.Context, q heatmap.Query) (*heatmap.Timeline, error) {
	return ask(g, ctx, q, (*index.Index).Timeline)
}

// Export calls fn for hits of the journal, as [index.Index.Export] does. It is the same for all generations.
func (g *Generations) Export(ctx context.Context, q heatmap.Query, positions map[string]uint64, fn func(*heatmap.Hit) error) error {
	n, err := g.take("")
	if err != nil {
		return err
	}
	defer n.users.Done()
	return n.index.Export(ctx, q, positions, fn)
}

// Reader gives the index of a generation, "" for the active one. It is for those who look on, not for questions: it may be
// closed when the generation is dropped. The error is a *heatmap.ParamError if it cannot be asked.
func (g *Generations) Reader(id string) (*index.Index, error) {
	n, err := g.take(id)
	if err != nil {
		return nil, err
	}
	n.users.Done()
	return n.index, nil
}

// Zone gives the zone that the rules of the active generation name for a site, nil for none.
func (g *Generations) Zone(site string) *time.Location {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if n := g.live[g.record.Active]; n != nil {
		return n.rules.Zone(site)
	}
	return nil
}

// active gives the index of the active generation, nil after Close.
func (g *Generations) active() *index.Index {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if n := g.live[g.record.Active]; n != nil {
		return n.index
	}
	return nil
}

// Admit says whether hits may be added to the source. The active generation decides: one that is built remembers the
// repeats of months ago.
func (g *Generations) Admit(hits int) error {
	if x := g.active(); x != nil {
		return x.Admit(hits)
	}
	return nil
}

// Lag is the number of durable hits that queries of the active generation do not count yet.
func (g *Generations) Lag() uint64 {
	if x := g.active(); x != nil {
		return x.Lag()
	}
	return 0
}

// Ready gives nil, or what is in the way of answers of the active generation that are up to date.
func (g *Generations) Ready() error {
	if x := g.active(); x != nil {
		return x.Ready()
	}
	return context.Canceled
}

// Stats gives the totals of the active generation's index.
func (g *Generations) Stats() index.Stats {
	if x := g.active(); x != nil {
		return x.Stats()
	}
	return index.Stats{}
}

// Memory is what all generations together may hold of deltas, and what they hold to tell repeats, bytes.
func (g *Generations) Memory() (deltas, repeats int64) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for _, n := range g.live {
		deltas += n.index.CacheBytes()
		repeats += n.index.Stats().Stream.RepeatBytes
	}
	return deltas, repeats
}

// Needed gives what tells the position of a source below which no generation needs a hit any more, as [index.Index.Needed]
// does for one. A generation that begins after Needed was called needs everything, and so does one until it is compared: what it
// has counted is counted again from the journal.
func (g *Generations) Needed(ctx context.Context) (below func(source string) uint64, err error) {
	g.mu.RLock()
	asked := make(map[string]func(source string) uint64)
	live := make([]*generation, 0, len(g.live))
	for _, n := range g.live {
		live = append(live, n)
	}
	g.mu.RUnlock()
	for _, n := range live {
		if asked[n.id], err = n.index.Needed(ctx); err != nil {
			return nil, err
		}
	}
	return func(source string) uint64 {
		g.mu.RLock()
		defer g.mu.RUnlock()
		if g.record.comparesLater() {
			return 0
		}
		for id := range g.live {
			if asked[id] == nil {
				return 0
			}
		}
		least := uint64(math.MaxUint64)
		for _, below := range asked { // of one that is no more open too: somebody may still ask it
			least = min(least, below(source))
		}
		return least
	}, nil
}

// Needed gives the position of a source below which none of a store's generations needs a hit any more, while none of them is
// open. It is 0 where nothing is counted yet. Frozen says that nothing is added to the source any more.
func Needed(ctx context.Context, store index.Store, source index.Source, frozen bool) (uint64, error) {
	r, err := recordIn(ctx, store)
	if err != nil || r.comparesLater() {
		return 0, err
	}
	of := index.Needed
	if frozen {
		of = index.NeededFrozen
	}
	least := uint64(math.MaxUint64)
	for _, id := range r.ids() {
		below, err := of(ctx, store, id, source)
		if err != nil {
			return 0, err
		}
		least = min(least, below)
	}
	return least, nil
}

// Behind gives an *index.JournalBehindError if a source that ends at a position is an older copy: a generation of a store that
// is not open here has stored more of it.
func Behind(ctx context.Context, store index.Store, source string, end uint64) error {
	r, err := recordIn(ctx, store)
	if err != nil {
		return err
	}
	return index.BehindAt(ctx, store, r.ids(), source, end)
}

// recordIn gives the record of a store, or that of one which has at most the first generation.
func recordIn(ctx context.Context, store index.Store) (record, error) {
	text, err := store.Record(ctx, recordName)
	if err != nil {
		return record{}, fmt.Errorf("read record %s: %w", recordName, err)
	}
	if text == nil {
		return record{Active: firstID, Generations: []entry{{ID: firstID, State: heatmap.StateActive}}}, nil
	}
	return parseRecord(text)
}
