package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"heatlog/heatmap"
)

// Options say what an index reads, where it stores, and how much it may hold. Store and Source are needed; the zero
// value of the rest works.
type Options struct {
	Store  Store
	Source Source
	Frozen []Source // what nothing is added to any more: read to their end, before Source in scans and exports
	Rules  *Rules   // default DefaultRules()

	// Zone gives the time zone of a site that the rules do not name, nil for UTC. It must give the same for a site
	// for ever. KnownSite tells a site without hits from one that does not exist; nil knows all.
	Zone      func(site string) *time.Location
	KnownSite func(site string) bool

	Generation      string        // default g1
	Workers         int           // default one a core
	CacheBytes      int64         // memory of deltas, live and on their way to the store, default 64 MiB, at least 1 MiB
	RepeatBytes     int64         // memory of the set that tells repeats, used as it is needed, default 256 MiB: 11 million batches in 10 minutes
	FlushEvery      time.Duration // longest time that a delta stays unflushed, default 30 s
	CheckpointEvery time.Duration // default 5 s
	MaxLag          uint64        // hits behind which the index is not ready, default 100,000
	MaxScans        int           // scans of the journal at a time, default 2
	MaxScansWaiting int           // scans that wait for their turn, but for those of kept answers; more are refused, default 16
	MaxScanRows     int           // pages, or cells of a timeline, that a scan counts, default 2 million; maps bound their cells themselves
	KeptBytes       int           // memory of what is kept for answers of a store that is Versioned, default 32 MiB: 4 million cells, or 18,000 pages of lists with 60 days of each
	MaxKept         int           // answers that are kept alive at a time, see Keep, default 256
	MaxKeptRows     int           // cells, pages or elements of each, default 1,000,000
	MaxAnswers      int           // answers that are computed from counts at a time, default two a core
	Now             func() time.Time
	Logger          *slog.Logger // nil discards

	// BulkBytes, if not 0, is the memory of deltas while the index reads what the sources held when it was opened. It does
	// that at the lowest priority of the system's threads, and decodes ahead. Then it stores all, and goes on like any other.
	BulkBytes int64

	// Base is asked once, before anything is read: it says which hits are not counted, because documents of another generation
	// were carried over by then. After an error the index stands still. nil carries nothing.
	Base func(ctx context.Context) (*Base, error)

	// Hold is asked before each chunk is read and holds the index up for as long as it does not return, until ctx ends. nil
	// holds up nothing.
	Hold func(ctx context.Context) error
}

func (o Options) withDefaults() Options {
	if o.Rules == nil {
		o.Rules = DefaultRules()
	}
	if o.Zone == nil {
		o.Zone = func(string) *time.Location { return time.UTC }
	}
	if o.KnownSite == nil {
		o.KnownSite = func(string) bool { return true }
	}
	if o.Generation == "" {
		o.Generation = firstGeneration
	}
	if o.Workers <= 0 {
		o.Workers = defaultWorkers()
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 64 << 20
	}
	if o.RepeatBytes == 0 {
		o.RepeatBytes = 256 << 20
	}
	if o.FlushEvery <= 0 {
		o.FlushEvery = 30 * time.Second
	}
	if o.CheckpointEvery <= 0 {
		o.CheckpointEvery = 5 * time.Second
	}
	if o.MaxLag == 0 {
		o.MaxLag = 100_000
	}
	if o.MaxScans <= 0 {
		o.MaxScans = 2
	}
	if o.MaxScansWaiting <= 0 {
		o.MaxScansWaiting = 16
	}
	if o.MaxScanRows <= 0 {
		o.MaxScanRows = 2_000_000
	}
	if o.KeptBytes <= 0 {
		o.KeptBytes = defaultKeptBytes
	}
	if o.MaxKept <= 0 {
		o.MaxKept = 256
	}
	if o.MaxKeptRows <= 0 {
		o.MaxKeptRows = 1_000_000
	}
	if o.MaxAnswers <= 0 {
		o.MaxAnswers = 2 * runtime.GOMAXPROCS(0)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

const (
	minCacheBytes    = 1 << 20
	defaultKeptBytes = 32 << 20
)

// ErrFull says that the set which tells repeats holds as many batches of a bucket of 10 minutes as it may. If the clock was set
// back, the bucket lasts until it is where it was.
var ErrFull = errors.New("too many batches within 10 minutes to tell repeats: wait, or send larger batches")

// JournalBehindError says that a journal ends before what the store has of it: it is an older copy, or it lost its end.
// Hits may be added to it no more. It can be opened as a frozen source, beside a new one.
type JournalBehindError struct {
	Source    string
	End, High uint64
}

// Error says both positions.
func (e *JournalBehindError) Error() string {
	return fmt.Sprintf("journal %s ends at position %d but the store holds its hits up to %d", e.Source, e.End, e.High)
}

// Index counts the hits of a source in one generation and answers queries over what is live and what is stored. Its
// methods are safe for concurrent use.
type Index struct {
	options Options
	feeds   []*feed                // of the frozen sources, then of the active one
	absent  atomic.Pointer[lonely] // sources that only the store has hits of
	running atomic.Int64           // feeds that share the cache
	gate    sync.RWMutex
	still   still
	stats   counters
	scans   chan struct{} // one token a scan that may run
	waiting atomic.Int64  // scans that wait for a token, but for those of kept answers
	turns   turns         // of answers from counts
	kept    *keptCache
	pins    pins

	shared sharedAnswers
	live   *liveSet

	prepared   chan struct{}         // closed when base is known
	base       *Base                 // read only when prepared is closed
	unprepared atomic.Pointer[error] // why base will not be known
	leftOut    func(source string) (func(*Event) bool, error)

	closing   chan struct{} // closed when Close is called
	closeOnce sync.Once
	cancel    context.CancelFunc
	done      chan struct{}
}

// counters are the running totals of an index over all its pipelines.
type counters struct {
	applied, chunks, waits, conflicts, storeErrors    atomic.Uint64
	flushedDocs, flushedBytes, checkpoint             atomic.Uint64
	queries, retries, scans, scannedHits, whereErrors atomic.Uint64
}

// Open starts an index at the checkpoints of its sources. It fails if the generation was made by other rules, or with a
// *JournalBehindError if the store has seen more of the source than there is.
func Open(ctx context.Context, o Options) (*Index, error) {
	o = o.withDefaults()
	if o.CacheBytes < minCacheBytes {
		return nil, fmt.Errorf("cache is %d bytes, want at least %d", o.CacheBytes, minCacheBytes)
	}
	x := newIndex(o)
	if err := x.checkGeneration(ctx); err != nil {
		return nil, err
	}
	for _, source := range o.Frozen {
		x.feeds = append(x.feeds, x.newFeed(source, true))
	}
	x.feeds = append(x.feeds, x.newFeed(o.Source, false))
	for i, f := range x.feeds {
		f.tap = &tap{feed: i, live: x.live}
	}
	run, cancel := context.WithCancel(context.Background())
	x.cancel = cancel
	if err := x.begin(ctx, run); err != nil {
		cancel()
		return nil, err
	}
	go func() {
		defer close(x.done)
		if !x.prepare(run) {
			return
		}
		var running sync.WaitGroup
		for _, f := range x.feeds {
			running.Go(func() { f.run(run) })
		}
		running.Wait()
	}()
	return x, nil
}

func newIndex(o Options) *Index {
	x := &Index{options: o, done: make(chan struct{}), closing: make(chan struct{}), prepared: make(chan struct{})}
	x.scans = make(chan struct{}, o.MaxScans)
	x.turns = make(turns, o.MaxAnswers)
	x.kept = newKeptCache(o.KeptBytes)
	x.live = newLiveSet(o.MaxKept)
	x.leftOut = x.carried
	return x
}

// prepare finds out what was carried over, and reports whether reading may begin.
func (x *Index) prepare(ctx context.Context) bool {
	var err error
	if x.options.Base != nil {
		x.base, err = x.options.Base(ctx)
	}
	if err != nil {
		x.unprepared.Store(&err)
		return false
	}
	for x.options.Base != nil {
		if err = x.listSources(ctx); err == nil {
			break
		}
		x.options.Logger.Error("store does not answer, trying again", slog.String("what", "list sources"), slog.Any("err", err))
		if pause(ctx, time.Second) != nil {
			return false
		}
	}
	close(x.prepared)
	return true
}

// carriedCell is the side of the largest cells that were carried over, px, 0 if there are none.
func (x *Index) carriedCell() int {
	if !x.isPrepared() || x.base.Empty() {
		return 0
	}
	return x.base.Cell
}

// isPrepared reports whether it is known what was carried over.
func (x *Index) isPrepared() bool {
	select {
	case <-x.prepared:
		return true
	default:
		return false
	}
}

// carried gives what tells the hits of a source that were carried over, nil if there are none.
func (x *Index) carried(source string) (func(*Event) bool, error) {
	c, err := x.base.Carried(source, x.options.Zone)
	if c == nil || err != nil {
		return nil, err
	}
	return c.Holds, nil
}

// begin makes the pipelines of all sources.
func (x *Index) begin(ctx, run context.Context) error {
	for _, f := range x.feeds {
		if err := f.begin(ctx, run); err != nil {
			return err
		}
	}
	if x.options.Base != nil {
		return nil // carried documents may be of more sources
	}
	return x.listSources(ctx)
}

// checkGeneration records what the generation is made by, or compares it with the record.
func (x *Index) checkGeneration(ctx context.Context) error {
	name, spec := generationName(x.options.Generation), x.options.Rules.Spec()
	for {
		have, err := x.options.Store.Record(ctx, name)
		if err != nil {
			return fmt.Errorf("read record %s: %w", name, err)
		}
		if bytes.Equal(have, spec) || sameRules(have, spec) {
			return nil
		}
		if have != nil {
			return otherRules(x.options.Generation, have)
		}
		if _, err := x.options.Store.SwapRecord(ctx, name, nil, spec); err != nil {
			return fmt.Errorf("write record %s: %w", name, err)
		}
	}
}

// pipeline gives that of the active source.
func (x *Index) pipeline() *pipeline {
	p, _ := x.active().pipeline()
	return p
}

// pipelines gives all that run.
func (x *Index) pipelines() (all []*pipeline) {
	for _, f := range x.feeds {
		if p, _ := f.pipeline(); p != nil {
			all = append(all, p)
		}
	}
	return all
}

// Close stops reading, stores every live delta and writes the checkpoint, for as long as ctx lets it. It gives up on a store
// that is read-only at once, and on one that gives nothing but errors after 5 s. What could not be stored is read from the
// journal again at the next start.
func (x *Index) Close(ctx context.Context) error {
	x.closeOnce.Do(func() { close(x.closing) })
	x.live.end(heatmap.ErrRestart)
	for _, p := range x.pipelines() {
		p.stop()
	}
	err := x.Flush(ctx)
	x.cancel()
	<-x.done
	x.shared.end()
	return err
}

// Abort stops at once. What is not stored is read from the journal again at the next start, if there is one.
func (x *Index) Abort() {
	x.live.end(heatmap.ErrRestart)
	x.cancel()
	<-x.done
	x.shared.end()
}

// Flush stores every live delta and writes the checkpoint.
func (x *Index) Flush(ctx context.Context) error {
	var all error
	for _, f := range x.feeds {
		all = errors.Join(all, f.drain(ctx))
	}
	return all
}

// Admit says whether hits may be added to the source: ErrFull while the set that tells repeats is full.
func (x *Index) Admit(hits int) error {
	if x.pipeline().intake.stream.Full(x.options.Now().UnixMilli()) {
		return ErrFull
	}
	return nil
}

// Lag is the number of durable hits that queries do not count yet.
func (x *Index) Lag() (hits uint64) {
	for _, f := range x.feeds {
		hits += f.lag()
	}
	return hits
}

// Ready gives nil, or what is in the way of answers that are up to date.
func (x *Index) Ready() error {
	if err := x.Failed(); err != nil {
		return err
	}
	for _, p := range x.pipelines() {
		if err := p.storeError.Load(); err != nil {
			return fmt.Errorf("store: %w", *err)
		}
		if !p.caughtUp() {
			return errors.New("reading the journal from the checkpoint")
		}
	}
	if lag := x.Lag(); lag >= x.options.MaxLag {
		return fmt.Errorf("behind the journal by %d hits, limit %d", lag, x.options.MaxLag)
	}
	return nil
}

// Failed gives what ended the reading of a source, nil if nothing did.
func (x *Index) Failed() error {
	if err := x.unprepared.Load(); err != nil {
		return *err
	}
	for _, p := range x.pipelines() {
		if err := p.failed.Load(); err != nil {
			return *err
		}
	}
	return nil
}

// Building reports whether the index still reads in bulk.
func (x *Index) Building() bool {
	for _, p := range x.pipelines() {
		if p.bulk.Load() {
			return true
		}
	}
	return false
}

// CacheBytes is the memory that deltas may take now.
func (x *Index) CacheBytes() int64 {
	if x.Building() {
		return x.options.BulkBytes
	}
	return x.options.CacheBytes
}

// SourceState is how far an index is with a source.
type SourceState struct {
	Source   string
	Position uint64 // every hit below it is read
	Durable  uint64 // of the source, at least Position
	Totals   Totals // of the hits below a position that is Position or a little behind it
}

// Sources says how far the index is with each source, those that only the store has hits of among them.
func (x *Index) Sources() (all []SourceState) {
	for _, f := range x.feeds {
		s := SourceState{Source: f.source.ID()}
		p, stored := f.pipeline()
		if p != nil {
			s.Position, s.Totals = p.routed.Load(), p.intake.ends.latest().Totals
		} else {
			s.Position, s.Totals = stored.Position, stored.Totals
		}
		s.Durable = max(f.source.Durable(), s.Position)
		all = append(all, s)
	}
	gone := x.absentSources()
	for _, id := range gone.ids {
		c := gone.at[id]
		all = append(all, SourceState{Source: id, Position: c.Position, Durable: c.Position, Totals: c.Totals})
	}
	return all
}

// TotalsAt gives the totals of a source's hits below a position, if they are still known: at most of some hundred positions
// that ends of chunks have, from the checkpoint on.
func (x *Index) TotalsAt(source string, position uint64) (Totals, bool) {
	for _, f := range x.feeds {
		if f.source.ID() != source {
			continue
		}
		p, stored := f.pipeline()
		if p == nil {
			return stored.Totals, stored.Position == position
		}
		return p.intake.ends.at(position)
	}
	c, ok := x.absentSources().at[source]
	return c.Totals, ok && c.Position == position
}

// caughtUp reports whether all that the log held at start is routed.
func (p *pipeline) caughtUp() bool { return p.begun() && p.routed.Load() >= p.startEnd }

// recovered reports whether as much is routed as may have been stored before the start, or all that a frozen source has.
func (p *pipeline) recovered() bool { return p.begun() && p.routed.Load() >= p.answers }

// begun reports whether the positions of the start are known.
func (p *pipeline) begun() bool {
	select {
	case <-p.started:
		return true
	default:
		return false
	}
}

// Stats are the totals of an index since it was opened, and what it holds now. Positions, checkpoint and Stream are those
// of the source that is not frozen.
type Stats struct {
	Position, Durable, Checkpoint   uint64
	AppliedHits, Chunks             uint64
	LiveBytes, HeldBytes            int64 // held = live and on the way to the store
	LiveEntries                     int64
	FlushedDocs, FlushedBytes       uint64
	Conflicts, StoreErrors          uint64
	Waits                           uint64 // times that reading waited for the store
	Queries, Retries                uint64 // retries = copies taken again because a flush had overtaken them
	Scans, ScannedHits, WhereErrors uint64
	Stream                          StreamStats
}

// Stats gives the totals so far.
func (x *Index) Stats() Stats {
	p, c := x.pipeline(), &x.stats
	s := Stats{
		Position: p.routed.Load(), Durable: x.options.Source.Durable(), Checkpoint: c.checkpoint.Load(),
		AppliedHits: c.applied.Load(), Chunks: c.chunks.Load(),
		FlushedDocs: c.flushedDocs.Load(), FlushedBytes: c.flushedBytes.Load(),
		Conflicts: c.conflicts.Load(), StoreErrors: c.storeErrors.Load(), Waits: c.waits.Load(),
		Queries: c.queries.Load(), Retries: c.retries.Load(), Scans: c.scans.Load(), ScannedHits: c.scannedHits.Load(), WhereErrors: c.whereErrors.Load(),
		Stream: p.intake.stream.Stats(),
	}
	for _, p := range x.pipelines() {
		s.HeldBytes += p.heldBytes()
		for _, w := range p.workers {
			s.LiveBytes += w.live.Load()
			s.LiveEntries += w.entries.Load()
		}
	}
	return s
}
