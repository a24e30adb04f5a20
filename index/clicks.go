package index

import (
	"math/bits"
	"math/rand/v2"

	"heatlog/heatmap"
)

// ringClicks is how many clicks of a log, of all views, are remembered.
const ringClicks = 1 << 17

// Spot is where a click was: the place on the page, CSS px, and the element and the cell inside that, if it has an anchor that
// the rules count.
type Spot struct {
	X, Y    uint16
	Cell    heatmap.InnerCell
	Element heatmap.ElementID
}

// Anchor gives the element and the cell inside it.
func (s Spot) Anchor() heatmap.Anchor { return heatmap.Anchor{Element: s.Element, Cell: s.Cell} }

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
//
// Clicks whose keys fall into one slot are a chain, the last one first. It is followed through other keys' clicks, and ends
// at the first that is forgotten.
type clickRing struct {
	slots  []uint32    // number of the last click, modulo 2^32; a power of two long
	spread uint64      // odd and random: whoever chooses views cannot choose slots
	clicks []ringClick // click n is at (n-1) % ringClicks
	n      uint32      // clicks so far, modulo 2^32
}

type ringClick struct {
	key    uint64
	ms     int64
	latest int64 // of bursts: no click of the key that came before, nor this one, has a later ms
	at     Spot
	chain  uint32 // number of the click before in the same slot
	done   bool   // nothing more is to be found out about it
}

const (
	minSlots   = 256
	keptClicks = 1 << 14 // up to which an emptied ring keeps its memory
)

// cleared gives an empty ring, in the memory of this one.
func (r clickRing) cleared() clickRing {
	if cap(r.clicks) > keptClicks {
		return clickRing{}
	}
	clear(r.slots)
	return clickRing{slots: r.slots, spread: r.spread, clicks: r.clicks[:0]}
}

// put remembers a click in the place of the oldest, if there are as many as may be.
func (r *clickRing) put(c ringClick) {
	if len(r.clicks) >= len(r.slots) && len(r.slots) < ringClicks {
		r.grow()
	}
	r.n++
	at := (r.n - 1) % ringClicks
	if len(r.clicks) < ringClicks {
		r.clicks = append(r.clicks, c)
	} else {
		r.clicks[at] = c
	}
	r.link(at, r.n)
}

// link puts the click at a place, which has a number, first in its chain.
func (r *clickRing) link(at, number uint32) {
	slot := r.slot(r.clicks[at].key)
	r.clicks[at].chain, *slot = *slot, number
}

func (r *clickRing) slot(key uint64) *uint32 {
	return &r.slots[key*r.spread>>(64-bits.Len(uint(len(r.slots)-1)))]
}

// grow doubles the slots, before any click was forgotten.
func (r *clickRing) grow() {
	r.slots = make([]uint32, max(minSlots, 2*len(r.slots)))
	r.spread = rand.Uint64() | 1
	for i := range r.clicks {
		r.link(uint32(i), uint32(i)+1)
	}
}

// click gives the first click of a key in the chain from a number on, nil if there is none or it is forgotten.
func (r *clickRing) click(number uint32, key uint64) *ringClick {
	for age := r.n - number; age < uint32(len(r.clicks)); age = r.n - number {
		c := &r.clicks[(number-1)%ringClicks]
		if c.key == key {
			return c
		}
		if r.n-c.chain <= age {
			return nil // its number has been given again
		}
		number = c.chain
	}
	return nil
}

// last gives the last click of a key, nil if there is none.
func (r *clickRing) last(key uint64) *ringClick {
	if len(r.clicks) == 0 {
		return nil
	}
	if c := &r.clicks[(r.n-1)%ringClicks]; c.key == key { // a view's clicks mostly follow one another
		return c
	}
	return r.click(*r.slot(key), key)
}

// before gives the click before c of the same key, nil if there is none.
func (r *clickRing) before(c *ringClick) *ringClick { return r.click(c.chain, c.key) }
