package web

import (
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// A handler writes an answer or returns an error, of which fail makes the answer.
type handler func(ctx *fasthttp.RequestCtx) error

// A route is what one path does. HEAD is in methods where GET is.
type route struct {
	methods map[string]handler
	open    bool   // needs no token
	anyone  string // the method that needs no token where the others do, "" = none
	reading bool   // takes overlay tokens, and answers pages of other origins that have one

	checksSite bool // the handler checks which site an overlay token is for: it is not in the query string
	body       int  // bytes of a request's body that are read; 0 = the handler keeps its own limit
}

// maxDiscard is how much of a body that no handler wants is read so that the connection can be used again, bytes.
const maxDiscard = 64 << 10

func (s *Server) makeRoutes() map[string]*route {
	routes := map[string]*route{
		"/healthz":    get(s.healthz).public(),
		"/readyz":     get(s.readyz).public(),
		"/signin":     (&route{body: maxDiscard}).with("GET", s.signIn).public(),
		"/v1/session": get(strictly(s.getSession)).with("POST", strictly(s.postSession)).with("DELETE", strictly(s.deleteSession)).but("POST"),

		"/v1/openapi.json": get(strictly(openAPIFile().serve)).public(),
	}
	for path, f := range embeddedFiles() {
		routes[path] = get(f.serve).public()
	}
	if f := embeddedFiles()["/"]; f != nil {
		routes["/"] = get(s.serveApp(f)).public()
	}
	if routes["/demo/"] != nil {
		routes["/demo"] = get(demoRedirect).public()
	}
	if s.o.Reader != nil {
		routes["/v1/heatmap"] = s.readOrAskLive(heatmap.AskHeatmap, s.heatmap)
		routes["/v1/elements"] = s.readOrAskLive(heatmap.AskElements, s.elements)
		routes["/v1/scroll"] = s.readOrAskLive(heatmap.AskScroll, s.scroll)
		routes["/v1/pages"] = s.readOrAskLive(heatmap.AskPages, s.pages)
		routes["/v1/trend"] = s.readOrAskLive(heatmap.AskTrend, s.trend)
	}
	if s.o.Timeline != nil {
		routes["/v1/timeline"] = s.read(s.timeline)
	}
	if s.o.Export != nil && s.o.AppendLine != nil {
		routes["/v1/export"] = get(s.export)
	}
	if s.o.Sites != nil {
		routes["/v1/sites"] = get(s.listSites).with("POST", s.putSite)
		routes["/v1/sites"].body = maxSiteBody
		routes["/v1/overlay-links"] = (&route{body: maxLinkBody}).with("POST", strictly(s.postOverlayLink))
	}
	maps.Copy(routes, s.generationRoutes())
	maps.Copy(routes, s.liveRoutes())
	if s.o.Bots != nil {
		routes["/v1/bots"] = get(s.bots)
	}
	if s.o.Schema != "" {
		routes["/v1/rules-schema.json"] = get(strictly(schemaFile(s.o.Schema).serve)).public()
	}
	if s.o.Demo != nil {
		routes["/v1/demo"] = (&route{body: maxDiscard}).with("POST", strictly(s.runDemo))
	}
	if s.o.Metrics != nil {
		routes["/metrics"] = get(given(s.o.Metrics))
	}
	if s.o.Import != nil {
		routes[importPath] = (&route{}).with("POST", s.long(s.o.Import))
	}
	if s.o.In != nil {
		routes["/v1/in"] = (&route{}).with("POST", given(s.o.In)).with("OPTIONS", given(s.o.In)).public()
	}
	return routes
}

func get(h handler) *route {
	r := &route{body: maxDiscard}
	return r.with("GET", h).with("HEAD", h)
}

// read is a route that overlays ask from the pages that they lie on.
func (s *Server) read(h handler) *route {
	r := get(h).with("OPTIONS", s.preflight).but("OPTIONS")
	r.reading = true
	return r
}

func (r *route) with(method string, h handler) *route {
	if r.methods == nil {
		r.methods = map[string]handler{}
	}
	r.methods[method] = h
	return r
}

func (r *route) public() *route {
	r.open = true
	return r
}

// but lets anyone have one method of a route whose others need a token.
func (r *route) but(method string) *route {
	r.anyone = method
	return r
}

// allow is the Allow header of the route.
func (r *route) allow() string {
	names := make([]string, 0, len(r.methods))
	for m := range r.methods {
		names = append(names, m)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func given(h fasthttp.RequestHandler) handler {
	return func(ctx *fasthttp.RequestCtx) error {
		h(ctx)
		return nil
	}
}

// long lets a handler read for as long as its client keeps sending.
func (s *Server) long(h fasthttp.RequestHandler) handler {
	return func(ctx *fasthttp.RequestCtx) error {
		if c, ok := ctx.Conn().(*conn); ok {
			c.patient()
		}
		h(ctx)
		return nil
	}
}

// Handler answers one request. Requests that come through Serve have bounds on time and size that a bare Handler does
// not give.
func (s *Server) Handler(ctx *fasthttp.RequestCtx) {
	r := s.findRoute(string(ctx.Path()))
	defer s.recoverPanic(ctx, r)
	if err := s.answer(ctx, r); err != nil {
		s.fail(ctx, err)
	}
	s.shareAnswer(ctx, r)
	settle(ctx)
	if s.ending.Load() {
		ctx.SetConnectionClose()
	}
}

func (s *Server) answer(ctx *fasthttp.RequestCtx, r *route) error {
	h, err := s.admit(ctx, r)
	if err != nil {
		return err
	}
	return h(ctx)
}

// admit finds the handler of a request that may have it, judging by the header alone. r is the route of its path, nil for none.
func (s *Server) admit(ctx *fasthttp.RequestCtx, r *route) (handler, error) {
	if err := checkFraming(&ctx.Request.Header); err != nil {
		return nil, err
	}
	if r == nil {
		return nil, s.noRoute(ctx)
	}
	h, ok := r.methods[string(ctx.Method())]
	if !ok {
		ctx.Response.Header.Set("Allow", r.allow())
		return nil, &apiError{status: fasthttp.StatusMethodNotAllowed, code: "method_not_allowed",
			message: fmt.Sprintf("%s does not take %s, only %s", ctx.Path(), shorten(string(ctx.Method())), r.allow())}
	}
	if !r.open && string(ctx.Method()) != r.anyone {
		if err := s.authorize(ctx, r); err != nil {
			return nil, err
		}
	}
	if n := ctx.Request.Header.ContentLength(); r.body > 0 && n > r.body {
		return nil, tooLarge(fmt.Sprintf("body is %d bytes, limit %d", n, r.body))
	}
	return h, nil
}

func (s *Server) noRoute(ctx *fasthttp.RequestCtx) error {
	var reading []string
	for path := range s.routes {
		if strings.HasPrefix(path, "/v1/") {
			reading = append(reading, path)
		}
	}
	slices.Sort(reading)
	return &apiError{status: fasthttp.StatusNotFound, code: "not_found",
		message: fmt.Sprintf("there is no %s; there are %s", shorten(string(ctx.Path())), strings.Join(reading, ", "))}
}

func (s *Server) recoverPanic(ctx *fasthttp.RequestCtx, r *route) {
	if p := recover(); p != nil {
		s.o.Logger.Error("handle request", "path", string(ctx.Path()), "err", p, "stack", string(debug.Stack()))
		writeError(ctx, errInternal())
		s.shareAnswer(ctx, r)
		ctx.SetConnectionClose()
	}
}
