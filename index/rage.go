package index

// Limits of rage/1.
const (
	rageMillis = 1000    // greatest difference of the times of three clicks, ms
	ragePixels = 24      // greatest distance of each two of them, CSS px
	rageMemory = 8       // clicks of one view on one page that the third is compared with
	rageClicks = 1 << 17 // clicks of a log, of all views, that are remembered
)

// Spot is a place on a page, CSS px.
type Spot struct{ X, Y uint16 }

// rage applies rage/1: the third of three clicks of one view on one page, within a second and 24 px of each other,
// completes a burst. Of the eight clicks of the view on the page before it, those that belong to no burst yet count, and
// the latest two in the order of the log that fit are taken. It sees a log that begins with the ten minutes before this
// bucket, so a burst lies in one bucket or in two that follow each other without a gap: unlike repeats it forgets all
// over a gap, where only an import or an odd clock could have clicks of one second on both sides. It sees the last rageClicks clicks of
// that log only, which bounds its memory to about 20 MiB whatever the traffic: a burst whose clicks come in several
// batches is lost if more clicks than that come between them.
type rage struct {
	since   bursts // clicks since the bucket before this one: what decides
	current bursts // clicks since this bucket: what the next one goes on with
}

// rotate moves on to the next bucket.
func (r *rage) rotate() { r.since, r.current = r.current, bursts{} }

// reset moves on to a bucket behind a gap.
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

// bursts holds the last clicks of one log. The zero value is empty.
type bursts struct {
	last   map[uint64]uint64 // by view and page: number of the last click, from 1
	clicks []burstClick      // click n is at (n-1) % rageClicks
	n      uint64            // clicks so far
}

type burstClick struct {
	key  uint64
	ms   int64
	prev uint64 // number of the click before of the same view and page, 0 = none
	at   Spot
	used bool // it belongs to a burst
}

// add takes a click and gives the burst that it completes.
func (b *bursts) add(key uint64, ms int64, at Spot) (burst [3]Spot, ok bool) {
	if b.last == nil {
		b.last = make(map[uint64]uint64)
	}
	c := burstClick{key: key, ms: ms, at: at, prev: b.last[key]}
	var near [rageMemory]*burstClick
	for i, j := range b.pair(&c, near[:0]) {
		j.used, c.used = true, true
		burst[1-i] = j.at
	}
	burst[2] = at
	b.put(c)
	return burst, c.used
}

// put remembers a click in the place of the oldest, if there are as many as may be.
func (b *bursts) put(c burstClick) {
	b.n++
	if len(b.clicks) < rageClicks {
		b.clicks = append(b.clicks, c)
	} else {
		old := &b.clicks[(b.n-1)%rageClicks]
		if b.last[old.key] == b.n-rageClicks {
			delete(b.last, old.key)
		}
		*old = c
	}
	b.last[c.key] = b.n
}

// click gives the click of a number, nil if there is none or it is forgotten.
func (b *bursts) click(number uint64) *burstClick {
	if number == 0 || number+rageClicks <= b.n {
		return nil
	}
	return &b.clicks[(number-1)%rageClicks]
}

// pair gives the latest two clicks, later one first, that make a burst with c, or nil. It uses near for the clicks that
// c is near to.
func (b *bursts) pair(c *burstClick, near []*burstClick) []*burstClick {
	next := c.prev
	for range rageMemory {
		d := b.click(next)
		if d == nil {
			break
		}
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
