package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/journal"
)

// carrying says how far a generation is with what it has from another one. Each step is recorded before the next begins, so that
// a process which dies goes on with the step that it was at.
type carrying struct {
	Step  step              `json:"step"`
	Base  *index.Base       `json:"base"`             // at first with no more than the generation that it is from
	Found []heatmap.Carried `json:"carried,omitzero"` // when it is done
}

// step is what is to be done next.
type step string

const (
	stepPlan  step = "plan"  // find out what is carried
	stepCopy  step = "copy"  // copy the documents
	stepCount step = "count" // count what came meanwhile
	stepSum   step = "sum"   // add up the month that is carried in part
	stepDone  step = "done"
)

// holds reports whether a generation must stay because this one still reads of it.
func (e *entry) holds(id string) bool {
	return e.State != heatmap.StateFailed && e.Carrying != nil && e.Carrying.Step != stepDone && e.Carrying.Base.Generation == id
}

// held gives an error if a generation must stay because another one still reads of it.
func (r *record) held(e *entry) error {
	for i := range r.Generations {
		if by := &r.Generations[i]; by.ID != e.ID && by.holds(e.ID) {
			return &heatmap.StateError{ID: e.ID, State: e.State, Message: "generation " + by.ID + " is carrying over what it has: wait until it has, or drop " + by.ID + " first"}
		}
	}
	return nil
}

// baseOf gives what index.Options.Base asks for: it carries over what there is to carry, if that was not done before.
func (g *Generations) baseOf(e *entry, n *generation, o index.Options, sources []index.Source) func(context.Context) (*index.Base, error) {
	switch {
	case e.Carrying == nil:
		return nil
	case e.Carrying.Step == stepDone:
		return func(context.Context) (*index.Base, error) { return e.Carrying.Base, nil }
	}
	return func(ctx context.Context) (*index.Base, error) {
		select {
		case <-n.added: // now nothing is pruned any more
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		for {
			c, err := g.carryStep(ctx, e.ID, o, sources)
			if err != nil || c.Step == stepDone {
				return c.Base, err
			}
		}
	}
}

// carryStep takes the next step, for as long as it takes the store to answer, and gives what is recorded then. The error is for good.
func (g *Generations) carryStep(ctx context.Context, id string, o index.Options, sources []index.Source) (c carrying, err error) {
	r := g.snapshot()
	e := r.find(id)
	if e == nil {
		return c, context.Canceled
	}
	from, err := g.takeOpen(e.Carrying.Base.Generation)
	if err != nil {
		return c, err
	}
	defer from.users.Done()
	began := time.Now()
	err = g.insist(ctx, "carry over to generation "+id, func(ctx context.Context) (err error) {
		c, err = next(ctx, *e.Carrying, e.Scope, from, o, sources)
		if errors.As(err, new(*journal.CorruptError)) {
			return &heatmap.StateError{Message: err.Error()}
		}
		return err
	})
	if err != nil {
		return c, err
	}
	err = g.insist(ctx, "record what generation "+id+" carries", func(ctx context.Context) error {
		return g.change(ctx, func(r *record) error {
			e, err := r.get(id)
			if err == nil {
				e.Carrying = &c
			}
			return err
		})
	})
	if c.Step != stepPlan && !c.Base.Empty() {
		g.log.Info("generation carries over", "generation", id, "from", from.id, "next", c.Step, "took", time.Since(began).Round(time.Millisecond))
	}
	return c, err
}

// takeOpen gives a generation that is open, whatever its state. The caller must call users.Done on it.
func (g *Generations) takeOpen(id string) (*generation, error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	n := g.live[id]
	if n == nil {
		return nil, &heatmap.StateError{Message: "generation " + id + ", of which it carries over what is not counted anew, is not there any more"}
	}
	n.users.Add(1)
	return n, nil
}

// next takes a step and gives what is to be recorded.
func next(ctx context.Context, c carrying, scope heatmap.Scope, from *generation, o index.Options, sources []index.Source) (carrying, error) {
	if c.Step == stepPlan {
		base, err := from.index.NewBase(ctx, scope)
		if c.Base, c.Step = base, stepCopy; base.Empty() {
			c.Step = stepDone
		}
		return c, err
	}
	i := slices.IndexFunc(sources, func(s index.Source) bool { return s.ID() == c.Base.Source })
	if i < 0 {
		return c, &heatmap.StateError{Message: fmt.Sprintf("journal %s, of which it carries over hits, is not there any more", c.Base.Source)}
	}
	o.Source = sources[i]
	work := index.Carry{Options: o, Rules: from.rules, Base: c.Base}
	switch c.Step {
	case stepCopy:
		positions, err := work.Copy(ctx, from.index)
		base := *c.Base
		base.Positions = positions
		c.Base, c.Step = &base, stepCount
		return c, err
	case stepCount:
		c.Step = stepSum
		return c, work.Count(ctx)
	case stepSum:
		found, err := work.Sum(ctx)
		c.Found, c.Step = found, stepDone
		return c, err
	}
	return c, &heatmap.StateError{Message: fmt.Sprintf("this version of heatlog does not know the step %q", c.Step)}
}
