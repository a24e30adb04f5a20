package index

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
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
		reads, waits bool
	}{
		"slow": {slow, true, true}, "down": {down, false, true}, "hanging": {hanging, false, true}, "late": {late, true, false}, "full": {full, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &illStore{mapStore: newMapStore()}
			sickenStore(t, illness{
				store: store, begin: func() { store.ill.Store(int32(c.ill)) }, end: func() { store.ill.Store(int32(well)) },
				reads: c.reads, waits: c.waits, pages: 20_000, batches: 70, questions: 50,
				within: 30 * time.Second, // it asks a store that is down every 5 s
			})
			row.Done(1)
		})
	}
}

// illness is what comes over a store, and what is to be expected meanwhile.
type illness struct {
	store          Store
	begin, end     func()
	reads, waits   bool          // the store can be read; the index is held up by it
	reason         string        // is in what the index says why it is not ready, "" = any
	pages, batches int           // of the load, and batches every 10 ms
	questions      int           // at the end
	within         time.Duration // of the end all is counted, 0 = whenever
}

func sickenStore(t *testing.T, c illness) {
	log := newMemLog()
	x := openTest(t, Options{Store: c.store, Source: log, Workers: 2, CacheBytes: minCacheBytes, MaxLag: 500, FlushEvery: 10 * time.Millisecond})
	defer x.kill()
	r := rand.New(rand.NewPCG(uint64(len(t.Name())), 21))
	for range 200 {
		log.append(randomBatch(r, c.pages))
	}
	waitApplied(t, x)
	c.begin()
	most, behind, notReady, named, steps := int64(0), uint64(0), 0, 0, journaltest.Times(100, 60_000)
	for step := range steps {
		if step < 600 {
			for range c.batches {
				log.append(randomBatch(r, c.pages))
			}
		}
		if err := pause(t.Context(), 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		most, behind = max(most, x.Stats().HeldBytes), max(behind, x.Lag())
		if err := x.Ready(); err != nil {
			notReady++
			if strings.Contains(err.Error(), c.reason) {
				named++
			}
		}
		if c.reads && r.IntN(steps/5) == 0 {
			if err := check(t.Context(), x, log, r, c.pages); err != nil {
				t.Fatal(err)
			}
		}
	}
	if limit := int64(2 * minCacheBytes); most > limit {
		t.Errorf("the index held %d bytes, want at most %d", most, limit)
	}
	if c.waits && (notReady == 0 || behind == 0) || c.reason != "" && named == 0 {
		t.Errorf("the index was not ready %d times, of which it said %d times %q, and behind by up to %d hits", notReady, named, c.reason, behind)
	}
	lag := x.Lag()
	c.end()
	start := time.Now()
	waitApplied(t, x)
	for x.Ready() != nil {
		if err := pause(t.Context(), 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	caught := time.Since(start)
	for range c.questions {
		if err := check(t.Context(), x, log, r, c.pages); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d hits, held up to %d bytes, behind by up to %d hits, %d at the end, not ready in %d of %d steps, caught up in %v",
		log.Durable(), most, behind, lag, notReady, steps, caught)
	if c.within > 0 && caught > c.within {
		t.Errorf("caught up after %v", caught)
	}
}
