package browsertest

import (
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heatlog/cmd/heatlog/internal/browser"
	"heatlog/cmd/heatlog/internal/heatlogtest"
)

// trackerLimit is how long the packed tracker may be, bytes: what README calls 5.0 kB.
const trackerLimit = 5050

func readTracker(t testing.TB) []byte {
	t.Helper()
	script, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "web", "static", "hl.js"))
	if err != nil {
		t.Fatal(err)
	}
	return script
}

func TestTrackerIsSmall(t *testing.T) {
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	w.Write(readTracker(t))
	w.Close()
	if packed.Len() >= trackerLimit {
		t.Errorf("hl.js is %d bytes gzipped, limit %d", packed.Len(), trackerLimit)
	}
}

// TestTrackerLeavesNoTrace looks for what keeps or shows things in a visitor's browser.
func TestTrackerLeavesNoTrace(t *testing.T) {
	traces := regexp.MustCompile(`\b(console|cookie|indexedDB|caches|innerHTML|innerText|value|eval|Function)\b`)
	for _, word := range traces.FindAll(readTracker(t), -1) {
		t.Errorf("hl.js has %s", word)
	}
}

const clickPage = tracked + `<style>
body { margin: 0; height: 4000px; position: relative }
body > *, #shop > * { position: absolute; margin: 0; padding: 0; border: 0; box-sizing: border-box }
#bar { position: fixed; left: 0; top: 0; width: 300px; height: 40px }
#list { left: 20px; top: 500px; width: 300px; height: 200px; overflow: auto }
#list li { height: 50px; display: block }
</style>
<body><div id=bar><b style="display:block;width:100px;height:40px">Shop</b></div>
<main id=shop><button class="css-1q2w3e" style="left:20px;top:100px;width:200px;height:80px">Buy</button>
<p style="left:20px;top:200px;width:100px;height:50px" data-testid=price>12.30</p><p style="left:20px;top:260px;width:100px;height:50px" id=r1a2b3>12.30</p>
<svg style="left:20px;top:320px" width=50 height=50><g><rect width=50 height=50 /></g></svg>
<label style="left:20px;top:380px;width:200px;height:30px">Size <input style="width:20px" type=checkbox></label>
<div data-hl-ignore style="left:20px;top:420px;width:100px;height:20px"><i>not this</i></div></main>
<ul id=list><li>1<li>2<li>3<li>4<li>5<li>6<li>7<li>8</ul>
<x-card style="left:20px;top:720px;width:100px;height:40px"></x-card>
<script>document.querySelector("x-card").attachShadow({mode: "open"}).innerHTML = "<div><u style='display:block;width:100px;height:40px'>a</u></div>"</script>`

// TestTrackerClicks compares every member of the hits of clicks with what was clicked.
func TestTrackerClicks(t *testing.T) {
	for _, size := range []browser.Size{browser.Desktop, browser.Phone} {
		t.Run(fmt.Sprint(size.Width), func(t *testing.T) {
			t.Parallel()
			checkClicks(t, size)
		})
	}
}

func checkClicks(t *testing.T, size browser.Size) {
	h := newHost(t, map[string]string{"/p": clickPage})
	p := h.open(size, "/p")
	browser.Eval[int](p, `document.querySelector("#list").scrollTop = 70`)
	click := func(x, y int, more object) object {
		w := object{"kind": "click", "url": "/p", "x": x, "y": y, "vw": size.Width, "vh": size.Height, "dw": size.Width, "dh": 4000, "pointer": "mouse"}
		if size.Touch {
			w["pointer"] = "touch"
		}
		maps.Copy(w, more)
		return w
	}
	want := []object{
		click(70, 120, object{"sel": "#shop>button", "check": textCheck("Buy"), "ax": 0.25, "ay": 0.25, "bw": 200, "bh": 80, "dead": true}),
		click(30, 210, object{"sel": `#shop>p[data-testid="price"]`, "check": textCheck("12.30"), "ax": 0.1, "ay": 0.2, "bw": 100, "bh": 50, "dead": true}),
		click(110, 300, object{"sel": `#shop>p:nth-of-type(2)`, "check": textCheck("12.30"), "ax": 0.9, "ay": 0.8, "bw": 100, "bh": 50, "dead": true}),
		click(30, 345, object{"sel": `#shop>svg`, "check": textCheck("^12.30"), "ax": 0.2, "ay": 0.5, "bw": 50, "bh": 50, "dead": true}),
		click(70, 10, object{"sel": `#bar>b`, "check": textCheck("Shop"), "ax": 0.7, "ay": 0.25, "bw": 100, "bh": 40, "dead": true, "fixed": true}),
		click(50, 560, object{"sel": `#list>li:nth-of-type(3)`, "check": textCheck("3"), "ax": 0.1, "ay": 0.6, "bw": 300, "bh": 50, "dead": true, "in": "#list", "ix": 0, "iy": 70}),
		click(70, 740, object{"sel": `body>x-card>>>div>u`, "check": textCheck("a"), "ax": 0.5, "ay": 0.5, "bw": 100, "bh": 40, "dead": true}),
		click(200, 390, object{"sel": `#shop>label`, "check": textCheck("Size"), "ax": 0.9, "ay": 0.3333, "bw": 200, "bh": 30}),
	}
	for _, w := range want {
		p.Point(float64(w["x"].(int)), float64(w["y"].(int)))
		if w["sel"] == "body>x-card>>>div>u" {
			h.awaitHits("click", 7) // what follows is a change of the page
		}
	}
	p.Point(50, 430) // is ignored
	got := h.awaitHits("click", len(want))
	checkHits(t, "clicks", without(got, "view"), want...)
	p.Close()
	checkReach(t, h, "/p", size.Height)
	if got := len(h.hits("click")); got != len(want) {
		t.Errorf("%d clicks, want %d", got, len(want))
	}
	if v := h.hits("view"); len(v) != 1 || v[0]["view"] != got[0]["view"] {
		t.Errorf("views: %v", v)
	}
}

func TestTrackerScroll(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{"/long": tracked + `<body style="margin:0;height:9000px">`})
	p := h.open(browser.Desktop, "/long")
	h.awaitHits("scroll", 1) // of the first screen, before anything moves
	p.ScrollTo(1000)
	pass(p, 900)
	p.ScrollTo(1030) // is the same place
	p.ScrollTo(1010)
	pass(p, 400)
	slowest := browser.Eval[float64](p, `(async () => {
		let slowest = 0
		for (const y of [2000, 4000, 500]) {
			const began = performance.now()
			scrollTo(0, y)
			for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame)
			slowest = Math.max(slowest, performance.now() - began)
		}
		return slowest
	})()`)
	pass(p, 600)
	show(p, "hidden")
	h.await("hits as the page is hidden", func() bool {
		s := h.hits("scroll")
		return len(s) > 0 && s[len(s)-1]["y"] == 500.0
	})
	pass(p, 1200) // counts for nothing
	show(p, "visible")
	pass(p, 300)
	p.Close()
	h.await("the time after it was shown again", func() bool {
		s := h.hits("scroll")
		return len(s) > 0 && s[len(s)-1]["from"] == 4800.0
	})
	dwell := checkReach(t, h, "/long", 4800)
	for y, want := range map[int][2]float64{0: {850, 2500}, 1000: {1300, 3000}, 500: {850, 2000}} {
		if got := dwell[y]; got < want[0] || got > want[1] {
			t.Errorf("%v ms at %d, want %v", got, y, want)
		}
		delete(dwell, y)
	}
	if len(dwell) > 0 && slowest < 200 { // else the browser was so busy that it did rest
		t.Errorf("also stayed at %v", dwell)
	}
	if n := len(h.hits("view")); n != 1 {
		t.Errorf("%d views", n)
	}
}

const routesPage = tracked + `<body style="margin:0;height:3000px"><script>
	const go = u => history.pushState({}, "", u), put = u => history.replaceState({}, "", u)
	document.write("<p style='margin:0;height:100px' onclick='go(\"/app/b?q=1\")'>b</p><p style='margin:0;height:100px'>other</p>")</script>`

// TestTrackerRoutes goes through the routes of an application, where the browser tells of them and where it does not.
func TestTrackerRoutes(t *testing.T) {
	t.Parallel()
	f := func(page string) {
		h := newHost(t, map[string]string{"/app": page})
		p := h.open(browser.Desktop, "/app?utm_source=x&a=1")
		browser.Eval[bool](p, `put("/app?a=1"), go("#plain"), true`) // is the same page
		const seen = 800                                             // longer than a look at the URL and the time until it counts
		pass(p, seen)
		p.Click(50, 50)
		p.Click(60, 150)
		pass(p, 1000) // until it is known that this changed nothing
		p.ScrollTo(400)
		pass(p, 300)
		browser.Eval[bool](p, `go("/app/gone"), put("/app/c#/route"), true`) // nobody saw the first
		pass(p, seen)
		browser.Eval[bool](p, `location.hash = "#/other", true`)
		pass(p, 300)
		browser.Eval[bool](p, `history.back(), true`)
		p.Wait(`location.hash === "#/route"`)
		pass(p, 300)
		h.quiet(p)
		p.Close()
		h.await("the end", func() bool { return len(h.hits("scroll")) >= 5 })
		var views []string
		ids := map[any]bool{}
		for _, v := range h.hits("view") {
			views = append(views, v["url"].(string))
			ids[v["view"]] = true
		}
		if d := cmp.Diff([]string{"/app?utm_source=x&a=1", "/app/b?q=1", "/app/c#/route", "/app/c#/other", "/app/c#/route"}, views); d != "" || len(ids) != 5 {
			t.Errorf("views (-want +got):\n%s", d)
		}
		for i, c := range h.hits("click") {
			want := []any{"/app?utm_source=x&a=1", h.hits("view")[0]["view"], "/app/b?q=1", h.hits("view")[1]["view"]}[2*i : 2*i+2]
			if d := cmp.Diff(want, []any{c["url"], c["view"]}); d != "" {
				t.Errorf("click %d (-want +got):\n%s", i, d)
			}
			if c["dead"] != nil != (i == 1) {
				t.Errorf("click %d: %v", i, c)
			}
		}
		checkReach(t, h, "/app?utm_source=x&a=1", 800)
		checkReach(t, h, "/app/b?q=1", 1200)
		checkReach(t, h, "/app/c#/other", 1200)
	}
	f(routesPage)
	f("<script>Object.defineProperty(window, 'navigation', {value: undefined})</script>" + routesPage)
}

const linkPage = tracked + `<body style="margin:0;height:2000px"><a href="/next" style="position:absolute;left:0;top:0;width:200px;height:100px">next</a><b>b</b>`

// TestTrackerSendsAsThePageGoes leaves pages right after a click in each way that there is.
func TestTrackerSendsAsThePageGoes(t *testing.T) {
	t.Parallel()
	f := func(clicks int, leave func(*browser.Page)) {
		t.Helper()
		h := newHost(t, map[string]string{"/p": linkPage, "/next": "<title>x</title>" + tracked[:strings.Index(tracked, "<script")]})
		p := h.open(browser.Desktop, "/p")
		p.Click(300, 300)
		leave(p)
		for _, c := range h.awaitHits("click", clicks) {
			if c["dead"] != nil {
				t.Errorf("undecided click is dead: %v", c)
			}
		}
		h.awaitHits("scroll", 1)
		checkReach(t, h, "/p", browser.Desktop.Height)
		if got := []int{len(h.hits("view")), len(h.hits("click"))}; !slices.Equal(got, []int{1, clicks}) {
			t.Errorf("%d views and clicks, want 1 and %d", got, clicks)
		}
	}
	f(1, func(p *browser.Page) { p.Close() })
	f(2, func(p *browser.Page) { p.Click(50, 50) })
	f(1, func(p *browser.Page) { browser.Eval[bool](p, `location = "/next", true`) })
	f(1, func(p *browser.Page) { show(p, "hidden") })
}

// TestTrackerTriesAgain answers batches with failures.
func TestTrackerTriesAgain(t *testing.T) {
	t.Parallel()
	f := func(first int, wait time.Duration) {
		t.Helper()
		h := newHost(t, map[string]string{"/p": linkPage})
		h.answer = func(n int) int { return []int{first, http.StatusNoContent}[min(n, 1)] }
		p := h.open(browser.Desktop, "/p")
		p.Click(300, 300)
		h.await("second try", func() bool { return len(h.batches()) > 1 })
		a, b := h.batches()[0], h.batches()[1]
		if took := b.at.Sub(a.at); took < wait || took > wait+5*time.Second {
			t.Errorf("%d: again after %v, want %v", first, took, wait)
		}
		if b.Hits[0]["age"].(float64) < a.Hits[0]["age"].(float64)+float64(wait.Milliseconds()) {
			t.Errorf("%d: ages are %v, then %v", first, a.Hits[0]["age"], b.Hits[0]["age"])
		}
		if d := cmp.Diff(a.hits(t, h.URL), b.hits(t, h.URL)); d != "" || a.B != b.B || a.B == "" {
			t.Errorf("%d: batch %s, then %s: %s", first, a.B, b.B, d)
		}
		p.Close()
		h.await("the end", func() bool { return len(h.batches()) > 2 })
		if c := h.batches()[2]; c.B == a.B || len(c.Hits) == 0 || c.Hits[0]["kind"] == "view" {
			t.Errorf("%d: third batch is %v", first, c)
		}
	}
	f(http.StatusServiceUnavailable, 2*time.Second)
	f(http.StatusTooManyRequests, time.Second)
	f(http.StatusBadGateway, time.Second)
	f(0, time.Second)
}

// TestTrackerHoldsFewHits clicks more often than hits are kept, while the server is down: what is dropped is known, and no
// batch is too large to be sent as the page goes.
func TestTrackerHoldsFewHits(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{"/p": linkPage})
	h.answer = func(n int) int { return []int{http.StatusServiceUnavailable, http.StatusNoContent}[min(n, 1)] }
	p := h.open(browser.Desktop, "/p")
	h.await("a batch", func() bool { return len(h.batches()) > 0 })
	browser.Eval[bool](p, `(() => { for (let i = 0; i < 300; i++) document.querySelector("b").click() })(), true`)
	p.Click(300, 300)
	const kept = 200 - 2 // with the view and the first scroll
	h.await("all batches", func() bool { return len(h.hits("click")) >= kept })
	p.Close()
	h.await("the end", func() bool { return len(h.hits("scroll")) >= 3 })
	lost := 0
	for _, b := range h.batches() {
		lost += b.Lost
		if body, _ := json.Marshal(b); len(body) > 60_000 {
			t.Errorf("a batch of about %d bytes", len(body))
		}
	}
	if n := len(h.hits("click")); n != kept || lost != 301-kept {
		t.Errorf("%d clicks came, %d were lost, want %d and %d", n, lost, kept, 301-kept)
	}
}

// TestTrackerGivesUp answers with what does not pass by itself.
func TestTrackerGivesUp(t *testing.T) {
	t.Parallel()
	f := func(status, want int, lost int) {
		t.Helper()
		h := newHost(t, map[string]string{"/p": linkPage})
		h.answer = func(int) int { return status }
		p := h.open(browser.Desktop, "/p")
		h.await("a batch", func() bool { return len(h.batches()) > 0 })
		pass(p, 1400) // for a second try
		p.Click(300, 300)
		pass(p, 1500)
		if got := h.batches(); len(got) != want || want > 1 && (got[1].B == got[0].B || got[1].Lost != lost) {
			t.Errorf("%d: %d batches: %v", status, len(got), got)
		}
	}
	f(http.StatusBadRequest, 2, 2)
	f(http.StatusForbidden, 1, 0)
}

const keysPage = tracked + `<style>body { margin: 0; height: 3000px } body > * { position: absolute; box-sizing: border-box }</style>
<button id=go style="left:100px;top:200px;width:200px;height:80px" onclick="this.title += 1">Go</button>
<label style="left:100px;top:300px;width:200px;height:30px"><input id=field type=checkbox style="margin:0;width:20px;height:20px"> yes</label>
<p style="left:100px;top:400px;width:200px;height:200px;margin:0">text</p>`

// TestTrackerCountsEachClickOnce clicks in the ways that make more or stranger events than one.
func TestTrackerCountsEachClickOnce(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{"/p": keysPage})
	p := h.open(browser.Desktop, "/p")
	p.Click(250, 310) // the browser passes it on to the field
	p.Click(105, 315) // the field itself
	browser.Eval[bool](p, `document.querySelector("#go").focus(), true`)
	p.Press("Enter")
	p.Press("Space")
	p.Wait(`document.querySelector("#go").title.length === 2`)
	browser.Eval[bool](p, `document.querySelector("#go").click(), document.querySelector("p").dispatchEvent(new Event("click")), true`)
	at := func(x, y int, sel, more string) object {
		w := object{"kind": "click", "x": x, "y": y, "sel": sel}
		for name := range strings.FieldsSeq(more) {
			w[name] = name != "trusted"
		}
		return w
	}
	got := h.awaitHits("click", 6)
	// those that wait for an answer come after those that do not
	slices.SortStableFunc(got, func(a, b map[string]any) int {
		return cmpBool(a["trusted"] == nil, b["trusted"] == nil)*2 + cmpBool(a["pointer"] != nil, b["pointer"] != nil)
	})
	checkHits(t, "clicks", without(got, "url", "view", "vw", "vh", "dw", "dh", "ax", "ay", "bw", "bh", "pointer", "check"),
		at(250, 310, "body>label", ""), at(105, 315, "#field", ""), at(200, 240, "#go", ""), at(200, 240, "#go", ""),
		at(200, 240, "#go", "trusted"), at(200, 500, "body>p", "trusted"))
	for i, c := range got[2:] {
		if c["ax"] != 0.5 || c["ay"] != 0.5 || c["pointer"] != nil {
			t.Errorf("click %d without a pointer: %v", i, c)
		}
	}
	h.quiet(p)
}

// TestTrackerTellsDeadClicks clicks at what answers in some way and at what does not, each in a tab of its own.
func TestTrackerTellsDeadClicks(t *testing.T) {
	t.Parallel()
	const button = `<style>body { margin: 0; height: 3000px } body > :first-of-type { display: block; width: 300px; height: 100px; margin: 0 }</style>`
	on := func(script string) string {
		return fmt.Sprintf(`<button onclick="%s">b</button><p id=out>o</p><input id=in>`, script)
	}
	cases := []struct {
		body string
		dead bool
	}{
		{on(``), true},
		{on(``) + `<script>document.querySelector("button").focus()</script>`, true},
		{`<svg width=300 height=100 onpointerdown="setTimeout(() => document.title = 'x')"><rect width=300 height=100 /></svg>`, false},
		{`<p>text</p>`, true},
		{`<div style="cursor:pointer" role=button>x</div>`, true},
		{on(`document.body.append(Object.assign(document.createElement('i'), {textContent: 'x'})); [...document.querySelectorAll('i')].pop().setAttribute('data-hl-ignore', '')`), true},
		{on(``) + `<div data-hl-ignore><b></b></div><script>setInterval(() => document.querySelector("b").textContent += "x", 50)</script>`, true},
		{on(`setTimeout(() => out.textContent = 'late', 2500)`), true},
		{on(`out.textContent = 'now'`), false},
		{on(`setTimeout(() => out.className = 'x', 500)`), false},
		{on(`document.querySelector('input').focus()`), false},
		{on(`window.scrollTo(0, 500)`), false},
		{on(`history.pushState(0, '', '/q')`), false},
		{on(`getSelection().selectAllChildren(out)`), false},
		{on(``) + `<script>document.querySelector("button").onpointerdown = () => out.hidden = true</script>`, false},
		{`<a href="#">a</a>`, false},
		{`<input>`, false},
		{`<details><summary style="height:100px">s</summary>d</details>`, false},
		{`<x-y><script>document.querySelector("x-y").attachShadow({mode: "closed"}).innerHTML = "<p style='height:100px'>p</p>"</script></x-y>`, false},
	}
	h := newHost(t, map[string]string{})
	for i, c := range cases {
		h.pages[fmt.Sprintf("/%d", i)] = tracked + button + "<body>" + c.body
	}
	tabs := []*browser.Page{chrome.Open(t, browser.Desktop), chrome.Open(t, browser.Desktop), chrome.Open(t, browser.Desktop), chrome.Open(t, browser.Desktop)}
	for i := range cases {
		p := tabs[i%len(tabs)]
		p.Goto(fmt.Sprintf("%s/%d", h.URL, i))
		p.Click(50, 60)
		if i%len(tabs) == len(tabs)-1 || i == len(cases)-1 {
			pass(p, 1000) // all of them have decided then
		}
	}
	for _, p := range tabs {
		p.Close()
	}
	h.awaitHits("click", len(cases))
	for _, hit := range h.hits("click") {
		var i int
		if _, err := fmt.Sscanf(hit["url"].(string), "/%d", &i); err != nil {
			t.Fatal(err)
		}
		if got := hit["dead"] != nil; got != cases[i].dead {
			t.Errorf("dead is %v, want %v: %s: %v", got, cases[i].dead, cases[i].body, hit)
		}
	}
}

// TestTrackerOnHostilePages runs on pages that break what scripts rely on: clicks are counted and nothing is thrown.
func TestTrackerOnHostilePages(t *testing.T) {
	t.Parallel()
	const area = `<body style="margin:0;height:3000px"><p style="margin:0;width:300px;height:200px">p</p>`
	strict := "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; base-uri 'none'; " +
		"require-trusted-types-for 'script'; trusted-types 'none'"
	pages := map[string]string{
		"/strict": tracked + area,
		"/frozen": `<script>for (const c of [Object, Array, Function, String, Number, RegExp, Promise, Map, Date, Event, MouseEvent, PointerEvent, EventTarget, Node, Element,
			HTMLElement, Document, Window, MutationObserver, Symbol, Math, JSON, Reflect]) { Object.freeze(c); if (c.prototype) try { Object.freeze(c.prototype) } catch {} }</script>` + tracked + area,
		"/tojson": `<script>Array.prototype.toJSON = Object.prototype.toJSON = String.prototype.toJSON = () => "no"; JSON.stringify = () => { throw 1 }; Object.prototype.extra = 1;
			Array.prototype.extra = function () {}</script>` + tracked + area,
		"/getters": `<script>const no = { get() { throw new Error("no") } }
			for (const name of ["id", "localName", "nextElementSibling", "previousElementSibling", "shadowRoot"]) Object.defineProperty(Element.prototype, name, no)
			for (const name of ["navigation", "trustedTypes", "scrollX"]) Object.defineProperty(window, name, no)</script>` + tracked + area,
		"/clobbered": tracked[:strings.Index(tracked, "<title")] + `<img name=currentScript alt=""><img name=scrollingElement alt="">` + tracked +
			`<body style="margin:0;height:3000px"><form style="position:absolute;left:0;top:0;width:300px;height:200px"><input hidden name=id><input hidden name=parentNode>
			<input hidden name=localName><input hidden name=previousElementSibling><input hidden name=getBoundingClientRects><input hidden name=closest><input hidden name=nodeType></form>`,
		"/gone":     tracked + area + `<script>onclick = e => e.target.remove(); document.addEventListener("click", e => { e.stopImmediatePropagation(); throw 0 }, true); onerror = () => true</script>`,
		"/base":     `<base href="https://other.example/x/">` + strings.ReplaceAll(tracked, `"/hl.js"`, `"BASE/hl.js"`) + area,
		"/prefetch": `<script>window.fetch = () => { throw new Error("no") }</script>` + tracked + area,
		"/promise":  `<script>window.Promise = function () { throw 1 }; fetch = ((fetch) => (...args) => { const then = fetch(...args); return { then: (a, b) => then.then(a, b) } })(fetch)</script>` + tracked + area,
		"/missing":  `<script>for (const name of ["navigation", "sessionStorage", "localStorage", "trustedTypes"]) Object.defineProperty(window, name, {value: undefined}); navigator.sendBeacon = undefined</script>` + tracked + area,
		"/fixed":    `<script>Object.defineProperty(window, "heatlog", {value: Object.freeze({})}); Object.freeze(navigator); Object.freeze(document)</script>` + tracked + area,
		"/nofetch":  `<script>delete window.fetch; Object.defineProperty(window, "fetch", {value: undefined})</script>` + tracked + area,
	}
	// a page that demands integrity, of a script from elsewhere
	sum := sha512.Sum384(readTracker(t))
	pages["/sri"] = strings.Replace(tracked, "/hl.js\"", "ELSEWHERE/a/b/hl.js\" crossorigin integrity=\"sha384-"+base64.StdEncoding.EncodeToString(sum[:])+"\"", 1) + area
	h := newHost(t, pages)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // a proxy ahead of the server
		w.Header().Set("Access-Control-Allow-Origin", "*")
		r.URL.Path = strings.TrimPrefix(r.URL.Path, "/a/b")
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(elsewhere.Close)
	pages["/sri"] = strings.ReplaceAll(pages["/sri"], "ELSEWHERE", elsewhere.URL)
	pages["/base"] = strings.ReplaceAll(pages["/base"], "BASE", h.URL)
	h.header = map[string]string{"/strict": strict, "/sri": strings.NewReplacer("script-src 'self'", "script-src "+elsewhere.URL, "connect-src 'self'", "connect-src "+elsewhere.URL).Replace(strict)}
	p := chrome.Open(t, browser.Desktop)
	said := 0
	for path := range pages {
		p.Goto(h.URL + path)
		p.Click(50, 60)
		if c := p.Console()[said:]; len(c) > 0 {
			t.Errorf("%s: console: %q", path, c)
			said += len(c)
		}
	}
	p.Close()
	h.awaitHits("click", len(pages))
	for _, hit := range h.hits("click") {
		path := hit["url"].(string)
		if hit["x"] != 50.0 || hit["y"] != 60.0 || path != "/getters" && path != "/clobbered" && hit["sel"] != "body>p" {
			t.Errorf("%s: %v", path, hit)
		}
	}
	if len(h.other) > 0 {
		t.Errorf("other requests: %q", h.other)
	}
}

// TestTrackerIsFoundAndStartsOnce loads the script in every way that there is.
func TestTrackerIsFoundAndStartsOnce(t *testing.T) {
	t.Parallel()
	const bare = `<!doctype html><meta charset=utf-8><link rel=icon href="data:,"><title>t</title>`
	pages := map[string]string{
		"/twice":   tracked + `<script defer src="/hl.js" data-site="shop"></script>`,
		"/async":   bare + `<script async src="/hl.js?v=1/2" data-site="shop"></script>`,
		"/late":    bare + `<script>onload = () => { const s = document.createElement("script"); s.src = "/hl.js"; s.dataset.site = "shop"; s.onload = () => window.late = 1; document.head.append(s) }</script>`,
		"/module":  bare + `<script type=module src="/hl.js" data-site="shop"></script>`,
		"/other":   bare + `<script data-site="no" src="data:text/javascript,"></script><script defer src="/hl.js" data-site="shop"></script>`,
		"/tags":    bare + `<script defer src="/hl.js" data-site="shop" data-tags=" variant:b ,, čau,` + strings.Repeat("x", 65) + `"></script>`,
		"/nosite":  bare + `<script defer src="/hl.js"></script>`,
		"/empty":   bare + `<script defer src="/hl.js" data-site=""></script>`,
		"/waiting": `<script>Object.defineProperty(document, "prerendering", {value: true, configurable: true}); addEventListener("click", () => { delete document.prerendering; document.dispatchEvent(new Event("prerenderingchange")) })</script>` + tracked + `<body style="height:500px">`,
		"/never":   `<script>Object.defineProperty(document, "prerendering", {value: true}); Object.defineProperty(document, "hidden", {value: true})</script>` + tracked,
		"/hidden":  `<script>Object.defineProperty(document, "hidden", {value: true})</script>` + tracked,
		"/behind":  `<script>Object.defineProperty(document, "hidden", {value: true, configurable: true})</script>` + tracked,
	}
	h := newHost(t, pages)
	p := chrome.Open(t, browser.Desktop)
	for path := range pages {
		p.Goto(h.URL + path)
		switch path {
		case "/waiting":
			p.Click(50, 50)
		case "/late":
			p.Wait(`window.late`)
		case "/behind":
			show(p, "visible")
		}
		h.quiet(p)
	}
	p.Close()
	silent := []string{"/nosite", "/empty", "/never", "/hidden"}
	h.awaitHits("view", len(pages)-len(silent))
	seen := map[string]int{}
	for _, v := range h.hits("view") {
		seen[v["url"].(string)]++
	}
	want := map[string]int{}
	for path := range pages {
		if !slices.Contains(silent, path) {
			want[path] = 1
		}
	}
	if d := cmp.Diff(want, seen); d != "" {
		t.Errorf("views (-want +got):\n%s", d)
	}
	for _, b := range h.batches() {
		if strings.HasSuffix(b.URL, "/tags") && !slices.Equal(b.Tags, []string{"variant:b", "čau"}) {
			t.Errorf("tags: %q", b.Tags)
		}
		if b.Site != "shop" {
			t.Errorf("site: %q", b.Site)
		}
	}
}

// TestTrackerOpensOverlay follows overlay links, also under a policy that demands Trusted Types.
func TestTrackerOpensOverlay(t *testing.T) {
	t.Parallel()
	const area = `<body style="margin:0;height:3000px"><p id=part style="margin:1000px 0 0">p</p>`
	h := newHost(t, map[string]string{
		"/p": tracked + area, "/strict": tracked + area,
		"/routed":     tracked + area + `<script>onhashchange = () => window.route = location.hash</script>`,
		"/hl-view.js": `window.link = document.currentScript.hl; window.fields = Object.keys(link).join()`,
	})
	h.header = map[string]string{"/strict": "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; " +
		"require-trusted-types-for 'script'; trusted-types heatlog"}
	f := func(path, fragment, left string) *browser.Page {
		t.Helper()
		p := chrome.Open(t, browser.Desktop)
		p.Goto(h.URL + path + fragment)
		p.Wait(`window.link`)
		want := fmt.Sprintf("hlo_a.b-C_9 shop %s/ true %s%s%s", h.URL, h.URL, path, left)
		if got := browser.Eval[string](p, `[link.token, link.site, link.base, link.recording, location.href].join(" ")`); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
		h.quiet(p)
		return p
	}
	f("/strict", "#hl=hlo_a.b-C_9", "").Close()
	if y := browser.Eval[int](f("/p", "#hl=hlo_a.b-C_9~part", "#part"), `scrollY`); y != 1000 {
		t.Errorf("scrolled to %d, want 1000", y)
	}
	f("/routed", "#hl=hlo_a.b-C_9~/r?a=b~c", "#/r?a=b~c").Wait(`window.route === "#/r?a=b~c"`)
	p := f("/p", "#hl=hlo_a.b-C_9", "")
	for _, v := range append(h.hits("view"), h.hits("scroll")...) {
		if strings.Contains(v["url"].(string), "hl=") {
			t.Errorf("the token was sent: %v", v)
		}
	}
	before := len(h.hits("click"))
	browser.Eval[bool](p, `(link.record(false), link.recording)`)
	p.Click(50, 50)
	views := len(h.hits("view"))
	browser.Eval[bool](p, `(link.record(true), link.recording)`)
	p.Click(60, 60)
	if c := h.awaitHits("click", before+1)[before:]; len(c) != 1 || c[0]["x"] != 60.0 {
		t.Errorf("clicks: %v", c)
	}
	h.awaitHits("view", views+1)
}

// TestTrackerLeavesFragments opens pages with fragments of their own that look like an overlay's.
func TestTrackerLeavesFragments(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{"/p": tracked + `<body>`})
	for i, fragment := range []string{"#hl=en", "#hl=", "#hl", "#hl=hlo_", "#hl=hlo_a b", "#xhl=hlo_a"} {
		p := h.open(browser.Desktop, "/p"+fragment)
		h.awaitHits("view", i+1)
		if got := browser.Eval[string](p, `location.hash`); got != strings.ReplaceAll(fragment, " ", "%20") {
			t.Errorf("%s became %s", fragment, got)
		}
		h.quiet(p)
		p.Close()
	}
}

// TestTrackerPrint prints a page: that is neither a view nor a scroll of it, and an answer to the click that asked for it.
func TestTrackerPrint(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{"/p": tracked + `<style>@media print { body { height: 90000px !important } }</style><body style="margin:0;height:3000px"><button style="width:100px;height:100px" onclick="setTimeout(() => dispatchEvent(new Event('beforeprint')), 50)">print</button>`})
	p := h.open(browser.Desktop, "/p")
	p.Click(50, 50)
	p.Print()
	c := h.awaitHits("click", 1)
	p.Close()
	h.awaitHits("scroll", 2)
	if v := h.hits("view"); len(v) != 1 || c[0]["dead"] != nil {
		t.Errorf("views %v, clicks %v", v, c)
	}
	checkReach(t, h, "/p", browser.Desktop.Height)
}

// TestTrackerFarClicks clicks below what a hit can tell: it has no cell, and another one would be wrong.
func TestTrackerFarClicks(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{"/p": tracked + `<body style="margin:0;height:100000px">`})
	p := h.open(browser.Desktop, "/p")
	p.ScrollTo(80_000)
	p.Click(100, 100)
	p.ScrollTo(65_500)
	p.Click(100, 35)
	p.Click(100, 36)
	if c := h.awaitHits("click", 1); len(c) != 1 || c[0]["y"] != 65535.0 {
		t.Errorf("clicks: %v", c)
	}
	h.quiet(p)
}

// TestTrackerBackForward comes back to a page that the browser had kept: that is another view of it.
func TestTrackerBackForward(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{"/p": linkPage + `<script>onpageshow = e => window.kept = e.persisted</script>`, "/next": tracked})
	p := h.open(browser.Desktop, "/p")
	p.Click(50, 50)
	p.Wait(`location.pathname === "/next"`)
	h.awaitHits("scroll", 1)
	browser.Eval[bool](p, `(setTimeout(() => history.back()), true)`)
	p.Wait(`location.pathname === "/p" && window.kept !== undefined`)
	if !browser.Eval[bool](p, `kept`) {
		t.Skip("this browser keeps no pages")
	}
	p.Click(300, 300)
	h.awaitHits("click", 2)
	p.Close()
	h.await("end of the last view", func() bool { return len(h.hits("scroll")) >= 3 })
	from := map[any]int{}
	for _, s := range h.hits("scroll") {
		if s["from"] == 0.0 {
			from[s["view"]]++
		}
	}
	for _, v := range h.hits("view") {
		if from[v["view"]] != 1 {
			t.Errorf("view %v has %d beginnings", v, from[v["view"]])
		}
	}
	if c := h.hits("click"); c[0]["view"] == c[1]["view"] {
		t.Errorf("one view for both: %v", c)
	}
}

// TestTrackerToServer sends hits to the real server and reads them back.
func TestTrackerToServer(t *testing.T) {
	t.Parallel()
	server := heatlogtest.Start(t, t.TempDir())
	page := strings.ReplaceAll(clickPage, "/hl.js", server.Base+"/hl.js")
	h := newHost(t, map[string]string{"/p": page, "/p/": page})
	server.AddSite("shop", "Europe/Prague", h.URL)
	p := chrome.Open(t, browser.Desktop)
	p.Goto(h.URL + "/p?utm_source=mail#x")
	places := [][2]int{{70, 120}, {30, 210}, {400, 300}, {30, 210}}
	for _, at := range places {
		p.Click(float64(at[0]), float64(at[1]))
	}
	p.ScrollTo(1000)
	p.Click(400, 300)
	places = append(places, [2]int{400, 1300})
	if c := p.Console(); len(c) > 0 {
		t.Errorf("console: %q", c)
	}
	for _, r := range p.Requests() {
		if !strings.HasPrefix(r, "GET "+h.URL+"/p?") && r != "GET data:," && r != "GET "+server.Base+"/hl.js" && r != "POST "+server.Base+"/v1/in" {
			t.Errorf("request: %s", r)
		}
	}
	p.Close()
	var a struct {
		Hits, Views, Visitors int
		Points                [][3]float64
	}
	query := url.Values{"site": {"shop"}, "url": {h.URL + "/p"}, "limit": {"0"}}
	var reach struct {
		Views int
		Reach [][2]float64
		Fold  struct{ Average float64 }
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		server.Ask("/v1/heatmap", query, &a)
		server.Ask("/v1/scroll", url.Values{"site": {"shop"}, "url": {h.URL + "/p"}}, &reach)
		if a.Hits == len(places) && len(reach.Reach) > 20 || time.Now().After(end) {
			break
		}
	}
	want, got := map[[2]float64]float64{}, map[[2]float64]float64{}
	for _, at := range places {
		want[[2]float64{float64(at[0] / 8 * 8), float64(at[1] / 8 * 8)}]++
	}
	for _, point := range a.Points {
		got[[2]float64{point[0], point[1]}] = point[2]
	}
	if d := cmp.Diff(want, got); d != "" || a.Views != 1 || a.Visitors != 1 {
		t.Errorf("%d views of %d visitors; cells (-want +got):\n%s", a.Views, a.Visitors, d)
	}
	if reach.Views != 1 || reach.Fold.Average != 800 || len(reach.Reach) == 0 || reach.Reach[0][1] != 1 {
		t.Errorf("scroll: %+v", reach)
	}
	status, body := server.Request("GET", "/v1/export", url.Values{"site": {"shop"}}, nil, nil)
	if status != http.StatusOK {
		t.Fatalf("export: %d %s", status, body)
	}
	var exported [][2]int
	depth := 0
	for line := range strings.Lines(string(body)) {
		var hit struct {
			URL, Kind   string
			X, Y        int
			From, Depth int
		}
		if err := json.Unmarshal([]byte(line), &hit); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if hit.URL != h.URL+"/p?utm_source=mail" {
			t.Errorf("url of %s", line)
		}
		switch hit.Kind {
		case "click":
			exported = append(exported, [2]int{hit.X, hit.Y})
		case "scroll":
			if hit.From != depth {
				t.Errorf("scroll is from %d, want %d", hit.From, depth)
			}
			depth = hit.Depth
		}
	}
	if d := cmp.Diff(places, exported); d != "" || depth != 1800 {
		t.Errorf("exported to depth %d; clicks (-want +got):\n%s", depth, d)
	}
}
