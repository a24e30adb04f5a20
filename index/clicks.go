package index

// ringClicks is how many clicks of a log, of all views, are remembered.
const ringClicks = 1 << 17

// Spot is a place on a page, CSS px.
type Spot struct{ X, Y uint16 }

// nearness says how close two clicks are to each other at most, both inclusive.
type nearness struct {
	window int64 // difference of their times, ms
	radius int64 // distance, CSS px
}

// holds reports whether two clicks are near to each other in time and place.
func (n nearness) holds(a, b *ringClick) bool {
	dt := a.ms - b.ms
	return dt <= n.window && dt >= -n.window && within(a.at, b.at, n.radius)
}

// within reports whether two spots are at most radius px apart.
func within(a, b Spot, radius int64) bool {
	dx, dy := int64(a.X)-int64(b.X), int64(a.Y)-int64(b.Y)
	return dx*dx+dy*dy <= radius*radius
}

// clickRing holds the last clicks of one log, by the view and page that a key names. The zero value is empty.
type clickRing struct {
	last   map[uint64]uint64 // by key: number of the last click, from 1
	clicks []ringClick       // click n is at (n-1) % ringClicks
	n      uint64            // clicks so far
}

type ringClick struct {
	key  uint64
	ms   int64
	prev uint64 // number of the click before of the same key, 0 = none
	at   Spot
	done bool // nothing more is to be found out about it
}

// put remembers a click in the place of the oldest, if there are as many as may be.
func (r *clickRing) put(c ringClick) {
	if r.last == nil {
		r.last = make(map[uint64]uint64)
	}
	r.n++
	if len(r.clicks) < ringClicks {
		r.clicks = append(r.clicks, c)
	} else {
		old := &r.clicks[(r.n-1)%ringClicks]
		if r.last[old.key] == r.n-ringClicks {
			delete(r.last, old.key)
		}
		*old = c
	}
	r.last[c.key] = r.n
}

// click gives the click of a number, nil if there is none or it is forgotten.
func (r *clickRing) click(number uint64) *ringClick {
	if number == 0 || number+ringClicks <= r.n {
		return nil
	}
	return &r.clicks[(number-1)%ringClicks]
}
