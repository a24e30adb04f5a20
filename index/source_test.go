package index

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"heatlog/heatmap"
	"heatlog/journal"
)

// TestDamagedJournal flips a byte in the middle of a journal: an index stops there and says so, or counts everything else
// when it is told to go on.
func TestDamagedJournal(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(dir, journal.Options{SegmentBytes: 8 << 10})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(14, 14))
	for range 100 {
		if _, err := j.Append([]heatmap.Batch{randomBatch(r, 5), randomBatch(r, 5)}); err != nil {
			t.Fatal(err)
		}
	}
	end := j.Durable()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	flipMiddle(t, dir)
	if j, err = journal.Open(dir, journal.Options{}); err != nil {
		t.Fatal(err)
	}
	defer j.Close()

	stops := openTest(t, Options{Store: newMapStore(), Source: JournalSource(j, nil)})
	var damage *journal.CorruptError
	for !errors.As(stops.Ready(), &damage) {
		if err := pause(t.Context(), 1e6); err != nil {
			t.Fatal(err)
		}
	}
	stops.kill()

	var mu sync.Mutex
	lost := make(map[uint64]uint64) // by first position
	goesOn := openTest(t, Options{Store: newMapStore(), Source: JournalSource(j, func(e *journal.CorruptError) {
		mu.Lock()
		defer mu.Unlock()
		lost[e.From] = e.Lost()
	})})
	defer goesOn.kill()
	waitApplied(t, goesOn)
	a, err := goesOn.Pages(t.Context(), heatmap.Query{Site: testSite, Bots: true})
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(lost) != 1 || lost[damage.From] == 0 || a.Hits+lost[damage.From] != end {
		t.Errorf("%d hits of %d are counted, lost %v; damage was said to be %v", a.Hits, end, lost, damage)
	}
}

// flipMiddle flips a byte in the middle of the journal's second segment.
func flipMiddle(t *testing.T, dir string) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(dir, "*", "*.hj*"))
	if err != nil || len(segments) < 3 {
		t.Fatalf("segments %v, %v", segments, err)
	}
	slices.Sort(segments)
	b, err := os.ReadFile(segments[1])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(segments[1], b, 0o600); err != nil {
		t.Fatal(err)
	}
}
