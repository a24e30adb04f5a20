package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/journal"
)

// MaxGenerations is how many generations there are at most at a time, failed ones among them: each takes memory, disk and
// its part of the work of every hit.
const MaxGenerations = 4

// Options say where generations read and store. Index.Store and Sources are needed.
type Options struct {
	// Index holds what all generations have in common. Source, Frozen, Rules, Generation, Base, BulkBytes and Hold are set
	// for each.
	Index index.Options

	// Sources gives the source that hits are added to and the frozen ones before it. Damaged is as in index.JournalSource; if
	// it is nil, damage is what the caller has decided for all, as a rule the end of reading.
	Sources func(damaged func(*journal.CorruptError)) (index.Source, []index.Source)

	Rules     *index.Rules // of the first generation of an empty store, and to compare with the active one's; nil = none were given
	RulesText string       // of Rules, as it was given

	// Busy is called when the number of generations that are being built changes, as their threads take none of the
	// processor that others want, but places among those that the runtime lets run at a time. nil = nothing is done.
	Busy func(building int)

	ReplayBytes int64         // memory of deltas of a generation while it is built, default 256 MiB
	KeepRetired time.Duration // how long a generation goes on after another was switched to, default 24 h

	// Verify compares a generation with the active one, default Compare. A report with problems makes it fail, and so does damage
	// in the journal; after any other error it is asked again.
	Verify func(ctx context.Context, v Verification) (*heatmap.Report, error)
}

func (o Options) withDefaults() Options {
	if o.ReplayBytes == 0 {
		o.ReplayBytes = 256 << 20
	}
	if o.KeepRetired <= 0 {
		o.KeepRetired = 24 * time.Hour
	}
	if o.Verify == nil {
		o.Verify = Compare
	}
	if o.Index.Now == nil {
		o.Index.Now = time.Now
	}
	if o.Index.Logger == nil {
		o.Index.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Generations are all generations of a store, each of them open. Its methods are safe for concurrent use.
type Generations struct {
	options   Options
	store     index.Store
	log       *slog.Logger
	moving    sync.Mutex  // one change of the record at a time
	uncertain atomic.Bool // nobody knows what became of a change

	mu     sync.RWMutex
	record record                 // guarded by mu
	live   map[string]*generation // guarded by mu; those that are open
	kept   map[*index.Kept]keptBy // guarded by mu

	closed   bool // guarded by mu
	building int  // of housekeeping: what Busy was told last

	ctx  context.Context // ends with Close
	stop context.CancelFunc
	work sync.WaitGroup // what goes on beside: drivers, droppers, housekeeping
}

// generation is one that is open.
type generation struct {
	id     string
	rules  *index.Rules
	index  *index.Index
	hold   hold
	users  sync.WaitGroup // questions under way; Add only under Generations.mu while it is live
	rate   meter
	verify verifying
	added  chan struct{}   // closed when it is one of those that are open
	ctx    context.Context // ends when it is closed
	cancel context.CancelFunc
}

// Open opens all generations of a store, and makes the first one of an empty store. Those that were being built go on from
// their checkpoints, and those that were being dropped are dropped. The error is an *index.JournalBehindError if a generation
// has stored more of the source than there is.
func Open(ctx context.Context, o Options) (*Generations, error) {
	o = o.withDefaults()
	g := &Generations{options: o, store: o.Index.Store, log: o.Index.Logger, live: make(map[string]*generation), kept: make(map[*index.Kept]keptBy)}
	g.ctx, g.stop = context.WithCancel(context.Background())
	err := g.load(ctx)
	if err == nil {
		source, _ := o.Sources(nil)
		err = index.Behind(ctx, g.store, g.record.ids(), source)
	}
	if err == nil {
		err = g.openAll(ctx)
	}
	if err != nil {
		g.abort()
		return nil, err
	}
	for _, id := range g.record.Dropping {
		g.spawn(func() { g.erase(id) })
	}
	g.spawn(g.keepHouse)
	return g, nil
}

// spawn lets something go on beside, unless everything ends.
func (g *Generations) spawn(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.work.Go(f)
	}
}

// end stops what goes on beside, and gives the generations that are open.
func (g *Generations) end() map[string]*generation {
	g.stop()
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.work.Wait()
	g.mu.Lock()
	defer g.mu.Unlock()
	live := g.live
	g.live = nil
	return live
}

// load reads the record, or makes it: for a store that has a generation from before there were others, or for an empty one.
func (g *Generations) load(ctx context.Context) error {
	for {
		text, err := g.store.Record(ctx, recordName)
		if err != nil {
			return fmt.Errorf("read record %s: %w", recordName, err)
		}
		if text != nil {
			g.record, err = parseRecord(text)
			return err
		}
		r, err := g.first(ctx)
		if err != nil {
			return err
		}
		value, err := json.Marshal(&r)
		if err != nil {
			return fmt.Errorf("write record %s: %w", recordName, err)
		}
		if _, err := g.store.SwapRecord(ctx, recordName, nil, value); err != nil {
			return fmt.Errorf("write record %s: %w", recordName, err)
		}
	}
}

// first makes the record of a store that has at most the first generation.
func (g *Generations) first(ctx context.Context) (r record, err error) {
	const id = firstID
	spec, err := index.GenerationSpec(ctx, g.store, id)
	if err != nil {
		return r, err
	}
	if spec == nil {
		rules := g.options.Rules
		if rules == nil {
			rules = index.DefaultRules()
		}
		spec = rules.Spec()
		if err := g.writeRules(ctx, id, g.options.RulesText, spec); err != nil {
			return r, err
		}
	}
	now := g.now()
	e := entry{ID: id, State: heatmap.StateActive, Spec: specHash(spec), Created: now, Ready: now, Activated: now}
	return record{Active: id, Next: 2, Generations: []entry{e}}, nil
}

// writeRules records the rules of a generation that nobody else writes.
func (g *Generations) writeRules(ctx context.Context, id, text string, spec []byte) error {
	for name, value := range map[string][]byte{rulesName(id): []byte(text), specName(id): spec} {
		old, err := g.store.Record(ctx, name)
		if err == nil && !(old != nil && bytes.Equal(old, value)) {
			_, err = g.store.SwapRecord(ctx, name, old, value)
		}
		if err != nil {
			return fmt.Errorf("write record %s: %w", name, err)
		}
	}
	return nil
}

// openAll opens every generation. One that is not active and cannot be opened fails.
func (g *Generations) openAll(ctx context.Context) error {
	for _, e := range g.record.Generations {
		if e.State == heatmap.StateFailed {
			continue
		}
		rules, err := g.readRules(ctx, e.ID)
		var n *generation
		if err == nil {
			n, err = g.open(ctx, &e, rules)
		}
		if err == nil {
			g.add(n)
			continue
		}
		if bad := (*rulesError)(nil); e.ID == g.record.Active || !errors.As(err, &bad) {
			return fmt.Errorf("open generation %s: %w", e.ID, err)
		}
		g.log.Error("generation cannot go on", "generation", e.ID, "err", err)
		if err := g.change(ctx, func(r *record) error { return r.fail(e.ID, err.Error()) }); err != nil {
			return err
		}
	}
	active := g.live[g.record.Active]
	if o := g.options.Rules; o != nil && !index.SameKeys(o.Spec(), active.rules.Spec()) {
		g.log.Warn("rules file differs from generation " + active.id + ": heatlog replay --rules FILE builds a new one")
	}
	if !active.rules.CountsElements() {
		g.log.Info("generation " + active.id + " does not count clicks inside their elements, because it is from before that: heatlog replay builds one that does")
	}
	if !active.rules.CountsSampled() {
		g.log.Info("generation " + active.id + " does not say which hits are sampled, because it is from before that: heatlog replay builds one that does")
	}
	return nil
}

// rulesError says that this program cannot count by a generation's rules.
type rulesError struct{ err error }

func (e *rulesError) Error() string { return e.err.Error() }
func (e *rulesError) Unwrap() error { return e.err }

// countAnew is how to go on where counts cannot be.
const countAnew = "move the folder store out of the data folder, or name an empty database, and everything is counted anew from the journal"

// readRules reads the rules that a generation was made by.
func (g *Generations) readRules(ctx context.Context, id string) (*index.Rules, error) {
	spec, err := index.GenerationSpec(ctx, g.store, id)
	if err != nil {
		return nil, err
	}
	if spec == nil {
		return nil, &rulesError{errors.New("its rules are not recorded")}
	}
	rules, err := index.ParseSpec(spec)
	if err != nil {
		return nil, &rulesError{fmt.Errorf("it was counted by another version of heatlog: %w: %s", err, countAnew)}
	}
	return rules, nil
}

// open opens a generation's index.
func (g *Generations) open(ctx context.Context, e *entry, rules *index.Rules) (*generation, error) {
	if !e.Scope.All() && e.Carrying == nil {
		return nil, &rulesError{errors.New("it was begun by another version of heatlog, which left out what is not in its scope: drop it and start it again")}
	}
	n := &generation{id: e.ID, rules: rules, added: make(chan struct{})}
	n.ctx, n.cancel = context.WithCancel(g.ctx)
	n.hold.set(e.Paused)
	o := g.options.Index
	o.Generation, o.Rules, o.Hold = e.ID, rules, n.hold.wait
	if e.State == heatmap.StateBuilding {
		o.BulkBytes = g.options.ReplayBytes
	}
	var damaged func(*journal.CorruptError)
	if e.SkipDamaged {
		damaged = g.damaged(e.ID)
	}
	o.Source, o.Frozen = g.options.Sources(damaged)
	o.Base = g.baseOf(e, n, o, append(slices.Clone(o.Frozen), o.Source))
	var err error
	if n.index, err = index.Open(ctx, o); err != nil {
		n.cancel()
		return nil, err
	}
	return n, nil
}

// damaged logs damage that a generation goes on behind, once for each place. What is lost shows in its counts.
func (g *Generations) damaged(id string) func(*journal.CorruptError) {
	type place struct {
		segment string
		from    uint64
	}
	var known sync.Map
	return func(e *journal.CorruptError) {
		if _, again := known.LoadOrStore(place{e.Segment, e.From}, true); !again {
			g.log.Error("journal is damaged, going on behind", "generation", id, "segment", e.Segment, "offset", e.Offset, "lost_hits", e.Lost(), "err", e.Err)
		}
	}
}

// add makes a generation one of those that are open, and lets it go its way.
func (g *Generations) add(n *generation) {
	g.mu.Lock()
	g.live[n.id] = n
	close(n.added)
	n.hold.notify(func() { g.keep(n) })
	if e := g.record.find(n.id); e != nil {
		n.hold.set(e.Paused)
	}
	g.mu.Unlock()
	g.spawn(func() { g.drive(n) })
}

// remove takes a generation from those that are open and ends it when nobody asks it any more. It gives false if ctx ends
// first.
func (g *Generations) remove(ctx context.Context, id string) bool {
	g.mu.Lock()
	n := g.live[id]
	delete(g.live, id)
	g.mu.Unlock()
	if n == nil {
		return true
	}
	n.cancel()
	idle := make(chan struct{})
	go func() {
		n.users.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
	}
	n.index.Abort()
	return ctx.Err() == nil
}

// keepHouse does from time to time what nobody asks for.
func (g *Generations) keepHouse() {
	tick := time.NewTicker(houseEvery)
	defer tick.Stop()
	var again time.Time // when expire may be tried again
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-tick.C:
		}
		if g.uncertain.Load() {
			g.reread(g.ctx)
		}
		g.sample()
		if time.Now().Before(again) {
			continue
		}
		if err := g.expire(); err != nil && g.ctx.Err() == nil {
			g.log.Error("retired generation was not dropped, trying again", "err", err)
			again = time.Now().Add(5 * time.Second)
		}
	}
}

const houseEvery = 250 * time.Millisecond

// expire drops retired generations whose time is over.
func (g *Generations) expire() error {
	now := g.now()
	r := g.snapshot()
	for _, e := range r.Generations {
		if e.State != heatmap.StateRetired || e.Until.After(now) || r.held(&e) != nil {
			continue
		}
		err := g.drop(g.ctx, e.ID, func(e *entry) error {
			if e.State != heatmap.StateRetired || e.Until.After(now) {
				return &heatmap.StateError{ID: e.ID, State: e.State, Message: "it is not to be dropped"}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("drop generation %s: %w", e.ID, err)
		}
		g.log.Info("generation was retired long enough and is dropped", "generation", e.ID)
	}
	return nil
}

// snapshot gives the record as it is.
func (g *Generations) snapshot() record {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.record.copy()
}

// Close stores every live delta of every generation and writes the checkpoints, for as long as ctx lets it. Nothing else
// changes: what was being built is built on after the next Open.
func (g *Generations) Close(ctx context.Context) error {
	live := g.end()
	errs := make(chan error, len(live))
	for _, n := range live {
		go func() { errs <- n.index.Close(ctx) }()
	}
	var all error
	for range live {
		all = errors.Join(all, <-errs)
	}
	return all
}

// abort ends everything at once, as a crash does.
func (g *Generations) abort() {
	for _, n := range g.end() {
		n.index.Abort()
	}
}

func (g *Generations) now() time.Time { return g.options.Index.Now().UTC().Truncate(time.Millisecond) }

func rulesName(id string) string { return "rules/" + id }
func specName(id string) string  { return "generation/" + id }

func idOf(n int) string { return "g" + strconv.Itoa(n) }
