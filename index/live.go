package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"sync"
	"time"

	"heatlog/heatmap"
)

// Kept is an answer that is kept up to date until it ends. Update must not be called by two at a time; all else is safe for concurrent
// use.
type Kept struct {
	index    *Index
	question heatmap.Question
	plan     *plan
	living   living
	where    *Where // of plan, for what the tap shows; guarded by mu
	shown    *shown
	picks    [][]int32 // by feed, guarded by its tap
	pin      *pin      // what is to be read yet
	dayEnds  int64     // Unix ms, of days up to today

	ctx     context.Context // ends with the answer
	cancel  context.CancelFunc
	changed chan struct{}
	ready   chan struct{} // closed when Update has something to tell
	readied sync.Once

	mu       sync.Mutex
	counted  []uint64          // guarded by mu; by feed: what is asked for below it is in the answer, and nothing else
	others   map[string]uint64 // guarded by mu; positions of sources that only the store has hits of
	keptFrom map[string]uint64 // guarded by mu; as in heatmap.Prefix
	joined   bool              // guarded by mu; what is shown goes on where the answer ends
	complete bool              // guarded by mu; it joined once
	told     bool              // guarded by mu; Update was called
	history  history           // guarded by mu
	nextLook int64             // guarded by mu; Unix ms, when time alone may change the answer
	err      error             // guarded by mu; why it ended

	why whyEmpty // of Update
}

// Keep begins an answer that is kept up to date. Ctx bounds the beginning only. Errors are those of the question's own method,
// and a *heatmap.UnavailableError if Options.MaxKept are kept already.
func (x *Index) Keep(ctx context.Context, q heatmap.Question) (*Kept, error) {
	k, err := x.newKept(ctx, q)
	if err != nil {
		return nil, err
	}
	if err := x.live.add(k); err != nil {
		return nil, err
	}
	beginning, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(k.ctx, cancel)()
	if err := k.begin(beginning); err != nil {
		k.leave()
		return nil, cmp.Or(k.ended(), err)
	}
	go k.run()
	return k, nil
}

func (x *Index) newKept(ctx context.Context, q heatmap.Question) (*Kept, error) {
	k := &Kept{index: x, question: q, changed: make(chan struct{}, 1), ready: make(chan struct{}), picks: make([][]int32, len(x.feeds))}
	k.shown = newShown(x.live, x.live.limit)
	now := x.options.Now()
	if at := q.Start.At; at > now.Add(startAhead).UnixMilli() {
		return nil, &heatmap.ParamError{Field: "start", Message: fmt.Sprintf("start %s lies in the future: it is %s",
			time.UnixMilli(at).UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))}
	}
	var err error
	if k.plan, k.living, err = x.newLiving(ctx, &k.question); err != nil {
		return nil, err
	}
	if k.plan.where != nil {
		k.where = &Where{expr: k.plan.where.expr}
	}
	k.dayEnds, k.nextLook = math.MaxInt64, math.MaxInt64
	if q.Query.Last > 0 {
		k.dayEnds = (heatmap.DateOf(now.UnixMilli(), k.plan.zone) + 1).Start(k.plan.zone)
	}
	k.pass(now.UnixMilli())
	k.counted, k.pin = make([]uint64, len(x.feeds)), &pin{&x.pins}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k, nil
}

// startAhead is how far ahead a start may lie for clocks that differ.
const startAhead = time.Second

// begin brings the answer to where it can be shown what comes, if that takes no reading of the journal; else it finds out from where
// on that is to be read.
func (k *Kept) begin(ctx context.Context) error {
	x, start := k.index, k.question.Start
	switch {
	case start.Now:
		return k.beginNow(ctx)
	case start.At != 0:
		k.plan.scan = true
		for i, f := range x.feeds {
			since, err := f.source.Since(start.At)
			if err != nil {
				return fmt.Errorf("find start in journal %s: %w", f.source.ID(), err)
			}
			k.counted[i] = since
		}
	case !k.plan.scan:
		if err := k.beginStored(ctx); !errors.Is(err, errNeedsScan) {
			return err
		}
		k.plan.scan = true
		k.stopListening()
	}
	k.pinRest()
	k.keptFrom = k.prunedBefore()
	return nil
}

// prunedBefore gives the first positions of the sources that lack hits from where the answer begins, nil if none does.
func (k *Kept) prunedBefore() map[string]uint64 {
	before := make(map[string]uint64)
	for i, f := range k.index.feeds {
		if first := f.source.First(); first > 0 && first >= k.counted[i] {
			before[f.source.ID()] = first
		}
	}
	if len(before) == 0 {
		return nil
	}
	return before
}

// beginNow begins with nothing, behind what is durable by now.
func (k *Kept) beginNow(ctx context.Context) error {
	k.plan.scan = true
	if err := k.index.waitRecovered(ctx, k.index.feeds); err != nil {
		return err
	}
	k.listen()
	for i, f := range k.index.feeds {
		k.counted[i] = max(f.source.Durable(), f.tap.settled())
	}
	k.join()
	return nil
}

// beginStored begins with what blobs and live deltas say. What is shown meanwhile goes on from there.
func (k *Kept) beginStored(ctx context.Context) error {
	k.listen()
	if err := k.waitRouted(ctx); err != nil {
		return err
	}
	prefix, err := k.living.snapshot(ctx)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, f := range k.index.feeds {
		k.counted[i] = prefix.Positions[f.source.ID()]
		delete(prefix.Positions, f.source.ID())
	}
	k.others = prefix.Positions
	k.join()
	return k.check()
}

// Changed has a value when there is something for Update to tell.
func (k *Kept) Changed() <-chan struct{} { return k.changed }

// End ends the answer: from then on Update gives err, if it did not give another error before.
func (k *Kept) End(err error) {
	k.mu.Lock()
	if k.err == nil {
		k.err = err
	}
	k.mu.Unlock()
	k.cancel()
	k.tell()
}

// Close ends the answer and frees what it holds.
func (k *Kept) Close() { k.End(errClosed) }

var errClosed = errors.New("the question was closed")

// leave gives back what the answer has of its index.
func (k *Kept) leave() {
	k.stopListening()
	k.pin.release()
	k.cancel()
	k.index.live.remove(k)
}

// tell says that Update has something to tell.
func (k *Kept) tell() {
	k.readied.Do(func() { close(k.ready) })
	wake(k.changed)
}

// Update tells what became of the answer since it was called before; the first time it waits until there is something to tell,
// for no longer than firstAnswer. An error ends the answer.
func (k *Kept) Update(ctx context.Context) (*heatmap.Update, error) {
	select {
	case <-k.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	u, emptyKind, empty, err := k.update()
	if err != nil || !empty {
		return u, err
	}
	why, err := k.findWhy(ctx, emptyKind)
	if err != nil {
		return nil, err
	}
	setWhy(u, why)
	return u, nil
}

// findWhy finds out why the answer is empty, while the index is not closed.
func (k *Kept) findWhy(ctx context.Context, kind heatmap.Kind) (*heatmap.Why, error) {
	if err := k.index.live.enter(); err != nil {
		return nil, err
	}
	defer k.index.live.running.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(k.ctx, cancel)()
	why, err := k.why.find(ctx, k.index, k.plan, kind)
	if err != nil && ctx.Err() != nil {
		return nil, cmp.Or(k.ended(), err)
	}
	return why, nil
}

func (k *Kept) ended() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// update is Update but for why the answer is empty.
func (k *Kept) update() (u *heatmap.Update, kind heatmap.Kind, empty bool, err error) {
	k.look()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil {
		k.err = k.countShown()
	}
	if k.err != nil {
		k.cancel()
		return nil, 0, false, k.err
	}
	u = &heatmap.Update{Whole: !k.told, Complete: k.complete}
	kind, empty, err = k.living.update(u, k.prefix())
	if err != nil {
		k.err = err
		k.cancel()
		return nil, 0, false, err
	}
	k.told = true
	if !k.complete {
		u.History = k.history.progress(u.Prefix().Positions)
	}
	return u, kind, empty, nil
}

// prefix names the part of the log that the answer is of. The caller holds mu.
func (k *Kept) prefix() heatmap.Prefix {
	p := heatmap.Prefix{Generation: k.index.options.Generation, Positions: make(map[string]uint64), KeptFrom: maps.Clone(k.keptFrom)}
	maps.Copy(p.Positions, k.others)
	for i, f := range k.index.feeds {
		p.Positions[f.source.ID()] = k.counted[i]
		p.Lag += max(f.source.Durable(), k.counted[i]) - k.counted[i]
	}
	return p
}

// countShown counts what the tap has shown, as far as it goes on where the answer ends. The caller holds mu. An error ends the
// answer.
func (k *Kept) countShown() error {
	if !k.joined {
		return nil
	}
	next := make([]uint64, len(k.counted))
	for i, f := range k.index.feeds {
		next[i] = f.tap.next.Load() // before what was shown is taken: all below is in that, or was before
	}
	list, overflow := k.shown.take()
	if overflow {
		k.joined = false
		return nil
	}
	for _, e := range list {
		if err := k.countOf(&e); err != nil {
			return err
		}
	}
	for i := range next {
		k.counted[i] = max(k.counted[i], next[i])
	}
	return k.check()
}

// countOf counts events of a chunk, but for those that the answer has.
func (k *Kept) countOf(shown *shownEvents) error {
	for _, i := range shown.picks {
		ev := &shown.held.list[i].Event
		if ev.Position < k.counted[shown.feed] || k.where != nil && !k.where.Match(ev) {
			continue
		}
		if err := k.living.event(ev); err != nil {
			return err
		}
	}
	if w := k.where; w != nil && w.errors > 0 {
		k.index.stats.whereErrors.Add(w.errors)
		w.errors = 0
	}
	k.counted[shown.feed] = max(k.counted[shown.feed], shown.end)
	shown.held.release()
	return nil
}

// check refuses an answer that has grown too large. The caller holds mu.
func (k *Kept) check() error {
	most := k.index.options.MaxKeptRows
	if rows := k.living.size(); rows > most {
		return &heatmap.UnavailableError{Message: fmt.Sprintf(
			"the answer has grown to %d rows, the limit of one that is kept alive is %d: ask for fewer pages or a larger cell", rows, most)}
	}
	return nil
}
