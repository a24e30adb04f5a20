package index

import (
	"context"
	"runtime"
	"time"
)

// turns bound how many answers are computed at a time, so that those who bring hits do not wait behind everybody who asks. Who
// comes first is first.
type turns chan struct{}

// take waits for a turn until ctx ends. What it gives must be given back by end.
func (t turns) take(ctx context.Context) (*turn, error) {
	select {
	case t <- struct{}{}:
		return &turn{of: t, rested: time.Now()}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// restEvery is how long an answer is computed before others that are ready to run go first. It is a tenth of what Go's scheduler
// lets them wait.
const restEvery = time.Millisecond

// turn is the right to compute.
type turn struct {
	of     turns
	rested time.Time
}

func (t *turn) end() { <-t.of }

// rest lets others go first when it is time to.
func (t *turn) rest() {
	if time.Since(t.rested) >= restEvery {
		runtime.Gosched()
		t.rested = time.Now()
	}
}
