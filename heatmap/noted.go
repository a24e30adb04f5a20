package heatmap

import (
	"cmp"
	"slices"
	"unsafe"
)

// noted are hits that a delta was given and has not counted in its layers yet. A layer is found once for all of its hits
// among them, and what comes in order is counted in order: that costs a fraction of finding layer and cell for each hit.
type noted struct {
	points  []uint64 // one for each hit: its layer in the high half, its cell at the finest level (views, scrolls: 0) and whether it has an anchor in the low one
	scrolls []scrolled
	anchors []notedAnchor
}

// notedAnchor is what a hit with an anchor has besides its point.
type notedAnchor struct {
	element ElementID
	cell    InnerCell
	id      LayerID
}

// A point's bits below those of its layer: the lowest one, and how far up the cell is.
const (
	hasAnchor = 1
	cellShift = 1
)

func pointCell(p uint64) cellID { return cellID(uint32(p) >> cellShift) }

// scrolled is what a scroll hit has besides its point.
type scrolled struct {
	id                 LayerID
	depth, from, y, vh uint16
	dwell              uint32
}

// maxNoted is how many hits are noted at most.
const maxNoted = 1024

const (
	scrolledBytes    = int(unsafe.Sizeof(scrolled{}))
	notedAnchorBytes = int(unsafe.Sizeof(notedAnchor{}))
)

func (n *noted) bytes() int {
	return cap(n.points)*8 + cap(n.scrolls)*scrolledBytes + cap(n.anchors)*notedAnchorBytes
}

// Grow makes room for so many hits more that are about to be counted, of them so many scrolls and clicks with an anchor.
func (d *Delta) Grow(hits, scrolls, anchors int) {
	n := &d.noted
	n.points = slices.Grow(n.points, min(hits, maxNoted-len(n.points)))
	n.scrolls = slices.Grow(n.scrolls, min(scrolls, maxNoted-len(n.scrolls)))
	n.anchors = slices.Grow(n.anchors, min(anchors, maxNoted-len(n.anchors)))
}

// note takes a hit that is counted later.
func (d *Delta) note(id LayerID, c cellID, anchored bool) {
	p := uint64(id)<<32 | uint64(c)<<cellShift
	if anchored {
		p |= hasAnchor
	}
	d.noted.points = append(d.noted.points, p)
	if len(d.noted.points) >= maxNoted {
		d.count(false)
	}
}

// MergeNoted is Merge for an o of which nothing is counted yet: what it has noted is noted in d too, and counted together
// with what comes later. That costs a fraction of counting it in o's layers and adding up these. It gives false, and does
// nothing that can be told, if o has layers, or d and o differ in how coarse they are. o is not changed.
func (d *Delta) MergeNoted(o *Delta) bool {
	from := &o.noted
	if o == d || len(o.layers) > 0 || o.cut != 0 || o.inner != 0 || o.step != 0 || o.level > d.level || d.plain || o.plain {
		return false
	}
	if len(d.noted.points)+len(from.points) >= maxNoted {
		d.count(false)
	}
	if d.step != 0 {
		return false // scrolls are noted in their layers, and d has joined these
	}
	d.people.noteAll(&o.people)
	d.bots.noteAll(&o.bots)
	d.mergeSamples(o.samples)
	d.mergeElements(o)
	n := &d.noted
	n.points = append(n.points, from.points...)
	n.anchors = append(n.anchors, from.anchors...)
	n.scrolls = append(n.scrolls, from.scrolls...)
	return true
}

// Finish counts what is noted and brings what d holds into the form that is the smallest and the fastest to read. Until
// something is added, d may then be read by several goroutines at a time.
func (d *Delta) Finish() {
	d.count(true)
	for i := range d.layers {
		d.layers[i].order()
	}
	d.orderInner()
	d.noted = noted{}
	d.recount()
}

// count counts what is noted. Where it is the last time, new layers stay runs of cells whatever their length.
func (d *Delta) count(last bool) {
	d.people.count()
	d.bots.count()
	n := &d.noted
	if len(n.points) == 0 {
		return
	}
	sortPoints(n.points)
	d.makeLayers()
	d.countPoints(last)
	d.countScrolls()
	d.countAnchors()
	n.points, n.scrolls, n.anchors = n.points[:0], n.scrolls[:0], n.anchors[:0]
	d.settle()
}

// runs calls fn for the hits of one layer after the other.
func (n *noted) runs(fn func(id LayerID, run []uint64)) {
	for p := n.points; len(p) > 0; {
		id := p[0] >> 32
		k := 1
		for k < len(p) && p[k]>>32 == id {
			k++
		}
		fn(LayerID(id), p[:k])
		p = p[k:]
	}
}

// makeLayers makes the layers that are missing.
func (d *Delta) makeLayers() {
	missing, i := 0, 0
	d.noted.runs(func(id LayerID, _ []uint64) {
		for i < len(d.layers) && d.layers[i].id < id {
			i++
		}
		if i == len(d.layers) || d.layers[i].id != id {
			missing++
		}
	})
	if missing == 0 {
		return
	}
	old := d.layers
	d.layers = make([]layer, 0, len(old)+missing)
	d.noted.runs(func(id LayerID, _ []uint64) {
		for len(old) > 0 && old[0].id < id {
			d.layers, old = append(d.layers, old[0]), old[1:]
		}
		if len(old) > 0 && old[0].id == id {
			return
		}
		l := layer{id: id}
		if isGrid(id.Kind()) {
			l.level = d.level
		}
		d.layers = append(d.layers, l)
	})
	d.layers = append(d.layers, old...)
}

// countPoints counts the points in their layers, which exist.
func (d *Delta) countPoints(last bool) {
	var memory []counted // that new layers share
	left := len(d.noted.points)
	i := 0
	d.noted.runs(func(id LayerID, run []uint64) {
		for d.layers[i].id < id {
			i++
		}
		l := &d.layers[i]
		if isClick(id.Kind()) {
			l.countRest(run)
		}
		l.hits += uint64(len(run))
		switch {
		case !isGrid(id.Kind()):
		case l.level > 0 || l.grid != nil || l.small != nil:
			l.addRun(run, 0)
		default:
			if memory == nil {
				memory = make([]counted, 0, min(left, cellsOf(d.noted.points)))
			}
			k := len(memory)
			if memory = appendCounted(memory, run); len(memory)-k > smallCells && !last {
				memory = memory[:k]
				l.needGrid(len(run))
				l.addRun(run, 0)
				break
			}
			l.small, l.ordered = memory[k:len(memory):len(memory)], true
		}
		left -= len(run)
	})
}

// cellsOf is the number of distinct cells among points in order.
func cellsOf(points []uint64) (n int) {
	for i, p := range points {
		if isGrid(LayerID(p>>32).Kind()) && (i == 0 || points[i-1]>>cellShift != p>>cellShift) {
			n++
		}
	}
	return n
}

// appendCounted appends the cells of a layer's points, which are in order.
func appendCounted(dst []counted, run []uint64) []counted {
	prev := uint64(0)
	for _, p := range run {
		if p>>cellShift == prev {
			dst[len(dst)-1].n++
			continue
		}
		dst = append(dst, counted{pointCell(p), 1})
		prev = p >> cellShift
	}
	return dst
}

// addRun counts points, which are in order, in a layer's cells, but for those that have one of the bits of skip.
func (l *layer) addRun(run []uint64, skip uint64) {
	for k := 0; k < len(run); {
		at, n := run[k]>>cellShift, uint64(0)
		c := pointCell(run[k])
		for ; k < len(run) && run[k]>>cellShift == at; k++ {
			if run[k]&skip == 0 {
				n++
			}
		}
		if n == 0 {
			continue
		}
		if l.level > 0 {
			c = coarser(c, l.level)
		}
		l.add(c, n)
	}
}

// countRest counts those of a layer's points, which are in order, that have no anchor, before the others are counted.
func (l *layer) countRest(run []uint64) {
	anchors := 0
	for _, p := range run {
		anchors += int(p & hasAnchor)
	}
	if anchors > 0 && l.anchored == nil {
		l.anchored = newAnchored(l)
	}
	if l.anchored != nil && anchors < len(run) {
		l.anchored.rest.hits += uint64(len(run) - anchors)
		l.anchored.rest.addRun(run, hasAnchor)
	}
}

// countAnchors counts where inside elements hits were, in layers that exist.
func (d *Delta) countAnchors() {
	list := d.noted.anchors
	slices.SortFunc(list, compareNoted)
	d.elements.needAll(list, d.cut)
	for len(list) > 0 {
		id, n := list[0].id, 1
		for n < len(list) && list[n].id == id {
			n++
		}
		i, _ := d.find(id)
		d.layers[i].anchored.addNoted(d.cut, d.inner, list[:n])
		list = list[n:]
	}
}

func compareNoted(a, b notedAnchor) int {
	switch {
	case a.id != b.id:
		return cmp.Compare(a.id, b.id)
	case a.element != b.element:
		return cmp.Compare(a.element, b.element)
	}
	return cmp.Compare(a.cell, b.cell)
}

// countScrolls counts what scroll hits have besides their points, in layers that exist.
func (d *Delta) countScrolls() {
	s := d.noted.scrolls
	slices.SortFunc(s, func(a, b scrolled) int { return cmp.Compare(a.id, b.id) })
	var l *layer
	for k := range s {
		e := &s[k]
		if l == nil || l.id != e.id {
			i, _ := d.find(e.id)
			l = &d.layers[i]
			l.makeSmall(s[k:])
		}
		l.addScroll(e.depth, e.from, e.y, e.vh, e.dwell, coarseHeight(uint32(e.vh), d.step))
	}
}

// scrollBumps is how many places a scroll is counted at, at most.
const scrollBumps = 5

// makeSmall makes room for the scrolls that a new layer begins with, which are the first of s.
func (l *layer) makeSmall(s []scrolled) {
	if l.small != nil || l.scroll != nil {
		return
	}
	need := 0
	for k := 0; k < len(s) && s[k].id == l.id && need < smallCells; k++ {
		need += scrollBumps
	}
	l.small = make([]counted, 0, min(need, smallCells))
}
