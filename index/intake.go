package index

import (
	"fmt"
	"slices"

	"github.com/cespare/xxhash/v2"

	"heatlog/heatmap"
)

// intake turns the chunks of a source, in order, into ops for shards. It is the sequential part of applying.
type intake struct {
	stream *Stream
	from   uint64 // hits below are stored already: they only tell the stream what came before
	next   uint64 // position of the next chunk, unless hits are lost before it
	tap    *tap
	totals Totals // of all hits below next, but for what the stream counts
	ends   ends
}

// start gives the position to read a source from so that the intake is complete at a checkpoint: so far before it that
// the stream knows which repeats and clicks came before.
func (in *intake) start(source Source, from checkpoint) (uint64, error) {
	in.from, in.totals = from.Position, from.Totals
	in.totals.ExcludedBy = slices.Clone(from.Totals.ExcludedBy)
	if in.next = max(from.Position, source.First()); in.next > from.Position {
		in.totals.Since = in.next
	}
	in.ends.start(from)
	if from.Position == 0 {
		return source.First(), nil
	}
	warm, err := warmFrom(source, from.Appended)
	if err != nil {
		return 0, err
	}
	return max(source.First(), min(warm, from.Position)), nil
}

// warmFrom gives the position from which a source must have been read for what comes at append time appended, Unix ms, or
// later to be judged as if all of it had been: the start of the last bucket before that holds a hit.
func warmFrom(source Source, appended int64) (uint64, error) {
	begin := bucketOf(appended) * bucketMillis
	before, ok, err := source.Before(begin)
	if err == nil && ok {
		begin = bucketOf(before) * bucketMillis
	}
	var position uint64
	if err == nil {
		position, err = source.Since(begin)
	}
	if err != nil {
		return 0, fmt.Errorf("find begin of buckets in journal %s: %w", source.ID(), err)
	}
	return position, nil
}

// warms takes a chunk that lies before the checkpoint and reports whether it did.
func (in *intake) warms(c *heatmap.Chunk) bool {
	if c.End() > in.from {
		return false
	}
	in.stream.Warm(c)
	return true
}

// split appends the ops of a chunk to parts, one for each shard.
func (in *intake) split(c *heatmap.Chunk, parts []*part) {
	listened := in.tap.begin(c)
	defer in.tap.end(c)
	var to *part
	var r *run // of the last event
	in.stream.Events(c, func(ev *Event) {
		if ev.Position < in.from {
			return
		}
		if r == nil || ev.Page != r.page || ev.Hit.Site != r.site || ev.Date != r.date {
			to = parts[shardOf(ev.Hit.Site, ev.Page, len(parts))]
			r = to.begin(ev)
		}
		in.totals.event(ev)
		to.next(ev)
		if listened {
			in.tap.show(ev)
		}
	})
	in.end(c)
}

// end adds what a chunk has to the totals.
func (in *intake) end(c *heatmap.Chunk) {
	t := &in.totals
	if c.Position > in.next {
		t.Lost += c.Position - in.next
	}
	in.next = c.End()
	t.Read += uint64(c.Count)
	for i := range c.Batches {
		if len(c.Batches[i].Hits) > 0 {
			t.Batches++
		}
	}
	sum := in.totals
	sum.ExcludedBy = slices.Clone(sum.ExcludedBy)
	sum.Add(in.stream.leftOut())
	in.ends.add(checkpoint{Position: in.next, Appended: c.Appended, Totals: sum})
}

// event counts a hit that is counted, and what it completes.
func (t *Totals) event(ev *Event) {
	if t.Dead += uint64(len(ev.DeadAt)); ev.RageAt != nil {
		t.Bursts++
	}
	if ev.Repeat {
		return
	}
	switch ev.Hit.Kind {
	case heatmap.KindView:
		t.Views++
	case heatmap.KindClick:
		t.Clicks++
	case heatmap.KindScroll:
		t.Scrolls++
	default:
		t.Moves++
	}
	if ev.Bot {
		t.Bots++
	}
	if ev.Dead {
		t.Dead++
	}
}

// leftOut says what the stream left out of all chunks that it took with events. The list is the stream's.
func (s *Stream) leftOut() *Totals {
	return &Totals{
		RepeatedBatches: s.stats.RepeatedBatches, RepeatedHits: s.stats.RepeatedHits,
		Excluded: s.stats.Excluded, ExcludedBy: s.stats.ExcludedBy, ExprErrors: s.stats.ExprErrors,
		Carried: s.stats.LeftOut, RepeatedClicks: s.stats.RepeatedClicks, Unsettled: s.stats.Unsettled,
	}
}

// shardOf gives the one of n shards that holds a page.
func shardOf(site, page string, n int) int {
	if n == 1 {
		return 0
	}
	return int((xxhash.Sum64String(site) ^ xxhash.Sum64String(page)) % uint64(n))
}

// asOp takes what is counted of an event.
func asOp(ev *Event) (o lonelyOp) {
	o.set(ev)
	o.derived = derived{ev.RageAt, ev.DeadAt}
	if o.anchor.Element != 0 {
		o.element = ev.Hit.ElementName()
	}
	return o
}

// set takes what a shard needs of an event, but for what is in the lists of a part.
func (o *op) set(ev *Event) {
	h := ev.Hit
	*o = op{
		position: ev.Position, visitor: ev.Visitor, anchor: ev.Anchor, layer: layerOf(ev), dwell: h.Dwell, sampled: ev.Sampled,
		x: h.X, y: h.Y, vh: h.ViewportH, depth: h.Depth, from: h.From, repeat: ev.Repeat, dead: ev.Dead,
	}
}

// layerOf gives the layer that a hit counts in.
func layerOf(ev *Event) heatmap.LayerID {
	return heatmap.NewLayerID(ev.Hit.Kind, heatmap.WidthBandOf(ev.Hit.ViewportW), ev.Device, ev.Bot)
}
