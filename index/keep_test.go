package index

import (
	"math"
	"sync/atomic"
	"testing"
)

// TestKeepBytes asks what workers keep of the cache: all of what they have until together they have too much, then each its part.
func TestKeepBytes(t *testing.T) {
	f := func(cache int64, lives []int64, want ...int) {
		t.Helper()
		p := &pipeline{options: &Options{CacheBytes: cache}, running: new(atomic.Int64)}
		for _, live := range lives {
			w := &worker{pipeline: p}
			w.live.Store(live)
			p.workers = append(p.workers, w)
		}
		for i, live := range lives {
			if got := p.keepBytes(int(live)); got != want[i] {
				t.Errorf("of %v in a cache of %d, worker %d keeps %d, want %d", lives, cache, i, got, want[i])
			}
		}
	}
	const all = math.MaxInt
	f(6400, []int64{4800, 0}, all, all)
	f(6400, []int64{1200, 1200, 1200, 1200}, all, all, all, all)
	f(6400, []int64{6400, 0}, 4200, 0)
	f(6400, []int64{4200, 4200}, 2100, 2100)
	f(6400, []int64{6000, 2400}, 3000, 1200)
}
