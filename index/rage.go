package index

// rageMemory is how many clicks of one view on one page before it a click is compared with, and the greatest number of
// clicks that a burst can have.
const rageMemory = 8

// rageRules are the parameters of rage/1; by default three clicks within a second and 24 px of each other.
type rageRules struct {
	clicks int // of a burst, 2 to rageMemory
	nearness
}

// rage applies rage/1: the last of so many clicks of one view on one page, each two of them within a window of time and
// a radius of each other, completes a burst. Of the eight clicks of the view on the page before it, those that belong to no
// burst yet count, and the latest in the order of the log that fit are taken. It sees a log that begins with the ten minutes
// before this bucket, so a burst lies in one bucket or in two that follow each other without a gap: unlike repeats it forgets
// all over a gap, where only an import or an odd clock could have clicks of one minute on both sides. It sees the last
// ringClicks clicks of that log only, which bounds its memory to about 12 MiB whatever the traffic: a burst whose clicks come
// in several batches is lost if more clicks than that come between them.
type rage struct {
	since   bursts // clicks since the bucket before this one: what decides
	current bursts // clicks since this bucket: what the next one goes on with
}

// rotate moves on to the next bucket.
func (r *rage) rotate() { r.since, r.current = r.current, bursts{r.since.cleared()} }

// reset moves on to a bucket behind a gap.
func (r *rage) reset() {
	r.since, r.current = bursts{r.since.cleared()}, bursts{r.current.cleared()}
}

// click takes a trusted click of a view on a page, which key names, at a time in Unix ms. It gives the spots of the
// burst that the click completes, in the order of the log, nil if it completes none.
func (r *rage) click(rules *rageRules, key uint64, in verdict, ms int64, at Spot) []Spot {
	if in.fresh {
		r.current.add(rules, key, ms, at)
	}
	if in.counts {
		return r.since.add(rules, key, ms, at)
	}
	return nil
}

// bursts holds the last clicks of one log; done are those that belong to a burst. The zero value is empty.
type bursts struct{ clickRing }

// add takes a click and gives the burst that it completes.
func (b *bursts) add(rules *rageRules, key uint64, ms int64, at Spot) (burst []Spot) {
	c := ringClick{key: key, ms: ms, latest: ms, at: at}
	if last := b.last(key); last != nil {
		c.latest = max(ms, last.latest)
		if ms-last.latest <= rules.window && b.near(rules, &c, last) >= rules.clicks-1 {
			burst = b.complete(rules, &c)
		}
	}
	b.put(c)
	return burst
}

// near is the number of clicks before, of which the last one is given, that are near to c and belong to no burst: mostly too few
// for one.
func (b *bursts) near(rules *rageRules, c, last *ringClick) (n int) {
	d := last
	for i := 0; d != nil; d = b.before(d) {
		if !d.done && rules.holds(c, d) {
			n++
		}
		if i++; i == rageMemory {
			break
		}
	}
	return n
}

// complete gives the burst that c completes, nil if there is none.
func (b *bursts) complete(rules *rageRules, c *ringClick) (burst []Spot) {
	var near, taken [rageMemory]*ringClick
	found := b.pick(rules, c, near[:0], taken[:0])
	if found == nil {
		return nil
	}
	burst = make([]Spot, rules.clicks)
	for i, d := range found {
		d.done = true
		burst[rules.clicks-2-i] = d.at
	}
	burst[rules.clicks-1] = c.at
	c.done = true
	return burst
}

// pick gives the latest clicks that make a burst with c, the last one first, or nil. It uses near and taken as memory.
func (b *bursts) pick(rules *rageRules, c *ringClick, near, taken []*ringClick) []*ringClick {
	d := b.last(c.key)
	for range rageMemory {
		if d == nil {
			break
		}
		if !d.done && rules.holds(c, d) {
			near = append(near, d)
		}
		d = b.before(d)
	}
	return rules.complete(near, taken)
}

// complete adds to taken the first of near that are near to each other and to all of taken, until there are enough for a
// burst with one more; nil if there are too few.
func (r *rageRules) complete(near, taken []*ringClick) []*ringClick {
	if len(taken) == r.clicks-1 {
		return taken
	}
	for i, d := range near {
		if len(near)-i < r.clicks-1-len(taken) {
			break
		}
		if !r.holdsAll(d, taken) {
			continue
		}
		if found := r.complete(near[i+1:], append(taken, d)); found != nil {
			return found
		}
	}
	return nil
}

// holdsAll reports whether a click is near to all of others.
func (r *rageRules) holdsAll(d *ringClick, others []*ringClick) bool {
	for _, o := range others {
		if !r.holds(d, o) {
			return false
		}
	}
	return true
}
