package web

import (
	_ "embed"

	"github.com/valyala/fasthttp"
)

//go:embed root.html
var rootPage []byte

func (s *Server) root(ctx *fasthttp.RequestCtx) error {
	ctx.Response.Header.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	ctx.Response.Header.Set("Referrer-Policy", "no-referrer")
	writeBody(ctx, "text/html; charset=utf-8", rootPage)
	return nil
}

func (s *Server) healthz(ctx *fasthttp.RequestCtx) error {
	s.writeAnswer(ctx, func(o *object) { o.boolean("ok", true) })
	return nil
}

func (s *Server) readyz(ctx *fasthttp.RequestCtx) error {
	var reason error
	if s.o.Ready != nil {
		reason = s.o.Ready()
	}
	s.writeAnswer(ctx, func(o *object) {
		o.boolean("ready", reason == nil)
		if reason != nil {
			o.text("reason", reason.Error())
		}
		if s.o.Lag != nil {
			o.count("lag_hits", s.o.Lag())
		}
	})
	if reason != nil {
		ctx.SetStatusCode(fasthttp.StatusServiceUnavailable)
		ctx.Response.Header.Set("Retry-After", retryAfter)
	}
	return nil
}
