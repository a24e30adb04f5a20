package stream

import (
	"math/bits"
	"strconv"
	"time"

	"heatlog/heatmap"
)

// viewShares are the shares of sessions with 1 to 8 views, in hundredths; meanViews is their mean, in hundredths.
var viewShares = [...]int{30, 22, 15, 11, 8, 6, 5, 3}

const meanViews = 298

const maxBatch = 20 // hits

// session is a visit under way: one visitor on one site.
type session struct {
	at    int64 // arrival of the next batch, Unix ms
	start int64 // of the first hit in it, Unix ms
	span  int64 // from then until all its hits have happened, ms

	device  device
	visitor string
	view    string
	tags    []string
	site    int32
	page    int32
	url     uint8 // which of the page's URLs
	views   uint8 // that follow this one

	left       int  // hits of the view that are not sent yet
	size       int  // hits of the next batch
	batches    int  // of the view, sent
	fresh      bool // nothing of the view is sent yet
	rage       bool // a burst is to come
	height     int  // of the document, px
	top, depth int  // top of what is visible, lowest px seen so far
}

// begin starts the session that is due and says when the next one is.
func (s *Stream) begin() {
	now := s.o.Start + s.arrival/int64(time.Millisecond)
	if day := s.arrival / int64(24*time.Hour); day != s.day {
		s.day, s.today = day, s.people
	}
	slot := s.slot()
	e := &s.sessions[slot]
	s.visit(e)
	s.open(e, now)
	s.queue.push(entry{e.at, slot})
	hour := s.arrival / int64(time.Hour) % 24
	hi, lo := bits.Mul64(s.rng.Uint64()%uint64(2*s.interval+1), 1000)
	wait, _ := bits.Div64(hi, lo, hours[hour])
	s.arrival += int64(wait)
}

// slot finds a free session.
func (s *Stream) slot() int32 {
	if n := len(s.free); n > 0 {
		slot := s.free[n-1]
		s.free = s.free[:n-1]
		return slot
	}
	s.sessions = append(s.sessions, session{})
	return int32(len(s.sessions) - 1)
}

// visit draws who comes, from where, and to which page first.
func (s *Stream) visit(e *session) {
	r := s.rng
	person := s.people
	if r.oneIn(4) && s.people > s.today {
		person = s.today + r.Uint64()%(s.people-s.today)
	} else {
		s.people++
	}
	own := random{}
	own.Seed(s.o.Seed, mix(2<<40+person))
	page := r.pick(s.sums)
	at := s.pages[page].site
	*e = session{device: deviceOf(&own), site: int32(at), page: int32(page), views: viewsOf(r)}
	e.visitor = hex(mix(own.Uint64()+uint64(at)), 16)
	if tags := s.sites[at].tags; tags != nil {
		e.tags = tags[own.below(len(tags))]
	}
	if r.oneIn(10) {
		e.url = uint8(r.between(1, 3))
	}
}

// viewsOf draws how many views follow the first.
func viewsOf(r *random) uint8 {
	at := r.below(100)
	for i, share := range viewShares {
		if at -= share; at < 0 {
			return uint8(i)
		}
	}
	return 0
}

// open starts a view at the given time.
func (s *Stream) open(e *session, now int64) {
	s.views++
	e.view = hex(mix(mix(s.o.Seed)+s.views), 12)
	e.height = max(s.pages[e.page].documentHeight(e.device.kind), int(e.device.h))
	e.top, e.depth, e.batches, e.fresh = 0, 0, 0, true
	e.left = 2 + s.rng.below(2*(s.o.HitsPerView-2)+1)
	e.rage = s.rng.oneIn(100)
	s.plan(e, now)
}

// plan draws when the next batch of the view happens, its first hit at start, and when it arrives.
func (s *Stream) plan(e *session, start int64) {
	r := s.rng
	e.start = start
	e.span = int64(r.between(1000, 5000))
	e.size = min(e.left, r.between(maxBatch/2, maxBatch))
	delay := r.between(20, 400)
	if r.oneIn(200) {
		delay = r.between(1000, 60_000)
	}
	e.at = max(e.at, e.start+e.span+int64(delay))
}

// goOn plans what follows the batch that was sent, and reports whether anything does.
func (s *Stream) goOn(e *session) bool {
	end := e.start + e.span
	if e.left > 0 {
		s.plan(e, end+int64(s.rng.between(500, 8000)))
		return true
	}
	if e.views == 0 {
		return false
	}
	e.views--
	e.url = 0
	at := &s.sites[e.site]
	e.page = at.pages[s.rng.pick(at.sums)]
	s.open(e, end+int64(min(s.rng.between(2000, 60_000), s.rng.between(2000, 60_000))))
	return true
}

// fill writes the planned batch of a session into b.
func (s *Stream) fill(b *heatmap.Batch, e *session) {
	e.batches++
	b.Site, b.Visitor = s.sites[e.site].key, e.visitor
	b.ID = e.view + "-" + strconv.Itoa(e.batches)
	p := &s.pages[e.page]
	common := heatmap.Hit{
		Site: b.Site, URL: p.urls[e.url], View: e.view, Visitor: e.visitor, UserAgent: e.device.agent, Tags: e.tags,
		ViewportW: e.device.w, ViewportH: e.device.h, DocumentW: e.device.w, DocumentH: uint16(e.height), Layout: p.layout,
	}
	if e.device.kind == heatmap.Desktop {
		common.DocumentW -= 15 // the scroll bar
	}
	step := e.span / int64(e.size)
	b.Hits = b.Hits[:0]
	for n := e.size; len(b.Hits) < n; {
		i := len(b.Hits)
		b.Hits = append(b.Hits, common)
		h := &b.Hits[i]
		h.Time = e.start + int64(i)*step + int64(s.rng.below(int(step)))
		s.act(h, e, p)
		if e.rage && h.Kind == heatmap.KindClick && n-i >= 4 {
			e.rage = false
			h.Time = e.start + int64(i)*step
			b.Hits = s.burst(b.Hits, min(n-i, s.rng.between(4, 6))-1, min(step, 150))
		}
	}
	e.left -= len(b.Hits)
}

// burst appends n more clicks close to the last one, so many ms apart.
func (s *Stream) burst(hits []heatmap.Hit, n int, apart int64) []heatmap.Hit {
	first := hits[len(hits)-1]
	for i := range n {
		h := first
		h.Time += int64(i+1) * apart
		h.X += uint16(s.rng.below(8))
		h.Y += uint16(s.rng.below(8))
		hits = append(hits, h)
	}
	return hits
}

// act makes h what the visitor does next.
func (s *Stream) act(h *heatmap.Hit, e *session, p *page) {
	switch {
	case e.fresh:
		h.Kind = heatmap.KindView
		e.fresh = false
		return
	case e.depth == 0:
		s.scroll(h, e)
		return
	}
	switch n := s.rng.below(s.kinds[2]); {
	case n < s.kinds[0]:
		s.click(h, e, p)
	case n < s.kinds[1]:
		s.scroll(h, e)
	default:
		h.Kind, h.Pointer = heatmap.KindMove, e.device.pointer
		h.X, h.Y = uint16(s.rng.below(int(e.device.w))), uint16(e.top+s.rng.below(int(e.device.h)))
	}
}

// scroll goes to the top of the page first, then mostly down.
func (s *Stream) scroll(h *heatmap.Hit, e *session) {
	high := int(e.device.h)
	h.Kind, h.From = heatmap.KindScroll, uint16(e.depth)
	if e.depth > 0 {
		by := high * s.rng.between(30, 120) / 100
		if s.rng.oneIn(4) {
			by = -by
		}
		e.top = max(min(e.top+by, e.height-high), 0)
	}
	e.depth = max(e.depth, e.top+high)
	h.Y, h.Depth = uint16(e.top), uint16(e.depth)
	h.Dwell = uint32(min(s.dwell.draw(s.rng), heatmap.MaxDwell))
}

func (s *Stream) click(h *heatmap.Hit, e *session, p *page) {
	r := s.rng
	h.Kind, h.Pointer = heatmap.KindClick, e.device.pointer
	if r.oneIn(50) {
		h.Flags |= heatmap.FlagDead
	}
	if r.oneIn(200) {
		h.Flags |= heatmap.FlagUntrusted
	}
	if r.oneIn(5) {
		h.X, h.Y = uint16(r.below(int(e.device.w))), uint16(r.below(e.height))
		return
	}
	i := int(s.spotOf[r.below(256)])
	if p.spots[i].y*e.height>>16 >= e.depth { // not seen yet: more likely another one
		i = int(s.spotOf[r.below(256)])
	}
	s.hit(h, e, &p.spots[i])
	if i < fixedSpots {
		h.Flags |= heatmap.FlagFixed
		h.Y += uint16(e.top)
	}
}

// hit places h inside an element.
func (s *Stream) hit(h *heatmap.Hit, e *session, at *spot) {
	wide := min(int(e.device.w), column)
	boxW := max(at.w*wide>>16, 16)
	left := (int(e.device.w)-wide)/2 + min(at.x*wide>>16, wide-boxW)
	top := min(at.y*e.height>>16, e.height-at.h)
	ax, ay := s.rng.towardsMiddle(1000), s.rng.towardsMiddle(1000)
	h.X, h.Y = uint16(left+boxW*ax/1000), uint16(top+at.h*ay/1000)
	h.AnchorX, h.AnchorY = anchor(ax), anchor(ay)
	h.BoxW, h.BoxH = uint16(boxW), uint16(at.h)
	h.Selector, h.Check, h.HasCheck = at.selector, at.check, true
}

// anchor gives thousandths in units of 1/heatmap.AnchorUnit.
func anchor(thousandths int) uint32 {
	return uint32((thousandths*heatmap.AnchorUnit + 500) / 1000)
}

// hex writes the low digits of x.
func hex(x uint64, digits int) string {
	var b [16]byte
	for i := range digits {
		b[i] = "0123456789abcdef"[x>>(4*i)&15]
	}
	return string(b[:digits])
}
