package heatmap

import (
	"math/bits"
	"slices"
	"sort"
	"unsafe"
)

// Limits of what one delta or blob holds. Where hits go past one, cells become larger for all of the layer's or the
// delta's hits, before and after: the result depends on which cells have hits and not on the order in which they came.
const (
	// MaxLayerCells is how many distinct cells a layer has at most. Its level is the smallest at which that holds.
	MaxLayerCells = 1 << 18

	// MaxCells is the same for all layers of a delta together. If the cells at a level, of each layer no more than
	// MaxLayerCells counted, are more, then every layer is at a higher level than that.
	MaxCells = 1 << 20

	// MaxScroll bounds what scroll layers hold together: distinct viewport heights, and twice the number of bands
	// down to the lowest that has a count. Past it bands of viewport widths are joined, then heights are rounded.
	// Visitors with real browsers do not get there: 130 widths and devices of a page of 20,000 px do.
	MaxScroll = 1 << 18
)

// limits are those above and those of elements; a test sets small ones.
type limits struct{ layer, cells, scroll, elements, inner int }

var published = limits{MaxLayerCells, MaxCells, MaxScroll, MaxElements, MaxInnerCells}

// Delta counts hits of one page and period, or of whatever is merged into it. The zero value is empty and ready. It is
// not safe for concurrent use.
//
// Counting is exact, in any order, and independent of it: two deltas that counted the same hits, however these were
// split and merged on the way, encode to the same bytes.
type Delta struct {
	layers []layer // ascending by id
	people sketch
	bots   sketch
	noted  noted
	limits *limits // nil = published

	reading *blobReading // nil = no blob was read

	samples *Samples // nil = none

	elements elements
	cut      ElementID // the smallest element that is left out, 0 = none

	held   int   // bytes of the layers
	cells  int   // of grid layers, at level; of one that is at a higher level, the layer's limit
	scroll int   // cost of scroll layers
	level  uint8 // every grid layer is at this level at least
	step   uint8 // coarsening of scroll layers
	inner  uint8 // coarsening of the cells inside elements, 0 to maxInner
	plain  bool  // anchors are left out of what is merged
}

const (
	deltaBytes   = int(unsafe.Sizeof(Delta{}))
	samplesBytes = int(unsafe.Sizeof(Samples{}))
)

// newDelta is a Delta with other limits.
func newDelta(l limits) *Delta { return &Delta{limits: &l} }

func (d *Delta) limit() *limits {
	if d.limits == nil {
		return &published
	}
	return d.limits
}

// NewDelta makes an empty delta whose cells are at least cell px wide and high: CellSize or a power of two times that, up
// to 64. The same hits must always be counted in deltas of one cell size.
func NewDelta(cell int) Delta { return Delta{level: uint8(bits.TrailingZeros(uint(cell / CellSize)))} }

// Size is the memory that d holds, in bytes. It costs no time.
func (d *Delta) Size() int {
	size := deltaBytes + d.held + d.noted.bytes() + d.people.bytes() + d.bots.bytes() + d.elements.size()
	if d.samples != nil {
		size += samplesBytes
	}
	return size
}

// Empty reports whether nothing was counted.
func (d *Delta) Empty() bool {
	return len(d.layers) == 0 && d.noted.blocks == 0 && d.people.empty() && d.bots.empty() && d.samples == nil
}

// AddView counts a page view. The layer's kind must be KindView.
func (d *Delta) AddView(id LayerID) {
	mustKind(id, id.Kind() == KindView)
	d.note(id, 0)
}

// AddPoint counts a hit at a point of the page, CSS px. The layer's kind must be one that has points: click, move, rage
// or dead.
func (d *Delta) AddPoint(id LayerID, x, y uint16) {
	mustKind(id, isGrid(id.Kind()))
	d.note(id, pointOf(x, y))
}

// AddClick counts a hit at a point of the page, CSS px, that has an anchor, or none if at is the zero value. Name is that of
// the element, or nil where it is not known: what is derived from earlier clicks has the anchors of these alone. The layer's
// kind must be click, rage or dead.
func (d *Delta) AddClick(id LayerID, x, y uint16, at Anchor, name *ElementName) {
	mustKind(id, isClick(id.Kind()))
	if at.Element == 0 || d.plain {
		d.note(id, pointOf(x, y))
		return
	}
	if name != nil {
		d.AddName(at.Element, name)
	}
	d.noteAnchor(id, pointOf(x, y), at)
}

// AddName gives an element its name, whether hits at it are counted already or are yet to be merged.
func (d *Delta) AddName(id ElementID, name *ElementName) {
	if !d.plain && (d.cut == 0 || id < d.cut) {
		d.elements.add(id, name)
	}
}

func pointOf(x, y uint16) cellID { return cellOf(uint32(x/CellSize), uint32(y/CellSize)) }

// AddScroll counts a scroll that took a view from depth from to depth (lowest page px seen), and then stayed for dwell
// ms, 0 to MaxDwell, with the vh px from y on visible. A hit with from 0 begins a view. If vh is 0, unknown, the hit
// adds nothing to attention and fold. The layer's kind must be KindScroll.
func (d *Delta) AddScroll(id LayerID, depth, from, y, vh uint16, dwell uint32) {
	mustKind(id, id.Kind() == KindScroll)
	id = coarseScroll(id, d.step)
	d.noteScroll(&scrolled{id, depth, from, y, vh, dwell})
}

// AddVisitor counts a visitor, known by a hash whose 64 bits are all as good as random. A hash of 0 is nobody.
func (d *Delta) AddVisitor(bot bool, hash uint64) {
	if hash == 0 {
		return
	}
	s := &d.people
	if bot {
		s = &d.bots
	}
	if s.ranks != nil {
		s.rank(hash)
		return
	}
	d.noteVisitor(bot, hash)
}

func mustKind(id LayerID, ok bool) {
	if !ok || !id.Valid() {
		panic("heatmap: hit counted in a layer of another kind: " + id.Kind().String())
	}
}

// layer gives the layer of id, which is made if it is missing. It is valid until the next call.
func (d *Delta) layer(id LayerID) *layer {
	i, ok := d.find(id)
	if ok {
		return &d.layers[i]
	}
	held := cap(d.layers)
	d.layers = slices.Insert(d.layers, i, layer{id: id})
	d.held += (cap(d.layers) - held) * layerBytes
	l := &d.layers[i]
	if isGrid(id.Kind()) {
		l.level = d.level
	}
	return l
}

func (d *Delta) find(id LayerID) (int, bool) {
	n := len(d.layers)
	if n <= 8 {
		for i := range d.layers {
			if d.layers[i].id >= id {
				return i, d.layers[i].id == id
			}
		}
		return n, false
	}
	i := sort.Search(n, func(i int) bool { return d.layers[i].id >= id })
	return i, i < n && d.layers[i].id == id
}

// Select says whether a layer is wanted, and as which it is summed. Both are of one sort: with points, scroll, or view.
type Select func(LayerID) (to LayerID, keep bool)

func all(id LayerID) (LayerID, bool) { return id, true }

// Merge adds everything that o counted. o is not changed; it may be d itself.
func (d *Delta) Merge(o *Delta) { d.MergeSelected(o, all) }

// MergeSelected adds the layers of o that sel keeps, and what MergePageScope does.
func (d *Delta) MergeSelected(o *Delta, sel Select) {
	o.count(false)
	d.count(false)
	if o == d {
		o = d.Clone()
	}
	d.MergePageScope(o)
	d.mergeElements(o)
	for i := range o.layers {
		if to, keep := sel(o.layers[i].id); keep {
			d.mergeLayer(o, &o.layers[i], to)
		}
	}
	d.settle()
}

// MergePageScope adds what o counts of the whole page and not by layer, visitors and sampled hits, and nothing else.
func (d *Delta) MergePageScope(o *Delta) {
	o.count(false)
	d.count(false)
	d.people.merge(&o.people)
	d.bots.merge(&o.bots)
	d.mergeSamples(o.samples)
}

func (d *Delta) mergeLayer(o *Delta, from *layer, to LayerID) {
	l := d.target(from.id, to, o.level, o.step)
	if !d.plain && isClick(from.id.Kind()) {
		l.mergeAnchored(from, d.inner-o.inner, d.cut)
	}
	l.hits += from.hits
	switch {
	case from.id.Kind() == KindScroll:
		l.mergeScroll(from, d.step)
	case isGrid(from.id.Kind()):
		l.merge(from)
	}
}

// mergeElements adds the elements of o and takes over how coarse it is.
func (d *Delta) mergeElements(o *Delta) {
	if d.plain {
		return
	}
	d.elements.merge(&o.elements)
	d.raiseInner(o.inner)
	d.lowerCut(o.cut)
	if d.cut != 0 {
		d.elements.cut(d.cut)
	}
}

// target prepares d for adding a layer from a delta that is at level and step, and gives the layer that takes it.
func (d *Delta) target(from, to LayerID, level, step uint8) *layer {
	mustKind(to, sort3(from.Kind()) == sort3(to.Kind()))
	switch sort3(to.Kind()) {
	case KindScroll:
		d.raiseStep(step)
		to = coarseScroll(to, d.step)
	case KindClick:
		d.level = max(d.level, level)
	}
	return d.layer(to)
}

// sort3 gives one kind for each of the three sorts of layers.
func sort3(k Kind) Kind {
	if isGrid(k) {
		return KindClick
	}
	return k
}

// Clone gives a copy that shares nothing with d.
func (d *Delta) Clone() *Delta {
	d.count(false)
	c := *d
	c.noted, c.reading = noted{}, nil
	c.people, c.bots = d.people.clone(), d.bots.clone()
	c.elements = d.elements.clone()
	if d.samples != nil {
		samples := *d.samples
		c.samples = &samples
	}
	c.layers = make([]layer, len(d.layers))
	for i := range d.layers {
		c.layers[i] = d.layers[i].clone()
	}
	c.recount()
	return &c
}

// Layers calls fn for every layer with its number of hits, in ascending order of id.
func (d *Delta) Layers(fn func(id LayerID, hits uint64)) {
	d.count(false)
	for i := range d.layers {
		fn(d.layers[i].id, d.layers[i].hits)
	}
}

// Hits is the number of hits of a layer, 0 where there is none.
func (d *Delta) Hits(id LayerID) uint64 {
	d.count(false)
	if i, ok := d.find(id); ok {
		return d.layers[i].hits
	}
	return 0
}

// CellSize is the side of the cells of a layer, px: CellSize unless the layer had to be coarsened.
func (d *Delta) CellSize(id LayerID) int {
	d.count(false)
	if i, ok := d.find(id); ok {
		return CellSize << d.layers[i].level
	}
	return CellSize
}

// ScrollWidth is the number of viewport widths, px, that one scroll layer stands for: WidthBandSize unless they had to be
// joined. A joined layer has the id of the lowest band in it.
func (d *Delta) ScrollWidth() int {
	d.count(false)
	return joinedWidths(d.step)
}

func joinedWidths(step uint8) int { return WidthBandSize << min(step, widthSteps) }

// Visitors is how many distinct visitors there were, exact up to ExactVisitors: people, or people and bots together.
func (d *Delta) Visitors(bots bool) uint64 {
	d.count(false)
	if !bots || d.bots.empty() {
		return d.people.estimate()
	}
	both := d.people.clone()
	both.merge(&d.bots)
	return both.estimate()
}
