package index

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"

	"heatlog/heatmap"
)

// naiveEvents judges each hit as the documents say, by a walk over all of the log that matters to it.
func naiveEvents(t *testing.T, r *Rules, chunks []heatmap.Chunk) []told {
	var events []told
	for i := range chunks {
		first, bucket := i, bucketOf(chunks[i].Appended)
		for first > 0 && bucketOf(chunks[first-1].Appended) == bucket {
			first--
		}
		if first > 0 {
			bucket = bucketOf(chunks[first-1].Appended)
		}
		for first > 0 && bucketOf(chunks[first-1].Appended) == bucket {
			first--
		}
		for _, e := range naiveWalk(t, r, chunks[first:i+1]) {
			if e.Position >= chunks[i].Position {
				events = append(events, e)
			}
		}
	}
	return events
}

// naiveState is what a walk knows of the hits before.
type naiveState struct {
	batches, hits map[string]bool
	clicks        map[string][]*naiveClick // by site, view and page: trusted clicks
	open          map[string][]*naiveClick // clicks that may be dead
	counted       map[string]*naiveClick   // the last click that counted
}

type naiveClick struct {
	ms   int64
	at   Spot
	used bool
}

// forgetClicks leaves only what tells repeats of batches and hits.
func (s *naiveState) forgetClicks() {
	s.clicks, s.open, s.counted = make(map[string][]*naiveClick), make(map[string][]*naiveClick), make(map[string]*naiveClick)
}

// naiveWalk gives the events of a log of which nothing is forgotten but the clicks of more than ten minutes before its last
// bucket.
func naiveWalk(t *testing.T, r *Rules, chunks []heatmap.Chunk) []told {
	var events []told
	s := &naiveState{batches: make(map[string]bool), hits: make(map[string]bool)}
	s.forgetClicks()
	last := bucketOf(chunks[len(chunks)-1].Appended)
	for _, c := range chunks {
		position := c.Position
		for _, b := range c.Batches {
			name := naiveName(&b)
			repeat := b.ID != "" && s.batches[name]
			s.batches[name] = s.batches[name] || len(b.Hits) > 0
			for _, h := range b.Hits {
				position++
				id := fmt.Sprintf("%q %q", h.Site, h.ID)
				if repeat || h.ID != "" && s.hits[id] {
					continue
				}
				s.hits[id] = true
				if h.Visitor == "excluded" {
					continue
				}
				if e := s.event(t, r, h, position-1); !e.Repeat || e.DeadAt != nil || e.RageAt != nil {
					events = append(events, e)
				}
			}
		}
		if bucketOf(c.Appended) < last-1 {
			s.forgetClicks()
		}
	}
	return events
}

// naiveName names a batch as repeats/2 does.
func naiveName(b *heatmap.Batch) string {
	if b.Site == "" || len(b.Hits) == 0 {
		return fmt.Sprintf("%q %q", b.Site, b.ID)
	}
	return fmt.Sprintf("%q %q %q %q", b.Site, b.ID, b.Hits[0].View, b.Hits[0].UserAgent)
}

func (s *naiveState) event(t *testing.T, r *Rules, h heatmap.Hit, position uint64) told {
	page, err := r.Page(h.URL)
	if err != nil {
		t.Fatal(err)
	}
	e := told{Time: h.Time, At: naiveSpot(r, &h), Position: position, Page: page}
	zone, prague := time.UTC, r.Zone("prague")
	if h.Site == "prague" {
		zone = prague
	}
	e.Date = time.UnixMilli(h.Time).In(zone).Format(time.DateOnly)
	e.Device = map[string]heatmap.Device{"": heatmap.Desktop, "iPhone": heatmap.Mobile, "iPad": heatmap.Tablet, "Googlebot/2.1": heatmap.Desktop}[h.UserAgent]
	e.Bot = h.UserAgent == "Googlebot/2.1"
	if h.Visitor != "" {
		e.Visitor = xxhash.Sum64String(h.Site + "\x00" + h.Visitor)
	}
	isClick, trusted, key := h.Kind == heatmap.KindClick, h.Flags&heatmap.FlagUntrusted == 0, fmt.Sprintf("%q %q %q", h.Site, h.View, page)
	c := naiveClick{ms: h.Time, at: naiveSpot(r, &h)}
	if last := s.counted[key]; isClick && h.View != "" && r.repeat.window > 0 {
		e.Repeat = last != nil && naiveNear(*last, c, r.repeat.window, r.repeat.radius)
		if !e.Repeat {
			s.counted[key] = &c
		}
	}
	e.Dead = isClick && h.Flags&heatmap.FlagDead != 0 && !r.dead.fromLog && !e.Repeat
	if isClick && trusted && h.View != "" {
		burst := c
		e.RageAt = naiveRage(r, s.clicks[key], &burst)
		s.clicks[key] = append(s.clicks[key], &burst)
	}
	if r.dead.fromLog && h.View != "" {
		e.DeadAt = s.dead(r, key, h)
		if waiting := c; isClick && trusted && !e.Repeat {
			s.open[key] = append(s.open[key], &waiting)
		}
	}
	if !e.Repeat && r.sampled {
		switch {
		case slices.Contains(h.Tags, "sampled:0.125"):
			e.Sampled = 125_000
		case slices.Contains(h.Tags, "sampled:0.5"):
			e.Sampled = 500_000
		}
	}
	return e
}

// naiveSpot is where a click was, and inside which element if the rules count that.
func naiveSpot(r *Rules, h *heatmap.Hit) Spot {
	at := Spot{X: h.X, Y: h.Y}
	if name := h.ElementName(); h.Kind == heatmap.KindClick && h.Selector != "" && r.elements {
		at.Element, at.Cell = name.ID(), heatmap.InnerCellOf(h.BoxW, h.BoxH, h.AnchorX, h.AnchorY)
	}
	return at
}

func naiveNear(a, b naiveClick, window, radius int64) bool {
	dx, dy := float64(a.at.X)-float64(b.at.X), float64(a.at.Y)-float64(b.at.Y)
	return max(a.ms, b.ms)-min(a.ms, b.ms) <= window && dx*dx+dy*dy <= float64(radius*radius)
}

// dead judges the clicks of a view by a hit that follows them.
func (s *naiveState) dead(r *Rules, key string, h heatmap.Hit) (found []Spot) {
	clicks := s.open[key]
	for _, c := range clicks[max(0, len(clicks)-8):] {
		after := h.Time - c.ms
		elsewhere := !naiveNear(naiveClick{at: Spot{X: h.X, Y: h.Y}}, naiveClick{at: c.at}, 0, 24)
		did := h.Kind == heatmap.KindScroll || h.Kind == heatmap.KindView || h.Kind == heatmap.KindClick && elsewhere
		switch {
		case c.used || after < 0:
		case after > r.dead.window:
			c.used = true
			found = append(found, c.at)
		case did:
			c.used = true
		}
	}
	return found
}

// naiveRage tries all sets of earlier clicks and takes the latest of those that fit.
func naiveRage(r *Rules, before []*naiveClick, c *naiveClick) []Spot {
	before = before[max(0, len(before)-8):]
	best := -1
	for set := range 1 << len(before) {
		all := []*naiveClick{c}
		for i, b := range before {
			if set>>i&1 == 1 {
				all = append(all, b)
			}
		}
		fits := len(all) == r.rage.clicks
		for i, a := range all {
			for _, b := range all[:i] {
				fits = fits && !a.used && !b.used && naiveNear(*a, *b, r.rage.window, r.rage.radius)
			}
		}
		if fits {
			best = max(best, set) // the greatest number has the latest click, then the latest before that
		}
	}
	if best < 0 {
		return nil
	}
	var spots []Spot
	for i, b := range before {
		if best>>i&1 == 1 {
			b.used = true
			spots = append(spots, b.at)
		}
	}
	c.used = true
	return append(spots, c.at)
}

// randomLog makes chunks of hits that repeat and click a lot.
func randomLog(rng *rand.Rand, chunks int) []heatmap.Chunk {
	pick := func(texts ...string) string { return texts[rng.IntN(len(texts))] }
	var log []heatmap.Chunk
	position, appended := uint64(rng.IntN(100)), int64(1_767_225_600_000)
	number := 0
	for range chunks {
		switch rng.IntN(8) {
		case 0:
			appended += bucketMillis * int64(rng.IntN(4)) // also to the very start of a bucket
			appended -= appended % bucketMillis
		case 1:
			appended += rng.Int64N(3 * bucketMillis)
		default:
			appended += rng.Int64N(4 * 60_000)
		}
		c := heatmap.Chunk{Position: position, Appended: appended}
		for range rng.IntN(4) {
			b := heatmap.Batch{Site: pick("", "utc", "prague"), Visitor: pick("", "ann", "bob"), ID: pick("", "a", "b", "c", fmt.Sprint("own", number))}
			site := pick("utc", "prague")
			for range rng.IntN(8) {
				number++
				h := heatmap.Hit{
					Time: 1_767_221_999_000 + rng.Int64N(2000), Site: cmp.Or(b.Site, site), Visitor: pick(b.Visitor, b.Visitor, "excluded"),
					URL:  "https://x.example/" + pick("", "#a", "p/1", "p/2"),
					View: pick("", "v", "v", "v", "v", "w"), UserAgent: pick("", "iPhone", "iPad", "Googlebot/2.1"),
					ID: pick("", "", "", "h1", "h2", "h3", fmt.Sprint("own", number)), Kind: heatmap.Kind(1 + rng.IntN(4)),
					X: uint16(100 + rng.IntN(22)), Y: uint16(rng.IntN(22)), Flags: heatmap.Flags(rng.IntN(16)) &^ heatmap.FlagUntrusted,
				}
				if rng.IntN(5) > 0 {
					h.Kind = heatmap.KindClick
				}
				if h.Selector = pick("", "a", "main>b"); h.Selector != "" {
					h.Check, h.HasCheck, h.BoxW, h.BoxH = uint16(rng.IntN(3)), rng.IntN(2) == 0, uint16(rng.IntN(200)), 20
					h.AnchorX, h.AnchorY = rng.Uint32N(heatmap.AnchorUnit+1), rng.Uint32N(heatmap.AnchorUnit+1)
				}
				if rng.IntN(8) == 0 {
					h.Flags |= heatmap.FlagUntrusted
				}
				h.Tags = [][]string{nil, {"a"}, {"sampled:0.5"}, {"b", "sampled:0.125", "sampled:0.5"}, {"sampled:1", "sampled"}}[rng.IntN(5)]
				b.Hits = append(b.Hits, h)
			}
			c.Batches = append(c.Batches, b)
			c.Count += len(b.Hits)
		}
		if c.Count == 0 {
			continue // a journal has none
		}
		position = c.End()
		log = append(log, c)
	}
	return log
}
