package heatmap

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// clicksAt counts clicks at random places, some of them heavy, in cells of a level at least.
func clicksAt(r *rand.Rand, n, width int, level uint8) *Delta {
	d := &Delta{level: level}
	for range n {
		x, y := uint16(r.IntN(width)), uint16(r.IntN(3000))
		for range 1 + r.IntN(3) {
			d.AddPoint(testClick, x, y)
		}
	}
	d.AddView(testView)
	d.AddVisitor(false, r.Uint64())
	return d
}

var (
	testClick = NewLayerID(KindClick, 0, Desktop, false)
	testView  = NewLayerID(KindView, 0, Desktop, false)
)

// TestCellsApart takes the cells out of a delta: read with another delta, and put into it, they are what merging the two gives.
func TestCellsApart(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	together := 0
	for range 400 {
		level := uint8(r.IntN(8) / 7)
		width := []int{100, 1280, 5000}[r.IntN(3)]
		stored, live := clicksAt(r, r.IntN(1+r.IntN(5000)), width, level), clicksAt(r, r.IntN(1+r.IntN(500)), width, level)
		want := stored.Clone()
		want.Merge(live)
		rest := stored.Clone()
		c := rest.TakeCells(testClick)
		if c == nil {
			if stored.Hits(testClick) != 0 {
				t.Fatal("cells cannot be taken")
			}
			continue
		}
		if rest.Hits(testClick) != 0 || c.Hits() != stored.Hits(testClick) || rest.Hits(testView) != 1 {
			t.Fatalf("%d clicks are left, %d taken of %d", rest.Hits(testClick), c.Hits(), stored.Hits(testClick))
		}
		rest.Merge(live)
		before := rest.Append(nil)
		cell := CellSize << r.IntN(2)
		points, ok := rest.PointsWith(testClick, c, cell)
		if wantOK := cell == CellSize<<level; ok != wantOK {
			t.Fatalf("points of %d px with cells of level %d: %t", cell, level, ok)
		}
		if ok {
			together++
			if !slices.Equal(points, want.Points(testClick, cell)) {
				t.Fatal("points are not those of both")
			}
		}
		if !slices.Equal(rest.Append(nil), before) {
			t.Fatal("the delta has changed")
		}
		rest.AddCells(testClick, c)
		if !slices.Equal(rest.Append(nil), want.Append(nil)) {
			t.Fatal("the delta is not the sum of both")
		}
	}
	if together < 50 {
		t.Errorf("%d deltas were read together, want many", together)
	}
}

// TestCellsApartLimits has more cells than a layer may have, and weights of more than 32 bits: both are told.
func TestCellsApartLimits(t *testing.T) {
	d := newDelta(limits{layer: 100, cells: 1000, scroll: 1000, elements: 10, inner: 10})
	d.Merge(clicksAt(rand.New(rand.NewPCG(1, 1)), 60, 1280, 0))
	c := d.TakeCells(testClick)
	d.Merge(clicksAt(rand.New(rand.NewPCG(2, 2)), 60, 1280, 0))
	if _, ok := d.PointsWith(testClick, c, CellSize); ok {
		t.Error("more cells than a layer may have are given")
	}
	d.AddCells(testClick, c)
	if d.CellSize(testClick) <= CellSize {
		t.Error("a layer with too many cells is not coarsened")
	}
	heavy := func(n uint64) *Delta {
		d := new(Delta)
		l := d.layer(testClick)
		l.add(7, n)
		l.hits = n
		return d
	}
	if heavy(math.MaxUint32+1).TakeCells(testClick) != nil {
		t.Error("a weight over 32 bits is taken")
	}
	c = heavy(math.MaxUint32).TakeCells(testClick)
	if p, ok := new(Delta).PointsWith(testClick, c, CellSize); !ok || len(p) != 1 || p[0].Weight != math.MaxUint32 {
		t.Errorf("points %v, %t", p, ok)
	}
	if _, ok := heavy(1).PointsWith(testClick, c, CellSize); ok {
		t.Error("a sum over 32 bits is given")
	}
}
