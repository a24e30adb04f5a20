package replay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
)

// specHash is the short name of a spec.
func specHash(spec []byte) string {
	sum := sha256.Sum256(spec)
	return hex.EncodeToString(sum[:8])
}

// Start begins a new generation. The error is a *heatmap.ParamError for what was asked, a *heatmap.StateError if there are
// MaxGenerations already.
func (g *Generations) Start(ctx context.Context, p heatmap.Replay) (heatmap.Generation, error) {
	rules, err := index.ParseRules([]byte(p.Rules))
	if err != nil {
		return heatmap.Generation{}, &heatmap.ParamError{Field: "rules", Message: err.Error()}
	}
	scope, err := g.scope(&p)
	if err != nil {
		return heatmap.Generation{}, err
	}
	id, err := g.reserve(ctx)
	if err != nil {
		return heatmap.Generation{}, err
	}
	e := entry{
		ID: id, State: heatmap.StateBuilding, Spec: specHash(rules.Spec()), Scope: scope, Activate: p.Activate,
		Carrying: &carrying{Step: stepPlan, Base: &index.Base{}}, SkipDamaged: p.SkipDamaged, Created: g.now(),
	}
	if err := g.begin(ctx, &e, p.Rules, rules); err != nil {
		g.spawn(func() { g.erase(id) })
		return heatmap.Generation{}, err
	}
	g.log.Info("generation begins to be built", "generation", id, "rules", e.Spec)
	return g.Get(ctx, id)
}

// scope checks which part of the journal is to be counted.
func (g *Generations) scope(p *heatmap.Replay) (s heatmap.Scope, err error) {
	for _, site := range p.Sites {
		if known := g.options.Index.KnownSite; known != nil && !known(site) {
			return s, &heatmap.ParamError{Field: "sites", Message: "there is no site " + site}
		}
	}
	s.Sites = slices.Compact(slices.Sorted(slices.Values(p.Sites)))
	if p.From != 0 {
		if now := g.now(); p.From > heatmap.DateOf(now.UnixMilli(), time.UTC)+1 { // it may be tomorrow somewhere
			return s, &heatmap.ParamError{Field: "from", Message: p.From.String() + " is in the future: nothing would be counted anew"}
		}
		s.From = p.From.String()
	}
	return s, nil
}

// reserve takes an id. Until the generation is on the list, what there is of it is to be dropped: a start that breaks off
// leaves nothing.
func (g *Generations) reserve(ctx context.Context) (id string, err error) {
	err = g.change(ctx, func(r *record) error {
		if err := r.hasRoom(); err != nil {
			return err
		}
		id = idOf(r.Next)
		r.Next++
		r.Dropping = append(r.Dropping, id)
		return nil
	})
	return id, err
}

func (r *record) hasRoom() error {
	if n := len(r.Generations); n >= MaxGenerations {
		return &heatmap.StateError{Message: fmt.Sprintf("there are %d generations, limit %d: drop one first", n, MaxGenerations)}
	}
	return nil
}

// begin opens a generation whose id is reserved and puts it on the list.
func (g *Generations) begin(ctx context.Context, e *entry, text string, rules *index.Rules) error {
	if err := g.writeRules(ctx, e.ID, text, rules.Spec()); err != nil {
		return err
	}
	n, err := g.open(ctx, e, rules)
	if err != nil {
		return err
	}
	err = g.change(ctx, func(r *record) error {
		e.Carrying.Base.Generation = r.Active
		i := slices.Index(r.Dropping, e.ID)
		if i < 0 {
			return &heatmap.StateError{ID: e.ID, State: e.State, Message: "it was dropped before it began"}
		}
		if err := r.hasRoom(); err != nil {
			return err
		}
		r.Dropping = slices.Delete(r.Dropping, i, i+1)
		r.Generations = append(r.Generations, *e)
		return nil
	})
	if err != nil {
		n.cancel()
		n.index.Abort()
		return err
	}
	g.add(n)
	return nil
}

// Activate switches to a generation that is ready or retired. The error is a *heatmap.StateError if it cannot be.
func (g *Generations) Activate(ctx context.Context, id string) error {
	if err := g.canAnswer(id); err != nil {
		return err
	}
	now, from := g.now(), ""
	err := g.change(ctx, func(r *record) error {
		e, err := r.get(id)
		if err != nil {
			return err
		}
		if err := e.move(heatmap.StateActive); err != nil {
			return err
		}
		old := r.find(r.Active)
		if err := old.move(heatmap.StateRetired); err != nil {
			return err
		}
		from = r.Active
		old.Retired, old.Until = now, now.Add(g.options.KeepRetired)
		e.Activated, e.Retired, e.Until, e.Activate = now, time.Time{}, time.Time{}, false
		r.Active, r.Previous = id, from
		return nil
	})
	if err == nil {
		g.log.Info("generation is active", "generation", id, "before", from, "kept", g.options.KeepRetired)
	}
	return err
}

// canAnswer refuses to switch to a generation that is not where the active one is: after a start, or when damage has stopped
// it.
func (g *Generations) canAnswer(id string) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	n, active, e := g.live[id], g.live[g.record.Active], g.record.find(id)
	if n == nil || active == nil || e == nil || !e.State.CanMove(heatmap.StateActive) {
		return nil // the record decides
	}
	if err := n.index.Ready(); err != nil && active.index.Ready() == nil {
		return &heatmap.StateError{ID: id, State: e.State, Message: "it is not where the active one is: " + err.Error()}
	}
	return nil
}

// Pause holds up a generation that is building or catching up. What it has counted is stored meanwhile.
func (g *Generations) Pause(ctx context.Context, id string) error {
	if err := g.setPaused(ctx, id, true); err != nil {
		return err
	}
	g.mu.RLock()
	n := g.live[id]
	g.mu.RUnlock()
	if n != nil {
		g.keep(n) // what has been read to its end waits for more, and not for the end of the pause
	}
	return nil
}

// keep stores what a paused generation has counted. It is told so once more by each of its readers that stands still, for
// one may have been in the middle of a chunk.
func (g *Generations) keep(n *generation) {
	g.spawn(func() {
		if err := n.index.Flush(n.ctx); err != nil && n.ctx.Err() == nil {
			g.log.Error("paused generation was not stored, it is tried again by and by", "generation", n.id, "err", err)
		}
	})
}

// Resume lets a paused generation go on.
func (g *Generations) Resume(ctx context.Context, id string) error {
	return g.setPaused(ctx, id, false)
}

func (g *Generations) setPaused(ctx context.Context, id string, paused bool) error {
	return g.change(ctx, func(r *record) error {
		e, err := r.get(id)
		if err != nil {
			return err
		}
		if !e.State.CanPause() {
			return &heatmap.StateError{ID: id, State: e.State, Message: "it can be paused and resumed only while it is building or catching up"}
		}
		e.Paused = paused
		return nil
	})
}

// Drop takes a generation off the list, whatever it is doing, and deletes what is stored of it in the background. That of the
// active one is a *heatmap.StateError.
func (g *Generations) Drop(ctx context.Context, id string) error {
	return g.drop(ctx, id, func(*entry) error { return nil })
}

// drop drops a generation if may gives no error.
func (g *Generations) drop(ctx context.Context, id string, may func(*entry) error) error {
	err := g.change(ctx, func(r *record) error {
		e, err := r.get(id)
		if err != nil {
			return err
		}
		if err := errors.Join(may(e), r.held(e)); err != nil {
			return err
		}
		return r.strike(id)
	})
	if err == nil {
		g.spawn(func() { g.erase(id) })
	}
	return err
}

// strike takes a generation off the list, if it is there, and notes that it is to be dropped.
func (r *record) strike(id string) error {
	if e := r.find(id); e != nil && !e.State.CanDrop() {
		return &heatmap.StateError{ID: id, State: e.State, Message: "activate another one first"}
	}
	r.Generations = slices.DeleteFunc(r.Generations, func(e entry) bool { return e.ID == id })
	if !slices.Contains(r.Dropping, id) {
		r.Dropping = append(r.Dropping, id)
	}
	if r.Previous == id {
		r.Previous = ""
	}
	return nil
}

// erase deletes all that there is of a generation that is off the list.
func (g *Generations) erase(id string) {
	if !g.remove(g.ctx, id) {
		return
	}
	err := g.insist(g.ctx, "drop generation "+id, func(ctx context.Context) error {
		if err := g.change(ctx, func(r *record) error { return r.strike(id) }); err != nil { // a start of which nobody knows what became
			return err
		}
		if err := index.DropGeneration(ctx, g.store, id); err != nil {
			return err
		}
		for _, name := range []string{rulesName(id), reportName(id)} {
			if err := index.DeleteRecord(ctx, g.store, name); err != nil {
				return err
			}
		}
		return g.change(ctx, func(r *record) error {
			r.Dropping = slices.DeleteFunc(r.Dropping, func(d string) bool { return d == id })
			return nil
		})
	})
	if err == nil {
		g.log.Info("generation is dropped", "generation", id)
	} else if g.ctx.Err() == nil {
		g.log.Error("generation was not dropped", "generation", id, "err", err)
	}
}

// reportName is the record of what a comparison has found.
func reportName(id string) string { return "report/" + id }

// fail makes a generation fail.
func (r *record) fail(id, reason string) error {
	e, err := r.get(id)
	if err != nil {
		return err
	}
	if err := e.move(heatmap.StateFailed); err != nil {
		return err
	}
	e.Reason, e.Paused = reason, false
	return nil
}
