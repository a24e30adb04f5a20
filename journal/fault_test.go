package journal_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"heatlog/heatmap"
	"heatlog/journal"
	"heatlog/journal/journaltest"
)

// ledger is what clients know: which batches were acknowledged, and what readers have seen.
type ledger struct {
	mu       sync.Mutex
	next     int
	sent     map[string]heatmap.Batch
	acked    map[string]uint64 // batch id → position after it
	seen     []string          // batch ids in the order in which they were read
	seenHits uint64
}

func newLedger() *ledger {
	return &ledger{sent: map[string]heatmap.Batch{}, acked: map[string]uint64{}}
}

// append sends a batch and notes the answer.
func (l *ledger) append(j *journal.Journal, b heatmap.Batch) error {
	l.mu.Lock()
	l.next++
	b.ID = fmt.Sprintf("b%d", l.next)
	l.sent[b.ID] = b
	l.mu.Unlock()
	end, err := j.Append([]heatmap.Batch{b})
	if err == nil {
		l.mu.Lock()
		l.acked[b.ID] = end
		l.mu.Unlock()
	}
	return err
}

// read takes in what a reader of the tail can see now. Reads may fail while the disk does.
func (l *ledger) read(j *journal.Journal) {
	r, err := j.Read(l.seenHits)
	if err != nil {
		return
	}
	defer r.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var c heatmap.Chunk
	for r.Next(ctx, &c) == nil {
		for _, b := range c.Batches {
			l.seen = append(l.seen, b.ID)
		}
		l.seenHits = c.End()
	}
}

// check reads a recovered journal: what was acknowledged must be there once at its position, all else at most once, and
// what was seen must be its start. With lossy, what was acknowledged may be missing at the end.
func (l *ledger) check(j *journal.Journal, lossy bool) error {
	var order []string
	at := map[string]uint64{}
	r, err := j.Read(0)
	if err != nil {
		return err
	}
	defer r.Close()
	var c heatmap.Chunk
	for end := uint64(0); end < j.Durable(); end = c.End() {
		if err := r.Next(context.Background(), &c); err != nil {
			return err
		}
		pos := c.Position
		for _, b := range c.Batches {
			if pos += uint64(len(b.Hits)); at[b.ID] > 0 {
				return fmt.Errorf("batch %s is there twice", b.ID)
			}
			if diff := diffBatches([]heatmap.Batch{l.sent[b.ID]}, []heatmap.Batch{b}); diff != "" {
				return fmt.Errorf("batch %s: %s", b.ID, diff)
			}
			at[b.ID] = pos
			order = append(order, b.ID)
		}
	}
	for id, end := range l.acked {
		if at[id] != end && !(lossy && at[id] == 0 && end > l.seenHits) {
			return fmt.Errorf("batch %s was acknowledged with end %d, is at %d of %d", id, end, at[id], j.Durable())
		}
	}
	if len(order) < len(l.seen) || !slices.Equal(l.seen, order[:len(l.seen)]) {
		return fmt.Errorf("read %d batches %v, now there are %v", len(l.seen), l.seen, order)
	}
	return nil
}

// script is a fixed run: two sessions of appends with rotations, the first one closed in order.
func script(fsys *journaltest.FS, ack journal.Ack, l *ledger) {
	o := journal.Options{FS: fsys, Ack: ack, SegmentBytes: 4 << 10, SyncEvery: 10 * time.Millisecond}
	batch := journal.NewTraffic(1)
	for range 2 {
		j, err := journal.Open(dir, o)
		if err != nil {
			if j, err = journal.Open(dir, o); err != nil {
				continue
			}
		}
		for i := range 14 {
			if err := l.append(j, batch(10+i)); err != nil && !errors.Is(err, journal.ErrUnavailable) {
				panic(err)
			}
			if ack == journal.AckWrite && i%5 == 4 {
				time.Sleep(11 * time.Millisecond) // lets the sync in the background run
				synctest.Wait()
			}
			l.read(j)
		}
		j.Close()
	}
}

// faults are the shapes of failure that the script is run with, by the number of the operation that fails first.
var faults = map[string]func(n int) func(journaltest.Op) (journaltest.Fault, bool){
	"eio once":    once(journaltest.EIO),
	"enospc once": once(journaltest.ENOSPC),
	"short once":  once(journaltest.ShortWrite),
	"lie once":    once(journaltest.Unknown),
	"eio 4":       times(journaltest.EIO, 4),
	"enospc 30":   times(journaltest.ENOSPC, 30),
	"lie 7":       times(journaltest.Unknown, 7),
	"eio ever":    times(journaltest.EIO, 1<<30),
	"short ever":  times(journaltest.ShortWrite, 1<<30),
	"die":         times(journaltest.Die, 1<<30),
}

func once(f journaltest.Fault) func(int) func(journaltest.Op) (journaltest.Fault, bool) {
	return times(f, 1)
}

func times(f journaltest.Fault, count int) func(int) func(journaltest.Op) (journaltest.Fault, bool) {
	return func(n int) func(journaltest.Op) (journaltest.Fault, bool) {
		return func(op journaltest.Op) (journaltest.Fault, bool) { return f, op.N >= n && op.N < n+count }
	}
}

// Whichever operation fails, and however: no false acknowledgement, no panic, and after a crash the journal opens with
// every acknowledged batch once.
func TestEveryOperationFails(t *testing.T) {
	row := journaltest.Begin(t, "n-th file operation of a journal fails", 0, 0)
	for _, ack := range []journal.Ack{journal.AckSync, journal.AckWrite} {
		for name, fault := range faults {
			t.Run(fmt.Sprintf("%s/ack%d", name, ack), func(t *testing.T) {
				for n := 1; failOperation(t, ack, n, fault(n)); n++ {
					row.Done(1)
				}
			})
		}
	}
}

// failOperation runs the script with operation n failing; more is false when the script has fewer.
func failOperation(t *testing.T, ack journal.Ack, n int, plan func(journaltest.Op) (journaltest.Fault, bool)) (more bool) {
	synctest.Test(t, func(t *testing.T) {
		fsys, l := new(journaltest.FS), newLedger()
		fsys.FailWhen(plan)
		script(fsys, ack, l)
		more = fsys.Ops() >= n
		for i, after := range []*journaltest.FS{fsys.Crash(nil), fsys.Crash(rand.New(rand.NewPCG(uint64(n), 1))), fsys.Kill()} {
			j, err := journal.Open(dir, journal.Options{FS: after})
			if err != nil {
				t.Fatalf("operation %d, end %d: %v", n, i, err)
			}
			powerCut := i < 2
			if err := l.check(j, powerCut && ack == journal.AckWrite); err != nil {
				t.Fatalf("operation %d, end %d: %v", n, i, err)
			}
			if _, err := j.Append([]heatmap.Batch{journal.NewTraffic(2)(1)}); err != nil {
				t.Fatalf("operation %d, end %d: append after recovery: %v", n, i, err)
			}
			mustClose(t, j)
			rep, err := journal.Verify(t.Context(), after, dir, nil)
			if err != nil || rep.Lost != 0 || rep.TailBytes != 0 {
				t.Fatalf("operation %d, end %d: verify %+v, %v", n, i, rep, err)
			}
			checkAfterPowerCut(t, after, rep)
		}
	})
	return more
}

// checkAfterPowerCut cuts the power after a recovery: what that has published must be on the disk.
func checkAfterPowerCut(t *testing.T, fsys *journaltest.FS, before *journal.Report) {
	t.Helper()
	rep, err := journal.Verify(t.Context(), fsys.Crash(nil), dir, nil)
	if err != nil || rep.Hits != before.Hits || rep.Lost != 0 {
		t.Fatalf("after recovery %+v, after a power cut %+v, %v", before, rep, err)
	}
}

// Many clients, a process that ends at a random moment, again and again on what the last one left; the power goes with it
// or not. Nothing acknowledged is lost, nothing is there twice.
func TestCrashesUnderLoad(t *testing.T) {
	journals, seed := journaltest.Times(2, 60), journaltest.Seed(t, 1)
	row := journaltest.Begin(t, "crashes of a journal under load", 2*journals, seed)
	for _, ack := range []journal.Ack{journal.AckSync, journal.AckWrite} {
		for n := range journals {
			crashAgainAndAgain(t, ack, seed+uint64(n))
			row.Done(1)
		}
	}
}

func crashAgainAndAgain(t *testing.T, ack journal.Ack, seed uint64) {
	const rounds = 30
	r := rand.New(rand.NewPCG(uint64(ack), seed))
	fsys, l := new(journaltest.FS), newLedger()
	for round := range rounds {
		fsys.FailAt(1+r.IntN(250), journaltest.Die)
		runClients(t, fsys, ack, l, seed*rounds+uint64(round))
		// AckWrite promises nothing about power, so there only the process ends.
		if ack == journal.AckSync && round%3 > 0 {
			fsys = fsys.Crash([]*rand.Rand{nil, r}[round%2])
		} else {
			fsys = fsys.Kill()
		}
		j, err := journal.Open(dir, journal.Options{FS: fsys})
		if err != nil {
			t.Fatalf("seed %d, round %d: %v", seed, round, err)
		}
		if err := l.check(j, false); err != nil {
			t.Fatalf("seed %d, round %d: %v", seed, round, err)
		}
		l.read(j)
		if round%4 == 0 {
			mustClose(t, j) // else it is left as if killed
		}
		fsys = fsys.Kill()
	}
	if len(l.acked) < 10*rounds {
		t.Errorf("seed %d: only %d batches were acknowledged in %d rounds", seed, len(l.acked), rounds)
	}
}

func runClients(t *testing.T, fsys *journaltest.FS, ack journal.Ack, l *ledger, seed uint64) {
	j, err := journal.Open(dir, journal.Options{FS: fsys, Ack: ack, SegmentBytes: 4 << 10, SyncEvery: time.Millisecond})
	if err != nil {
		if !errors.Is(err, journaltest.ErrDead) {
			t.Fatal(err)
		}
		return
	}
	var wg sync.WaitGroup
	for c := range 4 {
		wg.Go(func() {
			batch := journal.NewTraffic(seed*4 + uint64(c))
			for range 60 {
				if l.append(j, batch(8)) != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	l.read(j)
	j.Close()
}

// A full disk answers at once, keeps what is there readable, and works again by itself.
func TestDiskFull(t *testing.T) {
	for _, ack := range []journal.Ack{journal.AckSync, journal.AckWrite} {
		for _, fault := range []journaltest.Fault{journaltest.ENOSPC, journaltest.ShortWrite, journaltest.EIO} {
			synctest.Test(t, func(t *testing.T) {
				fsys, l := new(journaltest.FS), newLedger()
				j := mustOpen(t, journal.Options{FS: fsys, Ack: ack})
				batch := journal.NewTraffic(1)
				for range 5 {
					if err := l.append(j, batch(5)); err != nil {
						t.Fatal(err)
					}
				}
				fsys.FailFrom(1, fault)
				for range 5 {
					if err := l.append(j, batch(5)); !errors.Is(err, journal.ErrUnavailable) {
						t.Errorf("append on a full disk: %v", err)
					}
				}
				if end := j.Stats().End; end != 25 {
					t.Errorf("end %d while the disk is full, want 25", end)
				}
				fsys.FailWhen(nil)
				time.Sleep(time.Second) // AckWrite moves what it has promised by itself
				synctest.Wait()
				if j.Durable() != 25 {
					t.Errorf("ack %d: durable %d after the disk has room again, want 25", ack, j.Durable())
				}
				if err := l.append(j, batch(5)); err != nil {
					t.Errorf("append after the disk has room again: %v", err)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				l.read(j)
				after := mustOpen(t, journal.Options{FS: fsys.Crash(nil)})
				if err := l.check(after, false); err != nil {
					t.Error(err)
				}
				mustClose(t, after)
			})
		}
	}
}

// The positions of a chunk whose sync failed are given to other hits in a new segment: its bytes, though they may be on
// the disk, count no more.
func TestFailedSyncIsSuperseded(t *testing.T) {
	fsys := new(journaltest.FS)
	j := mustOpen(t, journal.Options{FS: fsys})
	batch := journal.NewTraffic(1)
	first, lost, second := batch(3), batch(4), batch(5)
	mustAppend(t, j, first)
	creates := 0
	fsys.FailWhen(func(op journaltest.Op) (journaltest.Fault, bool) {
		if op.Kind == "create" { // there is no way out
			creates++
			return journaltest.EIO, true
		}
		return journaltest.Unknown, op.Kind == "sync"
	})
	if _, err := j.Append([]heatmap.Batch{lost}); !errors.Is(err, journal.ErrUnavailable) || creates == 0 {
		t.Fatalf("append with a failed sync: %v, %d tries of a new segment", err, creates)
	}
	fsys.FailWhen(nil)
	if end := mustAppend(t, j, second); end != 8 {
		t.Errorf("next append ends at %d, want 8", end)
	}
	want := []heatmap.Batch{first, second}
	if diff := diffBatches(want, readBatches(t, j)); diff != "" {
		t.Error(diff)
	}
	after := mustOpen(t, journal.Options{FS: fsys.Kill()})
	if diff := diffBatches(want, readBatches(t, after)); diff != "" {
		t.Errorf("after a restart: %s", diff)
	}
}

// A segment whose name may not be durable is superseded by the next try, even if it is found after a restart.
func TestUncertainNameIsSuperseded(t *testing.T) {
	fsys := new(journaltest.FS)
	j := mustOpen(t, journal.Options{FS: fsys})
	batch := journal.NewTraffic(1)
	lost, kept := batch(4), batch(5)
	fsys.FailWhen(func(op journaltest.Op) (journaltest.Fault, bool) {
		return journaltest.EIO, op.Kind == "syncdir" || op.Kind == "remove"
	})
	_, err := j.Append([]heatmap.Batch{lost})
	if !errors.Is(err, journal.ErrUnavailable) {
		t.Fatal(err)
	}
	fsys.FailWhen(nil)
	mustAppend(t, j, kept)
	after := mustOpen(t, journal.Options{FS: fsys.Kill()})
	if diff := diffBatches([]heatmap.Batch{kept}, readBatches(t, after)); diff != "" {
		t.Error(diff)
	}
	rep, err := journal.Verify(t.Context(), fsys.Kill(), dir, nil)
	if err != nil || rep.Segments != 1 || len(rep.Superseded) != 1 {
		t.Errorf("verify: %+v, %v, want one segment that counts and one that does not", rep, err)
	}
	infos, err := journal.List(fsys.Kill(), dir)
	if err != nil || len(infos) != 2 || infos[0].Superseded || !infos[1].Superseded {
		t.Errorf("list: %+v, %v", infos, err)
	}
}

// Close says so when hits that AckWrite has promised cannot be synced.
func TestCloseTellsWhatIsNotSynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fsys := new(journaltest.FS)
		j := mustOpen(t, journal.Options{FS: fsys, Ack: journal.AckWrite})
		batch := journal.NewTraffic(1)
		mustAppend(t, j, batch(1))
		mustAppend(t, j, batch(7))
		fsys.FailFrom(1, journaltest.EIO)
		if err := j.Close(); !errors.Is(err, journal.ErrUnavailable) || !strings.Contains(err.Error(), "7 hits") {
			t.Errorf("close: %v", err)
		}
	})
}

// A write that ran out of room leaves no torn tail behind when the file can be cut.
func TestShortWriteIsTakenBack(t *testing.T) {
	fsys := new(journaltest.FS)
	j := mustOpen(t, journal.Options{FS: fsys})
	batch := journal.NewTraffic(1)
	kept := batch(3)
	mustAppend(t, j, kept)
	fsys.FailWhen(func(op journaltest.Op) (journaltest.Fault, bool) { return journaltest.ShortWrite, op.Kind == "write" })
	if _, err := j.Append([]heatmap.Batch{batch(3)}); !errors.Is(err, journal.ErrUnavailable) {
		t.Fatal(err)
	}
	rep, err := journal.Verify(t.Context(), fsys.Kill(), dir, nil)
	if err != nil || rep.TailBytes != 0 || rep.Hits != 3 {
		t.Errorf("verify: %+v, %v", rep, err)
	}
	after := fsys.Kill()
	if diff := diffBatches([]heatmap.Batch{kept}, readBatches(t, mustOpen(t, journal.Options{FS: after}))); diff != "" {
		t.Error(diff)
	}
	for _, name := range after.Names() {
		if strings.Contains(name, ".torn") || strings.Contains(name, ".tmp") {
			t.Errorf("%s was left", name)
		}
	}
}
