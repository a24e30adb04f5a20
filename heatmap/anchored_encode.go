package heatmap

import (
	"cmp"
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

// appendElements appends the elements with the number of bytes that they take, and gives where among them each of the list is.
func (d *Delta) appendElements(dst []byte) ([]byte, []int32) {
	body := []byte{d.inner}
	if d.cut != 0 {
		body = appendElementID([]byte{cutLevel}, d.cut)
	}
	order, named := d.elements.order()
	body = binary.AppendUvarint(body, uint64(named))
	at, prev := make([]int32, len(order)), ""
	for place, i := range order {
		at[i] = int32(place)
		if place >= named {
			body = appendElementID(body, d.elements.list[i].id)
			continue
		}
		name := d.elements.list[i].ElementName()
		body = appendName(body, prev, &name)
		prev = name.Selector
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

// innerRun are the cells inside an element that has a place among those of a blob.
type innerRun struct {
	place int32
	cells []innerCount
}

// appendInner appends the cells inside elements, of which each of the list has a place, and the hits at others.
func (a *anchored) appendInner(dst []byte, cut bool, t *elements, places []int32) []byte {
	a.order()
	if cut {
		dst = binary.AppendUvarint(dst, a.others)
	}
	prev := int32(0)
	var few [16]innerRun
	for _, run := range a.runs(few[:0], t, places) {
		for rest := run.cells; len(rest) > 0; {
			steps := stepsCode(rest[0].cell)
			dst = binary.AppendUvarint(dst, uint64(run.place-prev)<<stepBits|steps)
			prev = run.place
			n := 1
			for n < len(rest) && stepsCode(rest[n].cell) == steps {
				n++
			}
			dst, rest = appendInnerCells(dst, rest[:n]), rest[n:]
		}
	}
	return dst
}

// runs appends the cells of each element in the order of the elements' places.
func (a *anchored) runs(runs []innerRun, t *elements, places []int32) []innerRun {
	for rest := a.cells; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].element() == rest[0].element() {
			n++
		}
		i, _ := t.find(rest[0].element())
		runs, rest = append(runs, innerRun{places[i], rest[:n]}), rest[n:]
	}
	if !slices.IsSortedFunc(runs, compareRuns) {
		slices.SortFunc(runs, compareRuns)
	}
	return runs
}

func compareRuns(a, b innerRun) int { return cmp.Compare(a.place, b.place) }

// appendRest appends the cells of the hits without an anchor, by their places among the layer's cells if both are of one size.
func (l *layer) appendRest(dst []byte) []byte {
	rest := &l.anchored.rest
	if rest.level != l.level || rest.hits == 0 {
		return rest.appendCells(dst)
	}
	sorted := l.sorted()
	i, next := 0, 0
	for _, e := range rest.sorted() {
		for sorted[i].cell != e.cell {
			i++
		}
		dst = appendCell(dst, uint32(i-next), rest.count(e))
		i++
		next = i
	}
	return dst
}

// A cell's number has its count in the lowest bits, as that of a cell of a page, and above these whether another one follows.
const (
	moreCells  = 1 << countBits
	innerShift = countBits + 1
)

func appendInnerCells(dst []byte, cells []innerCount) []byte {
	next := uint64(0)
	for i, c := range cells {
		number, n := c.cell.number(), c.n()
		code := (number-next)<<innerShift | (min(n, longCount) - 1)
		if i < len(cells)-1 {
			code |= moreCells
		}
		dst = binary.AppendUvarint(dst, code)
		if n >= longCount {
			dst = binary.AppendUvarint(dst, n-longCount)
		}
		next = number + 1
	}
	return dst
}
