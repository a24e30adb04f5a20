package index

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"heatlog/heatmap"
)

// listeners are the kept questions that listen to taps, by what they ask for. It is made anew when one comes or goes.
type listeners map[string]*siteListeners // by site

type siteListeners struct {
	pages    map[string][]*Kept // that ask for one page
	patterns []*Kept
}

func newListeners(all []*Kept) listeners {
	l := make(listeners)
	for _, k := range all {
		site := l[k.plan.query.Site]
		if site == nil {
			site = &siteListeners{pages: make(map[string][]*Kept)}
			l[k.plan.query.Site] = site
		}
		if k.plan.exact {
			site.pages[k.plan.page] = append(site.pages[k.plan.page], k)
		} else {
			site.patterns = append(site.patterns, k)
		}
	}
	return l
}

// tap shows the events of one feed to the kept questions that listen, each once, in the order of the log, whatever pipelines
// take turns. A nil tap shows nothing to anybody.
type tap struct {
	feed int
	live *liveSet

	mu   sync.Mutex    // held while a chunk is shown, and by who begins to listen
	next atomic.Uint64 // every event below it was shown to all who listened by then; written under mu

	// Of the chunk that is shown, guarded by mu.
	listeners  listeners
	site, page string  // of the last event
	hear       []*Kept // those who listen to it
	named      bool    // some of them want to know the names of elements
	whole      bool    // some of them want to see all of the hit
	size       int     // hits of the chunk
	held       *heldEvents
	heard      []*Kept // those who are given some of events
}

// heldEvent is an event that is held after its chunk is gone.
type heldEvent struct {
	Event
	hit heatmap.Hit
}

// heldEvents are those of a chunk that some questions keep. Their memory is used again when all have counted them.
type heldEvents struct {
	list  []heldEvent
	users atomic.Int32 // questions that are still to count them
}

var heldPool = sync.Pool{New: func() any { return new(heldEvents) }}

// release says that one question has counted them.
func (h *heldEvents) release() {
	if h.users.Add(-1) == 0 {
		h.list = h.list[:0]
		heldPool.Put(h)
	}
}

// shownEvents are events of one chunk of a feed, for one question.
type shownEvents struct {
	feed  int
	end   uint64      // of the chunk
	held  *heldEvents // shared with others: nobody may change them
	picks []int32     // which of them
}

// begin begins to show a chunk, and reports whether anybody listens. The caller calls end.
func (t *tap) begin(c *heatmap.Chunk) bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	if l := t.live.listeners.Load(); l != nil {
		t.listeners, t.size = *l, c.Count
	}
	return t.listeners != nil
}

// show shows the next event of the chunk.
func (t *tap) show(ev *Event) {
	if ev.Position < t.next.Load() {
		return // a pipeline that starts over comes by again
	}
	if ev.Page != t.page || ev.Hit.Site != t.site {
		t.turnTo(ev)
	}
	held := int32(-1)
	for _, k := range t.hear {
		if !k.plan.keepsHit(ev) {
			continue
		}
		if held < 0 {
			held = t.hold(ev)
		}
		picks := &k.picks[t.feed]
		if len(*picks) == 0 {
			t.heard, *picks = append(t.heard, k), make([]int32, 0, t.size)
		}
		*picks = append(*picks, held)
	}
}

// keepsHit is keepsEvent whatever the site, the page and the expression.
func (pl *plan) keepsHit(ev *Event) bool {
	t := ev.Hit.Time
	return pl.from <= t && t < pl.to && pl.keepsBot(ev.Bot)
}

// turnTo finds those who listen to the page of an event.
func (t *tap) turnTo(ev *Event) {
	t.site, t.page, t.hear = ev.Hit.Site, ev.Page, t.hear[:0]
	site := t.listeners[t.site]
	if site == nil {
		return
	}
	t.hear = append(t.hear, site.pages[t.page]...)
	for _, k := range site.patterns {
		if k.plan.match(t.page) {
			t.hear = append(t.hear, k)
		}
	}
	t.whole = slices.ContainsFunc(t.hear, func(k *Kept) bool { return k.plan.where != nil })
	t.named = slices.ContainsFunc(t.hear, func(k *Kept) bool { return k.question.Ask == heatmap.AskElements })
}

// hold adds a copy of an event to those that are held, without memory of its chunk, and gives its number.
func (t *tap) hold(ev *Event) int32 {
	if t.held == nil {
		t.held = heldPool.Get().(*heldEvents)
		t.held.list = slices.Grow(t.held.list, t.size)
	}
	t.held.list = append(t.held.list, heldEvent{Event: *ev, hit: *ev.Hit})
	e := &t.held.list[len(t.held.list)-1]
	e.Hit = nil
	if h := &e.hit; t.whole {
		cloneTexts(h)
	} else {
		selector := h.Selector
		h.Site, h.URL, h.View, h.Visitor, h.Selector, h.Container, h.UserAgent, h.ID, h.Tags = "", "", "", "", "", "", "", "", nil
		if t.named && e.Anchor.Element != 0 {
			h.Selector = strings.Clone(selector)
		}
	}
	return int32(len(t.held.list) - 1)
}

// cloneTexts gives a hit texts of its own, all in one piece of memory.
func cloneTexts(h *heatmap.Hit) {
	texts := []*string{&h.Site, &h.URL, &h.View, &h.Visitor, &h.Selector, &h.Container, &h.UserAgent, &h.ID}
	h.Tags = slices.Clone(h.Tags)
	for i := range h.Tags {
		texts = append(texts, &h.Tags[i])
	}
	var all strings.Builder
	for _, s := range texts {
		all.WriteString(*s)
	}
	rest := all.String()
	for _, s := range texts {
		*s, rest = rest[:len(*s)], rest[len(*s):]
	}
}

// end gives those who listen what they were shown of a chunk, and lets others begin to listen.
func (t *tap) end(c *heatmap.Chunk) {
	if t == nil {
		return
	}
	if h := t.held; h != nil {
		for i := range h.list {
			h.list[i].Hit = &h.list[i].hit
		}
		h.users.Store(int32(len(t.heard)))
	}
	for i, k := range t.heard {
		k.shown.add(shownEvents{t.feed, c.End(), t.held, k.picks[t.feed]})
		k.picks[t.feed], t.heard[i] = nil, nil
	}
	t.next.Store(max(t.next.Load(), c.End()))
	t.listeners, t.site, t.page, t.hear, t.heard = nil, "", "", t.hear[:0], t.heard[:0]
	t.held = nil
	t.mu.Unlock()
}

// settled gives the position of the chunk that is shown next, to all who listen by now.
func (t *tap) settled() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next.Load()
}

// shown is what a question was shown and has not counted yet.
type shown struct {
	live  *liveSet
	limit int           // events
	came  chan struct{} // has a value when something was added

	mu       sync.Mutex
	list     []shownEvents // guarded by mu
	events   int           // guarded by mu; in list
	overflow bool          // guarded by mu; there was more than the limit: nothing is held any more
}

func newShown(live *liveSet, limit int) *shown {
	return &shown{live: live, limit: limit, came: make(chan struct{}, 1)}
}

// add takes what was shown of a chunk.
func (s *shown) add(e shownEvents) {
	s.mu.Lock()
	if s.overflow {
		e.held.release()
	} else {
		n := len(e.picks)
		s.list, s.events = append(s.list, e), s.events+n
		if s.live.held.Add(int64(n)) > maxHeld || s.events > s.limit {
			s.overflow = true
			s.forget()
		}
	}
	s.mu.Unlock()
	wake(s.came)
}

// forget gives back what is held. The caller holds mu.
func (s *shown) forget() {
	for i := range s.list {
		s.list[i].held.release()
	}
	s.drop()
}

// drop leaves what is held to others. The caller holds mu.
func (s *shown) drop() {
	s.live.held.Add(-int64(s.events))
	s.list, s.events = nil, 0
}

// take gives what is held, or reports that there was too much.
func (s *shown) take() (list []shownEvents, overflow bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list, overflow = s.list, s.overflow
	s.drop()
	return list, overflow
}

// clear begins anew.
func (s *shown) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget()
	s.overflow = false
}

// wake puts a value into a channel of one, unless it has one.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
