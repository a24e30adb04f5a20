package heatmap

import (
	"encoding/binary"
	"hash/crc32"
	"maps"
	"slices"
)

// Recount counts the hits of one page and period in the most simple-minded way, to check a blob that was stored of them. It
// shares nothing with a Delta: each hit is counted in maps, a scroll by a loop over the bands that it covers, and Blob reads
// the limits and the format off the package's documentation. It takes far more memory and time than a Delta. It is not
// safe for concurrent use.
type Recount struct {
	base   uint8 // level of the cells that the generation counts on
	layers map[LayerID]*recounted
	people map[uint64]bool
	bots   map[uint64]bool
	shares [2]map[uint32]uint64 // sampled hits of people and of bots, by share of page loads

	elements                   map[ElementID]*ElementName // without a selector where the name is not known
	maxElements, maxInnerCells int
}

// recounted is what there is of one layer.
type recounted struct {
	hits             uint64
	cells            map[[2]uint32]uint64 // by column and row of cells of CellSize
	reach, attention []uint64             // by band
	heights          map[uint32]uint64    // of the viewports of the hits that begin a view
	rest             map[[2]uint32]uint64 // those of cells that have no anchor
	inner            map[Anchor]uint64    // the others
}

// NewRecount makes an empty one for cells that are cell px wide and high, as NewDelta takes it.
func NewRecount(cell int) *Recount {
	r := &Recount{
		layers: make(map[LayerID]*recounted), people: make(map[uint64]bool), bots: make(map[uint64]bool),
		shares:   [2]map[uint32]uint64{make(map[uint32]uint64), make(map[uint32]uint64)},
		elements: make(map[ElementID]*ElementName), maxElements: MaxElements, maxInnerCells: MaxInnerCells,
	}
	for size := CellSize; size < cell; size *= 2 {
		r.base++
	}
	return r
}

func (r *Recount) layer(id LayerID) *recounted {
	l := r.layers[id]
	if l == nil {
		l = &recounted{
			cells: make(map[[2]uint32]uint64), heights: make(map[uint32]uint64),
			rest: make(map[[2]uint32]uint64), inner: make(map[Anchor]uint64),
		}
		r.layers[id] = l
	}
	return l
}

// View counts a page view.
func (r *Recount) View(id LayerID) { r.layer(id).hits++ }

// Point counts a hit at a point of the page, CSS px.
func (r *Recount) Point(id LayerID, x, y uint16) {
	l := r.layer(id)
	l.hits++
	l.cells[[2]uint32{uint32(x) / CellSize, uint32(y) / CellSize}]++
}

// Click counts a hit at a point of the page, as Delta.AddClick does.
func (r *Recount) Click(id LayerID, x, y uint16, at Anchor, name *ElementName) {
	r.Point(id, x, y)
	l := r.layer(id)
	if at.Element == 0 {
		l.rest[[2]uint32{uint32(x) / CellSize, uint32(y) / CellSize}]++
		return
	}
	l.inner[at]++
	r.name(at.Element, name)
}

// name notes an element with its name. Should two names have one hash, the first in order counts.
func (r *Recount) name(id ElementID, name *ElementName) {
	old := r.elements[id]
	if old == nil {
		old = new(ElementName)
		r.elements[id] = old
	}
	if name == nil {
		return
	}
	fixed := old.Fixed || name.Fixed
	if old.Selector == "" || recountedOrder(name) < recountedOrder(old) {
		*old = *name
	}
	old.Fixed = fixed
}

// DropNames forgets the names of the elements.
func (r *Recount) DropNames() {
	for _, name := range r.elements {
		*name = ElementName{}
	}
}

// Scroll counts a scroll; the parameters are those of Delta.AddScroll.
func (r *Recount) Scroll(id LayerID, depth, from, y, vh uint16, dwell uint32) {
	l := r.layer(id)
	l.hits++
	for top := 0; top < int(depth); top += BandSize {
		if top >= int(from) {
			l.reach = bumpBand(l.reach, top/BandSize, 1)
		}
	}
	for band := int(y) / BandSize; vh > 0 && dwell > 0 && band*BandSize < int(y)+int(vh); band++ {
		l.attention = bumpBand(l.attention, band, uint64(min(dwell, MaxDwell)))
	}
	if from == 0 {
		l.heights[uint32(vh)]++
	}
}

func bumpBand(bands []uint64, i int, n uint64) []uint64 {
	for len(bands) <= i {
		bands = append(bands, 0)
	}
	bands[i] += n
	return bands
}

// Visitor counts a visitor by a hash, as Delta.AddVisitor does; 0 is nobody.
func (r *Recount) Visitor(bot bool, hash uint64) {
	switch {
	case hash == 0:
	case bot:
		r.bots[hash] = true
	default:
		r.people[hash] = true
	}
}

// Hits calls fn for every layer with its number of hits, in ascending order of id, before any layers are joined.
func (r *Recount) Hits(fn func(id LayerID, hits uint64)) {
	for _, id := range slices.Sorted(maps.Keys(r.layers)) {
		fn(id, r.layers[id].hits)
	}
}

// Blob gives the bytes that a Delta of the same hits must have.
func (r *Recount) Blob() []byte {
	level, levels := r.chooseLevels()
	layers, step := r.joined(r.chooseStep()), r.chooseStep()
	coarse := level > 0 || step > 0
	for _, own := range levels {
		coarse = coarse || own > 0
	}
	first := byte(1 << 4)
	anchors := r.chooseElements(layers)
	if anchors != nil {
		first |= 8
	}
	if len(r.people) > 0 {
		first |= 1
	}
	if len(r.bots) > 0 {
		first |= 2
	}
	if coarse {
		first |= 4
	}
	sampled := r.sampled()
	if sampled != nil {
		first |= 32
	}
	blob := binary.AppendUvarint([]byte{first}, uint64(len(layers)))
	if coarse {
		blob = append(blob, level, step)
	}
	blob = append(blob, sampled...)
	var bodies []byte
	var before LayerID
	for _, id := range slices.Sorted(maps.Keys(layers)) {
		distance := uint64(id - before)
		if before != 0 && distance%(1<<16) == 0 {
			distance = distance>>16*2 + 1
		} else {
			distance *= 2
		}
		before = id
		blob = binary.AppendUvarint(binary.AppendUvarint(blob, distance), layers[id].hits)
		var body, lengths []byte
		switch id.Kind() {
		case KindView:
			continue
		case KindScroll:
			body = layers[id].scrollBody()
		default:
			if coarse {
				blob = append(blob, levels[ofLayer{id, false}])
			}
			body = cellsBody(cellsAt(layers[id].cells, levels[ofLayer{id, false}]))
		}
		blob = binary.AppendUvarint(blob, uint64(len(body)))
		if anchors != nil && id.Kind() != KindScroll && id.Kind() != KindMove {
			var more []byte
			lengths, more = anchors.bodies(layers[id], levels[ofLayer{id, false}], levels[ofLayer{id, true}], coarse)
			body = append(body, more...)
		}
		blob = append(blob, lengths...)
		bodies = append(bodies, body...)
	}
	for _, visitors := range []map[uint64]bool{r.people, r.bots} {
		if len(visitors) > 0 {
			blob = append(blob, sketchOf(visitors)...)
		}
	}
	if anchors != nil {
		blob = append(binary.AppendUvarint(blob, uint64(len(anchors.table))), anchors.table...)
	}
	blob = append(blob, bodies...)
	if len(blob)+1 <= 1024 {
		return append(blob, recountCRC8(blob))
	}
	return binary.LittleEndian.AppendUint32(blob, crc32.Checksum(blob, crc32.MakeTable(crc32.Castagnoli)))
}

// ofLayer names the cells of a layer: of all of its hits, or of the rest.
type ofLayer struct {
	id   LayerID
	rest bool
}

// grids gives the cells of all layers that have points, and of the rests of those with anchors.
func (r *Recount) grids() map[ofLayer]map[[2]uint32]uint64 {
	grids := make(map[ofLayer]map[[2]uint32]uint64)
	for id, l := range r.layers {
		if isGrid(id.Kind()) {
			grids[ofLayer{id, false}] = l.cells
		}
		if len(l.inner) > 0 {
			grids[ofLayer{id, true}] = l.rest
		}
	}
	return grids
}

// chooseLevels gives the level of the whole and that of each layer with points, as the limits of a Delta say.
func (r *Recount) chooseLevels() (level uint8, levels map[ofLayer]uint8) {
	levels = make(map[ofLayer]uint8)
	grids := r.grids()
	if len(grids) == 0 {
		return 0, levels
	}
	for level = r.base; level < maxLevel; level++ {
		sum := 0
		for _, cells := range grids {
			sum += min(len(cellsAt(cells, level)), MaxLayerCells)
		}
		if sum <= MaxCells {
			break
		}
	}
	for of, cells := range grids {
		own := level
		for own < maxLevel && len(cellsAt(cells, own)) > MaxLayerCells {
			own++
		}
		levels[of] = own
	}
	return level, levels
}

// cellsAt gives cells, by column and row, when they are 2^level times as wide and high.
func cellsAt(cells map[[2]uint32]uint64, level uint8) map[[2]uint32]uint64 {
	if level == 0 {
		return cells
	}
	coarse := make(map[[2]uint32]uint64)
	for at, n := range cells {
		coarse[[2]uint32{at[0] >> level, at[1] >> level}] += n
	}
	return coarse
}

// chooseStep gives how far scroll layers must be joined.
func (r *Recount) chooseStep() (step uint8) {
	for ; step < maxScrollStep; step++ {
		cost := 0
		for id, l := range r.joined(step) {
			if id.Kind() == KindScroll {
				cost += 2*max(len(l.reach), len(l.attention)) + len(l.heights)
			}
		}
		if cost <= MaxScroll {
			break
		}
	}
	return step
}

// joined gives the layers after so many steps of coarsening those of scrolls.
func (r *Recount) joined(step uint8) map[LayerID]*recounted {
	if step == 0 {
		return r.layers
	}
	sum := Recount{layers: make(map[LayerID]*recounted)}
	for id, l := range r.layers {
		if id.Kind() != KindScroll {
			sum.layers[id] = l
			continue
		}
		to := sum.layer(coarseScroll(id, step))
		to.hits += l.hits
		for i, n := range l.reach {
			to.reach = bumpBand(to.reach, i, n)
		}
		for i, n := range l.attention {
			to.attention = bumpBand(to.attention, i, n)
		}
		for vh, n := range l.heights {
			to.heights[coarseHeight(vh, step)] += n
		}
	}
	return sum.layers
}

// cellsBody encodes cells by column and row: strips of 256 columns, in these rows, in these columns.
func cellsBody(cells map[[2]uint32]uint64) []byte { return runBody(nil, byNumber(cells)) }

func byNumber(cells map[[2]uint32]uint64) map[uint32]uint64 {
	numbers := make(map[uint32]uint64, len(cells))
	for at, n := range cells {
		col, row := at[0], at[1]
		numbers[(col/256*8192+row)*256+col%256] = n
	}
	return numbers
}

// runBody appends a run of numbered cells.
func runBody(body []byte, cells map[uint32]uint64) []byte {
	next := uint32(0)
	for _, number := range slices.Sorted(maps.Keys(cells)) {
		n := cells[number]
		body = binary.AppendUvarint(body, 4*uint64(number-next)+min(n, 4)-1)
		if n >= 4 {
			body = binary.AppendUvarint(body, n-4)
		}
		next = number + 1
	}
	return body
}

func (l *recounted) scrollBody() []byte {
	body := []byte{0}
	if reach := differences(l.reach); reach != nil {
		body[0] |= 1
		body = append(body, reach...)
	}
	if attention := differences(l.attention); attention != nil {
		body[0] |= 2
		body = append(body, attention...)
	}
	return runBody(body, l.heights)
}

// differences encodes what each band has more than the one before, nil if no band has anything.
func differences(bands []uint64) (code []byte) {
	before, next := int64(0), 0
	for i := 0; i <= len(bands) && len(bands) > 0; i++ {
		n := int64(0)
		if i < len(bands) {
			n = int64(bands[i])
		}
		difference, gap := n-before, uint64(i-next)
		before = n
		switch {
		case i == len(bands):
			return binary.AppendUvarint(code, 2*gap+1)
		case difference > 0:
			code = binary.AppendUvarint(binary.AppendUvarint(code, 2*gap), uint64(difference)*2)
		case difference < 0:
			code = binary.AppendUvarint(binary.AppendUvarint(code, 2*gap), uint64(-difference)*2-1)
		default:
			continue
		}
		next = i + 1
	}
	return code
}
