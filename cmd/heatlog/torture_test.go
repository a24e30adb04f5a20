package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"strconv"
	"testing"
	"time"

	"heatlog/journal/journaltest"
)

// TestTorture sends many more pages than fit into a small cache and holds the server's memory to a bound; every hit must
// be counted all the same. The long form has 200,000 pages and 5 million hits.
func TestTorture(t *testing.T) {
	t.Parallel()
	cache, pages, hits, limit := "8MiB", 20_000, 200_000, int64(300<<20)
	if journaltest.Torture() {
		cache, pages, hits, limit = "64MiB", 200_000, journaltest.Times(0, 5_000_000), 400<<20
	}
	seed := journaltest.Seed(t, 1)
	row := journaltest.Begin(t, "hits through a small cache", hits, seed)
	p := startServer(t, t.TempDir(), "--cache-bytes", cache)
	p.AddSite("many", "UTC", "https://many.example")
	start := time.Now()
	lines, w := io.Pipe()
	counts := make([]int, pages)
	go func() { w.CloseWithError(writeManyPages(w, rand.New(rand.NewPCG(seed, 0)), hits, counts)) }()
	p.Import(lines, "")
	took := time.Since(start)
	p.WaitCounted("many")
	row.Violated(compareManyPages(t, p, counts))
	rss := peakRSS(p.Cmd.Process.Pid)
	row.Done(hits)
	row.Found("%d pages, taken in %.1f s, peak memory %s", pages, took.Seconds(), byteSize(rss))
	if rss == 0 || rss > limit {
		t.Errorf("peak memory is %s, limit %s", byteSize(rss), byteSize(limit))
	}
	if m := p.metrics(); m["heatlog_index_flushed_documents_total"] == 0 {
		t.Error("nothing was flushed: the test proves nothing")
	}
	p.Stop()
}

// manyPage is the URL of a page.
func manyPage(n int) string { return "https://many.example/page/" + strconv.Itoa(n) }

// writeManyPages writes import lines, of which a quarter is on few pages, and counts them by page.
func writeManyPages(to io.Writer, r *rand.Rand, hits int, counts []int) error {
	w := bufio.NewWriterSize(to, 256<<10)
	const start = 1_767_225_600_000
	for i := range hits {
		page := r.IntN(len(counts))
		if i%4 == 0 {
			page %= 10
		}
		counts[page]++
		_, err := fmt.Fprintf(w, `{"t":%d,"site":"many","url":"%s","kind":"click","x":%d,"y":%d,"vw":1280,"vh":720,"visitor":"v%d"}`+"\n",
			start+int64(i)*100, manyPage(page), r.IntN(1280), r.IntN(4000), r.IntN(hits/10))
		if err != nil {
			return err
		}
	}
	return w.Flush()
}

// compareManyPages compares the total, the busiest pages and a sample of the others.
func compareManyPages(t *testing.T, p *process, counts []int) (violations int) {
	t.Helper()
	var list struct{ Total, Hits int }
	p.Ask("/v1/pages", url.Values{"site": {"many"}, "limit": {"1"}}, &list)
	pages, hits := 0, 0
	for _, n := range counts {
		hits += n
		pages += min(n, 1)
	}
	if list.Total != pages || list.Hits != hits {
		violations++
		t.Errorf("%d hits on %d pages, sent %d on %d", list.Hits, list.Total, hits, pages)
	}
	for n := 0; n < len(counts); n += 1 + len(counts)/500*min(n/10, 1) {
		var a struct{ Hits int }
		p.Ask("/v1/heatmap", url.Values{"site": {"many"}, "url": {manyPage(n)}, "limit": {"0"}}, &a)
		if a.Hits != counts[n] {
			violations++
			t.Errorf("page %d has %d hits, sent %d", n, a.Hits, counts[n])
		}
	}
	return violations
}
