package index

import (
	"math/rand/v2"
	"testing"

	"heatlog/journal"
)

// TestStretches takes random logs apart: whatever is known of append times, all is read that may count, and before it everything from
// the start of the last bucket that holds a hit; where nothing counts, nothing is read.
func TestStretches(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	pl := &plan{from: -1 << 62, to: 1 << 62}
	left := 0
	for range 3000 {
		spans, hits := randomSpans(r)
		counts := make([]bool, len(spans))
		for i := range counts {
			counts[i] = r.IntN(6) == 0
		}
		needed := withBefore(spans, counts)
		for i := range spans {
			if !counts[i] {
				continue
			}
			begin := bucketOf(hits[i][0])
			before, is := int64(0), false // the last bucket before that holds a hit
			for k := range i + 1 {
				for _, at := range hits[k] {
					if b := bucketOf(at); b < begin {
						before, is = b, true
					}
				}
			}
			for k := range i + 1 {
				last := bucketOf(hits[k][len(hits[k])-1])
				if (last >= begin || is && last >= before) && !needed[k] {
					t.Fatalf("span %d counts, but %d is not read; append times %v, spans %+v", i, k, hits, spans)
				}
			}
		}
		for i := range needed {
			if !needed[i] {
				left++
			}
		}
		if i := lastOf(counts); lastOf(needed) != i {
			t.Fatalf("the last span that counts is %d, and %d is read", i, lastOf(needed))
		}
		from, most := r.Uint64N(spans[len(spans)-1].To+1), 1+r.Uint64N(200)
		checkJoined(t, pl, spans, from, most)
	}
	if left < 3000 {
		t.Errorf("only %d spans were left out", left)
	}
}

// lastOf is the index of the last that is true, -1 if none is.
func lastOf(list []bool) int {
	last := -1
	for i, is := range list {
		if is {
			last = i
		}
	}
	return last
}

// randomSpans gives spans and the append times of the hits in each. Of some the times are not known, of others only bounds.
func randomSpans(r *rand.Rand) (spans []journal.Span, hits [][]int64) {
	at, now := uint64(r.IntN(100)), int64(1_769_500_000_000)
	for range 1 + r.IntN(30) {
		n := 1 + r.IntN(50)
		times := make([]int64, n)
		for i := range times {
			if times[i] = now; r.IntN(30) == 0 {
				now += r.Int64N(3 * bucketMillis)
			}
		}
		s := journal.Span{From: at, To: at + uint64(n), FirstAppend: times[0], LastAppend: times[n-1]}
		switch r.IntN(4) {
		case 0:
			s.FirstAppend, s.LastAppend = 0, 0
		case 1:
			s.LastAppend = now // of what comes behind
		}
		at = s.To
		spans, hits = append(spans, s), append(hits, times)
	}
	return spans, hits
}

// checkJoined checks the stretches of spans that all count from a position on.
func checkJoined(t *testing.T, pl *plan, spans []journal.Span, from, most uint64) {
	t.Helper()
	end := spans[len(spans)-1].To
	list := pl.stretches(0, spans, from, most)
	if from == end {
		if len(list) > 0 {
			t.Fatalf("nothing counts, and %+v is read", list)
		}
		return
	}
	at := list[0].from
	for i, s := range list {
		if s.from != at || s.anew != (i == 0) || s.counts != (s.to > from) {
			t.Fatalf("stretch %d of %+v from %d", i, list, from)
		}
		if s.done != max(s.to, max(from, spans[0].From))-max(from, spans[0].From) {
			t.Fatalf("stretch %d of %+v from %d: wrong progress", i, list, from)
		}
		if s.to-s.from > most && spanOf(spans, s.from).To != s.to {
			t.Fatalf("stretch %+v is longer than %d", s, most)
		}
		at = s.to
	}
	if at != end {
		t.Fatalf("%+v ends before %d", list, end)
	}
}

// spanOf gives the span that begins at a position.
func spanOf(spans []journal.Span, from uint64) journal.Span {
	for _, s := range spans {
		if s.From == from {
			return s
		}
	}
	return journal.Span{}
}
