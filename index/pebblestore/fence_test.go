package pebblestore

import (
	"errors"
	"io"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestFence lowers a fence under files that are open: nothing on the disk changes any more, and nothing says so but
// broken and Open.
func TestFence(t *testing.T) {
	mem := vfs.NewMem()
	f := &fence{FS: mem}
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	create := func(name string) vfs.File {
		t.Helper()
		file, err := f.Create(name, vfs.WriteCategoryUnspecified)
		ok(err)
		return file
	}
	file := create("a")
	_, err := file.Write([]byte("before"))
	ok(err)
	ok(file.Sync())
	ok(f.broken())
	why := errors.New("why")
	f.lower(why)
	f.lower(errors.New("a later reason"))
	if f.broken() != why {
		t.Errorf("fence is down because of %v", f.broken())
	}
	n, err := file.Write([]byte("after"))
	if n != 5 || err != nil {
		t.Errorf("write behind the fence gives %d, %v", n, err)
	}
	ok(file.Sync())
	ok(f.Rename("a", "b"))
	ok(f.Remove("a"))
	ok(f.RemoveAll("/"))
	other := create("c")
	_, err = other.Write([]byte("x"))
	ok(err)
	ok(other.Close())
	if _, err := f.Open("a"); !errors.Is(err, why) {
		t.Errorf("open behind the fence gives %v", err)
	}
	names, err := mem.List("")
	ok(err)
	if len(names) != 1 || names[0] != "a" {
		t.Errorf("the disk has %v, want a alone", names)
	}
	on, err := mem.Open("a")
	ok(err)
	if data, err := io.ReadAll(on); string(data) != "before" || err != nil {
		t.Errorf("the file has %q, %v", data, err)
	}
}

// TestFenceFalls has each change that a database cannot do without fail once.
func TestFenceFalls(t *testing.T) {
	f := func(name string, change func(*fence) error) {
		t.Helper()
		why := errors.New(name)
		fence := &fence{FS: failing{vfs.NewMem(), why}}
		if err := change(fence); err != nil {
			t.Errorf("%s: the error %v comes through", name, err)
		}
		if fence.broken() != why {
			t.Errorf("%s: the fence is broken by %v", name, fence.broken())
		}
	}
	f("create", func(f *fence) error { _, err := f.Create("a", ""); return err })
	f("reuse", func(f *fence) error { _, err := f.ReuseForWrite("a", "b", ""); return err })
	f("open for writing", func(f *fence) error { _, err := f.OpenReadWrite("a", ""); return err })
	f("open folder", func(f *fence) error { _, err := f.OpenDir("a"); return err })
	f("rename", func(f *fence) error { return f.Rename("a", "b") })
	file := func(do func(vfs.File) error) func(*fence) error {
		return func(f *fence) error { return do(&fencedFile{failingFile{vfs.NewMemFile(nil), f.FS.(failing).why}, f}) }
	}
	f("write", file(func(f vfs.File) error { _, err := f.Write([]byte("x")); return err }))
	f("write at", file(func(f vfs.File) error { _, err := f.WriteAt([]byte("x"), 0); return err }))
	f("sync", file(vfs.File.Sync))
	f("sync data", file(vfs.File.SyncData))
}

// failing is a disk on which nothing works.
type failing struct {
	vfs.FS
	why error
}

func (f failing) Create(string, vfs.DiskWriteCategory) (vfs.File, error) { return nil, f.why }
func (f failing) ReuseForWrite(string, string, vfs.DiskWriteCategory) (vfs.File, error) {
	return nil, f.why
}
func (f failing) OpenReadWrite(string, vfs.DiskWriteCategory, ...vfs.OpenOption) (vfs.File, error) {
	return nil, f.why
}
func (f failing) OpenDir(string) (vfs.File, error) { return nil, f.why }
func (f failing) Rename(string, string) error      { return f.why }

type failingFile struct {
	vfs.File
	why error
}

func (f failingFile) Write([]byte) (int, error)          { return 0, f.why }
func (f failingFile) WriteAt([]byte, int64) (int, error) { return 0, f.why }
func (f failingFile) Sync() error                        { return f.why }
func (f failingFile) SyncData() error                    { return f.why }
