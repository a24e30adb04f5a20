package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/journal"
)

const testSite = "shop"

// house is a data folder: a journal, a store, and the generations over both.
type house struct {
	t       testing.TB
	dir     string
	journal *journal.Journal
	store   *sickStore
	g       *Generations
	random  *rand.Rand
	clock   atomic.Int64 // Unix ms, of the journal
	batches int
	adjust  func(*Options) // of every Open, nil = nothing
	segment int64          // bytes of a segment
}

// sickStore is a store that can be made to fail.
type sickStore struct {
	index.Store
	down     atomic.Bool // everything fails
	dropFail atomic.Bool // Drop fails
	calls    atomic.Int64
	dieAt    atomic.Int64 // down from this call on, 0 = never
	onSites  func()       // called before Sites, nil = nothing
}

var errDown = errors.New("the store is down")

func (s *sickStore) fails() error {
	if at := s.dieAt.Load(); s.calls.Add(1) >= at && at > 0 {
		s.down.Store(true)
	}
	if s.down.Load() {
		return errDown
	}
	return nil
}

func (s *sickStore) Load(ctx context.Context, refs []index.Ref) ([]index.Doc, error) {
	if err := s.fails(); err != nil {
		return nil, err
	}
	return s.Store.Load(ctx, refs)
}

func (s *sickStore) Swap(ctx context.Context, writes []index.Write) ([]bool, error) {
	if err := s.fails(); err != nil {
		return nil, err
	}
	return s.Store.Swap(ctx, writes)
}

func (s *sickStore) Record(ctx context.Context, name string) ([]byte, error) {
	if err := s.fails(); err != nil {
		return nil, err
	}
	return s.Store.Record(ctx, name)
}

func (s *sickStore) SwapRecord(ctx context.Context, name string, old, value []byte) (bool, error) {
	if err := s.fails(); err != nil {
		return false, err
	}
	return s.Store.SwapRecord(ctx, name, old, value)
}

func (s *sickStore) Scan(ctx context.Context, r index.Range, fn func(index.Doc) error) error {
	if err := s.fails(); err != nil {
		return err
	}
	return s.Store.Scan(ctx, r, fn)
}

func (s *sickStore) Sites(ctx context.Context, generation string) ([]string, error) {
	if err := s.fails(); err != nil {
		return nil, err
	}
	if s.onSites != nil {
		s.onSites()
	}
	return s.Store.Sites(ctx, generation)
}

func (s *sickStore) Drop(ctx context.Context, generation string) error {
	if err := s.fails(); err != nil || s.dropFail.Load() {
		return errDown
	}
	return s.Store.Drop(ctx, generation)
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{t: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(1, 2)), segment: 16 << 10}
	h.clock.Store(1_770_000_000_000)
	h.openJournal()
	t.Cleanup(func() { _ = h.journal.Close() })
	h.newStore()
	return h
}

// readyHouse is a house with so many batches, in which a second generation by the same rules is ready.
func readyHouse(t testing.TB, batches int) (h *house, id string) {
	t.Helper()
	h = newHouse(t)
	h.fill(batches)
	h.open()
	id = h.start(heatmap.Replay{})
	h.await(id, heatmap.StateReady)
	h.awaitAll()
	return h, id
}

func (h *house) openJournal() {
	h.t.Helper()
	var err error
	h.journal, err = journal.Open(h.dir, journal.Options{
		Ack: journal.AckWrite, SegmentBytes: h.segment, Now: func() time.Time { return time.UnixMilli(h.clock.Load()) },
	})
	if err != nil {
		h.t.Fatal(err)
	}
}

// reopenWith opens the journal with larger segments.
func (h *house) reopenWith(segment int64) {
	h.t.Helper()
	if err := h.journal.Close(); err != nil {
		h.t.Fatal(err)
	}
	h.segment = segment
	h.openJournal()
}

func (h *house) newStore() {
	h.t.Helper()
	h.store = &sickStore{Store: newStore(h.t)}
}

// options are of indexes that flush and write checkpoints all the time.
func (h *house) options() Options {
	o := Options{
		Index: index.Options{Store: h.store, CacheBytes: 1 << 20, FlushEvery: 3 * time.Millisecond, CheckpointEvery: 2 * time.Millisecond},
		Sources: func(damaged func(*journal.CorruptError)) (index.Source, []index.Source) {
			return index.JournalSource(h.journal, damaged), index.FrozenSources(h.journal, damaged)
		},
		ReplayBytes: 1 << 20,
	}
	if h.adjust != nil {
		h.adjust(&o)
	}
	return o
}

// open opens the generations; what was open before is killed.
func (h *house) open() *Generations {
	h.t.Helper()
	if h.g != nil {
		h.g.abort()
	}
	g, err := Open(h.t.Context(), h.options())
	if err != nil {
		h.t.Fatal(err)
	}
	h.g = g
	h.t.Cleanup(g.abort)
	return g
}

// fill appends batches, some of which were sent before.
func (h *house) fill(batches int) { h.fillBy(batches, 1) }

// fillBy appends so many batches at a time.
func (h *house) fillBy(batches, atATime int) {
	h.t.Helper()
	for n := 0; n < batches; n += atATime {
		list := make([]heatmap.Batch, min(atATime, batches-n))
		for i := range list {
			list[i] = h.batch()
		}
		if _, err := h.journal.Append(list); err != nil {
			h.t.Fatal(err)
		}
	}
}

func (h *house) batch() heatmap.Batch {
	r := h.random
	h.clock.Add(int64(r.IntN(3000)))
	h.batches++
	n := h.batches
	if r.IntN(20) == 0 {
		n = max(1, n-r.IntN(50)) // a repeat, if it is the same visitor's
	}
	visitor := fmt.Sprint("v", n%40)
	b := heatmap.Batch{Site: testSite, Visitor: visitor, ID: fmt.Sprint("b", n)}
	day := h.clock.Load() - int64(r.IntN(3))*86_400_000
	page := fmt.Sprintf("https://shop.example/product/%d", r.IntN(30))
	var tags []string
	if n%8 == 0 {
		tags = []string{fmt.Sprintf("sampled:0.%d", 1+n%9)}
	}
	for range 1 + r.IntN(8) {
		hit := heatmap.Hit{
			Time: day, Site: testSite, URL: page, Visitor: visitor, View: fmt.Sprint("w", n), ViewportW: uint16(320 + 32*r.IntN(20)), ViewportH: 700,
			X: uint16(r.IntN(1200)), Y: uint16(r.IntN(4000)), Kind: heatmap.KindClick, Tags: tags,
		}
		switch r.IntN(6) {
		case 0:
			hit.Kind = heatmap.KindView
		case 1:
			hit.Kind, hit.From, hit.Depth, hit.Dwell = heatmap.KindScroll, uint16(r.IntN(500)), uint16(500+r.IntN(3000)), uint32(r.IntN(4000))
		case 2:
			hit.Kind = heatmap.KindMove
		case 3:
			hit.UserAgent = "Googlebot/2.1"
		}
		if at := r.IntN(12); hit.Kind == heatmap.KindClick && at > 3 {
			hit.Selector, hit.BoxW, hit.BoxH = fmt.Sprintf("main>a:nth-child(%d)", at/2), uint16(20*at), 24
			hit.AnchorX, hit.AnchorY = r.Uint32N(heatmap.AnchorUnit+1), r.Uint32N(heatmap.AnchorUnit+1)
			if at%2 == 0 {
				hit.Check, hit.HasCheck, hit.Flags = uint16(at), true, heatmap.FlagFixed
			}
		}
		b.Hits = append(b.Hits, hit)
	}
	return b
}

// start begins a replay.
func (h *house) start(p heatmap.Replay) string {
	h.t.Helper()
	v, err := h.g.Start(h.t.Context(), p)
	if err != nil {
		h.t.Fatal(err)
	}
	return v.ID
}

// await waits until a generation is in a state.
func (h *house) await(id string, want heatmap.State) heatmap.Generation {
	h.t.Helper()
	for {
		v, err := h.g.Get(h.t.Context(), id)
		if err == nil && v.State == want {
			return v
		}
		if err == nil && v.State == heatmap.StateFailed {
			h.t.Fatalf("generation %s failed: %s", id, v.Reason)
		}
		if err := pause(h.t.Context(), time.Millisecond); err != nil {
			h.t.Fatalf("generation %s does not become %s: %+v", id, want, v)
		}
	}
}

// awaitStep waits until a generation has read so many hits more, or all.
func (h *house) awaitStep(id string, hits uint64) {
	h.t.Helper()
	var first uint64
	for n := 0; ; n++ {
		v, err := h.g.Get(h.t.Context(), id)
		if err != nil {
			h.t.Fatal(err)
		}
		if n == 0 {
			first = v.Progress.Hits
		}
		if v.Progress.Hits >= min(first+hits, v.Progress.Of) {
			return
		}
		if err := pause(h.t.Context(), 10*time.Millisecond); err != nil {
			h.t.Fatal(err)
		}
	}
}

// awaitGone waits until nothing is left of a generation.
func (h *house) awaitGone(id string) {
	h.t.Helper()
	for len(h.g.snapshot().Dropping) > 0 {
		if err := pause(h.t.Context(), time.Millisecond); err != nil {
			h.t.Fatal(err)
		}
	}
	h.gone(id)
}

// gone fails if the store has anything of a generation.
func (h *house) gone(id string) {
	h.t.Helper()
	if docs := h.docs(id); len(docs) > 0 {
		h.t.Errorf("%d documents of %s are left", len(docs), id)
	}
	source := h.journal.Source()
	for _, name := range []string{specName(id), rulesName(id), "sources/" + id, "checkpoint/" + id + "/" + source, "high/" + id + "/" + source, "checkpoint/" + id + "/carried.g1", "high/" + id + "/carried.g1"} {
		if value, err := h.store.Store.Record(h.t.Context(), name); value != nil || err != nil {
			h.t.Errorf("record %s is %q, %v", name, value, err)
		}
	}
}

// docs gives all blobs of a generation by key and source.
func (h *house) docs(id string) map[string][]byte {
	h.t.Helper()
	all := make(map[string][]byte)
	err := h.store.Store.Scan(h.t.Context(), index.Range{Generation: id, Site: testSite, IsPrefix: true}, func(d index.Doc) error {
		all[fmt.Sprint(d.Page, " ", d.Period, " ", d.Source)] = bytes.Clone(d.Blob)
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// close stores everything.
func (h *house) close() {
	h.t.Helper()
	if err := h.g.Close(h.t.Context()); err != nil {
		h.t.Fatal(err)
	}
}

// awaitAll waits until all of the journal is durable and all generations have read it.
func (h *house) awaitAll() {
	h.t.Helper()
	h.awaitDurable()
	for _, v := range h.g.List() {
		for {
			x, err := h.g.Reader(v.ID)
			if err == nil && x.Lag() == 0 && x.Ready() == nil {
				break
			}
			if err := pause(h.t.Context(), time.Millisecond); err != nil {
				h.t.Fatal(err)
			}
		}
	}
}

// awaitDurable waits until all of the journal is durable.
func (h *house) awaitDurable() {
	h.t.Helper()
	for st := h.journal.Stats(); st.Durable < st.End; st = h.journal.Stats() {
		if err := pause(h.t.Context(), time.Millisecond); err != nil {
			h.t.Fatal(err)
		}
	}
}

// same fails unless two generations have equal blobs and counts, when all is stored.
func (h *house) same(a, b string) {
	h.t.Helper()
	x, y := h.docs(a), h.docs(b)
	if len(x) != len(y) || len(x) == 0 {
		h.t.Fatalf("%s has %d documents, %s has %d", a, len(x), b, len(y))
	}
	for key, blob := range x {
		if !bytes.Equal(blob, y[key]) {
			h.t.Fatalf("%s of %s differs from that of %s", key, a, b)
		}
	}
	var checkpoints [2][]byte
	for i, id := range []string{a, b} {
		value, err := h.store.Store.Record(h.t.Context(), "checkpoint/"+id+"/"+h.journal.Source())
		if err != nil || value == nil {
			h.t.Fatalf("checkpoint of %s: %v", id, err)
		}
		checkpoints[i] = value
	}
	if !bytes.Equal(checkpoints[0], checkpoints[1]) {
		h.t.Fatalf("checkpoints and counts differ:\n%s\n%s", checkpoints[0], checkpoints[1])
	}
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
