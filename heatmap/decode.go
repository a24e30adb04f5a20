package heatmap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
)

// MergeBlob adds everything that a blob counted. The error is a *BlobError; then d holds part of the blob, or none, and
// must be dropped: a blob that passes its checksum and is still malformed is too rare to decode every one twice.
func (d *Delta) MergeBlob(blob []byte) error { return d.MergeBlobSelected(blob, all) }

// MergeBlobSelected adds the layers of a blob that sel keeps, the visitors and the sampled hits; other layers are not decoded.
// Errors are those of MergeBlob.
func (d *Delta) MergeBlobSelected(blob []byte, sel Select) error {
	d.count(false)
	if d.reading == nil {
		d.reading = new(blobReading)
	}
	h := &d.reading.head
	h.layers = d.reading.layers[:0]
	err := h.parse(blob)
	d.reading.layers = h.layers
	if err == nil {
		d.mergePageScope(h)
		if err = d.mergeTable(h); err == nil {
			err = d.mergeBodies(h, sel)
		}
		d.settle()
	}
	*h = blobHead{} // of the blob nothing is kept
	return err
}

// blobReading is the memory for reading blobs, one after the other.
type blobReading struct {
	head   blobHead
	layers []blobLayer
	cells  batch
}

func (d *Delta) mergePageScope(h *blobHead) {
	h.people.mergeInto(&d.people)
	h.bots.mergeInto(&d.bots)
	d.mergeSamples(&h.samples)
}

// BlobLayers calls fn for every layer of a blob with its number of hits, in ascending order of id, and gives the sampled hits.
// It reads the blob's directory alone. A *BlobError may come after some calls.
func BlobLayers(blob []byte, fn func(id LayerID, hits uint64)) (Samples, error) {
	var h blobHead
	if err := h.open(blob); err != nil {
		return Samples{}, err
	}
	for h.id = 0; h.left > 0; {
		l, err := h.entry()
		if err != nil {
			return Samples{}, err
		}
		fn(l.id, l.hits)
	}
	return h.samples, nil
}

// CountBlob adds the visitors and the sampled hits of a blob to d and calls fn for every layer with its number of hits, in ascending order of id;
// no layer is decoded. ScrollWidth is that of the delta which the blob is of. The error is a *BlobError; then d is unchanged
// and fn was not called.
func (d *Delta) CountBlob(blob []byte, fn func(id LayerID, hits uint64)) (scrollWidth int, err error) {
	var h blobHead
	if err := h.parse(blob); err != nil {
		return 0, err
	}
	d.mergePageScope(&h)
	for i := range h.layers {
		fn(h.layers[i].id, h.layers[i].hits)
	}
	return joinedWidths(h.step), nil
}

var (
	errShort    = errors.New("blob ends early")
	errLong     = errors.New("number is longer than it needs to be")
	errOverflow = errors.New("number is over 64 bits")
)

// cursor reads a blob. The first error stays.
type cursor struct {
	b   []byte
	off int
}

func (c *cursor) fail(err error) error { return &BlobError{c.off, err} }

func (c *cursor) failf(format string, args ...any) error { return c.fail(fmt.Errorf(format, args...)) }

// uvarint reads a number that has no needless bytes.
func (c *cursor) uvarint() (uint64, error) {
	if c.off < len(c.b) && c.b[c.off] < 0x80 {
		c.off++
		return uint64(c.b[c.off-1]), nil
	}
	v, n := binary.Uvarint(c.b[c.off:])
	switch {
	case n == 0:
		return 0, c.fail(errShort)
	case n < 0:
		return 0, c.fail(errOverflow)
	case c.b[c.off+n-1] == 0:
		return 0, c.fail(errLong)
	}
	c.off += n
	return v, nil
}

func (c *cursor) byte() (byte, error) {
	if c.off >= len(c.b) {
		return 0, c.fail(errShort)
	}
	c.off++
	return c.b[c.off-1], nil
}

// blobLayer is an entry of a blob's directory.
type blobLayer struct {
	hits   uint64
	off, n int // the body
	id     LayerID
	level  uint8

	anchorBytes, restBytes int
	restLevel              uint8
}

// blobHead is what stands before the bodies. Hashes and registers are parts of the blob.
type blobHead struct {
	cursor
	layers       []blobLayer // empty when parse begins, in memory that it may use
	people, bots blobSketch
	samples      Samples
	left         uint64  // entries of the directory that are not read yet
	id           LayerID // of the last entry that was
	features     byte
	level, step  uint8

	tableAt, tableBytes int       // the elements
	elements            []element // in the order in which layers name them, by readElements; so are:
	cut                 ElementID
	inner               uint8
	innerCells          int // read so far
}

// open checks the blob as a whole and reads up to the directory.
func (h *blobHead) open(blob []byte) (err error) {
	if h.b, err = checked(blob); err != nil {
		return err
	}
	first, _ := h.byte()
	h.features = first & blobFeatures
	if first&^blobFeatures != blobVersion {
		h.off = 0
		return h.failf("first byte is %#02x, want version %#02x", first, blobVersion)
	}
	if h.left, err = h.uvarint(); err != nil {
		return err
	}
	if h.left > uint64(len(h.b)-h.off)/2 {
		return h.failf("%d layers in %d bytes", h.left, len(h.b)-h.off)
	}
	if h.features&hasCoarse != 0 {
		if err := h.coarsening(); err != nil {
			return err
		}
	}
	if h.features&hasSamples != 0 {
		return h.sampled()
	}
	return nil
}

func (h *blobHead) coarsening() (err error) {
	if h.level, err = h.byte(); err != nil {
		return err
	}
	if h.step, err = h.byte(); err != nil {
		return err
	}
	if h.level > maxLevel || h.step > maxScrollStep {
		return h.failf("coarsening is %d and %d, limits %d and %d", h.level, h.step, maxLevel, maxScrollStep)
	}
	return nil
}

// checked gives the blob without its check.
func checked(blob []byte) ([]byte, error) {
	n := len(blob)
	var ok bool
	switch {
	case n < 3:
		return nil, &BlobError{n, errShort}
	case n <= smallBlob:
		n--
		ok = crc8(blob[:n]) == blob[n]
	case n >= smallBlob+4:
		n -= 4
		ok = crc32.Checksum(blob[:n], castagnoli) == binary.LittleEndian.Uint32(blob[n:])
	}
	if !ok {
		return nil, &BlobError{n, errors.New("checksum does not match")}
	}
	return blob[:n:n], nil
}

// entry reads an entry of the directory.
func (h *blobHead) entry() (l blobLayer, err error) {
	h.left--
	if err = h.nextID(); err != nil {
		return l, err
	}
	l.id = h.id
	if l.hits, err = h.uvarint(); err != nil {
		return l, err
	}
	if l.hits == 0 || l.hits > maxHits {
		return l, h.failf("layer %#x has %d hits, want 1 to %d", uint32(l.id), l.hits, uint64(maxHits))
	}
	kind := l.id.Kind()
	if kind == KindView {
		return l, nil
	}
	if h.features&hasCoarse != 0 && isGrid(kind) {
		if l.level, err = h.byte(); err != nil {
			return l, err
		}
		if l.level < h.level || l.level > maxLevel {
			return l, h.failf("layer %#x is at level %d, want %d to %d", uint32(l.id), l.level, h.level, maxLevel)
		}
	}
	if kind == KindScroll && coarseScroll(l.id, h.step) != l.id {
		return l, h.failf("layer %#x does not exist after step %d", uint32(l.id), h.step)
	}
	n, err := h.uvarint()
	if err != nil {
		return l, err
	}
	if n == 0 || n > uint64(len(h.b)-h.off) {
		return l, h.failf("body of layer %#x is %d bytes, %d are left", uint32(l.id), n, len(h.b)-h.off)
	}
	l.n = int(n)
	if h.features&hasElements != 0 && isClick(kind) {
		err = h.anchoredEntry(&l)
	}
	return l, err
}

func (h *blobHead) nextID() error {
	gap, err := h.uvarint()
	if err != nil {
		return err
	}
	kinds, plain := gap&1 != 0, gap>>1
	if kinds {
		plain = gap >> 1 * kindStep
	}
	switch id := uint64(h.id) + plain; {
	case gap>>1 == 0, gap > math.MaxUint32, id > math.MaxUint32, !LayerID(id).Valid():
		return h.failf("layer %#x + %#x does not exist", uint32(h.id), plain)
	case kinds != (h.id != 0 && plain%kindStep == 0):
		return h.failf("distance of layer %#x is not in its shortest form", id)
	default:
		h.id = LayerID(id)
		return nil
	}
}

// parse reads directory and sketches and finds the bodies.
func (h *blobHead) parse(blob []byte) error {
	if err := h.open(blob); err != nil {
		return err
	}
	h.layers = slices.Grow(h.layers, min(int(h.left), 1024))
	var level uint8
	var grids, scrolls, anchors bool
	for h.left > 0 {
		l, err := h.entry()
		if err != nil {
			return err
		}
		level = max(level, l.level)
		grids = grids || isGrid(l.id.Kind())
		scrolls = scrolls || l.id.Kind() == KindScroll
		anchors = anchors || l.anchorBytes > 0
		h.layers = append(h.layers, l)
	}
	if h.features&hasCoarse != 0 && level == 0 && h.step == 0 || h.level > 0 && !grids || h.step > 0 && !scrolls {
		return h.failf("coarsening is given where there is none")
	}
	if anchors != (h.features&hasElements != 0) {
		return h.failf("elements are given where no layer has any")
	}
	return h.parseRest()
}

func (h *blobHead) parseRest() (err error) {
	if h.features&hasPeople != 0 {
		if h.people, err = h.sketch(); err != nil {
			return err
		}
	}
	if h.features&hasBots != 0 {
		if h.bots, err = h.sketch(); err != nil {
			return err
		}
	}
	if h.features&hasElements != 0 {
		if err := h.findElements(); err != nil {
			return err
		}
	}
	for i := range h.layers {
		l := &h.layers[i]
		l.off = h.off
		n := l.n + l.anchorBytes + l.restBytes
		if n > len(h.b)-h.off {
			return h.failf("body of layer %#x is %d bytes, %d are left", uint32(l.id), n, len(h.b)-h.off)
		}
		h.off += n
	}
	if h.off != len(h.b) {
		return h.failf("%d bytes after the last layer", len(h.b)-h.off)
	}
	return nil
}
