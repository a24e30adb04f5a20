package heatmap

import "unsafe"

// A scroll layer counts in three sections: reach and attention as difference arrays over bands, and how many hits began
// a view with which viewport height. A difference array costs two updates a hit however many bands the hit spans.
type section uint32

const (
	reachSection     section = 0
	attentionSection section = 1
	foldSection      section = 2 // 0 is the unknown height
)

const (
	maxReach     = (MaxCoordinate + BandSize - 1) / BandSize   // greatest index in reach
	maxAttention = (2*MaxCoordinate + BandSize - 1) / BandSize // y + vh may lie below the last pixel of a page
	maxExtent    = max(maxReach, maxAttention)
	scrollBytes  = int(unsafe.Sizeof(scroll{}))
)

// scroll is a scroll layer that has outgrown layer.small.
type scroll struct {
	diffs [2][]int64 // reach and attention: what band i has more than band i-1
	fold  *grid      // by viewport height
}

func (s *scroll) bytes() int {
	return scrollBytes + (cap(s.diffs[0])+cap(s.diffs[1]))*8 + s.fold.bytes()
}

func (s *scroll) bump(at section, i uint32, v int64) (fresh bool) {
	if at == foldSection {
		used := s.fold.used
		s.fold.add(i, uint64(v))
		return s.fold.used > used
	}
	d := s.diffs[at]
	if int(i) >= len(d) {
		d = append(d, make([]int64, int(i)+1-len(d))...)
		s.diffs[at] = d
	}
	d[i] += v
	return false
}

func (s *scroll) clone() *scroll {
	c := &scroll{fold: s.fold.clone()}
	for i, d := range s.diffs {
		c.diffs[i] = append([]int64(nil), d...)
	}
	return c
}

func scrollKey(at section, i uint32) cellID { return uint32(at)<<24 | i }

// bump adds v to an index of a section and reports whether it is a viewport height that was not there before.
func (l *layer) bump(at section, i uint32, v int64) (fresh bool) {
	if l.scroll == nil {
		if fresh, ok := l.bumpSmall(scrollKey(at, i), v); ok {
			return fresh && at == foldSection
		}
		l.needScroll()
	}
	return l.scroll.bump(at, i, v)
}

func (l *layer) bumpSmall(key uint32, v int64) (fresh, ok bool) {
	for i := range l.small {
		e := &l.small[i]
		if e.cell != key {
			continue
		}
		sum := int64(int32(e.n)) + v
		if sum != int64(int32(sum)) {
			return false, false
		}
		e.n = uint32(int32(sum))
		return false, true
	}
	if len(l.small) >= smallCells || v != int64(int32(v)) {
		return false, false
	}
	l.small, l.ordered = append(l.small, counted{key, uint32(int32(v))}), false
	return true, true
}

func (l *layer) needScroll() {
	l.scroll = &scroll{fold: newGrid(0)}
	for _, e := range l.small {
		l.scroll.bump(section(e.cell>>24), e.cell&0xffffff, int64(int32(e.n)))
	}
	l.small, l.ordered = nil, false
}

// each calls fn for the indexes of a section whose value is not 0, in ascending order.
func (l *layer) each(at section, fn func(i uint32, v int64)) {
	if l.scroll == nil {
		for _, e := range l.sorted() {
			if section(e.cell>>24) == at && e.n != 0 {
				fn(e.cell&0xffffff, int64(int32(e.n)))
			}
		}
		return
	}
	if at == foldSection {
		for _, e := range l.scroll.fold.sorted() {
			fn(e.cell, int64(l.scroll.fold.count(e)))
		}
		return
	}
	for i, v := range l.scroll.diffs[at] {
		if v != 0 {
			fn(uint32(i), v)
		}
	}
}

// folds is the number of distinct viewport heights.
func (l *layer) folds() int {
	if l.scroll != nil {
		return l.scroll.fold.used
	}
	n := 0
	for _, e := range l.small {
		if section(e.cell>>24) == foldSection {
			n++
		}
	}
	return n
}

// scrollCost is what the layer counts for against limits.scroll: it bounds the entries that a blob has for it, and it
// only grows as hits come.
func (l *layer) scrollCost() int { return 2*int(l.extent) + l.folds() }

// addScroll counts one hit and gives what the layer's cost has grown by.
func (l *layer) addScroll(depth, from, y, vh uint16, dwell uint32, fold uint32) (cost int) {
	was := l.extent
	if a, b := bandAfter(uint32(from)), bandAfter(uint32(depth)); a < b {
		l.span(reachSection, a, b, 1)
	}
	if vh > 0 && dwell > 0 {
		l.span(attentionSection, uint32(y)/BandSize, bandAfter(uint32(y)+uint32(vh)), int64(min(dwell, MaxDwell)))
	}
	if from == 0 && l.bump(foldSection, fold, 1) {
		cost = 1
	}
	return cost + 2*int(l.extent-was)
}

// span adds v to the bands a to b-1.
func (l *layer) span(at section, a, b uint32, v int64) {
	l.bump(at, a, v)
	l.bump(at, b, -v)
	l.extent = max(l.extent, uint16(b))
}

// bandAfter is the first band whose top is at px or below it.
func bandAfter(px uint32) uint32 { return (px + BandSize - 1) / BandSize }

// mergeScroll adds what o counted, heights rounded as t wants it.
func (l *layer) mergeScroll(o *layer, t uint8) {
	l.extent = max(l.extent, o.extent)
	for at := reachSection; at <= foldSection; at++ {
		o.each(at, func(i uint32, v int64) {
			if at == foldSection {
				i = coarseHeight(i, t)
			}
			l.bump(at, i, v)
		})
	}
}

// Coarsening of scroll layers goes in steps. The first ones join bands of viewport widths, each of them as many as the
// step before joined twice over, the later ones round viewport heights.
const (
	widthSteps    = 11
	maxScrollStep = widthSteps + 16
)

// coarseScroll gives the layer as which a scroll layer is counted after t steps.
func coarseScroll(id LayerID, t uint8) LayerID {
	w := id.WidthBand()
	if w == UnknownWidth {
		return id
	}
	t = min(t, widthSteps)
	return NewLayerID(id.Kind(), w>>t<<t, id.Device(), id.Bot())
}

// coarseHeight rounds a viewport height to the middle of the heights that count as one after t steps. Steps nest.
func coarseHeight(vh uint32, t uint8) uint32 {
	if t <= widthSteps || vh == 0 {
		return vh
	}
	by := t - widthSteps
	return vh>>by<<by | 1<<(by-1)
}
