package journal

import (
	"cmp"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Stats are counts since the journal was opened, and where it stands.
type Stats struct {
	Appends, Hits, Chunks uint64 // accepted, as Ack says
	RawBytes, StoredBytes uint64 // of those chunks: payloads before compression, and all that was written for them
	Syncs                 uint64
	SyncTime              time.Duration // spent in syncs, all together
	Failures              uint64        // segments given up and attempts to begin one that failed
	First, Durable, End   uint64        // positions: of the first hit kept, after the last one synced, after the last one accepted
	Segments              int
	Bytes                 int64 // length of all segments, as far as they are durable

	UnsealedSegments int   // that are full and not sealed: they wait, or cannot be sealed
	UnsealedBytes    int64 // of those
	Sealed           SealTotals
	Pruned           PruneTotals
}

// SealTotals are what sealing came to since the journal was opened.
type SealTotals struct {
	Segments, Hits, Before, After uint64 // bytes before and after
	Running                       bool
	Error                         string // of the last attempt, "" if it succeeded
}

// PruneTotals are what pruning came to since the journal was opened.
type PruneTotals struct {
	Segments, Hits, Bytes uint64
	Error                 string // of the last attempt, "" if it succeeded
}

// sealCounters are the changing part of SealTotals and PruneTotals.
type sealCounters struct {
	mu     sync.Mutex
	sealed SealTotals  // guarded by mu
	pruned PruneTotals // guarded by mu
}

func (c *sealCounters) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sealed.Running = true
}

// segment counts one that was sealed.
func (c *sealCounters) segment(hits uint64, before, after int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sealed.Segments++
	c.sealed.Hits += hits
	c.sealed.Before += uint64(before)
	c.sealed.After += uint64(after)
}

// end notes how an attempt to seal ended. One that was called off says nothing of the next.
func (c *sealCounters) end(ctx context.Context, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sealed.Running = false; ctx.Err() == nil {
		c.sealed.Error = text(err)
	}
}

// prune counts what was deleted.
func (c *sealCounters) prune(ctx context.Context, rep *PruneReport, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pruned.Segments += uint64(rep.Segments)
	c.pruned.Hits += rep.Hits
	c.pruned.Bytes += uint64(rep.Bytes)
	if ctx.Err() == nil {
		c.pruned.Error = text(err)
	}
}

// add adds the counts of one source.
func (c *sealCounters) add(st *Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	st.Sealed.Segments += c.sealed.Segments
	st.Sealed.Hits += c.sealed.Hits
	st.Sealed.Before += c.sealed.Before
	st.Sealed.After += c.sealed.After
	st.Sealed.Running = st.Sealed.Running || c.sealed.Running
	st.Sealed.Error = cmp.Or(st.Sealed.Error, c.sealed.Error)
	st.Pruned.Segments += c.pruned.Segments
	st.Pruned.Hits += c.pruned.Hits
	st.Pruned.Bytes += c.pruned.Bytes
	st.Pruned.Error = cmp.Or(st.Pruned.Error, c.pruned.Error)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// counters are the changing part of Stats.
type counters struct {
	appends, hits, chunks, raw, stored, syncs, failures, end atomic.Uint64
	syncNanos                                                atomic.Int64
}

// commit counts a chunk after which the journal ends at end.
func (c *counters) commit(g *group, k *chunk, end uint64) {
	c.appends.Add(uint64(g.appends))
	c.hits.Add(uint64(g.hits))
	c.chunks.Add(1)
	c.raw.Add(uint64(k.head.raw))
	c.stored.Add(uint64(k.head.size()))
	c.end.Store(end)
}

func (c *counters) sync(took time.Duration) {
	c.syncs.Add(1)
	c.syncNanos.Add(int64(took))
}

// Stats gives the counts. They are read one after the other, while others may go on.
func (j *Journal) Stats() Stats {
	c := &j.stats
	st := Stats{
		Appends: c.appends.Load(), Hits: c.hits.Load(), Chunks: c.chunks.Load(),
		RawBytes: c.raw.Load(), StoredBytes: c.stored.Load(),
		Syncs: c.syncs.Load(), SyncTime: time.Duration(c.syncNanos.Load()), Failures: c.failures.Load(),
		First: j.First(), Durable: j.Durable(), End: c.end.Load(),
	}
	for _, l := range j.logs() {
		l.catalog.count(&st)
		l.sealer.counters.add(&st)
	}
	return st
}
