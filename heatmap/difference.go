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
	changes := make([]Change, 0, len(points)+len(minus))
	for _, p := range points {
		changes = append(changes, Change{X: p.X, Y: p.Y, Hits: p.Weight})
	}
	for _, p := range minus {
		changes = append(changes, Change{X: p.X, Y: p.Y, Minus: p.Weight})
	}
	slices.SortFunc(changes, func(a, b Change) int { return cmp.Or(cmp.Compare(a.Y, b.Y), cmp.Compare(a.X, b.X)) })
	all := changes[:0]
	for _, c := range changes {
		if last := len(all) - 1; last >= 0 && all[last].X == c.X && all[last].Y == c.Y {
			all[last].Hits += c.Hits
			all[last].Minus += c.Minus
			continue
		}
		all = append(all, c)
	}
	for i := range all {
		c := &all[i]
		c.Share = float64(c.Hits)/float64(hits) - float64(c.Minus)/float64(minusHits)
	}
	slices.SortStableFunc(all, func(a, b Change) int { return cmp.Compare(math.Abs(b.Share), math.Abs(a.Share)) })
	return all
}
