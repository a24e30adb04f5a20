package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"heatlog/index/mongostore/mongotest"
	"heatlog/journal/journaltest"
)

// OpenMongo opens a store in a database of MongoDB whose operations have a time-out; the function closes it. Package mongostore
// imports this one: the tests of package index_test set it.
var OpenMongo func(uri string, timeout time.Duration) (Store, func(), error)

// TestMongoDBFaults lets one or two indexes count a log into the same documents in MongoDB, each through a proxy that cuts,
// delays, stalls, swallows replies of what was carried out and answers with errors, while hits come in, questions are asked
// and indexes are killed. Every answer equals a recount of the log at the position that it names, and in the end every
// document is what an index without a fault makes of the log, byte for byte.
func TestMongoDBFaults(t *testing.T) {
	t.Parallel() // it waits for the most part
	const atATime = 4
	worlds, seed := journaltest.Times(4, 400), journaltest.Seed(t, 1)
	row := journaltest.Begin(t, "MongoDB whose connection is cut, delayed, deaf or told errors", worlds, seed)
	var mu sync.Mutex
	var total mongoCounts
	for first := 0; first < worlds && !t.Failed(); first += atATime {
		var running sync.WaitGroup
		for i := first; i < min(first+atATime, worlds); i++ {
			w := newMongoWorld(t, seed+uint64(i))
			running.Go(func() {
				if err := w.run(); err != nil {
					t.Errorf("seed %d, step %d: %v", w.seed, w.steps, err)
				}
				mu.Lock()
				defer mu.Unlock()
				total.add(w)
				row.Done(1)
			})
		}
		running.Wait()
	}
	row.Found("met %+v", total)
	usual := total.Errors > 0 && total.Answers > 0 && total.Kills > 0
	rare := total.Conflicts > 0 && total.Dropped > 0 && total.Concerns > 0 // how many depends on how quick the machine is
	if !t.Failed() && !(usual && (rare || worlds < 20)) {
		t.Errorf("the worlds never met something that they are for: %+v", total)
	}
}

// mongoCounts says what the worlds met.
type mongoCounts struct {
	Hits, Documents, Answers, Unanswered, Kills        int
	Conflicts, Errors                                  uint64
	Commands, Cut, Dropped, Refused, Concerns, Delayed int
}

func (c *mongoCounts) add(w *mongoWorld) {
	c.Hits += int(w.log.Durable())
	c.Documents += w.counts.Documents
	c.Answers += w.counts.Answers
	c.Unanswered += w.counts.Unanswered
	c.Kills += w.counts.Kills
	c.Conflicts += w.counts.Conflicts
	c.Errors += w.counts.Errors
	for _, o := range w.owners {
		n := o.proxy.Counts()
		c.Commands += n.Commands
		c.Cut += n.CutRequests
		c.Dropped += n.DroppedReplies
		c.Refused += n.Failed
		c.Concerns += n.WriteConcernErrors
		c.Delayed += n.Delayed
	}
}

// mongoWorld is a log that two owners count into one database.
type mongoWorld struct {
	t      *testing.T
	seed   uint64
	random *rand.Rand
	log    *memLog
	uri    string
	owners []*mongoOwner
	steps  int
	counts mongoCounts

	flushEvery time.Duration
}

// mongoOwner is a process with the log, and its way to the database.
type mongoOwner struct {
	proxy *mongotest.Proxy
	store Store
	index *Index // nil while it does not run
}

// mongoPages is how many pages the hits of a world are on.
const mongoPages = 30

func newMongoWorld(t *testing.T, seed uint64) *mongoWorld {
	return &mongoWorld{
		t: t, seed: seed, random: rand.New(rand.NewPCG(seed, 31)), log: newMemLog(), uri: mongotest.Database(t),
		flushEvery: 10 * time.Millisecond,
	}
}

// join adds an owner, which does not run yet; leave ends it.
func (w *mongoWorld) join() (leave func(), err error) {
	o := &mongoOwner{}
	if o.proxy, err = mongotest.Listen(w.uri); err != nil {
		return nil, err
	}
	var closeStore func()
	if o.store, closeStore, err = OpenMongo(o.proxy.URI(), 300*time.Millisecond); err != nil {
		o.proxy.Close()
		return nil, err
	}
	w.owners = append(w.owners, o)
	return func() {
		w.kill(o)
		closeStore()
		o.proxy.Close()
	}, nil
}

// run takes random steps, then lets everything come to rest and compares all there is.
func (w *mongoWorld) run() error {
	for range 2 {
		leave, err := w.join()
		if err != nil {
			return err
		}
		defer leave()
	}
	if err := w.start(w.owners[0]); err != nil {
		return err
	}
	for w.steps = range 25 {
		if err := w.step(); err != nil {
			return err
		}
	}
	return w.settle()
}

func (w *mongoWorld) step() error {
	r := w.random
	for range r.IntN(40) {
		w.log.append(randomBatch(r, mongoPages))
	}
	o := w.owners[r.IntN(2)]
	switch n := r.IntN(10); {
	case n < 2 && o.index != nil && o != w.owners[0]:
		w.kill(o)
	case n < 4:
		w.kill(o)
		if err := w.start(o); err != nil {
			return err
		}
	default:
		w.fault(o.proxy)
	}
	_ = pause(w.t.Context(), time.Duration(r.IntN(150))*time.Millisecond)
	if r.IntN(3) > 0 {
		for _, o := range w.owners {
			o.proxy.Heal()
		}
	}
	for _, o := range w.owners {
		if err := w.ask(o); err != nil {
			return err
		}
	}
	return nil
}

// fault does something to a connection.
func (w *mongoWorld) fault(p *mongotest.Proxy) {
	r := w.random
	command := []string{"insert", "update", "find", ""}[r.IntN(4)]
	switch r.IntN(8) {
	case 0:
		p.Cut()
	case 1:
		p.Stall()
	case 2:
		p.Delay(time.Duration(r.IntN(400)) * time.Millisecond) // some longer than an operation may take: it lands late
	case 3:
		p.DropReplies(command, 1+r.IntN(3))
	case 4:
		p.CutRequests(command, 1+r.IntN(3))
	case 5:
		codes := []int32{mongotest.CodeNotWritablePrimary, mongotest.CodeInterruptedByChange, mongotest.CodePrimarySteppedDown}
		p.FailCommand(command, codes[r.IntN(3)], "NotPrimary", 1+r.IntN(3))
	case 6:
		codes := []int32{mongotest.CodeWriteConcernTimeout, mongotest.CodeShutdownInProgress}
		p.WriteConcernErrors(codes[r.IntN(2)], "WriteConcernFailed", 1+r.IntN(3))
	case 7:
		p.Random(r.Uint64(), mongotest.Rates{CutRequest: 0.02, DropReply: 0.04, NotPrimary: 0.02, WriteConcernError: 0.05, Delay: 0.2, MaxDelay: 50 * time.Millisecond})
	}
}

// start opens an owner's index, as often as it takes: the proxy heals after some time.
func (w *mongoWorld) start(o *mongoOwner) error {
	options := Options{
		Store: o.store, Source: w.log, Workers: 1 + w.random.IntN(3), CacheBytes: minCacheBytes,
		FlushEvery: w.flushEvery, CheckpointEvery: 15 * time.Millisecond,
	}
	for tries := 0; ; tries++ {
		x, err := Open(w.t.Context(), options)
		if err == nil {
			o.index = x
			return nil
		}
		if tries == 100 {
			return fmt.Errorf("an index does not open: %w", err)
		}
		if tries == 2 {
			o.proxy.Heal()
		}
		_ = pause(w.t.Context(), 50*time.Millisecond)
	}
}

// kill ends an owner as a crash does.
func (w *mongoWorld) kill(o *mongoOwner) {
	if o.index == nil {
		return
	}
	w.counts.Kills++
	w.counts.take(o.index)
	o.index.kill()
	o.index = nil
}

// take adds what an index has met when it ends.
func (c *mongoCounts) take(x *Index) {
	s := x.Stats()
	c.Conflicts += s.Conflicts
	c.Errors += s.StoreErrors
}

// ask asks an owner, which may not be able to answer, and looks at how much it holds.
func (w *mongoWorld) ask(o *mongoOwner) error {
	if o.index == nil {
		return nil
	}
	if held := o.index.Stats().HeldBytes; held > 2*minCacheBytes {
		return fmt.Errorf("an index holds %d bytes", held)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
	defer cancel()
	switch err := check(ctx, o.index, w.log, w.random, mongoPages); {
	case errors.Is(err, errUnanswered):
		w.counts.Unanswered++
	case err != nil:
		return err
	default:
		w.counts.Answers++
	}
	return nil
}

// settle ends the faults and lets both owners store all, one after the other.
func (w *mongoWorld) settle() error {
	for _, o := range w.owners {
		o.proxy.Heal()
		if o.index == nil {
			if err := w.start(o); err != nil {
				return err
			}
		}
	}
	for _, o := range w.owners {
		until := time.Now().Add(time.Minute)
		for o.index.Lag() > 0 || o.index.Ready() != nil {
			if time.Now().After(until) {
				return fmt.Errorf("an index does not catch up by itself: %d hits behind, %w", o.index.Lag(), o.index.Ready())
			}
			_ = pause(w.t.Context(), 5*time.Millisecond)
		}
		answered := w.counts.Answers + 10
		for tries := 0; w.counts.Answers < answered; tries++ {
			if err := w.ask(o); err != nil {
				return fmt.Errorf("at rest: %w", err)
			}
			if tries == 100 {
				return errors.New("a question at rest gets no answer")
			}
		}
	}
	w.kill(w.owners[1]) // two that close at once are in each other's way: what one stores is a conflict for the other
	o := w.owners[0]
	for tries := 0; ; tries++ {
		err := o.index.Close(w.t.Context())
		w.counts.take(o.index)
		o.index = nil
		if err == nil {
			return w.compare()
		}
		if !errors.Is(err, errEnded) || tries == 3 { // it met what the other has stored, and begins at the checkpoint
			return fmt.Errorf("close an index: %w", err)
		}
		if err := w.start(o); err != nil {
			return err
		}
	}
}

// compare compares what is stored with what an index makes of the log that nothing happens to.
func (w *mongoWorld) compare() error {
	calm := newMapStore()
	x, err := Open(w.t.Context(), Options{Store: calm, Source: w.log, Workers: 1})
	if err != nil {
		return err
	}
	for x.Lag() > 0 {
		_ = pause(w.t.Context(), time.Millisecond)
	}
	if err := x.Close(w.t.Context()); err != nil {
		return err
	}
	found := 0
	err = w.owners[0].store.Scan(w.t.Context(), Range{Generation: firstGeneration, Site: testSite, IsPrefix: true}, func(d Doc) error {
		found++
		if want := calm.docs[d.Ref]; !bytes.Equal(d.Blob, want.Blob) {
			return fmt.Errorf("document %+v at %d has %d bytes, not the %d that are right", d.Ref, d.Watermark, len(d.Blob), len(want.Blob))
		}
		return nil
	})
	if err == nil && found != len(calm.docs) {
		err = fmt.Errorf("%d documents are stored, want %d", found, len(calm.docs))
	}
	w.counts.Documents = found
	return err
}
