package heatmap

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func (o op) recount(r *Recount) {
	switch {
	case o.visitor != 0:
		r.Visitor(o.bot, o.visitor)
	case o.share != 0:
		r.Sampled(o.bot, o.share)
	case o.id.Kind() == KindView:
		r.View(o.id)
	case o.id.Kind() == KindScroll:
		r.Scroll(o.id, o.depth, o.from, o.y, o.vh, o.dwell)
	case isClick(o.id.Kind()):
		r.Click(o.id, o.x, o.y, o.at, o.name)
	default:
		r.Point(o.id, o.x, o.y)
	}
}

// TestRecount: a Delta and a Recount, which have no code in common, give the same bytes: of few hits and of many, with
// visitors exact and in registers, and where cells, layers and heights are coarsened.
func TestRecount(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	f := func(name string, cell int, s shape) {
		t.Helper()
		ops := addSamples(r, randomOps(r, s))
		d, n := NewDelta(cell), NewRecount(cell)
		for _, o := range ops {
			o.apply(&d)
			o.recount(n)
		}
		want, got := d.Append(nil), n.Blob()
		if !bytes.Equal(want, got) {
			t.Errorf("%s, cells of %d px: recount gives %d bytes, the delta %d", name, cell, len(got), len(want))
		}
		hits := uint64(0)
		n.Hits(func(_ LayerID, h uint64) { hits += h })
		all := uint64(0)
		d.Layers(func(_ LayerID, h uint64) { all += h })
		if hits != all {
			t.Errorf("%s: recount has %d hits, the delta %d", name, hits, all)
		}
	}
	for _, cell := range []int{8, 16, 64} {
		f("nothing", cell, shape{})
		for n := 1; n < 40; n++ {
			f("few", cell, shape{n: n, layers: 1 + n%5, visitors: 3, width: 1200, height: 4000})
		}
		f("some", cell, shape{n: 3000, layers: 40, visitors: 300, width: 1200, height: 9000})
		f("many visitors", cell, shape{n: 9000, layers: 8, visitors: 2000, width: MaxCoordinate, height: MaxCoordinate})
	}
}

// TestRecountCells: cells are coarsened as in a Delta, of one layer alone and of all together.
func TestRecountCells(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for _, layers := range []int{1, 6} {
		d, n := NewDelta(8), NewRecount(8)
		for range layers * MaxLayerCells * 7 / 8 * (1 + 1/layers) {
			id := NewLayerID(KindMove, WidthBand(r.IntN(layers)), Mobile, false)
			x, y := uint16(r.IntN(MaxCoordinate)), uint16(r.IntN(MaxCoordinate))
			d.AddPoint(id, x, y)
			n.Point(id, x, y)
		}
		if !bytes.Equal(d.Append(nil), n.Blob()) {
			t.Errorf("%d layers: recount and delta differ", layers)
		}
		if d.CellSize(NewLayerID(KindMove, 0, Mobile, false)) == CellSize {
			t.Errorf("%d layers are not coarsened", layers)
		}
	}
}

// TestRecountScrolls: bands of widths are joined and heights rounded as in a Delta.
func TestRecountScrolls(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for _, widths := range []int{60, 200, 2000} {
		d, n := NewDelta(8), NewRecount(8)
		for w := range widths {
			id := NewLayerID(KindScroll, WidthBand(w), Device(w%3), w%2 == 0)
			for range 4 {
				vh, dwell := uint16(r.IntN(3000)), r.Uint32N(900)
				d.AddScroll(id, MaxCoordinate, 0, MaxCoordinate, vh, dwell)
				n.Scroll(id, MaxCoordinate, 0, MaxCoordinate, vh, dwell)
			}
		}
		if !bytes.Equal(d.Append(nil), n.Blob()) {
			t.Errorf("%d widths: recount and delta differ", widths)
		}
		if joined := d.ScrollWidth() > WidthBandSize; joined != (widths > 60) {
			t.Errorf("%d widths: joined is %t", widths, joined)
		}
	}
}
