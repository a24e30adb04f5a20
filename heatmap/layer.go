package heatmap

import (
	"math"
	"unsafe"
)

// layer is one layer of a delta. A view layer is its hits alone. Most layers hold a few cells for ever: these stay in
// small, unsorted, and only what outgrows it gets a grid or a scroll.
type layer struct {
	hits     uint64
	small    []counted // of a scroll layer: cell is a scrollKey, n an int32
	grid     *grid     // if set, small is nil
	scroll   *scroll   // the same
	anchored *anchored // of a layer of clicks, if one of its hits has an anchor
	id       LayerID
	extent   uint16 // scroll layers: greatest index in reach and attention
	level    uint8  // cells are CellSize << level px

	ordered bool // small is in ascending order; it may be longer than smallCells then
}

const (
	smallCells = 32 // above, a linear search costs more than a table
	smallBytes = int(unsafe.Sizeof(counted{}))
	layerBytes = int(unsafe.Sizeof(layer{}))
)

func isGrid(k Kind) bool { return k.Valid() && k != KindView && k != KindScroll }

// bytes is the memory that the layer holds beside itself.
func (l *layer) bytes() int {
	n := cap(l.small) * smallBytes
	if l.grid != nil {
		n += l.grid.bytes()
	}
	if l.scroll != nil {
		n += l.scroll.bytes()
	}
	if l.anchored != nil {
		n += l.anchored.bytes()
	}
	return n
}

// cells is the number of distinct cells of a grid layer.
func (l *layer) cells() int {
	if l.grid != nil {
		return l.grid.used
	}
	return len(l.small)
}

// add counts n more in a cell of the layer's level.
func (l *layer) add(c cellID, n uint64) {
	if l.grid == nil && l.addSmall(c, n) {
		return
	}
	l.needGrid(2 * max(smallCells, len(l.small)))
	l.grid.add(c, n)
}

func (l *layer) addSmall(c cellID, n uint64) bool {
	if len(l.small) > smallCells {
		return false
	}
	for i := range l.small {
		e := &l.small[i]
		if e.cell != c {
			continue
		}
		sum := uint64(e.n) + n
		if sum < n || sum > math.MaxUint32 {
			return false
		}
		e.n = uint32(sum)
		return true
	}
	if len(l.small) >= smallCells || n > math.MaxUint32 {
		return false
	}
	l.small, l.ordered = append(l.small, counted{c, uint32(n)}), false
	return true
}

// needGrid makes the layer keep its cells in a grid, with room for so many.
func (l *layer) needGrid(cells int) {
	if l.grid != nil {
		return
	}
	l.grid = newGrid(cells)
	for _, e := range l.small {
		l.grid.add(e.cell, uint64(e.n))
	}
	l.small, l.ordered = nil, false
}

// addBatch counts cells that are of the layer's level.
func (l *layer) addBatch(b *batch) {
	if l.grid != nil {
		l.grid.addBatch(b)
		return
	}
	for i, c := range b.cells[:b.n] {
		l.add(c, b.ns[i])
	}
}

// batches calls fn with all cells, in no order; fn may change the batch.
func (l *layer) batches(b *batch, fn func()) {
	if l.grid != nil {
		l.grid.batches(b, fn)
		return
	}
	for _, e := range l.small {
		b.cells[b.n], b.ns[b.n] = e.cell, uint64(e.n)
		if b.n++; b.n == len(b.cells) {
			fn()
			b.n = 0
		}
	}
	if b.n > 0 {
		fn()
		b.n = 0
	}
}

// order brings what is in small into order.
func (l *layer) order() {
	if !l.ordered {
		insertionSort(l.small)
		l.ordered = true
	}
}

// sorted gives the cells in ascending order, for count. They must not be changed.
func (l *layer) sorted() []counted {
	if l.grid != nil {
		return l.grid.sorted()
	}
	if l.ordered {
		return l.small
	}
	out := append([]counted(nil), l.small...)
	insertionSort(out)
	return out
}

// count gives the whole count of an entry of sorted.
func (l *layer) count(e counted) uint64 {
	if l.grid != nil {
		return l.grid.count(e)
	}
	return uint64(e.n)
}

// coarsenTo makes cells CellSize << level px.
func (l *layer) coarsenTo(level uint8) {
	if level <= l.level {
		return
	}
	by := level - l.level
	l.level = level
	if l.grid != nil {
		l.grid = l.grid.coarsened(by)
		return
	}
	old := l.small
	l.small, l.ordered = nil, false
	for _, e := range old {
		l.add(coarser(e.cell, by), uint64(e.n))
	}
}

// merge adds the cells of a grid layer.
func (l *layer) merge(o *layer) {
	l.coarsenTo(o.level)
	if n := o.cells(); n > smallCells {
		l.needGrid(n)
	}
	if o.grid == nil {
		for _, e := range o.small {
			l.add(coarser(e.cell, l.level-o.level), uint64(e.n))
		}
		return
	}
	var b batch
	o.batches(&b, func() {
		b.coarsen(l.level - o.level)
		l.addBatch(&b)
	})
}

func (l *layer) clone() layer {
	c := *l
	if l.small != nil {
		c.small = append(make([]counted, 0, len(l.small)), l.small...)
	}
	if l.grid != nil {
		c.grid = l.grid.clone()
	}
	if l.scroll != nil {
		c.scroll = l.scroll.clone()
	}
	if l.anchored != nil {
		c.anchored = l.anchored.clone()
	}
	return c
}
