package heatmap

// cellRows are the cells of some rows of a page, of 8 px, by their places, so that a row of them can be drawn at once: where many
// have hits that takes a fifth of drawing each.
type cellRows struct {
	first, cols int
	weights     []float32 // of each row, with rowMargin columns more to each side
	spans       []span    // by row
}

// span are the columns of a row that have hits.
type span struct{ from, to, cells int } // cells are those from <= column < to

// rowMargin is how many columns more than a page has are looked at to each side.
const rowMargin = 2 * latticeMargin

// dense is the share of cells with hits, one in so many, from which on a row is drawn at once.
const dense = 5

// newCellRows takes the cells whose heat can reach rows of samples of a band.
func newCellRows(cells []Point, b *band, m *thinMemory) *cellRows {
	first := max((b.first-latticeReach)/2-1, 0)
	rows := (b.first+b.rows+latticeReach)/2 + 2 - first
	r := &cellRows{first, b.cols + 2*latticeMargin, nil, make([]span, rows)}
	m.weights = sized(m.weights, rows*r.cols)
	r.weights = m.weights
	clear(r.weights)
	for _, p := range cells {
		row, col := p.Y/CellSize-first, p.X/CellSize
		if row < 0 || row >= rows {
			continue
		}
		r.weights[row*r.cols+rowMargin+col] = float32(p.Weight)
		s := &r.spans[row]
		if s.cells == 0 {
			s.from, s.to = col, col
		}
		s.from, s.to = min(s.from, col), max(s.to, col+1)
		s.cells++
	}
	return r
}

// addRows adds the heat of cells, each at most once.
func (b *band) addRows(r *cellRows) {
	none := make([]float32, b.cols) // in place of rows that are not of the band
	for row, s := range r.spans {
		weights := r.weights[row*r.cols:][:r.cols]
		switch {
		case s.cells*dense >= s.to-s.from && s.cells > 0:
			b.addRow(weights[s.from:s.to+2*rowMargin-1], r.first+row, s.from, none)
		case s.cells > 0:
			for col := s.from; col < s.to; col++ {
				if w := weights[rowMargin+col]; w != 0 {
					b.addCell(2*col+1, 2*(r.first+row)+1, w)
				}
			}
		}
	}
}

// addRow adds the heat of a row of cells to samples from an index of their rows on: the weights begin so many columns before the
// cell of the first sample as the heat of a cell reaches, and end as many behind.
func (b *band) addRow(weights []float32, row, from int, none []float32) {
	n := len(weights) - 2*latticeMargin + 1
	at := func(j int) []float32 {
		if j -= b.first; j < 0 || j >= b.rows {
			return none[:n]
		}
		return b.heat[j*b.cols+from:][:n]
	}
	// centres of cells, 0, 1 and 2 rows away, above and below
	m0, m1, n1, m2, n2 := at(2*row+1), at(2*row-1), at(2*row+3), at(2*row-3), at(2*row+5)
	// corners, half a row away, one and a half, and two and a half
	a1, b1, a3, b3, a5, b5 := at(2*row), at(2*row+2), at(2*row-2), at(2*row+4), at(2*row-4), at(2*row+6)
	k := &rowKernel
	w0, w1, w2, w3, w4 := weights[0], weights[1], weights[2], weights[3], weights[4]
	for i, w5 := range weights[2*latticeMargin-1:] {
		mid, near, far := w3, w2+w4, w1+w5
		m0[i] += k[0]*mid + k[1]*near + k[2]*far
		h1 := k[1]*mid + k[3]*near + k[4]*far
		m1[i] += h1
		n1[i] += h1
		h2 := k[2]*mid + k[4]*near + k[5]*far
		m2[i] += h2
		n2[i] += h2
		near, mid, far = w2+w3, w1+w4, w0+w5
		g1 := k[6]*near + k[7]*mid + k[8]*far
		a1[i] += g1
		b1[i] += g1
		g3 := k[7]*near + k[9]*mid + k[10]*far
		a3[i] += g3
		b3[i] += g3
		g5 := k[8]*near + k[10]*mid
		a5[i] += g5
		b5[i] += g5
		w0, w1, w2, w3, w4 = w1, w2, w3, w4, w5
	}
}

// rowKernel is the heat of a cell of weight 1 at centres of cells, by columns and rows of distance, and at corners, by half ones.
var rowKernel = [...]float32{
	kernelAt(0, 0), kernelAt(8, 0), kernelAt(16, 0), kernelAt(8, 8), kernelAt(16, 8), kernelAt(16, 16),
	kernelAt(4, 4), kernelAt(12, 4), kernelAt(20, 4), kernelAt(12, 12), kernelAt(20, 12),
}

// kernelAt is the heat of weight 1 at a distance in px that the kernel reaches.
func kernelAt(dx, dy float64) float32 {
	k := 1 - (dx*dx+dy*dy)/(DefaultRadius*DefaultRadius)
	return float32(k * k)
}
