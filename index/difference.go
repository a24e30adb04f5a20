package index

import (
	"context"
	"errors"
	"slices"

	"heatlog/heatmap"
)

// side is one of the two maps of a difference.
type side struct {
	x      *Index
	pl     *plan
	kinds  []heatmap.Kind
	sum    *sum
	prefix heatmap.Prefix
}

func (x *Index) newSide(ctx context.Context, q heatmap.Query) (*side, error) {
	cell := max(x.options.Rules.CellSize(), x.carriedCell())
	if q.Cell == 0 {
		q.Cell = cell
	}
	pl, err := x.newPlan(ctx, q)
	if err != nil {
		return nil, err
	}
	s := &side{x: x, pl: pl, kinds: []heatmap.Kind{q.Kind, heatmap.KindView}}
	s.sum = newSum(pl.selects(s.kinds...), s.kinds[0])
	return s, nil
}

// Difference answers a query for how a kind's map differs from that of another query, put to another index or the same.
// They differ in range, expression and generation alone. The error is a *heatmap.ParamError, whose field has minus_ before
// the name of a parameter of the minus side.
func Difference(ctx context.Context, shown *Index, q heatmap.Query, minus *Index, minusQuery heatmap.Query) (*heatmap.Difference, error) {
	if err := checkKind(&q); err != nil {
		return nil, err
	}
	minusQuery.Kind = q.Kind
	a, err := shown.newSide(ctx, q)
	if err != nil {
		return nil, err
	}
	b, err := minus.newSide(ctx, minusQuery)
	if err != nil {
		return nil, ofMinus(err)
	}
	if shown == minus {
		err = a.sumWith(ctx, b)
	} else if err = a.sumAlone(ctx); err == nil {
		err = b.sumAlone(ctx)
	}
	if err != nil {
		return nil, err
	}
	d := new(heatmap.Difference)
	if d.Shown, err = a.answer(ctx); err == nil {
		d.Minus, err = b.answer(ctx)
	}
	if err != nil {
		return nil, err
	}
	d.Cell = max(d.Shown.Cell, d.Minus.Cell)
	if q.Cell != 0 && q.Cell < d.Cell {
		return nil, coarserError(d.Cell)
	}
	d.Cell = max(d.Cell, q.Cell)
	shownPoints, _ := a.sum.points(d.Cell)
	minusPoints, _ := b.sum.points(d.Cell)
	d.Points = heatmap.Subtract(shownPoints, d.Shown.Hits, minusPoints, d.Minus.Hits)
	return d, nil
}

// ofMinus names the parameters of the minus side as its query has them.
func ofMinus(err error) error {
	var p *heatmap.ParamError
	if errors.As(err, &p) && slices.Contains([]string{"from", "to", "where", "generation"}, p.Field) {
		return &heatmap.ParamError{Field: "minus_" + p.Field, Message: p.Message}
	}
	return err
}

func (s *side) sumAlone(ctx context.Context) (err error) {
	s.sum, s.prefix, err = s.x.answer(ctx, s.pl, s.kinds...)
	return err
}

// sumWith sums two sides of one index, from one part of the log: from what is stored and live if that can answer both, else
// by one scan for both.
func (s *side) sumWith(ctx context.Context, minus *side) (err error) {
	both := s.union(minus)
	if both.scan {
		s.prefix, err = s.scanWith(ctx, both, minus)
	} else {
		s.prefix, err = s.x.reduce(ctx, both, &pair{s, minus})
	}
	minus.prefix = s.prefix
	return err
}

// union is the plan of what two sides of one index ask, but for their expressions: pages and all else are the same.
func (s *side) union(minus *side) *plan {
	u := *s.pl
	u.from, u.to = min(u.from, minus.pl.from), max(u.to, minus.pl.to)
	u.where, u.scan = nil, u.scan || minus.pl.scan
	u.periods = mergePeriods(append(slices.Clone(u.periods), minus.pl.periods...))
	s.pl.scan, minus.pl.scan = u.scan, u.scan
	return &u
}

// mergePeriods joins ranges that have periods in common.
func mergePeriods(all []PeriodRange) []PeriodRange {
	slices.SortFunc(all, func(a, b PeriodRange) int { return int(a.First) - int(b.First) })
	merged := all[:0]
	for _, r := range all {
		if last := len(merged) - 1; last >= 0 && r.First <= merged[last].Last {
			merged[last].Last = max(merged[last].Last, r.Last)
			continue
		}
		merged = append(merged, r)
	}
	return merged
}

func (s *side) scanWith(ctx context.Context, both *plan, minus *side) (heatmap.Prefix, error) {
	defer s.countErrors()()
	defer minus.countErrors()()
	return s.x.scan(ctx, both, sidesAggregate{s, minus})
}

// sidesAggregate counts for two sides.
type sidesAggregate [2]*side

func (a sidesAggregate) event(ev *Event) error {
	for _, one := range a {
		if one.pl.keepsEvent(ev) {
			one.pl.tallyEvent(one.sum, ev, one.kinds)
		}
	}
	return nil
}

func (a sidesAggregate) merge(part aggregate) error {
	for i, one := range a {
		o := part.(sidesAggregate)[i]
		one.sum.merge(o.sum)
		if one.pl.where != nil {
			one.pl.where.errors += o.pl.where.errors
		}
	}
	return nil
}

func (a sidesAggregate) fresh() aggregate {
	var part sidesAggregate
	for i, one := range a {
		part[i] = &side{x: one.x, pl: one.pl.own(), kinds: one.kinds}
		part[i].sum = newSum(one.pl.selects(one.kinds...), one.kinds[0])
	}
	return part
}

// countErrors gives what adds to the totals how often the side's expression failed.
func (s *side) countErrors() func() {
	if s.pl.where == nil {
		return func() {}
	}
	before := s.pl.where.errors
	return func() { s.x.stats.whereErrors.Add(s.pl.where.errors - before) }
}

// pair reduces to the sums of two sides that keep the same layers, each of the periods that it asks for.
type pair [2]*side

func (p *pair) part(d *heatmap.Delta) any { return p[0].sum.part(d) }

func (p *pair) add(k heatmap.Key, part any) {
	for _, s := range p {
		if s.pl.covers(k.Period) {
			s.sum.add(k, part)
		}
	}
}

func (p *pair) blob(k heatmap.Key, blob []byte) error {
	for _, s := range p {
		if !s.pl.covers(k.Period) {
			continue
		}
		if err := s.sum.blob(k, blob); err != nil {
			return err
		}
	}
	return nil
}

func (p *pair) reset() {
	for _, s := range p {
		s.sum.reset()
	}
}

// answer is all of a side but its points. Its cell is the side on which the map is kept.
func (s *side) answer(ctx context.Context) (*heatmap.Heatmap, error) {
	kind := s.kinds[0]
	a := s.x.mapOf(s.pl, s.sum, s.prefix, kind)
	a.Cell = max(s.x.options.Rules.CellSize(), s.sum.cell())
	return a, s.x.complete(ctx, s.pl, s.sum, a, kind)
}
