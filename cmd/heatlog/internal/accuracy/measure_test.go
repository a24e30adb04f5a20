package accuracy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"text/tabwriter"

	"heatlog/cmd/heatlog/internal/browser"
)

// elements is how many elements of each page are clicked, twice each, if it can be seen whole.
const elements = 30

// The widths and scales that clicks of the desktop are shown at, and 125 % zoom of it.
var otherSizes = []browser.Size{
	{Width: 320, Height: 640}, {Width: 390, Height: 844}, {Width: 768, Height: 1024}, {Width: 1024, Height: 640, Scale: 1.25},
	{Width: 1440, Height: 900}, {Width: 1920, Height: 1080}, {Width: 2560, Height: 1440},
}

// changes are the ways in which pages become others: nodes are put in front, the order is changed, classes are renamed.
var changes = []string{"front", "order", "renamed", "front order renamed"}

// line is one figure. Where there is a goal, reach is the ratio of value to yardstick that is wanted; without one it is met.
type line struct {
	Row       string  `json:"row"`
	Value     float64 `json:"value"`
	Unit      string  `json:"unit"`
	Yardstick float64 `json:"yardstick"`
	Ratio     float64 `json:"ratio"`
	Reach     float64 `json:"reach"`
	Met       bool    `json:"met"`
}

// table collects lines.
type table []line

func (a *table) atMost(row string, value float64, unit string, goal float64) {
	*a = append(*a, line{row, value, unit, goal, value / goal, 1, value <= goal})
}

func (a *table) atLeast(row string, value float64, unit string, goal float64) {
	*a = append(*a, line{row, value, unit, goal, value / goal, 1, value >= goal})
}

func (a *table) told(row string, value float64, unit string) {
	*a = append(*a, line{Row: row, Value: value, Unit: unit, Met: true})
}

// share gives the part of results, in per cent, that are in a state; those whose element is gone are not counted.
func share(results []result, is func(result) bool) float64 {
	n, all := 0, 0
	for _, r := range results {
		if r.State == "gone" {
			continue
		}
		all++
		if is(r) {
			n++
		}
	}
	return 100 * float64(n) / float64(max(all, 1))
}

func state(s string) func(result) bool { return func(r result) bool { return r.State == s } }

// quantile gives the distance that a share of the results do not exceed, px; results without one are left out.
func quantile(results []result, q float64, far func(result) *float64) float64 {
	var all []float64
	for _, r := range results {
		if v := far(r); v != nil {
			all = append(all, *v)
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(int(q*float64(len(all))), len(all)-1)]
}

func TestAccuracy(t *testing.T) {
	out := os.Getenv("HEATLOG_ACCURACY")
	tuned, kept, n, sizes, kinds := tunedPages, keptPages, elements, otherSizes, changes
	if out == "" { // the short form
		tuned, kept, n, sizes, kinds = []string{"header", "shadow"}, []string{"list", "frame"}, 8, sizes[1:2], kinds[3:]
	}
	s := openSite(t)
	var same, wide, changedTuned, changedKept, gone []result
	for i, page := range append(slices.Clone(tuned), kept...) {
		clicks := s.record(page, browser.Desktop, n)
		same = append(same, s.show(page, "", "", 0, browser.Desktop, clicks)...)
		for _, size := range sizes {
			wide = append(wide, s.show(page, "?other", "", 0, size, clicks)...)
		}
		changed := &changedKept
		if i < len(tuned) {
			changed = &changedTuned
		}
		for j, kind := range kinds {
			got := s.show(page, "", kind, 100*i+j, browser.Desktop, clicks)
			tell(t, kind, got)
			*changed = append(*changed, got...)
		}
		less := s.show(page, "", "gone front order", 100*i+50, browser.Desktop, clicks)
		tell(t, "gone front order", less)
		gone = append(gone, less...)
	}
	tell(t, "same", same)
	tell(t, "other width", wide)

	far := func(r result) *float64 { return r.Far }
	var a table
	a.atMost("same layout, median", quantile(same, 0.5, far), "px", 1.5)
	a.atMost("same layout, p95", quantile(same, 0.95, far), "px", 4)
	a.atLeast("other width, on the right element", share(wide, state("right")), "%", 99)
	a.told("other width, on a wrong element", share(wide, state("wrong")), "%")
	a.told("other width, median", quantile(wide, 0.5, far), "px")
	a.told("other width, p95", quantile(wide, 0.95, far), "px")
	a.told("other width, to the same word, median", quantile(wide, 0.5, func(r result) *float64 { return r.WordFar }), "px")
	for name, r := range map[string][]result{"kept": changedKept, "tuned": changedTuned} {
		if name == "kept" {
			a.atLeast("changed content, on the right element", share(r, state("right")), "%", 90)
			a.atMost("changed content, on a wrong element", share(r, state("wrong")), "%", 1)
		} else {
			a.told("changed content, pages tuned on, on the right element", share(r, state("right")), "%")
			a.told("changed content, pages tuned on, on a wrong element", share(r, state("wrong")), "%")
		}
	}
	a.told("changed content, unplaced", share(changedKept, state("unplaced")), "%")
	all := 0
	for _, r := range gone {
		if r.State == "wrong" {
			all++
		}
	}
	a.atMost("elements removed, drawn on a wrong element", 100*float64(all)/float64(len(gone)), "%", 1)
	for _, part := range []struct {
		name    string
		results []result
	}{{"same layout", same}, {"other width", wide}, {"changed content", changedKept}} {
		a.told(part.name+", by page px, median", quantile(part.results, 0.5, func(r result) *float64 { return r.PageFar }), "px")
		a.told(part.name+", by page px, on the right element", seen(part.results, func(r result) bool { return r.PageOn }), "%")
		a.told(part.name+", by share of the width, median", quantile(part.results, 0.5, func(r result) *float64 { return r.ShareFar }), "px")
		a.told(part.name+", by share of the width, on the right element", seen(part.results, func(r result) bool { return r.ShareOn }), "%")
	}
	if out != "" {
		s.cost(&a)
		s.scrolling(&a)
		s.start(&a)
	}
	slices.SortStableFunc(a, func(x, y line) int { return cmp.Compare(x.Row, y.Row) })
	a.write(t, out)
	for _, l := range a {
		if !l.Met {
			t.Errorf("%s: %.4g %s, want %.4g", l.Row, l.Value, l.Unit, l.Yardstick)
		}
	}
}

// seen gives the part of results with a box of their own, in per cent, of which something holds.
func seen(results []result, is func(result) bool) float64 {
	return share(slices.DeleteFunc(slices.Clone(results), func(r result) bool { return !r.Shown }), is)
}

// tell says which clicks are not on their element, once for each element.
func tell(t *testing.T, kind string, results []result) {
	t.Helper()
	told := map[string]bool{}
	for _, r := range results {
		if text := fmt.Sprintf("%s, %s: %s: %s", r.page, kind, r.State, r.click.Sel); r.State != "right" && r.State != "gone" && !told[text] {
			told[text] = true
			t.Log(text)
		}
	}
}

// write prints the table, and writes it to a file if there is a name.
func (a table) write(t *testing.T, name string) {
	t.Helper()
	w := tabwriter.NewWriter(t.Output(), 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "row\tvalue\tunit\tgoal\tmet")
	for _, l := range a {
		goal, met := "", ""
		if l.Reach > 0 {
			goal, met = fmt.Sprintf("%.4g", l.Yardstick), map[bool]string{true: "yes", false: "no"}[l.Met]
		}
		fmt.Fprintf(w, "%s\t%.4g\t%s\t%s\t%s\n", l.Row, l.Value, l.Unit, goal, met)
	}
	w.Flush()
	if name == "" {
		return
	}
	b, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(b, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
