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
	free, err := s.drawing(c)
	if err != nil {
		return err
	}
	defer free()
	if err := heatmap.DrawPNG(ctx.Response.BodyWriter(), h.Points, h.Cell, o); err != nil {
		return badPicture(err)
	}
	setHeaders(ctx, "image/png")
	setMapHeaders(ctx, "Heatlog-", h)
	ctx.Response.Header.Set("Heatlog-Max", strconv.FormatUint(h.Max(), 10))
	ctx.Response.Header.Set("Heatlog-Noise-Hits", strconv.FormatUint(h.Noise.Hits, 10))
	return nil
}

// drawing waits for a place to draw in, and gives what frees it.
func (s *Server) drawing(c context.Context) (free func(), err error) {
	select {
	case s.pictures <- struct{}{}:
		return func() { <-s.pictures }, nil
	case <-c.Done():
		return nil, c.Err()
	}
}

// badPicture is the answer to options that cannot be drawn: memory takes every byte, so it is them.
func badPicture(err error) error {
	return badParam("height", err.Error()+"; give width and height of the part of the page that you need")
}

// setMapHeaders says in headers what JSON says beside the points of a map, or of one side of a difference.
func setMapHeaders(ctx *fasthttp.RequestCtx, prefix string, h *heatmap.Heatmap) {
	header := &ctx.Response.Header
	header.Set(prefix+"Hits", strconv.FormatUint(h.Hits, 10))
	header.Set(prefix+"Generation", h.Generation)
	header.Set(prefix+"Positions", positionsText(h.Positions))
	if len(h.KeptFrom) > 0 {
		header.Set(prefix+"Kept-From", positionsText(h.KeptFrom))
	}
	if h.Sampled.Hits > 0 {
		header.Set(prefix+"Sampled-Share", strconv.FormatFloat(shareOf(h.Sampled), 'f', -1, 64))
		header.Set(prefix+"Sampled-Hits", strconv.FormatUint(h.Sampled.Hits, 10))
	}
	if h.Why != nil {
		header.Set(prefix+"Why", h.Why.Reason)
	}
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
