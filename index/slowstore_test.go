package index

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/journal/journaltest"
)

// ill is what a store suffers from.
type ill int32

const (
	well    ill = iota
	slow        // each call takes 20 ms
	down        // each call fails at once
	hanging     // each call fails after 600 ms
	late        // each write takes 20 ms and happens, but its answer is that it timed out
	full        // reading works, writing does not
)

// illStore is a store that can be made ill.
type illStore struct {
	*mapStore
	ill   atomic.Int32
	calls atomic.Int64
}

func (s *illStore) suffer(ctx context.Context, write bool) error {
	s.calls.Add(1)
	switch ill(s.ill.Load()) {
	case slow:
		return pause(ctx, 20*time.Millisecond)
	case down:
		return errDown
	case hanging:
		return errors.Join(pause(ctx, 600*time.Millisecond), errDown)
	case full:
		if write {
			return errDown
		}
	}
	return nil
}

// answer is what a write comes back with.
func (s *illStore) answer(ctx context.Context) error {
	if ill(s.ill.Load()) != late {
		return nil
	}
	return errors.Join(pause(ctx, 20*time.Millisecond), context.DeadlineExceeded)
}

func (s *illStore) Load(ctx context.Context, refs []Ref) ([]Doc, error) {
	if err := s.suffer(ctx, false); err != nil {
		return nil, err
	}
	return s.mapStore.Load(ctx, refs)
}

func (s *illStore) Scan(ctx context.Context, r Range, fn func(Doc) error) error {
	if ill(s.ill.Load()) == full || ill(s.ill.Load()) == slow {
		return s.mapStore.Scan(ctx, r, fn)
	}
	if err := s.suffer(ctx, false); err != nil {
		return err
	}
	return s.mapStore.Scan(ctx, r, fn)
}

func (s *illStore) Swap(ctx context.Context, writes []Write) ([]bool, error) {
	if err := s.suffer(ctx, true); err != nil {
		return nil, err
	}
	applied, err := s.mapStore.Swap(ctx, writes)
	if lost := s.answer(ctx); lost != nil {
		return nil, lost
	}
	return applied, err
}

func (s *illStore) Record(ctx context.Context, name string) ([]byte, error) {
	if err := s.suffer(ctx, false); err != nil {
		return nil, err
	}
	return s.mapStore.Record(ctx, name)
}

func (s *illStore) SwapRecord(ctx context.Context, name string, old, value []byte) (bool, error) {
	if err := s.suffer(ctx, true); err != nil {
		return false, err
	}
	done, err := s.mapStore.SwapRecord(ctx, name, old, value)
	if lost := s.answer(ctx); lost != nil {
		return false, lost
	}
	return done, err
}

// TestStoreIll lets the store be slow, down, hanging, full, or done with writes that it says have timed out, while
// hits go on, for a second, or for ten minutes in the long form: the log takes all of them, memory stays under its bound, the index
// says how far it is behind, answers go on where the store can be read and equal a recount at the positions that they
// name. When the store is well again everything is counted once, by itself.
func TestStoreIll(t *testing.T) {
	row := journaltest.Begin(t, "a store that is slow, down, hanging, late or full", 5, 0)
	for name, c := range map[string]struct {
		ill          ill
		reads, waits bool // the store can be read; the index is held up by it
	}{
		"slow": {slow, true, true}, "down": {down, false, true}, "hanging": {hanging, false, true}, "late": {late, true, false}, "full": {full, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sickenStore(t, c.ill, c.reads, c.waits)
			row.Done(1)
		})
	}
}

func sickenStore(t *testing.T, of ill, reads, waits bool) {
	const pages = 20_000
	log, store := newMemLog(), &illStore{mapStore: newMapStore()}
	x := openTest(t, Options{Store: store, Source: log, Workers: 2, CacheBytes: minCacheBytes, MaxLag: 500, FlushEvery: 10 * time.Millisecond})
	defer x.kill()
	r := rand.New(rand.NewPCG(uint64(of), 21))
	for range 200 {
		log.append(randomBatch(r, pages))
	}
	waitApplied(t, x)
	store.ill.Store(int32(of))
	most, behind, notReady, steps := int64(0), uint64(0), 0, journaltest.Times(100, 60_000)
	for step := range steps {
		if step < 600 {
			for range 70 {
				log.append(randomBatch(r, pages))
			}
		}
		if err := pause(t.Context(), 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		most, behind = max(most, x.Stats().HeldBytes), max(behind, x.Lag())
		if x.Ready() != nil {
			notReady++
		}
		if reads && r.IntN(steps/5) == 0 {
			if err := check(t.Context(), x, log, r, pages); err != nil {
				t.Fatal(err)
			}
		}
	}
	if limit := int64(2 * minCacheBytes); most > limit {
		t.Errorf("the index held %d bytes, want at most %d", most, limit)
	}
	if waits && (notReady == 0 || behind == 0) {
		t.Errorf("the index was not ready %d times and behind by up to %d hits", notReady, behind)
	}
	lag := x.Lag()
	store.ill.Store(int32(well))
	start := time.Now()
	waitApplied(t, x)
	for x.Ready() != nil {
		if err := pause(t.Context(), 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	caught := time.Since(start)
	for range 50 {
		if err := check(t.Context(), x, log, r, pages); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d hits, held up to %d bytes, behind by up to %d hits, %d at the end, not ready in %d of %d steps, caught up in %v",
		log.Durable(), most, behind, lag, notReady, steps, caught)
	if caught > 30*time.Second { // it asks a store that is down every 5 s
		t.Errorf("caught up after %v", caught)
	}
}
