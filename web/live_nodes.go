package web

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// live are the questions that are alive, and the streams of those who listen to them.
type live struct {
	s      *Server
	limits LiveLimits
	base   context.Context // of all nodes
	cancel context.CancelFunc
	nodes  sync.WaitGroup // goroutines of nodes
	pace   pace

	evaluations, encodings, messages, bytes, resets, refused, cutOff atomic.Uint64

	mu      sync.Mutex // guards all below; taken before that of a node
	byID    map[string]*node
	streams map[*subscriber]struct{}
	callers map[string]int // streams by caller.key, but for the admin token's
	ending  bool
	left    chan struct{} // has room for one: a stream has ended
}

func newLive(s *Server, limits LiveLimits) *live {
	l := &live{
		s: s, limits: limits.withDefaults(), byID: map[string]*node{}, streams: map[*subscriber]struct{}{}, callers: map[string]int{},
		left: make(chan struct{}, 1), pace: pace{processors: runtime.GOMAXPROCS(0)},
	}
	l.base, l.cancel = context.WithCancel(context.Background())
	return l
}

// tooMany refuses what would be beyond a limit.
func (l *live) tooMany(message string) error {
	l.refused.Add(1)
	return &apiError{status: fasthttp.StatusServiceUnavailable, code: "unavailable", message: message}
}

func errEnding() error {
	return &apiError{status: fasthttp.StatusServiceUnavailable, code: "unavailable", message: "the server is ending"}
}

// ask gives the node of a question, a new one if there is none.
func (l *live) ask(ctx context.Context, q *liveQuestion) (n *node, created bool, err error) {
	id := l.s.liveID(q)
	if n, created, err = l.claim(id, q); err != nil {
		return nil, false, err
	}
	if !created {
		select {
		case <-n.ready:
			return n, false, n.failed
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
	return n, true, l.begin(ctx, n)
}

// begin begins the answer of a new node.
func (l *live) begin(ctx context.Context, n *node) error {
	n.failed = errInternal() // if Keep panics
	defer close(n.ready)
	defer func() {
		if n.failed != nil {
			l.remove(n)
			n.cancel()
			l.nodes.Done()
		}
	}()
	kept, err := l.s.o.Live.Keep(ctx, n.question.question)
	if n.failed = err; err != nil {
		return err
	}
	go func() {
		defer l.nodes.Done()
		n.run(kept)
	}()
	return nil
}

// claim finds the node of an ID or makes room for one, whose goroutine is counted already.
func (l *live) claim(id string, q *liveQuestion) (n *node, created bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ending {
		return nil, false, errEnding()
	}
	if n = l.byID[id]; n != nil {
		n.touch()
		return n, false, nil
	}
	if !l.makeRoom(q.Params.Site) {
		return nil, false, l.tooMany(fmt.Sprintf("site %s has %d questions alive that somebody listens to, which is the limit; end one with DELETE %s/ID",
			q.Params.Site, l.limits.Nodes, queriesPath))
	}
	n = newNode(l, id, q)
	l.byID[id] = n
	l.nodes.Add(1)
	return n, true, nil
}

// makeRoom reports whether a site may have one more node, for which the one goes that nobody has listened to for longest. l.mu is held.
func (l *live) makeRoom(site string) bool {
	count := 0
	var unheard *node
	var since time.Time
	for _, n := range l.byID {
		if n.question.Params.Site != site {
			continue
		}
		count++
		if heard, idle, _ := n.heard(); !heard && n.isReady() && (unheard == nil || idle.Before(since)) {
			unheard, since = n, idle
		}
	}
	if count < l.limits.Nodes {
		return true
	}
	if unheard == nil {
		return false
	}
	l.drop(unheard)
	return true
}

func (n *node) isReady() bool {
	select {
	case <-n.ready:
		return true
	default:
		return false
	}
}

// touch begins the time anew in which somebody must listen.
func (n *node) touch() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.idle = time.Now()
}

// drop ends a node. l.mu is held.
func (l *live) drop(n *node) {
	if l.byID[n.id] == n {
		delete(l.byID, n.id)
	}
	n.end(goodbye{code: byeEnded, reason: "the question was ended"})
	n.cancel()
}

// retire drops a node that nobody has listened to for long enough.
func (l *live) retire(n *node) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	heard, idle, _ := n.heard()
	if heard || time.Since(idle) < l.limits.Linger {
		return false
	}
	l.drop(n)
	return true
}

// remove forgets a node that has ended.
func (l *live) remove(n *node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byID[n.id] == n {
		delete(l.byID, n.id)
	}
}

// find gives a node that the caller may see.
func (l *live) find(id string, c caller) (*node, error) {
	l.mu.Lock()
	n := l.byID[id]
	l.mu.Unlock()
	if n == nil || !n.isReady() || n.failed != nil {
		return nil, &apiError{status: fasthttp.StatusNotFound, code: "not_found", field: "id",
			message: "there is no question " + shorten(id) + " alive; POST it to " + queriesPath + ", the same question has the same ID"}
	}
	if c.site != "" && n.question.Params.Site != c.site {
		return nil, forbidden("other_site", "this overlay token is for site "+c.site+" alone")
	}
	return n, nil
}

// mayListen refuses a stream that would be too many.
func (l *live) mayListen(c caller) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.checkStreams(c)
}

// checkStreams refuses a stream that would be too many. l.mu is held.
func (l *live) checkStreams(c caller) error {
	switch {
	case l.ending:
		return errEnding()
	case len(l.streams) >= l.limits.Streams:
		return l.tooMany(fmt.Sprintf("there are %d streams, which is the limit; come back later", l.limits.Streams))
	case c.key != "" && l.callers[c.key] >= l.limits.CallerStreams:
		return l.tooMany(fmt.Sprintf("this token or session has %d streams, which is the limit; close one", l.limits.CallerStreams))
	}
	return nil
}

// listen begins a stream behind a version, 0 for one that knows nothing.
func (l *live) listen(n *node, c caller, version uint64, on *conn) (*subscriber, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.checkStreams(c); err != nil {
		return nil, err
	}
	u := &subscriber{node: n, caller: c, version: version, conn: on, gone: make(chan struct{})}
	if !n.listen(u) {
		return nil, &apiError{status: fasthttp.StatusNotFound, code: "not_found", field: "id", message: "the question was ended; POST it again"}
	}
	l.streams[u] = struct{}{}
	if c.key != "" {
		l.callers[c.key]++
	}
	return u, nil
}

// leave ends a stream.
func (l *live) leave(u *subscriber) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.streams[u]; !ok {
		return
	}
	delete(l.streams, u)
	if key := u.caller.key; key != "" {
		if l.callers[key]--; l.callers[key] == 0 {
			delete(l.callers, key)
		}
	}
	u.node.leave()
	select {
	case l.left <- struct{}{}:
	default:
	}
}

// end ends a question for whoever listens to it. One who may read a site alone may end what nobody else listens to.
func (l *live) end(n *node, c caller) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for u := range l.streams {
		if c.site != "" && u.node == n && u.caller.key != c.key {
			return &apiError{status: fasthttp.StatusConflict, code: "conflict", message: "others listen to this question; it ends by itself when nobody does"}
		}
	}
	l.drop(n)
	return nil
}

// shut ends all streams, with a word to those that take it, and all nodes.
func (l *live) shut(ctx context.Context) {
	l.mu.Lock()
	l.ending = true
	for _, n := range l.byID {
		n.end(goodbye{byeShutdown, "the server is ending", 500 * time.Millisecond, 3 * time.Second})
	}
	l.mu.Unlock()
	told, cancel := context.WithTimeout(ctx, lastWords)
	defer cancel()
	for l.awaitLeave(told) {
	}
	l.mu.Lock()
	for u := range l.streams {
		u.hangUp()
	}
	l.mu.Unlock()
	l.cancel()
	over := make(chan struct{})
	go func() {
		l.nodes.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-ctx.Done():
	}
}

// awaitLeave waits until a stream ends, and reports whether there may be more of them.
func (l *live) awaitLeave(ctx context.Context) bool {
	l.mu.Lock()
	count := len(l.streams)
	l.mu.Unlock()
	if count == 0 {
		return false
	}
	select {
	case <-l.left:
		return true
	case <-ctx.Done():
		return false
	}
}

// LiveStats gives the totals of the answers that stay alive.
func (s *Server) LiveStats() LiveStats {
	l := s.live
	l.mu.Lock()
	defer l.mu.Unlock()
	return LiveStats{
		Nodes: len(l.byID), Streams: len(l.streams), Evaluations: l.evaluations.Load(), Encodings: l.encodings.Load(),
		Messages: l.messages.Load(), SentBytes: l.bytes.Load(), Resets: l.resets.Load(), Refused: l.refused.Load(), CutOff: l.cutOff.Load(),
	}
}
