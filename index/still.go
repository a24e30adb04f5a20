package index

import (
	"context"
	"sync/atomic"
)

// still holds all pipelines of an index at the positions where they are. The zero value lets them go.
type still struct{ held atomic.Pointer[chan struct{}] }

// standStill makes the index stand still: nothing is applied until resume is called, while it is asked, flushed and
// checkpointed as ever. It is behind meanwhile, so it is not for one that answers. It may be called by one at a time.
func (x *Index) standStill(ctx context.Context) (resume func(), err error) {
	held := make(chan struct{})
	x.still.held.Store(&held)
	resume = func() {
		x.still.held.Store(nil)
		close(held)
	}
	for _, p := range x.pipelines() {
		if err := p.takeTurn(ctx); err != nil { // whoever had the turn has handed over what it had
			resume()
			return nil, err
		}
		p.endTurn()
	}
	return resume, nil
}

// takeRoutingTurn is takeTurn for who moves the pipeline on: it waits while the index stands still.
func (p *pipeline) takeRoutingTurn() error {
	for {
		if err := p.takeTurn(p.ctx); err != nil {
			return err
		}
		held := p.still.held.Load()
		if held == nil {
			return nil
		}
		p.endTurn()
		select {
		case <-*held:
		case <-p.ctx.Done():
			return errEnded
		}
	}
}
