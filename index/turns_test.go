package index

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"heatlog/heatmap"
)

// TestTurns has many take turns: so many at a time, who comes first is first, and who stops waiting takes none.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const places, askers = 3, 30
		all := make(turns, places)
		var running, most atomic.Int32
		var mu sync.Mutex
		var order []int
		var done sync.WaitGroup
		for i := range askers {
			done.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if i%5 == 4 { // leaves before its turn comes
					time.AfterFunc(time.Millisecond/2, cancel)
				}
				turn, err := all.take(ctx)
				if err != nil {
					if !errors.Is(err, context.Canceled) || i%5 != 4 {
						t.Errorf("asker %d: %v", i, err)
					}
					return
				}
				defer turn.end()
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				most.Store(max(most.Load(), running.Add(1)))
				time.Sleep(100 * time.Millisecond)
				running.Add(-1)
			})
		}
		done.Wait()
		if n := most.Load(); n != places {
			t.Errorf("%d had their turn at a time, want %d", n, places)
		}
		for k, i := range order {
			if want := k + k/4; i != want {
				t.Errorf("turn %d was asker %d's, want %d", k, i, want)
			}
		}
		if len(order) != askers*4/5 || len(all) != 0 {
			t.Errorf("%d had a turn, %d have it still", len(order), len(all))
		}
	})
}

// TestTurnRests lets another go first after a millisecond of computing, and not before.
func TestTurnRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn, err := make(turns, 1).take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer turn.end()
		begun := turn.rested
		time.Sleep(restEvery - 1)
		if turn.rest(); turn.rested != begun {
			t.Error("rests too early")
		}
		time.Sleep(time.Nanosecond)
		if turn.rest(); turn.rested.Sub(begun) != restEvery {
			t.Error("does not rest")
		}
	})
}

// TestMaxAnswers asks while all turns are taken: the question waits, leaves when its time is up, and is answered when one is free.
func TestMaxAnswers(t *testing.T) {
	if n := (Options{}).withDefaults().MaxAnswers; n != 2*runtime.GOMAXPROCS(0) {
		t.Errorf("%d answers at a time where nothing is said, want two a core", n)
	}
	log := newMemLog()
	log.append(randomBatch(rand.New(rand.NewPCG(1, 1)), 3))
	x := openTest(t, Options{Store: newMapStore(), Source: log, MaxAnswers: 2})
	defer x.kill()
	waitApplied(t, x)
	q := heatmap.Query{Site: testSite}
	var held []*turn
	for range 2 {
		turn, err := x.turns.take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, turn)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := x.Pages(ctx, q); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while all turns are taken: %v", err)
	}
	held[0].end()
	if _, err := x.Pages(t.Context(), q); err != nil {
		t.Errorf("with a turn that is free: %v", err)
	}
	if n := len(x.turns); n != 1 {
		t.Errorf("%d turns are taken after the answer, want 1", n)
	}
	held[1].end()
}

// TestWaitingAnswerIsShared asks the same while the first waits for its turn, and adds hits meanwhile: one answer is computed, which
// has them all.
func TestWaitingAnswerIsShared(t *testing.T) {
	log, r := newMemLog(), rand.New(rand.NewPCG(2, 2))
	x := openTest(t, Options{Store: newMapStore(), Source: log, MaxAnswers: 1})
	defer x.kill()
	turn, err := x.turns.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first, _ := heatmap.ParseDate("2026-01-01")
	q := heatmap.Query{Site: testSite, URL: testPage(0), From: heatmap.Bound{Set: true, IsDate: true, Date: first}}
	q.To = heatmap.Bound{Set: true, IsDate: true, Date: first + 100}
	before := x.stats.queries.Load()
	var all sync.WaitGroup
	for i := range 5 {
		log.append(randomBatch(r, 1))
		waitApplied(t, x)
		end := log.Durable()
		all.Go(func() {
			if a, err := x.Heatmap(t.Context(), q); err != nil || a.Positions[log.ID()] < end {
				t.Errorf("asker %d: %v, want position %d at least", i, err, end)
			}
		})
	}
	waiting := func() int {
		x.shared.heatmaps.mu.Lock()
		defer x.shared.heatmaps.mu.Unlock()
		f := x.shared.heatmaps.flights[q]
		if f == nil || f.next != nil {
			return 0
		}
		return f.now.waiting
	}
	for waiting() < 5 {
		if err := pause(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	turn.end()
	all.Wait()
	if n := x.stats.queries.Load() - before; n != 1 {
		t.Errorf("%d answers were computed for five who asked, want 1", n)
	}
}
