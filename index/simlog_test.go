package index

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"heatlog/heatmap"
	"heatlog/journal"
)

// simLog is a log: chunks, of which the first durable ones survive a power cut.
type simLog struct {
	world   *sim
	id      string
	chunks  []heatmap.Chunk
	durable int
	frozen  bool
	lost    []heatmap.Chunk // that followed, but that the copy does not have which was put back; the store may
}

func (w *sim) newLog() {
	l := &simLog{world: w, id: "j" + strconv.Itoa(1+len(w.all))}
	w.all, w.logs = append(w.all, l), append(w.logs, l)
}

// active is the log that is written.
func (w *sim) active() *simLog { return w.logs[len(w.logs)-1] }

// whole gives the durable chunks that there ever were.
func (l *simLog) whole() []heatmap.Chunk {
	return append(slices.Clip(l.chunks[:l.durable]), l.lost...)
}

// simCopy is a copy of the folder and of the store.
type simCopy struct {
	logs    []*simLog
	chunks  []int // of each log
	frozen  []bool
	docs    map[Ref]Doc
	records map[string][]byte
}

func (w *sim) copy() {
	c := simCopy{docs: maps.Clone(w.store.docs), records: maps.Clone(w.store.records)}
	for _, l := range w.logs {
		c.logs, c.chunks, c.frozen = append(c.logs, l), append(c.chunks, l.durable), append(c.frozen, l.frozen)
	}
	if w.copies = append(w.copies, c); len(w.copies) > 4 {
		i := w.rand.IntN(len(w.copies))
		w.copies = slices.Delete(w.copies, i, i+1)
	}
}

// restore puts a copy in the place of the folder, of the store or of both, and starts all owners.
func (w *sim) restore() error {
	if len(w.copies) == 0 {
		return nil
	}
	c := w.copies[w.rand.IntN(len(w.copies))]
	which := w.rand.IntN(4)
	w.active().cut()
	if which != 0 {
		w.counts.Restores++
		w.restoreLogs(c)
	}
	if which <= 1 {
		w.counts.StoreRestores++
		w.store.docs, w.store.records, w.store.late = maps.Clone(c.docs), maps.Clone(c.records), nil
	}
	if w.rand.IntN(10) == 0 { // the folder is gone
		w.restoreLogs(simCopy{})
	}
	if err := w.freezeBehind(); err != nil {
		return err
	}
	for _, o := range w.owners {
		o.restart()
	}
	return nil
}

// restoreLogs makes the folder what it was. What it loses, the store may have counted.
func (w *sim) restoreLogs(c simCopy) {
	w.logs = nil
	for _, l := range w.all {
		whole, n := l.whole(), 0
		if i := slices.Index(c.logs, l); i >= 0 {
			n = c.chunks[i]
			if l.frozen && !c.frozen[i] {
				w.counts.FrozenAgain++
			}
			l.frozen = c.frozen[i]
			w.logs = append(w.logs, l)
			if n > l.durable {
				w.counts.Returned++
			}
		}
		l.chunks, l.lost, l.durable = slices.Clip(whole[:n]), whole[n:], n
	}
	slices.SortStableFunc(w.logs, func(a, b *simLog) int { // the one that is written last
		switch {
		case a.frozen == b.frozen:
			return 0
		case a.frozen:
			return -1
		}
		return 1
	})
	if len(w.logs) == 0 {
		w.newLog()
	}
}

// freezeBehind is what a start does: a log that the store is ahead of is never written again.
func (w *sim) freezeBehind() error {
	l := w.active()
	err := Behind(context.Background(), calm{&w.store}, w.generations(), l)
	switch {
	case errors.As(err, new(*JournalBehindError)):
		w.counts.Freezes++
		if Behind(context.Background(), calm{&w.store}, []string{simGen}, l) == nil {
			w.counts.OthersBehind++
		}
		l.frozen = true
		w.newLog()
	case err != nil:
		return err
	case len(l.lost) > 0: // nothing of them was stored: others take their positions, and copies that have them are no more of this log
		w.counts.NotBehind++
		l.lost, w.copies = nil, nil
	}
	return nil
}

func (l *simLog) ID() string { return l.id }

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

func (l *simLog) Before(appended int64) (last int64, ok bool, err error) {
	for _, c := range l.chunks[:l.durable] {
		if c.Appended < appended {
			last, ok = c.Appended, true
		}
	}
	return last, ok, nil
}

func (l *simLog) Spans(from, to uint64) []journal.Span {
	var spans []journal.Span
	for _, c := range l.chunks[:l.durable] {
		if p := chunkSpan(&c, from, to); p.From < p.To {
			spans = append(spans, p)
		}
	}
	return spans
}

// chunkSpan is the part of a chunk from a position to another one.
func chunkSpan(c *heatmap.Chunk, from, to uint64) journal.Span {
	return journal.Span{From: max(from, c.Position), To: min(to, c.End()), FirstAppend: c.Appended, LastAppend: c.Appended}
}

func (l *simLog) Open(position uint64, _ journal.Fields, _ func(*journal.CorruptError) bool) (Reader, error) {
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
		if r.log.frozen {
			return io.EOF
		}
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
	if w.rand.IntN(12) == 0 {
		w.counts.Gaps++
		w.clock += 1_200_000 + int64(w.rand.IntN(100_000_000)) // nobody comes for hours, or the clock jumps
	}
	c := heatmap.Chunk{Position: l.end(len(l.chunks)), Appended: w.clock}
	for range 1 + w.rand.IntN(2) {
		b := w.newBatch()
		if from := w.all[w.rand.IntN(len(w.all))]; len(from.chunks) > 0 && w.rand.IntN(4) == 0 {
			n := len(from.chunks)
			if w.rand.IntN(2) == 0 {
				n = min(n, 6) // for the most part what came last is sent again
			}
			old := from.chunks[len(from.chunks)-1-w.rand.IntN(n)]
			b = w.again(old.Batches[w.rand.IntN(len(old.Batches))])
		}
		c.Batches = append(c.Batches, b)
		c.Count += len(b.Hits)
	}
	w.counts.Hits += c.Count
	l.chunks = append(l.chunks, c)
}

// again gives a batch as it is sent again: now and then from another address or after midnight, as another visitor.
func (w *sim) again(b heatmap.Batch) heatmap.Batch {
	if w.rand.IntN(2) == 0 {
		return b
	}
	b.Visitor, b.Hits = "v"+strconv.Itoa(w.rand.IntN(4)), slices.Clone(b.Hits)
	for i := range b.Hits {
		b.Hits[i].Visitor = b.Visitor
	}
	return b
}

// newBatch makes hits with a cell of their own each, some of them late. Now and then two senders have chosen the same id.
func (w *sim) newBatch() heatmap.Batch {
	w.batches++
	b := heatmap.Batch{Site: simSite, Visitor: "v" + strconv.Itoa(w.rand.IntN(4)), ID: "b" + strconv.Itoa(w.batches-w.rand.IntN(16)/15)}
	view, agent := "w"+strconv.Itoa(w.batches/2), "a"+strconv.Itoa(w.batches%2)
	page := simPages[w.rand.IntN(len(simPages))]
	for range 1 + w.rand.IntN(3) {
		w.serial++
		day, _ := heatmap.ParseDate(simDays[w.rand.IntN(len(simDays))])
		b.Hits = append(b.Hits, heatmap.Hit{
			Time: day.Start(time.UTC) + int64(w.rand.IntN(86_400_000)), Site: simSite, URL: page, Visitor: b.Visitor, View: view, UserAgent: agent,
			Kind: heatmap.KindClick, X: w.serial % 1000 * 8, Y: w.serial / 1000 * 8, Tags: simTags[w.serial%3],
		})
	}
	return b
}

// simTags are what hits have in turn.
var simTags = [3][]string{nil, {"sampled:0.1"}, {"variant:b"}}

// simCut says what an answer holds of a log: all below position, and perhaps some of what is lost above it.
type simCut struct{ position, high uint64 }

// simCount is how often something must be there, and how often it may.
type simCount struct{ least, most uint64 }

func (c *simCount) add(must bool) {
	c.most++
	if must {
		c.least++
	}
}

func (c *simCount) holds(n uint64) bool { return c.least <= n && n <= c.most }

// recount counts the logs as plainly as can be, by cell.
func (w *sim) recount(pl *plan, cuts map[string]simCut) map[[2]uint16]*simCount {
	cells := make(map[[2]uint16]*simCount)
	w.each(pl, cuts, func(h *heatmap.Hit, must bool) {
		at := [2]uint16{h.X, h.Y}
		if cells[at] == nil {
			cells[at] = new(simCount)
		}
		cells[at].add(must)
	})
	return cells
}

// simDay is what a trend has of a day.
type simDay struct {
	clicks    simCount
	sampled   simCount
	must, may map[string]bool // visitors
}

// recountDays counts the same by day.
func (w *sim) recountDays(pl *plan, cuts map[string]simCut) map[int64]*simDay {
	days := make(map[int64]*simDay)
	w.each(pl, cuts, func(h *heatmap.Hit, must bool) {
		start := h.Time / 86_400_000 * 86_400_000
		d := days[start]
		if d == nil {
			d = &simDay{must: make(map[string]bool), may: make(map[string]bool)}
			days[start] = d
		}
		d.clicks.add(must)
		if slices.Contains(h.Tags, "sampled:0.1") {
			d.sampled.add(must)
		}
		d.may[h.Visitor] = true
		if must {
			d.must[h.Visitor] = true
		}
	})
	return days
}

func (w *sim) each(pl *plan, cuts map[string]simCut, fn func(h *heatmap.Hit, must bool)) {
	for _, l := range w.all {
		if cut, ok := cuts[l.id]; ok {
			l.each(pl, cut, fn)
		}
	}
}

// each calls fn for the plan's hits that an answer may hold, of batches that did not come earlier in the same 10 minutes or in
// the last ones before with hits.
func (l *simLog) each(pl *plan, cut simCut, fn func(h *heatmap.Hit, must bool)) {
	came := make(map[string][]int64) // buckets in which a batch came
	last, before := int64(-1), int64(-1)
	for _, c := range l.whole() {
		bucket, at := c.Appended/600_000, c.Position
		if bucket != last {
			last, before = bucket, last
		}
		for _, b := range c.Batches {
			id := b.Hits[0].View + " " + b.Hits[0].UserAgent + " " + b.ID
			repeated := slices.ContainsFunc(came[id], func(k int64) bool { return k == bucket || k == before })
			came[id] = append(came[id], bucket)
			if repeated {
				l.world.counts.Repeats++
				at += uint64(len(b.Hits))
				continue
			}
			for i := range b.Hits {
				if h := &b.Hits[i]; at < max(cut.position, cut.high) && pl.match(h.URL) && pl.from <= h.Time && h.Time < pl.to {
					fn(h, at < cut.position)
				}
				at++
			}
		}
	}
}
