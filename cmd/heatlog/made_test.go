package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
)

// madeAgents are user agents of every class.
var madeAgents = []string{
	"", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
	"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1",
	"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
	"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
}

// madeURLs are ways to write few pages.
var madeURLs = []string{
	"https://made.example/", "https://made.example", "HTTPS://Made.Example:443/index.html", "https://user:pw@made.example/#top",
	"https://made.example/p/1?utm_source=x&b=2&a=1", "https://made.example/p/1/?a=1&b=2", "https://made.example/p/%31?b=2&GCLID=z&a=1",
	"https://made.example/P/1?a=1&b=2", "http://made.example/p/1?a=1&b=2", "https://made.example/app#/inbox", "https://made.example/app#!x",
	"https://made.example/caf%c3%a9", "https://made.example/caf%C3%A9?", "https://made.example/s?q=b&q=a&q=b", "https://made.example/a%2fb/index.html",
}

var madeWidths = []int{0, 31, 320, 375, 768, 1279, 1280, 1281, 1311, 1312, 1440, 1920}

// makeLines makes import lines from a fixed seed: hits of every kind over about four months, in bursts of a view, some
// sent twice under one id.
func makeLines(hits int) []byte {
	r := rand.New(rand.NewPCG(7, 11))
	var b bytes.Buffer
	const start, span = 1_761_000_000_000, 120 * 86_400_000
	for n := 0; n < hits; {
		page, agent, width := madeURLs[r.IntN(len(madeURLs))], madeAgents[r.IntN(len(madeAgents))], madeWidths[r.IntN(len(madeWidths))]
		visitor, at := r.IntN(400), int64(start)+r.Int64N(span)
		common := fmt.Sprintf(`"site":"made","url":%q,"vw":%d,"vh":%d,"view":"v%d","visitor":"p%d","ua":%q`, page, width, 500+r.IntN(5)*100, n, visitor, agent)
		n += makeView(r, &b, common, at)
	}
	return b.Bytes()
}

// makeView writes the hits of one page view and gives their number.
func makeView(r *rand.Rand, b *bytes.Buffer, common string, at int64) (n int) {
	line := func(format string, args ...any) {
		text := fmt.Sprintf(`{"t":%d,%s,%s}`, at, common, fmt.Sprintf(format, args...))
		b.WriteString(text + "\n")
		if strings.Contains(text, `"id"`) && r.IntN(2) == 0 {
			b.WriteString(text + "\n") // a repeat of the same hit
		}
		n++
	}
	line(`"kind":"view"`)
	depth := 0
	for range r.IntN(12) {
		at += r.Int64N(900)
		switch x, y := r.Float64()*1400, r.Float64()*3000; r.IntN(4) {
		case 0:
			line(`"kind":"click","x":%.2f,"y":%.2f,"id":"%d-%d"%s`, x, y, at, r.Uint32(), makeAnchor(r))
		case 1:
			line(`"kind":"move","x":%d,"y":%d`, int(x), int(y))
		case 2:
			to := depth + 1 + r.IntN(900)
			line(`"kind":"scroll","depth":%d,"from":%d,"y":%d,"dwell":%d`, to, depth, max(0, to-700), r.IntN(5000))
			depth = to
		default:
			for i := range r.IntN(6) {
				line(`"kind":"click","x":%d,"y":%d,"trusted":%t%s`, 600+i, 400+r.IntN(16), r.IntN(10) > 0, makeAnchor(r))
				at += r.Int64N(500)
			}
		}
	}
	return n
}

// makeAnchor writes where a click was: at one of a page's elements, of a size that is known or not, or at none.
func makeAnchor(r *rand.Rand) string {
	n := r.IntN(16)
	if n < 3 {
		return ""
	}
	anchor := fmt.Sprintf(`,"sel":"main>section:nth-child(%d)>a.buy","ax":%.3f,"ay":%.5f,"dead":%t`, n/2, r.Float64(), r.Float64(), r.IntN(20) == 0)
	if n%3 > 0 {
		anchor += fmt.Sprintf(`,"bw":%d,"bh":%d`, 10+n*n*30, 5+n*3)
	}
	if n%2 == 0 {
		anchor += fmt.Sprintf(`,"check":%d,"fixed":%t`, n*4000, n == 8 && r.IntN(50) == 0)
	}
	return anchor
}
