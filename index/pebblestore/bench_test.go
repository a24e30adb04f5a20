package pebblestore_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
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

// filler swaps documents of a key space in a shuffled order, again and again.
type filler struct {
	s     *pebblestore.Store
	rng   *rand.Rand
	order []int
	next  int // writes so far
	bytes int // of their blobs
}

func newFiller(b *testing.B) *filler {
	rng := rand.New(rand.NewPCG(1, 1))
	return &filler{s: open(b, b.TempDir(), pebblestore.Options{}), rng: rng, order: rng.Perm(benchDocs)}
}

// swap makes one call with 1,000 documents.
func (f *filler) swap(b testing.TB) {
	writes := make([]index.Write, 1000)
	for i := range writes {
		old := uint64(f.next / benchDocs)
		writes[i] = index.Write{Ref: benchRef(f.order[f.next%benchDocs]), Old: old, New: old + 1, Blob: smallBlob(f.rng)}
		f.bytes += len(writes[i].Blob)
		f.next++
	}
	applied, err := f.s.Swap(b.Context(), writes)
	if err != nil {
		b.Fatal(err)
	}
	if slices.Contains(applied, false) {
		b.Fatal("a write was not applied")
	}
}

// BenchmarkSwap is one call with 1,000 small documents of 400,000. "insert" goes on with replacing if it gets that far.
func BenchmarkSwap(b *testing.B) {
	f := func(name string, filled int) {
		b.Run(name, func(b *testing.B) {
			f := newFiller(b)
			for f.next < filled {
				f.swap(b)
			}
			b.ReportAllocs()
			for b.Loop() {
				f.swap(b)
			}
			b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "docs/s")
		})
	}
	f("insert", 0)
	f("replace", benchDocs)
}

// BenchmarkLoad is one call for 1,000 small documents of 400,000.
func BenchmarkLoad(b *testing.B) {
	f := newFiller(b)
	for f.next < benchDocs {
		f.swap(b)
	}
	b.ReportAllocs()
	refs := make([]index.Ref, 1000)
	for b.Loop() {
		for i := range refs {
			refs[i] = benchRef(f.rng.IntN(benchDocs))
		}
		if _, err := f.s.Load(b.Context(), refs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "docs/s")
}

// BenchmarkScan is a page's year, 12 months and 31 days of 10 KB, among five years of three pages.
func BenchmarkScan(b *testing.B) {
	s := open(b, b.TempDir(), pebblestore.Options{})
	rng := rand.New(rand.NewPCG(2, 2))
	for page := range 3 {
		var writes []index.Write
		for n := range 5 * 377 {
			r := benchRef(page)
			if r.Period = heatmap.DayPeriod(heatmap.Date(20454 + n)); n >= 5*365 {
				r.Period = heatmap.MonthPeriod(20454) + heatmap.Period(n-5*365)
			}
			blob := make([]byte, 10_000)
			for i := range blob {
				blob[i] = byte(rng.ExpFloat64() * 30)
			}
			writes = append(writes, index.Write{Ref: r, New: 1, Blob: blob})
		}
		if _, err := s.Swap(b.Context(), writes); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Compact(b.Context()); err != nil {
		b.Fatal(err)
	}
	r := benchRef(1)
	month, day := heatmap.MonthPeriod(20454), heatmap.DayPeriod(20454)
	year := index.Range{Generation: r.Generation, Site: r.Site, Page: r.Page, Periods: []index.PeriodRange{
		{First: month + 12, Last: month + 23}, {First: day + 365, Last: day + 365 + 30},
	}}
	b.ReportAllocs()
	for b.Loop() {
		docs, bytes := 0, 0
		err := s.Scan(b.Context(), year, func(d index.Doc) error { docs++; bytes += len(d.Blob); return nil })
		if err != nil || docs != 43 {
			b.Fatalf("%d documents, error %v", docs, err)
		}
		b.SetBytes(int64(bytes))
	}
}

// TestBytesPerDoc holds what small documents cost on disk: their key and watermark must cost little
// beside the blob.
func TestBytesPerDoc(t *testing.T) {
	s := open(t, t.TempDir(), pebblestore.Options{})
	f := filler{s: s, rng: rand.New(rand.NewPCG(1, 1)), order: rand.New(rand.NewPCG(1, 1)).Perm(benchDocs)}
	for f.next < 20_000 {
		f.swap(t)
	}
	if err := s.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, blob := float64(s.Stats().TableBytes)/float64(f.next), float64(f.bytes)/float64(f.next)
	t.Logf("%.1f bytes a document, its blob %.1f", got, blob)
	if got > blob+25 {
		t.Errorf("a document takes %.1f bytes, its blob %.1f", got, blob)
	}
}
