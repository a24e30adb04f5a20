package journal_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/journal"
	"heatlog/journal/journaltest"
)

// sealedJournal gives a journal of some sealed segments, what it holds and their bases, and the end.
func sealedJournal(t testing.TB, fsys *journaltest.FS) (j *journal.Journal, chunks []heatmap.Chunk, infos []journal.SegmentInfo) {
	t.Helper()
	nowFn, now := clock()
	j = mustOpen(t, journal.Options{FS: fsys, Now: nowFn, SegmentBytes: 16 << 10})
	fillMixed(t, j, now, 1, 250)
	mustSeal(t, j)
	infos, err := journal.List(fsys, dir)
	if err != nil || len(infos) < 5 {
		t.Fatal(infos, err)
	}
	return j, readTo(t, j, 0, j.Durable()), infos
}

func mustPrune(t testing.TB, j *journal.Journal, o journal.PruneOptions) journal.PruneReport {
	t.Helper()
	rep, err := j.Prune(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// from gives the chunks from a position on.
func from(chunks []heatmap.Chunk, pos uint64) []heatmap.Chunk {
	i := slices.IndexFunc(chunks, func(c heatmap.Chunk) bool { return c.Position >= pos })
	return chunks[i:]
}

func TestPrune(t *testing.T) {
	fsys := new(journaltest.FS)
	j, chunks, infos := sealedJournal(t, fsys)
	check := func(rep journal.PruneReport, first int) {
		t.Helper()
		if rep.First != infos[first].Base || j.First() != rep.First {
			t.Fatalf("prune: %+v, first %d, want %d", rep, j.First(), infos[first].Base)
		}
		after := mustVerify(t, fsys)
		if after.First != rep.First || after.Hits != j.Durable()-rep.First {
			t.Fatalf("verify: %+v", after)
		}
		sameChunks(t, from(chunks, rep.First), readTo(t, j, rep.First, j.Durable()))
		if first < len(infos)-1 {
			checkManifest(t, fsys)
		}
	}
	follower, err := j.Read(0)
	if err != nil {
		t.Fatal(err)
	}
	defer follower.Close()
	check(mustPrune(t, j, journal.PruneOptions{}), 0)
	check(mustPrune(t, j, journal.PruneOptions{OlderThan: infos[0].Last}), 0)
	rep := mustPrune(t, j, journal.PruneOptions{OlderThan: infos[0].Last + 1})
	if check(rep, 1); rep.Segments != 1 || rep.Hits != infos[0].End || rep.Bytes != infos[0].Bytes || rep.Held {
		t.Errorf("prune: %+v, want one of %+v", rep, infos[0])
	}
	need := infos[2].End - 1
	rep = mustPrune(t, j, journal.PruneOptions{KeepBytes: 1, Below: func(string) uint64 { return need }})
	if check(rep, 2); !rep.Held || rep.Segments != 1 {
		t.Errorf("prune: %+v, want the rest held", rep)
	}
	need = infos[2].End
	check(mustPrune(t, j, journal.PruneOptions{KeepBytes: 1, Below: func(string) uint64 { return need }}), 3)

	// One who has the file open reads on to its end; what is missing behind it is told.
	var c heatmap.Chunk
	for c.End() < infos[0].End {
		if err := follower.Next(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
	}
	pruned := (*journal.PrunedError)(nil)
	if err := follower.Next(t.Context(), &c); !errors.As(err, &pruned) || pruned.Position != infos[0].End || pruned.First != infos[3].Base {
		t.Errorf("reader of what was pruned: %v", err)
	}
	if _, err := j.Read(infos[1].Base); !errors.As(err, &pruned) || !errors.Is(err, journal.ErrPosition) {
		t.Errorf("read of what was pruned: %v", err)
	}
	if at, err := j.Since(0); err != nil || at != infos[3].Base {
		t.Errorf("since: %d, %v", at, err)
	}

	// The last segment stays, and so it does over a restart.
	rep = mustPrune(t, j, journal.PruneOptions{KeepBytes: 1})
	check(rep, len(infos)-1)
	mustClose(t, j)
	j = mustOpen(t, journal.Options{FS: fsys})
	check(mustPrune(t, j, journal.PruneOptions{KeepBytes: 1}), len(infos)-1)
}

// A segment that is not sealed ends a prune.
func TestPruneLeavesUnsealed(t *testing.T) {
	fsys := new(journaltest.FS)
	nowFn, now := clock()
	j := mustOpen(t, journal.Options{FS: fsys, Now: nowFn, SegmentBytes: 8 << 10})
	fillMixed(t, j, now, 1, 60)
	if rep := mustPrune(t, j, journal.PruneOptions{KeepBytes: 1}); !rep.Unsealed || rep.Segments != 0 || j.First() != 0 {
		t.Errorf("prune: %+v", rep)
	}
}

// Whichever operation of sealing and pruning fails, and however: nothing is lost, nothing is doubled, in the running
// journal and after a power cut or the end of the process.
func TestEveryOperationOfSealingFails(t *testing.T) {
	base := new(journaltest.FS)
	nowFn, now := clock()
	o := journal.Options{FS: base, Now: nowFn, SegmentBytes: 6 << 10}
	j := mustOpen(t, o)
	fillMixed(t, j, now, 3, 24)
	if rep := mustSeal(t, j); rep.Segments < 2 {
		t.Fatalf("seal: %+v", rep)
	}
	fillMixed(t, j, now, 4, 24)
	want := readTo(t, j, 0, j.Durable())
	mustClose(t, j)
	row := journaltest.Begin(t, "n-th file operation of sealing fails", 0, 0)
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			for n := 1; failSealing(t, base, n, fault(n), want); n++ {
				row.Done(1)
			}
		})
	}
}

// failSealing seals and prunes with operation n failing; more is false when there are fewer.
func failSealing(t *testing.T, base *journaltest.FS, n int, plan func(journaltest.Op) (journaltest.Fault, bool), want []heatmap.Chunk) (more bool) {
	t.Helper()
	fsys := base.Clone()
	j := mustOpen(t, journal.Options{FS: fsys, SegmentBytes: 6 << 10})
	full := j.Durable()
	need := want[len(want)/2].Position
	fsys.FailWhen(plan)
	j.Seal(t.Context())
	j.Prune(t.Context(), journal.PruneOptions{KeepBytes: 1, Below: func(string) uint64 { return need }})
	more = fsys.Ops() >= n
	fsys.FailWhen(nil)
	if j.Durable() != full || j.First() > need {
		t.Fatalf("operation %d: positions %d to %d, were up to %d, needed from %d", n, j.First(), j.Durable(), full, need)
	}
	for end, after := range []*journaltest.FS{fsys.Clone(), fsys.Clone().Crash(nil), fsys.Clone().Crash(rand.New(rand.NewPCG(uint64(n), 1)))} {
		next := mustOpen(t, journal.Options{FS: after, SegmentBytes: 6 << 10})
		if next.Durable() != full || next.First() > need || next.First() > j.First() {
			t.Fatalf("operation %d, end %d: positions %d to %d, were %d to %d", n, end, next.First(), next.Durable(), j.First(), full)
		}
		sameChunks(t, from(want, next.First()), readTo(t, next, next.First(), full))
		if n%5 == 0 || !more {
			mustSeal(t, next)
			mustPrune(t, next, journal.PruneOptions{KeepBytes: 1, Below: func(string) uint64 { return need }})
			mustVerify(t, after)
			sameChunks(t, from(want, next.First()), readTo(t, next, next.First(), full))
		}
		mustClose(t, next)
	}
	if _, err := fsys.Lock("another"); n%5 == 0 && err == nil { // the journal itself goes on once the disk does
		mustSeal(t, j)
		sameChunks(t, from(want, j.First()), readTo(t, j, j.First(), full))
		mustVerify(t, fsys)
	}
	_ = j.Close()
	return more
}

// A follower whose position is told to Prune never loses its place; one whose is not gets a PrunedError or all that is left.
func TestReadWhilePruning(t *testing.T) {
	fsys := new(journaltest.FS)
	j := mustOpen(t, journal.Options{FS: fsys, SegmentBytes: 8 << 10})
	const hits = 5000
	var at atomic.Uint64
	var wg sync.WaitGroup
	wg.Go(func() {
		batch := journal.NewTraffic(1)
		for range hits / 10 {
			mustAppend(t, j, batch(10))
		}
	})
	wg.Go(func() {
		for at.Load() < hits && !t.Failed() {
			mustSeal(t, j)
			mustPrune(t, j, journal.PruneOptions{KeepBytes: 1, Below: func(string) uint64 { return at.Load() }})
		}
	})
	wg.Go(func() {
		r, err := j.Read(0)
		if err != nil {
			t.Error(err)
			return
		}
		defer r.Close()
		var c heatmap.Chunk
		for c.End() < hits {
			want := c.End()
			if err := r.Next(t.Context(), &c); err != nil || c.Position != want {
				t.Errorf("follower at %d: position %d, %v", want, c.Position, err)
				return
			}
			at.Store(c.End())
		}
	})
	wg.Go(func() {
		for at.Load() < hits && !t.Failed() {
			r, err := j.Read(j.First())
			if err != nil {
				if !errors.As(err, new(*journal.PrunedError)) {
					t.Error(err)
				}
				continue
			}
			var c heatmap.Chunk
			for range 50 {
				if at.Load() == hits || c.End() == hits {
					break
				}
				if err := r.Next(t.Context(), &c); err != nil {
					if !errors.As(err, new(*journal.PrunedError)) {
						t.Error(err)
					}
					break
				}
			}
			r.Close()
		}
	})
	wg.Wait()
	mustSeal(t, j)
	mustVerify(t, fsys)
	if j.First() == 0 {
		t.Error("nothing was pruned")
	}
}

// A segment that was given up does not come back when those that supersede it are gone.
func TestPruneForgetsSuperseded(t *testing.T) {
	fsys := new(journaltest.FS)
	j := mustOpen(t, journal.Options{FS: fsys, SegmentBytes: 4 << 10})
	batch := journal.NewTraffic(1)
	for j.Stats().Segments < 3 {
		mustAppend(t, j, batch(10))
	}
	mustClose(t, j)
	j = mustOpen(t, journal.Options{FS: fsys, SegmentBytes: 4 << 10})
	fsys.FailWhen(func(op journaltest.Op) (journaltest.Fault, bool) {
		return journaltest.EIO, op.Kind == "syncdir" || op.Kind == "remove"
	})
	if _, err := j.Append([]heatmap.Batch{batch(4)}); !errors.Is(err, journal.ErrUnavailable) {
		t.Fatal(err)
	}
	fsys.FailWhen(nil)
	for n := j.Stats().Segments; j.Stats().Segments < n+3; {
		mustAppend(t, j, batch(10))
	}
	if rep := mustVerify(t, fsys); len(rep.Superseded) != 1 {
		t.Fatalf("superseded: %q, want one", rep.Superseded)
	}
	mustSeal(t, j)
	rep := mustPrune(t, j, journal.PruneOptions{KeepBytes: 1})
	want := readTo(t, j, rep.First, j.Durable())
	after := mustOpen(t, journal.Options{FS: fsys.Kill()})
	if after.First() != rep.First {
		t.Fatalf("the journal begins at %d after a restart, at %d before", after.First(), rep.First)
	}
	sameChunks(t, want, readTo(t, after, rep.First, after.Durable()))
}

func TestStatsOfSealing(t *testing.T) {
	fsys := new(journaltest.FS)
	j, _, infos := sealedJournal(t, fsys)
	last := len(infos) - 1
	var bytes int64
	for _, info := range infos {
		bytes += info.Bytes
	}
	check := func(st journal.Stats) {
		t.Helper()
		if st.UnsealedSegments != 0 || st.UnsealedBytes != 0 || st.Bytes != bytes || st.Sealed.Running || st.Sealed.Error != "" {
			t.Errorf("stats: %+v, want %d bytes and nothing that is not sealed", st, bytes)
		}
	}
	st := j.Stats()
	if check(st); st.Sealed.Segments != uint64(last) || st.Sealed.Hits != infos[last].Base || st.Sealed.After >= st.Sealed.Before {
		t.Errorf("stats: %+v, want %d sealed segments", st.Sealed, last)
	}
	fsys.FailWhen(func(op journaltest.Op) (journaltest.Fault, bool) { return journaltest.EIO, op.Kind == "rename" })
	if _, err := j.Prune(t.Context(), journal.PruneOptions{KeepBytes: 1}); err == nil || j.Stats().Pruned.Error != err.Error() {
		t.Errorf("prune: %v, stats %+v", err, j.Stats().Pruned)
	}
	fsys.FailWhen(nil)
	rep := mustPrune(t, j, journal.PruneOptions{OlderThan: infos[0].Last + 1})
	bytes -= infos[0].Bytes
	st = j.Stats()
	if check(st); st.Pruned != (journal.PruneTotals{Segments: 1, Hits: infos[0].End, Bytes: uint64(infos[0].Bytes)}) || rep.Until != infos[0].Last {
		t.Errorf("stats: %+v, report %+v", st.Pruned, rep)
	}
	mustClose(t, j)
	bytes += 64 // the end of the last segment
	check(mustOpen(t, journal.Options{FS: fsys}).Stats())
}

// A segment is ended by its age, so that little traffic does not keep hits for ever.
func TestSegmentAge(t *testing.T) {
	nowFn, now := clock()
	j := mustOpen(t, journal.Options{FS: new(journaltest.FS), Now: nowFn, SegmentAge: time.Hour})
	batch := journal.NewTraffic(1)
	f := func(after time.Duration, segments int) {
		t.Helper()
		*now += after.Milliseconds()
		mustAppend(t, j, batch(1))
		if n := j.Stats().Segments; n != segments {
			t.Errorf("%d segments, want %d", n, segments)
		}
	}
	f(0, 1)
	f(time.Hour-time.Millisecond, 1)
	f(time.Millisecond, 2)
	f(time.Minute, 2)
	f(time.Hour, 3)
	mustSeal(t, j)
	if rep := mustPrune(t, j, journal.PruneOptions{OlderThan: *now}); rep.Segments != 2 || rep.First != j.Durable()-1 {
		t.Errorf("prune: %+v", rep)
	}
}
