package replay

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"heatlog/heatmap"
)

// recordName is the record that says which generations there are, and in which state.
const recordName = "generations"

// firstID is the generation that the first start of a store makes.
const firstID = "g1"

// record is that record. What it is given to change is a copy, so that a change that is not stored leaves nothing behind.
type record struct {
	Active      string   `json:"active"`
	Previous    string   `json:"previous,omitzero"` // that was active before, if it is still there
	Next        int      `json:"next"`              // number of the next generation
	Generations []entry  `json:"generations"`       // oldest first
	Dropping    []string `json:"dropping,omitzero"` // of which there may be something in the store that must go
}

// entry is a generation in the record.
type entry struct {
	ID          string        `json:"id"`
	State       heatmap.State `json:"state"`
	Paused      bool          `json:"paused,omitzero"`
	Reason      string        `json:"reason,omitzero"`
	Spec        string        `json:"spec"` // as in heatmap.Generation
	Scope       heatmap.Scope `json:"scope,omitzero"`
	Carrying    *carrying     `json:"carrying,omitzero"` // nil of one that was not built beside another; never changed in place
	Activate    bool          `json:"activate,omitzero"`
	SkipDamaged bool          `json:"skip_damaged,omitzero"`
	Created     time.Time     `json:"created"`
	Ready       time.Time     `json:"ready,omitzero"`
	Activated   time.Time     `json:"activated,omitzero"`
	Retired     time.Time     `json:"retired,omitzero"`
	Until       time.Time     `json:"until,omitzero"`
}

// find gives the generation with an id, nil if there is none.
func (r *record) find(id string) *entry {
	for i := range r.Generations {
		if r.Generations[i].ID == id {
			return &r.Generations[i]
		}
	}
	return nil
}

// asked is get for who asks and may name none: "" is the active one. Whoever changes something must name it.
func (r *record) asked(id string) (*entry, error) { return r.get(cmp.Or(id, r.Active)) }

// get is find with an error for who has asked.
func (r *record) get(id string) (*entry, error) {
	if e := r.find(id); e != nil {
		return e, nil
	}
	return nil, &heatmap.ParamError{Field: "generation", Message: "there is no generation " + id}
}

// move gives a generation another state, if it may go there. The error is a *heatmap.StateError.
func (e *entry) move(to heatmap.State) error {
	if e.State == to {
		return &heatmap.StateError{Message: "generation " + e.ID + " is already " + string(to)}
	}
	if !e.State.CanMove(to) {
		return &heatmap.StateError{ID: e.ID, State: e.State, Message: "it cannot become " + string(to)}
	}
	e.State = to
	return nil
}

// ids gives the generations that are built or applied: those that hold what is stored of them against the journal.
func (r *record) ids() (all []string) {
	for i := range r.Generations {
		if r.Generations[i].State != heatmap.StateFailed {
			all = append(all, r.Generations[i].ID)
		}
	}
	return all
}

// comparesLater reports whether a generation is still to be compared with the journal.
func (r *record) comparesLater() bool {
	return slices.ContainsFunc(r.Generations, func(e entry) bool {
		return e.State == heatmap.StateBuilding || e.State == heatmap.StateCatchingUp || e.State == heatmap.StateVerifying
	})
}

func (r *record) copy() record {
	c := *r
	c.Generations, c.Dropping = slices.Clone(r.Generations), slices.Clone(r.Dropping)
	return c
}

func parseRecord(text []byte) (r record, err error) {
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("read record %s: %w", recordName, err)
	}
	if r.find(r.Active) == nil {
		return r, fmt.Errorf("read record %s: there is no active generation %q", recordName, r.Active)
	}
	return r, nil
}

// change stores what fn makes of the record, if nobody else has changed it meanwhile; else fn is asked again. An error of fn
// changes nothing and is returned as it is. Any other error means that nobody knows yet whether the change was made: it shows
// when the store answers again.
func (g *Generations) change(ctx context.Context, fn func(*record) error) error {
	g.moving.Lock()
	defer g.moving.Unlock()
	for {
		old, err := g.store.Record(ctx, recordName)
		if err != nil {
			return fmt.Errorf("read record %s: %w", recordName, err)
		}
		r, err := parseRecord(old)
		if err != nil {
			return err
		}
		g.adopt(r)
		next := r.copy()
		if err := fn(&next); err != nil {
			return err
		}
		value, err := json.Marshal(&next)
		if err != nil {
			return fmt.Errorf("write record %s: %w", recordName, err)
		}
		if bytes.Equal(value, old) {
			return nil
		}
		done, err := g.store.SwapRecord(ctx, recordName, old, value)
		if err != nil {
			if have, readErr := g.store.Record(ctx, recordName); readErr != nil || !bytes.Equal(have, value) {
				g.uncertain.Store(true)
				return fmt.Errorf("write record %s: %w", recordName, errors.Join(err, readErr))
			}
			done = true
		}
		if done {
			g.adopt(next)
			return nil
		}
	}
}

// reread takes over what the store has after a change of which nobody knows what became of it.
func (g *Generations) reread(ctx context.Context) {
	g.moving.Lock()
	defer g.moving.Unlock()
	old, err := g.store.Record(ctx, recordName)
	if err != nil {
		return
	}
	if r, err := parseRecord(old); err == nil {
		g.uncertain.Store(false)
		g.adopt(r)
	}
}

// adopt makes the record what questions and readers go by.
func (g *Generations) adopt(r record) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.record = r
	g.endKept()
	for id, n := range g.live {
		e := r.find(id)
		n.hold.set(e != nil && e.Paused)
	}
}

// insist calls try until it succeeds, or gives a *heatmap.StateError or *heatmap.ParamError, or ctx ends.
func (g *Generations) insist(ctx context.Context, what string, try func(ctx context.Context) error) error {
	const longest = 5 * time.Second
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, longest) {
		err := try(ctx)
		if err == nil || errors.As(err, new(*heatmap.StateError)) || errors.As(err, new(*heatmap.ParamError)) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		g.log.Error("store does not answer, trying again", "what", what, "err", err, "wait", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
