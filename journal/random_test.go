package journal

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"

	"heatlog/heatmap"
)

// wildHit gives a hit whose fields have values of every size, sensible or not.
func wildHit(r *rand.Rand) heatmap.Hit {
	h := heatmap.Hit{
		Time: int64(r.Uint64()), Site: wildString(r), URL: wildString(r), View: wildString(r), Visitor: wildString(r),
		Selector: wildString(r), Container: wildString(r), UserAgent: wildString(r), ID: wildString(r),
		X: wild16(r), Y: wild16(r), ViewportW: wild16(r), ViewportH: wild16(r), DocumentW: wild16(r), DocumentH: wild16(r),
		Depth: wild16(r), From: wild16(r), BoxW: wild16(r), BoxH: wild16(r), ContainerX: wild16(r), ContainerY: wild16(r),
		Check: wild16(r), AnchorX: r.Uint32() >> r.IntN(33), AnchorY: r.Uint32() >> r.IntN(33),
		Dwell: r.Uint32() >> r.IntN(33), Layout: r.Uint32() >> r.IntN(33),
		Kind: heatmap.Kind(r.IntN(256)), Pointer: heatmap.Pointer(r.IntN(256)), Flags: heatmap.Flags(r.IntN(256)),
		HasCheck: r.IntN(2) == 0,
	}
	if r.IntN(2) == 0 {
		h.Kind = heatmap.Kind(1 + r.IntN(4))
	}
	for range r.IntN(4) {
		h.Tags = append(h.Tags, wildString(r))
	}
	return h
}

func wild16(r *rand.Rand) uint16 { return uint16(r.Uint32() >> (16 + r.IntN(17))) }

func wildString(r *rand.Rand) string {
	switch r.IntN(4) {
	case 0:
		return ""
	case 1:
		return string(rune('a' + r.IntN(4)))
	case 2:
		return strings.Repeat("é\x00", r.IntN(200))
	}
	b := make([]byte, r.IntN(40))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

// wildBatches gives up to n batches in which neighbours share some fields.
func wildBatches(r *rand.Rand, n int) []heatmap.Batch {
	batches := make([]heatmap.Batch, 0, n)
	for range 1 + r.IntN(n) {
		b := heatmap.Batch{Site: wildString(r), Visitor: wildString(r), ID: wildString(r)}
		for range 1 + r.IntN(6) {
			h := wildHit(r)
			if n := len(b.Hits); n > 0 && r.IntN(3) > 0 {
				keep := b.Hits[n-1]
				h.Site, h.URL, h.View, h.Visitor, h.UserAgent, h.Tags = keep.Site, keep.URL, keep.View, keep.Visitor, keep.UserAgent, keep.Tags
				h.ViewportW, h.ViewportH, h.DocumentW, h.DocumentH = keep.ViewportW, keep.ViewportH, keep.DocumentW, keep.DocumentH
			}
			b.Hits = append(b.Hits, h)
		}
		batches = append(batches, b)
	}
	return batches
}

var (
	agents = []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Mobile Safari/537.36",
	}
	viewports = [][2]uint16{{1280, 720}, {1920, 937}, {390, 664}, {412, 785}, {1536, 703}, {1440, 789}, {768, 954}, {360, 640}}
	kinds     = []heatmap.Kind{2, 2, 2, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4} // clicks, scrolls, moves
)

// traffic makes what trackers send: views of pages by visitors, in batches.
type traffic struct {
	r    *rand.Rand
	zipf *rand.Zipf
	now  int64
	n    int
}

func newTraffic(seed uint64) *traffic {
	r := rand.New(rand.NewPCG(seed, 1))
	return &traffic{r: r, zipf: rand.NewZipf(r, 1.1, 1, 1999), now: 1_790_000_000_000}
}

func (t *traffic) name(bytes int) string {
	b := make([]byte, bytes)
	for i := range b {
		b[i] = byte(t.r.Uint32())
	}
	return hex.EncodeToString(b)
}

// batch gives what one tracker sends at once: n hits of one view, which is a page's first batch every third time.
func (t *traffic) batch(n int) heatmap.Batch {
	r := t.r
	t.n++
	t.now += int64(r.IntN(3))
	page := t.zipf.Uint64()
	vp := viewports[r.IntN(len(viewports))]
	view := t.name(6)
	shared := heatmap.Hit{
		Site: fmt.Sprintf("shop-%d", page%50), URL: fmt.Sprintf("https://shop-%d.example/products/category-%d/item-%d", page%50, page%17, page),
		View: view, Visitor: t.name(8), UserAgent: agents[r.IntN(len(agents))],
		ViewportW: vp[0], ViewportH: vp[1], DocumentW: vp[0] - 15, DocumentH: uint16(2000 + page*37%6000), Layout: uint32(page * 2654435761),
	}
	b := heatmap.Batch{Site: shared.Site, Visitor: shared.Visitor, ID: fmt.Sprintf("%s-%d", view, r.IntN(6)), Hits: make([]heatmap.Hit, n)}
	at := t.now - 20_000
	x, y, top, depth := r.IntN(int(vp[0])), r.IntN(3000), 0, 0
	for i := range b.Hits {
		h := &b.Hits[i]
		*h = shared
		at += int64(r.IntN(1500))
		h.Time, h.Kind = at, kinds[r.IntN(len(kinds))]
		if i == 0 && t.n%3 == 0 {
			h.Kind = heatmap.KindView
		}
		switch h.Kind {
		case heatmap.KindScroll:
			top = max(0, min(top+r.IntN(1200)-300, 5000))
			h.Y, h.From, h.Dwell = uint16(top), uint16(depth), uint32(r.IntN(8000))
			depth = max(depth, top+int(vp[1]))
			h.Depth = uint16(depth)
		case heatmap.KindMove, heatmap.KindClick:
			x = max(0, min(x+r.IntN(401)-200, int(vp[0])-1))
			y = max(0, min(y+r.IntN(401)-200, 6000))
			h.X, h.Y, h.Pointer = uint16(x), uint16(y), heatmap.PointerMouse
		}
		if h.Kind == heatmap.KindClick {
			h.Selector = fmt.Sprintf("main>section:nth-of-type(%d)>a.btn-%d", r.IntN(6), r.IntN(40))
			h.AnchorX, h.AnchorY = uint32(r.IntN(heatmap.AnchorUnit+1)), uint32(r.IntN(heatmap.AnchorUnit+1))
			h.BoxW, h.BoxH = uint16(40+r.IntN(200)), uint16(20+r.IntN(60))
			h.Check, h.HasCheck = uint16(r.Uint32()), true
		}
	}
	return b
}

// importLines gives n hits in one batch without a name, as an import of a long recording does.
func importLines(seed uint64, n int) []heatmap.Batch {
	t := newTraffic(seed)
	var b heatmap.Batch
	for len(b.Hits) < n {
		b.Hits = append(b.Hits, t.batch(min(60, n-len(b.Hits))).Hits...)
	}
	return []heatmap.Batch{b}
}
