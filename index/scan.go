package index

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"heatlog/heatmap"
	"heatlog/journal"
)

// scan answers what blobs cannot: it reads the source from its start through a stream of its own, the same that the
// index applies, and sums the hits that the plan asks for. It waits for its turn if MaxScans run already.
func (x *Index) scan(ctx context.Context, pl *plan, s *sum, kinds []heatmap.Kind) (heatmap.Prefix, error) {
	return x.scanEvents(ctx, pl, func(ev *Event) error {
		s.see(ev.Date, ev.Date)
		if ev.Visitor != 0 {
			s.delta.AddVisitor(ev.Bot, ev.Visitor)
		}
		o := asOp(ev)
		if !pl.keepsWidthOf(ev.Hit.ViewportW) || !pl.keepsDevice(ev.Device) {
			return nil
		}
		tallyKinds(&s.delta, &o, kinds)
		return nil
	})
}

// scanPages counts the hits of each page by a scan.
func (x *Index) scanPages(ctx context.Context, pl *plan, c *pageCounts) (heatmap.Prefix, error) {
	return x.scanEvents(ctx, pl, func(ev *Event) error {
		if pl.keepsWidthOf(ev.Hit.ViewportW) && pl.keepsDevice(ev.Device) {
			c.of(ev.Page).event(ev)
		}
		return nil
	})
}

// tallyKinds adds an op to the layers of the wanted kinds only, each kind in its sum layer.
func tallyKinds(d *heatmap.Delta, o *op, kinds []heatmap.Kind) {
	kind := o.layer.Kind()
	o.dead = o.dead && slices.Contains(kinds, heatmap.KindDead)
	o.rage = o.rage && slices.Contains(kinds, heatmap.KindRage)
	if slices.Contains(kinds, kind) {
		tally(d, o, sumLayer(kind))
		return
	}
	tallyDerived(d, o, sumLayer(kind))
}

// keepsWidthOf is keepsWidth for an exact width, 0 being unknown.
func (pl *plan) keepsWidthOf(w uint16) bool {
	return !pl.query.Width.Set || pl.query.Width.Min <= w && w <= pl.query.Width.Max
}

// keepsEvent reports whether an event is of a page, a time and a sort that the plan asks for. Width and device are left
// out: visitors are counted whatever they are.
func (pl *plan) keepsEvent(ev *Event) bool {
	t := ev.Hit.Time
	return ev.Hit.Site == pl.query.Site && pl.from <= t && t < pl.to && pl.keepsBot(ev.Bot) && pl.match(ev.Page) &&
		(pl.where == nil || pl.where.Match(ev))
}

// scanEvents calls fn for each counted hit that the plan asks for, up to the position that is applied now. An error
// of fn ends the scan and is returned as it is.
func (x *Index) scanEvents(ctx context.Context, pl *plan, fn func(*Event) error) (heatmap.Prefix, error) {
	select {
	case x.scans <- struct{}{}:
		defer func() { <-x.scans }()
	case <-ctx.Done():
		return heatmap.Prefix{}, ctx.Err()
	}
	x.stats.scans.Add(1)
	p := x.pipeline()
	if err := p.waitRecovered(ctx); err != nil {
		return heatmap.Prefix{}, err
	}
	end := p.routed.Load()
	pinned := x.pins.add()
	defer pinned.release()
	first, err := x.readEvents(ctx, x.options.Rules, end, pinned.move, func(ev *Event) error {
		if !pl.keepsEvent(ev) {
			return nil
		}
		return fn(ev)
	})
	if err != nil {
		return heatmap.Prefix{}, err
	}
	prefix, err := x.prefix(ctx, end, nil)
	if first > 0 {
		prefix.KeptFrom = map[string]uint64{x.options.Source.ID(): first}
	}
	return prefix, err
}

// openFirst opens the source at the first position that is kept.
func (x *Index) openFirst() (Reader, uint64, error) {
	source := x.options.Source
	for {
		first := source.First()
		reader, err := source.Open(first)
		if errors.As(err, new(*journal.PrunedError)) && source.First() > first {
			continue // pruned in between
		}
		if err != nil {
			return nil, first, fmt.Errorf("scan journal %s: %w", source.ID(), err)
		}
		return reader, first, nil
	}
}

// readEvents passes the source from the first position that is kept, which it gives, up to end through a new stream, and
// says by moved from where it still has to read.
func (x *Index) readEvents(ctx context.Context, rules *Rules, end uint64, moved func(uint64), fn func(*Event) error) (first uint64, err error) {
	source := x.options.Source
	reader, first, err := x.openFirst()
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
		if err := reader.Next(ctx, &c); err != nil {
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

// Export calls fn for each hit of the query's site and range of time in the order of the log, repeats left out and
// nothing excluded. Positions may name the source with the position below which hits are wanted; without it, it is all
// that is applied now. The error is a *heatmap.GoneError if no hit below the position is kept. The hit is valid only during
// the call.
func (x *Index) Export(ctx context.Context, q heatmap.Query, positions map[string]uint64, fn func(*heatmap.Hit) error) error {
	pl, err := x.newPlan(heatmap.Query{Site: q.Site, From: q.From, To: q.To})
	if err != nil {
		return err
	}
	p := x.pipeline()
	if err := p.waitRecovered(ctx); err != nil {
		return err
	}
	end := p.routed.Load()
	for source, position := range positions {
		if source != x.options.Source.ID() {
			return &heatmap.ParamError{Field: "positions", Message: "there is no journal " + source}
		}
		if position > end {
			return &heatmap.ParamError{Field: "positions", Message: fmt.Sprintf("journal %s is applied up to %d, not to %d", source, end, position)}
		}
		if first := x.options.Source.First(); position > 0 && position <= first {
			return &heatmap.GoneError{Field: "positions", Message: fmt.Sprintf("the hits of journal %s below position %d were pruned", source, first)}
		}
		end = position
	}
	_, err = x.readEvents(ctx, DefaultRules(), end, func(uint64) {}, func(ev *Event) error {
		if t := ev.Hit.Time; ev.Hit.Site != q.Site || t < pl.from || t >= pl.to {
			return nil
		}
		return fn(ev.Hit)
	})
	return err
}
