package index

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"heatlog/heatmap"
	"heatlog/journal"
)

// Export calls fn for each hit of the query's site and range of time in the order of the log, frozen sources first in their
// order, repeats left out and nothing excluded. Positions may name the positions below which hits are wanted, of a source
// that it does not name none; without it, it is all that is applied now. What it has still to read is not pruned. The error is a *heatmap.GoneError if no hit below a
// position is kept. The hit is valid only during the call.
func (x *Index) Export(ctx context.Context, q heatmap.Query, positions map[string]uint64, fn func(*heatmap.Hit) error) error {
	pl, err := x.newPlan(ctx, heatmap.Query{Site: q.Site, From: q.From, To: q.To, Last: q.Last})
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
