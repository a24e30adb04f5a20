package journal

import (
	"encoding/binary"
	"fmt"
	"slices"
	"unsafe"

	"heatlog/heatmap"
)

// The bits of a group's first byte: which of the shared fields differ from the group before in the unit.
const (
	groupSite = 1 << iota
	groupURL
	groupView
	groupVisitor
	groupUserAgent
	groupTags
	groupViewport
	groupDocument
)

// The bits of a row's first two bytes; bits 0 and 1 are the kind less one.
const (
	rowX         = 1 << 2  // x differs from the row before of the same class
	rowY         = 1 << 3  // y differs from the row before of the same class
	rowDepth     = 1 << 4  // depth and from are not what predict says
	rowDwell     = 1 << 5  // dwell is not 0
	rowSelector  = 1 << 6  // there is a selector
	rowAnchor    = 1 << 7  // anchor x or y is not 0
	rowBox       = 1 << 8  // box width or height is not 0
	rowCheck     = 1 << 9  // there is a check
	rowPointer   = 1 << 10 // pointer differs from the row before
	rowFlags     = 1 << 11 // a flag is set
	rowLayout    = 1 << 12 // layout differs from the row before
	rowID        = 1 << 13 // there is an id of its own
	rowContainer = 1 << 14 // container, container x or y is not 0
	rowOdd       = 1 << 15 // a byte of the odd bits follows
)

// The odd bits: values that the collector does not let through but that a hit can hold.
const (
	oddKind   = 1 << 0 // the kind is not one that is recorded: its number follows
	oddCheck  = 1 << 1 // check is not 0 though there is none: its value follows
	oddAnchor = 1 << 2 // anchor x or y takes more than 16 bits
)

// rowState is what a row is encoded against. Scrolls and the kinds that have a pointer are two classes with places of
// their own, as a scroll's y is the top of the window.
type rowState struct {
	time    int64
	layout  uint32
	x, y    [2]uint16
	depth   uint16
	pointer heatmap.Pointer
}

// class is the index into the places of rowState.
func class(k heatmap.Kind) int {
	if k == heatmap.KindScroll {
		return 1
	}
	return 0
}

// predict gives the from and depth that a hit of kind k has if nothing is odd: a scroll starts at the depth of the
// scroll before and reaches the lower edge of the window, everything else has none.
func (s *rowState) predict(k heatmap.Kind, y, viewportH uint16) (from, depth uint16) {
	if k != heatmap.KindScroll {
		return 0, 0
	}
	bottom := int(y) + int(viewportH)
	return s.depth, uint16(min(max(bottom, int(s.depth)), heatmap.MaxCoordinate))
}

// encoder turns the batches of one append into one unit. It is not safe for concurrent use; the zero value is not
// ready, newEncoder makes one.
type encoder struct {
	dst    []byte
	words  words
	shared heatmap.Hit // the shared fields of the group before
	row    rowState
}

func newEncoder() *encoder { return &encoder{words: newWords()} }

// unit encodes batches and returns the unit, valid until the next call, and its number of hits. Batches without hits are
// left out.
func (e *encoder) unit(batches []heatmap.Batch) (unit []byte, hits int) {
	e.dst = e.dst[:0]
	e.words.reset()
	e.shared, e.row = heatmap.Hit{}, rowState{}
	for i := range batches {
		if b := &batches[i]; len(b.Hits) > 0 {
			e.batch(b)
			hits += len(b.Hits)
		}
	}
	e.shared = heatmap.Hit{} // it would keep the request's memory alive
	return e.dst, hits
}

func (e *encoder) batch(b *heatmap.Batch) {
	head := uint64(len(b.Hits)) << 1
	if b.Site == "" && b.Visitor == "" && b.ID == "" {
		e.uvarint(head)
	} else {
		e.uvarint(head | 1)
		e.string(b.Site)
		e.string(b.Visitor)
		e.inline(b.ID)
		e.shared.Site, e.shared.Visitor = b.Site, b.Visitor
	}
	for hits := b.Hits; len(hits) > 0; {
		n := 1
		for n < len(hits) && sameGroup(&hits[0], &hits[n]) {
			n++
		}
		e.group(&hits[0], n)
		for i := range n {
			e.hit(&hits[i])
		}
		hits = hits[n:]
	}
}

// sameGroup reports whether two hits agree in every shared field.
func sameGroup(a, b *heatmap.Hit) bool {
	return same(a.View, b.View) && same(a.URL, b.URL) && same(a.Visitor, b.Visitor) &&
		a.ViewportW == b.ViewportW && a.ViewportH == b.ViewportH &&
		a.DocumentW == b.DocumentW && a.DocumentH == b.DocumentH &&
		same(a.Site, b.Site) && same(a.UserAgent, b.UserAgent) && sameTags(a.Tags, b.Tags)
}

// same is a == b. Most strings that are equal are one: to see that takes no call.
func same(a, b string) bool {
	return len(a) == len(b) && (unsafe.StringData(a) == unsafe.StringData(b) || a == b)
}

// sameTags is slices.Equal, and knows as well as same.
func sameTags(a, b []string) bool {
	return len(a) == len(b) && (unsafe.SliceData(a) == unsafe.SliceData(b) || slices.Equal(a, b))
}

// group writes the shared fields of h that differ from those before, and the number of rows.
func (e *encoder) group(h *heatmap.Hit, rows int) {
	at := len(e.dst)
	e.dst = append(e.dst, 0)
	s := &e.shared
	bits := e.shared1(&s.Site, h.Site, groupSite) |
		e.shared1(&s.URL, h.URL, groupURL) |
		e.shared1(&s.View, h.View, groupView) |
		e.shared1(&s.Visitor, h.Visitor, groupVisitor) |
		e.shared1(&s.UserAgent, h.UserAgent, groupUserAgent)
	if !sameTags(s.Tags, h.Tags) {
		bits |= groupTags
		e.uvarint(uint64(len(h.Tags)))
		for _, t := range h.Tags {
			e.string(t)
		}
		s.Tags = h.Tags
	}
	if s.ViewportW != h.ViewportW || s.ViewportH != h.ViewportH {
		bits |= groupViewport
		e.pair(h.ViewportW, h.ViewportH)
		s.ViewportW, s.ViewportH = h.ViewportW, h.ViewportH
	}
	if s.DocumentW != h.DocumentW || s.DocumentH != h.DocumentH {
		bits |= groupDocument
		e.pair(h.DocumentW, h.DocumentH)
		s.DocumentW, s.DocumentH = h.DocumentW, h.DocumentH
	}
	if bits&groupView != 0 {
		e.row.depth = 0 // the first scroll of a view starts at 0
	}
	e.dst[at] = bits
	e.uvarint(uint64(rows))
}

// shared1 writes v if it differs from the one before and returns bit if so.
func (e *encoder) shared1(before *string, v string, bit byte) byte {
	if same(*before, v) {
		return 0
	}
	e.string(v)
	*before = v
	return bit
}

// hit writes one row. The order of the fields is the format's.
func (e *encoder) hit(h *heatmap.Hit) {
	at := len(e.dst)
	e.dst = append(e.dst, 0, 0)
	bits, odd := e.headBits(h)
	if odd != 0 {
		bits |= rowOdd
		e.dst = append(e.dst, odd)
	}
	if odd&oddKind != 0 {
		e.dst = append(e.dst, byte(h.Kind))
	} else {
		bits |= uint16(h.Kind - 1)
	}
	s := &e.row
	e.zigzag(h.Time - s.time)
	s.time = h.Time
	c := class(h.Kind)
	if h.X != s.x[c] {
		bits |= rowX
		e.zigzag16(h.X - s.x[c])
		s.x[c] = h.X
	}
	if h.Y != s.y[c] {
		bits |= rowY
		e.zigzag16(h.Y - s.y[c])
		s.y[c] = h.Y
	}
	from, depth := s.predict(h.Kind, h.Y, h.ViewportH)
	if h.From != from || h.Depth != depth {
		bits |= rowDepth
		e.zigzag16(h.From - from)
		e.zigzag16(h.Depth - h.From)
	}
	if h.Kind == heatmap.KindScroll {
		s.depth = h.Depth
	}
	e.rare(h, bits, odd)
	binary.LittleEndian.PutUint16(e.dst[at:], bits)
}

// headBits gives those bits of a row that do not depend on the row before, but for pointer and layout, and the odd bits.
func (e *encoder) headBits(h *heatmap.Hit) (bits uint16, odd byte) {
	if !h.Kind.Recorded() {
		odd |= oddKind
	}
	if h.Dwell != 0 {
		bits |= rowDwell
	}
	if h.Selector != "" {
		bits |= rowSelector
	}
	if h.AnchorX|h.AnchorY != 0 {
		bits |= rowAnchor
		if h.AnchorX|h.AnchorY > 0xffff {
			odd |= oddAnchor
		}
	}
	if h.BoxW|h.BoxH != 0 {
		bits |= rowBox
	}
	if h.HasCheck {
		bits |= rowCheck
	} else if h.Check != 0 {
		odd |= oddCheck
	}
	if h.Pointer != e.row.pointer {
		bits |= rowPointer
	}
	if h.Flags != 0 {
		bits |= rowFlags
	}
	if h.Layout != e.row.layout {
		bits |= rowLayout
	}
	if h.ID != "" {
		bits |= rowID
	}
	if h.Container != "" || h.ContainerX|h.ContainerY != 0 {
		bits |= rowContainer
	}
	return bits, odd
}

// rare writes the fields that bits and odd announce, after the place.
func (e *encoder) rare(h *heatmap.Hit, bits uint16, odd byte) {
	if bits&rowDwell != 0 {
		e.uvarint(uint64(h.Dwell))
	}
	if bits&rowSelector != 0 {
		e.string(h.Selector)
	}
	switch {
	case odd&oddAnchor != 0:
		e.uvarint(uint64(h.AnchorX))
		e.uvarint(uint64(h.AnchorY))
	case bits&rowAnchor != 0:
		e.uint16(uint16(h.AnchorX))
		e.uint16(uint16(h.AnchorY))
	}
	if bits&rowBox != 0 {
		e.pair(h.BoxW, h.BoxH)
	}
	if bits&rowCheck != 0 || odd&oddCheck != 0 {
		e.uint16(h.Check)
	}
	if bits&rowPointer != 0 {
		e.dst = append(e.dst, byte(h.Pointer))
		e.row.pointer = h.Pointer
	}
	if bits&rowFlags != 0 {
		e.dst = append(e.dst, byte(h.Flags))
	}
	if bits&rowLayout != 0 {
		e.dst = binary.LittleEndian.AppendUint32(e.dst, h.Layout)
		e.row.layout = h.Layout
	}
	if bits&rowID != 0 {
		e.inline(h.ID)
	}
	if bits&rowContainer != 0 {
		e.string(h.Container)
		e.pair(h.ContainerX, h.ContainerY)
	}
}

// string writes the number of s in the unit, or 0 and s itself the first time.
func (e *encoder) string(s string) {
	w := e.words.find(e.dst, s)
	if w.unit == e.words.unit {
		e.uvarint(uint64(w.number))
		return
	}
	e.dst = append(e.dst, 0)
	e.inline(s)
	e.words.add(w, e.dst, len(e.dst)-len(s))
}

// inline writes a string that is not expected again in the unit.
func (e *encoder) inline(s string) {
	e.uvarint(uint64(len(s)))
	e.dst = append(e.dst, s...)
}

func (e *encoder) pair(a, b uint16) {
	e.uvarint(uint64(a))
	e.uvarint(uint64(b))
}

func (e *encoder) uint16(v uint16) { e.dst = append(e.dst, byte(v), byte(v>>8)) }

func (e *encoder) uvarint(v uint64) {
	if v < 0x80 {
		e.dst = append(e.dst, byte(v))
		return
	}
	e.dst = binary.AppendUvarint(e.dst, v)
}

func (e *encoder) zigzag(v int64) { e.uvarint(uint64(v<<1) ^ uint64(v>>63)) }

// zigzag16 writes a difference of two coordinates, which wraps around at 65536.
func (e *encoder) zigzag16(v uint16) { e.uvarint(uint64(v<<1 ^ uint16(int16(v)>>15))) }

// checkAppend refuses what cannot be one append.
func checkAppend(unit []byte, hits int) error {
	if len(unit) > MaxAppend {
		return fmt.Errorf("%w: %d bytes encoded, limit %d", ErrTooLarge, len(unit), MaxAppend)
	}
	if hits > MaxChunkHits {
		return fmt.Errorf("%w: %d hits, limit %d", ErrTooLarge, hits, MaxChunkHits)
	}
	return nil
}
