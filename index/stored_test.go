package index

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/heatmap"
)

// versionedStore is a mapStore that says when it changes, and counts how often it is scanned.
type versionedStore struct {
	*mapStore
	version, scans atomic.Uint64
	pages          sync.Map // versions by site and page
}

func newVersionedStore() *versionedStore { return &versionedStore{mapStore: newMapStore()} }

func (s *versionedStore) Version() uint64 { return s.version.Load() }

func (s *versionedStore) PageVersion(site, page string) uint64 {
	v, _ := s.pages.LoadOrStore(site+" "+page, new(atomic.Uint64))
	return v.(*atomic.Uint64).Load()
}

func (s *versionedStore) changing(writes []Write) {
	s.version.Add(1)
	for _, w := range writes {
		s.PageVersion(w.Site, w.Page)
		v, _ := s.pages.Load(w.Site + " " + w.Page)
		v.(*atomic.Uint64).Add(1)
	}
}

func (s *versionedStore) Swap(ctx context.Context, writes []Write) ([]bool, error) {
	s.changing(writes)
	defer s.changing(writes)
	return s.mapStore.Swap(ctx, writes)
}

func (s *versionedStore) Scan(ctx context.Context, r Range, fn func(Doc) error) error {
	s.scans.Add(1)
	return s.mapStore.Scan(ctx, r, fn)
}

// checkList compares a list of pages with a recount of the log below its position.
func checkList(t *testing.T, x *Index, log *memLog, q heatmap.Query, keep func(h *heatmap.Hit) bool) {
	t.Helper()
	a, err := x.Pages(t.Context(), q)
	if err != nil {
		t.Error(err)
		return
	}
	want := make(map[string]uint64)
	position := a.Positions[log.ID()]
	log.all(func(at uint64, h *heatmap.Hit) {
		if at < position && (q.Bots || !strings.Contains(h.UserAgent, "Googlebot")) && keep(h) {
			want[h.URL]++
		}
	})
	if a.Total != len(want) {
		t.Errorf("%d pages below %d, want %d", a.Total, position, len(want))
	}
	for _, p := range a.Pages {
		if p.Hits != want[p.Page] {
			t.Errorf("%s has %d hits below %d, want %d", p.Page, p.Hits, position, want[p.Page])
		}
	}
}

// TestKeptLists asks for lists while hits come in and are stored: each holds exactly what is below its position.
func TestKeptLists(t *testing.T) {
	log, store := newMemLog(), newVersionedStore()
	x := openTest(t, Options{Store: store, Source: log, FlushEvery: 20 * time.Millisecond, CheckpointEvery: 10 * time.Millisecond})
	defer x.kill()
	r := rand.New(rand.NewPCG(3, 3))
	day, _ := heatmap.ParseDate("2026-01-28")
	for range 300 {
		for range r.IntN(4) {
			log.append(randomBatch(r, 1+r.IntN(30)))
		}
		all := heatmap.Query{Site: testSite, Bots: r.IntN(2) == 0}
		checkList(t, x, log, all, func(*heatmap.Hit) bool { return true })
		band := all
		band.Width.Set, band.Width.Min, band.Width.Max = true, 1280, 1311
		checkList(t, x, log, band, func(h *heatmap.Hit) bool { return 1280 <= h.ViewportW && h.ViewportW <= 1311 })
		days := all
		days.From = heatmap.Bound{Set: true, IsDate: true, Date: day}
		checkList(t, x, log, days, func(h *heatmap.Hit) bool { return h.Time >= day.Start(time.UTC) })
		some := all
		some.URL = testPage(1) + "*"
		checkList(t, x, log, some, func(h *heatmap.Hit) bool { return strings.HasPrefix(h.URL, testPage(1)) })
		time.Sleep(time.Duration(r.IntN(5)) * time.Millisecond)
	}
	if x.stats.flushedDocs.Load() == 0 {
		t.Error("nothing was stored meanwhile")
	}
}

// TestKeptAnswers asks for maps, trends and differences while hits come in and are stored, with memory for much and for little of
// what is stored: each holds exactly what is below its position.
func TestKeptAnswers(t *testing.T) {
	for _, bytes := range []int{0, 20_000} {
		log, store := newMemLog(), newVersionedStore()
		x := openTest(t, Options{Store: store, Source: log, FlushEvery: 20 * time.Millisecond, CheckpointEvery: 10 * time.Millisecond, KeptBytes: bytes})
		defer x.kill()
		r := rand.New(rand.NewPCG(7, 7))
		for range 400 {
			for range r.IntN(4) {
				log.append(randomBatch(r, 1+r.IntN(30)))
			}
			for range 5 {
				if err := check(t.Context(), x, log, r, 30); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Duration(r.IntN(5)) * time.Millisecond)
		}
		if n := x.stats.flushedDocs.Load(); n == 0 {
			t.Error("nothing was stored meanwhile")
		}
		if x.kept.bytes > x.kept.max || len(x.kept.byKey) == 0 || x.kept.recent.Len() != len(x.kept.byKey) {
			t.Errorf("%d answers of %d bytes are kept, limit %d", len(x.kept.byKey), x.kept.bytes, x.kept.max)
		}
	}
}

// TestKeptMapIsAsked asks for a map and a scroll curve again: the page is read once each, until what is stored of it changes.
func TestKeptMapIsAsked(t *testing.T) {
	log, store := newMemLog(), newVersionedStore()
	r := rand.New(rand.NewPCG(8, 8))
	for range 50 {
		log.append(randomBatch(r, 2))
	}
	x := openTest(t, Options{Store: store, Source: log, FlushEvery: time.Hour})
	defer x.kill()
	waitApplied(t, x)
	if err := x.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	first, _ := heatmap.ParseDate("2026-01-01")
	q := heatmap.Query{Site: testSite, URL: testPage(1), From: heatmap.Bound{Set: true, IsDate: true, Date: first}}
	q.To = heatmap.Bound{Set: true, IsDate: true, Date: first + 100}
	ask := func(want uint64, when string) {
		t.Helper()
		before := store.scans.Load()
		a, err := x.Heatmap(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if _, hits, views, _ := log.recount(q, heatmap.KindClick, log.Durable()); a.Hits != hits || a.Views != views {
			t.Errorf("%s: %d clicks, %d views, recount %d, %d", when, a.Hits, a.Views, hits, views)
		}
		scroll, err := x.Scroll(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if fresh, err := scrollOf(t, log, q); err != nil || fmt.Sprint(fresh.Reach, fresh.FoldP50) != fmt.Sprint(scroll.Reach, scroll.FoldP50) {
			t.Errorf("%s: scroll %v, of an index that has nothing stored %v, err %v", when, scroll, fresh, err)
		}
		if n := store.scans.Load() - before; n != want {
			t.Errorf("%s: scanned %d times, want %d", when, n, want)
		}
	}
	ask(2, "first")
	ask(0, "again")
	for range 20 {
		log.append(randomBatch(r, 2))
	}
	waitApplied(t, x)
	ask(0, "with live hits")
	other := Ref{Generation: "g0", Key: heatmap.Key{Site: testSite, Page: testPage(2), Period: heatmap.DayPeriod(first)}, Source: "s"}
	if _, err := store.Swap(t.Context(), []Write{{Ref: other, New: 1}}); err != nil {
		t.Fatal(err)
	}
	ask(0, "when another page has changed")
	if err := x.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	ask(2, "when it was stored")
}

// scrollOf answers from a log alone.
func scrollOf(t *testing.T, log *memLog, q heatmap.Query) (*heatmap.Scroll, error) {
	x := openTest(t, Options{Store: newMapStore(), Source: log, FlushEvery: time.Hour})
	defer x.kill()
	waitApplied(t, x)
	return x.Scroll(t.Context(), q)
}

// TestKeptListIsAsked asks again: the store is read once, until it changes.
func TestKeptListIsAsked(t *testing.T) {
	log, store := newMemLog(), newVersionedStore()
	r := rand.New(rand.NewPCG(5, 5))
	for range 50 {
		log.append(randomBatch(r, 30))
	}
	x := openTest(t, Options{Store: store, Source: log, FlushEvery: time.Hour})
	waitApplied(t, x)
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	x = openTest(t, Options{Store: store, Source: log, FlushEvery: time.Hour})
	defer x.kill()
	if len(store.docs) == 0 {
		t.Error("nothing is stored")
	}
	everything := func(*heatmap.Hit) bool { return true }
	ask := func() uint64 {
		before := store.scans.Load()
		checkList(t, x, log, heatmap.Query{Site: testSite}, everything)
		return store.scans.Load() - before
	}
	if n := ask(); n != 1 {
		t.Errorf("first list scanned %d times", n)
	}
	log.append(randomBatch(r, 30)) // live alone
	waitApplied(t, x)
	if n := ask(); n != 0 {
		t.Errorf("second list scanned %d times", n)
	}
	store.version.Add(1)
	if n := ask(); n != 1 {
		t.Errorf("list of a changed store scanned %d times", n)
	}
}

// listOf makes a list of so many pages with so many documents each.
func listOf(pages, documents int) *stored {
	s, counts := newStored(), newPageCounts(&plan{})
	blob := new(heatmap.Delta).Append(nil)
	for i := range pages {
		for n := range documents {
			d := Doc{Ref: Ref{Key: heatmap.Key{Page: fmt.Sprintf("https://shop.example/%06d", i), Period: heatmap.DayPeriod(heatmap.Date(20_000 + n))}, Source: "s"}, Watermark: 9, Blob: blob}
			if err := s.doc(counts, d, math.MaxInt); err != nil {
				panic(err)
			}
		}
	}
	return s
}

// TestStoredBytes compares what lists say that they take with the heap.
func TestStoredBytes(t *testing.T) {
	for _, documents := range []int{1, 4, 30, 120} {
		const pages = 2000
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		s := listOf(pages, documents)
		took := int(heap() - before)
		if s.bytes < took*3/4 || s.bytes > took*3/2 {
			t.Errorf("%d documents a page: says %d bytes, takes %d", documents, s.bytes, took)
		}
		runtime.KeepAlive(s)
	}
}

// TestKeptBound puts more than fits: what was asked for least recently goes, and what is older than what is asked for.
func TestKeptBound(t *testing.T) {
	if n := (Options{}).withDefaults().KeptBytes; n != 32<<20 {
		t.Errorf("%d bytes where nothing is said, want 32 MiB", n)
	}
	one := listOf(10, 10)
	c := newKeptCache(3 * (one.bytes + keptBytes + 1))
	key := func(i int) keptKey { return keptKey{site: fmt.Sprint(i)} }
	kept := func(i int, version uint64) bool {
		s, tooLarge := c.get(key(i), version)
		return s != nil || tooLarge
	}
	for i := range 3 {
		c.put(key(i), 1, listOf(10, 10))
	}
	if !kept(0, 1) {
		t.Error("the first is not kept")
	}
	c.put(key(3), 1, one)
	c.put(key(3), 1, one) // by another who read it at the same time
	for i, want := range []bool{true, false, true, true} {
		if got := kept(i, 1); got != want {
			t.Errorf("list %d is kept: %v, want %v", i, got, want)
		}
	}
	if c.bytes != c.max {
		t.Errorf("%d bytes are kept, want %d", c.bytes, c.max)
	}
	if kept(0, 2) {
		t.Error("a list of another version is given")
	}
	if c.bytes != c.max/3*2 {
		t.Errorf("%d bytes are kept without what is old, want %d", c.bytes, c.max/3*2)
	}
	newer := listOf(10, 10)
	c.put(key(2), 2, newer)
	c.put(key(2), 1, one)
	if s, _ := c.get(key(2), 2); s != newer || kept(2, 1) || !kept(3, 1) || len(c.byKey) != 2 {
		t.Error("not the newer of two lists is kept")
	}
	c.put(key(7), 2, nil)
	if s, tooLarge := c.get(key(7), 2); s != nil || !tooLarge {
		t.Error("a list that is too large is not known to be")
	}
	c.put(key(8), 1, listOf(100, 10))
	if kept(8, 1) || !kept(7, 2) {
		t.Error("what alone is too much is kept")
	}
}

// TestListTooLarge asks for a list that is larger than may be kept: it is exact, and tried once for each version of the store.
func TestListTooLarge(t *testing.T) {
	log, store := newMemLog(), newVersionedStore()
	r := rand.New(rand.NewPCG(6, 6))
	for range 50 {
		log.append(randomBatch(r, 30))
	}
	o := Options{Store: store, Source: log, FlushEvery: time.Hour, KeptBytes: 1000}
	x := openTest(t, o)
	waitApplied(t, x)
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	x = openTest(t, o)
	defer x.kill()
	for _, want := range []uint64{2, 3, 4} {
		checkList(t, x, log, heatmap.Query{Site: testSite}, func(*heatmap.Hit) bool { return true })
		if n := store.scans.Load(); n != want {
			t.Errorf("%d scans, want %d", n, want)
		}
	}
	if x.kept.bytes > 1000 {
		t.Errorf("%d bytes are kept, want at most 1000", x.kept.bytes)
	}
}
