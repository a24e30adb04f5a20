package index

import (
	"cmp"

	"heatlog/heatmap"
)

// Counts gives totals as the world sees them, under the rules that they were counted by.
func (t *Totals) Counts(r *Rules) *heatmap.Counts {
	c := &heatmap.Counts{
		Read: t.Read, Batches: t.Batches, LostHits: t.Lost, RepeatedBatches: t.RepeatedBatches, RepeatedHits: t.RepeatedHits,
		Excluded: t.Excluded, ExprErrors: t.ExprErrors, Carried: t.Carried,
		Hits: t.Hits(), Views: t.Views, Clicks: t.Clicks, Scrolls: t.Scrolls, Moves: t.Moves,
		Bots: t.Bots, Dead: t.Dead, Bursts: t.Bursts, RepeatedClicks: t.RepeatedClicks, Unsettled: t.Unsettled,
	}
	for _, rule := range r.LeftOut(t.ExcludedBy) {
		c.ExcludedBy = append(c.ExcludedBy, heatmap.RuleCount{Rule: cmp.Or(rule.Expression, rule.Rule), Hits: rule.Hits})
	}
	return c
}

// counter is one of the totals with its name.
type counter struct {
	name string
	n    uint64
}

// unchangeable gives the totals that no rules can change.
func (t *Totals) unchangeable() []counter {
	return []counter{
		{"hits read", t.Read}, {"batches", t.Batches}, {"lost hits", t.Lost}, {"repeated batches", t.RepeatedBatches}, {"repeated hits", t.RepeatedHits},
	}
}

// counters gives all totals, those that no rules can change first.
func (t *Totals) counters(r *Rules) []counter {
	all := append(t.unchangeable(),
		counter{"excluded hits", t.Excluded}, counter{"failed expressions", t.ExprErrors}, counter{"repeated clicks", t.RepeatedClicks},
		counter{"unsettled hits", t.Unsettled}, counter{"hits that were carried over", t.Carried},
		counter{"views", t.Views}, counter{"clicks", t.Clicks}, counter{"scrolls", t.Scrolls}, counter{"moves", t.Moves},
		counter{"hits of bots", t.Bots}, counter{"dead clicks", t.Dead}, counter{"bursts", t.Bursts})
	for _, rule := range r.LeftOut(t.ExcludedBy) {
		all = append(all, counter{"hits excluded by " + cmp.Or(rule.Expression, rule.Rule), rule.Hits})
	}
	return all
}

// accounted is what Read must be: each hit is in exactly one of these.
func (t *Totals) accounted() uint64 {
	return t.RepeatedHits + t.Excluded + t.RepeatedClicks + t.Carried + t.Hits()
}
