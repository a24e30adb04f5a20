package heatmap

// Reach gives the curves of a scroll layer: views, the hits that began a view; for every band from the top the share of
// views that saw its first pixel, down to the last band that was seen; and the mean ms a view that some of the band was
// visible, down to the last band with any. A layer without views has no curves. A share can pass 1 where views go on
// that another period's hits began.
func (d *Delta) Reach(id LayerID) (views uint64, reach, attention []float64) {
	l := d.scrollLayer(id)
	if l == nil {
		return 0, nil, nil
	}
	if views = l.views(); views == 0 {
		return 0, nil, nil
	}
	return views, l.curve(reachSection, views), l.curve(attentionSection, views)
}

// Fold gives mean and median of the viewport heights, px, of the hits that began a view and knew it; 0 without any. Of
// an even number the median is the mean of the middle two.
func (d *Delta) Fold(id LayerID) (average, p50 float64) {
	l := d.scrollLayer(id)
	if l == nil {
		return 0, 0
	}
	var n, sum uint64
	l.each(foldSection, func(vh uint32, count int64) {
		if vh > 0 {
			n += uint64(count)
			sum += uint64(vh) * uint64(count)
		}
	})
	if n == 0 {
		return 0, 0
	}
	low, high := l.nthHeight((n-1)/2), l.nthHeight(n/2)
	return float64(sum) / float64(n), float64(low+high) / 2
}

func (d *Delta) scrollLayer(id LayerID) *layer {
	d.count(false)
	i, ok := d.find(id)
	if !ok || id.Kind() != KindScroll {
		return nil
	}
	return &d.layers[i]
}

// views is the number of hits that began a view.
func (l *layer) views() (n uint64) {
	l.each(foldSection, func(_ uint32, count int64) { n += uint64(count) })
	return n
}

// nthHeight gives the viewport height that has n known ones before it.
func (l *layer) nthHeight(n uint64) (height uint32) {
	before, found := uint64(0), false
	l.each(foldSection, func(vh uint32, count int64) {
		if vh == 0 || found {
			return
		}
		if before += uint64(count); before > n {
			height, found = vh, true
		}
	})
	return height
}

// curve sums a difference array up and divides it by views.
func (l *layer) curve(at section, views uint64) []float64 {
	curve := make([]float64, 0, l.extent)
	sum := int64(0)
	l.each(at, func(i uint32, v int64) {
		for len(curve) < int(i) {
			curve = append(curve, float64(sum)/float64(views))
		}
		sum += v
	})
	return curve
}
