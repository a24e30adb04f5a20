package browsertest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"heatlog/cmd/heatlog/internal/browser"
)

// framedPages are pages of an owner's site that may be framed, or not.
var framedPages = map[string]ownedPage{
	"framed": {html: plainPage(600, 3000)},
	"walled": {html: plainPage(600, 3000), policy: "frame-ancestors 'none'"},
	"untold": {html: `<!doctype html><link rel=icon href="data:,"><body style="background:#fff"><p>No tag here`},
}

// appAt opens the app's view of a page of the owner's site.
func (o *owner) appAt(size browser.Size, page, more string) *appTest {
	o.t.Helper()
	return openApp(o.t, o.server, size, true, "#/site/shop/page?url="+url.QueryEscape(o.base+page)+more)
}

// TestAppFramesAPage looks at a page in the app's frame: its layout is that of a window so wide, its map follows the app's own
// choices, and who looks at it is no visitor.
func TestAppFramesAPage(t *testing.T) {
	o := ownSite(t, framedPages)
	for range 9 {
		o.send(o.click("/framed", 200, 200, 1280))
	}
	o.send(o.click("/framed", 300, 400, 390), o.click("/framed", 304, 400, 390))
	a := o.appAt(browser.Desktop, "/framed", "")
	a.Wait(`document.querySelector(".sheet-map img")`) // what comes later moves what is pressed
	for range 2 {
		a.holds(".choice a", "On the page", `document.querySelector(".frame-says")?.textContent.includes("Clicks9")`)
		a.holds(".choice a", "From above", `document.querySelector(".sheet-map img")`)
	}
	a.press(".choice a", "On the page")
	a.see(".frame-says", "Clicks9")
	inFrame := func(expression string) string {
		return browser.Eval[string](a.Page, `String((f => `+expression+`)(document.querySelector("iframe")))`)
	}
	if got := inFrame(`[f.offsetWidth, f.offsetHeight, Math.round(f.getBoundingClientRect().width) < 1280, document.documentElement.scrollWidth <= innerWidth]`); got != "1280,800,true,true" {
		t.Errorf("the frame is %s", got)
	}
	box := browser.Eval[[]float64](a.Page, `(e => { e.scrollIntoView({block: "center", behavior: "instant"}); const b = e.getBoundingClientRect(); return [b.x, b.y, b.width / 1280] })(document.querySelector("iframe"))`)
	wantPixel(t, a.Page, "framed", int(box[0]+204*box[2]), int(box[1]+204*box[2]), hottest)
	a.press(".check", "Windows of all widths")
	a.see(".frame-says", "Clicks11")
	a.press(".choice a", "Rage")
	a.see(".frame-says", "No rage clicks to show")
	a.press(".choice a", "Scroll")
	a.see(".frame-says", "No scrolling to show")
	a.press(".choice a", "Clicks")
	a.see(".frame-says", "Clicks11")
	a.press(".check", "Windows of all widths")
	a.see(".frame-says", "Clicks9")
	a.press(".frame-wide a", "390")
	a.see(".frame-says", "Clicks2")
	a.fits("framed", browser.Desktop)

	at := browser.Eval[[]float64](a.Page, `(e => { e.scrollIntoView({block: "center", behavior: "instant"}); const b = e.getBoundingClientRect(); return [b.x, b.y] })(document.querySelector("iframe"))`)
	a.Click(at[0]+100, at[1]+100)
	a.calmFramed(o)
	a.Close()
	o.server.WaitCounted("shop")
	var got struct{ Hits, Views int }
	o.server.Ask("/v1/heatmap", url.Values{"site": {"shop"}, "url": {o.base + "/framed"}}, &got)
	if got.Hits != 11 || got.Views != 0 {
		t.Errorf("%d clicks and %d views are counted, want 11 and 0: who looks at a page in a frame is no visitor", got.Hits, got.Views)
	}
}

// TestAppFrameOutlivesItsLink has a map in the app's frame go on when its link ends, without loading the page again: with the token
// that the app asks for before, and with another one when the end comes unexpected.
func TestAppFrameOutlivesItsLink(t *testing.T) {
	t.Parallel()
	o := ownSite(t, framedPages)
	o.send(o.click("/framed", 200, 200, 1280))
	a := openApp(t, o.server, browser.Desktop, true, "")
	a.Wait(`document.querySelector(".site")`)
	browser.Eval[bool](a.Page, `(() => {
		window.tokens = [], window.loads = 0, window.later = 0
		const {fetch, Date: {now}} = window
		window.fetch = async (...args) => {
			for (;;) {
				const r = await fetch(...args)
				if (!String(args[0]).includes("overlay-links")) return r
				const {token} = await r.clone().json()
				if (tokens.includes(token)) continue // of the same second
				tokens.push(token)
				return r
			}
		}
		Date.now = () => now() + later
		document.addEventListener("load", e => loads += e.target.tagName === "IFRAME", true)
		location.hash = "#/site/shop/page?frame=1280&url=" + encodeURIComponent("`+o.base+`/framed")
		return true
	})()`)
	a.see(".frame-says", "Clicks1")
	expire := func(i int) {
		t.Helper()
		old := browser.Eval[string](a.Page, fmt.Sprintf(`tokens[%d]`, i))
		o.expired.Store(&old)
		o.lives.cut()
	}
	browser.Eval[bool](a.Page, `(window.later = 870_000, document.dispatchEvent(new Event("visibilitychange")))`)
	a.Wait(`tokens.length === 2`)
	expire(0)
	o.send(o.click("/framed", 204, 200, 1280))
	a.see(".frame-says", "Clicks2")
	browser.Eval[bool](a.Page, `(window.later += 60_000, true)`)
	expire(1)
	a.Wait(`tokens.length === 3`)
	o.send(o.click("/framed", 200, 204, 1280))
	a.see(".frame-says", "Clicks3")
	if loads := browser.Eval[int](a.Page, `loads`); loads != 1 {
		t.Errorf("the page was loaded %d times", loads)
	}
	a.Close()
}

// calmFramed is calm but for what the frame asks of the owner's site and of the gate.
func (a *appTest) calmFramed(o *owner) {
	a.t.Helper()
	for _, line := range a.Console() {
		a.t.Errorf("console: %s", line)
	}
	for _, r := range a.Requests() {
		_, address, _ := strings.Cut(r, " ")
		if u, err := url.Parse(address); err != nil || u.Scheme != "data" && u.Scheme+"://"+u.Host != a.server.Base && u.Scheme+"://"+u.Host != o.base && u.Scheme+"://"+u.Host != o.gate {
			a.t.Errorf("request to elsewhere: %s", r)
		}
	}
}

// TestAppSaysThatAPageCannotBeFramed has pages that forbid it, or lack the tag.
func TestAppSaysThatAPageCannotBeFramed(t *testing.T) {
	t.Parallel()
	o := ownSite(t, framedPages)
	for page, sizes := range map[string][]browser.Size{"/walled": {browser.Desktop, browser.Phone}, "/untold": {browser.Desktop}} {
		for _, size := range sizes {
			a := openApp(t, o.server, size, true, "")
			a.Wait(`document.querySelector(".site")`)
			browser.Eval[bool](a.Page, `(() => {
				window.said = ""
				new MutationObserver(() => said += document.querySelector(".frame-says")?.textContent ?? "").observe(document.body, {childList: true, subtree: true})
				location.hash = "#/site/shop/page?frame=768&url=" + encodeURIComponent("`+o.base+page+`")
				return true
			})()`)
			a.see(".silent", "This page does not show its map in a frame")
			if said := browser.Eval[string](a.Page, `said`); !strings.HasPrefix(said, "Looking at the page…") {
				t.Errorf("while the page loads, the app says %q of it", said)
			}
			a.see(".silent", "frame-ancestors 'self' "+o.server.Base)
			a.fits("unframed"+strings.ReplaceAll(page, "/", "-"), size)
			a.Wait(`document.querySelectorAll(".bar").length > 0 || document.querySelector(".chart-empty")`)
			a.press(".silent a", "Get the bookmarklet")
			a.see(".bookmarklet", "Show the map")
			a.Close()
		}
	}
	a := o.appAt(browser.Desktop, "/framed", "") // a page of a site that is added while the app is open
	late := ownSite(t, framedPages)
	o.server.AddSite("late", "UTC", late.base)
	browser.Eval[bool](a.Page, fmt.Sprintf(`(location.hash = "#/site/late/page?frame=768&url=" + encodeURIComponent(%q), true)`, late.base+"/framed"))
	a.see(".why", "This site is newer than this window")
	a.press(".why button", "Load heatlog again")
	a.see(".frame-says", "This link is not valid") // its tag is of another server
	a.Close()
}

// TestAppOpensOneOfAGroup has a page that stands for many: one of them is named, and has the map of all.
func TestAppOpensOneOfAGroup(t *testing.T) {
	t.Parallel()
	o := ownSite(t, nil)
	o.groupProducts()
	o.send(o.click("/product/7", 200, 200, 1280), o.click("/product/8", 600, 200, 1280))
	for _, size := range []browser.Size{browser.Desktop, browser.Phone} {
		a := o.appAt(size, "/product/:id", "&frame=1280")
		a.see(".framed-none", "Give the address of one of these pages above")
		if start := browser.Eval[string](a.Page, `document.querySelector("#one-of").value`); start != o.base+"/product/" {
			t.Errorf("the field begins with %q", start)
		}
		a.fill("#one-of", "https://elsewhere.example/product/7")
		a.press(".one-of button", "Use")
		a.see("#one-of-problem", "https://elsewhere.example is not an origin of this site")
		a.fill("#one-of", o.base+"/product/9")
		a.press(".one-of button", "Use")
		a.see(".frame-says", "Clicks2")
		a.see(".open-map button", "Open with map")
		if browser.Eval[bool](a.Page, `document.querySelector(".frame-says").textContent.includes("The frame shows")`) {
			t.Error("a page of the group counts as another one")
		}
		a.fits("group", size)
		a.fill("#one-of", o.base+"/other")
		a.press(".one-of button", "Use")
		a.see(".frame-says", "The frame shows /other, not /product/:id.")
		a.calmFramed(o)
		a.Close()
	}
}

// TestAppFramesTheDemo looks at a page of the server's own.
func TestAppFramesTheDemo(t *testing.T) {
	t.Parallel()
	o := ownSite(t, nil)
	if status, body := o.server.Request(http.MethodPost, "/v1/demo", nil, nil, nil); status != http.StatusOK {
		t.Fatalf("send demo visitors: status %d: %s", status, body)
	}
	o.server.WaitCounted("demo")
	for _, size := range []browser.Size{browser.Desktop, browser.Phone} {
		a := openApp(t, o.server, size, true, "#/site/demo/page?frame=1280&url="+url.QueryEscape(o.server.Base+"/demo/"))
		a.see(".frame-says", "On elements100 %")
		browser.Eval[bool](a.Page, `new Promise(done => setTimeout(() => done(true), 1500))`)
		a.fits("framed-demo", size)
		a.press(".frame-wide a", "390")
		browser.Eval[bool](a.Page, `new Promise(done => setTimeout(() => done(true), 1500))`)
		a.fits("framed-demo-390", size)
		if low := browser.Eval[[]float64](a.Page, `[...document.querySelectorAll(".frame-tools :is(label, input[type=range])")].map(e => e.offsetHeight).filter(h => h < 36)`); size.Touch && len(low) > 0 {
			t.Errorf("fingers have %v px to touch", low)
		}
		a.calm()
		a.Close()
	}
}

// TestBookmarklet presses it on a page of a site, of none, and signed out.
func TestBookmarklet(t *testing.T) {
	t.Parallel()
	o := ownSite(t, framedPages)
	a := openApp(t, o.server, browser.Desktop, true, "#/site/shop?at=install")
	a.see(".bookmarklet", "Drag it to the bookmarks bar")
	code := browser.Eval[string](a.Page, `document.querySelector(".bookmarklet a").href`)
	if strings.Contains(code, "hlo_") || strings.Contains(code, a.token()) || !strings.HasPrefix(code, "javascript:") {
		t.Errorf("the bookmarklet is %s", code)
	}
	a.see(".live", "Waiting for the first hit") // what comes later moves what is pressed
	a.press(".bookmarklet a", "Show the map")
	a.see(".bookmarklet", "Not here")
	a.Keep("bookmarklet")
	// what it opens is opened in the same tab here, as it has no handle for a test
	press := func(from string) {
		t.Helper()
		a.Goto(from)
		browser.Eval[bool](a.Page, `window.open = url => { location.href = url }, true`)
		browser.Eval[bool](a.Page, `setTimeout(() => { `+strings.TrimPrefix(decoded(t, code), "javascript:")+` }), true`)
	}
	opened := func(path string) {
		t.Helper()
		a.Wait(`location.href.startsWith("` + o.base + path + `") && document.querySelector("` + overlayHost + `")`)
		panelSays(t, a.Page, "Live")
		a.Goto("about:blank")
	}
	press(o.base + "/framed?a=1&b=2#there")
	opened("/framed?a=1&b=2#there")
	press(strings.Replace(o.base, "127.0.0.1", "localhost", 1) + "/framed")
	a.see("h1", "No site has this page")
	a.see(".empty", "http://localhost:")
	browser.Eval[int](a.Page, `fetch("v1/session", {method: "DELETE"}).then(r => r.status)`)
	press(o.base + "/framed")
	a.see("h1", "Sign in")
	a.fill("#token", a.token())
	a.press("button.primary", "Sign in")
	opened("/framed")

	o.server.AddSite("again", "UTC", o.base)
	press(o.base + "/framed")
	a.see("h1", "Which site?")
	a.press("button", "shop")
	opened("/framed")
	for _, line := range a.Console() {
		if !strings.Contains(line, "status of 401") {
			t.Errorf("console: %s", line)
		}
	}
}

// decoded takes the escapes off a URL, as a browser does that runs it.
func decoded(t *testing.T, link string) string {
	t.Helper()
	text, err := url.PathUnescape(link)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestOverlayInAFrameOpensForWhoHasItsToken has a page with a frame that is not the app: it is told nothing until it has the
// token of the frame's link.
func TestOverlayInAFrameOpensForWhoHasItsToken(t *testing.T) {
	o := ownSite(t, map[string]ownedPage{"holder": {html: `<!doctype html><link rel=icon href="data:,"><body><iframe width=800 height=600></iframe>
		<script>window.heard = []; addEventListener("message", e => heard.push(e.data))</script>`}})
	o.send(o.click("/inner", 200, 200, 800))
	p := chrome.Open(t, browser.Desktop)
	p.Goto(o.base + "/holder")
	link := overlayLink(t, o.server, "shop", o.base+"/inner")
	token := link[strings.Index(link, "#hl=")+4:]
	browser.Eval[bool](p, fmt.Sprintf(`document.querySelector("iframe").src = %q, true`, link))
	p.Wait(`heard.length === 1`)
	if got := browser.Eval[string](p, `JSON.stringify(heard)`); got != `[{"hl":"here"}]` {
		t.Errorf("the frame says %s to anybody", got)
	}
	order := func(token string) {
		t.Helper()
		browser.Eval[bool](p, fmt.Sprintf(`document.querySelector("iframe").contentWindow.postMessage({hl: "show", token: %q, opacity: 1, numbers: false, allWidths: true,
			choices: {map: "clicks", clicks: "click", compare: "", given: {}}}, "*"), true`, token))
	}
	order("hlo_another")
	order("")
	browser.Eval[bool](p, `new Promise(done => setTimeout(() => done(true), 500))`)
	const opened = `!!document.querySelector("iframe").contentDocument.querySelector("` + overlayHost + `")`
	if browser.Eval[bool](p, `heard.length > 1 || `+opened) {
		t.Errorf("without the token the frame opens its map, or says %s", browser.Eval[string](p, `JSON.stringify(heard)`))
	}
	order(token)
	p.Wait(`heard.some(h => h.hl === "shown" && h.figures.some(f => f[0] === "Clicks" && f[1] === "1")) && ` + opened)
	silent(t, p)
	p.Close()
}
