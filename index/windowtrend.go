package index

import (
	"context"
	"math"

	"heatlog/heatmap"
)

// windowTrend counts panes and gives the windows over them.
type windowTrend struct {
	*window
	plan    *plan
	buckets map[int64]*trendBucket // by pane

	told  map[int64]heatmap.TrendBucket // windows that were put together, by end
	dirty int64                         // the first pane that changed since

	all, last paneSum // of all panes and of the last window, without the last pane
}

// paneSum is what panes are together.
type paneSum struct {
	from, to int64 // from ≤ pane < to
	sum      trendBucket
}

func newWindowTrend(pl *plan, w *window) *windowTrend {
	return &windowTrend{window: w, plan: pl, buckets: make(map[int64]*trendBucket), told: make(map[int64]heatmap.TrendBucket), dirty: math.MinInt64}
}

// at gives a pane, nil if it is over.
func (t *windowTrend) at(pane int64) *trendBucket {
	if pane < t.low() {
		return nil
	}
	t.dirty = min(t.dirty, pane)
	b := t.buckets[pane]
	if b == nil {
		b = new(trendBucket)
		t.buckets[pane] = b
	}
	return b
}

func (t *windowTrend) event(ev *Event) error {
	b := t.at(t.pane(ev.Hit.Time))
	if b == nil {
		return nil
	}
	b.scope.AddVisitor(ev.Bot, ev.Visitor)
	b.scope.AddSampled(ev.Bot, ev.Sampled)
	if t.plan.keepsWidthOf(ev.Hit.ViewportW) && t.plan.keepsDevice(ev.Device) {
		b.counts.event(ev)
	}
	return nil
}

func (t *windowTrend) merge(part aggregate) error {
	for pane, o := range part.(*windowTrend).buckets {
		if b := t.at(pane); b != nil {
			b.counts.add(&o.counts)
			b.scope.MergePageScope(&o.scope)
		}
	}
	return nil
}

func (t *windowTrend) fresh() aggregate {
	w := *t.window
	return newWindowTrend(t.plan, &w)
}

// pass lets panes go that no window has any more.
func (t *windowTrend) pass(now int64) (changed bool, next int64) {
	slid, next := t.window.pass(now)
	if !slid {
		return false, next
	}
	low := t.low()
	for pane := range t.buckets {
		if pane < low {
			delete(t.buckets, pane)
		}
	}
	for end := range t.told {
		if end <= low {
			delete(t.told, end)
		}
	}
	return true, next
}

// answer is all windows that are asked for.
func (t *windowTrend) answer(prefix heatmap.Prefix) *heatmap.Trend {
	first, last := t.ends()
	a := &heatmap.Trend{Prefix: prefix, Page: t.plan.page, Zone: t.plan.zone, Scanned: true}
	all := t.sum(&t.all, first-t.panes, last)
	a.Hits, a.Views = all.counts.hits(), all.counts[heatmap.KindView]
	a.Visitors, a.Sampled = all.scope.Visitors(t.plan.query.Bots), all.scope.Sampled(t.plan.query.Bots)
	t.slide(first, last)
	for end := first; end <= last; end++ {
		a.Buckets = append(a.Buckets, t.told[end])
	}
	if n := len(a.Buckets); n > 0 {
		a.From, a.To, a.Dated = heatmap.DateOf(a.Buckets[0].Start, a.Zone), heatmap.DateOf(a.Buckets[n-1].End-1, a.Zone), true
	}
	return a
}

// slide puts the windows together that have changed. Visitors are merged from both sides of every window's width of panes: of the
// panes before a multiple of it those from the window's first one on, and of those behind it those up to its last one. So a window costs
// three merges, however many panes it has.
func (t *windowTrend) slide(first, last int64) {
	for end := first; end <= last; end++ {
		if _, known := t.told[end]; !known || end > t.dirty {
			first = end
			break
		}
		if end == last {
			return
		}
	}
	if first == last {
		b := t.sum(&t.last, last-t.panes, last)
		t.tell(&b, last)
		t.dirty = math.MaxInt64
		return
	}
	t.dirty, t.last = math.MaxInt64, paneSum{}
	for begin := first - t.panes; begin < last-t.panes+1; begin += t.panes {
		before := t.suffixes(begin, min(t.panes, last-t.panes-begin+1))
		var behind trendBucket
		for i := range before {
			end := begin + int64(i) + t.panes
			if i > 0 {
				behind.addPane(t.buckets[end-1])
			}
			before[i].addPane(&behind)
			t.tell(&before[i], end)
		}
	}
}

// tell takes note of what a window is.
func (t *windowTrend) tell(sum *trendBucket, end int64) {
	b := sum.answer((end-t.panes)*t.every, t.plan.query.Bots)
	b.End = end * t.every
	t.told[end] = b
}

// sum gives what panes are together. Those before the last one, in which most hits land, are remembered until one changes.
func (t *windowTrend) sum(known *paneSum, from, to int64) trendBucket {
	if known.from != from || known.to != to-1 || t.dirty < known.to {
		*known = paneSum{from: from, to: to - 1}
		for pane := from; pane < to-1; pane++ {
			known.sum.addPane(t.buckets[pane])
		}
	}
	sum := trendBucket{counts: known.sum.counts, scope: *known.sum.scope.Clone()}
	sum.addPane(t.buckets[to-1])
	return sum
}

// suffixes sums the panes of a window from each of the first n of them to the last one.
func (t *windowTrend) suffixes(begin, n int64) []trendBucket {
	sums := make([]trendBucket, n)
	var sum trendBucket
	for i := t.panes - 1; i >= 0; i-- {
		sum.addPane(t.buckets[begin+i])
		if i < n {
			sums[i] = trendBucket{counts: sum.counts, scope: *sum.scope.Clone()}
		}
	}
	return sums
}

// addPane adds another one, nil for an empty one.
func (b *trendBucket) addPane(o *trendBucket) {
	if o != nil {
		b.counts.add(&o.counts)
		b.scope.MergePageScope(&o.scope)
	}
}

// livingWindows keeps a trend of windows.
type livingWindows struct{ *windowTrend }

func (l livingWindows) snapshot(context.Context) (heatmap.Prefix, error) {
	return heatmap.Prefix{}, errNeedsScan
}

func (l livingWindows) update(u *heatmap.Update, p heatmap.Prefix) (heatmap.Kind, bool, error) {
	u.Trend = l.answer(p)
	return 0, u.Trend.Hits == 0, nil
}

func (l livingWindows) size() int { return len(l.buckets) }
