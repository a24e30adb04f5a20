package heatmap

import (
	"cmp"
	"fmt"
	"io"
)

// FieldOptions says which samples of the heat of a page are wanted. The zero value is all of it, every 4 px.
type FieldOptions struct {
	Step   int // page px between samples, 4 or 8, 0 = 4
	Radius int // how far the heat of a point reaches, page px, 8 to MaxRadius, 0 = DefaultRadius
	Width  int // samples left of it, page px, 1 to 65,536; 0 = to where the heat ends
	Top    int // y of the first row, page px, 0 to 65,535
	Bottom int // rows above it, page px, Top + 1 to 65,536; 0 = to where the heat ends
}

// DrawField writes the heat of points, cells of cell px, as a grey PNG with a byte a sample: sample (i, j) is the sum of
// weight·(1 − d²/r²)² at (i·Step, Top + j·Step), linear from 0 to the page's greatest, which it returns. That is the
// greatest at a multiple of 4 px (of 2 px where Radius is less than 16) anywhere on the page, also outside of the part that
// is drawn, or of the samples of this where Top is no such multiple. The errors are those of w, and one that says what in o
// is over a limit.
func DrawField(w io.Writer, points []Point, cell int, o FieldOptions) (top float64, err error) {
	spots := spotsOf(points, cell)
	right, bottom := o.complete(spots)
	if err := o.check(cell); err != nil {
		return 0, fmt.Errorf("draw field: %w", err)
	}
	step := stepOf(o.Radius)
	fine := o.Step / step // samples of the lattice for one that is written
	phase := (step - o.Top%step) % step
	f := newField(newKernel(o.Radius, step, phase), 0, o.Top, (o.Width+step-1)/step, (o.Bottom-o.Top+step-1)/step)
	f.addAll(spots)
	k := f.k
	if phase != 0 {
		k = newKernel(o.Radius, step, 0)
	}
	beside, above, below := (o.Width+step-1)/step*step, o.Top/step*step, (o.Bottom+step-1)/step*step
	greatest := max(greatestOf(f.heat),
		greatestIn(spots, k, 0, 0, right, min(above, bottom)),
		greatestIn(spots, k, 0, below, right, bottom),
		greatestIn(spots, k, beside, above, right, min(below, bottom)))
	return float64(greatest), f.write(w, fine, greatest)
}

// complete sets what was left out, and gives where the heat of the page ends.
func (o *FieldOptions) complete(spots []spot) (right, bottom int) {
	o.Step = cmp.Or(o.Step, 4)
	o.Radius = cmp.Or(o.Radius, DefaultRadius)
	right, bottom = 1, 1
	for _, p := range spots {
		right, bottom = max(right, p.x+o.Radius), max(bottom, p.y+o.Radius)
	}
	right, bottom = min(right, MaxCoordinate+1), min(bottom, MaxCoordinate+1)
	if o.Width == 0 {
		o.Width = right
	}
	if o.Bottom == 0 {
		o.Bottom = max(bottom, o.Top+1)
	}
	return right, bottom
}

func (o *FieldOptions) check(cell int) error {
	switch step := stepOf(o.Radius); {
	case cell <= 0:
		return fmt.Errorf("cell is %d px, want more than 0", cell)
	case o.Step != 4 && o.Step != 8:
		return fmt.Errorf("step is %d px, want 4 or 8", o.Step)
	case o.Radius < CellSize || o.Radius > MaxRadius:
		return fmt.Errorf("radius is %d px, want %d to %d", o.Radius, CellSize, MaxRadius)
	case o.Width < 1 || o.Width > MaxCoordinate+1:
		return fmt.Errorf("width is %d px, want 1 to %d", o.Width, MaxCoordinate+1)
	case o.Top < 0 || o.Top >= o.Bottom || o.Bottom > MaxCoordinate+1:
		return fmt.Errorf("part of the page is from %d to %d px, want 0 to %d, upwards", o.Top, o.Bottom, MaxCoordinate+1)
	case (o.Width+step-1)/step*((o.Bottom-o.Top+step-1)/step) > maxSamples:
		return fmt.Errorf("part of the page is %d x %d px, %d samples of heat, limit %d", o.Width, o.Bottom-o.Top, o.Width/step*((o.Bottom-o.Top)/step), maxSamples)
	}
	return nil
}

// write writes every so many-th sample of every so many-th row, as parts of 255 of the greatest.
func (f *field) write(w io.Writer, every int, greatest float32) error {
	cols, rows := (f.cols+every-1)/every, (f.rows+every-1)/every
	p := newPNG(w, cols, rows, pngGrey)
	scale := float32(0)
	if greatest > 0 {
		scale = 255 / greatest
	}
	line := make([]byte, cols)
	for j := range rows {
		heat := f.heat[j*every*f.cols:][:f.cols]
		if every == 1 {
			for i, v := range heat {
				line[i] = byte(v*scale + 0.5)
			}
		} else {
			for i := range line {
				line[i] = byte(heat[i*every]*scale + 0.5)
			}
		}
		p.row(line)
	}
	return p.close()
}
