package index

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"sync"
)

// Needed gives the position below which a generation ("" = the default) needs no hit of a source any more: what lies before
// its checkpoint and before the two buckets that tell repeats and bursts after a start. It is 0 where nothing is stored yet.
func Needed(ctx context.Context, store Records, generation string, source Source) (uint64, error) {
	c, _, err := readCheckpoint(ctx, store, cmp.Or(generation, "g1"), source.ID())
	if err != nil {
		return 0, fmt.Errorf("read checkpoint: %w", err)
	}
	warm, err := warmFrom(source, c.Appended)
	return min(c.Position, warm), err
}

// Needed gives what tells the position below which the index needs no hit any more, its scans included. What it tells is
// true for as long as the index is open, and no less with time; it is to be asked before each segment that is deleted.
func (x *Index) Needed(ctx context.Context) (below func() uint64, err error) {
	needed, err := Needed(ctx, x.options.Store, x.options.Generation, x.options.Source)
	if err != nil {
		return nil, err
	}
	return func() uint64 { return min(needed, x.pins.least()) }, nil
}

// pins keep what scans have still to read from being deleted. The zero value is ready; it is safe for concurrent use.
type pins struct {
	mu sync.Mutex
	at map[*pin]uint64
}

// pin keeps every hit from a position on.
type pin struct{ of *pins }

// add makes a pin that keeps everything.
func (p *pins) add() *pin {
	n := &pin{p}
	n.move(0)
	return n
}

// least is the least position that is kept.
func (p *pins) least() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	least := uint64(math.MaxUint64)
	for _, at := range p.at {
		least = min(least, at)
	}
	return least
}

func (n *pin) move(to uint64) {
	n.of.mu.Lock()
	defer n.of.mu.Unlock()
	if n.of.at == nil {
		n.of.at = make(map[*pin]uint64)
	}
	n.of.at[n] = to
}

func (n *pin) release() {
	n.of.mu.Lock()
	defer n.of.mu.Unlock()
	delete(n.of.at, n)
}
