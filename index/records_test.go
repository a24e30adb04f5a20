package index

import (
	"bytes"
	"reflect"
	"testing"
)

// FuzzRecords reads any bytes as the records of a source: what is taken can be moved on, and reads then as it was written.
func FuzzRecords(f *testing.F) {
	f.Add([]byte("17 1770000000000"), []byte("40"))
	f.Add([]byte("0 0"), []byte("18446744073709551615"))
	f.Add([]byte("-1 x"), []byte(" 7"))
	f.Fuzz(func(t *testing.T, stored, high []byte) {
		ctx, s := t.Context(), newMapStore()
		h := &highMark{store: s, generation: "g1", source: "j1"}
		s.records[checkpointName("g1", "j1")], s.records[h.name()] = bytes.Clone(stored), bytes.Clone(high)
		at, _, err := readCheckpoint(ctx, s, "g1", "j1")
		mark, _, markErr := h.read(ctx)
		if err != nil || markErr != nil || at.Position == 1<<64-1 {
			return
		}
		next := checkpoint{Position: at.Position + 1, Appended: at.Appended}
		if err := h.writeCheckpoint(ctx, next); err != nil {
			t.Fatal(err)
		}
		if got, _, err := readCheckpoint(ctx, s, "g1", "j1"); err != nil || !reflect.DeepEqual(got, next) {
			t.Errorf("checkpoint %q moved on to %+v reads as %+v, %v", stored, next, got, err)
		}
		if got, _, err := h.read(ctx); err != nil || got != max(mark, next.Position) {
			t.Errorf("mark %q raised to %d reads as %d, %v", high, next.Position, got, err)
		}
	})
}
