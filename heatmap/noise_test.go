package heatmap

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWithoutNoise(t *testing.T) {
	points := []Point{{16, 16, 100}, {800, 0, 50}, {40, 40, 9}, {24, 24, 5}, {0, 0, 4}, {65528, 65528, 4}, {65520, 65520, 3}, {0, 8, 1}, {100 * 8, 2 * 8, 1}}
	f := func(share float64, want []Point, left Noise) {
		t.Helper()
		got, noise := WithoutNoise(slices.Clone(points), 8, share)
		if diff := cmp.Diff(want, got); diff != "" || noise != left {
			t.Errorf("share %v: left out %+v, want %+v; points (-want +got):\n%s", share, noise, left, diff)
		}
	}
	lone := func(out ...int) (kept []Point) {
		for i, p := range points {
			if !slices.Contains(out, i) {
				kept = append(kept, p)
			}
		}
		return kept
	}
	f(0, points, Noise{})
	f(0.01, points, Noise{})
	f(0.011, lone(8), Noise{1, 1})
	f(0.05, lone(8), Noise{1, 1})
	f(0.09, lone(8), Noise{1, 1})
	f(0.1, lone(2, 8), Noise{2, 10})
	f(1, lone(1, 2, 8), Noise{3, 60})
}

// TestWithoutNoiseAgainstModel compares random grids with a count that looks at all pairs.
func TestWithoutNoiseAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 300 {
		cell, id := 8<<rng.IntN(3), NewLayerID(KindClick, 0, Desktop, false)
		var d Delta
		for range 1 + rng.IntN(80) {
			x, y := uint16(rng.IntN(400)), uint16(rng.IntN(400))
			for range 1 + rng.IntN(1+rng.IntN(30)) {
				d.AddPoint(id, x, y)
			}
		}
		points, share := d.Points(id, cell), rng.Float64()
		var want []Point
		var left Noise
		for _, p := range points {
			near := 0
			for _, o := range points {
				if dx, dy := (o.X-p.X)/cell, (o.Y-p.Y)/cell; dx*dx <= 1 && dy*dy <= 1 {
					near++
				}
			}
			if near == 1 && float64(p.Weight) < share*float64(points[0].Weight) {
				left.Cells++
				left.Hits += p.Weight
				continue
			}
			want = append(want, p)
		}
		got, noise := WithoutNoise(slices.Clone(points), cell, share)
		sum := noise.Hits
		for _, p := range got {
			sum += p.Weight
		}
		if diff := cmp.Diff(want, got); diff != "" || noise != left || sum != d.Hits(id) {
			t.Fatalf("share %v: left out %+v, want %+v, %d of %d hits; points (-want +got):\n%s", share, noise, left, sum, d.Hits(id), diff)
		}
	}
}

func BenchmarkWithoutNoise(b *testing.B) {
	id, rng := NewLayerID(KindClick, 0, Desktop, false), rand.New(rand.NewPCG(1, 1))
	var d Delta
	for range 200_000 {
		d.AddPoint(id, uint16(rng.IntN(1280)), uint16(rng.IntN(20_000)))
	}
	points := d.Points(id, CellSize)
	for b.Loop() {
		WithoutNoise(slices.Clone(points), CellSize, 0.2)
	}
}
