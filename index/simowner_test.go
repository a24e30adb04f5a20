package index

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"heatlog/heatmap"
)

// owner applies the log with the real parts: intake, shards, flushes, checkpoint, fold.
type owner struct {
	world   *sim
	reader  Reader
	intake  *intake
	high    *highMark
	shards  []*shard
	queues  [][]simTask
	flights []*simFlight
	routed  uint64
	ready   uint64 // position from which queries are answered

	dirty     []checkpoint
	dirtyLeft int // shards whose mark for the checkpoint is still in the queue, -1 = none asked for

	question *simQuestion
}

type simTask struct {
	ops      []op
	end      uint64
	appended int64
	visit    func(*shard, int64)
}

type simFlight struct {
	taken []*entry
	flush *flush
	to    uint64
	stage int // raise, load, merge, swap
}

type simQuestion struct {
	plan     *plan
	sum      *sum
	trend    *trend // asked for instead of the sum, if set
	position uint64
	copies   []copied
	left     int
	stored   map[Ref]Doc // if simReadsStoredFirst
}

func (q *simQuestion) reducer() reducer {
	if q.trend != nil {
		return q.trend
	}
	return q.sum
}

func newOwner(w *sim) *owner {
	o := &owner{world: w}
	o.restart()
	return o
}

// restart begins at the checkpoint, as a process that was killed does.
func (o *owner) restart() {
	w := o.world
	calm := w.store.calm
	w.store.calm = true
	from, _, err := readCheckpoint(context.Background(), &w.store, simGen, simSource)
	high, _, err2 := (&highMark{store: &w.store, source: simSource}).read(context.Background())
	w.store.calm = calm
	if err := errors.Join(err, err2); err != nil {
		panic(err)
	}
	*o = owner{world: w, dirtyLeft: -1, routed: from.Position, ready: high}
	o.intake = &intake{stream: NewStream(simRules, func(string) *time.Location { return time.UTC }, StreamOptions{})}
	o.high = &highMark{store: &w.store, source: simSource}
	start, _ := o.intake.start(&w.log, from)
	o.reader, _ = w.log.Open(start)
	for range simShards {
		s := newShard()
		s.recover(from.Position, o.ready)
		o.shards = append(o.shards, s)
	}
	o.queues = make([][]simTask, simShards)
	o.flights = make([]*simFlight, simShards)
}

// route reads one chunk into the shards' queues.
func (o *owner) route() error {
	var c heatmap.Chunk
	if err := o.reader.Next(context.Background(), &c); err != nil {
		return nil
	}
	if o.intake.warms(&c) {
		return nil
	}
	parts := make([]*[]op, simShards)
	for i := range parts {
		parts[i] = new([]op)
	}
	o.intake.split(&c, parts)
	for i, ops := range parts {
		o.queues[i] = append(o.queues[i], simTask{ops: *ops, end: c.End(), appended: c.Appended})
	}
	o.routed = c.End()
	return nil
}

// work lets a shard take one task from its queue.
func (o *owner) work(i int) error {
	if len(o.queues[i]) == 0 {
		return nil
	}
	s, task := o.shards[i], o.queues[i][0]
	if task.visit != nil {
		task.visit(s, 0)
		o.queues[i] = o.queues[i][1:]
		return nil
	}
	for _, k := range s.unknown(task.ops) {
		ref := Ref{Generation: simGen, Key: k, Source: simSource}
		if d := o.world.store.docs[ref]; d.Watermark > 0 {
			o.world.counts.Skips++
			s.know(k, d.Watermark)
		}
	}
	s.apply(task.ops, task.end, task.appended, o.world.clock)
	o.queues[i] = o.queues[i][1:]
	return nil
}

func (o *owner) takeFlush(i int) {
	if o.flights[i] != nil {
		return
	}
	keep := o.world.rand.IntN(3) * entryOverhead
	taken := o.shards[i].take(keep, never, 8)
	if len(taken) > 0 {
		f := newFlush(&o.world.store, simGen, simSource, taken)
		o.flights[i] = &simFlight{taken: taken, flush: f, to: f.to()}
	}
}

// stepFlush takes the next step of a shard's flush.
func (o *owner) stepFlush(i int) error {
	a := o.flights[i]
	if a == nil {
		return nil
	}
	var err error
	switch a.stage {
	case 0:
		err = o.high.raise(context.Background(), a.to)
	case 1:
		err = a.flush.load(context.Background(), 1+o.world.rand.IntN(8))
	case 2:
		err = a.flush.merge()
	case 3:
		err = a.flush.swap(context.Background())
	}
	switch {
	case errors.Is(err, errConflict):
		return o.conflict()
	case errors.Is(err, errStore):
		a.stage = min(a.stage, 1)
		return nil
	case err != nil:
		return err
	}
	if a.stage++; a.stage == 4 {
		a.stage = 1
		if len(a.flush.entries) == 0 {
			o.shards[i].settle(a.taken)
			o.flights[i] = nil
		}
	}
	return nil
}

// conflict starts over at the checkpoint. There must be somebody else who stores.
func (o *owner) conflict() error {
	if len(o.world.owners) == 1 && o.world.counts.LateWrites == 0 {
		return errors.New("conflict with nobody")
	}
	o.world.counts.Conflicts++
	o.restart()
	return nil
}

// markCheckpoint sends the mark at which each shard says what it has not stored.
func (o *owner) markCheckpoint() {
	if o.dirtyLeft >= 0 {
		return
	}
	o.dirty, o.dirtyLeft = make([]checkpoint, simShards), simShards
	for i := range o.shards {
		o.queues[i] = append(o.queues[i], simTask{visit: func(s *shard, appended int64) {
			o.dirty[i].Position, o.dirty[i].Appended = s.firstDirty(o.appendedAt(s.applied))
			o.dirtyLeft--
		}})
	}
}

// appendedAt is the append time of the chunk that was applied last.
func (o *owner) appendedAt(position uint64) int64 {
	var at int64
	for _, c := range o.world.log.chunks {
		if c.Position < position {
			at = c.Appended
		}
	}
	return at
}

func (o *owner) writeCheckpoint() error {
	if o.dirtyLeft != 0 {
		return nil
	}
	o.dirtyLeft = -1
	c := leastDirty(o.dirty)
	err := o.high.writeCheckpoint(context.Background(), simGen, c)
	if err != nil && !errors.Is(err, errStore) {
		return err
	}
	return nil
}

// ask sends the mark of a question.
func (o *owner) ask() {
	if o.question != nil || o.routed < o.ready {
		return
	}
	pl := o.world.newPlan()
	q := &simQuestion{plan: pl, sum: &sum{sel: pl.selects(heatmap.KindClick)}, position: o.routed, copies: make([]copied, simShards)}
	if o.world.rand.IntN(3) == 0 {
		pl.periods, q.trend = daysOf(pl.first, pl.last), newTrend(pl)
	}
	for i := range o.shards {
		if pl.exact && i != shardOf(simSite, pl.page, simShards) {
			continue
		}
		q.left++
		o.queues[i] = append(o.queues[i], simTask{visit: func(s *shard, _ int64) {
			q.copies[i] = s.copy(pl, q.reducer())
			q.left--
		}})
	}
	if simReadsStoredFirst {
		q.stored = maps.Clone(o.world.store.docs)
	}
	o.question = q
}

// newPlan asks for a page or for all, over a random range of days.
func (w *sim) newPlan() *plan {
	x := &Index{options: Options{Rules: simRules}.withDefaults()}
	q := heatmap.Query{Site: simSite, Bots: true}
	if n := w.rand.IntN(len(simPages) + 1); n < len(simPages) {
		q.URL = simPages[n]
	}
	first, _ := heatmap.ParseDate(simDays[0])
	a, b := first+heatmap.Date(w.rand.IntN(4)-1), first+heatmap.Date(w.rand.IntN(4)+1)
	if w.rand.IntN(3) > 0 {
		q.From = heatmap.Bound{Set: true, IsDate: true, Date: min(a, b)}
	}
	if w.rand.IntN(3) > 0 {
		q.To = heatmap.Bound{Set: true, IsDate: true, Date: max(a, b)}
	}
	pl, err := x.newPlan(q)
	if err != nil {
		panic(err)
	}
	return pl
}

// answer reads the blobs for a question that all shards have answered, and compares.
func (o *owner) answer() error {
	q := o.question
	if q == nil || q.left > 0 {
		return nil
	}
	o.question = nil
	all := make(copied)
	for _, c := range q.copies {
		maps.Copy(all, c)
	}
	f := fold{source: simSource, position: q.position, copies: all, reducer: q.reducer()}
	if simReadsStoredFirst {
		now := o.world.store.docs
		o.world.store.docs = q.stored
		defer func() { o.world.store.docs = now }()
	}
	err := o.world.store.Scan(context.Background(), Range{Site: simSite, Page: q.plan.prefix, IsPrefix: !q.plan.exact, Periods: q.plan.periods}, f.doc)
	if err == nil {
		err = f.rest()
	}
	switch {
	case errors.Is(err, errOvertaken):
		o.world.counts.Overtaken++
		return nil
	case errors.Is(err, errOverlap):
		return o.conflict()
	case errors.Is(err, errStore):
		return nil
	case err != nil:
		return err
	}
	o.world.counts.Answers++
	return o.compare(q)
}

func (o *owner) compare(q *simQuestion) error {
	if q.trend != nil {
		return o.compareTrend(q)
	}
	layer := sumLayer(heatmap.KindClick)
	got, want := q.sum.delta.Points(layer, heatmap.CellSize), o.world.log.recount(q.plan, q.position).Points(layer, heatmap.CellSize)
	if !slices.Equal(got, want) {
		return fmt.Errorf("%s, periods %v, at position %d: answer %v, recount %v", q.plan.page, q.plan.periods, q.position, got, want)
	}
	return nil
}

func (o *owner) compareTrend(q *simQuestion) error {
	got, err := q.trend.list()
	if err != nil {
		return err
	}
	want := o.world.log.recountDays(q.plan, q.position)
	for i := range got {
		b := &got[i]
		day := want[b.Start]
		if day == nil {
			day = new(simDay)
		}
		if b.Clicks != day.clicks || b.Hits() != day.clicks || b.Visitors != uint64(len(day.visitors)) {
			return fmt.Errorf("trend of %s at position %d: %+v, recount %+v", q.plan.page, q.position, b, day)
		}
		delete(want, b.Start)
	}
	if len(want) > 0 {
		return fmt.Errorf("trend of %s at position %d lacks %d days", q.plan.page, q.position, len(want))
	}
	return nil
}

// finish applies and stores all there is.
func (o *owner) finish() error {
	for round := 0; ; round++ {
		if round > 1000 {
			return errors.New("an owner does not come to rest")
		}
		before := o.routed
		if err := o.route(); err != nil {
			return err
		}
		busy := o.routed != before || o.routed < o.world.log.Durable()
		for i := range o.shards {
			for len(o.queues[i]) > 0 {
				busy = true
				if err := o.work(i); err != nil {
					return err
				}
			}
			if o.flights[i] == nil {
				if taken := o.shards[i].take(-1, never, 8); len(taken) > 0 {
					f := newFlush(&o.world.store, simGen, simSource, taken)
					o.flights[i] = &simFlight{taken: taken, flush: f, to: f.to()}
				}
			}
			if o.flights[i] != nil {
				busy = true
				if err := o.stepFlush(i); err != nil {
					return err
				}
			}
		}
		if !busy {
			break
		}
	}
	o.markCheckpoint()
	for i := range o.shards {
		for len(o.queues[i]) > 0 {
			if err := o.work(i); err != nil {
				return err
			}
		}
	}
	return o.writeCheckpoint()
}

// compareAll asks for everything and for each page, now that all is stored.
func (o *owner) compareAll() error {
	for range 4 {
		for tries := 0; ; tries++ {
			if tries > 10 {
				return errors.New("a question at rest gets no answer")
			}
			o.question = nil
			o.ask()
			for i := range o.shards {
				for len(o.queues[i]) > 0 {
					if err := o.work(i); err != nil {
						return err
					}
				}
			}
			before := o.world.counts.Answers
			if err := o.answer(); err != nil {
				return err
			}
			if o.world.counts.Answers > before {
				break
			}
		}
	}
	return nil
}
