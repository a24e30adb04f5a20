package index

import (
	"context"

	"heatlog/heatmap"
)

// livingMap keeps a map. Beside the sum, which says what the answer to the same query would be, it has the weight of each cell of
// the answer and notes which of them change, so that an update costs as much as what has changed.
type livingMap struct {
	x *Index
	*sumAggregate
	cell  int
	cells map[uint32]uint64   // weights by place: row in the high and column in the low 16 bits
	dirty map[uint32]struct{} // those that changed since the last update
	most  uint64
}

func newLivingMap(x *Index, pl *plan) *livingMap {
	return &livingMap{
		x: x, sumAggregate: newSumAggregate(pl, pl.query.Kind, heatmap.KindView), cell: pl.query.Cell,
		cells: make(map[uint32]uint64), dirty: make(map[uint32]struct{}),
	}
}

func (l *livingMap) event(ev *Event) error {
	if err := l.sumAggregate.event(ev); err != nil {
		return err
	}
	if l.plan.keepsWidthOf(ev.Hit.ViewportW) && l.plan.keepsDevice(ev.Device) {
		eachSpot(ev, l.kind, func(x, y uint16) { l.add(uint32(x), uint32(y), 1) })
	}
	return nil
}

// eachSpot calls fn for each point of a kind that an event adds to a map.
func eachSpot(ev *Event, kind heatmap.Kind, fn func(x, y uint16)) {
	h := ev.Hit
	switch kind {
	case heatmap.KindRage:
		for _, at := range ev.RageAt {
			fn(at.X, at.Y)
		}
	case heatmap.KindDead:
		if ev.Dead {
			fn(h.X, h.Y)
		}
		for _, at := range ev.DeadAt {
			fn(at.X, at.Y)
		}
	default:
		if h.Kind == kind && !ev.Repeat {
			fn(h.X, h.Y)
		}
	}
}

// add adds hits at a point of the page.
func (l *livingMap) add(x, y uint32, n uint64) {
	at := y/uint32(l.cell)<<16 | x/uint32(l.cell)
	l.cells[at] += n
	l.dirty[at] = struct{}{}
	l.most = max(l.most, l.cells[at])
}

func (l *livingMap) addPoints(points []heatmap.Point) {
	for _, p := range points {
		l.add(uint32(p.X), uint32(p.Y), p.Weight)
	}
}

func (l *livingMap) merge(part aggregate) error {
	s := part.(*sumAggregate).sum
	points, have := s.points(l.cell)
	if have > l.cell {
		return coarserError(have)
	}
	l.addPoints(points)
	return l.sumAggregate.merge(part)
}

func (l *livingMap) snapshot(ctx context.Context) (heatmap.Prefix, error) {
	prefix, err := l.x.reduce(ctx, l.plan, l.sum)
	if err != nil {
		return prefix, err
	}
	points, have := l.sum.points(l.cell)
	if have > l.cell {
		return prefix, coarserError(have)
	}
	l.addPoints(points)
	l.sum.together()
	_, _, _, err = l.x.span(ctx, l.plan, l.sum)
	return prefix, err
}

// together puts what the store has of a sum into the delta.
func (s *sum) together() {
	if s.stored != nil && s.stored.cells != nil {
		s.delta.AddCells(sumLayer(s.kind), s.stored.cells)
	}
	s.stored = nil
}

func (l *livingMap) update(u *heatmap.Update, p heatmap.Prefix) (heatmap.Kind, bool, error) {
	if have := l.sum.cell(); have > l.cell {
		return 0, false, coarserError(have)
	}
	a := l.x.mapOf(l.plan, l.sum, p, l.kind)
	a.Cell = l.cell
	a.From, a.To, a.Dated = l.plan.days(&l.daysSeen)
	u.Heatmap, u.Max, u.Cells = a, l.most, len(l.cells)
	a.Points = make([]heatmap.Point, 0, len(l.dirty))
	for at := range l.dirty {
		a.Points = append(a.Points, heatmap.Point{X: int(at&0xffff) * l.cell, Y: int(at>>16) * l.cell, Weight: l.cells[at]})
	}
	l.dirty = make(map[uint32]struct{}) // to clear one that was large takes as long as it was
	return l.kind, a.Hits == 0, nil
}

func (l *livingMap) size() int { return len(l.cells) }
