package replay

import (
	"context"

	"heatlog/heatmap"
	"heatlog/index"
)

// Kept is an answer that is kept up to date, as an [index.Kept] is. Update gives heatmap.ErrSwitched when another generation becomes
// active and the question named none, or when its generation is dropped.
type Kept struct {
	*index.Kept
	of *Generations
}

// keptBy says which generation keeps an answer.
type keptBy struct {
	id    string
	named bool // the question named it
}

// Keep begins an answer that is kept up to date by the generation that the query names, as [index.Index.Keep] does.
func (g *Generations) Keep(ctx context.Context, q heatmap.Question) (*Kept, error) {
	by := keptBy{named: q.Query.Generation != ""}
	kept, err := ask(g, ctx, q.Query, func(x *index.Index, ctx context.Context, query heatmap.Query) (*index.Kept, error) {
		by.id, q.Query = query.Generation, query
		return x.Keep(ctx, q)
	})
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.kept[kept] = by
	g.endKept() // there may have been a switch meanwhile
	return &Kept{kept, g}, nil
}

// Close ends the answer and frees what it holds.
func (k *Kept) Close() {
	k.of.mu.Lock()
	delete(k.of.kept, k.Kept)
	k.of.mu.Unlock()
	k.Kept.Close()
}

// endKept ends the answers that are not those to their questions any more. The caller holds mu.
func (g *Generations) endKept() {
	for kept, by := range g.kept {
		if g.record.find(by.id) == nil || !by.named && g.record.Active != by.id {
			kept.End(heatmap.ErrSwitched)
			delete(g.kept, kept)
		}
	}
}
