package index

import (
	"fmt"
	"testing"
	"time"

	"heatlog/heatmap"
)

// streamChunks makes chunks of 1,000 hits in batches of 10, of 200 pages, 50 user agents and a view for each ten batches:
// 6 moves, 3 scrolls and a click in each batch.
func streamChunks(chunks int, ids bool) []heatmap.Chunk {
	log := make([]heatmap.Chunk, chunks)
	n := 0
	for i := range log {
		c := heatmap.Chunk{Position: uint64(i) * 1000, Appended: 1_767_225_600_000 + int64(i)*100, Count: 1000}
		for range 100 {
			n++
			b := heatmap.Batch{Site: "shop", Visitor: fmt.Sprint("visitor", n/30), ID: fmt.Sprint("batch", n)}
			url := fmt.Sprintf("https://shop.example/category/%d?utm_source=mail&page=2", n/10%200)
			agent := fmt.Sprintf("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/%d.0.0.0 Safari/537.36", n/30%50)
			view := fmt.Sprint("view", n/10)
			for k := range 10 {
				h := heatmap.Hit{
					Time: c.Appended - int64(k)*300, Site: b.Site, URL: url, View: view, Visitor: b.Visitor, UserAgent: agent,
					X: uint16(n * 37 % 1200), Y: uint16(n * 91 % 4000), ViewportW: 1280, ViewportH: 720, Kind: heatmap.KindMove,
				}
				switch {
				case k == 0:
					h.Kind = heatmap.KindClick
				case k < 4:
					h.Kind = heatmap.KindScroll
				}
				if ids {
					h.ID = fmt.Sprint("hit", n, k)
				}
				b.Hits = append(b.Hits, h)
			}
			c.Batches = append(c.Batches, b)
		}
		log[i] = c
	}
	return log
}

func BenchmarkStream(b *testing.B) {
	zone, err := time.LoadLocation("Europe/Prague")
	if err != nil {
		b.Fatal(err)
	}
	run := func(name, rules string, ids bool) {
		b.Run(name, func(b *testing.B) {
			const chunks = 200
			log := streamChunks(2*chunks, ids)
			for i := range chunks { // a repeat is told by the bucket before, and that holds the other half
				log[chunks+i].Appended += 2 * bucketMillis
			}
			s := NewStream(mustParseRules(b, rules), func(string) *time.Location { return zone }, StreamOptions{})
			hits, i := 0, 0
			b.ReportAllocs()
			for b.Loop() {
				c := &log[i%len(log)]
				if i++; i > len(log) { // the same hits again, later: no repeats
					c.Appended += 4 * bucketMillis
				}
				s.Events(c, func(*Event) { hits++ })
			}
			b.ReportMetric(float64(hits)/b.Elapsed().Seconds(), "hits/s")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(hits), "ns/hit")
		})
	}
	run("plain", "", false)
	run("ids", "", true)
	run("exclude", "exclude: ['visitor == \"v-77\"', 'url contains \"/internal/\"']", false)
}
