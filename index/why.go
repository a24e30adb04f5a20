package index

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"

	"heatlog/heatmap"
)

// layerRow says that a page has hits of a layer on a day.
type layerRow struct {
	date heatmap.Date
	id   heatmap.LayerID
}

// layerTable reduces to which layers have hits on which days.
type layerTable struct{ rows map[layerRow]bool }

func (t *layerTable) part(d *heatmap.Delta) any {
	var ids []heatmap.LayerID
	d.Layers(func(id heatmap.LayerID, _ uint64) { ids = append(ids, id) })
	return ids
}

func (t *layerTable) add(k heatmap.Key, part any) {
	for _, id := range part.([]heatmap.LayerID) {
		t.rows[layerRow{k.Period.First(), id}] = true
	}
}

func (t *layerTable) blob(k heatmap.Key, blob []byte) error {
	_, err := heatmap.BlobLayers(blob, func(id heatmap.LayerID, _ uint64) {
		t.rows[layerRow{k.Period.First(), id}] = true
	})
	return err
}

func (t *layerTable) reset() { clear(t.rows) }

// nearestPages is how many known pages an answer without hits names.
const nearestPages = 5

// why finds out why nothing of a kind (0 = any kind) is counted under the plan: it drops one filter after the other
// until there are hits.
func (x *Index) why(ctx context.Context, pl *plan, kind heatmap.Kind) (*heatmap.Why, error) {
	if !x.options.KnownSite(pl.query.Site) {
		return &heatmap.Why{Reason: heatmap.WhyUnknownSite, Message: "no site has this key; heatlog site add makes one"}, nil
	}
	all := *pl
	all.periods = []PeriodRange{{heatmap.DayPeriod(0), ^heatmap.Period(0)}}
	table := &layerTable{rows: make(map[layerRow]bool)}
	if _, err := x.reduce(ctx, &all, table); err != nil {
		return nil, err
	}
	if len(table.rows) == 0 {
		return x.whyNoPage(ctx, pl)
	}
	w := pl.whyFiltered(table, kind)
	if first := x.options.Source.First(); pl.scan && first > 0 {
		w.Message += fmt.Sprintf("; the journal is read for this, and its hits below position %d were pruned", first)
	}
	return w, nil
}

// whyNoPage names the known pages that are most like the one that was asked for.
func (x *Index) whyNoPage(ctx context.Context, pl *plan) (*heatmap.Why, error) {
	all, err := x.newPlan(ctx, heatmap.Query{Site: pl.query.Site, Bots: true})
	if err != nil {
		return nil, err
	}
	counts := newPageCounts(all)
	if _, err := x.reduce(ctx, all, counts); err != nil {
		return nil, err
	}
	known := counts.list(heatmap.Query{})
	w := &heatmap.Why{Reason: heatmap.WhyNoHitsForURL, Nearest: nearest(pl.page, known)}
	switch {
	case len(known) == 0:
		w.Message = "the site has no hits yet"
	case pl.exact:
		w.Message = "no hits for " + pl.page + "; these pages of the site are the most similar"
	default:
		w.Message = "no page with hits matches " + pl.page
	}
	return w, nil
}

// whyFiltered says which filter leaves no hits of a page that has some.
func (pl *plan) whyFiltered(t *layerTable, kind heatmap.Kind) *heatmap.Why {
	inRange := func(r layerRow) bool {
		return (pl.first == nil || r.date >= *pl.first) && (pl.last == nil || r.date <= *pl.last)
	}
	ofKind := func(r layerRow) bool { return kind == 0 || r.id.Kind() == kind }
	filters := []struct {
		keeps func(layerRow) bool
		why   func(rest []layerRow) *heatmap.Why
	}{
		{inRange, whyRange},
		{func(r layerRow) bool { return pl.keepsBot(r.id.Bot()) }, whyBots},
		{func(r layerRow) bool { return pl.keepsWidth(r.id.WidthBand()) }, whyWidth},
		{func(r layerRow) bool { return pl.keepsDevice(r.id.Device()) }, whyDevice},
		{ofKind, pl.whyKind},
	}
	for i, f := range filters {
		rest := t.where(func(r layerRow) bool {
			for j, other := range filters {
				if j != i && !other.keeps(r) {
					return false
				}
			}
			return true
		})
		if len(rest) > 0 && !anyRow(rest, f.keeps) {
			return f.why(rest)
		}
	}
	rest := t.where(func(layerRow) bool { return true })
	for _, f := range filters {
		kept := t.where(f.keeps)
		if len(kept) == 0 {
			return f.why(rest)
		}
	}
	return &heatmap.Why{Reason: heatmap.WhyNoHits, Message: pl.subject() + ", but none that fulfils all conditions at once"}
}

// subject begins a sentence about what a plan asks for.
func (pl *plan) subject() string {
	switch {
	case pl.exact:
		return "the page has hits"
	case pl.query.URL == "":
		return "the site has hits"
	}
	return "the pages have hits"
}

// where gives the rows that keep reports, in order of date and layer.
func (t *layerTable) where(keep func(layerRow) bool) []layerRow {
	var rows []layerRow
	for r := range t.rows {
		if keep(r) {
			rows = append(rows, r)
		}
	}
	sort.Slice(rows, func(i, j int) bool {
		if rows[i].date != rows[j].date {
			return rows[i].date < rows[j].date
		}
		return rows[i].id < rows[j].id
	})
	return rows
}

func anyRow(rows []layerRow, keep func(layerRow) bool) bool {
	return slices.ContainsFunc(rows, keep)
}

func whyRange(rest []layerRow) *heatmap.Why {
	w := &heatmap.Why{Reason: heatmap.WhyOutsideRange, From: rest[0].date, To: rest[len(rest)-1].date}
	w.Message = "the hits are outside the range: they are from " + w.From.String() + " to " + w.To.String()
	return w
}

func whyBots([]layerRow) *heatmap.Why {
	return &heatmap.Why{Reason: heatmap.WhyOnlyBots, Message: "all hits come from bots; bots=1 counts them"}
}

func whyWidth(rest []layerRow) *heatmap.Why {
	w := &heatmap.Why{Reason: heatmap.WhyOtherWidth, Message: "the hits are from viewports of other widths"}
	bands := make(map[int]bool)
	for _, r := range rest {
		bands[int(r.id.WidthBand())] = true
	}
	for b := range int(heatmap.UnknownWidth) {
		if !bands[b] {
			continue
		}
		low, high := b*heatmap.WidthBandSize, b*heatmap.WidthBandSize+heatmap.WidthBandSize-1
		if n := len(w.Widths); n > 0 && w.Widths[n-1][1] == low-1 {
			w.Widths[n-1][1] = high
			continue
		}
		w.Widths = append(w.Widths, [2]int{low, high})
	}
	if bands[int(heatmap.UnknownWidth)] {
		w.Widths = append(w.Widths, [2]int{0, 0})
	}
	return w
}

func whyDevice(rest []layerRow) *heatmap.Why {
	w := &heatmap.Why{Reason: heatmap.WhyOtherDevice, Message: "the hits are from other devices"}
	w.Devices = names(rest, func(r layerRow) string { return r.id.Device().String() })
	return w
}

func (pl *plan) whyKind(rest []layerRow) *heatmap.Why {
	w := &heatmap.Why{Reason: heatmap.WhyOtherKind}
	w.Kinds = names(rest, func(r layerRow) string { return r.id.Kind().String() })
	w.Message = pl.subject() + ", but of other kinds: " + strings.Join(w.Kinds, ", ")
	return w
}

// names gives the distinct names of rows, sorted.
func names(rows []layerRow, name func(layerRow) string) []string {
	seen := make(map[string]bool)
	var list []string
	for _, r := range rows {
		if n := name(r); !seen[n] {
			seen[n] = true
			list = append(list, n)
		}
	}
	sort.Strings(list)
	return list
}

// nearest gives the known pages that differ least from page: by edit distance over at most the first 512 bytes.
func nearest(page string, known []heatmap.PageCount) []string {
	const most = 512
	type near struct {
		page     string
		distance int
	}
	list := make([]near, 0, len(known))
	for _, k := range known[:min(len(known), 10_000)] {
		list = append(list, near{k.Page, distance(clip(page, most), clip(k.Page, most))})
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].distance < list[j].distance })
	var pages []string
	for _, n := range list[:min(len(list), nearestPages)] {
		pages = append(pages, n.page)
	}
	return pages
}

func clip(s string, n int) string { return s[:min(len(s), n)] }

// distance is the Levenshtein distance of two strings in bytes, after the common start and end are cut off.
func distance(a, b string) int {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
