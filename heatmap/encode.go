// Package heatmap stores a delta as a blob.
//
// # Blobs
//
// A blob is the encoding of a [Delta], for a store. It is canonical: a decoder refuses every other spelling. Numbers are
// uvarint (encoding/binary) in their shortest form, or little-endian.
//
//	size     field
//	1        16, which stands for version 1, and features: 1 people, 2 bots, 4 coarsened, 8 elements, 32 sampled hits
//	uvarint  number of layers
//	1        if coarsened: level of the delta, 0 to 13
//	1        if coarsened: steps of its scroll layers, 0 to 27
//	         if sampled hits: of people, then of bots, one of which has any:
//	uvarint    hits, at most 2^40
//	uvarint    if not 0: least share of page loads in millionths, 1 to 999,999
//	         directory, for each layer in ascending order of id:
//	uvarint    distance from the id before, from 0 for the first: 2·kinds + 1 if it is whole kinds, else 2·distance
//	uvarint    hits; of all layers together at most 2^40
//	1          if coarsened, layers with points: level, the delta's to 13
//	uvarint    all but view layers: bytes of the body
//	           if elements, layers of clicks, rage and dead clicks:
//	uvarint      bytes of the cells inside elements; 0: none of the layer's hits has an anchor
//	uvarint      if not 0: bytes of the rest, the hits without an anchor
//	1            if coarsened and neither is 0: level of the rest, the delta's to 13
//	         if people: sketch
//	         if bots: sketch
//	uvarint  if elements: bytes of these, and the elements
//	         bodies in the order of the directory, each with the cells inside elements and the rest behind it
//	1 or 4   check of all before: CRC-8 (x^8+x^2+x+1, from 0xff) of up to 1,023 bytes, CRC-32C of more
//
// A sketch is the number of hashes, 1 to [ExactVisitors], and these in ascending order, 8 bytes each; or 0 and 4,096 registers
// of 6 bits, four in three bytes, the first in the lowest bits.
//
// The body of a layer with points is a run of cells in ascending order of strip of 256 columns, row, column:
//
//	uvarint  4·gap + min(n, 4) − 1: how many cells lie between the one before (the first: the page's corner) and this, n hits
//	uvarint  n − 4, if n is 4 or more
//
// The body of a scroll layer is a byte (1: reach, 2: attention), the difference arrays that this names, and the viewport
// heights of the hits that begin a view, 0 for unknown, as cells. A difference array is its values other than 0 in order:
//
//	uvarint  2·gap, bands between the one before and this; + 1 for the last, whose value brings the sum to 0
//	uvarint  value, zigzag, if not the last
//
// The elements are
//
//	1        level of the cells inside them, 0 to 10, or 11: 10, and elements are left out
//	6        if 11: the smallest [ElementID] that is left out
//	uvarint  number of elements with a name; for each in ascending order of selector, then check, none before any:
//	uvarint    4·bytes that the selector begins with as the one before does, as many as there are; + 1 with a check, + 2 fixed
//	uvarint    bytes of the rest of the selector, and these
//	2          if with a check: the check
//	6        for each element without a name, in ascending order: its ElementID
//
// The rest is a run of cells like the body of its layer. If both are at one level, the gaps are how many of the body's cells lie
// between.
//
// The blob of a month has the names, that of a day has none. The cells inside elements are
//
//	uvarint  if elements are left out: the hits at these
//	         groups in ascending order of element, then a, then b, in which an element is cut into 2^a by 2^b cells:
//	uvarint    128·gap + 11·a + b: how many elements the one before, or the first, is before this
//	           for each cell, by column·2^b + row
//	uvarint      8·gap + min(n, 4) − 1, + 4 if another one follows
//	uvarint      n − 4, if n is 4 or more
//
// Most blobs are tiny, a few hits of one visitor: one click is 20 bytes, of which the visitor's hash is 8. So there is
// no compression, the check of a small blob is one byte (with four it would be a sixth larger, with none a wrong byte in a
// hash or a cell would go unseen; both stores have checksums of their own), and bodies have one form. On a busy page of
// 1,280 x 6,000 px a cell takes 1.3 bytes with 5,000 cells and 1.2 with 80,000; bitmaps of rows take 3.5 and 1.26, runs 1.5
// and 1.4.
package heatmap

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
)

const (
	blobVersion  = 0x10 // of the bits of the first byte that stand for no feature
	blobFeatures = hasPeople | hasBots | hasCoarse | hasElements | hasSamples

	hasPeople   = 1 << 0
	hasBots     = 1 << 1
	hasCoarse   = 1 << 2
	hasElements = 1 << 3
	hasSamples  = 1 << 5

	maxHits = 1 << 40 // of all layers: with MaxDwell each, their sum fits an int64

	packedRegisters = registers / 4 * 3 // bytes

	smallBlob = 1024 // bytes with the check, up to which that is one byte
)

// MaxBlob is more than any blob has, bytes.
const MaxBlob = 15 << 20

// BlobError says where a blob is damaged.
type BlobError struct {
	Offset int // byte from which on it cannot be right
	Err    error
}

// Error gives offset and reason.
func (e *BlobError) Error() string { return fmt.Sprintf("decode blob at byte %d: %v", e.Offset, e.Err) }

// Unwrap gives the reason.
func (e *BlobError) Unwrap() error { return e.Err }

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	crc8Tables = makeCRC8()
)

// makeCRC8 gives tables of x^8 + x^2 + x + 1, which finds every single wrong byte: the first for a byte, the i-th for one that i
// bytes follow.
func makeCRC8() (tables [8][256]byte) {
	for i := range 256 {
		c := byte(i)
		for range 8 {
			if c&0x80 != 0 {
				c = c<<1 ^ 0x07
			} else {
				c <<= 1
			}
		}
		tables[0][i] = c
	}
	for k := 1; k < len(tables); k++ {
		for i := range 256 {
			tables[k][i] = tables[0][tables[k-1][i]]
		}
	}
	return tables
}

func crc8(p []byte) byte {
	t, c := &crc8Tables, byte(0xff)
	for ; len(p) >= 8; p = p[8:] {
		c = t[7][c^p[0]] ^ t[6][p[1]] ^ t[5][p[2]] ^ t[4][p[3]] ^ t[3][p[4]] ^ t[2][p[5]] ^ t[1][p[6]] ^ t[0][p[7]]
	}
	for _, b := range p {
		c = t[0][c^b]
	}
	return c
}

// Append appends the blob of d to dst. Equal counts give equal bytes.
func (d *Delta) Append(dst []byte) []byte {
	d.count(false)
	start, features := len(dst), d.features()
	dst = append(dst, blobVersion|features)
	dst = binary.AppendUvarint(dst, uint64(len(d.layers)))
	if features&hasCoarse != 0 {
		dst = append(dst, d.storedLevel(), d.step)
	}
	if features&hasSamples != 0 {
		dst = d.samples.Bots.append(d.samples.People.append(dst))
	}
	var table []byte
	var places []int32
	if features&hasElements != 0 {
		table, places = d.appendElements(nil)
	}
	bodies := make([]byte, 0, 256)
	prev := LayerID(0)
	for i := range d.layers {
		l := &d.layers[i]
		dst = appendLayerID(dst, prev, l.id)
		prev = l.id
		dst = binary.AppendUvarint(dst, l.hits)
		if l.id.Kind() == KindView {
			continue
		}
		if features&hasCoarse != 0 && isGrid(l.id.Kind()) {
			dst = append(dst, l.level)
		}
		from := len(bodies)
		bodies = l.appendBody(bodies)
		dst = binary.AppendUvarint(dst, uint64(len(bodies)-from))
		if features&hasElements != 0 && isClick(l.id.Kind()) {
			dst, bodies = d.appendAnchored(dst, bodies, l, places, features)
		}
	}
	if !d.people.empty() {
		dst = d.people.append(dst)
	}
	if !d.bots.empty() {
		dst = d.bots.append(dst)
	}
	return appendCheck(append(append(dst, table...), bodies...), start)
}

// appendAnchored appends what a layer has of anchors: the lengths to dst, and the bodies to bodies.
func (d *Delta) appendAnchored(dst, bodies []byte, l *layer, places []int32, features byte) (lengths, all []byte) {
	if l.anchored == nil {
		return append(dst, 0), bodies
	}
	from := len(bodies)
	bodies = l.anchored.appendInner(bodies, d.cut != 0, &d.elements, places)
	dst = binary.AppendUvarint(dst, uint64(len(bodies)-from))
	from = len(bodies)
	bodies = l.appendRest(bodies)
	dst = binary.AppendUvarint(dst, uint64(len(bodies)-from))
	if features&hasCoarse != 0 && len(bodies) > from {
		dst = append(dst, l.anchored.rest.level)
	}
	return dst, bodies
}

func (d *Delta) features() (f byte) {
	if !d.people.empty() {
		f |= hasPeople
	}
	if !d.bots.empty() {
		f |= hasBots
	}
	if d.storedLevel() > 0 || d.step > 0 || slices.ContainsFunc(d.layers, func(l layer) bool { return l.level > 0 }) {
		f |= hasCoarse
	}
	if d.hasAnchors() {
		f |= hasElements
	}
	if d.samples != nil {
		f |= hasSamples
	}
	return f
}

// storedLevel is the level as a blob has it: a delta without points has none.
func (d *Delta) storedLevel() uint8 {
	if slices.ContainsFunc(d.layers, func(l layer) bool { return isGrid(l.id.Kind()) }) {
		return d.level
	}
	return 0
}

func appendCheck(dst []byte, start int) []byte {
	if len(dst)-start < smallBlob {
		return append(dst, crc8(dst[start:]))
	}
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// kindStep is what two ids differ by if only the kind is another.
const kindStep = 1 << 16

// appendLayerID appends how far id is from prev: whole kinds with the low bit set, else the difference.
func appendLayerID(dst []byte, prev, id LayerID) []byte {
	gap := uint64(id - prev)
	if prev != 0 && gap%kindStep == 0 {
		return binary.AppendUvarint(dst, gap/kindStep<<1|1)
	}
	return binary.AppendUvarint(dst, gap<<1)
}

func (l *layer) appendBody(dst []byte) []byte {
	if l.id.Kind() == KindScroll {
		return l.appendScroll(dst)
	}
	return l.appendCells(dst)
}

func (l *layer) appendCells(dst []byte) []byte {
	next := cellID(0)
	for _, e := range l.sorted() {
		dst = appendCell(dst, e.cell-next, l.count(e))
		next = e.cell + 1
	}
	return dst
}

// longCount is the smallest count that is a number of its own; smaller ones are the low bits of the gap's.
const (
	countBits = 2
	longCount = 1 << countBits
)

// appendCell appends a cell that has n hits and lies gap cells after the smallest that may come next.
func appendCell(dst []byte, gap uint32, n uint64) []byte {
	dst = binary.AppendUvarint(dst, uint64(gap)<<countBits|(min(n, longCount)-1))
	if n < longCount {
		return dst
	}
	return binary.AppendUvarint(dst, n-longCount)
}

// Bits of the first byte of a scroll layer's body.
const (
	hasReach     = 1 << 0
	hasAttention = 1 << 1
)

func (l *layer) appendScroll(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, 0)
	var any bool
	if dst, any = l.appendDiff(dst, reachSection); any {
		dst[at] |= hasReach
	}
	if dst, any = l.appendDiff(dst, attentionSection); any {
		dst[at] |= hasAttention
	}
	next := uint32(0)
	l.each(foldSection, func(vh uint32, n int64) {
		dst = appendCell(dst, vh-next, uint64(n))
		next = vh + 1
	})
	return dst
}

// appendDiff appends a difference array. The last value brings the sum back to 0 and is not written.
func (l *layer) appendDiff(dst []byte, at section) (out []byte, any bool) {
	last := uint32(0)
	l.each(at, func(i uint32, _ int64) { last, any = i, true })
	next := uint32(0)
	l.each(at, func(i uint32, v int64) {
		gap := uint64(i-next) << 1
		next = i + 1
		if i == last {
			dst = binary.AppendUvarint(dst, gap|1)
			return
		}
		dst = binary.AppendUvarint(dst, gap)
		dst = binary.AppendUvarint(dst, zigzag(v))
	})
	return dst, any
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// append appends the number of hashes and these, or 0 and the registers.
func (s *sketch) append(dst []byte) []byte {
	if s.ranks == nil {
		dst = binary.AppendUvarint(dst, uint64(len(s.hashes)))
		for _, h := range s.hashes {
			dst = binary.LittleEndian.AppendUint64(dst, h)
		}
		return dst
	}
	dst = append(dst, 0)
	for i := 0; i < registers; i += 4 {
		r := s.ranks[i : i+4]
		v := uint32(r[0]) | uint32(r[1])<<6 | uint32(r[2])<<12 | uint32(r[3])<<18
		dst = append(dst, byte(v), byte(v>>8), byte(v>>16))
	}
	return dst
}
