package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

const tailJSON = `"generation":"g1","positions":{"ja":181200,"jb":7},"lag_hits":3,"took_ms":1.5}` + "\n"

func TestAnswers(t *testing.T) {
	r := newFakeReader()
	h := start(t, Options{Reader: r})
	f := func(target, want string) {
		t.Helper()
		a := h.get(target)
		if d := cmp.Diff(want, a.body); a.StatusCode != 200 || d != "" {
			t.Errorf("%s: status %d (-want +got)\n%s", target, a.StatusCode, d)
		}
		if !json.Valid([]byte(a.body)) {
			t.Errorf("%s: not JSON: %s", target, a.body)
		}
		for name, value := range map[string]string{"Content-Type": "application/json; charset=utf-8", "X-Content-Type-Options": "nosniff",
			"Cache-Control": "no-store", "Server": "", "Vary": "Accept-Encoding, Origin"} {
			if got := a.Header.Get(name); got != value {
				t.Errorf("%s: header %s is %q, want %q", target, name, got, value)
			}
		}
	}

	f("/v1/heatmap?site=shop&"+page,
		`{"site":"shop","url":"https://shop.example/p/1","kind":"click","from":"2026-01-01","to":"2026-01-31","cell":8,"hits":12,`+
			`"visitors":5,"visitors_scope":"page","views":9,"max":9,"thinned":false,"error":0,"cells":2,"noise_hits":0,"points":[[512,1480,9],[0,0,3]],`+tailJSON)
	f("/v1/scroll?site=shop&"+page,
		`{"site":"shop","url":"https://shop.example/p/1","from":"2026-01-01","to":"2026-01-31","views":3,"band":50,`+
			`"reach":[[0,1],[50,0.666667]],"attention_ms":[[0,1200],[50,0.5]],"fold":{"average":720.5,"p50":720},"visitors":2,"visitors_scope":"page",`+tailJSON)
	f("/v1/pages?site=shop&offset=10",
		`{"site":"shop","pages":[{"url":"https://shop.example/","hits":21,"views":6,"clicks":7,"scrolls":5,"moves":3,"rage":2,"dead":1}],`+
			`"total":120,"offset":10,"next_offset":11,"hits":21,`+tailJSON)
	r.pages.Total = 11
	f("/v1/pages?site=shop&offset=10",
		`{"site":"shop","pages":[{"url":"https://shop.example/","hits":21,"views":6,"clicks":7,"scrolls":5,"moves":3,"rage":2,"dead":1}],`+
			`"total":11,"offset":10,"next_offset":null,"hits":21,`+tailJSON)

	const buckets = `"buckets":[{"start":"2026-01-01T00:00:00+05:30","hits":5,"views":2,"clicks":1,"scrolls":1,"moves":1,"rage":3,"dead":1,"visitors":2},` +
		`{"start":"2026-01-02T00:00:00+05:30","hits":0,"views":0,"clicks":0,"scrolls":0,"moves":0,"rage":0,"dead":0,"visitors":0}],"hits":5,"views":2,"visitors":2,`
	f("/v1/trend?site=shop",
		`{"site":"shop","url":"**","by":"day","from":"2026-01-01","to":"2026-01-02","timezone":"Asia/Kolkata",`+buckets+tailJSON)
	r.trend.Hourly, r.trend.Page = true, "https://shop.example/p/1"
	f("/v1/trend?site=shop&by=hour&"+page,
		`{"site":"shop","url":"https://shop.example/p/1","by":"hour","from":"2026-01-01","to":"2026-01-02","timezone":"Asia/Kolkata",`+buckets+tailJSON)
	r.trend = &heatmap.Trend{Prefix: heatmap.Prefix{Generation: "g1"}, Page: "**", Why: &heatmap.Why{Reason: heatmap.WhyNoHits, Message: "m"}}
	f("/v1/trend?site=shop",
		`{"site":"shop","url":"**","by":"day","from":null,"to":null,"timezone":"UTC","buckets":[],"hits":0,"views":0,"visitors":0,`+
			`"why":{"reason":"no_hits","message":"m"},"generation":"g1","positions":{},"lag_hits":0,"took_ms":1.5}`+"\n")

	r.heatmap.Noise = heatmap.Noise{Cells: 3, Hits: 4}
	f("/v1/heatmap?site=shop&noise=0.5&"+page,
		`{"site":"shop","url":"https://shop.example/p/1","kind":"click","from":"2026-01-01","to":"2026-01-31","cell":8,"hits":12,`+
			`"visitors":5,"visitors_scope":"page","views":9,"max":9,"thinned":false,"error":0,"cells":5,"noise_hits":4,"points":[[512,1480,9],[0,0,3]],`+tailJSON)
	r.heatmap = &heatmap.Heatmap{Prefix: heatmap.Prefix{Generation: "g1"}, Page: "x", Cell: 8,
		Why: &heatmap.Why{Reason: heatmap.WhyUnknownSite, Message: "no site \"shop\""}}
	f("/v1/heatmap?site=shop&url=x&kind=move",
		`{"site":"shop","url":"x","kind":"move","from":null,"to":null,"cell":8,"hits":0,"visitors":0,"visitors_scope":"page","views":0,"max":0,`+
			`"thinned":false,"error":0,"cells":0,"noise_hits":0,"points":[],"why":{"reason":"unknown_site","message":"no site \"shop\""},"generation":"g1","positions":{},"lag_hits":0,"took_ms":1.5}`+"\n")
}

// TestSampled: every answer about hits says which are sampled, a page of a list and the minus side too.
func TestSampled(t *testing.T) {
	r := newFakeReader()
	h := start(t, Options{Reader: r})
	r.sample(heatmap.Sampled{Hits: 1204, Share: 250_000})
	one := heatmap.Sampled{Hits: 1, Share: 1}
	r.pages.Pages[0].Sampled, r.minusSampled = one, one
	const said, alone = `"sampled":{"share":0.25,"hits":1204}`, `"sampled":{"share":0.000001,"hits":1}`
	f := func(target, want string) {
		t.Helper()
		if a := h.get(target); a.StatusCode != 200 || !strings.Contains(a.body, want) || !json.Valid([]byte(a.body)) {
			t.Errorf("%s: status %d, lacks %s: %s", target, a.StatusCode, want, a.body)
		}
	}
	f("/v1/heatmap?site=shop&"+page, `]],`+said+`,"generation":"g1"`)
	f("/v1/heatmap?site=shop&minus_where=x&"+page, `"views":9,`+said+`,"cell":16`)
	f("/v1/heatmap?site=shop&minus_where=x&"+page, `"views":4,`+alone+`,"kept_cell":16`)
	f("/v1/scroll?site=shop&"+page, `"visitors_scope":"page",`+said+`,"generation"`)
	f("/v1/elements?site=shop&"+page, `"hits":1},`+said+`,"generation"`)
	f("/v1/trend?site=shop", `"visitors":2,`+said+`,"generation"`)
	f("/v1/pages?site=shop", `"dead":1,`+alone+`}],"total"`)
	f("/v1/pages?site=shop", `"hits":21,`+said+`,"generation"`)
	for name, want := range map[string]string{
		"Heatlog-Sampled-Share": "0.25", "Heatlog-Sampled-Hits": "1204", "Heatlog-Minus-Sampled-Share": "0.000001", "Heatlog-Minus-Sampled-Hits": "1",
	} {
		if got := h.get("/v1/heatmap?site=shop&format=png&minus_where=x&" + page).Header.Get(name); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	r.heatmap.Sampled = heatmap.Sampled{}
	if a := h.get("/v1/heatmap?site=shop&format=png&" + page); a.Header.Get("Heatlog-Sampled-Share") != "" || a.Header.Get("Heatlog-Sampled-Hits") != "" {
		t.Errorf("a picture without sampled hits has headers %v", a.Header)
	}
}

func TestWhy(t *testing.T) {
	r := newFakeReader()
	h := start(t, Options{Reader: r})
	f := func(why heatmap.Why, want string) {
		t.Helper()
		why.Message = "m"
		r.heatmap.Why = &why
		_, rest, _ := strings.Cut(h.get("/v1/heatmap?site=shop&url=x").body, `"why":`)
		got, _, _ := strings.Cut(rest, `,"generation"`)
		if got != want {
			t.Errorf("why is %s, want %s", got, want)
		}
	}
	f(heatmap.Why{Reason: heatmap.WhyNoHits}, `{"reason":"no_hits","message":"m"}`)
	f(heatmap.Why{Reason: heatmap.WhyOnlyBots}, `{"reason":"only_bots","message":"m"}`)
	f(heatmap.Why{Reason: heatmap.WhyNoHitsForURL}, `{"reason":"no_hits_for_url","message":"m","nearest":[]}`)
	f(heatmap.Why{Reason: heatmap.WhyNoHitsForURL, Nearest: []string{"a", "b"}}, `{"reason":"no_hits_for_url","message":"m","nearest":["a","b"]}`)
	f(heatmap.Why{Reason: heatmap.WhyOutsideRange, From: day("2026-01-02"), To: day("2026-03-04")},
		`{"reason":"outside_range","message":"m","from":"2026-01-02","to":"2026-03-04"}`)
	f(heatmap.Why{Reason: heatmap.WhyOtherWidth, Widths: [][2]int{{320, 351}, {0, 0}}}, `{"reason":"other_width","message":"m","widths":[[320,351],[0,0]]}`)
	f(heatmap.Why{Reason: heatmap.WhyOtherKind, Kinds: []string{"move"}}, `{"reason":"other_kind","message":"m","kinds":["move"]}`)
	f(heatmap.Why{Reason: heatmap.WhyOtherDevice, Devices: []string{"mobile"}}, `{"reason":"other_device","message":"m","devices":["mobile"]}`)
}

func TestMarkup(t *testing.T) {
	const hostile = "https://shop.example/</script><script>alert(1)</script>?a=\"&b='\u2028\u2029\\\x00\x7f\xff"
	const safe = "https://shop.example/</script><script>alert(1)</script>?a=\"&b='\u2028\u2029\\\x00\x7f\uFFFD"
	r := newFakeReader()
	r.heatmap.Page = hostile
	r.heatmap.Why = &heatmap.Why{Reason: heatmap.WhyNoHitsForURL, Message: hostile, Nearest: []string{hostile}}
	r.pages.Pages[0].Page = hostile
	h := start(t, Options{Reader: r, Bots: func() []string { return []string{hostile} }})
	for _, target := range []string{"/v1/heatmap?site=shop&url=x", "/v1/pages?site=shop", "/v1/bots"} {
		a := h.get(target)
		if strings.ContainsAny(a.body, "<>&\u2028\u2029\x00\x7f") || !utf8.ValidString(a.body) {
			t.Errorf("%s: markup in %s", target, a.body)
		}
		var v any
		if err := json.Unmarshal([]byte(a.body), &v); err != nil {
			t.Errorf("%s: %v", target, err)
		}
		if !strings.Contains(fmt.Sprint(v), safe) {
			t.Errorf("%s: the URL is not in %v", target, v)
		}
	}
	h.refused(h.get("/v1/heatmap?site=shop&url=x&kind=%3C/script%3E"), 400, "bad_param", "kind", "</script>")
	h.refused(h.get("/v1/%3Cscript%3E"), 404, "not_found", "", "<script>")
	if a := h.get("/v1/%3Cscript%3E"); strings.Contains(a.body, "<") {
		t.Errorf("markup in %s", a.body)
	}
}

func TestReaderErrors(t *testing.T) {
	var log logBuffer
	r := newFakeReader()
	h := start(t, Options{Reader: r, Logger: log.logger()})
	f := func(err error, status int, code, field string, fragments ...string) answer {
		t.Helper()
		r.err = err
		var a answer
		for _, target := range []string{"/v1/heatmap?site=shop&url=x", "/v1/elements?site=shop&url=x", "/v1/scroll?site=shop&url=x", "/v1/pages?site=shop", "/v1/trend?site=shop"} {
			a = h.get(target)
			h.refused(a, status, code, field, fragments...)
		}
		return a
	}
	f(fmt.Errorf("read: %w", &heatmap.ParamError{Field: "url", Message: "too many wildcards"}), 400, "bad_param", "url", "too many wildcards")
	f(&heatmap.GoneError{Field: "positions", Message: "pruned"}, 410, "gone", "positions", "pruned")
	f(&heatmap.ParamError{Field: "generation", Message: "no generation g9"}, 404, "not_found", "generation", "no generation g9")
	if log.String() != "" {
		t.Errorf("a client's mistakes are logged: %s", log.String())
	}
	a := f(errors.New("blob on disk is torn at /var/lib"), 500, "internal", "", "log has the cause")
	if strings.Contains(a.body, "torn") || strings.Count(log.String(), "blob on disk is torn") != 5 {
		t.Errorf("body %q, log %q", a.body, log.String())
	}
	r.err, r.panics = nil, "index out of range"
	a = h.get("/v1/pages?site=shop")
	h.refused(a, 500, "internal", "")
	if !strings.Contains(log.String(), "index out of range") || !strings.Contains(log.String(), "reading.go") {
		t.Errorf("panic is not logged with its place: %s", log.String())
	}
	r.panics = nil
	if a := h.get("/v1/pages?site=shop"); a.StatusCode != 200 {
		t.Errorf("after a panic: %d %s", a.StatusCode, a.body)
	}
}

// TestUnavailable asks while counts cannot be had: every question is refused with the reason, and may be asked again.
func TestUnavailable(t *testing.T) {
	down := fmt.Errorf("ask: %w", &heatmap.UnavailableError{Message: "store db.example cannot be reached", Err: context.DeadlineExceeded})
	r, g := newFakeReader(), newFakeGenerations()
	r.err, g.listErr = down, down
	h := start(t, Options{Reader: r, Generations: g, Sites: newFakeSites()})
	for _, target := range []string{
		"/v1/heatmap?site=shop&url=x", "/v1/elements?site=shop&url=x", "/v1/scroll?site=shop&url=x", "/v1/pages?site=shop", "/v1/trend?site=shop", "/v1/generations",
	} {
		a := h.get(target)
		h.refused(a, 503, "unavailable", "", "store db.example cannot be reached")
		if a.Header.Get("Retry-After") != "5" {
			t.Errorf("%s: Retry-After is %q", target, a.Header.Get("Retry-After"))
		}
	}
}

func TestQueryTimeout(t *testing.T) {
	r := newFakeReader()
	r.block = true
	h := start(t, Options{Reader: r, QueryTimeout: 20 * time.Millisecond})
	for _, target := range []string{"/v1/heatmap?site=shop&url=x", "/v1/elements?site=shop&url=x", "/v1/scroll?site=shop&url=x", "/v1/pages?site=shop", "/v1/trend?site=shop"} {
		a := h.get(target)
		h.refused(a, 503, "unavailable", "", "longer than 20ms")
		if a.Header.Get("Retry-After") != "5" {
			t.Errorf("Retry-After is %q", a.Header.Get("Retry-After"))
		}
	}
}

func TestCompression(t *testing.T) {
	r := newFakeReader()
	for i := range 500 {
		r.heatmap.Points = append(r.heatmap.Points, heatmap.Point{X: i * 8, Y: i * 16, Weight: 2})
	}
	h := start(t, Options{Reader: r})
	const target = "/v1/heatmap?site=shop&url=x"
	_, plain, _ := strings.Cut(h.get(target).body, `"points":`)
	f := func(target, accept string, want bool) {
		t.Helper()
		a := h.get(target, "Accept-Encoding", accept)
		if got := a.Header.Get("Content-Encoding"); (got == "gzip") != want || got != "gzip" && got != "" {
			t.Errorf("%s, Accept-Encoding %q: Content-Encoding %q", target, accept, got)
		}
		if !want {
			return
		}
		z, err := gzip.NewReader(strings.NewReader(a.body))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(z)
		_, points, _ := strings.Cut(string(b), `"points":`)
		if err != nil || points != plain || len(a.body)*2 > len(b) {
			t.Errorf("gzip of %d bytes gives %d bytes, %v, want the body of %d bytes", len(a.body), len(b), err, len(plain))
		}
	}
	f(target, "", false)
	f(target, "gzip", true)
	f(target, "gzip, deflate, br, zstd", true)
	f(target, "br;q=1.0, GZIP;q=0.5", true)
	f(target, "*", true)
	f(target, "x-gzip", true)
	f(target, "br", false)
	f(target, "deflate, zstd", false)
	f(target, "gzip;q=0", false)
	f(target, "gzip;q=0, *", false)
	f(target, "*;q=0", false)
	f(target, "gzip;q=x", false)
	f(target, "gzipped", false)
	f("/v1/pages?site=shop", "gzip", false) // small
}

func TestHead(t *testing.T) {
	h := start(t, wholeOptions())
	for _, target := range []string{"/", "/healthz", "/readyz", "/metrics", "/v1/heatmap?site=shop&url=x", "/v1/elements?site=shop&url=x", "/v1/scroll?site=shop&url=x",
		"/v1/pages?site=shop", "/v1/trend?site=shop", "/v1/sites", "/v1/bots", "/v1/export?site=shop"} {
		g, a := h.get(target), h.do("HEAD", target, nil)
		if a.StatusCode != 200 || a.body != "" || a.Header.Get("Content-Type") != g.Header.Get("Content-Type") {
			t.Errorf("HEAD %s: status %d, body %q, type %q, want type %q", target, a.StatusCode, a.body, a.Header.Get("Content-Type"), g.Header.Get("Content-Type"))
		}
	}
	if a := h.do("HEAD", "/v1/heatmap?site=shop", nil); a.StatusCode != 400 || a.body != "" {
		t.Errorf("bad HEAD: status %d, body %q", a.StatusCode, a.body)
	}
}

// BenchmarkHeatmap answers with 100,000 cells, plain and compressed.
func BenchmarkHeatmap(b *testing.B) {
	r := newFakeReader()
	r.heatmap.Points = randomPoints(100_000)
	s := New(Options{Reader: r, Token: testToken})
	for _, encoding := range []string{"identity", "gzip"} {
		b.Run(encoding, func(b *testing.B) {
			b.ReportAllocs()
			sent := 0
			var ctx fasthttp.RequestCtx
			for b.Loop() {
				ctx.Response.Reset()
				ctx.Init(&fasthttp.Request{}, nil, nil)
				ctx.Request.SetRequestURI("/v1/heatmap?site=shop&" + page)
				ctx.Request.Header.Set("Authorization", "Bearer "+testToken)
				ctx.Request.Header.Set("Accept-Encoding", encoding)
				s.Handler(&ctx)
				sent = len(ctx.Response.Body())
			}
			if sent < 100_000 {
				b.Fatalf("answer of %d bytes: %s", sent, ctx.Response.Body())
			}
			b.ReportMetric(float64(sent), "bytes/answer")
		})
	}
}
