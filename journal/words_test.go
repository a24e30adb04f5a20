package journal

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// numberOf gives the number of s, adding it to text and w if it is new.
func numberOf(w *words, text []byte, s string) (uint32, []byte) {
	if p := w.find(text, s); p.unit == w.unit {
		return p.number, text
	}
	text = append(text, s...)
	w.add(w.find(text, s), text, len(text)-len(s))
	return w.count, text
}

// TestWords compares the numbers with those of a map, over units of few and of many strings.
func TestWords(t *testing.T) {
	w := newWords()
	w.unit = math.MaxUint32 - 20 // it starts over meanwhile
	r := rand.New(rand.NewPCG(1, 2))
	for unit := range 60 {
		distinct := 1 + r.IntN(1<<(unit%12))
		known := map[string]uint32{}
		var text []byte
		w.reset()
		for range 3 * distinct {
			s := fmt.Sprintf("%x", r.IntN(distinct))[r.IntN(2):] // some are empty
			var got uint32
			got, text = numberOf(&w, text, s)
			if _, ok := known[s]; !ok {
				known[s] = uint32(len(known) + 1)
			}
			if got != known[s] {
				t.Fatalf("unit %d: %q has number %d, want %d", unit, s, got, known[s])
			}
		}
		for s, want := range known {
			if got, _ := numberOf(&w, text, s); got != want {
				t.Fatalf("unit %d: %q has number %d, want %d", unit, s, got, want)
			}
		}
		if n := len(w.places); int(w.count) != len(known) || n < 2*len(known) {
			t.Fatalf("unit %d: %d strings in %d places, want %d in at least twice as many", unit, w.count, n, len(known))
		}
	}
}
