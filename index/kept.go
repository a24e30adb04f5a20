package index

import (
	"container/list"
	"fmt"
	"sync"
)

// Versioned is a Store whose documents only this process changes. Version is another one, and greater, when a change begins, when it
// has been made or has failed, and when what an earlier one left may have come to light: while it stays the same, whoever scans
// finds the same, but for what is being changed. PageVersion is that of the documents of one page, of any generation; it may also
// change when another page does.
type Versioned interface {
	Version() uint64
	PageVersion(site, page string) uint64
}

// keptCache keeps what the store has of answers, so that only what is live is added to it as long as that does not change. What was
// asked for least recently goes first. It is safe for concurrent use.
type keptCache struct {
	max int // bytes

	mu     sync.Mutex // guards all below
	bytes  int
	byKey  map[keptKey]*list.Element
	recent *list.List // of *kept, the one that was asked for last first
}

// keptKey names what an answer is made of.
type keptKey struct {
	what                string // see keeper
	site, page, periods string
	width, device, bots string
}

// kept is what is known of a key.
type kept struct {
	keptKey
	*stored        // nil is one that is too large to be kept
	version uint64 // of the store, or of the page, when it was read
	size    int    // bytes
}

// keptBytes is about what an entry takes beside texts and what is stored.
const keptBytes = 400

func newKeptCache(max int) *keptCache {
	return &keptCache{max: max, byKey: make(map[keptKey]*list.Element), recent: list.New()}
}

// keptKeyOf gives the key of a plan that blobs answer.
func keptKeyOf(what string, pl *plan) keptKey {
	q := &pl.query
	return keptKey{what, q.Site, pl.page, fmt.Sprint(pl.periods), fmt.Sprint(q.Width), fmt.Sprint(q.Device), fmt.Sprint(q.Bots)}
}

// get gives what was read at this version, nil if it is not kept, and whether it is known to be too large.
func (c *keptCache) get(key keptKey, version uint64) (s *stored, tooLarge bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.byKey[key]
	if at == nil {
		return nil, false
	}
	e := at.Value.(*kept)
	if e.version != version {
		if e.version < version {
			c.drop(at)
		}
		return nil, false
	}
	c.recent.MoveToFront(at)
	return e.stored, e.stored == nil
}

// put keeps what was read at this version, or later: then nobody is given it. nil is what is too large.
func (c *keptCache) put(key keptKey, version uint64, s *stored) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at := c.byKey[key]; at != nil {
		if version <= at.Value.(*kept).version {
			return
		}
		c.drop(at)
	}
	size := keptBytes + len(key.site) + len(key.page) + len(key.periods)
	if s != nil {
		size += s.bytes
	}
	if size > c.max {
		return
	}
	for c.bytes+size > c.max {
		c.drop(c.recent.Back())
	}
	c.byKey[key] = c.recent.PushFront(&kept{key, s, version, size})
	c.bytes += size
}

func (c *keptCache) drop(at *list.Element) {
	e := c.recent.Remove(at).(*kept)
	delete(c.byKey, e.keptKey)
	c.bytes -= e.size
}
