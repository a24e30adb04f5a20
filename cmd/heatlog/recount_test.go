package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/stream"
	"heatlog/heatmap"
)

// TestRecount compares every answer with a count of the same hits by an independent program: recorded hits where the
// samples are there, and made ones in any case. It compares again after a crash and after a clean restart.
func TestRecount(t *testing.T) {
	t.Parallel()
	zones := map[string]string{"adserp": "Europe/Prague", "iweb": "UTC", "made": "America/New_York", "site-0": "Asia/Kolkata"}
	o, err := newOracle(zones)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := startServer(t, dir)
	for site, zone := range zones {
		p.AddSite(site, zone, "https://"+site+".example")
	}
	for _, set := range append(sampleSets(t), &dataSet{name: "made", lines: makeLines(30_000)}) {
		n := p.Import(bytes.NewReader(set.lines), set.encoding)
		if err := o.read(set.open(t)); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d hits", set.name, n)
	}
	compareAll(t, "live", p, o, 8)
	p.Kill()
	p = startServer(t, dir)
	compareAll(t, "after kill -9", p, o, 3)
	p.Stop()
	p = startServer(t, dir)
	compareAll(t, "after SIGTERM", p, o, 1)
	p.Stop()
}

// dataSet is a file of import lines.
type dataSet struct {
	name, encoding string
	lines          []byte
}

// open unpacks the set.
func (d *dataSet) open(t *testing.T) io.Reader {
	t.Helper()
	if d.encoding == "" {
		return bytes.NewReader(d.lines)
	}
	r, err := gzip.NewReader(bytes.NewReader(d.lines))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sampleSets reads the recorded hits, from HEATLOG_SAMPLES or beside the repository.
func sampleSets(t *testing.T) (sets []*dataSet) {
	t.Helper()
	dir := os.Getenv("HEATLOG_SAMPLES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "samples")
	}
	for _, name := range []string{"adserp.ndjson.gz", "iweb.ndjson.gz"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Logf("no recorded hits (%v): streamed ones stand in; HEATLOG_SAMPLES names their folder", err)
			return []*dataSet{streamedSet(60_000)}
		}
		sets = append(sets, &dataSet{name, "gzip", b})
	}
	return sets
}

// compareAll asks for everything of every page, and for parts of the busiest pages and of some others.
func compareAll(t *testing.T, when string, p *process, o *oracle, busiest int) {
	t.Helper()
	start, asked := time.Now(), 0
	for site, pages := range o.pages {
		if len(pages) == 0 {
			continue
		}
		p.WaitCounted(site)
		comparePages(t, when, p, o, site)
		for _, f := range []filter{{}, {bots: true}, {device: "mobile"}} {
			asked += compareTrend(t, when, p, o, site, "", "day", f)
		}
		asked += compareTrend(t, when, p, o, site, "", "hour", filter{})
		for rank, page := range byHits(pages) {
			filters := []filter{{}}
			if rank < busiest || rank%40 == 0 {
				filters = o.filters(site, page)
			}
			for i, f := range filters {
				asked += comparePage(t, when, p, o, site, page, f)
				if i%2 == 0 {
					asked += compareTrend(t, when, p, o, site, page, "day", f)
				}
				if i%9 == 1 { // a scan of the journal each
					asked += compareTrend(t, when, p, o, site, page, "hour", f)
				}
			}
		}
	}
	t.Logf("%s: %d answers compared in %v", when, asked, time.Since(start).Round(time.Millisecond))
}

// byHits orders pages, busiest first.
func byHits(pages map[string][]*oracleHit) []string {
	var names []string
	for name := range pages {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		a, b := len(pages[names[i]]), len(pages[names[j]])
		return a > b || a == b && names[i] < names[j]
	})
	return names
}

// filters gives questions of every sort about a page: days, months, instants, widths, devices and bots.
func (o *oracle) filters(site, page string) []filter {
	loc := o.zone[site]
	first, last := int64(math.MaxInt64), int64(0)
	for _, h := range o.pages[site][page] {
		first, last = min(first, h.T), max(last, h.T)
	}
	day := func(ms int64) string { return time.UnixMilli(ms).In(loc).Format("2006-01-02") }
	from, middle, to := day(first), day((first+last)/2), day(last)
	month := from[:8] + "01"
	monthEnd := time.UnixMilli(first).In(loc).AddDate(0, 1, -time.UnixMilli(first).In(loc).Day()).Format("2006-01-02")
	third := (last - first) / 3
	return []filter{
		{}, {from: from, to: from}, {from: from, to: middle}, {from: middle}, {to: middle}, {from: month, to: monthEnd},
		{from: month, to: to}, {from: from, to: to, bots: true}, {vwMin: 1280, vwMax: 1311}, {vwMin: 320, vwMax: 1279},
		{vwMin: 1281, vwMax: 1500}, {vwMin: 300, vwMax: 1280}, {device: "mobile"}, {device: "tablet", bots: true},
		{device: "desktop", from: middle}, {fromMS: first + third, toMS: last - third}, {fromMS: first + 1},
	}
}

// query writes a question as the API's parameters.
func (f filter) query(site, page string) url.Values {
	q := url.Values{"site": {site}, "url": {page}}
	set(q, "from", f.from)
	set(q, "to", f.to)
	set(q, "device", f.device)
	instant := func(name string, ms int64) {
		if ms != 0 {
			q.Set(name, time.UnixMilli(ms).UTC().Format(time.RFC3339Nano))
		}
	}
	instant("from", f.fromMS)
	instant("to", f.toMS)
	if f.vwMax > 0 {
		q.Set("vw", fmt.Sprintf("%d-%d", f.vwMin, f.vwMax))
	}
	if f.bots {
		q.Set("bots", "1")
	}
	return q
}

// comparePage compares every answer about a page under a filter, and gives the number of answers.
func comparePage(t *testing.T, when string, p *process, o *oracle, site, page string, f filter) int {
	t.Helper()
	kinds := []string{"click", "move", "rage"}
	for _, kind := range kinds {
		compareHeat(t, when, p, o, site, page, kind, f)
	}
	compareScroll(t, when, p, o, site, page, f)
	for _, kind := range []string{"click", "rage", "dead"} {
		compareElements(t, when, p, o, site, page, kind, f)
	}
	return len(kinds) + 4
}

// compareHeat compares a heatmap cell by cell.
func compareHeat(t *testing.T, when string, p *process, o *oracle, site, page, kind string, f filter) {
	t.Helper()
	var a struct {
		Hits, Visitors, Views, Max, Cells int
		Points                            [][3]int
	}
	query := f.query(site, page)
	query.Set("kind", kind)
	query.Set("limit", "0")
	p.Ask("/v1/heatmap", query, &a)
	want, views, visitors := o.heat(site, page, kind, f)
	got := map[cell]int{}
	total := 0
	for _, point := range a.Points {
		got[cell{point[0], point[1]}] += point[2]
		total += point[2]
	}
	wantTotal, wantMax := 0, 0
	for c, n := range want {
		wantTotal, wantMax = wantTotal+n, max(wantMax, n)
		if got[c] != n {
			t.Errorf("%s: %s: cell %v has %d hits, recount %d", when, query.Encode(), c, got[c], n)
		}
	}
	if len(got) != len(want) || a.Cells != len(want) || a.Hits != wantTotal || total != wantTotal || a.Max != wantMax || a.Views != views {
		t.Errorf("%s: %s: cells %d and %d, hits %d and %d, max %d, views %d; recount %d, %d, %d, %d", when, query.Encode(),
			len(got), a.Cells, a.Hits, total, a.Max, a.Views, len(want), wantTotal, wantMax, views)
	}
	if !sameVisitors(a.Visitors, visitors) {
		t.Errorf("%s: %s: %d visitors, recount %d", when, query.Encode(), a.Visitors, visitors)
	}
	if !slices.IsSortedFunc(a.Points, byWeight) {
		t.Errorf("%s: %s: points are not sorted by weight, y, x", when, query.Encode())
	}
}

func byWeight(a, b [3]int) int {
	if a[2] != b[2] {
		return b[2] - a[2]
	}
	if a[1] != b[1] {
		return a[1] - b[1]
	}
	return a[0] - b[0]
}

// compareScroll compares reach, attention and fold.
func compareScroll(t *testing.T, when string, p *process, o *oracle, site, page string, f filter) {
	t.Helper()
	var a struct {
		Views     int
		Reach     [][2]float64
		Attention [][2]float64 `json:"attention_ms"`
		Fold      struct{ Average, P50 float64 }
	}
	query := f.query(site, page)
	p.Ask("/v1/scroll", query, &a)
	want := o.scroll(site, page, f)
	if a.Views != want.views {
		t.Errorf("%s: scroll %s: %d views, recount %d", when, query.Encode(), a.Views, want.views)
	}
	if want.views == 0 {
		return // shares of nothing
	}
	compareCurve(t, when+": reach "+query.Encode(), a.Reach, want.reach, 1e-6)
	compareCurve(t, when+": attention "+query.Encode(), a.Attention, want.attention, 1e-3)
	if !same(a.Fold.Average, want.foldMean, 1e-3) || !same(a.Fold.P50, want.foldHalf, 1e-3) {
		t.Errorf("%s: scroll %s: fold %v, recount %v and %v", when, query.Encode(), a.Fold, want.foldMean, want.foldHalf)
	}
}

// compareCurve compares a curve at every band that either has.
func compareCurve(t *testing.T, name string, got [][2]float64, want map[int]float64, step float64) {
	t.Helper()
	at := map[int]float64{}
	for _, point := range got {
		at[int(point[0])] = point[1]
		if !same(point[1], want[int(point[0])], step) {
			t.Errorf("%s: %v at %v px, recount %v", name, point[1], point[0], want[int(point[0])])
		}
	}
	for top, w := range want {
		if !same(at[top], w, step) {
			t.Errorf("%s: %v at %d px, recount %v", name, at[top], top, w)
		}
	}
}

// same allows for what the answers round: shares to six digits after the point, ms and px to three.
func same(a, b, step float64) bool { return math.Abs(a-b) <= 0.51*step }

// comparePages compares the list of pages.
func comparePages(t *testing.T, when string, p *process, o *oracle, site string) {
	t.Helper()
	var a struct {
		Total int
		Hits  int
		Pages []map[string]any
	}
	p.Ask("/v1/pages", url.Values{"site": {site}, "limit": {"10000"}}, &a)
	want := map[string]map[string]int{}
	for page, hits := range o.pages[site] {
		n := map[string]int{}
		for _, h := range hits {
			if !h.bot {
				n[h.Kind]++
				n["hits"]++
			}
		}
		if n["hits"] > 0 {
			want[page] = n
		}
	}
	if len(a.Pages) != len(want) || a.Total != len(want) {
		t.Errorf("%s: %s has %d pages, total %d, recount %d", when, site, len(a.Pages), a.Total, len(want))
	}
	for _, got := range a.Pages {
		n, ok := want[got["url"].(string)]
		if !ok {
			t.Errorf("%s: %s has page %v, recount not", when, site, got["url"])
			continue
		}
		for field, kind := range map[string]string{"hits": "hits", "views": "view", "clicks": "click", "scrolls": "scroll", "moves": "move"} {
			if g, _ := got[field].(float64); int(g) != n[kind] {
				t.Errorf("%s: page %v: %s %v, recount %d", when, got["url"], field, got[field], n[kind])
			}
		}
	}
}

// streamedSet takes hits from the stream that the bench is made with.
func streamedSet(hits int) *dataSet {
	s := stream.New(stream.Options{Seed: 3, Sites: 1, Pages: 150, Days: 70, Hits: uint64(hits)})
	d := &dataSet{name: "streamed"}
	var b heatmap.Batch
	for n := 0; n < hits; n += len(b.Hits) {
		s.Next(&b)
		d.lines = stream.AppendLines(d.lines, &b)
	}
	return d
}
