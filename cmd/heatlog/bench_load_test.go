package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// countedBatches gives so many requests, each with its number.
type countedBatches struct {
	address string
	left    int
}

func (b *countedBatches) next() (request []byte, hits int) {
	if b.left == 0 {
		return nil, 0
	}
	b.left--
	return appendRequest(nil, b.address, benchOrigin, benchAgent, fmt.Appendf(nil, "%d %s", b.left, strings.Repeat("x", 100<<10*(b.left%2)))), 3
}

// loadServer answers requests of a load and gives its address.
func loadServer(t *testing.T, handler fasthttp.RequestHandler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &fasthttp.Server{Handler: handler}
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Shutdown(); err != nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// TestLoader sends each batch once, whatever the connections and the rate are, also those that are too long for one write.
func TestLoader(t *testing.T) {
	const n = 300
	for _, c := range []struct {
		conns int
		rate  float64
	}{{1, 0}, {7, 0}, {2 * n, 0}, {1, 1e6}, {7, 1e4}, {2 * n, 1e5}} {
		var mu sync.Mutex
		seen := map[string]int{}
		address := loadServer(t, func(ctx *fasthttp.RequestCtx) {
			number, _, _ := strings.Cut(string(ctx.Request.Body()), " ")
			mu.Lock()
			seen[number]++
			mu.Unlock()
			ctx.SetStatusCode(fasthttp.StatusNoContent)
		})
		l := &loader{address: address, batches: &countedBatches{address, n}, conns: c.conns, rate: c.rate}
		result, err := l.run(t.Context())
		if err != nil || result.requests != n || result.hits != 3*n || len(seen) != n {
			t.Errorf("%d connections, rate %v: %d requests, %d hits, %d bodies, %v", c.conns, c.rate, result.requests, result.hits, len(seen), err)
		}
		for number, times := range seen {
			if times != 1 {
				t.Errorf("batch %s was sent %d times", number, times)
			}
		}
		if result.latency.quantile(0) == 0 || result.latency.quantile(1) > result.took+result.took/8+time.Millisecond {
			t.Errorf("latencies are %v to %v in %v", result.latency.quantile(0), result.latency.quantile(1), result.took)
		}
	}
}

func TestLoaderRefused(t *testing.T) {
	address := loadServer(t, func(ctx *fasthttp.RequestCtx) { ctx.Error("no such site", 403) })
	l := &loader{address: address, batches: &countedBatches{address, 10}, conns: 3}
	if _, err := l.run(t.Context()); err == nil || !strings.Contains(err.Error(), "403") {
		t.Errorf("a load that is refused ends with %v", err)
	}
}

func TestLoaderEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address := loadServer(t, func(request *fasthttp.RequestCtx) {
		cancel()
		request.SetStatusCode(fasthttp.StatusNoContent)
	})
	l := &loader{address: address, batches: repeat(address, benchBodies(3)), conns: 3}
	if result, err := l.run(ctx); err != nil || result.hits < hitsABatch {
		t.Errorf("a load that was ended sent %d hits and gives %v", result.hits, err)
	}
}

// TestPlan holds that requests of hits are as far apart as the rate of hits says.
func TestPlan(t *testing.T) {
	p := newPlan(1000)
	for _, c := range []struct {
		hits int64
		want time.Duration
	}{{0, 0}, {20, 20 * time.Millisecond}, {1, 21 * time.Millisecond}, {979, time.Second}} {
		p.hits += c.hits
		if at := p.at().Sub(p.begin); at != c.want {
			t.Errorf("after %d hits the next request goes out at %v, want %v", p.hits, at, c.want)
		}
		if p.due(p.begin.Add(c.want-1)) || !p.due(p.begin.Add(c.want)) {
			t.Errorf("the request is not due at %v", c.want)
		}
	}
}
