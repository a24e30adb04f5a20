package index

import (
	"fmt"
	"strings"
	"testing"

	"heatlog/heatmap"
)

// TestSample: which documents are recounted does not depend on their order, is another lot in another generation, and is
// bounded in number, bytes and hits; the first is taken however large it is.
func TestSample(t *testing.T) {
	draw := func(generation string, n, bytes int, hits uint64, down bool) map[string]bool {
		var s sample
		s.init(generation)
		for i := range n {
			if down {
				i = n - 1 - i
			}
			s.add(Ref{Key: heatmap.Key{Site: "shop", Page: fmt.Sprint("p", i/4), Period: heatmap.Period(i % 4)}, Source: "j"}, bytes, hits)
		}
		got := make(map[string]bool)
		for _, r := range s.take() {
			got[fmt.Sprint(r)] = true
		}
		return got
	}
	same := func(a, b map[string]bool) (n int) {
		for r := range a {
			if b[r] {
				n++
			}
		}
		return n
	}
	f := func(name string, got map[string]bool, want int) {
		t.Helper()
		if len(got) != want {
			t.Errorf("%s: %d documents, want %d", name, len(got), want)
		}
	}
	f("none", draw("g2", 0, 1, 1, false), 0)
	f("few", draw("g2", 30, 1, 1, false), 30)
	many := draw("g2", 20_000, 100, 10, false)
	f("many", many, recountKeys)
	if n := same(many, draw("g2", 20_000, 100, 10, true)); n != recountKeys {
		t.Errorf("in another order %d of them are the same", n)
	}
	if n := same(many, draw("g3", 20_000, 100, 10, false)); n < 10 || n > 200 {
		t.Errorf("in another generation %d of them are the same, want about 50", n)
	}
	f("large", draw("g2", 5000, recountBytes/100, 1, false), 100)
	f("hot", draw("g2", 5000, 1, recountHits/50, false), 50)
	f("too large", draw("g2", 5000, recountBytes+1, recountHits+1, false), 1)
}

// TestFindings: a report has room for so many sentences, and says how many more there are.
func TestFindings(t *testing.T) {
	var f findings
	if f.list() != nil {
		t.Error("something is found in nothing")
	}
	for i := range heatmap.MaxReportProblems + 7 {
		f.add("problem %d", i)
	}
	list := f.list()
	if len(list) != heatmap.MaxReportProblems+1 || list[0] != "problem 0" || list[len(list)-1] != "and 7 more" {
		t.Errorf("%q", list)
	}
}

// TestPageDiffs: more pages than are told apart are counted together, and no hit is lost.
func TestPageDiffs(t *testing.T) {
	p := newPageDiffs(newRecountedKeys(nil, 8))
	const n = comparedPages + 500
	hit := heatmap.Hit{Site: "shop"}
	c := heatmap.Chunk{Count: n}
	p.beforeChunk(&c)
	for i := range n {
		p.before(&Event{Hit: &hit, Position: uint64(i), Page: fmt.Sprint("p", i)})
	}
	for i := range n {
		p.after(&Event{Hit: &hit, Position: uint64(i), Page: fmt.Sprint("p", i-i%10)}, false, "j")
	}
	r := p.report()
	if r.Apart != 500 || p.beforePages() != comparedPages || r.Moved < n*8/10 || len(r.Top) != heatmap.MaxReportPages || len(r.Merges) != heatmap.MaxReportPages {
		t.Errorf("%d apart, %d pages, %d moved, %d on top", r.Apart, p.beforePages(), r.Moved, len(r.Top))
	}
	if m := r.Merges[0]; m.Of != 9 || m.Hits != 9 || len(m.From) != heatmap.MaxReportFrom {
		t.Errorf("merge: %+v", m)
	}
}

// TestCutChunk leaves off what lies behind a position, in and between batches.
func TestCutChunk(t *testing.T) {
	for end := uint64(100); end <= 112; end++ {
		c := heatmap.Chunk{Position: 100, Count: 10}
		for _, n := range []int{3, 0, 4, 3} {
			c.Batches = append(c.Batches, heatmap.Batch{Hits: make([]heatmap.Hit, n)})
		}
		cutChunk(&c, end)
		hits := 0
		for _, b := range c.Batches {
			hits += len(b.Hits)
		}
		if want := int(min(end, 110) - 100); hits != want || c.Count != want {
			t.Errorf("up to %d: %d hits, count %d, want %d", end, hits, c.Count, want)
		}
	}
}

// TestCounters: each number of the totals is compared under a name of its own.
func TestCounters(t *testing.T) {
	rules, err := ParseRules([]byte("exclude: ['x == 1']\ninternal_tags: [us]\n"))
	if err != nil {
		t.Fatal(err)
	}
	a := Totals{Read: 1, Batches: 2, Lost: 3, RepeatedBatches: 4, RepeatedHits: 5, Excluded: 6, ExcludedBy: []uint64{7, 8, 0}, ExprErrors: 9,
		RepeatedClicks: 10, Unsettled: 11, Carried: 12, Views: 13, Clicks: 14, Scrolls: 15, Moves: 16, Bots: 17, Dead: 18, Bursts: 19}
	seen := make(map[string]bool)
	sum := uint64(0)
	for _, c := range a.counters(rules) {
		if seen[c.name] || strings.TrimSpace(c.name) == "" {
			t.Errorf("name %q", c.name)
		}
		seen[c.name] = true
		sum += c.n
	}
	if sum != 19*20/2 {
		t.Errorf("counters add up to %d", sum)
	}
}
