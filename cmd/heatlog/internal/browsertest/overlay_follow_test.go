package browsertest

import (
	"fmt"
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/browser"
)

// followPage has what moves, opens and comes later. Its elements are white, so that heat on them is as red as on paper.
const followPage = `<!doctype html><meta name=viewport content="width=device-width"><link rel=icon href="data:,">%TAG%
<style>body{margin:0;background:#fff;font:16px/20px sans-serif;color:#fff}*{box-sizing:border-box}main>*{display:block;width:320px;height:40px;margin:0 0 24px}
nav{position:fixed;top:0;right:400px;width:160px;height:40px}nav ul{margin:0;padding:0;list-style:none;height:0;overflow:hidden;transition:height .3s}nav.open ul{height:80px}nav li{height:40px}
.tip{position:relative}.tip b{display:none;position:absolute;left:340px;top:0;width:160px;height:40px}.tip:hover b{display:block}
iframe{border:0}main aside{position:sticky;top:200px;margin-left:500px;width:160px}</style>
<nav><ul><li>Shoes<li>Coats</ul></nav>
<main><x-late></x-late><x-part></x-part><p class=tip>Tip<b>Hint</b></p><iframe srcdoc="<body style='margin:0;color:#fff'><p style='margin:0;height:40px'>First"></iframe><div id=slot></div><aside>Aside</aside></main>
<div style="height:3000px"></div>`

// TestOverlayFollowsThePage wants heat at elements that come, move and go: menus that open, by a class and by the mouse, shadow
// roots that are attached later, frames that show another page, routes that draw other elements, and what sticks.
func TestOverlayFollowsThePage(t *testing.T) {
	o := ownSite(t, map[string]ownedPage{"follow": {html: followPage}})
	o.list(
		counted(`body>nav>ul>li:nth-of-type(2)`, "Coats", 100),
		counted(`body>main>x-late>>>p`, "Late", 100),
		counted(`body>main>x-part>>>p`, "Part", 100),
		counted(`body>main>p>b`, "Hint", 100),
		counted(`body>main>iframe>>>body>p`, "Second", 100),
		counted(`#slot>p`, "Route", 100),
		counted(`body>main>aside`, "Aside", 100),
	)
	p := o.open("/follow", browser.Desktop)
	missing := func(hits int) {
		t.Helper()
		panelSays(t, p, fmt.Sprintf("%d clicks not drawn", hits+4)) // the answer has 4 at elements that it does not list
	}
	hot := func(name, element string) {
		t.Helper()
		x, y := middle(p, element)
		wantRed(t, p, "follow-"+name, x, y)
	}
	do := func(script string) {
		t.Helper()
		browser.Eval[bool](p, script+`, true`)
	}
	const coats, aside = `document.querySelectorAll("nav li")[1]`, `document.querySelector("aside")`
	missing(400) // what is in the shut menu has a box, and the only line of the frame is it whatever it says
	hot("aside", aside)

	do(`document.querySelector("nav").className = "open"`)
	time.Sleep(400 * time.Millisecond) // the menu takes as long to open
	hot("menu", coats)
	p.ScrollTo(400)
	hot("menu-scrolled", coats)
	p.ScrollTo(0)

	do(`document.querySelector("x-late").attachShadow({mode: "open"}).innerHTML = "<p style='margin:0;height:40px'>Late"`)
	missing(300)
	hot("late", `document.querySelector("x-late").shadowRoot.querySelector("p")`)
	do(`document.querySelector("x-part").attachShadow({mode: "open"})`)
	time.Sleep(600 * time.Millisecond) // the overlay has seen the root when it was empty
	do(`document.querySelector("x-part").shadowRoot.innerHTML = "<p style='margin:0;height:40px'>Part"`)
	missing(200)
	hot("part", `document.querySelector("x-part").shadowRoot.querySelector("p")`)
	do(`document.querySelector("x-part").shadowRoot.querySelector("p").style.marginLeft = "100px"`)
	hot("part-moved", `document.querySelector("x-part").shadowRoot.querySelector("p")`)

	x, y := middle(p, `document.querySelector(".tip")`)
	p.Hover(float64(x), float64(y))
	missing(100)
	hot("hover", `document.querySelector(".tip b")`)
	p.Hover(900, 700)
	missing(200)

	do(`document.querySelector("iframe").srcdoc = "<body style='margin:0;color:#fff'><p style='margin:20px 0 0 100px;height:20px'>Second"`)
	p.Wait(`document.querySelector("iframe").contentDocument.querySelector("p")?.textContent === "Second"`)
	hot("frame", `document.querySelector("iframe").contentDocument.querySelector("p")`)
	do(`document.querySelector("iframe").srcdoc = "<i>Third"`)
	missing(300)

	do(`history.pushState(null, "", "/follow?other"), document.querySelector("#slot").innerHTML = "<p style='margin:0;height:40px'>Route"`)
	missing(200)
	hot("route", `document.querySelector("#slot p")`)
	do(`document.querySelector("#slot").remove()`)
	missing(300)
	p.ScrollTo(150)
	hot("stuck", aside)
	silent(t, p)
	p.Close()
}
