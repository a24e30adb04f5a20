package browsertest

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"heatlog/cmd/heatlog/internal/browser"
)

// textCheck is the hash that an element of the site shop has, which says this.
func textCheck(said string) int {
	h := uint32(1)
	for _, c := range "shop" + said {
		h = (h ^ uint32(c)) * 16777619
	}
	return int((h ^ h>>16) & 0xffff)
}

// near is the comment of a step near whose element this is said.
func near(said string) string { return "/*" + strconv.FormatInt(int64(textCheck(said)), 36) + "*/" }

const anchorPage = `<style>body { margin: 0 } body * { margin: 0; padding: 0; border: 0; font: 16px/20px serif } body > * { display: block; width: 400px; height: 40px; overflow: hidden }
	iframe { border: 3px solid !important }</style>
<section data-id=one><h2>Plover 2</h2><button>Buy</button></section>
<section><h2>Avocet</h2><button class="css-81" id=b12>Buy</button></section>
<form><input name=mail value=secret><textarea id=t9>secret</textarea></form>
<p><b contenteditable>typed</b></p>
<nav><a href="#a" aria-label="Top"></a><a href="#b"><img src="data:," alt="Sea"></a><a href="#c"><img src="data:,"></a></nav>
<div>` + "<i>x</i>" + `</div>`

// TestTrackerAnchors compares anchors with what they must say: nothing generated, nothing typed, and what tells one of many
// from the others.
func TestTrackerAnchors(t *testing.T) {
	t.Parallel()
	type anchor struct {
		target, sel string
		check       any
	}
	f := func(tag string, anchors ...anchor) {
		t.Helper()
		h := newHost(t, map[string]string{"/p": strings.Replace(tracked, "data-site", tag+" data-site", 1) + anchorPage})
		p := h.open(browser.Desktop, "/p")
		for _, a := range anchors {
			browser.Eval[bool](p, fmt.Sprintf(`document.querySelector(%q).click(), true`, a.target))
		}
		hits := h.awaitHits("click", len(anchors))
		for i, a := range anchors {
			if check, ok := a.check.(int); ok {
				a.check = float64(check)
			}
			if c := hits[i]; c["sel"] != a.sel || c["check"] != a.check {
				t.Errorf("%s is %v, %v, want %v, %v", a.target, c["sel"], c["check"], a.sel, a.check)
			}
		}
		h.quiet(p)
		p.Close()
	}
	f("data-check=off", anchor{"#b12", `body>section:nth-of-type(2)>button`, nil})
	f("",
		anchor{"section button", `body>section[data-id="one"]` + near("Plover") + `>button`, textCheck("Buy")},
		anchor{"#b12", `body>section:nth-of-type(2)` + near("Avocet") + `>button`, textCheck("Buy")},
		anchor{"section", `body>section[data-id="one"]`, textCheck("Plover")},
		anchor{"section h2", `body>section[data-id="one"]` + near("Plover") + `>h2`, textCheck("Plover")}, // buttons name no card
		anchor{"input", `body>form>input[name="mail"]`, nil},
		anchor{"textarea", `body>form>textarea`, nil},
		anchor{"form", `body>form`, textCheck("^Plover")}, // it has no text but what is typed, nor has it attributes: what is around
		anchor{"b", `body>p>b`, textCheck("^^Plover")},
		anchor{"a", `body>nav>a:nth-of-type(1)`, textCheck("Top")},
		anchor{"img", `body>nav>a:nth-of-type(2)` + near("#b") + `>img`, textCheck("Sea")},
		anchor{"nav > a:nth-child(3)", `body>nav>a:nth-of-type(3)`, textCheck("#c")},
	)
}

// TestTrackerFrames clicks into frames: of this origin, of one that counts its own clicks, and one that is loaded anew.
func TestTrackerFrames(t *testing.T) {
	t.Parallel()
	h := newHost(t, map[string]string{
		"/p":    tracked + anchorPage + `<main style="height:1000px;width:900px"><iframe id=one style="width:300px;height:200px" src="/in"></iframe><iframe id=own style="width:300px;height:200px" src="/own"></iframe></main>`,
		"/in":   `<!doctype html><body style="margin:0;height:900px"><label style="display:block;height:50px;width:200px">In <input type=checkbox></label><p style="margin:0;height:40px">end`,
		"/own":  tracked + `<body style="margin:0;height:900px"><p>own`,
		"/next": `<body style="margin:0"><u style="display:block;height:50px">next`,
	})
	p := h.open(browser.Desktop, "/p")
	p.Wait(`[...document.querySelectorAll("iframe")].every(f => f.contentDocument.readyState === "complete")`)
	browser.Eval[bool](p, `document.querySelector("#one").contentWindow.scrollTo(0, 20), scrollTo(0, 60), true`)
	top := browser.Eval[float64](p, `document.querySelector("#one").getBoundingClientRect().top`)
	p.Click(103, top+3+10)
	p.Click(403, top+30) // counts as the other page's
	c := h.awaitHits("click", 2)
	var one map[string]any
	for _, hit := range c {
		if hit["url"] == "/p" {
			one = hit
		}
	}
	want := object{"sel": "#one>>>body>label", "check": float64(textCheck("In")), "x": 103.0, "y": top + 60 + 13, "ax": 0.5, "ay": 0.6, "bw": 200.0, "bh": 50.0, "in": "#one>>>html", "iy": 20.0}
	for name, v := range want {
		if one[name] != v {
			t.Errorf("%s is %v, want %v", name, one[name], v)
		}
	}
	browser.Eval[bool](p, `document.querySelector("#one").src = "/next", true`)
	p.Wait(`document.querySelector("#one").contentDocument.querySelector("u")`)
	pass(p, 300)
	p.Click(103, top+20)
	if c := h.awaitHits("click", 3)[2]; c["sel"] != "#one>>>body>u" || c["dead"] != nil {
		t.Errorf("in the next page of a frame: %v", c)
	}
	pass(p, 1200)
	if n := len(h.hits("click")); n != 3 {
		t.Errorf("%d clicks, want 3", n)
	}
	h.quiet(p)
}
