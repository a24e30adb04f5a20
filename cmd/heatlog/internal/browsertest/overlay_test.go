package browsertest

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/browser"
	"heatlog/cmd/heatlog/internal/heatlogtest"
)

func TestOverlay(t *testing.T) {
	o := ownSite(t, overlayPages)
	for _, part := range []struct {
		name     string
		run      func(*owner, *testing.T)
		parallel bool // most of its time is waiting
	}{
		{"colours", (*owner).testColours, false},
		{"elements", (*owner).testElements, false},
		{"field", (*owner).testField, false},
		{"scroll map", (*owner).testScrollMap, false},
		{"attention map", (*owner).testAttention, false},
		{"new hits", (*owner).testNewHits, false},
		{"pace", (*owner).testPace, true},
		{"own clicks", (*owner).testOwnClicks, true},
		{"hover", (*owner).testHover, true},
		{"routes", (*owner).testRoutes, true},
		{"keyboard", (*owner).testKeyboard, true},
		{"close", (*owner).testClose, true},
		{"next pages", (*owner).testNextPages, true},
		{"empty", (*owner).testEmpty, false},
		{"markup", (*owner).testMarkup, false},
		{"hostile pages", (*owner).testHostile, false},
		{"troubles", (*owner).testTroubles, false},
		{"cost of a scroll", (*owner).testCost, false},
	} {
		t.Run(part.name, func(t *testing.T) {
			if part.parallel {
				t.Parallel()
			}
			part.run(o.in(t), t)
		})
	}
}

// testColours wants the server's own colours of the hits over the white page, and white elsewhere, wherever the page is scrolled to and however wide it is.
func (o *owner) testColours(t *testing.T) {
	for _, size := range []browser.Size{browser.Desktop, browser.Phone, {Width: 390, Height: 844, Scale: 2, Touch: true}} {
		page := fmt.Sprintf("/colours-%d-%g", size.Width, size.Scale)
		var hits []map[string]any
		places := []place{{44, 204, 1}, {52, 204, 3}, {204, 244, 9}, {300, 260, 2}, {204, 2004, 4}, {12, 2044, 2}, {340, 2204, 1}}
		for _, at := range places {
			for range at.Clicks {
				hits = append(hits, o.click(page, at.X, at.Y, size.Width))
			}
		}
		o.send(hits...)
		query := url.Values{"site": {"shop"}, "url": {o.base + page}, "limit": {"0"}}
		picture := serverPicture(t, o.server, query, size.Width, 3000)
		p := o.open(page, size)
		panelSays(t, p, "22")
		if size.Width == 1280 {
			p.Press("Escape")
		}
		compare := func(top int) {
			t.Helper()
			scale := max(size.Scale, 1)
			shot, worst := p.Screenshot("overlay-colours"), ""
			for y := 0; y < size.Height-110; y += 5 {
				for x := 0; x < size.Width; x += 5 {
					heat := color.NRGBAModel.Convert(picture.At(x, y+top)).(color.NRGBA)
					want := blend(white, heat, overlayOpacity)
					got := shot.At(int((float64(x)+0.5)*scale), int((float64(y)+0.5)*scale))
					if !nearly(got, want) {
						worst = fmt.Sprintf("(%d, %d) is %v, want %v", x, y+top, got, want)
					}
				}
			}
			if worst != "" {
				t.Errorf("%d px wide, scrolled to %d: %s", size.Width, top, worst)
			}
		}
		wantPixel(t, p, "overlay-hottest", int(204*max(size.Scale, 1)), int(244*max(size.Scale, 1)), hottest)
		compare(0)
		p.ScrollTo(1900)
		compare(1900)
		size.Width -= 60
		p.Resize(size)
		p.ScrollTo(123)
		compare(123)
		silent(t, p)
		p.Close()
	}
}

// scrollHit gives the import line of a view that went from one depth to another.
func (o *owner) scrollHit(page string, view, from, depth, y, dwell int) map[string]any {
	return map[string]any{"t": time.Now().UnixMilli(), "site": "shop", "url": o.base + page, "kind": "scroll", "from": from, "depth": depth, "y": y, "dwell": dwell,
		"vw": 800, "vh": 600 + 20*view, "dh": 3000, "view": fmt.Sprint(view), "visitor": fmt.Sprint(view)}
}

// testScrollMap imports ten views, of which view i goes down to 1000 + 200·i px.
func (o *owner) testScrollMap(t *testing.T) {
	var hits []map[string]any
	for i := range 10 {
		hits = append(hits, o.scrollHit("/scroll", i, 0, 1000+200*i, 0, 1000))
	}
	o.send(hits...)
	p := o.open("/scroll", browser.Desktop)
	showMap(p, "scroll")
	pick(p, "Width of the windows", "tablets") // the view of this test's own window is none of them
	panelSays(t, p, "690 px", "10")
	for _, top := range []int{0, 700, 2200} {
		p.ScrollTo(top)
		type line struct {
			Text string
			Y    float64
		}
		got := inPanel[[]line](p, `r => [...r.querySelectorAll(".line")].map(l => ({Text: l.innerText, Y: l.getBoundingClientRect().top + 1 + scrollY}))`)
		// Views end at 1000, 1200, … 2800: at 1350 there are 0.8 of them, at 1400 0.7. A line is where the straight line between band tops falls below its share.
		want := []line{{"Average fold · 690 px", 690}, {"75% got here", 1375}, {"50% got here", 1950}, {"25% got here", 2375}}
		if len(got) != len(want) {
			t.Fatalf("lines are %v, want %v", got, want)
		}
		for i := range want {
			if got[i].Text != want[i].Text || math.Abs(got[i].Y-want[i].Y) > 1 {
				t.Errorf("scrolled to %d, line is %v, want %v", top, got[i], want[i])
			}
		}
	}
	p.ScrollTo(0)
	red := blend(white, color.NRGBA{0xe0, 0x1b, 0x30, 107}, overlayOpacity)
	wantPixel(t, p, "overlay-reach", 640, 100, red)
	p.ScrollTo(2200)
	wantPixel(t, p, "overlay-reach-end", 640, 2970-2200, white) // nobody came here
	silent(t, p)
	p.Close()
}

// testAttention wants the place that was looked at longest in the last colour.
func (o *owner) testAttention(t *testing.T) {
	o.send(o.scrollHit("/attention", 0, 0, 600, 0, 1000), o.scrollHit("/attention", 0, 600, 1600, 1000, 9000))
	p := o.open("/attention", browser.Desktop)
	showMap(p, "attention")
	pick(p, "Width of the windows", "tablets")
	panelSays(t, p, "9.0 s", "Longest look")
	p.ScrollTo(800)
	wantPixel(t, p, "overlay-attention", 640, 500, blend(white, color.NRGBA{0xe0, 0x1b, 0x30, 107}, overlayOpacity))
	silent(t, p)
	p.Close()
}

// testNewHits wants a click that comes while the overlay is open to be seen within 2 s, once in three: the machine may be busy.
func (o *owner) testNewHits(t *testing.T) {
	p := o.open("/new", browser.Desktop)
	panelSays(t, p, "No clicks to show")
	soonest := time.Hour
	for i := range 3 {
		y := 104 + 96*i
		start := time.Now()
		o.send(o.click("/new", 200, y, 1280))
		for !nearly(p.Screenshot("overlay-new").At(204, y+4), hottest) && time.Since(start) < 10*time.Second {
			time.Sleep(10 * time.Millisecond)
		}
		soonest = min(soonest, time.Since(start))
	}
	if soonest > 2*time.Second {
		t.Errorf("new clicks are seen after %v at the soonest", soonest)
	}
	t.Logf("a new click is on the page after %v", soonest)
	silent(t, p)
	p.Close()
}

// testPace wants no request from a page that nobody sees, and few from one where nothing happens; also where answers do not come
// by a stream, such as of a comparison.
func (o *owner) testPace(t *testing.T) {
	p := o.open("/pace", browser.Desktop)
	panelSays(t, p, "No clicks to show", "Live")
	asked := func(during time.Duration) int {
		before := requestsOf(p, "/v1/")
		browser.Eval[bool](p, fmt.Sprintf(`new Promise(done => setTimeout(() => done(true), %d))`, during.Milliseconds()))
		return requestsOf(p, "/v1/") - before
	}
	see := func(state string) {
		browser.Eval[bool](p, `(Object.defineProperty(document, "visibilityState", {value: "`+state+`", configurable: true}), document.dispatchEvent(new Event("visibilitychange")))`)
	}
	for _, compares := range []bool{false, true} {
		if compares {
			pick(p, "Compare with", "before")
		}
		see("hidden")
		asked(200 * time.Millisecond) // what was on its way
		if n := asked(1500 * time.Millisecond); n > 0 {
			t.Errorf("a hidden page asks %d times in 1.5 s", n)
		}
		before := requestsOf(p, "/v1/")
		see("visible")
		for end := time.Now().Add(60 * time.Second); requestsOf(p, "/v1/") == before; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("a page that is seen again asks nothing, comparing %t", compares)
			}
		}
		if n := asked(1500 * time.Millisecond); n > 3 {
			t.Errorf("a page that is seen again asks %d times in 1.5 s, comparing %t", n, compares)
		}
		if n := asked(1500 * time.Millisecond); !compares && n > 0 {
			t.Errorf("a page that has a stream asks %d times in 1.5 s", n)
		}
	}
	browser.Eval[bool](p, `{ const now = Date.now; Date.now = () => now() + 61000; true }`)
	asked(1200 * time.Millisecond)
	if n := asked(2500 * time.Millisecond); n > 1 {
		t.Errorf("after a minute without change it asks %d times in 2.5 s", n)
	}
	silent(t, p)
	p.Close()
}

// testOwnClicks wants what is clicked with the overlay open to be counted and shown, until that is switched off.
func (o *owner) testOwnClicks(t *testing.T) {
	p := o.open("/own", browser.Desktop)
	panelSays(t, p, "No clicks to show")
	p.Click(204, 204)
	wantPixel(t, p, "overlay-own", 204, 204, hottest)
	panelSays(t, p, "On elements", "1 click in a spot")
	inPanel[bool](p, `r => { r.querySelector("[role=switch]").click(); return true }`)
	p.Click(404, 204)
	press(p, "Close the map")
	p.Click(604, 204)
	p.Goto("about:blank")
	o.server.WaitCounted("shop")
	var a struct{ Hits int }
	for end := time.Now().Add(5 * time.Second); a.Hits < 2 && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		o.server.Ask("/v1/heatmap", url.Values{"site": {"shop"}, "url": {o.base + "/own"}}, &a)
	}
	if a.Hits != 2 {
		t.Errorf("%d clicks are counted, want the one before the counting was off and the one after the overlay was closed", a.Hits)
	}
	silent(t, p)
	p.Close()
}

func (o *owner) testHover(t *testing.T) {
	o.send(o.click("/hover", 200, 200, 1280), o.click("/hover", 212, 204, 1280), o.click("/hover", 300, 200, 1280))
	p := o.open("/hover", browser.Desktop)
	panelSays(t, p, "3")
	f := func(x, y float64, want string) {
		t.Helper()
		p.Hover(x, y)
		const tip = `r => (e => e.hidden ? "" : e.innerText)(r.querySelector(".tip"))`
		got := ""
		for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			if got = inPanel[string](p, tip); got == want {
				return
			}
		}
		t.Errorf("at (%v, %v) the tip says %q, want %q", x, y, got, want)
	}
	f(208, 204, "2 clicks")
	f(300, 210, "1 click")
	f(260, 500, "")
	p.Click(208, 204)
	if !browser.Eval[bool](p, `document.elementFromPoint(208, 204) !== document.querySelector("`+overlayHost+`")`) {
		t.Error("the overlay is in the way of the page")
	}
	silent(t, p)
	p.Close()
}

// testRoutes changes the page's URL as its own router does.
func (o *owner) testRoutes(t *testing.T) {
	o.send(o.click("/route/a", 200, 200, 1280), o.click("/route/b", 400, 200, 1280), o.click("/route/b", 400, 200, 1280))
	p := o.open("/route/a", browser.Desktop)
	wantPixel(t, p, "overlay-route-a", 204, 204, hottest)
	browser.Eval[bool](p, `(history.pushState(null, "", "/route/b"), true)`)
	wantPixel(t, p, "overlay-route-b", 404, 204, hottest)
	wantPixel(t, p, "overlay-route-b", 204, 204, white)
	browser.Eval[bool](p, `(history.back(), true)`)
	wantPixel(t, p, "overlay-route-back", 204, 204, hottest)
	silent(t, p)
	p.Close()
}

func (o *owner) testKeyboard(t *testing.T) {
	o.send(o.click("/keyboard", 200, 200, 1280))
	p := o.open("/keyboard", browser.Desktop)
	panelSays(t, p, "isitors")
	var order []string
	for range 12 {
		p.Press("Tab")
		order = append(order, inPanel[string](p, `r => (e => !e ? "" : e.ariaLabel || e.closest("label").innerText)(r.activeElement)`))
	}
	want := []string{"Pause the map", "Same view in heatlog", "Fold the panel", "Close the map", "Clicks", "Kind of clicks", "Days", "Width of the windows", "Compare with", "Only hits with tag", "Opacity", "Count my clicks"}
	if !slices.Equal(order, want) {
		t.Errorf("Tab goes through %q, want %q", order, want)
	}
	p.Press("Space")
	if browser.InShadow[bool](p, overlayHost, `r => r.activeElement.checked`) {
		t.Error("the space bar does not switch the counting off")
	}
	if browser.Eval[int](p, `window.keys || 0`) != 0 {
		t.Error("the page hears keys that are for the panel")
	}
	p.Press("Escape")
	if got := inPanel[string](p, `r => r.activeElement.ariaLabel + " " + r.activeElement.ariaExpanded`); got != "Unfold the panel false" {
		t.Errorf("after Escape the focus is on %q", got)
	}
	p.Press("Enter")
	if got := inPanel[string](p, `r => r.activeElement.ariaExpanded`); got != "true" {
		t.Error("Enter does not unfold the panel")
	}
	silent(t, p)
	p.Close()
}

func (o *owner) testClose(t *testing.T) {
	p := o.open("/close", browser.Desktop)
	panelSays(t, p, "No clicks to show")
	before := len(p.Requests())
	press(p, "Close the map")
	browser.Eval[bool](p, `new Promise(done => setTimeout(() => done(true), 1500))`)
	p.ScrollTo(300)
	if got := browser.Eval[string](p, `document.documentElement.lastElementChild.tagName + document.querySelectorAll("`+overlayHost+`").length`); got != "BODY0" {
		t.Errorf("after closing the page ends with %s", got)
	}
	asks := func(r string) bool { return strings.Contains(r, "/v1/heatmap") }
	if r := p.Requests()[before:]; slices.ContainsFunc(r, asks) {
		t.Errorf("after closing it asks: %q", r)
	}
	if c := p.Screenshot("overlay-closed").At(1100, 700); !nearly(c, white) {
		t.Errorf("after closing the panel's place is %v", c)
	}
	silent(t, p)
	p.Close()
}

// testNextPages goes on in the tab: the map and what was chosen about counting go along, until it is closed.
func (o *owner) testNextPages(t *testing.T) {
	p := o.open("/first", browser.Desktop)
	panelSays(t, p, "No clicks to show")
	inPanel[bool](p, `r => { r.querySelector("[role=switch]").click(); return true }`)
	p.Goto(o.base + "/second")
	p.Wait(`document.querySelector("` + overlayHost + `")`)
	panelSays(t, p, "No clicks to show")
	if inPanel[bool](p, `r => r.querySelector("[role=switch]").checked`) {
		t.Error("the next page counts what is done on it")
	}
	p.Click(204, 204)
	press(p, "Close the map")
	p.Goto(o.base + "/third")
	p.Click(204, 204)
	waitClicks(t, o.server, o.base+"/third", 1)
	if browser.Eval[bool](p, `!!document.querySelector("`+overlayHost+`") || sessionStorage.length > 0`) {
		t.Error("the map is open still on the page after it was closed")
	}
	waitClicks(t, o.server, o.base+"/second", 0)
	silent(t, p)
	p.Close()
}

// waitClicks waits until a page of the shop has as many clicks, or fails.
func waitClicks(t *testing.T, p *heatlogtest.Server, page string, want int) {
	t.Helper()
	var a struct{ Hits int }
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		p.Ask("/v1/heatmap", url.Values{"site": {"shop"}, "url": {page}}, &a)
		if a.Hits == want {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s has %d clicks, want %d", page, a.Hits, want)
		}
	}
}

// testEmpty wants an empty map to say why, and its button to help.
func (o *owner) testEmpty(t *testing.T) {
	old := o.click("/empty", 200, 200, 800)
	old["t"] = time.Now().AddDate(-1, 0, 0).UnixMilli()
	o.send(old)
	p := o.open("/empty", browser.Desktop)
	panelSays(t, p, "No clicks to show", "Show all time")
	p.Keep("overlay-empty")
	press(p, "Show all time")
	panelSays(t, p, "Show all widths")
	press(p, "Show all widths")
	panelSays(t, p, "isitors", "All time")
	wantPixel(t, p, "overlay-empty-helped", 204, 204, hottest)
	pick(p, "Kind of clicks", "rage")
	panelSays(t, p, "No rage clicks to show", "Show all clicks")
	wantPixel(t, p, "overlay-empty-rage", 204, 204, white)
	silent(t, p)
	p.Close()
}

// testMarkup has URLs full of markup as the nearest ones.
func (o *owner) testMarkup(t *testing.T) {
	hits := []map[string]any{}
	for i, evil := range []string{"/markup?q=<img src=x onerror=__pwned=1>", "/markup?q=\"><script>__pwned=2</script>", "/markup?q=javascript:__pwned=3"} {
		h := o.click("", 10*i, 10, 1280)
		h["url"] = o.base + evil
		hits = append(hits, h)
	}
	o.send(hits...)
	o.deaf.Store(true) // else the page's own view makes it a known one
	defer o.deaf.Store(false)
	p := o.open("/markup?q=%3Cimg%20src=x%20onerror=__pwned=4%3E", browser.Desktop)
	panelSays(t, p, "No clicks to show", "onerror", "<script>")
	p.Keep("overlay-markup")
	if got := browser.Eval[string](p, `typeof __pwned`); got != "undefined" {
		t.Errorf("markup of a URL was run: __pwned is %s", got)
	}
	const strange = `r => [...r.querySelectorAll("img, script, iframe, object")].length + [...r.querySelectorAll("a")].filter(a => !/^https?:$/.test(a.protocol) || a.rel !== "noopener noreferrer").length`
	if n := inPanel[int](p, strange); n != 0 {
		t.Errorf("there are %d elements from markup", n)
	}
	silent(t, p)
	p.Close()
}

// testHostile wants the heat and a panel that works on pages that are in the overlay's way.
func (o *owner) testHostile(t *testing.T) {
	for _, page := range []string{"/css", "/strict", "/frozen", "/wipe", "/dialog"} {
		t.Run(page[1:], func(t *testing.T) {
			t.Parallel()
			o := o.in(t)
			o.send(o.click(page, 200, 200, 1280))
			p := o.open(page, browser.Desktop)
			if page == "/wipe" {
				p.Wait(`window.wiped && document.querySelectorAll("` + overlayHost + `:popover-open").length === 1`)
			}
			if page == "/dialog" {
				p.Wait(`document.querySelector("dialog").open`)
			}
			wantPixel(t, p, "overlay-hostile-"+page[1:], 204, 204, hottest)
			panelSays(t, p, "isitors", "Live")
			box := inPanel[[]float64](p, `r => (b => [b.left, b.top, b.right, b.bottom])(r.querySelector(".panel").getBoundingClientRect())`)
			if math.Abs(box[2]-1264) > 1 || math.Abs(box[3]-784) > 1 || box[2]-box[0] < 300 || box[3]-box[1] < 250 {
				t.Errorf("the panel is at %v", box)
			}
			if page == "/dialog" { // which has the rest of the page for itself while it is open
				browser.Eval[bool](p, `(document.querySelector("dialog").close(), true)`)
			}
			seg := inPanel[[]float64](p, `r => (b => [b.left + b.width / 2, b.top + b.height / 2])(r.querySelector("input[value=scroll]").getBoundingClientRect())`)
			p.Click(seg[0], seg[1])
			panelSays(t, p, "Average fold")
			if page != "/css" { // whose own style is refused, and says so
				silent(t, p)
			}
			p.Close()
		})
	}
}

// testTroubles wants the panel to say what is wrong, and to go on when it is no more.
func (o *owner) testTroubles(t *testing.T) {
	o.send(o.click("/trouble", 200, 200, 1280))
	p := o.open("/trouble", browser.Desktop)
	wantPixel(t, p, "overlay-trouble", 204, 204, hottest)
	for _, out := range []outage{{}, {503, `{"error":{"code":"unavailable","message":"the server is ending"}}`}} {
		o.fail(&out)
		panelSays(t, p, "Trying again")
		if says := twice(p, ".pause"); strings.Contains(says, "Live") {
			t.Errorf("without a server the map that goes on says %q", says)
		}
		o.fail(nil)
		panelSays(t, p, "Live")
	}
	press(p, "Play a day")
	panelSays(t, p, "Of the day\n1")
	o.fail(&outage{401, `{"error":{"code":"expired","message":"the overlay link has expired"}}`})
	p.Wait(`!Object.values(sessionStorage).some(kept => kept.startsWith("hlo_"))`)
	press(p, "Back to the live map")
	panelSays(t, p, "This link has expired", "Open the map again from heatlog.", "Ended")
	wantPixel(t, p, "overlay-expired", 204, 204, hottest) // as of the last answer
	if says := twice(p, ".pause"); says != "Ended" {
		t.Errorf("a map that has ended says %q after a pause", says)
	}
	if left := inPanel[int](p, `r => [...r.querySelectorAll(".pause, .play")].filter(b => b.offsetWidth).length`); left != 0 {
		t.Errorf("%d buttons for a live map are there still", left)
	}
	pick(p, "Kind of clicks", "rage")
	wantPixel(t, p, "overlay-expired-changed", 204, 204, white)
	o.fail(nil)
	p.Close()

	o.server.AddSite("other", "UTC", "https://other.example", o.base)
	link := func(url, site string) string {
		token := overlayLink(t, o.server, site, url)
		return token[strings.Index(token, "#hl="):]
	}
	for name, f := range map[string]struct{ fragment, says string }{
		"forged":     {"#hl=hlo_AQAAAABp.AAAA", "This link is not valid"},
		"other site": {link(o.base+"/trouble", "other"), "This link is for another site"},
	} {
		p := chrome.Open(t, browser.Desktop)
		p.Goto(o.base + "/trouble" + f.fragment)
		p.Wait(`document.querySelector("` + overlayHost + `")`)
		panelSays(t, p, f.says, "Ended")
		p.Keep("overlay-" + strings.ReplaceAll(name, " ", "-"))
		p.Close()
	}
}

// twice presses a button of the panel two times, and gives what its head says then.
func twice(p *browser.Page, button string) string {
	return inPanel[string](p, fmt.Sprintf(`r => { for (let i = 0; i < 2; i++) r.querySelector(%q).click(); return r.querySelector(".live").innerText }`, button))
}

// testCost measures what a redraw costs while a page with 100,000 points is scrolled.
func (o *owner) testCost(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var lines bytes.Buffer
	now := time.Now().UnixMilli()
	for cell := range 100_000 { // each cell of 1,280 x 5,000 px once
		fmt.Fprintf(&lines, `{"t":%d,"site":"shop","url":"%s/cost","kind":"click","x":%d,"y":%d,"vw":1280}`+"\n", now-int64(random.IntN(1e6)), o.base, cell%160*8, cell/160*8)
	}
	o.server.Import(&lines, "")
	o.server.WaitCounted("shop")
	p := chrome.Open(t, browser.Desktop)
	p.BeforeLoad(`{
		const next = requestAnimationFrame, draw = CanvasRenderingContext2D.prototype.drawImage
		let drawn = false
		window.costs = []
		window.requestAnimationFrame = f => next(at => { drawn = false; const begin = performance.now(); f(at); if (drawn) costs.push(performance.now() - begin) })
		CanvasRenderingContext2D.prototype.drawImage = function (...a) { drawn = true; return draw.apply(this, a) }
	}`)
	o.enter(p, "/cost")
	panelSays(t, p, "100,000")
	costs := browser.Eval[[]float64](p, `new Promise(done => {
		costs.length = 0
		let n = 0
		const step = () => { scrollTo({top: n * 17, behavior: "instant"}); n++ < 120 ? setTimeout(step, 16) : done(costs) }
		step()
	})`)
	if len(costs) < 60 {
		t.Fatalf("%d frames in 120 steps", len(costs))
	}
	slices.Sort(costs)
	median, worst := costs[len(costs)/2], costs[len(costs)*95/100]
	t.Logf("a redraw takes %.2f ms in the median, %.2f ms at the 95th percentile, of %d", median, worst, len(costs))
	if median > 5 {
		t.Errorf("a redraw takes %.2f ms in the median", median)
	}
	silent(t, p)
	p.Close()
}
