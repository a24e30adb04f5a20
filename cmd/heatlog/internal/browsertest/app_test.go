package browsertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/browser"
	"heatlog/cmd/heatlog/internal/heatlogtest"
)

// Pages of the site of the app's tests. The second is what an attacker would have stored.
const (
	appHome    = "https://shop.example/"
	appHostile = "https://shop.example/<img src=x onerror=window.__pwned=1>"
	appForeign = "https://other.example/landing"
)

// appSizes are those that the app is looked at in; the last is the least that WCAG 2.2, 1.4.10 asks for.
var appSizes = []browser.Size{browser.Desktop, browser.Phone, {Width: 320, Height: 640, Touch: true}}

// appTest is the app in a tab, on a server of its own.
type appTest struct {
	t *testing.T
	*browser.Page
	server *heatlogtest.Server
}

// openApp opens the app at an address of it, such as #/, signed in if asked.
func openApp(t *testing.T, server *heatlogtest.Server, size browser.Size, signedIn bool, at string) *appTest {
	t.Helper()
	a := &appTest{t, chrome.Open(t, size), server}
	if signedIn {
		a.Goto(server.Base + "/signin?t=" + url.QueryEscape(a.token()))
	}
	a.Goto(server.Base + "/" + at)
	return a
}

func (a *appTest) token() string {
	a.t.Helper()
	return a.server.Token()
}

// press clicks the middle of what a selector finds; with text, the one that has this text.
func (a *appTest) press(selector, text string) {
	a.t.Helper()
	find := fmt.Sprintf(`[...document.querySelectorAll(%q)].find(e => e.textContent.includes(%q) && e.getClientRects().length)`, selector, text)
	a.Wait(find)
	at := browser.Eval[[2]float64](a.Page, fmt.Sprintf(`(() => {
		const e = %s
		e.scrollIntoView({block: "center", behavior: "instant"})
		const r = e.getBoundingClientRect()
		return [r.x + r.width / 2, r.y + r.height / 2]
	})()`, find))
	a.Point(at[0], at[1])
}

// holds presses one of a switch's choices, waits for what it shows, and wants the switch where it was.
func (a *appTest) holds(selector, text, shown string) {
	a.t.Helper()
	find := fmt.Sprintf(`[...document.querySelectorAll(%q)].find(e => e.textContent.includes(%q))`, selector, text)
	at := `(r => [r.x, r.y].map(Math.round).join())(` + find + `.getBoundingClientRect())`
	a.Wait(find)
	browser.Eval[bool](a.Page, `(`+find+`.scrollIntoView({block: "center", behavior: "instant"}), true)`)
	before := browser.Eval[string](a.Page, at)
	a.press(selector, text)
	a.Wait(shown)
	if after := browser.Eval[string](a.Page, at); after != before {
		a.t.Errorf("%q is at %s before it is pressed, and at %s after", text, before, after)
	}
}

// fill replaces what a field holds.
func (a *appTest) fill(selector, text string) {
	a.t.Helper()
	a.Wait(fmt.Sprintf(`document.querySelector(%q)`, selector))
	browser.Eval[bool](a.Page, fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.focus(); e.select(); return true })()`, selector))
	a.Type(text)
}

// see waits until an element has a text, all white space one blank.
func (a *appTest) see(selector, text string) {
	a.t.Helper()
	a.Wait(fmt.Sprintf(`[...document.querySelectorAll(%q)].some(e => e.textContent.replace(/\s+/g, " ").includes(%q))`, selector, text))
}

// calm checks that nothing went wrong behind the scenes: no message, no request to elsewhere, no script of a page's URL.
// The browser itself reports each answer that is an error; tolerated are those statuses of it.
func (a *appTest) calm(tolerated ...int) {
	a.t.Helper()
	for _, line := range a.Console() {
		if !toleratedStatus(line, tolerated) {
			a.t.Errorf("console: %s", line)
		}
	}
	for _, r := range a.Requests() {
		if _, address, _ := strings.Cut(r, " "); !strings.HasPrefix(address, a.server.Base+"/") && !strings.HasPrefix(address, "data:") {
			a.t.Errorf("request to elsewhere: %s", r)
		}
	}
	if browser.Eval[bool](a.Page, `"__pwned" in window`) {
		a.t.Error("a script in a stored URL ran")
	}
}

func toleratedStatus(line string, statuses []int) bool {
	for _, s := range statuses {
		if strings.Contains(line, fmt.Sprintf("the server responded with a status of %d ", s)) {
			return true
		}
	}
	return false
}

// appHits are made visits of the days before now, the same each time, with totals by page that are easy to check.
func appHits(now time.Time) *bytes.Buffer {
	var b bytes.Buffer
	line := json.NewEncoder(&b)
	for _, page := range []struct {
		url    string
		visits int
		height int
	}{{appHome, 60, 4800}, {"https://shop.example/product/42", 40, 3000}, {appForeign, 6, 1600}, {appHostile, 4, 1500}} {
		for i := range page.visits {
			appVisit(line, page.url, page.height, i, now.Add(-time.Duration(i%14)*24*time.Hour-time.Duration(i)*time.Second-time.Minute))
		}
	}
	return &b
}

// appVisit writes one visit: a view, two clicks, in every tenth visit of which one is dead and three more are rage, and
// scrolling.
func appVisit(line *json.Encoder, page string, height, i int, at time.Time) {
	hit := func(after int, kind string, more map[string]any) {
		h := map[string]any{
			"t": at.UnixMilli() + int64(after), "site": "shop", "url": page, "kind": kind, "vw": 1280, "vh": 720, "dw": 1280, "dh": height,
			"view": fmt.Sprintf("%s %d", page, i), "visitor": fmt.Sprintf("v%d", i), "ua": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
		}
		maps.Copy(h, more)
		line.Encode(h)
	}
	click := func(after, x, y int, dead bool) {
		hit(after, "click", map[string]any{"x": x, "y": y, "sel": "main>a", "ax": 0.5, "ay": 0.5, "dead": dead})
	}
	hit(0, "view", nil)
	click(3000, 200+i*13%300, 300+i*29%90, i%10 == 0)
	click(6000, 900+i*17%120, 1100+i*31%60, false)
	if i%10 == 0 {
		for n := range 3 {
			click(9000+100*n, 640, 60, false)
		}
	}
	for from, to := 0, 720; to <= min(height, 720+i%9*450); from, to = to, to+450 {
		hit(from, "scroll", map[string]any{"depth": to, "from": from, "y": to - 720, "dwell": 1500})
	}
}

// appServer is a server with a site that has hits, and one that has none.
func appServer(t *testing.T) *heatlogtest.Server {
	t.Helper()
	server := heatlogtest.Start(t, t.TempDir())
	server.AddSite("shop", "Europe/Prague", "https://shop.example")
	server.AddSite("blog", "UTC", "https://blog.example", "https://www.blog.example")
	server.Import(appHits(time.Now()), "")
	server.WaitCounted("shop")
	return server
}

func TestAppSignsIn(t *testing.T) {
	server := appServer(t)
	a := openApp(t, server, browser.Desktop, false, "#/site/shop?range=7")
	a.see(".help", "file token in the data folder")
	a.fill("#token", "not-the-token")
	a.press("button", "Sign in")
	a.see("#token-problem", "That is not this server's token.")
	a.fill("#token", a.token())
	a.press("button.primary", "Sign in")
	a.see("h1", "shop")
	if got := browser.Eval[string](a.Page, `location.hash`); got != "#/site/shop?range=7" {
		t.Errorf("signing in led to %s", got)
	}
	a.press("button", "Sign out")
	a.see("h1", "Sign in")
	if status := browser.Eval[int](a.Page, `fetch("v1/session").then(r => r.status)`); status != http.StatusUnauthorized {
		t.Errorf("session answers %d after signing out, want 401", status)
	}
	a.calm(http.StatusUnauthorized)
}

func TestAppTellsToWaitAfterManyWrongTokens(t *testing.T) {
	t.Parallel()
	server := heatlogtest.Start(t, t.TempDir())
	a := openApp(t, server, browser.Desktop, false, "")
	browser.Eval[bool](a.Page, `(async () => {
		for (let i = 0; i < 60; i++) {
			const all = await Promise.all([1, 2, 3, 4].map(() => fetch("v1/session", {method: "POST", body: '{"token":"wrong"}', headers: {"Content-Type": "application/json"}})))
			if (all.some(r => r.status === 429)) return true
		}
		return false
	})()`)
	a.fill("#token", "wrong")
	a.press("button", "Sign in")
	a.see("#token-problem", "Too many tries from your address. Try again in ")
	a.Wait(`document.querySelector("button.primary").disabled`)
	a.calm(http.StatusUnauthorized, http.StatusTooManyRequests)
}

func TestAppAddsASiteAndSeesItsFirstHit(t *testing.T) {
	t.Parallel()
	server := heatlogtest.Start(t, t.TempDir())
	a := openApp(t, server, browser.Desktop, true, "#/new")
	a.fill("#key", "news")
	a.fill(`[name="origins"]`, "https://news.example/front")
	a.fill("#timezone", "Europe/Prague")
	a.press("button.primary", "Add site")
	a.see("#origins-problem", "Origin is")
	if name := browser.Eval[string](a.Page, `document.activeElement.name`); name != "origins" {
		t.Errorf("the focus is on %q, want the field that is wrong", name)
	}
	a.fill(`[name="origins"]`, "https://news.example")
	a.press("button.primary", "Add site")
	a.see("h1", "news")
	a.see(".live", "Waiting for the first hit…")
	tag := browser.Eval[string](a.Page, `document.querySelector(".tag code").textContent`)
	if want := `<script defer src="` + server.Base + `/hl.js" data-site="news"></script>`; tag != want {
		t.Errorf("the tag is %s, want %s", tag, want)
	}
	body := `{"site":"news","url":"https://news.example/","view":"a","b":"a-1","hits":[{"age":0,"kind":"view","vw":1280,"vh":720,"dw":1265,"dh":900}]}`
	from := func(agent, body string) {
		t.Helper()
		header := http.Header{"Origin": {"https://news.example"}, "Content-Type": {"text/plain"}, "User-Agent": {agent}}
		if status, answer := server.Request("POST", "/v1/in", nil, header, strings.NewReader(body)); status != http.StatusNoContent {
			t.Fatalf("POST /v1/in: status %d: %s", status, answer)
		}
	}
	from("Googlebot/2.1", strings.Replace(body, "a-1", "bot-1", 1))
	a.see(".live", "only from bots so far")
	from("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", body)
	a.see(".live", "First hit received at ")
	a.see(".figure", "Hits1")
	a.see(".pages", "/")
	a.Goto(server.Base + "/#/new?key=news")
	a.fill(`[name="origins"]`, "https://other.example")
	a.press("button.primary", "Add site")
	a.see("#key-problem", "There is a site with this key already.")
	a.calm(http.StatusBadRequest)
}

func TestAppCountsWhatWasImported(t *testing.T) {
	server := appServer(t)
	a := openApp(t, server, browser.Desktop, true, "#/site/shop")
	var want struct{ Hits, Views, Visitors int }
	server.Ask("/v1/trend", url.Values{"site": {"shop"}}, &want)
	a.see(".figures", fmt.Sprintf("Hits%dViews%dVisitors%d", want.Hits, want.Views, want.Visitors))
	if want.Views != 110 || want.Visitors != 60 {
		t.Errorf("%d views and %d visitors, want 110 and 60", want.Views, want.Visitors)
	}
	a.Wait(`document.querySelectorAll(".pages tbody tr").length === 4`)
	rows := browser.Eval[[]string](a.Page, `[...document.querySelectorAll(".pages tbody tr")].map(r => [...r.cells].map(c => c.textContent).join("|"))`)
	if !regexp.MustCompile(`^/\|.*\|60\|138\|18\|6\|\d+$`).MatchString(rows[0]) || !strings.HasPrefix(rows[1], "/product/42|") {
		t.Errorf("pages are %q", rows)
	}
	a.press(".search", "")
	a.Type("landing")
	a.see(".card-head h2", "Pages 1")
	a.see(".pages", appForeign)
	browser.Eval[bool](a.Page, `(scrollTo({top: 200, behavior: "instant"}), true)`)
	a.press(".pages a", "landing")
	a.Wait(`location.hash.includes("/page?") && scrollY === 0`)
	a.see(".open-map", "https://other.example is not an origin of this site")
	a.Wait(`document.querySelector(".open-map button").disabled`)
	a.calm()
}

func TestAppWalksAChartByKeys(t *testing.T) {
	server := appServer(t)
	a := openApp(t, server, browser.Desktop, true, "#/site/shop?range=7")
	a.Wait(`document.querySelectorAll(".bar").length === 7`)
	browser.Eval[bool](a.Page, `(document.querySelector(".chart-field").focus(), true)`)
	a.Wait(`document.querySelector(".tip")`)
	last := browser.Eval[string](a.Page, `document.querySelector(".chart-field").ariaValueText`)
	a.Press("Home")
	a.Wait(`document.querySelector(".chart-field").ariaValueNow === "0"`)
	if first := browser.Eval[string](a.Page, `document.querySelector(".chart-field").ariaValueText`); first == last || !strings.Contains(first, " hits, ") {
		t.Errorf("the first day reads %q, the last %q", first, last)
	}
	a.press("summary", "As a table")
	a.Wait(`document.querySelectorAll(".table-box tbody tr").length === 7`)
	a.calm()
}

func TestAppSaysWhyAMapIsEmpty(t *testing.T) {
	server := appServer(t)
	page := "#/site/shop/page?url=" + url.QueryEscape(appHome)
	a := openApp(t, server, browser.Desktop, true, page+"&device=mobile")
	a.see(".why h3", "No hits from mobile")
	a.press(".why a", "Show all devices")
	a.Wait(`document.querySelector(".sheet-map img")?.naturalWidth === 1024 || document.querySelector(".sheet-map img")?.naturalWidth === 1280`)
	a.see(".choice", "Clicks 138Rage 18Dead 6")
	a.see(".summary", "Half of 60 views came down to")

	a.Goto(server.Base + "/#/site/shop/page?url=" + url.QueryEscape("https://shop.example/<img src=y onerror=window.__pwned=2>"))
	a.see(".why h3", "No hits for this URL")
	a.press(".nearest a", "onerror=window.__pwned=1")
	a.see("h1", "onerror=window.__pwned=1")
	a.Wait(`document.querySelector(".sheet-map img")`)

	a.Goto(server.Base + "/#/site/shop/page?url=" + url.QueryEscape("javascript:window.__pwned=3"))
	a.see(".notice", "URL ")
	a.Wait(`document.querySelector(".open-map button").disabled`)
	links := browser.Eval[[]string](a.Page, `[...document.links].map(l => l.protocol)`)
	for _, l := range links {
		if l != "http:" && l != "https:" {
			t.Errorf("there is a link to %s", l)
		}
	}
	a.calm(http.StatusBadRequest)
}

func TestAppShowsHitsOutsideTheRange(t *testing.T) {
	server := heatlogtest.Start(t, t.TempDir())
	server.AddSite("shop", "UTC", "https://shop.example")
	server.Import(appHits(time.Now().AddDate(0, 0, -100)), "")
	server.WaitCounted("shop")
	a := openApp(t, server, browser.Desktop, true, "#/site/shop/page?url="+url.QueryEscape(appHome))
	a.see(".why h3", "No hits in this range")
	a.press(".why a", "Show all time")
	a.Wait(`document.querySelector(".sheet-map img")`)
	a.Goto(server.Base + "/#/")
	a.see(".site", "Last hit")
	a.calm()
}

func TestAppOpensThePageWithItsMap(t *testing.T) {
	server := heatlogtest.Start(t, t.TempDir())
	server.AddSite("here", "UTC", server.Base)
	a := openApp(t, server, browser.Desktop, true, "#/site/here/page?url="+url.QueryEscape(server.Base+"/demo/"))
	browser.Eval[bool](a.Page, `(() => {
		const open = window.open
		window.open = (...args) => { const tab = open.apply(window, args); window.opened = tab; return tab }
		return true
	})()`)
	a.press("button", "Open with map")
	// The tracker takes the token out of the address as soon as it runs, so what is asked for is seen here alone.
	a.Wait(`window.opened && window.opened.location.href.includes("/demo/")`)
	if !slices.Contains(a.Requests(), "POST "+server.Base+"/v1/overlay-links") {
		t.Errorf("no link was asked for: %q", a.Requests())
	}
	if browser.Eval[bool](a.Page, `window.opened.opener !== null`) {
		t.Error("the page can reach the app that opened it")
	}
	browser.Eval[bool](a.Page, `(window.opened.close(), true)`) // back to the app, which asks nothing while it is not seen
	a.Wait(`!document.hidden`)
	a.see("#open-map", "No panel on the page?")
	a.press("#open-map a", "the tag of this site")
	a.Wait(`location.hash === "#/site/here?at=install" && (r => r && r.top >= 0 && r.bottom <= innerHeight)(document.querySelector("#install")?.getBoundingClientRect())`)
	a.calm()
}

func TestAppFollowsHitsAndOutages(t *testing.T) {
	t.Parallel()
	server := appServer(t)
	a := openApp(t, server, browser.Desktop, true, "#/site/shop?range=all")
	a.see(".figures", "Views110")
	browser.Eval[bool](a.Page, `(() => { const real = fetch; window.fetch = (...a) => window.cut ? Promise.reject(new TypeError("cut")) : real(...a); window.cut = true; dispatchEvent(new Event("online")); return true })()`)
	a.see(".offline", "The server does not answer.")
	server.Import(strings.NewReader(fmt.Sprintf(`{"t":%d,"site":"shop","url":%q,"kind":"view","vw":1280,"vh":720}`, time.Now().UnixMilli(), appHome)+"\n"), "")
	browser.Eval[bool](a.Page, `(window.cut = false, dispatchEvent(new Event("online")), true)`)
	a.see(".figures", "Views111")
	a.Wait(`!document.querySelector(".offline")`)
	browser.Eval[int](a.Page, `fetch("v1/session", {method: "DELETE"}).then(r => r.status)`)
	a.see("h1", "Sign in")
	if got := browser.Eval[string](a.Page, `location.hash`); got != "#/site/shop?range=all" {
		t.Errorf("the end of the session led to %s", got)
	}
	a.calm(http.StatusUnauthorized)
}

// TestAppFitsItsScreens looks at every view at every size, light and dark: no horizontal scrolling, text that contrasts
// with its ground by 4.5 at least, and, where screenshots are kept, a picture of the whole of it.
func TestAppFitsItsScreens(t *testing.T) {
	t.Parallel()
	server := appServer(t)
	views := []struct{ name, at, ready string }{
		{"sites", "#/", `document.querySelectorAll(".site .spark, .site .badge").length === document.querySelectorAll(".site").length && document.querySelector(".site")`},
		{"new", "#/new", `document.querySelector("#key")`},
		{"install", "#/site/blog", `document.querySelector(".live")`},
		{"site", "#/site/shop", `document.querySelectorAll(".pages tbody tr").length === 4`},
		{"page", "#/site/shop/page?url=" + url.QueryEscape(appHome), `document.querySelector(".sheet-map img")`},
		{"hostile", "#/site/shop/page?url=" + url.QueryEscape(appHostile), `document.querySelector(".sheet-map img")`},
		{"empty", "#/site/shop/page?kind=rage&url=" + url.QueryEscape(appForeign+"s"), `document.querySelector(".nearest")`},
		{"lost", "#/nowhere", `document.querySelector(".empty")`},
	}
	for _, size := range appSizes {
		a := openApp(t, server, size, false, "")
		a.Wait(`document.querySelector("#token")`)
		a.fits("signin", size)
		a.fill("#token", a.token())
		a.press("button.primary", "Sign in")
		a.see("h1", "Sites")
		for _, v := range views {
			a.Goto(server.Base + "/" + v.at)
			a.Wait(v.ready)
			a.fits(v.name, size)
		}
		a.calm(http.StatusUnauthorized)
	}
}

// fits judges the view at its size, light and dark.
func (a *appTest) fits(name string, size browser.Size) {
	a.t.Helper()
	// the size comes to the page a little after it is asked for, and the charts are drawn anew for it
	a.Wait(fmt.Sprintf(`innerWidth === %[1]d && document.documentElement.scrollWidth <= %[1]d`, size.Width))
	for _, dark := range []bool{false, true} {
		a.Dark(dark)
		if poor := browser.Eval[[]string](a.Page, poorContrast); len(poor) > 0 {
			a.t.Errorf("%s, dark %v: poor contrast: %q", name, dark, poor)
		}
		if os.Getenv("HEATLOG_TEST_SHOTS") == "" {
			continue
		}
		whole := size
		whole.Height = max(size.Height, browser.Eval[int](a.Page, `document.documentElement.scrollHeight`))
		a.Resize(whole)
		mode := map[bool]string{false: "light", true: "dark"}[dark]
		a.Wait(`!document.querySelector(".ghost")`)
		browser.Eval[bool](a.Page, `Promise.all(document.getAnimations().map(n => n.effect.getTiming().iterations > 9 || n.finished)).then(() => new Promise(done => setTimeout(() => done(true), 400)))`)
		a.Keep(fmt.Sprintf("app-%s-%d-%s", name, size.Width, mode))
		a.Resize(size)
	}
	a.Dark(false)
}

// poorContrast finds texts whose colour is too near to that of their ground (WCAG 2.2, 1.4.3), as its formula has it.
const poorContrast = `(() => {
	const context = document.createElement("canvas").getContext("2d", {willReadFrequently: true})
	const rgba = colour => {
		context.clearRect(0, 0, 1, 1)
		context.fillStyle = colour
		context.fillRect(0, 0, 1, 1)
		return context.getImageData(0, 0, 1, 1).data
	}
	const light = c => [0.2126, 0.7152, 0.0722].reduce((sum, part, i) => {
		const v = c[i] / 255
		return sum + part * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
	}, 0)
	const ground = e => {
		for (; e; e = e.parentElement) {
			const c = rgba(getComputedStyle(e).backgroundColor)
			if (c[3] > 200) return c
		}
		return [255, 255, 255]
	}
	const poor = new Set()
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
	while (texts.nextNode()) {
		const e = texts.currentNode.parentElement
		if (!texts.currentNode.data.trim() || !e.getClientRects().length || e.closest(":disabled")) continue
		const style = getComputedStyle(e)
		const [a, b] = [light(rgba(e instanceof SVGElement ? style.fill : style.color)), light(ground(e))].sort((x, y) => y - x)
		if ((a + 0.05) / (b + 0.05) < 4.5) poor.add(e.className + ": " + texts.currentNode.data.slice(0, 40) + " " + ((a + 0.05) / (b + 0.05)).toFixed(2))
	}
	return [...poor]
})()`

func TestAppGoesBackToWhereOneWas(t *testing.T) {
	server := appServer(t)
	small := browser.Size{Width: 390, Height: 500, Touch: true}
	a := openApp(t, server, small, true, "#/site/shop")
	a.Wait(`document.querySelectorAll(".pages tbody tr").length === 4`)
	a.press(".pages a", "product")
	a.see("h1", "/product/42")
	a.Wait(`scrollY === 0`)
	browser.Eval[bool](a.Page, `(history.back(), true)`)
	a.Wait(`document.querySelector(".pages") && scrollY > 200`)
	a.calm()
}

func TestAppSaysWhoseVisitorsItCounts(t *testing.T) {
	server := appServer(t)
	a := openApp(t, server, browser.Desktop, true, "#/site/shop/page?device=desktop&url="+url.QueryEscape(appHome))
	a.see(".figures", "Visitors, all devices60")
	a.press("summary", "As a table")
	a.see(".table-box thead", "Visitors, all devices")
	prague, err := time.LoadLocation("Europe/Prague")
	if err != nil {
		t.Fatal(err)
	}
	today := time.Now().In(prague)
	if first := browser.Eval[string](a.Page, `document.querySelector(".table-box tbody th").textContent`); !strings.HasPrefix(first, today.Format("2 Jan")) {
		t.Errorf("the table begins with %s, want the newest day", first)
	}
	a.press(".choice a", "All devices")
	a.Wait(`document.querySelector(".figures").textContent.endsWith("Visitors60")`)
	a.calm()
}

func TestAppAddsAnOriginThatWasRefused(t *testing.T) {
	t.Parallel()
	const missing = "http://127.0.0.1:8085"
	server := heatlogtest.Start(t, t.TempDir())
	server.AddSite("news", "Europe/Prague", "https://news.example")
	hit := func(origin string, want int) {
		t.Helper()
		header := http.Header{"Origin": {origin}, "Content-Type": {"text/plain"}, "User-Agent": {"Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}}
		body := fmt.Sprintf(`{"site":"news","url":"%s/","view":"a","b":"a-1","hits":[{"age":0,"kind":"view","vw":1280,"vh":720,"dw":1265,"dh":900}]}`, origin)
		if status, answer := server.Request("POST", "/v1/in", nil, header, strings.NewReader(body)); status != want {
			t.Fatalf("POST /v1/in from %s: status %d: %s", origin, status, answer)
		}
	}
	a := openApp(t, server, browser.Desktop, true, "#/site/news")
	a.see(".live", "Waiting for the first hit…")
	hit("https://stranger.example", http.StatusForbidden)
	hit(missing, http.StatusForbidden)
	a.see(".refused", "Hits from "+missing+" were refused: the site does not list this origin.")
	a.see(".refused", "Hits from https://stranger.example were refused")
	a.Keep("app-refused")
	a.press(".refused .notice:first-child button", "Add this origin")
	a.Wait(`!document.querySelector(".refused").textContent.includes("127.0.0.1")`)
	a.see(".refused", "Hits from https://stranger.example were refused")
	type site struct {
		Key, Timezone string
		Origins       []string
	}
	var got struct{ Sites []site }
	server.Ask("/v1/sites", nil, &got)
	i := slices.IndexFunc(got.Sites, func(s site) bool { return s.Key == "news" })
	if i < 0 || got.Sites[i].Timezone != "Europe/Prague" || !slices.Equal(slices.Sorted(slices.Values(got.Sites[i].Origins)), []string{missing, "https://news.example"}) {
		t.Errorf("sites are %+v", got.Sites)
	}
	hit(missing, http.StatusNoContent)
	a.see(".live", "First hit received at ")
	a.calm()
}

// TestAppDrawsTallPages looks at a map of a page that is far taller than wide: it keeps its width and scrolls, by keys too.
func TestAppDrawsTallPages(t *testing.T) {
	t.Parallel()
	const tall = "https://shop.example/tall"
	server := heatlogtest.Start(t, t.TempDir())
	server.AddSite("shop", "UTC", "https://shop.example")
	var b bytes.Buffer
	for i := range 12 {
		at := time.Now().Add(-time.Duration(i+1) * time.Minute).UnixMilli()
		fmt.Fprintf(&b, `{"t":%d,"site":"shop","url":%q,"kind":"click","vw":390,"vh":844,"dw":390,"dh":60000,"x":%d,"y":%d,"sel":"a","ax":0.5,"ay":0.5,"view":"v%d"}`+"\n", at, tall, 40+20*i, 200+5000*i, i)
		fmt.Fprintf(&b, `{"t":%d,"site":"shop","url":%q,"kind":"scroll","vw":390,"vh":844,"dw":390,"dh":60000,"depth":%d,"from":0,"y":100,"dwell":1000,"view":"v%d"}`+"\n", at, tall, 844+5000*i, i)
	}
	server.Import(&b, "")
	server.WaitCounted("shop")
	for _, size := range appSizes {
		a := openApp(t, server, size, true, "#/site/shop/page?url="+url.QueryEscape(tall))
		a.Wait(`document.querySelector(".sheet-map img")`)
		least := 240
		if size.Touch {
			least = 160
		}
		if wide := browser.Eval[int](a.Page, `document.querySelector(".sheet-map").clientWidth`); wide < least {
			t.Errorf("at %d px the map is %d px wide, want %d at least", size.Width, wide, least)
		}
		if got := browser.Eval[int](a.Page, `document.querySelector(".sheet-box").clientHeight`); got > size.Height {
			t.Errorf("at %d px the map takes %d px of a screen of %d", size.Width, got, size.Height)
		}
		if over := browser.Eval[[]string](a.Page, `(() => {
			const heads = [...document.querySelectorAll(".sheet-head")].map(e => [e.textContent, e.getBoundingClientRect()])
			return heads.slice(1).filter(([, r], i) => r.left < heads[i][1].right + 4).map(([text]) => text)
		})()`); len(over) > 0 {
			t.Errorf("at %d px a heading lies over %q", size.Width, over)
		}
		a.fits("tall", size)
		browser.Eval[bool](a.Page, `(document.querySelector(".sheet-box").scrollTo({top: 600, behavior: "instant"}), document.querySelector(".sheet-reach").focus({preventScroll: true}), true)`)
		a.Press("Home")
		a.Wait(`document.querySelector(".sheet-box").scrollTop === 0`)
		if !browser.Eval[bool](a.Page, `(box => (box.focus(), document.activeElement === box && box.scrollHeight > box.clientHeight + 200))(document.querySelector(".sheet-box"))`) {
			t.Errorf("at %d px the map cannot be scrolled by keys", size.Width)
		}
		a.calm()
	}
}

// TestAppReadsURLsBeyondASCII shows letters as letters, and leaves escaped whatever could make a URL look like another.
func TestAppReadsURLsBeyondASCII(t *testing.T) {
	server := heatlogtest.Start(t, t.TempDir())
	server.AddSite("shop", "UTC", "https://shop.example")
	for _, path := range []string{"%C5%99eka/%E6%B0%B4%D9%A3", "%E2%80%AEgpj%20%2F%C2%AD%E3%85%A4%CC%B8%FF%C5"} {
		server.Import(strings.NewReader(fmt.Sprintf(`{"t":%d,"site":"shop","url":%q,"kind":"view","vw":1280,"vh":720}`, time.Now().UnixMilli(), "https://shop.example/"+path)+"\n"), "")
	}
	server.WaitCounted("shop")
	a := openApp(t, server, browser.Desktop, true, "#/site/shop")
	a.Wait(`document.querySelectorAll(".pages tbody tr").length === 2`)
	names := browser.Eval[[]string](a.Page, `[...document.querySelectorAll(".pages .url")].map(e => e.textContent).sort()`)
	if want := []string{"/%E2%80%AEgpj%20%2F%C2%AD%E3%85%A4%CC%B8%FF%C5", "/řeka/水٣"}; !slices.Equal(names, want) {
		t.Errorf("pages are %q, want %q", names, want)
	}
	a.press(".search", "")
	a.Type("řeka/水")
	a.see(".card-head h2", "Pages 1")
	a.press(".pages a", "řeka")
	a.see("h1", "/řeka/水٣")
	a.Wait(`document.title.startsWith("/řeka/水٣")`)
	if got := browser.Eval[string](a.Page, `new URLSearchParams(location.hash.split("?")[1]).get("url")`); got != "https://shop.example/%C5%99eka/%E6%B0%B4%D9%A3" {
		t.Errorf("the page asked for is %s", got)
	}
	a.calm()
}
