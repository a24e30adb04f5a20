package heatmap

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSharedNotes counts hits in many deltas that note them in one memory, merges and finishes some in between, and finds what
// deltas of their own memory have; at the end all memory was given back.
func TestSharedNotes(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 10))
		memory := new(Notes)
		type pair struct{ shared, own Delta }
		var pairs []*pair
		for range 300 {
			if len(pairs) == 0 || r.IntN(5) == 0 {
				pairs = append(pairs, &pair{memory.NewDelta(CellSize), NewDelta(CellSize)})
			}
			p := pairs[r.IntN(len(pairs))]
			switch r.IntN(20) {
			case 0:
				p.shared.Finish()
				p.own.Finish()
			case 1:
				o := pairs[r.IntN(len(pairs))]
				if p != o && !p.shared.MergeNoted(&o.shared) {
					p.shared.Merge(&o.shared)
				}
				if p != o {
					p.own.Merge(&o.own)
				}
			default:
				ops := addSamples(r, randomOps(r, shape{1 + r.IntN(40), 1 + r.IntN(12), 200, 1400, 6000}))
				addAnchors(r, ops, 1+r.IntN(40))
				applyAll(&p.shared, ops)
				applyAll(&p.own, ops)
			}
		}
		if memory.Used() == 0 {
			t.Fatal("nothing is noted")
		}
		for i, p := range pairs {
			if !bytes.Equal(p.shared.Append(nil), p.own.Append(nil)) {
				t.Fatalf("seed %d: delta %d of %d is another one in shared memory", seed, i, len(pairs))
			}
		}
		if memory.Used() != 0 {
			t.Fatalf("seed %d: %d bytes were not given back", seed, memory.Used())
		}
	}
}

// TestNotesHoldEdges notes the greatest of everything and finds it again.
func TestNotesHoldEdges(t *testing.T) {
	var d Delta
	click := NewLayerID(KindDead, UnknownWidth, Mobile, true)
	at := Anchor{maxElement, innerCell(maxInner, maxInner, 1023, 1023)}
	d.AddClick(click, MaxCoordinate, MaxCoordinate, at, &ElementName{Selector: "a"})
	d.AddVisitor(true, ^uint64(0))
	d.AddVisitor(false, 1)
	scroll := NewLayerID(KindScroll, UnknownWidth, Mobile, true)
	d.AddScroll(scroll, 65535, 65534, 65533, 65532, ^uint32(0))
	g := d.noted.gather()
	same(t, "points", []uint64{uint64(click)<<layerShift | maxCell<<cellShift | hasAnchor, uint64(scroll) << layerShift}, g.points)
	if want := []notedAnchor{{at.Element, at.Cell, click}}; !slices.Equal(g.anchors, want) {
		t.Errorf("anchors %v, want %v", g.anchors, want)
	}
	if want := []scrolled{{scroll, 65535, 65534, 65533, 65532, ^uint32(0)}}; !slices.Equal(g.scrolls, want) {
		t.Errorf("scrolls %v, want %v", g.scrolls, want)
	}
	same(t, "people and bots", [][]uint64{{1}, {^uint64(0)}}, [][]uint64{g.people, g.bots})
}
