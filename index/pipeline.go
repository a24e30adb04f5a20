package index

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"heatlog/heatmap"
	"heatlog/journal"
)

// pipeline applies one source from the checkpoint on: a router reads chunks in order, passes them through the stream
// and spreads the ops over workers by page, so that one key is always one worker's. When another index turns out to
// store the same source, the pipeline ends with errConflict and a new one begins at the checkpoint.
type pipeline struct {
	options *Options
	feed    *feed
	source  Source
	intake  *intake
	workers []*worker
	frozen  bool          // the source ends, and the pipeline when all of it is stored
	lost    *losses       // damage that was told of
	bulk    atomic.Bool   // the pipeline ends when it has stored what the source held at start; it never becomes true later
	slots   slots         // of workers and flushers in bulk
	running *atomic.Int64 // pipelines that share the cache
	closing chan struct{} // closed when the index closes
	high    *highMark
	gate    *sync.RWMutex // a flush step reads, a query that flushes keep overtaking writes
	still   *still
	stats   *counters

	ctx     context.Context // ends with the pipeline
	end     context.CancelCauseFunc
	reading context.Context // ends earlier, when the pipeline is to store what it has and read no more
	stop    context.CancelFunc
	done    sync.WaitGroup
	pool    sync.Pool // *part
	room    chan struct{}
	started chan struct{} // closed when recovering and routed hold
	failed  atomic.Pointer[error]

	gathered gathered // of the router

	turn   chan struct{} // taken while a chunk or a mark goes into the queues, so that all have the same order
	routed atomic.Uint64 // position up to which chunks are in the queues, written by who has the turn

	recovering uint64 // how far flushes may have gone at start: what is below may be in the store already
	startEnd   uint64 // the log's durable end at start
	answers    uint64 // queries wait until as much is routed: blobs are not ahead of it
	storeError atomic.Pointer[error]
}

// newPipeline makes a pipeline that begins at the checkpoint when it runs, in bulk or not.
func newPipeline(ctx context.Context, f *feed, bulk bool) *pipeline {
	x := f.index
	p := &pipeline{
		options: &x.options, feed: f, source: f.source, frozen: f.frozen, lost: &f.lost, running: &x.running, closing: x.closing, high: f.high,
		gate: &x.gate, still: &x.still, stats: &x.stats,
		intake: &intake{stream: NewStream(x.options.Rules, x.options.Zone, StreamOptions{MaxBytes: x.options.RepeatBytes}), tap: f.tap},
		room:   make(chan struct{}, 1), started: make(chan struct{}), turn: make(chan struct{}, 1),
	}
	p.bulk.Store(bulk)
	p.ctx, p.end = context.WithCancelCause(ctx)
	p.reading, p.stop = context.WithCancel(p.ctx)
	p.pool.New = func() any { return new(part) }
	workers := x.options.Workers
	if bulk {
		p.slots = make(slots, workers)
		workers *= bulkShards
	}
	for range workers {
		p.workers = append(p.workers, newWorker(p))
	}
	return p
}

// run applies the source until the pipeline ends, and gives the reason. When the source cannot be read any further,
// what is there goes on being stored and asked for.
func (p *pipeline) run() error {
	reader, err := p.begin()
	if err == nil {
		defer reader.Close()
		run := p.done.Go
		if p.bulk.Load() {
			run = func(f func()) { p.done.Go(func() { atLowPriority(f) }) }
		}
		for _, w := range p.workers {
			run(w.run)
			run(w.flusher)
		}
		p.done.Go(p.keepCheckpoint)
		close(p.started)
		read := make(chan error, 1)
		run(func() { read <- p.read(reader) })
		err = <-read
		switch {
		case p.frozen && errors.Is(err, io.EOF):
			if p.persist("store the end of a frozen source", p.drain) {
				p.end(errFinished)
			}
		case errors.Is(err, errBulkDone):
			if p.persist("store what was read in bulk", p.drain) {
				p.end(errBulkDone)
			}
		}
	}
	if p.reading.Err() == nil {
		p.failed.Store(&err)
		p.options.Logger.Error("index stopped reading", slog.Any("err", err))
	}
	<-p.ctx.Done()
	p.done.Wait()
	return context.Cause(p.ctx)
}

// begin prepares the start at the checkpoint.
func (p *pipeline) begin() (Reader, error) {
	var from checkpoint
	ok := p.persist("read checkpoint", func(ctx context.Context) (err error) {
		if from, _, err = readCheckpoint(ctx, p.options.Store, p.options.Generation, p.source.ID()); err != nil {
			return err
		}
		p.recovering, _, err = p.high.read(ctx)
		return err
	})
	if !ok {
		return nil, context.Cause(p.ctx)
	}
	if err := p.feed.carry(p.intake.stream, from.Position); err != nil {
		return nil, err
	}
	p.startEnd = p.source.Durable()
	if first := p.source.First(); first > from.Position && p.options.Base == nil {
		p.options.Logger.Warn("hits were pruned before this store counted them",
			slog.Uint64("hits", first-from.Position), slog.Uint64("position", first))
	}
	if p.answers = p.recovering; p.frozen {
		p.answers = min(p.recovering, p.startEnd)
	}
	for _, w := range p.workers {
		w.shard.recover(from.Position, p.recovering)
	}
	p.routed.Store(from.Position)
	start, err := p.intake.start(p.source, from)
	if err != nil {
		return nil, err
	}
	p.options.Logger.Info("index reads the journal", slog.String("source", p.source.ID()), slog.Uint64("position", from.Position), slog.Uint64("stored", p.recovering), slog.Uint64("end", p.startEnd))
	return p.source.Open(start, journal.AllFields, p.counted(from.Position))
}

// read routes chunks until the pipeline is to stop.
func (p *pipeline) read(reader Reader) error {
	var c heatmap.Chunk
	for {
		if p.bulk.Load() && !p.frozen && p.caughtUp() {
			return errBulkDone
		}
		if err := p.waitForRoom(); err != nil {
			return err
		}
		if hold := p.options.Hold; hold != nil {
			if err := hold(p.reading); err != nil {
				return err
			}
		}
		if err := reader.Next(p.reading, &c); err != nil {
			return errors.Join(fmt.Errorf("read journal %s: %w", p.source.ID(), err), p.handOver())
		}
		if p.intake.warms(&c) {
			continue
		}
		if err := p.route(&c); err != nil {
			return err
		}
	}
}

// waitForRoom waits while the deltas, those on their way to the store among them, hold as much as the cache may: the
// store does not keep up.
func (p *pipeline) waitForRoom() error {
	for p.reading.Err() == nil {
		if p.heldBytes() <= p.cacheBytes() {
			return nil
		}
		p.stats.waits.Add(1)
		select {
		case <-p.room:
		case <-p.reading.Done():
		}
	}
	return p.reading.Err()
}

// cacheBytes is this pipeline's share of the cache.
func (p *pipeline) cacheBytes() int64 {
	all := p.options.CacheBytes
	if p.bulk.Load() {
		all = p.options.BulkBytes
	}
	return all / max(1, p.running.Load())
}

// bulkFlushEvery is how long a delta stays unflushed at most while the pipeline reads in bulk, if Options.FlushEvery is not
// shorter: with the time to the next checkpoint, it is how much work a crash costs. A month that is flushed before its last
// hit is decoded, added to and encoded once more.
const bulkFlushEvery = time.Minute

// bulkShards is how many shards there are in bulk for each of Options.Workers. Pages are not equally busy, and a worker that
// gives its flusher something counts nothing meanwhile: with one shard each, the reader would wait for one worker while
// another one has nothing to do.
const bulkShards = 4

// flushEvery is the longest time that a delta stays unflushed.
func (p *pipeline) flushEvery() time.Duration {
	if p.bulk.Load() {
		return min(p.options.FlushEvery, bulkFlushEvery)
	}
	return p.options.FlushEvery
}

// keepBytes gives how many bytes of live entries a worker is to keep that has so many: all, unless all workers together have more
// than three quarters of what the cache may hold. Then it gives up its part of that and of an eighth more, so that flushes are
// large. Whoever applies hits last knows what all others hold, so if that is too much, one of those who hold it is flushing.
func (p *pipeline) keepBytes(live int) int {
	all := int64(0)
	for _, w := range p.workers {
		all += w.live.Load()
	}
	budget := p.cacheBytes() / 4 * 3
	if all <= budget {
		return math.MaxInt
	}
	return int(float64(live) / float64(all) * float64(budget-budget/8))
}

func (p *pipeline) heldBytes() (n int64) {
	for _, w := range p.workers {
		n += w.held.Load()
	}
	return n
}

// gathered is what has passed the stream and is not yet in the workers' queues.
type gathered struct {
	parts        []*part // one for each worker, nil = nothing
	hits, chunks uint64
	end          uint64
}

// bulkHits is how many hits are gathered in bulk: chunks of live traffic are small, and each hand-over wakes every worker.
const bulkHits = 8192

// route passes a chunk through the stream into the workers' queues, in bulk together with others.
func (p *pipeline) route(c *heatmap.Chunk) error {
	g := &p.gathered
	if g.parts == nil {
		g.parts = make([]*part, len(p.workers))
		for i := range g.parts {
			g.parts[i] = p.pool.Get().(*part)
			g.parts[i].reset()
		}
	}
	p.intake.split(c, g.parts)
	g.hits, g.chunks, g.end = g.hits+uint64(c.Count), g.chunks+1, c.End()
	if p.bulk.Load() && g.hits < bulkHits && g.end < p.startEnd {
		return nil
	}
	return p.handOver()
}

// handOver puts what is gathered into the workers' queues.
func (p *pipeline) handOver() error {
	g := p.gathered
	if g.parts == nil {
		return nil
	}
	p.gathered = gathered{}
	if err := p.takeRoutingTurn(); err != nil {
		return err
	}
	defer p.endTurn()
	for i, w := range p.workers {
		if err := p.hand(p.ctx, w, work{ops: g.parts[i], end: g.end}); err != nil {
			return err
		}
	}
	p.routed.Store(g.end)
	p.stats.applied.Add(g.hits)
	p.stats.chunks.Add(g.chunks)
	return nil
}

func (p *pipeline) recycle(ops *part) {
	if cap(ops.ops) <= 1<<16 { // a huge one is not kept
		p.pool.Put(ops)
	}
}

// errEnded says that a pipeline ended before it answered; the next one can be asked.
var errEnded = errors.New("index starts over")

// mark lets fn look at shards, each when it has applied exactly what is routed now, and gives that position. With a
// key it looks at the one shard that holds the key's page. Fn runs on the workers, for several shards at once.
func (p *pipeline) mark(ctx context.Context, key *pageKey, fn func(i int, s *shard)) (uint64, error) {
	workers := p.workers
	if key != nil {
		i := shardOf(key.site, key.page, len(p.workers))
		workers = workers[i : i+1]
	}
	answers := make(chan struct{}, len(workers))
	position, err := p.handMark(ctx, workers, func(i int) work {
		return work{visit: func(s *shard) { fn(i, s) }, done: answers}
	})
	if err != nil {
		return 0, err
	}
	return position, p.wait(ctx, len(workers), answers)
}

// handMark puts a task into the queues of workers, all behind the same chunk, and gives the position of its end.
func (p *pipeline) handMark(ctx context.Context, workers []*worker, task func(i int) work) (uint64, error) {
	if err := p.takeTurn(ctx); err != nil {
		return 0, err
	}
	defer p.endTurn()
	for i, w := range workers {
		if err := p.hand(ctx, w, task(i)); err != nil {
			return 0, err
		}
	}
	return p.routed.Load(), nil
}

func (p *pipeline) takeTurn(ctx context.Context) error {
	select {
	case p.turn <- struct{}{}:
		return nil
	case <-p.ctx.Done():
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (p *pipeline) endTurn() { <-p.turn }

// hand puts a task into a worker's queue. The caller has the turn.
func (p *pipeline) hand(ctx context.Context, w *worker, task work) error {
	select {
	case w.queue <- task:
		return nil
	case <-p.ctx.Done():
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait waits for n workers to be done with a task.
func (p *pipeline) wait(ctx context.Context, n int, answers <-chan struct{}) error {
	for range n {
		select {
		case <-answers:
		case <-p.ctx.Done():
			return errEnded
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// keepCheckpoint writes the checkpoint from time to time.
func (p *pipeline) keepCheckpoint() {
	tick := time.NewTicker(p.options.CheckpointEvery)
	defer tick.Stop()
	var said complaint
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-tick.C:
		}
		err := p.checkpoint(p.ctx)
		if err == nil {
			said = complaint{}
		} else if p.ctx.Err() == nil && said.anew(err) {
			p.options.Logger.Error("checkpoint was not written, trying again later", slog.Any("err", err))
		}
	}
}

// checkpoint writes the end of a chunk that is not behind what any worker has yet to store.
func (p *pipeline) checkpoint(ctx context.Context) error {
	dirty := make([]uint64, len(p.workers))
	if _, err := p.mark(ctx, nil, func(i int, s *shard) { dirty[i] = s.firstDirty() }); err != nil {
		return err
	}
	c := p.intake.ends.before(leastDirty(dirty))
	if c.Position == 0 {
		return nil
	}
	if err := p.high.writeCheckpoint(ctx, c); err != nil {
		return err
	}
	p.intake.ends.forget(c.Position)
	if !p.frozen {
		p.stats.checkpoint.Store(c.Position)
	}
	return nil
}

// drain stores all that is routed and writes the checkpoint behind it. The router must have stopped.
func (p *pipeline) drain(ctx context.Context) error {
	select {
	case <-p.started:
	default:
		return nil
	}
	answers := make(chan struct{}, len(p.workers))
	if _, err := p.handMark(ctx, p.workers, func(int) work { return work{drain: true, done: answers} }); err != nil {
		return fmt.Errorf("store live deltas: %w", err)
	}
	if err := p.wait(ctx, len(p.workers), answers); err != nil {
		return fmt.Errorf("store live deltas: %w", err)
	}
	err := p.checkpoint(ctx)
	if err != nil && p.isClosing() {
		return &unstoredError{err}
	}
	return err
}

func defaultWorkers() int { return max(1, runtime.GOMAXPROCS(0)) }
