package heatmap

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// op is one call of a Delta's Add methods, a naive twin of what Delta counts.
type op struct {
	id              LayerID
	x, y            uint16
	depth, from, vh uint16
	dwell           uint32
	visitor         uint64
	bot             bool
	share           uint32 // of a sampled hit
	at              Anchor
	name            *ElementName
}

func (o op) apply(d *Delta) {
	switch {
	case o.visitor != 0:
		d.AddVisitor(o.bot, o.visitor)
	case o.share != 0:
		d.AddSampled(o.bot, o.share)
	case o.id.Kind() == KindView:
		d.AddView(o.id)
	case o.id.Kind() == KindScroll:
		d.AddScroll(o.id, o.depth, o.from, o.y, o.vh, o.dwell)
	case isClick(o.id.Kind()):
		d.AddClick(o.id, o.x, o.y, o.at, o.name)
	default:
		d.AddPoint(o.id, o.x, o.y)
	}
}

func applyAll(d *Delta, ops []op) *Delta {
	for _, o := range ops {
		o.apply(d)
	}
	return d
}

// shape says what random ops are like.
type shape struct {
	n, layers, visitors int
	width, height       uint16 // of the page
}

func randomOps(r *rand.Rand, s shape) []op {
	ids := make([]LayerID, s.layers)
	for i := range ids {
		ids[i] = randomLayer(r)
	}
	coordinate := func(limit uint16) uint16 { return uint16(r.Uint32N(uint32(limit) + 1)) }
	ops := make([]op, s.n)
	for i := range ops {
		if s.visitors > 0 && r.IntN(4) == 0 {
			ops[i] = op{visitor: mix(uint64(r.IntN(s.visitors)) + 1), bot: r.IntN(3) == 0}
			continue
		}
		o := op{id: ids[r.IntN(len(ids))], x: coordinate(s.width), y: coordinate(s.height)}
		o.from, o.depth = coordinate(s.height), coordinate(s.height)
		o.from, o.depth = min(o.from, o.depth), max(o.from, o.depth)
		if r.IntN(2) == 0 {
			o.from = 0
		}
		if r.IntN(5) > 0 {
			o.vh, o.dwell = coordinate(1200), r.Uint32N(MaxDwell+1)
		}
		ops[i] = o
	}
	return ops
}

func randomLayer(r *rand.Rand) LayerID {
	w := WidthBand(r.IntN(60))
	if r.IntN(8) == 0 {
		w = []WidthBand{UnknownWidth, UnknownWidth - 1, 0}[r.IntN(3)]
	}
	return NewLayerID(Kind(1+r.IntN(6)), w, Device(r.IntN(3)), r.IntN(2) == 0)
}

// mix is the finaliser of splitmix64: a hash as good as random.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// naive counts the same hits in maps, with loops where Delta has difference arrays.
type naive struct {
	hits     map[LayerID]uint64
	cells    map[LayerID]map[[2]int]uint64
	reach    map[LayerID]map[int]uint64
	dwell    map[LayerID]map[int]uint64
	heights  map[LayerID][]int
	views    map[LayerID]uint64
	visitors [2]map[uint64]bool
	shares   [2][]uint32                // of sampled hits
	anchored map[LayerID]bool           // a hit has an anchor
	rest     map[LayerID]map[[2]int]int // cells of hits without one
	step     uint8                      // heights are rounded as after so many steps
}

func newNaive(ops []op) *naive { return newNaiveStepped(ops, 0) }

func newNaiveStepped(ops []op, step uint8) *naive {
	n := &naive{
		hits: map[LayerID]uint64{}, cells: map[LayerID]map[[2]int]uint64{}, reach: map[LayerID]map[int]uint64{},
		dwell: map[LayerID]map[int]uint64{}, heights: map[LayerID][]int{}, views: map[LayerID]uint64{},
		visitors: [2]map[uint64]bool{{}, {}}, step: step,
		anchored: map[LayerID]bool{}, rest: map[LayerID]map[[2]int]int{},
	}
	for _, o := range ops {
		n.add(o)
	}
	return n
}

func (n *naive) add(o op) {
	if o.visitor != 0 {
		n.visitors[map[bool]int{true: 1}[o.bot]][o.visitor] = true
		return
	}
	if o.share != 0 {
		who := map[bool]int{true: 1}[o.bot]
		n.shares[who] = append(n.shares[who], o.share)
		return
	}
	n.hits[o.id]++
	switch o.id.Kind() {
	case KindView:
	case KindScroll:
		n.scroll(o)
	default:
		if n.cells[o.id] == nil {
			n.cells[o.id] = map[[2]int]uint64{}
		}
		n.cells[o.id][[2]int{int(o.x) / 8, int(o.y) / 8}]++
		if o.at.Element != 0 {
			n.anchored[o.id] = true
			return
		}
		if n.rest[o.id] == nil {
			n.rest[o.id] = map[[2]int]int{}
		}
		n.rest[o.id][[2]int{int(o.x) / 8, int(o.y) / 8}]++
	}
}

func (n *naive) scroll(o op) {
	if n.reach[o.id] == nil {
		n.reach[o.id], n.dwell[o.id] = map[int]uint64{}, map[int]uint64{}
	}
	for top := 0; top < 140_000; top += BandSize {
		if int(o.from) <= top && top < int(o.depth) {
			n.reach[o.id][top/BandSize]++
		}
		if o.vh > 0 && top < int(o.y)+int(o.vh) && top+BandSize > int(o.y) {
			n.dwell[o.id][top/BandSize] += uint64(o.dwell)
		}
	}
	if o.from == 0 {
		n.views[o.id]++
		if o.vh > 0 {
			n.heights[o.id] = append(n.heights[o.id], int(coarseHeight(uint32(o.vh), n.step)))
		}
	}
}

func (n *naive) points(id LayerID, cell int) []Point {
	sums := map[[2]int]uint64{}
	for at, c := range n.cells[id] {
		sums[[2]int{at[0] * 8 / cell * cell, at[1] * 8 / cell * cell}] += c
	}
	points := []Point{}
	for at, c := range sums {
		points = append(points, Point{at[0], at[1], c})
	}
	slices.SortFunc(points, func(a, b Point) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Y, b.Y), cmp.Compare(a.X, b.X))
	})
	return points
}

func (n *naive) curve(counts map[int]uint64, views uint64) []float64 {
	last := -1
	for band, c := range counts {
		if c > 0 {
			last = max(last, band)
		}
	}
	if views == 0 {
		return nil
	}
	curve := make([]float64, last+1)
	for band := range curve {
		curve[band] = float64(counts[band]) / float64(views)
	}
	return curve
}

func (n *naive) fold(id LayerID) (average, p50 float64) {
	h := n.heights[id]
	if len(h) == 0 {
		return 0, 0
	}
	slices.Sort(h)
	sum := 0
	for _, vh := range h {
		sum += vh
	}
	return float64(sum) / float64(len(h)), float64(h[(len(h)-1)/2]+h[len(h)/2]) / 2
}

// check compares everything that can be asked of a delta that was never coarsened.
func (n *naive) check(t *testing.T, d *Delta) {
	t.Helper()
	hits := map[LayerID]uint64{}
	last := LayerID(0)
	d.Layers(func(id LayerID, c uint64) {
		if id <= last {
			t.Fatalf("layer %#x after %#x", id, last)
		}
		last = id
		hits[id] = c
	})
	same(t, "hits", n.hits, hits)
	cells := 0
	for _, m := range n.cells {
		cells += len(m)
	}
	for id := range n.anchored {
		cells += len(n.rest[id])
	}
	same(t, "cells", cells, d.cells)
	for id, h := range n.hits {
		same(t, "Hits", h, d.Hits(id))
		switch id.Kind() {
		case KindView:
		case KindScroll:
			n.checkScroll(t, d, id)
		default:
			for _, cell := range []int{8, 24, 64} {
				same(t, "points", n.points(id, cell), d.Points(id, cell))
			}
		}
	}
	same(t, "people", uint64(len(n.visitors[0])), d.Visitors(false))
	union := map[uint64]bool{}
	for _, m := range n.visitors {
		for v := range m {
			union[v] = true
		}
	}
	same(t, "people and bots", uint64(len(union)), d.Visitors(true))
	both := slices.Concat(n.shares[0], n.shares[1])
	same(t, "sampled", naiveSampled(n.shares[0]), d.Sampled(false))
	same(t, "sampled, bots too", naiveSampled(both), d.Sampled(true))
	same(t, "empty", len(n.hits)+len(union)+len(both) == 0, d.Empty())
}

func naiveSampled(shares []uint32) Sampled {
	if len(shares) == 0 {
		return Sampled{}
	}
	return Sampled{uint64(len(shares)), slices.Min(shares)}
}

func (n *naive) checkScroll(t *testing.T, d *Delta, id LayerID) {
	t.Helper()
	views, reach, attention := d.Reach(id)
	same(t, "views", n.views[id], views)
	same(t, "reach", n.curve(n.reach[id], views), reach)
	same(t, "attention", n.curve(n.dwell[id], views), attention)
	average, p50 := d.Fold(id)
	wantAverage, wantP50 := n.fold(id)
	same(t, "fold", []float64{wantAverage, wantP50}, []float64{average, p50})
}

func same(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func TestDeltaModel(t *testing.T) {
	shapes := []shape{
		{0, 1, 0, 1000, 1000},
		{1, 1, 0, 1000, 1000},
		{3, 2, 2, 1300, 5000},
		{60, 3, 4, 1300, 5000},
		{300, 1, 10, 200, 200},
		{2000, 12, 300, 1300, 5000},
		{6000, 2, 50, 300, 300},
		{20000, 1, 0, 2500, 20000},
		{3000, 9, 100, 65535, 65535},
	}
	for seed := range uint64(4) {
		for i, s := range shapes {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			ops := randomOps(r, s)
			checkModel(t, r, ops)
			addAnchors(r, ops, 1+r.IntN(40))
			ops = addSamples(r, ops)
			d := checkModel(t, r, ops)
			checkRecount(t, d, ops, published)
		}
	}
}

// addSamples puts sampled hits between others: of people, of bots or of both.
func addSamples(r *rand.Rand, ops []op) []op {
	who := r.IntN(3)
	for range len(ops) / 8 {
		o := op{share: 1 + r.Uint32N(WholeShare-1), bot: who == 1 || who == 2 && r.IntN(2) == 0}
		ops = slices.Insert(ops, r.IntN(len(ops)+1), o)
	}
	return ops
}

// TestTilesModel does the same with a layer that is dense enough for tiles.
func TestTilesModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 20))
	ops := randomOps(r, shape{30_000, 1, 0, 900, 500})
	for i := range ops {
		ops[i].id = benchLayer
	}
	if d := checkModel(t, r, ops); d.layers[0].grid.tiles == nil {
		t.Fatal("layer is not in tiles: the test shows nothing of them")
	}
}

// checkModel counts ops in many ways and compares each with the naive count.
func checkModel(t *testing.T, r *rand.Rand, ops []op) *Delta {
	t.Helper()
	n := newNaive(ops)
	d := applyAll(new(Delta), ops)
	n.check(t, d)
	blob := d.Append(nil)
	back := new(Delta)
	if err := back.MergeBlob(blob); err != nil {
		t.Fatal(err)
	}
	n.check(t, back)
	if !bytes.Equal(back.Append(nil), blob) {
		t.Fatal("decoded and encoded again is another blob")
	}
	for range 3 {
		if got := assemble(t, r, ops, nil); !bytes.Equal(got.Append(nil), blob) {
			t.Fatal("another order of adds and merges gives another blob")
		}
	}
	return d
}

// assemble counts ops in a random order, split at random into deltas that are merged in a random way.
func assemble(t *testing.T, r *rand.Rand, ops []op, l *limits) *Delta {
	t.Helper()
	ops = slices.Clone(ops)
	r.Shuffle(len(ops), func(i, j int) { ops[i], ops[j] = ops[j], ops[i] })
	parts := []*Delta{{limits: l}}
	for len(ops) > 0 {
		n := 1 + r.IntN(len(ops))
		d := &Delta{limits: l}
		if r.IntN(3) == 0 {
			d = parts[r.IntN(len(parts))]
		} else {
			parts = append(parts, d)
		}
		applyAll(d, ops[:n])
		ops = ops[n:]
	}
	for len(parts) > 1 {
		i := 1 + r.IntN(len(parts)-1)
		into, from := parts[0], parts[i]
		switch r.IntN(3) {
		case 0:
			if err := into.MergeBlob(from.Append(nil)); err != nil {
				t.Fatal(err)
			}
		case 1:
			into.Merge(from)
		default:
			if !into.MergeNoted(from) {
				into.Merge(from)
			}
		}
		parts = slices.Delete(parts, i, i+1)
	}
	return parts[0]
}

func TestCoarsenedOrders(t *testing.T) {
	limitSets := []limits{{16, 40, 300, 5, 40}, {64, 100, 2000, 30, 20}, {5, 1000, 100, 3, 500}, {1000, 30, 50, 100, 10}, {40, 40, 1 << 18, 1, 1}}
	coarsened := 0
	for seed := range uint64(30) {
		for _, l := range limitSets {
			r := rand.New(rand.NewPCG(seed, uint64(l.layer)))
			s := shape{1 + r.IntN(600), 1 + r.IntN(8), 20, uint16(1 + r.IntN(3000)), uint16(1 + r.IntN(65535))}
			if seed%3 == 0 {
				s.width, s.height = uint16(1+r.IntN(100)), uint16(1+r.IntN(300))
			}
			ops := randomOps(r, s)
			if seed%2 == 0 {
				addAnchors(r, ops, 1+r.IntN(40))
			}
			want := applyAll(&Delta{limits: &l}, ops).Append(nil)
			for range 4 {
				d := assemble(t, r, ops, &l)
				if got := d.Append(nil); !bytes.Equal(got, want) {
					t.Fatalf("seed %d, limits %v: another order gives another blob:\n%x\n%x", seed, l, want, got)
				}
				if d.level > 0 || d.step > 0 {
					coarsened++
				}
				checkLimits(t, d, l)
			}
		}
	}
	if coarsened < 100 {
		t.Fatalf("only %d deltas were coarsened: the test shows nothing", coarsened)
	}
}

// checkLimits recounts by hand what a delta keeps.
func checkLimits(t *testing.T, d *Delta, l limits) {
	t.Helper()
	d.count(false)
	cells, scroll := 0, 0
	for i := range d.layers {
		x := &d.layers[i]
		if x.id.Kind() == KindScroll {
			scroll += x.scrollCost()
			continue
		}
		sum := uint64(0)
		for _, e := range x.sorted() {
			sum += x.count(e)
		}
		if isGrid(x.id.Kind()) && sum != x.hits {
			t.Fatalf("layer %#x holds %d hits in its cells, want %d", x.id, sum, x.hits)
		}
		if x.cells() > l.layer {
			t.Fatalf("layer %#x has %d cells, limit %d", x.id, x.cells(), l.layer)
		}
		cells += x.cells()
		if x.anchored != nil {
			cells += x.anchored.rest.cells()
			checkAnchored(t, x)
		}
	}
	if cells > l.cells && d.level < maxLevel || scroll > l.scroll && d.step < maxScrollStep {
		t.Fatalf("%d cells, %d in scroll layers, limits %v", cells, scroll, l)
	}
	held := d.held
	d.recount()
	if d.held != held {
		t.Fatalf("size was taken as %d, is %d", held, d.held)
	}
}

// TestMergeNoted merges many small deltas of which nothing is counted yet, with names of elements and cells of other sizes, and
// finds the blob of the same hits counted at once; what was merged is not changed.
func TestMergeNoted(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 9))
		cell := CellSize << (seed % 3)
		month, want, gone := NewDelta(cell), NewDelta(cell), 0
		for range 2 + r.IntN(60) {
			ops := addSamples(r, randomOps(r, shape{1 + r.IntN(100), 1 + r.IntN(12), 200, 1400, 6000}))
			addAnchors(r, ops, 1+r.IntN(40))
			day, twin := NewDelta(cell), NewDelta(cell)
			for _, d := range []*Delta{&day, &twin, &want} {
				applyAll(d, ops)
			}
			if r.IntN(8) == 0 {
				day.Finish()
			}
			if !month.MergeNoted(&day) {
				month.Merge(&day)
				gone++
			}
			if got := day.Append(nil); !bytes.Equal(got, twin.Append(nil)) {
				t.Fatalf("seed %d: a delta is another one after it was merged", seed)
			}
			if day.Finish(); len(day.layers) > 0 && month.MergeNoted(&day) {
				t.Fatalf("seed %d: a delta with layers was noted", seed)
			}
		}
		if got := month.Append(nil); !bytes.Equal(got, want.Append(nil)) {
			t.Fatalf("seed %d, %d days counted before: merged days give another blob than their hits at once", seed, gone)
		}
	}
}
