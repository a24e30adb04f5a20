package heatmap

import (
	"maps"
	"math"
	"math/rand/v2"
	"unsafe"
)

// grid counts cells. It begins as a hash table and turns into tiles, which are faster and in order, once these take at
// most twice the memory of the next larger table. Counts are exact beyond 32 bits: wide holds what
// does not fit into a cell's counter.
type grid struct {
	slots []counted // open addressing, a power of two long; n = 0 is an empty slot
	mult  uint64    // odd and random, so that no one can aim at one slot
	shift uint8
	tiles *tiles // if set, slots is nil
	used  int    // distinct cells
	wide  map[cellID]uint64
}

const (
	minSlots  = 64
	tileCheck = 4096 // slots from which tiles are thought of

	tileFavour = 2

	slotBytes = int(unsafe.Sizeof(counted{}))
	gridBytes = int(unsafe.Sizeof(grid{}))
	wideBytes = 40 // a cell in wide, measured
)

func newGrid(cells int) *grid {
	g := new(grid)
	n := minSlots
	for n*3 < cells*4 {
		n *= 2
	}
	g.makeSlots(n)
	return g
}

func (g *grid) makeSlots(n int) {
	g.slots = make([]counted, n)
	g.mult = rand.Uint64() | 1
	g.shift = 64
	for ; n > 1; n /= 2 {
		g.shift--
	}
}

// bytes is the memory that the grid holds.
func (g *grid) bytes() int {
	n := gridBytes + cap(g.slots)*slotBytes + len(g.wide)*wideBytes
	if g.tiles != nil {
		n += g.tiles.bytes()
	}
	return n
}

// counter gives the counter of a cell, which counts as used from now on: the caller makes it greater than 0.
func (g *grid) counter(c cellID) *uint32 {
	if g.tiles != nil {
		p := g.tiles.counter(c)
		if *p == 0 {
			g.used++
		}
		return p
	}
	if (g.used+1)*4 > len(g.slots)*3 {
		g.grow()
		return g.counter(c)
	}
	e := g.slot(c)
	if e.n == 0 {
		e.cell = c
		g.used++
	}
	return &e.n
}

func (g *grid) slot(c cellID) *counted {
	slots := g.slots
	mask := uint64(len(slots) - 1)
	for i := uint64(c) * g.mult >> g.shift; ; i++ {
		e := &slots[i&mask]
		if e.n == 0 || e.cell == c {
			return e
		}
	}
}

// add counts n more, n > 0, in cell c.
func (g *grid) add(c cellID, n uint64) {
	p := g.counter(c)
	if sum := uint64(*p) + n; sum >= n && sum <= math.MaxUint32 {
		*p = uint32(sum)
		return
	}
	if g.wide == nil {
		g.wide = make(map[cellID]uint64)
	}
	g.wide[c] += uint64(*p) + n - 1
	*p = 1
}

func (g *grid) addBatch(b *batch) {
	i := 0
	if g.tiles == nil {
		i = g.addHashed(b)
	}
	if i < b.n {
		g.addTiled(b, i)
	}
}

// addHashed is addBatch for the table. It ends early where that turns into tiles, and gives how far it got.
func (g *grid) addHashed(b *batch) int {
	cells := b.cells[:b.n]
	ns := b.ns[:len(cells)]
	for i, c := range cells {
		if (g.used+1)*4 > len(g.slots)*3 {
			if g.grow(); g.tiles != nil {
				return i
			}
		}
		e := g.slot(c)
		sum := uint64(e.n) + ns[i]
		if sum > math.MaxUint32 || sum < ns[i] {
			g.add(c, ns[i])
			continue
		}
		if e.n == 0 {
			e.cell = c
			g.used++
		}
		e.n = uint32(sum)
	}
	return b.n
}

// grow doubles the table, or gives it up for tiles.
func (g *grid) grow() {
	if len(g.slots) >= tileCheck {
		if t := tilesFor(g.sorted(), tileFavour*2*len(g.slots)*slotBytes); t != nil {
			g.slots, g.tiles = nil, t
			return
		}
	}
	old := g.slots
	g.makeSlots(2 * len(old))
	for _, e := range old {
		if e.n != 0 {
			*g.slot(e.cell) = e
		}
	}
}

// sorted gives the cells in ascending order; counts lack what is in wide.
func (g *grid) sorted() []counted {
	out := make([]counted, 0, g.used)
	if g.tiles != nil {
		return g.tiles.appendTo(out)
	}
	for _, e := range g.slots {
		if e.n != 0 {
			out = append(out, e)
		}
	}
	sortCounted(out)
	return out
}

// count gives the whole count of a cell whose counter is known.
func (g *grid) count(e counted) uint64 {
	if g.wide == nil {
		return uint64(e.n)
	}
	return uint64(e.n) + g.wide[e.cell]
}

// batches calls fn with all cells, in no order; fn may change the batch.
func (g *grid) batches(b *batch, fn func()) {
	if g.tiles != nil {
		g.tiles.each(func(e counted) { g.put(b, e, fn) })
	}
	for _, e := range g.slots {
		if e.n != 0 {
			g.put(b, e, fn)
		}
	}
	if b.n > 0 {
		fn()
		b.n = 0
	}
}

func (g *grid) put(b *batch, e counted, fn func()) {
	b.cells[b.n], b.ns[b.n] = e.cell, g.count(e)
	if b.n++; b.n == len(b.cells) {
		fn()
		b.n = 0
	}
}

// coarsened gives a grid of the same hits with cells 1<<by times as wide and high.
func (g *grid) coarsened(by uint8) *grid {
	out := newGrid(0)
	var b batch
	g.batches(&b, func() {
		b.coarsen(by)
		out.addBatch(&b)
	})
	return out
}

func (g *grid) clone() *grid {
	c := *g
	c.slots = append([]counted(nil), g.slots...)
	if g.tiles != nil {
		c.tiles = g.tiles.clone()
	}
	if g.wide != nil {
		c.wide = make(map[cellID]uint64, len(g.wide))
		maps.Copy(c.wide, g.wide)
	}
	return &c
}
