package index

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"heatlog/heatmap"
)

// trend reduces to hits by kind, visitors and sampled hits of each day or hour. A bucket's key is the number of the day, or the first
// instant of the hour in Unix ms. However many pages there are, a bucket holds one set of visitors.
type trend struct {
	plan      *plan
	buckets   map[int64]*trendBucket
	low, high int64 // the least and the greatest key, if there are buckets
	hours     hourCache
	joined    bool  // widths of scroll hits are not told apart as finely as the plan asks
	err       error // what add could not report
}

// trendBucket is one day or hour.
type trendBucket struct {
	counts kindCounts
	scope  heatmap.Delta // visitors and sampled hits, nothing else
}

func newTrend(pl *plan) *trend {
	return &trend{plan: pl, buckets: make(map[int64]*trendBucket)}
}

// at gives the bucket of a key. The error is that of checkSpan.
func (t *trend) at(key int64) (*trendBucket, error) {
	if b := t.buckets[key]; b != nil {
		return b, nil
	}
	if len(t.buckets) == 0 {
		t.low, t.high = key, key
	}
	t.low, t.high = min(t.low, key), max(t.high, key)
	if err := t.checkSpan(t.high - t.low); err != nil {
		return nil, err
	}
	b := new(trendBucket)
	t.buckets[key] = b
	return b, nil
}

// checkSpan refuses keys that lie further apart than an answer may have buckets, so that an open range over scattered hits
// takes no more memory than an answer.
func (t *trend) checkSpan(span int64) error {
	if t.plan.query.Hourly {
		span /= hourMillis
	}
	if span >= heatmap.MaxTrendBuckets {
		return t.tooMany()
	}
	return nil
}

func (t *trend) tooMany() error {
	unit, hint := "days", ""
	if t.plan.query.Hourly {
		unit, hint = "hours", ", or ask for by=day"
	}
	return &heatmap.ParamError{Field: "from", Message: fmt.Sprintf(
		"the range has more than %d %s: narrow it with from and to%s", heatmap.MaxTrendBuckets, unit, hint)}
}

// trendPart is what a live delta adds to a bucket.
type trendPart struct {
	trendBucket
	joined bool
}

func (t *trend) part(d *heatmap.Delta) any {
	p := &trendPart{joined: d.ScrollWidth() > heatmap.WidthBandSize}
	d.Layers(func(id heatmap.LayerID, hits uint64) { t.count(&p.counts, id, hits) })
	p.scope.MergePageScope(d)
	return p
}

func (t *trend) add(k heatmap.Key, part any) {
	b, err := t.at(int64(k.Period.First()))
	if err != nil {
		t.err = err
		return
	}
	p := part.(*trendPart)
	b.counts.add(&p.counts)
	b.scope.MergePageScope(&p.scope)
	t.joined = t.joined || p.joined
}

func (t *trend) blob(k heatmap.Key, blob []byte) error {
	b, err := t.at(int64(k.Period.First()))
	if err != nil {
		return err
	}
	width, err := b.scope.CountBlob(blob, func(id heatmap.LayerID, hits uint64) { t.count(&b.counts, id, hits) })
	t.joined = t.joined || width > heatmap.WidthBandSize
	return err
}

func (t *trend) count(n *kindCounts, id heatmap.LayerID, hits uint64) {
	if t.plan.keeps(id) {
		n[id.Kind()] += hits
	}
}

func (t *trend) reset() {
	clear(t.buckets)
	t.low, t.high, t.joined, t.err = 0, 0, false, nil
}

// event counts an event of a scan.
func (t *trend) event(ev *Event) error {
	key := int64(ev.Date)
	if t.plan.query.Hourly {
		key = t.hours.start(ev.Hit.Time, t.plan.zone)
	}
	b, err := t.at(key)
	if err != nil {
		return err
	}
	b.scope.AddVisitor(ev.Bot, ev.Visitor)
	b.scope.AddSampled(ev.Bot, ev.Sampled)
	if t.plan.keepsWidthOf(ev.Hit.ViewportW) && t.plan.keepsDevice(ev.Device) {
		b.counts.event(ev)
	}
	return nil
}

// bounds gives the first and the last key of the answer: those asked for, else those of the first and the last bucket with
// hits. There are none if a bound is open and there are no hits.
func (t *trend) bounds() (low, high int64, ok bool) {
	for key, b := range t.buckets {
		if b.counts.hits() == 0 {
			continue
		}
		if !ok {
			low, high, ok = key, key, true
		}
		low, high = min(low, key), max(high, key)
	}
	first, last := t.asked()
	if !ok && (first == nil || last == nil) {
		return 0, 0, false
	}
	if first != nil && (!ok || *first < low) {
		low = *first
	}
	if last != nil && (!ok || *last > high) {
		high = *last
	}
	return low, high, true
}

// asked gives the keys of the bounds of the plan, nil for one that is open.
func (t *trend) asked() (first, last *int64) {
	key := func(ms int64, day heatmap.Date) *int64 {
		k := int64(day)
		if t.plan.query.Hourly {
			k = t.hours.start(ms, t.plan.zone)
		}
		return &k
	}
	if t.plan.first != nil {
		first = key(t.plan.from, *t.plan.first)
	}
	if t.plan.last != nil {
		last = key(t.plan.to-1, *t.plan.last)
	}
	return first, last
}

// list gives the buckets from the first to the last, those without hits too.
func (t *trend) list() ([]heatmap.TrendBucket, error) {
	low, high, ok := t.bounds()
	if !ok {
		return nil, nil
	}
	if err := t.checkSpan(high - low); err != nil {
		return nil, err
	}
	var list []heatmap.TrendBucket
	for key := low; key <= high; {
		if len(list) == heatmap.MaxTrendBuckets { // half hours make more of them than the span tells
			return nil, t.tooMany()
		}
		start, next := t.span(key)
		if b := t.buckets[key]; b != nil {
			list = append(list, b.answer(start, t.plan.query.Bots))
		} else if !t.skipped(key) {
			list = append(list, heatmap.TrendBucket{Start: start})
		}
		key = next
	}
	return list, nil
}

// span gives the first instant of a bucket and the key of the next one.
func (t *trend) span(key int64) (start, next int64) {
	if t.plan.query.Hourly {
		h := newHourSpan(key, t.plan.zone)
		return h.from, h.to
	}
	return heatmap.Date(key).Start(t.plan.zone), key + 1
}

// skipped reports whether a key is that of a day which the zone has left out to get to the other side of the date line.
func (t *trend) skipped(key int64) bool {
	day := heatmap.Date(key)
	return !t.plan.query.Hourly && day.Start(t.plan.zone) == (day+1).Start(t.plan.zone)
}

func (b *trendBucket) answer(start int64, bots bool) heatmap.TrendBucket {
	n := &b.counts
	return heatmap.TrendBucket{
		Start: start, Visitors: b.scope.Visitors(bots),
		Views: n[heatmap.KindView], Clicks: n[heatmap.KindClick], Scrolls: n[heatmap.KindScroll], Moves: n[heatmap.KindMove],
		Rage: n[heatmap.KindRage], Dead: n[heatmap.KindDead],
	}
}

// scope gives the visitors and sampled hits of all buckets.
func (t *trend) scope() *heatmap.Delta {
	all := new(heatmap.Delta)
	for _, key := range slices.Sorted(maps.Keys(t.buckets)) {
		all.MergePageScope(&t.buckets[key].scope)
	}
	return all
}

// Trend answers a query for hits by day, from blobs and live deltas, or by hour, from the journal. The error is a
// *heatmap.ParamError if the query cannot be answered as it was put, or has more than heatmap.MaxTrendBuckets days or hours.
func (x *Index) Trend(ctx context.Context, q heatmap.Query) (*heatmap.Trend, error) {
	pl, err := x.newPlan(ctx, q)
	if err != nil {
		return nil, err
	}
	if slides(&q) {
		return x.windows(ctx, pl)
	}
	t, err := newTrendOf(pl)
	if err != nil {
		return nil, err
	}
	prefix, err := x.reduceTrend(ctx, t)
	if err == nil && t.joined && q.Width.Set {
		pl.scan = true // as in Scroll
		t.reset()
		prefix, err = x.reduceTrend(ctx, t)
	}
	if err != nil {
		return nil, err
	}
	a, err := t.answer(prefix)
	if err == nil && a.Hits == 0 {
		a.Why, err = x.why(ctx, pl, 0)
	}
	return a, err
}

// newTrendOf makes the empty answer to a plan. The error is that of checkSpan.
func newTrendOf(pl *plan) (*trend, error) {
	pl.scan = pl.scan || pl.query.Hourly
	t := newTrend(pl)
	if first, last := t.asked(); first != nil && last != nil {
		return t, t.checkSpan(*last - *first)
	}
	return t, nil
}

// answer is what was counted, but for why it is empty.
func (t *trend) answer(prefix heatmap.Prefix) (a *heatmap.Trend, err error) {
	scope, pl := t.scope(), t.plan
	q := &pl.query
	a = &heatmap.Trend{
		Prefix: prefix, Page: pl.page, Hourly: q.Hourly, Zone: pl.zone,
		Visitors: scope.Visitors(q.Bots), Sampled: scope.Sampled(q.Bots), Scanned: pl.scan,
	}
	if a.Buckets, err = t.list(); err != nil {
		return nil, err
	}
	for i := range a.Buckets {
		a.Hits += a.Buckets[i].Hits()
		a.Views += a.Buckets[i].Views
	}
	if n := len(a.Buckets); n > 0 {
		a.From, a.To, a.Dated = heatmap.DateOf(a.Buckets[0].Start, pl.zone), heatmap.DateOf(a.Buckets[n-1].Start, pl.zone), true
	}
	return a, nil
}

// reduceTrend counts what the plan of t asks for.
func (x *Index) reduceTrend(ctx context.Context, t *trend) (heatmap.Prefix, error) {
	if t.plan.scan {
		return x.scan(ctx, t.plan, trendAggregate{t})
	}
	days := *t.plan
	days.periods = daysOf(t.plan.first, t.plan.last)
	prefix, err := x.reduce(ctx, &days, t)
	if err == nil {
		err = t.err
	}
	return prefix, err
}

// daysOf covers the days from first to last, both inclusive and nil for open.
func daysOf(first, last *heatmap.Date) []PeriodRange {
	r := PeriodRange{heatmap.DayPeriod(0), ^heatmap.Period(0)}
	if first != nil {
		r.First = heatmap.DayPeriod(*first)
	}
	if last != nil {
		r.Last = heatmap.DayPeriod(*last)
	}
	return []PeriodRange{r}
}
