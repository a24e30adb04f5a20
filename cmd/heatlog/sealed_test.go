package main

import (
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/stream"
	"heatlog/heatmap"
	"heatlog/journal"
)

// TestSealedSize holds how many bytes a sealed hit of the bench stream takes, at 10 hits a view.
func TestSealedSize(t *testing.T) {
	f := func(name string, mix stream.Mix, perChunk int, most float64) {
		t.Helper()
		s := stream.New(stream.Options{Seed: 1, Mix: mix})
		j, err := journal.Open(t.TempDir(), journal.Options{
			Ack: journal.AckWrite, SegmentBytes: 4 << 20, Now: func() time.Time { return time.UnixMilli(s.Time()) },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer j.Close()
		for j.Stats().Segments < 3 {
			batches := make([]heatmap.Batch, perChunk)
			for i := range batches {
				s.Next(&batches[i])
			}
			if _, err := j.Append(batches); err != nil {
				t.Fatal(err)
			}
		}
		rep, err := j.Seal(t.Context())
		if err != nil || rep.Hits == 0 {
			t.Fatal(rep, err)
		}
		before, after := float64(rep.Before)/float64(rep.Hits), float64(rep.After)/float64(rep.Hits)
		t.Logf("%s, %d appends a chunk: %.2f bytes a hit sealed, %.2f before, %d hits", name, perChunk, after, before, rep.Hits)
		if after > most {
			t.Errorf("%s: %.2f bytes a hit, want at most %.1f", name, after, most)
		}
	}
	f("mixed", stream.Mix{}, 10, 9)
	f("mixed", stream.Mix{}, 1, 9.5)
	f("clicks", stream.Mix{Clicks: 1}, 10, 10)
}
