package web

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// minRadius is the least radius= of a picture, page px: below a cell's side heat would be dots.
const minRadius = heatmap.CellSize

// maxPictures is how many pictures are drawn at a time: a large one takes up to 70 MB while it is.
const maxPictures = 2

// drawParams are the parameters of pictures, and the formats that they go with.
var drawParams = []struct {
	name    string
	formats []string
}{
	{"width", []string{formatPNG, formatField}},
	{"height", []string{formatPNG}},
	{"radius", []string{formatPNG, formatField}},
	{"step", []string{formatField}},
	{"y0", []string{formatField}},
	{"y1", []string{formatField}},
}

// pictureOf reads how a heatmap is drawn; 0 is heatmap's default of each.
func pictureOf(p *params, format string) (heatmap.DrawOptions, heatmap.FieldOptions) {
	for _, d := range drawParams {
		if p.has(d.name) && !slices.Contains(d.formats, format) {
			p.refuse(d.name, d.name+" goes with format="+strings.Join(d.formats, " and format=")+" alone")
		}
	}
	const most = heatmap.MaxCoordinate + 1
	o := heatmap.DrawOptions{Width: p.integer("width", 1, most, 0), Height: p.integer("height", 1, most, 0), Radius: p.integer("radius", minRadius, heatmap.MaxRadius, 0)}
	f := heatmap.FieldOptions{Width: o.Width, Radius: o.Radius, Top: p.integer("y0", 0, most-1, 0), Bottom: p.integer("y1", 1, most, 0)}
	f.Step, _ = strconv.Atoi(p.oneOf("step", "4", "4", "8"))
	if f.Bottom > 0 && f.Bottom <= f.Top {
		p.refuse("y1", fmt.Sprintf("y1 is %d, want more than y0, which is %d", f.Bottom, f.Top))
	}
	return o, f
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
	setHeaders(ctx, pngType)
	setShownHeaders(ctx, h)
	ctx.Response.Header.Set("Heatlog-Max", strconv.FormatUint(h.Max(), 10))
	return nil
}

// drawField makes samples of the heat the answer.
func (s *Server) drawField(c context.Context, ctx *fasthttp.RequestCtx, h *heatmap.Heatmap, o heatmap.FieldOptions) error {
	free, err := s.drawing(c)
	if err != nil {
		return err
	}
	defer free()
	top, err := heatmap.DrawField(ctx.Response.BodyWriter(), h.Points, h.Cell, o)
	if err != nil {
		return badParam("y1", err.Error()+"; give width, y0 and y1 of the part of the page that you need")
	}
	setHeaders(ctx, pngType)
	setShownHeaders(ctx, h)
	ctx.Response.Header.Set("Heatlog-Max", strconv.FormatFloat(top, 'f', -1, 64))
	return nil
}

const pngType = "image/png"

// setShownHeaders says in headers what JSON says beside the points of a heatmap.
func setShownHeaders(ctx *fasthttp.RequestCtx, h *heatmap.Heatmap) {
	setMapHeaders(ctx, "Heatlog-", h)
	header := &ctx.Response.Header
	header.Set("Heatlog-Cell", strconv.Itoa(h.Cell))
	header.Set("Heatlog-Cells", strconv.Itoa(cellsOf(h)))
	header.Set("Heatlog-Noise-Hits", strconv.FormatUint(h.Noise.Hits, 10))
}

// drawing waits for a place to draw in, and gives what frees it.
func (s *Server) drawing(c context.Context) (free func(), err error) { return placeOf(c, s.pictures) }

// placeOf waits for one of the places, and gives what frees it. Who comes first is first.
func placeOf(c context.Context, places chan struct{}) (free func(), err error) {
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
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
	header.Set(prefix+"Visitors", strconv.FormatUint(h.Visitors, 10))
	header.Set(prefix+"Views", strconv.FormatUint(h.Views, 10))
	if h.Dated {
		header.Set(prefix+"From", h.From.String())
		header.Set(prefix+"To", h.To.String())
	}
	header.Set(prefix+"Lag-Hits", strconv.FormatUint(h.Lag, 10))
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
