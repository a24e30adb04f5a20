package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"
)

// desk is a server without a network, whose clock stands still and whose delays are only counted.
type desk struct {
	t      testing.TB
	s      *Server
	clock  *stillClock
	delays atomic.Int64
}

func newDesk(t testing.TB, change func(*Options)) *desk {
	d := &desk{t: t, clock: newStillClock()}
	o := wholeOptions()
	o.Token, o.Now, o.Version = testToken, d.clock.Now, "v1.2.3"
	o.Key = []byte(strings.Repeat("k", minKey))
	if change != nil {
		change(&o)
	}
	d.s = New(o)
	d.s.delay = func(time.Duration) { d.delays.Add(1) }
	return d
}

// reply is an answer of a desk.
type reply struct {
	*fasthttp.Response
	t      testing.TB
	status int
	body   string
}

func (r reply) header(name string) string { return string(r.Header.Peek(name)) }

// do hands a request over; headers are lines. There is no Authorization but what they have.
func (d *desk) do(method, target, body string, headers ...string) reply {
	d.t.Helper()
	return d.from("192.0.2.1", method, target, body, headers...)
}

func (d *desk) from(address, method, target, body string, headers ...string) reply {
	d.t.Helper()
	var req fasthttp.Request
	req.Header.SetMethod(method)
	req.SetRequestURI(target)
	req.Header.SetHost("heat.test:8080")
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Add(name, value)
	}
	req.SetBodyString(body)
	var ctx fasthttp.RequestCtx
	ctx.Init(&req, &net.TCPAddr{IP: net.ParseIP(address), Port: 4711}, nil)
	d.s.Handler(&ctx)
	return reply{&ctx.Response, d.t, ctx.Response.StatusCode(), string(ctx.Response.Body())}
}

// is checks status and, of an error, the code.
func (r reply) is(status int, code string) reply {
	r.t.Helper()
	if r.status != status || !strings.Contains(r.body, code) {
		r.t.Errorf("status %d, body %s, want %d with %s", r.status, r.body, status, code)
	}
	return r
}

// cookie is the header line that a browser sends after the reply.
func (r reply) cookie() string {
	r.t.Helper()
	pair, _, ok := strings.Cut(r.header("Set-Cookie"), ";")
	if !ok {
		r.t.Fatalf("no cookie: %s", r.String())
	}
	return "Cookie: " + pair
}

const (
	ownOrigin  = "Origin: http://heat.test:8080"
	adminToken = "Authorization: Bearer " + testToken
	rightBody  = `{"token":"` + testToken + `"}`
	wrongBody  = `{"token":"wrong"}`
)

func (d *desk) signIn() (cookie string) {
	d.t.Helper()
	return d.do("POST", "/v1/session", rightBody).is(204, "").cookie()
}

func TestSessionRoutes(t *testing.T) {
	d := newDesk(t, nil)
	d.do("GET", "/v1/session", "").is(401, `"code":"unauthorized"`)
	in := d.do("POST", "/v1/session", rightBody)
	if in.status != 204 || in.body != "" || in.header("Cache-Control") != "no-store" {
		t.Errorf("sign-in: %s", in.String())
	}
	cookie := in.cookie()
	if got, want := in.header("Set-Cookie"), strings.TrimPrefix(cookie, "Cookie: ")+"; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"; got != want {
		t.Errorf("cookie is %q, want %q", got, want)
	}
	const want = `{"public_url":"","version":"v1.2.3","demo":false,"expires":"2026-01-08T00:00:00Z"}` + "\n"
	if got := d.do("GET", "/v1/session", "", cookie).is(200, ""); got.body != want {
		t.Errorf("session is %s, want %s", got.body, want)
	}
	if got := d.do("GET", "/v1/session", "", adminToken).is(200, ""); !strings.Contains(got.body, `"expires":null`) {
		t.Errorf("with the admin token: %s", got.body)
	}
	for _, target := range []string{"/v1/bots", "/v1/sites", "/v1/pages?site=shop", "/v1/export?site=shop", "/metrics"} {
		d.do("GET", target, "", cookie).is(200, "")
	}
	d.do("POST", "/v1/import", "x", cookie, ownOrigin).is(200, "import")

	out := d.do("DELETE", "/v1/session", "", cookie, ownOrigin).is(204, "")
	if got := out.header("Set-Cookie"); got != "hls=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax" {
		t.Errorf("cookie at sign-out is %q", got)
	}
	d.do("GET", "/v1/session", "", cookie).is(401, "unauthorized")
	d.do("GET", "/v1/bots", "", cookie).is(401, "unauthorized")
	d.do("DELETE", "/v1/session", "", cookie, ownOrigin).is(401, "unauthorized")
	if d.delays.Load() != 0 {
		t.Errorf("%d delays", d.delays.Load())
	}
}

func TestSessionOptions(t *testing.T) {
	d := newDesk(t, func(o *Options) {
		o.PublicURL = "https://heat.example/h/"
		o.Demo = func(context.Context) (int, error) { return 0, nil }
	})
	in := d.do("POST", "/v1/session", rightBody)
	if got := in.header("Set-Cookie"); !strings.HasPrefix(got, "__Host-hls=") || !strings.HasSuffix(got, "; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure") {
		t.Errorf("cookie over https is %q", got)
	}
	cookie := in.cookie()
	if got := d.do("GET", "/v1/session", "", cookie).is(200, `"demo":true`); !strings.Contains(got.body, `"public_url":"https://heat.example/h"`) {
		t.Errorf("session is %s", got.body)
	}
	d.do("GET", "/v1/session", "", strings.Replace(cookie, "__Host-", "", 1)).is(401, "unauthorized")
}

// TestAuthorizationWins checks that a wrong token is not mended by a session.
func TestAuthorizationWins(t *testing.T) {
	d := newDesk(t, nil)
	cookie := d.signIn()
	d.do("GET", "/v1/bots", "", cookie, "Authorization: Bearer wrong").is(401, "unauthorized")
	d.do("GET", "/v1/bots", "", cookie, "Authorization: Basic x").is(401, "unauthorized")
	d.do("GET", "/v1/bots", "", "Cookie: hls=wrong", adminToken).is(200, "")
	d.do("GET", "/v1/bots", "", "Authorization: Bearer "+strings.TrimPrefix(cookie, "Cookie: hls=")).is(401, "unauthorized")
	d.do("GET", "/v1/bots", "", "Authorization: Bearer "+d.s.SignInTicket()).is(401, "unauthorized")
	d.do("GET", "/v1/bots", "", "Cookie: hls="+testToken).is(401, "unauthorized")
	d.do("GET", "/v1/bots", "", "Cookie: hls="+d.s.SignInTicket()).is(401, "unauthorized")
}

func TestSessionBodies(t *testing.T) {
	d := newDesk(t, nil)
	f := func(body, code, fragment string) {
		t.Helper()
		r := d.do("POST", "/v1/session", body)
		if !strings.Contains(r.body, `"code":"`+code+`"`) || !strings.Contains(r.body, fragment) || len(r.Header.Peek("Set-Cookie")) > 0 {
			t.Errorf("%.60q: %d %s, want %s, %s", body, r.status, r.body, code, fragment)
		}
	}
	f("", "bad_request", "body is not")
	f("{}", "bad_param", "token is missing")
	f(`{"token":""}`, "bad_param", "token is missing")
	f(`{"token":7}`, "bad_request", "token in body is a number, want a text")
	f(`{"token":"t0ken","user":"x"}`, "bad_request", "unknown member")
	f(`{"token":"t0ken"}{}`, "bad_request", "more than one JSON value")
	f(`{"token":"`+strings.Repeat("x", maxSignInBody)+`"}`, "too_large", "8192 bytes")
	f("token=t0ken", "bad_request", "body is not")
	d.do("POST", "/v1/session?x=1", rightBody).is(400, "bad_param")
	d.do("GET", "/v1/session?x=1", "", adminToken).is(400, "bad_param")
	d.do("DELETE", "/v1/session?x=1", "", adminToken).is(400, "bad_param")
	if d.delays.Load() != 0 {
		t.Errorf("a broken request is held up")
	}
	f(`{"token":"T0ken"}`, "unauthorized", "admin token")
	f(`{"token":"t0ken "}`, "unauthorized", "admin token")
	if d.delays.Load() != 2 {
		t.Errorf("%d delays after 2 wrong tokens", d.delays.Load())
	}
}

// TestNoTokenNoSession checks that a server without an admin token lets nobody in.
func TestNoTokenNoSession(t *testing.T) {
	d := newDesk(t, func(o *Options) { o.Token = "" })
	d.do("POST", "/v1/session", rightBody).is(401, "unauthorized")
	d.do("GET", "/signin?t="+d.s.SignInTicket(), "").is(401, "")
	d.do("GET", "/v1/session", "", "Cookie: hls="+d.s.sessions.create("")).is(401, "unauthorized")
}

func TestSignInLink(t *testing.T) {
	d := newDesk(t, nil)
	link := "/signin?t=" + d.s.SignInTicket()
	f := func(target string, headers ...string) {
		t.Helper()
		r := d.do("GET", target, "", headers...)
		if r.status != 303 || r.header("Location") != "./" || r.body != "" || r.header("Cache-Control") != "no-store" {
			t.Errorf("%s: %s", target, r.String())
		}
		d.do("GET", "/v1/bots", "", r.cookie()).is(200, "")
	}
	f(link)
	f(link, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document") // from a mail
	f("/signin?t=" + testToken)
	d.clock.move(ticketLife - time.Millisecond)
	f(link)
	d.clock.move(time.Millisecond)
	refused := func(target string, status int, fragment string) {
		t.Helper()
		r := d.do("GET", target, "").is(status, fragment)
		policy := r.header("Content-Security-Policy")
		if r.header("Content-Type") != "text/html; charset=utf-8" || !strings.HasPrefix(policy, "default-src 'none'; style-src 'sha256-") ||
			len(r.Header.Peek("Set-Cookie")) > 0 || !strings.Contains(r.body, `<a href="./">`) || strings.Contains(r.body, "{{") {
			t.Errorf("%s: %s", target, r.String())
		}
	}
	refused(link, 401, "It has ended.")
	refused("/signin?t=wrong", 401, "not one of this server")
	refused("/signin", 400, "not complete")
	refused("/signin?t=", 400, "not complete")
	refused("/signin?t="+testToken+"&x=1", 400, "not complete")
	refused("/signin?t=%3Cscript%3E", 401, "not one of this server")
	if d.delays.Load() != 3 {
		t.Errorf("%d delays, want 3", d.delays.Load())
	}
	for range freeTries {
		d.do("GET", "/signin?t=wrong", "")
	}
	refused("/signin?t="+testToken, 429, "Try again in 6 s.")
	if got := d.do("GET", link, "").header("Retry-After"); got != "6" {
		t.Errorf("Retry-After is %q", got)
	}
	d.do("HEAD", link, "").is(405, "")
	d.do("POST", link, "").is(405, "method_not_allowed")
}

// TestSignInLinkAgain follows a link that has ended in a browser that is signed in.
func TestSignInLinkAgain(t *testing.T) {
	d := newDesk(t, nil)
	cookie := d.signIn()
	r := d.do("GET", "/signin?t=wrong", "", cookie)
	if r.status != 303 || len(r.Header.Peek("Set-Cookie")) > 0 {
		t.Errorf("answer is %s", r.String())
	}
}

// TestSignInLinkEmbedded loads a link as part of another page, which would use up the tries of who looks at that.
func TestSignInLinkEmbedded(t *testing.T) {
	d := newDesk(t, nil)
	for _, dest := range []string{"image", "script", "iframe", "empty", "hostile"} {
		d.do("GET", "/signin?t=wrong", "", "Sec-Fetch-Dest: "+dest).is(403, "cross_site")
		d.do("GET", "/signin?t="+testToken, "", "Sec-Fetch-Dest: "+dest).is(403, "cross_site")
	}
	for range 2 * freeTries {
		d.do("POST", "/v1/session", wrongBody, "Origin: https://evil.example").is(403, "cross_site")
		d.do("POST", "/v1/session", wrongBody, "Sec-Fetch-Site: cross-site").is(403, "cross_site")
	}
	d.signIn()
	if d.delays.Load() != 0 {
		t.Errorf("%d delays", d.delays.Load())
	}
}

// TestTickets uses tickets of other servers, and other secrets as tickets.
func TestTickets(t *testing.T) {
	d := newDesk(t, nil)
	ticket := d.s.SignInTicket()
	f := func(change func(*Options), status int) {
		t.Helper()
		newDesk(t, change).do("GET", "/signin?t="+ticket, "").is(status, "")
	}
	f(nil, 303) // started again
	f(func(o *Options) { o.Key = []byte(strings.Repeat("o", minKey)) }, 401)
	f(func(o *Options) { o.Key = nil }, 401)
	f(func(o *Options) { o.Key = o.Key[:minKey-1] }, 401)
	f(func(o *Options) { o.Token = "changed" }, 401)
	overlay, _ := d.s.overlays.seal("shop", d.clock.Now())
	unnamed, _ := d.s.overlays.seal("", d.clock.Now())
	for _, wrong := range []string{overlay, unnamed, ticketPrefix + unnamed[len(overlayPrefix):], strings.TrimPrefix(d.signIn(), "Cookie: hls=")} {
		d.do("GET", "/signin?t="+wrong, "").is(401, "")
	}
	for i := range ticket {
		b := []byte(ticket)
		b[i] ^= 1
		if err := d.s.checkSignIn(string(b)); err == nil {
			t.Errorf("%s is taken for %s", b, ticket)
		}
	}
}

func TestShortKey(t *testing.T) {
	var log logBuffer
	newDesk(t, func(o *Options) { o.Key, o.Logger = []byte("short"), log.logger() })
	if !strings.Contains(log.String(), "the key is too short") {
		t.Errorf("log is %q", log.String())
	}
	a, b := newDesk(t, func(o *Options) { o.Key = nil }), newDesk(t, func(o *Options) { o.Key = nil })
	if a.s.SignInTicket() == b.s.SignInTicket() {
		t.Error("two servers without a key make the same ticket")
	}
}

func TestSessionsOutliveRestart(t *testing.T) {
	var store memoryStore
	keep := func(o *Options) { o.Sessions = &store }
	d := newDesk(t, keep)
	stays, leaves := d.signIn(), d.signIn()
	d.do("DELETE", "/v1/session", "", leaves, ownOrigin).is(204, "")
	again := newDesk(t, keep)
	again.do("GET", "/v1/bots", "", stays).is(200, "")
	again.do("GET", "/v1/bots", "", leaves).is(401, "unauthorized")
	newDesk(t, func(o *Options) { o.Sessions, o.Token = &store, "changed" }).do("GET", "/v1/bots", "", stays).is(401, "unauthorized")

	store.err = errors.New("disk is full")
	again.do("DELETE", "/v1/session", "", stays, ownOrigin).is(500, "internal")
	again.do("GET", "/v1/bots", "", stays).is(401, "unauthorized")
}

func TestSignInRotates(t *testing.T) {
	d := newDesk(t, nil)
	old := d.signIn()
	next := d.do("POST", "/v1/session", rightBody, old, ownOrigin).is(204, "").cookie()
	last := d.do("GET", "/signin?t="+testToken, "", next).is(303, "").cookie()
	for cookie, want := range map[string]int{old: 401, next: 401, last: 200} {
		d.do("GET", "/v1/bots", "", cookie).is(want, "")
	}
}

// TestCrossSite asks for changes as pages of other origins can.
func TestCrossSite(t *testing.T) {
	d := newDesk(t, func(o *Options) { o.PublicURL = "http://public.example:81" })
	f := func(want int, headers ...string) {
		t.Helper()
		for method, target := range map[string]string{"POST": "/v1/import", "DELETE": "/v1/session"} {
			cookie := d.signIn()
			r := d.do(method, target, "", append(headers, cookie)...)
			if ok := r.status < 300; ok != (want == 200) || !ok && (r.status != 403 || !strings.Contains(r.body, `"code":"cross_site"`)) {
				t.Errorf("%s %s with %q: %d %s, want %d", method, target, headers, r.status, r.body, want)
			}
			d.do("GET", "/v1/bots", "", append(headers, cookie)...) // whatever: reading changes nothing
		}
	}
	f(200, "Sec-Fetch-Site: same-origin")
	f(200, "Sec-Fetch-Site: none")
	f(200, "Sec-Fetch-Site: same-origin", "Origin: https://proxied.example")
	f(403, "Sec-Fetch-Site: same-site")
	f(403, "Sec-Fetch-Site: cross-site")
	f(403, "Sec-Fetch-Site: hostile")
	f(403, "Sec-Fetch-Site: ")
	f(403, "Sec-Fetch-Site: cross-site", ownOrigin)
	f(403, "Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site")
	f(200, ownOrigin)
	f(200, "Origin: https://heat.test:8080")
	f(200, "Origin: http://public.example:81")
	f(403, "Origin: https://public.example:81")
	f(403, "Origin: http://public.example")
	f(403, "Origin: http://heat.test")
	f(403, "Origin: http://heat.test:8080.evil.example")
	f(403, "Origin: http://evil.example/http://heat.test:8080")
	f(403, "Origin: null")
	f(403, "Origin: ")
	f(403, ownOrigin, "Origin: https://evil.example")
	f(403)

	// what a browser does not add by itself needs no such proof
	d.do("POST", "/v1/import", "", adminToken, "Origin: https://evil.example", "Sec-Fetch-Site: cross-site").is(200, "import")
	d.do("GET", "/v1/bots", "", d.signIn(), "Sec-Fetch-Site: cross-site").is(200, "")
}

func TestOriginOf(t *testing.T) {
	f := func(raw, want string) {
		t.Helper()
		if got := originOf(raw); got != want {
			t.Errorf("origin of %q is %q, want %q", raw, got, want)
		}
	}
	f("https://heat.example", "https://heat.example")
	f("HTTPS://Heat.Example:443/x?y#z", "https://heat.example")
	f("http://heat.example:80/", "http://heat.example")
	f("http://heat.example:443/", "http://heat.example:443")
	f("http://heat.example:8080", "http://heat.example:8080")
	f("http://heat.example:/", "http://heat.example")
	f("http://[::1]:8080/", "http://[::1]:8080")
	f("http://user:pass@heat.example/", "http://heat.example")
	f("", "")
	f("/path", "")
	f("//heat.example", "")
	f("ftp://heat.example", "")
	f("javascript:alert(1)", "")
	f("http://", "")
	f("http://:80", "")
	f("http://a b/", "")
}

// TestWrongSignIns counts delays, and shows who is refused and who is not.
func TestWrongSignIns(t *testing.T) {
	d := newDesk(t, nil)
	for range freeTries {
		d.from("203.0.113.9", "POST", "/v1/session", wrongBody).is(401, "unauthorized")
	}
	r := d.from("203.0.113.9", "POST", "/v1/session", wrongBody).is(429, `"code":"too_many"`)
	if got := r.header("Retry-After"); got != "6" {
		t.Errorf("Retry-After is %q", got)
	}
	d.from("203.0.113.9", "POST", "/v1/session", rightBody).is(429, "try again in 6 s")
	d.from("203.0.113.9", "GET", "/signin?t="+d.s.SignInTicket(), "").is(429, "")
	if d.delays.Load() != freeTries {
		t.Errorf("%d delays, want %d", d.delays.Load(), freeTries)
	}
	d.from("203.0.113.10", "POST", "/v1/session", rightBody).is(204, "")
	d.from("2001:db8::1", "POST", "/v1/session", rightBody).is(204, "")
	if d.delays.Load() != freeTries {
		t.Errorf("a right token is held up")
	}
	d.from("203.0.113.9", "GET", "/v1/bots", "", adminToken).is(200, "") // other ways in are not shut
	d.clock.move(tryEvery)
	d.from("203.0.113.9", "POST", "/v1/session", rightBody).is(204, "")
	for range 3 * freeTries {
		d.from("203.0.113.9", "POST", "/v1/session", rightBody).is(204, "") // right ones are not counted
	}
}

func TestClientIP(t *testing.T) {
	d := newDesk(t, func(o *Options) {
		o.ClientIP = func(ctx *fasthttp.RequestCtx) netip.Addr {
			return netip.MustParseAddr(string(ctx.Request.Header.Peek("X-Real")))
		}
	})
	for range freeTries {
		d.do("POST", "/v1/session", wrongBody, "X-Real: 203.0.113.9").is(401, "")
	}
	d.do("POST", "/v1/session", rightBody, "X-Real: 203.0.113.9").is(429, "")
	d.do("POST", "/v1/session", rightBody, "X-Real: 203.0.113.10").is(204, "")
}

// TestManyWrongSignIns sends more wrong tokens at once than are made to wait. A right one comes in at once all the same.
func TestManyWrongSignIns(t *testing.T) {
	d := newDesk(t, nil)
	waiting, release := make(chan bool, maxWaiting), make(chan bool)
	d.s.delay = func(time.Duration) {
		waiting <- true
		<-release
	}
	var wg sync.WaitGroup
	for i := range maxWaiting {
		wg.Go(func() { d.from(fmt.Sprintf("10.0.%d.1", i), "POST", "/v1/session", wrongBody).is(401, "unauthorized") })
	}
	for range maxWaiting {
		<-waiting
	}
	for i := range 100 {
		d.from(fmt.Sprintf("10.1.%d.1", i), "POST", "/v1/session", wrongBody).is(429, "too_many")
	}
	d.from("203.0.113.9", "POST", "/v1/session", rightBody).is(204, "")
	close(release)
	wg.Wait()
	d.s.delay = func(time.Duration) {}
	d.from("203.0.113.9", "POST", "/v1/session", wrongBody).is(401, "unauthorized")
}

// TestWrongDelay measures, on a clock of its own, how long a wrong token is held up, and that the server's end ends that.
func TestWrongDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, nil)
		d.s.delay = d.s.sleep
		f := func(body string, want time.Duration) {
			t.Helper()
			begin := time.Now()
			d.do("POST", "/v1/session", body)
			if took := time.Since(begin); took != want {
				t.Errorf("%s took %v, want %v", body, took, want)
			}
		}
		f(wrongBody, wrongDelay)
		f(rightBody, 0)
		f("{}", 0)
		d.s.cancel()
		f(wrongBody, 0)
	})
}

func TestDemoRoute(t *testing.T) {
	running, release := make(chan bool), make(chan bool)
	var fail error
	d := newDesk(t, func(o *Options) {
		o.Demo = func(ctx context.Context) (int, error) {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("the run of the demo may take for ever")
			}
			running <- true
			<-release
			return 4711, fail
		}
	})
	first := make(chan reply, 1)
	go func() { first <- d.do("POST", "/v1/demo", "", adminToken) }()
	<-running
	d.do("POST", "/v1/demo", "", adminToken).is(409, "conflict")
	release <- true
	if got := <-first; got.status != 200 || got.body != `{"hits":4711}`+"\n" {
		t.Errorf("answer is %d %s", got.status, got.body)
	}
	fail = errors.New("no such site")
	go func() { first <- d.do("POST", "/v1/demo", "", d.signIn(), ownOrigin) }()
	<-running
	release <- true
	(<-first).is(500, "internal")

	d.do("POST", "/v1/demo", "").is(401, "unauthorized")
	d.do("POST", "/v1/demo", "", d.signIn(), "Origin: https://evil.example").is(403, "cross_site")
	d.do("POST", "/v1/demo?x=1", "", adminToken).is(400, "bad_param")
	d.do("GET", "/v1/demo", "", adminToken).is(405, "method_not_allowed")
	newDesk(t, nil).do("POST", "/v1/demo", "", adminToken).is(404, "not_found")
}
