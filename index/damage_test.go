package index

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"heatlog/heatmap"
	"heatlog/journal"
)

// damagedRig is a journal of which a middle segment is to be damaged, and a store that has counted all of it.
type damagedRig struct {
	t       *testing.T
	dir     string
	store   *mapStore
	batches []heatmap.Batch
	sent    uint64 // hits
	log     syncBuffer
}

// syncBuffer is a buffer for a logger and a test.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newDamagedRig(t *testing.T, sealed bool) *damagedRig {
	t.Helper()
	r := &damagedRig{t: t, dir: t.TempDir(), store: newMapStore()}
	j := r.open()
	rng := rand.New(rand.NewPCG(3, 3))
	for n := range 120 {
		b := randomBatch(rng, 5)
		b.ID = fmt.Sprint(n)
		if _, err := j.Append([]heatmap.Batch{b}); err != nil {
			t.Fatal(err)
		}
		r.batches, r.sent = append(r.batches, b), r.sent+uint64(len(b.Hits))
	}
	if sealed {
		if _, err := j.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	x := r.index(j, nil)
	waitApplied(t, x)
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *damagedRig) open() *journal.Journal {
	r.t.Helper()
	j, err := journal.Open(r.dir, journal.Options{SegmentBytes: 4 << 10})
	if err != nil {
		r.t.Fatal(err)
	}
	return j
}

func (r *damagedRig) index(j *journal.Journal, damaged func(*journal.CorruptError)) *Index {
	r.t.Helper()
	return openTest(r.t, Options{Store: r.store, Source: JournalSource(j, damaged), Logger: slog.New(slog.NewTextHandler(&r.log, nil))})
}

// damage flips a byte in the middle of the second segment and says what that costs.
func (r *damagedRig) damage(j *journal.Journal) *journal.CorruptError {
	r.t.Helper()
	reader, err := j.Read(0)
	if err != nil {
		r.t.Fatal(err)
	}
	defer reader.Close()
	var c heatmap.Chunk
	var damage *journal.CorruptError
	for err == nil {
		err = reader.Next(r.t.Context(), &c)
	}
	if !errors.As(err, &damage) || damage.Lost() == 0 || damage.From == 0 || damage.To >= r.sent {
		r.t.Fatalf("the damage is %v", err)
	}
	return damage
}

// ask gives the hits that are counted, and where.
func (r *damagedRig) ask(x *Index) (uint64, heatmap.Prefix) {
	r.t.Helper()
	a, err := x.Pages(r.t.Context(), heatmap.Query{Site: testSite, Bots: true})
	if err != nil {
		r.t.Fatal(err)
	}
	return a.Hits, a.Prefix
}

// send sends a batch and gives how many hits more are counted then.
func (r *damagedRig) send(j *journal.Journal, x *Index, b heatmap.Batch) uint64 {
	r.t.Helper()
	before, _ := r.ask(x)
	if _, err := j.Append([]heatmap.Batch{b}); err != nil {
		r.t.Fatal(err)
	}
	waitApplied(r.t, x)
	after, _ := r.ask(x)
	return after - before
}

// rewind sets the checkpoint back, as an older one that was written before a crash.
func (r *damagedRig) rewind(j *journal.Journal, to uint64) {
	r.t.Helper()
	name := checkpointName("g1", j.Source())
	old, err := r.store.Record(r.t.Context(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	c := checkpoint{Position: to}
	reader, err := j.Read(to)
	if err != nil {
		r.t.Fatal(err)
	}
	defer reader.Close()
	var chunk heatmap.Chunk
	if err := reader.Next(r.t.Context(), &chunk); err != nil {
		r.t.Fatal(err)
	}
	if c.Position > 0 {
		c.Appended = chunk.Appended
	}
	if done, err := r.store.SwapRecord(r.t.Context(), name, old, fmt.Appendf(nil, "%d %d", c.Position, c.Appended)); !done || err != nil {
		r.t.Fatal(done, err)
	}
}

// TestDamageBeforeCheckpoint damages a segment that is counted and would tell repeats: nothing stops, answers are exact, and
// what is lost is told once.
func TestDamageBeforeCheckpoint(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		for _, skip := range []bool{false, true} {
			t.Run(fmt.Sprint("sealed_", sealed, "_skip_", skip), func(t *testing.T) {
				r := newDamagedRig(t, sealed)
				flipMiddle(t, r.dir)
				j := r.open()
				defer j.Close()
				damage := r.damage(j)
				var damaged func(*journal.CorruptError)
				if skip {
					damaged = func(e *journal.CorruptError) { t.Errorf("told of %v as of damage that is not counted", e) }
				}
				x := r.index(j, damaged)
				defer x.kill()
				waitApplied(t, x)
				for !strings.Contains(r.log.String(), "journal is damaged") { // it is counted, but not read yet
					if err := pause(t.Context(), 1e6); err != nil {
						t.Fatal(err)
					}
				}
				x.pipeline().end(errConflict) // everything in memory is read again
				if hits, prefix := r.ask(x); hits != r.sent || prefix.Lag != 0 || prefix.Positions[j.Source()] != r.sent {
					t.Errorf("%d hits at %+v, want %d", hits, prefix, r.sent)
				}
				if err := x.Ready(); err != nil {
					t.Error(err)
				}
				position, again := uint64(0), uint64(0)
				for _, b := range r.batches {
					n, lost := r.send(j, x, b), position >= damage.From && position < damage.To
					if !lost && n != 0 {
						t.Errorf("batch %s at %d is sound and counts %d hits again", b.ID, position, n)
					}
					position, again = position+uint64(len(b.Hits)), again+n
				}
				if again != damage.Lost() {
					t.Errorf("%d hits count again, want those of the %d that are lost", again, damage.Lost())
				}
				if n := strings.Count(r.log.String(), "journal is damaged"); n != 1 {
					t.Errorf("damage was told of %d times", n)
				}
				for _, part := range []string{filepath.Base(damage.Segment), fmt.Sprint("offset=", damage.Offset, " "), fmt.Sprint("lost_hits=", damage.Lost(), " ")} {
					if !strings.Contains(r.log.String(), part) {
						t.Errorf("the log does not tell %s:\n%s", part, r.log.String())
					}
				}
			})
		}
	}
}

// TestDamageBehindCheckpoint damages a segment that must be read again: answers go on from what is counted, and say so, and a
// start that may go on behind it loses exactly what is damaged. The store has counted nothing, or all before an older checkpoint was put
// back.
func TestDamageBehindCheckpoint(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		for _, counted := range []bool{false, true} {
			t.Run(fmt.Sprint("sealed_", sealed, "_counted_", counted), func(t *testing.T) {
				r := newDamagedRig(t, sealed)
				flipMiddle(t, r.dir)
				j := r.open()
				defer j.Close()
				damage := r.damage(j)
				want, all := damage.From, r.sent-damage.Lost()
				if counted {
					r.rewind(j, damage.From/2)
					want, all = r.sent, r.sent
				} else {
					r.store = newMapStore()
				}
				x := r.index(j, nil)
				for x.Ready() == nil || x.pipeline().failed.Load() == nil {
					if err := pause(t.Context(), 1e6); err != nil {
						t.Fatal(err)
					}
				}
				check := func() {
					t.Helper()
					hits, prefix := r.ask(x)
					if hits != want || prefix.Positions[j.Source()] != damage.From || prefix.Lag != j.Durable()-damage.From {
						t.Errorf("%d hits at %+v, want %d up to %d, %d to come", hits, prefix, want, damage.From, j.Durable()-damage.From)
					}
					var reason *journal.CorruptError
					if err := x.Ready(); !errors.As(err, &reason) || reason.Segment != damage.Segment || reason.Offset != damage.Offset {
						t.Errorf("ready: %v, want damage of %s at %d", err, damage.Segment, damage.Offset)
					}
				}
				check()
				more := randomBatch(rand.New(rand.NewPCG(4, 4)), 5)
				for range 3 {
					if err := x.Admit(1); err != nil {
						t.Fatal(err)
					}
					if _, err := j.Append([]heatmap.Batch{more}); err != nil {
						t.Fatal(err)
					}
					check()
				}
				if err := x.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				var told []journal.CorruptError
				x = r.index(j, func(e *journal.CorruptError) { told = append(told, *e) })
				defer x.kill()
				waitApplied(t, x)
				all += 3 * uint64(len(more.Hits))
				if hits, prefix := r.ask(x); hits != all || prefix.Lag != 0 {
					t.Errorf("going on behind it: %d hits at %+v, want %d", hits, prefix, all)
				}
				if len(told) != 1 || told[0].Lost() != damage.Lost() {
					t.Errorf("told of %v, want %v", told, damage)
				}
			})
		}
	}
}
