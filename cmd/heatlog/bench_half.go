package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"time"

	"github.com/valyala/fasthttp"

	"heatlog/cmd/heatlog/internal/stream"
	"heatlog/collector"
	"heatlog/heatmap"
)

// inHalf posts so many hits a second, from planned times on, and meanwhile looks for single hits in answers.
func (b *bench) inHalf(bodies [][]byte, rate float64) error {
	return b.onServer(func(server *child, d dataDir) error {
		a, err := newAsker(server, d)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), b.Time+time.Second)
		defer cancel()
		var result loadResult
		failed := make(chan error, 1)
		go func() {
			l := b.newLoader(server, bodies, rate)
			var err error
			result, err = l.run(ctx)
			failed <- err
		}()
		times, err := seen(ctx, a)
		cancel()
		if err := errors.Join(err, <-failed); err != nil {
			return fmt.Errorf("%w; the server logged: %s", err, server.logged())
		}
		p50, p99 := ms(result.latency.quantile(0.5)), ms(result.latency.quantile(0.99))
		b.note("half: %.0f of %.0f requests/s planned, p50 %.2f ms, p99 %.2f ms; %d hits looked for, p99 %.2f ms",
			float64(result.requests)/result.took.Seconds(), rate/hitsABatch, p50, p99, len(times), quantile(times, 0.99))
		b.sample("half p50", p50, 0)
		b.sample("half p99", p99, 0)
		b.sample("visible p50", median(times), 0)
		b.sample("visible p99", quantile(times, 0.99), 0)
		return nil
	})
}

// seen posts one hit after the other, each on a page that has none, and gives how long after its 204 an answer counts it, ms.
func seen(ctx context.Context, a *asker) (times []float64, err error) {
	for n := 0; ctx.Err() == nil || len(times) == 0; n++ {
		page := fmt.Sprintf("%s/seen/%d", benchOrigin, n%50)
		if err := a.send("/v1/in", http.StatusNoContent, fmt.Appendf(nil, `{"site":%q,"url":%q,"view":"v%d","b":"seen-%d","hits":[{"age":0,"kind":"click","x":8,"y":8}]}`, benchSite, page, n, n)); err != nil {
			return nil, err
		}
		begin := time.Now()
		q := question{"/v1/heatmap", nil}.with("site", benchSite, "url", page, "limit", "0")
		for hits := 0; hits <= n/50; {
			if hits, err = a.hits(q); err != nil {
				return nil, err
			}
		}
		times = append(times, ms(time.Since(begin)))
		if err := sleep(context.Background(), 5*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return times, nil
}

// noJournal takes hits and keeps none.
type noJournal struct{}

// Put takes everything.
func (noJournal) Put([]heatmap.Batch) (wait func() error, err error) { return taken, nil }

func taken() error { return nil }

// runAlone has the collector parse, check and scrub batches without network, journal and index.
func (b *bench) runAlone(many, single [][]byte) error {
	dir, err := b.folder("alone")
	if err != nil {
		return err
	}
	sites, err := dataDir(dir).openSites()
	if err != nil {
		return err
	}
	if err := sites.Put(stream.New(stream.Options{Sites: 1, Pages: 1}).Sites()[0]); err != nil {
		return err
	}
	perSecond, allocs, err := takeAlone(sites, many, b.Time/4)
	if err != nil {
		return err
	}
	_, allocsOfOne, err := takeAlone(sites, single, b.Time/8)
	if err != nil {
		return err
	}
	b.sample("in20 parse", hitsABatch*perSecond, 0)
	b.sample("in20 allocs", max((allocs-allocsOfOne)/(hitsABatch-1), 0), 0)
	b.sample("in1 allocs", allocsOfOne, 0)
	return nil
}

// takeAlone takes batches on one core for a time, and gives how many there were a CPU second and the allocations of one.
func takeAlone(sites *collector.Sites, bodies [][]byte, d time.Duration) (perSecond, allocs float64, err error) {
	c := collector.New(collector.Options{Journal: noJournal{}, Sites: sites})
	ctxs := make([]fasthttp.RequestCtx, len(bodies))
	for i, body := range bodies {
		r := &ctxs[i].Request
		r.Header.SetMethod(http.MethodPost)
		r.Header.Set("Origin", benchOrigin)
		r.Header.SetUserAgent(benchAgent)
		r.Header.SetContentType("text/plain;charset=UTF-8")
		r.SetBodyRaw(body)
	}
	procs := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(procs)
	var batches float64
	var before, after runtime.MemStats
	var begin time.Time
	var cpu time.Duration
	self := os.Getpid()
	for warm := true; warm || time.Since(begin) < d; warm = false {
		for i := range ctxs {
			ctxs[i].Response.Reset()
			if c.In(&ctxs[i]); ctxs[i].Response.StatusCode() != http.StatusNoContent {
				return 0, 0, fmt.Errorf("collector answered %d: %s", ctxs[i].Response.StatusCode(), oneLine(string(ctxs[i].Response.Body())))
			}
		}
		if warm { // what is made once does not count
			runtime.ReadMemStats(&before)
			begin, cpu = time.Now(), cpuTime(self)
			continue
		}
		batches += float64(len(bodies))
	}
	took := time.Since(begin)
	if cpu > 0 { // else the system does not say
		took = max(cpuTime(self)-cpu, cpuTick)
	}
	runtime.ReadMemStats(&after)
	return batches / took.Seconds(), float64(after.Mallocs-before.Mallocs) / batches, nil
}
