package heatmap

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// addAnchors gives some of the clicks among ops anchors at so many elements of boxes of their own.
func addAnchors(r *rand.Rand, ops []op, elements int) {
	type box struct {
		name *ElementName
		w, h uint16
	}
	boxes := make([]box, elements)
	for i := range boxes {
		name := &ElementName{Selector: fmt.Sprintf("main>%c.buy-%d", 'a'+rune(i%3), i*i), Check: uint16(r.Uint32()), HasCheck: i%4 > 0, Fixed: i%7 == 0}
		if i%5 == 1 {
			name.Selector = boxes[i-1].name.Selector
		}
		boxes[i] = box{name, uint16(r.IntN(700)), uint16(r.IntN(90))}
	}
	for i := range ops {
		o := &ops[i]
		if o.visitor != 0 || !isClick(o.id.Kind()) || r.IntN(4) == 0 {
			continue
		}
		b := boxes[r.IntN(len(boxes))]
		cell := InnerCellOf(b.w, b.h, r.Uint32N(AnchorUnit+1), AnchorUnit/4+r.Uint32N(AnchorUnit/4))
		if o.at = (Anchor{b.name.ID(), cell}); r.IntN(5) > 0 {
			o.name = b.name
		}
	}
}

// checkRecount compares a delta of ops with a Recount of them, with and without names.
func checkRecount(t *testing.T, d *Delta, ops []op, l limits) {
	t.Helper()
	n := NewRecount(CellSize)
	n.maxElements, n.maxInnerCells = l.elements, l.inner
	for _, o := range ops {
		o.recount(n)
	}
	for range 2 {
		if want, got := n.Blob(), d.Append(nil); !bytes.Equal(want, got) {
			t.Fatalf("limits %v: recount gives\n%x, the delta\n%x", l, want, got)
		}
		d = d.Clone()
		d.DropNames()
		n.DropNames()
	}
}

// checkAnchored holds that what a layer has of anchors adds up to its hits.
func checkAnchored(t *testing.T, l *layer) {
	t.Helper()
	a := l.anchored
	sum := a.others + a.rest.hits
	for _, c := range a.cells {
		sum += c.n()
	}
	rest := uint64(0)
	for _, e := range a.rest.sorted() {
		rest += a.rest.count(e)
	}
	if sum != l.hits || rest != a.rest.hits {
		t.Fatalf("layer %#x has %d hits, %d with its anchors, and %d of %d in the cells of the rest", l.id, l.hits, sum, rest, a.rest.hits)
	}
}

// TestAnchorLimits compares deltas that are over the limits of elements, in any order, with a Recount of the same limits.
func TestAnchorLimits(t *testing.T) {
	coarse, cut := 0, 0
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 31))
		l := published
		l.elements, l.inner = 1+r.IntN(30), 1+r.IntN(400)
		ops := randomOps(r, shape{1 + r.IntN(900), 1 + r.IntN(9), 3, 1300, 5000})
		addAnchors(r, ops, 1+r.IntN(40))
		for range 3 {
			d := assemble(t, r, ops, &l)
			checkRecount(t, d, ops, l)
			checkLimits(t, d, l)
			if d.inner > 0 {
				coarse++
			}
			if d.cut > 0 {
				cut++
			}
			if n := d.orderInner(); n > l.inner || len(d.elements.list) > l.elements {
				t.Fatalf("seed %d: %d cells inside %d elements, limits %v", seed, n, len(d.elements.list), l)
			}
		}
	}
	if coarse < 40 || cut < 20 || coarse == cut {
		t.Errorf("%d deltas were coarsened and %d lost elements: the test shows too little", coarse, cut)
	}
}

// TestAnchorRecount is TestRecountCells for the rest of layers whose hits have anchors.
func TestAnchorRecount(t *testing.T) {
	r := rand.New(rand.NewPCG(12, 9))
	d, n := NewDelta(8), NewRecount(8)
	name := &ElementName{Selector: "a"}
	id := NewLayerID(KindClick, 0, Mobile, false)
	for i := range MaxLayerCells * 5 / 4 {
		o := op{id: id, x: uint16(r.IntN(MaxCoordinate)), y: uint16(r.IntN(MaxCoordinate))}
		if i%5 == 3 {
			o.at, o.name = Anchor{name.ID(), InnerCellOf(40, 20, uint32(i%AnchorUnit), 0)}, name
		}
		o.apply(&d)
		o.recount(n)
	}
	if !bytes.Equal(d.Append(nil), n.Blob()) {
		t.Error("recount and delta differ")
	}
	if l := &d.layers[0]; l.level == 0 || l.anchored.rest.level != 0 {
		t.Errorf("the layer is at level %d and its rest at %d, want only the layer coarsened", l.level, l.anchored.rest.level)
	}
}

// TestInnerCell compares cells with their definition: as few as make each at most 4 px.
func TestInnerCell(t *testing.T) {
	for _, size := range []int{0, 1, 3, 4, 5, 8, 9, 100, 128, 129, 1000, 4096, 4097, 65535} {
		steps := 1
		for steps < 1024 && (size == 0 || steps*4 < size) {
			steps *= 2
		}
		for _, at := range []uint32{0, 1, 100, AnchorUnit / 3, AnchorUnit / 2, AnchorUnit - 1, AnchorUnit} {
			c := InnerCellOf(uint16(size), 4, at, 0)
			sx, sy := c.steps()
			col, row := c.place()
			want := min(int(float64(at)/AnchorUnit*float64(steps)), steps-1)
			if 1<<sx != steps || sy != 0 || int(col) != want || row != 0 || !c.Valid() {
				t.Errorf("%d of %d px: column %d of %d, want %d of %d", at, size, col, 1<<sx, want, steps)
			}
			other := InnerCellOf(4, uint16(size), 0, at)
			if x, y := c.Centre(); x != (float64(want)+0.5)/float64(steps) || y != 0.5 {
				t.Errorf("centre of %x is %g, %g", c, x, y)
			}
			if _, y := other.Centre(); y != (float64(want)+0.5)/float64(steps) {
				t.Errorf("centre of %x is at %g", other, y)
			}
		}
	}
	for by := range uint8(12) {
		c := InnerCellOf(1000, 30, 50_000, 40_000)
		again := c
		for range by {
			again = again.coarser(1)
		}
		if c.coarser(by) != again || !again.Valid() {
			t.Errorf("%x by %d is %x, step by step %x", c, by, c.coarser(by), again)
		}
	}
}

// TestElementID holds the ids that blobs are full of.
func TestElementID(t *testing.T) {
	f := func(want ElementID, n ElementName) {
		t.Helper()
		if got := n.ID(); got != want {
			t.Errorf("id of %v is %#x, want %#x", n, got, want)
		}
	}
	f(0, ElementName{Check: 3, HasCheck: true})
	f(0x3b45b45d2da, ElementName{Selector: "main>a.buy"})
	f(0x3b45b45d2da, ElementName{Selector: "main>a.buy", Fixed: true})
	f(0x2ff82a8d4754, ElementName{Selector: "main>a.buy", Check: 0x1234, HasCheck: true})
}

// goldenElements are deltas with anchors: one click, many with and without, and one over its limits.
func goldenElements() map[string]*Delta {
	r := rand.New(rand.NewPCG(5, 7))
	click := NewLayerID(KindClick, 40, Desktop, false)
	name := &ElementName{Selector: "main>a.buy", Check: 4711, HasCheck: true}
	one := new(Delta)
	one.AddClick(click, 512, 1480, Anchor{name.ID(), InnerCellOf(120, 40, AnchorUnit/4, AnchorUnit/2)}, name)
	one.AddVisitor(false, mix(77))
	day := one.Clone()
	day.DropNames()
	ops := randomOps(r, shape{400, 6, 20, 1300, 6000})
	addAnchors(r, ops, 20)
	coarseOps := randomOps(r, shape{300, 6, 3, 1300, 6000})
	addAnchors(r, coarseOps, 20)
	coarse := applyAll(newDelta(limits{30, 60, 200, 12, 50}), coarseOps)
	coarse.count(false)
	coarse.limits = nil
	return map[string]*Delta{"element": one, "element-day": day, "elements": applyAll(new(Delta), ops), "elements-coarse": coarse}
}

// TestNames: a day without names takes those of its month, and no hits.
func TestNames(t *testing.T) {
	month := goldenElements()["elements"]
	day := month.Clone()
	day.DropNames()
	blob := day.Append(nil)
	for _, e := range day.elements.list {
		if _, ok := day.ElementName(e.id); ok {
			t.Fatal("a name is left")
		}
	}
	var fromBlob Delta
	if err := fromBlob.MergeBlob(blob); err != nil {
		t.Fatal(err)
	}
	if err := BlobNames(month.Append(nil), fromBlob.NameElement); err != nil {
		t.Fatal(err)
	}
	month.Names(day.NameElement)
	for _, d := range []*Delta{&fromBlob, day} {
		d.NameElement(1, ElementName{Selector: "elsewhere"})
		if !bytes.Equal(d.Append(nil), month.Append(nil)) {
			t.Error("a day with the names of its month is not the month")
		}
	}
	for name, blob := range damagedBlobs() {
		for n := range blob {
			if err := BlobNames(blob[:n], func(ElementID, ElementName) { t.Error("a name is given") }); err == nil {
				t.Fatalf("%s: names of %d bytes of %d are taken", name, n, len(blob))
			}
		}
	}
}

// TestIgnoreAnchors: what is merged into a plain delta is the same as if it had no anchors.
func TestIgnoreAnchors(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	ops := randomOps(r, shape{900, 6, 20, 1300, 6000})
	want := applyAll(new(Delta), ops).Append(nil)
	addAnchors(r, ops, 30)
	d := applyAll(new(Delta), ops)
	var merged, decoded, counted Delta
	for _, p := range []*Delta{&merged, &decoded, &counted} {
		p.IgnoreAnchors()
	}
	merged.Merge(d)
	if err := decoded.MergeBlob(d.Append(nil)); err != nil {
		t.Fatal(err)
	}
	applyAll(&counted, ops)
	for i, p := range []*Delta{&merged, &decoded, &counted} {
		if !bytes.Equal(p.Append(nil), want) {
			t.Errorf("delta %d has more than hits without anchors", i)
		}
	}
}

// TestElements compares what can be asked of anchors with a naive count.
func TestElements(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	ops := randomOps(r, shape{2000, 4, 0, 1300, 6000})
	addAnchors(r, ops, 30)
	d := applyAll(new(Delta), ops)
	for _, id := range []LayerID{NewLayerID(KindClick, 2000, Mobile, true), ops[0].id, ops[1].id, ops[2].id} {
		want, rest := map[ElementID]map[InnerCell]uint64{}, new(Delta)
		for _, o := range ops {
			switch {
			case o.id != id:
			case o.at.Element == 0:
				o.apply(rest)
			default:
				if want[o.at.Element] == nil {
					want[o.at.Element] = map[InnerCell]uint64{}
				}
				want[o.at.Element][o.at.Cell]++
			}
		}
		got := map[ElementID]map[InnerCell]uint64{}
		if others := d.Elements(id, func(e ElementID, cells []InnerCount) {
			got[e] = map[InnerCell]uint64{}
			for _, c := range cells {
				got[e][c.Cell] += c.Hits
			}
		}); others != 0 {
			t.Errorf("%d hits at others", others)
		}
		same(t, "elements", want, got)
		hits, size, points := d.Rest(id, 16)
		same(t, "size", 16, size)
		same(t, "rest", rest.Hits(id), hits)
		if isClick(id.Kind()) && !slices.Equal(rest.Points(id, 16), points) {
			t.Error("points of the rest differ")
		}
	}
}

// TestMalformedElements is TestMalformed for anchors, by a blob of one click at an element of which a part is changed.
func TestMalformedElements(t *testing.T) {
	click := []byte{0x18, 1, 0x80, 0x80, 0x10, 1, 1}            // one layer, one hit, one byte of cells
	whole := []byte{2, 0, 8, 0, 0, 9, 8, 7, 6, 5, 4, 0, 13, 16} // bytes inside and of the rest, 8 of elements with one id, cell, 2 by 4, the third
	f := func(want string, at int, changed ...byte) {
		t.Helper()
		p := append(slices.Clone(click), whole...)
		copy(p[len(click)+at:], changed)
		err := new(Delta).MergeBlob(appendCheck(p, 0))
		if got := fmt.Sprint(err); !strings.Contains(got, want) || (want == "<nil>") != (err == nil) {
			t.Errorf("%d: %x: error is %v, want %q", at, changed, err, want)
		}
	}
	f("<nil>", 0)
	f("elements are given where no layer has any", 0, 0, 8, 0, 0, 9, 8, 7, 6, 5, 4, 0, 13, 0x98)
	f("anchors of layer 0x20000 are 100 bytes", 0, 100)
	f("anchors of layer 0x20000 are 100 bytes", 1, 100)
	f("body of layer 0x20000 is 4 bytes, 3 are left", 0, 2, 1)
	f("elements are 100 bytes", 2, 100)
	f("at level 12, limit 10", 3, 12)
	f("blob ends early", 3, 11)
	f("selector is 0 bytes", 4, 1, 0, 0)
	f("not in its shortest form", 4, 1, 4, 1)
	f("not in ascending order", 12, 0x8d, 1)
	f("does not exist", 12, 121)
	f("does not exist", 13, 64)
	f("does not exist", 3, 9)
	f("more than its 1 hits", 13, 17)
	whole = []byte{3, 0, 14, 11, 9, 8, 7, 6, 5, 4, 0, 8, 8, 7, 6, 5, 4, 0, 0, 0, 0}
	f("<nil>", 0)
	f("left out", 11, 9)
	f("more than its 1 hits", 18, 2)
	whole = []byte{2, 1, 8, 0, 0, 9, 8, 7, 6, 5, 4, 0, 13, 16, 0}
	f("0 hits without an anchor, in 1 bytes", 0)
	whole = []byte{1, 0, 8, 11, 9, 8, 7, 6, 5, 4, 0, 0, 0}
	f("no hit with an anchor", 0)
	click[5] = 2
	f("1 hits without an anchor, in 0 bytes", 12, 1)
}

// TestFindElement looks for elements, and for ids between them, in lists that lie evenly and in ones that do not.
func TestFindElement(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 11))
		limit := []uint64{8, 100, 1 << 20, maxElement}[r.IntN(4)]
		offset := r.Uint64N(maxElement - limit + 1)
		var ids []ElementID
		for range r.IntN(120) {
			ids = append(ids, ElementID(offset+r.Uint64N(limit+1)))
		}
		slices.Sort(ids)
		ids = slices.Compact(ids)
		var e elements
		for _, id := range ids {
			e.list = append(e.list, element{id: id})
		}
		ask := append([]ElementID{0, 1, maxElement}, ids...)
		for range 100 {
			ask = append(ask, ElementID(offset+r.Uint64N(limit+1)), ElementID(r.Uint64N(maxElement+1)))
		}
		for _, id := range ask {
			at, found := e.find(id)
			if want, has := slices.BinarySearch(ids, id); at != want || found != has {
				t.Fatalf("seed %d: element %d is found at %d, %t, want %d, %t, of %d", seed, id, at, found, want, has, len(ids))
			}
		}
	}
}
