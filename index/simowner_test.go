package index

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"time"

	"heatlog/heatmap"
	"heatlog/journal"
)

// owner applies the logs in a generation, each by a part of its own, and answers questions over all.
type owner struct {
	world    *sim
	gen      string
	parts    []*simPart // as the logs
	question *simQuestion
	kept     *keptCache
}

// simPart applies a log with the real parts: intake, shards, flushes, checkpoint, fold.
type simPart struct {
	owner   *owner
	world   *sim
	log     *simLog
	reader  Reader
	intake  *intake
	high    *highMark
	shards  []*shard
	queues  [][]simTask
	flights []*simFlight
	routed  uint64
	ready   uint64 // position from which queries are answered

	finished bool // a frozen log, of which all is stored
	stored   uint64

	dirty     []uint64
	dirtyLeft int // shards whose mark for the checkpoint is still in the queue, -1 = none asked for
}

type simTask struct {
	ops   *part
	end   uint64
	visit func(*shard)
}

type simFlight struct {
	taken []*entry
	flush *flush
	to    uint64
	stage int // raise, load, merge, swap
}

type simQuestion struct {
	plan   *plan
	sum    *sum
	trend  *trend          // asked for instead of the sum, if set
	cuts   map[string]*cut // by log
	copies map[string][]copied
	left   int
	keeps  bool        // what the store has
	stored map[Ref]Doc // if simReadsStoredFirst
}

func (q *simQuestion) reducer() reducer {
	if q.trend != nil {
		return q.trend
	}
	return q.sum
}

func newOwner(w *sim, gen string) *owner {
	o := &owner{world: w, gen: gen}
	o.restart()
	return o
}

// restart begins at the checkpoints, as a process that was killed does.
func (o *owner) restart() {
	*o = owner{world: o.world, gen: o.gen, kept: newKeptCache([]int{1_000, 10_000, 1 << 20}[o.world.rand.IntN(3)])}
	for _, l := range o.world.logs {
		p := &simPart{owner: o, world: o.world, log: l}
		p.restart()
		o.parts = append(o.parts, p)
	}
}

// part gives one that has work, for the most part.
func (o *owner) part() *simPart {
	p := o.parts[o.world.rand.IntN(len(o.parts))]
	if p.finished {
		return o.parts[len(o.parts)-1]
	}
	return p
}

// restart begins at the checkpoint, as a pipeline does.
func (p *simPart) restart() {
	w := p.world
	from, _, err := readCheckpoint(context.Background(), calm{&w.store}, p.owner.gen, p.log.id)
	high, _, err2 := (&highMark{store: calm{&w.store}, generation: p.owner.gen, source: p.log.id}).read(context.Background())
	if err := errors.Join(err, err2); err != nil {
		panic(err)
	}
	*p = simPart{owner: p.owner, world: w, log: p.log, dirtyLeft: -1, routed: from.Position, ready: high}
	if p.log.frozen {
		p.ready = min(high, p.log.Durable())
		p.finished, p.stored = from.covers(p.log.Durable()), from.Position
	}
	p.intake = &intake{stream: NewStream(simRules, func(string) *time.Location { return time.UTC }, StreamOptions{})}
	p.high = &highMark{store: &w.store, generation: p.owner.gen, source: p.log.id}
	start, _ := p.intake.start(p.log, from)
	p.reader, _ = p.log.Open(start, journal.AllFields, nil)
	for range simShards {
		s := newShard(simRules.CellSize())
		s.recover(from.Position, high)
		p.shards = append(p.shards, s)
	}
	p.queues = make([][]simTask, simShards)
	p.flights = make([]*simFlight, simShards)
}

// route reads one chunk into the shards' queues.
func (p *simPart) route() error {
	if p.finished {
		return nil
	}
	var c heatmap.Chunk
	if err := p.reader.Next(context.Background(), &c); err != nil {
		return nil
	}
	if p.intake.warms(&c) {
		return nil
	}
	parts := make([]*part, simShards)
	for i := range parts {
		parts[i] = new(part)
	}
	p.intake.split(&c, parts)
	for i, ops := range parts {
		p.queues[i] = append(p.queues[i], simTask{ops: ops, end: c.End()})
	}
	p.routed = c.End()
	return nil
}

// work lets a shard take one task from its queue.
func (p *simPart) work(i int) error {
	if len(p.queues[i]) == 0 {
		return nil
	}
	s, task := p.shards[i], p.queues[i][0]
	if task.visit != nil {
		task.visit(s)
		p.queues[i] = p.queues[i][1:]
		return nil
	}
	keys := s.unknown(task.ops)
	for i, ref := range refsOf(p.owner.gen, p.log.id, keys) {
		if d := p.world.store.docs[ref]; d.Watermark > 0 {
			p.world.counts.Skips++
			s.know(keys[i], d.Watermark)
		}
	}
	s.apply(task.ops, task.end, p.world.clock)
	p.queues[i] = p.queues[i][1:]
	return nil
}

func (p *simPart) takeFlush(i int) {
	if p.flights[i] != nil {
		return
	}
	keep, born := p.world.rand.IntN(3)*entryOverhead, int64(never)
	if p.world.rand.IntN(4) == 0 {
		born = math.MaxInt64 // all are due, the oldest first
	}
	taken := p.shards[i].take(keep, born, 1+p.world.rand.IntN(8))
	if len(taken) > 0 {
		f := newFlush(&p.world.store, p.owner.gen, p.log.id, taken)
		p.flights[i] = &simFlight{taken: taken, flush: f, to: f.to()}
	}
}

// stepFlush takes the next step of a shard's flush.
func (p *simPart) stepFlush(i int) error {
	a := p.flights[i]
	if a == nil {
		return nil
	}
	var err error
	switch a.stage {
	case 0:
		err = p.high.raise(context.Background(), a.to)
	case 1:
		err = a.flush.load(context.Background(), 1+p.world.rand.IntN(8))
	case 2:
		err = a.flush.merge()
	case 3:
		err = a.flush.swap(context.Background())
	}
	switch {
	case errors.Is(err, errConflict):
		return p.conflict()
	case errors.Is(err, errStore):
		a.stage = min(a.stage, 1)
		return nil
	case err != nil:
		return err
	}
	if a.stage++; a.stage == 4 {
		a.stage = 1
		if len(a.flush.entries) == 0 {
			p.shards[i].settle(a.taken)
			p.flights[i] = nil
		}
	}
	return nil
}

// conflict starts over at the checkpoint. There must be somebody else who stores.
func (p *simPart) conflict() error {
	if p.world.ownersOf(p.owner.gen) == 1 && p.world.counts.LateWrites == 0 {
		return errors.New("conflict with nobody")
	}
	p.world.counts.Conflicts++
	p.owner.question = nil
	p.restart()
	return nil
}

// markCheckpoint sends the mark at which each shard says what it has not stored.
func (p *simPart) markCheckpoint() {
	if p.dirtyLeft >= 0 {
		return
	}
	p.dirty, p.dirtyLeft = make([]uint64, simShards), simShards
	for i := range p.shards {
		p.queues[i] = append(p.queues[i], simTask{visit: func(s *shard) {
			p.dirty[i] = s.firstDirty()
			p.dirtyLeft--
		}})
	}
}

func (p *simPart) writeCheckpoint() error {
	if p.dirtyLeft != 0 {
		return nil
	}
	p.dirtyLeft = -1
	c := p.intake.ends.before(leastDirty(p.dirty))
	if err := p.checkTotals(c); err != nil {
		return err
	}
	err := p.high.writeCheckpoint(context.Background(), c)
	if err != nil && !errors.Is(err, errStore) {
		return err
	}
	if err == nil {
		p.intake.ends.forget(c.Position)
	}
	if err == nil && p.log.frozen && !p.finished && c.covers(p.log.Durable()) {
		p.world.counts.Finished++
		p.finished, p.stored = true, c.Position
	}
	return nil
}

// checkTotals compares the totals of a checkpoint with those of who reads the log from its start.
func (p *simPart) checkTotals(c checkpoint) error {
	if p.world.rand.IntN(4) > 0 {
		return nil
	}
	all := intake{stream: NewStream(simRules, func(string) *time.Location { return time.UTC }, StreamOptions{})}
	parts := []*part{new(part)}
	for _, chunk := range p.log.chunks {
		if chunk.Position < c.Position {
			all.split(&chunk, parts)
		}
	}
	if want := all.ends.latest(); c.Position != want.Position || c.Position > 0 && !reflect.DeepEqual(c.Totals, want.Totals) {
		return fmt.Errorf("checkpoint %+v, reading from the start gives %+v", c, want)
	}
	p.world.counts.Totals++
	return nil
}

// ask sends the marks of a question.
func (o *owner) ask() {
	for _, p := range o.parts {
		if o.question != nil || !p.finished && p.routed < p.ready {
			return
		}
	}
	pl := o.world.newPlan()
	q := &simQuestion{
		plan: pl, sum: newSum(pl.selects(heatmap.KindClick), heatmap.KindClick), cuts: make(map[string]*cut), copies: make(map[string][]copied),
	}
	q.keeps = o.world.rand.IntN(2) == 0
	if o.world.rand.IntN(3) == 0 {
		pl.periods, q.trend = daysOf(pl.first, pl.last), newTrend(pl)
	}
	for _, p := range o.parts {
		q.mark(p)
	}
	if simReadsStoredFirst() {
		q.stored = maps.Clone(o.world.store.docs)
	}
	o.question = q
}

// mark sends the mark of a question to the shards of a part.
func (q *simQuestion) mark(p *simPart) {
	if p.finished {
		q.cuts[p.log.id] = &cut{position: p.stored, ended: true}
		return
	}
	q.cuts[p.log.id] = &cut{position: p.routed, ended: p.log.frozen && p.routed >= p.log.Durable()}
	copies := make([]copied, simShards)
	q.copies[p.log.id] = copies
	for i := range p.shards {
		if q.plan.exact && i != shardOf(simSite, q.plan.page, simShards) {
			continue
		}
		q.left++
		p.queues[i] = append(p.queues[i], simTask{visit: func(s *shard) {
			copies[i] = s.copy(q.plan, q.reducer())
			q.left--
		}})
	}
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
	pl, err := x.newPlan(context.Background(), q)
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
	for id, copies := range q.copies {
		q.cuts[id].copies = make(copied)
		for _, c := range copies {
			maps.Copy(q.cuts[id].copies, c)
		}
	}
	f := fold{cuts: q.cuts, reducer: q.reducer()}
	if simReadsStoredFirst() {
		now := o.world.store.docs
		o.world.store.docs = q.stored
		defer func() { o.world.store.docs = now }()
	}
	scan := func(fn func(Doc) error) error {
		return o.world.store.Scan(context.Background(), Range{Generation: o.gen, Site: simSite, Page: q.plan.prefix, IsPrefix: !q.plan.exact, Periods: q.plan.periods}, fn)
	}
	var err error
	if k, ok := q.reducer().(keeper); ok && q.keeps && !simReadsStoredFirst() {
		err = o.kept.read(keptKeyOf(k.what(), q.plan), o.world.store.Version(), k, &f, scan)
	} else {
		err = scan(f.doc)
	}
	if err == nil {
		err = f.rest()
	}
	switch {
	case errors.Is(err, errOvertaken):
		o.world.counts.Overtaken++
		return nil
	case errors.Is(err, errOverlap):
		for _, p := range o.parts {
			if p.log.id == f.overlap {
				return p.conflict()
			}
		}
		return err
	case errors.Is(err, errStore):
		return nil
	case err != nil:
		return err
	}
	o.world.counts.Answers++
	return o.compare(q, &f)
}

// cuts says what an answer must hold and may hold of each log.
func (o *owner) cuts(f *fold) (map[string]simCut, error) {
	cuts := make(map[string]simCut)
	for _, l := range o.world.all {
		high, _, err := (&highMark{store: calm{&o.world.store}, generation: o.gen, source: l.id}).read(context.Background())
		if err != nil {
			return nil, err
		}
		c := f.cuts[l.id]
		switch {
		case c == nil: // only the store has hits of it
			from, _, err := readCheckpoint(context.Background(), calm{&o.world.store}, o.gen, l.id)
			if err != nil {
				return nil, err
			}
			cuts[l.id] = simCut{position: from.Position, high: high}
			o.world.counts.Absent++
		case c.ended && c.position < l.Durable():
			return nil, fmt.Errorf("log %s is taken to be counted up to %d, it ends at %d", l.id, c.position, l.Durable())
		case c.ended:
			cuts[l.id] = simCut{position: c.position, high: high}
		default:
			cuts[l.id] = simCut{position: c.position}
		}
	}
	return cuts, nil
}

func (o *owner) compare(q *simQuestion, f *fold) error {
	cuts, err := o.cuts(f)
	if err != nil {
		return err
	}
	if q.trend != nil {
		return o.compareTrend(q, cuts)
	}
	want := o.world.recount(q.plan, cuts)
	points, _ := q.sum.points(heatmap.CellSize)
	for _, p := range points {
		at := [2]uint16{uint16(p.X), uint16(p.Y)}
		n := want[at]
		if n == nil || uint64(p.Weight) < n.least || uint64(p.Weight) > n.most {
			return fmt.Errorf("%s, periods %v, at %v: cell %v has %d, recount %v", q.plan.page, q.plan.periods, cuts, at, p.Weight, n)
		}
		if uint64(p.Weight) > n.least {
			o.world.counts.Ahead++
		}
		delete(want, at)
	}
	for at, n := range want {
		if n.least > 0 {
			return fmt.Errorf("%s, periods %v, at %v: cell %v is empty, recount %v", q.plan.page, q.plan.periods, cuts, at, n)
		}
	}
	return nil
}

// sampled gives the sampled hits of a day, which may have none at all.
func (b *trendBucket) sampled() heatmap.Sampled {
	if b == nil {
		return heatmap.Sampled{}
	}
	return b.scope.Sampled(false)
}

func (o *owner) compareTrend(q *simQuestion, cuts map[string]simCut) error {
	got, err := q.trend.list()
	if err != nil {
		return err
	}
	want := o.world.recountDays(q.plan, cuts)
	for i := range got {
		b := &got[i]
		day := want[b.Start]
		if day == nil {
			day = new(simDay)
		}
		visitors := simCount{uint64(len(day.must)), uint64(len(day.may))}
		sampled := q.trend.buckets[int64(heatmap.DateOf(b.Start, time.UTC))].sampled()
		if !day.clicks.holds(b.Clicks) || b.Hits() != b.Clicks || !visitors.holds(b.Visitors) || !day.sampled.holds(sampled.Hits) {
			return fmt.Errorf("trend of %s at %v: %+v, sampled %+v, recount %+v", q.plan.page, cuts, b, sampled, day)
		}
		delete(want, b.Start)
	}
	for start, day := range want {
		if day.clicks.least > 0 {
			return fmt.Errorf("trend of %s at %v lacks %d", q.plan.page, cuts, start)
		}
	}
	return nil
}

// finish applies and stores all there is.
func (o *owner) finish() error {
	for _, p := range o.parts {
		if p.finished {
			continue
		}
		if err := p.finish(); err != nil {
			return err
		}
	}
	return nil
}

func (p *simPart) finish() error {
	for round := 0; ; round++ {
		if round > 1000 {
			return errors.New("an owner does not come to rest")
		}
		before := p.routed
		if err := p.route(); err != nil {
			return err
		}
		busy := p.routed != before || p.routed < p.log.Durable()
		for i := range p.shards {
			for len(p.queues[i]) > 0 {
				busy = true
				if err := p.work(i); err != nil {
					return err
				}
			}
			if p.flights[i] == nil {
				if taken := p.shards[i].take(-1, never, 8); len(taken) > 0 {
					f := newFlush(&p.world.store, p.owner.gen, p.log.id, taken)
					p.flights[i] = &simFlight{taken: taken, flush: f, to: f.to()}
				}
			}
			if p.flights[i] != nil {
				busy = true
				if err := p.stepFlush(i); err != nil {
					return err
				}
			}
		}
		if !busy {
			break
		}
	}
	p.markCheckpoint()
	if err := p.workAll(); err != nil {
		return err
	}
	return p.writeCheckpoint()
}

// workAll empties the queues.
func (p *simPart) workAll() error {
	for i := range p.shards {
		for len(p.queues[i]) > 0 {
			if err := p.work(i); err != nil {
				return err
			}
		}
	}
	return nil
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
			for _, p := range o.parts {
				if err := p.workAll(); err != nil {
					return err
				}
			}
			before := o.world.counts
			if err := o.answer(); err != nil {
				return err
			}
			if o.world.counts.Overtaken > before.Overtaken {
				return errors.New("a question at rest is overtaken")
			}
			if o.world.counts.Answers > before.Answers {
				break
			}
		}
	}
	return nil
}
