package heatmap

import (
	"encoding/binary"
	"slices"
)

// hasAnchors reports whether a hit that d counts has an anchor.
func (d *Delta) hasAnchors() bool {
	for i := range d.layers {
		if d.layers[i].anchored != nil {
			return true
		}
	}
	return false
}

// Bits of the number that begins a named element.
const (
	storedCheck = 1 << 0
	storedFixed = 1 << 1
	prefixShift = 2
)

// cutLevel stands for the level maxInner where elements are left out.
const cutLevel = maxInner + 1

// appendElements appends the elements with the number of bytes that they take, and gives where in them each is.
func (d *Delta) appendElements(dst []byte) ([]byte, map[ElementID]int) {
	body := []byte{d.inner}
	if d.cut != 0 {
		body = appendElementID([]byte{cutLevel}, d.cut)
	}
	named, rest := d.elements.named()
	body = binary.AppendUvarint(body, uint64(len(named)))
	at, prev := make(map[ElementID]int, len(d.elements.list)), ""
	for _, e := range named {
		name := e.ElementName()
		body = appendName(body, prev, &name)
		prev, at[e.id] = name.Selector, len(at)
	}
	for _, e := range rest {
		body = appendElementID(body, e.id)
		at[e.id] = len(at)
	}
	return append(binary.AppendUvarint(dst, uint64(len(body))), body...), at
}

func appendElementID(dst []byte, id ElementID) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(id)), byte(id>>32), byte(id>>40))
}

// appendName appends a name after that whose selector is prev.
func appendName(dst []byte, prev string, n *ElementName) []byte {
	shared := commonPrefix(prev, n.Selector)
	first := uint64(shared) << prefixShift
	if n.HasCheck {
		first |= storedCheck
	}
	if n.Fixed {
		first |= storedFixed
	}
	dst = binary.AppendUvarint(dst, first)
	dst = binary.AppendUvarint(dst, uint64(len(n.Selector)-shared))
	dst = append(dst, n.Selector[shared:]...)
	if n.HasCheck {
		dst = binary.LittleEndian.AppendUint16(dst, n.Check)
	}
	return dst
}

func commonPrefix(a, b string) (n int) {
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// A group of cells inside an element begins with a number whose lowest bits tell into how many cells the box is cut.
const stepBits = 7

func stepsCode(c InnerCell) uint64 {
	sx, sy := c.steps()
	return uint64(sx*innerSpan + sy)
}

// number gives the place of a cell among those of its box, column by column.
func (c InnerCell) number() uint64 {
	_, sy := c.steps()
	col, row := c.place()
	return uint64(col<<sy | row)
}

// appendInner appends the cells inside elements, which at places among those of the blob, and the hits at others.
func (a *anchored) appendInner(dst []byte, cut bool, at map[ElementID]int) []byte {
	a.order()
	if cut {
		dst = binary.AppendUvarint(dst, a.others)
	}
	prev := uint64(0)
	for rest := a.inOrderOf(at); len(rest) > 0; {
		first := rest[0]
		index, steps := uint64(at[first.element]), stepsCode(first.cell)
		dst = binary.AppendUvarint(dst, (index-prev)<<stepBits|steps)
		prev = index
		n := 1
		for n < len(rest) && rest[n].element == first.element && stepsCode(rest[n].cell) == steps {
			n++
		}
		dst, rest = appendInnerCells(dst, rest[:n]), rest[n:]
	}
	return dst
}

// inOrderOf gives the cells in the order in which a blob has their elements.
func (a *anchored) inOrderOf(at map[ElementID]int) []innerCount {
	var runs [][]innerCount
	for rest := a.cells; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].element == rest[0].element {
			n++
		}
		runs, rest = append(runs, rest[:n]), rest[n:]
	}
	place := func(run []innerCount) int { return at[run[0].element] }
	slices.SortFunc(runs, func(a, b []innerCount) int { return place(a) - place(b) })
	return slices.Concat(runs...)
}

// A cell's number has its count in the lowest bits, as that of a cell of a page, and above these whether another one follows.
const (
	moreCells  = 1 << countBits
	innerShift = countBits + 1
)

func appendInnerCells(dst []byte, cells []innerCount) []byte {
	next := uint64(0)
	for i, c := range cells {
		number := c.cell.number()
		code := (number-next)<<innerShift | (min(c.n, longCount) - 1)
		if i < len(cells)-1 {
			code |= moreCells
		}
		dst = binary.AppendUvarint(dst, code)
		if c.n >= longCount {
			dst = binary.AppendUvarint(dst, c.n-longCount)
		}
		next = number + 1
	}
	return dst
}
