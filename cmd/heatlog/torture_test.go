package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

// TestTorture sends many more pages than fit into a small cache and holds the server's memory to a bound; every hit must
// be counted all the same. HEATLOG_TORTURE=1 makes it 200,000 pages and 5 million hits.
func TestTorture(t *testing.T) {
	cache, pages, hits, limit := "8MiB", 20_000, 200_000, int64(300<<20)
	if os.Getenv("HEATLOG_TORTURE") != "" {
		cache, pages, hits, limit = "64MiB", 200_000, 5_000_000, 400<<20
	}
	const seed = 1
	p := startServer(t, t.TempDir(), "--cache-bytes", cache)
	p.addSite("many", "UTC", "https://many.example")
	start := time.Now()
	lines, w := io.Pipe()
	counts := make([]int, pages)
	go func() { w.CloseWithError(writeManyPages(w, rand.New(rand.NewPCG(seed, 0)), hits, counts)) }()
	p.importHits(lines, "")
	took := time.Since(start)
	p.waitCounted("many")
	violations := compareManyPages(t, p, counts)
	rss := peakRSS(p.cmd.Process.Pid)
	t.Logf("%d hits on %d pages in %.1f s, peak memory %s", hits, pages, took.Seconds(), byteSize(rss))
	if rss == 0 || rss > limit {
		violations++
		t.Errorf("peak memory is %s, limit %s", byteSize(rss), byteSize(limit))
	}
	if m := p.metrics(); m["heatlog_index_flushed_documents_total"] == 0 {
		violations++
		t.Error("nothing was flushed: the test proves nothing")
	}
	p.stop()
	recordTorture(t, "cache", hits, violations, seed)
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
	p.ask("/v1/pages", url.Values{"site": {"many"}, "limit": {"1"}}, &list)
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
		p.ask("/v1/heatmap", url.Values{"site": {"many"}, "url": {manyPage(n)}, "limit": {"0"}}, &a)
		if a.Hits != counts[n] {
			violations++
			t.Errorf("page %d has %d hits, sent %d", n, a.Hits, counts[n])
		}
	}
	return violations
}

// tortureRow is one line of .bench/torture.json.
type tortureRow struct {
	Test       string `json:"test"`
	Runs       int    `json:"runs"`
	Violations int    `json:"violations"`
	Seed       uint64 `json:"seed"`
}

// recordTorture writes what a long run found into .bench/torture.json, beside what other tests have written there.
func recordTorture(t *testing.T, test string, runs, violations int, seed uint64) {
	t.Helper()
	if os.Getenv("HEATLOG_TORTURE") == "" {
		return
	}
	name := filepath.Join("..", "..", ".bench", "torture.json")
	var rows []tortureRow
	b, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(b, &rows)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("read %s: %v", name, err)
	}
	rows = slices.DeleteFunc(rows, func(r tortureRow) bool { return r.Test == test })
	rows = append(rows, tortureRow{test, runs, violations, seed})
	if b, err = json.MarshalIndent(rows, "", "  "); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, append(b, '\n'), 0o644)); err != nil {
		t.Fatal(err)
	}
}
