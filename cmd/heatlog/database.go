package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/index/mongostore"
)

// remote is a store in a database.
type remote interface {
	index.Store
	Ping(ctx context.Context) error
	Close(ctx context.Context) error
	Stats() mongostore.Stats
}

// Bounds of what a database may take.
const (
	pingPatience = 3 * time.Second        // for a sign of life
	pingEvery    = 2 * time.Second        // between two while it answers
	readPatience = 8 * time.Second        // for the next document, list or record of a question
	leastPause   = 250 * time.Millisecond // between two tries to reach it, at first
	mostPause    = 5 * time.Second        // and later
)

// database is a store in a database, which may be out of reach, at the start or in the middle. One goroutine finds out whether it
// answers: it asks from time to time, and when an operation has failed. While it does not, every operation fails at once with a
// *heatmap.UnavailableError, and so do reads that are under way: so nobody who asks waits for nothing, and whoever has something to store
// tries again.
type database struct {
	name string                 // without a password
	open func() (remote, error) // may fail while name servers do
	log  *slog.Logger

	store    atomic.Pointer[remote]       // nil until it was opened
	failed   chan struct{}                // holds a token when an operation has failed
	failures atomic.Uint64                // operations that failed, but for those that were not tried
	may      atomic.Pointer[func() error] // says whether this process may store now; nil = it may
	stop     context.CancelFunc
	done     chan struct{}

	mu      sync.Mutex
	outage  *outage            // guarded by mu; nil while the database answers
	reached chan struct{}      // guarded by mu; closed while it answers
	answers context.Context    // guarded by mu; ends when it does not answer any more
	silence context.CancelFunc // guarded by mu; ends answers
}

// outage is a time in which a database does not answer.
type outage struct {
	since time.Time
	err   error
	said  []string // what was logged of it
}

// saidMost is how many reasons of one outage are logged.
const saidMost = 5

// openDatabase tries once to reach a database, and goes on trying beside.
func openDatabase(name string, open func() (remote, error), log *slog.Logger) *database {
	d := &database{
		name: name, open: open, log: log, failed: make(chan struct{}, 1), done: make(chan struct{}),
		reached: make(chan struct{}), outage: &outage{since: time.Now(), err: errors.New("it was not asked yet")},
	}
	d.answers, d.silence = context.WithCancel(context.Background())
	var ctx context.Context
	ctx, d.stop = context.WithCancel(context.Background())
	d.ask(ctx)
	go func() {
		defer close(d.done)
		d.watch(ctx)
	}()
	return d
}

// watch keeps up to date whether the database answers, until ctx ends.
func (d *database) watch(ctx context.Context) {
	for {
		for wait := leastPause; d.down() != nil; wait = min(2*wait, mostPause) {
			if sleep(ctx, wait) != nil {
				return
			}
			d.ask(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-d.failed:
		case <-time.After(pingEvery):
		}
		d.ask(ctx)
	}
}

// ask finds out whether the database answers, and logs what has changed.
func (d *database) ask(ctx context.Context) {
	err := d.ping(ctx)
	if ctx.Err() != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil && d.outage != nil:
		d.log.Info("store is reached", "store", d.name, "after", time.Since(d.outage.since).Round(time.Millisecond))
		d.outage = nil
		d.answers, d.silence = context.WithCancel(context.Background())
		close(d.reached)
	case err != nil && d.outage == nil:
		d.outage, d.reached = &outage{since: time.Now()}, make(chan struct{})
		d.silence()
		d.say(err)
	case err != nil:
		d.say(err)
	}
}

// say notes why the database does not answer, and logs it unless it was. d.mu is held.
func (d *database) say(err error) {
	o := *d.outage
	if o.err = err; !slices.Contains(o.said, err.Error()) && len(o.said) < saidMost {
		o.said = append(o.said, err.Error())
		d.log.Error("store is out of reach, hits wait in the journal until it is back", "store", d.name, "err", err)
	}
	d.outage = &o
}

func (d *database) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingPatience)
	defer cancel()
	store := d.store.Load()
	if store == nil {
		s, err := d.open()
		if err != nil {
			return err
		}
		store = &s
		d.store.Store(store)
	}
	err := (*store).Ping(ctx)
	if err == context.DeadlineExceeded { // all that it says
		return fmt.Errorf("no answer within %v", pingPatience)
	}
	return err
}

// down gives the outage that there is, nil if there is none.
func (d *database) down() *outage {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.outage
}

// await returns when the database answers, or with the error of ctx.
func (d *database) await(ctx context.Context) error {
	d.mu.Lock()
	reached := d.reached
	d.mu.Unlock()
	select {
	case <-reached:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// err says that the database does not answer, nil if it does.
func (d *database) err() error {
	o := d.down()
	if o == nil {
		return nil
	}
	return &heatmap.UnavailableError{
		Message: fmt.Sprintf("the store is out of reach since %s: %v; hits are taken, and counted when it is back", o.since.UTC().Format(time.RFC3339), o.err),
		Err:     o.err,
	}
}

// Close ends all connections.
func (d *database) Close(ctx context.Context) error {
	d.stop()
	<-d.done
	if store := d.store.Load(); store != nil {
		return (*store).Close(ctx)
	}
	return nil
}

// use calls an operation of the store if the database answers, as far as is known. One that writes goes on when it does not any
// more: the network may be slow with what it writes.
func (d *database) use(ctx context.Context, op func(ctx context.Context, s index.Store) error) error {
	d.mu.Lock()
	answers := d.answers
	d.mu.Unlock()
	if err := d.err(); err != nil {
		return err
	}
	err := op(ctx, *d.store.Load())
	if err == nil || ctx.Err() != nil {
		return err
	}
	d.failures.Add(1)
	if answers.Err() != nil {
		if down := d.err(); down != nil {
			return down
		}
	}
	select {
	case d.failed <- struct{}{}:
	default:
	}
	return &heatmap.UnavailableError{Message: "the store failed: " + err.Error(), Err: err}
}

// errSlow says that a store has given nothing for readPatience.
var errSlow = fmt.Errorf("it gave nothing for %v", readPatience)

// read is use for what somebody waits for: it fails when the database is found not to answer, and when nothing has come for
// readPatience. Op restarts the timer when something does.
func (d *database) read(ctx context.Context, op func(ctx context.Context, s index.Store, late *time.Timer) error) error {
	return d.use(ctx, func(ctx context.Context, s index.Store) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		d.mu.Lock()
		answers := d.answers
		d.mu.Unlock()
		defer context.AfterFunc(answers, cancel)()
		late := time.AfterFunc(readPatience, cancel)
		err := op(ctx, s, late)
		if !late.Stop() && err != nil {
			return errSlow
		}
		return err
	})
}

// stats gives the counts of the store.
func (d *database) stats() mongostore.Stats {
	if store := d.store.Load(); store != nil {
		return (*store).Stats()
	}
	return mongostore.Stats{}
}

// forbidden says why this process may not store now, nil if it may.
func (d *database) forbidden() error {
	if may := d.may.Load(); may != nil {
		return (*may)()
	}
	return nil
}

// Load is that of the store.
func (d *database) Load(ctx context.Context, refs []index.Ref) (docs []index.Doc, err error) {
	err = d.use(ctx, func(ctx context.Context, s index.Store) error {
		docs, err = s.Load(ctx, refs)
		return err
	})
	return docs, err
}

// Swap is that of the store.
func (d *database) Swap(ctx context.Context, writes []index.Write) (applied []bool, err error) {
	if err := d.forbidden(); err != nil {
		return nil, err
	}
	err = d.use(ctx, func(ctx context.Context, s index.Store) error {
		applied, err = s.Swap(ctx, writes)
		return err
	})
	return applied, err
}

// Scan is that of the store.
func (d *database) Scan(ctx context.Context, r index.Range, fn func(index.Doc) error) error {
	var theirs error
	err := d.read(ctx, func(ctx context.Context, s index.Store, late *time.Timer) error {
		err := s.Scan(ctx, r, func(doc index.Doc) error {
			late.Stop() // the time that fn takes does not count
			theirs = fn(doc)
			late.Reset(readPatience)
			return theirs
		})
		if theirs != nil {
			return nil
		}
		return err
	})
	if theirs != nil {
		return theirs
	}
	return err
}

// Sites is that of the store.
func (d *database) Sites(ctx context.Context, generation string) (sites []string, err error) {
	err = d.read(ctx, func(ctx context.Context, s index.Store, _ *time.Timer) error {
		sites, err = s.Sites(ctx, generation)
		return err
	})
	return sites, err
}

// Drop is that of the store.
func (d *database) Drop(ctx context.Context, generation string) error {
	return d.use(ctx, func(ctx context.Context, s index.Store) error { return s.Drop(ctx, generation) })
}

// Record is that of the store.
func (d *database) Record(ctx context.Context, name string) (value []byte, err error) {
	err = d.read(ctx, func(ctx context.Context, s index.Store, _ *time.Timer) error {
		value, err = s.Record(ctx, name)
		return err
	})
	return value, err
}

// SwapRecord is that of the store.
func (d *database) SwapRecord(ctx context.Context, name string, old, value []byte) (done bool, err error) {
	if !index.IsLease(name) {
		if err := d.forbidden(); err != nil {
			return false, err
		}
	}
	err = d.use(ctx, func(ctx context.Context, s index.Store) error {
		done, err = s.SwapRecord(ctx, name, old, value)
		return err
	})
	return done, err
}
