package web

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

func TestAuthorization(t *testing.T) {
	h := start(t, wholeOptions())
	closed := []string{"/v1/heatmap?site=shop&url=x", "/v1/elements?site=shop&url=x", "/v1/scroll?site=shop&url=x", "/v1/pages?site=shop", "/v1/export?site=shop",
		"/v1/sites", "/v1/bots", "/v1/trend?site=shop", "/v1/session", "/metrics"}
	for _, target := range closed {
		a := h.get(target, "Authorization", "")
		h.refused(a, 401, "unauthorized", "", "signed-in session", "Authorization: Bearer TOKEN", "--admin-token", "data folder")
		if got := a.Header.Get("WWW-Authenticate"); got != `Bearer realm="heatlog"` {
			t.Errorf("%s: WWW-Authenticate is %q", target, got)
		}
	}
	h.refused(h.do("POST", "/v1/sites", strings.NewReader(`{"key":"a"}`), "Authorization", ""), 401, "unauthorized", "")
	h.refused(h.do("POST", "/v1/import", strings.NewReader("{}"), "Authorization", ""), 401, "unauthorized", "")
	h.refused(h.do("POST", "/v1/overlay-links", strings.NewReader("{}"), "Authorization", ""), 401, "unauthorized", "")
	h.refused(h.do("DELETE", "/v1/session", nil, "Authorization", ""), 401, "unauthorized", "")

	f := func(header string, want int) {
		t.Helper()
		if a := h.get("/v1/bots", "Authorization", header); a.StatusCode != want {
			t.Errorf("Authorization %q gives %d, want %d", header, a.StatusCode, want)
		}
	}
	f("Bearer t0ken", 200)
	f("bearer t0ken", 200)
	f("Bearer  t0ken ", 200)
	f("Bearer t0keN", 401)
	f("Bearer t0ken2", 401)
	f("Bearer t0ke", 401)
	f("Bearer", 401)
	f("Bearer ", 401)
	f("Basic t0ken", 401)
	f("t0ken", 401)
	f("Bearer t0ken, Bearer other", 401)

	for _, target := range []string{"/", "/healthz", "/readyz"} {
		if a := h.get(target, "Authorization", ""); a.StatusCode != 200 {
			t.Errorf("%s without a token: %d", target, a.StatusCode)
		}
	}
	for _, method := range []string{"POST", "OPTIONS"} {
		if a := h.do(method, "/v1/in", nil, "Authorization", ""); a.StatusCode != 200 || a.body != "in" {
			t.Errorf("%s /v1/in without a token: %d %s", method, a.StatusCode, a.body)
		}
	}
}

func TestNoToken(t *testing.T) {
	s := New(wholeOptions())
	for _, header := range []string{"", "Bearer", "Bearer ", "Bearer x"} {
		var ctx fasthttp.RequestCtx
		ctx.Init(&fasthttp.Request{}, nil, nil)
		ctx.Request.SetRequestURI("/v1/bots")
		ctx.Request.Header.Set("Authorization", header)
		s.Handler(&ctx)
		if got := ctx.Response.StatusCode(); got != 401 {
			t.Errorf("a server without a token answers Authorization %q with %d", header, got)
		}
	}
}

func TestTwoAuthorizations(t *testing.T) {
	h := start(t, wholeOptions())
	got := h.raw("GET /v1/bots HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t0ken\r\nAuthorization: Bearer other\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 401 ") {
		t.Errorf("answer is %q", got)
	}
}

func TestMethods(t *testing.T) {
	h := start(t, wholeOptions())
	f := func(method, path, allow string) {
		t.Helper()
		a := h.do(method, path, nil)
		if got := a.Header.Get("Allow"); a.StatusCode != 405 || got != allow {
			t.Errorf("%s %s: status %d, Allow %q, want 405, %q", method, path, a.StatusCode, got, allow)
		}
		if method != "HEAD" {
			h.refused(a, 405, "method_not_allowed", "", path, allow)
		}
	}
	for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", "/v1/export", "/v1/bots"} {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} {
			f(method, path, "GET, HEAD")
		}
	}
	for _, path := range []string{"/v1/heatmap", "/v1/elements", "/v1/scroll", "/v1/pages", "/v1/trend"} {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "TRACE"} {
			f(method, path, "GET, HEAD, OPTIONS")
		}
	}
	f("PUT", "/v1/session", "DELETE, GET, HEAD, POST")
	f("OPTIONS", "/v1/session", "DELETE, GET, HEAD, POST")
	f("GET", "/v1/overlay-links", "POST")
	f("HEAD", "/signin", "GET")
	f("DELETE", "/v1/sites", "GET, HEAD, POST")
	f("GET", "/v1/import", "POST")
	f("OPTIONS", "/v1/import", "POST")
	f("GET", "/v1/in", "OPTIONS, POST")
	f("HEAD", "/v1/in", "OPTIONS, POST")
}

func TestUnknownRoutes(t *testing.T) {
	h := start(t, wholeOptions())
	for _, path := range []string{"/v1/heatmap/", "/v1", "/v2/heatmap", "/V1/heatmap", "/favicon.ico", "/v1/heatmap%00", "/..%2f..%2fetc/passwd"} {
		h.refused(h.get(path, "Authorization", ""), 404, "not_found", "", "/v1/bots, /v1/elements, /v1/export, /v1/heatmap, /v1/import, /v1/in, ", "/v1/overlay-links, /v1/pages, /v1/rules-schema.json, /v1/scroll, /v1/session, /v1/sites, /v1/timeline, /v1/trend")
	}
	bare := start(t, Options{})
	for _, path := range []string{"/v1/heatmap", "/v1/export", "/v1/sites", "/v1/bots", "/v1/import", "/v1/in", "/metrics"} {
		bare.refused(bare.get(path), 404, "not_found", "", path)
	}
}

func TestGivenHandlers(t *testing.T) {
	h := start(t, wholeOptions())
	for target, want := range map[string]string{"POST /v1/import?batch=a": "import", "POST /v1/in": "in", "GET /metrics": "metrics"} {
		method, path, _ := strings.Cut(target, " ")
		if a := h.do(method, path, nil); a.StatusCode != 200 || a.body != want {
			t.Errorf("%s: %d %s", target, a.StatusCode, a.body)
		}
	}
}

// TestPatience checks which requests may take longer than requestTime while their clients keep sending.
func TestPatience(t *testing.T) {
	stall := make(chan time.Duration, 1)
	look := func(ctx *fasthttp.RequestCtx) { stall <- ctx.Conn().(*conn).stall }
	h := start(t, Options{Import: look, In: look})
	for path, want := range map[string]time.Duration{"/v1/import": stallTime, "/v1/in": 0} {
		h.do("POST", path, strings.NewReader("x"))
		if got := <-stall; got != want {
			t.Errorf("a read of %s may take %v, want %v (0 = the whole request requestTime)", path, got, want)
		}
	}
}

func TestStatusRoutes(t *testing.T) {
	var notReady error
	h := start(t, Options{Ready: func() error { return notReady }, Lag: func() uint64 { return 7 }})
	f := func(target string, status int, want string) {
		t.Helper()
		if a := h.get(target); a.StatusCode != status || a.body != want+"\n" {
			t.Errorf("%s: %d %s, want %d %s", target, a.StatusCode, a.body, status, want)
		}
	}
	f("/healthz", 200, `{"ok":true}`)
	f("/readyz", 200, `{"ready":true,"lag_hits":7}`)
	notReady = errors.New("store is <down>")
	f("/readyz", 503, `{"ready":false,"reason":"store is \u003cdown\u003e","lag_hits":7}`)
	f("/healthz", 200, `{"ok":true}`)
	if a := start(t, Options{}).get("/readyz"); a.body != `{"ready":true}`+"\n" {
		t.Errorf("without Ready: %s", a.body)
	}
}
