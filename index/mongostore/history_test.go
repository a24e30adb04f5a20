package mongostore_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/index/mongostore"
	"heatlog/index/mongostore/mongotest"
	"heatlog/journal/journaltest"
)

// outcome is what the store said of a write.
type outcome int

const (
	unknown outcome = iota
	applied
	refused
)

// history is what the writers of a test were told, and what they have seen.
type history struct {
	mu       sync.Mutex
	told     map[uint64]outcome // by the write's own number
	unknowns int
}

func (h *history) tell(number uint64, ok bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case err != nil:
		h.unknowns++
		h.told[number] = unknown
	case ok:
		h.told[number] = applied
	default:
		h.told[number] = refused
	}
}

// compare compares what a document or record ended as with what was told of its writes: those that were applied are in it
// once, those that were refused are not.
func (h *history) compare(value []byte, in map[uint64]bool) error {
	for ; len(value) >= 8; value = value[8:] {
		number := binary.BigEndian.Uint64(value)
		if in[number] {
			return fmt.Errorf("write %x was applied twice", number)
		}
		if in[number] = true; h.told[number] == refused {
			return fmt.Errorf("write %x was applied, and told not to be", number)
		}
	}
	return nil
}

// TestHistory lets writers of three processes swap the same few documents and records, each process through a proxy that
// cuts, delays, stalls, swallows replies of what was carried out and answers with errors. Each write adds its own number to
// what it replaces, and two of them may well name the same watermarks: in the end a number is there once if its write was told
// to be applied, not at all if it was told to be refused, and either if there was an error.
func TestHistory(t *testing.T) {
	t.Parallel() // it waits for the most part
	uri := mongotest.Database(t)
	worlds := make([]world, historyProcesses)
	for i := range worlds {
		proxy := mongotest.NewProxy(t, uri)
		worlds[i] = world{uri: proxy.URI(), timeout: 300 * time.Millisecond, weather: func(r *rand.Rand, stop <-chan struct{}) { blow(proxy, r, stop) }}
	}
	swapThrough(t, "swaps in MongoDB whose outcome is told", uri, 40, worlds)
}

// TestHistoryOfSet is the same at a replica set of three members, of which another becomes primary again and again, or none is
// for a while: the driver sends writes again by itself, to whoever is primary then.
func TestHistoryOfSet(t *testing.T) {
	t.Parallel() // it waits for the most part
	set := mongotest.NewSet(t, 3)
	worlds := make([]world, historyProcesses)
	for i := range worlds {
		worlds[i] = world{uri: set.URI(), timeout: 2 * time.Second, weather: func(*rand.Rand, <-chan struct{}) {}}
	}
	worlds[0].weather = func(r *rand.Rand, stop <-chan struct{}) { elect(set, r, stop) }
	swapThrough(t, "swaps in a replica set whose outcome is told", set.URI(), 30, worlds)
}

// elect makes another member primary, cuts the one that was or swallows its replies, until it is told to stop.
func elect(set *mongotest.Set, r *rand.Rand, stop <-chan struct{}) {
	for {
		before, next := set.Primary(), r.IntN(3)
		switch r.IntN(4) {
		case 0:
			set.Member(before).Cut()
		case 1:
			set.Member(before).DropReplies("update", 1+r.IntN(4))
		case 2:
			set.Member(before).Stall()
		}
		if r.IntN(2) == 0 {
			set.Elect(mongotest.Nobody)
			wait(time.Duration(r.IntN(200))*time.Millisecond, stop)
		}
		set.Elect(next)
		ended := !wait(time.Duration(r.IntN(300))*time.Millisecond, stop)
		set.Member(before).Heal()
		if ended || !wait(time.Duration(300+r.IntN(700))*time.Millisecond, stop) {
			return
		}
	}
}

// wait waits, unless it is told to stop.
func wait(d time.Duration, stop <-chan struct{}) bool {
	select {
	case <-stop:
		return false
	case <-time.After(d):
		return true
	}
}

// historyProcesses swap the same documents, with historyWriters each.
const historyProcesses, historyWriters = 3, 2

// world is what one process of a history has to do with.
type world struct {
	uri     string
	timeout time.Duration // of an operation
	weather func(r *rand.Rand, stop <-chan struct{})
}

// swapThrough lets the writers of some processes swap, each process in its world, and compares what they were told with what a
// store at uri says in the end.
func swapThrough(t *testing.T, name, uri string, short int, worlds []world) {
	t.Helper()
	rounds, seed := journaltest.Times(short, 4000), journaltest.Seed(t, 1)
	row := journaltest.Begin(t, name, rounds*len(worlds)*historyWriters, seed)
	h := &history{told: make(map[uint64]outcome)}
	var all, weather sync.WaitGroup
	stop := make(chan struct{})
	for p, in := range worlds {
		s := openStore(t, in.uri, in.timeout)
		weather.Go(func() { in.weather(rand.New(rand.NewPCG(seed, uint64(100+p))), stop) })
		for n := range historyWriters {
			w := &writer{store: s, history: h, random: rand.New(rand.NewPCG(seed, uint64(p*historyWriters+n))), next: uint64(p*historyWriters+n) << 32, seen: make(map[index.Ref]uint64)}
			all.Go(func() {
				for n := range rounds {
					if err := w.round(t.Context(), n/2); err != nil {
						t.Error(err)
						return
					}
					row.Done(1)
				}
			})
		}
	}
	all.Wait()
	close(stop)
	weather.Wait()
	s := openStore(t, uri, 0)
	in := make(map[uint64]bool)
	for i := range historyDocs + rounds/2 {
		docs, err := s.Load(t.Context(), []index.Ref{historyRef(i)})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.compare(docs[0].Blob, in); err != nil {
			t.Errorf("document %d: %v", i, err)
		}
	}
	for i := range historyRecords + rounds/2 {
		value, err := s.Record(t.Context(), historyRecord(i))
		if err != nil {
			t.Fatal(err)
		}
		if err := h.compare(value, in); err != nil {
			t.Errorf("record %d: %v", i, err)
		}
	}
	wins, losses := 0, 0
	for number, o := range h.told {
		switch {
		case o == applied && !in[number]:
			t.Errorf("write %x was told to be applied, and is lost", number)
		case o == applied:
			wins++
		case o == refused:
			losses++
		}
	}
	row.Found("%d writes were applied, %d refused, of %d it was not told", wins, losses, h.unknowns)
	if wins == 0 || losses == 0 || h.unknowns == 0 {
		t.Error("the writers never met something that they are for")
	}
}

// openStore opens a store until the test ends; its operations take so long at most, 0 for the default.
func openStore(t *testing.T, uri string, timeout time.Duration) *mongostore.Store {
	t.Helper()
	s, err := mongostore.Open(uri, mongostore.Options{Logger: slog.New(slog.DiscardHandler), Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

// blow makes faults until it is told to stop, and heals what it made.
func blow(p *mongotest.Proxy, r *rand.Rand, stop <-chan struct{}) {
	p.Trouble(r, stop, 400*time.Millisecond, 300*time.Millisecond, func() {
		switch r.IntN(8) {
		case 0:
			p.Cut()
		case 1:
			p.Stall()
		case 2:
			p.Delay(time.Duration(r.IntN(400)) * time.Millisecond) // some longer than an operation may take: it lands late
		case 3:
			p.DropReplies("update", 1+r.IntN(10))
		case 4:
			p.CutRequests("update", 1+r.IntN(10))
		default:
			p.Random(r.Uint64(), mongotest.Rates{CutRequest: 0.02, DropReply: 0.05, NotPrimary: 0.02, WriteConcernError: 0.05, Delay: 0.2, MaxDelay: 20 * time.Millisecond})
		}
	})
}

// historyDocs are the documents that are written at a time, so many that a swap of most is a bulk whose answer counts them only. In
// every other round the first one is left and a new one comes. historyRecords are the same of records.
const historyDocs, historyRecords = 20, 2

// ghost is a document that there never is.
var ghost = historyRef(-1)

func historyRef(i int) index.Ref {
	return index.Ref{Generation: "g1", Key: heatmap.Key{Site: "shop", Page: fmt.Sprint("https://shop.example/", i), Period: 7}, Source: "j1"}
}

func historyRecord(i int) string { return fmt.Sprint("record/", i) }

// writer writes one thing after the other.
type writer struct {
	store   *mongostore.Store
	history *history
	random  *rand.Rand
	next    uint64               // number of the next write
	seen    map[index.Ref]uint64 // watermarks, which only grow
}

// round is a swap of some documents from the given one on, or of a record from that one on.
func (w *writer) round(ctx context.Context, from int) error {
	if w.random.IntN(3) == 0 {
		return w.swapRecord(ctx, from)
	}
	refs := []index.Ref{ghost}
	for _, i := range w.random.Perm(historyDocs)[:1+w.random.IntN(historyDocs)] {
		refs = append(refs, historyRef(from+i))
	}
	docs, err := w.store.Load(ctx, refs)
	if err != nil {
		return pause(ctx, 5*time.Millisecond)
	}
	writes := make([]index.Write, len(docs))
	first := w.next
	for i, d := range docs {
		if d.Watermark < w.seen[d.Ref] {
			return fmt.Errorf("document %+v went back from %d to %d", d.Ref, w.seen[d.Ref], d.Watermark)
		}
		w.seen[d.Ref] = d.Watermark
		old := d.Watermark
		if d.Ref == ghost {
			old = 5
		}
		writes[i] = index.Write{Ref: d.Ref, Old: old, New: old + 1 + w.random.Uint64N(2), Blob: binary.BigEndian.AppendUint64(bytes.Clone(d.Blob), w.next)}
		w.next++
	}
	ok, err := w.store.Swap(ctx, writes)
	for i := range writes {
		if err == nil && ok[i] {
			if w.seen[writes[i].Ref] = writes[i].New; writes[i].Ref == ghost {
				return errors.New("a document was replaced that does not exist")
			}
		}
		w.history.tell(first+uint64(i), err == nil && ok[i], err)
	}
	return nil
}

func (w *writer) swapRecord(ctx context.Context, from int) error {
	name := historyRecord(from + w.random.IntN(historyRecords))
	value, err := w.store.Record(ctx, name)
	if err != nil {
		return pause(ctx, 5*time.Millisecond)
	}
	ok, err := w.store.SwapRecord(ctx, name, value, binary.BigEndian.AppendUint64(bytes.Clone(value), w.next))
	w.history.tell(w.next, ok, err)
	w.next++
	return nil
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
