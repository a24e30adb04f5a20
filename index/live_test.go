package index

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heatlog/heatmap"
	"heatlog/journal"
)

// liveWorld is a log that grows beside an index that keeps questions.
type liveWorld struct {
	t     *testing.T
	index *Index
	log   Source
	add   func(...heatmap.Batch) // to log

	mu      sync.Mutex // held while the log grows
	rand    *rand.Rand // guarded by mu
	batches []heatmap.Batch
}

func newLiveWorld(t *testing.T, seed uint64, o Options) *liveWorld {
	w := &liveWorld{t: t, rand: rand.New(rand.NewPCG(seed, 9))}
	log := newMemLog()
	log.id = "jlive"
	w.log, w.add = log, log.append
	return w.open(o)
}

// newJournalWorld makes one whose log is a journal of small segments, which are sealed.
func newJournalWorld(t *testing.T, o Options) *liveWorld {
	w := &liveWorld{t: t, rand: rand.New(rand.NewPCG(1, 9))}
	j, err := journal.Open(t.TempDir(), journal.Options{SegmentBytes: 4 << 10, Seal: true, Ack: journal.AckWrite})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	w.log, w.add = JournalSource(j, nil), func(batches ...heatmap.Batch) {
		if _, err := j.Append(batches); err != nil {
			t.Error(err)
		}
	}
	return w.open(o)
}

func (w *liveWorld) open(o Options) *liveWorld {
	t := w.t
	o.Source = w.log
	if o.Store == nil {
		o.Store = newMapStore()
	}
	w.index = openTest(t, o)
	t.Cleanup(w.index.kill)
	return w
}

// grow appends some chunks, with batches that came before now and then.
func (w *liveWorld) grow(chunks int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for range chunks {
		var batches []heatmap.Batch
		for range 1 + w.rand.IntN(4) {
			b := anchoredBatch(w.rand, len(w.batches))
			b.ID = fmt.Sprint("batch", len(w.batches))
			if n := len(w.batches); n > 0 && w.rand.IntN(8) == 0 {
				b = w.batches[w.rand.IntN(n)]
			}
			w.batches = append(w.batches, b)
			batches = append(batches, b)
		}
		w.add(batches...)
	}
}

// follower is a client of a kept answer: it has what the updates have told.
type follower struct {
	world    *liveWorld
	question heatmap.Question
	kept     *Kept
	from     []uint64 // by feed: where the answer begins
	points   map[[2]int]uint64
	last     *heatmap.Update
	updates  int
}

func (w *liveWorld) follow(q heatmap.Question) (*follower, error) {
	if q.Start.Now {
		w.mu.Lock() // so that now is one position
		defer w.mu.Unlock()
	}
	f := &follower{world: w, question: q, points: make(map[[2]int]uint64)}
	for _, feed := range w.index.feeds {
		from := uint64(0)
		switch {
		case q.Start.Now:
			from = feed.source.Durable()
		case q.Start.At != 0:
			from, _ = feed.source.Since(q.Start.At)
		}
		f.from = append(f.from, from)
	}
	var err error
	f.kept, err = w.index.Keep(w.t.Context(), q)
	return f, err
}

// update takes the next update and compares all that was told with a recount of the log.
func (f *follower) update() error {
	ctx, cancel := context.WithTimeout(f.world.t.Context(), time.Minute)
	defer cancel()
	u, err := f.kept.Update(ctx)
	if err != nil {
		return err
	}
	if u.Whole != (f.updates == 0) {
		return fmt.Errorf("update %d: whole is %t", f.updates, u.Whole)
	}
	f.updates++
	if f.last != nil && f.last.Complete && !u.Complete {
		return errors.New("an answer that was complete is not any more")
	}
	if u.Heatmap != nil {
		for _, p := range u.Heatmap.Points {
			f.points[[2]int{p.X, p.Y}] = p.Weight
		}
		u.Heatmap.Points = sortedPoints(f.points)
	}
	f.last = u
	want, err := f.recount(u.Prefix().Positions)
	if err != nil {
		return err
	}
	return compareUpdates(f.question, want, u)
}

func sortedPoints(points map[[2]int]uint64) []heatmap.Point {
	list := make([]heatmap.Point, 0, len(points))
	for at, n := range points {
		list = append(list, heatmap.Point{X: at[0], Y: at[1], Weight: n})
	}
	slices.SortFunc(list, func(a, b heatmap.Point) int {
		return slices.Compare([]int{-int(a.Weight), a.Y, a.X}, []int{-int(b.Weight), b.Y, b.X})
	})
	return list
}

// recount answers the question by reading each source from its first hit up to a position, hit by hit.
func (f *follower) recount(positions map[string]uint64) (*heatmap.Update, error) {
	x, ctx := f.world.index, f.world.t.Context()
	q := f.question
	pl, l, err := x.newLiving(ctx, &q)
	if err != nil {
		return nil, err
	}
	pl.scan = true
	for i, feed := range x.feeds {
		_, err := x.readEvents(ctx, feed.source, x.options.Rules, positions[feed.source.ID()], func(uint64) {}, func(ev *Event) error {
			if ev.Position < f.from[i] || !pl.keepsEvent(ev) {
				return nil
			}
			return l.event(ev)
		})
		if err != nil {
			return nil, err
		}
	}
	u := new(heatmap.Update)
	_, _, err = l.update(u, heatmap.Prefix{})
	if u.Heatmap != nil {
		points := make(map[[2]int]uint64)
		for _, p := range u.Heatmap.Points {
			points[[2]int{p.X, p.Y}] = p.Weight
		}
		u.Heatmap.Points = sortedPoints(points)
	}
	return u, err
}

// compareUpdates compares what was told with what should have been, but for how it was found out.
func compareUpdates(q heatmap.Question, want, have *heatmap.Update) error {
	options := []gocmp.Option{
		cmpopts.IgnoreFields(heatmap.Update{}, "Whole", "Complete", "History"),
		cmpopts.IgnoreTypes(heatmap.Prefix{}, &heatmap.Why{}, &time.Location{}),
		cmpopts.IgnoreFields(heatmap.Heatmap{}, "Scanned", "From", "To", "Dated"),
		cmpopts.IgnoreFields(heatmap.Scroll{}, "Scanned", "From", "To", "Dated"),
		cmpopts.IgnoreFields(heatmap.ElementList{}, "Scanned", "From", "To", "Dated"), cmpopts.IgnoreFields(heatmap.Trend{}, "Scanned"),
		cmpopts.EquateEmpty(),
	}
	if d := gocmp.Diff(want, have, options...); d != "" {
		return fmt.Errorf("%s %+v from %+v at %v (complete %t): -want +have:\n%s", q.Ask, q.Query, q.Start, have.Prefix().Positions, have.Complete, d)
	}
	return nil
}

// catchUp takes updates until all that is durable is in the answer.
func (f *follower) catchUp() error {
	for deadline := time.Now().Add(time.Minute); ; {
		if err := f.update(); err != nil {
			return err
		}
		p := f.last.Prefix()
		if f.last.Complete && p.Lag == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s lags %d hits behind", f.question.Ask, p.Lag)
		}
		if err := pause(f.world.t.Context(), time.Millisecond); err != nil {
			return err
		}
	}
}

// randomQuestion asks for one of everything that can be kept.
func (w *liveWorld) randomQuestion(r *rand.Rand) heatmap.Question {
	q := heatmap.Question{Ask: heatmap.Asked(1 + r.IntN(5)), Query: heatmap.Query{Site: testSite, Bots: r.IntN(2) == 0}}
	q.Query.URL = []string{"", testPage(0), testPage(1), "https://shop.example/**"}[r.IntN(4)]
	switch q.Ask {
	case heatmap.AskHeatmap:
		q.Query.Kind = []heatmap.Kind{heatmap.KindClick, heatmap.KindMove, heatmap.KindDead, heatmap.KindRage}[r.IntN(4)]
		q.Query.Cell = []int{0, 8, 24}[r.IntN(3)]
	case heatmap.AskElements:
		q.Query.Kind, q.Query.Cells = heatmap.KindClick, r.IntN(2) == 0
	case heatmap.AskTrend:
		q.Query.Hourly = r.IntN(3) == 0
	}
	first := heatmap.Date(1_769_500_000_000 / 86_400_000)
	if r.IntN(3) == 0 {
		q.Query.From = heatmap.Bound{Set: true, IsDate: true, Date: first + heatmap.Date(r.IntN(5))}
		q.Query.To = heatmap.Bound{Set: true, IsDate: true, Date: first + 5 + heatmap.Date(r.IntN(5))}
	}
	if r.IntN(4) == 0 {
		q.Query.Width.Set, q.Query.Width.Min, q.Query.Width.Max = true, uint16(r.IntN(2)*8+280), 927
	}
	if r.IntN(3) == 0 {
		q.Query.Where = []string{
			"x > 400", `sel contains "nth" or kind == "scroll"`, `any(tags, # startsWith "sampled")`, `visitor < "v2"`,
		}[r.IntN(4)]
	}
	switch r.IntN(5) {
	case 0:
		q.Start.Now = true
	case 1:
		q.Start.At = 1_770_000_000_000 + r.Int64N(8000)
	}
	return q
}

// TestKept keeps questions of all sorts while the log grows, deltas are flushed and given up, and pipelines start over: each update
// is compared with a recount of the log below the positions that it names.
func TestKept(t *testing.T) {
	t.Parallel()
	for i, rules := range []string{"", "dead: {from: log}\nrepeat_clicks: {window: 1000}", "exclude: [\"x > 1200\"]"} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			w := newLiveWorld(t, uint64(i), Options{
				Rules: mustParseRules(t, rules), CacheBytes: minCacheBytes, FlushEvery: 10 * time.Millisecond, CheckpointEvery: 5 * time.Millisecond,
				Workers: 2, MaxScans: 4,
			})
			w.index.live.limit = 200
			w.grow(40)
			var asking sync.WaitGroup
			for n := range 3 {
				asking.Go(func() {
					r := rand.New(rand.NewPCG(uint64(i), uint64(n)))
					for range 3 {
						if err := w.followOnce(r, w.randomQuestion(r)); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			asking.Go(func() {
				for range 8 {
					_ = pause(t.Context(), 20*time.Millisecond)
					w.index.pipeline().end(errConflict)
				}
			})
			asking.Wait()
		})
	}
}

// TestKeptOverSegments keeps questions over a journal that is sealed as it grows.
func TestKeptOverSegments(t *testing.T) {
	t.Parallel()
	w := newJournalWorld(t, Options{FlushEvery: 10 * time.Millisecond, CheckpointEvery: 5 * time.Millisecond, Rules: mustParseRules(t, "dead: {from: log}")})
	w.index.live.limit = 200
	r := rand.New(rand.NewPCG(6, 6))
	for range 8 {
		w.grow(10)
		if err := w.followOnce(r, w.randomQuestion(r)); err != nil {
			t.Fatal(err)
		}
	}
}

// followOnce follows a question for some updates, and then to the end of the log as it is.
func (w *liveWorld) followOnce(r *rand.Rand, q heatmap.Question) error {
	f, err := w.follow(q)
	if err != nil {
		return err
	}
	defer f.kept.Close()
	for range 2 + r.IntN(8) {
		if err := f.update(); err != nil {
			return err
		}
		w.grow(1 + r.IntN(5))
		if r.IntN(2) == 0 {
			_ = pause(w.t.Context(), time.Duration(r.IntN(8))*time.Millisecond)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return f.catchUp()
}

// TestLivingMerges counts the events of a log one by one, and part by part as a scan does.
func TestLivingMerges(t *testing.T) {
	t.Parallel()
	w := newLiveWorld(t, 4, Options{Rules: mustParseRules(t, "dead: {from: log}"), Now: func() time.Time { return time.UnixMilli(1_770_000_000_000) }})
	w.grow(100)
	r := rand.New(rand.NewPCG(2, 2))
	for n := range 40 {
		q := w.randomQuestion(r)
		q.Start = heatmap.Start{}
		if n%4 == 0 {
			q.Ask, q.Query = []heatmap.Asked{heatmap.AskTrend, heatmap.AskPages}[n/4%2], heatmap.Query{Site: testSite, Window: 48 * time.Hour, Every: time.Hour}
		}
		var updates [2]*heatmap.Update
		for i := range updates {
			pl, l, err := w.index.newLiving(t.Context(), &q)
			if err != nil {
				t.Fatal(err)
			}
			part, events := l.fresh(), 0
			_, err = w.index.readEvents(t.Context(), w.log, w.index.options.Rules, w.log.Durable(), func(uint64) {}, func(ev *Event) error {
				switch {
				case !pl.keepsEvent(ev):
					return nil
				case i == 0:
					return l.event(ev)
				}
				if events++; events%50 == 0 {
					if err := l.merge(part); err != nil {
						return err
					}
					part = l.fresh()
				}
				return part.event(ev)
			})
			if err == nil && i == 1 {
				err = l.merge(part)
			}
			if err != nil {
				t.Fatal(err)
			}
			updates[i] = new(heatmap.Update)
			if _, _, err := l.update(updates[i], heatmap.Prefix{}); err != nil {
				t.Fatal(err)
			}
			if h := updates[i].Heatmap; h != nil {
				slices.SortFunc(h.Points, func(a, b heatmap.Point) int { return slices.Compare([]int{a.Y, a.X}, []int{b.Y, b.X}) })
			}
		}
		if err := compareUpdates(q, updates[0], updates[1]); err != nil {
			t.Error(err)
		}
	}
}
