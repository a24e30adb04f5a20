package web

import (
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// Limits of a list of elements.
const (
	maxElements     = 10_000
	defaultElements = 200
)

func parseElementsQuery(query []byte) (heatmap.Query, error) {
	p := parseParams(query, withCommon("kind", "limit", "cells")...)
	q := commonQuery(p)
	q.URL = neededURL(p)
	q.Kind, _ = heatmap.ParseKind(p.oneOf("kind", "click", "click", "rage", "dead"))
	q.Limit = p.integer("limit", 0, maxElements, defaultElements)
	cells := p.oneOf("cells", "0", "0", "1", "false", "true")
	q.Cells = cells == "1" || cells == "true"
	return q, p.err
}

func (s *Server) elements(ctx *fasthttp.RequestCtx) error {
	start := s.o.Now()
	q, err := parseElementsQuery(ctx.URI().QueryString())
	if err != nil {
		return err
	}
	c, cancel := s.queryContext()
	defer cancel()
	a, err := s.o.Reader.Elements(c, q)
	if err != nil {
		return err
	}
	s.writeAnswer(ctx, func(o *object) { elementsMembers(o, &q, a, s.since(start)) })
	return nil
}

func elementsMembers(o *object, q *heatmap.Query, a *heatmap.ElementList, took time.Duration) {
	elementsHead(o, q, a)
	o.key("elements")
	o.dst = append(o.dst, '[')
	for i := range a.Elements {
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		elementMembers(o, &a.Elements[i], a.Hits, q.Cells)
	}
	o.dst = append(o.dst, ']')
	othersMember(o, a)
	restMember(o, a.Rest, a.Cell, a.RestPoints, q.Cells)
	if q.Cells {
		o.count("inner_cell", uint64(a.InnerSize))
	}
	sampledMember(o, a.Sampled)
	tail(o, &a.Prefix, a.Why, took)
}

// elementsHead writes what stands before the elements.
func elementsHead(o *object, q *heatmap.Query, a *heatmap.ElementList) {
	o.text("site", q.Site)
	o.text("url", a.Page)
	o.text("kind", q.Kind.String())
	o.day("from", a.From, a.Dated)
	o.day("to", a.To, a.Dated)
	o.count("hits", a.Hits)
	o.count("anchored", a.Anchored())
	o.count("visitors", a.Visitors)
	o.text("visitors_scope", "page")
	o.count("views", a.Views)
}

// othersMember says how many elements are not listed, and what was at them.
func othersMember(o *object, a *heatmap.ElementList) {
	o.key("others")
	o.open()
	o.count("elements", uint64(a.OtherElements))
	o.count("hits", a.OtherHits)
	o.count("unnamed", a.Unnamed)
	o.close()
}

// restMember says what was at no element, and with cells where that was.
func restMember(o *object, hits uint64, cell int, points []heatmap.Point, cells bool) {
	o.key("rest")
	o.open()
	o.count("hits", hits)
	if cells {
		o.count("cell", uint64(cell))
		o.points("points", points)
	}
	o.close()
}

func elementMembers(o *object, e *heatmap.ElementCount, all uint64, cells bool) {
	o.open()
	elementKey(o, e)
	elementCounts(o, e, all, cells)
	o.close()
}

// elementKey writes what tells an element from others.
func elementKey(o *object, e *heatmap.ElementCount) {
	o.text("sel", e.Selector)
	if e.HasCheck {
		o.count("check", uint64(e.Check))
	}
	o.boolean("fixed", e.Fixed)
}

// elementCounts writes what was counted at an element; all are the hits that its share is of, 0 leaves the share out.
func elementCounts(o *object, e *heatmap.ElementCount, all uint64, cells bool) {
	o.count("hits", e.Hits)
	if all > 0 {
		o.number("share", float64(e.Hits)/float64(all), 4)
	}
	o.count("rage", e.Rage)
	o.count("dead", e.Dead)
	if cells {
		o.key("cells")
		o.dst = appendInner(o.dst, e.Cells)
	}
}

// appendInner appends cells as [[x,y,hits],…], the place being the middle of the cell as parts of the element's width and
// height.
func appendInner(dst []byte, cells []heatmap.InnerCount) []byte {
	dst = append(dst, '[')
	for i, c := range cells {
		if i > 0 {
			dst = append(dst, ',')
		}
		x, y := c.Cell.Centre()
		dst = append(dst, '[')
		dst = append(appendFloat(dst, x, 4), ',')
		dst = append(appendFloat(dst, y, 4), ',')
		dst = strconv.AppendUint(dst, c.Hits, 10)
		dst = append(dst, ']')
	}
	return append(dst, ']')
}
