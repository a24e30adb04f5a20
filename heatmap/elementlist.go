package heatmap

import (
	"cmp"
	"slices"
)

// ElementCount is an element with its hits, under a query's filters.
type ElementCount struct {
	ElementName
	Hits       uint64       // of the kind that was asked for
	Rage, Dead uint64       // hits of these kinds
	Cells      []InnerCount // of Hits, inside the element, in ascending order; nil unless Query.Cells
}

// ElementList answers a Query for the elements that clicks were at: those with most hits first, then by selector and check.
// Hits are those of Elements, of OtherHits and of Rest.
type ElementList struct {
	Prefix
	Page          string
	Elements      []ElementCount
	Hits          uint64  // of the kind
	OtherElements int     // that Query.Limit left out
	OtherHits     uint64  // at these, and at elements that were counted without their names: see Unnamed
	Unnamed       uint64  // of OtherHits, those of elements whose names are not kept, because a page has too many
	InnerSize     int     // side of the cells inside elements at most, px, where elements had up to 4,096 px
	Rest          uint64  // hits that have no anchor
	RestPoints    []Point // where these were, heaviest first, then by Y, then by X; nil unless Query.Cells
	Cell          int     // side of the cells of RestPoints, px
	Views         uint64  // view hits under the same filters
	Visitors      uint64  // distinct, whatever the kind, width and device
	Sampled       Sampled // as in Heatmap
	From, To      Date
	Dated         bool
	Scanned       bool
	Why           *Why // set if Hits is 0
}

// Anchored is the number of hits that were at an element.
func (l *ElementList) Anchored() uint64 { return l.Hits - l.Rest }

// Cut orders the elements and leaves out those beyond the first limit, 0 for none.
func (l *ElementList) Cut(limit int) {
	slices.SortFunc(l.Elements, func(a, b ElementCount) int {
		return cmp.Or(cmp.Compare(b.Hits, a.Hits), a.compare(&b.ElementName))
	})
	if limit == 0 || len(l.Elements) <= limit {
		return
	}
	for _, e := range l.Elements[limit:] {
		l.OtherElements++
		l.OtherHits += e.Hits
	}
	l.Elements = l.Elements[:limit]
}
