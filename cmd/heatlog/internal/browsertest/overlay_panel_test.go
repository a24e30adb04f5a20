package browsertest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"heatlog/cmd/heatlog/internal/browser"
)

// groupProducts has all pages below /product counted as one.
func (o *owner) groupProducts() {
	o.t.Helper()
	rules := fmt.Sprintf("urls:\n  groups:\n    - {match: '%s/product/*', page: '%s/product/:id'}\n", o.base, o.base)
	body, err := json.Marshal(map[string]any{"rules": rules, "activate": true})
	if err != nil {
		o.t.Fatal(err)
	}
	o.server.Post("/v1/generations", string(body))
	o.server.WaitGeneration("g2", "active")
}

// TestOverlayOfAGroup opens pages of a group: each shows the map of all, says so, and can show itself alone.
func TestOverlayOfAGroup(t *testing.T) {
	o := ownSite(t, nil)
	o.groupProducts()
	tagged := o.click("/product/7", 400, 200, 1280)
	tagged["tags"] = []string{"variant:b", `quote"s`}
	campaign := o.click("/product/7?utm_source=x", 200, 200, 1280)
	o.send(o.click("/product/7", 200, 200, 1280), campaign, tagged, o.click("/product/8", 600, 200, 1280), o.click("/product/8", 600, 200, 1280))

	p := o.open("/product/7", browser.Desktop)
	panelSays(t, p, "All pages of /product/:id", "Clicks\n5")
	p.Keep("overlay-group")
	press(p, "This page only")
	panelSays(t, p, "All of /product/:id", "Clicks\n3")
	wantPixel(t, p, "overlay-group-alone", 604, 204, white)
	tag := func(text string) {
		t.Helper()
		inPanel[bool](p, fmt.Sprintf(`r => { const i = r.querySelector("[type=text]"); i.value = %q; i.dispatchEvent(new Event("change")); return true }`, text))
	}
	tag("variant:b")
	panelSays(t, p, "Clicks\n1")
	wantPixel(t, p, "overlay-tag", 404, 204, hottest)
	tag(`quote"s`)
	panelSays(t, p, "Clicks\n1")
	tag("none")
	panelSays(t, p, "No clicks to show", "Whatever their tag", "All pages of its group")
	p.Keep("overlay-tag-none")
	press(p, "Whatever their tag")
	press(p, "All of /product/:id")
	panelSays(t, p, "Clicks\n5")
	for _, size := range []browser.Size{browser.Desktop, browser.Phone} {
		p.Resize(size)
		if size.Touch {
			press(p, "Fold the panel")
			press(p, "Unfold the panel")
		}
		for _, dark := range []bool{false, true} {
			p.Dark(dark)
			p.Keep(fmt.Sprintf("overlay-group-%d-%v", size.Width, dark))
		}
	}
	pick(p, "Width of the windows", "desktops")
	o.outage.Store(&outage{http.StatusServiceUnavailable, `{"error":{"code":"unavailable","message":"the answer took longer than 30 s"}}`})
	press(p, "This page only")
	panelSays(t, p, "counted from the journal", "Show all hits")
	o.outage.Store(nil)
	press(p, "Show all hits")
	panelSays(t, p, "Clicks\n5")
	p.Close()
}

// TestOverlayLeadsToTheApp follows the panel's link to the same view in the app.
func TestOverlayLeadsToTheApp(t *testing.T) {
	o := ownSite(t, nil)
	o.send(o.click("/lead?b=2", 200, 200, 1280))
	p := o.open("/lead?b=2", browser.Desktop)
	panelSays(t, p, "isitors")
	pick(p, "Kind of clicks", "rage")
	pick(p, "Days", "7")
	link := inPanel[string](p, `r => { const a = r.querySelector(".out"); a.dispatchEvent(new Event("focus")); return a.href }`)
	if want := o.gate + "/#/site/shop/page?url=" + url.QueryEscape(o.base+"/lead?b=2") + "&range=7&kind=rage"; link != want {
		t.Errorf("the panel leads to %s, want %s", link, want)
	}
	p.Close()
}

// TestOverlaySaysWhatItCounts has hits of a sample, and of bots alone.
func TestOverlaySaysWhatItCounts(t *testing.T) {
	t.Parallel()
	o := ownSite(t, nil)
	bot := o.click("/bots", 200, 200, 1280)
	bot["ua"] = "Googlebot/2.1"
	o.send(bot)
	p := o.open("/bots", browser.Desktop)
	panelSays(t, p, "No clicks to show", "Count bots too")
	press(p, "Count bots too")
	panelSays(t, p, "Bots are counted too", "Clicks\n1")
	press(p, "Leave them out")
	panelSays(t, p, "Count bots too")
	p.Close()

	part := o.click("/sample", 200, 200, 1280)
	part["tags"], part["sel"], part["ax"], part["ay"] = []string{"sampled:0.25"}, "body>div", 0.5, 0.1
	o.send(o.click("/sample", 400, 200, 1280), part)
	p = o.open("/sample", browser.Desktop)
	panelSays(t, p, "A sample: 25% of page loads")
	for _, dark := range []bool{false, true} {
		p.Dark(dark)
		p.Keep(fmt.Sprintf("overlay-sampled-%v", dark))
	}
	silent(t, p)
	p.Close()
	a := o.appAt(browser.Desktop, "/sample", "&frame=1280")
	a.see(".numbers .sampled", "A sample: 25 % of page loads")
	a.see(".frame-says .sampled", "A sample: 25 % of page loads")
	a.Keep("app-sampled")
	a.Close()
}
