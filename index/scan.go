package index

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
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
	return ev.Hit.Site == pl.query.Site && pl.keepsHit(ev) && pl.match(ev.Page) && (pl.where == nil || pl.where.Match(ev))
}

// keepsHit reports whether an event is of a time and a sort that the plan asks for, whatever the site, the page and the expression.
func (pl *plan) keepsHit(ev *Event) bool {
	t := ev.Hit.Time
	return pl.from <= t && t < pl.to && pl.keepsBot(ev.Bot)
}

// scanOptions say which part of the log a scan reads and whom it tells. The zero value reads all of it and tells nobody.
type scanOptions struct {
	from  []uint64         // by feed: events at lower positions are not counted; nil = all that is kept
	lock  sync.Locker      // held whenever the aggregate changes, nil = none
	moved func(at scanned) // called under lock whenever hits were added: the aggregate then holds exactly those from `from` up to at.positions
}

// scanned says how far a scan is.
type scanned struct {
	positions   []uint64 // by feed
	done, total uint64   // hits that were read or skipped, and those to read or skip
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
	select {
	case x.scans <- struct{}{}:
		defer func() { <-x.scans }()
	case <-ctx.Done():
		return heatmap.Prefix{}, ctx.Err()
	}
	if o.lock == nil {
		o.lock = new(sync.Mutex)
	}
	pl.begin()
	x.stats.scans.Add(1)
	if pl.where != nil {
		defer func(before uint64) { x.stats.whereErrors.Add(pl.where.errors - before) }(pl.where.errors)
	}
	ends, err := x.scanEnds(ctx)
	if err != nil {
		return heatmap.Prefix{}, err
	}
	pinned := x.pins.add()
	defer pinned.release()
	prefix := heatmap.Prefix{Generation: x.options.Generation, Positions: make(map[string]uint64), Lag: x.active().lag()}
	at := scanned{positions: make([]uint64, len(x.feeds))}
	for i, f := range x.feeds {
		at.positions[i] = o.begins(i)
		begin := max(f.source.First(), o.begins(i))
		at.total += max(ends[i], begin) - begin
	}
	for i, f := range x.feeds {
		first, err := x.scanFeed(ctx, i, ends[i], pl, a, &o, &at, func(to uint64) { pinned.move(i, to) })
		if err != nil {
			return heatmap.Prefix{}, err
		}
		at.positions[i] = max(ends[i], o.begins(i))
		prefix.Positions[f.source.ID()] = at.positions[i]
		if first > o.begins(i) {
			if prefix.KeptFrom == nil {
				prefix.KeptFrom = make(map[string]uint64)
			}
			prefix.KeptFrom[f.source.ID()] = first
		}
	}
	return prefix, nil
}

// scanFeed counts the hits of a feed up to end and gives the first position that is kept.
func (x *Index) scanFeed(ctx context.Context, feed int, end uint64, pl *plan, a aggregate, o *scanOptions, at *scanned, pin func(uint64)) (first uint64, err error) {
	source, from := x.feeds[feed].source, o.begins(feed)
	if first = source.First(); max(first, from) >= end {
		return first, nil
	}
	start, err := startOf(ctx, source, from)
	if err != nil {
		return first, err
	}
	reader, first, err := openFrom(source, start)
	if err != nil {
		return first, err
	}
	defer reader.Close()
	stream := NewStream(x.options.Rules, x.zone, StreamOptions{MaxBytes: x.options.RepeatBytes})
	var c heatmap.Chunk
	for done := max(first, start); done < end; done = c.End() {
		pin(done)
		if err := ctx.Err(); err != nil {
			return first, err
		}
		err := reader.Next(ctx, &c)
		if errors.Is(err, io.EOF) {
			return first, nil // the end of a frozen source was lost to damage
		}
		if err != nil {
			return first, fmt.Errorf("scan journal %s: %w", source.ID(), err)
		}
		x.stats.scannedHits.Add(uint64(c.Count))
		if err := scanChunk(stream, &c, feed, end, pl, a, o, at); err != nil {
			return first, err
		}
	}
	return first, nil
}

// scanChunk counts the hits of a chunk from o.from up to end.
func scanChunk(stream *Stream, c *heatmap.Chunk, feed int, end uint64, pl *plan, a aggregate, o *scanOptions, at *scanned) (err error) {
	o.lock.Lock()
	defer o.lock.Unlock()
	from := o.begins(feed)
	stream.Events(c, func(ev *Event) {
		if err == nil && from <= ev.Position && ev.Position < end && pl.keepsEvent(ev) {
			err = a.event(ev)
		}
	})
	if to := min(c.End(), end); err == nil && to > from {
		at.done += to - max(from, c.Position)
		at.positions[feed] = to
		if o.moved != nil {
			o.moved(*at)
		}
	}
	return err
}

// startOf gives the position from which a source must be read so that hits from a position on are judged as if all of it had been.
func startOf(ctx context.Context, source Source, from uint64) (uint64, error) {
	if from <= source.First() {
		return 0, nil
	}
	reader, _, err := openFrom(source, from)
	if err != nil {
		return 0, err
	}
	defer reader.Close()
	var c heatmap.Chunk
	if err := reader.Next(ctx, &c); err != nil {
		if errors.Is(err, io.EOF) {
			return from, nil
		}
		return 0, fmt.Errorf("scan journal %s: %w", source.ID(), err)
	}
	return warmFrom(source, c.Appended)
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

// openFirst opens a source at the first position that is kept.
func openFirst(source Source) (Reader, uint64, error) { return openFrom(source, 0) }

// openFrom opens a source at a position, or at the first one that is kept if that is above, which it gives.
func openFrom(source Source, from uint64) (Reader, uint64, error) {
	for {
		first := source.First()
		reader, err := source.Open(max(first, from), journal.AllFields, nil)
		if errors.As(err, new(*journal.PrunedError)) && source.First() > first {
			continue // pruned in between
		}
		if err != nil {
			return nil, first, fmt.Errorf("scan journal %s: %w", source.ID(), err)
		}
		return reader, first, nil
	}
}

// readEvents passes a source from the first position that is kept, which it gives, up to end through a new stream, and says
// by moved from where it still has to read. Repeats and bursts are judged in each source alone.
func (x *Index) readEvents(ctx context.Context, source Source, rules *Rules, end uint64, moved func(uint64), fn func(*Event) error) (first uint64, err error) {
	if first = source.First(); first >= end {
		return first, nil
	}
	reader, first, err := openFirst(source)
	if err != nil {
		return first, err
	}
	defer reader.Close()
	stream := NewStream(rules, x.zone, StreamOptions{MaxBytes: x.options.RepeatBytes})
	var c heatmap.Chunk
	for done := first; done < end; done = c.End() {
		moved(done)
		if err := ctx.Err(); err != nil {
			return first, err
		}
		err := reader.Next(ctx, &c)
		if errors.Is(err, io.EOF) {
			return first, nil // the end of a frozen source was lost to damage
		}
		if err != nil {
			return first, fmt.Errorf("scan journal %s: %w", source.ID(), err)
		}
		x.stats.scannedHits.Add(uint64(c.Count))
		stream.Events(&c, func(ev *Event) {
			if err == nil && ev.Position < end {
				err = fn(ev)
			}
		})
		if err != nil {
			return first, err
		}
	}
	return first, nil
}

// Export calls fn for each hit of the query's site and range of time in the order of the log, frozen sources first in their
// order, repeats left out and nothing excluded. Positions may name the positions below which hits are wanted, of a source
// that it does not name none; without it, it is all that is applied now. What it has still to read is not pruned. The error is a *heatmap.GoneError if no hit below a
// position is kept. The hit is valid only during the call.
func (x *Index) Export(ctx context.Context, q heatmap.Query, positions map[string]uint64, fn func(*heatmap.Hit) error) error {
	pl, err := x.newPlan(ctx, heatmap.Query{Site: q.Site, From: q.From, To: q.To})
	if err != nil {
		return err
	}
	pinned := x.pins.add()
	defer pinned.release()
	ends, err := x.scanEnds(ctx)
	if err != nil {
		return err
	}
	if len(positions) > 0 {
		if err := x.lower(ends, positions); err != nil {
			return err
		}
	}
	for i, f := range x.feeds {
		_, err := x.readEvents(ctx, f.source, DefaultRules(), ends[i], func(to uint64) { pinned.move(i, to) }, func(ev *Event) error {
			if t := ev.Hit.Time; ev.Hit.Site != q.Site || t < pl.from || t >= pl.to {
				return nil
			}
			return fn(ev.Hit)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lower moves the ends of the sources to the positions that a caller names.
func (x *Index) lower(ends []uint64, positions map[string]uint64) error {
	bad := func(format string, args ...any) error {
		return &heatmap.ParamError{Field: "positions", Message: fmt.Sprintf(format, args...)}
	}
	known := 0
	for i, f := range x.feeds {
		source := f.source.ID()
		position, named := positions[source]
		switch {
		case position > ends[i] && f.frozen:
			return bad("journal %s is an older copy and ends at %d: up to %d its hits are counted, but cannot be read", source, ends[i], position)
		case position > ends[i]:
			return bad("journal %s is applied up to %d, not to %d", source, ends[i], position)
		case position > 0 && position <= f.source.First():
			return &heatmap.GoneError{Field: "positions", Message: fmt.Sprintf("the hits of journal %s below position %d were pruned", source, f.source.First())}
		case named:
			known++
		}
		ends[i] = position
	}
	if known == len(positions) {
		return nil
	}
	for _, source := range slices.Sorted(maps.Keys(positions)) {
		if !slices.ContainsFunc(x.feeds, func(f *feed) bool { return f.source.ID() == source }) {
			return bad("there is no journal %s", source)
		}
	}
	return nil
}
