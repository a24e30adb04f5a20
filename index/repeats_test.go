package index

import (
	"math/rand/v2"
	"slices"
	"testing"

	"heatlog/heatmap"
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
	for _, id := range [][]string{{"a", "b", "c"}, {"ab", "", "c"}, {"a", "", "bc"}, {"a", "bc", ""}, {"", "", "abc"}, {"a", "b", "d"}} {
		keys[r.names.name('b', id...)] = true
		keys[r.names.name('h', id...)] = true
	}
	if len(keys) != 12 {
		t.Errorf("12 identities have %d keys", len(keys))
	}
}

// TestRepeatsName checks what names a batch: all that stays the same when a page sends it again, and no more.
func TestRepeatsName(t *testing.T) {
	base := heatmap.Batch{Site: "s", Visitor: "v", ID: "b", Hits: []heatmap.Hit{
		{Time: 1, Site: "s", View: "w", Visitor: "v", UserAgent: "a"}, {Time: 2, Site: "s", View: "x", Visitor: "v", UserAgent: "a"},
	}}
	f := func(name string, want bool, change func(b *heatmap.Batch)) {
		t.Helper()
		for _, imported := range []bool{false, true} {
			var r repeats
			first, again := base, base
			again.Hits = slices.Clone(base.Hits)
			change(&again)
			if imported {
				first.Site, again.Site = "", ""
			}
			r.batch(&first)
			repeat := !r.batch(&again).counts
			if want := want || imported && again.ID == first.ID && again.ID != ""; repeat != want {
				t.Errorf("%s, imported %t: repeat is %t, want %t", name, imported, repeat, want)
			}
		}
	}
	f("the same", true, func(*heatmap.Batch) {})
	f("after midnight or from another address", true, func(b *heatmap.Batch) { b.Visitor, b.Hits[0].Visitor, b.Hits[1].Visitor = "u", "u", "u" })
	f("with other ages", true, func(b *heatmap.Batch) { b.Hits[0].Time, b.Hits[1].Time = 5, 6 })
	f("with another view in a later hit", true, func(b *heatmap.Batch) { b.Hits[1].View = "y" })
	f("of another view", false, func(b *heatmap.Batch) { b.Hits[0].View = "y" })
	f("of another browser", false, func(b *heatmap.Batch) { b.Hits[0].UserAgent = "c" })
	f("of another site", false, func(b *heatmap.Batch) { b.Site = "t" })
	f("with another id", false, func(b *heatmap.Batch) { b.ID = "c" })
	f("without an id", false, func(b *heatmap.Batch) { b.ID = "" })
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
