package pebblestore_test

import (
	"testing"

	"heatlog/index"
	"heatlog/index/pebblestore"
	"heatlog/index/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) (index.Store, func() index.Store) {
		dir := t.TempDir()
		s := open(t, dir, pebblestore.Options{MemTable: 1 << 20})
		return s, func() index.Store {
			closeStore(t, s)
			s = open(t, dir, pebblestore.Options{MemTable: 1 << 20})
			return s
		}
	})
}

// open opens a store that is closed when the test ends.
func open(t testing.TB, dir string, o pebblestore.Options) *pebblestore.Store {
	t.Helper()
	s, err := pebblestore.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeStore(t, s) })
	return s
}

func closeStore(t testing.TB, s *pebblestore.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Errorf("close store: %v", err)
	}
}
