package pebblestore_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/index/pebblestore"
)

// The key space of the benchmarks: 2,000 pages and 200 periods.
const (
	benchPages   = 2000
	benchPeriods = 200
	benchDocs    = benchPages * benchPeriods
)

// benchRef names the i-th document. Neighbours in i are of different pages, as those of one flush are.
func benchRef(i int) index.Ref {
	page, n := i%benchPages, i/benchPages
	key := heatmap.Key{Site: fmt.Sprintf("site-%d", page%20), Page: fmt.Sprintf("https://www.shop-%d.example/category/%d/product-%d", page%20, page%50, page)}
	if key.Period = heatmap.DayPeriod(heatmap.Date(20454 + n)); n >= benchPeriods-7 {
		key.Period = heatmap.MonthPeriod(20454) + heatmap.Period(n%7)
	}
	return index.Ref{Generation: "g1", Key: key, Source: "j5f00a1b2c3d4e5f6"}
}

// smallBlob looks like the grid of a small page: 30 to 200 bytes, most of them small numbers.
func smallBlob(rng *rand.Rand) []byte {
	blob := make([]byte, 30+int(rng.ExpFloat64()*60)%170)
	for i := range blob {
		blob[i] = byte(rng.ExpFloat64() * 30)
	}
	return blob
}

// BenchmarkSwap is one call with 1,000 small documents of 400,000; "insert" fills the store, "replace" goes on from there.
func BenchmarkSwap(b *testing.B) {
	s := open(b, b.TempDir(), pebblestore.Options{})
	rng := rand.New(rand.NewPCG(1, 1))
	marks := make([]uint64, benchDocs)
	order := rng.Perm(benchDocs)
	next := 0
	swap := func(b *testing.B) {
		b.ReportAllocs()
		bytes := 0
		for b.Loop() {
			writes := make([]index.Write, 1000)
			for i := range writes {
				n := order[next%benchDocs]
				writes[i] = index.Write{Ref: benchRef(n), Old: marks[n], New: marks[n] + 1, Blob: smallBlob(rng)}
				bytes += len(writes[i].Blob)
				marks[n]++
				next++
			}
			swapAll(b, s, writes)
		}
		b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "docs/s")
		b.SetBytes(int64(bytes / b.N))
	}
	b.Run("insert", swap)
	for next < benchDocs {
		n := order[next]
		if marks[n]++; true {
			next++
		}
		swapAll(b, s, []index.Write{{Ref: benchRef(n), New: 1, Blob: smallBlob(rng)}})
		break
	}
	b.Run("replace", swap)
}

func swapAll(b *testing.B, s *pebblestore.Store, writes []index.Write) {
	applied, err := s.Swap(b.Context(), writes)
	if err != nil {
		b.Fatal(err)
	}
	for i := range applied {
		if !applied[i] {
			b.Fatalf("write %d was not applied", i)
		}
	}
}
