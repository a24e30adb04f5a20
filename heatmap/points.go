package heatmap

import (
	"cmp"
	"math"
	"slices"
)

// Points gives the cells of a layer that have hits, summed to cells of cell px, heaviest first, then by Y, then by X.
// cell is a multiple of CellSize(id); a smaller one counts as that. The sum of the weights is Hits(id).
func (d *Delta) Points(id LayerID, cell int) []Point {
	d.count(false)
	i, ok := d.find(id)
	if !ok || !isGrid(id.Kind()) {
		return nil
	}
	return d.layers[i].points(cell)
}

func (l *layer) points(cell int) []Point {
	size := CellSize << l.level
	cell = max(cell, size)
	w := l.weights(size, cell)
	if len(w) > 0 && !sortPacked(w) {
		slices.SortFunc(w, func(a, b weight) int {
			return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.at, b.at))
		})
	}
	points := make([]Point, len(w))
	for i, p := range w {
		points[i] = Point{X: int(p.at&0xffff) * cell, Y: int(p.at>>16) * cell, Weight: p.n}
	}
	return points
}

// weight is a cell of an answer: at is its row in the high and its column in the low 16 bits.
type weight struct {
	at uint32
	n  uint64
}

// weights gives the cells of l, of size px, as cells of cell px.
func (l *layer) weights(size, cell int) []weight {
	var b batch
	if cell == size {
		return appendWeights(make([]weight, 0, l.cells()), l, &b)
	}
	size32, cell32 := uint32(size), uint32(cell)
	sums := &layer{grid: newGrid(0)}
	l.batches(&b, func() {
		for i, c := range b.cells[:b.n] {
			col, row := colRow(c)
			b.cells[i] = cellOf(col*size32/cell32, row*size32/cell32)
		}
		sums.grid.addBatch(&b)
	})
	return appendWeights(make([]weight, 0, sums.cells()), sums, &b)
}

func appendWeights(out []weight, l *layer, b *batch) []weight {
	l.batches(b, func() {
		for i, c := range b.cells[:b.n] {
			col, row := colRow(c)
			out = append(out, weight{row<<16 | col, b.ns[i]})
		}
	})
	return out
}

// sortPacked orders w, heaviest first, then by place, by the digits of one number each. It reports whether weights are
// small enough for that; if not, nothing was done.
func sortPacked(w []weight) bool {
	top := uint64(0)
	for _, x := range w {
		top = max(top, x.n)
	}
	if top > math.MaxUint32 {
		return false
	}
	keys := make([]uint64, 2*len(w))
	src, dst := keys[:len(w)], keys[len(w):]
	from := 32 // the lowest bit to sort by: places may be in order already
	for i, x := range w {
		src[i] = (top-x.n)<<32 | uint64(x.at)
		if i > 0 && x.at < w[i-1].at {
			from = 0
		}
	}
	src = radixSort64(src, dst, from)
	for i, k := range src {
		w[i] = weight{uint32(k), top - k>>32}
	}
	return true
}

// radixSort64 orders src by the bits from one on, with the help of dst, which is as long, and gives the one that holds
// the result. What is equal in these bits stays in order, or is ordered too.
func radixSort64(src, dst []uint64, from int) []uint64 {
	if len(src) < 64 {
		slices.Sort(src)
		return src
	}
	var used uint64
	for _, k := range src {
		used |= k
	}
	const digit = 11
	for shift := from; shift < 64; shift += digit {
		if used>>shift&(1<<digit-1) == 0 {
			continue
		}
		var at [1 << digit]int
		for _, k := range src {
			at[k>>shift&(1<<digit-1)]++
		}
		sum := 0
		for i, n := range at {
			at[i] = sum
			sum += n
		}
		for _, k := range src {
			i := k >> shift & (1<<digit - 1)
			dst[at[i]] = k
			at[i]++
		}
		src, dst = dst, src
	}
	return src
}
