package collector

import (
	"encoding/binary"

	"heatlog/heatmap"
)

// memberOrder is which field came behind which the last time, for each kind of hit that is known by then. The members of hits come in
// the same order again and again, and to compare a name with the one that is expected is quicker than to look it up.
type memberOrder [heatmap.KindMove + 1][numFields]field

// quotedName is a field's name as it stands in a line, with both quotes and the colon.
type quotedName struct {
	text, mask uint64 // the first eight bytes, little endian, and which of them count
	n          int    // length
}

// maxQuoted is the greatest length of a quotedName.
const maxQuoted = maxNameBytes + 3

// endOfName is how a quotedName ends.
const endOfName = '"' | ':'<<8

var quotedNames = newQuotedNames()

func newQuotedNames() (q [numFields]quotedName) {
	q[fieldUnknown] = quotedName{text: 1, n: maxQuoted} // no name is it
	for f := field(1); f < numFields; f++ {
		var text [16]byte
		n := copy(text[:], `"`+fieldNames[f]+`":`)
		mask := ^uint64(0)
		if n < 8 {
			mask = 1<<(8*n) - 1
		}
		q[f] = quotedName{text: binary.LittleEndian.Uint64(text[:]), mask: mask, n: n}
	}
	return q
}

// nextName is name for the member at p.b[i] of a hit of a kind, 0 while that is not known, behind one of the field before.
func (p *parser) nextName(before field, i int, kind heatmap.Kind) (f field, value int) {
	b := p.b
	if i+maxQuoted >= len(b) {
		return p.name(i)
	}
	guess := &p.order[kind][before]
	q := &quotedNames[*guess]
	if value = i + q.n; binary.LittleEndian.Uint64(b[i:])&q.mask == q.text && binary.LittleEndian.Uint16(b[value-2:]) == endOfName && b[value] > ' ' {
		return *guess, value
	}
	f, value = p.name(i)
	if value >= 0 {
		*guess = f
	}
	return f, value
}
