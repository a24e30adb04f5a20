package collector

import "heatlog/heatmap"

// field is a name that a hit or a batch can have. Its number is a bit of a fieldSet.
type field uint8

const (
	fieldUnknown field = iota
	fieldT
	fieldAge
	fieldSite
	fieldURL
	fieldKind
	fieldX
	fieldY
	fieldDepth
	fieldFrom
	fieldDwell
	fieldViewportW
	fieldViewportH
	fieldDocumentW
	fieldDocumentH
	fieldSelector
	fieldAnchorX
	fieldAnchorY
	fieldBoxW
	fieldBoxH
	fieldCheck
	fieldFixed
	fieldContainer
	fieldContainerX
	fieldContainerY
	fieldLayout
	fieldPointer
	fieldTrusted
	fieldRage
	fieldDead
	fieldView
	fieldVisitor
	fieldUserAgent
	fieldTags
	fieldID
	fieldBatch
	fieldHits
	numFields
)

var fieldNames = [numFields]string{
	fieldT: "t", fieldAge: "age", fieldSite: "site", fieldURL: "url", fieldKind: "kind", fieldX: "x", fieldY: "y",
	fieldDepth: "depth", fieldFrom: "from", fieldDwell: "dwell", fieldViewportW: "vw", fieldViewportH: "vh",
	fieldDocumentW: "dw", fieldDocumentH: "dh", fieldSelector: "sel", fieldAnchorX: "ax", fieldAnchorY: "ay",
	fieldBoxW: "bw", fieldBoxH: "bh", fieldCheck: "check", fieldFixed: "fixed", fieldContainer: "in",
	fieldContainerX: "ix", fieldContainerY: "iy", fieldLayout: "layout", fieldPointer: "pointer",
	fieldTrusted: "trusted", fieldRage: "rage", fieldDead: "dead", fieldView: "view", fieldVisitor: "visitor",
	fieldUserAgent: "ua", fieldTags: "tags", fieldID: "id", fieldBatch: "b", fieldHits: "hits",
}

func (f field) String() string { return fieldNames[f] }

// fieldSet is a set of fields.
type fieldSet uint64

func (s fieldSet) has(f field) bool { return s>>f&1 != 0 }

// firstWithout gives the first field of s that is not in other, fieldUnknown if there is none.
func (s fieldSet) firstWithout(other fieldSet) field {
	for f := field(1); f < numFields; f++ {
		if s.has(f) && !other.has(f) {
			return f
		}
	}
	return fieldUnknown
}

// Which fields count where; the others are ignored.
const (
	batchFields = fieldSet(1)<<fieldSite | 1<<fieldURL | 1<<fieldView | 1<<fieldTags | 1<<fieldBatch | 1<<fieldHits
	lineFields  = fieldSet(1)<<numFields - 2 - 1<<fieldAge - 1<<fieldBatch - 1<<fieldHits
	hitFields   = lineFields - 1<<fieldT - 1<<fieldSite - 1<<fieldVisitor - 1<<fieldUserAgent - 1<<fieldID + 1<<fieldAge
)

// neededFields are those that a hit of a kind cannot be without, beside t, site, url and kind.
func neededFields(k heatmap.Kind) fieldSet {
	switch k {
	case heatmap.KindClick, heatmap.KindMove:
		return 1<<fieldX | 1<<fieldY
	case heatmap.KindScroll:
		return 1 << fieldDepth
	}
	return 0
}

// A name of at most maxNameBytes bytes is looked up as one little-endian word in a table without collisions; all
// names of fields are that short.
const (
	maxNameBytes = 7
	nameTable    = 128
	nameMul      = 0x274d674481015ff5 // found by search: it spreads the names over nameTable entries without collision
	nameShift    = 64 - 7
	nameLenShift = 56 // where the length stands in the word
)

type nameEntry struct {
	name  uint64
	field field
}

var names = newNameTable()

func newNameTable() (t [nameTable]nameEntry) {
	for f := field(1); f < numFields; f++ {
		w := packName([]byte(fieldNames[f]))
		e := &t[w*nameMul>>nameShift]
		if e.name != 0 || len(fieldNames[f]) > maxNameBytes {
			panic("BUG: field name " + fieldNames[f] + " does not fit the table")
		}
		*e = nameEntry{w, f}
	}
	return t
}

// packName gives name as a little-endian word with its length in the highest byte, 0 if it is too long to be a field's.
func packName(name []byte) uint64 {
	if len(name) > maxNameBytes {
		return 0
	}
	w := uint64(len(name)) << nameLenShift
	for i, c := range name {
		w |= uint64(c) << (8 * i)
	}
	return w
}

// lookUp gives the field with the packed name w.
func lookUp(w uint64) field {
	e := &names[w*nameMul>>nameShift]
	if e.name != w {
		return fieldUnknown
	}
	return e.field
}
