package heatmap

import (
	"bytes"
	"math"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"testing"
)

// TestCountsPast32Bits doubles deltas until counts need 36 bits, in each form that a layer can have.
func TestCountsPast32Bits(t *testing.T) {
	scroll := NewLayerID(KindScroll, 3, Mobile, true)
	for _, n := range []int{1, 20, 500, 20_000} {
		var d Delta
		for i := range n {
			d.AddPoint(benchLayer, uint16(i%160*8), uint16(i/160*8))
		}
		for vh := range uint16(n%1000 + 1) {
			d.AddScroll(scroll, 100, 0, 0, vh+1, MaxDwell)
		}
		views, reach, attention := d.Reach(scroll)
		average, p50 := d.Fold(scroll)
		doublings := 33 - bits.Len(uint(n))
		double(t, &d, doublings)
		by := uint64(1) << doublings

		var heavy Delta
		heavy.AddPoint(benchLayer, 0, 0)
		double(t, &heavy, 35)
		d.Merge(&heavy)
		var back Delta
		if err := back.MergeBlob(d.Append(nil)); err != nil {
			t.Fatal(err)
		}
		for _, x := range []*Delta{&d, &back, back.Clone()} {
			checkHeavy(t, x, n, by)
		}
		back.layers[0].coarsenTo(1)
		if sum := total(back.Points(benchLayer, 16)); sum != d.Hits(benchLayer) {
			t.Fatalf("coarsened cells hold %d hits, want %d", sum, d.Hits(benchLayer))
		}
		gotViews, gotReach, gotAttention := d.Reach(scroll)
		gotAverage, gotP50 := d.Fold(scroll)
		same(t, "views", views*by, gotViews)
		same(t, "curves", [][]float64{reach, attention, {average, p50}}, [][]float64{gotReach, gotAttention, {gotAverage, gotP50}})
	}
}

// double merges d with itself n times, now directly, now by way of its blob.
func double(t *testing.T, d *Delta, n int) {
	t.Helper()
	for i := range n {
		if i%2 == 0 {
			d.Merge(d)
		} else if err := d.MergeBlob(d.Append(nil)); err != nil {
			t.Fatal(err)
		}
	}
}

func checkHeavy(t *testing.T, d *Delta, n int, by uint64) {
	t.Helper()
	p := d.Points(benchLayer, 8)
	if len(p) != n || p[0].Weight != 1<<35+by || total(p) != d.Hits(benchLayer) || d.Hits(benchLayer) != 1<<35+uint64(n)*by {
		t.Fatalf("%d points, heaviest %d, together %d of %d", len(p), p[0].Weight, total(p), d.Hits(benchLayer))
	}
	for _, q := range p[1:] {
		if q.Weight != by {
			t.Fatalf("point %v, want weight %d", q, by)
		}
	}
}

func total(points []Point) (sum uint64) {
	for _, p := range points {
		sum += p.Weight
	}
	return sum
}

func TestCloneIndependence(t *testing.T) {
	for _, n := range []int{3, 40, 3000, 40_000} {
		r := rand.New(rand.NewPCG(uint64(n), 12))
		ops := randomOps(r, shape{n, 1 + n/4000, 2000, 1300, 2500})
		d := applyAll(new(Delta), ops)
		blob, size := d.Append(nil), d.Size()
		c := d.Clone()
		if !bytes.Equal(c.Append(nil), blob) {
			t.Fatal("clone differs")
		}
		applyAll(c, ops)
		c.Merge(d)
		if !bytes.Equal(d.Append(nil), blob) || d.Size() != size {
			t.Fatalf("changing the clone changes the original, %d hits", n)
		}
		c = d.Clone()
		applyAll(d, ops)
		if !bytes.Equal(c.Append(nil), blob) {
			t.Fatalf("changing the original changes the clone, %d hits", n)
		}
	}
}

func TestMergeSelected(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 13))
	ops := randomOps(r, shape{4000, 40, 100, 1300, 4000})
	d := applyAll(new(Delta), ops)
	// Everything that has points becomes one layer, all scrolls another; bots and views are left out.
	clicks, scrolls := NewLayerID(KindClick, 0, Desktop, false), NewLayerID(KindScroll, 0, Desktop, false)
	sel := func(id LayerID) (LayerID, bool) {
		if id.Kind() == KindScroll {
			return scrolls, !id.Bot()
		}
		return clicks, !id.Bot() && id.Kind() != KindView
	}
	var wanted []op
	for _, o := range ops {
		to, keep := o.id, true
		if o.visitor == 0 {
			to, keep = sel(o.id)
		}
		if keep {
			o.id = to
			wanted = append(wanted, o)
		}
	}
	var live, stored Delta
	live.MergeSelected(d, sel)
	if err := stored.MergeBlobSelected(d.Append(nil), sel); err != nil {
		t.Fatal(err)
	}
	n := newNaive(wanted)
	n.check(t, &live)
	n.check(t, &stored)
	var none Delta
	none.MergeSelected(d, func(LayerID) (LayerID, bool) { return 0, false })
	if len(none.layers) != 0 || none.Visitors(true) != d.Visitors(true) {
		t.Errorf("a delta without layers has %d, and %d visitors", len(none.layers), none.Visitors(true))
	}
}

func TestWrongKindPanics(t *testing.T) {
	f := func(name string, fn func(d *Delta)) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s: no panic", name)
			}
		}()
		fn(new(Delta))
	}
	view := NewLayerID(KindView, 0, Desktop, false)
	f("point in views", func(d *Delta) { d.AddPoint(view, 1, 1) })
	f("view in clicks", func(d *Delta) { d.AddView(benchLayer) })
	f("scroll in clicks", func(d *Delta) { d.AddScroll(benchLayer, 1, 0, 0, 0, 0) })
	f("no layer", func(d *Delta) { d.AddPoint(KindClickNoLayer, 1, 1) })
	f("views as clicks", func(d *Delta) {
		var o Delta
		o.AddView(view)
		d.MergeSelected(&o, func(LayerID) (LayerID, bool) { return benchLayer, true })
	})
}

// KindClickNoLayer is of a kind with points and yet no id.
const KindClickNoLayer = LayerID(KindClick)<<16 | 8

// TestScrollEdges holds the bands at the ends of what a hit can say.
func TestScrollEdges(t *testing.T) {
	id := NewLayerID(KindScroll, UnknownWidth, Desktop, false)
	f := func(ops ...op) {
		t.Helper()
		for i := range ops {
			ops[i].id = id
		}
		n := newNaive(ops)
		d := applyAll(new(Delta), ops)
		n.check(t, d)
		var back Delta
		if err := back.MergeBlob(d.Append(nil)); err != nil {
			t.Fatal(err)
		}
		n.check(t, &back)
	}
	f(op{})
	f(op{depth: 1})
	f(op{depth: 50})
	f(op{depth: 51})
	f(op{from: 50, depth: 100}, op{depth: 20})
	f(op{from: 51, depth: 100}, op{depth: 20})
	f(op{depth: 65535, y: 65535, vh: 65535, dwell: MaxDwell})
	f(op{from: 65535, depth: 65535}, op{depth: 65535})
	f(op{y: 49, vh: 1, dwell: 5}, op{y: 50, vh: 1, dwell: 7}, op{y: 49, vh: 2, dwell: 9})
	f(op{y: 100, vh: 0, dwell: 5, depth: 700})
	f(op{vh: 700}, op{vh: 800}, op{vh: 0}, op{vh: 900}, op{from: 1, depth: 2, vh: 1})
	f(op{vh: 700}, op{vh: 800}, op{vh: 800}, op{vh: 900})
	var d Delta
	d.AddScroll(id, 10, 700, 0, 0, 0) // depth above from cannot come, and counts for no band
	d.AddScroll(id, 10, 0, 0, 100, MaxDwell+1)
	views, reach, attention := d.Reach(id)
	if views != 1 || len(reach) != 1 || attention[0] != MaxDwell {
		t.Errorf("%d views, reach %v, attention %v", views, reach, attention)
	}
	var later Delta
	later.AddScroll(id, 900, 700, 0, 700, 100)
	if views, reach, attention := later.Reach(id); views != 0 || reach != nil || attention != nil {
		t.Errorf("without a view that began: %d views, reach %v, attention %v", views, reach, attention)
	}
	if views, _, _ := later.Reach(benchLayer); views != 0 {
		t.Error("a click layer has views")
	}
}

// TestSize compares Size with what the heap grows by.
func TestSize(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what takes a second")
	}
	f := func(name string, deltas int, s shape) {
		t.Helper()
		r := rand.New(rand.NewPCG(14, 14))
		ops := randomOps(r, s)
		made := make([]*Delta, deltas)
		before := heap()
		for i := range made {
			made[i] = applyAll(new(Delta), ops)
		}
		used := heap() - before
		size := 0
		for _, d := range made {
			size += d.Size()
		}
		runtime.KeepAlive(ops)
		off := float64(size)/float64(used) - 1
		t.Logf("%-12s %7d bytes of heap each, Size %7d, %+.1f %%", name, used/deltas, size/deltas, 100*off)
		if math.Abs(off) > 0.2 {
			t.Errorf("%s: Size is %.0f %% off", name, 100*off)
		}
	}
	f("one hit", 20_000, shape{1, 1, 0, 1300, 5000})
	f("three hits", 20_000, shape{4, 3, 1, 1300, 5000})
	f("ten hits", 10_000, shape{12, 4, 3, 1300, 5000})
	f("200 hits", 500, shape{200, 6, 40, 1300, 5000})
	f("5000 hits", 40, shape{5000, 8, 900, 1300, 5000})
	f("50000 hits", 5, shape{50_000, 3, 900, 1300, 5000})
	f("scattered", 5, shape{30_000, 2, 0, 65535, 65535})
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// TestFewAllocations holds that hits whose cells are known cost next to none.
func TestFewAllocations(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 15))
	for _, n := range []int{5, 300, 30_000} {
		ops := randomOps(r, shape{n, 3, 500, 1300, 800})
		d := applyAll(new(Delta), ops)
		if got := testing.AllocsPerRun(3, func() { applyAll(d, ops) }); got > float64(1+n/10) {
			t.Errorf("%g allocations for %d hits", got, n)
		}
	}
}

func TestPointsOrder(t *testing.T) {
	var d Delta
	add := func(x, y uint16, n int) {
		for range n {
			d.AddPoint(benchLayer, x, y)
		}
	}
	add(17, 9, 2)
	add(2049, 8, 2) // in the second strip of cells
	add(0, 16, 2)
	add(65535, 65535, 3)
	add(7, 7, 1)
	same(t, "points", []Point{{65528, 65528, 3}, {16, 8, 2}, {2048, 8, 2}, {0, 16, 2}, {0, 0, 1}}, d.Points(benchLayer, 8))
	same(t, "points", d.Points(benchLayer, 8), d.Points(benchLayer, 0))
	same(t, "joined points", []Point{{0, 0, 5}, {65520, 65520, 3}, {2040, 0, 2}}, d.Points(benchLayer, 24))
	if p := d.Points(NewLayerID(KindDead, 0, Desktop, false), 8); len(p) != 0 {
		t.Errorf("missing layer has points %v", p)
	}
}
