package pebblestore_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"heatlog/index"
	"heatlog/index/pebblestore"
)

// TestCrash cuts the power at random moments while workers write. All that a call has reported as done is there
// afterwards, and nothing that no call wrote.
func TestCrash(t *testing.T) {
	for seed := range int64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { testCrash(t, seed) })
	}
}

func testCrash(t *testing.T, seed int64) {
	rng := rand.New(rand.NewPCG(uint64(seed), 1))
	fs := vfs.NewCrashableMem()
	for range 4 {
		var acked, applied int
		acked, applied, fs = crash(t, fs, rng)
		s := open(t, "store", pebblestore.Options{FS: fs})
		value, err := s.Record(t.Context(), "count")
		if err != nil {
			t.Fatal(err)
		}
		if n := len(value); n < acked || n > applied {
			t.Fatalf("record was set %d times, but %d were done and %d begun", n, acked, applied)
		}
		if n := missing(t, s, len(value)*20); n > 0 {
			t.Fatalf("%d documents of %d are lost", n, len(value)*20)
		}
		closeStore(t, s)
	}
}

// crash fills a store, in steps of 20 documents and then one byte more in the record, and cuts the power somewhere. It
// gives the steps that were done then, those that were begun, and the disk afterwards.
func crash(t *testing.T, fs *vfs.MemFS, rng *rand.Rand) (acked, begun int, after *vfs.MemFS) {
	s := open(t, "store", pebblestore.Options{FS: fs, MemTable: 256 << 10})
	value, err := s.Record(t.Context(), "count")
	if err != nil {
		t.Fatal(err)
	}
	first := len(value)
	var done, started atomic.Int64
	cut := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for i := first; i < first+60; i++ {
			started.Store(int64(i + 1))
			refill(t, s, i*20, i*20+20)
			old := []byte(strings.Repeat("x", i))
			if i == 0 {
				old = nil
			}
			if ok, err := s.SwapRecord(t.Context(), "count", old, append(old, 'x')); err != nil || !ok {
				t.Errorf("step %d: %t, %v", i, ok, err)
				break
			}
			done.Store(int64(i + 1))
			if i == first+10 {
				close(cut)
			}
		}
	})
	<-cut
	for range rng.IntN(400) {
		_ = s.Stats() // a while
	}
	acked = int(done.Load())
	after = fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
	begun = int(started.Load())
	all.Wait()
	closeStore(t, s)
	return acked, begun, after
}

// refill is fill, but some of the documents may be there since before a crash.
func refill(t *testing.T, s *pebblestore.Store, from, to int) {
	var writes []index.Write
	for i := from; i < to; i++ {
		writes = append(writes, write(i))
	}
	if _, err := s.Swap(t.Context(), writes); err != nil {
		t.Errorf("swap: %v", err)
	}
}
