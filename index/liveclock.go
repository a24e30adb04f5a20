package index

import (
	"math"
	"time"

	"heatlog/heatmap"
)

// clockEvery is how often the clock is looked at, so that one that was set is noticed.
const clockEvery = time.Second

// passing is an answer that changes as time passes, without any hit.
type passing interface {
	// pass brings the answer to a time, Unix ms, and reports whether that changed anything. It gives the time at which that can be
	// so the next time.
	pass(now int64) (changed bool, next int64)
}

// look does what time has brought: a range that ends today ends with the day, a window moves on.
func (k *Kept) look() {
	now := k.index.options.Now().UnixMilli()
	if now >= k.dayEnds {
		k.End(heatmap.ErrNewDay)
		return
	}
	k.mu.Lock()
	changed := k.pass(now)
	k.mu.Unlock()
	if changed {
		k.tell()
	}
}

// pass lets time pass for an answer that changes with it. The caller holds mu.
func (k *Kept) pass(now int64) (changed bool) {
	k.nextLook = math.MaxInt64
	if p, ok := k.living.(passing); ok {
		changed, k.nextLook = p.pass(now)
	}
	return changed
}

// untilNext is how long it takes until the clock is to be looked at.
func (k *Kept) untilNext() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	next := min(k.dayEnds, k.nextLook)
	if next == math.MaxInt64 {
		return math.MaxInt64
	}
	return min(max(time.Duration(next-k.index.options.Now().UnixMilli())*time.Millisecond, time.Millisecond), clockEvery)
}
