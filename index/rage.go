package index

// Limits of rage/1.
const (
	rageMillis = 1000 // greatest difference of the times of three clicks, ms
	ragePixels = 24   // greatest distance of each two of them, CSS px
	rageMemory = 8    // clicks of one view on one page that the third is compared with
)

// Spot is a place on a page, CSS px.
type Spot struct{ X, Y uint16 }

// rage applies rage/1: the third of three clicks of one view on one page, within a second and 24 px of each other,
// completes a burst. Of the eight clicks of the view on the page before it, those that belong to no burst yet count, and
// the latest two in the order of the log that fit are taken. Like repeats it sees a log that begins with the bucket
// before this one, so a burst lies in one bucket or in two that follow each other.
type rage struct {
	since   bursts // clicks since the bucket before this one: what decides
	current bursts // clicks since this bucket: what the next one goes on with
}

// rotate moves on to the next bucket.
func (r *rage) rotate() { r.since, r.current = r.current, bursts{} }

// reset forgets everything.
func (r *rage) reset() { r.since, r.current = bursts{}, bursts{} }

// click takes a trusted click of a view on a page, which key names, at a time in Unix ms. It gives the spots of the
// burst that the click completes, in the order of the log.
func (r *rage) click(key uint64, in verdict, ms int64, at Spot) (burst [3]Spot, ok bool) {
	if in.fresh {
		r.current.add(key, ms, at)
	}
	if in.counts {
		return r.since.add(key, ms, at)
	}
	return burst, false
}

// bursts holds the clicks of one log. The zero value is empty.
type bursts struct {
	last   map[uint64]int32 // by view and page: index in clicks of the last one, plus 1
	clicks []burstClick
}

type burstClick struct {
	ms   int64
	prev int32 // index of the click before of the same view and page, plus 1; 0 = none
	at   Spot
	used bool // it belongs to a burst
}

// burstKeyBytes is about what an entry of bursts.last costs: 16 bytes in a table that is half to seven eighths full.
const burstKeyBytes = 32

// add takes a click and gives the burst that it completes.
func (b *bursts) add(key uint64, ms int64, at Spot) (burst [3]Spot, ok bool) {
	if b.last == nil {
		b.last = make(map[uint64]int32)
	}
	c := burstClick{ms: ms, at: at, prev: b.last[key]}
	var near [rageMemory]*burstClick
	for i, j := range b.pair(&c, near[:0]) {
		j.used, c.used = true, true
		burst[1-i] = j.at
	}
	burst[2] = at
	b.clicks = append(b.clicks, c)
	b.last[key] = int32(len(b.clicks))
	return burst, c.used
}

// pair gives the latest two clicks, later one first, that make a burst with c, or nil. It uses near for the clicks that
// c is near to.
func (b *bursts) pair(c *burstClick, near []*burstClick) []*burstClick {
	next := c.prev
	for range rageMemory {
		if next == 0 {
			break
		}
		d := &b.clicks[next-1]
		next = d.prev
		if !d.used && nearby(c, d) {
			near = append(near, d)
		}
	}
	for j, later := range near {
		for _, earlier := range near[j+1:] {
			if nearby(later, earlier) {
				near[0], near[1] = later, earlier
				return near[:2]
			}
		}
	}
	return nil
}

// nearby reports whether two clicks can be in one burst.
func nearby(a, b *burstClick) bool {
	dt, dx, dy := a.ms-b.ms, int64(a.at.X)-int64(b.at.X), int64(a.at.Y)-int64(b.at.Y)
	return dt <= rageMillis && dt >= -rageMillis && dx*dx+dy*dy <= ragePixels*ragePixels
}

// bytes is about the memory held.
func (b *bursts) bytes() int64 { return int64(cap(b.clicks))*24 + int64(len(b.last))*burstKeyBytes }
