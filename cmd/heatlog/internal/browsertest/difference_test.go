package browsertest

import (
	"encoding/json"
	"fmt"
	"image/color"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/browser"
)

// Places of the compared pages: where there is more now than before, less, and an equal share.
var morePlace, lessPlace, samePlace = [2]int{44, 204}, [2]int{304, 204}, [2]int{204, 404}

// comparedHits are clicks of now and of 40 days before: 9, 1 and 5 of 15, after 2, 18 and 10 of 30.
func (o *owner) comparedHits(page string, vw int) {
	o.t.Helper()
	var hits []map[string]any
	add := func(at [2]int, now, before int) {
		for i := range now + before {
			h := o.click(page, at[0], at[1], vw)
			if i >= now {
				h["t"] = time.Now().AddDate(0, 0, -40).UnixMilli()
			}
			hits = append(hits, h)
		}
	}
	add(morePlace, 9, 2)
	add(lessPlace, 1, 18)
	add(samePlace, 5, 10)
	o.send(hits...)
}

// sidesColours are those of the greatest difference up and down, over white or black.
func sidesColours(below color.NRGBA) (more, less color.NRGBA) {
	return blend(below, color.NRGBA{0xe0, 0x4a, 0x00, 240}, overlayOpacity), blend(below, color.NRGBA{0x17, 0x5f, 0xee, 240}, overlayOpacity)
}

// TestOverlayComparesDays shows what differs from the days before: orange where there is more, blue where there is less, the
// page itself where both are the same, on light and dark pages, desktops and phones, and goes back to the map alone.
func TestOverlayComparesDays(t *testing.T) {
	t.Parallel()
	black := color.NRGBA{0, 0, 0, 255}
	dark := strings.Replace(plainPage(600, 3000), "background:#fff", "background:#000;color-scheme:dark", 1)
	o := ownSite(t, map[string]ownedPage{"dark-1280": {html: dark}, "dark-390": {html: dark}})
	for _, size := range []browser.Size{browser.Desktop, browser.Phone} {
		for name, below := range map[string]color.NRGBA{"light": white, "dark": black} {
			page := fmt.Sprintf("/%s-%d", name, size.Width)
			o.comparedHits(page, size.Width)
			p := chrome.Open(t, size)
			p.Dark(name == "dark")
			o.enter(p, page)
			panelSays(t, p, "15")
			if size.Touch {
				press(p, "Unfold the panel")
			}
			pick(p, "Compare with", "before")
			panelSays(t, p, "Clicks now", "15", "Before", "30", "Elsewhere", "53%", "more before", "of clicks in a spot", "more now")
			p.Keep(fmt.Sprintf("overlay-difference-panel-%s-%d", name, size.Width))
			press(p, "Fold the panel")
			panelSays(t, p, "53% of clicks elsewhere")
			more, less := sidesColours(below)
			at := func(place [2]int) (x, y int) {
				scale := max(size.Scale, 1)
				return int(float64(place[0]) * scale), int(float64(place[1]) * scale)
			}
			shot := fmt.Sprintf("overlay-difference-%s-%d", name, size.Width)
			for place, want := range map[[2]int]color.NRGBA{morePlace: more, lessPlace: less, samePlace: below, {120, 300}: below} {
				x, y := at(place)
				wantPixel(t, p, shot, x, y, want)
			}
			press(p, "Unfold the panel")
			pick(p, "Compare with", "")
			panelSays(t, p, "isitors", "Views")
			press(p, "Fold the panel")
			x, y := at(morePlace)
			wantPixel(t, p, shot+"-alone", x, y, blend(below, color.NRGBA{0xe0, 0x1b, 0x30, 240}, overlayOpacity))
			silent(t, p)
			p.Close()
		}
	}
}

// TestOverlayTellsDifferences hovers over a difference, chooses a side without hits and all days, which have none before.
func TestOverlayTellsDifferences(t *testing.T) {
	o := ownSite(t, nil)
	o.comparedHits("/page", 1280)
	o.send(o.click("/new", 44, 204, 1280))
	p := o.open("/page", browser.Desktop)
	panelSays(t, p, "15")
	pick(p, "Compare with", "before")
	panelSays(t, p, "53%")
	p.Hover(44, 204)
	tip := ""
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if tip = inPanel[string](p, `r => r.querySelector(".tip").innerText`); strings.Contains(tip, "before") {
			break
		}
	}
	if want := "60% now (9) · 6.7% before (2)"; tip != want {
		t.Errorf("the tip says %q, want %q", tip, want)
	}
	pick(p, "Days", "all")
	panelSays(t, p, "45") // all clicks, alone
	if got := inPanel[string](p, `r => { const s = r.querySelector('[aria-label="Compare with"]'); return [s.value, s.closest(".pick").hidden].join() }`); got != ",true" {
		t.Errorf("with all days the comparison is %q", got)
	}
	showMap(p, "scroll")
	panelSays(t, p, "No scrolling to show")
	showMap(p, "clicks")
	pick(p, "Days", "7")
	panelSays(t, p, "Nothing to compare with", "outside the range")
	press(p, "Show the map alone")
	panelSays(t, p, "isitors")
	silent(t, p)
	p.Close()
}

// TestOverlayComparesGenerations opens a page by a link that names both generations.
func TestOverlayComparesGenerations(t *testing.T) {
	o := ownSite(t, nil)
	o.comparedHits("/page", 1280)
	o.server.Post("/v1/generations", fmt.Sprintf(`{"rules":"exclude: ['x == %d']"}`, lessPlace[0]))
	o.server.WaitGeneration("g2", "ready")
	link := func(more string) string {
		var answer struct{ Link string }
		body := o.server.Post("/v1/overlay-links", fmt.Sprintf(`{"site":"shop","url":%q%s}`, o.base+"/page", more))
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Fatal(err)
		}
		return answer.Link
	}
	more, less := sidesColours(white)
	p := chrome.Open(t, browser.Desktop)
	p.Goto(link(`,"generation":"g2","minus_generation":"g1"`))
	p.Wait(`document.querySelector("` + overlayHost + `")`)
	panelSays(t, p, "Clicks by g2", "14", "By g1", "15", "more by g1", "more by g2")
	wantPixel(t, p, "overlay-generations", lessPlace[0], lessPlace[1], less)
	p.Goto(o.base + "/page") // the overlay stays open in its tab
	p.Wait(`document.querySelector("` + overlayHost + `")`)
	panelSays(t, p, "Clicks by g2", "By g1")
	p.Close()
	p = chrome.Open(t, browser.Desktop)
	p.Goto(link(`,"minus_generation":"g2"`))
	p.Wait(`document.querySelector("` + overlayHost + `")`)
	panelSays(t, p, "Clicks by g1", "15", "By g2", "14")
	wantPixel(t, p, "overlay-generations-back", lessPlace[0], lessPlace[1], more)
	pick(p, "Compare with", "")
	panelSays(t, p, "15", "isitors")
	silent(t, p)
	p.Close()
}

// TestAppCompares shows the difference of a page's maps in the app, by days and by generations, at all sizes.
func TestAppCompares(t *testing.T) {
	t.Parallel()
	server := appServer(t)
	server.Post("/v1/generations", `{"rules":"exclude: ['y < 400']"}`)
	server.WaitGeneration("g2", "ready")
	at := "#/site/shop/page?url=" + url.QueryEscape(appHome)
	for _, size := range appSizes {
		a := openApp(t, server, size, true, at)
		a.Wait(`document.querySelector(".sheet-map img") && document.querySelector(".compare")`)
		a.press(".compare a", "vs g2")
		a.see(".summary", "lie elsewhere")
		a.see(".legend", "more by g2more by g1")
		a.Wait(`document.querySelector(".sheet-map img[alt^=Difference]")`)
		a.fits("difference", size)
		a.press(".compare a", "vs the 30 days before")
		a.see(".map, .why", "")
		a.press(".compare a", "Alone")
		a.see(".legend", "most")
		a.Goto(server.Base + "/" + at + "&range=1&minus=before")
		a.Wait(`document.querySelector(".compare a[aria-current]")?.textContent === "vs yesterday"`)
		a.Goto(server.Base + "/" + at + "&minus=g9")
		a.see(".notice", "There is no generation g9")
		a.calm(http.StatusNotFound)
	}
}
