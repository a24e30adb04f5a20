package pebblestore_test

import (
	"runtime"
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

// faulty is a disk on which writing can be made to fail.
type faulty struct {
	vfs.FS
	full  atomic.Bool
	after atomic.Int64 // changes until it is full by itself
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

// empty makes space again.
func (f *faulty) empty() {
	f.after.Store(1 << 62)
	f.full.Store(false)
}

// clock is a clock that a test moves.
type clock struct{ ms atomic.Int64 }

func (c *clock) now() time.Time { return time.UnixMilli(c.ms.Load()) }

// TestFullDisk fills the disk at each of many moments. Nothing that was done is lost, no failed call is done, reading
// goes on or gives an error, and when there is space again the store works again by itself.
func TestFullDisk(t *testing.T) {
	broken := 0
	for after := int64(0); after < 400; after += 5 {
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
	done := fillUntilFull(t, s, 200)
	if done < 200 {
		broken = 1
	}
	for i := range 3 {
		checkFull(t, s, done)
		if _, err := s.Swap(t.Context(), []index.Write{write(1000 + i)}); err == nil && disk.full.Load() && broken == 1 {
			t.Fatal("swap on a full disk has no error")
		}
		now.ms.Add(2000)
	}
	disk.empty()
	if _, err := s.Swap(t.Context(), []index.Write{write(2000)}); err != nil {
		t.Fatalf("swap after there was space again: %v", err)
	}
	checkFull(t, s, done)
	crashed := mem.CrashClone(vfs.CrashCloneCfg{})
	closeStore(t, s)
	s = open(t, "store", pebblestore.Options{FS: crashed})
	checkFull(t, s, done)
	closeStore(t, s)
	return broken
}

// fillUntilFull writes documents of 4 KiB one by one and says how many were done, n at most.
func fillUntilFull(t *testing.T, s *pebblestore.Store, n int) (done int) {
	t.Helper()
	for done < n {
		w := write(done)
		w.Blob = append(w.Blob, make([]byte, 4<<10)...)
		applied, err := s.Swap(t.Context(), []index.Write{w})
		if err != nil {
			return done
		}
		if !applied[0] {
			t.Fatalf("write %d was not applied", done)
		}
		done++
	}
	return done
}

// checkFull fails if one of the first n documents is not there, unless the store says that it cannot tell.
func checkFull(t *testing.T, s *pebblestore.Store, n int) {
	t.Helper()
	for i := range n {
		docs, err := s.Load(t.Context(), []index.Ref{write(i).Ref})
		if err == nil && docs[0].Watermark != write(i).New {
			t.Fatalf("document %d of %d is lost", i, n)
		}
	}
}

// TestFullDiskReads has a full disk from which all can still be read.
func TestFullDiskReads(t *testing.T) {
	disk := newFaulty(vfs.NewMem())
	var now clock
	s := open(t, "store", pebblestore.Options{FS: disk, Now: now.now})
	fill(t, s, 0, 100)
	disk.full.Store(true)
	if _, err := s.Swap(t.Context(), []index.Write{write(100)}); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Fatalf("swap on a full disk: %v", err)
	}
	for range 3 {
		if n := missing(t, s, 100); n > 0 {
			t.Fatalf("%d documents cannot be read", n)
		}
		if _, err := s.Swap(t.Context(), []index.Write{write(100)}); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Fatalf("swap on a full disk: %v", err)
		}
		if !s.Stats().ReadOnly {
			t.Fatal("the store does not know that it cannot write")
		}
		now.ms.Add(1000)
	}
	disk.empty()
	fill(t, s, 101, 200)
	if st := s.Stats(); st.ReadOnly || st.Reopened != 2 {
		t.Errorf("stats afterwards are %+v", st)
	}
	if n := missing(t, s, 200); n > 1 { // write 100 may have happened
		t.Errorf("%d documents are lost", n)
	}
}

// TestReadsBetweenAttempts has a disk that lets the store be opened anew but not go on: all can be read meanwhile, also
// before the next attempt to write is due.
func TestReadsBetweenAttempts(t *testing.T) {
	disk := newFaulty(vfs.NewMem())
	var now clock
	s := open(t, "store", pebblestore.Options{FS: disk, Now: now.now})
	fill(t, s, 0, 100)
	swap := func() error {
		_, err := s.Swap(t.Context(), []index.Write{write(100)})
		return err
	}
	disk.full.Store(true)
	if swap() == nil {
		t.Fatal("swap on a full disk has no error")
	}
	disk.empty()
	if n := missing(t, s, 100); n > 0 || s.Stats().ReadOnly {
		t.Fatalf("%d documents cannot be read, read-only %v", n, s.Stats().ReadOnly)
	}
	disk.full.Store(true)
	for range 3 {
		if swap() == nil {
			t.Fatal("swap on a full disk has no error")
		}
		if n := missing(t, s, 100); n > 0 {
			t.Fatalf("%d documents cannot be read", n)
		}
	}
	disk.empty()
	now.ms.Add(1000)
	if err := swap(); err != nil {
		t.Errorf("swap with space again: %v", err)
	}
	closeStore(t, s)
}

// slow is a disk whose fsync of the write-ahead log waits for a gate.
type slow struct {
	vfs.FS
	mu   sync.Mutex
	gate chan struct{} // guarded by mu; nil = open
	hold chan struct{} // one value for each fsync that waits
}

func (s *slow) wrap(file vfs.File, err error, name string) (vfs.File, error) {
	if err != nil || !strings.HasSuffix(name, ".log") {
		return file, err
	}
	return slowFile{file, s}, nil
}

func (s *slow) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := s.FS.Create(name, c)
	return s.wrap(file, err, name)
}

func (s *slow) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := s.FS.ReuseForWrite(from, to, c)
	return s.wrap(file, err, to)
}

type slowFile struct {
	vfs.File
	disk *slow
}

func (f slowFile) wait() {
	f.disk.mu.Lock()
	gate := f.disk.gate
	f.disk.mu.Unlock()
	if gate != nil {
		f.disk.hold <- struct{}{}
		<-gate
	}
}

func (f slowFile) Sync() error     { f.wait(); return f.File.Sync() }
func (f slowFile) SyncData() error { f.wait(); return f.File.SyncData() }

// TestLoadWaits reads a document whose fsync has not come back: the answer must wait for it.
func TestLoadWaits(t *testing.T) {
	disk := &slow{FS: vfs.NewMem(), hold: make(chan struct{}, 100)}
	s := open(t, "store", pebblestore.Options{FS: disk})
	fill(t, s, 0, 10)
	read := map[string]func() error{
		"load":   func() error { _, err := s.Load(t.Context(), []index.Ref{write(5).Ref}); return err },
		"record": func() error { _, err := s.Record(t.Context(), "r"); return err },
	}
	n := 10
	for name, fn := range read {
		gate := make(chan struct{})
		disk.mu.Lock()
		disk.gate = gate
		disk.mu.Unlock()
		var all sync.WaitGroup
		var released atomic.Bool
		all.Go(func() { fill(t, s, n, n+10) })
		<-disk.hold
		all.Go(func() {
			for range 1000 {
				runtime.Gosched()
			}
			released.Store(true)
			disk.mu.Lock()
			disk.gate = nil
			disk.mu.Unlock()
			close(gate)
		})
		if err := fn(); err != nil || !released.Load() {
			t.Errorf("%s came back before the fsync, error %v", name, err)
		}
		all.Wait()
		n += 10
	}
}
