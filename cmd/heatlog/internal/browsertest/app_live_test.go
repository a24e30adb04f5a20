package browsertest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/browser"
	"heatlog/cmd/heatlog/internal/heatlogtest"
)

// TestAppLives wants numbers to change as hits come, with a tint of the row that changed; to stay as they are while they are
// paused; and the pages of the last hour to be listed as they are visited.
func TestAppLives(t *testing.T) {
	t.Parallel()
	server := appServer(t)
	a := openApp(t, server, browser.Desktop, true, "#/site/shop?range=all")
	a.see(".figures", "Views110")
	a.see(".live-switch", "Live")
	a.Wait(`document.querySelectorAll(".pages tbody tr").length === 4`)
	asked := requestsOf(a.Page, "/v1/pages") + requestsOf(a.Page, "/v1/trend?site=shop&by")
	view := func(page string) {
		t.Helper()
		server.Import(strings.NewReader(viewOf(page)), "")
	}
	browser.Eval[bool](a.Page, `(() => {
		window.tinted = []
		const animate = Element.prototype.animate
		Element.prototype.animate = function (...a) { tinted.push(this.innerText.split("\n")[0]); return animate.apply(this, a) }
		return true
	})()`)
	view(appHome)
	a.see(".figures", "Views111")
	a.Wait(`[...document.querySelectorAll(".pages tbody tr")].some(r => r.querySelector("[data-name=Views]").textContent === "61") && tinted.length === 1`)
	if now := requestsOf(a.Page, "/v1/pages") + requestsOf(a.Page, "/v1/trend?site=shop&by"); now > asked {
		t.Errorf("reading routes were asked %d times", now-asked)
	}
	a.press(".live-switch", "Live")
	a.see(".live-switch", "Paused · 0 new hits")
	view(appHome)
	a.see(".live-switch", "Paused · 1 new hit")
	a.see(".figures", "Views111")
	a.press(".live-switch", "Paused")
	a.see(".figures", "Views112")

	for range 2 {
		a.holds(".choice a", "Last hour", `document.querySelector(".trending tbody")`)
		a.holds(".choice a", "In the range", `document.querySelector(".search") && document.querySelectorAll(".pages tbody tr").length === 4`)
	}
	a.Resize(browser.Phone)
	a.holds(".choice a", "Last hour", `document.querySelector(".trending tbody")`)
	a.Resize(browser.Desktop)
	a.see(".card-head h2", "Trending")
	a.see(".trending tbody tr", "1/")
	a.Wait(`[...document.querySelectorAll(".cell-share")].reduce((sum, e) => sum + parseInt(e.textContent), 0) > 97`)
	view("https://shop.example/new")
	a.see(".trending", "/new")
	a.see(".trending-sum", "in the last hour")
	for _, size := range []browser.Size{browser.Desktop, browser.Phone} {
		a.Resize(size)
		a.fits("trending", size)
	}
	a.calm()
}

// TestAppLeavesConnectionsFree has more windows of the app than a browser has connections to a server, and wants the server's pages
// to load beside them; and numbers to come by themselves where no WebSocket gets through.
func TestAppLeavesConnectionsFree(t *testing.T) {
	t.Parallel()
	server := appServer(t)
	a := openApp(t, server, browser.Desktop, true, "#/site/shop?range=all")
	a.see(".live-switch", "Live")
	for range 4 {
		tab := &appTest{t, a.Tab(browser.Desktop), server}
		tab.Goto(server.Base + "/#/site/shop?range=all")
		tab.see(".live-switch", "Live")
	}
	last := &appTest{t, a.Tab(browser.Desktop), server}
	last.Goto(server.Base + "/demo/")
	last.see("h1", "")
	last.calm()
	last.BeforeLoad(`window.WebSocket = class { constructor() { setTimeout(() => this.onclose()) } }`)
	last.Goto(server.Base + "/#/site/shop?range=all")
	last.see(".live-switch", "Live")
	if requestsOf(last.Page, "/stream") == 0 {
		t.Error("without WebSockets the app says that it is live, and reads no stream")
	}
	if n := requestsOf(a.Page, "/stream"); n > 0 {
		t.Errorf("%d streams of the app are no WebSockets", n)
	}
	a.calm()
}

// TestAppComesBackAtOnce has a server that goes for longer than tries follow one another quickly, and comes back: the first answer
// is to wake whatever waits, as no timer of 10 s or more ever ends here.
func TestAppComesBackAtOnce(t *testing.T) {
	t.Parallel()
	server := appServer(t)
	a := openApp(t, server, browser.Desktop, true, "")
	a.BeforeLoad(`(real => { window.resting = 0; window.setTimeout = (f, ms, ...more) => ms >= 10_000 ? (resting += ms > 30_000, 0) : real(f, ms, ...more) })(setTimeout)`)
	a.Goto(server.Base + "/?again#/site/shop?range=all")
	a.see(".live-switch.on", "Live")
	a.see(".figures", "Views110")
	server.Kill()
	a.see(".offline", "The server does not answer.")
	a.see(".live-switch", "Trying again")
	a.Wait(`resting >= 2`) // both streams
	if browser.Eval[bool](a.Page, `document.querySelector(".live-switch").classList.contains("on")`) {
		t.Error("the switch says that all is well while the server does not answer")
	}
	a.Keep("app-offline")
	again := heatlogtest.Start(t, server.Data, "--listen", strings.TrimPrefix(server.Base, "http://"))
	a.Wait(`!document.querySelector(".offline")`)
	a.see(".live-switch.on", "Live")
	again.Import(strings.NewReader(viewOf(appHome)), "")
	a.see(".figures", "Views111")
	a.Wait(`[...document.querySelectorAll(".pages tbody tr")].some(r => r.querySelector("[data-name=Views]").textContent === "61")`)
}

// TestAppTellsWhatIsHalfRead has a list of which history is still read: it is said to be, and nothing of it is kept by a pause.
func TestAppTellsWhatIsHalfRead(t *testing.T) {
	t.Parallel()
	server := appServer(t)
	a := openApp(t, server, browser.Desktop, true, "")
	a.BeforeLoad(`window.WebSocket = class extends WebSocket {
		set onmessage(f) {
			super.onmessage = f && (({data}) => {
				const m = JSON.parse(data)
				f({data: JSON.stringify(window.reads && m.event !== "bye" ? {...m, complete: false, history: {done: 42, total: 100, share: 0.42, eta_ms: 12000}} : m)})
			})
		}
	}`)
	a.Goto(server.Base + "/?again#/site/shop?range=all")
	a.see(".live-switch", "Live")
	browser.Eval[bool](a.Page, `window.reads = true`)
	a.press(".choice a", "Last hour")
	a.see(".trending-sum", "4 pages in the last hour, so far")
	a.see(".live-switch", "Reading · 42 % · 12 s left")
	a.press(".live-switch", "Reading")
	a.see(".live-switch", "Paused · reading · 42 %")
	browser.Eval[bool](a.Page, `(window.reads = false, true)`)
	server.Import(strings.NewReader(viewOf("https://shop.example/new")), "")
	a.see(".trending", "/new")
	a.Wait(`document.querySelector(".trending-sum").textContent.endsWith("5 pages in the last hour")`)
	a.see(".live-switch", "Paused · 1 new hit")
	server.Import(strings.NewReader(viewOf("https://shop.example/newer")), "")
	a.see(".live-switch", "Paused · 2 new hits")
	if browser.Eval[bool](a.Page, `document.querySelector(".trending").textContent.includes("/newer")`) {
		t.Error("a list that is complete goes on while it is paused")
	}
	a.press(".live-switch", "Paused")
	a.see(".trending", "/newer")
	a.calm()
}

// viewOf is a line of an import: one view of a page, now.
func viewOf(page string) string {
	return fmt.Sprintf(`{"t":%d,"site":"shop","url":%q,"kind":"view","vw":1280,"vh":720,"visitor":"new"}`, time.Now().UnixMilli(), page) + "\n"
}
