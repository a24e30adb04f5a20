package heatmap

import (
	"cmp"
	"math"
	"slices"
)

// Difference answers two Queries for the difference of their maps in shares: each cell's part of its map's hits, on the
// shown side less on the other, the minus side. Each side is an exact prefix of the log; both are of the same positions if
// they are of one generation.
type Difference struct {
	Shown, Minus *Heatmap // without Points; Cell is the side on which it is kept, px
	Cell         int      // side of a cell of Points, px: at least that of each side
	Points       []Change // every cell that has hits on either side, greatest difference first, then by Y, then by X; nil if a side has no hits
}

// Change is a cell of a Difference: X and Y are its upper left corner in page px.
type Change struct {
	X, Y        int
	Share       float64 // -1 to 1: of the shown hits that lie here, less that of the minus side
	Hits, Minus uint64  // here, on each side
}

// Max is the greatest difference of a cell, up or down, 0 to 1.
func (d *Difference) Max() float64 {
	if len(d.Points) == 0 {
		return 0
	}
	return math.Abs(d.Points[0].Share)
}

// Moved is the share of hits that lie in other cells than on the minus side, 0 to 1: the sum of all differences up, which
// is that of all down.
func (d *Difference) Moved() float64 {
	up := 0.0
	for i := range d.Points {
		up += max(d.Points[i].Share, 0)
	}
	return min(up, 1)
}

// Subtract gives the cells of two maps with equal cells, the sums of whose weights are hits and minusHits. It is nil if one
// of these is 0: nothing is a share of nothing. Equal shares differ by exactly 0.
func Subtract(points []Point, hits uint64, minus []Point, minusHits uint64) []Change {
	if hits == 0 || minusHits == 0 {
		return nil
	}
	all := joined(points, minus)
	for i := range all {
		c := &all[i]
		c.Share = float64(c.Hits)/float64(hits) - float64(c.Minus)/float64(minusHits)
	}
	return byShare(all)
}

// joined gives the cells of both maps by Y, then by X, without shares.
func joined(points, minus []Point) []Change {
	keys := make([]uint64, 2*(len(points)+len(minus))) // place, then which point it is
	src, dst := keys[:len(points)+len(minus)], keys[len(points)+len(minus):]
	for i, p := range points {
		src[i] = uint64(p.Y)<<48 | uint64(p.X)<<32 | uint64(i)
	}
	for i, p := range minus {
		src[len(points)+i] = uint64(p.Y)<<48 | uint64(p.X)<<32 | uint64(len(points)+i)
	}
	all := make([]Change, 0, len(src))
	last := ^uint64(0)
	for _, k := range radixSort64(src, dst, 32) {
		if place := k >> 32; place != last {
			last = place
			all = append(all, Change{X: int(place & 0xffff), Y: int(place >> 16)})
		}
		c := &all[len(all)-1]
		if i := int(uint32(k)); i < len(points) {
			c.Hits += points[i].Weight
		} else {
			c.Minus += minus[i-len(points)].Weight
		}
	}
	return all
}

// byShare orders by the greatness of shares, and keeps the order of equal ones.
func byShare(all []Change) []Change {
	type rank struct {
		share uint64 // its bits, which ascend with it
		at    int
	}
	ranks := make([]rank, len(all))
	for i := range all {
		ranks[i] = rank{math.Float64bits(math.Abs(all[i].Share)), i}
	}
	slices.SortFunc(ranks, func(a, b rank) int { return cmp.Or(cmp.Compare(b.share, a.share), cmp.Compare(a.at, b.at)) })
	sorted := make([]Change, len(all))
	for i, r := range ranks {
		sorted[i] = all[r.at]
	}
	return sorted
}
