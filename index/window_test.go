package index

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"heatlog/heatmap"
)

const (
	windowEvery = 6 * time.Hour
	windowTime  = 24 * time.Hour
)

// recountWindow counts the hits of a log below a position in a span of time, by page, "" for all, as plainly as can be.
func (l *memLog) recountWindow(q heatmap.Query, position uint64, from, to int64) map[string]*heatmap.PageCount {
	all, people := map[string]*heatmap.PageCount{}, map[string]map[string]bool{}
	l.all(func(at uint64, h *heatmap.Hit) {
		if at >= position || h.Time < from || h.Time >= to || strings.Contains(h.UserAgent, "Googlebot") && !q.Bots {
			return
		}
		for _, page := range []string{"", h.URL} {
			c := all[page]
			if c == nil {
				c = &heatmap.PageCount{Page: page}
				all[page], people[page] = c, map[string]bool{}
			}
			people[page][h.Visitor] = true
			if c.Visitors = uint64(len(people[page])); q.Width.Set && (h.ViewportW < q.Width.Min || h.ViewportW > q.Width.Max) {
				continue
			}
			switch h.Kind {
			case heatmap.KindView:
				c.Views++
			case heatmap.KindClick:
				c.Clicks++
			case heatmap.KindScroll:
				c.Scrolls++
			default:
				c.Move++
			}
			if c.Hits++; h.Flags&heatmap.FlagDead != 0 {
				c.Dead++
			}
		}
	})
	return all
}

// recountWindows gives the windows of a trend at a time, one by one.
func (l *memLog) recountWindows(q heatmap.Query, position uint64, now int64) (list []heatmap.TrendBucket) {
	every, window := q.Every.Milliseconds(), q.Window.Milliseconds()
	last := now - now%every + every
	first := last - window + every
	if q.From.Set {
		first = q.From.Instant - q.From.Instant%every + every
	}
	if q.To.Set {
		last = min(last, q.To.Instant-q.To.Instant%every)
	}
	for end := first; end <= last; end += every {
		b := heatmap.TrendBucket{Start: end - window, End: end}
		if c := l.recountWindow(q, position, end-window, end)[""]; c != nil {
			b.Views, b.Clicks, b.Scrolls, b.Moves, b.Dead, b.Visitors = c.Views, c.Clicks, c.Scrolls, c.Move, c.Dead, c.Visitors
		}
		list = append(list, b)
	}
	return list
}

// checkWindow compares an answer with a recount at a time.
func (l *memLog) checkWindow(q heatmap.Question, u *heatmap.Update, now int64) error {
	position := u.Prefix().Positions["jmem"]
	ignore := cmpopts.IgnoreFields(heatmap.PageCount{}, "Sampled")
	d := ""
	if q.Ask == heatmap.AskTrend {
		d = gocmp.Diff(l.recountWindows(q.Query, position, now), u.Trend.Buckets, cmpopts.EquateEmpty())
	} else {
		end := now - now%windowEvery.Milliseconds() + windowEvery.Milliseconds()
		want := l.recountWindow(q.Query, position, end-windowTime.Milliseconds(), end)
		delete(want, "")
		var list []heatmap.PageCount
		for _, c := range want {
			if c.Hits > 0 {
				list = append(list, *c)
			}
		}
		sortPages(list)
		d = gocmp.Diff(list, u.Pages.Pages, cmpopts.EquateEmpty(), ignore)
	}
	if d != "" {
		return fmt.Errorf("%s %+v below %d at %s: -recount +answer:\n%s", q.Ask, q.Query, position, time.UnixMilli(now).UTC(), d)
	}
	return nil
}

// windowQuestions ask for windows of all pages, with and without filters and bounds.
func windowQuestions() (all []heatmap.Question) {
	query := heatmap.Query{Site: testSite, Window: windowTime, Every: windowEvery}
	filtered := query
	filtered.Bots, filtered.Width.Set, filtered.Width.Min, filtered.Width.Max = true, true, 300, 900
	bounded := query
	bounded.From = heatmap.Bound{Set: true, Instant: 1_769_500_000_000 + 86_400_000}
	bounded.To = heatmap.Bound{Set: true, Instant: 1_769_500_000_000 + 8*86_400_000}
	for _, q := range []heatmap.Query{query, filtered} {
		all = append(all, heatmap.Question{Ask: heatmap.AskTrend, Query: q}, heatmap.Question{Ask: heatmap.AskPages, Query: q})
	}
	return append(all, heatmap.Question{Ask: heatmap.AskTrend, Query: bounded})
}

// TestWindows asks for windows, once and kept alive, while hits come late and ahead of time and the clock goes on: each answer is
// compared with a recount.
func TestWindows(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(1_769_500_000_000 + 4*86_400_000)
	log := newMemLog()
	x := openTest(t, Options{Store: newMapStore(), Source: log, Now: func() time.Time { return time.UnixMilli(now.Load()) }, MaxScans: 4})
	t.Cleanup(x.kill)
	r := rand.New(rand.NewPCG(8, 8))
	grow := func(n int) {
		for range n {
			log.append(randomBatch(r, 6))
		}
	}
	grow(100)
	kept := make(map[int]*Kept)
	for i, q := range windowQuestions() {
		k, err := x.Keep(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		kept[i] = k
	}
	for step := range 12 {
		grow(r.IntN(20))
		waitApplied(t, x)
		for i, q := range windowQuestions() {
			u, err := x.asked(t.Context(), q)
			if err == nil {
				err = log.checkWindow(q, u, now.Load())
			}
			for u = nil; err == nil && (u == nil || !u.Complete || u.Prefix().Lag > 0); {
				if u, err = kept[i].Update(t.Context()); err == nil {
					err = log.checkWindow(q, u, now.Load())
				}
			}
			if err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
		}
		now.Add(r.Int64N(20) * time.Hour.Milliseconds())
	}
	for _, k := range kept {
		if l := k.living.size(); l > 200 {
			t.Errorf("%d rows are held of windows that are mostly over", l)
		}
	}
}

// TestWindowSlides waits until a window slides without any hit.
func TestWindowSlides(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(1_770_000_000_000)
	log := newMemLog()
	x := openTest(t, Options{Store: newMapStore(), Source: log, Now: func() time.Time { return time.UnixMilli(now.Load()) }})
	t.Cleanup(x.kill)
	h := heatmap.Hit{Time: now.Load(), Site: testSite, URL: testPage(1), Kind: heatmap.KindView, Visitor: "v"}
	log.append(heatmap.Batch{Site: testSite, Hits: []heatmap.Hit{h}})
	waitApplied(t, x)
	k, err := x.Keep(t.Context(), heatmap.Question{Ask: heatmap.AskPages, Query: heatmap.Query{Site: testSite, Window: time.Minute, Every: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	for n := -1; n != 1; {
		<-k.Changed()
		u, err := k.Update(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n = u.Pages.Total
	}
	now.Add(time.Minute.Milliseconds())
	for n := 1; n != 0; {
		<-k.Changed()
		u, err := k.Update(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n = u.Pages.Total
	}
}

// TestWindowRefuses asks for windows that cannot be.
func TestWindowRefuses(t *testing.T) {
	t.Parallel()
	log := newMemLog()
	x := openTest(t, Options{Store: newMapStore(), Source: log})
	t.Cleanup(x.kill)
	f := func(ask heatmap.Asked, field string, change func(*heatmap.Query)) {
		t.Helper()
		q := heatmap.Question{Ask: ask, Query: heatmap.Query{Site: testSite, Window: time.Hour, Every: time.Minute}}
		change(&q.Query)
		_, err := x.asked(t.Context(), q)
		_, keptErr := x.Keep(t.Context(), q)
		for _, err := range []error{err, keptErr} {
			if bad := (*heatmap.ParamError)(nil); !errors.As(err, &bad) || bad.Field != field {
				t.Errorf("%s %+v: %v, want a mistake in %s", ask, q.Query, err, field)
			}
		}
	}
	for _, ask := range []heatmap.Asked{heatmap.AskHeatmap, heatmap.AskScroll, heatmap.AskElements} {
		f(ask, "window", func(*heatmap.Query) {})
	}
	for _, ask := range []heatmap.Asked{heatmap.AskPages, heatmap.AskTrend} {
		f(ask, "window", func(q *heatmap.Query) { q.Window = 0 })
		f(ask, "window", func(q *heatmap.Query) { q.Window = -time.Hour })
		f(ask, "every", func(q *heatmap.Query) { q.Every = 0 })
		f(ask, "every", func(q *heatmap.Query) { q.Every = 1500 * time.Millisecond })
		f(ask, "window", func(q *heatmap.Query) { q.Every = 7 * time.Minute })
		f(ask, "window", func(q *heatmap.Query) { q.Every = 2 * time.Hour })
		f(ask, "window", func(q *heatmap.Query) { q.Window = 91 * 24 * time.Hour })
		f(ask, "every", func(q *heatmap.Query) { q.Window = 24 * time.Hour; q.Every = time.Second })
	}
	f(heatmap.AskTrend, "by", func(q *heatmap.Query) { q.Hourly = true })
	f(heatmap.AskTrend, "every", func(q *heatmap.Query) { q.From = heatmap.Bound{Set: true, Instant: 1} })
	f(heatmap.AskPages, "window", func(q *heatmap.Query) { q.From = heatmap.Bound{Set: true, Instant: 1} })
}

// TestWindowPages counts pages in more panes than may be held.
func TestWindowPages(t *testing.T) {
	t.Parallel()
	x := openTest(t, Options{Store: newMapStore(), Source: newMemLog()})
	t.Cleanup(x.kill)
	q := heatmap.Question{Ask: heatmap.AskPages, Query: heatmap.Query{Site: testSite, Window: time.Hour, Every: time.Minute}}
	_, l, err := x.newLiving(t.Context(), &q)
	if err != nil {
		t.Fatal(err)
	}
	c := l.(livingWindowPages).windowPages
	c.most = 7
	add := func(to aggregate, n int) error {
		return to.event(&Event{Hit: &heatmap.Hit{Time: time.Now().UnixMilli(), Kind: heatmap.KindView}, Page: testPage(n)})
	}
	for n := range 7 {
		if err := errors.Join(add(l, n), add(l, n)); err != nil {
			t.Fatal(err)
		}
	}
	part := l.fresh()
	if err := add(part, 8); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{add(l, 7), l.merge(part)} {
		if bad := (*heatmap.ParamError)(nil); !errors.As(err, &bad) || !strings.Contains(bad.Message, "more than 7 panes") {
			t.Errorf("one page too many: %v", err)
		}
	}
}

// TestWindowsRemember compares windows that are asked for after each hit and as time passes with those of the same hits that are asked
// for once.
func TestWindowsRemember(t *testing.T) {
	t.Parallel()
	pl := &plan{query: heatmap.Query{Site: testSite, Window: time.Hour, Every: 10 * time.Minute}, zone: time.UTC}
	w := window{every: (10 * time.Minute).Milliseconds(), panes: 6, now: 1_770_000_000_000}
	r := rand.New(rand.NewPCG(3, 1))
	kept, all := newWindowTrend(pl, &w), []*Event(nil)
	for range 300 {
		ago := r.Int64N(60_000)
		if r.IntN(4) == 0 {
			ago = r.Int64N(2 * pl.query.Window.Milliseconds())
		}
		all = append(all, &Event{Hit: &heatmap.Hit{Time: w.now - ago, Kind: heatmap.KindView}, Visitor: 1 + r.Uint64N(50)})
		if err := kept.event(all[len(all)-1]); err != nil {
			t.Fatal(err)
		}
		if r.IntN(5) == 0 {
			kept.pass(w.now + r.Int64N(900_000))
		}
		at := w
		once := newWindowTrend(pl, &at)
		for _, ev := range all {
			if err := once.event(ev); err != nil {
				t.Fatal(err)
			}
		}
		if d := gocmp.Diff(once.answer(heatmap.Prefix{}), kept.answer(heatmap.Prefix{}), cmpopts.IgnoreTypes(&time.Location{})); d != "" {
			t.Fatalf("after %d hits: -once +kept:\n%s", len(all), d)
		}
	}
}

// BenchmarkWindows gives a day's windows every 2 minutes: all of them, and again after one hit more.
func BenchmarkWindows(b *testing.B) {
	pl := &plan{query: heatmap.Query{Site: testSite, Window: 24 * time.Hour, Every: 2 * time.Minute}, zone: time.UTC}
	w := &window{every: (2 * time.Minute).Milliseconds(), panes: 720, now: 1_770_000_000_000}
	t := newWindowTrend(pl, w)
	r := rand.New(rand.NewPCG(1, 1))
	hit := func(ago int64) {
		ev := &Event{Hit: &heatmap.Hit{Time: w.now - ago, Kind: heatmap.KindView}, Visitor: r.Uint64()}
		if err := t.event(ev); err != nil {
			b.Fatal(err)
		}
	}
	for range 1_000_000 {
		hit(r.Int64N(2 * pl.query.Window.Milliseconds()))
	}
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			clear(t.told)
			t.answer(heatmap.Prefix{})
		}
	})
	b.Run("one hit", func(b *testing.B) {
		for b.Loop() {
			hit(0)
			t.answer(heatmap.Prefix{})
		}
	})
}
