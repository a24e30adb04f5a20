package index

import (
	"cmp"
	"fmt"
	"math/rand/v2"
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

type naiveClick struct {
	ms   int64
	at   Spot
	used bool
}

// naiveWalk gives the events of a log of which nothing is forgotten but the clicks of more than ten minutes before its last
// bucket.
func naiveWalk(t *testing.T, r *Rules, chunks []heatmap.Chunk) []told {
	var events []told
	batches, hits := make(map[string]bool), make(map[string]bool)
	clicks := make(map[string][]*naiveClick)
	last := bucketOf(chunks[len(chunks)-1].Appended)
	for _, c := range chunks {
		position := c.Position
		for _, b := range c.Batches {
			name := naiveName(&b)
			repeat := b.ID != "" && batches[name]
			batches[name] = batches[name] || len(b.Hits) > 0
			for _, h := range b.Hits {
				position++
				id := fmt.Sprintf("%q %q", h.Site, h.ID)
				if repeat || h.ID != "" && hits[id] {
					continue
				}
				hits[id] = true
				if h.Visitor == "excluded" {
					continue
				}
				events = append(events, naiveEvent(t, r, h, position-1, clicks))
			}
		}
		if bucketOf(c.Appended) < last-1 {
			clear(clicks)
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

func naiveEvent(t *testing.T, r *Rules, h heatmap.Hit, position uint64, clicks map[string][]*naiveClick) told {
	page, err := r.Page(h.URL)
	if err != nil {
		t.Fatal(err)
	}
	e := told{Time: h.Time, At: Spot{h.X, h.Y}, Position: position, Page: page}
	zone, prague := time.UTC, r.Zone("prague")
	if h.Site == "prague" {
		zone = prague
	}
	e.Date = time.UnixMilli(h.Time).In(zone).Format(time.DateOnly)
	e.Device = map[string]heatmap.Device{"": heatmap.Desktop, "iPhone": heatmap.Mobile, "iPad": heatmap.Tablet, "Googlebot/2.1": heatmap.Desktop}[h.UserAgent]
	e.Bot = h.UserAgent == "Googlebot/2.1"
	e.Dead = h.Kind == heatmap.KindClick && h.Flags&heatmap.FlagDead != 0
	if h.Visitor != "" {
		e.Visitor = xxhash.Sum64String(h.Site + "\x00" + h.Visitor)
	}
	if h.Kind == heatmap.KindClick && h.View != "" && h.Flags&heatmap.FlagUntrusted == 0 {
		key := fmt.Sprintf("%q %q %q", h.Site, h.View, page)
		c := &naiveClick{ms: h.Time, at: Spot{h.X, h.Y}}
		e.Rage, e.RageAt = naiveRage(clicks[key], c)
		clicks[key] = append(clicks[key], c)
	}
	return e
}

func naiveRage(before []*naiveClick, c *naiveClick) (bool, [3]Spot) {
	fits := func(a, b *naiveClick) bool {
		dx, dy := float64(a.at.X)-float64(b.at.X), float64(a.at.Y)-float64(b.at.Y)
		return max(a.ms, b.ms)-min(a.ms, b.ms) <= 1000 && dx*dx+dy*dy <= 24*24 && !a.used && !b.used
	}
	before = before[max(0, len(before)-8):]
	for j := len(before) - 1; j >= 0; j-- {
		for i := j - 1; i >= 0; i-- {
			if a, b := before[i], before[j]; fits(a, b) && fits(a, c) && fits(b, c) {
				a.used, b.used, c.used = true, true, true
				return true, [3]Spot{a.at, b.at, c.at}
			}
		}
	}
	return false, [3]Spot{}
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
				if rng.IntN(8) == 0 {
					h.Flags |= heatmap.FlagUntrusted
				}
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
