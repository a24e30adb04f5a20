package heatmap

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

func TestSortPoints(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 300 {
		p := make([]uint64, 1+r.IntN(maxNoted))
		mask := r.Uint64() & r.Uint64()
		for i := range p {
			p[i] = r.Uint64() & mask
		}
		want := slices.Sorted(slices.Values(p))
		if sortPoints(p); !slices.Equal(p, want) {
			t.Fatalf("%d points with bits %#x are not in order", len(p), mask)
		}
	}
}

func BenchmarkSortPoints(b *testing.B) {
	for _, n := range []int{50, 150, 250, 500, 1024} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			r := rand.New(rand.NewPCG(4, 4))
			p, from := make([]uint64, n), make([]uint64, n)
			for i := range from {
				id := NewLayerID(KindClick, WidthBand(10+r.IntN(10)), Device(r.IntN(3)), false)
				from[i] = uint64(id)<<32 | uint64(cellOf(uint32(r.IntN(160)), uint32(r.IntN(600))))
			}
			for b.Loop() {
				copy(p, from)
				sortPoints(p)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/point")
		})
	}
}
