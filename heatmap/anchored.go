package heatmap

import (
	"cmp"
	"slices"
	"sort"
	"unsafe"
)

// Limits of what one delta or blob holds of elements. Where hits go past one, the cells inside all elements become larger,
// and when these are one cell each, the elements with the greatest ids are left out, so that the limits hold: which they are
// depends on the hits alone and not on the order in which these came. Their hits are still counted, as those of others.
const (
	MaxElements   = 4096
	MaxInnerCells = 1 << 17 // of all layers and elements together
)

// anchored is what a layer of clicks has beside its cells, once one of its hits has an anchor: until then all of them are
// the rest.
type anchored struct {
	cells   []innerCount // the first ordered of them ascending and distinct, then as they came
	ordered int
	others  uint64 // hits at elements that are left out
	rest    layer  // the hits that have no anchor, on cells of the page
}

// innerCount is a cell inside an element with its hits, less than 1<<48. A busy page has most of its memory in these.
type innerCount struct {
	at   uint64 // the element in the highest 48 bits; below them those of the hits that low has no room for
	cell InnerCell
	low  uint32
}

const elementShift = 16

func newInnerCount(id ElementID, cell InnerCell, n uint64) innerCount {
	return innerCount{uint64(id)<<elementShift | n>>32, cell, uint32(n)}
}

func (c *innerCount) element() ElementID { return ElementID(c.at >> elementShift) }

func (c *innerCount) n() uint64 { return c.at&(1<<elementShift-1)<<32 | uint64(c.low) }

// isAt reports whether both are the same cell.
func (c *innerCount) isAt(o *innerCount) bool {
	return c.at>>elementShift == o.at>>elementShift && c.cell == o.cell
}

// add adds the hits of o.
func (c *innerCount) add(o *innerCount) { *c = newInnerCount(c.element(), c.cell, c.n()+o.n()) }

const (
	anchoredBytes   = int(unsafe.Sizeof(anchored{}))
	innerCountBytes = int(unsafe.Sizeof(innerCount{}))
	minUnordered    = 32 // cells that stay unordered at least
	fewInner        = 4  // cells that there is room for at first
)

// isClick reports whether a layer's hits may have anchors.
func isClick(k Kind) bool { return k == KindClick || k == KindRage || k == KindDead }

// newAnchored makes what a layer has whose hits so far have no anchor.
func newAnchored(l *layer) *anchored {
	rest := *l
	rest.anchored = nil
	return &anchored{rest: rest.clone()}
}

func (a *anchored) bytes() int { return anchoredBytes + cap(a.cells)*innerCountBytes + a.rest.bytes() }

func (a *anchored) clone() *anchored {
	c := *a
	c.cells = slices.Clone(a.cells)
	c.rest = a.rest.clone()
	return &c
}

// add counts hits in a cell.
func (a *anchored) add(id ElementID, cell InnerCell, n uint64) {
	if a.cells == nil {
		a.cells = make([]innerCount, 0, fewInner)
	}
	a.cells = append(a.cells, newInnerCount(id, cell, n))
	a.orderMany()
}

// addNoted counts hits in cells, which are in order, after so many steps of coarsening, for the elements before cut, 0 for all;
// those of the others are counted together.
func (a *anchored) addNoted(cut ElementID, steps uint8, list []notedAnchor) {
	if need := distinctCells(list); a.cells == nil {
		a.cells = make([]innerCount, 0, need)
	} else {
		a.cells = slices.Grow(a.cells, need)
	}
	inOrder := len(a.cells) == 0 && steps == 0
	for len(list) > 0 {
		id, cell, n := list[0].element, list[0].cell, 1
		for n < len(list) && list[n].element == id && list[n].cell == cell {
			n++
		}
		if list = list[n:]; cut != 0 && id >= cut {
			a.others += uint64(n)
			continue
		}
		a.cells = append(a.cells, newInnerCount(id, cell.coarser(steps), uint64(n)))
	}
	if inOrder {
		a.ordered = len(a.cells)
	}
	a.orderMany()
}

// distinctCells is the number of cells of a layer's anchors, which are in order.
func distinctCells(list []notedAnchor) (n int) {
	for i := range list {
		if i == 0 || list[i].element != list[i-1].element || list[i].cell != list[i-1].cell {
			n++
		}
	}
	return n
}

// orderMany orders the cells if as many came unordered as are in order.
func (a *anchored) orderMany() {
	if len(a.cells)-a.ordered > max(minUnordered, a.ordered) {
		a.order()
	}
}

func compareInner(a, b innerCount) int {
	if a.at>>elementShift != b.at>>elementShift {
		return cmp.Compare(a.at>>elementShift, b.at>>elementShift)
	}
	return cmp.Compare(a.cell, b.cell)
}

// order brings the cells into order and adds up equal ones.
func (a *anchored) order() {
	if a.ordered == len(a.cells) {
		return
	}
	tail := a.cells[a.ordered:]
	if !slices.IsSortedFunc(tail, compareInner) {
		slices.SortFunc(tail, compareInner)
	}
	tail = sumEqual(tail)
	if a.ordered == 0 {
		a.cells, a.ordered = tail, len(tail)
		return
	}
	tail = a.bump(tail)
	if n := len(tail); n > 0 {
		tail = slices.Clone(tail)
		a.cells = slices.Grow(a.cells[:a.ordered], n)[:a.ordered+n]
		mergeInner(a.cells, a.ordered, tail)
	} else {
		a.cells = a.cells[:a.ordered]
	}
	a.ordered = len(a.cells)
}

// bump adds the counts of cells, which are in order, to equal ones that are there, and gives those that are not.
func (a *anchored) bump(more []innerCount) (missing []innerCount) {
	missing, i := more[:0], 0
	for _, c := range more {
		for i < a.ordered && compareInner(a.cells[i], c) < 0 {
			i++
		}
		if i < a.ordered && a.cells[i].isAt(&c) {
			a.cells[i].add(&c)
			continue
		}
		missing = append(missing, c)
	}
	return missing
}

// mergeInner merges tail into the first n cells, from the end on; cells is long enough for both.
func mergeInner(cells []innerCount, n int, tail []innerCount) {
	for to := len(cells) - 1; len(tail) > 0; to-- {
		last := tail[len(tail)-1]
		if n > 0 && compareInner(cells[n-1], last) > 0 {
			cells[to] = cells[n-1]
			n--
			continue
		}
		cells[to], tail = last, tail[:len(tail)-1]
	}
}

// sumEqual adds up equal neighbours.
func sumEqual(cells []innerCount) []innerCount {
	out := cells[:0]
	for _, c := range cells {
		if n := len(out); n > 0 && out[n-1].isAt(&c) {
			out[n-1].add(&c)
			continue
		}
		out = append(out, c)
	}
	return out
}

// coarsen halves the sides' numbers of cells so many times.
func (a *anchored) coarsen(by uint8) {
	for i := range a.cells {
		a.cells[i].cell = a.cells[i].cell.coarser(by)
	}
	a.ordered = 0
	a.order()
}

// cut makes others of the elements from id on.
func (a *anchored) cut(id ElementID) {
	a.order()
	i := a.below(id)
	for _, c := range a.cells[i:] {
		a.others += c.n()
	}
	a.cells = a.cells[:i]
	a.ordered = i
}

// below gives the number of cells, which are in order, of elements before id.
func (a *anchored) below(id ElementID) int {
	i, _ := slices.BinarySearchFunc(a.cells, id, func(c innerCount, id ElementID) int { return cmp.Compare(c.element(), id) })
	return i
}

// mergeAnchored adds what a layer, whose inner cells are coarser by so many steps afterwards, has of anchors, before its hits
// and cells are added.
func (l *layer) mergeAnchored(o *layer, by uint8, cut ElementID) {
	if l.anchored == nil && o.anchored == nil {
		return
	}
	if l.anchored == nil {
		l.anchored = newAnchored(l)
	}
	a, rest := l.anchored, o
	if o.anchored != nil {
		a.others += o.anchored.others
		for _, c := range o.anchored.cells {
			a.addBelow(cut, c.element(), c.cell.coarser(by), c.n())
		}
		rest = &o.anchored.rest
	}
	a.rest.hits += rest.hits
	a.rest.merge(rest)
}

// addBelow is add for the elements before cut, 0 for all; the others' hits are counted together.
func (a *anchored) addBelow(cut, id ElementID, cell InnerCell, n uint64) {
	if cut != 0 && id >= cut {
		a.others += n
		return
	}
	a.add(id, cell, n)
}

// raiseInner makes the cells inside elements coarser, up to a level, if they are not yet.
func (d *Delta) raiseInner(level uint8) {
	if level <= d.inner {
		return
	}
	for i := range d.layers {
		if a := d.layers[i].anchored; a != nil {
			a.coarsen(level - d.inner)
		}
	}
	d.inner = level
}

// lowerCut leaves the elements from id on out, 0 for none, if they are not yet.
func (d *Delta) lowerCut(id ElementID) {
	if id == 0 || d.cut != 0 && d.cut <= id {
		return
	}
	d.cut = id
	d.elements.cut(id)
	for i := range d.layers {
		if a := d.layers[i].anchored; a != nil {
			a.cut(id)
		}
	}
}

// settleInner holds the limits of elements and of the cells inside them. Why the order of hits does not matter: the number of
// elements and, at each level, that of cells only rise while none is left out. The level is the smallest at which both
// limits hold, or the last. Only at that are elements left out: from the smallest id on with which a limit does not hold;
// the elements before it are all there, with all of their cells, and so this id only falls.
func (d *Delta) settleInner() {
	for d.innerOver() {
		if d.inner < maxInner {
			d.raiseInner(d.inner + 1)
			continue
		}
		d.lowerCut(d.firstOver())
	}
}

// innerOver reports whether a limit does not hold.
func (d *Delta) innerOver() bool {
	lim := d.limit()
	return len(d.elements.list) > lim.elements || d.innerCells() > lim.inner && d.orderInner() > lim.inner
}

// innerCells is the number of cells inside elements, equal ones that are not added up yet apart.
func (d *Delta) innerCells() (n int) {
	for i := range d.layers {
		if a := d.layers[i].anchored; a != nil {
			n += len(a.cells)
		}
	}
	return n
}

// orderInner adds equal cells up and gives their number.
func (d *Delta) orderInner() int {
	for i := range d.layers {
		if a := d.layers[i].anchored; a != nil {
			a.order()
		}
	}
	return d.innerCells()
}

// firstOver gives the smallest element with which a limit does not hold any more.
func (d *Delta) firstOver() ElementID {
	lim := d.limit()
	d.orderInner()
	list := d.elements.list
	over := func(i int) bool {
		cells := 0
		for k := range d.layers {
			if a := d.layers[k].anchored; a != nil {
				cells += a.below(list[i].id + 1)
			}
		}
		return i+1 > lim.elements || cells > lim.inner
	}
	return list[sort.Search(len(list)-1, over)].id
}

// InnerCount is a cell inside an element with its hits.
type InnerCount struct {
	Cell InnerCell
	Hits uint64
}

// Elements calls fn for each element that hits of a layer are at, in ascending order, with the cells inside it in ascending
// order, which are valid during the call only. Others are the hits at elements that are left out.
func (d *Delta) Elements(id LayerID, fn func(e ElementID, cells []InnerCount)) (others uint64) {
	d.count(false)
	i, ok := d.find(id)
	if !ok || d.layers[i].anchored == nil {
		return 0
	}
	a := d.layers[i].anchored
	a.order()
	var cells []InnerCount
	for k, c := range a.cells {
		cells = append(cells, InnerCount{c.cell, c.n()})
		if k+1 == len(a.cells) || a.cells[k+1].element() != c.element() {
			fn(c.element(), cells)
			cells = cells[:0]
		}
	}
	return a.others
}

// Rest gives the hits of a layer that have no anchor, and their cells as Points does; size is what the cells' side is, px: cell
// unless they had to be coarsened.
func (d *Delta) Rest(id LayerID, cell int) (hits uint64, size int, points []Point) {
	d.count(false)
	i, ok := d.find(id)
	if !ok {
		return 0, cell, nil
	}
	l := &d.layers[i]
	if l.anchored != nil {
		l = &l.anchored.rest
	}
	return l.hits, max(cell, CellSize<<l.level), l.points(cell)
}

// ElementName gives the name of an element, if it is known.
func (d *Delta) ElementName(id ElementID) (name ElementName, ok bool) {
	i, ok := d.elements.find(id)
	if !ok || d.elements.list[i].flags&elementNamed == 0 {
		return ElementName{}, false
	}
	return d.elements.list[i].ElementName(), true
}

// InnerSize is the side of the cells inside elements, px at most at the size that the element had: InnerCellSize unless they
// had to be coarsened.
func (d *Delta) InnerSize() int {
	d.count(false)
	return InnerCellSize << d.inner
}
