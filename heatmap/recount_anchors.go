package heatmap

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// recountedAnchors say how a Recount's anchors are written.
type recountedAnchors struct {
	level uint8 // by how many halvings cells inside elements are coarser
	cut   ElementID
	order []ElementID // as the table has them
	table []byte
}

// chooseElements chooses the level and the elements that stay, as the limits of a Delta say; nil if no hit has an anchor.
func (r *Recount) chooseElements(layers map[LayerID]*recounted) *recountedAnchors {
	a := new(recountedAnchors)
	any := false
	for _, l := range layers {
		any = any || len(l.inner) > 0
	}
	if !any {
		return nil
	}
	ids := slices.Sorted(maps.Keys(r.elements))
	for len(ids) > r.maxElements || innerCellsOf(layers, a.level, maxElement) > r.maxInnerCells {
		if a.level++; a.level > 10 {
			a.level = 10
			break
		}
	}
	if a.level == 10 {
		for i, id := range ids {
			if i >= r.maxElements || innerCellsOf(layers, 10, id) > r.maxInnerCells {
				a.cut, ids = id, ids[:i]
				break
			}
		}
	}
	r.writeTable(a, ids)
	return a
}

// innerCellsOf counts the cells inside the elements up to last.
func innerCellsOf(layers map[LayerID]*recounted, level uint8, last ElementID) (n int) {
	for _, l := range layers {
		for at := range l.innerAt(level) {
			if at.Element <= last {
				n++
			}
		}
	}
	return n
}

// innerAt gives the cells inside elements after so many halvings of each side that is not one cell yet.
func (l *recounted) innerAt(level uint8) map[Anchor]uint64 {
	coarse := make(map[Anchor]uint64)
	for at, n := range l.inner {
		sx, sy, col, row := at.Cell>>24, at.Cell>>20&15, at.Cell>>10&1023, at.Cell&1023
		for range level {
			if sx > 0 {
				sx, col = sx-1, col/2
			}
			if sy > 0 {
				sy, row = sy-1, row/2
			}
		}
		coarse[Anchor{at.Element, sx<<24 | sy<<20 | col<<10 | row}] += n
	}
	return coarse
}

// recountedOrder is a text by which names are ordered.
func recountedOrder(n *ElementName) string {
	if !n.HasCheck {
		return n.Selector + "\x00"
	}
	return fmt.Sprintf("%s\x00%05d", n.Selector, n.Check)
}

// writeTable writes the elements: those with a name in the order of these, then the others by id.
func (r *Recount) writeTable(a *recountedAnchors, ids []ElementID) {
	a.table = []byte{a.level}
	if a.cut != 0 {
		a.table = append([]byte{11}, idBytes(a.cut)...)
	}
	byName := make(map[string]ElementID)
	var nameless []ElementID
	for _, id := range ids {
		if name := r.elements[id]; name.Selector != "" {
			byName[recountedOrder(name)] = id
		} else {
			nameless = append(nameless, id)
		}
	}
	a.table = binary.AppendUvarint(a.table, uint64(len(byName)))
	before := ""
	for _, key := range slices.Sorted(maps.Keys(byName)) {
		name := r.elements[byName[key]]
		shared := 0
		for shared < len(before) && shared < len(name.Selector) && before[shared] == name.Selector[shared] {
			shared++
		}
		code := uint64(shared) * 4
		if name.HasCheck {
			code++
		}
		if name.Fixed {
			code += 2
		}
		a.table = binary.AppendUvarint(a.table, code)
		a.table = binary.AppendUvarint(a.table, uint64(len(name.Selector)-shared))
		a.table = append(a.table, name.Selector[shared:]...)
		if name.HasCheck {
			a.table = append(a.table, byte(name.Check), byte(name.Check>>8))
		}
		before = name.Selector
		a.order = append(a.order, byName[key])
	}
	for _, id := range nameless {
		a.table = append(a.table, idBytes(id)...)
		a.order = append(a.order, id)
	}
}

func idBytes(id ElementID) []byte {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(id))
	return b[:6]
}

// bodies gives the lengths that the directory has of a layer's anchors, and what they are the lengths of.
func (a *recountedAnchors) bodies(l *recounted, level, restLevel uint8, coarse bool) (lengths, bodies []byte) {
	if len(l.inner) == 0 {
		return []byte{0}, nil
	}
	others := uint64(0)
	groups := make(map[ElementID]map[uint64]map[uint32]uint64) // by element, 11·a + b, and number of the cell
	for at, n := range l.innerAt(a.level) {
		if a.cut != 0 && at.Element >= a.cut {
			others += n
			continue
		}
		sx, sy, col, row := at.Cell>>24, at.Cell>>20&15, at.Cell>>10&1023, at.Cell&1023
		steps := uint64(sx*11 + sy)
		if groups[at.Element] == nil {
			groups[at.Element] = make(map[uint64]map[uint32]uint64)
		}
		if groups[at.Element][steps] == nil {
			groups[at.Element][steps] = make(map[uint32]uint64)
		}
		groups[at.Element][steps][uint32(col<<sy+row)] = n
	}
	if a.cut != 0 {
		bodies = binary.AppendUvarint(bodies, others)
	}
	before := 0
	for i, id := range a.order {
		for _, steps := range slices.Sorted(maps.Keys(groups[id])) {
			bodies = binary.AppendUvarint(bodies, uint64(i-before)*128+steps)
			bodies = append(bodies, groupBody(groups[id][steps])...)
			before = i
		}
	}
	lengths = binary.AppendUvarint(nil, uint64(len(bodies)))
	rest := cellsBody(cellsAt(l.rest, restLevel))
	if level == restLevel {
		rest = placesBody(cellsAt(l.rest, level), cellsAt(l.cells, level))
	}
	lengths = binary.AppendUvarint(lengths, uint64(len(rest)))
	if coarse && len(rest) > 0 {
		lengths = append(lengths, restLevel)
	}
	return lengths, append(bodies, rest...)
}

// placesBody encodes cells by their places among others.
func placesBody(cells, among map[[2]uint32]uint64) []byte {
	places := make(map[uint32]uint64)
	all, wanted := byNumber(among), byNumber(cells)
	for i, number := range slices.Sorted(maps.Keys(all)) {
		if n := wanted[number]; n > 0 {
			places[uint32(i)] = n
		}
	}
	return runBody(nil, places)
}

func groupBody(cells map[uint32]uint64) (body []byte) {
	next := uint32(0)
	numbers := slices.Sorted(maps.Keys(cells))
	for i, number := range numbers {
		n := cells[number]
		code := uint64(number-next)*8 + min(n, 4) - 1
		if i+1 < len(numbers) {
			code += 4
		}
		body = binary.AppendUvarint(body, code)
		if n >= 4 {
			body = binary.AppendUvarint(body, n-4)
		}
		next = number + 1
	}
	return body
}
