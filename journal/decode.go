package journal

import (
	"errors"
	"fmt"

	"heatlog/heatmap"
)

var errPayload = errors.New("payload is not a run of units")

// decoder turns payloads back into batches. It keeps its table between calls; the hits that it makes do not refer to it.
type decoder struct {
	s       string // what is left of the unit
	bad     bool   // s ended early or held a value out of range; everything read since is zero
	strings []string
	shared  heatmap.Hit // the shared fields of the group, everything else zero
	row     rowState
}

// payload decodes a payload of hits hits and appends appends into c, reusing the slices of c. Every string of c is a part
// of s. The hits of all batches are one array, which the first batch's slice keeps for the next call.
func (d *decoder) payload(s string, hits, appends int, c *heatmap.Chunk) error {
	slab := takeSlab(c, hits)
	c.Batches, c.Count = c.Batches[:0], hits
	used := 0
	for ; s != ""; appends-- {
		var unit string
		d.s, d.bad = s, false
		unit = d.inline()
		s = d.s
		if d.bad {
			return fmt.Errorf("%w: a unit is cut short", errPayload)
		}
		n, err := d.unit(unit, slab[used:], c)
		if err != nil {
			return err
		}
		used += n
	}
	if used != hits || appends != 0 {
		return fmt.Errorf("%w: %d hits, header says %d; %d appends too few", errPayload, used, hits, appends)
	}
	if len(c.Batches) > 0 {
		c.Batches[0].Hits = slab[:len(c.Batches[0].Hits):cap(slab)]
	}
	return nil
}

// takeSlab gives an array for n hits: that of c if it is large enough.
func takeSlab(c *heatmap.Chunk, n int) []heatmap.Hit {
	if cap(c.Batches) > 0 {
		if old := c.Batches[:1][0].Hits; cap(old) >= n {
			return old[:n]
		}
	}
	return make([]heatmap.Hit, n)
}

// unit decodes one unit into slab, adds its batches to c and returns the number of hits.
func (d *decoder) unit(s string, slab []heatmap.Hit, c *heatmap.Chunk) (hits int, err error) {
	d.s, d.strings = s, d.strings[:0]
	d.shared, d.row = heatmap.Hit{}, rowState{}
	for d.s != "" {
		head := d.uvarint()
		n := head >> 1
		if d.bad || n == 0 || n > uint64(len(slab)-hits) {
			return 0, fmt.Errorf("%w: batch of %d hits", errPayload, n)
		}
		b := heatmap.Batch{Hits: slab[hits : hits+int(n) : hits+int(n)]}
		if head&1 != 0 {
			b.Site, b.Visitor, b.ID = d.string(), d.string(), d.inline()
			d.shared.Site, d.shared.Visitor = b.Site, b.Visitor
		}
		if err := d.batch(b.Hits); err != nil {
			return 0, err
		}
		c.Batches = append(c.Batches, b)
		hits += int(n)
	}
	return hits, nil
}

// batch decodes the groups that fill hits.
func (d *decoder) batch(hits []heatmap.Hit) error {
	for len(hits) > 0 {
		n := d.group()
		if d.bad || n == 0 || n > uint64(len(hits)) {
			return fmt.Errorf("%w: group of %d hits", errPayload, n)
		}
		for i := range hits[:n] {
			d.hit(&hits[i])
			if d.bad {
				return fmt.Errorf("%w: a hit is cut short", errPayload)
			}
		}
		hits = hits[n:]
	}
	return nil
}

// group reads the shared fields that changed and returns the number of rows.
func (d *decoder) group() uint64 {
	bits := d.byte()
	s := &d.shared
	if bits&groupSite != 0 {
		s.Site = d.string()
	}
	if bits&groupURL != 0 {
		s.URL = d.string()
	}
	if bits&groupView != 0 {
		s.View = d.string()
		d.row.depth = 0
	}
	if bits&groupVisitor != 0 {
		s.Visitor = d.string()
	}
	if bits&groupUserAgent != 0 {
		s.UserAgent = d.string()
	}
	if bits&groupTags != 0 {
		s.Tags = d.tags()
	}
	if bits&groupViewport != 0 {
		s.ViewportW, s.ViewportH = d.uint16varint(), d.uint16varint()
	}
	if bits&groupDocument != 0 {
		s.DocumentW, s.DocumentH = d.uint16varint(), d.uint16varint()
	}
	return d.uvarint()
}

// tags reads a list of tags into a slice of its own, which all hits of the group share.
func (d *decoder) tags() []string {
	n := d.uvarint()
	if n > uint64(len(d.s)) { // a tag takes at least a byte
		d.bad = true
		return nil
	}
	if n == 0 {
		return nil
	}
	tags := make([]string, n)
	for i := range tags {
		tags[i] = d.string()
	}
	return tags
}

// hit reads one row.
func (d *decoder) hit(h *heatmap.Hit) {
	*h = d.shared
	bits := d.uint16()
	var odd byte
	h.Kind = heatmap.Kind(bits&3 + 1)
	if bits&rowOdd != 0 {
		odd = d.byte()
		if odd&oddKind != 0 {
			h.Kind = heatmap.Kind(d.byte())
		}
	}
	s := &d.row
	s.time += d.zigzag()
	h.Time = s.time
	c := class(h.Kind)
	if bits&rowX != 0 {
		s.x[c] += d.zigzag16()
	}
	if bits&rowY != 0 {
		s.y[c] += d.zigzag16()
	}
	h.X, h.Y = s.x[c], s.y[c]
	h.From, h.Depth = s.predict(h.Kind, h.Y, h.ViewportH)
	if bits&rowDepth != 0 {
		h.From += d.zigzag16()
		h.Depth = h.From + d.zigzag16()
	}
	if h.Kind == heatmap.KindScroll {
		s.depth = h.Depth
	}
	if bits&rowDwell != 0 {
		h.Dwell = d.uint32varint()
	}
	if bits&^(rowX|rowY|rowDepth|rowDwell|3) != 0 {
		d.rare(h, bits, odd)
	}
	h.Pointer, h.Layout = s.pointer, s.layout
}

// rare reads the fields that are not part of most rows.
func (d *decoder) rare(h *heatmap.Hit, bits uint16, odd byte) {
	if bits&rowSelector != 0 {
		h.Selector = d.string()
	}
	switch {
	case odd&oddAnchor != 0:
		h.AnchorX, h.AnchorY = d.uint32varint(), d.uint32varint()
	case bits&rowAnchor != 0:
		h.AnchorX, h.AnchorY = uint32(d.uint16()), uint32(d.uint16())
	}
	if bits&rowBox != 0 {
		h.BoxW, h.BoxH = d.uint16varint(), d.uint16varint()
	}
	h.HasCheck = bits&rowCheck != 0
	if h.HasCheck || odd&oddCheck != 0 {
		h.Check = d.uint16()
	}
	if bits&rowPointer != 0 {
		d.row.pointer = heatmap.Pointer(d.byte())
	}
	if bits&rowFlags != 0 {
		h.Flags = heatmap.Flags(d.byte())
	}
	if bits&rowLayout != 0 {
		d.row.layout = uint32(d.uint16()) | uint32(d.uint16())<<16
	}
	if bits&rowID != 0 {
		h.ID = d.inline()
	}
	if bits&rowContainer != 0 {
		h.Container = d.string()
		h.ContainerX, h.ContainerY = d.uint16varint(), d.uint16varint()
	}
}

// string reads a string that was written by number or, the first time, inline.
func (d *decoder) string() string {
	n := d.uvarint()
	if n == 0 {
		s := d.inline()
		d.strings = append(d.strings, s)
		return s
	}
	if n > uint64(len(d.strings)) {
		d.bad = true
		return ""
	}
	return d.strings[n-1]
}

func (d *decoder) inline() string {
	n := d.uvarint()
	if n > uint64(len(d.s)) {
		d.fail()
		return ""
	}
	s := d.s[:n]
	d.s = d.s[n:]
	return s
}

// fail notes that the unit is damaged; everything that is read after it is zero.
func (d *decoder) fail() { d.s, d.bad = "", true }

func (d *decoder) byte() byte {
	if d.s == "" {
		d.bad = true
		return 0
	}
	b := d.s[0]
	d.s = d.s[1:]
	return b
}

func (d *decoder) uint16() uint16 {
	if len(d.s) < 2 {
		d.fail()
		return 0
	}
	v := uint16(d.s[0]) | uint16(d.s[1])<<8
	d.s = d.s[2:]
	return v
}

func (d *decoder) uvarint() uint64 {
	if len(d.s) > 0 && d.s[0] < 0x80 {
		v := d.s[0]
		d.s = d.s[1:]
		return uint64(v)
	}
	return d.longUvarint()
}

// longUvarint reads a number of two to ten bytes.
func (d *decoder) longUvarint() uint64 {
	var v uint64
	for i := 0; i < len(d.s) && i < 10; i++ {
		b := d.s[i]
		if b < 0x80 {
			if i == 9 && b > 1 {
				break // over 64 bits
			}
			d.s = d.s[i+1:]
			return v | uint64(b)<<(7*i)
		}
		v |= uint64(b&0x7f) << (7 * i)
	}
	d.fail()
	return 0
}

func (d *decoder) uint16varint() uint16 {
	v := d.uvarint()
	if v > 0xffff {
		d.fail()
		return 0
	}
	return uint16(v)
}

func (d *decoder) uint32varint() uint32 {
	v := d.uvarint()
	if v > 0xffffffff {
		d.fail()
		return 0
	}
	return uint32(v)
}

func (d *decoder) zigzag() int64 {
	v := d.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

func (d *decoder) zigzag16() uint16 {
	v := d.uint16varint()
	return v>>1 ^ -(v & 1)
}
