package index

import (
	"slices"
	"sync"
	"time"

	"heatlog/heatmap"
)

// StreamOptions bound what a stream remembers. The zero value works.
type StreamOptions struct {
	MaxBytes int64             // memory for telling repeats, half of it for each of two buckets; default 64 MiB
	LeftOut  func(*Event) bool // asked of each hit that is no repeat: is it not to be told, though later ones may depend on it? Rules and derived fields come after it; nil = none
}

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
	describer
	past

	maxBytes int64
	skips    func(*Event) bool
	stats    StreamStats

	mu        sync.Mutex // guards what follows
	published StreamStats
	held      streamMemory
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
	s := &Stream{describer: newDescriber(r, zone), maxBytes: o.MaxBytes, skips: o.LeftOut}
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
	s.stats.ExprErrors = s.failed
	s.publish()
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
		s.event.complete(s.derive(s.rules, h, s.event.spot(), s.viewKey(h), in))
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
	if e.tells() {
		fn(e)
	}
}

// tells reports whether there is something to count of the event.
func (e *Event) tells() bool { return !e.Repeat || e.RageAt != nil || e.DeadAt != nil }
