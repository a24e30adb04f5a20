package heatmap

// WithoutNoise leaves out of the points of a grid with cells of cell px, heaviest first, those that weigh less than share
// of the heaviest and have no neighbour: none of the eight cells around is among the points. It changes points, keeps
// their order, and says what it left out. A share of 0 leaves out nothing; the heaviest point always stays.
func WithoutNoise(points []Point, cell int, share float64) ([]Point, Noise) {
	var noise Noise
	if len(points) == 0 || share <= 0 {
		return points, noise
	}
	least := share * float64(points[0].Weight)
	first := len(points) // that could be noise
	for first > 0 && float64(points[first-1].Weight) < least {
		first--
	}
	if first == len(points) {
		return points, noise
	}
	taken := newCellSet(points, cell)
	kept := points[:first]
	for _, p := range points[first:] {
		if taken.hasNeighbour(p.X/cell, p.Y/cell) {
			kept = append(kept, p)
			continue
		}
		noise.Cells++
		noise.Hits += p.Weight
	}
	return kept, noise
}

// cellSet is a bitmap of cells with a margin of one around, so that neighbours need no check of bounds.
type cellSet struct {
	width int // cells of a row, with the margin
	bits  []uint64
}

func newCellSet(points []Point, cell int) *cellSet {
	cols, rows := 0, 0
	for _, p := range points {
		cols, rows = max(cols, p.X/cell+1), max(rows, p.Y/cell+1)
	}
	s := &cellSet{width: cols + 2}
	s.bits = make([]uint64, (s.width*(rows+2)+63)/64)
	for _, p := range points {
		at := s.at(p.X/cell, p.Y/cell)
		s.bits[at/64] |= 1 << (at % 64)
	}
	return s
}

func (s *cellSet) at(col, row int) int { return (row+1)*s.width + col + 1 }

func (s *cellSet) hasNeighbour(col, row int) bool {
	at := s.at(col, row)
	for _, above := range [3]int{at - s.width, at, at + s.width} {
		for i := above - 1; i <= above+1; i++ {
			if i != at && s.bits[i/64]>>(i%64)&1 != 0 {
				return true
			}
		}
	}
	return false
}
