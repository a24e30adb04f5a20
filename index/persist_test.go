package index

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// unwritableStore is a store whose writes give an error, once there is one.
type unwritableStore struct {
	*mapStore
	err atomic.Pointer[error]
}

func (s *unwritableStore) Swap(ctx context.Context, writes []Write) ([]bool, error) {
	if err := s.err.Load(); err != nil {
		return nil, *err
	}
	return s.mapStore.Swap(ctx, writes)
}

func (s *unwritableStore) SwapRecord(ctx context.Context, name string, old, value []byte) (bool, error) {
	if err := s.err.Load(); err != nil {
		return false, *err
	}
	return s.mapStore.SwapRecord(ctx, name, old, value)
}

// TestCloseGivesUp closes an index whose store fails: on a read-only one it gives up at once, on another one after its
// patience, and when the store mends meanwhile all is stored.
func TestCloseGivesUp(t *testing.T) {
	f := func(name string, why error, mends, least, most time.Duration) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, log := &unwritableStore{mapStore: newMapStore()}, newMemLog()
				x := openTest(t, Options{Store: store, Source: log, FlushEvery: time.Second})
				fill(log, rand.New(rand.NewPCG(1, 1)), 50)
				waitApplied(t, x)
				why := fmt.Errorf("write: %w", why)
				store.err.Store(&why)
				time.Sleep(20 * time.Second) // flushes have failed for long, and wait for seconds between attempts
				if mends > 0 {
					time.AfterFunc(mends, func() { store.err.Store(nil) })
				}
				begin := time.Now()
				err := x.Close(context.Background())
				if took := time.Since(begin); took < least || took > most {
					t.Errorf("closing took %v, want %v to %v", took, least, most)
				}
				if mends == 0 && (!errors.Is(err, why) || !errors.As(err, new(*unstoredError))) || mends > 0 && err != nil {
					t.Errorf("close: %v", err)
				}
				store.err.Store(nil)
				again := openTest(t, Options{Store: store, Source: log})
				waitApplied(t, again)
				if hits, _ := clicks(t, again, ""); hits != log.Durable() {
					t.Errorf("%d hits after the next start, want %d", hits, log.Durable())
				}
				if err := again.Close(context.Background()); err != nil {
					t.Error(err)
				}
			})
		})
	}
	f("read-only", syscall.EROFS, 0, 0, time.Millisecond)
	f("broken", syscall.EIO, 0, closePatience, closePatience+time.Second)
	f("mends", syscall.ENOSPC, 2*time.Second, 2*time.Second, 3*time.Second)
}

// pageRefuser is a store that one page cannot be written in.
type pageRefuser struct {
	*mapStore
	page string
}

func (s *pageRefuser) Swap(ctx context.Context, writes []Write) ([]bool, error) {
	if slices.ContainsFunc(writes, func(w Write) bool { return w.Page == s.page }) {
		return nil, errDown
	}
	return s.mapStore.Swap(ctx, writes)
}

// TestReadyWhileOneWorkerFails stores what one worker has, again and again, while what another has cannot be stored: the index is
// not ready all the time.
func TestReadyWhileOneWorkerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, log, r := &pageRefuser{newMapStore(), testPage(0)}, newMemLog(), rand.New(rand.NewPCG(1, 1))
		x := openTest(t, Options{Store: store, Source: log, Workers: 2, FlushEvery: 100 * time.Millisecond})
		defer x.kill()
		for range 50 {
			log.append(randomBatch(r, 40))
		}
		time.Sleep(10 * time.Second)
		before := x.Stats().FlushedDocs
		for range 600 {
			if err := x.Ready(); !errors.Is(err, errDown) {
				t.Fatalf("ready: %v", err)
			}
			log.append(randomBatch(r, 40))
			time.Sleep(50 * time.Millisecond)
		}
		if after := x.Stats().FlushedDocs; after == before {
			t.Error("the other worker stored nothing: the test proves nothing")
		}
	})
}
