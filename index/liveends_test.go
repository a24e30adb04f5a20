package index

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heatlog/heatmap"
)

// pagesQuestion asks for all pages.
func pagesQuestion() heatmap.Question {
	return heatmap.Question{Ask: heatmap.AskPages, Query: heatmap.Query{Site: testSite, Bots: true}}
}

// TestKeptEqualsAnswers compares answers that were kept from the first hit on with those that are given to the same questions when all
// is stored.
func TestKeptEqualsAnswers(t *testing.T) {
	t.Parallel()
	w := newLiveWorld(t, 7, Options{FlushEvery: 10 * time.Millisecond, Rules: mustParseRules(t, "dead: {from: log}")})
	var all []*follower
	for ask := heatmap.AskHeatmap; ask <= heatmap.AskTrend; ask++ {
		for _, url := range []string{"", testPage(0), "https://shop.example/p/*"} {
			q := heatmap.Question{Ask: ask, Query: heatmap.Query{Site: testSite, URL: url, Bots: true, Cells: true}}
			if ask == heatmap.AskHeatmap || ask == heatmap.AskElements {
				q.Query.Kind = heatmap.KindClick
			}
			f, err := w.follow(q)
			if err != nil {
				t.Fatal(err)
			}
			defer f.kept.Close()
			all = append(all, f)
		}
	}
	for range 5 {
		w.grow(20)
		for _, f := range all {
			if err := f.update(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, f := range all {
		if err := f.catchUp(); err != nil {
			t.Fatal(err)
		}
		want, err := w.index.asked(t.Context(), f.question)
		if err != nil {
			t.Fatal(err)
		}
		options := []gocmp.Option{
			cmpopts.IgnoreFields(heatmap.Update{}, "Whole", "Complete", "History", "Max", "Cells"),
			cmpopts.IgnoreTypes(&time.Location{}), cmpopts.EquateEmpty(),
		}
		if f.question.Query.URL != testPage(0) { // nobody knows the days of several pages
			options = append(options, cmpopts.IgnoreTypes(heatmap.Date(0)))
		}
		if d := gocmp.Diff(want, f.last, options...); d != "" {
			t.Errorf("%s %s: -answer +kept:\n%s", f.question.Ask, f.question.Query.URL, d)
		}
		if h := f.last.Heatmap; h != nil && (f.last.Max != h.Points[0].Weight || f.last.Cells != len(h.Points)) {
			t.Errorf("max %d of %d cells, want %d of %d", f.last.Max, f.last.Cells, h.Points[0].Weight, len(h.Points))
		}
	}
}

// asked answers a question once.
func (x *Index) asked(ctx context.Context, q heatmap.Question) (*heatmap.Update, error) {
	u, err := new(heatmap.Update), error(nil)
	switch q.Ask {
	case heatmap.AskHeatmap:
		u.Heatmap, err = x.Heatmap(ctx, q.Query)
	case heatmap.AskScroll:
		u.Scroll, err = x.Scroll(ctx, q.Query)
	case heatmap.AskElements:
		u.Elements, err = x.Elements(ctx, q.Query)
	case heatmap.AskPages:
		u.Pages, err = x.Pages(ctx, q.Query)
	default:
		u.Trend, err = x.Trend(ctx, q.Query)
	}
	return u, err
}

// TestKeptOverFrozenSources keeps questions while a frozen source is applied beside one that grows.
func TestKeptOverFrozenSources(t *testing.T) {
	t.Parallel()
	old := newMemLog()
	r := rand.New(rand.NewPCG(3, 3))
	for i := range 200 {
		old.append(anchoredBatch(r, i))
	}
	w := newLiveWorld(t, 5, Options{Frozen: []Source{frozenCopy(old, 150)}, FlushEvery: 5 * time.Millisecond, CheckpointEvery: 5 * time.Millisecond})
	for range 8 {
		w.grow(5)
		if err := w.followOnce(r, w.randomQuestion(r)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestKeptEnds ends answers by what can end them.
func TestKeptEnds(t *testing.T) {
	t.Parallel()
	w := newLiveWorld(t, 1, Options{MaxKept: 2})
	w.grow(3)
	var kept [2]*Kept
	for i := range kept {
		var err error
		if kept[i], err = w.index.Keep(t.Context(), pagesQuestion()); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.index.Keep(t.Context(), pagesQuestion())
	if full := (*heatmap.UnavailableError)(nil); !errors.As(err, &full) || !strings.Contains(full.Message, "2 questions") {
		t.Errorf("a third one of two: %v", err)
	}
	kept[0].Close()
	for w.index.live.count() == 2 {
		if err := pause(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := kept[0].Update(t.Context()); err == nil {
		t.Error("an answer goes on after Close")
	}
	again, err := w.index.Keep(t.Context(), pagesQuestion())
	if err != nil {
		t.Fatal(err)
	}
	w.index.kill()
	for _, k := range []*Kept{kept[1], again} {
		if _, err := k.Update(t.Context()); !errors.Is(err, heatmap.ErrRestart) {
			t.Errorf("after the index was closed: %v", err)
		}
	}
	if _, err := w.index.Keep(t.Context(), pagesQuestion()); !errors.Is(err, heatmap.ErrRestart) {
		t.Errorf("asked of a closed index: %v", err)
	}
	if n := w.index.live.held.Load(); n != 0 || w.index.live.listeners.Load() != nil {
		t.Errorf("%d events are held, listeners %v", n, w.index.live.listeners.Load())
	}
}

// TestKeptRows grows answers beyond what may be kept of one.
func TestKeptRows(t *testing.T) {
	t.Parallel()
	w := newLiveWorld(t, 1, Options{MaxKeptRows: 30})
	for _, start := range []heatmap.Start{{}, {Now: true}, {At: 1}} {
		w.grow(1)
		q := heatmap.Question{Ask: heatmap.AskHeatmap, Query: heatmap.Query{Site: testSite, Kind: heatmap.KindMove, Bots: true}, Start: start}
		k, err := w.index.Keep(t.Context(), q)
		for err == nil {
			w.grow(1)
			_, err = k.Update(t.Context())
		}
		if full := (*heatmap.UnavailableError)(nil); !errors.As(err, &full) || !strings.Contains(full.Message, "limit of one that is kept alive is 30") {
			t.Errorf("start %+v: %v", start, err)
		}
	}
}

// TestKeptRefuses asks what cannot be kept alive.
func TestKeptRefuses(t *testing.T) {
	t.Parallel()
	w := newLiveWorld(t, 1, Options{})
	f := func(field string, change func(*heatmap.Question)) {
		t.Helper()
		q := heatmap.Question{Ask: heatmap.AskHeatmap, Query: heatmap.Query{Site: testSite}}
		change(&q)
		_, err := w.index.Keep(t.Context(), q)
		if bad := (*heatmap.ParamError)(nil); !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%+v: %v, want a mistake in %s", q, err, field)
		}
	}
	f("start", func(q *heatmap.Question) { q.Start.At = time.Now().Add(time.Hour).UnixMilli() })
	f("noise", func(q *heatmap.Question) { q.Query.Noise = 0.1 })
	f("kind", func(q *heatmap.Question) { q.Query.Kind = heatmap.KindScroll })
	f("kind", func(q *heatmap.Question) { q.Ask, q.Query.Kind = heatmap.AskElements, heatmap.KindMove })
	f("kind", func(q *heatmap.Question) { q.Ask = 0 })
	f("where", func(q *heatmap.Question) { q.Query.Where = "x +" })
	f("cell", func(q *heatmap.Question) { q.Query.Cell = 7 })
	f("generation", func(q *heatmap.Question) { q.Query.Generation = "g9" })
	if n := w.index.live.count(); n != 0 {
		t.Errorf("%d questions are kept that were refused", n)
	}
}

// TestKeptDayTurns keeps a question about the last days over midnight.
func TestKeptDayTurns(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(1_770_000_000_000)
	w := newLiveWorld(t, 1, Options{Now: func() time.Time { return time.UnixMilli(now.Load()) }})
	q := pagesQuestion()
	q.Query.Last = 7
	k, err := w.index.Keep(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Update(t.Context()); err != nil {
		t.Fatal(err)
	}
	for len(k.Changed()) > 0 {
		<-k.Changed()
	}
	now.Store((heatmap.DateOf(now.Load(), time.UTC) + 1).Start(time.UTC))
	<-k.Changed()
	if _, err := k.Update(t.Context()); !errors.Is(err, heatmap.ErrNewDay) {
		t.Errorf("after midnight: %v", err)
	}
}

// TestKeptTellsBeforeHistory asks what has to be read of a journal that nobody gets to read: there is a first answer all the same, and
// each waits for its turn, however many they are.
func TestKeptTellsBeforeHistory(t *testing.T) {
	t.Parallel()
	w := newLiveWorld(t, 3, Options{MaxScans: 1, MaxScansWaiting: 1})
	w.grow(10)
	waitApplied(t, w.index)
	w.index.scans <- struct{}{} // the only turn
	q := pagesQuestion()
	q.Query.Where = "x >= 0"
	var kept []*Kept
	for range 5 {
		k, err := w.index.Keep(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		u, err := k.Update(t.Context())
		if err != nil || u.Complete || u.Pages.Total != 0 || u.Prefix().Positions["jlive"] != 0 || u.Prefix().Lag != w.log.Durable() {
			t.Errorf("first update: %+v, %v", u, err)
		}
		kept = append(kept, k)
	}
	kept[0].Close()
	if at := w.index.pins.least(0); at != 0 {
		t.Errorf("hits below %d may be deleted while they are still to be read", at)
	}
	<-w.index.scans
	for _, k := range kept[1:] {
		for u := (*heatmap.Update)(nil); u == nil || !u.Complete; {
			var err error
			<-k.Changed()
			if u, err = k.Update(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for w.index.pins.least(0) != math.MaxUint64 { // it is let go of when all was read
		if err := pause(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

// BenchmarkShow applies batches while nobody listens, and while some do.
func BenchmarkShow(b *testing.B) {
	for _, listeners := range []int{0, 1, 10} {
		b.Run(fmt.Sprint(listeners), func(b *testing.B) {
			log := newMemLog()
			r := rand.New(rand.NewPCG(1, 1))
			for i := range 2000 {
				log.append(anchoredBatch(r, i))
			}
			chunks, _ := log.state()
			live := newLiveSet(256)
			pl := &plan{query: heatmap.Query{Site: testSite, Bots: true}, match: func(string) bool { return true }, to: 1 << 60}
			for range listeners {
				k := &Kept{plan: pl, picks: make([][]int32, 1)}
				k.shown = newShown(live, maxShown)
				live.listen(k, true)
			}
			b.ReportAllocs()
			for b.Loop() {
				in := intake{stream: NewStream(DefaultRules(), nil, StreamOptions{}), tap: &tap{live: live}}
				parts := []*part{new(part)}
				for i := range chunks {
					parts[0].reset()
					in.split(&chunks[i], parts)
					for _, k := range live.listening {
						list, _ := k.shown.take()
						for i := range list {
							list[i].held.release()
						}
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(log.Durable()), "ns/hit")
		})
	}
}
