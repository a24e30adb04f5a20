package journal_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"heatlog/heatmap"
	"heatlog/journal"
	"heatlog/journal/journaltest"
)

// fillMixed appends traffic, imports and hits with values of every size, at an append time that goes on by up to 3 s.
func fillMixed(t testing.TB, j *journal.Journal, now *int64, seed uint64, appends int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 9))
	batch := journal.NewTraffic(seed)
	for i := range appends {
		*now += r.Int64N(3000)
		a := []heatmap.Batch{batch(1 + i%20)}
		switch i % 9 {
		case 3:
			a = journal.WildBatches(r, 4)
		case 5:
			a = append(a, batch(3), batch(1))
		case 7:
			a = journal.ImportLines(seed+uint64(i), 30)
		}
		mustAppend(t, j, a...)
	}
}

// clock gives Options.Now and the time that it tells.
func clock() (func() time.Time, *int64) {
	now := int64(1_790_000_000_000)
	return func() time.Time { return time.UnixMilli(now) }, &now
}

func mustSeal(t testing.TB, j *journal.Journal) journal.SealReport {
	t.Helper()
	rep, err := j.Seal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func mustVerify(t testing.TB, fsys journal.FS) *journal.Report {
	t.Helper()
	rep, err := journal.Verify(t.Context(), fsys, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Lost != 0 || len(rep.Damages) > 0 || len(rep.Manifest) > 0 || rep.TailBytes != 0 {
		t.Fatalf("verify: %+v", rep)
	}
	return rep
}

// sameChunks fails unless both hold the same chunks, every field of them.
func sameChunks(t testing.TB, want, got []heatmap.Chunk) {
	t.Helper()
	if len(want) != len(got) {
		t.Fatalf("%d chunks, want %d", len(got), len(want))
	}
	for i := range want {
		if want[i].Position != got[i].Position || want[i].Appended != got[i].Appended || want[i].Count != got[i].Count {
			t.Fatalf("chunk %d: position %d, append time %d, %d hits; want %d, %d, %d", i, got[i].Position, got[i].Appended, got[i].Count,
				want[i].Position, want[i].Appended, want[i].Count)
		}
		if diff := diffBatches(want[i].Batches, got[i].Batches); diff != "" {
			t.Fatalf("chunk %d: %s", i, diff)
		}
	}
}

// What is sealed reads as it did before: every hit, batch, chunk, append time and position, from anywhere, after a restart
// too.
func TestSeal(t *testing.T) {
	seeds := journaltest.Times(3, 60)
	row := journaltest.Begin(t, "sealed segments read as before", seeds, 0)
	for seed := range uint64(seeds) {
		row.Done(1)
		fsys := new(journaltest.FS)
		nowFn, now := clock()
		o := journal.Options{FS: fsys, Now: nowFn, SegmentBytes: 32 << 10}
		j := mustOpen(t, o)
		fillMixed(t, j, now, seed, 400)
		want := readTo(t, j, 0, j.Durable())
		before := mustVerify(t, fsys)
		rep := mustSeal(t, j)
		if rep.Segments != before.Segments-1 || rep.Unsound != 0 || rep.After >= rep.Before {
			t.Fatalf("seal: %+v of %d segments", rep, before.Segments)
		}
		for range 2 {
			sameChunks(t, want, readTo(t, j, 0, j.Durable()))
			checkFrom(t, j, want, seed)
			if again := mustSeal(t, j); again.Segments != 0 || again.Listed != 0 {
				t.Fatalf("second seal: %+v", again)
			}
			after := mustVerify(t, fsys)
			if after.Hits != before.Hits || after.Chunks != before.Chunks || after.Sealed != rep.Segments || after.StoredBytes >= before.StoredBytes {
				t.Fatalf("verify: %+v, was %+v", after, before)
			}
			mustClose(t, j)
			j = mustOpen(t, o)
		}
		checkList(t, fsys, want)
		checkManifest(t, fsys)
		mustClose(t, j)
	}
}

// checkFrom reads and searches from many places.
func checkFrom(t *testing.T, j *journal.Journal, want []heatmap.Chunk, seed uint64) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 3))
	for range 40 {
		i := r.IntN(len(want))
		pos := want[i].Position + r.Uint64N(uint64(want[i].Count))
		got := readTo(t, j, pos, want[min(i+2, len(want)-1)].End())
		sameChunks(t, want[i:min(i+3, len(want))], got)
		since := want[i].Appended - r.Int64N(2)
		first := i
		for first > 0 && want[first-1].Appended >= since {
			first--
		}
		if at, err := j.Since(since); err != nil || at != want[first].Position {
			t.Fatalf("since %d: %d, %v, want %d", since, at, err, want[first].Position)
		}
	}
}

func checkList(t *testing.T, fsys *journaltest.FS, want []heatmap.Chunk) {
	t.Helper()
	infos, err := journal.List(fsys, dir)
	if err != nil {
		t.Fatal(err)
	}
	for i, info := range infos {
		n, first, last := 0, int64(0), int64(0)
		for _, c := range want {
			if c.Position >= info.Base && c.Position < info.End {
				if n++; n == 1 {
					first = c.Appended
				}
				last = c.Appended
			}
		}
		if info.Chunks != n || info.First != first || info.Last != last || info.Damaged || info.TailBytes != 0 || info.Sealed != (i < len(infos)-1) {
			t.Errorf("list: %+v, want %d chunks from %d to %d", info, n, first, last)
		}
	}
}

// checkManifest compares MANIFEST with the files, as sha256sum -c does.
func checkManifest(t *testing.T, fsys *journaltest.FS) {
	t.Helper()
	var sealed int
	for _, name := range fsys.Names() {
		if strings.HasSuffix(name, ".hjs") {
			line := fmt.Sprintf("\n%x  %s\n", sha256.Sum256(fsys.Bytes(name)), filepath.Base(name))
			if !strings.Contains(string(fsys.Bytes(filepath.Join(filepath.Dir(name), "MANIFEST"))), line) {
				t.Errorf("MANIFEST lacks %q", line)
			}
			sealed++
		}
		if strings.HasSuffix(name, ".tmp") || strings.HasSuffix(name, ".bad") {
			t.Errorf("%s was left", name)
		}
	}
	if sealed == 0 {
		t.Error("nothing is sealed")
	}
}

// Blocks of more than their usual number of hits, and segments of many blocks, come back as they were.
func TestSealLargeBlocks(t *testing.T) {
	fsys := new(journaltest.FS)
	j := mustOpen(t, journal.Options{FS: fsys, SegmentBytes: 2 << 20})
	for i := range 3 {
		mustAppend(t, j, journal.ImportLines(uint64(i), 25_000)...)
		mustAppend(t, j, journal.ImportLines(uint64(10+i), 60_000)...)
		mustAppend(t, j, journal.NewTraffic(uint64(i))(5))
	}
	long := journal.ImportLines(99, 700)
	for i := range long[0].Hits {
		long[0].Hits[i].URL = strings.Repeat(fmt.Sprint("u", i), 2000) // texts end a block too
	}
	mustAppend(t, j, long...)
	for i := range 10 {
		mustAppend(t, j, journal.ImportLines(uint64(100+i), 3000)...)
	}
	want := readTo(t, j, 0, j.Durable())
	if rep := mustSeal(t, j); rep.Segments < 1 || rep.Hits < 150_000 {
		t.Fatalf("seal: %+v", rep)
	}
	got := readTo(t, j, 0, j.Durable())
	for i := range want {
		if !reflect.DeepEqual(want[i], got[i]) {
			t.Fatalf("chunk %d differs", i)
		}
	}
	mustVerify(t, fsys)
}

// Strings of sealed hits stay when the reader goes on.
func TestSealedStringsStay(t *testing.T) {
	j := mustOpen(t, journal.Options{FS: new(journaltest.FS), SegmentBytes: 64 << 10})
	nowFn := int64(0)
	fillMixed(t, j, &nowFn, 5, 600)
	mustSeal(t, j)
	r, err := j.Read(0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var c heatmap.Chunk
	var kept, copied []string
	for c.End() < j.Durable() {
		if err := r.Next(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
		for _, b := range c.Batches {
			for _, h := range append([]heatmap.Hit{{URL: b.ID}}, b.Hits...) {
				for _, s := range append([]string{h.URL, h.View, h.Selector, h.ID}, h.Tags...) {
					kept, copied = append(kept, s), append(copied, strings.Clone(s))
				}
			}
		}
	}
	if !reflect.DeepEqual(kept, copied) {
		t.Error("strings changed while the reader went on")
	}
}

// Readers that hold the old file, that follow the tail and that begin anew go on while segments are sealed and pruned.
func TestReadWhileSealing(t *testing.T) {
	fsys := new(journaltest.FS)
	j := mustOpen(t, journal.Options{FS: fsys, SegmentBytes: 8 << 10, Seal: true})
	const batches = 600
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		batch := journal.NewTraffic(1)
		for range batches {
			mustAppend(t, j, batch(10))
		}
	})
	for n := range 3 {
		wg.Go(func() {
			r, err := j.Read(0)
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			same := journal.NewTraffic(1)
			var c heatmap.Chunk
			for at := uint64(0); at < batches*10; at = c.End() {
				if err := r.Next(ctx, &c); err != nil || c.Position != at {
					t.Errorf("reader %d at %d: %v, position %d", n, at, err, c.Position)
					return
				}
				for _, b := range c.Batches {
					if diff := diffBatches([]heatmap.Batch{same(10)}, []heatmap.Batch{b}); diff != "" {
						t.Error(diff)
						return
					}
				}
				if n == 1 && at%500 == 0 { // begins anew
					r.Close()
					if r, err = j.Read(c.End()); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			if rep, err := journal.Verify(ctx, fsys, dir, nil); err != nil || rep.Lost > 0 || len(rep.Damages) > 0 || rep.Hits != rep.End-rep.First {
				t.Errorf("verify: %+v, %v", rep, err)
			}
			if _, err := journal.List(fsys, dir); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	mustSeal(t, j)
	mustVerify(t, fsys)
	if infos, _ := journal.List(fsys, dir); len(infos) < 5 {
		t.Errorf("%d segments", len(infos))
	}
}

// A sealed segment that is not sound beside its source is put aside; a sound one ends its source.
func TestPairs(t *testing.T) {
	s := newSealedSpecimen(t, 8<<10, 60)
	active := strings.TrimSuffix(s.sealed, "s")
	for _, damage := range []bool{false, true} {
		sealed := append([]byte(nil), s.files[s.sealed]...)
		if damage {
			sealed[300] ^= 1
		}
		fsys := s.with(s.sealed, sealed)
		fsys.Put(active, s.source)
		rep := mustVerifyPair(t, fsys, s)
		if want := 1 - b2i(damage); rep.Sealed != want {
			t.Errorf("damage %v: %d sealed segments", damage, rep.Sealed)
		}
		j := mustOpen(t, journal.Options{FS: fsys})
		sameChunks(t, s.chunks, readTo(t, j, 0, j.Durable()))
		if had := fsys.Bytes(active) != nil; had != damage {
			t.Errorf("damage %v: source is there: %v", damage, had)
		}
		if aside := fsys.Bytes(s.sealed+".bad") != nil; aside != damage {
			t.Errorf("damage %v: set aside: %v", damage, aside)
		}
		mustSeal(t, j)
		mustClose(t, j)
		mustVerify(t, fsys)
	}
}

func mustVerifyPair(t *testing.T, fsys *journaltest.FS, s *sealedSpecimen) *journal.Report {
	t.Helper()
	rep, err := journal.Verify(t.Context(), fsys, dir, nil)
	if err != nil || rep.Lost != 0 || len(rep.Damages) > 0 || rep.Hits != s.end {
		t.Fatalf("verify: %+v, %v", rep, err)
	}
	return rep
}

// A damaged segment is not sealed, so that nothing of it is lost for good.
func TestDamagedIsNotSealed(t *testing.T) {
	s := newSpecimen(t, 0, 8<<10, true)
	s.files[s.paths[0]][1000] ^= 1
	fsys := s.with("", nil)
	j := mustOpen(t, journal.Options{FS: fsys})
	rep := mustSeal(t, j)
	if rep.Segments != 0 || rep.Unsound != 1 || !errors.As(rep.UnsoundErrs[0], new(*journal.CorruptError)) {
		t.Errorf("seal: %+v", rep)
	}
	if fsys.Bytes(s.paths[0]) == nil || fsys.Bytes(s.paths[0]+"s") != nil {
		t.Error("a damaged segment was replaced")
	}
}

// A sealed segment of a later version is refused or read as its feature bits say, never skipped.
func TestSealedFeatures(t *testing.T) {
	s := newSealedSpecimen(t, 8<<10, 60)
	f := func(at int, wantOpen func(error) bool) {
		t.Helper()
		b := append([]byte(nil), s.files[s.sealed]...)
		b[at] |= 0x10
		journal.FixHeader(b)
		fsys := s.with(s.sealed, b)
		j, err := journal.Open(dir, journal.Options{FS: fsys})
		if !wantOpen(err) {
			t.Errorf("byte %d: open: %v", at, err)
		}
		if err == nil {
			sameChunks(t, s.chunks, readTo(t, j, 0, j.Durable()))
			mustClose(t, j)
		}
	}
	f(32, func(err error) bool { return errors.As(err, new(*journal.VersionError)) })
	f(40, func(err error) bool { return errors.Is(err, journal.ErrReadOnly) })
	f(48, func(err error) bool { return err == nil })
}

// A failure to seal in the background is logged once, tried again and ends nothing.
func TestSealingInTheBackgroundFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := new(journaltest.FS)
		var log bytes.Buffer
		var healed atomic.Bool
		fsys.FailWhen(func(op journaltest.Op) (journaltest.Fault, bool) {
			return journaltest.EIO, !healed.Load() && op.Kind == "rename" && strings.HasSuffix(op.Name, ".hjs")
		})
		j := mustOpen(t, journal.Options{FS: fsys, SegmentBytes: 4 << 10, Seal: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		batch := journal.NewTraffic(1)
		for j.Stats().Segments < 4 {
			mustAppend(t, j, batch(10))
		}
		time.Sleep(10*time.Minute + 30*time.Second)
		if st := j.Stats(); st.UnsealedSegments != 3 || st.UnsealedBytes == 0 || st.Sealed.Error == "" || st.Sealed.Running {
			t.Errorf("stats while sealing fails: %+v", st)
		}
		healed.Store(true)
		time.Sleep(2 * time.Minute)
		if st := j.Stats(); st.UnsealedSegments != 0 || st.UnsealedBytes != 0 || st.Sealed.Error != "" || st.Sealed.Segments != 3 {
			t.Errorf("stats after: %+v", st)
		}
		mustClose(t, j)
		for text, want := range map[string]int{"sealing failed": 1, "sealing works again": 1} {
			if n := strings.Count(log.String(), text); n != want {
				t.Errorf("%q is logged %d times, want %d:\n%s", text, n, want, &log)
			}
		}
	})
}
