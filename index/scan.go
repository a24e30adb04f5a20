package index

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"heatlog/heatmap"
	"heatlog/journal"
)

// scan answers what blobs cannot: it reads the sources from their first positions through streams of its own, the same that the
// index applies, and counts the hits that the plan asks for. It waits for its turn if MaxScans run already.
func (x *Index) scan(ctx context.Context, pl *plan, a aggregate) (heatmap.Prefix, error) {
	return x.scanRange(ctx, pl, a, scanOptions{})
}

// tallyEvent adds an event that the plan keeps to a sum of kinds.
func (pl *plan) tallyEvent(s *sum, ev *Event, kinds []heatmap.Kind) {
	s.see(ev.Date, ev.Date)
	if ev.Visitor != 0 {
		s.delta.AddVisitor(ev.Bot, ev.Visitor)
	}
	s.delta.AddSampled(ev.Bot, ev.Sampled)
	if o := asOp(ev); pl.keepsWidthOf(ev.Hit.ViewportW) && pl.keepsDevice(ev.Device) {
		tallyKinds(&s.delta, &o, kinds)
	}
}

// tallyKinds adds an op to the layers of the wanted kinds only, each kind in its sum layer.
func tallyKinds(d *heatmap.Delta, o *lonelyOp, kinds []heatmap.Kind) {
	kind := o.layer.Kind()
	if !slices.Contains(kinds, heatmap.KindDead) {
		o.dead, o.derived.deadAt = false, nil
	}
	if !slices.Contains(kinds, heatmap.KindRage) {
		o.derived.rageAt = nil
	}
	if slices.Contains(kinds, kind) {
		tallyNamed(d, o, sumLayer(kind))
		return
	}
	tallyDerived(d, &o.op, &o.derived, sumLayer(kind))
}

// keepsWidthOf is keepsWidth for an exact width, 0 being unknown.
func (pl *plan) keepsWidthOf(w uint16) bool {
	return !pl.query.Width.Set || pl.query.Width.Min <= w && w <= pl.query.Width.Max
}

// keepsEvent reports whether an event is of a page, a time and a sort that the plan asks for. Width and device are left
// out: visitors and sampled hits are counted whatever they are.
func (pl *plan) keepsEvent(ev *Event) bool {
	t := ev.Hit.Time
	return ev.Hit.Site == pl.query.Site && pl.from <= t && t < pl.to && pl.keepsBot(ev.Bot) && pl.match(ev.Page) &&
		(pl.where == nil || pl.where.Match(ev))
}

// scanOptions say which part of the log a scan reads and whom it tells. The zero value reads all of it and tells nobody.
type scanOptions struct {
	from  []uint64         // by feed: events at lower positions are not counted; nil = all that is kept
	lock  sync.Locker      // held whenever the aggregate changes, nil = none
	moved func(at scanned) // called under lock whenever hits were added: the aggregate then holds exactly those from `from` up to at.positions

	patient bool   // it waits for its turn however many do
	workers int    // that read side by side, 0 = one a core
	stretch uint64 // hits that are read in one go if spans are smaller, 0 = stretchHits
}

// scanned says how far a scan is.
type scanned struct {
	positions   []uint64 // by feed
	done, total uint64   // hits that were read or skipped, and those to read or skip
}

func (o scanOptions) withDefaults() scanOptions {
	if o.lock == nil {
		o.lock = new(sync.Mutex)
	}
	if o.workers == 0 {
		o.workers = runtime.GOMAXPROCS(0)
	}
	if o.stretch == 0 {
		o.stretch = stretchHits
	}
	return o
}

// begins gives the position from which hits of a feed are counted.
func (o *scanOptions) begins(feed int) uint64 {
	if o.from == nil {
		return 0
	}
	return o.from[feed]
}

// scanRange counts the hits that the plan asks for, from o.from up to what is applied now, which the prefix names. An error of
// the aggregate ends the scan and is returned as it is.
func (x *Index) scanRange(ctx context.Context, pl *plan, a aggregate, o scanOptions) (heatmap.Prefix, error) {
	if err := x.beginScan(ctx, o.patient); err != nil {
		return heatmap.Prefix{}, err
	}
	defer func() { <-x.scans }()
	pl.begin()
	x.stats.scans.Add(1)
	o = o.withDefaults()
	ends, err := x.scanEnds(ctx)
	if err != nil {
		return heatmap.Prefix{}, err
	}
	pinned := x.pins.add()
	defer pinned.release()
	for {
		s := x.newScanning(pl, a, &o, ends, pinned)
		prefix := s.prefix()
		err := s.run(ctx)
		if err == nil {
			s.finish()
			return prefix, nil
		}
		if !errors.As(err, new(*journal.PrunedError)) || !s.pruned() {
			return heatmap.Prefix{}, err
		}
		if s.merging.next > 0 {
			return heatmap.Prefix{}, &heatmap.UnavailableError{Message: "hits were deleted while they were read: ask again", Err: err}
		}
	}
}

// pruned reports whether less is kept than when the scan began: it may have begun while hits were being deleted.
func (s *scanning) pruned() bool {
	for i, f := range s.index.feeds {
		if f.source.First() > s.firsts[i] {
			return true
		}
	}
	return false
}

// beginScan waits for the turn of a scan. The error is a *heatmap.UnavailableError if too many wait that are not patient.
func (x *Index) beginScan(ctx context.Context, patient bool) error {
	select {
	case x.scans <- struct{}{}:
		return nil
	default:
	}
	if !patient {
		defer x.waiting.Add(-1)
		if x.waiting.Add(1) > int64(x.options.MaxScansWaiting) {
			return &heatmap.UnavailableError{Message: fmt.Sprintf(
				"%d questions that must be read from the journal are being answered and %d wait: ask again in some seconds", x.options.MaxScans, x.options.MaxScansWaiting)}
		}
	}
	select {
	case x.scans <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// newScanning finds out what a scan reads.
func (x *Index) newScanning(pl *plan, a aggregate, o *scanOptions, ends []uint64, pinned *pin) *scanning {
	s := &scanning{index: x, plan: pl, aggregate: a, options: o, ends: ends, pinned: pinned, firsts: make([]uint64, len(ends))}
	s.needs()
	for i, f := range x.feeds {
		s.firsts[i] = f.source.First()
		if max(s.firsts[i], s.begins(i)) >= ends[i] {
			continue
		}
		spans := f.source.Spans(s.firsts[i], ends[i])
		if len(spans) > 0 {
			s.firsts[i] = spans[0].From // more may have been pruned
		}
		begin := max(s.firsts[i], s.begins(i))
		for _, t := range pl.stretches(i, spans, begin, o.stretch) {
			t.done += s.total
			s.left = append(s.left, t)
		}
		s.total += ends[i] - begin
	}
	return s
}

// prefix is that of the answer.
func (s *scanning) prefix() heatmap.Prefix {
	x := s.index
	prefix := heatmap.Prefix{Generation: x.options.Generation, Positions: make(map[string]uint64), Lag: x.active().lag()}
	for i, f := range x.feeds {
		prefix.Positions[f.source.ID()] = max(s.ends[i], s.begins(i))
		if first := s.firsts[i]; first > s.begins(i) {
			if prefix.KeptFrom == nil {
				prefix.KeptFrom = make(map[string]uint64)
			}
			prefix.KeptFrom[f.source.ID()] = first
		}
	}
	return prefix
}

// scanEnds gives the position up to which each source is read: the end of a frozen one, what is applied of the active one.
func (x *Index) scanEnds(ctx context.Context) ([]uint64, error) {
	if err := x.waitRecovered(ctx, x.feeds[len(x.feeds)-1:]); err != nil {
		return nil, err
	}
	ends := make([]uint64, len(x.feeds))
	for i, f := range x.feeds {
		ends[i] = f.source.Durable()
	}
	ends[len(ends)-1] = x.pipeline().routed.Load()
	return ends, nil
}
