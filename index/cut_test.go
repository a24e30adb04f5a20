package index

import (
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"heatlog/heatmap"
	"heatlog/journal"
)

// TestCutAt reads a source that is cut at each of its positions, within batches and chunks too.
func TestCutAt(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	log := newMemLog()
	for range 12 {
		log.append(randomBatch(r, 3), randomBatch(r, 3), randomBatch(r, 3))
	}
	whole := frozenCopy(log, 12)
	for end := range whole.Durable() + 2 {
		cut := CutAt(whole, end)
		want := min(end, whole.Durable())
		if cut.Durable() != want {
			t.Fatalf("cut at %d: it ends at %d", end, cut.Durable())
		}
		if at, err := cut.Since(1 << 60); err != nil || at != want {
			t.Fatalf("cut at %d: position of the future is %d, %v", end, at, err)
		}
		reader, err := cut.Open(0, journal.AllFields, nil)
		if err != nil {
			t.Fatal(err)
		}
		var c heatmap.Chunk
		at := uint64(0)
		for {
			if err := reader.Next(t.Context(), &c); err != nil {
				if !errors.Is(err, io.EOF) {
					t.Fatal(err)
				}
				break
			}
			hits := 0
			for _, b := range c.Batches {
				hits += len(b.Hits)
			}
			if c.Position != at || hits != c.Count {
				t.Fatalf("cut at %d: chunk at %d has %d hits and says %d", end, c.Position, hits, c.Count)
			}
			at = c.End()
		}
		if at != want {
			t.Fatalf("cut at %d: it was read to %d", end, at)
		}
		if err := reader.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
