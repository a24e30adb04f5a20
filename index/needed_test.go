package index

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/journal"
)

// prunedIndex gives an index over a journal of sealed segments, an hour of append time each, all of it stored.
func prunedIndex(t *testing.T) (x *Index, j *journal.Journal) {
	t.Helper()
	var now atomic.Int64
	now.Store(1_769_500_000_000)
	j, err := journal.Open(t.TempDir(), journal.Options{
		Ack: journal.AckWrite, SegmentBytes: 4 << 10, Now: func() time.Time { return time.UnixMilli(now.Load()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	r := rand.New(rand.NewPCG(1, 1))
	for n := 1; n < 6; n = j.Stats().Segments {
		if _, err := j.Append([]heatmap.Batch{randomBatch(r, 3)}); err != nil {
			t.Fatal(err)
		}
		if j.Stats().Segments > n {
			now.Add(time.Hour.Milliseconds())
		}
	}
	if _, err := j.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	x = openTest(t, Options{Store: newMapStore(), Source: JournalSource(j, nil)})
	t.Cleanup(x.kill)
	return x, j
}

// TestPrunedJournal asks for everything before and after all hits went that may go: blobs answer as before, what reads the
// journal says from where.
func TestPrunedJournal(t *testing.T) {
	x, j := prunedIndex(t)
	prune := func(want bool) {
		t.Helper()
		below, err := x.Needed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		rep, err := j.Prune(t.Context(), journal.PruneOptions{KeepBytes: 1, Below: below})
		if err != nil || (rep.Segments > 0) != want || !rep.Held {
			t.Fatalf("prune: %+v, %v", rep, err)
		}
	}
	prune(false) // nothing is stored yet
	for x.Stats().Position < j.Durable() {
		waitApplied(t, x)
	}
	if err := x.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	q := heatmap.Query{Site: testSite, URL: testPage(0), Kind: heatmap.KindClick}
	where := q
	where.Where = "true"
	ask := func(q heatmap.Query) *heatmap.Heatmap {
		t.Helper()
		a, err := x.Heatmap(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	before := ask(q)
	if a := ask(where); a.Hits != before.Hits || a.KeptFrom != nil {
		t.Errorf("a scan gives %d hits, kept from %v; blobs %d", a.Hits, a.KeptFrom, before.Hits)
	}
	held := x.pins.add()
	prune(false)
	held.release()
	prune(true)
	first, source := j.First(), j.Source()
	if a := ask(q); a.Hits != before.Hits || a.KeptFrom != nil {
		t.Errorf("after pruning: %d hits, kept from %v; want %d", a.Hits, a.KeptFrom, before.Hits)
	}
	var kept uint64
	if err := x.Export(t.Context(), heatmap.Query{Site: testSite}, nil, func(h *heatmap.Hit) error {
		if h.URL == q.URL && h.Kind == q.Kind && !strings.Contains(h.UserAgent, "bot") {
			kept++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if a := ask(where); a.Hits != kept || kept >= before.Hits || a.KeptFrom[source] != first {
		t.Errorf("a scan after pruning: %d hits, kept from %v; %d are kept from %d", a.Hits, a.KeptFrom, kept, first)
	}
	where.Where = "x < 0"
	if a := ask(where); a.Why == nil || !strings.Contains(a.Why.Message, fmt.Sprint("below position ", first)) {
		t.Errorf("an empty scan says why: %+v", a.Why)
	}
	for position, want := range map[uint64]bool{1: true, first: true, first + 1: false} {
		err := x.Export(t.Context(), heatmap.Query{Site: testSite}, map[string]uint64{source: position}, func(*heatmap.Hit) error { return nil })
		if gone := (*heatmap.GoneError)(nil); errors.As(err, &gone) != want || want && !strings.Contains(gone.Message, fmt.Sprint(first)) {
			t.Errorf("export below %d, kept from %d: %v", position, first, err)
		}
	}
}

// TestPrunedJournalTellsRepeats prunes all that may go of a journal to which hits come once in an hour, kills the index and
// sends again what came an hour before, and what came two hours before.
func TestPrunedJournalTellsRepeats(t *testing.T) {
	var now atomic.Int64
	now.Store(1_769_500_000_000)
	j, err := journal.Open(t.TempDir(), journal.Options{
		SegmentBytes: 4 << 10, Now: func() time.Time { return time.UnixMilli(now.Load()) },
	}) // synced before it is acknowledged, so that what was sent can be waited for
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	r := rand.New(rand.NewPCG(1, 1))
	var hours [][]heatmap.Batch
	send := func(b heatmap.Batch) {
		t.Helper()
		if _, err := j.Append([]heatmap.Batch{b}); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		var hour []heatmap.Batch
		for n := j.Stats().Segments; n > 0 && j.Stats().Segments == n || len(hour) == 0; {
			b := randomBatch(r, 8)
			b.ID = fmt.Sprint(len(hours), "-", len(hour))
			send(b)
			hour = append(hour, b)
		}
		hours = append(hours, hour)
		now.Add(time.Hour.Milliseconds())
	}
	now.Add(-time.Hour.Milliseconds())
	if _, err := j.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	store := newMapStore()
	x := openTest(t, Options{Store: store, Source: JournalSource(j, nil)})
	waitApplied(t, x)
	if err := x.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	below, err := x.Needed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rep, err := j.Prune(t.Context(), journal.PruneOptions{KeepBytes: 1, Below: below})
	if err != nil || rep.Segments == 0 || !rep.Held {
		t.Fatalf("prune: %+v, %v", rep, err)
	}
	x.kill()
	x = openTest(t, Options{Store: store, Source: JournalSource(j, nil)})
	defer x.kill()
	counted := func(b heatmap.Batch) uint64 {
		t.Helper()
		waitApplied(t, x)
		before := x.Stats().Stream.Hits
		send(b)
		waitApplied(t, x)
		return x.Stats().Stream.Hits - before
	}
	for _, b := range append(hours[3], hours[4]...) {
		if n := counted(b); n != 0 {
			t.Errorf("batch %s, of the last two hours with hits, counts %d hits again", b.ID, n)
		}
	}
	if b := hours[2][0]; counted(b) != uint64(len(b.Hits)) {
		t.Errorf("batch %s, of an hour before, does not count", b.ID)
	}
}

// TestExportWhilePruning prunes at every hit of an export: all that was kept when it began is delivered.
func TestExportWhilePruning(t *testing.T) {
	x, j := prunedIndex(t)
	for x.Stats().Position < j.Durable() {
		waitApplied(t, x)
	}
	if err := x.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	prune := func() {
		below, err := x.Needed(t.Context())
		if err == nil {
			_, err = j.Prune(t.Context(), journal.PruneOptions{KeepBytes: 1, Below: below})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	export := func(each func()) (urls []string) {
		t.Helper()
		if err := x.Export(t.Context(), heatmap.Query{Site: testSite}, nil, func(h *heatmap.Hit) error {
			urls = append(urls, h.URL)
			each()
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return urls
	}
	want := export(func() {})
	var during uint64
	if got := export(func() { prune(); during = j.First() }); !slices.Equal(got, want) {
		t.Errorf("an export gives %d hits while the journal is pruned, want %d", len(got), len(want))
	}
	if during == 0 || during == j.Durable() {
		t.Errorf("the journal was pruned up to %d of %d behind the export", during, j.Durable())
	}
	if got := export(func() {}); len(got) == 0 || len(got) >= len(want) {
		t.Errorf("%d hits are kept of %d", len(got), len(want))
	}
}

func TestPins(t *testing.T) {
	var p pins
	if p.least(0) != math.MaxUint64 {
		t.Error("no pin keeps something")
	}
	a, b := p.add(), p.add()
	want := func(least ...uint64) {
		t.Helper()
		for feed, at := range least {
			if p.least(feed) != at {
				t.Errorf("feed %d is kept from %d, want %d", feed, p.least(feed), at)
			}
		}
	}
	a.move(0, 7)
	want(0, 0) // a new pin keeps everything
	b.move(0, 9)
	want(7, 0)
	a.release()
	want(9, 0)
	b.move(1, 5)
	want(math.MaxUint64, 5, 0)
}
