package heatmap

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// naiveDrawing has the heat by the formula at the corners and centres of all cells of 8 px.
func naiveDrawing(points []ThinPoint, cell int) map[[2]int]float64 {
	heat := make(map[[2]int]float64)
	for _, p := range points {
		cx, cy := p.X+float64(cell)/2, p.Y+float64(cell)/2
		for y := max(int(cy)/4*4-24, 0); y <= int(cy)+28; y += 4 {
			for x := max(int(cx)/4*4-24, 0); x <= int(cx)+28; x += 4 {
				dx, dy := float64(x)-cx, float64(y)-cy
				if k := 1 - (dx*dx+dy*dy)/(24*24); k > 0 && (x%8 == 0) == (y%8 == 0) {
					heat[[2]int{x, y}] += float64(p.Weight) * k * k
				}
			}
		}
	}
	return heat
}

// naiveError compares the drawing of thinned points with the exact one.
func naiveError(exact map[[2]int]float64, thin []ThinPoint, cell int) float64 {
	drawn := naiveDrawing(thin, cell)
	top, far := 0.0, 0.0
	for at, heat := range exact {
		top, far = max(top, heat), max(far, math.Abs(heat-drawn[at]))
	}
	for at, heat := range drawn {
		if _, ok := exact[at]; !ok {
			far = max(far, heat)
		}
	}
	return far / top
}

// countedIn counts places in cells.
func countedIn(n, cell int, place func(r *rand.Rand, i int) (x, y int)) []Point {
	r := rand.New(rand.NewPCG(3, 4))
	counts := make(map[[2]int]uint64)
	for i := range n {
		x, y := place(r, i)
		counts[[2]int{max(x, 0) / cell * cell, max(y, 0) / cell * cell}]++
	}
	points := make([]Point, 0, len(counts))
	for at, n := range counts {
		points = append(points, Point{at[0], at[1], n})
	}
	slices.SortFunc(points, func(a, b Point) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Y, b.Y), cmp.Compare(a.X, b.X))
	})
	return points
}

// The pages that thinning is measured on.
var thinPages = []struct {
	name   string
	points func(cell int) []Point
}{
	{"busy", func(cell int) []Point { return hotDay(1, 20_000).Points(benchLayer, cell) }},
	{"spots", func(cell int) []Point { // 20 of about the size of a button, and one hit in 100 elsewhere
		return countedIn(200_000, cell, func(r *rand.Rand, i int) (x, y int) {
			if i%100 == 0 {
				return r.IntN(1280), r.IntN(6000)
			}
			s := r.IntN(20)
			return 100 + s%5*220 + int(r.NormFloat64()*25), 200 + s/5*1200 + int(r.NormFloat64()*15)
		})
	}},
	{"one spot", func(cell int) []Point {
		return countedIn(200_000, cell, func(r *rand.Rand, _ int) (x, y int) {
			return 640 + int(r.NormFloat64()*60), 900 + int(r.NormFloat64()*60)
		})
	}},
	{"flat", func(cell int) []Point { // one hit in each cell of 1,280 x 6,000 px
		return countedIn(160*750, cell, func(_ *rand.Rand, i int) (x, y int) { return i % 160 * 8, i / 160 * 8 })
	}},
}

// TestThin holds what an answer promises of thinned points, and compares their error with that of a naive drawing.
func TestThin(t *testing.T) {
	var exact map[[2]int]float64
	f := func(name string, points []Point, cell, limit int) {
		t.Helper()
		got := Thin(points, cell, limit)
		if want := min(limit, len(points)); len(got.Points) != want {
			t.Fatalf("%s, limit %d: %d points, want %d", name, limit, len(got.Points), want)
		}
		var hits, sum uint64
		var x, y, thinX, thinY float64
		for _, p := range points {
			hits += p.Weight
			x, y = x+float64(p.X)*float64(p.Weight), y+float64(p.Y)*float64(p.Weight)
		}
		for i, p := range got.Points {
			sum += p.Weight
			thinX, thinY = thinX+p.X*float64(p.Weight), thinY+p.Y*float64(p.Weight)
			if p.X/ThinUnit != math.Trunc(p.X/ThinUnit) || p.Y/ThinUnit != math.Trunc(p.Y/ThinUnit) {
				t.Fatalf("%s, limit %d: point %v is no multiple of %g px", name, limit, p, ThinUnit)
			}
			if i > 0 {
				o := got.Points[i-1]
				if cmp.Or(cmp.Compare(o.Weight, p.Weight), cmp.Compare(p.Y, o.Y), cmp.Compare(p.X, o.X)) < 0 {
					t.Fatalf("%s, limit %d: %v stands before %v", name, limit, o, p)
				}
			}
		}
		if sum != hits {
			t.Errorf("%s, limit %d: weights add up to %d, want %d", name, limit, sum, hits)
		}
		if far := math.Hypot(x-thinX, y-thinY) / float64(hits); far > ThinUnit {
			t.Errorf("%s, limit %d: centre of weight is %g px off", name, limit, far)
		}
		naive := naiveError(exact, got.Points, cell)
		if d := got.Error - naive; d < -1e-6 || d > 3e-6 {
			t.Errorf("%s, limit %d: error is %.7f, the naive drawing's %.7f", name, limit, got.Error, naive)
		}
		t.Logf("%-9s %6d cells of %2d px, %6d hits, limit %4d: error %.4f %%", name, len(points), cell, hits, limit, 100*got.Error)
	}
	of := func(name string, points []Point, cell int, limits ...int) {
		t.Helper()
		exact = naiveDrawing(unmerged(points), cell)
		for _, limit := range limits {
			f(name, points, cell, limit)
		}
	}
	for _, page := range thinPages {
		of(page.name, page.points(8), 8, 500, 1000, 4000)
	}
	of("spots", thinPages[1].points(16), 16, 1000)
	of("spots", thinPages[1].points(24), 24, 500)
	few := []Point{{0, 0, 5}, {8, 0, 3}, {65528, 65528, 2}, {16, 800, 1}}
	of("far apart", few, 8, 1, 2, 3, 4, 5)
	of("great", []Point{{0, 0, 1 << 60}, {8, 0, 1 << 60}, {512, 800, 7}}, 8, 2)
	of("one", few[:1], 8, 1)
	of("none", nil, 8, 1)
}

// TestThinKeepsHeavy has cells of which only those of little weight are merged, and says where their points are.
func TestThinKeepsHeavy(t *testing.T) {
	points := []Point{{512, 1480, 311}, {640, 80, 40}, {648, 80, 40}, {96, 16, 3}, {96, 24, 1}}
	got := Thin(points, 8, 4)
	want := []ThinPoint{{512, 1480, 311}, {640, 80, 40}, {648, 80, 40}, {96, 18, 4}}
	if !slices.Equal(got.Points, want) {
		t.Errorf("points are %v, want %v", got.Points, want)
	}
	slices.Reverse(points)
	if again := Thin(points, 8, 4); !slices.Equal(again.Points, want) || again.Error != got.Error {
		t.Errorf("of the same cells in another order: %v, error %g and %g", again.Points, again.Error, got.Error)
	}
	if got := Thin(points, 8, 0); len(got.Points) != 1 {
		t.Errorf("limit 0 leaves %d points", len(got.Points))
	}
}

// TestErrorInBands has the memory of the samples bounded to less than the page needs.
func TestErrorInBands(t *testing.T) {
	points := thinPages[1].points(8)
	thin := Thin(points, 8, 1000)
	for _, samples := range []int{1, 1000, 20_000} {
		if got := errorWithin(points, thin.Points, 8, samples, new(thinMemory)); got != thin.Error {
			t.Errorf("with %d samples at a time: error %v, want %v", samples, got, thin.Error)
		}
	}
}

func BenchmarkThin(b *testing.B) {
	run := func(name string, points []Point) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(points)) * int64(unsafe.Sizeof(Point{})))
			for b.Loop() {
				Thin(points, 8, 4000)
			}
		})
	}
	run("40000 cells", hotDay(1, 40_000).Points(benchLayer, 8))
	for _, page := range thinPages {
		run(page.name, page.points(8))
	}
}

// TestSortThin compares the order of points, few and many, light and heavy, with a plain sort.
func TestSortThin(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	for round := range 200 {
		weights := []uint64{3, 1000, math.MaxUint32, 1 << 40}[round%4]
		thin := make([]ThinPoint, r.IntN(3000)>>r.IntN(8))
		for i := range thin {
			thin[i] = ThinPoint{float64(r.IntN(1<<20)>>r.IntN(20)) * ThinUnit, float64(r.IntN(1<<20)>>r.IntN(20)) * ThinUnit, 1 + r.Uint64N(weights)}
		}
		want := slices.Clone(thin)
		slices.SortFunc(want, func(a, b ThinPoint) int {
			return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Y, b.Y), cmp.Compare(a.X, b.X))
		})
		if sortThin(thin); !slices.Equal(thin, want) {
			t.Fatalf("%d points of weights up to %d are not in order", len(thin), weights)
		}
	}
}
