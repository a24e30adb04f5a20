package web

import (
	"container/list"
	"encoding/binary"
	"hash/maphash"
	"sync"

	"heatlog/heatmap"
)

// DefaultThinBytes is the default of Options.ThinBytes: about 340 maps of 4,000 points.
const DefaultThinBytes = 32 << 20

// thinCache keeps thinned points by what they were made of, not by the question: as long as no hit comes in, all who ask
// for the map are given the same. What was asked for least recently is dropped first. Its methods are safe for concurrent
// use.
type thinCache struct {
	seed maphash.Seed // so that nobody can make two maps that are taken for one
	max  int          // bytes

	mu     sync.Mutex // guards all below
	bytes  int
	byKey  map[thinKey]*list.Element
	recent *list.List // of *thinEntry, the one that was asked for last first
}

// thinKey stands for the cells of a map and what is to become of them.
type thinKey struct {
	sum                uint64 // seeded hash of places and weights
	cells, cell, limit int
}

// thinEntry is made by the first who asks; others wait for it.
type thinEntry struct {
	key   thinKey
	once  sync.Once
	made  *heatmap.Thinned
	bytes int // 0 while it is made
}

// thinEntryBytes is about what an entry takes beside its points.
const thinEntryBytes = 256

func newThinCache(max int) *thinCache {
	return &thinCache{seed: maphash.MakeSeed(), max: max, byKey: make(map[thinKey]*list.Element), recent: list.New()}
}

// thin is heatmap.Thin. What it gives is shared and must not be changed.
func (c *thinCache) thin(points []heatmap.Point, cell, limit int) *heatmap.Thinned {
	e := c.entry(thinKey{c.sum(points), len(points), cell, limit})
	e.once.Do(func() {
		e.made = heatmap.Thin(points, cell, limit)
		c.made(e)
	})
	return e.made
}

// entry gives the entry of a key, a new one if there is none.
func (c *thinCache) entry(key thinKey) *thinEntry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.byKey[key]; ok {
		c.recent.MoveToFront(at)
		return at.Value.(*thinEntry)
	}
	e := &thinEntry{key: key}
	c.byKey[key] = c.recent.PushFront(e)
	return e
}

// made counts what an entry takes, and drops others until all take at most max bytes; an entry that is larger goes too.
func (c *thinCache) made(e *thinEntry) {
	const pointBytes = 24
	c.mu.Lock()
	defer c.mu.Unlock()
	e.bytes = thinEntryBytes + pointBytes*cap(e.made.Points)
	c.bytes += e.bytes
	for at := c.recent.Back(); at != nil && c.bytes > c.max; {
		old := at.Value.(*thinEntry)
		before := at.Prev()
		if old.bytes > 0 {
			c.bytes -= old.bytes
			delete(c.byKey, old.key)
			c.recent.Remove(at)
		}
		at = before
	}
}

// sum is a hash of the cells.
func (c *thinCache) sum(points []heatmap.Point) uint64 {
	var h maphash.Hash
	h.SetSeed(c.seed)
	var buf [4096]byte
	n := 0
	for i := range points {
		p := &points[i]
		binary.LittleEndian.PutUint64(buf[n:], uint64(p.Y)<<32|uint64(p.X))
		binary.LittleEndian.PutUint64(buf[n+8:], p.Weight)
		if n += 16; n == len(buf) {
			_, _ = h.Write(buf[:])
			n = 0
		}
	}
	_, _ = h.Write(buf[:n])
	return h.Sum64()
}
