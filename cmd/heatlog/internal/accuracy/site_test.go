package accuracy

import (
	"bufio"
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evanw/esbuild/pkg/api"

	"heatlog/cmd/heatlog/internal/browser"
	"heatlog/cmd/heatlog/internal/heatlogtest"
)

// The rules of anchors were made on the first pages; what became of the clicks on the others was not looked at for that.
var (
	tunedPages = []string{"header", "article", "table", "divs", "shadow"}
	keptPages  = []string{"sections", "sidebar", "list", "frame", "lazy", "fonts", "accordion", "modal", "rtl", "icons", "form"}
)

//go:embed pages
var files embed.FS

// site is a web site with the pages, and a heatlog server that counts it.
type site struct {
	t        testing.TB
	base     string
	server   *heatlogtest.Server
	resolver string // the overlay's script that finds elements, as the property hlResolve of the window
}

func openSite(t testing.TB) *site {
	t.Helper()
	s := &site{t: t, server: heatlogtest.Start(t, t.TempDir())}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/image.svg" {
			h := r.URL.Query().Get("h")
			w.Header().Set("Content-Type", "image/svg+xml")
			fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="480" height="%s"/>`, strings.Map(digit, h+"0"[:1-min(len(h), 1)]))
			return
		}
		b, err := files.ReadFile("pages" + r.URL.Path)
		if r.URL.Path == "/many.html" {
			b, err = []byte(manyPage()), nil
			w.Header().Set("Cross-Origin-Opener-Policy", "same-origin") // for a clock of 5 µs
			w.Header().Set("Cross-Origin-Embedder-Policy", "require-corp")
		}
		if err != nil {
			http.NotFound(w, r)
			return
		}
		if strings.HasSuffix(r.URL.Path, ".js") {
			w.Header().Set("Content-Type", "text/javascript")
		} else {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
		}
		tag := `<script src="/probe.js"></script><script defer src="` + s.server.Base + `/hl.js" data-site="shop"></script>`
		if r.URL.RawQuery == "plain" {
			tag, _, _ = strings.Cut(tag, "<script defer")
		}
		w.Write(bytes.ReplaceAll(b, []byte("%TAG%"), []byte(tag)))
	}))
	t.Cleanup(web.Close)
	s.base = web.URL
	s.server.AddSite("shop", "Europe/Prague", s.base)
	r := api.Build(api.BuildOptions{
		EntryPoints: []string{filepath.Join("..", "..", "..", "..", "web", "front", "view", "resolve.ts")},
		Bundle:      true, Format: api.FormatIIFE, GlobalName: "hlResolve", Target: api.ES2020, Outfile: "resolve.js",
	})
	if len(r.Errors) > 0 {
		t.Fatalf("bundle the resolver: %s", r.Errors[0].Text)
	}
	s.resolver = string(r.OutputFiles[0].Contents)
	return s
}

func digit(r rune) rune {
	if r < '0' || r > '9' {
		return -1
	}
	return r
}

// truth is what the page itself saw of a click.
type truth struct {
	K          int     `json:"k"` // which element
	FX         float64 `json:"fx"`
	FY         float64 `json:"fy"`
	Text, Char int
}

// click is one click: where it truly was and what the server has of it.
type click struct {
	K     int     `json:"k"`
	FX    float64 `json:"fx"` // where in its element, shares of the box
	FY    float64 `json:"fy"`
	Text  int     `json:"text"`
	Char  int     `json:"char"`
	Sel   string  `json:"sel"`
	Check *int    `json:"check,omitempty"`
	QX    float64 `json:"qx"` // centre of the stored cell, shares of the box
	QY    float64 `json:"qy"`
	X     int     `json:"x"` // page px
	Y     int     `json:"y"`
	VW    int     `json:"vw"`
}

// view opens a page and waits until nothing in it moves by itself any more.
func (s *site) view(page, query string, size browser.Size) *browser.Page {
	s.t.Helper()
	p := chrome.Open(s.t, size)
	p.Goto(s.base + "/" + page + ".html" + query)
	p.Wait(`document.readyState === "complete" && performance.now() > 600 && document.fonts.status === "loaded"`)
	if browser.Eval[int](p, `probe.begin()`) == 0 {
		s.t.Fatalf("%s is empty", page)
	}
	return p
}

// record clicks on n elements of a page, at two places of each, and gives what the server knows of the clicks.
func (s *site) record(page string, size browser.Size, n int) []click {
	s.t.Helper()
	p := s.view(page, "", size)
	clicked := 0
	for i, k := range browser.Eval[[]int](p, fmt.Sprintf(`probe.targets(%d)`, n)) {
		for j := range 2 {
			fx, fy := math.Mod(0.13+0.37*float64(i)+0.41*float64(j), 0.9)+0.05, math.Mod(0.29+0.23*float64(i)+0.53*float64(j), 0.9)+0.05
			if at := browser.Eval[[]float64](p, fmt.Sprintf(`new Promise(done => setTimeout(() => done(probe.show(%d, %g, %g)), 5))`, k, fx, fy)); at != nil {
				p.Point(at[0], at[1])
				clicked++
			}
		}
	}
	truths := browser.Eval[[]truth](p, `probe.seen`)
	p.Close()
	if len(truths) != clicked || clicked < n/2 {
		s.t.Fatalf("%s: the page saw %d of %d clicks on %d elements", page, len(truths), clicked, n)
	}
	hits := s.export(page, clicked)
	cells := s.cells(page, clicked)
	clicks := make([]click, len(hits))
	for i, h := range hits {
		t := truths[i]
		clicks[i] = click{K: t.K, FX: t.FX, FY: t.FY, Text: t.Text, Char: t.Char, Sel: h.Sel, Check: h.Check, X: h.X, Y: h.Y, VW: h.VW}
		c := nearest(cells[anchorOf(h.Sel, h.Check)], h.AX, h.AY)
		if c == nil || math.Abs(c[0]-h.AX)*float64(h.BW) > 2.1 || math.Abs(c[1]-h.AY)*float64(h.BH) > 2.1 {
			s.t.Errorf("%s: the click at %g, %g of %s, which is %d by %d, is in no cell of 4 px: %v", page, h.AX, h.AY, h.Sel, h.BW, h.BH, c)
			continue
		}
		clicks[i].QX, clicks[i].QY = c[0], c[1]
	}
	return clicks
}

// anchorOf is an anchor as a key.
func anchorOf(sel string, check *int) string {
	if check == nil {
		return sel
	}
	return fmt.Sprint(sel, "#", *check)
}

// nearest gives the cell whose middle is nearest to a place, nil if there is none.
func nearest(cells [][3]float64, x, y float64) (best *[3]float64) {
	far := func(c [3]float64) float64 { return math.Hypot(c[0]-x, c[1]-y) }
	for i, c := range cells {
		if best == nil || far(c) < far(*best) {
			best = &cells[i]
		}
	}
	return best
}

// cells asks the server for the cells of a page's elements, by anchor: the middle of each as shares of the box, and its clicks.
func (s *site) cells(page string, clicks int) map[string][][3]float64 {
	s.t.Helper()
	s.server.WaitCounted("shop")
	var a struct {
		Hits     int
		Elements []struct {
			Sel   string
			Check *int
			Cells [][3]float64
		}
	}
	s.server.Ask("/v1/elements", url.Values{"site": {"shop"}, "url": {s.base + "/" + page + ".html"}, "limit": {"0"}, "cells": {"1"}}, &a)
	if a.Hits != clicks {
		s.t.Fatalf("%s: the server has %d clicks, want %d", page, a.Hits, clicks)
	}
	all := map[string][][3]float64{}
	for _, e := range a.Elements {
		all[anchorOf(e.Sel, e.Check)] = e.Cells
	}
	return all
}

// hit is what the journal has of a click.
type hit struct {
	T, X, Y, VW int
	Sel         string
	Check       *int
	AX, AY      float64
	BW, BH      int
}

// export gives the clicks of a page as the journal has them, in their order.
func (s *site) export(page string, n int) (hits []hit) {
	s.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		status, body := s.server.Request("GET", "/v1/export", url.Values{"site": {"shop"}}, nil, nil)
		if status != http.StatusOK {
			s.t.Fatalf("export: status %d: %.200s", status, body)
		}
		hits = hits[:0]
		lines := bufio.NewReader(bytes.NewReader(body))
		for {
			line, err := lines.ReadBytes('\n')
			var h struct {
				hit
				Kind, URL string
			}
			if len(line) > 1 {
				if err := json.Unmarshal(line, &h); err != nil {
					s.t.Fatalf("export: %v in %.200s", err, line)
				}
				if h.Kind == "click" && strings.HasSuffix(h.URL, "/"+page+".html") {
					hits = append(hits, h.hit)
				}
			}
			if err == io.EOF {
				break
			}
		}
		if len(hits) == n {
			return inTime(hits)
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s: %d clicks came, want %d", page, len(hits), n)
		}
	}
}

// result is how one click was shown.
type result struct {
	State                           string // right, wrong, unplaced, or gone as the element is
	Shown                           bool   // the element can be seen
	Far, PageFar, ShareFar, WordFar *float64
	PageOn, ShareOn                 bool
	click                           *click
	page                            string
}

// show shows clicks on a page, and gives what became of each. Kinds of changes are made first, by their names.
func (s *site) show(page, query, kinds string, seed int, size browser.Size, clicks []click) []result {
	s.t.Helper()
	p := s.view(page, query, size)
	defer p.Close()
	if kinds != "" {
		browser.Eval[bool](p, fmt.Sprintf(`probe.change(%q, %d)`, kinds, seed))
	}
	given, err := json.Marshal(clicks)
	if err != nil {
		s.t.Fatal(err)
	}
	browser.Eval[bool](p, s.resolver+`; window.hlResolve = hlResolve; true`)
	results := browser.Eval[[]result](p, fmt.Sprintf(`(clicks => {
		const r = hlResolve.makeResolver("shop")
		const anchors = clicks.map(c => "check" in c ? {sel: c.sel, check: c.check} : {sel: c.sel})
		anchors.forEach(r.find)
		while (!r.work(50));
		return probe.measure(c => r.find(anchors[clicks.indexOf(c)]), clicks)
	})(%s)`, given))
	for i := range results {
		results[i].click, results[i].page = &clicks[i], page
	}
	return results
}

// inTime sorts hits by when they happened.
func inTime(hits []hit) []hit {
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(a.T, b.T) })
	return hits
}
