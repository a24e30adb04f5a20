package heatmap

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"math"
	"strings"
	"testing"
)

func drawn(t *testing.T, points []Point, cell int, o DrawOptions) *image.Paletted {
	t.Helper()
	var b bytes.Buffer
	if err := DrawPNG(&b, points, cell, o); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return img.(*image.Paletted)
}

// TestDraw compares every pixel with the formula. Between the samples the field is linear, which is less than 2 % off.
func TestDraw(t *testing.T) {
	points := []Point{{200, 96, 40}, {216, 96, 25}, {0, 0, 30}, {296, 184, 20}, {96, 160, 3}}
	f := func(cell int, o DrawOptions) {
		t.Helper()
		img := drawn(t, points, cell, o)
		if err := o.complete(spotsOf(points, cell), cell); err != nil {
			t.Fatal(err)
		}
		heat := func(x, y float64) (sum float64) {
			for _, p := range points {
				dx, dy := x-float64(p.X)-float64(cell)/2, y-float64(p.Y)-float64(cell)/2
				if k := 1 - (dx*dx+dy*dy)/float64(o.Radius*o.Radius); k > 0 {
					sum += float64(p.Weight) * k * k
				}
			}
			return sum
		}
		top := 0.0
		for y := range o.Height {
			for x := range o.Width {
				top = max(top, heat(float64(x), float64(y)))
			}
		}
		for y := range img.Rect.Dy() {
			for x := range img.Rect.Dx() {
				share := math.Pow(float64(img.ColorIndexAt(x, y))/(colours-1), 2)
				want := heat((float64(x)+0.5)/o.Scale, (float64(y)+0.5)/o.Scale) / top
				if math.Abs(share-want) > 0.03 {
					t.Fatalf("%+v: heat at %d, %d is %.3f of the greatest, want %.3f", o, x, y, share, want)
				}
			}
		}
	}
	f(8, DrawOptions{Width: 320, Height: 200})
	f(16, DrawOptions{})
	f(8, DrawOptions{Width: 320, Height: 200, Scale: 0.5})
	f(8, DrawOptions{Width: 120, Height: 200, Scale: 2.25})
	f(8, DrawOptions{Width: 320, Height: 200, Radius: 60})
	f(8, DrawOptions{Width: 320, Height: 200, Radius: 14})
}

func TestDrawSizes(t *testing.T) {
	f := func(points []Point, o DrawOptions, width, height int) {
		t.Helper()
		img := drawn(t, points, 8, o)
		if got := img.Rect.Size(); got != image.Pt(width, height) {
			t.Errorf("picture is %v, want %d x %d", got, width, height)
		}
	}
	one := []Point{{512, 1480, 3}}
	f(nil, DrawOptions{}, 1, 1)
	f(nil, DrawOptions{Width: 30, Height: 20}, 30, 20)
	f(one, DrawOptions{}, 512+4+24, 1480+4+24)
	f(one, DrawOptions{Width: 1280}, 1280, 1508)
	f(one, DrawOptions{Width: 1280, Height: 2000, Scale: 0.5}, 640, 1000)
	f(one, DrawOptions{Width: 1, Height: 1}, 1, 1)
	f(one, DrawOptions{Width: 3, Height: 5, Radius: 1, Scale: 0.001}, 1, 1)
	f([]Point{{1272, 65528, 1}}, DrawOptions{Scale: 0.01}, 13, 656)
	for _, p := range drawn(t, nil, 8, DrawOptions{Width: 30, Height: 20}).Pix {
		if p != 0 {
			t.Fatal("picture without points is not transparent")
		}
	}
}

func TestDrawErrors(t *testing.T) {
	f := func(want string, cell int, o DrawOptions) {
		t.Helper()
		var b bytes.Buffer
		err := DrawPNG(&b, []Point{{65528, 65528, 1}}, cell, o)
		if err == nil || !strings.Contains(err.Error(), want) || b.Len() > 0 {
			t.Errorf("%+v: error is %v after %d bytes, want %q", o, err, b.Len(), want)
		}
	}
	f("picture is 65536 x 65536 px, limit 67108864", 8, DrawOptions{})
	f("268468225 samples of heat, limit 16777216", 8, DrawOptions{Scale: 0.01})
	f("cell is 0 px", 0, DrawOptions{})
	f("scale is -1", 8, DrawOptions{Scale: -1})
	f("scale is NaN", 8, DrawOptions{Scale: math.NaN()})
	f("scale is 9", 8, DrawOptions{Scale: 9})
	f("radius is 129", 8, DrawOptions{Radius: 129, Scale: 0.1})
	f("radius is -1", 8, DrawOptions{Radius: -1, Scale: 0.1})
	f("part of the page is -5 x 10 px", 8, DrawOptions{Width: -5, Height: 10})
	f("part of the page is 65537 x 10 px", 8, DrawOptions{Width: 65537, Height: 10})
}

// brokenWriter takes n bytes.
type brokenWriter struct{ n int }

var errBroken = errors.New("broken")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.n -= len(p); w.n < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

func TestDrawWriteError(t *testing.T) {
	points, o := hotDay(3, 500).Points(benchLayer, 8), DrawOptions{Width: 800, Height: 600}
	var b bytes.Buffer
	if err := DrawPNG(&b, points, 8, o); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < b.Len(); n += 1 + b.Len()/50 {
		if err := DrawPNG(&brokenWriter{n}, points, 8, o); !errors.Is(err, errBroken) {
			t.Errorf("error after %d of %d bytes is %v", n, b.Len(), err)
		}
	}
}

// TestRamp holds that heat can be told by opacity alone and that neighbouring colours look alike.
func TestRamp(t *testing.T) {
	if rampColours[0] != (color.NRGBA{}) {
		t.Errorf("no heat is %v", rampColours[0])
	}
	for i := 1; i < colours; i++ {
		a, b := rampColours[i-1], rampColours[i]
		if b.A < a.A {
			t.Errorf("colour %d is less opaque than the one before: %v, %v", i, a, b)
		}
		if i > 1 && (diff(a.R, b.R) > 10 || diff(a.G, b.G) > 10 || diff(a.B, b.B) > 10) {
			t.Errorf("colour %d is a leap: %v, %v", i, a, b)
		}
	}
}

func diff(a, b uint8) int { return max(int(a), int(b)) - min(int(a), int(b)) }
