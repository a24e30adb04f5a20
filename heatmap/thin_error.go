package heatmap

import "math"

// ErrorOf tells how far the drawing of thinned points is from that of the cells, of cell px, that they stand for: the
// greatest difference of the heat, the sum of weight·(1 − d²/24²)², at a corner or the centre of a cell of 8 px, as a share
// of the greatest heat of the cells at such a place. It is rounded up to a millionth, and 0 without cells.
func ErrorOf(cells []Point, thin []ThinPoint, cell int) float64 {
	m := takeThinMemory()
	defer m.free()
	return errorWithin(cells, thin, cell, maxBand, m)
}

// maxBand bounds the memory of ErrorOf: 16 MiB of samples at a time.
const maxBand = 1 << 22

func errorWithin(cells []Point, thin []ThinPoint, cell, samples int, m *thinMemory) float64 {
	if len(cells) == 0 {
		return 0
	}
	right, bottom := 0, 0
	for _, p := range cells {
		right, bottom = max(right, p.X), max(bottom, p.Y)
	}
	all := (bottom+cell/2+DefaultRadius)/latticeStep + 1
	b := newBand((right+cell/2+DefaultRadius)/CellSize+1, all, samples, m)
	top, far := float32(0), float32(0)
	for ; b.first < all; b.first += b.rows {
		clear(b.heat)
		if cell == CellSize {
			b.addRows(newCellRows(cells, b, m))
		} else {
			for _, p := range cells {
				b.addCell((p.X+cell/2)/latticeStep, (p.Y+cell/2)/latticeStep, float32(p.Weight))
			}
		}
		top = max(top, b.greatest())
		for i := range thin {
			p := &thin[i]
			if x, y := int(p.X), int(p.Y); float64(x) == p.X && float64(y) == p.Y && x%cell == 0 && y%cell == 0 {
				b.addCell((x+cell/2)/latticeStep, (y+cell/2)/latticeStep, -float32(p.Weight))
				continue
			}
			b.addPoint(float32(p.X)+float32(cell)/2, float32(p.Y)+float32(cell)/2, -float32(p.Weight))
		}
		far = max(far, b.greatest())
	}
	return math.Ceil(float64(far)/float64(top)*1e6) / 1e6
}

const (
	latticeStep   = CellSize / 2                  // between rows of samples, px
	latticeReach  = DefaultRadius/latticeStep - 1 // rows to each side on which a cell has heat
	latticeMargin = DefaultRadius / CellSize      // columns to each side of the page, so that columns need no check of bounds
)

// band is heat at the corners and centres of cells of 8 px, in some rows of the page. Row j is at 4j px; its sample i is at
// 8i px in an even row and at 8i + 4 px in an odd one.
type band struct {
	first, rows int // row of the page at which it begins
	cols        int // with the margins
	heat        []float32
}

func newBand(cols, rows, samples int, m *thinMemory) *band {
	b := &band{cols: cols + 2*latticeMargin}
	b.rows = min(rows, max(samples/b.cols, 1))
	m.heat = sized(m.heat, b.rows*b.cols)
	b.heat = m.heat
	return b
}

// cellKernel holds the heat that a cell of weight 1 has at samples: for each row from latticeReach above its centre on,
// those to both sides of it, two steps apart.
var cellKernel = makeCellKernel()

func makeCellKernel() (rows [2*latticeReach + 1][]float32) {
	const r2 = DefaultRadius * DefaultRadius
	for i := range rows {
		dy := (i - latticeReach) * latticeStep
		for dx := -DefaultRadius; dx <= DefaultRadius; dx += latticeStep {
			k := 1 - float64(dx*dx+dy*dy)/r2
			if k > 0 && (dx+dy)/latticeStep%2 == 0 {
				rows[i] = append(rows[i], float32(k*k))
			}
		}
	}
	return rows
}

// addCell adds the heat of a cell whose centre is so many rows and half columns from the page's upper left corner: both
// are odd or both are even.
func (b *band) addCell(col, row int, weight float32) {
	for i := range cellKernel {
		at := row + i - latticeReach - b.first
		if at < 0 || at >= b.rows {
			continue
		}
		kernel := cellKernel[i]
		heat := b.heat[at*b.cols+latticeMargin+(col+1-len(kernel))>>1:][:len(kernel)]
		for j, k := range kernel {
			heat[j] += weight * k
		}
	}
}

// addPoint adds the heat of a point anywhere on the page.
func (b *band) addPoint(x, y, weight float32) {
	const r2 = DefaultRadius * DefaultRadius
	first := max(int(y/latticeStep)-latticeReach-1, b.first)
	last := min(int(y/latticeStep)+latticeReach+1, b.first+b.rows-1)
	for j := first; j <= last; j++ {
		dy := float32(j*latticeStep) - y
		inRow := 1 - dy*dy/r2
		if inRow <= 0 {
			continue
		}
		shift := j % 2 * latticeStep
		left := int(x-float32(shift)+CellSize)/CellSize - 1 // rounded down, as it is more than -CellSize
		heat := b.heat[(j-b.first)*b.cols+left+1:][:2*latticeMargin]
		dx := float32((left+1-latticeMargin)*CellSize+shift) - x
		for i := range heat {
			if k := inRow - dx*dx/r2; k > 0 {
				heat[i] += weight * k * k
			}
			dx += CellSize
		}
	}
}

// greatest gives the greatest heat of the page in the band, above or below 0.
func (b *band) greatest() float32 {
	top := float32(0)
	for j := range b.rows {
		top = max(top, greatestOf(b.heat[j*b.cols+latticeMargin:(j+1)*b.cols]))
	}
	return top
}

// greatestOf gives the greatest absolute value of numbers: of their bits, which are in that order, as comparing floats
// waits for each before.
func greatestOf(heat []float32) float32 {
	top := uint32(0)
	for _, v := range heat {
		top = max(top, math.Float32bits(v)&^(1<<31))
	}
	return math.Float32frombits(top)
}
