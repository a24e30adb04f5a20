package web

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"heatlog/heatmap"
)

// fakeSites keeps sites in order; err is what Put gives.
type fakeSites struct {
	mu   sync.Mutex
	list []heatmap.Site
	err  error
}

func newFakeSites() *fakeSites {
	return &fakeSites{list: []heatmap.Site{{Key: "shop", Origins: []string{"https://shop.example"}, Timezone: "Europe/Prague"}}}
}

func (f *fakeSites) List() []heatmap.Site {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.list
}

func (f *fakeSites) Lookup(key string) (heatmap.Site, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.list {
		if s.Key == key {
			return s, true
		}
	}
	return heatmap.Site{}, false
}

func (f *fakeSites) Put(site heatmap.Site) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return f.err
	}
	if site.Timezone == "" {
		site.Timezone = "UTC"
	}
	for i, s := range f.list {
		if s.Key == site.Key {
			f.list[i] = site
			return nil
		}
	}
	f.list = append(f.list, site)
	return nil
}

// siteFault is an error of Put that is the client's.
type siteFault struct{ code, field string }

func (e siteFault) Error() string { return "time zone is fixed" }
func (e siteFault) Code() string  { return e.code }
func (e siteFault) Field() string { return e.field }

func TestSites(t *testing.T) {
	h := start(t, Options{Sites: newFakeSites()})
	f := func(a answer, status int, want string) {
		t.Helper()
		if a.StatusCode != status || a.body != want+"\n" {
			t.Errorf("status %d, body %s, want %d, %s", a.StatusCode, a.body, status, want)
		}
	}
	const shop = `{"key":"shop","origins":["https://shop.example"],"timezone":"Europe/Prague"}`
	const blog = `{"key":"blog","origins":["https://blog.example","http://localhost:3000"],"timezone":"UTC"}`
	f(h.get("/v1/sites"), 200, `{"sites":[`+shop+`]}`)
	put := func(body string) answer { return h.do("POST", "/v1/sites", strings.NewReader(body)) }
	f(put(`{"key":"blog","origins":["https://blog.example","http://localhost:3000"]}`), 201, blog)
	f(put(blog), 200, blog)
	f(h.get("/v1/sites"), 200, `{"sites":[`+shop+`,`+blog+`]}`)
	f(put(`{"key":"bare"}`), 201, `{"key":"bare","origins":[],"timezone":"UTC"}`)
}

func TestBadSites(t *testing.T) {
	var log logBuffer
	sites := newFakeSites()
	h := startTCP(t, Options{Sites: sites, Logger: log.logger()})
	f := func(body string, status int, code, field string, fragments ...string) {
		t.Helper()
		h.refused(h.do("POST", "/v1/sites", strings.NewReader(body)), status, code, field, fragments...)
	}
	f("", 400, "bad_request", "", "not a site", `"key"`)
	f("{", 400, "bad_request", "")
	f(`[]`, 400, "bad_request", "")
	f(`{"key":7}`, 400, "bad_request", "", "number")
	f(`{"key":"a","colour":1}`, 400, "bad_request", "", "colour")
	f(`{"key":"a"}{"key":"b"}`, 400, "bad_request", "", "more than one")
	f(`{"key":"a"} x`, 400, "bad_request", "", "more than one")
	f(strings.Repeat(" ", maxSiteBody+1), 413, "too_large", "", "limit 65536")
	h.refused(h.do("POST", "/v1/sites", struct{ *strings.Reader }{strings.NewReader(strings.Repeat(" ", maxSiteBody+1))}),
		413, "too_large", "", "65536") // chunked
	h.refused(h.do("POST", "/v1/sites", strings.NewReader("{}"), "Content-Encoding", "gzip"), 400, "bad_request", "", "Content-Encoding")
	if len(sites.List()) != 1 {
		t.Errorf("sites are %v", sites.List())
	}

	sites.err = siteFault{"bad_param", "origins"}
	f(`{"key":"a"}`, 400, "bad_param", "origins", "time zone is fixed")
	sites.err = siteFault{"conflict", "timezone"}
	f(`{"key":"a"}`, 409, "conflict", "timezone", "time zone is fixed")
	if log.String() != "" {
		t.Errorf("a client's mistakes are logged: %s", log.String())
	}
	sites.err = errors.New("disk is full")
	f(`{"key":"a"}`, 500, "internal", "")
	if !strings.Contains(log.String(), "put site: disk is full") {
		t.Errorf("log is %q", log.String())
	}
}

// TestRefusedOrigins: the list of sites names what their owners may have forgotten, and nothing where there is none.
func TestRefusedOrigins(t *testing.T) {
	o := wholeOptions()
	o.Token = testToken
	list := func() string { return start(t, o).get("/v1/sites").body }
	if got := list(); strings.Contains(got, "refused") {
		t.Errorf("%s", got)
	}
	o.RefusedOrigins = func(site string) []string {
		return map[string][]string{"shop": {"http://127.0.0.1:8085", "https://<b>"}}[site]
	}
	if got := list(); !strings.Contains(got, `"refused_origins":["http://127.0.0.1:8085","https://\u003cb\u003e"]`) {
		t.Errorf("%s", got)
	}
}
