package heatmap

import (
	"slices"
	"unsafe"
)

// Notes is memory in which deltas note hits that they have not counted yet: blocks that one delta has after the other. It holds
// no pointer and is not returned block by block, so that neither making room for a hit nor collecting garbage costs much. The zero
// value is empty. It is not safe for concurrent use, and so no two deltas that have one in common are.
type Notes struct {
	slabs [][]uint64 // of slabBlocks blocks each but for the first, which grows to that
	made  uint32     // blocks that were given out ever; their numbers are 1 to made
	free  uint32     // the first of those that were given back, 0 = none; a block's link is the next
	used  int        // blocks that deltas have

	gathered gathered // memory
}

const (
	blockWords = 16   // two lines of a processor's cache; the first word is the link to the next block
	slabBlocks = 4096 // 512 kB

	noteBytes  = blockWords * 8
	notesBytes = int(unsafe.Sizeof(Notes{})) + int(unsafe.Sizeof([]uint64(nil)))
)

type noteBlock = [blockWords]uint64

// NewDelta is NewDelta for a delta that notes hits in m.
func (m *Notes) NewDelta(cell int) Delta {
	d := NewDelta(cell)
	d.noted.memory, d.noted.shared = m, true
	return d
}

// Used is how many bytes of m deltas have: it is in their sizes.
func (m *Notes) Used() int { return m.used * noteBytes }

// Held is how many bytes m holds in all.
func (m *Notes) Held() int {
	size := notesBytes
	for _, s := range m.slabs {
		size += cap(s) * 8
	}
	return size
}

func (m *Notes) block(number uint32) *noteBlock {
	i := number - 1
	return (*noteBlock)(m.slabs[i/slabBlocks][i%slabBlocks*blockWords:])
}

// take gives a block, whose content is undefined but for the link, which is 0.
func (m *Notes) take() (number uint32, b *noteBlock) {
	m.used++
	if number = m.free; number != 0 {
		b = m.block(number)
		m.free = uint32(b[0])
		b[0] = 0
		return number, b
	}
	last := len(m.slabs) - 1
	switch at := m.made % slabBlocks; {
	case at == 0 && m.made > 0:
		m.slabs = append(m.slabs, make([]uint64, slabBlocks*blockWords))
	case last < 0:
		m.slabs = append(m.slabs, make([]uint64, blockWords))
	case last == 0 && int(at)*blockWords == len(m.slabs[0]):
		m.slabs[0] = append(m.slabs[0], make([]uint64, len(m.slabs[0]))...)
	}
	m.made++
	return m.made, m.block(m.made)
}

// giveBack takes a chain of so many blocks back.
func (m *Notes) giveBack(first, last uint32, blocks int) {
	m.block(last)[0] = uint64(m.free)
	m.free = first
	m.used -= blocks
}

// noted are hits that a delta was given and has not counted in its layers yet. A layer is found once for all of its hits
// among them, and what comes in order is counted in order: that costs a fraction of finding layer and cell for each hit.
//
// They are notes of one or two words in a chain of blocks, one after the other; no note is in two blocks, and a word of 0 ends a
// block that is not full. A note's first word is a point: its layer in the high half, and in the low one its cell at the finest
// level (of views 0) and whether it has an anchor. Of an anchor the upper bits of the cell inside the element are above the layer,
// and the second word is the element and the other bits. Of a scroll the low half is its dwell and the second word is where it
// was. The layer of a visitor is visitorLayer, and its bot; the second word is the visitor.
type noted struct {
	memory      *Notes // nil = none was needed yet
	first, last uint32 // blocks, 0 = none
	blocks      uint16
	hits        uint16 // distinct notes but those of visitors
	scrolls     uint16
	anchors     uint16
	at          uint8 // words of the last block that are used
	shared      bool  // other deltas have the same memory
}

// maxNoted is how many words are noted at most, and so how many hits.
const maxNoted = 2048

const maxBlocks = maxNoted / blockWords

// A point's bits below those of its layer: the lowest one, and how far up the cell is.
const (
	hasAnchor = 1
	cellShift = 1
)

const (
	layerShift = 32
	layerMask  = 1<<19 - 1 // a LayerID has no other bits
	upperShift = layerShift + 20
	innerLow   = 16 // bits of an InnerCell that are in the second word

	visitorLayer = 7 << 16 // a kind that there is not
)

func pointCell(p uint64) cellID { return cellID(uint32(p) >> cellShift) }

// bytes is the memory that the notes take.
func (n *noted) bytes() int {
	switch {
	case n.memory == nil:
		return 0
	case n.shared:
		return int(n.blocks) * noteBytes
	}
	return n.memory.Held()
}

// full reports whether there is no room for another note of two words.
func (n *noted) full() bool { return n.blocks == maxBlocks && n.at > blockWords-2 }

// room gives the last block, which has room for so many words more, and moves on behind these.
func (n *noted) room(words uint8) (b *noteBlock, at uint8) {
	if n.last != 0 && n.at+words <= blockWords {
		at = n.at
		n.at += words
		return n.memory.block(n.last), at
	}
	b = n.link()
	n.at = 1 + words
	return b, 1
}

// link appends a block to the chain, whose first word is the next.
func (n *noted) link() *noteBlock {
	if n.memory == nil {
		n.memory = new(Notes)
	}
	number, b := n.memory.take()
	if n.last == 0 {
		n.first = number
	} else {
		n.end()
		n.memory.block(n.last)[0] = uint64(number)
	}
	n.last = number
	n.blocks++
	return b
}

// end ends the last block, if it is not full.
func (n *noted) end() {
	if n.at < blockWords {
		n.memory.block(n.last)[n.at] = 0
	}
}

func (n *noted) one(word uint64) {
	b, at := n.room(1)
	b[at] = word
}

func (n *noted) two(word, next uint64) {
	b, at := n.room(2)
	b[at], b[at+1] = word, next
}

// addAll appends the notes of o. There are few enough for both.
func (n *noted) addAll(o *noted) {
	if o.last == 0 {
		return
	}
	o.end()
	for number := o.first; number != 0; {
		from := o.memory.block(number)
		number = uint32(from[0])
		to := n.link()
		link := to[0]
		*to = *from
		to[0] = link
		n.at = blockWords
	}
	n.at = o.at
	n.hits, n.scrolls, n.anchors = n.hits+o.hits, n.scrolls+o.scrolls, n.anchors+o.anchors
}

// drop gives all memory of the notes back.
func (n *noted) drop() {
	if n.last != 0 {
		n.memory.giveBack(n.first, n.last, int(n.blocks))
	}
	*n = noted{memory: n.memory, shared: n.shared}
}

// gathered are notes, taken apart.
type gathered struct {
	points  []uint64 // as in a note's first word, but that all besides layer, cell and anchor is 0
	scrolls []scrolled
	anchors []notedAnchor
	people  []uint64
	bots    []uint64
}

// notedAnchor is what a hit with an anchor has besides its point.
type notedAnchor struct {
	element ElementID
	cell    InnerCell
	id      LayerID
}

// scrolled is what a scroll hit has besides its point.
type scrolled struct {
	id                 LayerID
	depth, from, y, vh uint16
	dwell              uint32
}

// gather takes the notes apart, of which there are some. What it gives is valid until the memory is used the next time.
func (n *noted) gather() *gathered {
	g := new(gathered)
	if n.shared {
		g = &n.memory.gathered
	}
	*g = gathered{
		points: slices.Grow(g.points[:0], int(n.hits)), scrolls: slices.Grow(g.scrolls[:0], int(n.scrolls)),
		anchors: slices.Grow(g.anchors[:0], int(n.anchors)), people: g.people[:0], bots: g.bots[:0],
	}
	n.end()
	for number := n.first; number != 0; {
		b := n.memory.block(number)
		number = uint32(b[0])
		g.block(b)
	}
	return g
}

func (g *gathered) block(b *noteBlock) {
	for i := 1; i < blockWords && b[i] != 0; i++ {
		word := b[i]
		id := LayerID(word >> layerShift & layerMask)
		switch kind := id.Kind(); {
		case kind == visitorLayer>>16:
			i++
			if id.Bot() {
				g.bots = append(g.bots, b[i])
			} else {
				g.people = append(g.people, b[i])
			}
		case kind == KindScroll:
			i++
			at := b[i]
			g.scrolls = append(g.scrolls, scrolled{id, uint16(at >> 48), uint16(at >> 32), uint16(at >> 16), uint16(at), uint32(word)})
			g.points = append(g.points, uint64(id)<<layerShift)
		case word&hasAnchor != 0:
			i++
			cell := InnerCell(word>>upperShift)<<innerLow | InnerCell(b[i]&(1<<innerLow-1))
			g.anchors = append(g.anchors, notedAnchor{ElementID(b[i] >> innerLow), cell, id})
			g.points = append(g.points, word&(1<<upperShift-1))
		default:
			g.points = append(g.points, word)
		}
	}
}
