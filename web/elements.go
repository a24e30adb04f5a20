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
	o.key("elements")
	o.dst = append(o.dst, '[')
	for i := range a.Elements {
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		elementMembers(o, &a.Elements[i], a.Hits, q.Cells)
	}
	o.dst = append(o.dst, ']')
	o.key("others")
	o.open()
	o.count("elements", uint64(a.OtherElements))
	o.count("hits", a.OtherHits)
	o.count("unnamed", a.Unnamed)
	o.close()
	o.key("rest")
	o.open()
	o.count("hits", a.Rest)
	if q.Cells {
		o.count("cell", uint64(a.Cell))
		o.points("points", a.RestPoints)
	}
	o.close()
	if q.Cells {
		o.count("inner_cell", uint64(a.InnerSize))
	}
	sampledMember(o, a.Sampled)
	tail(o, &a.Prefix, a.Why, took)
}

func elementMembers(o *object, e *heatmap.ElementCount, all uint64, cells bool) {
	o.open()
	o.text("sel", e.Selector)
	if e.HasCheck {
		o.count("check", uint64(e.Check))
	}
	o.boolean("fixed", e.Fixed)
	o.count("hits", e.Hits)
	o.number("share", float64(e.Hits)/float64(all), 4)
	o.count("rage", e.Rage)
	o.count("dead", e.Dead)
	if cells {
		o.key("cells")
		o.dst = appendInner(o.dst, e.Cells)
	}
	o.close()
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
