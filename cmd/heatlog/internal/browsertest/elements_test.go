package browsertest

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/browser"
)

const elementsPage = `<!doctype html><meta name=viewport content="width=device-width"><link rel=icon href="data:,">%TAG%
<style>body{margin:0;background:#fff;font:16px/24px sans-serif;height:4000px}header{position:fixed;left:0;top:0;right:0;height:48px;background:#fff;border-bottom:1px solid #ccc;z-index:1}
header button{margin:8px 16px;width:96px;height:32px;border:0;background:#fff}main{padding:80px 16px}.card{height:120px;width:320px;border:1px solid #ddd;margin:0 0 16px}
.box{height:160px;width:320px;overflow:auto;border:1px solid #999}.box p{margin:0;height:64px}button{height:40px;width:160px;border:1px solid #888;background:#fff}</style>
<header><button>Menu</button></header>
<main><div id=cards><div class=card><h3>Avocet</h3><button>Buy</button></div><div class=card><h3>Plover</h3><button>Buy</button></div></div>
<div class=box><p>One<p>Two<p>Three<p>Four<p>Five</div><x-part></x-part><button id=shut hidden>Shut</button><iframe srcdoc="<body style='margin:0'><button style='width:160px;height:40px;border:0;background:#fff'>Pay</button>" style="border:0;width:320px;height:80px;display:block"></iframe></main>
<script>document.querySelector("x-part").attachShadow({mode: "open"}).innerHTML = "<p style='margin:16px 0;width:160px;height:40px'>Inside</p>"</script>`

// counted is an element of an answer of /v1/elements. Without a check it has the hash of its text.
func counted(sel, text string, hits int, cells ...[3]float64) map[string]any {
	if len(cells) == 0 {
		cells = [][3]float64{{0.5, 0.5, float64(hits)}}
	}
	e := map[string]any{"sel": sel, "hits": hits, "share": 0, "rage": 0, "dead": 0, "cells": cells}
	if text != "" {
		e["check"] = textCheck(text)
	}
	return e
}

// list makes the gate answer with elements.
func (o *owner) list(elements ...map[string]any) {
	o.t.Helper()
	hits := 0
	for _, e := range elements {
		hits += e["hits"].(int)
	}
	b, err := json.Marshal(map[string]any{"site": "shop", "url": o.base + "/elements", "kind": "click", "hits": hits + 10, "anchored": hits, "views": 100, "elements": append([]map[string]any{}, elements...),
		"others": map[string]int{"elements": 2, "hits": 4}, "rest": map[string]any{"hits": 6, "cell": 8, "points": [][3]int{{600, 600, 6}}},
		"generation": "g1", "positions": map[string]int{}, "lag_hits": 0, "took_ms": 1})
	if err != nil {
		o.t.Fatal(err)
	}
	text := string(b)
	o.listed.Store(&text)
}

// middle gives the middle of an element in the viewport, px. The expression is of the element; frame adds the place of one.
func middle(p *browser.Page, element string) (x, y int) {
	at := browser.Eval[[]float64](p, `(e => { let b = e.getBoundingClientRect(), f = e.ownerDocument.defaultView.frameElement, o = f ? f.getBoundingClientRect() : {left: 0, top: 0}
		return [o.left + b.left + b.width / 2, o.top + b.top + b.height / 2] })(`+element+`)`)
	return int(math.Round(at[0])), int(math.Round(at[1]))
}

// testElements wants heat at elements wherever these are: other places than when they were clicked, fixed ones, in boxes
// that scroll, in shadow roots and frames. What is hidden or gone is listed and nowhere drawn.
func (o *owner) testElements(t *testing.T) {
	defer o.listed.Store(nil)
	o.list(
		counted(`#cards>div:nth-of-type(1)`+near("Plover")+`>button`, "Buy", 100), // was the first when it was clicked
		counted(`body>header>button`, "Menu", 100),
		counted(`body>main>div:nth-of-type(2)>p:nth-of-type(2)`, "Two", 100),
		counted(`body>main>x-part>>>p`, "Inside", 100),
		counted(`body>main>iframe>>>body>button`, "Pay", 100),
		counted(`body>main>button`, "Shut", 20),
		counted(`body>main>a:nth-of-type(7)`, "No more", 30),
	)
	p := o.open("/elements", browser.Desktop)
	panelSays(t, p, "560", "98%", "54 clicks not drawn")
	hot := func(name, element string) {
		t.Helper()
		x, y := middle(p, element)
		wantRed(t, p, name, x, y)
	}
	all := func(name string) {
		t.Helper()
		hot(name, `document.querySelectorAll(".card button")[1]`)
		hot(name, `document.querySelector("header button")`)
		hot(name, `document.querySelectorAll(".box p")[1]`)
		hot(name, `document.querySelector("x-part").shadowRoot.querySelector("p")`)
		hot(name, `document.querySelector("iframe").contentDocument.querySelector("button")`)
		x, y := middle(p, `document.querySelectorAll(".card button")[0]`)
		wantPixel(t, p, name, x, y, white)
	}
	all("elements")
	p.ScrollTo(120)
	all("elements-scrolled")
	browser.Eval[bool](p, `document.querySelector(".box").scrollTop = 50, true`)
	all("elements-inner")
	browser.Eval[bool](p, `document.querySelector(".box").scrollTop = 150, true`) // the second line is cut off
	x, y := middle(p, `document.querySelectorAll(".box p")[1]`)
	wantPixel(t, p, "elements-cut", x, y, white)
	browser.Eval[bool](p, `document.querySelector(".box").scrollTop = 0, true`)

	// the page changes: something comes in front, classes get other names, an order is another, and the hidden one opens
	browser.Eval[bool](p, `(() => {
		const main = document.querySelector("main"), first = document.createElement("p")
		first.textContent = "New in front"; first.style.height = "70px"; main.prepend(first)
		document.querySelector("#shut").hidden = false })(), true`)
	panelSays(t, p, "34 clicks not drawn")
	all("elements-moved")
	lines := inPanel[[]string](p, `r => [...r.querySelectorAll(".absent li")].map(l => l.textContent)`)
	if got := strings.Join(lines, "|"); got != "main › a:nth-of-type(7)gone30|Elements that are not listed4" {
		t.Errorf("the list of what is not drawn: %q", got)
	}

	hx, hy := middle(p, `document.querySelector("header button")`)
	p.Hover(float64(hx), float64(hy))
	wantTip(t, p, "100 clicks · 18% · rank 2")
	inPanel[bool](p, `r => { [...r.querySelectorAll(".switch")].find(l => l.textContent.includes("Numbers")).querySelector("input").click(); return true }`)
	p.ScrollTo(0)
	p.Wait(`true`)
	for _, want := range []string{"18%", "3.6%"} {
		if got := inPanel[string](p, `r => new Promise(done => setTimeout(() => done([...r.querySelectorAll(".number")].filter(n => !n.hidden).map(n => n.textContent).join()), 300))`); !strings.Contains(got, want) {
			t.Errorf("numbers are %q, want %q among them", got, want)
		}
	}
	p.Keep("elements-numbers")
	p.Dark(true)
	p.Keep("elements-numbers-dark")
	p.Resize(browser.Phone)
	p.Keep("elements-phone-dark")
	p.Dark(false)
	p.Keep("elements-phone")
	silent(t, p)
	p.Close()
}

// wantRed waits until a pixel of the viewport is as red as heat is over paper and ink.
func wantRed(t *testing.T, p *browser.Page, name string, x, y int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(30 * time.Millisecond) {
		r, g, b, _ := p.Screenshot(name).At(x, y).RGBA()
		if r>>8 > 150 && r > g+0x5000 && r > b+0x5000 {
			return
		}
		if time.Now().After(end) {
			t.Errorf("%s: pixel (%d, %d) is %d, %d, %d, want red", name, x, y, r>>8, g>>8, b>>8)
			return
		}
	}
}

// wantTip waits until the tip says something that begins so.
func wantTip(t *testing.T, p *browser.Page, begins string) {
	t.Helper()
	got := inPanel[string](p, fmt.Sprintf(`r => new Promise(done => { const tip = r.querySelector(".tip"), end = Date.now() + 5000
		const look = () => tip.innerText.startsWith(%q) || Date.now() > end ? done(tip.innerText) : setTimeout(look, 30); look() })`, begins))
	if !strings.HasPrefix(got, begins) {
		t.Errorf("the tip says %q, want %q…", got, begins)
	}
}
