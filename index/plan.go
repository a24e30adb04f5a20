package index

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"heatlog/heatmap"
)

// plan is a query made ready: which pages, which periods, which layers, and whether blobs can answer it or the journal
// must be scanned.
type plan struct {
	query   heatmap.Query
	page    string                 // the normalised URL or pattern
	exact   bool                   // page is one page, else match decides
	prefix  string                 // that every matching page begins with
	match   func(page string) bool // whether a page is asked for
	zone    *time.Location
	first   *heatmap.Date // days asked for, nil = open; of a scan they are only for the answer
	last    *heatmap.Date
	from    int64 // the same as instants, Unix ms, from <= t < to
	to      int64
	periods []PeriodRange
	where   *Where // nil = all
	scan    bool
	begin   func() // called before anything is read of the log
}

const maxMonth = heatmap.Period(1<<16 - 1)

// newPlan checks a query and chooses how to answer it. The error is a *heatmap.ParamError.
func (x *Index) newPlan(ctx context.Context, q heatmap.Query) (*plan, error) {
	if q.Generation != "" && q.Generation != x.options.Generation {
		return nil, &heatmap.ParamError{Field: "generation", Message: "there is no generation " + q.Generation}
	}
	if cell := x.options.Rules.CellSize(); q.Cell%cell != 0 || q.Cell < 0 {
		return nil, &heatmap.ParamError{Field: "cell", Message: fmt.Sprintf("cell must be a multiple of %d, on which the hits are counted", cell)}
	}
	if !(q.Noise >= 0 && q.Noise <= 1) {
		return nil, &heatmap.ParamError{Field: "noise", Message: "noise must be from 0 to 1"}
	}
	pl := &plan{query: q, zone: x.zone(q.Site), begin: func() {}}
	if err := pl.chooseLast(x.options.Now()); err != nil {
		return nil, err
	}
	if err := pl.choosePages(x.options.Rules); err != nil {
		return nil, err
	}
	if err := x.chooseCarried(ctx, pl); err != nil {
		return nil, err
	}
	if err := pl.chooseTime(); err != nil {
		return nil, err
	}
	if w := q.Width; w.Set {
		if w.Min > w.Max {
			return nil, &heatmap.ParamError{Field: "vw", Message: "the least width is above the greatest"}
		}
		pl.scan = pl.scan || !wholeBands(w.Min, w.Max)
	}
	if q.Where != "" {
		where, err := CompileWhere(q.Where)
		if err != nil {
			return nil, err
		}
		pl.where, pl.scan = where, true
	}
	return pl, nil
}

// own gives a plan that can be used beside this one: its expression keeps memory of its own.
func (pl *plan) own() *plan {
	own := *pl
	if pl.where != nil {
		own.where = &Where{expr: pl.where.expr}
	}
	return &own
}

// newSharedPlan is newPlan for an answer that is shared.
func (x *Index) newSharedPlan(ctx context.Context, q asked) (*plan, error) {
	pl, err := x.newPlan(ctx, q.Query)
	if err == nil {
		pl.begin = q.begin
	}
	return pl, err
}

// zone is the time zone in which the generation counts a site's days.
func (x *Index) zone(site string) *time.Location {
	if loc := x.options.Rules.Zone(site); loc != nil {
		return loc
	}
	if loc := x.options.Zone(site); loc != nil {
		return loc
	}
	return time.UTC
}

func (pl *plan) choosePages(rules *Rules) error {
	url := pl.query.URL
	switch {
	case url == "":
		pl.page, pl.match = "**", func(string) bool { return true }
	case strings.Contains(url, "*"):
		pattern, err := CompilePattern(url)
		if err != nil {
			return err
		}
		pl.page, pl.prefix, pl.match = pattern.String(), pattern.Prefix(), pattern.Match
	default:
		page, err := rules.Page(url)
		if err != nil {
			return &heatmap.ParamError{Field: "url", Message: err.Error()}
		}
		pl.page, pl.prefix, pl.exact = page, page, true
		pl.match = func(p string) bool { return p == page }
	}
	return nil
}

// chooseCarried asks for a page that was carried over under the very name that is asked for, though the rules of the generation
// would count it as another: its documents are listed by that name.
func (x *Index) chooseCarried(ctx context.Context, pl *plan) error {
	name := pl.query.URL
	if !pl.exact || pl.page == name || x.carriedCell() == 0 {
		return nil
	}
	found := false
	where := Range{Generation: x.options.Generation, Site: pl.query.Site, Page: name, Periods: []PeriodRange{{0, ^heatmap.Period(0)}}}
	err := x.options.Store.Scan(ctx, where, func(d Doc) error {
		if found = isCarried(d.Source) || x.base.isWhole(d.Source); found {
			return errFound
		}
		return nil
	})
	if err != nil && !errors.Is(err, errFound) {
		return fmt.Errorf("look for page %.100q among those that were carried over: %w", name, err)
	}
	if found {
		pl.page, pl.prefix, pl.match = name, name, func(p string) bool { return p == name }
	}
	return nil
}

// errFound ends a scan that has found what it looks for.
var errFound = errors.New("found")

// maxLast is how many days up to today can be asked for.
const maxLast = 3660

// chooseLast puts the days up to today in the place of the bounds, if they are asked for.
func (pl *plan) chooseLast(now time.Time) error {
	q := &pl.query
	switch {
	case q.Last == 0:
		return nil
	case q.Last < 0 || q.Last > maxLast:
		return &heatmap.ParamError{Field: "last", Message: fmt.Sprintf("last must be from 1 to %d days", maxLast)}
	case q.From.Set || q.To.Set:
		return &heatmap.ParamError{Field: "last", Message: "last stands in the place of from and to: leave out one or the other"}
	}
	today := heatmap.DateOf(now.UnixMilli(), pl.zone)
	q.From = heatmap.Bound{Set: true, IsDate: true, Date: today - heatmap.Date(q.Last) + 1}
	q.To = heatmap.Bound{Set: true, IsDate: true, Date: today}
	return nil
}

// chooseTime turns the bounds into days, or into instants to scan for where they are not the days' ends.
func (pl *plan) chooseTime() error {
	pl.from, pl.to = math.MinInt64, math.MaxInt64
	if b := pl.query.From; b.Set {
		d := b.Date
		pl.from = b.Instant
		if b.IsDate {
			pl.from = d.Start(pl.zone)
		} else {
			d = heatmap.DateOf(b.Instant, pl.zone)
			pl.scan = pl.scan || d.Start(pl.zone) != b.Instant
		}
		pl.first = &d
	}
	if b := pl.query.To; b.Set {
		d := b.Date
		pl.to = b.Instant
		if b.IsDate {
			pl.to = (d + 1).Start(pl.zone)
		} else {
			after := heatmap.DateOf(b.Instant, pl.zone)
			d = heatmap.DateOf(b.Instant-1, pl.zone)
			pl.scan = pl.scan || after.Start(pl.zone) != b.Instant
		}
		pl.last = &d
	}
	f, t := pl.query.From, pl.query.To
	skipped := pl.from == pl.to && f.IsDate && t.IsDate && f.Date <= t.Date // as 2011-12-30 in Apia: a day without hits
	if pl.from >= pl.to && !skipped {
		return &heatmap.ParamError{Field: "from", Message: "from is not before to"}
	}
	pl.periods = periodsOf(pl.first, pl.last)
	return nil
}

// periodsOf covers the days from first to last, both inclusive and nil for open, by whole months and the days at their
// edges.
func periodsOf(first, last *heatmap.Date) []PeriodRange {
	from, to := heatmap.Period(0), maxMonth
	var head, tail []PeriodRange
	if first != nil {
		if from = heatmap.MonthPeriod(*first); from.First() < *first {
			head = []PeriodRange{{heatmap.DayPeriod(*first), heatmap.DayPeriod(from.Last())}}
			from++
		}
	}
	if last != nil {
		if to = heatmap.MonthPeriod(*last); to.Last() > *last {
			tail = []PeriodRange{{heatmap.DayPeriod(to.First()), heatmap.DayPeriod(*last)}}
			to--
		}
	}
	if from > to && first != nil && last != nil && (len(head) > 0 || len(tail) > 0) {
		return []PeriodRange{{heatmap.DayPeriod(*first), heatmap.DayPeriod(*last)}}
	}
	return append(append([]PeriodRange{{from, to}}, head...), tail...)
}

// wholeBands reports whether the widths from low to high are whole bands of the blobs. The unknown width counts as 0.
func wholeBands(low, high uint16) bool {
	return (low == 1 || low%heatmap.WidthBandSize == 0) && high%heatmap.WidthBandSize == heatmap.WidthBandSize-1
}

func (pl *plan) covers(p heatmap.Period) bool {
	for _, r := range pl.periods {
		if r.First <= p && p <= r.Last {
			return true
		}
	}
	return false
}

// selects gives the function that keeps the wanted kinds under the query's filters and sums each in one layer.
func (pl *plan) selects(kinds ...heatmap.Kind) heatmap.Select {
	return func(id heatmap.LayerID) (heatmap.LayerID, bool) {
		for _, k := range kinds {
			if id.Kind() == k {
				return sumLayer(k), pl.keeps(id)
			}
		}
		return 0, false
	}
}

// keeps reports whether the hits of a layer count.
func (pl *plan) keeps(id heatmap.LayerID) bool {
	return id.Kind().Valid() && pl.keepsWidth(id.WidthBand()) && pl.keepsDevice(id.Device()) && pl.keepsBot(id.Bot())
}

// sumLayer is the layer under which an answer sums a kind.
func sumLayer(k heatmap.Kind) heatmap.LayerID {
	return heatmap.NewLayerID(k, 0, heatmap.Desktop, false)
}

func (pl *plan) keepsWidth(b heatmap.WidthBand) bool {
	w := pl.query.Width
	switch {
	case !w.Set:
		return true
	case b == heatmap.UnknownWidth:
		return w.Min == 0
	default:
		return heatmap.WidthBandOf(max(w.Min, 1)) <= b && b <= heatmap.WidthBandOf(w.Max)
	}
}

func (pl *plan) keepsDevice(d heatmap.Device) bool {
	return !pl.query.Device.Set || pl.query.Device.Value == d
}

func (pl *plan) keepsBot(bot bool) bool { return !bot || pl.query.Bots }
