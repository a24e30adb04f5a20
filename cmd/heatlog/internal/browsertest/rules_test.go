package browsertest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"heatlog/cmd/heatlog/internal/browser"
)

// TestAppReplays goes the way of who changes a rule: writes it wrong, is shown where, puts it right, looks at the result,
// switches, and goes back.
func TestAppReplays(t *testing.T) {
	t.Parallel()
	server := appServer(t)
	a := openApp(t, server, browser.Desktop, true, "#/")
	a.press(".menu a", "Rules")
	a.see("h1", "Rules")
	a.see(".generation", "g1Active")
	a.press(".button.primary", "Change the rules")
	a.Wait(`document.querySelector("#rules")?.value.startsWith("# The default rules.")`)
	a.fill("#rules", "exclude:\n  - visitor == \"v0\"\nexclud: []\n")
	a.press("button.primary", "Count anew by these rules")
	a.see("#rules-problem", `unknown key "exclud"`)
	a.Wait(`document.querySelector(".editor .here")?.textContent.trim() === "3"`)
	if got := browser.Eval[string](a.Page, `(e => e.value.slice(e.selectionStart, e.selectionEnd))(document.activeElement)`); got != "exclud: []" {
		t.Errorf("chosen is %q, want the line that is wrong", got)
	}
	a.fill("#rules", "exclude:\n  - visitor == \"v0\"\n")
	a.press("button.primary", "Count anew by these rules")
	a.see("h1", "g2")
	a.see(".generation", "Ready")
	a.see(".counts", `visitor == "v0"`)
	a.see(".text", "exclude:")
	a.see(".verdict", "All that must hold holds.")
	a.see(".differences", "https://shop.example")
	a.press(".report-checks summary", "things compared")
	a.see(".report-checks", "recounted from the journal, byte for byte")

	var list struct {
		Generations []struct{ Counts struct{ Hits, Excluded int } }
	}
	server.Ask("/v1/generations", nil, &list)
	before, after := list.Generations[0].Counts, list.Generations[1].Counts
	if after.Excluded == 0 || before.Hits != after.Hits+after.Excluded {
		t.Errorf("counted are %+v, then %+v", before, after)
	}
	a.press(".look a", "shop")
	a.see(".by", "This is by the rules of g2, which is not active.")
	if browser.Eval[bool](a.Page, `document.querySelector(".menu a").hasAttribute("aria-current")`) {
		t.Error("the menu says that this is the view of rules")
	}
	a.see(".figures", "Views106Visitors59")
	a.press(".by button", "Show what is active")
	a.see(".figures", "Views110Visitors60")

	a.Goto(server.Base + "/#/rules")
	a.press(".generation button", "Switch to g2")
	a.see("dialog", "every map and number comes from g2")
	a.Press("Escape")
	a.Wait(`!document.querySelector("dialog")`)
	a.press(".generation button", "Switch to g2")
	a.press("dialog .primary", "Switch to g2")
	a.Wait(`!document.querySelector("dialog")`)
	a.see(".generation:first-child", "g2Active")
	a.see(".generation", "It is removed on")
	a.Goto(server.Base + "/#/site/shop")
	a.see(".figures", "Views106Visitors59")
	a.Goto(server.Base + "/#/rules")
	a.press(".generation button", "Go back to g1")
	a.press("dialog .primary", "Go back to g1")
	a.see(".generation:first-child", "g1Active")
	a.press(".generation button", "Remove")
	a.see("dialog", "you cannot go back to it")
	a.press("dialog .primary", "Remove")
	a.Wait(`document.querySelectorAll(".generation").length === 1`)
	a.Goto(server.Base + "/#/rules/g2")
	a.see(".empty", "There is no g2")
	a.calm(http.StatusBadRequest, http.StatusNotFound, http.StatusConflict)
}

// TestAppReplaysAPart counts one site anew, sees what is carried over, and switches to it.
func TestAppReplaysAPart(t *testing.T) {
	t.Parallel()
	server := appServer(t)
	a := openApp(t, server, browser.Phone, true, "#/rules/new")
	a.press("summary", "Count only a part anew")
	a.press(".check", "blog")
	a.press("button.primary", "Count anew by these rules")
	a.see(".generation", "counts blog anew")
	a.see("#carried", "Carried over, not counted anew")
	a.see("[aria-labelledby=carried] tbody tr", "shopall until it was begung1")
	a.fits("carried", browser.Phone)
	a.press(".generation button", "Switch to g2")
	a.press("dialog .primary", "Switch to g2")
	a.see(".generation", "Active")
	a.Goto(server.Base + "/#/site/shop")
	a.see(".figures", "Views110Visitors60")
	a.calm(http.StatusConflict)
}

// generationsUnderway is an answer of a server that is in the middle of things, for its looks alone: no test can hold a server there.
const generationsUnderway = `{"active":"g3","generations":[
	{"id":"g2","state":"retired","spec":"1d44f03e57678e25","scope":{},"created":"2026-01-03T08:12:00Z","until":"2026-02-04T09:30:00Z",
		"progress":{"hits":51310442,"of":51310442,"hits_per_second":212,"positions":{}},"counts":{"read":51310442,"excluded":0,"hits":51298001,"bots":120331}},
	{"id":"g3","state":"active","spec":"2bbb776bc196c95e","scope":{},"created":"2026-02-03T09:28:00Z",
		"progress":{"hits":51310442,"of":51310442,"hits_per_second":212,"positions":{}},"counts":{"read":51310442,"excluded":412005,"hits":50885996,"bots":120331}},
	{"id":"g4","state":"failed","spec":"3bbb776bc196c95e","scope":{"sites":["shop"]},"created":"2026-02-03T11:02:00Z","reason":"segment journal/j1/00000000000000000007.hjs, offset 4096: checksum 1f2e3d4c, want 5a6b7c8d",
		"progress":{"hits":0,"of":0,"hits_per_second":0,"positions":{}}},
	{"id":"g5","state":"building","activate":true,"spec":"4bbb776bc196c95e","scope":{},"created":"2026-02-03T12:40:00Z",
		"progress":{"hits":22310442,"of":51310442,"hits_per_second":2104331.2,"eta_seconds":13.8,"positions":{}},"counts":{"read":22310442,"excluded":101200,"hits":22190000,"bots":55020}}]}`

// TestAppFitsItsRules looks at the views of rules at every size, light and dark, as TestAppFitsItsScreens does.
func TestAppFitsItsRules(t *testing.T) {
	t.Parallel()
	server := appServer(t)
	const rules = "# 2026-02-03: load test that nobody switched off\nexclude:\n  - ip_tag == \"office\" or url contains \"/internal/a/rather/long/path/that/does/not/fit/on/a/phone/at/all\"\n"
	server.Post("/v1/generations", fmt.Sprintf(`{"rules":%q}`, strings.Replace(rules, `ip_tag == "office"`, `visitor == "v0"`, 1)))
	server.WaitGeneration("g2", "ready")
	server.Post("/v1/generations", `{"rules":"exclude: ['visitor == \"v0\"', 'kind == \"move\"']\nurls: {groups: [{match: 'https://shop.example/**', page: 'https://shop.example/'}]}\n"}`)
	server.WaitGeneration("g3", "ready")
	for _, size := range appSizes {
		a := openApp(t, server, size, true, "#/rules")
		a.Wait(`document.querySelectorAll(".generation").length === 3`)
		a.fits("rules", size)
		a.Goto(server.Base + "/#/rules/g2")
		a.Wait(`document.querySelector(".differences") && document.querySelector(".look")`)
		a.fits("generation", size)
		a.Goto(server.Base + "/#/rules/g3")
		a.see(".merges", "takes")
		browser.Eval[bool](a.Page, `(document.querySelector(".report-checks summary").click(), true)`)
		a.fits("report", size)
		a.Goto(server.Base + "/#/site/shop?generation=g2")
		a.Wait(`document.querySelector(".by") && document.querySelectorAll(".pages tbody tr").length === 4`)
		a.fits("by-generation", size)
		a.Goto(server.Base + "/#/rules/new?like=g2")
		a.Wait(`document.querySelector("#rules")`)
		browser.Eval[bool](a.Page, `(document.querySelector("summary").click(), true)`)
		a.fits("new-rules", size)
		a.fill("#rules", rules)
		a.press("button.primary", "Count anew by these rules")
		a.see("#rules-problem", "ip_tag")
		a.fits("new-rules-wrong", size)
		a.Goto(server.Base + "/#/rules/g9")
		a.see(".empty", "There is no g9")
		a.fits("no-generation", size)

		a.Goto(server.Base + "/#/")
		browser.Eval[bool](a.Page, fmt.Sprintf(`(() => {
			const real = fetch
			window.fetch = (path, ...more) => path === "v1/generations" ? Promise.resolve(new Response(%q)) : real(path, ...more)
			location.hash = "#/rules"
			return true
		})()`, generationsUnderway))
		a.see(".generation", "14 s left")
		a.fits("rules-underway", size)
		a.press(".generation button", "Give up")
		a.see("dialog", "No hit is lost")
		a.fits("rules-confirm", size)
		a.calm(http.StatusBadRequest, http.StatusNotFound, http.StatusConflict)
	}
}

// TestOverlayShowsAGeneration opens a page with the map of a generation that is not active.
func TestOverlayShowsAGeneration(t *testing.T) {
	o := ownSite(t, map[string]ownedPage{"page": {html: plainPage(1280, 1000)}})
	o.send(o.click("/page", 44, 204, 1280), o.click("/page", 52, 204, 1280), o.click("/page", 60, 204, 1280))
	o.server.Post("/v1/generations", `{"rules":"exclude: ['x == 52']"}`)
	o.server.WaitGeneration("g2", "ready")
	var link struct{ Link string }
	body := o.server.Post("/v1/overlay-links", fmt.Sprintf(`{"site":"shop","url":%q,"generation":"g2"}`, o.base+"/page"))
	if err := json.Unmarshal(body, &link); err != nil {
		t.Fatal(err)
	}
	p := chrome.Open(t, browser.Desktop)
	p.Goto(link.Link)
	p.Wait(`document.querySelector("` + overlayHost + `")`)
	panelSays(t, p, "2 clicks", "by g2")
	p.Goto(o.base + "/page") // the overlay stays open in its tab
	p.Wait(`document.querySelector("` + overlayHost + `")`)
	panelSays(t, p, "2 clicks", "by g2")
	o.enter(p, "/page")
	panelSays(t, p, "3 clicks")
	silent(t, p)
}
