package index

import (
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"heatlog/heatmap"
)

// Bounds of what a describer remembers of URLs and user agents, for each of two halves.
const (
	memoURLs       = 64 << 10
	memoURLBytes   = 16 << 20
	memoAgents     = 16 << 10
	memoAgentBytes = 4 << 20
)

// describer is the part of a stream that asks of a hit nothing but the hit and the rules: it makes the event but for what is
// derived. Not safe for concurrent use; several may describe hits of one log side by side.
type describer struct {
	rules *Rules
	zone  func(site string) *time.Location

	pages  *memo[urlPage]
	agents *memo[agentClass]
	dates  dateCache
	eval   evaluator
	event  Event
	failed uint64 // runs of an expression that failed, of those that were to be counted

	// What the last hits had in common with the next.
	url, agent, site, visitor string
	view                      string // that viewHash is of, with site
	viewHash                  uint64 // 0 = none
	urlPage                   urlPage
	agentClass                agentClass
	zoneSalt                  uint64
	scratch                   []byte
}

// urlPage is what a raw URL is counted as.
type urlPage struct {
	url, page string
	pageHash  uint64
	unsettled bool
}

func newDescriber(r *Rules, zone func(site string) *time.Location) describer {
	return describer{
		rules: r, zone: zone,
		pages:  newMemo[urlPage](memoURLs, memoURLBytes),
		agents: newMemo[agentClass](memoAgents, memoAgentBytes),
	}
}

// forget lets go of the chunk's strings.
func (s *describer) forget() {
	s.url, s.agent, s.site, s.visitor, s.view, s.viewHash = "", "", "", "", "", 0
	s.urlPage, s.agentClass, s.event = urlPage{}, agentClass{}, Event{}
}

// remembers reports whether a hit is one that what is derived from later ones can depend on.
func (s *describer) remembers(h *heatmap.Hit) bool {
	if h.Kind == heatmap.KindClick && (h.Flags&heatmap.FlagUntrusted == 0 || s.rules.repeat.window > 0) || s.rules.dead.fromLog {
		return h.View != ""
	}
	return false
}

// describe fills the event with all but what is derived.
func (s *describer) describe(h *heatmap.Hit, position uint64) {
	s.describePage(h)
	s.describeRest(h, position)
}

// describePage fills in what comes from the URL.
func (s *describer) describePage(h *heatmap.Hit) {
	if h.URL != s.url || s.urlPage.page == "" {
		s.findPage(h.URL)
	}
	s.event.URL, s.event.Page = s.urlPage.url, s.urlPage.page
}

// describeRest fills in what does not come from the URL.
func (s *describer) describeRest(h *heatmap.Hit, position uint64) {
	e := &s.event
	e.Hit, e.Position = h, position
	if h.UserAgent != s.agent {
		s.findAgent(h.UserAgent)
	}
	e.Device, e.Bot = s.agentClass.device, s.agentClass.bot
	if h.Site != s.site || e.zone == nil {
		s.findZone(h.Site)
	}
	if h.Visitor != s.visitor {
		s.findVisitor(h.Visitor)
	}
	e.Date = s.dates.date(h.Time, e.zone, s.zoneSalt)
	e.Dead = h.Kind == heatmap.KindClick && h.Flags&heatmap.FlagDead != 0 && !s.rules.dead.fromLog
	e.Repeat, e.RageAt, e.DeadAt = false, nil, nil
	if e.Anchor = (heatmap.Anchor{}); h.Kind == heatmap.KindClick && s.rules.elements {
		e.Anchor = h.Anchor()
	}
	if e.Sampled = 0; s.rules.sampled {
		e.Sampled = h.Sampled()
	}
}

// spot is where the event's hit was.
func (e *Event) spot() Spot {
	return Spot{X: e.Hit.X, Y: e.Hit.Y, Cell: e.Anchor.Cell, Element: e.Anchor.Element}
}

// complete fills in what is derived.
func (e *Event) complete(o outcome) {
	e.Repeat, e.RageAt, e.DeadAt = o.repeat, o.rageAt, o.deadAt
	if e.Repeat {
		e.Dead, e.Sampled = false, 0
	}
}

// findPage finds what the next hits' URL is counted as.
func (s *describer) findPage(raw string) {
	p, ok := s.pages.get(raw)
	if !ok {
		raw = strings.Clone(raw) // it may become the page, which outlives its chunk
		var settled bool
		p.url, p.page, settled = s.rules.counted(s.rules.params.normalURL(raw))
		p.unsettled = !settled
		p.pageHash = xxhash.Sum64String(p.page)
		s.pages.put(raw, p)
	}
	s.url, s.urlPage = raw, p
}

// findAgent finds what the next hits' user agent is.
func (s *describer) findAgent(raw string) {
	c, ok := s.agents.get(raw)
	if !ok {
		c = s.rules.agents.classify(raw)
		s.agents.put(raw, c)
	}
	s.agent, s.agentClass = raw, c
}

// findZone finds the zone of the next hits' site.
func (s *describer) findZone(site string) {
	zone := s.rules.Zone(site)
	if zone == nil && s.zone != nil {
		zone = s.zone(site)
	}
	if zone == nil {
		zone = time.UTC
	}
	s.event.zone, s.zoneSalt = zone, xxhash.Sum64String(zone.String())
	s.site, s.visitor, s.event.Visitor, s.viewHash = site, "", 0, 0
}

// findVisitor hashes the next hits' visitor.
func (s *describer) findVisitor(visitor string) {
	s.visitor, s.event.Visitor = visitor, 0
	if visitor == "" {
		return
	}
	s.scratch = append(append(append(s.scratch[:0], s.site...), 0), visitor...)
	s.event.Visitor = max(xxhash.Sum64(s.scratch), 1)
}

// viewKey names a view on the page of the event.
func (s *describer) viewKey(h *heatmap.Hit) uint64 {
	if h.View != s.view || s.viewHash == 0 {
		s.scratch = append(append(append(s.scratch[:0], h.Site...), 0), h.View...)
		s.view, s.viewHash = h.View, xxhash.Sum64(s.scratch)
	}
	return s.viewHash ^ s.urlPage.pageHash
}

// excludedBy gives the number of the rule that leaves the event out, -1 if none does, and counts expressions that fail if
// told to.
func (s *describer) excludedBy(count bool) int {
	r := s.rules
	if len(r.internal) > 0 && s.isInternal() {
		return 0
	}
	if len(r.exclude)+len(r.include) == 0 {
		return -1
	}
	s.eval.set(&s.event)
	for i, x := range r.exclude {
		if s.isTrue(x, count) {
			return 1 + i
		}
	}
	if len(r.include) == 0 || slices.ContainsFunc(r.include, func(x *expression) bool { return s.isTrue(x, count) }) {
		return -1
	}
	return r.exclusions() - 1
}

// isInternal reports whether the event's hit has one of the tags of the operator's own visitors.
func (s *describer) isInternal() bool {
	return slices.ContainsFunc(s.event.Hit.Tags, func(tag string) bool { return slices.Contains(s.rules.internal, tag) })
}

// isTrue evaluates an expression over the event. One that fails, as x % y with y = 0, is false.
func (s *describer) isTrue(x *expression, count bool) bool {
	is, err := s.eval.run(x)
	if err != nil && count {
		s.failed++
	}
	return err == nil && is
}
