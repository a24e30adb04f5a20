package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// TestBadInput sends what clients must not send to a real server, and expects a status that says so, the right count in
// the metrics, and nothing stored.
func TestBadInput(t *testing.T) {
	p := startServer(t, t.TempDir())
	p.addSite("shop", "UTC", "https://shop.example")
	from := http.Header{"Origin": {"https://shop.example"}, "Content-Type": {"text/plain"}}
	before := p.metrics()
	f := func(path string, header http.Header, body string, status int, metric string) {
		t.Helper()
		if got, answer := p.request("POST", path, nil, header, strings.NewReader(body)); got != status {
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
		if status, body := p.request("GET", path, query, nil, nil); status != 400 || !bytes.Contains(body, []byte(`"code":"bad_param"`)) {
			t.Errorf("GET %s?%s: status %d: %s", path, rawQuery, status, body)
		}
	}
	var pages struct{ Total int }
	if p.ask("/v1/pages", url.Values{"site": {"shop"}}, &pages); pages.Total != 0 {
		t.Errorf("%d pages have hits, want none: everything was refused", pages.Total)
	}
	if n := p.metrics()["heatlog_hits_accepted_total"]; n != 0 {
		t.Errorf("%v hits were accepted, want none", n)
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
	p.t.Helper()
	status, body := p.request("GET", "/metrics", nil, nil, nil)
	if status != 200 {
		p.t.Fatalf("GET /metrics: status %d: %s", status, body)
	}
	all := map[string]float64{}
	for line := range strings.Lines(string(body)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			p.t.Fatalf("metric %q: %v", line, err)
		}
		all[name] = number
	}
	return all
}

// TestMetrics looks at names and values of what the server says about itself.
func TestMetrics(t *testing.T) {
	p := startServer(t, t.TempDir())
	p.addSite("shop", "UTC", "https://shop.example")
	var lines strings.Builder
	for i := range 100 {
		fmt.Fprintf(&lines, `{"t":1767225600000,"site":"shop","url":"https://shop.example/","kind":"click","x":%d,"y":1,"id":"%d"}`+"\n", i, i/2)
	}
	p.importHits(strings.NewReader(lines.String()), "")
	p.waitCounted("shop")
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
