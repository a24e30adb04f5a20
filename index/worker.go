package index

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// work is what a worker takes from its queue: the ops of a chunk, or a visit, or the order to store everything.
type work struct {
	ops   *part // nil for a visit; returned to the pool when applied
	end   uint64
	visit func(s *shard)
	drain bool
	done  chan<- struct{} // gets a value after a visit or drain, has room for it
}

// worker owns a shard: it applies the shard's ops in the order of the log and hands entries to its flusher, one flush
// at a time. It never waits for the store but in recovery, so that visits are answered while the store is down.
type worker struct {
	*pipeline
	shard    *shard
	queue    chan work
	flushes  chan []*entry // to the flusher
	settled  chan []*entry // from the flusher
	flushing bool
	due      int64        // entries born until then are flushed, Unix ms
	flushed  fingerprints // keys of which an entry was flushed: what is not in it is not stored if nothing was at start

	live, held atomic.Int64 // bytes, published for the pipeline
	entries    atomic.Int64
}

const (
	queueLength      = 16   // chunks that wait for a worker
	flushEntries     = 4096 // entries in one flush
	bulkFlushEntries = 256  // the same in bulk: while they are taken, the shard's queue fills
	never            = math.MinInt64
)

func newWorker(p *pipeline) *worker {
	return &worker{
		pipeline: p, shard: newShard(p.options.Rules.CellSize()), due: never,
		queue: make(chan work, queueLength), flushes: make(chan []*entry, 1), settled: make(chan []*entry, 1),
	}
}

// run takes work until the pipeline ends.
func (w *worker) run() {
	defer close(w.flushes)
	tick := time.NewTicker(max(w.flushEvery()/4, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-w.ctx.Done():
			return
		case task := <-w.queue:
			w.do(task)
		case flushed := <-w.settled:
			w.flushing = false
			w.shard.settle(flushed)
		case <-tick.C:
			w.due = w.now() - w.flushEvery().Milliseconds()
		}
		w.publish()
		w.startFlush()
	}
}

func (w *worker) now() int64 { return w.options.Now().UnixMilli() }

func (w *worker) do(task work) {
	switch {
	case task.visit != nil:
		task.visit(w.shard)
		task.done <- struct{}{}
	case task.drain:
		w.drain()
		task.done <- struct{}{}
	default:
		w.learn(task.ops)
		w.slots.take()
		w.shard.apply(task.ops, task.end, w.now())
		w.slots.free()
		w.recycle(task.ops)
	}
}

// learn looks up the watermarks that a recovering shard needs, for as long as it takes the store to answer.
func (w *worker) learn(ops *part) {
	const most = 1000
	keys := w.shard.unknown(ops)
	for len(keys) > 0 {
		refs := refsOf(w.options.Generation, w.source.ID(), keys[:min(most, len(keys))])
		var docs []Doc
		ok := w.persist("look up watermarks", func(ctx context.Context) (err error) {
			docs, err = w.options.Store.Load(ctx, refs)
			return err
		})
		if !ok {
			return // the pipeline ends, and with it the shard
		}
		for i, d := range docs {
			w.shard.know(keys[i], d.Watermark)
		}
		keys = keys[len(refs):]
	}
}

// startFlush hands entries to the flusher if it is idle and there is something to flush: what is too much, and what is due.
func (w *worker) startFlush() {
	if w.flushing {
		return
	}
	keep := w.keepBytes(w.shard.liveBytes)
	if keep == math.MaxInt && w.due == never {
		return
	}
	taken, limit := w.take(keep, w.due)
	if len(taken) < limit {
		w.due = never
	}
	if len(taken) > 0 {
		w.flushing = true
		w.flushes <- taken
		w.publish()
	}
}

// take takes entries for one flush out of the shard, of limit at most or a few more.
func (w *worker) take(keep int, born int64) (taken []*entry, limit int) {
	limit = flushEntries
	if w.bulk.Load() {
		limit = bulkFlushEntries
	}
	w.slots.take()
	defer w.slots.free()
	return w.shard.take(keep, born, limit), limit
}

// drain stores everything that the shard holds, here and now.
func (w *worker) drain() {
	if w.flushing {
		select {
		case flushed := <-w.settled:
			w.flushing = false
			w.shard.settle(flushed)
		case <-w.ctx.Done():
			return
		}
	}
	for {
		taken, _ := w.take(-1, never)
		if len(taken) == 0 || !w.store(taken) {
			return
		}
		w.shard.settle(taken)
	}
}

// flusher stores what the worker hands it.
func (w *worker) flusher() {
	for taken := range w.flushes {
		if !w.store(taken) {
			return
		}
		w.settled <- taken
	}
}

// store takes the steps of a flush until all of it is stored. It gives false if the pipeline ended first.
func (w *worker) store(taken []*entry) bool {
	w.tellFresh(taken)
	f := newFlush(w.options.Store, w.options.Generation, w.source.ID(), taken)
	f.slots = w.slots
	to := f.to()
	raised := w.persist("raise high", func(ctx context.Context) error { return w.high.raise(ctx, to) })
	for raised && len(f.entries) > 0 {
		stepped := w.persist("flush", func(ctx context.Context) error {
			w.gate.RLock()
			defer w.gate.RUnlock()
			return f.step(ctx)
		})
		if !stepped {
			return false
		}
	}
	w.stats.flushedDocs.Add(uint64(f.docsSwapped))
	w.stats.flushedBytes.Add(uint64(f.blobBytes))
	return raised
}

// freshKeys is how many keys a worker remembers to have flushed at most.
const freshKeys = 1 << 20

// tellFresh tells which of the entries that are about to be stored are the first of their keys, if that can be known: nothing
// was stored when the pipeline began.
func (w *worker) tellFresh(taken []*entry) {
	if w.recovering > 0 || w.flushed.n+len(taken) > freshKeys {
		return
	}
	for _, e := range taken {
		e.fresh = w.flushed.add(e.page.hash^uint64(e.period)*0x9e3779b97f4a7c15, false) == absent
	}
}

// publish makes the shard's size known and wakes the pipeline if it waits for room.
func (w *worker) publish() {
	w.live.Store(int64(w.shard.liveBytes))
	w.held.Store(int64(w.shard.liveBytes + w.shard.flushingBytes))
	w.entries.Store(int64(w.shard.liveEntries))
	select {
	case w.room <- struct{}{}:
	default:
	}
}
