package browsertest

import (
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heatlog/cmd/heatlog/internal/browser"
	"heatlog/cmd/heatlog/internal/demo"
	"heatlog/cmd/heatlog/internal/heatlogtest"
)

var rewriteBoxes = flag.Bool("rewrite", false, "write boxes.json of the demo's visitors as this browser measures it")

var demoPaths = []string{"/demo/", "/demo/shop", "/demo/product"}

// demoSize is a viewport of a width, of the kind of device that has it.
func demoSize(width int) browser.Size {
	return browser.Size{Width: width, Height: 800, Touch: width < 1024}
}

// TestDemoPages opens every page of the demo shop at many widths: nothing sticks out, nothing is said on the console,
// nothing is asked of others, and the tracker counts it.
func TestDemoPages(t *testing.T) {
	t.Parallel()
	server := heatlogtest.Start(t, t.TempDir())
	widths := []int{320, 390, 768, 1280, 1920, 2560}
	t.Run("pages", func(t *testing.T) {
		for _, path := range demoPaths {
			t.Run(path, func(t *testing.T) {
				t.Parallel()
				for _, width := range widths {
					lookAtDemo(t, server, path, width, false)
				}
				lookAtDemo(t, server, path, 390, true)
				lookAtDemo(t, server, path, 1280, true)
			})
		}
	})
	server.WaitCounted("demo")
	var answer struct{ Pages []struct{ URL string } }
	server.Ask("/v1/pages", url.Values{"site": {"demo"}}, &answer)
	if len(answer.Pages) != len(demoPaths) {
		t.Errorf("%d pages are counted: %v", len(answer.Pages), answer.Pages)
	}
	for _, path := range demoPaths {
		var heat struct{ Views int }
		server.Ask("/v1/heatmap", url.Values{"site": {"demo"}, "url": {server.Base + path}}, &heat)
		if want := len(widths) + 2; heat.Views != want {
			t.Errorf("%s has %d views, want %d", path, heat.Views, want)
		}
	}
}

// layoutShift sums up the layout shifts so far that nobody caused.
const layoutShift = `new Promise(done => {
	let sum = 0
	new PerformanceObserver(list => { for (const e of list.getEntries()) if (!e.hadRecentInput) sum += e.value }).observe({type: "layout-shift", buffered: true})
	setTimeout(() => done(sum), 100)
})`

// lookAtDemo reads a page from top to end.
func lookAtDemo(t *testing.T, server *heatlogtest.Server, path string, width int, dark bool) {
	t.Helper()
	p := chrome.Open(t, demoSize(width))
	p.Dark(dark)
	p.Goto(server.Base + path)
	name := fmt.Sprintf("%s at %d px", path, width)
	if over := browser.Eval[int](p, `Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - innerWidth`); over > 0 {
		t.Errorf("%s sticks out by %d px", name, over)
	}
	bottom := browser.Eval[int](p, `document.documentElement.scrollHeight`)
	for y := 0; y < bottom; y += 1500 {
		p.ScrollTo(y)
	}
	p.Wait(`[...document.images].every(i => i.complete || !i.checkVisibility())`)
	if lost := browser.Eval[[]string](p, `[...document.images].filter(i => !i.naturalWidth && i.checkVisibility()).map(i => i.src)`); len(lost) > 0 {
		t.Errorf("%s lacks pictures %q", name, lost)
	}
	if moved := browser.Eval[int](p, `document.documentElement.scrollHeight`) - bottom; moved != 0 {
		t.Errorf("%s became %d px longer while it was read", name, moved)
	}
	// closing a tab of its own browser context may break off what it sends last, so the view is waited for
	p.Wait(`performance.getEntriesByType("resource").some(e => e.name.endsWith("/v1/in"))`)
	if shift := browser.Eval[float64](p, layoutShift); shift > 0.02 { // a fifth of what counts as good; a busy machine draws the page in more steps
		t.Errorf("%s: layout shifts by %v", name, shift)
	}
	p.Keep(strings.Trim(strings.ReplaceAll(fmt.Sprintf("%s-%d-end", path, width), "/", "-"), "-"))
	if c := p.Console(); len(c) > 0 {
		t.Errorf("%s: console: %q", name, c)
	}
	for _, r := range p.Requests() {
		if _, to, _ := strings.Cut(r, " "); !strings.HasPrefix(to, server.Base+"/") {
			t.Errorf("%s asks others: %s", name, r)
		}
	}
	p.Close()
}

// TestDemoWorks uses the shop: forms stay on their page and say so, filters and tabs do what they say.
func TestDemoWorks(t *testing.T) {
	t.Parallel()
	server := heatlogtest.Start(t, t.TempDir())
	p := chrome.Open(t, demoSize(390))
	press := func(selector string) {
		t.Helper()
		at := browser.Eval[[2]float64](p, fmt.Sprintf(`(async () => {
			const e = document.querySelector(%q)
			for (let last; ;) { // until it stays where it is: clicks go where the last frame has it
				e.scrollIntoView({block: "center", behavior: "instant"})
				await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))
				const b = e.getBoundingClientRect(), at = [b.x + b.width / 2, b.y + b.height / 2]
				if (last && last[0] === at[0] && last[1] === at[1]) return at
				last = at
			}
		})()`, selector))
		p.Point(at[0], at[1])
	}
	want := func(expression string) {
		t.Helper()
		p.Wait(expression)
	}
	p.Goto(server.Base + "/demo/")
	press("#burger")
	want(`document.querySelector("#menu a").checkVisibility()`)
	press(`#menu a[href="shop"]`)
	want(`location.pathname === "/demo/shop" && document.readyState === "complete"`)
	press("#filter-toggle")
	press(".check")
	want(`document.querySelector("#found").textContent === "6 products"`)
	press("#filters [type=reset]")
	want(`document.querySelector("#found").textContent === "16 products"`)
	press(".pages .next")
	want(`[...document.querySelectorAll("#grid .card")].filter(c => c.checkVisibility()).length === 4`)
	press("#grid .card:not([hidden]) img")
	want(`location.pathname === "/demo/product" && document.readyState === "complete"`)
	press("[data-step='1']")
	press(".choices label:last-child")
	want(`document.querySelector("#amount").textContent === "€55"`)
	press("#add-to-bag")
	want(`document.querySelector("#bag").ariaLabel === "Bag, 2 things" && document.querySelector("#toast").classList.contains("on")`)
	press("#tab-care")
	want(`document.querySelector("#care").checkVisibility({visibilityProperty: true}) && !document.querySelector("#about").checkVisibility({visibilityProperty: true})`)
	press(".thumbs button:nth-child(2)")
	want(`document.querySelector("#stage").src.endsWith("/plover-air.svg")`)
	p.Goto(server.Base + "/demo/#letter")
	want(`document.readyState === "complete"`)
	browser.Eval[bool](p, `document.querySelector("#email").value = "a@b.example", true`)
	press("#letter button")
	want(`document.querySelector("#toast").textContent.startsWith("Thank you") && location.search === ""`)
	if c := p.Console(); len(c) > 0 {
		t.Errorf("console: %q", c)
	}
}

//go:embed testdata/measure.js
var measureScript string

// measured is what testdata/measure.js says of a page.
type measured struct {
	DocW, DocH int
	Fonts      []int
	Elements   []demo.Element
	Boxes      [][]int
	Wrong      []string
}

func measure(t *testing.T, p *browser.Page, link string, width int) measured {
	t.Helper()
	p.Resize(demoSize(width))
	p.Goto(link)
	browser.Eval[bool](p, bundle(t, "hlAnchor", "anchor.ts")+`; window.hlAnchor = hlAnchor; true`)
	m := browser.Eval[measured](p, measureScript)
	for _, wrong := range m.Wrong {
		t.Errorf("%s at %d px: %s", link, width, wrong)
	}
	return m
}

// boxTolerance is how far a box may be from where boxes.json has it, px: text of equal fonts is laid out to fractions of a
// px that differ between versions of a browser, and a box is rounded twice.
const boxTolerance = 2

// TestDemoBoxes measures the demo's pages and compares boxes.json with them, at a desktop's and a phone's width. With
// other fonts than those that it was measured with, lines break elsewhere: then only what the elements are is compared.
func TestDemoBoxes(t *testing.T) {
	t.Parallel()
	server := heatlogtest.Start(t, t.TempDir())
	p := chrome.Open(t, demoSize(1280))
	if *rewriteBoxes {
		writeBoxes(t, p, server.Base)
		return
	}
	shop := demo.Boxes()
	for _, page := range shop.Pages {
		for _, layout := range page.Layouts {
			if layout.Width != 1280 && layout.Width != 390 {
				continue
			}
			m := measure(t, p, server.Base+page.Path, layout.Width)
			if diff := cmp.Diff(page.Elements, m.Elements); diff != "" {
				t.Errorf("%s: elements are not those of boxes.json (-boxes.json +page):\n%s", page.Path, diff)
				continue
			}
			if !sameFonts(shop.Fonts, m.Fonts) {
				t.Logf("%s at %d px: places are not compared, the fonts are others: %v, want %v", page.Path, layout.Width, m.Fonts, shop.Fonts)
				continue
			}
			near := cmpopts.EquateApprox(0, boxTolerance)
			if diff := cmp.Diff(floats(layout), floats(demo.Layout{DocW: m.DocW, DocH: m.DocH, Boxes: m.Boxes}), near); diff != "" {
				t.Errorf("%s at %d px: boxes moved (-boxes.json +page):\n%s", page.Path, layout.Width, diff)
			}
		}
	}
	if t.Failed() {
		t.Log("if the pages were meant to change: go test ./cmd/heatlog -run TestDemoBoxes -rewrite")
	}
}

// sameFonts reports whether a text is as wide as where boxes.json was measured, to half a per cent.
func sameFonts(a, b []int) bool {
	for i := range a {
		if len(b) != len(a) || math.Abs(float64(a[i]-b[i])) > float64(a[i])/200 {
			return false
		}
	}
	return true
}

// floats gives the numbers of a layout.
func floats(l demo.Layout) [][]float64 {
	all := [][]float64{{float64(l.DocW), float64(l.DocH)}}
	for _, box := range l.Boxes {
		row := []float64{}
		for _, v := range box {
			row = append(row, float64(v))
		}
		all = append(all, row)
	}
	return all
}

func writeBoxes(t *testing.T, p *browser.Page, base string) {
	t.Helper()
	shop := demo.Shop{}
	for _, path := range demoPaths {
		page := demo.Page{Path: path}
		for _, width := range demo.Widths {
			m := measure(t, p, base+path, width)
			if page.Elements == nil {
				page.Elements, shop.Fonts = m.Elements, m.Fonts
			}
			if diff := cmp.Diff(page.Elements, m.Elements); diff != "" {
				t.Fatalf("%s has other elements at %d px:\n%s", path, width, diff)
			}
			page.Layouts = append(page.Layouts, demo.Layout{Width: width, DocW: m.DocW, DocH: m.DocH, Boxes: m.Boxes})
		}
		shop.Pages = append(shop.Pages, page)
	}
	if t.Failed() {
		return
	}
	if err := os.WriteFile(filepath.Join("..", "demo", "boxes.json"), shop.Append(nil), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDemoSelectors clicks at elements of boxes.json, and wants the tracker to name them as it does.
func TestDemoSelectors(t *testing.T) {
	t.Parallel()
	server := heatlogtest.Start(t, t.TempDir())
	want := map[string]bool{}
	p := chrome.Open(t, demoSize(1280))
	for _, page := range demo.Boxes().Pages {
		p.Goto(server.Base + page.Path)
		// the tracker sees a click first, then nobody does: the page must not scroll or change
		browser.Eval[bool](p, `addEventListener("click", e => { e.preventDefault(); e.stopImmediatePropagation() }, true), true`)
		for i, e := range page.Elements {
			if e.Kind == demo.KindArea || i%3 != 0 {
				continue
			}
			at := browser.Eval[[]float64](p, fmt.Sprintf(`(async () => {
				const e = document.querySelector(%q)
				if (!e.checkVisibility()) return []
				e.scrollIntoView({block: "center", behavior: "instant"})
				await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))) // clicks go where the last frame has it
				const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]
			})()`, e.Selector))
			if len(at) > 0 {
				p.Click(at[0], at[1])
				want[e.Selector] = true
			}
		}
	}
	got := clickedSelectors(t, server)
	for end := time.Now().Add(20 * time.Second); len(got) < len(want) && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		got = clickedSelectors(t, server) // the tracker sends within a second
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) < 30 {
		t.Errorf("%d selectors; the tracker names elements differently (-boxes.json +tracker):\n%s", len(want), diff)
	}
}

// clickedSelectors gives what the clicks that the server has taken name.
func clickedSelectors(t *testing.T, server *heatlogtest.Server) map[string]bool {
	t.Helper()
	got := map[string]bool{}
	status, body := server.Request("GET", "/v1/export", url.Values{"site": {"demo"}}, nil, nil)
	for line := range strings.Lines(string(body)) {
		var h struct{ Kind, Sel string }
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			t.Fatalf("export, status %d: %v: %s", status, err, line)
		}
		if h.Kind == "click" {
			got[h.Sel] = true
		}
	}
	return got
}

// TestDemoVisitorsHitWhatTheyName has the browser say what is where made visitors click: what they name, or what is in it.
func TestDemoVisitorsHitWhatTheyName(t *testing.T) {
	server := heatlogtest.Start(t, t.TempDir())
	type click struct {
		URL, Kind, Sel string
		X, Y, VW       int
		Fixed          bool
	}
	clicks := map[string]map[int][]click{}
	for text := range demo.Lines(demo.Options{Origin: server.Base, Visitors: 500, Seed: 11}) {
		var c click
		if err := json.Unmarshal(text, &c); err != nil {
			t.Fatal(err)
		}
		if c.Kind == "click" && !c.Fixed {
			if clicks[c.URL] == nil {
				clicks[c.URL] = map[int][]click{}
			}
			clicks[c.URL][c.VW] = append(clicks[c.URL][c.VW], c)
		}
	}
	p := chrome.Open(t, demoSize(1280))
	for link, widths := range clicks {
		for _, width := range []int{390, 1280} {
			p.Resize(demoSize(width))
			p.Goto(link)
			list, err := json.Marshal(widths[width])
			if err != nil {
				t.Fatal(err)
			}
			beside := browser.Eval[[]string](p, fmt.Sprintf(`%s.filter(c => {
				scrollTo({top: c.Y - 300, behavior: "instant"})
				return !document.elementFromPoint(c.X, c.Y - scrollY)?.closest(c.Sel)
			}).map(c => c.Sel + " at " + c.X + "," + c.Y)`, list))
			if n := len(widths[width]); n < 20 || len(beside)*20 > n {
				t.Errorf("%s at %d px: %d of %d clicks hit something else: %q", link, width, len(beside), n, beside)
			}
		}
	}
}
