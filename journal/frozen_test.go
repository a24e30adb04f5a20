package journal_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"heatlog/heatmap"
	"heatlog/journal"
	"heatlog/journal/journaltest"
)

func mustFreeze(t testing.TB, j *journal.Journal) *journal.Journal {
	t.Helper()
	next, err := j.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// readFrozen gives all hits of a frozen source, and expects its reader to end.
func readFrozen(ctx context.Context, l *journal.Log) (hits uint64, err error) {
	r, err := l.Read(l.First())
	if err != nil {
		return 0, err
	}
	defer r.Close()
	var c heatmap.Chunk
	for {
		switch err := r.Next(ctx, &c); {
		case errors.Is(err, io.EOF):
			return hits, nil
		case err != nil:
			return hits, err
		}
		hits += uint64(c.Count)
	}
}

// TestFreeze freezes a journal twice: what was in it stays readable, is sealed, listed, verified and dumped, and is
// never written again.
func TestFreeze(t *testing.T) {
	fsys := new(journaltest.FS)
	o := journal.Options{FS: fsys, SegmentBytes: 4 << 10}
	j := mustOpen(t, o)
	first, batch := j.Source(), journal.NewTraffic(1)
	for range 10 {
		mustAppend(t, j, batch(20))
	}
	j = mustFreeze(t, j)
	second := j.Source()
	if second == first || j.Durable() != 0 || len(j.Frozen()) != 1 {
		t.Fatalf("source %s after %s, durable %d, %d frozen", second, first, j.Durable(), len(j.Frozen()))
	}
	mustAppend(t, j, batch(5))
	j = mustFreeze(t, j)
	mustAppend(t, j, batch(7))
	look := func() {
		t.Helper()
		var sources []string
		var hits []uint64
		for _, l := range j.Frozen() {
			n, err := readFrozen(t.Context(), l)
			if err != nil || n != l.Durable() {
				t.Fatalf("%d hits of %d, %v", n, l.Durable(), err)
			}
			if at, err := l.Since(1 << 60); err != nil || at != l.Durable() {
				t.Errorf("since the future is %d, %v", at, err)
			}
			sources, hits = append(sources, l.Source()), append(hits, n)
		}
		if !slices.Equal(sources, []string{first, second}) || !slices.Equal(hits, []uint64{200, 5}) || j.Durable() != 7 {
			t.Fatalf("frozen %v with %v, active has %d", sources, hits, j.Durable())
		}
	}
	look()
	mustClose(t, j)
	j = mustOpen(t, o)
	look()
	if rep := mustSeal(t, j); rep.Hits != 205 {
		t.Errorf("sealed %+v, want all frozen hits", rep)
	}
	look()
	mustClose(t, j)
	j = mustOpen(t, o)
	look()
	mustClose(t, j)
	if rep := mustVerify(t, fsys); rep.Hits != 7 || len(rep.Others) != 2 || rep.Others[0].Sealed != rep.Others[0].Segments {
		t.Errorf("verify %+v", rep)
	}
}

// TestFrozenIsInspected looks at frozen sources as tools do.
func TestFrozenIsInspected(t *testing.T) {
	fsys := new(journaltest.FS)
	j := mustOpen(t, journal.Options{FS: fsys})
	first, batch := j.Source(), journal.NewTraffic(1)
	mustAppend(t, j, batch(20))
	j = mustFreeze(t, j)
	mustAppend(t, j, batch(7))
	defer j.Close()
	infos, err := journal.List(fsys, dir)
	if err != nil || len(infos) != 2 || infos[0].Source != first || !infos[0].Frozen || infos[1].Source != j.Source() || infos[1].Frozen {
		t.Errorf("list %+v, %v", infos, err)
	}
	rep, err := journal.Verify(t.Context(), fsys, dir, nil)
	if err != nil || rep.Hits != 7 || rep.Frozen || len(rep.Others) != 1 || rep.Others[0].Hits != 20 || !rep.Others[0].Frozen {
		t.Errorf("verify %+v, %v", rep, err)
	}
	var lines []string
	err = journal.Dump(t.Context(), fsys, dir, journal.Range{From: 5}, func(line []byte) error {
		lines = append(lines, string(line[:strings.IndexByte(string(line), ' ')]))
		return nil
	}, nil)
	if err != nil || len(lines) != 17 || lines[0] != first+":5" || lines[16] != j.Source()+":6" {
		t.Errorf("dumped %v, %v", lines, err)
	}
}

// TestFreezeEnds looks at what a journal can and cannot do after it was frozen.
func TestFreezeEnds(t *testing.T) {
	fsys := new(journaltest.FS)
	j := mustOpen(t, journal.Options{FS: fsys})
	batch := journal.NewTraffic(1)
	mustAppend(t, j, batch(20))
	next := mustFreeze(t, j)
	if _, err := j.Append([]heatmap.Batch{batch(1)}); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("append to a frozen journal: %v", err)
	}
	mustClose(t, j) // does nothing: the lock is the next one's
	if _, err := journal.Open(dir, journal.Options{FS: fsys}); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("open beside: %v", err)
	}
	mustClose(t, next)
	if _, err := next.Freeze(); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("freeze of a closed journal: %v", err)
	}
	marker := filepath.Join(dir, j.Source()+".frozen")
	f := func(content string) {
		t.Helper()
		damaged := fsys.Kill()
		damaged.Put(marker, []byte(content))
		again := mustOpen(t, journal.Options{FS: damaged})
		defer again.Close()
		if again.Source() != next.Source() || len(again.Frozen()) != 1 {
			t.Errorf("with %q: source %s, %d frozen", content, again.Source(), len(again.Frozen()))
		}
	}
	f("")
	f("order x\n")
	f(string(fsys.Bytes(marker)))
	unmarked := fsys.Kill()
	if err := unmarked.Remove(marker); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Open(dir, journal.Options{FS: unmarked}); err == nil || !strings.Contains(err.Error(), "more than one source") {
		t.Errorf("two sources to write: %v", err)
	}
}

// TestFreezeFails fails every operation of a freeze, each way: whatever is found after it holds all hits once, can be
// frozen, and has one source that is written.
func TestFreezeFails(t *testing.T) {
	for _, fault := range []journaltest.Fault{journaltest.EIO, journaltest.ENOSPC, journaltest.ShortWrite, journaltest.Unknown, journaltest.Die} {
		for n := 1; failFreeze(t, n, fault); n++ {
		}
	}
}

func failFreeze(t *testing.T, n int, fault journaltest.Fault) (more bool) {
	synctest.Test(t, func(t *testing.T) {
		fsys := new(journaltest.FS)
		j := mustOpen(t, journal.Options{FS: fsys})
		first, batch := j.Source(), journal.NewTraffic(1)
		mustAppend(t, j, batch(20))
		mustClose(t, j)
		fsys = fsys.Kill()
		j = mustOpen(t, journal.Options{FS: fsys})
		before := fsys.Ops()
		fsys.FailAt(before+n, fault)
		next, err := j.Freeze()
		more = fsys.Ops() >= before+n
		if err == nil {
			next.Close()
		}
		for i, after := range []*journaltest.FS{fsys.Crash(nil), fsys.Crash(rand.New(rand.NewPCG(uint64(n), 1))), fsys.Kill()} {
			if err := checkFrozen(t, after, first); err != nil {
				t.Fatalf("fault %d at operation %d, end %d: %v", fault, n, i, err)
			}
		}
	})
	return more
}

// checkFrozen opens a journal in which a freeze was tried, freezes it if it is not, and opens it again.
func checkFrozen(t *testing.T, fsys *journaltest.FS, first string) error {
	j, err := journal.Open(dir, journal.Options{FS: fsys})
	if err != nil {
		return err
	}
	if j.Source() == first {
		if j, err = j.Freeze(); err != nil {
			return fmt.Errorf("freeze again: %w", err)
		}
	}
	mustAppend(t, j, journal.NewTraffic(2)(1))
	mustClose(t, j)
	fsys = fsys.Crash(nil)
	if j, err = journal.Open(dir, journal.Options{FS: fsys}); err != nil {
		return err
	}
	defer j.Close()
	frozen := j.Frozen()
	if len(frozen) != 1 || frozen[0].Source() != first || j.Source() == first || j.Durable() == 0 {
		return fmt.Errorf("%d frozen, %d hits in %s", len(frozen), j.Durable(), j.Source())
	}
	if hits, err := readFrozen(t.Context(), frozen[0]); err != nil || hits != 20 {
		return fmt.Errorf("%d frozen hits, %w", hits, err)
	}
	return nil
}

// TestFrozenTail freezes a journal whose tail was torn, as in a copy that was made while it was written.
func TestFrozenTail(t *testing.T) {
	fsys := new(journaltest.FS)
	j := mustOpen(t, journal.Options{FS: fsys})
	batch := journal.NewTraffic(1)
	mustAppend(t, j, batch(20))
	mustAppend(t, j, batch(20))
	infos, err := journal.List(fsys, dir)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, infos[0].Source, infos[0].Name)
	whole := fsys.Bytes(path)
	torn := fsys.Kill()
	torn.Put(path, whole[:len(whole)-40])
	j = mustFreeze(t, mustOpen(t, journal.Options{FS: torn}))
	mustAppend(t, j, batch(3))
	mustClose(t, j)
	torn = torn.Crash(nil)
	torn.Put(path, whole[:len(whole)-48]) // the torn copy is put back once more, without what says that it is frozen
	j = mustOpen(t, journal.Options{FS: torn})
	defer j.Close()
	if hits, err := readFrozen(t.Context(), j.Frozen()[0]); err != nil || hits != 20 || j.Durable() != 3 {
		t.Errorf("%d frozen hits, %d active, %v", hits, j.Durable(), err)
	}
}
