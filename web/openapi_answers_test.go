package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"heatlog/collector"
	"heatlog/heatmap"
)

// callbackJournal is a journal that takes everything, or gives an error.
type callbackJournal struct {
	mu  sync.Mutex
	end uint64
	err error
}

func (j *callbackJournal) Put(batches []heatmap.Batch) (wait func() error, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, b := range batches {
		j.end += uint64(len(b.Hits))
	}
	err = j.err
	return func() error { return err }, nil
}

func (j *callbackJournal) fail(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.err = err
}

// apiSites is the collector's register; err is what Put gives if it is set.
type apiSites struct {
	*collector.Sites
	err error
}

func (s *apiSites) Put(site heatmap.Site) error {
	if s.err != nil {
		return s.err
	}
	err := s.Sites.Put(site)
	if e := (*collector.SiteError)(nil); errors.As(err, &e) {
		return siteFault{e.Code, e.Field}
	}
	return err
}

// errForGood is an error of a journal that does not pass.
var errForGood = errors.New("disk is broken")

// recorder is a server with all its parts, among them a real collector, and what it has answered.
type recorder struct {
	d           *desk
	reader      *fakeReader
	sites       *apiSites
	generations *fakeGenerations
	live        *fakeLive
	journal     *callbackJournal
	ready       error
	demo        error
	token       string // of an overlay of the site shop
	cookie      string
	answers     []recorded
	addresses   int // that requests have come from
}

// recorded is an answer with the request.
type recorded struct {
	method, target string
	reply          reply
}

func apiDesk(t testing.TB) *recorder {
	t.Helper()
	registered, err := collector.OpenSites(filepath.Join(t.TempDir(), "sites.json"))
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{reader: newFakeReader(), sites: &apiSites{Sites: registered}, generations: newFakeGenerations(), live: newFakeLive(), journal: &callbackJournal{}}
	if err := registered.Put(heatmap.Site{Key: "shop", Origins: []string{"https://shop.example"}, Timezone: "Europe/Prague"}); err != nil {
		t.Fatal(err)
	}
	r.d = newDesk(t, func(o *Options) {
		c := collector.New(collector.Options{
			Journal: r.journal, Sites: registered, Now: o.Now, AdmitWait: time.Millisecond, RateLimit: 100,
			Unavailable: func(err error) bool { return err != errForGood },
		})
		o.Reader, o.Sites, o.Import, o.In, o.AppendLine = r.reader, r.sites, c.Import, c.In, collector.AppendLine
		o.RefusedOrigins, o.Difference = c.RefusedOrigins, r.reader.Difference
		o.Generations, o.Live, o.Timeline = r.generations, r.live, r.reader.Timeline
		o.Ready, o.Lag = func() error { return r.ready }, func() uint64 { return 7 }
		o.Demo = func(ctx context.Context) (int, error) { return 4200, r.demo }
		o.Export = exportOneOfEach
		o.Metrics = func(ctx *fasthttp.RequestCtx) {
			ctx.SetContentType("text/plain; version=0.0.4; charset=utf-8")
			ctx.SetBodyString("heatlog_hits 1\n")
		}
	})
	t.Cleanup(func() { r.d.s.Shutdown(context.Background()) })
	r.token = r.d.overlayToken("shop")
	r.cookie = r.d.signIn()
	return r
}

// exportOneOfEach exports a hit of each kind, one of them with all that a hit can have.
func exportOneOfEach(_ context.Context, q heatmap.Query, positions map[string]uint64, fn func(*heatmap.Hit) error) error {
	if positions["jpruned"] > 0 {
		return &heatmap.GoneError{Field: "positions", Message: "the hits of journal jpruned below position 7 were pruned"}
	}
	for kind := heatmap.KindView; kind.Recorded(); kind++ {
		h := heatmap.Hit{Time: 1_767_225_600_000, Site: q.Site, URL: "https://shop.example/", Kind: kind, View: "a1"}
		if kind == heatmap.KindClick {
			h.X, h.Y, h.ViewportW, h.ViewportH, h.DocumentW, h.DocumentH = 5, 6, 1280, 720, 1265, 5400
			h.Selector, h.AnchorX, h.AnchorY, h.BoxW, h.BoxH, h.HasCheck, h.Check = "main>a", 3000, 60_000, 30, 20, true, 77
			h.Container, h.ContainerX, h.ContainerY, h.Layout, h.Pointer = "div", 3, 4, 9, heatmap.PointerMouse
			h.Flags = heatmap.FlagFixed | heatmap.FlagUntrusted | heatmap.FlagRage | heatmap.FlagDead
			h.Visitor, h.UserAgent, h.Tags, h.ID = "v-77", "Mozilla/5.0", []string{"variant:b"}, "i1"
		}
		if err := fn(&h); err != nil {
			return err
		}
	}
	return nil
}

func (r *recorder) ask(method, target, body string, headers ...string) reply {
	answer := r.d.do(method, target, body, headers...)
	r.answers = append(r.answers, recorded{method, target, answer})
	return answer
}

// readingAnswers asks every reading route for what is there, and for what is not, for every reason.
func (r *recorder) readingAnswers() {
	each := func(headers ...string) {
		for _, target := range readingTargets {
			r.ask("GET", target, "", append([]string{r.token, shopOrigin}, headers...)...)
		}
		for _, why := range []*heatmap.Why{nil, {Reason: heatmap.WhyOnlyBots, Message: "only bots"}} {
			r.reader.minusWhy = why
			r.ask("GET", readingTargets[0]+"&minus_generation=g2", "", r.token)
			r.ask("GET", readingTargets[0]+"&minus_to=2025-12-31&format=png&width=64&height=64", "", r.token)
		}
		for _, more := range []string{"&format=png&width=64&height=64", "&format=field&width=64&y1=64", "&format=csv", "&format=msgpack", "&limit=1", "&limit=1&format=csv"} {
			r.ask("GET", readingTargets[0]+more, "", r.token)
		}
		r.ask("GET", readingTargets[0]+"&minus_generation=g2&format=csv", "", r.token)
	}
	each()
	r.reader.sample(heatmap.Sampled{Hits: 1204, Share: 250_000})
	each()
	r.reader.sample(heatmap.Sampled{})
	r.ask("GET", "/v1/trend?site=shop&by=hour", "", adminToken)
	r.ask("GET", "/v1/trend?site=shop&window=24h&every=2m", "", adminToken)
	r.ask("GET", "/v1/pages?site=shop&window=24h&every=2m", "", adminToken)
	whys := []heatmap.Why{
		{Reason: heatmap.WhyUnknownSite}, {Reason: heatmap.WhyNoHitsForURL, Nearest: []string{"https://shop.example/"}},
		{Reason: heatmap.WhyNoHitsForURL}, {Reason: heatmap.WhyOutsideRange, From: day("2026-01-02"), To: day("2026-03-04")},
		{Reason: heatmap.WhyOtherWidth, Widths: [][2]int{{320, 351}, {0, 0}}}, {Reason: heatmap.WhyOtherKind, Kinds: []string{"move", "view"}},
		{Reason: heatmap.WhyOtherDevice, Devices: []string{"mobile"}}, {Reason: heatmap.WhyOnlyBots}, {Reason: heatmap.WhyNoHits},
	}
	heat, scroll, pages, trend, elements, timeline := r.reader.heatmap, r.reader.scroll, r.reader.pages, r.reader.trend, r.reader.elements, r.reader.timeline
	for i := range whys {
		why := &whys[i]
		why.Message = "nothing"
		p := heatmap.Prefix{Generation: "g1"}
		r.reader.heatmap = &heatmap.Heatmap{Prefix: p, Cell: 8, Why: why}
		r.reader.scroll = &heatmap.Scroll{Prefix: p, Why: why}
		r.reader.elements = &heatmap.ElementList{Prefix: p, Why: why}
		r.reader.pages = &heatmap.PageList{Prefix: p, Why: why}
		r.reader.trend = &heatmap.Trend{Prefix: p, Why: why}
		r.reader.timeline = &heatmap.Timeline{Prefix: p, Why: why}
		each()
	}
	r.reader.heatmap, r.reader.scroll, r.reader.pages, r.reader.trend, r.reader.elements, r.reader.timeline = heat, scroll, pages, trend, elements, timeline
	r.reader.err = &heatmap.ParamError{Field: "generation", Message: "there is no generation g9"}
	each()
	r.reader.err = &heatmap.ParamError{Field: "where", Message: "unknown name"}
	each()
	r.reader.err = errors.New("blob is torn")
	each()
	r.reader.err = nil
	blog := r.d.overlayToken("blog")
	for _, target := range readingTargets {
		r.ask("GET", target, "")
		r.ask("GET", target, "", blog)
		r.ask("GET", target, "", r.token, evilOrigin)
		r.ask("GET", target+"&colour=1", "", adminToken)
		r.ask("OPTIONS", target, "", shopOrigin)
		r.ask("OPTIONS", target, "", evilOrigin)
		r.ask("HEAD", target, "", adminToken)
	}
}

// sessionAnswers signs in and out, rightly and wrongly, and makes links.
func (r *recorder) sessionAnswers() {
	r.ask("POST", "/v1/session", rightBody)
	r.ask("POST", "/v1/session", wrongBody)
	r.ask("POST", "/v1/session", "{}")
	r.ask("POST", "/v1/session", rightBody, evilOrigin)
	r.ask("GET", "/v1/session", "", r.cookie)
	r.ask("GET", "/v1/session", "", adminToken)
	r.ask("GET", "/signin?t="+r.d.s.SignInTicket(), "")
	r.cookie = r.ask("GET", "/signin?t="+r.d.s.SignInTicket(), "", r.cookie).cookie() // a new one each time
	r.ask("GET", "/signin?t=wrong", "")
	r.ask("GET", "/signin", "")
	r.ask("GET", "/signin?t=wrong", "", "Sec-Fetch-Dest: image")
	for range freeTries {
		r.ask("POST", "/v1/session", wrongBody)
	}
	r.ask("GET", "/signin?t=wrong", "")
	const link = `{"site":"shop","url":"https://shop.example/p/1"}`
	r.ask("POST", "/v1/overlay-links", link, adminToken)
	r.ask("POST", "/v1/overlay-links", strings.Replace(link, "p/1", "p/1#/route", 1), r.cookie, ownOrigin)
	r.ask("POST", "/v1/overlay-links", strings.Replace(link, `"shop"`, `"none"`, 1), adminToken)
	r.ask("POST", "/v1/overlay-links", strings.Replace(link, "https", "ftp", 1), adminToken)
	r.ask("POST", "/v1/demo", "", adminToken)
	r.ask("POST", "/v1/demo?x=1", "", adminToken)
	r.d.s.demoRuns.Lock()
	r.ask("POST", "/v1/demo", "", adminToken)
	r.d.s.demoRuns.Unlock()
	r.ask("DELETE", "/v1/session?x=1", "", adminToken)
	r.ask("DELETE", "/v1/session", "", r.cookie, ownOrigin)
	r.cookie = r.d.from("192.0.2.2", "POST", "/v1/session", rightBody).cookie()
}

// hitAnswers sends hits in every way that a client can get wrong.
func (r *recorder) hitAnswers() {
	const (
		line  = `{"t":1767225600000,"site":"shop","url":"https://shop.example/","kind":"view"}` + "\n"
		batch = `{"site":"shop","url":"https://shop.example/","b":"b1","hits":[{"kind":"view"}]}`
		plain = "Content-Type: text/plain"
	)
	in := func(body string, headers ...string) { r.ask("POST", "/v1/in", body, append(headers, plain)...) }
	in(batch)
	in(batch, shopOrigin)
	in(strings.Replace(batch, "shop", "none", 1), shopOrigin)
	in(batch, evilOrigin)
	in("{", shopOrigin)
	in(strings.Replace(batch, `"view"`, `"wink"`, 1), shopOrigin)
	in(strings.Repeat(" ", collector.MaxBody+1), shopOrigin)
	in(batch, "Content-Encoding: br")
	in(batch, "Content-Encoding: gzip")
	r.ask("POST", "/v1/in?x=1", batch, plain)
	r.ask("POST", "/v1/in", batch, "Content-Type: image/png", shopOrigin)
	r.ask("OPTIONS", "/v1/in", "", shopOrigin)
	r.ask("OPTIONS", "/v1/in", "", evilOrigin)
	imports := func(body string, headers ...string) {
		r.ask("POST", "/v1/import", body, append(headers, adminToken)...)
	}
	imports(line)
	imports("")
	imports(line + "{}\n" + line)
	imports(strings.Repeat("{}\n", collector.MaxErrors+5))
	imports("x", "Content-Encoding: gzip")
	imports(line, "Content-Encoding: br")
	r.ask("POST", "/v1/import?batch=", line, adminToken)
	r.ask("POST", "/v1/import?batch=b1", line+"{}\n", adminToken)
	r.ask("POST", "/v1/import?batch=b2", strings.Repeat("{}\n", collector.MaxBatchLines+1), adminToken)
	for _, err := range []error{errors.New("no room now"), errForGood} {
		r.journal.fail(err)
		in(batch, shopOrigin)
		imports(line + line)
		r.ask("POST", "/v1/import?batch=b3", line, adminToken)
	}
	r.journal.fail(nil)
	for range 250 {
		if r.d.do("POST", "/v1/in", batch, plain).status == 429 {
			in(batch, shopOrigin)
			return
		}
	}
}

// otherAnswers asks for what is left.
func (r *recorder) otherAnswers() {
	const site = `{"key":"blog","origins":["https://blog.example"]}`
	r.ask("GET", "/v1/sites", "", adminToken)
	r.ask("GET", "/v1/sites?x=1", "", adminToken)
	r.ask("POST", "/v1/sites", site, adminToken)
	r.ask("POST", "/v1/sites", site, r.cookie, ownOrigin)
	r.ask("POST", "/v1/sites", "[]", adminToken)
	for _, code := range []string{"bad_key", "bad_origin", "bad_timezone", "conflict"} {
		r.sites.err = siteFault{code, "timezone"}
		r.ask("POST", "/v1/sites", site, adminToken)
	}
	r.sites.err = nil
	r.ask("GET", "/v1/bots", "", adminToken)
	r.ask("GET", "/v1/bots?x=1", "", adminToken)
	r.ask("GET", "/v1/export?site=shop", "", adminToken)
	r.ask("GET", "/v1/export", "", adminToken)
	r.ask("GET", "/v1/export?site=shop&positions=jpruned:5", "", adminToken)
	r.ask("GET", "/metrics", "", adminToken)
	r.ask("GET", "/healthz", "")
	r.ask("GET", "/readyz", "")
	r.ready = errors.New("reading the journal")
	r.ask("GET", "/readyz", "")
	r.ready = nil
	for path, route := range r.d.s.routes {
		if route.open && route.methods["GET"] != nil && path != "/signin" {
			tag := r.ask("GET", path, "").header("ETag")
			r.ask("GET", path, "", "If-None-Match: "+tag)
			r.ask("GET", path, "", "Accept-Encoding: gzip")
			r.ask("HEAD", path, "")
		}
	}
}

// refusedAnswers asks each operation without a right to it, and lets each have the errors that any request can have.
func (r *recorder) refusedAnswers(d *apiDoc) {
	other := r.d.overlayToken("shop")
	r.d.clock.move(-time.Hour)
	expired := r.d.overlayToken("shop")
	r.d.clock.move(time.Hour)
	for _, o := range d.operations() {
		target := o.target()
		if o.op.at("security").has("0") || o.needsToken() {
			r.ask(o.method, target, "")
			r.ask(o.method, target, "", expired)
			if o.method != "GET" && o.method != "HEAD" {
				r.ask(o.method, target, "", r.cookie, evilOrigin)
			}
			if !slices.Contains(o.schemes(), "overlayToken") {
				r.ask(o.method, target, "", other)
			}
		}
		for _, err := range []error{
			&fasthttp.ErrSmallBuffer{}, fasthttp.ErrBodyTooLarge, os.ErrDeadlineExceeded, errors.New("not HTTP"),
		} {
			r.failed(o.method, target, func(ctx *fasthttp.RequestCtx) { r.d.s.unreadable(ctx, err) })
		}
		for _, err := range []error{errors.New("ours"), context.DeadlineExceeded, context.Canceled} {
			r.failed(o.method, target, func(ctx *fasthttp.RequestCtx) { r.d.s.fail(ctx, err) })
		}
	}
	if r.d.s.routes["/demo/"] != nil {
		r.ask("GET", "/demo/none.svg", "")
	}
}

// failed records an answer that fn makes of a request.
func (r *recorder) failed(method, target string, fn func(*fasthttp.RequestCtx)) {
	var req fasthttp.Request
	req.Header.SetMethod(method)
	req.SetRequestURI(target)
	var ctx fasthttp.RequestCtx
	ctx.Init(&req, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 9)}, nil)
	fn(&ctx)
	r.answers = append(r.answers, recorded{method, target, reply{&ctx.Response, r.d.t, ctx.Response.StatusCode(), string(ctx.Response.Body())}})
}

// schemes are the ways in that an operation's security names, none for one that is open to all.
func (o *operation) schemes() (names []string) {
	security := o.op.at("security")
	if !o.op.has("security") {
		security = o.item.doc.top().at("security")
	}
	for _, one := range security.items() {
		names = append(names, one.keys()...)
	}
	return names
}

func (o *operation) needsToken() bool { return len(o.schemes()) > 0 }

// describedHeaders are those that must be described where they are, beside Heatlog-…
var describedHeaders = []string{
	"Retry-After", "WWW-Authenticate", "ETag", "Location", "Set-Cookie", "Content-Security-Policy",
	"Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers", "Access-Control-Max-Age",
	"Access-Control-Allow-Credentials", "Access-Control-Expose-Headers",
}

// checkAnswers compares recorded answers with the responses that are described, and finds responses that no answer was.
func checkAnswers(d *apiDoc, answers []recorded) (found problems) {
	seen := map[string]bool{}
	for _, a := range answers {
		path, _, _ := strings.Cut(a.target, "?")
		o := d.find(a.method, path)
		if o == nil {
			if a.reply.status != 404 {
				found.add("%s %s answers %d and is not described", a.method, a.target, a.reply.status)
			}
			continue
		}
		if a.method == "HEAD" {
			continue // described as GET; the body is left out when the answer is sent
		}
		response := o.op.at("responses", fmt.Sprint(a.reply.status))
		seen[o.String()+fmt.Sprint(a.reply.status)] = true
		if response.node == nil {
			found.add("%s: %s answers %d, which is not described: %.200s", o, a.target, a.reply.status, a.reply.body)
			continue
		}
		for _, problem := range checkAnswer(response, a.reply) {
			found.add("%s: %s answers %d: %s", o, a.target, a.reply.status, problem)
		}
	}
	for _, o := range d.operations() {
		for _, status := range o.op.at("responses").keys() {
			if o.method != "HEAD" && !seen[o.String()+status] {
				found.add("%s: no answer is %s", o, status)
			}
		}
	}
	return found
}

// checkAnswer compares one answer with its description: headers, media type and body.
func checkAnswer(response place, answer reply) (found problems) {
	for _, name := range response.at("headers").keys() {
		header := response.at("headers", name)
		value := answer.header(name)
		if required, _ := header.at("required").node.(bool); value == "" {
			if required {
				found.add("header %s is missing", name)
			}
			continue
		}
		if err := header.at("schema").validate(headerValue(header.at("schema"), value)); err != nil {
			found.add("header %s: %v", name, err)
		}
	}
	for name := range answer.Header.All() {
		if n := string(name); (slices.Contains(describedHeaders, n) || strings.HasPrefix(n, "Heatlog-")) && !response.at("headers").has(n) {
			found.add("header %s is not described", n)
		}
	}
	if answer.body == "" {
		if response.has("content") {
			found.add("the body is empty")
		}
		return found
	}
	media, _, err := mime.ParseMediaType(answer.header("Content-Type"))
	if err != nil || !response.at("content").has(media) {
		found.add("content type %q is not described", answer.header("Content-Type"))
		return found
	}
	content := response.at("content", media)
	switch {
	case content.at("schema").has("x-line"):
		for line := range strings.Lines(answer.body) {
			if err := content.at("schema", "x-line").validateText(line); err != nil {
				found.add("%s: %v", line, err)
			}
		}
	case media == "application/json" && answer.header("Content-Encoding") == "":
		if err := content.at("schema").validateText(answer.body); err != nil {
			found.add("%s: %v", answer.body[:min(len(answer.body), 300)], err)
		}
	}
	return found
}

// headerValue reads a header's text as what its schema says that it is.
func headerValue(schema place, text string) any {
	if kind := schema.text("type"); kind != "integer" && kind != "number" {
		return text
	}
	if !json.Valid([]byte(text)) {
		return text
	}
	return json.Number(text)
}

// record makes every sort of answer.
func (r *recorder) record(d *apiDoc) []recorded {
	r.readingAnswers()
	r.generationAnswers()
	r.liveAnswers()
	r.sessionAnswers()
	r.hitAnswers()
	r.otherAnswers()
	r.refusedAnswers(d)
	return r.answers
}

func TestOpenAPIAnswers(t *testing.T) {
	doc := parseAPIDoc(t, openAPI)
	answers := apiDesk(t).record(doc)
	report(t, checkAnswers(doc, answers))
	t.Logf("%d answers compared", len(answers))
}
