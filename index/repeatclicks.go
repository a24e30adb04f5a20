package index

// repeatClicks applies repeat-clicks/1: a click of one view on one page that is at most a window of time and a radius from
// the last click of the same that counted, does not count. It is looked at by rage all the same. Like rage it sees a log
// that begins with the ten minutes before this bucket, so it forgets all over a gap, and of that the last ringClicks clicks
// that counted.
type repeatClicks struct {
	since, current clickRing
}

// rotate moves on to the next bucket.
func (r *repeatClicks) rotate() { r.since, r.current = r.current, r.since.cleared() }

// reset moves on to a bucket behind a gap.
func (r *repeatClicks) reset() { r.since, r.current = r.since.cleared(), r.current.cleared() }

// click takes a click and says in which log it is a repeat.
func (r *repeatClicks) click(rules nearness, key uint64, in verdict, ms int64, at Spot) (is verdict) {
	if in.fresh {
		is.fresh = r.current.repeats(rules, key, ms, at)
	}
	if in.counts {
		is.counts = r.since.repeats(rules, key, ms, at)
	}
	return is
}

// repeats reports whether a click repeats the last one of its key, and remembers it if not.
func (r *clickRing) repeats(rules nearness, key uint64, ms int64, at Spot) bool {
	c := ringClick{key: key, ms: ms, at: at}
	if last := r.last(key); last != nil && rules.holds(last, &c) {
		return true
	}
	r.put(c)
	return false
}
