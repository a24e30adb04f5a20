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
		before, pageBefore := s.Version(), s.PageVersion(ref.Site, ref.Page)
		if err := fn(); err != nil {
			t.Fatal(err)
		}
		if after := s.Version(); after < before || (after > before) != want {
			t.Errorf("%s: version %d before, %d after", what, before, after)
		}
		if after := s.PageVersion(ref.Site, ref.Page); after < pageBefore || (after > pageBefore) != want {
			t.Errorf("%s: version of the page %d before, %d after", what, pageBefore, after)
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
	other := s.PageVersion("shop", "https://shop.example/other")
	changes(true, "swap of another period", func() error {
		another := ref
		another.Period++
		_, err := s.Swap(t.Context(), []index.Write{{Ref: another, New: 1, Blob: []byte("b")}})
		return err
	})
	if after := s.PageVersion("shop", "https://shop.example/other"); after != other {
		t.Errorf("version of another page %d before, %d after", other, after)
	}
	changes(true, "drop", func() error { return s.Drop(t.Context(), "g1") })
	if after := s.PageVersion("shop", "https://shop.example/other"); after <= other {
		t.Errorf("version of another page %d before a drop, %d after", other, after)
	}
}
