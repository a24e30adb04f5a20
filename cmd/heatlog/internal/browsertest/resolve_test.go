package browsertest

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"

	"heatlog/cmd/heatlog/internal/browser"
)

// TestResolver looks for anchors on pages that became others. An element is found, or nobody knows which it is: never another.
func TestResolver(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{"/p": `<!doctype html><link rel=icon href="data:,"><body>`})
	p := h.open(browser.Desktop, "/p")
	browser.Eval[bool](p, bundle(t, "hlResolve", "view/resolve.ts")+`; window.make = hlResolve.makeResolver; true`)
	// f wants the element with the id found, in a body; after a script too, which changes it.
	f := func(body, sel, text, id string, script ...string) {
		t.Helper()
		anchor := fmt.Sprintf(`{sel: %q}`, sel)
		if text != "" {
			anchor = fmt.Sprintf(`{sel: %q, check: %d}`, sel, textCheck(text))
		}
		got := browser.Eval[string](p, fmt.Sprintf("(async () => { document.body.innerHTML = `%s`; const r = make('shop'), a = %s, records = []; r.find(a); while (!r.work(5));"+
			"const o = new MutationObserver(l => records.push(...l)); o.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});"+
			"%s; await 0; if (records.length) r.changed(records); o.disconnect(); while (!r.work(5)); const e = r.find(a); return e ? e.className || e.localName : 'none' })()", body, anchor, strings.Join(script, "")))
		if got != id {
			t.Errorf("%s with %q: found %s, want %s", sel, text, got, id)
		}
	}
	const cards = `<main><div class=g><div><b>Avocet</b><button class=a>Buy</button></div><div><b>Plover</b><button class=p>Buy</button></div></div></main>`
	second := `body>main>div>div:nth-of-type(2)` + near("Plover") + `>button`
	f(cards, second, "Buy", "p")
	f(cards, second, "Buy", "p", `document.querySelector(".g").append(document.querySelector(".g").firstElementChild)`)
	f(cards, second, "Buy", "p", `document.querySelector(".g").prepend(Object.assign(document.createElement("div"), {innerHTML: "<b>Curlew</b><button class=c>Buy</button>"}))`)
	f(cards, second, "Buy", "none", `document.querySelector(".p").remove()`)
	f(cards, second, "Buy", "none", `document.querySelector(".p").parentNode.remove()`)
	f(cards, `body>main>div>div:nth-of-type(2)>button`, "", "p") // nothing but the order tells them apart
	f(`<main><h1 class=h>Now</h1></main>`, `body>main>h1`, "Before", "h")
	f(`<main><h1 class=h>Now</h1><h1>Other</h1></main>`, `body>main>h1`, "Before", "none")
	f(`<header><a class=h>Home</a></header><footer><a class=f>Home</a></footer>`, `body>header>a`, "Home", "h")
	f(`<header></header><footer><a class=f>Home</a></footer>`, `body>header>a`, "Home", "none")
	f(`<ul><li class=x>*<li class=y>*<li class=z>*</ul>`, `body>ul>li:nth-of-type(2)`, "*", "y")
	f(`<p class=p>One</p>`, `body>main>article.card p:hover`, "Three", "none")
	f(`<p class=p>One</p>`, `]]`, "", "none")
	f(`<div id=box></div>`, `#box>>>p`, "In", "q", `box.attachShadow({mode: "open"}).innerHTML = "<p>Not<p class=q>In"; box.title = 1`)
	h.quiet(p)
	p.Close()
}

// bundle gives a script that has what a file of web/front exports, as a global name.
func bundle(t testing.TB, name, file string) string {
	t.Helper()
	r := api.Build(api.BuildOptions{
		EntryPoints: []string{filepath.Join("..", "..", "..", "..", "web", "front", file)},
		Bundle:      true, Format: api.FormatIIFE, GlobalName: name, Target: api.ES2020, Outfile: "bundle.js",
	})
	if len(r.Errors) > 0 {
		t.Fatalf("bundle %s: %s", file, r.Errors[0].Text)
	}
	return string(r.OutputFiles[0].Contents)
}
