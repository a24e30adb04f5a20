package web

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/valyala/fasthttp"
)

const queriesPath = "/v1/queries"

// liveRoutes are those of Options.Live.
func (s *Server) liveRoutes() map[string]*route {
	if s.o.Live == nil {
		return nil
	}
	all := get(strictly(s.listQuestions)).with("POST", strictly(s.postQuestion)).sitewise(s, "GET, POST", "Authorization, Content-Type")
	all.body = maxQuestionBody
	one := get(strictly(s.getQuestion)).with("DELETE", strictly(s.deleteQuestion)).sitewise(s, "GET, DELETE", "Authorization")
	stream := (&route{body: maxDiscard}).with("GET", s.streamQuestion).sitewise(s, "GET", "Authorization, Last-Event-ID")
	return map[string]*route{queriesPath: all, queriesPath + "/{id}": one, queriesPath + "/{id}/stream": stream}
}

// sitewise lets overlays ask from the pages that they lie on, for their site: the handlers check that.
func (r *route) sitewise(s *Server, methods, headers string) *route {
	r.with("OPTIONS", func(ctx *fasthttp.RequestCtx) error { return s.allowFrom(ctx, methods, headers) }).but("OPTIONS")
	r.reading, r.checksSite = true, true
	return r
}

// caller is who is at the other end.
type caller struct {
	key     string    // tells callers apart, "" for the admin token
	site    string    // that it may read, "" = all
	end     time.Time // from which on an overlay token is not good any more
	session string    // the secret of a session
}

// callerOf tells whose request it is, which was let through.
func (s *Server) callerOf(ctx *fasthttp.RequestCtx) caller {
	h := &ctx.Request.Header
	if len(h.Peek("Authorization")) == 0 {
		secret := s.cookie(h)
		return caller{key: "session " + secret, session: secret}
	}
	token, _ := bearer(h)
	if !strings.HasPrefix(token, overlayPrefix) {
		return caller{}
	}
	site, _ := s.overlays.open(token, s.o.Now())
	return caller{key: token, site: site, end: s.overlays.end(token)}
}

// isGood reports whether the caller may still read.
func (c *caller) isGood(s *Server) bool {
	switch {
	case c.session != "":
		return s.sessions.isGood(c.session)
	case !c.end.IsZero():
		return s.o.Now().Before(c.end)
	}
	return true
}

// postQuestion begins an answer that stays alive, or joins one.
func (s *Server) postQuestion(ctx *fasthttp.RequestCtx) error {
	q, err := s.readQuestion(ctx)
	if err != nil {
		return err
	}
	if c := s.callerOf(ctx); c.site != "" && c.site != q.Params.Site {
		return forbidden("other_site", "this overlay token is for site "+c.site+" alone")
	}
	c, cancel := s.queryContext()
	defer cancel()
	n, created, err := s.live.ask(c, q)
	if err != nil {
		return err
	}
	base := s.baseURL(ctx)
	s.writeAnswer(ctx, func(o *object) {
		o.text("id", n.id)
		o.text("url", base+queriesPath+"/"+n.id)
		o.text("stream", "ws"+strings.TrimPrefix(base, "http")+queriesPath+"/"+n.id+"/stream")
		o.boolean("created", created)
		n.questionMembers(o)
	})
	ctx.SetStatusCode(fasthttp.StatusCreated)
	return nil
}

// baseURL is where the client reaches the server.
func (s *Server) baseURL(ctx *fasthttp.RequestCtx) string {
	if s.o.PublicURL != "" {
		return s.o.PublicURL
	}
	return "http://" + string(ctx.Host())
}

// questionMembers say what is asked, in its canonical form.
func (n *node) questionMembers(o *object) {
	o.text("kind", n.question.Kind)
	o.key("params")
	params, err := json.Marshal(n.question.Params)
	if err != nil {
		panic(err) // it is texts and numbers
	}
	o.dst = append(o.dst, params...)
	o.text("start", n.question.Start)
}

// stateMembers say what an answer that is alive has and costs.
func (n *node) stateMembers(o *object) {
	o.text("id", n.id)
	n.questionMembers(o)
	n.mu.Lock()
	defer n.mu.Unlock()
	o.count("subscribers", uint64(n.listeners))
	o.count("rows", uint64(n.answer.count()))
	o.count("bytes", uint64(n.answer.bytes()))
	o.count("version", n.version)
	o.boolean("complete", n.answer.complete)
	o.count("evaluations", n.counts.evaluations)
	prefixMembers(o, n.answer.prefix, nil)
}

func (s *Server) listQuestions(ctx *fasthttp.RequestCtx) error {
	c := s.callerOf(ctx)
	var list []*node
	s.live.mu.Lock()
	for _, n := range s.live.byID {
		if (c.site == "" || c.site == n.question.Params.Site) && n.isReady() {
			list = append(list, n)
		}
	}
	s.live.mu.Unlock()
	slices.SortFunc(list, func(a, b *node) int { return strings.Compare(a.id, b.id) })
	s.writeAnswer(ctx, func(o *object) {
		o.key("queries")
		o.dst = append(o.dst, '[')
		for i, n := range list {
			if i > 0 {
				o.dst = append(o.dst, ',')
			}
			o.open()
			n.stateMembers(o)
			o.close()
		}
		o.dst = append(o.dst, ']')
	})
	return nil
}

// questionOf is the node that a path names.
func (s *Server) questionOf(ctx *fasthttp.RequestCtx) (*node, caller, error) {
	id, _, _ := strings.Cut(strings.TrimPrefix(string(ctx.Path()), queriesPath+"/"), "/")
	c := s.callerOf(ctx)
	n, err := s.live.find(id, c)
	return n, c, err
}

func (s *Server) getQuestion(ctx *fasthttp.RequestCtx) error {
	n, _, err := s.questionOf(ctx)
	if err != nil {
		return err
	}
	s.writeAnswer(ctx, n.stateMembers)
	return nil
}

func (s *Server) deleteQuestion(ctx *fasthttp.RequestCtx) error {
	n, c, err := s.questionOf(ctx)
	if err != nil {
		return err
	}
	if err := s.live.end(n, c); err != nil {
		return err
	}
	noContent(ctx)
	return nil
}

// streamQuestion sends what becomes of an answer, as events or over a WebSocket.
func (s *Server) streamQuestion(ctx *fasthttp.RequestCtx) error {
	p := parseParams(ctx.URI().QueryString(), "after")
	if p.err != nil {
		return p.err
	}
	after := p.text("after")
	if p.has("after") && !resumeForm.MatchString(after) {
		return badToken(after)
	}
	n, c, err := s.questionOf(ctx)
	if err != nil {
		return err
	}
	if last := ctx.Request.Header.Peek("Last-Event-ID"); len(last) > 0 { // a browser that comes back has the older one in its URL
		after = string(last)
	}
	version := uint64(0)
	if after != "" {
		if version, err = n.resume(after); err != nil {
			return err
		}
	}
	switch {
	case websocket.FastHTTPIsWebSocketUpgrade(ctx):
		if err := s.checkSocketOrigin(ctx, c); err != nil {
			return err
		}
		return s.sendSocket(ctx, n, c, version)
	case strings.Contains(string(ctx.Request.Header.Peek("Accept")), "text/event-stream"):
		return s.sendEvents(ctx, n, c, version)
	}
	return &apiError{status: fasthttp.StatusNotAcceptable, code: "not_acceptable",
		message: "a stream is a WebSocket, or with the header Accept: text/event-stream server-sent events"}
}

// checkSocketOrigin refuses a WebSocket that a page of another origin opened in the name of who is signed in: browsers ask nobody
// before they open one. What has a token in a header is no browser.
func (s *Server) checkSocketOrigin(ctx *fasthttp.RequestCtx, c caller) error {
	origin := ctx.Request.Header.PeekAll("Origin")
	switch {
	case c.site != "": // it was checked with the overlay token
		return nil
	case len(origin) == 0 && c.session == "":
		return nil
	case len(origin) == 1 && s.isOwn(string(origin[0]), string(ctx.Host())):
		return nil
	}
	return errCrossSite()
}
