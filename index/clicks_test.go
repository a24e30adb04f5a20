package index

import (
	"math/rand/v2"
	"testing"
)

// TestRingModel compares a ring with a plain list of all clicks, across forgetting and an emptied ring.
func TestRingModel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 7))
	var r clickRing
	for _, keys := range []int{3, 40_000, 1_000_000} {
		all := make(map[uint64][]int64) // by key: times, which are numbers
		n := 3*ringClicks + random.IntN(1000)
		if keys == 3 {
			n = 2000
		}
		for i := range n {
			key := uint64(random.IntN(keys))
			want := all[key]
			c := r.last(key)
			for back := range rageMemory {
				var ms int64 = -1
				if at := len(want) - 1 - back; at >= 0 && want[at] >= int64(i-ringClicks) {
					ms = want[at]
				}
				if ms < 0 && c == nil {
					break
				}
				if c == nil || c.ms != ms || c.key != key {
					t.Fatalf("%d keys, click %d, %d back: %+v, want time %d", keys, i, back, c, ms)
				}
				c = r.before(c)
			}
			r.put(ringClick{key: key, ms: int64(i)})
			all[key] = append(want, int64(i))
		}
		if r = r.cleared(); r.last(0) != nil || r.n != 0 {
			t.Fatal("an emptied ring is not empty")
		}
	}
}
