package heatmap

import (
	"encoding/binary"
	"errors"
	"slices"
	"unique"
)

// BlobNames calls fn for the elements of a blob that have names. It decodes no layer. The error is a *BlobError; then fn was
// not called.
func BlobNames(blob []byte, fn func(ElementID, ElementName)) error {
	var h blobHead
	if err := h.parse(blob); err != nil {
		return err
	}
	if err := h.readElements(MaxElements); err != nil {
		return err
	}
	names(h.elements, fn)
	return nil
}

// Names calls fn for the elements that have names.
func (d *Delta) Names(fn func(ElementID, ElementName)) { names(d.elements.list, fn) }

func names(list []element, fn func(ElementID, ElementName)) {
	for i := range list {
		if e := &list[i]; e.flags&elementNamed != 0 {
			fn(e.id, e.ElementName())
		}
	}
}

// NameElement gives an element its name, if it is one that d has hits at.
func (d *Delta) NameElement(id ElementID, name ElementName) {
	if _, ok := d.elements.find(id); ok {
		d.elements.add(id, &name)
	}
}

// DropNames takes the names off the elements: the blob of a month has them, that of a day does not.
func (d *Delta) DropNames() { d.elements.forget() }

// IgnoreAnchors makes an empty delta one that anchors are left out of, whatever is merged into it or added to it.
func (d *Delta) IgnoreAnchors() { d.plain = true }

var (
	errElements = errors.New("elements are not in ascending order")
	errName     = errors.New("selector is not in its shortest form")
	errInner    = errors.New("cell inside an element does not exist")
)

// readElements reads the elements of a blob, if it has any, in the order in which layers name them.
func (h *blobHead) readElements(limit int) error {
	c := cursor{h.b[:h.tableAt+h.tableBytes], h.tableAt}
	if h.tableBytes == 0 {
		return nil
	}
	level, err := c.byte()
	if err != nil {
		return err
	}
	if h.inner = min(level, maxInner); level > cutLevel {
		return c.failf("cells inside elements are at level %d, limit %d", level, maxInner)
	}
	if level == cutLevel {
		if h.cut, err = c.elementID(); err != nil {
			return err
		}
	}
	named, err := c.uvarint()
	if err != nil {
		return err
	}
	var prev ElementName
	for range named {
		name, err := c.name(&prev)
		if err != nil {
			return err
		}
		e := element{id: name.ID(), name: unique.Make(name.Selector), check: name.Check, flags: elementNamed}
		if name.HasCheck {
			e.flags |= elementChecked
		}
		if name.Fixed {
			e.flags |= elementFixed
		}
		h.elements, prev = append(h.elements, e), name
	}
	for c.off < len(c.b) {
		id, err := c.elementID()
		if err != nil {
			return err
		}
		if n := len(h.elements); uint64(n) > named && h.elements[n-1].id >= id {
			return c.fail(errElements)
		}
		h.elements = append(h.elements, element{id: id})
	}
	return h.checkElements(&c, limit)
}

// checkElements holds that elements are distinct, not left out, and not too many.
func (h *blobHead) checkElements(c *cursor, limit int) error {
	if len(h.elements) > limit {
		return c.failf("%d elements, limit %d", len(h.elements), limit)
	}
	ids := make([]ElementID, len(h.elements))
	for i, e := range h.elements {
		ids[i] = e.id
	}
	slices.Sort(ids)
	for i, id := range ids {
		if i > 0 && ids[i-1] == id || h.cut != 0 && id >= h.cut {
			return c.failf("element %012x is there twice, or left out", uint64(id))
		}
	}
	return nil
}

func (c *cursor) elementID() (ElementID, error) {
	if len(c.b)-c.off < elementBytes {
		return 0, c.fail(errShort)
	}
	p := c.b[c.off:]
	id := ElementID(binary.LittleEndian.Uint32(p)) | ElementID(p[4])<<32 | ElementID(p[5])<<40
	if id == 0 {
		return 0, c.fail(errElements)
	}
	c.off += elementBytes
	return id, nil
}

// name reads a name that comes after prev.
func (c *cursor) name(prev *ElementName) (n ElementName, err error) {
	first, err := c.uvarint()
	if err != nil {
		return n, err
	}
	more, err := c.uvarint()
	if err != nil {
		return n, err
	}
	shared := first >> prefixShift
	switch {
	case shared > uint64(len(prev.Selector)):
		return n, c.fail(errName)
	case more > uint64(len(c.b)-c.off):
		return n, c.fail(errShort)
	case shared+more > MaxSelector || shared+more == 0:
		return n, c.failf("selector is %d bytes, want 1 to %d", shared+more, MaxSelector)
	}
	n.Selector = prev.Selector[:shared] + string(c.b[c.off:c.off+int(more)])
	c.off += int(more)
	n.HasCheck, n.Fixed = first&storedCheck != 0, first&storedFixed != 0
	if n.HasCheck {
		if len(c.b)-c.off < 2 {
			return n, c.fail(errShort)
		}
		n.Check = binary.LittleEndian.Uint16(c.b[c.off:])
		c.off += 2
	}
	if commonPrefix(prev.Selector, n.Selector) != int(shared) {
		return n, c.fail(errName)
	}
	if prev.Selector != "" && prev.compare(&n) >= 0 {
		return n, c.fail(errElements)
	}
	return n, nil
}

// mergeTable takes over the elements of a blob before its layers are merged.
func (d *Delta) mergeTable(h *blobHead) error {
	if d.plain {
		return nil
	}
	if err := h.readElements(d.limit().elements); err != nil {
		return err
	}
	o := Delta{elements: elements{list: h.elements}, cut: h.cut, inner: h.inner}
	d.mergeElements(&o)
	return nil
}

// mergeInner adds what a layer of a blob has of anchors, before its hits and cells are added.
func (d *Delta) mergeInner(h *blobHead, l *layer, from *blobLayer) (cells int, err error) {
	if d.plain || !isClick(from.id.Kind()) || from.anchorBytes == 0 && l.anchored == nil {
		return 0, nil
	}
	if l.anchored == nil {
		l.anchored = newAnchored(l)
	}
	a, rest := l.anchored, *from
	if from.anchorBytes > 0 {
		rest.hits, err = d.readInner(h, a, from)
		if err != nil {
			return 0, err
		}
		rest.off, rest.n, rest.level = from.off+from.n+from.anchorBytes, from.restBytes, from.restLevel
	}
	a.rest.hits += rest.hits
	if rest.n == 0 {
		return 0, nil
	}
	c := cursor{h.b[:rest.off+rest.n], rest.off}
	if from.anchorBytes > 0 && rest.level == from.level {
		cells, err = a.rest.readRest(&c, h, from, rest.hits)
	} else {
		cells, err = a.rest.readCells(&c, &rest, d.limit().layer, &d.reading.cells)
	}
	if err == nil && from.anchorBytes > 0 && rest.level > h.level {
		cells = d.limit().layer
	}
	if from.anchorBytes == 0 {
		cells = 0 // the layer's own, which are counted with these
	}
	return cells, err
}

// readRest adds the cells of the hits without an anchor, which are named by their places among those of their layer, and gives
// how many they are.
func (l *layer) readRest(c *cursor, h *blobHead, from *blobLayer, hits uint64) (cells int, err error) {
	all := cellReader{cursor: cursor{h.b[:from.off+from.n], from.off}, last: levelCell(from.level)}
	var b batch
	var page []cellID
	var hitsAt []uint64
	for err = all.read(&b); b.n > 0 && err == nil; err = all.read(&b) {
		page, hitsAt = append(page, b.cells[:b.n]...), append(hitsAt, b.ns[:b.n]...)
	}
	if err != nil {
		return 0, err
	}
	l.coarsenTo(from.level)
	r := cellReader{cursor: *c, last: uint64(len(page) - 1)}
	sum := uint64(0)
	for err = r.read(&b); b.n > 0 && err == nil; err = r.read(&b) {
		for i, n := range b.ns[:b.n] {
			at := b.cells[i]
			if sum += n; n > hitsAt[at] {
				return 0, r.failf("rest of layer %#x has %d hits in a cell of %d", uint32(from.id), n, hitsAt[at])
			}
			b.cells[i] = page[at]
		}
		cells += b.n
		b.coarsen(l.level - from.level)
		l.addBatch(&b)
	}
	if err == nil && sum != hits {
		err = r.failf("rest of layer %#x has %d hits, want %d", uint32(from.id), sum, hits)
	}
	return cells, err
}

// readInner reads the cells inside elements and gives the layer's hits that are left.
func (d *Delta) readInner(h *blobHead, a *anchored, from *blobLayer) (rest uint64, err error) {
	at := from.off + from.n
	c := cursor{h.b[:at+from.anchorBytes], at}
	rest = from.hits
	take := func(n uint64) error {
		if n > rest {
			return c.failf("layer %#x has more than its %d hits", uint32(from.id), from.hits)
		}
		rest -= n
		return nil
	}
	if h.cut != 0 {
		others, err := c.uvarint()
		if err == nil {
			err = take(others)
		}
		if err != nil {
			return 0, err
		}
		a.others += others
	}
	index, steps := uint64(0), uint64(0)
	for begun := false; c.off < len(c.b); begun = true {
		v, err := c.uvarint()
		if err != nil {
			return 0, err
		}
		gap, code := v>>stepBits, v&(1<<stepBits-1)
		if gap >= uint64(len(h.elements)) || index+gap >= uint64(len(h.elements)) || begun && gap == 0 && code <= steps {
			return 0, c.fail(errElements)
		}
		index, steps = index+gap, code
		if err := d.readGroup(h, a, &c, h.elements[index].id, code, take); err != nil {
			return 0, err
		}
	}
	if rest == from.hits {
		return 0, c.failf("layer %#x has no hit with an anchor", uint32(from.id))
	}
	if (rest > 0) != (from.restBytes > 0) {
		return 0, c.failf("layer %#x has %d hits without an anchor, in %d bytes", uint32(from.id), rest, from.restBytes)
	}
	return rest, nil
}

// readGroup reads the cells of an element that is cut into as many cells as steps tell.
func (d *Delta) readGroup(h *blobHead, a *anchored, c *cursor, id ElementID, steps uint64, take func(uint64) error) error {
	sx, sy := uint32(steps/innerSpan), uint32(steps%innerSpan)
	if max(sx, sy) > maxInner-uint32(h.inner) {
		return c.fail(errInner)
	}
	next, more := uint64(0), true
	for more {
		v, err := c.uvarint()
		if err != nil {
			return err
		}
		n := v&(longCount-1) + 1
		if n == longCount {
			extra, err := c.uvarint()
			if err != nil {
				return err
			}
			n += min(extra, maxHits)
		}
		if err := take(n); err != nil {
			return err
		}
		gap := v >> innerShift
		number := next + gap
		if gap > 1<<(2*maxInner) || number >= 1<<(sx+sy) {
			return c.fail(errInner)
		}
		if h.innerCells++; h.innerCells > d.limit().inner {
			return c.failf("more than %d cells inside elements", d.limit().inner)
		}
		cell := innerCell(sx, sy, uint32(number>>sy), uint32(number&(1<<sy-1)))
		a.addBelow(d.cut, id, cell.coarser(d.inner-h.inner), n)
		next, more = number+1, v&moreCells != 0
	}
	return nil
}

// anchoredEntry reads what the directory says of a layer's anchors.
func (h *blobHead) anchoredEntry(l *blobLayer) (err error) {
	size := func() int {
		var n uint64
		if err == nil {
			n, err = h.uvarint()
		}
		if n > uint64(len(h.b)-h.off) {
			n, err = 0, h.failf("anchors of layer %#x are %d bytes, %d are left", uint32(l.id), n, len(h.b)-h.off)
		}
		return int(n)
	}
	if l.anchorBytes = size(); l.anchorBytes == 0 {
		return err
	}
	l.restBytes = size()
	if err != nil || l.restBytes == 0 || h.features&hasCoarse == 0 {
		return err
	}
	if l.restLevel, err = h.byte(); err != nil {
		return err
	}
	if l.restLevel < h.level || l.restLevel > l.level {
		return h.failf("rest of layer %#x is at level %d, want %d to %d", uint32(l.id), l.restLevel, h.level, l.level)
	}
	return nil
}

// findElements finds the elements.
func (h *blobHead) findElements() error {
	n, err := h.uvarint()
	if err != nil {
		return err
	}
	if n == 0 || n > uint64(len(h.b)-h.off) {
		return h.failf("elements are %d bytes, %d are left", n, len(h.b)-h.off)
	}
	h.tableAt, h.tableBytes = h.off, int(n)
	h.off += h.tableBytes
	return nil
}
