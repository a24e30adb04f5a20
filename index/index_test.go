package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/journal"
)

// memLog is a source in memory that can be appended to while it is read.
type memLog struct {
	id     string // default "jmem"
	mu     sync.Mutex
	grown  chan struct{} // closed and replaced when a chunk comes
	chunks []heatmap.Chunk
}

func newMemLog() *memLog { return &memLog{grown: make(chan struct{})} }

func (l *memLog) append(batches ...heatmap.Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := heatmap.Chunk{Appended: 1_770_000_000_000, Batches: batches}
	if n := len(l.chunks); n > 0 {
		c.Position, c.Appended = l.chunks[n-1].End(), l.chunks[n-1].Appended+50
	}
	for _, b := range batches {
		c.Count += len(b.Hits)
	}
	l.chunks = append(l.chunks, c)
	close(l.grown)
	l.grown = make(chan struct{})
}

func (l *memLog) state() ([]heatmap.Chunk, chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.chunks, l.grown
}

func (l *memLog) ID() string { return cmp.Or(l.id, "jmem") }

func (l *memLog) First() uint64 { return 0 }

func (l *memLog) Durable() uint64 {
	chunks, _ := l.state()
	if len(chunks) == 0 {
		return 0
	}
	return chunks[len(chunks)-1].End()
}

func (l *memLog) Since(appended int64) (uint64, error) {
	chunks, _ := l.state()
	for _, c := range chunks {
		if c.Appended >= appended {
			return c.Position, nil
		}
	}
	return l.Durable(), nil
}

func (l *memLog) Before(appended int64) (last int64, ok bool, err error) {
	chunks, _ := l.state()
	for _, c := range chunks {
		if c.Appended < appended {
			last, ok = c.Appended, true
		}
	}
	return last, ok, nil
}

func (l *memLog) Spans(from, to uint64) []journal.Span {
	var spans []journal.Span
	chunks, _ := l.state()
	for _, c := range chunks {
		if p := chunkSpan(&c, from, to); p.From < p.To {
			spans = append(spans, p)
		}
	}
	return spans
}

func (l *memLog) Open(position uint64, _ journal.Fields, _ func(*journal.CorruptError) bool) (Reader, error) {
	chunks, _ := l.state()
	i := slices.IndexFunc(chunks, func(c heatmap.Chunk) bool { return c.End() > position })
	if i < 0 {
		i = len(chunks)
	}
	return &memReader{log: l, next: i}, nil
}

type memReader struct {
	log  *memLog
	next int
}

func (r *memReader) Next(ctx context.Context, c *heatmap.Chunk) error {
	for {
		chunks, grown := r.log.state()
		if r.next < len(chunks) {
			*c = chunks[r.next]
			r.next++
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (r *memReader) Close() error { return nil }

// all gives every hit with its position.
func (l *memLog) all(fn func(position uint64, h *heatmap.Hit)) {
	chunks, _ := l.state()
	for _, c := range chunks {
		at := c.Position
		for _, b := range c.Batches {
			for i := range b.Hits {
				fn(at, &b.Hits[i])
				at++
			}
		}
	}
}

const testSite = "shop"

func testPage(i int) string { return "https://shop.example/p/" + strconv.Itoa(i) }

// randomBatch makes the hits of a view, with every kind, several widths, devices and bots, over ten days of two months.
func randomBatch(r *rand.Rand, pages int) heatmap.Batch {
	agents := []string{"", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile", "Googlebot/2.1", "Mozilla/5.0 (iPad; CPU OS 16_0)"}
	visitor, agent := "v"+strconv.Itoa(r.IntN(300)), agents[r.IntN(len(agents))]
	page, width := testPage(int(float64(pages)*r.Float64()*r.Float64())), uint16(r.IntN(5)*300)
	b := heatmap.Batch{Site: testSite, Visitor: visitor}
	start := int64(1_769_500_000_000) + int64(r.IntN(10))*86_400_000
	for i := range 1 + r.IntN(8) {
		h := heatmap.Hit{
			Time: start + int64(i)*10_000, Site: testSite, URL: page, Visitor: visitor, UserAgent: agent,
			Kind: heatmap.Kind(1 + r.IntN(4)), ViewportW: width, ViewportH: 720, DocumentW: 1280, DocumentH: 4000,
			X: uint16(r.IntN(1280)), Y: uint16(r.IntN(4000)),
		}
		if h.Kind == heatmap.KindScroll {
			h.From = uint16(r.IntN(2) * 720)
			h.Depth, h.Dwell = h.From+uint16(r.IntN(1000)), uint32(r.IntN(9000))
		}
		if h.Kind == heatmap.KindClick && r.IntN(9) == 0 {
			h.Flags = heatmap.FlagDead
		}
		b.Hits = append(b.Hits, h)
	}
	for i := range b.Hits {
		b.Hits[i].Tags = testTags(visitor)
	}
	return b
}

// testTags are those of a visitor's hits: some are from shares of page loads.
func testTags(visitor string) []string {
	n, _ := strconv.Atoi(visitor[1:])
	return map[int][]string{1: {"sampled:0.5"}, 2: {"variant:b", "sampled:0.125"}, 3: {"sampled:1"}}[n%7]
}

func openTest(t *testing.T, o Options) *Index {
	t.Helper()
	x, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// kill ends the index without storing anything, as a crash does.
func (x *Index) kill() { x.Abort() }

// waitApplied waits until all that is durable is applied.
func waitApplied(t *testing.T, x *Index) {
	t.Helper()
	for x.Lag() > 0 {
		if err := pause(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

// recount counts the log below a position as plainly as can be.
func (l *memLog) recount(q heatmap.Query, kind heatmap.Kind, position uint64) (points map[[2]int]uint64, hits, views uint64, visitors map[string]bool) {
	points, visitors = make(map[[2]int]uint64), make(map[string]bool)
	l.all(func(at uint64, h *heatmap.Hit) {
		day := h.Time / 86_400_000
		bot := strings.Contains(h.UserAgent, "Googlebot")
		switch {
		case at >= position, q.URL != "" && h.URL != q.URL, bot && !q.Bots:
			return
		case q.From.Set && day < int64(q.From.Date), q.To.Set && day > int64(q.To.Date):
			return
		}
		visitors[h.Visitor] = true
		if q.Width.Set && (h.ViewportW < q.Width.Min || h.ViewportW > q.Width.Max) {
			return
		}
		if h.Kind == heatmap.KindView {
			views++
		}
		if h.Kind == kind || kind == heatmap.KindDead && h.Kind == heatmap.KindClick && h.Flags&heatmap.FlagDead != 0 {
			points[[2]int{int(h.X) / 8 * 8, int(h.Y) / 8 * 8}]++
			hits++
		}
	})
	return points, hits, views, visitors
}

// recountSampled counts the sampled hits that a query's answer has to name, below a position: whatever the kind and width.
func (l *memLog) recountSampled(q heatmap.Query, zone *time.Location, position uint64) (sampled heatmap.Sampled) {
	l.all(func(at uint64, h *heatmap.Hit) {
		prefix, pattern := strings.CutSuffix(q.URL, "**")
		switch {
		case at >= position, strings.Contains(h.UserAgent, "Googlebot") && !q.Bots, !inBounds(q, h.Time, zone):
			return
		case pattern && !strings.HasPrefix(h.URL, prefix), !pattern && q.URL != "" && h.URL != q.URL:
			return
		}
		for tag, share := range map[string]uint32{"sampled:0.5": 500_000, "sampled:0.125": 125_000} {
			if slices.Contains(h.Tags, tag) {
				sampled.Hits++
				sampled.Share = min(cmp.Or(sampled.Share, share), share)
			}
		}
	})
	return sampled
}

// errUnanswered says that a question was not answered, which is no wrong answer.
var errUnanswered = errors.New("no answer")

// check asks a random question and compares the answer with a recount at the position that it names.
func check(ctx context.Context, x *Index, l *memLog, r *rand.Rand, pages int) error {
	q := heatmap.Query{Site: testSite, Bots: r.IntN(2) == 0, Kind: []heatmap.Kind{heatmap.KindClick, heatmap.KindMove, heatmap.KindDead}[r.IntN(3)]}
	if r.IntN(3) > 0 {
		q.URL = testPage(r.IntN(pages))
	}
	first := heatmap.Date(1_769_500_000_000 / 86_400_000)
	from, to := first+heatmap.Date(r.IntN(10)), first+heatmap.Date(r.IntN(10))
	if r.IntN(2) == 0 {
		q.From = heatmap.Bound{Set: true, IsDate: true, Date: min(from, to)}
	}
	if r.IntN(2) == 0 {
		q.To = heatmap.Bound{Set: true, IsDate: true, Date: max(from, to)}
	}
	if r.IntN(3) == 0 {
		q.Width.Set, q.Width.Min, q.Width.Max = true, 288, 927
	}
	if r.IntN(4) == 0 {
		q.Hourly = r.IntN(6) == 0
		return checkTrend(ctx, x, l, q)
	}
	if r.IntN(4) == 0 {
		return checkDifference(ctx, x, l, r, q)
	}
	a, err := x.Heatmap(ctx, q)
	if err != nil {
		return fmt.Errorf("%w: %+v: %w", errUnanswered, q, err)
	}
	if sampled := l.recountSampled(q, time.UTC, a.Positions[l.ID()]); a.Sampled != sampled {
		return fmt.Errorf("%+v at %v: sampled %v, recount %v", q, a.Positions, a.Sampled, sampled)
	}
	points, hits, views, visitors := l.recount(q, q.Kind, a.Positions[l.ID()])
	got := make(map[[2]int]uint64)
	for _, p := range a.Points {
		got[[2]int{p.X, p.Y}] = p.Weight
	}
	if a.Hits != hits || a.Views != views || a.Visitors != uint64(len(visitors)) || len(got) != len(points) {
		return fmt.Errorf("%+v at %v: %d hits, %d views, %d visitors, %d cells; recount %d, %d, %d, %d",
			q, a.Positions, a.Hits, a.Views, a.Visitors, len(got), hits, views, len(visitors), len(points))
	}
	for at, n := range points {
		if got[at] != n {
			return fmt.Errorf("%+v at %v: cell %v is %d, recount %d", q, a.Positions, at, got[at], n)
		}
	}
	return nil
}

// TestAnswersEqualRecounts runs a live index with a small cache and quick flushes while hits come in and several ask,
// and kills it in between.
func TestAnswersEqualRecounts(t *testing.T) {
	const pages, rounds, batches = 300, 6, 400
	log, store := newMemLog(), newMapStore()
	options := Options{
		Store: store, Source: log, Workers: 3, CacheBytes: minCacheBytes,
		FlushEvery: 20 * time.Millisecond, CheckpointEvery: 15 * time.Millisecond,
	}
	var overtaken uint64
	for round := range rounds {
		x := openTest(t, options)
		var senders, readers sync.WaitGroup
		stop := make(chan struct{})
		senders.Go(func() {
			r := rand.New(rand.NewPCG(uint64(round), 1))
			for range batches {
				log.append(randomBatch(r, pages), randomBatch(r, pages))
			}
		})
		var asked atomic.Int64
		for i := range 2 {
			readers.Go(func() {
				r := rand.New(rand.NewPCG(uint64(round), uint64(10+i)))
				for {
					select {
					case <-stop:
						return
					default:
					}
					if err := check(t.Context(), x, log, r, pages); err != nil {
						t.Error(err)
						return
					}
					asked.Add(1)
				}
			})
		}
		senders.Wait()
		if round%3 != 1 { // else it is killed while it is behind
			waitApplied(t, x)
		}
		close(stop)
		readers.Wait()
		overtaken += x.Stats().Retries
		if round%2 == 0 {
			x.kill()
			continue
		}
		if err := x.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	x := openTest(t, options)
	defer x.kill()
	r := rand.New(rand.NewPCG(1, 2))
	waitApplied(t, x)
	for range 200 {
		if err := check(t.Context(), x, log, r, pages); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d hits; queries overtaken by flushes %d times", log.Durable(), overtaken)
}

// TestCloseStoresEverything shows that after Close nothing is left to be read again.
func TestCloseStoresEverything(t *testing.T) {
	log, store := newMemLog(), newMapStore()
	r := rand.New(rand.NewPCG(3, 3))
	for range 50 {
		log.append(randomBatch(r, 20))
	}
	x := openTest(t, Options{Store: store, Source: log})
	waitApplied(t, x)
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, _, err := readCheckpoint(t.Context(), store, "g1", log.ID())
	if err != nil || c.Position != log.Durable() {
		t.Fatalf("checkpoint %+v, %v; the log ends at %d", c, err, log.Durable())
	}
	high, _, err := (&highMark{store: store, generation: "g1", source: log.ID()}).read(t.Context())
	if err != nil || high != log.Durable() {
		t.Fatalf("high %d, %v; want %d", high, err, log.Durable())
	}
}

// brokenStore does not answer while it is down.
type brokenStore struct {
	Store
	down atomic.Bool
}

var errDown = errors.New("store is down")

func (s *brokenStore) Load(ctx context.Context, refs []Ref) ([]Doc, error) {
	if s.down.Load() {
		return nil, errDown
	}
	return s.Store.Load(ctx, refs)
}

func (s *brokenStore) Swap(ctx context.Context, writes []Write) ([]bool, error) {
	if s.down.Load() {
		return nil, errDown
	}
	return s.Store.Swap(ctx, writes)
}

func (s *brokenStore) SwapRecord(ctx context.Context, name string, old, value []byte) (bool, error) {
	if s.down.Load() {
		return false, errDown
	}
	return s.Store.SwapRecord(ctx, name, old, value)
}

// TestStoreDown lets the store fail under load: memory stays under its bound, the index says what is wrong, and when
// the store is back everything is counted once.
func TestStoreDown(t *testing.T) {
	const pages = 20_000
	log, store := newMemLog(), &brokenStore{Store: newMapStore()}
	x := openTest(t, Options{Store: store, Source: log, Workers: 2, CacheBytes: minCacheBytes, FlushEvery: 10 * time.Millisecond})
	defer x.kill()
	r := rand.New(rand.NewPCG(4, 4))
	log.append(randomBatch(r, pages))
	waitApplied(t, x)
	store.down.Store(true)
	for range 6000 {
		log.append(randomBatch(r, pages))
	}
	for x.Stats().Waits == 0 {
		if err := pause(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if held, most := x.Stats().HeldBytes, int64(2*minCacheBytes); held > most {
		t.Errorf("the index holds %d bytes, want at most %d", held, most)
	}
	if err := x.Ready(); !errors.Is(err, errDown) {
		t.Errorf("ready: %v, want %v", err, errDown)
	}
	if x.Lag() == 0 {
		t.Error("the index is not behind")
	}
	store.down.Store(false)
	waitApplied(t, x)
	for range 100 {
		if err := check(t.Context(), x, log, r, pages); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTwoOwners lets two indexes store the same source at once.
func TestTwoOwners(t *testing.T) {
	const pages = 50
	log, store := newMemLog(), newMapStore()
	o := Options{Store: store, Source: log, Workers: 2, CacheBytes: minCacheBytes, FlushEvery: 15 * time.Millisecond, CheckpointEvery: 10 * time.Millisecond}
	a, b := openTest(t, o), openTest(t, o)
	defer a.kill()
	defer b.kill()
	r := rand.New(rand.NewPCG(5, 5))
	for i := range 600 {
		log.append(randomBatch(r, pages))
		if i%100 == 0 {
			if err := pause(t.Context(), 20*time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, x := range []*Index{a, b} {
		waitApplied(t, x)
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			if err := check(ctx, x, log, r, pages); err != nil {
				t.Error(err)
			}
			cancel()
		}
	}
	t.Logf("conflicts: %d and %d", a.Stats().Conflicts, b.Stats().Conflicts)
}

// TestScanEqualsBlobs answers the same questions both ways.
func TestScanEqualsBlobs(t *testing.T) {
	log, store := newMemLog(), newMapStore()
	r := rand.New(rand.NewPCG(6, 6))
	for range 800 {
		log.append(randomBatch(r, 10))
	}
	x := openTest(t, Options{Store: store, Source: log, CacheBytes: minCacheBytes})
	defer x.kill()
	waitApplied(t, x)
	for i := range 60 {
		q := heatmap.Query{Site: testSite, URL: testPage(r.IntN(10)), Bots: i%2 == 0}
		if i%3 == 0 {
			q.Device.Set, q.Device.Value = true, heatmap.Mobile
		}
		if i%5 == 0 {
			q.URL = "https://shop.example/**"
		}
		kinds := []heatmap.Kind{heatmap.KindView, heatmap.KindClick, heatmap.KindScroll, heatmap.KindMove, heatmap.KindRage, heatmap.KindDead}
		pl, err := x.newPlan(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		blobs, _, err := x.answer(t.Context(), pl, kinds...)
		if err != nil {
			t.Fatal(err)
		}
		pl.scan = true
		scanned, _, err := x.answer(t.Context(), pl, kinds...)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := describe(blobs, kinds, q.Bots), describe(scanned, kinds, q.Bots); a != b {
			t.Fatalf("%+v: blobs\n%s\nscan\n%s", q, a, b)
		}
	}
}

// describe writes down all that an answer can be made of.
func describe(s *sum, kinds []heatmap.Kind, bots bool) string {
	var text strings.Builder
	text.WriteString(fmt.Sprintf("visitors %d\n", s.delta.Visitors(bots)))
	for _, k := range kinds {
		id := sumLayer(k)
		text.WriteString(fmt.Sprintf("%s: %d hits\n", k, s.delta.Hits(id)))
		if k == heatmap.KindScroll {
			views, reach, attention := s.delta.Reach(id)
			average, p50 := s.delta.Fold(id)
			text.WriteString(fmt.Sprintln(views, reach, attention, average, p50))
		} else if k != heatmap.KindView {
			text.WriteString(fmt.Sprintln(s.delta.Points(id, heatmap.CellSize)))
		}
	}
	return text.String()
}

// TestPages compares the list with a recount.
func TestPages(t *testing.T) {
	log, store := newMemLog(), newMapStore()
	r := rand.New(rand.NewPCG(7, 7))
	for range 300 {
		log.append(randomBatch(r, 30))
	}
	x := openTest(t, Options{Store: store, Source: log})
	defer x.kill()
	waitApplied(t, x)
	want := make(map[string]uint64)
	log.all(func(_ uint64, h *heatmap.Hit) {
		if !strings.Contains(h.UserAgent, "Googlebot") {
			want[h.URL]++
		}
	})
	for _, where := range []string{"", "x >= 0"} {
		a, err := x.Pages(t.Context(), heatmap.Query{Site: testSite, Where: where})
		if err != nil {
			t.Fatal(err)
		}
		if a.Total != len(want) {
			t.Errorf("%d pages, want %d", a.Total, len(want))
		}
		for _, p := range a.Pages {
			if p.Hits != want[p.Page] {
				t.Errorf("%s has %d hits, want %d", p.Page, p.Hits, want[p.Page])
			}
		}
		if !slices.IsSortedFunc(a.Pages, func(a, b heatmap.PageCount) int { return int(b.Hits) - int(a.Hits) }) {
			t.Error("pages are not in order")
		}
	}
	a, err := x.Pages(t.Context(), heatmap.Query{Site: testSite, Search: "/p/1", Offset: 1, Limit: 2})
	if err != nil || len(a.Pages) != 2 || a.Total < 3 {
		t.Errorf("search: %d of %d pages, %v", len(a.Pages), a.Total, err)
	}
}

// TestScrollOfJoinedBands asks for one band of widths of a page that was seen at more sizes than a blob tells apart.
func TestScrollOfJoinedBands(t *testing.T) {
	log := newMemLog()
	b := heatmap.Batch{}
	for width := uint16(32); width < 65500; width += 32 {
		for height := uint16(1); height <= heatmap.MaxScroll/2000; height++ {
			b.Hits = append(b.Hits, heatmap.Hit{
				Time: 1_769_500_000_000, Site: testSite, URL: testPage(1), Kind: heatmap.KindScroll,
				ViewportW: width, ViewportH: height, Depth: height,
			})
		}
	}
	log.append(b)
	x := openTest(t, Options{Store: newMapStore(), Source: log})
	defer x.kill()
	waitApplied(t, x)
	q := heatmap.Query{Site: testSite, URL: testPage(1)}
	all, err := x.Scroll(t.Context(), q)
	if err != nil || all.Scanned || all.Views != uint64(len(b.Hits)) {
		t.Fatalf("%d views of %d, scanned %v, %v", all.Views, len(b.Hits), all.Scanned, err)
	}
	q.Width.Set, q.Width.Min, q.Width.Max = true, 320, 351
	band, err := x.Scroll(t.Context(), q)
	if err != nil || !band.Scanned || band.Views != heatmap.MaxScroll/2000 {
		t.Fatalf("%d views of the band, scanned %v, %v; want %d", band.Views, band.Scanned, err, heatmap.MaxScroll/2000)
	}
}

// TestExport reads back what was appended, up to a position.
func TestExport(t *testing.T) {
	log, store := newMemLog(), newMapStore()
	r := rand.New(rand.NewPCG(8, 8))
	repeated := randomBatch(r, 3)
	repeated.ID = "b1"
	log.append(repeated, repeated)
	log.append(randomBatch(r, 3))
	x := openTest(t, Options{Store: store, Source: log})
	defer x.kill()
	waitApplied(t, x)
	count := func(positions map[string]uint64) (n int, err error) {
		err = x.Export(t.Context(), heatmap.Query{Site: testSite}, positions, func(*heatmap.Hit) error { n++; return nil })
		return n, err
	}
	all := int(log.Durable()) - len(repeated.Hits)
	if n, err := count(nil); n != all || err != nil {
		t.Errorf("exported %d hits, %v; want %d", n, err, all)
	}
	if n, err := count(map[string]uint64{log.ID(): 1}); n != 1 || err != nil {
		t.Errorf("exported %d hits below position 1, %v", n, err)
	}
	var bad *heatmap.ParamError
	if _, err := count(map[string]uint64{log.ID(): 1 << 40}); !errors.As(err, &bad) {
		t.Errorf("a position that is not there: %v", err)
	}
	if _, err := count(map[string]uint64{"jother": 1}); !errors.As(err, &bad) {
		t.Errorf("a journal that is not there: %v", err)
	}
	stop := io.ErrUnexpectedEOF
	if err := x.Export(t.Context(), heatmap.Query{Site: testSite}, nil, func(*heatmap.Hit) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of the callback comes back as %v", err)
	}
}

// TestOpenRefuses tells what must not be started.
func TestOpenRefuses(t *testing.T) {
	log, store := newMemLog(), newMapStore()
	log.append(randomBatch(rand.New(rand.NewPCG(9, 9)), 3))
	x := openTest(t, Options{Store: store, Source: log})
	waitApplied(t, x)
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	var behind *JournalBehindError
	if _, err := Open(t.Context(), Options{Store: store, Source: newMemLog()}); !errors.As(err, &behind) {
		t.Errorf("a journal that ends before its store: %v", err)
	}
	rules, err := ParseRules([]byte("urls:\n  keep_params: []\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Store: store, Source: log, Rules: rules}); err == nil || !strings.Contains(err.Error(), "other rules") {
		t.Errorf("other rules: %v", err)
	}
	if _, err := Open(t.Context(), Options{Store: store, Source: log, CacheBytes: 1}); err == nil {
		t.Error("a cache of one byte was taken")
	}
}
