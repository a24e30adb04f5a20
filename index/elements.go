package index

import (
	"cmp"
	"context"

	"heatlog/heatmap"
)

// elementSum is a sum with anchors. Days lack the names of their elements, so the months that the days are of are read too,
// for the names alone.
//
// It has a sum and is none: what is kept of one has no anchors.
type elementSum struct {
	sum    sum
	counts func(heatmap.Period) bool // whether the hits of a period are asked for, or only its names
	names  elementNames
}

// elementNames are the names of elements.
type elementNames map[heatmap.ElementID]heatmap.ElementName

// add adds a name. An element was fixed if it was so at a click at least.
func (n elementNames) add(id heatmap.ElementID, name heatmap.ElementName) {
	name.Fixed = name.Fixed || n[id].Fixed
	n[id] = name
}

func newElementSum(pl *plan, kinds []heatmap.Kind) *elementSum {
	s := &elementSum{counts: pl.covers, names: make(elementNames)}
	s.sum.sel = pl.selects(kinds...)
	return s
}

func (s *elementSum) part(d *heatmap.Delta) any {
	part := new(heatmap.Delta)
	part.MergeSelected(d, s.sum.sel)
	return part
}

func (s *elementSum) add(k heatmap.Key, part any) {
	part.(*heatmap.Delta).Names(s.names.add)
	if s.counts(k.Period) {
		s.sum.add(k, part)
	}
}

func (s *elementSum) blob(k heatmap.Key, blob []byte) error {
	if k.Period.IsMonth() {
		if err := heatmap.BlobNames(blob, s.names.add); err != nil {
			return err
		}
	}
	if !s.counts(k.Period) {
		return nil
	}
	return s.sum.blob(k, blob)
}

func (s *elementSum) reset() {
	s.sum.daysSeen, s.sum.delta, s.sum.stored = daysSeen{}, heatmap.Delta{}, nil
	clear(s.names)
}

// withMonths gives the plan with the months of the days that it covers: with those that it covers whole they are one range.
func (pl *plan) withMonths() *plan {
	all := *pl
	months := PeriodRange{First: maxMonth}
	all.periods = []PeriodRange{{}}
	for _, r := range pl.periods {
		if r.First > r.Last {
			continue
		}
		first, last := r.First, r.Last
		if !r.First.IsMonth() {
			first, last = heatmap.MonthPeriod(r.First.First()), heatmap.MonthPeriod(r.Last.Last())
			all.periods = append(all.periods, r)
		}
		months.First, months.Last = min(months.First, first), max(months.Last, last)
	}
	all.periods[0] = months
	return &all
}

// Elements answers a query for the elements that the clicks of a kind were at. Cells tells where inside them too, and where
// on the page those without an anchor were. The error is a *heatmap.ParamError if the query cannot be answered as it was put.
func (x *Index) Elements(ctx context.Context, q heatmap.Query) (*heatmap.ElementList, error) {
	if q.Kind == heatmap.KindMove {
		return nil, errMoveElements()
	}
	if err := cmp.Or(checkKind(&q), refuseWindow(&q)); err != nil {
		return nil, err
	}
	pl, err := x.newPlan(ctx, q)
	if err != nil {
		return nil, err
	}
	t := newElementAggregate(pl, elementKinds...)
	s := t.elementSum
	var prefix heatmap.Prefix
	if pl.scan {
		prefix, err = x.scan(ctx, pl, t)
		s.sum.delta.Names(s.names.add)
	} else {
		prefix, err = x.reduce(ctx, pl.withMonths(), s)
	}
	if err != nil {
		return nil, err
	}
	a := s.list(pl, x.options.Rules.CellSize())
	a.Prefix = prefix
	if a.From, a.To, a.Dated, err = x.span(ctx, pl, &s.sum); err != nil {
		return nil, err
	}
	if a.Hits == 0 {
		a.Why, err = x.why(ctx, pl, q.Kind)
	}
	return a, err
}

// elementKinds are what is counted for a list of elements.
var elementKinds = []heatmap.Kind{heatmap.KindClick, heatmap.KindRage, heatmap.KindDead, heatmap.KindView}

func errMoveElements() error {
	return &heatmap.ParamError{Field: "kind", Message: "kind move has no elements: want click, rage or dead"}
}

// list makes the answer of what was summed.
func (s *elementSum) list(pl *plan, cell int) *heatmap.ElementList {
	layer, d := sumLayer(pl.query.Kind), &s.sum.delta
	a := &heatmap.ElementList{
		Page: pl.page, Scanned: pl.scan, Hits: d.Hits(layer), Views: d.Hits(sumLayer(heatmap.KindView)), InnerSize: d.InnerSize(),
		Visitors: d.Visitors(pl.query.Bots), Sampled: d.Sampled(pl.query.Bots),
	}
	a.Rest, a.Cell, a.RestPoints = d.Rest(layer, cell)
	if !pl.query.Cells {
		a.RestPoints = nil
	}
	rage, dead := hitsByElement(d, heatmap.KindRage), hitsByElement(d, heatmap.KindDead)
	others := d.Elements(layer, func(id heatmap.ElementID, cells []heatmap.InnerCount) {
		e := heatmap.ElementCount{ElementName: s.names[id], Rage: rage[id], Dead: dead[id]}
		for _, c := range cells {
			e.Hits += c.Hits
		}
		if e.Selector == "" {
			a.Unnamed += e.Hits
			return
		}
		if pl.query.Cells {
			e.Cells = append(e.Cells, cells...)
		}
		a.Elements = append(a.Elements, e)
	})
	a.Unnamed += others
	a.OtherHits = a.Unnamed
	a.Cut(pl.query.Limit)
	return a
}

// hitsByElement gives the hits of a kind at each element.
func hitsByElement(d *heatmap.Delta, kind heatmap.Kind) map[heatmap.ElementID]uint64 {
	hits := make(map[heatmap.ElementID]uint64)
	d.Elements(sumLayer(kind), func(id heatmap.ElementID, cells []heatmap.InnerCount) {
		for _, c := range cells {
			hits[id] += c.Hits
		}
	})
	return hits
}
