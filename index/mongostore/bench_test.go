package mongostore

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/index/mongostore/mongotest"
)

// cpuTime is what this process has used of the processors.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reportCPU says how much processor time of this process an operation took; the rest of its time it waited for the database.
func reportCPU(b *testing.B, from time.Duration) {
	b.ReportMetric(float64((cpuTime(b)-from).Milliseconds())/float64(b.N), "own-cpu-ms/op")
}

// BenchmarkSwap flushes 10,000 deltas of 10 KB, as new documents or in place of those that are there.
func BenchmarkSwap(b *testing.B) {
	const docs, size = 10_000, 10_000
	f := func(name string, insert bool) {
		b.Run(name, func(b *testing.B) {
			s := open(b, mongotest.Database(b), Options{})
			writes := make([]index.Write, docs)
			for i := range writes {
				key := heatmap.Key{Site: "shop", Page: fmt.Sprintf("https://www.shop.example/category/%d/product-%d", i%50, i%2000), Period: heatmap.DayPeriod(heatmap.Date(20_454 + i/2000))}
				writes[i] = index.Write{Ref: index.Ref{Generation: "g1", Key: key, Source: "5f00a1b2c3d4e5f60718293a4b5c6d7e"}, New: 1, Blob: blob(size, uint64(i))}
			}
			if !insert {
				put(b, s, writes...)
			}
			b.SetBytes(docs * size)
			b.ReportAllocs()
			from := cpuTime(b)
			for b.Loop() {
				for i := range writes {
					if insert {
						writes[i].Site += "x"
					} else {
						writes[i].Old, writes[i].New = writes[i].New, writes[i].New+1
					}
				}
				put(b, s, writes...)
			}
			reportCPU(b, from)
			b.ReportMetric(docs*float64(b.N)/b.Elapsed().Seconds(), "docs/s")
		})
	}
	f("insert", true)
	f("replace", false)
}

// BenchmarkLoad is one call for 1,000 documents of 10 KB.
func BenchmarkLoad(b *testing.B) {
	s := open(b, mongotest.Database(b), Options{})
	var writes []index.Write
	var refs []index.Ref
	for i := range 4000 {
		r := docRef(fmt.Sprintf("https://www.shop.example/category/%d/product-%d", i%50, i), heatmap.DayPeriod(20_454))
		writes = append(writes, index.Write{Ref: r, New: 1, Blob: blob(10_000, uint64(i))})
		refs = append(refs, r)
	}
	put(b, s, writes...)
	b.SetBytes(1000 * 10_000)
	b.ReportAllocs()
	from := cpuTime(b)
	for n := 0; b.Loop(); n++ {
		docs, err := s.Load(b.Context(), refs[n%4*1000:][:1000])
		if err != nil || docs[999].Watermark == 0 {
			b.Fatal(err)
		}
	}
	reportCPU(b, from)
}

// BenchmarkScan reads a page's year, 12 months and 31 days of 10 KB, in one round trip, among two years of three pages.
func BenchmarkScan(b *testing.B) {
	s := open(b, mongotest.Database(b), Options{})
	r, want := year(b, s, 10_000)
	b.SetBytes(int64(want * 10_000))
	b.ReportAllocs()
	trips, from := s.Stats().Trips, cpuTime(b)
	for b.Loop() {
		docs := 0
		if err := s.Scan(b.Context(), r, func(index.Doc) error { docs++; return nil }); err != nil || docs != want {
			b.Fatalf("%d documents, error %v", docs, err)
		}
	}
	reportCPU(b, from)
	b.ReportMetric(float64(s.Stats().Trips-trips)/float64(b.N), "trips/op")
}
