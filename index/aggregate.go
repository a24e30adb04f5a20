package index

import "heatlog/heatmap"

// aggregate is what was counted for one question of the events of a log: by a scan, part by part, and by what comes later. What
// blobs and live deltas say of a question can be put into it first: it is the same state that a reducer has.
type aggregate interface {
	event(ev *Event) error      // counts an event that the plan keeps
	merge(part aggregate) error // adds what was counted of hits that come later in the log; part, a fresh one, is used no more
	fresh() aggregate           // an empty one for the same question
}

// sumAggregate sums kinds, as a sum does, without anchors.
type sumAggregate struct {
	plan  *plan
	kinds []heatmap.Kind
	*sum
}

func newSumAggregate(pl *plan, kinds ...heatmap.Kind) *sumAggregate {
	return &sumAggregate{pl, kinds, newSum(pl.selects(kinds...), kinds[0])}
}

func (a *sumAggregate) event(ev *Event) error {
	a.plan.tallyEvent(a.sum, ev, a.kinds)
	return nil
}

func (a *sumAggregate) merge(part aggregate) error {
	a.sum.merge(part.(*sumAggregate).sum)
	return nil
}

func (a *sumAggregate) fresh() aggregate { return newSumAggregate(a.plan, a.kinds...) }

// elementAggregate sums kinds with anchors, as an elementSum does.
type elementAggregate struct {
	plan  *plan
	kinds []heatmap.Kind
	*elementSum
}

func newElementAggregate(pl *plan, kinds ...heatmap.Kind) *elementAggregate {
	return &elementAggregate{pl, kinds, newElementSum(pl, kinds)}
}

func (a *elementAggregate) event(ev *Event) error {
	a.plan.tallyEvent(&a.elementSum.sum, ev, a.kinds)
	return nil
}

func (a *elementAggregate) merge(part aggregate) error {
	a.elementSum.sum.merge(&part.(*elementAggregate).elementSum.sum)
	return nil
}

func (a *elementAggregate) fresh() aggregate { return newElementAggregate(a.plan, a.kinds...) }

// merge adds what another sum has that was made by events alone.
func (s *sum) merge(o *sum) {
	if o.dated {
		s.see(o.first, o.last)
	}
	s.delta.Merge(&o.delta)
}

// pagesAggregate counts pages.
type pagesAggregate struct{ *pageCounts }

func (a pagesAggregate) event(ev *Event) error {
	sum := a.of(ev.Page)
	sum.samples.AddHit(ev.Bot, ev.Sampled)
	if pl := a.plan; pl.keepsWidthOf(ev.Hit.ViewportW) && pl.keepsDevice(ev.Device) {
		sum.event(ev)
	}
	return nil
}

func (a pagesAggregate) merge(part aggregate) error {
	for page, o := range part.(pagesAggregate).pages {
		sum := a.of(page)
		sum.add(&o.kindCounts)
		sum.samples.Add(&o.samples)
	}
	return nil
}

func (a pagesAggregate) fresh() aggregate { return pagesAggregate{newPageCounts(a.plan)} }

// trendAggregate counts days or hours.
type trendAggregate struct{ *trend }

func (a trendAggregate) merge(part aggregate) error {
	for key, o := range part.(trendAggregate).buckets {
		b, err := a.at(key)
		if err != nil {
			return err
		}
		b.counts.add(&o.counts)
		b.scope.MergePageScope(&o.scope)
	}
	return nil
}

func (a trendAggregate) fresh() aggregate { return trendAggregate{newTrend(a.plan)} }
