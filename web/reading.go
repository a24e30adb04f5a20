package web

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

func (s *Server) queryContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(s.base, s.o.QueryTimeout)
}

func (s *Server) heatmap(ctx *fasthttp.RequestCtx) error {
	start := s.o.Now()
	q, err := parseHeatmapQuery(ctx.URI().QueryString())
	if err != nil {
		return err
	}
	c, cancel := s.queryContext()
	defer cancel()
	if q.minus != nil {
		return s.difference(c, ctx, &q, start)
	}
	h, err := s.o.Reader.Heatmap(c, q.Query)
	if err != nil {
		return err
	}
	switch q.format {
	case formatPNG:
		return s.draw(c, ctx, h, q.picture)
	case formatField:
		return s.drawField(c, ctx, h, q.field)
	}
	free, err := placeOf(c, s.maps)
	if err != nil {
		return err
	}
	defer free()
	s.writeMap(ctx, &q, h, start)
	return nil
}

// writeMap makes the points of a heatmap the answer, thinned where there are more than were asked for.
func (s *Server) writeMap(ctx *fasthttp.RequestCtx, q *heatmapQuery, h *heatmap.Heatmap, start time.Time) {
	var thin *heatmap.Thinned
	if q.points > 0 && len(h.Points) > q.points {
		thin = s.thinned.thin(h.Points, h.Cell, q.points)
	}
	if q.format != formatCSV {
		s.writeObject(ctx, q.format, func(o *object) { heatmapMembers(o, &q.Query, h, thin, s.since(start)) })
		return
	}
	s.writeCSV(ctx, func(dst []byte) []byte {
		if thin != nil {
			return appendThinnedCSV(dst, thin.Points)
		}
		return appendCSV(dst, h.Points)
	})
	setShownHeaders(ctx, h)
	ctx.Response.Header.Set("Heatlog-Thinned", strconv.FormatBool(thin != nil))
	ctx.Response.Header.Set("Heatlog-Error", strconv.FormatFloat(errorOf(thin), 'f', -1, 64))
	ctx.Response.Header.Set("Heatlog-Max", strconv.FormatUint(h.Max(), 10))
}

// errorOf is how far points are from exact; nil are all cells.
func errorOf(thin *heatmap.Thinned) float64 {
	if thin == nil {
		return 0
	}
	return thin.Error
}

func (s *Server) scroll(ctx *fasthttp.RequestCtx) error {
	start := s.o.Now()
	q, err := parseScrollQuery(ctx.URI().QueryString())
	if err != nil {
		return err
	}
	c, cancel := s.queryContext()
	defer cancel()
	a, err := s.o.Reader.Scroll(c, q)
	if err != nil {
		return err
	}
	s.writeAnswer(ctx, func(o *object) { scrollMembers(o, &q, a, s.since(start)) })
	return nil
}

func (s *Server) pages(ctx *fasthttp.RequestCtx) error {
	start := s.o.Now()
	q, err := parsePagesQuery(ctx.URI().QueryString())
	if err != nil {
		return err
	}
	c, cancel := s.queryContext()
	defer cancel()
	a, err := s.o.Reader.Pages(c, q)
	if err != nil {
		return err
	}
	s.writeAnswer(ctx, func(o *object) { pagesMembers(o, &q, a, s.since(start)) })
	return nil
}

func (s *Server) since(start time.Time) time.Duration { return s.o.Now().Sub(start) }

func heatmapMembers(o *object, q *heatmap.Query, h *heatmap.Heatmap, thin *heatmap.Thinned, took time.Duration) {
	heatmapFacts(o, q, h, h.Max(), thin, cellsOf(h))
	if thin != nil {
		o.thinned("points", thin.Points)
	} else {
		o.points("points", h.Points)
	}
	sampledMember(o, h.Sampled)
	tail(o, &h.Prefix, h.Why, took)
}

// heatmapFacts writes what stands before the points.
func heatmapFacts(o *object, q *heatmap.Query, h *heatmap.Heatmap, most uint64, thin *heatmap.Thinned, cells int) {
	o.text("site", q.Site)
	o.text("url", h.Page)
	o.text("kind", q.Kind.String())
	o.day("from", h.From, h.Dated)
	o.day("to", h.To, h.Dated)
	o.count("cell", uint64(h.Cell))
	o.count("hits", h.Hits)
	o.count("visitors", h.Visitors)
	o.text("visitors_scope", "page")
	o.count("views", h.Views)
	o.count("max", most)
	o.boolean("thinned", thin != nil)
	o.float("error", errorOf(thin))
	o.count("cells", uint64(cells))
	o.count("noise_hits", h.Noise.Hits)
}

// cellsOf is the number of cells that have hits, those that noise left out too.
func cellsOf(h *heatmap.Heatmap) int { return len(h.Points) + h.Noise.Cells }

func scrollMembers(o *object, q *heatmap.Query, a *heatmap.Scroll, took time.Duration) {
	scrollHead(o, q, a)
	o.key("reach")
	o.dst = appendBands(o.dst, a.Reach, bandPlaces[0])
	o.key("attention_ms")
	o.dst = appendBands(o.dst, a.Attention, bandPlaces[1])
	scrollFold(o, a)
	sampledMember(o, a.Sampled)
	tail(o, &a.Prefix, a.Why, took)
}

// bandPlaces are the decimals of reach and of attention.
var bandPlaces = [2]int{6, 3}

// scrollHead writes what stands before the bands, scrollFold what stands behind them.
func scrollHead(o *object, q *heatmap.Query, a *heatmap.Scroll) {
	o.text("site", q.Site)
	o.text("url", a.Page)
	o.day("from", a.From, a.Dated)
	o.day("to", a.To, a.Dated)
	o.count("views", a.Views)
	o.count("band", heatmap.BandSize)
}

func scrollFold(o *object, a *heatmap.Scroll) {
	o.key("fold")
	o.open()
	o.number("average", a.FoldAverage, 3)
	o.number("p50", a.FoldP50, 1)
	o.close()
	o.count("visitors", a.Visitors)
	o.text("visitors_scope", "page")
}

func pagesMembers(o *object, q *heatmap.Query, a *heatmap.PageList, took time.Duration) {
	o.text("site", q.Site)
	o.key("pages")
	o.dst = append(o.dst, '[')
	for i := range a.Pages {
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		pageMembers(o, q, &a.Pages[i])
	}
	o.dst = append(o.dst, ']')
	pagesFacts(o, q, a)
	sampledMember(o, a.Sampled)
	tail(o, &a.Prefix, a.Why, took)
}

// pagesFacts writes what stands behind the pages.
func pagesFacts(o *object, q *heatmap.Query, a *heatmap.PageList) {
	windowMembers(o, q)
	o.count("total", uint64(a.Total))
	o.count("offset", uint64(q.Offset))
	o.key("next_offset")
	if next := q.Offset + len(a.Pages); len(a.Pages) > 0 && next < a.Total {
		o.dst = strconv.AppendInt(o.dst, int64(next), 10)
	} else {
		o.dst = append(o.dst, "null"...)
	}
	o.count("hits", a.Hits)
}

// windowMembers says of which window an answer is, if it is of one.
func windowMembers(o *object, q *heatmap.Query) {
	if q.Window > 0 {
		o.text("window", spanText(q.Window))
		o.text("every", spanText(q.Every))
	}
}

func pageMembers(o *object, q *heatmap.Query, p *heatmap.PageCount) {
	o.open()
	o.text("url", p.Page)
	pageCounts(o, q, p)
	o.close()
}

// pageCounts writes what was counted on a page. Its visitors are known in a window alone.
func pageCounts(o *object, q *heatmap.Query, p *heatmap.PageCount) {
	o.count("hits", p.Hits)
	o.count("views", p.Views)
	o.count("clicks", p.Clicks)
	o.count("scrolls", p.Scrolls)
	o.count("moves", p.Move)
	o.count("rage", p.Rage)
	o.count("dead", p.Dead)
	if q.Window > 0 {
		o.count("visitors", p.Visitors)
	}
	sampledMember(o, p.Sampled)
}

// sampledMember says that hits are from a share of page loads alone, if some are.
func sampledMember(o *object, s heatmap.Sampled) {
	if s.Hits == 0 {
		return
	}
	o.key("sampled")
	o.open()
	o.number("share", shareOf(s), 6)
	o.count("hits", s.Hits)
	o.close()
}

// shareOf gives the share of page loads, above 0 and below 1.
func shareOf(s heatmap.Sampled) float64 { return float64(s.Share) / heatmap.WholeShare }

// tail writes what every answer about hits ends with.
func tail(o *object, p *heatmap.Prefix, why *heatmap.Why, took time.Duration) {
	prefixMembers(o, p, why)
	o.number("took_ms", float64(took)/float64(time.Millisecond), 3)
}

// prefixMembers says of which part of the log an answer is, or one side of it.
func prefixMembers(o *object, p *heatmap.Prefix, why *heatmap.Why) {
	if why != nil {
		o.key("why")
		whyMembers(o, why)
	}
	o.text("generation", p.Generation)
	o.key("positions")
	positions(o, p.Positions)
	o.count("lag_hits", p.Lag)
	if len(p.KeptFrom) > 0 {
		o.key("kept_from")
		positions(o, p.KeptFrom)
	}
}

func positions(o *object, bySource map[string]uint64) {
	o.open()
	for _, source := range slices.Sorted(maps.Keys(bySource)) {
		o.count(source, bySource[source])
	}
	o.close()
}

func whyMembers(o *object, why *heatmap.Why) {
	o.open()
	o.text("reason", why.Reason)
	o.text("message", why.Message)
	switch why.Reason {
	case heatmap.WhyNoHitsForURL:
		o.texts("nearest", why.Nearest)
	case heatmap.WhyOutsideRange:
		o.day("from", why.From, true)
		o.day("to", why.To, true)
	case heatmap.WhyOtherWidth:
		o.ranges("widths", why.Widths)
	case heatmap.WhyOtherKind:
		o.texts("kinds", why.Kinds)
	case heatmap.WhyOtherDevice:
		o.texts("devices", why.Devices)
	}
	o.close()
}

func appendWidths(dst []byte, widths [][2]int) []byte {
	dst = append(dst, '[')
	for i, w := range widths {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '[')
		dst = strconv.AppendInt(dst, int64(w[0]), 10)
		dst = append(dst, ',')
		dst = strconv.AppendInt(dst, int64(w[1]), 10)
		dst = append(dst, ']')
	}
	return append(dst, ']')
}
