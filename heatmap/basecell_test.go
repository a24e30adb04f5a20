package heatmap

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestNewDelta counts on larger cells: the blob is that of the same hits counted in any parts and order, and says what the
// finest cells do, summed.
func TestNewDelta(t *testing.T) {
	click, view := NewLayerID(KindClick, 3, Desktop, false), NewLayerID(KindView, 3, Desktop, false)
	rng := rand.New(rand.NewPCG(9, 9))
	for _, cell := range []int{8, 16, 32, 64} {
		for range 50 {
			whole, fine, parts := NewDelta(cell), NewDelta(CellSize), [3]Delta{NewDelta(cell), NewDelta(cell), NewDelta(cell)}
			for range rng.IntN(300) {
				x, y, part := uint16(rng.IntN(65536)), uint16(rng.IntN(2000)), &parts[rng.IntN(3)]
				if rng.IntN(3) == 0 {
					whole.AddView(view)
					part.AddView(view)
					continue
				}
				for _, d := range []*Delta{&whole, &fine, part} {
					d.AddPoint(click, x, y)
				}
			}
			var sum Delta
			for _, i := range rng.Perm(3) {
				if err := sum.MergeBlob(parts[i].Append(nil)); err != nil {
					t.Fatalf("cell %d: %v", cell, err)
				}
			}
			if !bytes.Equal(sum.Append(nil), whole.Append(nil)) {
				t.Fatalf("cell %d: blobs of parts make another blob", cell)
			}
			if n := whole.Hits(click); n > 0 && whole.CellSize(click) != cell {
				t.Fatalf("cells are %d px, want %d", whole.CellSize(click), cell)
			}
			a, b := whole.Points(click, cell), fine.Points(click, cell)
			if len(a) != len(b) {
				t.Fatalf("cell %d: %d points, want %d", cell, len(a), len(b))
			}
			for i := range a {
				if a[i] != b[i] {
					t.Fatalf("cell %d: point %v, want %v", cell, a[i], b[i])
				}
			}
		}
	}
}
