package heatmap

import (
	"math"
	"unsafe"
)

// A tile is a run of 64 cells of one row. Tiles are kept in blocks and found through a directory for each strip.
const (
	tileBits  = 6
	tileCells = 1 << tileBits
	tileBytes = tileCells * 4

	blockTiles = 32

	tilesBytes = int(unsafe.Sizeof(tiles{}))
	blockBytes = int(unsafe.Sizeof(block{}))

	strips   = 1 << (cellBits - columnBits - rowBits)
	dirBits  = columnBits + rowBits - tileBits
	dirStep  = 256 // a directory grows by so many tiles
	dirEntry = 8   // bytes
)

type (
	tile  [tileCells]uint32
	block [blockTiles]tile
)

// tiles is the dense form of a grid. A counter of 0 is a cell without hits.
type tiles struct {
	dirs     [strips][]*tile // by cell>>tileBits within the strip, nil = no hits yet
	block    *block          // where new tiles are
	n        int             // tiles in use
	dirBytes int
}

// bytes is the memory that the tiles hold.
func (t *tiles) bytes() int {
	return tilesBytes + t.dirBytes + (t.n+blockTiles-1)/blockTiles*blockBytes
}

// tilesFor makes tiles of sorted cells if they take at most limit bytes, else it returns nil.
func tilesFor(sorted []counted, limit int) *tiles {
	n, last := 0, uint32(math.MaxUint32)
	for _, e := range sorted {
		if e.cell>>tileBits != last {
			last = e.cell >> tileBits
			n++
		}
	}
	if n*tileBytes+tilesBytes > limit {
		return nil
	}
	t := new(tiles)
	for _, e := range sorted {
		*t.counter(e.cell) = e.n
	}
	if t.bytes() > limit {
		return nil
	}
	return t
}

// tile gives the tile of c.
func (t *tiles) tile(c cellID) *tile {
	dir := t.dirs[c>>(columnBits+rowBits)%strips]
	if i := int(c >> tileBits & (1<<dirBits - 1)); i < len(dir) && dir[i] != nil {
		return dir[i]
	}
	return t.addTile(c)
}

func (t *tiles) addTile(c cellID) *tile {
	strip, i := c>>(columnBits+rowBits), int(c>>tileBits&(1<<dirBits-1))
	dir := t.dirs[strip]
	if i >= len(dir) {
		dir = make([]*tile, max(i/dirStep*dirStep+dirStep, min(len(dir)*2, 1<<dirBits)))
		copy(dir, t.dirs[strip])
		t.dirBytes += (len(dir) - len(t.dirs[strip])) * dirEntry
		t.dirs[strip] = dir
	}
	if t.n%blockTiles == 0 {
		t.block = new(block)
	}
	dir[i] = &t.block[t.n%blockTiles]
	t.n++
	return dir[i]
}

func (t *tiles) counter(c cellID) *uint32 { return &t.tile(c)[c%tileCells] }

// addTiled is addBatch for the dense form, from an index on: it looks a tile up once for a run of cells in it.
func (g *grid) addTiled(b *batch, from int) {
	cells := b.cells[from:b.n]
	ns := b.ns[from:][:len(cells)]
	var t *tile
	at := uint32(math.MaxUint32)
	used := 0
	for i, c := range cells {
		if c>>tileBits != at {
			at = c >> tileBits
			t = g.tiles.tile(c)
		}
		p := &t[c%tileCells]
		old := uint64(*p)
		sum := old + ns[i]
		if sum > math.MaxUint32 || sum < old {
			g.add(c, ns[i])
			continue
		}
		*p = uint32(sum)
		used += int((old - 1) >> 63) // 1 if old is 0, without a branch that cannot be foretold
	}
	g.used += used
}

// each calls fn for every cell that has hits, in ascending order.
func (t *tiles) each(fn func(counted)) {
	for strip, dir := range t.dirs {
		for i, tile := range dir {
			if tile == nil {
				continue
			}
			first := uint32(strip)<<(columnBits+rowBits) | uint32(i)<<tileBits
			for j, n := range tile {
				if n != 0 {
					fn(counted{first | uint32(j), n})
				}
			}
		}
	}
}

func (t *tiles) appendTo(out []counted) []counted {
	t.each(func(e counted) { out = append(out, e) })
	return out
}

func (t *tiles) clone() *tiles {
	c := new(tiles)
	for strip, dir := range t.dirs {
		for i, tile := range dir {
			if tile != nil {
				*c.tile(uint32(strip)<<(columnBits+rowBits) | uint32(i)<<tileBits) = *tile
			}
		}
	}
	return c
}
