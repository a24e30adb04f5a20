package journal_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
	"heatlog/journal"
	"heatlog/journal/journaltest"
)

const dir = "data/journal"

func mustOpen(t testing.TB, o journal.Options) *journal.Journal {
	t.Helper()
	j := openOne(t, o)
	t.Cleanup(func() { j.Close() })
	return j
}

// openOne opens one of very many journals: the caller closes it, so that the test does not hold all of them to its end.
func openOne(t testing.TB, o journal.Options) *journal.Journal {
	t.Helper()
	j, err := journal.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func mustAppend(t testing.TB, j *journal.Journal, batches ...heatmap.Batch) uint64 {
	t.Helper()
	end, err := j.Append(batches)
	if err != nil {
		t.Fatal(err)
	}
	return end
}

func mustClose(t testing.TB, j *journal.Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
}

// readTo gives all chunks from pos to end.
func readTo(t testing.TB, j *journal.Journal, pos, end uint64) (chunks []heatmap.Chunk) {
	t.Helper()
	r, err := j.Read(pos)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for at := pos; at < end; {
		var c heatmap.Chunk
		if err := r.Next(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
		if len(chunks) > 0 && c.Position != at {
			t.Fatalf("chunk at position %d, want %d", c.Position, at)
		}
		chunks = append(chunks, c)
		at = c.End()
	}
	return chunks
}

func readBatches(t testing.TB, j *journal.Journal) (batches []heatmap.Batch) {
	t.Helper()
	for _, c := range readTo(t, j, 0, j.Durable()) {
		batches = append(batches, c.Batches...)
	}
	return batches
}

// diffBatches is cmp.Diff, fast where there is no difference.
func diffBatches(want, got []heatmap.Batch) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got)
}

func hitsOf(batches []heatmap.Batch) (n uint64) {
	for _, b := range batches {
		n += uint64(len(b.Hits))
	}
	return n
}

// Random appends over restarts and rotations come back as they were.
func TestAppendRead(t *testing.T) {
	for _, ack := range []journal.Ack{journal.AckSync, journal.AckWrite} {
		r := rand.New(rand.NewPCG(1, uint64(ack)))
		o := journal.Options{FS: new(journaltest.FS), Ack: ack, SegmentBytes: 16 << 10}
		batch := journal.NewTraffic(1)
		j := mustOpen(t, o)
		source := j.Source()
		var want []heatmap.Batch
		for i := range 300 {
			a := []heatmap.Batch{batch(1 + i%20)}
			if i%7 == 0 {
				a = journal.WildBatches(r, 3)
			}
			want = append(want, a...)
			if end := mustAppend(t, j, a...); end != hitsOf(want) {
				t.Fatalf("append returned %d, want %d", end, hitsOf(want))
			}
			if i%100 == 99 {
				mustClose(t, j)
				j = mustOpen(t, o)
				if j.Source() != source || j.First() != 0 || j.Durable() != hitsOf(want) || j.Stats().End != hitsOf(want) {
					t.Fatalf("reopened: source %s first %d durable %d, want %s 0 %d", j.Source(), j.First(), j.Durable(), source, hitsOf(want))
				}
			}
		}
		mustClose(t, j)
		j = mustOpen(t, o)
		if j.Stats().Segments < 10 {
			t.Errorf("%d segments, want rotation to make more", j.Stats().Segments)
		}
		if diff := diffBatches(want, readBatches(t, j)); diff != "" {
			t.Error(diff)
		}
	}
}

// A reader can begin anywhere; its first chunk holds the position.
func TestReadFrom(t *testing.T) {
	o := journal.Options{FS: new(journaltest.FS), SegmentBytes: 200 << 10}
	batch := journal.NewTraffic(1)
	j := mustOpen(t, o)
	var want []heatmap.Chunk
	f := func(pos uint64) {
		t.Helper()
		chunks := readTo(t, j, pos, j.Durable())
		rest := want
		for len(rest) > 0 && rest[0].End() <= pos {
			rest = rest[1:]
		}
		if len(chunks) != len(rest) {
			t.Fatalf("from %d: %d chunks, want %d", pos, len(chunks), len(rest))
		}
		if len(chunks) > 0 {
			if diff := cmp.Diff(rest[0], chunks[0]); diff != "" {
				t.Errorf("from %d: %s", pos, diff)
			}
		}
	}
	for range 2 { // the second time no index is in memory at first
		for range 600 {
			b := batch(20)
			end := mustAppend(t, j, b)
			want = append(want, heatmap.Chunk{Position: end - 20, Count: 20, Batches: []heatmap.Batch{b}})
		}
		for i, c := range readTo(t, j, 0, j.Durable()) {
			want[i].Appended = c.Appended
		}
		for _, pos := range []uint64{0, 1, 19, 20, 11_000, j.Durable() - 1, j.Durable()} {
			f(pos)
		}
		mustClose(t, j)
		j = mustOpen(t, o)
		for pos := j.Durable(); pos > 500; pos -= 499 {
			f(pos)
		}
	}
	if _, err := j.Read(j.Durable() + 1); !errors.Is(err, journal.ErrPosition) {
		t.Errorf("read behind the end: %v", err)
	}
}

// Readers at the tail get what is appended, across rotations, and end with ctx or with the journal.
func TestReadFollowsTail(t *testing.T) {
	o := journal.Options{FS: new(journaltest.FS), SegmentBytes: 8 << 10}
	j := mustOpen(t, o)
	const total = 4000
	var wg sync.WaitGroup
	for start := range 3 {
		wg.Go(func() {
			r, err := j.Read(0)
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			var c heatmap.Chunk
			for at := uint64(0); at < total; at = c.End() {
				if err := r.Next(t.Context(), &c); err != nil {
					t.Errorf("reader %d at %d: %v", start, at, err)
					return
				}
				if c.Position != at || c.End() > j.Durable() {
					t.Errorf("reader %d: chunk %d to %d, want from %d, durable %d", start, c.Position, c.End(), at, j.Durable())
					return
				}
			}
			if err := r.Next(t.Context(), &c); !errors.Is(err, journal.ErrClosed) {
				t.Errorf("reader %d at the end: %v, want ErrClosed", start, err)
			}
		})
	}
	var appenders sync.WaitGroup
	for i := range 4 {
		appenders.Go(func() {
			batch := journal.NewTraffic(uint64(i))
			for range total / 4 / 10 {
				mustAppend(t, j, batch(10))
			}
		})
	}
	appenders.Wait()
	r, err := j.Read(j.Durable())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	cancel(cause)
	if err := r.Next(ctx, new(heatmap.Chunk)); !errors.Is(err, cause) {
		t.Errorf("next with an ended context: %v", err)
	}
	mustClose(t, j)
	wg.Wait()
}

// Strings of a chunk stay as they are when the chunk is filled anew.
func TestReadStringsStay(t *testing.T) {
	j := mustOpen(t, journal.Options{FS: new(journaltest.FS)})
	batch := journal.NewTraffic(1)
	var want, got []string
	for range 50 {
		b := batch(20)
		mustAppend(t, j, b)
		want = append(want, b.ID+b.Hits[0].URL)
	}
	r, err := j.Read(0)
	if err != nil {
		t.Fatal(err)
	}
	var c heatmap.Chunk
	var ids, urls []string
	for range want {
		if err := r.Next(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
		ids, urls = append(ids, c.Batches[0].ID), append(urls, c.Batches[0].Hits[0].URL)
	}
	r.Close()
	if err := r.Next(t.Context(), &c); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("next of a closed reader: %v", err)
	}
	for i := range ids {
		got = append(got, ids[i]+urls[i])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSinceAndAppendTime(t *testing.T) {
	now := int64(1_000_000)
	o := journal.Options{FS: new(journaltest.FS), SegmentBytes: 8 << 10, Now: func() time.Time { return time.UnixMilli(now) }}
	batch := journal.NewTraffic(1)
	j := mustOpen(t, o)
	type at struct {
		pos  uint64
		time int64
	}
	var want []at
	latest := now
	for i := range 200 {
		latest = max(latest, now)
		want = append(want, at{mustAppend(t, j, batch(5)) - 5, latest})
		if now += 10; i%50 == 49 {
			now -= 3000 // the clock is set back, once over a restart
		}
		if i == 99 {
			mustClose(t, j)
			j = mustOpen(t, o)
		}
	}
	for i, c := range readTo(t, j, 0, j.Durable()) {
		if c.Appended != want[i].time {
			t.Fatalf("chunk %d was appended at %d, want %d", i, c.Appended, want[i].time)
		}
	}
	f := func(since int64) {
		t.Helper()
		wantPos := j.Durable()
		for _, w := range want {
			if w.time >= since {
				wantPos = w.pos
				break
			}
		}
		if pos, err := j.Since(since); err != nil || pos != wantPos {
			t.Fatalf("since %d: %d, %v, want %d", since, pos, err, wantPos)
		}
	}
	for range 2 {
		for since := int64(999_990); since < latest+20; since += 7 {
			f(since)
		}
		mustClose(t, j)
		j = mustOpen(t, o) // the index is gone
	}
}

func TestEmptyJournal(t *testing.T) {
	j := mustOpen(t, journal.Options{FS: new(journaltest.FS)})
	if end, err := j.Append([]heatmap.Batch{{Site: "s", ID: "no hits"}}); end != 0 || err != nil {
		t.Errorf("append without hits: %d, %v", end, err)
	}
	if pos, err := j.Since(0); pos != 0 || err != nil || j.Durable() != 0 || j.First() != 0 {
		t.Errorf("since %d, %v, durable %d, first %d", pos, err, j.Durable(), j.First())
	}
	r, err := j.Read(0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	mustAppend(t, j, journal.NewTraffic(1)(3))
	var c heatmap.Chunk
	if err := r.Next(t.Context(), &c); err != nil || c.Count != 3 {
		t.Errorf("first chunk: %d hits, %v", c.Count, err)
	}
}

func TestLimitsAndClose(t *testing.T) {
	j := mustOpen(t, journal.Options{FS: new(journaltest.FS)})
	tooMany := heatmap.Batch{Hits: make([]heatmap.Hit, journal.MaxChunkHits+1)}
	if _, err := j.Append([]heatmap.Batch{tooMany}); !errors.Is(err, journal.ErrTooLarge) {
		t.Errorf("append of %d hits: %v", len(tooMany.Hits), err)
	}
	tooLong := heatmap.Batch{Hits: []heatmap.Hit{{URL: strings.Repeat("x", journal.MaxAppend)}}}
	if _, err := j.Append([]heatmap.Batch{tooLong}); !errors.Is(err, journal.ErrTooLarge) {
		t.Errorf("append of %d bytes: %v", journal.MaxAppend, err)
	}
	for i := range tooMany.Hits {
		tooMany.Hits[i] = heatmap.Hit{ID: strings.Repeat("x", 100), Kind: heatmap.KindClick}
	}
	most := heatmap.Batch{Hits: tooMany.Hits[:journal.MaxChunkHits]}
	if end := mustAppend(t, j, most); end != journal.MaxChunkHits {
		t.Errorf("append of the most hits returned %d", end)
	}
	if c := readTo(t, j, 0, j.Durable()); len(c) != 1 || c[0].Count != journal.MaxChunkHits {
		t.Errorf("%d chunks", len(c))
	}
	mustClose(t, j)
	if _, err := j.Append([]heatmap.Batch{journal.NewTraffic(1)(1)}); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("append to a closed journal: %v", err)
	}
	mustClose(t, j)
	for _, o := range []journal.Options{{SegmentBytes: 1}, {SyncEvery: -1}, {MaxPending: -1}, {Ack: 9}} {
		if j, err := journal.Open(t.TempDir(), o); err == nil {
			j.Close()
			t.Errorf("options %+v were taken", o)
		}
	}
}

// Many appends at once: each gets its own positions, all hits of one are together.
func TestAppendConcurrently(t *testing.T) {
	o := journal.Options{FS: new(journaltest.FS), SegmentBytes: 64 << 10, MaxPending: 4 << 10}
	j := mustOpen(t, o)
	ends := make([]map[uint64]string, 16)
	var wg sync.WaitGroup
	for i := range ends {
		ends[i] = map[uint64]string{}
		wg.Go(func() {
			batch := journal.NewTraffic(uint64(i))
			for range 100 {
				b := batch(1 + i)
				end, err := j.Append([]heatmap.Batch{b})
				if err != nil {
					t.Error(err)
					return
				}
				ends[i][end] = b.ID
			}
		})
	}
	wg.Wait()
	all := map[uint64]string{}
	for _, m := range ends {
		maps.Copy(all, m)
	}
	if len(all) != 1600 {
		t.Fatalf("%d different ends, want 1600", len(all))
	}
	at := uint64(0)
	for _, b := range readBatches(t, j) {
		at += uint64(len(b.Hits))
		if all[at] != b.ID {
			t.Fatalf("batch that ends at %d is %q, append said %q", at, b.ID, all[at])
		}
	}
	if s := j.Stats(); s.Appends != 1600 || s.Hits != at || s.End != at || s.Durable != at || s.Syncs < s.Chunks {
		t.Errorf("stats %+v, want 1600 appends, %d hits", s, at)
	}
}

// On one core the committer must not take the first append that wakes it and leave the others for later chunks.
func TestGroupCommitOnOneCore(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const clients = 64
	for _, ack := range []journal.Ack{journal.AckSync, journal.AckWrite} {
		j := mustOpen(t, journal.Options{FS: new(journaltest.FS), Ack: ack})
		var wg sync.WaitGroup
		for i := range clients {
			wg.Go(func() {
				batch := journal.NewTraffic(uint64(i))
				for range 50 {
					mustAppend(t, j, batch(5))
					runtime.Gosched() // as a connection does between two requests
				}
			})
		}
		wg.Wait()
		s := j.Stats()
		if mean := float64(s.Appends) / float64(s.Chunks); mean < clients*3/4 {
			t.Errorf("ack mode %d: %.1f appends a chunk with %d clients, want nearly all of them", ack, mean, clients)
		}
	}
}

// With AckWrite Durable moves by the sync in the background only.
func TestAckWriteSyncsInBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := new(journaltest.FS)
		j := mustOpen(t, journal.Options{FS: fsys, Ack: journal.AckWrite})
		batch := journal.NewTraffic(1)
		mustAppend(t, j, batch(1)) // begins the segment, which syncs it
		for range 10 {
			mustAppend(t, j, batch(1))
		}
		if s := j.Stats(); s.Durable != 1 || s.End != 11 {
			t.Errorf("before the sync: durable %d, end %d, want 1, 11", s.Durable, s.End)
		}
		time.Sleep(201 * time.Millisecond)
		synctest.Wait()
		if s := j.Stats(); s.Durable != 11 || s.Syncs != 2 {
			t.Errorf("after 200 ms: durable %d, %d syncs, want 11, 2", s.Durable, s.Syncs)
		}
		time.Sleep(time.Hour)
		if s := j.Stats(); s.Syncs != 2 {
			t.Errorf("%d syncs in an idle hour", s.Syncs-2)
		}
	})
}

func TestLock(t *testing.T) {
	f := func(dir string, fsys journal.FS) {
		t.Helper()
		j, err := journal.Open(dir, journal.Options{FS: fsys})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := journal.Open(dir, journal.Options{FS: fsys}); !errors.Is(err, journal.ErrLocked) || !strings.Contains(err.Error(), dir) {
			t.Errorf("second open: %v", err)
		}
		mustClose(t, j)
		again, err := journal.Open(dir, journal.Options{FS: fsys})
		if err != nil {
			t.Fatal(err)
		}
		mustClose(t, again)
	}
	f(dir, new(journaltest.FS))
	f(t.TempDir(), journal.OS{})
}

func TestIdentity(t *testing.T) {
	fsys := new(journaltest.FS)
	j := mustOpen(t, journal.Options{FS: fsys})
	source := j.Source()
	if len(source) != 17 || source[0] != 'j' {
		t.Errorf("source %q", source)
	}
	mustAppend(t, j, journal.NewTraffic(1)(1))
	mustClose(t, j)
	identity := filepath.Join(dir, source, "IDENTITY")
	content := string(fsys.Bytes(identity))
	f := func(name, content, want string) {
		t.Helper()
		next := fsys.Kill()
		next.Put(name, []byte(content))
		j, err := journal.Open(dir, journal.Options{FS: next})
		if err == nil {
			j.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s with %q: %v, want %q", name, content, err, want)
		}
	}
	f(identity, strings.Replace(content, "j", "k", 2), "not that of this source")
	f(identity, content[:10], "not that of this source")
	f(identity, content+"more", "not that of this source")
	f(filepath.Join(dir, "j0123456789abcdef", "IDENTITY"), "", "more than one source")
	next := fsys.Kill()
	if err := next.Remove(identity); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Open(dir, journal.Options{FS: next}); err == nil {
		t.Error("a folder with segments and without IDENTITY was opened")
	}
	if got := fsys.Bytes(filepath.Join(dir, source, "nothing")); got != nil {
		t.Errorf("%q", got)
	}
}

// The journal works on a real file system, is closed in order and leaves nothing behind.
func TestOS(t *testing.T) {
	home := filepath.Join(t.TempDir(), "deep", "journal")
	batch := journal.NewTraffic(1)
	var want []heatmap.Batch
	for range 3 {
		j, err := journal.Open(home, journal.Options{SegmentBytes: 8 << 10})
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			want = append(want, batch(20))
			mustAppend(t, j, want[len(want)-1])
		}
		if diff := diffBatches(want, readBatches(t, j)); diff != "" {
			t.Fatal(diff)
		}
		mustClose(t, j)
	}
	rep, err := journal.Verify(t.Context(), nil, home, nil)
	if err != nil || rep.Hits != hitsOf(want) || rep.TailBytes != 0 || rep.Lost != 0 || len(rep.Superseded) != 0 {
		t.Errorf("verify: %+v, %v", rep, err)
	}
	entries, err := journal.OS{}.List(filepath.Join(home, rep.Source))
	if err != nil || len(entries) != rep.Segments+1 {
		t.Errorf("source folder holds %v, %v", entries, err)
	}
	r, err := journal.Open(home, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	reader, err := r.Read(0)
	if err != nil {
		t.Fatal(err)
	}
	var c heatmap.Chunk
	for range 1000 {
		if err = reader.Next(t.Context(), &c); err != nil || c.End() == r.Durable() {
			break
		}
	}
	if err = errors.Join(err, reader.Close()); err != nil && !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}
