package heatmap

import (
	"encoding/binary"
	"errors"
)

// mergeBodies adds the layers that sel keeps.
func (d *Delta) mergeBodies(h *blobHead, sel Select) error {
	lim := d.limit()
	hits, cells, costs := uint64(0), 0, 0
	for i := range h.layers {
		l := &h.layers[i]
		to, keep := sel(l.id)
		if !keep {
			continue
		}
		if hits += l.hits; hits > maxHits || d.Hits(to) > maxHits-l.hits {
			return h.failf("layer %#x: more than %d hits together", uint32(l.id), uint64(maxHits))
		}
		cost, rest, err := d.mergeBody(h, l, to)
		if err != nil {
			return err
		}
		cells += rest
		switch {
		case l.id.Kind() == KindScroll:
			costs += cost
		case l.level > h.level:
			cells += lim.layer
		default:
			cells += cost
		}
	}
	if cells > lim.cells && h.level < maxLevel || costs > lim.scroll && h.step < maxScrollStep {
		return h.failf("%d cells and %d in scroll layers, limits %d and %d", cells, costs, lim.cells, lim.scroll)
	}
	return nil
}

// mergeBody adds a layer and gives its number of cells or its scrollCost, and the number of cells of its rest.
func (d *Delta) mergeBody(h *blobHead, from *blobLayer, to LayerID) (cost, rest int, err error) {
	l := d.target(from.id, to, h.level, h.step)
	if rest, err = d.mergeInner(h, l, from); err != nil {
		return 0, 0, err
	}
	l.hits += from.hits
	c := cursor{h.b[:from.off+from.n], from.off}
	switch kind := from.id.Kind(); {
	case kind == KindScroll:
		cost, err = l.readScroll(&c, from.hits, h.step, d.step)
	case isGrid(kind):
		cost, err = l.readCells(&c, from, d.limit().layer, &d.reading.cells)
	}
	return cost, rest, err
}

// cellReader decodes the body of a layer with points.
type cellReader struct {
	cursor
	next uint64 // the smallest cell that may follow
	last uint64 // the greatest
}

// read fills b with the next cells; there are none left when it gives none.
func (r *cellReader) read(b *batch) error {
	b.n = 0
	for b.n < len(b.cells) && r.off < len(r.b) {
		if r.readShort(b); b.n == len(b.cells) || r.off == len(r.b) {
			return nil
		}
		if err := r.readOne(b); err != nil {
			return err
		}
	}
	return nil
}

// readShort reads cells as long as they are of the usual sort: a gap of one or two bytes, a count of one at most. Which
// of these it is cannot be foretold, so there is no branch on it.
func (r *cellReader) readShort(b *batch) {
	p, off, next, k := r.b, r.off, r.next, b.n
	for k < len(b.cells) && off+4 <= len(p) {
		w := binary.LittleEndian.Uint32(p[off:])
		long, counted := w>>7&1, w&(w>>1)&1
		off += int(1 + long + counted)
		second := w >> 8 & 0xff
		count := w >> (8 + 8*long) & 0xff
		v := w&0x7f | second<<7&-long
		odd := long&(second>>7|(second-1)>>31) | counted&(count>>7) // another byte follows, or a needless one
		cell := next + uint64(v>>countBits)
		if odd != 0 || cell > r.last {
			off -= int(1 + long + counted)
			break
		}
		b.cells[k] = cellID(cell)
		b.ns[k] = uint64(v&(longCount-1) + 1 + count&-counted)
		k++
		next = cell + 1
	}
	r.off, r.next, b.n = off, next, k
}

// readOne reads a cell of any sort.
func (r *cellReader) readOne(b *batch) error {
	v, err := r.uvarint()
	if err != nil {
		return err
	}
	n := v&(longCount-1) + 1
	if n == longCount {
		more, err := r.uvarint()
		if err != nil {
			return err
		}
		n += min(more, maxHits)
	}
	cell := r.next + v>>countBits
	if cell > r.last {
		return r.failf("cell %d is over %d", cell, r.last)
	}
	b.cells[b.n], b.ns[b.n] = cellID(cell), n
	b.n++
	r.next = cell + 1
	return nil
}

// levelCell is the greatest cell of a level.
func levelCell(level uint8) uint64 { return uint64(coarser(maxCell, level)) }

// readCells adds the cells of a body and gives how many they are, at most limit. It uses b as memory.
func (l *layer) readCells(c *cursor, from *blobLayer, limit int, b *batch) (cells int, err error) {
	l.coarsenTo(from.level)
	if cells := from.n / 3; cells > smallCells {
		l.needGrid(cells) // a cell takes one to three bytes, as a rule
	}
	r := cellReader{cursor: *c, last: levelCell(from.level)}
	sum := uint64(0)
	for {
		if err := r.read(b); err != nil {
			return 0, err
		}
		if b.n == 0 {
			break
		}
		for _, n := range b.ns[:b.n] {
			sum += n
		}
		if cells += b.n; sum > from.hits || cells > limit && from.level < maxLevel {
			break
		}
		b.coarsen(l.level - from.level)
		l.addBatch(b)
	}
	if sum != from.hits || cells > limit && from.level < maxLevel {
		return 0, r.failf("layer %#x has %d hits in %d cells, want %d in at most %d", uint32(from.id), sum, cells, from.hits, limit)
	}
	return cells, nil
}

// scrollReader decodes the body of a scroll layer.
type scrollReader struct {
	cursor
	hits   uint64 // of the layer
	extent uint32
	folds  int
}

var (
	errSum   = errors.New("difference array leaves the range that its hits can give")
	errZero  = errors.New("difference array holds a zero")
	errIndex = errors.New("index is over its limit")
)

func (r *scrollReader) read(fn func(at section, i uint32, v int64)) error {
	flags, err := r.byte()
	if err != nil {
		return err
	}
	if flags&^(hasReach|hasAttention) != 0 {
		return r.failf("scroll layer begins with %#02x", flags)
	}
	if flags&hasReach != 0 {
		if err := r.diff(reachSection, maxReach, int64(r.hits), fn); err != nil {
			return err
		}
	}
	if flags&hasAttention != 0 {
		if err := r.diff(attentionSection, maxAttention, int64(r.hits)*MaxDwell, fn); err != nil {
			return err
		}
	}
	return r.fold(fn)
}

func (r *scrollReader) diff(at section, limit uint64, most int64, fn func(section, uint32, int64)) error {
	sum, next := int64(0), uint64(0)
	for {
		gap, err := r.uvarint()
		if err != nil {
			return err
		}
		if next += gap >> 1; next > limit {
			return r.fail(errIndex)
		}
		if gap&1 != 0 {
			break
		}
		u, err := r.uvarint()
		if err != nil {
			return err
		}
		v := unzigzag(u)
		if v == 0 {
			return r.fail(errZero)
		}
		if v < -sum || v > most-sum {
			return r.fail(errSum)
		}
		sum += v
		fn(at, uint32(next), v)
		next++
	}
	if sum == 0 {
		return r.fail(errZero)
	}
	fn(at, uint32(next), -sum)
	r.extent = max(r.extent, uint32(next))
	return nil
}

func (r *scrollReader) fold(fn func(section, uint32, int64)) error {
	c := cellReader{cursor: r.cursor, last: MaxCoordinate}
	var b batch
	left := r.hits
	for {
		if err := c.read(&b); err != nil {
			return err
		}
		if b.n == 0 {
			return nil
		}
		r.folds += b.n
		for i, vh := range b.cells[:b.n] {
			if b.ns[i] > left {
				return c.failf("more than %d hits begin a view", r.hits)
			}
			left -= b.ns[i]
			fn(foldSection, vh, int64(b.ns[i]))
		}
	}
}

// readScroll adds a body that was written after so many steps, for a delta after at least as many, and gives its cost.
func (l *layer) readScroll(c *cursor, hits uint64, written, step uint8) (cost int, err error) {
	r := scrollReader{cursor: *c, hits: hits}
	odd := false
	err = r.read(func(at section, i uint32, v int64) {
		if at == foldSection {
			odd = odd || coarseHeight(i, written) != i
			i = coarseHeight(i, step)
		}
		l.bump(at, i, v)
	})
	if err == nil && odd {
		err = r.failf("viewport height does not exist after step %d", written)
	}
	l.extent = max(l.extent, uint16(r.extent))
	return 2*int(r.extent) + r.folds, err
}
