package journal_test

import (
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"heatlog/heatmap"
	"heatlog/journal"
	"heatlog/journal/journaltest"
)

// frozenJournal gives a journal with two frozen sources and one that is written, each of some sealed segments and each
// begun a day after the one before.
func frozenJournal(t testing.TB, fsys *journaltest.FS, appends int) (j *journal.Journal, o journal.Options) {
	t.Helper()
	nowFn, now := clock()
	o = journal.Options{FS: fsys, Now: nowFn, SegmentBytes: 4 << 10}
	j = mustOpen(t, o)
	for n := range uint64(3) {
		if n > 0 {
			j = mustFreeze(t, j)
			*now += 24 * 3600 * 1000
		}
		fillMixed(t, j, now, n+1, appends)
	}
	if rep := mustSeal(t, j); rep.Segments < 6 || rep.Unsound > 0 {
		t.Fatalf("seal: %+v", rep)
	}
	return j, o
}

// wantSources fails unless what is kept of each source can be read, and nothing else.
func wantSources(t testing.TB, j *journal.Journal, fsys *journaltest.FS, first, end []uint64) {
	t.Helper()
	for i, l := range append(j.Frozen(), &j.Log) {
		if l.First() != first[i] || l.Durable() != end[i] {
			t.Fatalf("source %d is kept from %d to %d, want %d to %d", i, l.First(), l.Durable(), first[i], end[i])
		}
		if at, err := l.Since(0); err != nil || at != first[i] {
			t.Errorf("since the beginning: %d, %v, want %d", at, err, first[i])
		}
		gone := (*journal.PrunedError)(nil)
		if _, err := l.Read(0); first[i] > 0 && (!errors.As(err, &gone) || gone.First != first[i]) {
			t.Errorf("read of what was pruned: %v", err)
		}
		if i < len(j.Frozen()) {
			if hits, err := readFrozen(t.Context(), l); err != nil || hits != end[i]-first[i] {
				t.Errorf("%d hits of source %d, %v, want %d", hits, i, err, end[i]-first[i])
			}
		}
	}
	rep := mustVerify(t, fsys)
	for i, rep := range append(rep.Others, rep) {
		if rep.First != first[i] || rep.End != end[i] || rep.Hits != end[i]-first[i] || rep.Lost > 0 || len(rep.Manifest) > 0 || rep.TailBytes != 0 {
			t.Errorf("verify of source %d: %+v, want positions %d to %d", i, rep, first[i], end[i])
		}
	}
	lines, all := uint64(0), uint64(0)
	for i := range first {
		all += end[i] - first[i]
	}
	err := journal.Dump(t.Context(), fsys, dir, journal.Range{}, func([]byte) error { lines++; return nil }, nil)
	if err != nil || lines != all {
		t.Errorf("dump gives %d hits, %v, want %d", lines, err, all)
	}
}

// ends gives the end of each source.
func ends(j *journal.Journal) (all []uint64) {
	for _, l := range append(j.Frozen(), &j.Log) {
		all = append(all, l.Durable())
	}
	return all
}

// TestPruneFrozen prunes frozen sources to nothing, by age and by size: each still says where it ended, over restarts too.
func TestPruneFrozen(t *testing.T) {
	fsys := new(journaltest.FS)
	j, o := frozenJournal(t, fsys, 60)
	infos, err := journal.List(fsys, dir)
	if err != nil {
		t.Fatal(err)
	}
	end := ends(j)
	first := []uint64{0, 0, 0}
	again := func() {
		t.Helper()
		for range 2 {
			wantSources(t, j, fsys, first, end)
			mustClose(t, j)
			j = mustOpen(t, o)
		}
		mustSeal(t, j)
		wantSources(t, j, fsys, first, end)
	}
	follower, err := j.Frozen()[0].Read(0)
	if err != nil {
		t.Fatal(err)
	}
	defer follower.Close()
	again()

	total := int64(0)
	for _, info := range infos {
		total += info.Bytes
	}
	rep := mustPrune(t, j, journal.PruneOptions{KeepBytes: total - 1})
	if first[0] = infos[0].End; rep.Segments != 1 || rep.Hits != infos[0].End || rep.Bytes != infos[0].Bytes || rep.Held || rep.Unsealed {
		t.Fatalf("prune: %+v, want the oldest of %+v", rep, infos[0])
	}
	again()

	// What is needed of a frozen source stays, and for the size so does all that is newer.
	need := infos[1].End - 1
	only := func(source string) uint64 {
		if source == infos[0].Source {
			return need
		}
		return 1 << 60
	}
	if rep := mustPrune(t, j, journal.PruneOptions{KeepBytes: 1, Below: only}); rep.Segments != 0 || !rep.Held {
		t.Fatalf("prune: %+v, want all held", rep)
	}
	byAge := journal.PruneOptions{OlderThan: infos[len(infos)-1].First, Below: only}
	if rep = mustPrune(t, j, byAge); !rep.Held || rep.Segments == 0 {
		t.Fatalf("prune: %+v, want the first source held and the second one gone", rep)
	}
	if first[1], first[2] = end[1], j.First(); first[2] == 0 {
		t.Fatal("nothing of the active source was pruned")
	}
	again()
	need = infos[1].End
	if rep = mustPrune(t, j, byAge); !rep.Held || rep.Segments != 1 {
		t.Fatalf("prune: %+v, want one segment", rep)
	}
	first[0] = infos[1].End
	again()
	mustPrune(t, j, journal.PruneOptions{OlderThan: infos[len(infos)-1].First})
	first[0] = end[0]
	again()

	// A reader that was begun before learns that hits are gone, not that it is at the end.
	j2, _ := frozenJournal(t, new(journaltest.FS), 60)
	defer j2.Close()
	l := j2.Frozen()[0]
	r, err := l.Read(0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	mustPrune(t, j2, journal.PruneOptions{KeepBytes: 1})
	var c heatmap.Chunk
	for err == nil {
		err = r.Next(t.Context(), &c)
	}
	gone := (*journal.PrunedError)(nil)
	if !errors.As(err, &gone) || gone.Position != infos[0].End || gone.First != l.Durable() || c.End() != infos[0].End {
		t.Errorf("reader of a source that was pruned: %v after %d, want one pruned to %d", err, c.End(), l.Durable())
	}
	if r, err := l.Read(l.Durable()); err != nil {
		t.Error(err)
	} else if err := r.Next(t.Context(), &c); err != io.EOF {
		t.Errorf("reader at the end of a source that was pruned: %v", err)
	}
}

// A frozen segment that cannot be sealed keeps its own source and no other.
func TestPruneDamagedFrozen(t *testing.T) {
	fsys := new(journaltest.FS)
	o := journal.Options{FS: fsys, SegmentBytes: 6 << 10}
	j := mustOpen(t, o)
	_, now := clock()
	fillMixed(t, j, now, 1, 40)
	infos, err := journal.List(fsys, dir)
	if err != nil {
		t.Fatal(err)
	}
	j = mustFreeze(t, j)
	fillMixed(t, j, now, 2, 40)
	name := filepath.Join(dir, infos[0].Source, infos[0].Name)
	b := fsys.Bytes(name)
	b[len(b)/2] ^= 1
	fsys.Put(name, b)
	if rep := mustPrune(t, j, journal.PruneOptions{KeepBytes: 1}); rep.Segments != 0 || !rep.Unsealed {
		t.Fatalf("prune before sealing: %+v", rep)
	}
	if rep := mustSeal(t, j); rep.Unsound != 1 {
		t.Fatalf("seal: %+v", rep)
	}
	rep := mustPrune(t, j, journal.PruneOptions{KeepBytes: 1})
	if rep.Segments == 0 || !rep.Unsealed || j.First() == 0 || j.Frozen()[0].First() != 0 {
		t.Errorf("prune: %+v, kept from %d, frozen from %d", rep, j.First(), j.Frozen()[0].First())
	}
	mustClose(t, j)
}

// Whichever operation of pruning frozen sources fails, and however: what is kept can be read, in the running journal and
// after a power cut or the end of the process.
func TestEveryOperationOfPruningFrozenFails(t *testing.T) {
	base := new(journaltest.FS)
	j, o := frozenJournal(t, base, 14)
	end := ends(j)
	mustClose(t, j)
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			for n, more := 1, true; more; n++ {
				fsys := base.Clone()
				o.FS = fsys
				j := mustOpen(t, o)
				fsys.FailWhen(fault(n))
				_, _ = j.Prune(t.Context(), journal.PruneOptions{KeepBytes: 1})
				more = fsys.Ops() >= n
				fsys.FailWhen(nil)
				for _, after := range []*journaltest.FS{fsys.Clone(), fsys.Clone().Crash(nil), fsys.Clone().Crash(rand.New(rand.NewPCG(uint64(n), 1)))} {
					o.FS = after
					next := mustOpen(t, o)
					for i, l := range append(next.Frozen(), &next.Log) {
						if l.Durable() != end[i] {
							t.Fatalf("operation %d: source %d ends at %d, not %d", n, i, l.Durable(), end[i])
						}
						if i == 2 {
							continue
						}
						if hits, err := readFrozen(t.Context(), l); err != nil || hits != end[i]-l.First() {
							t.Fatalf("operation %d: %d hits of source %d from %d, %v", n, hits, i, l.First(), err)
						}
					}
					if n%5 > 0 && more {
						mustClose(t, next)
						continue
					}
					mustPrune(t, next, journal.PruneOptions{KeepBytes: 1})
					wantSources(t, next, after, []uint64{end[0], end[1], next.First()}, end)
					mustClose(t, next)
				}
				_ = j.Close()
			}
		})
	}
}
