package demo

import "heatlog/heatmap"

const (
	maxViews = 8
	pause    = 700 // ms between two pages
	header   = 72  // px that the sticky header covers
	nothing  = 200 // weight of doing nothing, where an element's are eight times its own
)

// visit is one visitor's way through the shop.
type visit struct {
	o       Options
	shop    *Shop
	r       *random
	device  *device
	visitor uint64
	common  heatmap.Hit // what all hits of the view share
	hits    []heatmap.Hit

	now        int64 // Unix ms
	page       *Page
	layout     *Layout
	top, depth int    // top of what is visible, lowest px seen so far
	enough     int    // depth that the visitor goes down to, px
	next       string // path of the page that a link led to
}

func newVisit(o Options, shop *Shop, a arrival) *visit {
	v := &visit{o: o, shop: shop, r: newRandom(o.Seed, 2<<40+a.visitor), visitor: a.visitor, now: a.at}
	var agent string
	v.device, agent = newDevice(v.r)
	v.common = heatmap.Hit{
		Site: o.Site, Visitor: id(o.Seed, 3<<40+a.visitor, 16), UserAgent: agent,
		ViewportW: uint16(v.device.w), ViewportH: uint16(v.device.h),
	}
	return v
}

// run makes the hits of the visit, in the order of time.
func (v *visit) run() []heatmap.Hit {
	path := v.entrance()
	end := v.o.Now.UnixMilli()
	for views := 0; path != "" && views < maxViews; views++ {
		v.open(path, views)
		v.read()
		path = v.leave(views)
		v.now += int64(v.r.between(pause/2, pause*2))
	}
	for i := range v.hits {
		if v.hits[i].Time > end {
			v.hits = v.hits[:i]
			break
		}
	}
	return v.hits
}

// entrance draws the page that a visit begins with.
func (v *visit) entrance() string {
	switch n := v.r.below(100); {
	case n < 70:
		return "/demo/"
	case n < 85:
		return "/demo/shop"
	default:
		return "/demo/product"
	}
}

// open begins a view.
func (v *visit) open(path string, views int) {
	v.page = &v.shop.Pages[v.shop.page(path)]
	v.layout = v.page.layout(v.device.w)
	v.common.URL = v.o.Origin + path
	v.common.View = id(v.o.Seed, 4<<40+v.visitor*maxViews+uint64(views), 12)
	v.common.DocumentW, v.common.DocumentH = uint16(v.layout.DocW), uint16(v.layout.DocH)
	v.top, v.depth, v.next = 0, 0, ""
	v.enough = v.patience()
	v.add(heatmap.Hit{Kind: heatmap.KindView})
	v.now += int64(v.r.between(80, 400))
}

// patience draws how far down a visitor goes; long ways are rarer than short ones.
func (v *visit) patience() int {
	if v.r.percent(20) {
		return v.device.h
	}
	if v.r.percent(14) {
		return v.layout.DocH
	}
	n := v.r.below(1000)
	return v.device.h + (v.layout.DocH-v.device.h)*n*(700+n*3/10)/1_000_000
}

// read goes down the page and clicks now and then, until the visitor has seen enough or follows a link.
func (v *visit) read() {
	v.stop()
	for v.next == "" && v.depth < v.enough {
		by := v.device.h * v.r.between(40, 100) / 100
		if v.top > 0 && v.r.percent(12) {
			by = -by / 2
		}
		v.top = max(min(v.top+by, v.layout.DocH-v.device.h), 0)
		v.now += int64(v.r.between(200, 900))
		v.stop()
	}
}

// stop looks at what is visible, and perhaps does something there. As with a tracker, the scroll hit tells of the stop
// when it is over.
func (v *visit) stop() {
	from, began := v.depth, v.now
	v.depth = max(v.depth, min(v.top+v.device.h, v.layout.DocH))
	v.now += int64(v.r.stay())
	switch n := v.r.below(100); {
	case n < 34:
		v.click(KindAct)
		if v.r.percent(40) {
			v.click(KindAct)
		}
	case n < 44:
		v.click(KindPicture)
	case n < 46:
		v.rage()
	case n < 53, n < 66 && v.top == 0: // those who know what they want do not scroll
		v.follow()
	}
	v.add(heatmap.Hit{
		Kind: heatmap.KindScroll, Y: uint16(v.top), From: uint16(from), Depth: uint16(v.depth), Dwell: uint32(v.now - began),
	})
}

// follow clicks at a link that is visible.
func (v *visit) follow() {
	e := v.choose(KindOpen)
	if e < 0 {
		return
	}
	v.now += int64(v.r.between(300, 1500))
	v.hit(e)
	v.next = v.page.Elements[e].To
}

// leave gives the path of the next page, empty if the visit ends. Who has read enough follows a link or goes.
func (v *visit) leave(views int) string {
	if v.next == "" && !v.r.percent(14+6*views) {
		v.follow()
	}
	return v.next
}

// click does something with an element of a kind, if one is visible. One in 16 misses it first.
func (v *visit) click(kind string) {
	e := v.choose(kind)
	if e < 0 {
		return
	}
	if kind == KindAct && v.r.below(16) == 0 {
		v.miss(e)
		v.now += int64(v.r.between(500, 1400))
	}
	v.hit(e)
	v.now += int64(v.r.between(600, 3000))
}

// rage clicks again and again at one place, within a second.
func (v *visit) rage() {
	kind := KindPicture
	if v.r.percent(40) {
		kind = KindAct
	}
	e := v.choose(kind)
	if e < 0 {
		return
	}
	v.hit(e)
	first := v.hits[len(v.hits)-1]
	for range v.r.between(2, 5) {
		v.now += int64(v.r.between(110, 190))
		h := first
		h.X = uint16(max(int(h.X)+v.r.bell(2), 0))
		v.add(h)
	}
	v.now += int64(v.r.between(800, 3000))
}

// choose draws one of the visible elements of a kind, -1 if there is none that the visitor cares for.
func (v *visit) choose(kind string) int {
	weights := make([]int, len(v.page.Elements)+1)
	weights[len(v.page.Elements)] = nothing
	for i := range v.page.Elements {
		e, box := &v.page.Elements[i], v.layout.Boxes[i]
		if e.Kind != kind || !v.visible(box) {
			continue
		}
		weights[i] = 8 * e.Weight
		if v.top > 0 && sticks(box) && box[BoxStick] < header {
			weights[i] = e.Weight // who reads does not look at the header
		}
	}
	if e := v.r.pick(weights); e < len(v.page.Elements) {
		return e
	}
	return -1
}

// visible reports whether the middle of a box can be clicked.
func (v *visit) visible(box []int) bool {
	if len(box) == 0 {
		return false
	}
	y := top(box, v.top) + box[BoxH]/2 - v.top
	return y > header && y < v.device.h || sticks(box) && y > 0 && y < v.device.h
}

// hit clicks near the middle of an element's label.
func (v *visit) hit(e int) {
	box := v.layout.Boxes[e]
	spread := 5 // deviations to the edge of a label
	if v.device.pointer == heatmap.PointerTouch {
		spread = 4
	}
	x := box[BoxLabel] + box[BoxLabelW]/2 + v.r.bell(min(box[BoxLabelW]/spread, 60))
	y := box[BoxH]/2 + v.r.bell(min(box[BoxH]/spread, 60))
	h := v.at(e, max(1, min(x, box[BoxW]-2)), max(1, min(y, box[BoxH]-2)))
	if v.page.Elements[e].Kind == KindPicture {
		h.Flags |= heatmap.FlagDead
	}
	v.add(h)
}

// miss clicks a few px beside an element, on the area that it is in.
func (v *visit) miss(e int) {
	area := v.page.Elements[e].Around
	box, around := v.layout.Boxes[e], v.layout.Boxes[area]
	if len(around) == 0 {
		return
	}
	x := box[BoxX] + box[BoxW]/2 + v.r.bell(box[BoxW]/5)
	y := top(box, v.top) - v.r.between(3, 9)
	if v.r.percent(50) {
		y = top(box, v.top) + box[BoxH] + v.r.between(2, 8)
	}
	dx, dy := x-around[BoxX], y-top(around, v.top)
	if dx < 0 || dx >= around[BoxW] || dy < 0 || dy >= around[BoxH] {
		return
	}
	h := v.at(area, dx, dy)
	h.Flags |= heatmap.FlagDead
	v.add(h)
}

// at is a click inside an element, so many px from its upper left corner.
func (v *visit) at(e, dx, dy int) heatmap.Hit {
	element, box := &v.page.Elements[e], v.layout.Boxes[e]
	h := heatmap.Hit{
		Kind: heatmap.KindClick, Pointer: v.device.pointer, Selector: element.Selector,
		X: uint16(box[BoxX] + dx), Y: uint16(top(box, v.top) + dy),
		AnchorX: anchor(dx, box[BoxW]), AnchorY: anchor(dy, box[BoxH]),
		BoxW: uint16(box[BoxW]), BoxH: uint16(box[BoxH]),
	}
	if element.Check != nil {
		h.Check, h.HasCheck = *element.Check, true
	}
	if sticks(box) {
		h.Flags |= heatmap.FlagFixed
	}
	return h
}

// anchor gives a place inside a box as a share of its size, in units of 1/heatmap.AnchorUnit of whole thousandths.
func anchor(d, size int) uint32 {
	return uint32((d*1000/max(size, 1)*heatmap.AnchorUnit + 500) / 1000)
}

// add makes h a hit of the view, now.
func (v *visit) add(h heatmap.Hit) {
	c := v.common
	h.Site, h.URL, h.View, h.Visitor, h.UserAgent = c.Site, c.URL, c.View, c.Visitor, c.UserAgent
	h.ViewportW, h.ViewportH, h.DocumentW, h.DocumentH = c.ViewportW, c.ViewportH, c.DocumentW, c.DocumentH
	h.Time = v.now
	v.hits = append(v.hits, h)
}
