package collector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

const (
	plain      = "Content-Type: text/plain;charset=UTF-8"
	fromShop   = "Origin: https://shop.example"
	smallBatch = `{"site":"shop","url":"https://shop.example/p/1","b":"a-1","hits":[{"age":1000,"kind":"view"}]}`
)

// in sends a batch.
func (r *rig) in(body string, headers ...string) response {
	r.t.Helper()
	return r.do("POST", "/v1/in", strings.NewReader(body), len(body), headers...)
}

func TestIn(t *testing.T) {
	for _, streaming := range []bool{true, false} {
		r := newRig(t, func(_ *Options, s *fasthttp.Server) {
			if !streaming {
				s.StreamRequestBody, s.HeaderReceived = false, nil
			}
		})
		const agent = "Mozilla/5.0 (X11)"
		f := func(body []byte, length int, headers ...string) {
			t.Helper()
			resp := r.do("POST", "/v1/in", bytes.NewReader(body), length, append(headers, "User-Agent: "+agent)...)
			if resp.status != 204 || resp.body != "" || string(resp.header.Peek("Vary")) != "Origin" {
				t.Errorf("%v: %d %s", headers, resp.status, resp.body)
			}
		}
		f([]byte(smallBatch), len(smallBatch), plain)
		f([]byte(smallBatch), -1, plain, fromShop)
		f([]byte(smallBatch), len(smallBatch), "Content-Type: Application/JSON", fromShop)
		packed := pack(t, []byte(smallBatch), "gzip")
		f(packed, len(packed), plain, "Content-Encoding: gzip")
		r.checkIn(4, agent)
		if s := r.c.Stats(); s.InAccepted != 4 || s.InRequests != 4 || s.UnpackedBytes != uint64(4*len(smallBatch)) ||
			s.Bytes != uint64(3*len(smallBatch)+len(packed)) {
			t.Errorf("%+v", s)
		}
	}
}

// checkIn checks n stored batches of smallBatch.
func (r *rig) checkIn(n int, agent string) {
	r.t.Helper()
	if len(r.journal.batches) != n {
		r.t.Fatalf("%d batches", len(r.journal.batches))
	}
	for _, b := range r.journal.batches {
		want := heatmap.Batch{Site: "shop", ID: "a-1", Visitor: r.journal.batches[0].Visitor, Hits: []heatmap.Hit{{
			Time: testNow.UnixMilli() - 1000, Site: "shop", URL: "https://shop.example/p/1", Kind: heatmap.KindView,
			Visitor: r.journal.batches[0].Visitor, UserAgent: agent,
		}}}
		if diff := cmp.Diff(want, b); diff != "" {
			r.t.Error(diff)
		}
		if !regexp.MustCompile(`^[0-9a-f]{16}$`).MatchString(b.Visitor) {
			r.t.Errorf("visitor %q", b.Visitor)
		}
	}
	if !r.c.o.Sites.find([]byte("shop")).used.Load() {
		r.t.Error("the site is not marked")
	}
}

func TestInCORS(t *testing.T) {
	r := newRig(t, nil)
	f := func(method, body string, status int, allowed string, headers ...string) response {
		t.Helper()
		resp := r.do(method, "/v1/in", strings.NewReader(body), len(body), headers...)
		h := resp.header
		if resp.status != status || string(h.Peek("Access-Control-Allow-Origin")) != allowed || string(h.Peek("Vary")) != "Origin" ||
			h.Peek("Access-Control-Allow-Credentials") != nil {
			t.Errorf("%s %v: %d\n%s", method, headers, resp.status, h)
		}
		return resp
	}
	const shop, news = "https://shop.example", "https://news.example"
	h := f("OPTIONS", "", 204, shop, fromShop, "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type").header
	if string(h.Peek("Access-Control-Allow-Methods")) != "POST" || string(h.Peek("Access-Control-Allow-Headers")) != "Content-Type, Content-Encoding" ||
		string(h.Peek("Access-Control-Max-Age")) != "86400" {
		t.Errorf("preflight: %s", h)
	}
	for _, origin := range []string{"https://other.example", "null", "http://shop.example", "https://shop.example:8443", "https://shop.example.evil.example", ""} {
		f("OPTIONS", "", 403, "", "Origin: "+origin)
		if origin != "" {
			f("POST", smallBatch, 403, "", plain, "Origin: "+origin)
		}
	}
	f("OPTIONS", "", 403, "")
	r.checkStored(nil)
	f("POST", smallBatch, 204, shop, plain, fromShop)
	f("POST", smallBatch, 204, "", plain)
	f("POST", `{`, 400, shop, plain, fromShop)
	resp := f("POST", smallBatch, 403, "", plain, "Origin: "+news) // listed, but for another site
	want := apiError{"origin_not_listed", `origin is "https://news.example", which is not listed for site shop`, ""}
	if diff := cmp.Diff(want, decodeError(t, resp.body)); diff != "" {
		t.Error(diff)
	}
	if s := r.c.Stats(); s.InAccepted != 2 || s.Unauthorized != 13 {
		t.Errorf("%+v", s)
	}
}

// TestInForeignPages sends from a listed origin about pages of others. Without an Origin header it is no browser that sends.
func TestInForeignPages(t *testing.T) {
	r := newRig(t, nil)
	f := func(url, own string, status int, headers ...string) {
		t.Helper()
		body := `{"site":"shop","url":"` + url + `","b":"1","hits":[{"age":0,"kind":"view"},{"age":0,"kind":"view"` + own + `}]}`
		resp := r.in(body, append(headers, plain)...)
		if resp.status != status {
			t.Errorf("%s %s %v: %d %s", url, own, headers, resp.status, resp.body)
		}
		if status != 403 {
			return
		}
		if e := decodeError(t, resp.body); e.Code != codeOrigin || e.Field != "url" || len(resp.header.Peek("Access-Control-Allow-Origin")) == 0 {
			t.Errorf("%s: %+v", url, e)
		}
	}
	const shop, foreign = "https://shop.example/p/1", "https://evil.example/phish"
	for _, url := range []string{shop, "https://shop.example", "https://shop.example?q", "https://shop.example#/a", "HTTPS://Shop.Example:443/p", "https://me@shop.example/p"} {
		f(url, "", 204, fromShop)
		f(shop, `,"url":"`+url+`"`, 204, fromShop)
	}
	for _, url := range []string{foreign, "http://shop.example/p", "https://shop.example:8443/p", "https://shop.example.evil.example/", "https://shop.example@evil.example/"} {
		f(url, "", 403, fromShop)
		f(shop, `,"url":"`+url+`"`, 403, fromShop)
		f(url, "", 204)
	}
}

func TestRefusedOrigins(t *testing.T) {
	r := newRig(t, nil)
	f := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, r.c.RefusedOrigins("shop"), cmpopts.EquateEmpty()); diff != "" {
			t.Error(diff)
		}
	}
	f()
	for _, origin := range []string{"null", "nonsense", "https://a.example/<b>", "file://"} {
		r.in(smallBatch, plain, "Origin: "+origin)
	}
	f()
	for _, origin := range []string{"http://1.example", "http://2.example", "http://1.example", "http://1.example"} {
		r.in(smallBatch, plain, "Origin: "+origin)
	}
	f("http://1.example", "http://2.example")
	for i := range 9 {
		r.in(smallBatch, plain, fmt.Sprintf("Origin: http://h%d.example", i))
	}
	f("http://h8.example", "http://h7.example", "http://h6.example", "http://h5.example", "http://h4.example")
	shop, _ := r.c.o.Sites.Lookup("shop")
	shop.Origins = append(slices.Clone(shop.Origins), "http://h7.example")
	if err := r.c.o.Sites.Put(shop); err != nil {
		t.Fatal(err)
	}
	f("http://h8.example", "http://h6.example", "http://h5.example", "http://h4.example")
	if got := r.c.RefusedOrigins("unknown"); got != nil {
		t.Errorf("%q", got)
	}
}

func TestInRefuses(t *testing.T) {
	r := newRig(t, nil)
	before := r.c.Stats()
	sent := uint64(0)
	f := func(method, query, body string, status int, want apiError, headers ...string) {
		t.Helper()
		sent++
		resp := r.do(method, "/v1/in"+query, strings.NewReader(body), len(body), headers...)
		if resp.status != status || string(resp.header.Peek("X-Content-Type-Options")) != "nosniff" {
			t.Errorf("%s %.60s: %d %s", method, body, resp.status, resp.body)
		}
		if diff := cmp.Diff(want, decodeError(t, resp.body)); diff != "" {
			t.Errorf("%s %.60s: %s", method, body, diff)
		}
	}
	f("GET", "", "", 405, apiError{"method_not_allowed", "hits are taken by POST only", ""})
	f("POST", "?site=shop", smallBatch, 400, apiError{"bad_param", `unknown parameter "site"`, "site"}, plain)
	for _, contentType := range []string{"application/x-www-form-urlencoded", "text/html", "text/plainer"} {
		f("POST", "", smallBatch, 415, apiError{"unsupported_media_type", `content-type is "` + contentType + `", want text/plain or application/json`, ""},
			"Content-Type: "+contentType)
	}
	for _, encoding := range []string{"br", "zstd", "gzip, gzip"} {
		f("POST", "", smallBatch, 415, apiError{"unsupported_encoding", `content-encoding is "` + encoding + `", want gzip or none`, ""}, plain, "Content-Encoding: "+encoding)
	}
	f("POST", "", strings.Replace(smallBatch, "shop", "nobody", 1), 403, apiError{"unknown_site", `site is "nobody", want the key of a registered site`, "site"}, plain)
	tooLarge := apiError{"too_large", "the body is over the limit of 262144 bytes", ""}
	wide := func(n int) string { return smallBatch + strings.Repeat(" ", n-len(smallBatch)) }
	f("POST", "", wide(MaxBody+1), 413, tooLarge, plain)
	f("POST", "", string(pack(t, []byte(wide(MaxBody+1)), "gzip")), 413, tooLarge, plain, "Content-Encoding: gzip")
	f("POST", "", string(pack(t, []byte(wide(64<<20)), "gzip")), 413, tooLarge, plain, "Content-Encoding: gzip")
	f("POST", "", "no gzip at all", 400, apiError{"broken_body", "the gzip data of the body is damaged: gzip: invalid header", ""}, plain, "Content-Encoding: gzip")
	f("POST", "", "", 400, apiError{"broken_body", "the gzip data of the body is damaged: unexpected EOF", ""}, plain, "Content-Encoding: gzip")
	f("POST", "", "{", 400, apiError{"bad_batch", "malformed JSON at byte 2: a name is missing", ""}, plain)
	f("POST", "", "", 400, apiError{"bad_batch", "malformed JSON at byte 1: a value is missing", ""}, plain)
	f("POST", "", `{"site":"shop"}`, 400, apiError{"bad_batch", "b is missing", "b"}, plain)
	f("POST", "", strings.Replace(smallBatch, "[{", `[{"kind":"view"},{"x":-1,`, 1), 400, apiError{"bad_hit", "hit 1: x is -1, want 0 to 65535", "hits[1].x"}, plain)
	r.checkStored(nil)

	after := r.c.Stats()
	before.InRequests, before.Unauthorized, before.Broken = sent, 1, 8
	before.Bytes, before.UnpackedBytes = after.Bytes, after.UnpackedBytes
	before.Rejected["malformed_json"], before.Rejected["missing_field"], before.Rejected["out_of_range"] = 2, 1, 1
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	if resp := r.in(wide(MaxBody), plain); resp.status != 204 {
		t.Errorf("%d bytes: %d", MaxBody, resp.status)
	}
	packed := pack(t, []byte(wide(MaxBody)), "gzip")
	if resp := r.in(string(packed), plain, "Content-Encoding: gzip"); resp.status != 204 {
		t.Errorf("%d bytes unpacked: %d", MaxBody, resp.status)
	}
}

// TestInChunkedOverLimit sends more than the limit without saying so first. What is too much to be read ends the
// connection: there is no telling where the next request would begin.
func TestInChunkedOverLimit(t *testing.T) {
	r := newRig(t, nil)
	f := func(size int64, closes bool) {
		t.Helper()
		resp := r.do("POST", "/v1/in", io.LimitReader(xes{}, size), -1, plain)
		if resp.status != 413 || resp.header.ConnectionClose() != closes {
			t.Errorf("%d bytes: %d, closes %v", size, resp.status, resp.header.ConnectionClose())
		}
	}
	f(MaxBody+1, false)
	f(2*MaxBody, false)

	endless := &countReader{r: xes{}}
	ctx := &fasthttp.RequestCtx{}
	ctx.Request.Header.SetMethod("POST")
	ctx.Request.Header.SetContentType("text/plain")
	ctx.Request.SetBodyStream(endless, -1)
	r.c.In(ctx)
	if ctx.Response.StatusCode() != 413 || !ctx.Response.ConnectionClose() || endless.n > MaxBody+drainIn+64<<10 {
		t.Errorf("%d after %d bytes, closes %v", ctx.Response.StatusCode(), endless.n, ctx.Response.ConnectionClose())
	}
	if n := r.c.Stats().Broken; n != 3 {
		t.Errorf("%d broken", n)
	}
}

// countReader counts what is read.
type countReader struct {
	r io.Reader
	n int
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func TestInBreaksOff(t *testing.T) {
	r := newRig(t, nil)
	resp := r.raw("POST /v1/in HTTP/1.1\r\nHost: x\r\n" + plain + fmt.Sprintf("\r\nContent-Length: %d\r\n\r\n", len(smallBatch)+1) + smallBatch)
	if e := decodeError(t, resp.body); resp.status != 400 || e.Code != codeBrokenBody {
		t.Errorf("%d %s", resp.status, resp.body)
	}
	r.checkStored(nil)
}

func TestInUnavailable(t *testing.T) {
	f := func(change func(*Options, *memJournal), status int, code, retry string) {
		t.Helper()
		r := newRig(t, func(o *Options, _ *fasthttp.Server) { change(o, o.Journal.(*memJournal)) })
		resp := r.in(smallBatch, plain)
		if e := decodeError(t, resp.body); resp.status != status || e.Code != code || strings.Contains(e.Message, "secret") ||
			string(resp.header.Peek("Retry-After")) != retry {
			t.Errorf("%d %s", resp.status, resp.body)
		}
		r.checkStored(nil)
		if s := r.c.Stats(); s.StoreErrors != 1 || s.InAccepted != 0 {
			t.Errorf("%+v", s)
		}
	}
	fail := errors.New("/secret/path: read-only file system")
	f(func(_ *Options, j *memJournal) { j.before = func(int) error { return fail } }, 503, codeUnavailable, retryAfter)
	f(func(o *Options, j *memJournal) {
		j.before = func(int) error { return fail }
		o.Unavailable = func(error) bool { return false }
	}, 500, codeInternal, "")
	f(func(o *Options, _ *memJournal) { o.Admit = func(int) error { return fail } }, 503, codeUnavailable, retryAfter)
	f(func(o *Options, _ *memJournal) { o.Salt = func(heatmap.Date) []byte { return make([]byte, 15) } }, 503, codeUnavailable, retryAfter)
}

// TestInUnavailableLogsSeldom refuses many requests within a second: the log gets one line, and the next tells of the others.
func TestInUnavailableLogsSeldom(t *testing.T) {
	var log bytes.Buffer
	now := testNow
	r := newRig(t, func(o *Options, _ *fasthttp.Server) {
		o.Now = func() time.Time { return now }
		o.Logger = slog.New(slog.NewTextHandler(&log, nil))
		o.Journal.(*memJournal).before = func(int) error { return errors.New("disk is full") }
	})
	f := func(after time.Duration, want string) {
		t.Helper()
		log.Reset()
		now = now.Add(after)
		if resp := r.in(smallBatch, plain); resp.status != 503 {
			t.Errorf("%d %s", resp.status, resp.body)
		}
		if got := log.String(); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("after %v the log is %q, want %q", after, got, want)
		}
	}
	f(0, `disk is full" requests=1`)
	for range 20 {
		f(40*time.Millisecond, "")
	}
	f(200*time.Millisecond, "requests=21")
	f(-time.Hour, "requests=1") // the clock was set back
	if s := r.c.Stats(); s.StoreErrors != 23 {
		t.Errorf("%+v", s)
	}
}

// TestInAgain sends a body again as a page does: what tells the index that it is the same batch is recorded the same,
// whatever the time, the address and the coding are.
func TestInAgain(t *testing.T) {
	now, ip := testNow, netip.MustParseAddr("192.0.2.7")
	r := newRig(t, func(o *Options, _ *fasthttp.Server) {
		o.Now = func() time.Time { return now }
		o.ClientIP = func(*fasthttp.RequestCtx) netip.Addr { return ip }
	})
	agents := []string{"", "Mozilla/5.0", strings.Repeat("é", 200) + "\xff", "\xff"}
	bodies := []string{
		smallBatch,
		`{"site":"shop","url":"https://shop.example/","view":"v\u00e9","b":"\u00e9","hits":[{"age":1,"kind":"view"},{"age":0,"kind":"view","view":"w"}]}`,
		`{"hits":[{"age":1,"kind":"view","view":"joe@example.com"},{"age":0,"kind":"view"}],"b":"b","view":"","url":"https://shop.example/?m=joe@example.com","site":"shop"}`,
	}
	type name struct{ site, id, view, agent string }
	for _, agent := range agents {
		for _, body := range bodies {
			names := map[name]bool{}
			for n := range 8 {
				now, ip = now.Add(time.Duration(n)*3*time.Minute), ip.Next()
				header := []string{plain, "User-Agent: " + agent}
				sent := body
				if n%2 == 1 {
					sent, header = string(pack(t, []byte(body), "gzip")), append(header, "Content-Encoding: gzip")
				}
				r.journal.batches = nil
				if resp := r.in(sent, header...); resp.status != 204 {
					t.Fatal(resp.status, resp.body)
				}
				b := r.journal.batches[0]
				names[name{b.Site, b.ID, b.Hits[0].View, b.Hits[0].UserAgent}] = true
				for _, h := range b.Hits {
					if h.UserAgent != b.Hits[0].UserAgent || h.Site != b.Site {
						t.Errorf("the hits of a batch differ in what they share: %+v", b.Hits)
					}
				}
			}
			if len(names) != 1 {
				t.Errorf("%s of %q has the names %v", body, agent, names)
			}
		}
	}
}

// TestInVisitor checks what makes a visitor another one.
func TestInVisitor(t *testing.T) {
	now, ip := testNow, netip.MustParseAddr("192.0.2.7")
	r := newRig(t, func(o *Options, _ *fasthttp.Server) {
		o.Now = func() time.Time { return now }
		o.ClientIP = func(*fasthttp.RequestCtx) netip.Addr { return ip }
	})
	seen := map[string]string{}
	send := func(site, agent string) string {
		t.Helper()
		r.journal.batches = nil
		if resp := r.in(strings.Replace(smallBatch, "shop", site, 1), plain, "User-Agent: "+agent); resp.status != 204 {
			t.Fatal(resp.status, resp.body)
		}
		return r.journal.batches[0].Visitor
	}
	f := func(what, site, agent string) {
		t.Helper()
		v := send(site, agent)
		if other, there := seen[v]; there {
			t.Errorf("%s is the same visitor as %s", what, other)
		}
		seen[v] = what
		if again := send(site, agent); again != v {
			t.Errorf("%s became another visitor", what)
		}
	}
	f("one", "shop", "A")
	f("another agent", "shop", "B")
	f("another site", "news", "A")
	ip = netip.MustParseAddr("192.0.2.8")
	f("another address", "shop", "A")
	ip = netip.MustParseAddr("2001:db8::1")
	f("another IPv6 address", "shop", "A")
	mapped := netip.MustParseAddr("::ffff:192.0.2.7")
	if ip = mapped; seen[send("shop", "A")] != "one" {
		t.Error("an IPv4 address written as IPv6 is another visitor")
	}
	now = testNow.Add(22*time.Hour + 59*time.Minute) // 23:59 in Prague, where shop is
	if seen[send("shop", "A")] != "one" {
		t.Error("another visitor before midnight in the site's zone")
	}
	now = testNow.Add(23 * time.Hour)
	f("another day", "shop", "A")
}

func TestInUserAgent(t *testing.T) {
	r := newRig(t, nil)
	f := func(header, want string) {
		t.Helper()
		r.journal.batches = nil
		if resp := r.in(smallBatch, plain, "User-Agent: "+header); resp.status != 204 || r.journal.hits()[0].UserAgent != want {
			t.Errorf("%q: %d %+v", header, resp.status, r.journal.hits())
		}
	}
	long := strings.Repeat("a", 255)
	f("Mozilla/5.0", "Mozilla/5.0")
	f("Mozilla/5.0 (X11)", "Mozilla/5.0 (X11)")
	f("Mozilla/5.0", "Mozilla/5.0")
	f(long+"é", long)
	f("a\xffb", "a\ufffdb")
}

func TestMemorySaltsForget(t *testing.T) {
	var m memorySalts
	first := bytes.Clone(m.salt(100))
	if len(first) != 32 || !bytes.Equal(first, m.salt(100)) || bytes.Equal(first, m.salt(101)) {
		t.Error("salts are wrong")
	}
	m.salt(102)
	if !bytes.Equal(first, m.salt(100)) {
		t.Error("a salt was forgotten too early")
	}
	m.salt(103)
	if len(m.byDay) != 3 || m.byDay[100] != nil {
		t.Errorf("%d salts are kept", len(m.byDay))
	}
}

func TestNewNeedsJournalAndSites(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a collector without a journal was made")
		}
	}()
	New(Options{})
}
