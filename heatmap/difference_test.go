package heatmap

import (
	"bytes"
	"image/color"
	"image/png"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSubtract(t *testing.T) {
	f := func(a, b []Point, want []Change, moved float64) {
		t.Helper()
		d := Difference{Points: Subtract(a, sumOf(a), b, sumOf(b))}
		if diff := cmp.Diff(want, d.Points); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
		if math.Abs(d.Moved()-moved) > 1e-15 {
			t.Errorf("moved %v, want %v", d.Moved(), moved)
		}
	}
	a := []Point{{8, 16, 3}, {0, 0, 1}}
	f(a, nil, nil, 0)
	f(nil, a, nil, 0)
	f(a, a, []Change{{X: 0, Y: 0, Hits: 1, Minus: 1}, {X: 8, Y: 16, Hits: 3, Minus: 3}}, 0)
	f(a, []Point{{0, 0, 5}}, []Change{{0, 0, -0.75, 1, 5}, {8, 16, 0.75, 3, 0}}, 0.75)
	// A third of three and of three hundred are the same share.
	f([]Point{{0, 0, 1}, {8, 0, 2}}, []Point{{0, 0, 100}, {16, 0, 200}},
		[]Change{{8, 0, 2.0 / 3, 2, 0}, {16, 0, -2.0 / 3, 0, 200}, {0, 0, 0, 1, 100}}, 2.0/3)
}

func sumOf(points []Point) (n uint64) {
	for _, p := range points {
		n += p.Weight
	}
	return n
}

// TestSubtractRandom compares with fractions: counts of both sides add up, and shares are right to the last bits.
func TestSubtractRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	side := func() []Point {
		var points []Point
		for at := range 64 {
			if rng.IntN(2) == 0 {
				points = append(points, Point{at % 8 * 8, at / 8 * 8, 1 + rng.Uint64N(1<<(1+rng.IntN(40)))})
			}
		}
		return points
	}
	for range 200 {
		a, b := side(), side()
		na, nb := sumOf(a), sumOf(b)
		if na == 0 || nb == 0 {
			continue
		}
		var hits, minus uint64
		last := math.Inf(1)
		for _, c := range Subtract(a, na, b, nb) {
			hits, minus = hits+c.Hits, minus+c.Minus
			want, _ := new(big.Rat).Sub(frac(c.Hits, na), frac(c.Minus, nb)).Float64()
			if math.Abs(c.Share-want) > 1e-15 || (c.Share == 0) != (want == 0) {
				t.Fatalf("%+v of %d and %d: share %v, want %v", c, na, nb, c.Share, want)
			}
			if math.Abs(c.Share) > last {
				t.Fatalf("%v comes after %v", c.Share, last)
			}
			last = math.Abs(c.Share)
		}
		if hits != na || minus != nb {
			t.Fatalf("cells have %d and %d hits, want %d and %d", hits, minus, na, nb)
		}
	}
}

func frac(n, of uint64) *big.Rat {
	return new(big.Rat).SetFrac(new(big.Int).SetUint64(n), new(big.Int).SetUint64(of))
}

// TestDrawDifference compares every pixel with the formula, and looks at the hues: more is orange, less is blue, and where
// both are equal, or nothing is, the page shows.
func TestDrawDifference(t *testing.T) {
	points := []Change{{X: 200, Y: 96, Share: 0.4}, {X: 224, Y: 96, Share: -0.25}, {X: 40, Y: 40, Share: -0.4}, {X: 96, Y: 160, Share: 0.03}}
	var b bytes.Buffer
	if err := DrawDifferencePNG(&b, points, 8, DrawOptions{Width: 320, Height: 200}); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	heat := func(x, y float64) (sum, nearest float64) {
		nearest = math.Inf(1)
		for _, p := range points {
			dx, dy := x-float64(p.X)-4, y-float64(p.Y)-4
			nearest = min(nearest, math.Hypot(dx, dy))
			if k := 1 - (dx*dx+dy*dy)/(24*24); k > 0 {
				sum += p.Share * k * k
			}
		}
		return sum, nearest
	}
	top := 0.0
	for i := range 320 * 200 {
		sum, _ := heat(float64(i%320), float64(i/320))
		top = max(top, math.Abs(sum))
	}
	for i := range 320 * 200 {
		x, y := i%320, i/320
		sum, nearest := heat(float64(x)+0.5, float64(y)+0.5)
		want := sum / top
		c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
		switch {
		case nearest > 24+4 && c.A != 0: // between a sample with heat and one without the field is linear
			t.Fatalf("at %d, %d nothing differs and the colour is %v", x, y, c)
		case want > 0.1 && !(int(c.R) > int(c.G)+40 && c.G > c.B && c.A > 40):
			t.Fatalf("at %d, %d there is %.2f more and the colour is %v", x, y, want, c)
		case want < -0.1 && !(int(c.B) > int(c.G)+40 && c.G > c.R && c.A > 40):
			t.Fatalf("at %d, %d there is %.2f less and the colour is %v", x, y, -want, c)
		}
	}
}
