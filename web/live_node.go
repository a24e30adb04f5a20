package web

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"heatlog/heatmap"
)

// historyEvery is the least time between two messages about how much of the history is read.
const historyEvery = 250 * time.Millisecond

// retryLongest is the longest time between two attempts to ask for an answer anew.
const retryLongest = 5 * time.Second

// A node is a question that stays alive, and what everybody who asked it listens to. Its goroutine asks what changed, not more often
// than a tick, and only while somebody listens. What it knows has versions: a listener is no more than the version that it was told
// last, and is told what changed since whenever it is ready for it.
type node struct {
	all         *live
	id          string
	question    *liveQuestion
	incarnation uint64 // tells it from a node of the same question that was there before
	ctx         context.Context
	cancel      context.CancelFunc
	ready       chan struct{} // closed when the answer has begun, or failed has why not
	failed      error
	attention   chan struct{} // has room for one: somebody came or left

	mu          sync.Mutex // guards all below; taken after live.mu
	answer      *liveAnswer
	version     uint64
	beats       uint64        // messages that say nothing new
	wake        chan struct{} // closed when there is something to send
	listeners   int
	idle        time.Time // since when nobody listens
	ended       *goodbye
	resetAt     uint64 // who was told an older version is told of a reset first
	resetReason string
	told        time.Time                    // when the last message about the history was due
	spent       time.Duration                // on the last evaluation and its encodings
	messages    map[uint64]*liveMessage      // of the version, by the version that they follow on; 0 is the snapshot
	progress    *liveMessage                 // of beats
	counts      struct{ evaluations uint64 } // of this node
}

// goodbye is why a stream ends.
type goodbye struct {
	code, reason       string
	retryMin, retryMax time.Duration // when to come back, 0 = not
}

// The codes of a goodbye.
const (
	byeShutdown = "shutdown"
	byeEnded    = "ended"
	byeExpired  = "expired"
	byeTooMany  = "too_many"
	byeGone     = "gone"
)

// errUnheard ends a node that nobody listens to.
var errUnheard = errors.New("nobody listens")

func newNode(all *live, id string, q *liveQuestion) *node {
	n := &node{
		all: all, id: id, question: q, incarnation: rand.Uint64(), ready: make(chan struct{}), attention: make(chan struct{}, 1),
		answer: newLiveAnswer(q.question.Ask, &q.question.Query), wake: make(chan struct{}), messages: map[uint64]*liveMessage{}, idle: time.Now(),
	}
	n.ctx, n.cancel = context.WithCancel(all.base)
	return n
}

// run keeps the answer alive until it ends for good.
func (n *node) run(kept Kept) {
	var err error
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
		n.all.remove(n)
		n.end(n.farewell(err))
		n.cancel()
	}()
	for {
		err = n.followTo(kept)
		reason := resetReason(err)
		if reason == "" {
			return
		}
		n.reset(reason)
		if kept, err = n.askAgain(); err != nil {
			return
		}
	}
}

// followTo follows an answer to its end, and closes it.
func (n *node) followTo(kept Kept) error {
	defer kept.Close()
	return n.follow(kept)
}

// resetReason is the word for an error that means that the question must be asked anew, "" for others.
func resetReason(err error) string {
	switch {
	case errors.Is(err, heatmap.ErrSwitched):
		return "generation"
	case errors.Is(err, heatmap.ErrNewDay):
		return "day"
	case errors.Is(err, heatmap.ErrRestart):
		return "restart"
	}
	return ""
}

// farewell is what those who listen are told of the error that ends a node.
func (n *node) farewell(err error) goodbye {
	var unavailable *heatmap.UnavailableError
	var mine *apiError
	if e := n.all.s.explain(err); e.code != "internal" {
		mine = e
	}
	switch {
	case errors.Is(err, errUnheard), errors.Is(err, context.Canceled):
		return goodbye{code: byeEnded, reason: "the question was ended"}
	case errors.As(err, &unavailable):
		return goodbye{byeTooMany, unavailable.Message, 30 * time.Second, time.Minute}
	case mine != nil:
		return goodbye{code: byeGone, reason: mine.message}
	}
	n.all.s.o.Logger.Error("keep an answer alive", "site", n.question.Params.Site, "page", n.question.Params.URL, "err", err)
	return goodbye{byeGone, "the answer broke off; heatlog's log has the cause", 5 * time.Second, 10 * time.Second}
}

// follow brings the answer up to date for as long as it can be.
func (n *node) follow(kept Kept) error {
	beat := time.NewTicker(n.all.limits.Beat)
	defer beat.Stop()
	due, last := true, time.Time{} // whether there is something to ask for, and when it was asked for last
	beating := false               // whether all are to be told how far the answer is, changed or not
	for {
		var changed <-chan struct{}
		var tick, unheard <-chan time.Time
		switch heard, idle, pause := n.heard(); {
		case !heard:
			unheard = time.After(n.all.limits.Linger - time.Since(idle))
		case due:
			tick = time.After(time.Until(last.Add(pause)))
		default:
			changed = kept.Changed()
		}
		select {
		case <-n.ctx.Done():
			return n.ctx.Err()
		case <-n.attention:
		case <-changed:
			due = true
		case <-unheard:
			if n.all.retire(n) {
				return errUnheard
			}
		case <-beat.C:
			due, beating = true, true // the log may have grown by what changes nothing here
		case <-tick:
			due, last = false, time.Now()
			if err := n.evaluate(kept); err != nil {
				return err
			}
			if beating {
				beating = false
				n.beat()
			}
		}
	}
}

// heard reports whether somebody listens, else since when nobody does, and how long the pause between two evaluations is.
func (n *node) heard() (heard bool, idle time.Time, pause time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	tick := n.all.limits.Tick
	stretched := time.Duration(float64(tick) * n.all.pace.factor(time.Now(), float64(maxTick)/float64(tick)))
	return n.listeners > 0, n.idle, min(max(stretched, 10*n.spent), max(tick, maxTick))
}

// evaluate asks what changed and takes it in.
func (n *node) evaluate(kept Kept) error {
	select {
	case <-kept.Changed(): // what it stands for is in the update
	default:
	}
	start := time.Now()
	u, err := kept.Update(n.ctx)
	if err != nil {
		return err
	}
	n.all.evaluations.Add(1)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.counts.evaluations++
	n.progress = nil // its positions are not those of the answer any more
	if n.answer.apply(u, n.version+1) {
		n.version++
		clear(n.messages)
		n.rouse()
	}
	n.spent = time.Since(start)
	n.all.pace.spend(n.spent)
	n.answer.took = n.spent
	if !u.Complete && start.Sub(n.told) >= historyEvery {
		n.told = start
		n.tell()
	}
	return nil
}

// rouse wakes those who wait for something to send. n.mu is held.
func (n *node) rouse() {
	close(n.wake)
	n.wake = make(chan struct{})
}

// tell lets everybody have a message that says how far the answer is. n.mu is held.
func (n *node) tell() {
	n.beats++
	n.progress = nil
	n.rouse()
}

func (n *node) beat() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners > 0 {
		n.tell()
	}
}

// reset forgets the answer: another one is coming.
func (n *node) reset(reason string) {
	n.all.resets.Add(1)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.version++
	n.resetAt, n.resetReason = n.version, reason
	n.answer.clear()
	n.answer.floor = n.version
	n.progress = nil
	clear(n.messages)
	n.rouse()
}

// askAgain asks the question anew, until there is an answer or it is clear that there will be none.
func (n *node) askAgain() (Kept, error) {
	for wait := n.all.limits.Tick; ; wait = min(2*wait, retryLongest) {
		ctx, cancel := context.WithTimeout(n.ctx, n.all.s.o.QueryTimeout)
		kept, err := n.all.s.o.Live.Keep(ctx, n.question.again())
		cancel()
		var unavailable *heatmap.UnavailableError
		if err == nil || !errors.As(err, &unavailable) && resetReason(err) == "" {
			return kept, err
		}
		select {
		case <-n.ctx.Done():
			return nil, n.ctx.Err()
		case <-time.After(wait):
		}
		n.beat()
		if n.all.retire(n) {
			return nil, errUnheard
		}
	}
}

// end lets everybody go with a word, if they were not let go before.
func (n *node) end(with goodbye) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended == nil {
		n.ended = &with
		n.rouse()
	}
}

// next gives what a listener is to be sent, or what to wait for.
func (n *node) next(u *subscriber) (m *liveMessage, wait <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case u.beats != n.beats && !u.caller.isGood(n.all.s):
		return n.bye(u, goodbye{code: byeExpired, reason: "what the stream was opened with is not good any more"}), nil
	case n.ended != nil:
		return n.bye(u, *n.ended), nil
	case u.version > 0 && u.version < n.resetAt:
		u.version, u.told = 0, nil
		return n.encode("reset", 0, nothingOf(n.answer.prefix), func(o *object) { o.text("reason", n.resetReason) }), nil
	case n.answer.known && u.version == 0, n.answer.known && u.version < n.version && u.version < n.answer.oldest():
		u.version, u.told = n.version, n.answer.prefix
		return n.message(0), nil
	case n.answer.known && u.version < n.version:
		from := u.version
		u.version, u.told = n.version, n.answer.prefix
		return n.message(from), nil
	case u.beats != n.beats:
		u.beats, u.told = n.beats, n.answer.prefix
		if n.progress == nil {
			n.progress = n.encode("progress", u.version, u.told, n.progressMembers) // the same for all: who stands elsewhere has a patch first
		}
		return n.progress, nil
	}
	return nil, n.wake
}

// listen lets a stream listen from a version on that it was told before, 0 for none. It fails when the node has ended.
func (n *node) listen(u *subscriber) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended != nil {
		return false
	}
	u.beats = n.beats
	if u.version > n.version {
		u.version = 0
	}
	if n.answer.known && u.version == n.version {
		u.told = n.answer.prefix
	}
	n.listeners++
	n.call()
	return true
}

func (n *node) leave() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners--
	n.idle = time.Now()
	n.call()
}

// call has the node's goroutine look who listens.
func (n *node) call() {
	select {
	case n.attention <- struct{}{}:
	default:
	}
}
