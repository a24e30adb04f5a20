package heatmap

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// ThinUnit is of what part of a px the places of thinned points are multiples: numbers that float32 and short decimals
// hold exactly.
const ThinUnit = 1. / 16

// ThinPoint is a cell, or several that are merged at the centre of weight of their centres: X and Y are that less half a
// cell, in page px, rounded to ThinUnit where cells are merged. Drawn from (X + cell/2, Y + cell/2) as a cell is.
type ThinPoint struct {
	X, Y   float64
	Weight uint64 // the sum of the cells' weights
}

// Thinned is a map that was brought to fewer points.
type Thinned struct {
	Points []ThinPoint // heaviest first, then by Y, then by X; the sum of their weights is that of the cells
	Error  float64     // how far its drawing is from that of the cells: see ErrorOf
}

// Thin merges cells of cell px until there are limit points, at least 1: those whose merging changes the drawing least.
// Equal cells in any order give equal points. With at most limit cells none is merged, and the error is 0.
func Thin(points []Point, cell, limit int) *Thinned {
	limit = max(limit, 1)
	if len(points) <= limit {
		return &Thinned{Points: unmerged(points)}
	}
	m := takeThinMemory()
	defer m.free()
	t := newThinTree(points, cell, m)
	thin := t.cut(len(points) - limit)
	sortThin(thin)
	return &Thinned{thin, errorWithin(points, thin, cell, maxBand, m)}
}

func unmerged(points []Point) []ThinPoint {
	thin := make([]ThinPoint, len(points))
	for i, p := range points {
		thin[i] = ThinPoint{float64(p.X), float64(p.Y), p.Weight}
	}
	sortThin(thin)
	return thin
}

// sortThin orders points, heaviest first, then by Y, then by X: by the digits of numbers where these hold all, which they do on every
// page.
func sortThin(thin []ThinPoint) {
	const maxIndex, maxPlace = 1<<24 - 1, 1<<20 - 1
	top, far := uint64(0), 0.0
	for i := range thin {
		top, far = max(top, thin[i].Weight), max(far, thin[i].X, thin[i].Y)
	}
	if top > math.MaxUint32 || far/ThinUnit > maxPlace || len(thin) > maxIndex {
		slices.SortFunc(thin, func(a, b ThinPoint) int {
			return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Y, b.Y), cmp.Compare(a.X, b.X))
		})
		return
	}
	keys := make([]uint64, 2*len(thin))
	src, dst := keys[:len(thin)], keys[len(thin):]
	for i, p := range thin {
		src[i] = uint64(p.Y/ThinUnit)<<44 | uint64(p.X/ThinUnit)<<24 | uint64(i)
	}
	placed := make([]ThinPoint, len(thin))
	for i, k := range radixSort64(src, dst, 24) {
		placed[i] = thin[k&maxIndex]
	}
	for i := range placed {
		src[i] = (top-placed[i].Weight)<<32 | uint64(i)
	}
	for i, k := range radixSort64(src, dst, 32) {
		thin[i] = placed[uint32(k)]
	}
}

// thinTree is the binary trie of cells by their places on the Z-order curve (Morton, 1966): a node holds the cells of a
// square or of half of one, and there is one node less than cells. Children stand before their parent.
type thinTree struct {
	cells []thinNode // by place on the curve
	nodes []thinNode
	keys  []uint64 // memory for twice as many as cells
}

// thinNode is a cell, or the cells below a node as one point.
type thinNode struct {
	weight      uint64
	x, y        float64 // centre of weight of the cells' upper left corners, page px
	spread      float64 // sum over the cells of weight · distance² from there, px²
	cost        float32 // of merging all below, never less than that of a node below
	left, right int32   // a cell, or len(cells) + a node
}

func newThinTree(points []Point, cell int, m *thinMemory) *thinTree {
	m.keys, m.nodes = sized(m.keys, 2*len(points)), sized(m.nodes, 2*len(points))
	src, dst := m.keys[:len(points)], m.keys[len(points):]
	for i, p := range points {
		src[i] = uint64(zOrder(uint32(p.X/cell), uint32(p.Y/cell)))<<32 | uint64(i)
	}
	src = radixSort64(src, dst, 32)
	t := &thinTree{m.nodes[:len(points)], m.nodes[len(points):len(points)], m.keys}
	for i, k := range src {
		p := points[uint32(k)]
		t.cells[i] = thinNode{weight: p.Weight, x: float64(p.X), y: float64(p.Y)}
	}
	t.build(src)
	return t
}

// build makes the nodes: one for each two neighbours on the curve, the deeper the fewer of their high digits differ.
func (t *thinTree) build(keys []uint64) {
	type open struct {
		node  int32 // what is to the left
		digit int   // in which what follows differs from it
	}
	var stack []open
	last := int32(0)
	for i := 1; i < len(keys); i++ {
		digit := bits.Len64(keys[i-1]>>32 ^ keys[i]>>32)
		for len(stack) > 0 && stack[len(stack)-1].digit < digit {
			last = t.join(stack[len(stack)-1].node, last)
			stack = stack[:len(stack)-1]
		}
		stack = append(stack, open{last, digit})
		last = int32(i)
	}
	for len(stack) > 0 {
		last = t.join(stack[len(stack)-1].node, last)
		stack = stack[:len(stack)-1]
	}
}

func (t *thinTree) at(i int32) *thinNode {
	if int(i) < len(t.cells) {
		return &t.cells[i]
	}
	return &t.nodes[int(i)-len(t.cells)]
}

// join makes the parent of two nodes and gives its number.
func (t *thinTree) join(left, right int32) int32 {
	a, b := t.at(left), t.at(right)
	n := thinNode{weight: a.weight + b.weight, left: left, right: right}
	wa := float64(a.weight)
	share := float64(b.weight) / (wa + float64(b.weight))
	dx, dy := b.x-a.x, b.y-a.y
	n.x, n.y = a.x+dx*share, a.y+dy*share
	n.spread = a.spread + b.spread + (dx*dx+dy*dy)*wa*share
	n.cost = max(thinCost(float64(n.weight), n.spread), a.cost, b.cost)
	t.nodes = append(t.nodes, n)
	return int32(len(t.cells) + len(t.nodes) - 1)
}

// thinCost tells how much the drawing changes when cells become one point: by about the heat that the point has at its own
// place and the cells had not, weight·(1 − (1 − u)²) with the mean square u of their distances. Small nodes lie close, and
// what they change adds up in part: as the root of how many of them a kernel reaches over, each with some room around it.
// Of such formulas this one left the least error on eight maps, real ones among them.
func thinCost(weight, spread float64) float32 {
	const r2 = DefaultRadius * DefaultRadius
	mean := spread / weight // px²: a sixth of the area, where cells fill a square
	u := min(mean/r2, 1)
	reached := 1 + math.Pi*r2/(CellSize*CellSize+12*mean)
	return float32(weight * (2*u - u*u) * math.Sqrt(reached))
}

// cut merges what is below the n cheapest nodes: each makes the points one less, as all nodes below it cost no more.
func (t *thinTree) cut(n int) []ThinPoint {
	src, dst := t.keys[:len(t.nodes)], t.keys[len(t.nodes):2*len(t.nodes)]
	for i := range t.nodes {
		src[i] = uint64(math.Float32bits(t.nodes[i].cost))<<32 | uint64(i)
	}
	merged := make([]bool, len(t.nodes))
	for _, k := range radixSort64(src, dst, 32)[:n] {
		merged[uint32(k)] = true
	}
	thin := make([]ThinPoint, 0, len(t.cells)-n)
	todo := []int32{int32(len(t.cells) + len(t.nodes) - 1)} // the root
	for len(todo) > 0 {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		node := t.at(i)
		switch inner := int(i) - len(t.cells); {
		case inner < 0:
			thin = append(thin, ThinPoint{node.x, node.y, node.weight})
		case merged[inner]:
			thin = append(thin, ThinPoint{roundThin(node.x), roundThin(node.y), node.weight})
		default:
			todo = append(todo, node.left, node.right)
		}
	}
	return thin
}

func roundThin(px float64) float64 { return math.Round(px/ThinUnit) * ThinUnit }

// zOrder interleaves the digits of a column and a row, 0 to 65,535.
func zOrder(col, row uint32) uint32 { return apart(col) | apart(row)<<1 }

// apart puts a 0 before each of the lower 16 binary digits.
func apart(v uint32) uint32 {
	v = (v | v<<8) & 0x00ff00ff
	v = (v | v<<4) & 0x0f0f0f0f
	v = (v | v<<2) & 0x33333333
	return (v | v<<1) & 0x55555555
}
