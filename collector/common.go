package collector

import (
	"encoding/binary"
	"math/bits"
	"slices"

	"heatlog/heatmap"
)

// commonFields are the fields that the hits of one view agree in, most of the time.
const commonFields = fieldSet(1)<<fieldViewportW | 1<<fieldViewportH | 1<<fieldDocumentW | 1<<fieldDocumentH | 1<<fieldLayout | 1<<fieldPointer

const (
	maxCommon     = 6  // how many fields these are
	maxCommonText = 48 // length of a member that is remembered
)

// common remembers the members of commonFields as they stood in the last hits, so that a run of them is compared with what
// comes next in one go and not parsed again: they are half of a hit's members.
type common struct {
	text   []byte // the members, with a comma behind each
	n      int
	fields [maxCommon]field
	starts [maxCommon + 1]int // of each member in text, and len(text)
	values heatmap.Hit        // what the members say
}

// match looks whether b[i:], which begins with the member of f, goes on with members that are remembered. It copies what they
// say into h and gives the index after the last one's value and their fields; end is -1 if there is none.
func (c *common) match(b []byte, i int, f field, h *heatmap.Hit) (end int, found fieldSet) {
	k := 0
	for k < c.n && c.fields[k] != f {
		k++
	}
	if k == c.n {
		return -1, 0
	}
	from := c.starts[k]
	same := prefixLen(b[i:], c.text[from:])
	end = -1
	for ; k < c.n; k++ {
		after := c.starts[k+1] - 1 - from // the member's length with those before it
		if same < after || i+after >= len(b) || !endsValue(b[i+after]) {
			break
		}
		end = i + after
		found |= 1 << c.fields[k]
	}
	copyCommon(h, &c.values, found)
	return end, found
}

// add remembers a member that was parsed into h. One that has changed begins anew, for the others will have changed too.
func (c *common) add(f field, member []byte, h *heatmap.Hit) {
	if len(member) > maxCommonText {
		return
	}
	if slices.Contains(c.fields[:c.n], f) {
		c.n, c.text = 0, c.text[:0]
	}
	c.text = append(append(c.text, member...), ',')
	c.fields[c.n] = f
	c.n++
	c.starts[c.n] = len(c.text)
	copyCommon(&c.values, h, 1<<f)
}

// copyCommon copies the values of some of commonFields.
func copyCommon(dst, src *heatmap.Hit, fields fieldSet) {
	if fields.has(fieldViewportW) {
		dst.ViewportW = src.ViewportW
	}
	if fields.has(fieldViewportH) {
		dst.ViewportH = src.ViewportH
	}
	if fields.has(fieldDocumentW) {
		dst.DocumentW = src.DocumentW
	}
	if fields.has(fieldDocumentH) {
		dst.DocumentH = src.DocumentH
	}
	if fields.has(fieldLayout) {
		dst.Layout = src.Layout
	}
	if fields.has(fieldPointer) {
		dst.Pointer = src.Pointer
	}
}

// prefixLen gives how many bytes a and b have in common at their begin.
func prefixLen(a, b []byte) (n int) {
	for ; n+8 <= len(a) && n+8 <= len(b); n += 8 {
		if x := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); x != 0 {
			return n + bits.TrailingZeros64(x)>>3
		}
	}
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
