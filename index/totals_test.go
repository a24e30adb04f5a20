package index

import "testing"

// TestEndsNear asks for every position behind a checkpoint that stands still, and then moves on in the same distance: an end
// that is known is near to each.
func TestEndsNear(t *testing.T) {
	const most, hits = 20_000, 7 // chunks behind the checkpoint, hits of a chunk
	var e ends
	e.start(checkpoint{})
	check := func(first, last uint64) {
		t.Helper()
		for n := first; n <= last; n++ {
			if got := e.before(n*hits+1).Position / hits; got > n || n-got > most/(maxEnds/2) {
				t.Fatalf("with %d chunks the end before that of chunk %d is that of chunk %d", last, n, got)
			}
		}
		if len(e.list) > maxEnds {
			t.Fatalf("%d ends are kept, limit %d", len(e.list), maxEnds)
		}
	}
	for n := uint64(1); n <= 3*most; n++ {
		e.add(checkpoint{Position: n * hits})
		first := uint64(0)
		if n > most {
			first = n - most
			e.forget(e.before(first * hits).Position)
		}
		if n%997 == 0 {
			check(first, n)
		}
	}
	for n := uint64(3*most + 1); n <= 4*most; n++ { // it catches up, and each end is known again
		e.add(checkpoint{Position: n * hits})
		e.forget(n * hits)
	}
	if e.stride != 1 || len(e.list) != 1 {
		t.Fatalf("behind a checkpoint at the end one of %d chunks is listed, and %d are kept", e.stride, len(e.list))
	}
}
