package journal

import (
	"hash/maphash"
	"unsafe"
)

// minWords is the least number of places in words, a power of two.
const minWords = 64

// words numbers the strings of a unit, from 1. A map would hash a new string twice, and to empty it takes as long as to fill
// it. A place is found by open addressing and is empty unless it is of this unit; it holds where the string stands in the
// unit, so that it keeps nobody's memory.
type words struct {
	seed   maphash.Seed
	places []word // at most half are of this unit
	unit   uint32 // number of the unit, never 0
	count  uint32 // strings of the unit
}

// word is a place of words.
type word struct {
	unit       uint32
	number     uint32
	begin, end uint32 // in the unit's bytes
}

func newWords() words {
	return words{seed: maphash.MakeSeed(), places: make([]word, minWords), unit: 1}
}

// reset forgets all strings.
func (w *words) reset() {
	w.count = 0
	if w.unit++; w.unit == 0 { // the numbers of units are used up
		clear(w.places)
		w.unit = 1
	}
}

// find gives the place of s: one that holds it, or an empty one. Text is the unit so far.
func (w *words) find(text []byte, s string) *word {
	mask := uint64(len(w.places) - 1)
	for i := maphash.String(w.seed, s) & mask; ; i = (i + 1) & mask {
		p := &w.places[i]
		if p.unit != w.unit || string(text[p.begin:p.end]) == s {
			return p
		}
	}
}

// add puts the string that begins at begin and is the end of text into an empty place.
func (w *words) add(p *word, text []byte, begin int) {
	w.count++
	*p = word{unit: w.unit, number: w.count, begin: uint32(begin), end: uint32(len(text))}
	if int(w.count) > len(w.places)/2 {
		w.grow(text)
	}
}

// grow doubles the number of places.
func (w *words) grow(text []byte) {
	old := w.places
	w.places = make([]word, 2*len(old))
	for i := range old {
		if p := &old[i]; p.unit == w.unit {
			*w.find(text, stringOf(text[p.begin:p.end])) = *p
		}
	}
}

// stringOf is b seen as a string, for functions that only look at it.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
