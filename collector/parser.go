package collector

import (
	"encoding/binary"
	"math/bits"
	"time"

	"heatlog/heatmap"
)

// parser turns JSON into hits. It is not safe for concurrent use. Its memory is that of the strings that it remembers
// and of the current block.
type parser struct {
	sites  *Sites
	minT   int64 // first and last t that are taken, Unix ms
	maxT   int64
	arena  arena
	ignore fieldSet // names whose values are skipped where the parser is
	depth  int      // of the hit's members

	site                                *siteEntry // of the hit; valid after a parse that succeeded
	siteSlot, url, view, visitor, agent slot
	selector, container, id             slot
	tags                                []string // that tagsToken stands for
	tagsToken                           []byte
	common                              common
	order                               memberOrder

	b        []byte   // what is parsed
	seen     fieldSet // fields of the hit so far
	fault    fault
	text     []byte // unescaped string
	scrubbed []byte
	age      int64 // of a tracker's hit, ms
}

func newParser(sites *Sites) parser { return parser{sites: sites, minT: heatmap.MinTime} }

// setNow says what time it is, from which the greatest time follows that hits may have.
func (p *parser) setNow(now time.Time) { p.maxT = now.Add(heatmap.MaxAhead).UnixMilli() }

// parseLine parses one line into h, whatever h held before. If the line is refused, p.fault says why. The line may not
// change until the fault's message is built.
func (p *parser) parseLine(line []byte, h *heatmap.Hit) bool {
	p.b, p.ignore, p.depth = line, ^lineFields, 1
	if !p.parseObject(h) {
		return false
	}
	return p.complete(h, p.seen)
}

// parseObject parses p.b, which has to be one object.
func (p *parser) parseObject(h *heatmap.Hit) bool {
	i := skipSpace(p.b, 0)
	if i >= len(p.b) || p.b[i] != '{' {
		return p.notObject(i)
	}
	if i = p.hit(i, h); i < 0 {
		return false
	}
	if i = skipSpace(p.b, i); i != len(p.b) {
		p.syntax(i, "something follows the object")
		return false
	}
	return true
}

// notObject tells JSON that is no object from what is no JSON.
func (p *parser) notObject(i int) bool {
	end := p.skipValue(i, 0)
	if end < 0 {
		return false
	}
	if next := skipSpace(p.b, end); next != len(p.b) {
		p.syntax(next, "something follows the value")
		return false
	}
	p.fault = fault{reason: ReasonWrongType, form: formValue, field: "the line", value: p.b[i:end], want: "an object"}
	return false
}

// hit parses the object at p.b[i] into h and gives the index after it, or -1.
func (p *parser) hit(i int, h *heatmap.Hit) int {
	*h = heatmap.Hit{}
	p.seen, p.age = 0, 0
	b := p.b
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	for before := fieldUnknown; ; {
		f, next := p.nextName(before, i, h.Kind)
		if next < 0 {
			return -1
		}
		before = f
		switch {
		case p.ignore.has(f):
			next = p.skipValue(next, p.depth)
		case commonFields.has(f):
			next = p.commonValue(f, i, next, h)
		default:
			next = p.value(f, next, h)
		}
		if next < 0 {
			return -1
		}
		if next+1 < len(b) && b[next] == ',' && b[next+1] == '"' { // as comma, which is too large to be inlined
			i = next + 1
			continue
		}
		var more bool
		if i, more = p.comma(next, '}'); !more {
			return i
		}
	}
}

// commonValue is value for the commonFields: the member of f begins at p.b[i], its value at p.b[value]. It takes the members
// after it too, if the same ones came before.
func (p *parser) commonValue(f field, i, value int, h *heatmap.Hit) int {
	if end, found := p.common.match(p.b, i, f, h); end >= 0 {
		p.seen |= found
		return end
	}
	end := p.value(f, value, h)
	if end >= 0 {
		p.common.add(f, p.b[i:end], h)
	}
	return end
}

// comma looks for what follows a member at b[i]: after a comma it gives the index of the next member and true, after
// last, the closing bracket, the index after that and false, else -1 and false.
func (p *parser) comma(i int, last byte) (next int, more bool) {
	b := p.b
	if i+1 < len(b) && b[i] == ',' && b[i+1] == '"' {
		return i + 1, true
	}
	i = skipSpace(b, i)
	switch {
	case i < len(b) && b[i] == last:
		return i + 1, false
	case i < len(b) && b[i] == ',':
		return skipSpace(b, i+1), true
	}
	return p.syntax(i, "a comma or a closing bracket is missing"), false
}

// name reads the name at p.b[i] and its colon. It gives the field and the index of the value, or -1.
func (p *parser) name(i int) (f field, value int) {
	b := p.b
	if i+maxNameBytes+4 > len(b) || b[i] != '"' {
		return p.anyName(i)
	}
	w := binary.LittleEndian.Uint64(b[i+1:])
	m := zeroBytes(w ^ quotes)
	if m == 0 {
		return p.anyName(i)
	}
	n := bits.TrailingZeros64(m) &^ 7
	f = lookUp(w&(1<<n-1) | uint64(n)<<(nameLenShift-3))
	i += n>>3 + 2
	if f == fieldUnknown || b[i] != ':' {
		return p.anyName(i - n>>3 - 2)
	}
	if b[i+1] > ' ' {
		return f, i + 1
	}
	return f, skipSpace(b, i+1)
}

// anyName is name for those that are unknown, escaped, or near the end.
func (p *parser) anyName(i int) (f field, value int) {
	if i >= len(p.b) || p.b[i] != '"' {
		return 0, p.syntax(i, "a name is missing")
	}
	end, escaped := p.scanString(i)
	if end < 0 {
		return 0, -1
	}
	s := p.b[i+1 : end-1]
	if escaped {
		p.text = appendUnescaped(p.text[:0], s)
		s = p.text
	}
	return lookUp(packName(s)), p.colon(end)
}
