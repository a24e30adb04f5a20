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

// NeededFrozen is Needed for a source to which nothing is added any more: when all of it is stored, nothing is needed.
func NeededFrozen(ctx context.Context, store Records, generation string, source Source) (uint64, error) {
	c, _, err := readCheckpoint(ctx, store, cmp.Or(generation, "g1"), source.ID())
	if err != nil {
		return 0, fmt.Errorf("read checkpoint: %w", err)
	}
	if end := source.Durable(); c.covers(end) {
		return end, nil
	}
	return Needed(ctx, store, generation, source)
}

// Needed gives what tells the position of a source below which the index needs no hit any more, its scans and exports
// included; 0 of a source that it does not read. What it tells is true for as long as the index is open, and no less with
// time; it is to be asked before each segment that is deleted.
func (x *Index) Needed(ctx context.Context) (below func(source string) uint64, err error) {
	needed := make([]uint64, len(x.feeds))
	for i, f := range x.feeds {
		of := Needed
		if f.frozen {
			of = NeededFrozen
		}
		if needed[i], err = of(ctx, x.options.Store, x.options.Generation, f.source); err != nil {
			return nil, fmt.Errorf("source %s: %w", f.source.ID(), err)
		}
	}
	return func(source string) uint64 {
		for i, f := range x.feeds {
			if f.source.ID() == source {
				return min(needed[i], x.pins.least(i))
			}
		}
		return 0
	}, nil
}

// pins keep what scans and exports have still to read from being deleted. The zero value is ready; it is safe for concurrent
// use.
type pins struct {
	mu sync.Mutex
	at map[*pin]progress
}

// progress is how far a reader has read the sources, one after the other.
type progress struct {
	feed     int // those before it are done, those behind it are not begun
	position uint64
}

// pin keeps every hit from where a reader is on.
type pin struct{ of *pins }

// add makes a pin that keeps everything.
func (p *pins) add() *pin {
	n := &pin{p}
	n.move(0, 0)
	return n
}

// least is the least position of a feed that is kept.
func (p *pins) least(feed int) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	least := uint64(math.MaxUint64)
	for _, at := range p.at {
		switch {
		case at.feed == feed:
			least = min(least, at.position)
		case at.feed < feed:
			least = 0
		}
	}
	return least
}

func (n *pin) move(feed int, to uint64) {
	n.of.mu.Lock()
	defer n.of.mu.Unlock()
	if n.of.at == nil {
		n.of.at = make(map[*pin]progress)
	}
	n.of.at[n] = progress{feed, to}
}

func (n *pin) release() {
	n.of.mu.Lock()
	defer n.of.mu.Unlock()
	delete(n.of.at, n)
}
