package index

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/journal/journaltest"
)

// nthStore fails its n-th operation, before it is done or after, when only the answer is lost.
type nthStore struct {
	*mapStore
	failAt int64
	after  bool
	calls  atomic.Int64
}

func (s *nthStore) fails() bool { return s.calls.Add(1) == s.failAt }

func (s *nthStore) Load(ctx context.Context, refs []Ref) ([]Doc, error) {
	if s.fails() {
		return nil, errDown
	}
	return s.mapStore.Load(ctx, refs)
}

func (s *nthStore) Swap(ctx context.Context, writes []Write) ([]bool, error) {
	fails := s.fails()
	if fails && !s.after {
		return nil, errDown
	}
	applied, err := s.mapStore.Swap(ctx, writes)
	if fails {
		return nil, errDown
	}
	return applied, err
}

func (s *nthStore) Scan(ctx context.Context, r Range, fn func(Doc) error) error {
	if s.fails() {
		return errDown
	}
	return s.mapStore.Scan(ctx, r, fn)
}

func (s *nthStore) Record(ctx context.Context, name string) ([]byte, error) {
	if s.fails() {
		return nil, errDown
	}
	return s.mapStore.Record(ctx, name)
}

func (s *nthStore) SwapRecord(ctx context.Context, name string, old, value []byte) (bool, error) {
	fails := s.fails()
	if fails && !s.after {
		return false, errDown
	}
	done, err := s.mapStore.SwapRecord(ctx, name, old, value)
	if fails {
		return false, errDown
	}
	return done, err
}

// TestFailEveryStoreOperation runs the same story with the n-th operation of the store failing, for every n: an index
// counts, stores, is killed, recovers, stores the rest and closes. Whatever fails, the stored blobs count each hit once.
func TestFailEveryStoreOperation(t *testing.T) {
	row := journaltest.Begin(t, "n-th operation of a store fails", 0, 0)
	for _, after := range []bool{false, true} {
		n := int64(1)
		for ; ; n++ {
			s := &nthStore{mapStore: newMapStore(), failAt: n, after: after}
			storeStory(t, s)
			if s.calls.Load() < n {
				break
			}
			row.Done(1)
		}
		row.Found("%d operations, only the answer lost: %v", n-1, after)
	}
}

// storeStory lets indexes count a log into the store, and compares what the last one answers.
func storeStory(t *testing.T, s *nthStore) {
	t.Helper()
	const pages = 5
	log, r := newMemLog(), rand.New(rand.NewPCG(11, 11))
	o := Options{Store: s, Source: log, Workers: 1, FlushEvery: time.Hour, CheckpointEvery: time.Hour}
	add := func() {
		for range 10 {
			log.append(randomBatch(r, pages))
		}
	}
	add()
	x := openStubborn(t, o)
	waitApplied(t, x)
	_ = x.Flush(t.Context())
	add()
	waitApplied(t, x)
	x.kill()
	x = openStubborn(t, o)
	waitApplied(t, x)
	_ = x.Close(t.Context()) // the checkpoint may be what fails
	x = openStubborn(t, o)
	defer x.kill()
	waitApplied(t, x)
	for i := range pages {
		q := heatmap.Query{Site: testSite, URL: testPage(i), Bots: true}
		a, err := x.Heatmap(t.Context(), q)
		if err != nil {
			a, err = x.Heatmap(t.Context(), q)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, hits, views, _ := log.recount(q, heatmap.KindClick, log.Durable())
		if a.Hits != hits || a.Views != views {
			t.Fatalf("operation %d failed (answer only: %v): %s has %d clicks and %d views, recount %d and %d",
				s.failAt, s.after, q.URL, a.Hits, a.Views, hits, views)
		}
	}
}

// scanFailer fails so many scans, some in the middle.
type scanFailer struct {
	*mapStore
	fails int
}

func (s *scanFailer) Scan(ctx context.Context, r Range, fn func(Doc) error) error {
	if s.fails == 0 {
		return s.mapStore.Scan(ctx, r, fn)
	}
	s.fails--
	if err := s.mapStore.Scan(ctx, r, fn); err != nil {
		return err
	}
	return errDown
}

// TestQueryAsksStoreAgain answers though the store fails twice while it is read, and gives up after that.
func TestQueryAsksStoreAgain(t *testing.T) {
	log, s := newMemLog(), &scanFailer{mapStore: newMapStore()}
	log.append(randomBatch(rand.New(rand.NewPCG(14, 14)), 1))
	x := openTest(t, Options{Store: s, Source: log})
	defer x.kill()
	waitApplied(t, x)
	if err := x.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	q := heatmap.Query{Site: testSite, URL: testPage(0), Bots: true}
	_, hits, views, _ := log.recount(q, heatmap.KindClick, log.Durable())
	s.fails = 2
	if a, err := x.Heatmap(t.Context(), q); err != nil || a.Hits != hits || a.Views != views {
		t.Errorf("%d clicks, %d views, %v; recount %d and %d", a.Hits, a.Views, err, hits, views)
	}
	q.Bots = false // the other answer is kept
	s.fails = 3
	if _, err := x.Heatmap(t.Context(), q); !errors.Is(err, errDown) {
		t.Errorf("a store that cannot be read: %v", err)
	}
}

// openStubborn opens an index, again if it fails once.
func openStubborn(t *testing.T, o Options) *Index {
	t.Helper()
	x, err := Open(t.Context(), o)
	if err != nil {
		x, err = Open(t.Context(), o)
	}
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestLeastDirty takes the smallest position, whichever shard's it is.
func TestLeastDirty(t *testing.T) {
	dirty := []uint64{7, 3, 5}
	for range 3 {
		if got := leastDirty(dirty); got != 3 {
			t.Errorf("least of %v is %v", dirty, got)
		}
		dirty = slices.Concat(dirty[1:], dirty[:1])
	}
}

// TestVisitorWithTwoAgents counts somebody who comes as a person after a bot's hit of the same name.
func TestVisitorWithTwoAgents(t *testing.T) {
	log := newMemLog()
	hit := func(agent string) heatmap.Hit {
		return heatmap.Hit{Time: 1_769_500_000_000, Site: testSite, URL: testPage(1), Kind: heatmap.KindClick, Visitor: "v", UserAgent: agent}
	}
	log.append(heatmap.Batch{Hits: []heatmap.Hit{hit("Googlebot/2.1"), hit("")}})
	x := openTest(t, Options{Store: newMapStore(), Source: log})
	defer x.kill()
	waitApplied(t, x)
	a, err := x.Heatmap(t.Context(), heatmap.Query{Site: testSite, URL: testPage(1)})
	if err != nil || a.Visitors != 1 {
		t.Errorf("%d visitors, %v; want 1", a.Visitors, err)
	}
}

// TestCheckpointBelowHigh ends a journal below a checkpoint that no flush has gone to: the tail held only repeats.
func TestCheckpointBelowHigh(t *testing.T) {
	log, store := newMemLog(), newMapStore()
	b := randomBatch(rand.New(rand.NewPCG(12, 12)), 3)
	b.ID = "b1"
	log.append(b)
	log.append(b)
	x := openTest(t, Options{Store: store, Source: log})
	waitApplied(t, x)
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	older := newMemLog()
	older.append(b)
	var behind *JournalBehindError
	if _, err := Open(t.Context(), Options{Store: store, Source: older}); !errors.As(err, &behind) {
		t.Errorf("a journal that ends below its checkpoint: %v", err)
	}
}

// TestPagesWithoutMatch says that a search finds nothing.
func TestPagesWithoutMatch(t *testing.T) {
	log := newMemLog()
	log.append(randomBatch(rand.New(rand.NewPCG(13, 13)), 3))
	x := openTest(t, Options{Store: newMapStore(), Source: log})
	defer x.kill()
	waitApplied(t, x)
	a, err := x.Pages(t.Context(), heatmap.Query{Site: testSite, Search: "nothing", Bots: true})
	if err != nil || a.Why == nil || a.Why.Reason != heatmap.WhyNoHitsForURL {
		t.Errorf("why %+v, %v", a.Why, err)
	}
}
