package web

import (
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"
)

const jsonType = "application/json; charset=utf-8"

// minCompress is the smallest body that is worth compressing: one that fits in a TCP segment is sent as it is, bytes.
const minCompress = 1400

// maxScratch is the largest memory of an answer that is kept for the next one, bytes.
const maxScratch = 4 << 20

// writeAnswer makes a JSON object the answer.
func (s *Server) writeAnswer(ctx *fasthttp.RequestCtx, members func(*object)) {
	s.writeObject(ctx, formatJSON, members)
}

// writeObject makes an object the answer, as JSON or MessagePack.
func (s *Server) writeObject(ctx *fasthttp.RequestCtx, format string, members func(*object)) {
	packed, contentType := format == formatPacked, jsonType
	if packed {
		contentType = packType
	}
	s.writeWith(ctx, contentType, func(dst []byte) []byte {
		o := object{dst: dst, packed: packed}
		o.open()
		members(&o)
		o.close()
		if !packed {
			o.dst = append(o.dst, '\n')
		}
		return o.dst
	})
}

// writeCSV makes lines the answer.
func (s *Server) writeCSV(ctx *fasthttp.RequestCtx, lines func(dst []byte) []byte) {
	s.writeWith(ctx, csvType, lines)
}

// writeWith makes what fill appends the answer.
func (s *Server) writeWith(ctx *fasthttp.RequestCtx, contentType string, fill func(dst []byte) []byte) {
	scratch, _ := s.scratch.Get().(*[]byte)
	if scratch == nil {
		scratch = new([]byte)
	}
	*scratch = fill((*scratch)[:0])
	writeBody(ctx, contentType, *scratch)
	if cap(*scratch) <= maxScratch {
		s.scratch.Put(scratch)
	}
}

// writeBody makes a copy of body the answer, compressed if its client takes gzip and it is worth it. Only gzip is
// offered: every client has it, and at its fastest level it costs less than the sending that it saves.
func writeBody(ctx *fasthttp.RequestCtx, contentType string, body []byte) {
	setHeaders(ctx, contentType)
	ctx.Response.Header.Set("Vary", "Accept-Encoding")
	if len(body) < minCompress || !acceptsGzip(&ctx.Request.Header) {
		ctx.SetBody(body)
		return
	}
	packed := ctx.Response.SwapBody(nil)[:0]
	ctx.Response.SwapBody(fasthttp.AppendGzipBytesLevel(packed, body, fasthttp.CompressBestSpeed))
	ctx.Response.Header.Set("Content-Encoding", "gzip")
}

// setHeaders sets what every answer has.
func setHeaders(ctx *fasthttp.RequestCtx, contentType string) {
	ctx.SetContentType(contentType)
	ctx.Response.Header.Set("X-Content-Type-Options", "nosniff")
	ctx.Response.Header.Set("Cross-Origin-Resource-Policy", "same-origin")
	ctx.Response.Header.Set("Cache-Control", "no-store")
}

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3): gzip or x-gzip by name, else *, with a weight that is not 0.
func acceptsGzip(h *fasthttp.RequestHeader) bool {
	star := false
	for _, line := range h.PeekAll("Accept-Encoding") {
		for item := range strings.SplitSeq(string(line), ",") {
			name, weight, _ := strings.Cut(item, ";")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "gzip", "x-gzip":
				return wanted(weight)
			case "*":
				star = wanted(weight)
			}
		}
	}
	return star
}

// wanted reports whether a weight such as "q=0.5" is not 0; none is 1, a broken one is 0.
func wanted(weight string) bool {
	weight = strings.TrimSpace(weight)
	if weight == "" {
		return true
	}
	name, value, _ := strings.Cut(weight, "=")
	q, err := strconv.ParseFloat(value, 64)
	return strings.EqualFold(name, "q") && err == nil && q > 0 && q <= 1
}
