package heatmap

import (
	"math"
	"slices"
)

// Cells are the cells of a grid layer, kept apart from a delta in little memory, so that many deltas can be read together with them.
// They do not change.
type Cells struct {
	size  int      // side of a cell, px
	hits  uint64   // of all
	cells []uint64 // ascending: row and column, 16 bits each, then the weight
}

// TakeCells takes the cells of a grid layer out of d, with their hits. It gives nil, and changes nothing, if there is no such layer or
// a weight is over 32 bits.
func (d *Delta) TakeCells(id LayerID) *Cells {
	d.count(false)
	i, ok := d.find(id)
	if !ok || !isGrid(id.Kind()) {
		return nil
	}
	l := &d.layers[i]
	cells, ok := l.packed()
	if !ok {
		return nil
	}
	c := &Cells{size: CellSize << l.level, hits: l.hits, cells: cells}
	d.layers = slices.Delete(d.layers, i, i+1)
	d.recount()
	return c
}

// Hits is the number of hits in all cells.
func (c *Cells) Hits() uint64 { return c.hits }

// Size is the side of a cell, px.
func (c *Cells) Size() int { return c.size }

// Bytes is the memory that the cells take.
func (c *Cells) Bytes() int { return 8*cap(c.cells) + 40 }

// AddCells adds cells to a layer of d, as if they had been counted in it. The layer's kind must be one that has points.
func (d *Delta) AddCells(id LayerID, c *Cells) {
	d.count(false)
	level := levelOf(c.size)
	l := d.layer(id)
	l.hits += c.hits
	l.coarsenTo(level)
	by := l.level - level
	l.needGrid(len(c.cells))
	var b batch
	for part := range slices.Chunk(c.cells, len(b.cells)) {
		for i, p := range part {
			b.cells[i], b.ns[i] = cellOf(uint32(p>>32)&0xffff, uint32(p>>48)), p&math.MaxUint32
		}
		b.n = len(part)
		b.coarsen(by)
		l.addBatch(&b)
	}
	d.settle()
}

func levelOf(size int) (level uint8) {
	for ; CellSize<<level < size; level++ {
	}
	return level
}

// PointsWith is d.Points after d.AddCells, but d is not changed. It gives false if that cannot be told from cells alone: where d or the
// answer has cells of another size, or all are so many that they would be coarsened.
func (d *Delta) PointsWith(id LayerID, c *Cells, cell int) ([]Point, bool) {
	d.count(false)
	if c.size != cell {
		return nil, false
	}
	all := c.cells
	if i, ok := d.find(id); ok {
		l := &d.layers[i]
		more, ok := l.packed()
		if !ok || CellSize<<l.level != cell {
			return nil, false
		}
		if all, ok = addPacked(c.cells, more); !ok {
			return nil, false
		}
	}
	if len(all) > d.limit().layer {
		return nil, false
	}
	return packedPoints(all, cell), true
}

// packed gives the cells of a layer, ascending by row and column, false if a weight is over 32 bits.
func (l *layer) packed() (cells []uint64, ok bool) {
	cells, ok = make([]uint64, 0, l.cells()), true
	var b batch
	l.batches(&b, func() {
		for i, c := range b.cells[:b.n] {
			col, row := colRow(c)
			ok = ok && b.ns[i] <= math.MaxUint32
			cells = append(cells, uint64(row<<16|col)<<32|b.ns[i])
		}
	})
	if slices.IsSorted(cells) {
		return cells, ok
	}
	keys := make([]uint64, len(cells))
	sorted := radixSort64(cells, keys, 32)
	return sorted, ok
}

// addPacked sums cells that are both ascending, false if a weight is over 32 bits then.
func addPacked(a, b []uint64) (sum []uint64, ok bool) {
	sum = make([]uint64, 0, len(a)+len(b))
	for _, p := range b {
		n := before(a, p>>32)
		sum = append(sum, a[:n]...)
		a = a[n:]
		if len(a) > 0 && a[0]>>32 == p>>32 {
			if p&math.MaxUint32+a[0]&math.MaxUint32 > math.MaxUint32 {
				return nil, false
			}
			p += a[0] & math.MaxUint32
			a = a[1:]
		}
		sum = append(sum, p)
	}
	return append(sum, a...), true
}

// before gives how many cells are at places before one. It takes steps that double, as that is often near.
func before(cells []uint64, place uint64) int {
	far := 1
	for far < len(cells) && cells[far]>>32 < place {
		far *= 2
	}
	from := far / 2
	n, _ := slices.BinarySearchFunc(cells[from:min(far+1, len(cells))], place, func(p, at uint64) int { return int(p>>32) - int(at) })
	return from + n
}

// packedPoints gives cells as points, heaviest first, then by row and column, in which order they are.
func packedPoints(cells []uint64, cell int) []Point {
	top := uint64(0)
	for _, p := range cells {
		top = max(top, p&math.MaxUint32)
	}
	keys := make([]uint64, 2*len(cells))
	src, dst := keys[:len(cells)], keys[len(cells):]
	for i, p := range cells {
		src[i] = (top-p&math.MaxUint32)<<32 | p>>32
	}
	src = radixSort64(src, dst, 32)
	points := make([]Point, len(src))
	for i, k := range src {
		points[i] = Point{X: int(k&0xffff) * cell, Y: int(k>>16&0xffff) * cell, Weight: top - k>>32}
	}
	return points
}
