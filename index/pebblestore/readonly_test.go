package pebblestore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestReadOnly looks into a store without a change to it.
func TestReadOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := s.SwapRecord(t.Context(), "a", nil, []byte("1")); err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, err := Open(dir, Options{ReadOnly: true}); err == nil {
		t.Error("a store that another one has is looked into")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	before := filesOf(t, dir)
	s, err = Open(dir, Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if value, err := s.Record(t.Context(), "a"); err != nil || string(value) != "1" {
		t.Errorf("record is %q, error %v", value, err)
	}
	if ok, err := s.SwapRecord(t.Context(), "a", []byte("1"), []byte("2")); err == nil || ok {
		t.Errorf("written: %v, error %v", ok, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	after := filesOf(t, dir)
	if len(before) != len(after) {
		t.Errorf("files were %v and are %v", before, after)
	}
	for name, size := range before {
		if after[name] != size {
			t.Errorf("%s had %d bytes and has %d", name, size, after[name])
		}
	}
	none := filepath.Join(t.TempDir(), "none")
	if _, err := Open(none, Options{ReadOnly: true}); err == nil {
		t.Error("a store is there where there is none")
	}
	if _, err := os.Stat(none); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a folder was made")
	}
}

func filesOf(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]int64)
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = info.Size()
	}
	return files
}
