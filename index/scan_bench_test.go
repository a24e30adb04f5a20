package index

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/journal"
)

// scanDays is over how many days the hits of BenchmarkScanWhere are spread.
const scanDays = 90

// trackerBatch is a batch of a tracker: of 20 hits 12 moves, 5 scrolls, 2 clicks on elements and now and then a view.
func trackerBatch(r *rand.Rand, n int, now int64) heatmap.Batch {
	session := n / 12
	b := heatmap.Batch{Site: "shop", Visitor: fmt.Sprintf("%016x", uint64(session)*0x9e3779b97f4a7c15), ID: fmt.Sprintf("w%x-%d", n/4, n%4)}
	h := heatmap.Hit{
		Site: b.Site, Visitor: b.Visitor, View: fmt.Sprintf("w%x", n/4), URL: fmt.Sprintf("https://shop.example/category/%d?page=%d", n/4%200, n/4%3),
		UserAgent: fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", session%50),
		ViewportW: [5]uint16{390, 768, 1280, 1536, 1920}[session%5], ViewportH: 720, DocumentW: 1280, DocumentH: 5400,
	}
	top := uint16(0)
	for i := range 20 {
		h := h
		h.Time = now - 10_000 + int64(i)*500
		switch h.Kind = heatmap.KindMove; {
		case i == 0 && n%4 == 0:
			h.Kind = heatmap.KindView
		case i%4 == 3:
			top += uint16(r.IntN(600))
			h.Kind, h.Y, h.From, h.Depth, h.Dwell = heatmap.KindScroll, top, top, top+720, uint32(r.IntN(4000))
		case i%9 == 5:
			h.Kind, h.Selector, h.BoxW, h.BoxH = heatmap.KindClick, fmt.Sprintf("main>a:nth-child(%d)", r.IntN(20)), 120, 40
			h.AnchorX, h.AnchorY = uint32(r.IntN(heatmap.AnchorUnit)), uint32(r.IntN(heatmap.AnchorUnit))
			h.X, h.Y = uint16(r.IntN(1200)), uint16(r.IntN(4000))
		default:
			h.X, h.Y = uint16(r.IntN(1200)), top+uint16(r.IntN(700))
		}
		b.Hits = append(b.Hits, h)
	}
	return b
}

// sealedIndex gives an index over so many hits of one site in sealed segments, spread over scanDays.
func sealedIndex(b *testing.B, hits int) *Index {
	b.Helper()
	var now atomic.Int64
	now.Store(1_760_000_000_000)
	j, err := journal.Open(b.TempDir(), journal.Options{Ack: journal.AckWrite, Now: func() time.Time { return time.UnixMilli(now.Load()) }})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = j.Close() })
	r := rand.New(rand.NewPCG(1, 2))
	for n := 0; n < hits/20; {
		var batches []heatmap.Batch
		for range 20 {
			batches = append(batches, trackerBatch(r, n, now.Load()))
			n++
		}
		if _, err := j.Append(batches); err != nil {
			b.Fatal(err)
		}
		now.Add(scanDays * dayMillis / int64(hits/400))
	}
	if j, err = j.Freeze(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = j.Close() })
	if _, err := j.Seal(b.Context()); err != nil {
		b.Fatal(err)
	}
	x, err := Open(b.Context(), Options{Store: newMapStore(), Source: JournalSource(j, nil), Frozen: FrozenSources(j, nil)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(x.kill)
	for x.Lag() > 0 {
		if err := pause(b.Context(), time.Millisecond); err != nil {
			b.Fatal(err)
		}
	}
	return x
}

// BenchmarkScanWhere counts a map by an expression over two columns from sealed segments on all cores: of all hits, none of which can be
// skipped, and of one day of 90. Beside it stands what decoding the columns that it needs takes alone, on as many cores.
func BenchmarkScanWhere(b *testing.B) {
	const hits = 3_000_000
	x := sealedIndex(b, hits)
	f := func(name string, q heatmap.Query) {
		pl, err := x.newPlan(b.Context(), q)
		if err != nil {
			b.Fatal(err)
		}
		run := func(name string, fn func()) {
			b.Run(name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					fn()
				}
				b.ReportMetric(hits*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mhits/s")
			})
		}
		run(name, func() {
			a := newSumAggregate(pl, heatmap.KindClick, heatmap.KindView)
			if _, err := x.scan(b.Context(), pl, a); err != nil || a.hits(heatmap.KindClick) == 0 {
				b.Fatalf("%d clicks, %v", a.hits(heatmap.KindClick), err)
			}
		})
		run(name+" decoded", func() { decodeAlone(b, x, pl) })
	}
	f("all", heatmap.Query{Site: "shop", Where: "vw < 800 && y > 1000"})
	f("page", heatmap.Query{Site: "shop", URL: "https://shop.example/category/0?page=0", Where: "vw < 800 && y > 1000"})
	day := heatmap.DateOf(1_760_000_000_000+40*dayMillis, time.UTC)
	bound := heatmap.Bound{Set: true, IsDate: true, Date: day}
	f("day", heatmap.Query{Site: "shop", Where: "vw < 800 && y > 1000", From: bound, To: bound})
}

// decodeAlone decodes what a scan for a map would, and nothing else.
func decodeAlone(b *testing.B, x *Index, pl *plan) {
	o := scanOptions{}.withDefaults()
	s := x.newScanning(pl, newSumAggregate(pl, heatmap.KindClick, heatmap.KindView), &o, []uint64{x.feeds[0].source.Durable(), 0}, x.pins.add())
	defer s.pinned.release()
	var running sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		running.Go(func() {
			var c heatmap.Chunk
			for t, _ := s.take(); t != nil; t, _ = s.take() {
				fields := s.fields
				if !t.counts {
					fields = s.names
				}
				reader, err := x.feeds[t.feed].source.Open(t.from, fields, nil)
				for err == nil {
					if err = reader.Next(context.Background(), &c); c.End() >= t.to {
						break
					}
				}
				if err != nil {
					b.Error(err)
				}
				_ = reader.Close()
			}
		})
	}
	running.Wait()
}
