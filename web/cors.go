package web

import (
	"strings"

	"github.com/valyala/fasthttp"
)

// preflight answers what a browser asks before it sends an overlay token from a page of another origin. It does not say
// for which site that will be, so the origin of any site is good.
func (s *Server) preflight(ctx *fasthttp.RequestCtx) error {
	return s.allowFrom(ctx, "GET", "Authorization")
}

// allowFrom answers a preflight with the methods and headers that a route takes.
func (s *Server) allowFrom(ctx *fasthttp.RequestCtx, methods, headers string) error {
	origin := string(ctx.Request.Header.Peek("Origin"))
	if origin == "" || !s.listed("", origin) {
		return forbidden("origin_not_listed", "origin is "+shorten(origin)+", which is not listed for any site")
	}
	setHeaders(ctx, "text/plain; charset=utf-8")
	h := &ctx.Response.Header
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Allow-Headers", headers)
	h.Set("Access-Control-Max-Age", "600")
	ctx.SetStatusCode(fasthttp.StatusNoContent)
	return nil
}

// shareAnswer lets the page that sent an overlay token read the answer, errors too: one that has expired is told so. A
// session is for heatlog's own pages, and the admin token for no page at all.
func (s *Server) shareAnswer(ctx *fasthttp.RequestCtx, r *route) {
	if r == nil || !r.reading {
		return
	}
	h := &ctx.Response.Header
	vary := string(h.Peek("Vary"))
	h.Set("Vary", strings.TrimPrefix(vary+", Origin", ", "))
	origin := string(ctx.Request.Header.Peek("Origin"))
	token, ok := bearer(&ctx.Request.Header)
	if origin == "" || !ok || !strings.HasPrefix(token, overlayPrefix) {
		return
	}
	site, _ := s.overlays.open(token, s.o.Now()) // "" for a forged one
	if s.listed(site, origin) {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Expose-Headers", "*") // what a picture says beside its pixels
	}
}
