package browsertest

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/browser"
	"heatlog/cmd/heatlog/internal/heatlogtest"
)

// livePage has an element to click, and room beside it.
const livePage = `<!doctype html><meta name=viewport content="width=device-width"><link rel=icon href="data:,">%TAG%
<body style="margin:0;background:#fff;height:3000px"><main style="display:block;padding-top:100px"><a style="display:block;width:160px;height:80px;margin-left:100px"></a></main>`

// countPulses keeps account of the rings that the overlay draws, as window.pulses in the page.
const countPulses = `r => { window.pulses = 0; new MutationObserver(all => { for (const m of all) window.pulses += m.addedNodes.length }).observe(r.querySelector(".pulses"), {childList: true}); return true }`

// at gives a click the element of livePage.
func at(hit map[string]any) map[string]any {
	with := maps.Clone(hit)
	maps.Copy(with, map[string]any{"sel": "body>main>a", "ax": 0.5, "ay": 0.5})
	return with
}

// requestsOf counts the requests of a page whose address has a part.
func requestsOf(p *browser.Page, part string) (n int) {
	for _, r := range p.Requests() {
		if strings.Contains(r, part) && !strings.Contains(r, "/v1/in") {
			n++
		}
	}
	return n
}

// TestOverlayLives wants clicks to be seen as they come, without being asked for, with a ring where they landed; to wait while the
// map is paused; and all of them to be there after the connection was cut.
func TestOverlayLives(t *testing.T) {
	t.Parallel()
	o := ownSite(t, map[string]ownedPage{"live": {html: livePage}, "place": {html: livePage}})
	o.send(at(o.click("/live", 180, 140, 1280)))
	p := o.open("/live", browser.Desktop)
	panelSays(t, p, "Clicks\n1", "Live")
	inPanel[bool](p, countPulses)
	asked := o.asked.Load()
	soonest := time.Hour
	for n := 2; n <= 4; n++ {
		start := time.Now()
		o.send(at(o.click("/live", 180, 140, 1280)))
		panelSays(t, p, fmt.Sprintf("Clicks\n%d", n))
		soonest = min(soonest, time.Since(start))
	}
	t.Logf("a click is on the page %v after it was sent", soonest)
	p.Wait(`window.pulses >= 1`)
	if o.asked.Load() > asked+1 { // of the day
		t.Errorf("reading routes were asked %d times while the map was alive", o.asked.Load()-asked)
	}
	wantPixel(t, p, "overlay-live", 180, 140, hottest)

	press(p, "Pause the map")
	panelSays(t, p, "Paused · 0 new")
	pulsed := browser.Eval[int](p, `pulses`)
	for range 12 {
		o.send(at(o.click("/live", 180, 140, 1280)))
	}
	panelSays(t, p, "Paused · 12 new", "Clicks\n4")
	p.Keep("overlay-paused")
	if now := browser.Eval[int](p, `pulses`); now != pulsed {
		t.Errorf("%d rings while the map was paused", now-pulsed)
	}
	inPanel[bool](p, `r => { r.querySelector(".pause").focus(); return true }`)
	p.Press("p")
	panelSays(t, p, "Clicks\n16", "Live")
	p.Wait(fmt.Sprintf(`pulses > %d`, pulsed))

	o.lives.cut()
	o.send(at(o.click("/live", 180, 140, 1280)), o.click("/live", 600, 500, 1280))
	panelSays(t, p, "Clicks\n18", "Live")
	if inPanel[bool](p, `r => r.querySelector(".pause").ariaPressed === "true"`) {
		t.Error("the map is paused still")
	}
	if _, opened := o.lives.count(); opened < 2 {
		t.Errorf("%d streams were opened, want one after the cut", opened)
	}
	for _, line := range p.Console() {
		if !strings.Contains(line, "/stream") { // the browser says that it was cut
			t.Errorf("console: %s", line)
		}
	}
	p.Close()
}

// TestOverlayLivesByPlace has clicks at no element, on a phone too, and a page that nobody sees, which has no stream.
func TestOverlayLivesByPlace(t *testing.T) {
	t.Parallel()
	o := ownSite(t, nil)
	for _, size := range []browser.Size{browser.Desktop, browser.Phone} {
		page := fmt.Sprintf("/place-%d", size.Width)
		o.send(o.click(page, 60, 60, size.Width))
		p := o.open(page, size)
		wantPixel(t, p, "overlay-place", 60, 60, hottest)
		inPanel[bool](p, countPulses)
		o.send(o.click(page, 200, 300, size.Width))
		wantPixel(t, p, "overlay-place", 204, 300, hottest)
		p.Wait(`pulses === 1`)
		see := func(state string) {
			browser.Eval[bool](p, `(Object.defineProperty(document, "visibilityState", {value: "`+state+`", configurable: true}), document.dispatchEvent(new Event("visibilitychange")))`)
		}
		see("hidden")
		o.waitStreams(0)
		o.send(o.click(page, 100, 500, size.Width))
		see("visible")
		wantPixel(t, p, "overlay-place", 100, 500, hottest)
		silent(t, p)
		p.Close()
		o.waitStreams(0)
	}
}

// waitStreams waits until so many streams are open.
func (o *owner) waitStreams(want int) {
	o.t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		open, _ := o.lives.count()
		if open == want {
			return
		}
		if time.Now().After(end) {
			o.t.Fatalf("%d streams are open, want %d", open, want)
		}
	}
}

// TestOverlayReadsHistory wants a line that says how much of the log is read, for as long as it is, and no rings; clicks to be
// none only when all is read, and never fewer than were shown before.
func TestOverlayReadsHistory(t *testing.T) {
	t.Parallel()
	o := ownSite(t, map[string]ownedPage{"live": {html: livePage}})
	o.reading.Store(true)
	o.list()
	p := o.open("/live", browser.Desktop)
	panelSays(t, p, "42% read · 12 s left", "Clicks\n10")
	o.list(counted("body>main>a", "", 40))
	panelSays(t, p, "42% read · 12 s left", "Clicks\n50")
	inPanel[bool](p, countPulses)
	inPanel[bool](p, `r => { window.said = ""; const look = () => { said += r.querySelector(".head").innerText + r.querySelector("dd").innerText + (r.querySelector(".read").hidden ? "no line" : "") + ";" }
		new MutationObserver(look).observe(r.querySelector(".panel"), {subtree: true, childList: true, characterData: true, attributes: true}); return true }`)
	o.list(counted("body>main>a", "", 20))
	for told, end := o.lists.Load()+3, time.Now().Add(60*time.Second); o.lists.Load() < told && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	if now := inPanel[string](p, `r => r.querySelector("[role=progressbar]").ariaValueNow`); now != "42" {
		t.Errorf("the line is at %s, want 42", now)
	}
	for _, dark := range []bool{false, true} {
		p.Dark(dark)
		p.Keep(fmt.Sprintf("overlay-reading-%v", dark))
	}
	o.list(counted("body>main>a", "", 90))
	panelSays(t, p, "42% read", "Clicks\n100")
	if n := requestsOf(p, "/v1/queries/"+base64.RawURLEncoding.EncodeToString([]byte("/v1/heatm"))); n > 0 {
		t.Errorf("clicks were asked for by place %d times before those by element were read", n)
	}
	for _, wrong := range []string{"behind", "Live", "30", "no line"} {
		if said := browser.Eval[string](p, `said`); strings.Contains(said, wrong) {
			t.Errorf("while the log is read the panel says %q", said)
		}
	}
	o.reading.Store(false)
	panelSays(t, p, "Live")
	p.Wait(`pulses === 0`)
	o.list(counted("body>main>a", "", 91))
	p.Wait(`pulses === 1`)
	if !inPanel[bool](p, `r => r.querySelector("[role=progressbar]").hidden`) {
		t.Error("the line is there still")
	}
	silent(t, p)
	p.Close()
}

// TestOverlayComesBackAfterARestart wants the map to go on where it was when the server is there again, and a server that is
// not there to be asked more and more rarely.
func TestOverlayComesBackAfterARestart(t *testing.T) {
	t.Parallel()
	o := ownSite(t, nil)
	o.send(o.click("/again", 60, 60, 1280))
	p := o.open("/again", browser.Desktop)
	panelSays(t, p, "Clicks\n1", "Live")
	_, before := o.lives.count()
	tries := func() int { return requestsOf(p, "/v1/") - requestsOf(p, "OPTIONS ") }
	asked, stopped := tries(), time.Now()
	o.server.Stop()
	for end := time.Now().Add(60 * time.Second); tries() < asked+6; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("a server that is not there was asked %d times", tries()-asked)
		}
	}
	if took := time.Since(stopped); took < 3*time.Second { // they wait 250 ms at least, 500, 1 s; and 1 s, 2 s
		t.Errorf("a server that is not there was asked 6 times within %v", took)
	}
	again := o.in(t)
	again.server = heatlogtest.Start(t, o.server.Data, "--listen", strings.TrimPrefix(o.server.Base, "http://"))
	again.send(o.click("/again", 60, 300, 1280))
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		text := inPanel[string](p, `r => r.querySelector(".panel").innerText`)
		_, opened := o.lives.count()
		if strings.Contains(text, "Clicks\n2") && strings.Contains(text, "Live") && opened > before {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the panel says %q after %d streams, %d before the restart", text, opened, before)
		}
	}
	wantPixel(t, p, "overlay-again", 60, 300, hottest)
	p.Close()
}

// TestOverlayPlaysADay has clicks on two days, and compares what is drawn at a time with what was clicked until then.
func TestOverlayPlaysADay(t *testing.T) {
	t.Parallel()
	o := ownSite(t, nil)
	zone, err := time.LoadLocation("Europe/Prague")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().In(zone)
	day := time.Date(now.Year(), now.Month(), now.Day()-2, 0, 0, 0, 0, zone)
	click := func(hour, minute, x, y int) map[string]any {
		h := o.click("/day", x, y, 1280)
		h["t"] = day.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute).UnixMilli()
		return h
	}
	o.send(click(3, 0, 100, 100), click(9, 30, 200, 200), click(9, 59, 200, 200), click(14, 0, 300, 300), click(-20, 0, 500, 500))
	p := o.open("/day", browser.Desktop)
	panelSays(t, p, "Clicks\n5")
	press(p, "Pause the map")
	press(p, "Play a day")
	said := func(texts ...string) {
		t.Helper()
		for end := time.Now().Add(60 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			text := inPanel[string](p, `r => r.querySelector(".history").innerText`)
			if !slices.ContainsFunc(texts, func(want string) bool { return !strings.Contains(text, want) }) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("the bar says %q, want %q", text, texts)
			}
		}
	}
	said("24:00")
	p.Keep("overlay-day-plays")
	inPanel[bool](p, `r => { const s = r.querySelector("[aria-label=Speed]"); s.value = "21600"; s.dispatchEvent(new Event("change")); return true }`)
	panelSays(t, p, "Of the day\n4")
	o.send(click(-20, 0, 600, 600))
	if date := inPanel[string](p, `r => r.querySelector("[type=date]").value`); date != day.Format(time.DateOnly) {
		t.Errorf("it plays %s, want the last day with clicks, %s", date, day.Format(time.DateOnly))
	}
	scrub := func(minute int) {
		inPanel[bool](p, fmt.Sprintf(`r => { const e = r.querySelector("[aria-label='Time of the day']"); e.value = %d; e.dispatchEvent(new Event("input")); return true }`, minute))
	}
	scrub(9*60 + 59)
	said("09:59", "2 clicks")
	wantPixel(t, p, "overlay-day", 100, 100, hottest)
	wantPixel(t, p, "overlay-day", 204, 204, hottest)
	wantPixel(t, p, "overlay-day", 300, 300, white)
	wantPixel(t, p, "overlay-day", 500, 500, white)
	inPanel[bool](p, `r => { r.querySelector("[aria-label='Time of the day']").focus(); return true }`)
	p.Press("ArrowRight")
	said("10:00", "3 clicks")
	inPanel[bool](p, `r => { r.querySelector("input[value='last hour']").click(); return true }`)
	said("2 clicks in the last hour")
	wantPixel(t, p, "overlay-day-hour", 100, 100, white)
	wantPixel(t, p, "overlay-day-hour", 204, 204, hottest)
	p.Dark(true)
	p.Keep("overlay-day-dark")
	p.Dark(false)
	inPanel[bool](p, `r => { r.querySelector("input[value='so far']").click(); r.querySelector("[aria-label='Time of the day']").focus(); return true }`)
	p.Press("Home")
	said("00:00", "0 clicks")
	wantPixel(t, p, "overlay-day-begins", 100, 100, white)
	press(p, "Day before")
	said("00:00", "0 clicks, by place on the page") // as paused as before
	if n := inPanel[int](p, `r => r.querySelectorAll("[aria-label=Play]").length + [...r.querySelectorAll(".days")].filter(e => e.offsetWidth).length`); n != 1 {
		t.Errorf("%d of a button to play and lists of other days are there, want the button", n)
	}
	press(p, "Day after")
	said("00:00", "0 clicks")
	press(p, "Day after")
	said("No clicks on this day")
	panelSays(t, p, "No clicks on this day")
	p.Keep("overlay-day-empty")
	press(p, "Day after")
	for end := time.Now().Add(60 * time.Second); !inPanel[bool](p, `r => r.querySelector("[aria-label='Day after']").disabled`); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a day follows today")
		}
	}
	press(p, "Back to the live map")
	panelSays(t, p, "Clicks\n5", "Paused · 1 new")
	wantPixel(t, p, "overlay-day-left", 204, 204, hottest)
	wantPixel(t, p, "overlay-day-left", 604, 604, white)
	press(p, "Pause the map")
	panelSays(t, p, "Clicks\n6", "Live")
	silent(t, p)
	p.Close()

	p = o.open("/day", browser.Phone)
	panelSays(t, p, "No clicks to show")
	pick(p, "Width of the windows", "all")
	panelSays(t, p, "Clicks\n6")
	press(p, "Play a day")
	said("clicks")
	for _, dark := range []bool{false, true} {
		p.Dark(dark)
		scrub(600)
		said("10:00", "3 clicks")
		p.Keep(fmt.Sprintf("overlay-day-phone-%v", dark))
	}
	if low := inPanel[string](p, `r => [...r.querySelectorAll("input[type=range], .switch")].filter(e => e.offsetWidth && e.offsetHeight < 36).map(e => e.outerHTML).join()`); low != "" {
		t.Errorf("too low to be touched: %s", low)
	}
	if over := inPanel[float64](p, `r => { const [bar, panel] = [".history", ".panel"].map(s => r.querySelector(s).getBoundingClientRect()); return Math.max(bar.bottom - panel.top, -bar.left, bar.right - innerWidth) }`); over > 0 {
		t.Errorf("the bar is %g px outside of the screen or over the panel", over)
	}
	silent(t, p)
	p.Close()
}
