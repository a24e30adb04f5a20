package journal

import "sync"

// group is what goes into one chunk: the units of those who wait for it.
type group struct {
	payload []byte // units, each after its length
	hits    int
	appends int

	done  chan struct{} // closed when base or err is set
	base  uint64
	err   error
	ended func() error // wait, made once for all who wait
}

// wait waits until the group is as durable as it is going to be.
func (g *group) wait() error {
	<-g.done
	return g.err
}

// queue is where appends wait for the committer.
type queue struct {
	wake chan struct{} // holds a token while there is something to do

	mu      sync.Mutex
	room    sync.Cond // signalled when pending falls
	limit   int       // of pending
	pending int       // bytes of all groups that are not finished
	arrived int       // appends so far
	groups  []*group  // in order; the last one takes more
	free    [][]byte  // payloads for new groups
	closed  bool
}

// freePayloads is how many payload buffers a queue keeps.
const freePayloads = 4

func newQueue(limit int) *queue {
	q := &queue{wake: make(chan struct{}, 1), limit: limit}
	q.room.L = &q.mu
	return q
}

// append adds a unit to the open group, when there is room; end is the number of hits in the group up to the unit's end.
func (q *queue) append(unit []byte, hits int) (g *group, end int, err error) {
	g, end, err = q.put(unit, hits)
	if err != nil {
		return nil, 0, err
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return g, end, nil
}

// put is append without waking the committer.
func (q *queue) put(unit []byte, hits int) (g *group, end int, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.pending > 0 && q.pending+len(unit) > q.limit && !q.closed {
		q.room.Wait()
	}
	if q.closed {
		return nil, 0, ErrClosed
	}
	g = q.open(len(unit), hits)
	size := len(g.payload)
	g.payload = appendUnit(g.payload, unit)
	g.hits += hits
	g.appends++
	q.pending += len(g.payload) - size
	q.arrived++
	return g, g.hits, nil
}

// open gives the group that takes a unit of so many bytes and hits. q.mu is held.
func (q *queue) open(bytes, hits int) *group {
	if n := len(q.groups); n > 0 {
		g := q.groups[n-1]
		if len(g.payload)+bytes+maxUnitPrefix <= MaxChunk && g.hits+hits <= MaxChunkHits {
			return g
		}
	}
	g := &group{done: make(chan struct{})}
	g.ended = g.wait
	if n := len(q.free); n > 0 {
		g.payload, q.free = q.free[n-1], q.free[:n-1]
	}
	q.groups = append(q.groups, g)
	return g
}

// count is the number of appends that have arrived so far.
func (q *queue) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.arrived
}

// take removes the first group, nil if there is none; closed says that none will come any more.
func (q *queue) take() (g *group, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.groups) == 0 {
		return nil, q.closed
	}
	g = q.groups[0]
	q.groups = append(q.groups[:0], q.groups[1:]...)
	return g, false
}

// finish tells those who wait for g how it went.
func (q *queue) finish(g *group, base uint64, err error) {
	q.mu.Lock()
	q.pending -= len(g.payload)
	if len(q.free) < freePayloads && cap(g.payload) <= MaxChunk/8 {
		q.free = append(q.free, g.payload[:0])
	}
	q.mu.Unlock()
	q.room.Broadcast()
	g.payload, g.base, g.err = nil, base, err
	close(g.done)
}

// close lets no more appends in.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.room.Broadcast()
	select {
	case q.wake <- struct{}{}:
	default:
	}
}
