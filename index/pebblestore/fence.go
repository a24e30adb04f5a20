package pebblestore

import (
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// fence is a file system that cuts itself off at the first change that fails: from then on it changes nothing, and says
// that it did. Pebble ends the process, or panics beyond recovery, where a write to its log or manifest fails; behind a
// fence it never sees that, and can be closed as if all were well. Whoever uses it must ask broken before believing a
// result. What is open can still be read, but nothing can be opened: another database in the folder now gives the next
// files their names. The fence also keeps Pebble from the folder's lock, which is the Store's.
type fence struct {
	vfs.FS
	mu   sync.RWMutex // held for reading during each change
	down error        // guarded by mu; why the fence is down, nil while it is up
}

// lower takes the fence down for good. It returns when no change is under way.
func (f *fence) lower(why error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down == nil {
		f.down = why
	}
}

// broken says why the fence is down, nil if it is up.
func (f *fence) broken() error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.down
}

// try runs a change, unless the fence is down. Its error does no harm to the database.
func (f *fence) try(do func() error) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.down != nil {
		return nil
	}
	return do()
}

// must is try for a change that the database cannot do without: an error takes the fence down. It reports whether the
// change was made.
func (f *fence) must(do func() error) (done bool) {
	err := f.try(func() error {
		err := do()
		done = err == nil
		return err
	})
	if err != nil {
		f.lower(err)
	}
	return done
}

func (f *fence) file(open func() (vfs.File, error)) (file vfs.File, err error) {
	done := f.must(func() error {
		file, err = open()
		return err
	})
	if !done {
		file = vfs.NewMemFile(nil) // nothing will be written to it
	}
	return &fencedFile{File: file, fence: f}, nil
}

func (f *fence) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file(func() (vfs.File, error) { return f.FS.Create(name, category) })
}

func (f *fence) OpenReadWrite(name string, category vfs.DiskWriteCategory, o ...vfs.OpenOption) (vfs.File, error) {
	return f.file(func() (vfs.File, error) { return f.FS.OpenReadWrite(name, category, o...) })
}

func (f *fence) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return f.file(func() (vfs.File, error) { return f.FS.ReuseForWrite(from, to, category) })
}

// Open opens a file for reading.
func (f *fence) Open(name string, o ...vfs.OpenOption) (file vfs.File, err error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.down != nil {
		return nil, fmt.Errorf("open %s of a broken store: %w", name, f.down)
	}
	return f.FS.Open(name, o...)
}

func (f *fence) OpenDir(name string) (vfs.File, error) {
	return f.file(func() (vfs.File, error) { return f.FS.OpenDir(name) })
}

func (f *fence) Rename(from, to string) error {
	f.must(func() error { return f.FS.Rename(from, to) })
	return nil
}

func (f *fence) Link(from, to string) error {
	return f.try(func() error { return f.FS.Link(from, to) })
}

func (f *fence) Remove(name string) error {
	return f.try(func() error { return f.FS.Remove(name) })
}

func (f *fence) RemoveAll(name string) error {
	return f.try(func() error { return f.FS.RemoveAll(name) })
}

func (f *fence) MkdirAll(dir string, perm os.FileMode) error {
	return f.try(func() error { return f.FS.MkdirAll(dir, perm) })
}

func (f *fence) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

func (f *fence) Unwrap() vfs.FS { return f.FS }

// fencedFile is a file that was opened for writing behind a fence, or a directory.
type fencedFile struct {
	vfs.File
	fence *fence
}

func (f *fencedFile) Write(p []byte) (int, error) {
	f.fence.must(func() error {
		_, err := f.File.Write(p)
		return err
	})
	return len(p), nil
}

func (f *fencedFile) WriteAt(p []byte, off int64) (int, error) {
	f.fence.must(func() error {
		_, err := f.File.WriteAt(p, off)
		return err
	})
	return len(p), nil
}

func (f *fencedFile) Sync() error {
	f.fence.must(f.File.Sync)
	return nil
}

func (f *fencedFile) SyncData() error {
	f.fence.must(f.File.SyncData)
	return nil
}

func (f *fencedFile) SyncTo(length int64) (full bool, err error) {
	err = f.fence.try(func() error {
		full, err = f.File.SyncTo(length)
		return err
	})
	return full, err
}

func (f *fencedFile) Preallocate(off, length int64) error {
	return f.fence.try(func() error { return f.File.Preallocate(off, length) })
}

// Close writes nothing that Sync has not, so its error does no harm.
func (f *fencedFile) Close() error {
	return f.fence.try(f.File.Close)
}
