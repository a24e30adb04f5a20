package journal

import (
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
	return Stats{
		Appends: c.appends.Load(), Hits: c.hits.Load(), Chunks: c.chunks.Load(),
		RawBytes: c.raw.Load(), StoredBytes: c.stored.Load(),
		Syncs: c.syncs.Load(), SyncTime: time.Duration(c.syncNanos.Load()), Failures: c.failures.Load(),
		First: j.First(), Durable: j.Durable(), End: c.end.Load(), Segments: j.catalog.count(),
	}
}
