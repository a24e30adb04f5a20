package browsertest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"heatlog/cmd/heatlog/internal/browser"
)

// with gives a page whose tag has more attributes.
func with(attributes string) string {
	return strings.Replace(tracked, "data-site", attributes+" data-site", 1) + `<body style="margin:0;height:2000px"><a href="/next">next</a><p>p</p>`
}

// settled lets a page be long enough for all that it would send.
const settled = 1500

// TestTrackerConsent asks for consent in each way, and looks for what is recorded, sent or stored without it.
func TestTrackerConsent(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{"/p": with(`data-consent="required"`), "/next": tracked})
	p := h.open(browser.Desktop, "/p")
	p.Click(300, 300)
	pass(p, settled)
	browser.Eval[bool](p, `history.pushState(0, "", "/p?route"), true`)
	p.ScrollTo(200)
	browser.Eval[bool](p, `heatlog.consent("yes"), heatlog.consent(1), heatlog.consent(), true`) // is no consent
	p.Click(310, 300)
	p.Goto(h.URL + "/p")
	browser.Eval[bool](p, `(dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true})), true)`)
	p.Click(320, 300)
	pass(p, settled)
	h.quiet(p)
	if n := len(h.batches()); n > 0 {
		t.Fatalf("%d batches without consent", n)
	}
	browser.Eval[bool](p, `heatlog.consent(true), heatlog.consent(true), true`)
	p.Click(330, 300)
	if c, v := h.awaitHits("click", 1), h.hits("view"); len(v) != 1 || c[0]["x"] != 330.0 || c[0]["view"] != v[0]["view"] {
		t.Errorf("after consent: clicks %v, views %v", c, v)
	}
	p.Click(340, 300)
	browser.Eval[bool](p, `heatlog.consent(false), true`) // before the click was sent
	n := len(h.batches())
	p.Click(350, 300)
	pass(p, settled)
	p.Close()
	if got := h.batches()[n:]; len(got) > 0 || len(h.hits("click")) != 1 {
		t.Errorf("after consent was taken back: %v", got)
	}
}

// TestTrackerConsentDropsWhatIsStored: what could not be delivered is forgotten when consent is taken back, here by the next page.
func TestTrackerConsentDropsWhatIsStored(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{"/p": with(""), "/ask": with("data-consent")})
	h.answer = func(int) int { return http.StatusServiceUnavailable }
	p := h.open(browser.Desktop, "/p")
	p.Click(300, 300)
	h.await("a try", func() bool { return len(h.batches()) > 0 })
	pass(p, 100)
	p.Goto(h.URL + "/ask")
	if n := stored(p); n == 0 {
		t.Error("nothing was stored")
	}
	n := len(h.batches())
	pass(p, settled)
	if got := h.batches()[n:]; len(got) > 0 || stored(p) == 0 {
		t.Errorf("before consent: %v", got)
	}
	h.mu.Lock()
	h.answer = nil
	h.mu.Unlock()
	browser.Eval[bool](p, `localStorage.mine = "1", heatlog.consent(false), heatlog.consent(true), true`)
	h.await("the view after consent", func() bool { return len(h.batches()) > n })
	for _, b := range h.batches()[n:] {
		if !strings.HasSuffix(b.URL, "/ask") {
			t.Errorf("after consent was taken back: %v", b)
		}
	}
	if browser.Eval[string](p, `localStorage.mine`) != "1" || stored(p) != 0 {
		t.Error("the storage of the page is not as it was")
	}
}

// stored gives how many characters the tracker has stored in a page's origin.
func stored(p *browser.Page) int {
	return browser.Eval[int](p, `Object.keys(localStorage).filter(k => k.startsWith("hl:")).reduce((n, k) => n + localStorage[k].length, 0)`)
}

// TestTrackerConsentBesideOthers: what a page calls heatlog stays its own, and two trackers both hear of consent.
func TestTrackerConsentBesideOthers(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{
		"/own":    `<script>window.heatlog = {mine: 1}</script>` + with(""),
		"/taken":  `<script>window.heatlog = {consent: () => "mine"}</script>` + with(""),
		"/early":  `<script>window.heatlog = {consent: true}</script>` + with("data-consent"),
		"/no":     `<script>window.heatlog = {consent: false}</script>` + with(""),
		"/named":  with("") + `<p id=heatlog>`,
		"/frozen": `<script>Object.defineProperty(window, "heatlog", {value: undefined})</script>` + with(""),
		"/throws": `<script>Object.defineProperty(window, "heatlog", {get() { throw 1 }})</script>` + with(""),
		"/two":    with("data-consent") + `<script defer src="/hl.js" data-site="other" data-consent></script>`,
	})
	p := chrome.Open(t, browser.Desktop)
	i := 0
	for path, want := range map[string]string{
		"/own": `heatlog.mine === 1 && heatlog.consent(true) === undefined`, "/taken": `heatlog.consent() === "mine"`, "/early": `typeof heatlog.consent === "function"`, "/named": `heatlog.localName === "p"`, "/frozen": `heatlog === undefined`, "/throws": `true`,
	} {
		p.Goto(h.URL + path)
		if !browser.Eval[bool](p, want) {
			t.Errorf("%s: heatlog is another", path)
		}
		i++
		h.awaitHits("view", i)
	}
	p.Goto(h.URL + "/no")
	p.Click(300, 300)
	pass(p, settled)
	p.Goto(h.URL + "/two")
	browser.Eval[bool](p, `(window.heatlog.consent(true), true)`)
	h.awaitHits("view", i+2)
	sites := map[string]bool{}
	for _, b := range h.batches() {
		sites[b.Site] = true
	}
	if !sites["shop"] || !sites["other"] {
		t.Errorf("sites: %v", sites)
	}
	for _, hit := range h.hits("") {
		if hit["url"] == "/no" {
			t.Errorf("without consent: %v", hit)
		}
	}
	h.quiet(p)
}

// TestTrackerConsentChanges takes consent back and gives it again, as a visitor who changes their mind: all is counted from then on.
func TestTrackerConsentChanges(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{"/p": with(""), "/ask": with("data-consent")})
	p := chrome.Open(t, browser.Desktop)
	views, clicks := 0, 0
	for _, path := range []string{"/p", "/ask"} {
		p.Goto(h.URL + path)
		for _, wait := range []int{0, 100, settled} {
			browser.Eval[bool](p, `heatlog.consent(false), true`)
			p.Click(300, 300)
			pass(p, wait)
			browser.Eval[bool](p, `heatlog.consent(true), true`)
			pass(p, settled) // a view of its own
			for range 3 {
				p.Click(300, 300)
			}
			views, clicks = views+1, clicks+3
			h.awaitHits("click", clicks)
		}
	}
	h.quiet(p)
	if got := len(h.hits("view")); got < views || len(h.hits("click")) != clicks {
		t.Errorf("%d views and %d clicks, want at least %d and %d", got, len(h.hits("click")), views, clicks)
	}
}

// TestTrackerSignals sets what browsers say for their visitors, beside what the owner has said about it.
func TestTrackerSignals(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{})
	p := chrome.Open(t, browser.Desktop)
	gpc, dnt := `Object.defineProperty(navigator, "globalPrivacyControl", {value: true})`, `Object.defineProperty(navigator, "doNotTrack", {value: "1"})`
	views := 0
	for i, c := range []struct {
		tag, signals string
		recorded     bool
	}{
		{``, gpc + ";" + dnt, true},
		{`data-respect="gpc dnt"`, ``, true},
		{`data-respect=" dnt  gpc "`, ``, true},
		{`data-respect="gpc"`, gpc, false},
		{`data-respect="gpc"`, dnt, true},
		{`data-respect="dnt"`, dnt, false},
		{`data-respect="dnt"`, gpc, true},
		{`data-respect="gpc dnt"`, dnt, false},
		{`data-respect="dnt gpc"`, gpc, false},
		{`data-respect="GPC"`, ``, false}, // nobody knows what was meant: the safe side
		{`data-respect="gpc, dnt"`, ``, false},
		{`data-respect="all"`, ``, false},
		{`data-respect`, gpc, false},
		{`data-consent`, ``, false},
		{`data-consent="requird"`, ``, false},
	} {
		path := fmt.Sprint("/", i)
		h.pages[path] = "<script>" + c.signals + "</script>" + with(c.tag)
		p.Goto(h.URL + path)
		p.Click(300, 300)
		if c.recorded {
			views++
			h.awaitHits("view", views)
		} else {
			pass(p, settled)
		}
		if got := slices.ContainsFunc(h.hits("view"), func(v map[string]any) bool { return v["url"] == path }); got != c.recorded {
			t.Errorf("%s with %s: recorded is %v", c.tag, c.signals, got)
		}
		if !c.recorded { // what a visitor says to this page is more than what the browser says to all
			browser.Eval[bool](p, `heatlog.consent(true), true`)
			views++
			h.awaitHits("view", views)
		}
		h.quiet(p)
	}
}

// TestTrackerSample loads pages of which a share is to be recorded.
func TestTrackerSample(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{})
	p := chrome.Open(t, browser.Desktop)
	for i, c := range []struct {
		tag    string
		random float64
		tags   []string // nil = nothing is recorded
	}{
		{`data-sample="0.25"`, 0.2499, []string{"sampled:0.25"}},
		{`data-sample="0.250" data-tags="variant:b"`, 0.1, []string{"sampled:0.250", "variant:b"}},
		{`data-sample="0.25"`, 0.25, nil},
		{`data-sample="0.25"`, 0.9, nil},
		{`data-sample="1"`, 0.9, []string{}},
		{`data-sample="25%"`, 0.9, []string{}}, // nobody knows what was meant: everything, and not called a sample
		{`data-sample="-0.5"`, 0.9, []string{}},
		{`data-sample=".25"`, 0.9, []string{}},
		{`data-sample=""`, 0.9, []string{}},
	} {
		path := fmt.Sprint("/", i)
		h.pages[path] = "<script>Math.random = () => " + strconv.FormatFloat(c.random, 'g', -1, 64) + "</script>" + with(c.tag)
		p.Goto(h.URL + path)
		browser.Eval[bool](p, `heatlog.consent(true), true`) // takes no page into the sample
		p.Click(300, 300)
		var tags []string
		arrived := func() bool {
			for _, b := range h.batches() {
				if strings.HasSuffix(b.URL, path) {
					tags = append([]string{}, b.Tags...)
				}
			}
			return tags != nil
		}
		if c.tags != nil {
			h.await("batch of "+path, arrived)
		} else {
			pass(p, settled)
			arrived()
		}
		if !slices.Equal(tags, c.tags) || (tags == nil) != (c.tags == nil) {
			t.Errorf("%s at %g: tags %q, want %q", c.tag, c.random, tags, c.tags)
		}
	}
	h.quiet(p)
	p.Goto(h.URL + "/3#hl=hlo_a.b-C_9")
	p.Wait(`document.querySelector("script[src$='/hl-view.js']") && !location.hash`) // the map opens all the same
}
