package index

import (
	"cmp"
	"context"
	"fmt"
	"sort"

	"heatlog/heatmap"
)

// span gives the days that an answer is about: those asked for, or where a bound is open the first or last with hits. It
// is not known for patterns with an open bound, as blobs of months do not say it and a pattern has many.
func (x *Index) span(ctx context.Context, pl *plan, s *sum) (first, last heatmap.Date, dated bool, err error) {
	open := pl.first == nil || pl.last == nil
	switch {
	case open && pl.scan:
		dated = s.dated
	case open && s.dated && pl.exact:
		days := *pl
		days.periods = []PeriodRange{
			{heatmap.DayPeriod(s.first), heatmap.DayPeriod(min(s.first+31, s.last))},
			{heatmap.DayPeriod(max(s.last-31, s.first+32, s.first)), heatmap.DayPeriod(s.last)},
		}
		seen := &daysSeen{}
		if _, err := x.reduce(ctx, &days, seen); err != nil {
			return 0, 0, false, err
		}
		s.first, s.last, dated = seen.first, seen.last, seen.dated
	default:
		dated = !open
	}
	first, last = s.first, s.last
	if pl.first != nil {
		first = *pl.first
	}
	if pl.last != nil {
		last = *pl.last
	}
	return first, last, dated, nil
}

// answer sums the wanted kinds from blobs and live deltas, or by a scan of the journal.
func (x *Index) answer(ctx context.Context, pl *plan, kinds ...heatmap.Kind) (*sum, heatmap.Prefix, error) {
	t := newSumAggregate(pl, kinds...)
	if pl.scan {
		prefix, err := x.scan(ctx, pl, t)
		return t.sum, prefix, err
	}
	prefix, err := x.reduce(ctx, pl, t.sum)
	return t.sum, prefix, err
}

// Heatmap answers a query for a kind's points. The error is a *heatmap.ParamError if the query cannot be answered as
// it was put. Who asks the same at a time may get the same answer, which must not be changed.
func (x *Index) Heatmap(ctx context.Context, q heatmap.Query) (*heatmap.Heatmap, error) {
	return askShared(ctx, x, &x.shared.heatmaps, q, x.heatmap)
}

func (x *Index) heatmap(ctx context.Context, q asked) (*heatmap.Heatmap, error) {
	if err := cmp.Or(checkKind(&q.Query), refuseWindow(&q.Query)); err != nil {
		return nil, err
	}
	if q.Cell == 0 {
		q.Cell = max(x.options.Rules.CellSize(), x.carriedCell())
	}
	pl, err := x.newSharedPlan(ctx, q)
	if err != nil {
		return nil, err
	}
	s, prefix, err := x.answer(ctx, pl, q.Kind, heatmap.KindView)
	if err != nil {
		return nil, err
	}
	points, have := s.points(q.Cell)
	if have > q.Cell {
		return nil, coarserError(have)
	}
	a := x.mapOf(pl, s, prefix, q.Kind)
	a.Cell = q.Cell
	a.Points, a.Noise = heatmap.WithoutNoise(points, q.Cell, q.Noise)
	return a, x.complete(ctx, pl, s, a, q.Kind)
}

// mapOf is what a sum says of a kind, but for points, days and why.
func (x *Index) mapOf(pl *plan, s *sum, prefix heatmap.Prefix, kind heatmap.Kind) *heatmap.Heatmap {
	return &heatmap.Heatmap{
		Prefix: prefix, Page: pl.page, Scanned: pl.scan, Hits: s.hits(kind),
		Visitors: s.delta.Visitors(pl.query.Bots), Sampled: s.delta.Sampled(pl.query.Bots), Views: s.hits(heatmap.KindView),
	}
}

// complete sets the days of a map, and why it is empty.
func (x *Index) complete(ctx context.Context, pl *plan, s *sum, a *heatmap.Heatmap, kind heatmap.Kind) (err error) {
	if a.From, a.To, a.Dated, err = x.span(ctx, pl, s); err != nil {
		return err
	}
	if a.Hits == 0 {
		a.Why, err = x.why(ctx, pl, kind)
	}
	return err
}

// checkKind sets the usual kind, and refuses those that have no points.
func checkKind(q *heatmap.Query) error {
	if q.Kind == 0 {
		q.Kind = heatmap.KindClick
	}
	if q.Kind == heatmap.KindView || q.Kind == heatmap.KindScroll || !q.Kind.Valid() {
		return &heatmap.ParamError{Field: "kind", Message: "kind " + q.Kind.String() + " has no points: want click, move, rage or dead"}
	}
	return nil
}

func coarserError(cell int) error {
	return &heatmap.ParamError{
		Field: "cell", Message: fmt.Sprintf("the map has so many cells, or was carried over such, that it is kept at %d px: ask for cell=%d or a multiple", cell, cell),
	}
}

// Scroll answers a query for reach, attention and fold. The answer is shared like that of Heatmap.
func (x *Index) Scroll(ctx context.Context, q heatmap.Query) (*heatmap.Scroll, error) {
	return askShared(ctx, x, &x.shared.scrolls, q, x.scroll)
}

func (x *Index) scroll(ctx context.Context, q asked) (*heatmap.Scroll, error) {
	if err := refuseWindow(&q.Query); err != nil {
		return nil, err
	}
	pl, err := x.newSharedPlan(ctx, q)
	if err != nil {
		return nil, err
	}
	s, prefix, err := x.answer(ctx, pl, heatmap.KindScroll)
	if err == nil && pl.query.Width.Set && !pl.scan && s.delta.ScrollWidth() > heatmap.WidthBandSize {
		pl.scan = true // a page seen at so many sizes that its blobs join bands of widths
		s, prefix, err = x.answer(ctx, pl, heatmap.KindScroll)
	}
	if err != nil {
		return nil, err
	}
	a := pl.scrollOf(s, prefix)
	if a.From, a.To, a.Dated, err = x.span(ctx, pl, s); err != nil {
		return nil, err
	}
	if a.Views == 0 {
		a.Why, err = x.why(ctx, pl, heatmap.KindScroll)
	}
	return a, err
}

// scrollOf is what a sum says of scrolling, but for days and why.
func (pl *plan) scrollOf(s *sum, prefix heatmap.Prefix) *heatmap.Scroll {
	layer, bots := sumLayer(heatmap.KindScroll), pl.query.Bots
	a := &heatmap.Scroll{Prefix: prefix, Page: pl.page, Scanned: pl.scan, Visitors: s.delta.Visitors(bots), Sampled: s.delta.Sampled(bots)}
	a.Views, a.Reach, a.Attention = s.delta.Reach(layer)
	a.FoldAverage, a.FoldP50 = s.delta.Fold(layer)
	return a
}

// Pages answers a query for the pages of a site with their counts. The answer is shared like that of Heatmap.
func (x *Index) Pages(ctx context.Context, q heatmap.Query) (*heatmap.PageList, error) {
	return askShared(ctx, x, &x.shared.lists, q, x.list)
}

func (x *Index) list(ctx context.Context, q asked) (*heatmap.PageList, error) {
	pl, err := x.newSharedPlan(ctx, q)
	if err != nil {
		return nil, err
	}
	if slides(&q.Query) {
		return x.windowList(ctx, pl)
	}
	counts := newPageCounts(pl)
	var prefix heatmap.Prefix
	if pl.scan {
		prefix, err = x.scan(ctx, pl, pagesAggregate{counts})
	} else {
		prefix, err = x.reduce(ctx, pl, counts)
	}
	if err != nil {
		return nil, err
	}
	a := counts.answer(prefix)
	if a.Total == 0 && a.Why == nil {
		a.Why, err = x.why(ctx, pl, 0)
	}
	return a, err
}

// answer is what was counted, but for why it is empty where no search is to blame.
func (c *pageCounts) answer(prefix heatmap.Prefix) *heatmap.PageList {
	q := &c.plan.query
	list := c.list(*q)
	a := &heatmap.PageList{Prefix: prefix, Pages: list, Total: len(list)}
	for _, p := range list {
		a.Hits += p.Hits
		a.Sampled.Add(p.Sampled)
	}
	a.Pages = pageOf(list, q.Offset, q.Limit)
	if a.Total == 0 && q.Search != "" && len(c.pages) > 0 {
		a.Why = &heatmap.Why{Reason: heatmap.WhyNoHitsForURL, Message: "no page with hits contains " + q.Search}
	}
	return a
}

func pageOf(list []heatmap.PageCount, offset, limit int) []heatmap.PageCount {
	list = list[min(max(offset, 0), len(list)):]
	if limit > 0 {
		list = list[:min(limit, len(list))]
	}
	return list
}

// sortPages puts the pages with most hits first, then orders by page.
func sortPages(list []heatmap.PageCount) {
	sort.Slice(list, func(i, j int) bool {
		if list[i].Hits != list[j].Hits {
			return list[i].Hits > list[j].Hits
		}
		return list[i].Page < list[j].Page
	})
}
