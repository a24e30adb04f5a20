package accuracy

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"heatlog/cmd/heatlog/internal/browser"
)

// manyPage has 10,000 elements: sections of rows, with all that makes an anchor long.
func manyPage() string {
	var b strings.Builder
	b.WriteString(`<!doctype html><meta charset=utf-8><meta name=viewport content="width=device-width"><link rel=icon href="data:,">%TAG%<body style="margin:0;font:14px sans-serif"><main>`)
	for i := range 50 {
		fmt.Fprintf(&b, `<section><h2>Part %c%c</h2><div>`, 'A'+i%26, 'a'+i/26)
		for j := range 50 {
			fmt.Fprintf(&b, `<div class=row><b>Name %c%c%c</b> <span>some words about it</span> <button>Take</button></div>`, 'a'+i%26, 'a'+j%26, 'a'+j/26)
		}
		b.WriteString(`</div></section>`)
	}
	b.WriteString(`</main>`)
	return b.String()
}

// cost measures what a click costs the page, and what it costs to find elements, on a page of 10,000 elements.
func (s *site) cost(a *table) {
	s.t.Helper()
	p := chrome.Open(s.t, browser.Desktop)
	_, forced := s.click(p, "?plain")
	p.Close()
	p = chrome.Open(s.t, browser.Desktop)
	costs, with := s.click(p, "")
	a.told("layouts and style computations a click forces", (with-forced)/float64(len(costs)), "")
	slices.Sort(costs)
	a.atMost("cost of a click on 10,000 elements, p50", costs[len(costs)/2], "ms", 0.5)
	a.atMost("cost of a click on 10,000 elements, p95", costs[len(costs)*95/100], "ms", 1)
	a.told("cost of a click on 10,000 elements, p99", costs[len(costs)*99/100], "ms")
	a.told("cost of a click on 10,000 elements, most", costs[len(costs)-1], "ms")

	browser.Eval[bool](p, s.resolver+`; window.hlResolve = hlResolve; true`)
	var longest []float64 // part of a frame, of each round; the least counts, as what else runs on the machine stretches the others
	for range 5 {
		longest = append(longest, browser.Eval[float64](p, `(async () => {
			const r = hlResolve.makeResolver("shop")
			let longest = 0
			for (let i = 0; i < 200; i++) r.find({sel: "body>main>section:nth-of-type(" + (i % 50 + 1) + ")>div>div:nth-of-type(" + (i % 50 + 1) + ")>button", check: 1000 + i})
			for (let done = false; !done;) {
				await new Promise(requestAnimationFrame)
				const began = performance.now()
				done = r.work(4)
				longest = Math.max(longest, performance.now() - began)
			}
			return longest
		})()`))
	}
	slices.Sort(longest)
	a.atMost("finding 200 elements among 10,000, longest part of a frame", longest[0], "ms", 8)
	p.Close()
}

// click clicks 200 times on the large page, and gives what each click cost the page, ms in their order, and how often the browser
// computed layout or styles meanwhile.
func (s *site) click(p *browser.Page, query string) (costs []float64, layouts float64) {
	s.t.Helper()
	// one listener is ahead of the tracker's, one behind
	p.BeforeLoad(`addEventListener("click", () => { window.began = performance.now() }, true); window.costs = []`)
	p.Goto(s.base + "/many.html" + query)
	p.Wait(`document.readyState === "complete" && performance.now() > 600`)
	browser.Eval[bool](p, `addEventListener("click", () => costs.push(performance.now() - began), true), crossOriginIsolated`)
	if n := browser.Eval[int](p, `document.querySelectorAll("*").length`); n < 10_000 {
		s.t.Fatalf("the large page has %d elements", n)
	}
	count := func() float64 { m := p.Metrics(); return m["LayoutCount"] + m["RecalcStyleCount"] }
	before := count()
	for i := range 200 {
		if i%6 == 0 {
			p.ScrollTo(200 * i)
		}
		p.Click(40+float64(i%5)*40, 100+float64(i%7)*90)
	}
	return browser.Eval[[]float64](p, `costs`), count() - before
}

// start measures what the tag costs a page as it loads, with and without it in turns: no goal, as it drowns in what else a load does.
func (s *site) start(a *table) {
	s.t.Helper()
	const loads = 20
	packed, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "web", "static", "hl.js"))
	if err != nil {
		s.t.Fatal(err)
	}
	var z bytes.Buffer
	w, _ := gzip.NewWriterLevel(&z, gzip.BestCompression)
	w.Write(packed)
	w.Close()
	a.told("hl.js, gzipped", float64(z.Len()), "bytes")
	type load struct{ Ready, Load, Blocked float64 }
	took := map[string][]load{}
	p := chrome.Open(s.t, browser.Desktop)
	p.BeforeLoad(`window.blocked = 0; new PerformanceObserver(list => list.getEntries().forEach(e => blocked += e.duration - 50)).observe({type: "longtask", buffered: true})`)
	for i := range 2*loads + 2 {
		query := []string{"", "?plain"}[i%2]
		p.Goto(s.base + "/many.html" + query)
		p.Wait(`performance.now() > 600 && performance.getEntriesByType("navigation")[0].loadEventEnd`)
		l := browser.Eval[load](p, `(n => ({ready: n.domContentLoadedEventEnd, load: n.loadEventEnd, blocked}))(performance.getEntriesByType("navigation")[0])`)
		if i > 1 { // the first two fill the cache
			took[query] = append(took[query], l)
		}
	}
	p.Close()
	for query, name := range map[string]string{"": "with the tag", "?plain": "without"} {
		for what, of := range map[string]func(load) float64{
			"DOMContentLoaded": func(l load) float64 { return l.Ready }, "load event": func(l load) float64 { return l.Load },
			"blocked by long tasks": func(l load) float64 { return l.Blocked },
		} {
			var all []float64
			for _, l := range took[query] {
				all = append(all, of(l))
			}
			slices.Sort(all)
			a.told("page of 10,000 elements, "+what+", "+name+", median", all[len(all)/2], "ms")
		}
	}
}
