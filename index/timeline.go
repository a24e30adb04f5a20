package index

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"heatlog/heatmap"
)

// timelineSteps is how many steps a timeline has at most if the query does not say how long they are.
const timelineSteps = 300

// timelineStep gives the least of some usual steps of which a time needs no more than timelineSteps.
func timelineStep(span time.Duration) time.Duration {
	for _, step := range []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour} {
		if span <= timelineSteps*step {
			return step
		}
	}
	return 3 * time.Hour // MaxTimelineDays need no more than 248
}

// timeline counts a kind by step and cell.
type timeline struct {
	plan  *plan
	kind  heatmap.Kind
	start int64 // Unix ms
	step  int64 // ms
	cell  int
	hits  uint64
	cells map[timelineCell]uint64
}

// timelineCell is a cell in a step; x and y count cells.
type timelineCell struct {
	step uint32
	y, x uint16
}

// event counts an event, as what it is or what it completes. What is derived belongs to the step of the hit that shows it.
func (t *timeline) event(ev *Event) error {
	if !t.plan.keepsWidthOf(ev.Hit.ViewportW) || !t.plan.keepsDevice(ev.Device) {
		return nil
	}
	step := uint32((ev.Hit.Time - t.start) / t.step)
	switch {
	case t.kind == heatmap.KindRage:
		t.addSpots(step, ev.RageAt)
	case t.kind == heatmap.KindDead:
		t.addSpots(step, ev.DeadAt)
		if ev.Dead {
			t.add(step, ev.Hit.X, ev.Hit.Y)
		}
	case t.kind == ev.Hit.Kind && !ev.Repeat:
		t.add(step, ev.Hit.X, ev.Hit.Y)
	}
	return nil
}

func (t *timeline) addSpots(step uint32, spots []Spot) {
	for _, at := range spots {
		t.add(step, at.X, at.Y)
	}
}

func (t *timeline) add(step uint32, x, y uint16) {
	t.hits++
	t.cells[timelineCell{step, uint16(int(y) / t.cell), uint16(int(x) / t.cell)}]++
}

func (t *timeline) merge(part aggregate) error {
	o := part.(*timeline)
	t.hits += o.hits
	for cell, n := range o.cells {
		t.cells[cell] += n
	}
	return nil
}

func (t *timeline) fresh() aggregate {
	f := *t
	f.hits, f.cells = 0, make(map[timelineCell]uint64)
	return &f
}

func (t *timeline) rows() (int, string) { return len(t.cells), "cells in steps" }

// frames gives the cells by step, then by Y, then by X.
func (t *timeline) frames() (frames []heatmap.Frame) {
	cells := make([]timelineCell, 0, len(t.cells))
	for c := range t.cells {
		cells = append(cells, c)
	}
	slices.SortFunc(cells, func(a, b timelineCell) int {
		return cmp.Or(cmp.Compare(a.step, b.step), cmp.Compare(a.y, b.y), cmp.Compare(a.x, b.x))
	})
	for _, c := range cells {
		if n := len(frames); n == 0 || frames[n-1].Step != int(c.step) {
			frames = append(frames, heatmap.Frame{Step: int(c.step)})
		}
		f := &frames[len(frames)-1]
		f.Points = append(f.Points, heatmap.Point{X: int(c.x) * t.cell, Y: int(c.y) * t.cell, Weight: t.cells[c]})
	}
	return frames
}

// Timeline answers a query for when a kind was counted where, over a range of at most heatmap.MaxTimelineDays days. It is read from the
// journal. The error is a *heatmap.ParamError if the query cannot be answered as it was put.
func (x *Index) Timeline(ctx context.Context, q heatmap.Query) (*heatmap.Timeline, error) {
	if err := checkKind(&q); err != nil {
		return nil, err
	}
	if q.Cell == 0 {
		q.Cell = x.options.Rules.CellSize()
	}
	pl, err := x.newPlan(ctx, q)
	if err != nil {
		return nil, err
	}
	pl.scan = true
	step, err := pl.timelineStep()
	if err != nil {
		return nil, err
	}
	t := &timeline{plan: pl, kind: q.Kind, start: pl.from, step: step.Milliseconds(), cell: q.Cell, cells: make(map[timelineCell]uint64)}
	a := &heatmap.Timeline{
		Page: pl.page, Zone: pl.zone, Start: t.start, Step: t.step, Steps: pl.steps(step), Cell: q.Cell, From: *pl.first, To: *pl.last,
	}
	if a.Prefix, err = x.scan(ctx, pl, t); err != nil {
		return nil, err
	}
	if a.Hits, a.Frames = t.hits, t.frames(); a.Hits == 0 {
		a.Why, err = x.why(ctx, pl, q.Kind)
	}
	return a, err
}

// timelineStep checks the range and the step of a timeline, and gives the step.
func (pl *plan) timelineStep() (time.Duration, error) {
	bad := func(field, format string, args ...any) (time.Duration, error) {
		return 0, &heatmap.ParamError{Field: field, Message: fmt.Sprintf(format, args...)}
	}
	if pl.first == nil || pl.last == nil {
		return bad("from", "a timeline needs from and to, or last")
	}
	if days := int(*pl.last-*pl.first) + 1; days > heatmap.MaxTimelineDays {
		return bad("from", "the range has %d days, a timeline at most %d", days, heatmap.MaxTimelineDays)
	}
	step := pl.query.Step
	if step == 0 {
		step = timelineStep(time.Duration(pl.to-pl.from) * time.Millisecond)
	}
	if step < time.Second || step%time.Second != 0 {
		return bad("step", "step must be whole seconds, at least 1")
	}
	if n := pl.steps(step); n > heatmap.MaxTimelineSteps {
		return bad("step", "the range has %d steps of %v, at most %d: choose a longer step or a shorter range", n, step, heatmap.MaxTimelineSteps)
	}
	return step, nil
}

// steps is how many steps the plan's range has.
func (pl *plan) steps(step time.Duration) int {
	ms := step.Milliseconds()
	return int((pl.to - pl.from + ms - 1) / ms)
}
