package accuracy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"heatlog/cmd/heatlog/internal/browser"
)

// points is how many the overlay draws while the page is scrolled.
const points = 100_000

// wrapFrames has a page note what the callbacks of each frame take, by the time of the frame.
const wrapFrames = `{
	const next = requestAnimationFrame
	window.frames = new Map()
	window.requestAnimationFrame = f => next(at => {
		const begun = performance.now()
		f(at)
		window.frames.set(at, (window.frames.get(at) ?? 0) + performance.now() - begun)
	})
	window.scrollThrough = () => new Promise(done => {
		const times = []
		window.frames.clear()
		const step = at => {
			times.push(at)
			scrollTo({top: 1000 + times.length * 37, behavior: "instant"})
			times.length < 240 ? next(step) : next(() => done({took: [...window.frames.values()], between: times.slice(1).map((t, i) => t - times[i])}))
		}
		next(step)
	})
}`

// scrolled is what a page says of its frames, ms.
type scrolled struct{ Took, Between []float64 }

// at gives the time that a share of the frames do not exceed.
func at(times []float64, share float64) float64 {
	slices.Sort(times)
	return times[min(int(share*float64(len(times))), len(times)-1)]
}

// scrolling measures what the overlay takes of each frame while a page of 10,000 elements is scrolled, with the clicks at
// places of the page, and at elements, and how long frames take without and with it.
func (s *site) scrolling(a *table) {
	s.t.Helper()
	now := time.Now().UnixMilli()
	s.importMany(func(line func(string, ...any)) {
		for i := range points {
			line(`{"t":%d,"site":"shop","url":"%s/many.html?by=place","kind":"click","x":%d,"y":%d,"vw":1280}`, now, s.base, i%160*8, i/160*96)
		}
	})
	s.importMany(func(line func(string, ...any)) {
		for i := range points { // 2,000 rows, each in 50 places
			row, place := i/50, i%50
			line(`{"t":%d,"site":"shop","url":"%s/many.html?by=element","kind":"click","x":9,"y":9,"vw":1280,"sel":"body>main>section:nth-of-type(%d)>div>div:nth-of-type(%d)","ax":%g,"ay":%g,"bw":1280,"bh":24}`,
				now, s.base, row/50+1, row%50+1, 0.01+float64(place%25)/26, 0.25+0.5*float64(place/25))
		}
	})
	plain := s.frames("by=none", "")
	a.told("scrolling without a map, between two frames, p95", at(plain.Between, 0.95), "ms")
	for _, by := range []string{"place", "element"} {
		f := s.frames("by="+by, "100,000")
		name := "scrolling with 100,000 points by " + by + ", "
		a.told(name+"of a frame, p50", at(f.Took, 0.5), "ms")
		a.atMost(name+"of a frame, p95", at(f.Took, 0.95), "ms", 4)
		a.told(name+"between two frames, p50", at(f.Between, 0.5), "ms")
		a.told(name+"between two frames, p95", at(f.Between, 0.95), "ms")
	}
}

// frames scrolls through the large page, with the overlay once its panel shows so many clicks; "" = without.
func (s *site) frames(query, clicks string) scrolled {
	s.t.Helper()
	address := s.base + "/many.html?" + query
	if clicks != "" {
		var a struct{ Link string }
		if err := json.Unmarshal(s.server.Post("/v1/overlay-links", fmt.Sprintf(`{"site":"shop","url":%q}`, address)), &a); err != nil {
			s.t.Fatal(err)
		}
		address = a.Link
	}
	p := chrome.Open(s.t, browser.Desktop)
	defer p.Close()
	p.BeforeLoad(wrapFrames)
	p.Goto(address)
	p.Wait(`document.readyState === "complete" && performance.now() > 600`)
	if clicks != "" {
		p.Wait(`document.querySelector("[data-hl-ignore]")`)
		settled := func() bool {
			return browser.InShadow[bool](p, "[data-hl-ignore]", fmt.Sprintf(`r => r.querySelector(".panel").innerText.includes(%q) && /[1-9]\d* clicks? in a spot/.test(r.querySelector(".panel").innerText)`, clicks))
		}
		for end := time.Now().Add(30 * time.Second); !settled(); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(end) {
				s.t.Fatalf("the overlay shows no %s clicks: %s", clicks, browser.InShadow[string](p, "[data-hl-ignore]", `r => r.querySelector(".panel").innerText`))
			}
		}
		// it has found and measured all elements when it only has a look now and then
		for !browser.Eval[bool](p, `new Promise(done => { const before = window.frames.size; setTimeout(() => done(window.frames.size - before < 50), 1000) })`) {
		}
	}
	f := browser.Eval[scrolled](p, `scrollThrough()`)
	if clicks != "" && len(f.Took) < 200 {
		s.t.Fatalf("%s: the overlay drew %d frames of 240", query, len(f.Took))
	}
	return f
}

// importMany sends lines in one request.
func (s *site) importMany(write func(line func(string, ...any))) {
	s.t.Helper()
	var b bytes.Buffer
	write(func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) })
	s.server.Import(&b, "")
	s.server.WaitCounted("shop")
}
