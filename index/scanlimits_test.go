package index

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/journal"
)

// TestScansWaiting fills the places of scans that run and of those that wait: one more is refused, and says why. When a place is free
// again, it is answered; who goes away leaves a place.
func TestScansWaiting(t *testing.T) {
	t.Parallel()
	log := newMemLog()
	fill(log, rand.New(rand.NewPCG(1, 1)), 5)
	x := openTest(t, Options{Store: newMapStore(), Source: log, MaxScans: 1, MaxScansWaiting: 2})
	defer x.kill()
	waitApplied(t, x)
	ask := func(ctx context.Context, where string) error {
		_, err := x.Pages(ctx, heatmap.Query{Site: testSite, Where: where})
		return err
	}
	x.scans <- struct{}{} // one that runs
	gone, leave := context.WithCancel(t.Context())
	errs := make(chan error, 1)
	go func() { errs <- ask(gone, "x > 1") }()
	answered := make(chan error, 1)
	go func() { answered <- ask(t.Context(), "x > 2") }()
	waitFor(t, func() bool { return x.waiting.Load() == 2 })
	var refused *heatmap.UnavailableError
	if err := ask(t.Context(), "x > 3"); !errors.As(err, &refused) || !strings.Contains(err.Error(), "1 questions that must be read from the journal are being answered and 2 wait") {
		t.Errorf("%v, want a refusal", err)
	}
	leave()
	if err := <-errs; !errors.Is(err, context.Canceled) {
		t.Errorf("%v of one who went away", err)
	}
	waitFor(t, func() bool { return x.waiting.Load() == 1 })
	<-x.scans
	if err := <-answered; err != nil {
		t.Errorf("%v of one who waited", err)
	}
	if err := ask(t.Context(), "x > 3"); err != nil || x.waiting.Load() != 0 {
		t.Errorf("%v, %d wait", err, x.waiting.Load())
	}
}

// waitFor waits until something holds.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); {
		if err := pause(t.Context(), time.Millisecond); err != nil || time.Now().After(end) {
			t.Fatal("it does not come to that")
		}
	}
}

// TestScanRows refuses answers with more rows than a scan may hold.
func TestScanRows(t *testing.T) {
	t.Parallel()
	log := newMemLog()
	for i := range 8 {
		b := randomBatch(rand.New(rand.NewPCG(2, uint64(i))), 1)
		b.Hits = b.Hits[:1]
		b.Hits[0].Kind, b.Hits[0].URL, b.Hits[0].UserAgent = heatmap.KindClick, testPage(i), ""
		log.append(b)
	}
	x := openTest(t, Options{Store: newMapStore(), Source: log, MaxScanRows: 7})
	defer x.kill()
	waitApplied(t, x)
	f := func(q heatmap.Query, what string) {
		t.Helper()
		ask := func(q heatmap.Query) (err error) {
			if what == "pages" {
				_, err = x.Pages(t.Context(), q)
			} else {
				q.From, q.To = heatmap.Bound{Set: true, Instant: 1_769_000_000_000}, heatmap.Bound{Set: true, Instant: 1_771_000_000_000}
				_, err = x.Timeline(t.Context(), q)
			}
			return err
		}
		var bad *heatmap.ParamError
		if err := ask(q); !errors.As(err, &bad) || bad.Field != "url" || !strings.Contains(bad.Message, "more than 7 "+what+": narrow it with url") {
			t.Errorf("%v, want an error of more than 7 %s", err, what)
		}
		q.URL = testPage(3)
		if err := ask(q); err != nil {
			t.Errorf("one page: %v", err)
		}
	}
	f(heatmap.Query{Site: testSite, Where: "true"}, "pages")
	f(heatmap.Query{Site: testSite}, "cells in steps")
	if o := (Options{}).withDefaults(); o.MaxScans != 2 || o.MaxScansWaiting != 16 || o.MaxScanRows != 2_000_000 {
		t.Errorf("defaults are %d scans, %d that wait, %d rows", o.MaxScans, o.MaxScansWaiting, o.MaxScanRows)
	}
}

// stuckSource has readers that wait until somebody gives up.
type stuckSource struct {
	Source
	opened chan struct{}
}

func (s stuckSource) Open(position uint64, fields journal.Fields, passes func(*journal.CorruptError) bool) (Reader, error) {
	r, err := s.Source.Open(position, fields, passes)
	return stuckReader{r, s.opened}, err
}

type stuckReader struct {
	Reader
	opened chan struct{}
}

func (r stuckReader) Next(ctx context.Context, _ *heatmap.Chunk) error {
	r.opened <- struct{}{}
	<-ctx.Done()
	return context.Cause(ctx)
}

// TestScanCancel gives up a scan whose workers wait: it ends, and leaves neither a pin nor a place.
func TestScanCancel(t *testing.T) {
	t.Parallel()
	w := newScanWorld(t, 4, "shop")
	w.fill(60)
	w.seal()
	x := w.index("")
	ends, err := x.scanEnds(t.Context())
	w.must(err)
	opened := make(chan struct{}, 100)
	y := &Index{options: x.options, feeds: []*feed{{source: stuckSource{x.active().source, opened}}}}
	for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
		pl, err := x.newPlan(t.Context(), heatmap.Query{Site: "shop"})
		w.must(err)
		ctx, cancel := context.WithCancel(t.Context())
		if end == context.DeadlineExceeded {
			ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
		}
		done := make(chan error, 1)
		o := scanOptions{workers: 3, stretch: 1}.withDefaults()
		s := y.newScanning(pl, pagesAggregate{newPageCounts(pl)}, &o, ends, y.pins.add())
		go func() { done <- s.run(ctx) }()
		<-opened
		if end == context.Canceled {
			cancel()
		}
		if err := <-done; !errors.Is(err, end) {
			t.Errorf("%v, want %v", err, end)
		}
		cancel()
		s.pinned.release()
	}
	for _, after := range []int{0, 1, 3} { // an aggregate that fails
		pl, err := x.newPlan(t.Context(), heatmap.Query{Site: "shop"})
		w.must(err)
		_, err = x.scanRange(t.Context(), pl, &failing{after: after}, scanOptions{workers: 2, stretch: 1})
		if err == nil || err.Error() != fmt.Sprintf("part %d fails", after) {
			t.Errorf("%v, want the error of part %d", err, after)
		}
	}
	func() {
		defer func() {
			if p := recover(); p != "BUG: no such thing" {
				t.Errorf("panic is %v", p)
			}
		}()
		pl, err := x.newPlan(t.Context(), heatmap.Query{Site: "shop"})
		w.must(err)
		_, _ = x.scan(t.Context(), pl, eventFunc(func(*Event) error { panic("BUG: no such thing") }))
	}()
	if len(x.scans) != 0 || x.pins.least(0) == 0 {
		t.Errorf("%d scans run, and hits from %d on are pinned", len(x.scans), x.pins.least(0))
	}
}

// failing is an aggregate that takes so many parts.
type failing struct{ after, taken int }

func (f *failing) event(*Event) error { return nil }
func (f *failing) fresh() aggregate   { return new(failing) }
func (f *failing) merge(aggregate) error {
	if f.taken == f.after {
		return fmt.Errorf("part %d fails", f.after)
	}
	f.taken++
	return nil
}
