package pebblestore_test

import (
	"testing"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/index/pebblestore"
)

// TestVersion looks at the version before and after each change of documents, and after what is none.
func TestVersion(t *testing.T) {
	s := open(t, t.TempDir(), pebblestore.Options{})
	ref := index.Ref{Generation: "g1", Key: heatmap.Key{Site: "shop", Page: "https://shop.example/", Period: heatmap.DayPeriod(20_000)}, Source: "s"}
	changes := func(want bool, what string, fn func() error) {
		t.Helper()
		before := s.Version()
		if err := fn(); err != nil {
			t.Fatal(err)
		}
		if after := s.Version(); after < before || (after > before) != want {
			t.Errorf("%s: version %d before, %d after", what, before, after)
		}
	}
	changes(true, "swap", func() error {
		_, err := s.Swap(t.Context(), []index.Write{{Ref: ref, New: 1, Blob: []byte("b")}})
		return err
	})
	changes(false, "scan", func() error {
		return s.Scan(t.Context(), index.Range{Generation: "g1", Site: "shop", IsPrefix: true}, func(index.Doc) error { return nil })
	})
	changes(false, "record", func() error {
		_, err := s.SwapRecord(t.Context(), "r", nil, []byte("v"))
		return err
	})
	changes(true, "drop", func() error { return s.Drop(t.Context(), "g1") })
}
