package heatmap

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestLevels compares levels with their definition, computed from every cell that was ever hit.
func TestLevels(t *testing.T) {
	raised := 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 9))
		l := limits{1 + r.IntN(60), 1 + r.IntN(150), 1 << 18, 1 + r.IntN(30), 1 + r.IntN(80)}
		ops := randomOps(r, shape{1 + r.IntN(500), 1 + r.IntN(9), 0, uint16(1 + r.IntN(65535)), uint16(1 + r.IntN(65535))})
		d := applyAll(newDelta(l), ops)
		n := newNaive(ops)
		for d.level = 0; n.capped(int(d.level), l.layer) > l.cells && d.level < maxLevel; {
			d.level++
		}
		for id := range n.cells {
			want := d.level
			for n.distinct(id, int(want)) > l.layer && want < maxLevel {
				want++
			}
			if got := d.CellSize(id); got != CellSize<<want {
				t.Fatalf("seed %d: cells of layer %#x are %d px, want %d", seed, id, got, CellSize<<want)
			}
			same(t, "points", n.points(id, CellSize<<want), d.Points(id, CellSize))
			if want > 0 {
				raised++
			}
		}
	}
	if raised < 50 {
		t.Errorf("only %d layers were coarsened: the test shows nothing", raised)
	}
}

// TestLateLayer holds that a layer which begins late is at the delta's level from its first hit on.
func TestLateLayer(t *testing.T) {
	d := newDelta(limits{4, 6, 1 << 18, 1 << 12, 1 << 17})
	for i := range uint16(4) {
		d.AddPoint(benchLayer, 8*i, 0)
		d.AddPoint(benchLayer+1, 8*i, 0)
	}
	late := NewLayerID(KindDead, 0, Desktop, false)
	d.AddPoint(late, 9, 17)
	if size := d.CellSize(late); size != 16 || size != d.CellSize(benchLayer) {
		t.Fatalf("cells are %d px, want 16", size)
	}
	same(t, "points", []Point{{0, 16, 1}}, d.Points(late, 8))
	same(t, "points", []Point{{0, 0, 2}, {16, 0, 2}}, d.Points(benchLayer, 8))
	back := newDelta(*d.limits)
	if err := back.MergeBlob(d.Append(nil)); err != nil {
		t.Fatal(err)
	}
	back.AddPoint(late+1, 9, 17)
	if size := back.CellSize(late + 1); size != 16 {
		t.Fatalf("cells are %d px after decoding, want 16", size)
	}
}

// distinct is the number of a layer's distinct cells at a level.
func (n *naive) distinct(id LayerID, level int) int { return len(n.points(id, CellSize<<level)) }

func (n *naive) capped(level, limit int) (sum int) {
	for id := range n.cells {
		sum += min(n.distinct(id, level), limit)
	}
	return sum
}

// TestScrollSteps compares the steps of scroll layers with their definition, and curves with those of the joined layers.
func TestScrollSteps(t *testing.T) {
	steps := map[uint8]int{}
	for seed := range uint64(80) {
		r := rand.New(rand.NewPCG(seed, 10))
		l := limits{1 << 18, 1 << 20, []int{1, 400, 700, 900, 1200, 1800, 3000}[r.IntN(7)], 1 << 12, 1 << 17}
		ops := randomOps(r, shape{1 + r.IntN(1500), 1 + r.IntN(70), 0, 2000, uint16(1 + r.IntN(300))})
		for i, o := range ops {
			ops[i].id = NewLayerID(KindScroll, o.id.WidthBand(), o.id.Device(), o.id.Bot())
		}
		want := uint8(0)
		for scrollCost(ops, want) > l.scroll && want < maxScrollStep {
			want++
		}
		d := applyAll(newDelta(l), ops)
		d.count(false)
		if len(ops) > 0 && d.step != want {
			t.Fatalf("seed %d: %d steps, want %d", seed, d.step, want)
		}
		if w := d.ScrollWidth(); w != 32<<min(want, 11) {
			t.Fatalf("seed %d: scroll layers are %d px wide after %d steps", seed, w, want)
		}
		steps[want]++
		newNaiveStepped(stepped(ops, want), want).check(t, d)
	}
	if len(steps) < 6 {
		t.Errorf("numbers of steps were %v: the test shows too little", steps)
	}
}

// stepped gives the hits with the layers as which they are counted after t steps.
func stepped(ops []op, t uint8) []op {
	out := make([]op, len(ops))
	for i, o := range ops {
		o.id = coarseScroll(o.id, t)
		out[i] = o
	}
	return out
}

func scrollCost(ops []op, t uint8) (cost int) {
	extent, heights := map[LayerID]int{}, map[[2]uint32]bool{}
	for _, o := range ops {
		id := coarseScroll(o.id, t)
		if o.from < o.depth {
			extent[id] = max(extent[id], (int(o.depth)+49)/50)
		}
		if o.vh > 0 && o.dwell > 0 {
			extent[id] = max(extent[id], (int(o.y)+int(o.vh)+49)/50)
		}
		if o.from == 0 {
			heights[[2]uint32{uint32(id), coarseHeight(uint32(o.vh), t)}] = true
		}
	}
	for _, e := range extent {
		cost += 2 * e
	}
	return cost + len(heights)
}

func TestCoarseHeight(t *testing.T) {
	for vh := uint32(0); vh <= MaxCoordinate; vh += 7 {
		last := vh
		for step := uint8(0); step <= maxScrollStep; step++ {
			got := coarseHeight(vh, step)
			if got > MaxCoordinate || (got == 0) != (vh == 0) {
				t.Fatalf("height %d is %d after %d steps", vh, got, step)
			}
			if again := coarseHeight(last, step); again != got || coarseHeight(got, step) != got {
				t.Fatalf("height %d is %d after %d steps, but %d by way of %d", vh, got, step, again, last)
			}
			last = got
		}
	}
}

// TestWorstBlob fills a delta to all of its limits, with counts as large as a blob may have.
func TestWorstBlob(t *testing.T) {
	d := worstDelta()
	if d.settle(); d.level != 0 || d.step != 0 {
		t.Fatalf("delta is over its limits: level %d, step %d", d.level, d.step)
	}
	blob := d.Append(nil)
	t.Logf("%d layers, %d cells, %d in scroll layers: %d bytes, %d in memory", len(d.layers), d.cells, d.scroll, len(blob), d.Size())
	if len(blob) > MaxBlob {
		t.Errorf("blob is %d bytes, limit %d", len(blob), MaxBlob)
	}
	var back Delta
	if err := back.MergeBlob(blob); err != nil {
		t.Fatal(err)
	}
	if back.cells != MaxCells || back.scroll != d.scroll {
		t.Errorf("decoded delta has %d cells and %d in scroll layers", back.cells, back.scroll)
	}
}

func worstDelta() *Delta {
	const perLayer, each = MaxCells / (4 * 2049 * 6), maxHits / 2 / MaxCells
	r := rand.New(rand.NewPCG(11, 11))
	d := new(Delta)
	for kind := KindView; kind <= KindDead; kind++ {
		for w := WidthBand(0); w <= UnknownWidth; w++ {
			for i := range 6 {
				l := d.layer(NewLayerID(kind, w, Device(i/2), i%2 == 1))
				if l.hits = 1; isGrid(kind) {
					l.hits = 0
					for c := range uint32(perLayer) {
						l.fill((maxCell/perLayer)*c+r.Uint32N(maxCell/perLayer), each)
					}
				}
			}
		}
	}
	d.recount()
	for i := range MaxElements {
		name := ElementName{Selector: fmt.Sprintf("%-*x", MaxSelector, mix(uint64(i))), Check: uint16(i), HasCheck: true}
		d.elements.add(name.ID(), &name)
	}
	for i := range d.layers {
		l := &d.layers[i]
		if !isClick(l.id.Kind()) {
			continue
		}
		l.anchored = new(anchored)
		const perLayer = MaxInnerCells / (3 * 2049 * 6)
		for k := range perLayer {
			n := uint64(each)
			if k == perLayer-1 {
				n = l.hits - each*(perLayer-1)
			}
			l.anchored.add(d.elements.list[r.IntN(MaxElements)].id, innerCell(10, 10, r.Uint32N(1024), r.Uint32N(1024)), n)
		}
	}
	d.recount()
	for first := NewLayerID(KindClick, 0, Desktop, false); d.cells < MaxCells; d.cells++ { // what the division left
		l := d.layer(first)
		c := &l.anchored.cells[0]
		*c = newInnerCount(c.element(), c.cell, c.n()+each)
		l.fill(uint32(MaxCells-d.cells)*3+1<<20, each)
	}
	for i := 0; d.scroll < MaxScroll-2*maxExtent-40; i++ {
		l := d.layer(NewLayerID(KindScroll, WidthBand(i), Desktop, false))
		l.hits = maxHits / 400
		for band := range uint32(maxExtent) {
			if band < maxReach {
				l.span(reachSection, band, band+1, int64(r.IntN(int(l.hits))))
			}
			l.span(attentionSection, band, band+1, MaxDwell*int64(r.IntN(int(l.hits))))
		}
		l.bump(foldSection, uint32(i), 1)
		d.recount()
	}
	for i := range uint64(3000) {
		d.AddVisitor(false, mix(i))
		d.AddVisitor(true, mix(i))
	}
	return d
}

func (l *layer) fill(c cellID, n uint64) {
	l.hits += n
	l.add(c, n)
}
