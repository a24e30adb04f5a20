package browsertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image/color"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/browser"
	"heatlog/cmd/heatlog/internal/heatlogtest"
)

// overlayHost finds the element of the overlay.
const overlayHost = "[data-hl-ignore]"

// owner is an owner's site: pages of another origin than the server's, with its tag.
type owner struct {
	t       *testing.T
	server  *heatlogtest.Server
	base    string                  // origin of the pages
	gate    string                  // origin that passes requests on to the server
	outage  *atomic.Pointer[outage] // what the gate does to reading routes instead
	deaf    *atomic.Bool            // the gate keeps hits from the server
	listed  *atomic.Pointer[string] // what the gate answers for a page's elements instead
	lives   *streams                // through the gate
	lists   *atomic.Int64           // how often it did
	reading *atomic.Bool            // the gate says that history is read still, where it tells of what is listed
	mute    *atomic.Bool            // streams through the gate end at once and for good
	asked   *atomic.Int64           // requests to reading routes through the gate
	expired *atomic.Pointer[string] // a token that the gate takes for too old
}

// outage is an answer in the server's place; status 0 breaks the connection off.
type outage struct {
	status int
	body   string
}

// ownedPage is one page, at /name. %TAG% in its HTML is the tag.
type ownedPage struct {
	html, policy string
}

// %GATE% in a policy is the origin that scripts come from and answers too.
const strictPolicy = "default-src 'none'; script-src %GATE%; connect-src %GATE%; img-src data:"

// plainPage is a white page of a size.
func plainPage(width, height int) string {
	return fmt.Sprintf(`<!doctype html><meta name=viewport content="width=device-width"><link rel=icon href="data:,">%%TAG%%<body style="margin:0;background:#fff"><div style="width:%dpx;height:%dpx;max-width:100%%"></div>`, width, height)
}

func ownSite(t *testing.T, pages map[string]ownedPage) *owner {
	t.Helper()
	o := &owner{
		t: t, server: heatlogtest.Start(t, t.TempDir()), outage: new(atomic.Pointer[outage]), deaf: new(atomic.Bool), listed: new(atomic.Pointer[string]),
		lists: new(atomic.Int64), lives: new(streams), mute: new(atomic.Bool), reading: new(atomic.Bool), asked: new(atomic.Int64),
		expired: new(atomic.Pointer[string]),
	}
	o.gate = o.openGate()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			page = ownedPage{html: plainPage(600, 3000)}
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if page.policy != "" {
			w.Header().Set("Content-Security-Policy", strings.ReplaceAll(page.policy, "%GATE%", o.gate))
		}
		io.WriteString(w, strings.Replace(page.html, "%TAG%", `<script defer src="`+o.gate+`/hl.js" data-site="shop"></script>`, 1))
	}))
	t.Cleanup(site.Close)
	o.base = site.URL
	o.server.AddSite("shop", "Europe/Prague", o.base)
	return o
}

// in is the same for a part of the test.
func (o *owner) in(t *testing.T) *owner {
	part := *o
	part.t = t
	return &part
}

// openGate opens a way to the server that can be closed.
func (o *owner) openGate() string {
	to, err := url.Parse(o.server.Base)
	if err != nil {
		o.t.Fatal(err)
	}
	pass := httputil.NewSingleHostReverseProxy(to)
	pass.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	var reads http.HandlerFunc = func(w http.ResponseWriter, r *http.Request) {
		if list := o.listed.Load(); list != nil && r.URL.Path == "/v1/elements" {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Access-Control-Allow-Headers", "Authorization")
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, *list)
			o.lists.Add(1)
			return
		}
		out := o.outage.Load()
		if old := o.expired.Load(); old != nil && strings.Contains(r.Header.Get("Authorization"), *old) {
			out = &outage{http.StatusUnauthorized, `{"error":{"code":"expired","message":"the overlay link has expired"}}`}
		}
		if out == nil || !strings.HasPrefix(r.URL.Path, "/v1/") || (r.Method != http.MethodGet && r.URL.Path != "/v1/queries") {
			pass.ServeHTTP(w, r)
			return
		}
		if out.status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
		w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(out.status)
		io.WriteString(w, out.body)
	}
	live := &told{reads, o.reading}
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && o.deaf.Load() && r.URL.Path == "/v1/in" {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if isStream(r) {
			follows, ended := o.lives.follow(r)
			defer ended()
			r = follows
		}
		switch {
		case o.mute.Load() && isStream(r):
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Access-Control-Allow-Headers", "Authorization")
			w.Header().Set("Content-Type", "text/event-stream")
			io.WriteString(w, "event: bye\ndata: {\"event\":\"bye\",\"code\":\"too_many\"}\n\n")
		case strings.HasPrefix(r.URL.Path, "/v1/queries") && o.outage.Load() == nil && o.listed.Load() != nil:
			live.ServeHTTP(w, r)
		default:
			if r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/v1/") && !isStream(r) {
				o.asked.Add(1)
			}
			reads(w, r)
		}
	}))
	o.t.Cleanup(gate.Close)
	return gate.URL
}

// fail makes reading routes answer so, from now on; nil ends it.
func (o *owner) fail(out *outage) {
	o.outage.Store(out)
	if out != nil {
		o.lives.cut()
	}
}

// click gives the import line of a click on a page, now.
func (o *owner) click(page string, x, y, vw int) map[string]any {
	return map[string]any{"t": time.Now().UnixMilli(), "site": "shop", "url": o.base + page, "kind": "click", "x": x, "y": y, "vw": vw, "vh": 800, "visitor": fmt.Sprint(x, y)}
}

func (o *owner) send(hits ...map[string]any) {
	o.t.Helper()
	var lines bytes.Buffer
	e := json.NewEncoder(&lines)
	for _, h := range hits {
		if err := e.Encode(h); err != nil {
			o.t.Fatal(err)
		}
	}
	o.server.Import(&lines, "")
	o.server.WaitCounted("shop")
}

// open opens a page with its overlay in a new tab, and waits for the panel.
func (o *owner) open(page string, size browser.Size) *browser.Page {
	o.t.Helper()
	p := chrome.Open(o.t, size)
	o.enter(p, page)
	return p
}

func (o *owner) enter(p *browser.Page, page string) {
	o.t.Helper()
	p.Goto(overlayLink(o.t, o.server, "shop", o.base+page))
	p.Wait(`document.querySelector("` + overlayHost + `")`)
}

// inPanel gives the value of a function of the overlay's shadow root.
func inPanel[T any](p *browser.Page, function string) T {
	return browser.InShadow[T](p, overlayHost, function)
}

// panelSays waits until the text of the panel has each of these texts.
func panelSays(t *testing.T, p *browser.Page, texts ...string) {
	t.Helper()
	said := ""
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		said = inPanel[string](p, `r => r.querySelector(".panel").innerText`)
		if !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(said, text) }) {
			return
		}
	}
	t.Errorf("the panel says %q, want %q\nconsole: %q", said, texts, p.Console())
}

// pick chooses from one of the panel's lists.
func pick(p *browser.Page, label, value string) {
	inPanel[bool](p, fmt.Sprintf(`r => { const s = r.querySelector('[aria-label=%q]'); s.value = %q; s.dispatchEvent(new Event("change")); return true }`, label, value))
}

// press pushes a button of the panel, named by its label or text, as a script does.
func press(p *browser.Page, name string) {
	inPanel[bool](p, fmt.Sprintf(`r => { [...r.querySelectorAll("button")].find(b => (b.ariaLabel || b.innerText) === %q).click(); return true }`, name))
}

// showMap chooses clicks, scroll or attention.
func showMap(p *browser.Page, kind string) {
	inPanel[bool](p, fmt.Sprintf(`r => { r.querySelector('input[value=%s]').click(); return true }`, kind))
}

// silent fails the test if anything was written to the console.
func silent(t *testing.T, p *browser.Page) {
	t.Helper()
	if c := p.Console(); len(c) > 0 {
		t.Errorf("console: %q", c)
	}
}

// nearly reports whether a pixel is of a colour.
func nearly(got, want color.Color) bool {
	r, g, b, _ := got.RGBA()
	r2, g2, b2, _ := want.RGBA()
	far := func(a, b uint32) bool { return math.Abs(float64(a)-float64(b))/257 > 14 }
	return !far(r, r2) && !far(g, g2) && !far(b, b2)
}

var (
	white   = color.NRGBA{255, 255, 255, 255}
	hottest = blend(white, color.NRGBA{0xe0, 0x1b, 0x30, 240}, overlayOpacity) // the greatest heat of a page, over white
)

// wantPixel waits until a pixel of the viewport has a colour.
func wantPixel(t *testing.T, p *browser.Page, name string, x, y int, want color.Color) {
	t.Helper()
	var got color.Color
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(30 * time.Millisecond) {
		if got = p.Screenshot(name).At(x, y); nearly(got, want) {
			return
		}
		if time.Now().After(end) {
			t.Errorf("%s: pixel (%d, %d) is %v, want %v\nconsole: %q", name, x, y, got, want, p.Console())
			return
		}
	}
}

// overlayPages are the pages that are not plain.
var overlayPages = map[string]ownedPage{
	"elements": {html: elementsPage},
	"keyboard": {html: plainPage(600, 3000) + `<script>addEventListener("keydown", e => { if (e.key !== "Tab" && e.key !== "Escape") window.keys = 1 })</script>`},
	"css": {html: plainPage(600, 3000) + `<style>
		html { filter: hue-rotate(90deg) blur(1px); overflow-x: hidden }
		body { transform: translateX(0) }
		html > *:not(body):not(head), div, section, canvas, button { display: none !important; all: unset !important; transform: translate(-999px) scale(.1) !important; opacity: 0 !important;
			visibility: hidden !important; position: static !important; z-index: -1 !important; transition: all 60s !important; pointer-events: none !important; color: red !important; inset: auto !important }
		@layer page { html > * { clip-path: inset(50%) !important; width: 1px !important; zoom: .2 !important } }
		::backdrop { background: #0f0 !important; display: block !important }
		.roof { position: fixed !important; inset: 0 !important; z-index: 2147483647 !important; background: #fff; pointer-events: none }
		</style><div class=roof></div>`},
	"strict": {html: `<!doctype html><link rel=icon href="data:,">%TAG%<body bgcolor=white><table width=600 height=3000></table>`, policy: strictPolicy + "; require-trusted-types-for 'script'; trusted-types heatlog"},
	"frozen": {html: `<script>for (const c of [Object, Array, Function, String, Number, Promise, Error, Map, Set, RegExp, Date, Element, HTMLElement, Node, EventTarget, Event, CSSStyleDeclaration, Uint8Array, Float32Array]) Object.freeze(c.prototype), Object.freeze(c);
		Object.freeze(JSON); Object.freeze(Math); Object.freeze(history); Object.freeze(navigator)</script>` + plainPage(600, 3000)},
	"dialog": {html: plainPage(600, 3000) + `<dialog style="width:100%;height:100%;max-width:none;max-height:none;background:#fff;border:0;padding:0"></dialog>
		<script>setTimeout(() => document.querySelector("dialog").showModal(), 700)</script>`},
	"wipe": {html: plainPage(600, 3000) + `<script>setTimeout(() => { document.body.innerHTML = "<p>new"; for (const e of [...document.documentElement.children]) if (e.localName === "div") e.remove() }, 800);
		setTimeout(() => { document.documentElement.replaceWith(document.documentElement.cloneNode(true)); frame(() => frame(() => setTimeout(hide, 400))) }, 1200)
		const frame = requestAnimationFrame // in the next one the overlay is back, and its copy gone
		function hide() { for (const e of document.querySelectorAll("[popover]")) { e.removeAttribute("popover"); e.hidden = true; e.style.cssText = "display:none"; e.className = "x" } window.wiped = true }</script>`},
}
