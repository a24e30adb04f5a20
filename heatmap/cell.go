package heatmap

import (
	"math/bits"
	"slices"
)

// A cellID names a cell of a grid: its column's high bits in bits 21 to 25, its row in bits 8 to 20, its column's low
// bits in bits 0 to 7. So cells order by strips of 256 columns (2,048 px at the finest level), then by row, then by
// column: on the pages that there are, one strip holds everything and a step to the next row is a small number.
type cellID = uint32

const (
	columnBits = 8
	rowBits    = 13
	cellBits   = 26
	maxCell    = 1<<cellBits - 1
	maxLevel   = 13 // one cell holds the whole page
)

// cellOf gives the cell of a column and a row, both 0 to 8191.
func cellOf(col, row uint32) cellID {
	return col>>columnBits<<(columnBits+rowBits) | row<<columnBits | col&(1<<columnBits-1)
}

// colRow is the inverse of cellOf.
func colRow(c cellID) (col, row uint32) {
	return c>>(columnBits+rowBits)<<columnBits | c&(1<<columnBits-1), c >> columnBits & (1<<rowBits - 1)
}

// coarser gives the cell that holds c when cells are 1<<by times as wide and high.
func coarser(c cellID, by uint8) cellID {
	col, row := colRow(c)
	return cellOf(col>>by, row>>by)
}

// counted is a cell with the low part of its count.
type counted struct {
	cell cellID
	n    uint32
}

// batch carries cells from where they are decoded or read to where they are added, without an interface in between.
type batch struct {
	n     int
	cells [128]cellID
	ns    [128]uint64
}

// coarsen moves every cell to its coarser one.
func (b *batch) coarsen(by uint8) {
	if by == 0 {
		return
	}
	for i, c := range b.cells[:b.n] {
		b.cells[i] = coarser(c, by)
	}
}

// sortCounted orders e by cell. scratch is used if it is long enough; cells are distinct.
func sortCounted(e []counted) {
	if len(e) <= 48 {
		insertionSort(e)
		return
	}
	radixSort(e, make([]counted, len(e)))
}

func insertionSort(e []counted) {
	for i := 1; i < len(e); i++ {
		x := e[i]
		j := i
		for ; j > 0 && e[j-1].cell > x.cell; j-- {
			e[j] = e[j-1]
		}
		e[j] = x
	}
}

// radixSort orders e by cell in passes of nine bits, least significant first; t is as long as e.
func radixSort(e, t []counted) {
	var used uint32
	for i := range e {
		used |= e[i].cell
	}
	src, dst := e, t
	for shift := 0; shift < cellBits; shift += 9 {
		if used>>shift&511 == 0 {
			continue
		}
		radixPass(src, dst, shift)
		src, dst = dst, src
	}
	if &src[0] != &e[0] {
		copy(e, src)
	}
}

// sortPoints orders points of layers, which need not be distinct.
func sortPoints(p []uint64) {
	if len(p) < radixPoints {
		slices.Sort(p)
		return
	}
	var memory [maxNoted]uint64
	if len(p) > len(memory) {
		panic("heatmap: more points than are noted")
	}
	all, some := ^uint64(0), uint64(0)
	for _, x := range p {
		all, some = all&x, some|x
	}
	src, dst := p, memory[:len(p)]
	for differ := all ^ some; differ != 0; {
		shift := bits.TrailingZeros64(differ)
		radixPoint(src, dst, shift)
		src, dst = dst, src
		differ &^= (1<<pointBits - 1) << shift
	}
	if &src[0] != &p[0] {
		copy(p, src)
	}
}

const (
	radixPoints = 300 // points from which passes are faster than comparing
	pointBits   = 10  // of a pass
)

// radixPoint orders points by some bits.
func radixPoint(src, dst []uint64, shift int) {
	var at [1 << pointBits]uint32
	for _, x := range src {
		at[x>>shift&(1<<pointBits-1)]++
	}
	sum := uint32(0)
	for i, n := range at {
		at[i] = sum
		sum += n
	}
	for _, x := range src {
		i := x >> shift & (1<<pointBits - 1)
		dst[at[i]] = x
		at[i]++
	}
}

func radixPass(src, dst []counted, shift int) {
	var at [512]int
	for i := range src {
		at[src[i].cell>>shift&511]++
	}
	sum := 0
	for i, n := range at {
		at[i] = sum
		sum += n
	}
	for _, x := range src {
		d := x.cell >> shift & 511
		dst[at[d]] = x
		at[d]++
	}
}
