package heatmap

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// naiveHeat is the sum by the formula.
func naiveHeat(points []Point, cell, radius int, x, y float64) (sum float64) {
	for _, p := range points {
		dx, dy := x-float64(p.X)-float64(cell)/2, y-float64(p.Y)-float64(cell)/2
		if k := 1 - (dx*dx+dy*dy)/float64(radius*radius); k > 0 {
			sum += float64(p.Weight) * k * k
		}
	}
	return sum
}

func drawnField(t *testing.T, points []Point, cell int, o FieldOptions) (*image.Gray, float64) {
	t.Helper()
	var b bytes.Buffer
	top, err := DrawField(&b, points, cell, o)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return img.(*image.Gray), top
}

// TestDrawField compares every sample with the naive sum, and the greatest with that of the page.
func TestDrawField(t *testing.T) {
	page := countedIn(2000, 8, func(r *rand.Rand, i int) (x, y int) {
		if i%3 == 0 {
			return r.IntN(300), r.IntN(600)
		}
		return 100 + int(r.NormFloat64()*30), 420 + int(r.NormFloat64()*20)
	})
	f := func(points []Point, cell int, o FieldOptions, cols, rows int) {
		t.Helper()
		img, top := drawnField(t, points, cell, o)
		if got := img.Rect.Size(); got != image.Pt(cols, rows) {
			t.Fatalf("%+v: %v samples, want %d x %d", o, got, cols, rows)
		}
		o.complete(spotsOf(points, cell))
		greatest, off := 0., 0.
		for j := range rows {
			for i := range cols {
				want := naiveHeat(points, cell, o.Radius, float64(i*o.Step), float64(o.Top+j*o.Step))
				greatest = max(greatest, want)
				off = max(off, math.Abs(float64(img.GrayAt(i, j).Y)/255*top-want))
			}
		}
		if off > 0.003*top {
			t.Errorf("%+v: a sample is %.4f of the greatest off", o, off/top)
		}
		_, whole := drawnField(t, points, cell, FieldOptions{Radius: o.Radius})
		if greatest > top*1.000001 || o.Top%4 == 0 && top != whole || math.Abs(top-whole) > 0.02*whole {
			t.Errorf("%+v: the greatest is %g, of the samples %g, of the whole page %g", o, top, greatest, whole)
		}
	}
	right, bottom := 0, 0
	for _, p := range page {
		right, bottom = max(right, p.X+28), max(bottom, p.Y+28)
	}
	f(page, 8, FieldOptions{}, right/4, bottom/4)
	f(page, 8, FieldOptions{Step: 8}, (right+7)/8, (bottom+7)/8)
	f(page, 8, FieldOptions{Width: 61, Top: 400, Bottom: 444}, 16, 11)
	f(page, 8, FieldOptions{Width: 61, Top: 400, Bottom: 444, Step: 8}, 8, 6)
	f(page, 8, FieldOptions{Width: 120, Top: 4, Bottom: 80}, 30, 19) // the greatest is below
	f(page, 8, FieldOptions{Width: 40, Bottom: 800}, 10, 200)        // and to the right
	f(page, 8, FieldOptions{Width: 120, Top: 600, Bottom: 660}, 30, 15)
	for top := 401; top < 408; top++ {
		f(page, 8, FieldOptions{Width: 200, Top: top, Bottom: top + 60}, 50, 15)
		f(page, 8, FieldOptions{Width: 200, Top: top, Bottom: top + 60, Step: 8}, 25, 8)
	}
	f(page, 8, FieldOptions{Width: 200, Bottom: 100, Radius: 60}, 50, 25)
	f(page, 8, FieldOptions{Width: 200, Bottom: 100, Radius: 8}, 50, 25)
	f(page, 8, FieldOptions{Width: 200, Top: 3, Bottom: 100, Radius: 15, Step: 8}, 25, 13)
	coarse := countedIn(500, 24, func(r *rand.Rand, i int) (x, y int) { return r.IntN(300), r.IntN(600) })
	f(coarse, 24, FieldOptions{Width: 300, Bottom: 600}, 75, 150)
	f([]Point{{0, 0, 1}}, 8, FieldOptions{Width: 8, Top: 2000, Bottom: 2016}, 2, 4)
}

// TestDrawFieldOfAll looks for the greatest heat in more samples than are in memory at a time.
func TestDrawFieldOfAll(t *testing.T) {
	for _, far := range []Point{{65528, 0, 9}, {0, 65528, 9}, {65528, 65528, 9}, {32000, 40000, 9}} {
		points := []Point{far, {0, 0, 2}, {65528, 65528, 1}}
		if _, top := drawnField(t, points, 8, FieldOptions{Width: 100, Top: 100, Bottom: 200}); math.Abs(top-9) > 2 || top < 9 {
			t.Errorf("%v: the greatest is %g, want 9", far, top)
		}
	}
}

func TestDrawFieldOfNone(t *testing.T) {
	if img, top := drawnField(t, nil, 8, FieldOptions{}); img.Rect.Size() != image.Pt(1, 1) || img.Pix[0] != 0 || top != 0 {
		t.Errorf("without points %v, greatest %g", img, top)
	}
	if img, _ := drawnField(t, nil, 8, FieldOptions{Width: 100, Top: 40, Bottom: 80}); img.Rect.Size() != image.Pt(25, 10) || slices.Max(img.Pix) != 0 {
		t.Errorf("without points %v", img)
	}
}

func TestDrawFieldErrors(t *testing.T) {
	f := func(want string, cell int, o FieldOptions) {
		t.Helper()
		var b bytes.Buffer
		_, err := DrawField(&b, []Point{{65528, 65528, 1}}, cell, o)
		if err == nil || !strings.Contains(err.Error(), want) || b.Len() > 0 {
			t.Errorf("%+v: error is %v after %d bytes, want %q", o, err, b.Len(), want)
		}
	}
	f("268435456 samples of heat, limit 16777216", 8, FieldOptions{})
	f("cell is 0 px", 0, FieldOptions{Width: 8, Bottom: 8})
	f("step is 2 px, want 4 or 8", 8, FieldOptions{Width: 8, Bottom: 8, Step: 2})
	f("radius is 7 px, want 8 to 128", 8, FieldOptions{Width: 8, Bottom: 8, Radius: 7})
	f("radius is 129 px", 8, FieldOptions{Width: 8, Bottom: 8, Radius: 129})
	f("width is -1 px", 8, FieldOptions{Width: -1, Bottom: 8})
	f("width is 65537 px", 8, FieldOptions{Width: 65537, Bottom: 8})
	f("from 8 to 8 px", 8, FieldOptions{Width: 8, Top: 8, Bottom: 8})
	f("from -1 to 8 px", 8, FieldOptions{Width: 8, Top: -1, Bottom: 8})
	f("from 8 to 65537 px", 8, FieldOptions{Width: 8, Top: 8, Bottom: 65537})
}

// BenchmarkDrawField draws 1,280 x 8,000 px of a busy page and of one with hits in every cell.
func BenchmarkDrawField(b *testing.B) {
	busy := hotDay(1, 40_000).Points(benchLayer, 8)
	flat := countedIn(160*1000, 8, func(_ *rand.Rand, i int) (x, y int) { return i % 160 * 8, i / 160 * 8 })
	for _, page := range []struct {
		name   string
		points []Point
	}{{"busy", busy}, {"flat", flat}} {
		for _, step := range []int{4, 8} {
			b.Run(fmt.Sprintf("%s/%d", page.name, step), func(b *testing.B) {
				o := FieldOptions{Width: 1280, Bottom: 8000, Step: step}
				var picture bytes.Buffer
				_, _ = DrawField(&picture, page.points, 8, o)
				b.ReportAllocs()
				b.SetBytes(int64(1280 / step * (8000 / step)))
				for b.Loop() {
					if _, err := DrawField(io.Discard, page.points, 8, o); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(picture.Len()), "bytes")
			})
		}
	}
}
