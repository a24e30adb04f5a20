package heatmap

import "testing"

// TestInnerCount packs elements, cells and hits, adds hits across what 32 bits hold, and reads them back.
func TestInnerCount(t *testing.T) {
	f := func(id ElementID, cell InnerCell, n, more uint64) {
		t.Helper()
		c, o := newInnerCount(id, cell, n), newInnerCount(id, cell, more)
		if !c.isAt(&o) || compareInner(c, o) != 0 {
			t.Errorf("%+v and %+v are not one cell", c, o)
		}
		if c.add(&o); c.element() != id || c.cell != cell || c.n() != n+more {
			t.Errorf("element %x, cell %x, %d hits; want %x, %x, %d", c.element(), c.cell, c.n(), id, cell, n+more)
		}
		if next := newInnerCount(id-1, cell, n); c.isAt(&next) || compareInner(next, c) != -1 {
			t.Errorf("%+v does not come before %+v", next, c)
		}
		if next := newInnerCount(id, cell-1, n); c.isAt(&next) || compareInner(next, c) != -1 {
			t.Errorf("%+v does not come before %+v", next, c)
		}
	}
	f(1, 1, 1, 1)
	f(maxElement, 1<<32-1, 1<<32-1, 1)
	f(7, 9, maxHits, maxHits)
	f(maxElement, 9, 3<<32, 1<<32-1)
}
