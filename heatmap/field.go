package heatmap

import "math/bits"

// field is heat in a part of a page, sampled on a lattice: sample (i, j) is at (left + i·step, top + j·step), page px.
type field struct {
	k          *kernel
	left, top  int // page px; left is a multiple of the step
	cols, rows int
	heat       []float32 // row by row
}

// kernel holds what a point of weight 1 adds to samples around it.
type kernel struct {
	step, reach int       // px between samples, a power of two; samples to each side that it reaches
	shift       int       // step is 1 << shift
	phase       int       // px that a row of samples lies above each point, 0 to step − 1
	heat        []float32 // 2·reach+1 columns, and rows with one more below where phase is not 0
	widths      []int     // by row: samples to each side that are not 0, -1 for none
}

// stepOf is the distance of samples that are dense enough for a radius, page px: centres of cells lie on multiples of 4.
func stepOf(radius int) int {
	switch {
	case radius >= 16:
		return 4
	case radius >= 8:
		return 2
	default:
		return 1
	}
}

// newKernel makes the kernel (1 − d²/radius²)² for points on columns of samples, and phase px below rows of them.
func newKernel(radius, step, phase int) *kernel {
	k := &kernel{step: step, reach: radius / step, shift: bits.TrailingZeros(uint(step)), phase: phase}
	rows := k.side()
	if phase > 0 {
		rows++
	}
	k.heat = make([]float32, k.side()*rows)
	k.widths = make([]int, rows)
	r2 := float64(radius * radius)
	for j := range rows {
		k.widths[j] = -1
		for i := range k.side() {
			dx, dy := (i-k.reach)*step, (j-k.reach)*step-phase
			if v := 1 - float64(dx*dx+dy*dy)/r2; v > 0 {
				k.heat[j*k.side()+i] = float32(v * v)
				k.widths[j] = max(k.widths[j], i-k.reach)
			}
		}
	}
	return k
}

func (k *kernel) side() int { return 2*k.reach + 1 }

func newField(k *kernel, left, top, cols, rows int) *field {
	return &field{k: k, left: left, top: top, cols: cols, rows: rows, heat: make([]float32, cols*rows)}
}

func (f *field) addAll(spots []spot) {
	for i := range spots {
		f.add(&spots[i])
	}
}

// add adds the heat of a point, as far as it is in the field.
func (f *field) add(p *spot) {
	k := f.k
	col := (p.x - f.left + k.step/2) >> k.shift
	row := (p.y-f.top)>>k.shift - k.reach // of the first of the kernel
	for j := max(0, -row); j < len(k.widths) && row+j < f.rows; j++ {
		first, last := max(col-k.widths[j], 0), min(col+k.widths[j], f.cols-1)
		if first > last {
			continue
		}
		kernel := k.heat[j*k.side()+k.reach+first-col:]
		heat := f.heat[(row+j)*f.cols+first:][:last-first+1]
		kernel = kernel[:len(heat)]
		for i := range heat {
			heat[i] += p.heat * kernel[i]
		}
	}
}

// greatestIn gives the greatest heat of samples in a part of a page, with no more samples than maxBand in memory at a time.
func greatestIn(spots []spot, k *kernel, left, top, right, bottom int) float32 {
	cols, rows := (right-left+k.step-1)/k.step, (bottom-top+k.step-1)/k.step
	if cols <= 0 || rows <= 0 {
		return 0
	}
	most := float32(0)
	atOnce := min(rows, max(maxBand/cols, 1))
	f := newField(k, left, top, cols, atOnce)
	for ; f.top < bottom; f.top += atOnce * k.step {
		clear(f.heat)
		f.addAll(spots)
		most = max(most, greatestOf(f.heat))
	}
	return most
}
