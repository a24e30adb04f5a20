package journal_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"heatlog/journal"
	"heatlog/journal/journaltest"
)

// syncWatch is a plan of faults that lets syncs fail at random and complains of whatever is done with a segment after.
type syncWatch struct {
	mu       sync.Mutex // syncs come from goroutines of the journal
	r        *rand.Rand // its own
	one      int        // one in so many syncs fails; 0 = none
	delayed  bool       // what was written before is always lost then, else at times
	failed   map[string]bool
	failures int
	misuse   []string
}

func (w *syncWatch) plan(op journaltest.Op) (journaltest.Fault, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	name := strings.TrimSuffix(op.Name, ".tmp")
	if op.Kind == "create" {
		delete(w.failed, name) // another file
	}
	if w.failed[name] && (op.Kind == "write" || op.Kind == "sync" || op.Kind == "rename") {
		w.misuse = append(w.misuse, fmt.Sprintf("%s of %s after its sync failed", op.Kind, op.Name))
	}
	if w.one == 0 || op.Kind != "sync" || w.r.IntN(w.one) > 0 {
		return 0, false
	}
	w.failed[name] = true
	w.failures++
	if w.delayed {
		return journaltest.EIO, true
	}
	return []journaltest.Fault{journaltest.EIO, journaltest.Unknown}[w.r.IntN(2)], true
}

// fail lets one in so many syncs fail, 0 = none.
func (w *syncWatch) fail(one int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.one = one
}

// TestFailedSyncIsFinal lets syncs fail at random, with the bytes on the disk or lost: a segment whose sync failed is
// never written, synced or named again, and at every moment what is published as durable, with AckSync all that is
// acknowledged, survives a power cut.
func TestFailedSyncIsFinal(t *testing.T) {
	runs, start := journaltest.Times(40, 4000), journaltest.Seed(t, 0)
	row := journaltest.Begin(t, "failed syncs of a journal", 2*runs, start)
	failures, refused, segments := 0, 0, 0
	for n := range runs {
		for _, ack := range []journal.Ack{journal.AckSync, journal.AckWrite} {
			synctest.Test(t, func(t *testing.T) {
				f, r, s := failSyncs(t, ack, rand.New(rand.NewPCG(start, uint64(n))))
				failures, refused, segments = failures+f, refused+r, segments+s
			})
			row.Done(1)
			if t.Failed() {
				t.Fatalf("seed %d, run %d, ack %d", start, n, ack)
			}
		}
	}
	row.Found("%d syncs failed, %d appends refused, %d segments", failures, refused, segments)
	if failures < runs {
		t.Errorf("only %d syncs failed", failures)
	}
}

// failSyncs is one run; it gives the syncs that failed, the appends that were refused, and the segments at the end.
func failSyncs(t *testing.T, ack journal.Ack, r *rand.Rand) (failures, refused, segments int) {
	fsys, l := new(journaltest.FS), newLedger()
	j := mustOpen(t, journal.Options{FS: fsys, Ack: ack, SegmentBytes: 16 << 10, SyncEvery: 10 * time.Millisecond})
	w := &syncWatch{r: rand.New(rand.NewPCG(r.Uint64(), 0)), failed: map[string]bool{}, delayed: r.IntN(2) == 0}
	fsys.FailWhen(w.plan)
	batch := journal.NewTraffic(r.Uint64())
	for step := range 60 {
		if step%6 == 0 {
			w.fail([]int{0, 8, 3, 2, 1}[r.IntN(5)])
		}
		if l.append(j, batch(1+r.IntN(20))) != nil {
			refused++
		}
		if ack == journal.AckWrite && r.IntN(3) == 0 {
			time.Sleep(time.Duration(r.IntN(20)) * time.Millisecond)
			synctest.Wait()
		}
		durable := j.Durable()
		if ack == journal.AckSync && durable != j.Stats().End {
			t.Errorf("step %d: %d hits acknowledged, %d durable", step, j.Stats().End, durable)
		}
		rep, err := journal.Verify(t.Context(), fsys.Clone().Crash(nil), dir, nil)
		if err != nil || rep.End < durable || rep.Lost > 0 {
			t.Errorf("step %d: %d hits published as durable, after a power cut %+v, %v", step, durable, rep, err)
		}
	}
	w.mu.Lock()
	misuse, failures := w.misuse, w.failures
	w.mu.Unlock()
	if len(misuse) > 0 {
		t.Errorf("%v", misuse)
	}
	w.fail(0)
	time.Sleep(time.Second)
	synctest.Wait()
	l.read(j)
	segments = j.Stats().Segments
	after := mustOpen(t, journal.Options{FS: fsys.Crash(r)})
	if err := l.check(after, false); err != nil {
		t.Error(err)
	}
	mustClose(t, after)
	j.Close()
	return failures, refused, segments
}
