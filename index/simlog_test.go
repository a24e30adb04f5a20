package index

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"heatlog/heatmap"
)

// simLog is the log: chunks, of which the first durable ones survive a power cut.
type simLog struct {
	world   *sim
	chunks  []heatmap.Chunk
	durable int
}

func (l *simLog) ID() string { return simSource }

func (l *simLog) First() uint64 { return 0 }

func (l *simLog) Durable() uint64 { return l.end(l.durable) }

func (l *simLog) end(chunks int) uint64 {
	if chunks == 0 {
		return 0
	}
	return l.chunks[chunks-1].End()
}

func (l *simLog) Since(appended int64) (uint64, error) {
	for _, c := range l.chunks[:l.durable] {
		if c.Appended >= appended {
			return c.Position, nil
		}
	}
	return l.Durable(), nil
}

func (l *simLog) Open(position uint64) (Reader, error) {
	for i, c := range l.chunks {
		if c.End() > position {
			return &simReader{l, i}, nil
		}
	}
	return &simReader{l, len(l.chunks)}, nil
}

type simReader struct {
	log  *simLog
	next int
}

var errTail = errors.New("end of the durable log")

func (r *simReader) Next(_ context.Context, c *heatmap.Chunk) error {
	if r.next >= r.log.durable {
		return errTail
	}
	*c = r.log.chunks[r.next]
	r.next++
	return nil
}

func (r *simReader) Close() error { return nil }

func (l *simLog) sync() { l.durable = len(l.chunks) }

func (l *simLog) cut() { l.chunks = slices.Clip(l.chunks[:l.durable]) }

// append adds a chunk of one or two batches, some of which were sent before.
func (l *simLog) append() {
	w := l.world
	w.clock += int64(w.rand.IntN(400_000)) // up to 7 minutes: buckets of repeats come and go
	c := heatmap.Chunk{Position: l.end(len(l.chunks)), Appended: w.clock}
	for range 1 + w.rand.IntN(2) {
		b := w.newBatch()
		if len(l.chunks) > 0 && w.rand.IntN(4) == 0 {
			old := l.chunks[w.rand.IntN(len(l.chunks))]
			b = old.Batches[w.rand.IntN(len(old.Batches))]
		}
		c.Batches = append(c.Batches, b)
		c.Count += len(b.Hits)
	}
	w.counts.Hits += c.Count
	l.chunks = append(l.chunks, c)
}

// newBatch makes hits with a cell of their own each, some of them late.
func (w *sim) newBatch() heatmap.Batch {
	w.batches++
	b := heatmap.Batch{Site: simSite, Visitor: "v" + strconv.Itoa(w.rand.IntN(4)), ID: "b" + strconv.Itoa(w.batches)}
	page := simPages[w.rand.IntN(len(simPages))]
	for range 1 + w.rand.IntN(3) {
		w.serial++
		day, _ := heatmap.ParseDate(simDays[w.rand.IntN(len(simDays))])
		b.Hits = append(b.Hits, heatmap.Hit{
			Time: day.Start(time.UTC) + int64(w.rand.IntN(86_400_000)), Site: simSite, URL: page, Visitor: b.Visitor,
			Kind: heatmap.KindClick, X: w.serial % 1000 * 8, Y: w.serial / 1000 * 8,
		})
	}
	return b
}

// recount counts the log below a position, as plainly as can be.
func (l *simLog) recount(pl *plan, position uint64) *heatmap.Delta {
	d := new(heatmap.Delta)
	l.each(pl, position, func(h *heatmap.Hit) { d.AddPoint(sumLayer(heatmap.KindClick), h.X, h.Y) })
	return d
}

// simDay is what a trend has of a day.
type simDay struct {
	clicks   uint64
	visitors map[string]bool
}

// recountDays counts the same by day.
func (l *simLog) recountDays(pl *plan, position uint64) map[int64]*simDay {
	days := make(map[int64]*simDay)
	l.each(pl, position, func(h *heatmap.Hit) {
		start := h.Time / 86_400_000 * 86_400_000
		if days[start] == nil {
			days[start] = &simDay{visitors: make(map[string]bool)}
		}
		days[start].clicks++
		days[start].visitors[h.Visitor] = true
	})
	return days
}

// each calls fn for the plan's hits below a position, of batches that did not come earlier in the same or the preceding 10
// minutes.
func (l *simLog) each(pl *plan, position uint64, fn func(*heatmap.Hit)) {
	came := make(map[string][]int64) // buckets in which a batch came
	for _, c := range l.chunks {
		bucket, at := c.Appended/600_000, c.Position
		for _, b := range c.Batches {
			id := b.Visitor + " " + b.ID
			repeated := slices.ContainsFunc(came[id], func(k int64) bool { return k == bucket || k == bucket-1 })
			came[id] = append(came[id], bucket)
			if repeated {
				l.world.counts.Repeats++
				at += uint64(len(b.Hits))
				continue
			}
			for i := range b.Hits {
				if h := &b.Hits[i]; at < position && pl.match(h.URL) && pl.from <= h.Time && h.Time < pl.to {
					fn(h)
				}
				at++
			}
		}
	}
}
