package index

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"heatlog/heatmap"
)

// StreamOptions bound what a stream remembers. The zero value works.
type StreamOptions struct {
	MaxBytes int64             // memory for telling repeats, half of it for each of two buckets; default 64 MiB
	LeftOut  func(*Event) bool // asked of each hit that is no repeat: is it not to be told, though later ones may depend on it? Rules and derived fields come after it; nil = none
}

// Bounds of what a stream remembers of URLs and user agents, for each of two halves.
const (
	memoURLs       = 64 << 10
	memoURLBytes   = 16 << 20
	memoAgents     = 16 << 10
	memoAgentBytes = 4 << 20
)

// Event is a hit that counts, with what is derived from it. It and what it points to are valid during the call only,
// but for Page and URL, which may be kept.
type Event struct {
	Hit      *heatmap.Hit
	Position uint64
	URL      string       // normalised
	Page     string       // that the hit is counted as
	Date     heatmap.Date // of Hit.Time in the site's zone
	Device   heatmap.Device
	Bot      bool
	Repeat   bool           // a click that does not count itself, because another did: only what it completes does
	Dead     bool           // a click that changed nothing, as recorded
	DeadAt   []Spot         // clicks that the hit shows to be dead, in the order of the log, by dead-log/1; may be kept
	RageAt   []Spot         // the burst that the hit completes, in the order of the log, nil = none; may be kept
	Visitor  uint64         // xxhash64 of site, 0, visitor; 0 = unknown
	Anchor   heatmap.Anchor // of a click: the element that it was at, if the rules count those
	Sampled  uint32         // share of page loads that the hit is from, millionths, if it is a sampled one that counts itself; else 0

	zone *time.Location
}

// Stream is the sequential part of applying: it takes a source's chunks in order and gives the hits that count, each
// with its page, day, device and so on, and with the bursts that are derived. What it gives for a hit is a function of
// the rules and of the log from the start of the last 10-minute bucket of append time before the hit's that holds a hit.
// Only Full and Stats are safe for concurrent use.
type Stream struct {
	rules    *Rules
	zone     func(site string) *time.Location
	maxBytes int64
	skips    func(*Event) bool

	bucket  int64 // of the last chunk: append time / bucketMillis
	started bool
	repeats repeats
	rage    rage
	dead    dead
	clicks  repeatClicks

	pages  *memo[urlPage]
	agents *memo[agentClass]
	dates  dateCache
	eval   evaluator
	event  Event

	// What the last hits had in common with the next.
	url, agent, site, visitor string
	view                      string // that viewHash is of, with site
	viewHash                  uint64 // 0 = none
	urlPage                   urlPage
	agentClass                agentClass
	zoneSalt                  uint64
	scratch                   []byte

	stats StreamStats

	mu        sync.Mutex // guards what follows
	published StreamStats
	held      streamMemory
}

// urlPage is what a raw URL is counted as.
type urlPage struct {
	url, page string
	pageHash  uint64
	unsettled bool
}

// StreamStats count what a stream did with the hits of Events.
type StreamStats struct {
	Hits            uint64   // that counted
	Bots            uint64   // of these, by bots
	Bursts          uint64   // of rage
	RepeatedClicks  uint64   // that did not count because of repeat_clicks
	Unsettled       uint64   // of URLs that rewrites or groups would have made what counts as another: their URL is their page
	RepeatedBatches uint64   // dropped
	RepeatedHits    uint64   // dropped, those of dropped batches among them
	LeftOut         uint64   // by StreamOptions.LeftOut; nothing else is counted of them
	Excluded        uint64   // left out by the rules
	ExcludedBy      []uint64 // the same by rule, each counts for the first that leaves it out: see Rules.Counts
	ExprErrors      uint64   // runs of an expression that failed, which counts as false
	RepeatBytes     int64    // memory for telling repeats
}

// streamMemory is what a bucket takes.
type streamMemory struct {
	bucket  int64
	current int64 // bytes, also those by which it is about to grow
}

// NewStream makes a stream that has seen nothing. zone gives the time zone of a site that the rules do not name, nil
// for UTC; it must give the same for a site for ever, as days depend on it.
func NewStream(r *Rules, zone func(site string) *time.Location, o StreamOptions) *Stream {
	if o.MaxBytes == 0 {
		o.MaxBytes = 64 << 20
	}
	s := &Stream{
		rules: r, zone: zone, maxBytes: o.MaxBytes, skips: o.LeftOut,
		pages:  newMemo[urlPage](memoURLs, memoURLBytes),
		agents: newMemo[agentClass](memoAgents, memoAgentBytes),
	}
	s.stats.ExcludedBy = make([]uint64, r.exclusions())
	s.published.ExcludedBy = make([]uint64, r.exclusions())
	return s
}

// Warm takes a chunk as Events does, without events: it is for what was applied before.
func (s *Stream) Warm(c *heatmap.Chunk) { s.take(c, nil) }

// Events calls fn for the hits of a chunk that count, in the order of the log. Repeats and excluded hits are left out,
// and counted in Stats. Chunks must come in the order of the log.
func (s *Stream) Events(c *heatmap.Chunk, fn func(*Event)) { s.take(c, fn) }

// Full reports whether a bucket holds more than its half of MaxBytes, and the time now, Unix ms, is not behind it. It goes on
// taking chunks: whoever accepts hits must stop, until the next bucket begins. A clock that was set back does not
// begin one before it is where it was, as append times never fall.
func (s *Stream) Full(now int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return bucketOf(now) <= s.held.bucket && s.held.current > s.maxBytes/2
}

// Stats gives the counts up to the last chunk.
func (s *Stream) Stats() StreamStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.published
	stats.ExcludedBy = slices.Clone(stats.ExcludedBy)
	return stats
}

// publish makes the state of after a chunk known to Full and Stats.
func (s *Stream) publish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = streamMemory{bucket: s.bucket, current: s.repeats.current.soon()}
	by := append(s.published.ExcludedBy[:0], s.stats.ExcludedBy...)
	s.published = s.stats
	s.published.ExcludedBy = by
	s.published.RepeatBytes = s.repeats.before.bytes() + s.held.current
}

// bucketOf gives the bucket of an append time, Unix ms.
func bucketOf(ms int64) int64 {
	if ms < 0 {
		return (ms+1)/bucketMillis - 1
	}
	return ms / bucketMillis
}

// advance moves on to the bucket of a chunk. Append time never falls; if it did, the hits would count to the bucket of
// those before.
func (s *Stream) advance(bucket int64) {
	if !s.started {
		s.bucket, s.started = bucket, true
	}
	if bucket <= s.bucket {
		return
	}
	s.repeats.rotate()
	if bucket == s.bucket+1 {
		s.rage.rotate()
		s.dead.rotate()
		s.clicks.rotate()
	} else {
		s.rage.reset()
		s.dead.reset()
		s.clicks.reset()
	}
	s.bucket = bucket
}

// take takes a chunk; fn is nil for what only must be remembered.
func (s *Stream) take(c *heatmap.Chunk, fn func(*Event)) {
	s.advance(bucketOf(c.Appended))
	position := c.Position
	for i := range c.Batches {
		b := &c.Batches[i]
		if len(b.Hits) > 0 {
			s.takeBatch(b, position, fn)
		}
		position += uint64(len(b.Hits))
	}
	s.forget()
	s.publish()
}

// forget lets go of the chunk's strings.
func (s *Stream) forget() {
	s.url, s.agent, s.site, s.visitor, s.view, s.viewHash = "", "", "", "", "", 0
	s.urlPage, s.agentClass, s.event = urlPage{}, agentClass{}, Event{}
}

func (s *Stream) takeBatch(b *heatmap.Batch, position uint64, fn func(*Event)) {
	in := s.repeats.batch(b)
	if fn != nil && !in.counts {
		s.stats.RepeatedBatches++
		s.stats.RepeatedHits += uint64(len(b.Hits))
	}
	if !in.fresh {
		return
	}
	for i := range b.Hits {
		h := &b.Hits[i]
		is := s.repeats.hit(h.Site, h.ID, in)
		if in.counts && !is.counts && fn != nil {
			s.stats.RepeatedHits++
		}
		if is.counts && fn != nil || (is.counts || is.fresh) && s.remembers(h) {
			s.takeHit(h, position+uint64(i), is, fn)
		}
	}
}

// takeHit makes the event of a hit that is no repeat. If it only must be remembered, it is one that remembers names.
func (s *Stream) takeHit(h *heatmap.Hit, position uint64, in verdict, fn func(*Event)) {
	s.describe(h, position)
	tells := fn != nil && in.counts
	if tells && s.skips != nil && s.skips(&s.event) {
		s.stats.LeftOut++
		tells = false
	}
	if s.excluded(tells) {
		return
	}
	if s.remembers(h) {
		s.derive(h, in)
	}
	if tells {
		s.tell(fn)
	}
}

// tell counts the stream's event and gives it to fn.
func (s *Stream) tell(fn func(*Event)) {
	e := &s.event
	if e.Repeat {
		s.stats.RepeatedClicks++
	} else {
		s.stats.Hits++
		if e.Bot {
			s.stats.Bots++
		}
	}
	if s.urlPage.unsettled {
		s.stats.Unsettled++
	}
	if e.RageAt != nil {
		s.stats.Bursts++
	}
	if !e.Repeat || e.RageAt != nil || e.DeadAt != nil {
		fn(e)
	}
}

// remembers reports whether a hit is one that what is derived from later ones can depend on.
func (s *Stream) remembers(h *heatmap.Hit) bool {
	if h.Kind == heatmap.KindClick && (h.Flags&heatmap.FlagUntrusted == 0 || s.rules.repeat.window > 0) || s.rules.dead.fromLog {
		return h.View != ""
	}
	return false
}

// derive fills in what a hit completes, and whether it repeats a click.
func (s *Stream) derive(h *heatmap.Hit, in verdict) {
	e, r := &s.event, s.rules
	key, at := s.viewKey(h), Spot{X: h.X, Y: h.Y, Cell: e.Anchor.Cell, Element: e.Anchor.Element}
	isClick, trusted := h.Kind == heatmap.KindClick, h.Flags&heatmap.FlagUntrusted == 0
	var repeat verdict
	if isClick && r.repeat.window > 0 {
		repeat = s.clicks.click(r.repeat, key, in, h.Time, at)
		if e.Repeat = repeat.counts; e.Repeat {
			e.Dead, e.Sampled = false, 0
		}
	}
	if isClick && trusted {
		e.RageAt = s.rage.click(&r.rage, key, in, h.Time, at)
	}
	if r.dead.fromLog {
		e.DeadAt = s.dead.hit(&r.dead, key, in, h, at, isClick && trusted, repeat)
	}
}

// describe fills the stream's event with all but what is derived.
func (s *Stream) describe(h *heatmap.Hit, position uint64) {
	e := &s.event
	e.Hit, e.Position = h, position
	if h.URL != s.url || s.urlPage.page == "" {
		s.findPage(h.URL)
	}
	e.URL, e.Page = s.urlPage.url, s.urlPage.page
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

// findPage finds what the next hits' URL is counted as.
func (s *Stream) findPage(raw string) {
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
func (s *Stream) findAgent(raw string) {
	c, ok := s.agents.get(raw)
	if !ok {
		c = s.rules.agents.classify(raw)
		s.agents.put(raw, c)
	}
	s.agent, s.agentClass = raw, c
}

// findZone finds the zone of the next hits' site.
func (s *Stream) findZone(site string) {
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
func (s *Stream) findVisitor(visitor string) {
	s.visitor, s.event.Visitor = visitor, 0
	if visitor == "" {
		return
	}
	s.scratch = append(append(append(s.scratch[:0], s.site...), 0), visitor...)
	s.event.Visitor = max(xxhash.Sum64(s.scratch), 1)
}

// viewKey names a view on the page of the stream's event.
func (s *Stream) viewKey(h *heatmap.Hit) uint64 {
	if h.View != s.view || s.viewHash == 0 {
		s.scratch = append(append(append(s.scratch[:0], h.Site...), 0), h.View...)
		s.view, s.viewHash = h.View, xxhash.Sum64(s.scratch)
	}
	return s.viewHash ^ s.urlPage.pageHash
}
