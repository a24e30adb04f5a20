package web

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// minRadius is the least radius= of a picture, page px: below a cell's side heat would be dots.
const minRadius = heatmap.CellSize

// maxPictures is how many pictures are drawn at a time: a large one takes up to 70 MB while it is.
const maxPictures = 2

// pictureOf reads how a heatmap is drawn; 0 is heatmap's default of each.
func pictureOf(p *params, format string) heatmap.DrawOptions {
	for _, name := range []string{"width", "height", "radius"} {
		if p.has(name) && format != "png" {
			p.refuse(name, name+" goes with format=png alone")
		}
	}
	o := heatmap.DrawOptions{
		Width:  p.integer("width", 1, heatmap.MaxCoordinate+1, 0),
		Height: p.integer("height", 1, heatmap.MaxCoordinate+1, 0),
		Radius: p.integer("radius", minRadius, heatmap.MaxRadius, 0),
	}
	return o
}

// draw makes a picture the answer. What JSON says beside the points stands in headers.
func (s *Server) draw(c context.Context, ctx *fasthttp.RequestCtx, h *heatmap.Heatmap, o heatmap.DrawOptions) error {
	select {
	case s.pictures <- struct{}{}:
		defer func() { <-s.pictures }()
	case <-c.Done():
		return c.Err()
	}
	if err := heatmap.DrawPNG(ctx.Response.BodyWriter(), h.Points, h.Cell, o); err != nil { // memory takes every byte: it is o
		return badParam("height", err.Error()+"; give width and height of the part of the page that you need")
	}
	setHeaders(ctx, "image/png")
	header := &ctx.Response.Header
	header.Set("Heatlog-Hits", strconv.FormatUint(h.Hits, 10))
	header.Set("Heatlog-Max", strconv.FormatUint(h.Max(), 10))
	header.Set("Heatlog-Noise-Hits", strconv.FormatUint(h.Noise.Hits, 10))
	header.Set("Heatlog-Generation", h.Generation)
	header.Set("Heatlog-Positions", positionsText(h.Positions))
	if len(h.KeptFrom) > 0 {
		header.Set("Heatlog-Kept-From", positionsText(h.KeptFrom))
	}
	if h.Why != nil {
		header.Set("Heatlog-Why", h.Why.Reason)
	}
	return nil
}

// positionsText writes positions as the parameter of that name takes them.
func positionsText(positions map[string]uint64) string {
	var dst []byte
	for _, source := range slices.Sorted(maps.Keys(positions)) {
		if len(dst) > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, source...), ':')
		dst = strconv.AppendUint(dst, positions[source], 10)
	}
	return string(dst)
}
