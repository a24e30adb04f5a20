package heatmap

import (
	"cmp"
	"slices"
)

// note takes a hit at a point that is counted later.
func (d *Delta) note(id LayerID, c cellID) {
	d.noted.hits++
	d.noted.one(uint64(id)<<layerShift | uint64(c)<<cellShift)
	d.countMany()
}

// noteAnchor takes a hit at a point that has an anchor.
func (d *Delta) noteAnchor(id LayerID, c cellID, at Anchor) {
	n := &d.noted
	n.hits++
	n.anchors++
	n.two(uint64(at.Cell>>innerLow)<<upperShift|uint64(id)<<layerShift|uint64(c)<<cellShift|hasAnchor, uint64(at.Element)<<innerLow|uint64(at.Cell&(1<<innerLow-1)))
	d.countMany()
}

// noteScroll takes a scroll hit.
func (d *Delta) noteScroll(s *scrolled) {
	n := &d.noted
	n.hits++
	n.scrolls++
	n.two(uint64(s.id)<<layerShift|uint64(s.dwell), uint64(s.depth)<<48|uint64(s.from)<<32|uint64(s.y)<<16|uint64(s.vh))
	d.countMany()
}

// noteVisitor takes a visitor.
func (d *Delta) noteVisitor(bot bool, hash uint64) {
	id := uint64(visitorLayer)
	if bot {
		id |= 1
	}
	d.noted.two(id<<layerShift, hash)
	d.countMany()
}

// countMany counts what is noted if no more can be.
func (d *Delta) countMany() {
	if d.noted.full() {
		d.count(false)
	}
}

// MergeNoted is Merge for an o of which nothing is counted yet: what it has noted is noted in d too, and counted together
// with what comes later. That costs a fraction of counting it in o's layers and adding up these. It gives false, and does
// nothing that can be told, if o has layers, or d and o differ in how coarse they are. o is not changed.
func (d *Delta) MergeNoted(o *Delta) bool {
	if o == d || len(o.layers) > 0 || o.cut != 0 || o.inner != 0 || o.step != 0 || o.level > d.level || d.plain || o.plain {
		return false
	}
	if d.noted.blocks+o.noted.blocks > maxBlocks {
		d.count(false)
	}
	if d.step != 0 {
		return false // scrolls are noted in their layers, and d has joined these
	}
	d.people.merge(&o.people)
	d.bots.merge(&o.bots)
	d.mergeSamples(o.samples)
	d.mergeElements(o)
	d.noted.addAll(&o.noted)
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
	if d.noted.blocks == 0 {
		return
	}
	g := d.noted.gather()
	d.noted.drop()
	d.people.addNoted(g.people)
	d.bots.addNoted(g.bots)
	if len(g.points) == 0 {
		return
	}
	sortPoints(g.points)
	d.makeLayers(g.points)
	d.countPoints(g.points, last)
	d.countScrolls(g.scrolls)
	d.countAnchors(g.anchors)
	d.settle()
}

// runs calls fn for the points of one layer after the other, which are in order.
func runs(points []uint64, fn func(id LayerID, run []uint64)) {
	for p := points; len(p) > 0; {
		id := p[0] >> 32
		k := 1
		for k < len(p) && p[k]>>32 == id {
			k++
		}
		fn(LayerID(id), p[:k])
		p = p[k:]
	}
}

// makeLayers makes the layers of points, which are in order, that are missing.
func (d *Delta) makeLayers(points []uint64) {
	missing, i := 0, 0
	runs(points, func(id LayerID, _ []uint64) {
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
	runs(points, func(id LayerID, _ []uint64) {
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

// countPoints counts points, which are in order, in their layers, which exist.
func (d *Delta) countPoints(points []uint64, last bool) {
	var memory []counted // that new layers share
	left := len(points)
	i := 0
	runs(points, func(id LayerID, run []uint64) {
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
				memory = make([]counted, 0, min(left, cellsOf(points)))
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
func (d *Delta) countAnchors(list []notedAnchor) {
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
func (d *Delta) countScrolls(s []scrolled) {
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
