package index

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"heatlog/heatmap"
)

// checkDifference asks for the difference of a query and one of other days, from blobs or by a scan, and compares both
// sides with recounts at the one position that they name.
func checkDifference(ctx context.Context, x *Index, l *memLog, r *rand.Rand, q heatmap.Query) error {
	minus := q
	first := heatmap.Date(1_769_500_000_000 / 86_400_000)
	minus.From = heatmap.Bound{Set: r.IntN(2) == 0, IsDate: true, Date: first + heatmap.Date(r.IntN(5))}
	minus.To = heatmap.Bound{Set: r.IntN(2) == 0, IsDate: true, Date: first + heatmap.Date(5+r.IntN(5))}
	if r.IntN(8) == 0 {
		minus.Where = "true"
	}
	d, err := Difference(ctx, x, q, x, minus)
	if err != nil {
		return fmt.Errorf("%w: difference of %+v and %+v: %w", errUnanswered, q, minus, err)
	}
	if !maps.Equal(d.Shown.Positions, d.Minus.Positions) {
		return fmt.Errorf("difference is of positions %v and %v", d.Shown.Positions, d.Minus.Positions)
	}
	position := d.Shown.Positions[l.ID()]
	shown, shownHits, views, visitors := l.recount(q, q.Kind, position)
	other, otherHits, _, _ := l.recount(minus, q.Kind, position)
	if d.Shown.Hits != shownHits || d.Minus.Hits != otherHits || d.Shown.Views != views || d.Shown.Visitors != uint64(len(visitors)) {
		return fmt.Errorf("difference of %+v and %+v at %d: %d and %d hits, %d views, %d visitors; recount %d and %d, %d, %d",
			q, minus, position, d.Shown.Hits, d.Minus.Hits, d.Shown.Views, d.Shown.Visitors, shownHits, otherHits, views, len(visitors))
	}
	for side, q := range map[*heatmap.Heatmap]heatmap.Query{d.Shown: q, d.Minus: minus} {
		if want := l.recountSampled(q, time.UTC, position); side.Sampled != want {
			return fmt.Errorf("difference of %+v and %+v: sampled %v, recount %v", d.Shown, d.Minus, side.Sampled, want)
		}
	}
	if shownHits == 0 || otherHits == 0 {
		if d.Points != nil || shownHits == 0 && d.Shown.Why == nil || otherHits == 0 && d.Minus.Why == nil {
			return fmt.Errorf("difference of %d and %d hits has %d points, why %v and %v", shownHits, otherHits, len(d.Points), d.Shown.Why, d.Minus.Why)
		}
		return nil
	}
	for _, p := range d.Points {
		at := [2]int{p.X, p.Y}
		if shown[at] != p.Hits || other[at] != p.Minus || p.Share != float64(p.Hits)/float64(shownHits)-float64(p.Minus)/float64(otherHits) {
			return fmt.Errorf("difference at %v: %+v; recount %d of %d and %d of %d", at, p, shown[at], shownHits, other[at], otherHits)
		}
		delete(shown, at)
		delete(other, at)
	}
	if len(shown)+len(other) > 0 {
		return fmt.Errorf("difference lacks the cells %v and %v", shown, other)
	}
	return nil
}

// TestDifferenceOfGenerations takes the difference of indexes with other rules and cells: it is brought to the coarser
// cells, and each side says its own.
func TestDifferenceOfGenerations(t *testing.T) {
	log, rng := newMemLog(), rand.New(rand.NewPCG(3, 3))
	fine := openTest(t, Options{Store: newMapStore(), Source: log})
	coarse := openTest(t, Options{Store: newMapStore(), Source: log, Generation: "g2", Rules: mustParseRules(t, "cell: 32")})
	q := heatmap.Query{Site: testSite, URL: testPage(0)}
	for _, flushed := range []bool{false, true, false} { // none is stored, all are, some are live again
		for range 20 {
			log.append(randomBatch(rng, 2))
		}
		for _, x := range []*Index{fine, coarse} {
			waitApplied(t, x)
			if !flushed {
				continue
			}
			if err := x.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		_, hits, _, _ := log.recount(q, heatmap.KindClick, log.Durable())
		for _, minus := range []*Index{coarse, fine} {
			shown := fine
			if minus == fine {
				shown = coarse
			}
			d, err := Difference(t.Context(), shown, q, minus, q)
			if err != nil {
				t.Fatal(err)
			}
			if d.Cell != 32 || d.Shown.Cell+d.Minus.Cell != 40 || d.Shown.Generation == d.Minus.Generation {
				t.Errorf("cells of %d px from %d and %d, of %s and %s", d.Cell, d.Shown.Cell, d.Minus.Cell, d.Shown.Generation, d.Minus.Generation)
			}
			if d.Max() != 0 || d.Moved() != 0 {
				t.Errorf("the same hits differ by %v, %v moved", d.Max(), d.Moved())
			}
			sum := uint64(0)
			for _, p := range d.Points {
				sum += p.Hits
			}
			if sum != hits || d.Shown.Hits != hits || d.Minus.Hits != hits {
				t.Errorf("%d hits at points, %d and %d in all, recount %d", sum, d.Shown.Hits, d.Minus.Hits, hits)
			}
		}
	}
	f := func(field, message string, q, minus heatmap.Query) {
		t.Helper()
		_, err := Difference(t.Context(), fine, q, coarse, minus)
		var param *heatmap.ParamError
		if !errors.As(err, &param) || param.Field != field || !strings.Contains(param.Message, message) {
			t.Errorf("error is %v, want %s of %s", err, message, field)
		}
	}
	with := func(change func(*heatmap.Query)) heatmap.Query {
		q := q
		change(&q)
		return q
	}
	f("minus_where", "unknown name", q, with(func(q *heatmap.Query) { q.Where = "colour == 1" }))
	f("where", "unknown name", with(func(q *heatmap.Query) { q.Where = "colour == 1" }), q)
	f("minus_from", "not before", q, with(func(q *heatmap.Query) {
		q.From, q.To = heatmap.Bound{Set: true, Instant: 2}, heatmap.Bound{Set: true, Instant: 1}
	}))
	f("cell", "kept at 32 px", with(func(q *heatmap.Query) { q.Cell = 8 }), q)
	f("kind", "no points", with(func(q *heatmap.Query) { q.Kind = heatmap.KindView }), q)
}
