package index

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

// TestTimeline compares timelines of a random world with a recount of its log.
func TestTimeline(t *testing.T) {
	t.Parallel()
	w := newScanWorld(t, 9, "shop", "docs")
	w.fill(150)
	w.seal()
	w.fill(30)
	x := w.index("dead: {from: log, window: 1000}\ncell: 16")
	from, to := int64(1_769_500_000_000)/1000*1000, w.clock.Load()/1000*1000
	for _, kind := range []heatmap.Kind{heatmap.KindClick, heatmap.KindMove, heatmap.KindRage, heatmap.KindDead} {
		q := heatmap.Query{Site: "shop", Kind: kind, Where: "vw != 600", Cell: 32, Step: 7 * time.Minute}
		q.From, q.To = heatmap.Bound{Set: true, Instant: from}, heatmap.Bound{Set: true, Instant: to}
		got, err := x.Timeline(t.Context(), q)
		w.must(err)
		want, hits := w.recountTimeline(x, q)
		if diff := cmp.Diff(want, frameCells(got)); diff != "" || got.Hits != hits || hits == 0 {
			t.Errorf("%s: %d hits, want %d; frames differ: %s", kind, got.Hits, hits, diff)
		}
		if steps := (to - from + q.Step.Milliseconds() - 1) / q.Step.Milliseconds(); got.Steps != int(steps) || got.Step != q.Step.Milliseconds() || got.Start != from || got.Cell != 32 {
			t.Errorf("%s: %d steps of %d ms from %d, cells of %d px", kind, got.Steps, got.Step, got.Start, got.Cell)
		}
		for i := 1; i < len(got.Frames); i++ {
			if got.Frames[i-1].Step >= got.Frames[i].Step {
				t.Fatalf("%s: frames are not in order", kind)
			}
		}
	}
}

// recountTimeline counts a query's hits by step and cell as plainly as can be.
func (w *scanWorld) recountTimeline(x *Index, q heatmap.Query) (cells map[[3]int]uint64, hits uint64) {
	w.Helper()
	pl, err := x.newPlan(w.Context(), q)
	w.must(err)
	cells = make(map[[3]int]uint64)
	add := func(ms int64, px, py uint16) {
		cells[[3]int{int((ms - q.From.Instant) / q.Step.Milliseconds()), int(px) / q.Cell * q.Cell, int(py) / q.Cell * q.Cell}]++
		hits++
	}
	ends, err := x.scanEnds(w.Context())
	w.must(err)
	w.must(recountScan(w.Context(), x, pl, eventFunc(func(ev *Event) error {
		spots := []Spot{{X: ev.Hit.X, Y: ev.Hit.Y}}
		switch {
		case q.Kind == heatmap.KindRage:
			spots = ev.RageAt
		case q.Kind == heatmap.KindDead:
			spots = ev.DeadAt
		case q.Kind != ev.Hit.Kind:
			spots = nil
		}
		for _, at := range spots {
			add(ev.Hit.Time, at.X, at.Y)
		}
		return nil
	}), make([]uint64, len(ends)), ends))
	return cells, hits
}

// eventFunc is an aggregate of events alone.
type eventFunc func(*Event) error

func (f eventFunc) event(ev *Event) error { return f(ev) }
func (f eventFunc) merge(aggregate) error { return nil }
func (f eventFunc) fresh() aggregate      { return f }

func frameCells(a *heatmap.Timeline) map[[3]int]uint64 {
	cells := make(map[[3]int]uint64)
	for _, f := range a.Frames {
		for _, p := range f.Points {
			cells[[3]int{f.Step, p.X, p.Y}] = p.Weight
		}
	}
	return cells
}

// TestTimelineSteps asks for ranges and steps: what is chosen, and what is refused.
func TestTimelineSteps(t *testing.T) {
	x := openTest(t, Options{Store: newMapStore(), Source: newMemLog()})
	defer x.kill()
	const begin = 1_769_472_000_000 // a midnight
	ask := func(span, step time.Duration) (*heatmap.Timeline, error) {
		q := heatmap.Query{Site: testSite, Step: step}
		q.From, q.To = heatmap.Bound{Set: true, Instant: begin}, heatmap.Bound{Set: true, Instant: begin + span.Milliseconds()}
		return x.Timeline(t.Context(), q)
	}
	chosen := func(span, want time.Duration) {
		t.Helper()
		if a, err := ask(span, 0); err != nil || a.Step != want.Milliseconds() || a.Why == nil {
			t.Errorf("%v: %+v, %v; want steps of %v", span, a, err, want)
		}
	}
	chosen(5*time.Minute, time.Minute)
	chosen(5*time.Hour, time.Minute)
	chosen(6*time.Hour, 5*time.Minute)
	chosen(72*time.Hour, 15*time.Minute)
	chosen(12*24*time.Hour, time.Hour)
	chosen(31*24*time.Hour, 3*time.Hour)
	refused := func(field, part string, q heatmap.Query) {
		t.Helper()
		_, err := x.Timeline(t.Context(), q)
		var bad *heatmap.ParamError
		if !errors.As(err, &bad) || bad.Field != field || !strings.Contains(bad.Message, part) {
			t.Errorf("%v, want an error of %s with %q", err, field, part)
		}
	}
	refused("from", "or last", heatmap.Query{Site: testSite})
	refused("kind", "no points", heatmap.Query{Site: testSite, Kind: heatmap.KindScroll, Last: 1})
	refused("from", "at most 31", heatmap.Query{Site: testSite, Last: 32})
	refused("step", "whole seconds", heatmap.Query{Site: testSite, Last: 1, Step: time.Second + 1})
	refused("step", "whole seconds", heatmap.Query{Site: testSite, Last: 1, Step: -time.Second})
	refused("step", "at most 2000", heatmap.Query{Site: testSite, Last: 1, Step: 43 * time.Second})
	if a, err := ask(2000*time.Second, time.Second); err != nil || a.Steps != heatmap.MaxTimelineSteps {
		t.Errorf("2,000 steps: %+v, %v", a, err)
	}
}

// TestLast asks for the days up to today, which is another one in another zone.
func TestLast(t *testing.T) {
	prague, err := time.LoadLocation("Europe/Prague")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 31, 23, 30, 0, 0, time.UTC)
	x := &Index{options: Options{Rules: simRules, Now: func() time.Time { return now }, Zone: func(site string) *time.Location {
		if site == "shop" {
			return prague
		}
		return time.UTC
	}}.withDefaults()}
	f := func(site string, last int, from, to string) {
		t.Helper()
		pl, err := x.newPlan(t.Context(), heatmap.Query{Site: site, Last: last})
		if err != nil {
			t.Fatal(err)
		}
		if *pl.first != day(t, from) || *pl.last != day(t, to) || pl.scan || pl.from != day(t, from).Start(pl.zone) || pl.query.Last != last {
			t.Errorf("last %d of %s: %v to %v", last, site, *pl.first, *pl.last)
		}
	}
	f("shop", 1, "2026-02-01", "2026-02-01")
	f("docs", 1, "2026-01-31", "2026-01-31")
	f("shop", 7, "2026-01-26", "2026-02-01")
	f("docs", 3660, "2016-01-25", "2026-01-31")
	for _, q := range []heatmap.Query{
		{Last: -1}, {Last: 3661}, {Last: math.MinInt},
		{Last: 1, From: heatmap.Bound{Set: true, IsDate: true}}, {Last: 1, To: heatmap.Bound{Set: true, Instant: 5}},
	} {
		var bad *heatmap.ParamError
		if _, err := x.newPlan(t.Context(), q); !errors.As(err, &bad) || bad.Field != "last" {
			t.Errorf("%+v: %v, want an error of last", q, err)
		}
	}
}
