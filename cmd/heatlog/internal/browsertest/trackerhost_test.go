package browsertest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heatlog/cmd/heatlog/internal/browser"
)

// hitBatch is what the tracker posts. Its hits keep every member that they have.
type hitBatch struct {
	Site, URL, View, B string
	Tags               []string
	Lost               int
	Hits               []map[string]any
	at                 time.Time
}

// host is a web site with the tracker on its pages, that takes the hits as well.
type host struct {
	*httptest.Server
	t      testing.TB
	pages  map[string]string        // HTML by path
	header map[string]string        // Content-Security-Policy by path
	answer func(n int) (status int) // to batch n, from 0; 0 breaks the connection; nil = 204
	mu     sync.Mutex
	got    []hitBatch
	other  []string // requests that are for nothing of these
}

const tracked = `<!doctype html><meta charset=utf-8><meta name=viewport content="width=device-width"><link rel=icon href="data:,">` +
	`<title>Shop</title><script defer src="/hl.js" data-site="shop"></script>`

func newHost(t testing.TB, pages map[string]string) *host {
	h := &host{t: t, pages: pages}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Server.Close)
	return h
}

func (h *host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	switch page, ok := h.pages[r.URL.Path]; {
	case r.URL.Path == "/hl.js":
		w.Header().Set("Content-Type", "text/javascript")
		script, _ := os.ReadFile(filepath.Join("..", "..", "..", "..", "web", "static", "hl.js"))
		w.Write(script)
	case r.URL.Path == "/v1/in" && r.Method == http.MethodPost:
		h.take(w, r)
	case ok:
		if csp := h.header[r.URL.Path]; csp != "" {
			w.Header().Set("Content-Security-Policy", csp)
		}
		io.WriteString(w, page)
	default:
		h.mu.Lock()
		h.other = append(h.other, r.Method+" "+r.URL.Path)
		h.mu.Unlock()
		http.NotFound(w, r)
	}
}

// take records a batch.
func (h *host) take(w http.ResponseWriter, r *http.Request) {
	var b hitBatch
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil || d.More() {
		h.t.Errorf("batch: %v", err)
	}
	if ct := r.Header.Get("Content-Type"); ct != "text/plain;charset=UTF-8" {
		h.t.Errorf("batch has content type %q", ct)
	}
	if c := r.Header.Get("Cookie"); c != "" {
		h.t.Errorf("batch has cookie %q", c)
	}
	b.at = time.Now()
	h.mu.Lock()
	n := len(h.got)
	h.got = append(h.got, b)
	h.mu.Unlock()
	status := http.StatusNoContent
	if h.answer != nil {
		status = h.answer(n)
	}
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	switch status {
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "2")
	case http.StatusBadGateway: // as proxies may
		w.Header().Set("Retry-After", "Fri, 31 Dec 2100 23:59:59 GMT")
	}
	w.WriteHeader(status)
}

func (h *host) batches() []hitBatch {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.got)
}

// hits gives the hits of a kind ("" = all) that came, each with path and view of its own, oldest first within its batch,
// and without age.
func (h *host) hits(kind string) (hits []map[string]any) {
	for _, b := range h.batches() {
		for _, hit := range b.hits(h.t, h.URL) {
			if kind == "" || hit["kind"] == kind {
				hits = append(hits, hit)
			}
		}
	}
	return hits
}

func (b *hitBatch) hits(t testing.TB, base string) (hits []map[string]any) {
	for _, raw := range b.Hits {
		hit := maps.Clone(raw)
		for name, v := range map[string]string{"url": b.URL, "view": b.View} {
			if hit[name] == nil {
				hit[name] = v
			}
		}
		if age, ok := hit["age"].(float64); !ok || age < 0 || age > 30_000 || age != math.Trunc(age) {
			t.Errorf("age of a hit is %v", hit["age"])
		}
		delete(hit, "age")
		path, ok := strings.CutPrefix(hit["url"].(string), base)
		if !ok || hit["view"] == "" {
			t.Errorf("hit of %v, view %v", hit["url"], hit["view"])
		}
		hit["url"] = path
		hits = append(hits, hit)
	}
	return hits
}

// await waits until what came is enough.
func (h *host) await(what string, enough func() bool) {
	h.t.Helper()
	for end := time.Now().Add(20 * time.Second); !enough(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			got, _ := json.MarshalIndent(h.batches(), "", " ")
			h.t.Fatalf("no %s; what came: %s", what, got)
		}
	}
}

// awaitHits waits for n hits of a kind and gives them.
func (h *host) awaitHits(kind string, n int) []map[string]any {
	h.t.Helper()
	h.await(fmt.Sprintf("%d hits of kind %s", n, kind), func() bool { return len(h.hits(kind)) >= n })
	return h.hits(kind)
}

// quiet fails if the page wrote to the console, or if there are cookies, things stored, or requests for anything but
// pages, the tracker and its batches.
func (h *host) quiet(p *browser.Page) {
	h.t.Helper()
	if c := p.Console(); len(c) > 0 {
		h.t.Errorf("console: %q", c)
	}
	if s := browser.Eval[string](p, `document.cookie + JSON.stringify([Object.keys(localStorage), Object.keys(sessionStorage)])`); s != "[[],[]]" {
		h.t.Errorf("stored: %s", s)
	}
	for _, r := range p.Requests() {
		_, link, _ := strings.Cut(r, " ")
		u, err := url.Parse(link)
		if err != nil || u.Scheme != "data" && h.URL != u.Scheme+"://"+u.Host {
			h.t.Errorf("request to elsewhere: %s", r)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.other) > 0 {
		h.t.Errorf("requests for what there is not: %q", h.other)
	}
}

// object is a hit as it is expected.
type object = map[string]any

// without gives hits without some of their members.
func without(hits []map[string]any, names ...string) []map[string]any {
	var out []map[string]any
	for _, h := range hits {
		h = maps.Clone(h)
		for _, name := range names {
			delete(h, name)
		}
		out = append(out, h)
	}
	return out
}

func (h *host) open(size browser.Size, path string) *browser.Page {
	h.t.Helper()
	p := chrome.Open(h.t, size)
	p.Goto(h.URL + path)
	return p
}

func checkHits(t *testing.T, what string, got []map[string]any, want ...object) {
	t.Helper()
	for _, w := range want {
		for name, v := range w {
			if n, ok := v.(int); ok {
				w[name] = float64(n)
			}
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// checkReach checks the scroll hits of a path, of one view: one begins it, each goes on where the one before ended, and the last
// has this depth. It gives the time at each top.
func checkReach(t *testing.T, h *host, path string, depth int) map[int]float64 {
	t.Helper()
	from, dwell := 0.0, map[int]float64{}
	n := 0
	for _, hit := range h.hits("scroll") {
		if hit["url"] != path {
			continue
		}
		if n++; hit["from"] != from || n > 1 && from == 0 {
			t.Errorf("scroll hit %d is from %v, want %v", n, hit["from"], from)
		}
		from = hit["depth"].(float64)
		dwell[int(hit["y"].(float64))] += hit["dwell"].(float64)
	}
	if from != float64(depth) {
		t.Errorf("scroll hits of %s end at %v, want %d: %v", path, from, depth, h.hits("scroll"))
	}
	return dwell
}

// pass lets time go by in a page: what is tested is how much of it counts.
func pass(p *browser.Page, ms int) {
	browser.Eval[bool](p, fmt.Sprintf(`new Promise(done => setTimeout(done, %d, true))`, ms))
}

// show makes a page think that it is seen, or not.
func show(p *browser.Page, state string) {
	browser.Eval[bool](p, fmt.Sprintf(`Object.defineProperty(document, "hidden", {value: %t, configurable: true}),
		document.dispatchEvent(new Event("visibilitychange"))`, state == "hidden"))
}

// cmpBool orders what is true before what is not.
func cmpBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}
