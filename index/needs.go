package index

import (
	"fmt"
	"slices"

	"heatlog/heatmap"
	"heatlog/journal"
)

// needy is an aggregate that says what it looks at of an event: fields of the hit, and the kinds that it counts, derived ones
// among them. One that does not say looks at everything.
type needy interface {
	needs() (journal.Fields, []heatmap.Kind)
}

// Fields of a hit that are needed for something.
const (
	nameFields     = journal.FieldBatch | journal.FieldID | journal.FieldSite | journal.FieldView | journal.FieldAgent // to tell repeats
	describeFields = journal.FieldTime | journal.FieldSite | journal.FieldURL | journal.FieldAgent | journal.FieldVisitor
	derivedFields  = journal.FieldView | journal.FieldFlags | journal.FieldPlace
	elementFields  = journal.FieldPlace | journal.FieldFlags | journal.FieldSelector | journal.FieldBox | journal.FieldCheck | journal.FieldAnchor
	scrollFields   = journal.FieldPlace | journal.FieldViewport | journal.FieldDepth | journal.FieldDwell
)

// needs finds out what a scan must read of hits, and whether it must derive.
func (s *scanning) needs() {
	rules := s.index.options.Rules
	s.derives, s.fields = true, journal.AllFields
	if a, ok := s.aggregate.(needy); ok {
		fields, kinds := a.needs()
		s.fields = fields | nameFields | describeFields | rules.needs() | s.plan.needs()
		s.derives = rules.repeat.window > 0 || slices.Contains(kinds, heatmap.KindRage) || rules.dead.fromLog && slices.Contains(kinds, heatmap.KindDead)
	}
	if s.names = nameFields; s.derives {
		s.fields |= derivedFields
		s.names = s.fields
	}
}

// needs gives the fields that the rules look at to name pages and to leave hits out.
func (r *Rules) needs() (fields journal.Fields) {
	if r.sampled || len(r.internal) > 0 {
		fields = journal.FieldTags
	}
	for _, x := range slices.Concat(r.exclude, r.include) {
		fields |= x.fields()
	}
	return fields
}

// needs gives the fields that the filters of the plan look at.
func (pl *plan) needs() (fields journal.Fields) {
	if pl.query.Width.Set {
		fields = journal.FieldViewport
	}
	if pl.where != nil {
		fields |= pl.where.expr.fields()
	}
	return fields
}

// kindFields are the fields that counting kinds takes, on the page alone.
func kindFields(kinds []heatmap.Kind) (fields journal.Fields) {
	for _, kind := range kinds {
		switch kind {
		case heatmap.KindClick, heatmap.KindDead, heatmap.KindRage:
			fields |= journal.FieldPlace | journal.FieldFlags
		case heatmap.KindMove:
			fields |= journal.FieldPlace
		case heatmap.KindScroll:
			fields |= scrollFields
		}
	}
	return fields
}

func (a *sumAggregate) needs() (journal.Fields, []heatmap.Kind) { return kindFields(a.kinds), a.kinds }

func (a *elementAggregate) needs() (journal.Fields, []heatmap.Kind) {
	return kindFields(a.kinds) | elementFields, a.kinds
}

// listedKinds are those that lists and trends count apart.
func listedKinds() []heatmap.Kind {
	return []heatmap.Kind{heatmap.KindView, heatmap.KindClick, heatmap.KindScroll, heatmap.KindMove, heatmap.KindRage, heatmap.KindDead}
}

func (a pagesAggregate) needs() (journal.Fields, []heatmap.Kind) {
	return journal.FieldFlags, listedKinds()
}

func (a trendAggregate) needs() (journal.Fields, []heatmap.Kind) {
	return journal.FieldFlags, listedKinds()
}

func (c *windowPages) needs() (journal.Fields, []heatmap.Kind) {
	return journal.FieldFlags, listedKinds()
}

func (t *windowTrend) needs() (journal.Fields, []heatmap.Kind) {
	return journal.FieldFlags, listedKinds()
}

func (a sidesAggregate) needs() (journal.Fields, []heatmap.Kind) {
	return kindFields(a[0].kinds) | a[0].pl.needs() | a[1].pl.needs(), a[0].kinds
}

func (t *timeline) needs() (journal.Fields, []heatmap.Kind) {
	kinds := []heatmap.Kind{t.kind}
	return kindFields(kinds), kinds
}

// bounded is an aggregate whose memory nothing bounds but the number of its rows.
type bounded interface {
	rows() (n int, what string)
}

func (a pagesAggregate) rows() (int, string) { return len(a.pages), "pages" }

// checkRows refuses an aggregate with more than limit rows.
func checkRows(a aggregate, limit int) error {
	b, ok := a.(bounded)
	if !ok {
		return nil
	}
	if n, what := b.rows(); n > limit {
		return &heatmap.ParamError{Field: "url", Message: fmt.Sprintf(
			"the answer has more than %d %s: narrow it with url, from and to, or where", limit, what)}
	}
	return nil
}
