package web

import "github.com/valyala/fasthttp"

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
