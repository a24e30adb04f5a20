package replay

import (
	"context"
	"errors"
	"time"

	"heatlog/heatmap"
)

// drive takes a generation from building to ready, and switches to it if it was asked to.
func (g *Generations) drive(n *generation) {
	for n.ctx.Err() == nil {
		r := g.snapshot()
		e := r.find(n.id)
		if e == nil {
			return
		}
		var err error
		switch e.State {
		case heatmap.StateBuilding:
			err = g.await(n, func() bool { return !n.index.Building() })
			err = g.goOn(n, err, heatmap.StateCatchingUp)
		case heatmap.StateCatchingUp:
			err = g.await(n, n.caughtUp)
			err = g.goOn(n, err, heatmap.StateVerifying)
		case heatmap.StateVerifying:
			var problem error
			// after a kill it begins at a checkpoint: until it has caught up, documents hold hits that it has not counted yet
			if err = g.await(n, n.caughtUp); err == nil {
				err = g.insist(n.ctx, "verify generation "+n.id, func(context.Context) (err error) {
					problem, err = g.compare(n)
					return err
				})
			}
			if problem == nil && err == nil { // it stood still
				err = g.await(n, n.caughtUp)
			}
			if err == nil || n.ctx.Err() == nil {
				err = g.goOn(n, errors.Join(problem, err), heatmap.StateReady)
			}
		case heatmap.StateReady:
			if !e.Activate {
				return
			}
			if err = g.insist(n.ctx, "switch to generation "+n.id, func(ctx context.Context) error { return g.Activate(ctx, n.id) }); err != nil {
				g.log.Error("generation is ready, but was not switched to", "generation", n.id, "err", err)
				return
			}
		default:
			return
		}
		if err != nil {
			return
		}
	}
}

// caughtUpLag is how many hits a generation may be behind the journal to count as caught up: it follows, and always is
// behind by what is just being read.
const caughtUpLag = 10_000

// caughtUp reports whether a generation is about as far as the journal.
func (n *generation) caughtUp() bool { return n.index.Ready() == nil && n.index.Lag() <= caughtUpLag }

// await waits until a generation that is not paused is so far. It gives the reason if it will never be.
func (g *Generations) await(n *generation, soFar func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := n.index.Failed(); err != nil {
			return err
		}
		if !n.hold.on() && soFar() {
			return nil
		}
		select {
		case <-n.ctx.Done():
			return n.ctx.Err()
		case <-tick.C:
		}
	}
}

// goOn moves a generation to the next state, or lets it fail for a reason. The error is nil if it has moved on.
func (g *Generations) goOn(n *generation, reason error, to heatmap.State) error {
	if n.ctx.Err() != nil {
		return n.ctx.Err()
	}
	err := g.insist(n.ctx, "move generation "+n.id, func(ctx context.Context) error {
		return g.change(ctx, func(r *record) error {
			if reason != nil {
				return r.fail(n.id, reason.Error())
			}
			e, err := r.get(n.id)
			if err != nil {
				return err
			}
			if e.Paused {
				return nil // since it was looked at: it stays where it is
			}
			if to == heatmap.StateReady {
				e.Ready = g.now()
			}
			return e.move(to)
		})
	})
	if reason == nil || err != nil {
		return err
	}
	g.log.Error("generation failed", "generation", n.id, "err", reason)
	g.spawn(func() { g.remove(g.ctx, n.id) })
	return reason
}
