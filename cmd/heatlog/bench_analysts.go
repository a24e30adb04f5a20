package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"heatlog/cmd/heatlog/internal/stream"
)

// How the analysts ask.
const (
	analystEvery = 2 * time.Second // each
	analystHits  = 50_000          // hits that come in each second
)

// analysts are many who ask one server, each over a connection of its own.
type analysts struct {
	askers []*asker
	draws  []*rand.Rand
	pages  []string // most visited first
}

// runAnalysts asks many questions while hits come in, beside the same without hits and hits without questions.
func (b *bench) runAnalysts() (err error) {
	set, err := b.theSet()
	if err != nil {
		return err
	}
	bodies := benchBodies(200)
	undo, err := pinSelf()
	if err != nil {
		return err
	}
	defer undo()
	server, _, err := b.serveSet(set)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	all := &analysts{}
	pages := stream.New(benchStream(b.Hits))
	for i := range benchPages {
		_, page := pages.Page(i)
		all.pages = append(all.pages, page)
	}
	for i := range b.Analysts {
		a, err := newAsker(server, set.data)
		if err != nil {
			return err
		}
		all.askers, all.draws = append(all.askers, a), append(all.draws, rand.New(rand.NewPCG(1, uint64(i))))
	}
	for range b.Rounds {
		if err := b.analystRound(server, all, bodies); err != nil {
			return fmt.Errorf("%w; the server logged: %s", err, server.logged())
		}
	}
	return nil
}

// analystRound measures questions alone, hits alone and both.
func (b *bench) analystRound(server *child, all *analysts, bodies [][]byte) error {
	alone, aloneBurst, err := all.session(b.Time)
	if err != nil {
		return err
	}
	hits := func(during func() error) (float64, latencies, error) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		l := b.newLoader(server, bodies, analystHits)
		l.conns = min(l.conns, 100)
		failed := make(chan error, 1)
		var result loadResult
		go func() {
			var err error
			result, err = l.run(ctx)
			failed <- err
		}()
		err := during()
		cancel()
		err = errors.Join(err, <-failed)
		return float64(result.requests) * hitsABatch / result.took.Seconds(), result.latency, err
	}
	without, _, err := hits(func() error { return sleep(context.Background(), b.Time) })
	if err != nil {
		return err
	}
	var times, burst []float64
	with, acks, err := hits(func() (err error) {
		times, burst, err = all.session(b.Time)
		return err
	})
	if err != nil {
		return err
	}
	b.note("analysts: p99 %.1f ms, alone %.1f; a burst %.1f ms, alone %.1f; %.0f hits/s came in, alone %.0f; acknowledgements' p99 %v",
		quantile(times, 0.99), quantile(alone, 0.99), quantile(burst, 0.99), quantile(aloneBurst, 0.99), with, without, acks.quantile(0.99))
	b.sample("analysts", quantile(times, 0.99), quantile(alone, 0.99))
	b.sample("analysts burst", quantile(burst, 0.99), quantile(aloneBurst, 0.99))
	b.sample("analysts kept", with, without)
	return nil
}

// session has everyone ask for a time, one question in each two seconds, at moments that are spread evenly, and then all one question
// in the same instant. The times are from the planned moment to the answer's last byte, ms.
func (all *analysts) session(d time.Duration) (spread, burst []float64, err error) {
	n := len(all.askers)
	start := time.Now()
	spread, err = all.each(func(i int, ask func(planned time.Time) error) error {
		first := start.Add(analystEvery * time.Duration(i) / time.Duration(n))
		for at := first; at == first || at.Before(start.Add(d)); at = at.Add(analystEvery) {
			if err := ask(at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	start = time.Now().Add(10 * time.Millisecond)
	burst, err = all.each(func(_ int, ask func(time.Time) error) error { return ask(start) })
	return spread, burst, err
}

// each runs fn for every analyst at once and gives the times of what was asked, ms.
func (all *analysts) each(fn func(i int, ask func(planned time.Time) error) error) (times []float64, err error) {
	var mu sync.Mutex
	var done sync.WaitGroup
	for i, a := range all.askers {
		done.Go(func() {
			failed := fn(i, func(planned time.Time) error {
				_ = sleep(context.Background(), time.Until(planned)) // this context never ends
				_, _, err := a.ask(all.question(all.draws[i]))
				mu.Lock()
				defer mu.Unlock()
				times = append(times, ms(time.Since(planned)))
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			err = cmp.Or(err, failed) // all others fail alike
		})
	}
	done.Wait()
	return times, err
}

// question draws what an analyst asks: 7 in 10 are maps of a page, half of these in one width band, 2 scroll curves and 1 the list of
// pages; a map has the API's default limit. Half are about the ninety days, half about everything up to now. Pages are drawn as their visitors are.
func (all *analysts) question(r *rand.Rand) question {
	zipf := rand.NewZipf(r, 1.1, 1, uint64(len(all.pages)-1))
	q := mapOf(all.pages[zipf.Uint64()])
	switch n := r.IntN(10); {
	case n < 3:
		q = q.with("vw", fmt.Sprintf("%d-%d", benchLow, benchHigh))
	case n < 7: // all widths
	case n < 9:
		q.path = "/v1/scroll"
	default:
		q.path = "/v1/pages"
		delete(q.params, "url")
	}
	if r.IntN(2) == 0 {
		delete(q.params, "from")
		delete(q.params, "to")
	}
	return q
}
