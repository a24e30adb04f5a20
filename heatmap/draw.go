package heatmap

import (
	"fmt"
	"image/color"
	"io"
	"math"
)

// MaxPicture is the greatest number of pixels that DrawPNG draws.
const MaxPicture = 1 << 26

// Defaults and limits of DrawOptions.
const (
	DefaultRadius = 24  // page px
	MaxRadius     = 128 // page px
	MaxScale      = 8
)

// DrawOptions says what a picture shows. The zero value shows all points at the page's size.
type DrawOptions struct {
	Width, Height int     // part of the page from its upper left corner, px, 1 to 65,536; 0 = to where the last point's heat ends
	Scale         float64 // picture px a page px, above 0 to MaxScale, 0 = 1
	Radius        int     // how far the heat of a point reaches, page px, 1 to MaxRadius, 0 = DefaultRadius
}

// DrawPNG writes the heat of points, cells of cell px, as a PNG with transparent background: at each pixel the sum of
// weight·(1 − d²/r²)² over the points whose cell's centre is nearer than the radius r, as a share of the picture's maximum.
// Without points the picture is all transparent. The errors are those of w, and one that says what in o is over a limit.
func DrawPNG(w io.Writer, points []Point, cell int, o DrawOptions) error {
	return draw(w, spotsOf(points, cell), cell, o, oneSided)
}

// DrawDifferencePNG is DrawPNG of differences: what is more goes from transparent to orange, what is less to blue, and the
// last colour of either is for the greatest difference of both.
func DrawDifferencePNG(w io.Writer, points []Change, cell int, o DrawOptions) error {
	spots := make([]spot, len(points))
	for i, p := range points {
		spots[i] = spot{p.X + cell/2, p.Y + cell/2, float32(p.Share)}
	}
	return draw(w, spots, cell, o, twoSided)
}

// spot is the centre of a cell, page px, and its heat.
type spot struct {
	x, y int
	heat float32
}

func spotsOf(points []Point, cell int) []spot {
	spots := make([]spot, len(points))
	for i, p := range points {
		spots[i] = spot{p.X + cell/2, p.Y + cell/2, float32(p.Weight)}
	}
	return spots
}

// scale says which colours heat has: zero is that of none, the last the one of the greatest.
type scale struct {
	palette []color.NRGBA
	zero    int
}

var (
	oneSided = scale{rampColours[:], 0}
	twoSided = scale{differenceColours[:], differenceZero}
)

func draw(w io.Writer, spots []spot, cell int, o DrawOptions, s scale) error {
	if err := o.complete(spots, cell); err != nil {
		return fmt.Errorf("draw picture: %w", err)
	}
	cols, rows := o.lattice()
	f := newField(newKernel(o.Radius, o.step(), 0), 0, 0, cols, rows)
	f.addAll(spots)
	f.normalise(colours - 1 - s.zero)
	width, height := o.picture()
	up := newUpscaler(f, width, o.Scale, s.zero)
	p := newPNG(w, width, height, pngPalette)
	p.colours(s.palette)
	for y := range height {
		p.row(up.row(y))
	}
	return p.close()
}

func (o *DrawOptions) complete(spots []spot, cell int) error {
	if o.Scale == 0 {
		o.Scale = 1
	}
	if o.Radius == 0 {
		o.Radius = DefaultRadius
	}
	if o.Width == 0 || o.Height == 0 {
		o.fit(spots)
	}
	switch width, height := o.picture(); {
	case cell <= 0:
		return fmt.Errorf("cell is %d px, want more than 0", cell)
	case !(o.Scale > 0 && o.Scale <= MaxScale):
		return fmt.Errorf("scale is %g, want above 0 to %d", o.Scale, MaxScale)
	case o.Radius < 1 || o.Radius > MaxRadius:
		return fmt.Errorf("radius is %d px, want 1 to %d", o.Radius, MaxRadius)
	case o.Width < 1 || o.Width > MaxCoordinate+1 || o.Height < 1 || o.Height > MaxCoordinate+1:
		return fmt.Errorf("part of the page is %d x %d px, want 1 to %d each", o.Width, o.Height, MaxCoordinate+1)
	case width*height > MaxPicture:
		return fmt.Errorf("picture is %d x %d px, limit %d together", width, height, MaxPicture)
	}
	if cols, rows := o.lattice(); cols*rows > maxSamples {
		return fmt.Errorf("part of the page is %d x %d px, %d samples of heat, limit %d", o.Width, o.Height, cols*rows, maxSamples)
	}
	return nil
}

// fit sets the sizes that were left out.
func (o *DrawOptions) fit(spots []spot) {
	right, bottom := 1, 1
	for _, p := range spots {
		right, bottom = max(right, p.x+o.Radius), max(bottom, p.y+o.Radius)
	}
	if o.Width == 0 {
		o.Width = min(right, MaxCoordinate+1)
	}
	if o.Height == 0 {
		o.Height = min(bottom, MaxCoordinate+1)
	}
}

// picture gives the size of the picture, px.
func (o *DrawOptions) picture() (width, height int) {
	size := func(px int) int { return max(1, int(math.Ceil(float64(px)*o.Scale))) }
	return size(o.Width), size(o.Height)
}

// maxSamples bounds the memory of a field: 64 MiB.
const maxSamples = 1 << 24

func (o *DrawOptions) step() int { return stepOf(o.Radius) }

// lattice gives the numbers of samples between which all pixels lie.
func (o *DrawOptions) lattice() (cols, rows int) {
	step := o.step()
	return (o.Width-1)/step + 2, (o.Height-1)/step + 2
}

// normalise makes of each sample how many colours it is from that of none, last for the greatest, below 0 where heat is.
func (f *field) normalise(last int) {
	top := greatestOf(f.heat)
	if top == 0 {
		return
	}
	for i, v := range f.heat {
		if v < 0 {
			f.heat[i] = -float32(last) * float32(math.Sqrt(float64(-v/top)))
			continue
		}
		f.heat[i] = float32(last) * float32(math.Sqrt(float64(v/top)))
	}
}

// upscaler turns a field into rows of colours, linear between its samples.
type upscaler struct {
	f     *field
	scale float64
	line  []float32 // the field at the row's height
	at    []int32   // by pixel: sample to its left
	part  []float32 // by pixel: how far it is on the way to the next
	zero  float32   // colour of no heat
	out   []byte
}

func newUpscaler(f *field, width int, scale float64, zero int) *upscaler {
	u := &upscaler{f: f, scale: scale, zero: float32(zero), line: make([]float32, f.cols), at: make([]int32, width), part: make([]float32, width), out: make([]byte, width)}
	for i := range width {
		at, part := u.place(i, f.cols)
		u.at[i], u.part[i] = int32(at), part
	}
	return u
}

// place gives where the middle of a pixel lies among n samples.
func (u *upscaler) place(pixel, n int) (at int, part float32) {
	v := (float64(pixel) + 0.5) / u.scale / float64(u.f.k.step)
	at = min(int(v), n-2)
	return at, float32(min(v-float64(at), 1))
}

func (u *upscaler) row(y int) []byte {
	at, part := u.place(y, u.f.rows)
	upper := u.f.heat[at*u.f.cols:][:len(u.line)]
	lower := u.f.heat[(at+1)*u.f.cols:][:len(u.line)]
	some := false
	for i := range u.line {
		v := upper[i] + (lower[i]-upper[i])*part
		u.line[i] = v
		some = some || v != 0
	}
	if !some {
		for i := range u.out {
			u.out[i] = byte(u.zero)
		}
		return u.out
	}
	for i, at := range u.at {
		a, b := u.line[at], u.line[at+1]
		u.out[i] = byte(a + (b-a)*u.part[i] + u.zero + 0.5)
	}
	return u.out
}
