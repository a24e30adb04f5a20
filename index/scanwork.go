package index

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"heatlog/heatmap"
	"heatlog/journal"
)

// scanning is one scan: what its workers share.
type scanning struct {
	index     *Index
	plan      *plan
	aggregate aggregate
	options   *scanOptions
	names     journal.Fields // that are read where hits only must be remembered
	fields    journal.Fields // that are read where they count
	derives   bool           // the aggregate counts what is derived
	firsts    []uint64       // by feed: what is kept begins there
	ends      []uint64       // by feed
	pinned    *pin
	total     uint64 // hits to read or skip

	mu   sync.Mutex
	left []stretch // guarded by mu; that no worker has taken
	next int       // guarded by mu; number of the first of left

	judging inOrder // guards past
	past    past
	merging inOrder // guards the aggregate, with options.lock
}

// take gives the next stretch with its number, nil if there is none.
func (s *scanning) take() (next *stretch, number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.left) == 0 {
		return nil, 0
	}
	next, number = &s.left[0], s.next
	s.left = s.left[1:]
	s.next++
	return next, number
}

// begins gives the position of a feed from which hits count.
func (s *scanning) begins(feed int) uint64 { return s.options.begins(feed) }

// run reads all stretches by several workers side by side, and gives the error of the first stretch that has one, or of ctx.
func (s *scanning) run(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var running sync.WaitGroup
	var mu sync.Mutex
	var panicked any // guarded by mu until all have ended
	for range min(s.options.workers, len(s.left)) {
		running.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					mu.Lock()
					panicked = p
					mu.Unlock()
					fail(nil)
				}
			}()
			if err := newScanWorker(s).run(ctx); err != nil {
				fail(err)
			}
		})
	}
	running.Wait()
	if panicked != nil {
		panic(panicked) // whoever asked can take it
	}
	return context.Cause(ctx)
}

// merge adds what was counted of a stretch, nil if that is nothing, in its turn.
func (s *scanning) merge(t *stretch, part aggregate) error {
	s.options.lock.Lock()
	defer s.options.lock.Unlock()
	if part != nil {
		if err := s.aggregate.merge(part); err != nil {
			return err
		}
		if err := checkRows(s.aggregate, s.index.options.MaxScanRows); err != nil {
			return err
		}
	}
	s.moved(t.feed, t.to, t.done)
	return nil
}

// finish says that all was read.
func (s *scanning) finish() {
	s.options.lock.Lock()
	defer s.options.lock.Unlock()
	s.moved(len(s.ends), 0, s.total)
}

// moved says that all below a position of a feed is in the aggregate, and of the feeds before it all. The lock is held.
func (s *scanning) moved(feed int, to, done uint64) {
	if s.options.moved == nil {
		return
	}
	at := scanned{positions: make([]uint64, len(s.ends)), done: done, total: s.total}
	for i := range at.positions {
		at.positions[i] = s.begins(i)
		if i < feed {
			at.positions[i] = max(at.positions[i], s.ends[i])
		}
	}
	if feed < len(s.ends) {
		at.positions[feed] = max(at.positions[feed], min(to, s.ends[feed]))
	}
	s.options.moved(at)
}

// scanWorker reads, judges and counts stretches of one scan, one after the other.
type scanWorker struct {
	*scanning
	plan      *plan // with an expression of its own
	describer describer
	namer     namer

	page    string // that matches is of
	matches bool   // the plan asks for the page

	memory  []pastHit       // of clicks
	chunks  []heatmap.Chunk // memory; the first n are those of the stretch
	n       int
	batches []namedBatch
	hits    []uint64  // names of the hits of batches that name them, and then whether they count
	clicks  []pastHit // hits that those behind them may depend on
	part    aggregate // nil = nothing was counted yet
}

// namedBatch is a batch that has hits.
type namedBatch struct {
	name     uint64 // 0 = none
	hits     int
	hitNames bool // the hits have names
	counts   bool // it is no repeat, found out in turn
}

// pastHit is a hit that what is derived depends on, which is found out in turn.
type pastHit struct {
	at   int // ordinal in the stretch
	hit  *heatmap.Hit
	spot Spot
	key  uint64
	outcome
}

func newScanWorker(s *scanning) *scanWorker {
	return &scanWorker{scanning: s, plan: s.plan.own(), describer: newDescriber(s.index.options.Rules, s.index.zone)}
}

// run reads stretches until there are no more, or one has an error.
func (w *scanWorker) run(ctx context.Context) error {
	if w.plan.where != nil {
		defer func() { w.index.stats.whereErrors.Add(w.plan.where.errors) }()
	}
	for {
		t, number := w.take()
		if t == nil {
			return nil
		}
		err := w.count(ctx, t, number)
		if turn := w.merging.wait(ctx, number); turn != nil {
			return turn // another stretch has failed, or nobody waits any more
		}
		if err == nil {
			err = w.merge(t, w.part)
		}
		if err != nil {
			return err
		}
		w.merging.done()
	}
}

// count reads a stretch, has its hits judged in their turn and counts what counts.
func (w *scanWorker) count(ctx context.Context, t *stretch, number int) error {
	w.part = nil
	if err := w.read(ctx, t); err != nil {
		return err
	}
	if err := w.judging.wait(ctx, number); err != nil {
		return err
	}
	if t.anew {
		w.past = past{}
	}
	w.judge()
	w.pinned.move(t.feed, t.to)
	w.judging.done()
	if !t.counts {
		return nil
	}
	return w.countChunks(ctx, t)
}

// read reads a stretch and finds the names in it.
func (w *scanWorker) read(ctx context.Context, t *stretch) error {
	w.n, w.batches, w.hits, w.clicks = 0, w.batches[:0], w.hits[:0], w.memory[:0]
	fields := w.fields
	if !t.counts {
		fields = w.names
	}
	source := w.index.feeds[t.feed].source
	reader, err := source.Open(t.from, fields, nil)
	if err != nil {
		return fmt.Errorf("scan journal %s: %w", source.ID(), err)
	}
	defer reader.Close()
	ordinal := 0
	for at := t.from; at < t.to; {
		if err := ctx.Err(); err != nil {
			return err
		}
		c := w.chunk()
		err := reader.Next(ctx, c)
		if errors.Is(err, io.EOF) {
			break // the end of a frozen source was lost to damage
		}
		if err != nil {
			return fmt.Errorf("scan journal %s: %w", source.ID(), err)
		}
		if at = c.End(); c.Position >= t.to {
			break // what is between was lost to damage
		}
		w.n++
		w.index.stats.scannedHits.Add(uint64(c.Count))
		ordinal = w.name(c, ordinal)
	}
	w.describer.forget()
	w.memory = w.clicks
	return nil
}

// chunk gives the memory for the next chunk.
func (w *scanWorker) chunk() *heatmap.Chunk {
	if w.n == len(w.chunks) {
		w.chunks = append(w.chunks, heatmap.Chunk{})
	}
	return &w.chunks[w.n]
}

// name finds the names in a chunk, and what those behind it may depend on. Its first hit is the one of a number of the stretch; the
// number of the hit behind it is the result.
func (w *scanWorker) name(c *heatmap.Chunk, first int) int {
	for i := range c.Batches {
		b := &c.Batches[i]
		if len(b.Hits) == 0 {
			continue
		}
		n := namedBatch{name: w.namer.batch(b), hits: len(b.Hits)}
		for k := range b.Hits {
			n.hitNames = n.hitNames || b.Hits[k].ID != ""
		}
		for k := range b.Hits {
			h := &b.Hits[k]
			if n.hitNames {
				w.hits = append(w.hits, w.namer.hit(h.Site, h.ID))
			}
			if w.derives && w.describer.remembers(h) {
				w.remember(h, first+k)
			}
		}
		w.batches = append(w.batches, n)
		first += len(b.Hits)
	}
	return first
}

// remember notes a hit that what is derived depends on, unless it is excluded.
func (w *scanWorker) remember(h *heatmap.Hit, at int) {
	d := &w.describer
	d.describe(h, 0)
	if d.rules.excludes() && d.excludedBy(false) >= 0 {
		return
	}
	w.clicks = append(w.clicks, pastHit{at: at, hit: h, spot: d.event.spot(), key: d.viewKey(h)})
}

// judge tells the repeats of the stretch that was read, and what is derived. It is called in turn.
func (w *scanWorker) judge() {
	batches, hits, clicks := w.batches, w.hits, w.clicks
	at := 0 // number of the hit
	for i := range w.chunks[:w.n] {
		c := &w.chunks[i]
		w.past.advance(bucketOf(c.Appended))
		for end := at + c.Count; at < end; batches = batches[1:] {
			b := &batches[0]
			in := w.past.repeats.judgeBatch(b.name)
			b.counts = in.counts
			var own []uint64
			if b.hitNames {
				own, hits = hits[:b.hits], hits[b.hits:]
				w.past.judgeHits(own, in)
			}
			for ; len(clicks) > 0 && clicks[0].at < at+b.hits; clicks = clicks[1:] {
				p := &clicks[0]
				is := in
				if own != nil {
					is = verdictOf(own[p.at-at])
				}
				if is.counts || is.fresh {
					p.outcome = w.past.derive(w.describer.rules, p.hit, p.spot, p.key, is)
				}
			}
			at += b.hits
		}
	}
}

// judgeHits puts verdicts in the place of names.
func (p *past) judgeHits(names []uint64, batch verdict) {
	for i, name := range names {
		is := p.repeats.judgeHit(name, batch)
		names[i] = bit(is.counts) | bit(is.fresh)<<1
	}
}

// verdictOf is the inverse of what judgeHits puts.
func verdictOf(bits uint64) verdict { return verdict{counts: bits&1 != 0, fresh: bits&2 != 0} }

func bit(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}

// countChunks counts the hits of the stretch that are no repeats and that are asked for.
func (w *scanWorker) countChunks(ctx context.Context, t *stretch) error {
	batches, verdicts := w.batches, w.hits
	from, to := w.begins(t.feed), w.ends[t.feed]
	defer w.describer.forget()
	at := 0 // number of the hit
	for i := range w.chunks[:w.n] {
		if err := ctx.Err(); err != nil {
			return err
		}
		c := &w.chunks[i]
		position := c.Position
		for j := range c.Batches {
			hits := c.Batches[j].Hits
			if len(hits) == 0 {
				continue
			}
			var own []uint64
			if batches[0].hitNames {
				own, verdicts = verdicts[:len(hits)], verdicts[len(hits):]
			}
			if batches[0].counts && from < position+uint64(len(hits)) && position < to {
				if err := w.countHits(hits, own, at, position, from, to); err != nil {
					return err
				}
			}
			batches = batches[1:]
			at += len(hits)
			position += uint64(len(hits))
		}
	}
	return nil
}

// countHits counts the hits of a batch that is no repeat, the first of which has a number and a position. Own are their verdicts, nil
// for that of the batch.
func (w *scanWorker) countHits(hits []heatmap.Hit, own []uint64, at int, position, from, to uint64) error {
	for k := range hits {
		h, of := &hits[k], w.derived(at+k)
		if h.Site != w.plan.query.Site || h.Time < w.plan.from || h.Time >= w.plan.to || own != nil && !verdictOf(own[k]).counts {
			continue
		}
		if p := position + uint64(k); p < from || p >= to || !w.keeps(h, p, of) {
			continue
		}
		if w.part == nil {
			w.part = w.aggregate.fresh()
		}
		if err := w.part.event(&w.describer.event); err != nil {
			return err
		}
	}
	return nil
}

// derived gives what is derived of the hit of a number, nil if nothing is. Numbers must come in order.
func (w *scanWorker) derived(at int) *pastHit {
	for len(w.clicks) > 0 && w.clicks[0].at <= at {
		p := &w.clicks[0]
		w.clicks = w.clicks[1:]
		if p.at == at {
			return p
		}
	}
	return nil
}

// keeps makes the event of a hit of the plan's site and time, and reports whether it is to be counted.
func (w *scanWorker) keeps(h *heatmap.Hit, position uint64, of *pastHit) bool {
	pl, d := w.plan, &w.describer
	d.describePage(h)
	if d.event.Page != w.page {
		w.page, w.matches = d.event.Page, pl.match(d.event.Page)
	}
	if !w.matches {
		return false
	}
	d.describeRest(h, position)
	if !pl.keepsBot(d.event.Bot) || d.rules.excludes() && d.excludedBy(false) >= 0 {
		return false
	}
	if of != nil {
		d.event.complete(of.outcome)
	}
	if d.event.tells() {
		return pl.where == nil || pl.where.Match(&d.event)
	}
	return false
}

// inOrder lets the holders of numbers from 0 on do something one after the other. The zero value is ready.
type inOrder struct {
	mu      sync.Mutex
	next    int
	waiting map[int]chan struct{}
}

// wait returns when all lower numbers are done, or with the cause when ctx ends.
func (o *inOrder) wait(ctx context.Context, number int) error {
	o.mu.Lock()
	if o.next == number {
		o.mu.Unlock()
		return context.Cause(ctx)
	}
	if o.waiting == nil {
		o.waiting = make(map[int]chan struct{})
	}
	turn := make(chan struct{})
	o.waiting[number] = turn
	o.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// done gives the turn to the next number.
func (o *inOrder) done() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.next++
	if turn := o.waiting[o.next]; turn != nil {
		delete(o.waiting, o.next)
		close(turn)
	}
}
