package index

import "heatlog/heatmap"

// sum reduces to one delta, in which each wanted kind is one layer.
type sum struct {
	daysSeen
	delta heatmap.Delta
	sel   heatmap.Select
	kind  heatmap.Kind // that the answer is about

	stored *storedSum // if set, its cells are not in delta
}

// storedSum is what the store has of a sum.
type storedSum struct {
	daysSeen
	rest  heatmap.Delta  // all but cells; it is cloned, and not changed
	cells *heatmap.Cells // nil = none, or they are in rest
}

// newSum makes a sum that leaves anchors out.
func newSum(sel heatmap.Select, kind heatmap.Kind) *sum {
	s := &sum{sel: sel, kind: kind}
	s.delta.IgnoreAnchors()
	return s
}

func (s *sum) part(d *heatmap.Delta) any {
	part := new(heatmap.Delta)
	part.IgnoreAnchors()
	part.MergeSelected(d, s.sel)
	return part
}

func (s *sum) add(k heatmap.Key, part any) {
	s.see(k.Period.First(), k.Period.Last())
	s.delta.Merge(part.(*heatmap.Delta))
}

func (s *sum) blob(k heatmap.Key, blob []byte) error {
	s.see(k.Period.First(), k.Period.Last())
	return s.delta.MergeBlobSelected(blob, s.sel)
}

func (s *sum) reset() {
	s.daysSeen, s.delta, s.stored = daysSeen{}, heatmap.Delta{}, nil
	s.delta.IgnoreAnchors()
}

func (s *sum) what() string { return s.kind.String() }

func (s *sum) keep(to *stored, _ *storedPage, k heatmap.Key, blob []byte) error {
	to.needSum().see(k.Period.First(), k.Period.Last())
	return to.sum.rest.MergeBlobSelected(blob, s.sel)
}

// needSum gives the sum, an empty one if nothing was added yet.
func (s *stored) needSum() *storedSum {
	if s.sum == nil {
		s.sum = new(storedSum)
		s.sum.rest.IgnoreAnchors()
	}
	return s.sum
}

func (s *sum) seal(to *stored) {
	sum := to.needSum()
	if sum.cells = sum.rest.TakeCells(sumLayer(s.kind)); sum.cells != nil {
		to.bytes += sum.cells.Bytes()
	}
	sum.rest = *sum.rest.Clone() // without the memory of what was taken
	to.bytes += sum.rest.Size()
}

func (s *sum) begin(from *stored) {
	s.daysSeen, s.delta, s.stored = from.sum.daysSeen, *from.sum.rest.Clone(), from.sum
}

// hits is the number of hits of a kind.
func (s *sum) hits(kind heatmap.Kind) uint64 {
	n := s.delta.Hits(sumLayer(kind))
	if kind == s.kind && s.stored != nil && s.stored.cells != nil {
		n += s.stored.cells.Hits()
	}
	return n
}

// cell is the side of the cells that the sum's kind is kept at, px: what is smaller has no points.
func (s *sum) cell() int {
	have := s.delta.CellSize(sumLayer(s.kind))
	if s.stored != nil && s.stored.cells != nil {
		have = max(have, s.stored.cells.Size())
	}
	return have
}

// points gives the cells of the sum's kind as cells of cell px, and the side that they are kept at: above cell there are no
// points.
func (s *sum) points(cell int) (points []heatmap.Point, have int) {
	layer := sumLayer(s.kind)
	if s.stored != nil && s.stored.cells != nil {
		if points, ok := s.delta.PointsWith(layer, s.stored.cells, cell); ok {
			return points, cell
		}
		s.delta.AddCells(layer, s.stored.cells)
		s.stored = nil
	}
	if have = s.delta.CellSize(layer); have > cell {
		return nil, have
	}
	return s.delta.Points(layer, cell), have
}

// daysSeen reduces to the first and the last day of what there is.
type daysSeen struct {
	first, last heatmap.Date
	dated       bool
}

func (s *daysSeen) part(*heatmap.Delta) any { return nil }

func (s *daysSeen) add(k heatmap.Key, _ any) { s.see(k.Period.First(), k.Period.Last()) }

func (s *daysSeen) blob(k heatmap.Key, _ []byte) error {
	s.see(k.Period.First(), k.Period.Last())
	return nil
}

func (s *daysSeen) reset() { *s = daysSeen{} }

func (s *daysSeen) see(first, last heatmap.Date) {
	if !s.dated || first < s.first {
		s.first = first
	}
	if !s.dated || last > s.last {
		s.last = last
	}
	s.dated = true
}

func (s *daysSeen) what() string { return "days" }

func (s *daysSeen) keep(*stored, *storedPage, heatmap.Key, []byte) error { return nil }

func (s *daysSeen) seal(*stored) {}

func (s *daysSeen) begin(from *stored) {
	for _, p := range from.pages {
		for _, d := range p.documents {
			s.see(d.period.First(), d.period.Last())
		}
	}
}
