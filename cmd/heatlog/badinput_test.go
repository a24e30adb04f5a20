package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestBadInput sends what clients must not send to a real server, and expects a status that says so, the right count in
// the metrics, and nothing stored.
func TestBadInput(t *testing.T) {
	p := startServer(t, t.TempDir())
	p.AddSite("shop", "UTC", "https://shop.example")
	from := http.Header{"Origin": {"https://shop.example"}, "Content-Type": {"text/plain"}}
	before := p.metrics()
	f := func(path string, header http.Header, body string, status int, metric string) {
		t.Helper()
		if got, answer := p.Request("POST", path, nil, header, strings.NewReader(body)); got != status {
			t.Errorf("POST %s %.80q: status %d, want %d: %s", path, body, got, status, answer)
		}
		after := p.metrics()
		if metric != "" && after[metric] != before[metric]+1 {
			t.Errorf("POST %s %.80q: %s went from %v to %v, want one more", path, body, metric, before[metric], after[metric])
		}
		before = after
	}
	rejected := func(reason string) string { return `heatlog_hits_rejected_total{reason="` + reason + `"}` }
	in := func(hit string) string {
		return `{"site":"shop","url":"https://shop.example/","b":"b1","hits":[{"age":0,"kind":"click","x":1,"y":1},` + hit + `]}`
	}
	f("/v1/in", from, "", 400, "")
	f("/v1/in", from, `{"site":"shop"`, 400, rejected("malformed_json"))
	f("/v1/in", from, in(`{"age":0,"kind":"click","x":65536,"y":1}`), 400, rejected("out_of_range"))
	f("/v1/in", from, in(`{"age":0,"kind":"click","x":"1","y":1}`), 400, rejected("wrong_type"))
	f("/v1/in", from, in(`{"age":0,"kind":"click","x":1}`), 400, rejected("missing_field"))
	f("/v1/in", from, in(`{"age":0,"kind":"stare"}`), 400, rejected("bad_value"))
	f("/v1/in", from, in(`{"age":0,"kind":"scroll","depth":5,"from":6,"y":0}`), 400, rejected("out_of_range"))
	f("/v1/in", from, strings.Replace(in(`{"age":0,"kind":"view"}`), "https:", "ftp:", 1), 400, rejected("bad_url"))
	f("/v1/in", from, strings.Replace(in(`{"age":0,"kind":"view"}`), `"shop"`, `"nowhere"`, 1), 403, "heatlog_in_unauthorized_total")
	f("/v1/in", http.Header{"Origin": {"https://evil.example"}, "Content-Type": {"text/plain"}}, in(`{"age":0,"kind":"view"}`), 403, "heatlog_in_unauthorized_total")
	f("/v1/in", from, in(`{"age":0,"kind":"view"}`)+strings.Repeat(" ", 300<<10), 413, "")
	f("/v1/in", withEncoding(from, "gzip"), gzipped(in(`{"age":0,"kind":"view"}`)+strings.Repeat(" ", 8<<20)), 413, "")
	f("/v1/in", withEncoding(from, "gzip"), "not packed", 400, "heatlog_bodies_broken_total")

	line := func(fields string) string { return `{"t":1767225600000,"site":"shop",` + fields + "}\n" }
	page := `"url":"https://shop.example/",`
	f("/v1/import", nil, line(page+`"kind":"click","x":-1,"y":1`), 200, rejected("out_of_range"))
	f("/v1/import", nil, line(page+`"kind":"click","x":1e999,"y":1`), 200, rejected("out_of_range"))
	f("/v1/import", nil, line(page+`"kind":"click","x":NaN,"y":1`), 200, rejected("malformed_json"))
	f("/v1/import", nil, line(`"url":"/relative","kind":"view"`), 200, rejected("bad_url"))
	f("/v1/import", nil, line(`"url":"https://shop.example/`+strings.Repeat("a", 9000)+`","kind":"view"`), 200, rejected("too_long"))
	f("/v1/import", nil, `{"t":1,"site":"shop",`+page+`"kind":"view"}`, 200, rejected("bad_time"))
	f("/v1/import", nil, `{"t":1767225600000,"site":"nowhere",`+page+`"kind":"view"}`, 200, rejected("unknown_site"))
	f("/v1/import", nil, strings.Repeat("x", 70<<10), 200, rejected("too_long"))
	f("/v1/import", withEncoding(nil, "br"), "x", 415, "")
	f("/v1/import", http.Header{"Authorization": {"Bearer wrong"}}, line(page+`"kind":"view"`), 401, "")

	for _, path := range []string{"/v1/heatmap", "/v1/heatmap?site=shop", "/v1/pages?site=shop&colour=red", "/v1/pages?site=shop&from=yesterday"} {
		path, rawQuery, _ := strings.Cut(path, "?")
		query, _ := url.ParseQuery(rawQuery)
		if status, body := p.Request("GET", path, query, nil, nil); status != 400 || !bytes.Contains(body, []byte(`"code":"bad_param"`)) {
			t.Errorf("GET %s?%s: status %d: %s", path, rawQuery, status, body)
		}
	}
	var pages struct{ Total int }
	if p.Ask("/v1/pages", url.Values{"site": {"shop"}}, &pages); pages.Total != 0 {
		t.Errorf("%d pages have hits, want none: everything was refused", pages.Total)
	}
	if n := p.metrics()["heatlog_hits_accepted_total"]; n != 0 {
		t.Errorf("%v hits were accepted, want none", n)
	}
}

// TestInRefuses sends batches that must not be taken: the answer says why, and neither counts nor the journal have them.
func TestInRefuses(t *testing.T) {
	p := startServer(t, t.TempDir())
	p.AddSite("shop", "UTC", "https://shop.example")
	p.AddSite("news", "UTC", "https://news.example")
	f := func(origin, contentType, body string, status int, code, message string) {
		t.Helper()
		got, answer := p.Request("POST", "/v1/in", nil, http.Header{"Origin": {origin}, "Content-Type": {contentType}}, strings.NewReader(body))
		var e struct {
			Error struct{ Code, Message string }
		}
		if err := json.Unmarshal(answer, &e); err != nil || got != status || e.Error.Code != code || e.Error.Message != message {
			t.Errorf("%.60s: status %d: %s\nwant %d %s: %s", body, got, answer, status, code, message)
		}
	}
	batch := func(hits int) string {
		list := strings.Repeat(`,{"age":0,"kind":"view"}`, hits)[1:]
		return `{"site":"shop","url":"https://shop.example/","b":"b1","hits":[` + list + `]}`
	}
	const shop, plain = "https://shop.example", "text/plain;charset=UTF-8"
	f("https://evil.example", plain, batch(1), 403, "origin_not_listed", `origin is "https://evil.example", which is not listed for site shop`)
	f("https://news.example", plain, batch(1), 403, "origin_not_listed", `origin is "https://news.example", which is not listed for site shop`)
	f("null", plain, batch(1), 403, "origin_not_listed", `origin is "null", which is not listed for site shop`)
	f(shop, plain, strings.Replace(batch(1), `"shop"`, `"nowhere"`, 1), 403, "unknown_site", `site is "nowhere", want the key of a registered site`)
	f(shop, plain, batch(1)+strings.Repeat(" ", 300<<10), 413, "too_large", "the body is over the limit of 262144 bytes")
	f(shop, "application/x-www-form-urlencoded", batch(1), 415, "unsupported_media_type",
		`content-type is "application/x-www-form-urlencoded", want text/plain or application/json`)
	f(shop, "multipart/form-data; boundary=x", batch(1), 415, "unsupported_media_type",
		`content-type is "multipart/form-data; boundary=x", want text/plain or application/json`)
	f(shop, plain, batch(501), 400, "bad_batch", "hits has more than 500 entries")
	if status, exported := p.Request("GET", "/v1/export", url.Values{"site": {"shop"}}, nil, nil); status != 200 || len(exported) > 0 {
		t.Errorf("the journal has, after status %d: %.200s", status, exported)
	}
	if m := p.metrics(); m["heatlog_journal_end_position"] != 0 || m["heatlog_in_hits_accepted_total"] != 0 {
		t.Errorf("journal ends at %v, %v hits were accepted, want none", m["heatlog_journal_end_position"], m["heatlog_in_hits_accepted_total"])
	}
	if status, answer := p.Request("POST", "/v1/in", nil, http.Header{"Origin": {shop}, "Content-Type": {plain}}, strings.NewReader(batch(500))); status != 204 {
		t.Errorf("500 hits: status %d: %s", status, answer)
	}
}

// TestNoAddressIsKept sends hits, good and bad ones and too many, through a proxy that says whose they are. Each address
// is a visitor of its own and has a rate of its own, and none is in the log, in the answers or in a file.
func TestNoAddressIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startServer(t, dir, "--trusted-proxies", "127.0.0.0/8,::1", "--rate-limit", "0.01")
	p.AddSite("shop", "UTC", "https://shop.example")
	visitors := []netip.Addr{netip.MustParseAddr("203.0.113.77"), netip.MustParseAddr("2001:db8:7788:99aa:bbcc:ddee:ff01:2345")}
	var answers bytes.Buffer
	send := func(path, body string, forwarded fmt.Stringer, want int) {
		t.Helper()
		header := http.Header{
			"Content-Type": {"text/plain"}, "User-Agent": {"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
			"X-Forwarded-For": {"192.0.2.200", forwarded.String() + ", 127.0.0.9"},
		}
		status, answer := p.Request("POST", path, nil, header, strings.NewReader(body))
		if answers.Write(answer); status != want {
			t.Errorf("POST %s %.60s: status %d, want %d: %s", path, body, status, want, answer)
		}
	}
	batch := `{"site":"shop","url":"https://shop.example/","b":"ID","hits":[{"age":0,"kind":"click","x":1,"y":1}]}`
	for i, v := range visitors {
		send("/v1/in", strings.Replace(batch, "ID", fmt.Sprint("b", i), 1), v, 204)
		send("/v1/in", batch, v, 429)
		send("/v1/in", "{", v, 429)
		send("/v1/session", `{"token":"wrong"}`, v, 401)
	}
	send("/v1/in", "{", netip.MustParseAddr("203.0.113.78"), 400)
	p.WaitCounted("shop")
	var a struct{ Hits, Visitors int }
	if p.Ask("/v1/heatmap", url.Values{"site": {"shop"}, "url": {"https://shop.example/"}}, &a); a.Hits != 2 || a.Visitors != 2 {
		t.Errorf("%d hits of %d visitors, want 2 of 2", a.Hits, a.Visitors)
	}
	if n := p.metrics()["heatlog_in_rate_limited_total"]; n != 4 {
		t.Errorf("%v requests were over the limit, want 4", n)
	}
	_, exported := p.Request("GET", "/v1/export", url.Values{"site": {"shop"}}, nil, nil)
	if bytes.Count(exported, []byte("\n")) != 2 {
		t.Errorf("export %s", exported)
	}
	p.Stop()
	wantNoAddress(t, "the log", []byte(p.Log.String()))
	wantNoAddress(t, "answers", answers.Bytes())
	wantNoAddress(t, "the export", exported)
	files := 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		files++
		wantNoAddress(t, path, b)
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files, %v", files, err)
	}
}

// wantNoAddress looks for what is left of the visitors' addresses in text or in binary.
func wantNoAddress(t *testing.T, where string, b []byte) {
	t.Helper()
	ipv6 := netip.MustParseAddr("2001:db8:7788:99aa:bbcc:ddee:ff01:2345").As16()
	for _, trace := range []string{"203.0.113", "192.0.2.200", "7788:99aa", string(ipv6[:8]), string(ipv6[8:]), fmt.Sprintf("%x", ipv6[2:8])} {
		if bytes.Contains(b, []byte(trace)) {
			t.Errorf("%s has %q of an address", where, trace)
		}
	}
}

func withEncoding(h http.Header, encoding string) http.Header {
	h = h.Clone()
	if h == nil {
		h = http.Header{}
	}
	h.Set("Content-Encoding", encoding)
	return h
}

func gzipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

// metrics reads all metrics, by name with labels.
func (p *process) metrics() map[string]float64 {
	p.T.Helper()
	status, body := p.Request("GET", "/metrics", nil, nil, nil)
	if status != 200 {
		p.T.Fatalf("GET /metrics: status %d: %s", status, body)
	}
	all := map[string]float64{}
	for line := range strings.Lines(string(body)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			p.T.Fatalf("metric %q: %v", line, err)
		}
		all[name] = number
	}
	return all
}

// TestMetrics looks at names and values of what the server says about itself.
func TestMetrics(t *testing.T) {
	p := startServer(t, t.TempDir())
	p.AddSite("shop", "UTC", "https://shop.example")
	var lines strings.Builder
	for i := range 100 {
		fmt.Fprintf(&lines, `{"t":1767225600000,"site":"shop","url":"https://shop.example/","kind":"click","x":%d,"y":1,"id":"%d"}`+"\n", i, i/2)
	}
	p.Import(strings.NewReader(lines.String()), "")
	p.WaitCounted("shop")
	m := p.metrics()
	for name, want := range map[string]float64{
		"heatlog_hits_accepted_total":                                  100,
		"heatlog_index_repeated_hits_total":                            50,
		"heatlog_index_applied_hits_total":                             100,
		"heatlog_index_lag_hits":                                       0,
		"heatlog_index_conflicts_total":                                0,
		`heatlog_hits_rejected_total{reason="bad_url"}`:                0,
		`heatlog_http_requests_total{route="/v1/import",status="2xx"}`: 1,
		`heatlog_http_request_seconds_count{route="/v1/import"}`:       1,
		`heatlog_http_requests_total{route="/v1/sites",status="2xx"}`:  1,
	} {
		if got, ok := m[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	for _, name := range []string{"heatlog_index_live_bytes", "heatlog_journal_end_position", "go_goroutines", "process_resident_memory_bytes"} {
		if m[name] <= 0 {
			t.Errorf("%s is %v, want more than 0", name, m[name])
		}
	}
	for name := range m {
		for _, prefix := range []string{"heatlog_", "go_", "process_"} {
			if strings.HasPrefix(name, prefix) {
				name = ""
				break
			}
		}
		if name != "" {
			t.Errorf("metric %s has a strange name", name)
		}
	}
}
