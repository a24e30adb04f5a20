package index

import (
	"context"
	"errors"
	"time"

	"heatlog/heatmap"
)

// living is the state of an answer that is kept. What it counts is put into it by a snapshot of what is stored and live, or by
// parts of a scan, and event by event after that.
type living interface {
	aggregate

	// snapshot takes in what blobs and live deltas say, and gives what part of the log that is.
	snapshot(ctx context.Context) (heatmap.Prefix, error)

	// update puts the answer into u. It says whether it is empty, and of which kind nothing was found then, 0 for any.
	update(u *heatmap.Update, p heatmap.Prefix) (kind heatmap.Kind, empty bool, err error)

	// size is that of the answer: cells, pages, elements or buckets.
	size() int
}

// errNeedsScan says that blobs cannot answer after all.
var errNeedsScan = errors.New("the journal has to be read")

// newLiving makes the empty answer to a question, whose query gets its defaults.
func (x *Index) newLiving(ctx context.Context, q *heatmap.Question) (*plan, living, error) {
	if q.Query.Noise != 0 {
		return nil, nil, &heatmap.ParamError{
			Field: "noise", Message: "noise cannot be left out of a map that is kept alive: which cells are noise changes with every hit",
		}
	}
	withKind := q.Ask == heatmap.AskHeatmap || q.Ask == heatmap.AskElements
	if q.Ask == heatmap.AskElements && q.Query.Kind == heatmap.KindMove {
		return nil, nil, errMoveElements()
	}
	if withKind {
		if err := checkKind(&q.Query); err != nil {
			return nil, nil, err
		}
	}
	if q.Ask != heatmap.AskPages && q.Ask != heatmap.AskTrend {
		if err := refuseWindow(&q.Query); err != nil {
			return nil, nil, err
		}
	}
	if q.Ask == heatmap.AskHeatmap && q.Query.Cell == 0 {
		q.Query.Cell = max(x.options.Rules.CellSize(), x.carriedCell())
	}
	pl, err := x.newPlan(ctx, q.Query)
	if err != nil {
		return nil, nil, err
	}
	var l living
	if slides(&q.Query) {
		l, err = x.livingWindow(pl, q.Ask)
	} else {
		l, err = x.livingOf(pl, q.Ask)
	}
	return pl, l, err
}

func (x *Index) livingWindow(pl *plan, ask heatmap.Asked) (living, error) {
	if ask == heatmap.AskPages {
		c, err := x.newPagesWindow(pl, true)
		return livingWindowPages{c}, err
	}
	w, err := x.newWindow(pl, true)
	return livingWindows{newWindowTrend(pl, w)}, err
}

func (x *Index) livingOf(pl *plan, ask heatmap.Asked) (living, error) {
	switch ask {
	case heatmap.AskHeatmap:
		return newLivingMap(x, pl), nil
	case heatmap.AskScroll:
		return &livingScroll{x, newSumAggregate(pl, heatmap.KindScroll)}, nil
	case heatmap.AskElements:
		return &livingElements{x, newElementAggregate(pl, elementKinds...)}, nil
	case heatmap.AskPages:
		return &livingPages{x, pagesAggregate{newPageCounts(pl)}}, nil
	case heatmap.AskTrend:
		t, err := newTrendOf(pl)
		return &livingTrend{x, trendAggregate{t}}, err
	}
	return nil, &heatmap.ParamError{Field: "kind", Message: "kind must be heatmap, scroll, elements, pages or trend"}
}

// days gives the days of an answer that is kept, as span does for one that is not: of one from blobs, the snapshot has found out
// the first and the last.
func (pl *plan) days(s *daysSeen) (first, last heatmap.Date, dated bool) {
	first, last, dated = s.first, s.last, s.dated && (pl.scan || pl.exact)
	if pl.first != nil {
		first = *pl.first
	}
	if pl.last != nil {
		last = *pl.last
	}
	return first, last, dated || pl.first != nil && pl.last != nil
}

// livingScroll keeps reach and attention.
type livingScroll struct {
	x *Index
	*sumAggregate
}

func (l *livingScroll) snapshot(ctx context.Context) (heatmap.Prefix, error) {
	prefix, err := l.x.reduce(ctx, l.plan, l.sum)
	if err == nil && l.plan.query.Width.Set && l.delta.ScrollWidth() > heatmap.WidthBandSize {
		l.sum = newSumAggregate(l.plan, l.kinds...).sum
		return prefix, errNeedsScan
	}
	if err == nil {
		_, _, _, err = l.x.span(ctx, l.plan, l.sum)
	}
	return prefix, err
}

func (l *livingScroll) update(u *heatmap.Update, p heatmap.Prefix) (heatmap.Kind, bool, error) {
	a := l.plan.scrollOf(l.sum, p)
	a.From, a.To, a.Dated = l.plan.days(&l.daysSeen)
	u.Scroll = a
	return heatmap.KindScroll, a.Views == 0, nil
}

func (l *livingScroll) size() int { return 0 }

// livingElements keeps elements.
type livingElements struct {
	x *Index
	*elementAggregate
}

func (l *livingElements) snapshot(ctx context.Context) (heatmap.Prefix, error) {
	prefix, err := l.x.reduce(ctx, l.plan.withMonths(), l.elementSum)
	if err == nil {
		_, _, _, err = l.x.span(ctx, l.plan, &l.elementSum.sum)
	}
	return prefix, err
}

func (l *livingElements) update(u *heatmap.Update, p heatmap.Prefix) (heatmap.Kind, bool, error) {
	s := l.elementSum
	s.sum.delta.Names(s.names.add)
	a := s.list(l.plan, l.x.options.Rules.CellSize())
	a.Prefix = p
	a.From, a.To, a.Dated = l.plan.days(&s.sum.daysSeen)
	u.Elements = a
	return l.plan.query.Kind, a.Hits == 0, nil
}

func (l *livingElements) size() int { return len(l.names) }

// livingPages keeps a list of pages.
type livingPages struct {
	x *Index
	pagesAggregate
}

func (l *livingPages) snapshot(ctx context.Context) (heatmap.Prefix, error) {
	return l.x.reduce(ctx, l.plan, l.pageCounts)
}

func (l *livingPages) update(u *heatmap.Update, p heatmap.Prefix) (heatmap.Kind, bool, error) {
	u.Pages = l.answer(p)
	return 0, u.Pages.Total == 0 && u.Pages.Why == nil, nil
}

func (l *livingPages) size() int { return len(l.pages) }

// livingTrend keeps days or hours.
type livingTrend struct {
	x *Index
	trendAggregate
}

func (l *livingTrend) snapshot(ctx context.Context) (heatmap.Prefix, error) {
	prefix, err := l.x.reduceTrend(ctx, l.trend)
	if err == nil && l.joined && l.plan.query.Width.Set {
		l.reset()
		err = errNeedsScan
	}
	return prefix, err
}

func (l *livingTrend) update(u *heatmap.Update, p heatmap.Prefix) (_ heatmap.Kind, _ bool, err error) {
	u.Trend, err = l.answer(p)
	return 0, err == nil && u.Trend.Hits == 0, err
}

func (l *livingTrend) size() int { return len(l.buckets) }

// whyEmpty finds out from time to time why an answer is empty.
type whyEmpty struct {
	last *heatmap.Why
	at   time.Time
}

// whyEvery is how long what was found out of an empty answer is told.
const whyEvery = 2 * time.Second

func (w *whyEmpty) find(ctx context.Context, x *Index, pl *plan, kind heatmap.Kind) (*heatmap.Why, error) {
	if w.last != nil && time.Since(w.at) < whyEvery {
		return w.last, nil
	}
	why, err := x.why(ctx, pl, kind)
	if err != nil {
		return &heatmap.Why{Reason: heatmap.WhyNoHits, Message: "nothing was counted yet that was asked for"}, err
	}
	w.last, w.at = why, time.Now()
	return why, nil
}

func setWhy(u *heatmap.Update, why *heatmap.Why) {
	switch {
	case u.Heatmap != nil:
		u.Heatmap.Why = why
	case u.Scroll != nil:
		u.Scroll.Why = why
	case u.Elements != nil:
		u.Elements.Why = why
	case u.Pages != nil:
		u.Pages.Why = why
	default:
		u.Trend.Why = why
	}
}
