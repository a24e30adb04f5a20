package index

import "heatlog/heatmap"

// past is the part of a stream that must see the log in its order: what it knows of the hits before. All that it knows is of
// the bucket of append time that it is in and of the last one before that holds a hit. The zero value knows nothing.
type past struct {
	bucket  int64 // of the last chunk: append time / bucketMillis
	started bool
	repeats repeats
	rage    rage
	dead    dead
	clicks  repeatClicks
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
func (p *past) advance(bucket int64) {
	if !p.started {
		p.bucket, p.started = bucket, true
	}
	if bucket <= p.bucket {
		return
	}
	p.repeats.rotate()
	if bucket == p.bucket+1 {
		p.rage.rotate()
		p.dead.rotate()
		p.clicks.rotate()
	} else {
		p.rage.reset()
		p.dead.reset()
		p.clicks.reset()
	}
	p.bucket = bucket
}

// outcome is what the hits before make of a hit.
type outcome struct {
	repeat bool   // it repeats a click
	rageAt []Spot // Event.RageAt
	deadAt []Spot // Event.DeadAt
}

// derive finds what a hit completes, and whether it repeats a click. The hit is one that the rules remember, in says in which log
// it counts, and key names its view and page.
func (p *past) derive(r *Rules, h *heatmap.Hit, at Spot, key uint64, in verdict) (o outcome) {
	isClick, trusted := h.Kind == heatmap.KindClick, h.Flags&heatmap.FlagUntrusted == 0
	var repeat verdict
	if isClick && r.repeat.window > 0 {
		repeat = p.clicks.click(r.repeat, key, in, h.Time, at)
		o.repeat = repeat.counts
	}
	if isClick && trusted {
		o.rageAt = p.rage.click(&r.rage, key, in, h.Time, at)
	}
	if r.dead.fromLog {
		o.deadAt = p.dead.hit(&r.dead, key, in, h, at, isClick && trusted, repeat)
	}
	return o
}
