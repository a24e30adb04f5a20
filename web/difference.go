package web

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// DifferenceFunc answers a query for how its map differs from that of minus, which differs from it in From, To, Where and
// Generation alone. The field of a *heatmap.ParamError begins with minus_ if it is about one of these of minus.
type DifferenceFunc func(ctx context.Context, q, minus heatmap.Query) (*heatmap.Difference, error)

// minusParams name what the other side of a difference map has in place of the parameters without minus_.
var minusParams = [...]string{"minus_from", "minus_to", "minus_where", "minus_generation"}

// minusOf reads the other side of a difference map: the same query but for what minus_… gives. One bound replaces both:
// what is before a day is asked for by minus_to alone. nil where there is none.
func minusOf(p *params, q heatmap.Query) *heatmap.Query {
	given := slices.DeleteFunc(slices.Clone(minusParams[:]), func(name string) bool { return !p.has(name) })
	if len(given) == 0 {
		return nil
	}
	if p.text("format") == formatField {
		p.refuse("format", "format=field does not go with "+given[0]+": a field has no place for less; format=png draws it")
	}
	if p.has("noise") {
		p.refuse("noise", "noise does not go with "+given[0]+": what is lone on one side may be a spot of the other")
	}
	m := q
	if p.has("minus_from") || p.has("minus_to") {
		m.From, m.To = boundsOf(p, "minus_from", "minus_to")
		m.Last = 0
	}
	if p.has("minus_where") {
		m.Where = p.text("minus_where")
	}
	if p.has("minus_generation") {
		m.Generation = p.text("minus_generation")
	}
	return &m
}

func (s *Server) difference(c context.Context, ctx *fasthttp.RequestCtx, q *heatmapQuery, start time.Time) error {
	if s.o.Difference == nil {
		return badParam("minus_generation", "this server gives no difference maps")
	}
	d, err := s.o.Difference(c, q.Query, *q.minus)
	if err != nil {
		return err
	}
	if q.points > 0 && len(d.Points) > q.points {
		return badParam("limit", fmt.Sprintf("limit is %d, the difference map has %d cells, which are never merged: limit=0 gives all", q.points, len(d.Points)))
	}
	switch q.format {
	case formatPNG:
		return s.drawDifference(c, ctx, d, q.picture)
	case formatCSV:
		s.writeCSV(ctx, func(dst []byte) []byte { return appendChangesCSV(dst, d.Points) })
		setDifferenceHeaders(ctx, d)
	default:
		s.writeObject(ctx, q.format, func(o *object) { differenceMembers(o, &q.Query, d, s.since(start)) })
	}
	return nil
}

func differenceMembers(o *object, q *heatmap.Query, d *heatmap.Difference, took time.Duration) {
	o.text("site", q.Site)
	o.text("kind", q.Kind.String())
	o.boolean("difference", true)
	sideMembers(o, d.Shown)
	o.count("cell", uint64(d.Cell))
	o.float("max", d.Max())
	o.float("moved", d.Moved())
	o.boolean("thinned", false)
	o.count("cells", uint64(len(d.Points)))
	o.changes("points", d.Points)
	o.key("minus")
	o.open()
	sideMembers(o, d.Minus)
	o.count("kept_cell", uint64(d.Minus.Cell))
	prefixMembers(o, &d.Minus.Prefix, d.Minus.Why)
	o.close()
	o.count("kept_cell", uint64(d.Shown.Cell))
	tail(o, &d.Shown.Prefix, d.Shown.Why, took)
}

// sideMembers are those that both sides of a difference map have.
func sideMembers(o *object, h *heatmap.Heatmap) {
	o.text("url", h.Page)
	o.day("from", h.From, h.Dated)
	o.day("to", h.To, h.Dated)
	o.count("hits", h.Hits)
	o.count("visitors", h.Visitors)
	o.text("visitors_scope", "page")
	o.count("views", h.Views)
	sampledMember(o, h.Sampled)
}

// drawDifference makes a picture of a difference map the answer. Headers that begin with Heatlog-Minus are of the other side.
func (s *Server) drawDifference(c context.Context, ctx *fasthttp.RequestCtx, d *heatmap.Difference, o heatmap.DrawOptions) error {
	free, err := s.drawing(c)
	if err != nil {
		return err
	}
	defer free()
	if err := heatmap.DrawDifferencePNG(ctx.Response.BodyWriter(), d.Points, d.Cell, o); err != nil {
		return badPicture(err)
	}
	setHeaders(ctx, pngType)
	setDifferenceHeaders(ctx, d)
	return nil
}

func setDifferenceHeaders(ctx *fasthttp.RequestCtx, d *heatmap.Difference) {
	setMapHeaders(ctx, "Heatlog-", d.Shown)
	setMapHeaders(ctx, "Heatlog-Minus-", d.Minus)
	header := &ctx.Response.Header
	header.Set("Heatlog-Max", strconv.FormatFloat(d.Max(), 'f', -1, 64))
	header.Set("Heatlog-Moved", strconv.FormatFloat(d.Moved(), 'f', -1, 64))
	header.Set("Heatlog-Cell", strconv.Itoa(d.Cell))
	header.Set("Heatlog-Cells", strconv.Itoa(len(d.Points)))
}
