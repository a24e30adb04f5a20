package heatmap

// Why the order of hits does not matter: let c(i, g) be the smaller of the number of distinct cells of layer i at level
// g and MaxLayerCells. It never falls as hits come and never rises with g. The level of a delta is the smallest g at
// which the sum of c(i, g) over the layers is at most MaxCells, that of layer i within it the smallest at which it has
// at most MaxLayerCells, but at least the delta's. The rest of a layer of which some
// hits have anchors counts like another layer. Both only rise as hits come, and for the levels that can still be
// reached c follows from the coarse cells alone: below a layer's own level it is MaxLayerCells. For scroll layers the
// sum is of costs that add up at most when two layers are joined, so the same holds for the number of steps.

// settle holds the limits after a merge or after one was passed, and counts anew what is held.
func (d *Delta) settle() {
	lim := d.limit()
	for i := range d.layers {
		l := &d.layers[i]
		if !isGrid(l.id.Kind()) {
			continue
		}
		l.hold(d.level, lim.layer)
		if l.anchored != nil {
			l.anchored.rest.hold(d.level, lim.layer)
		}
	}
	d.settleInner()
	for d.recount(); d.cells > lim.cells && d.level < maxLevel; d.recount() {
		d.level++
		for i := range d.layers {
			l := &d.layers[i]
			if !isGrid(l.id.Kind()) {
				continue
			}
			l.coarsenTo(d.level)
			if l.anchored != nil {
				l.anchored.rest.coarsenTo(d.level)
			}
		}
	}
	for d.scroll > lim.scroll && d.step < maxScrollStep {
		d.raiseStep(d.step + 1)
		d.recount()
	}
}

// hold makes cells at least as large as those of a level, and so large that they are at most limit.
func (l *layer) hold(level uint8, limit int) {
	l.coarsenTo(level)
	for l.cells() > limit && l.level < maxLevel {
		l.coarsenTo(l.level + 1)
	}
}

// recount sets held, cells and scroll from the layers.
func (d *Delta) recount() {
	d.held, d.cells, d.scroll = cap(d.layers)*layerBytes, 0, 0
	for i := range d.layers {
		l := &d.layers[i]
		d.held += l.bytes()
		switch {
		case l.id.Kind() == KindScroll:
			d.scroll += l.scrollCost()
		case isGrid(l.id.Kind()):
			d.cells += d.cellsOf(l)
			if l.anchored != nil {
				d.cells += d.cellsOf(&l.anchored.rest)
			}
		}
	}
}

// cellsOf is what a layer's cells count for MaxCells.
func (d *Delta) cellsOf(l *layer) int {
	if l.level > d.level {
		return d.limit().layer
	}
	return l.cells()
}

// raiseStep coarsens the scroll layers to step, if they are not there yet.
func (d *Delta) raiseStep(step uint8) {
	if step <= d.step {
		return
	}
	d.step = step
	old := d.layers
	d.layers = make([]layer, 0, len(old))
	for i := range old {
		o := &old[i]
		if o.id.Kind() != KindScroll {
			d.layers = append(d.layers, *o)
			continue
		}
		l := d.layer(coarseScroll(o.id, step))
		l.hits += o.hits
		l.mergeScroll(o, step)
	}
}
