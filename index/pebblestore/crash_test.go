package pebblestore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

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

// faulty is a disk on which writing can be made to fail.
type faulty struct {
	vfs.FS
	full  atomic.Bool
	after atomic.Int64 // operations until it is full by itself, if it was set
}

func newFaulty(fs vfs.FS) *faulty {
	f := &faulty{}
	f.after.Store(1 << 62)
	f.FS = errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || op.Kind == errorfs.OpFileClose {
			return nil
		}
		if f.after.Add(-1) < 0 {
			f.full.Store(true)
		}
		if f.full.Load() {
			return syscall.ENOSPC
		}
		return nil
	}))
	return f
}

type clock struct{ ms atomic.Int64 }

func (c *clock) now() time.Time { return time.UnixMilli(c.ms.Add(1)) }

// TestFullDisk fills the disk at each of many moments. Nothing that was done is lost, no failed call is done, reading
// goes on or gives an error, and when there is space again the store works again by itself.
func TestFullDisk(t *testing.T) {
	broken := 0
	for after := int64(0); after < 400; after += 3 {
		broken += testFullDisk(t, after)
	}
	if broken < 50 {
		t.Errorf("the store broke %d times", broken)
	}
}

func testFullDisk(t *testing.T, after int64) (broken int) {
	mem := vfs.NewCrashableMem()
	disk := newFaulty(mem)
	var now clock
	s := open(t, "store", pebblestore.Options{FS: disk, MemTable: 256 << 10, Now: now.now})
	disk.after.Store(after)
	done := 0
	for ; done < 200; done++ {
		w := write(done)
		w.Blob = append(w.Blob, make([]byte, 4<<10)...)
		applied, err := s.Swap(t.Context(), []index.Write{w})
		if err != nil {
			broken = 1
			break
		}
		if !applied[0] {
			t.Fatalf("write %d was not applied", done)
		}
	}
	for i := range 3 {
		checkFull(t, s, done)
		if _, err := s.Swap(t.Context(), []index.Write{write(1000 + i)}); err == nil && broken == 1 && disk.full.Load() {
			t.Fatal("swap on a full disk has no error")
		}
		now.ms.Add(2000)
	}
	disk.after.Store(1 << 62)
	disk.full.Store(false)
	now.ms.Add(2000)
	if _, err := s.Swap(t.Context(), []index.Write{write(2000)}); err != nil {
		t.Fatalf("swap after there was space again: %v", err)
	}
	checkFull(t, s, done)
	after2 := mem.CrashClone(vfs.CrashCloneCfg{})
	closeStore(t, s)
	s = open(t, "store", pebblestore.Options{FS: after2})
	checkFull(t, s, done)
	closeStore(t, s)
	return broken
}

// checkFull fails if one of the first n documents is not there, unless the store says that it cannot tell.
func checkFull(t *testing.T, s *pebblestore.Store, n int) {
	t.Helper()
	for i := range n {
		docs, err := s.Load(t.Context(), []index.Ref{write(i).Ref})
		if err != nil {
			if errors.Is(err, pebblestore.ErrClosed) {
				t.Fatal(err)
			}
			continue
		}
		if docs[0].Watermark != write(i).New {
			t.Fatalf("document %d of %d is lost", i, n)
		}
	}
}
