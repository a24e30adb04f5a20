package index

import (
	"math/rand/v2"
	"testing"
)

func TestFingerprintsAgainstMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var f fingerprints
	model := make(map[uint64]presence)
	for range 200_000 {
		key := rng.Uint64N(40_000) << (rng.Uint64N(2) * 40) &^ 1
		if key == 2 {
			key = 0 // 2 stands for 0
		}
		if got := f.find(key | rng.Uint64N(2)); got != model[key] {
			t.Fatalf("find %#x: %d, want %d", key, got, model[key])
		}
		mark := rng.IntN(2) == 0
		if got := f.add(key|rng.Uint64N(2), mark); got != model[key] {
			t.Fatalf("add %#x: %d, want %d", key, got, model[key])
		}
		switch {
		case mark:
			model[key] = marked
		case model[key] == absent:
			model[key] = unmarked
		}
	}
	if f.n != len(model) || f.n*4 > len(f.slots)*3 {
		t.Errorf("%d keys in %d slots, want %d keys", f.n, len(f.slots), len(model))
	}
}

// TestRepeatsIdentity checks what makes a batch or a hit another one.
func TestRepeatsIdentity(t *testing.T) {
	var r repeats
	keys := make(map[uint64]bool)
	for _, id := range [][3]string{{"a", "b", "c"}, {"ab", "", "c"}, {"a", "", "bc"}, {"a", "bc", ""}, {"", "", "abc"}, {"a", "b", "d"}} {
		keys[r.key('b', id[0], id[1], id[2])] = true
		keys[r.key('h', id[0], id[1], id[2])] = true
	}
	if len(keys) != 12 {
		t.Errorf("12 identities have %d keys", len(keys))
	}
}

func BenchmarkFingerprints(b *testing.B) {
	var f fingerprints
	b.ReportAllocs()
	key := uint64(0)
	for b.Loop() {
		if key += 0x9e3779b97f4a7c15; f.n > 1<<20 {
			f = fingerprints{}
		}
		f.add(key, true)
	}
}
