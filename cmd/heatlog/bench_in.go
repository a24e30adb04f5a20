package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
)

// What the load sends as.
const (
	benchOrigin = "https://www.0.example"
	benchAgent  = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36"
	benchSite   = "site-0"
	hitsABatch  = 20
)

// bareServerCmd is the yardstick of the part in: it reads a request's body and answers 204.
type bareServerCmd struct{}

// Run serves on a free loopback port until SIGTERM.
func (c *bareServerCmd) Run(s *streams) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	server := &fasthttp.Server{NoDefaultServerHeader: true, Handler: func(ctx *fasthttp.RequestCtx) {
		if len(ctx.Request.Body()) > 0 {
			ctx.SetStatusCode(fasthttp.StatusNoContent)
		}
	}}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	fmt.Fprintf(s.out, "heatlog listens on http://%s\n", l.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return errors.Join(l.Close())
	}
}

// inRun is what one run of requests came to.
type inRun struct {
	perSecond float64 // requests
	perCPU    float64 // requests per second of the server's CPU time
	p50, p99  time.Duration
	rss       int64 // bytes
}

// runIn posts batches of 20 hits and of one, beside a server that only reads them, and then at half of what it took.
func (b *bench) runIn() error {
	many, single := benchBodies(200), benchBodiesOf(200, 1)
	undo, err := pinSelf()
	if err != nil {
		return err
	}
	defer undo()
	for range b.Rounds {
		if err := b.inBeside(many, "in20"); err != nil {
			return err
		}
		if err := b.inBeside(single, "in1"); err != nil {
			return err
		}
		if err := b.runAlone(many, single); err != nil {
			return err
		}
	}
	rate := median(b.samples["in20"].values) / 2
	for range b.Rounds {
		if err := b.inHalf(many, hitsABatch*rate); err != nil {
			return fmt.Errorf("at %.0f requests/s: %w", rate, err)
		}
	}
	return nil
}

// inBeside runs the load against a bare server and against heatlog. The rows of batches of 20 are more than those of single hits.
func (b *bench) inBeside(bodies [][]byte, row rowID) error {
	bare, err := b.loadOnce(bodies, false)
	if err != nil {
		return fmt.Errorf("bare server: %w", err)
	}
	run, err := b.loadOnce(bodies, true)
	if err != nil {
		return err
	}
	b.note("%s: %.0f requests/s (p50 %v, p99 %v, %.0f a CPU second, peak %s), bare server %.0f (%.0f a CPU second)", row,
		run.perSecond, run.p50, run.p99, run.perCPU, byteSize(run.rss), bare.perSecond, bare.perCPU)
	b.sample(row, run.perSecond, bare.perSecond)
	b.sample(row+" cpu", run.perCPU, bare.perCPU)
	if row == "in20" {
		b.sample("in20 hits", hitsABatch*run.perSecond, 0)
		b.sample("in20 million", 1e6/hitsABatch/run.perCPU, 0)
		b.sample("in20 memory", float64(run.rss)/(1<<20), 0)
	}
	return nil
}

// loadOnce runs the load against a new server of its own.
func (b *bench) loadOnce(bodies [][]byte, heatlog bool) (run inRun, err error) {
	if !heatlog {
		server, err := startChild(b.dir, true, "bench", "bare-server")
		if err != nil {
			return run, err
		}
		defer func() { err = errors.Join(err, server.stop()) }()
		return b.load(server, bodies)
	}
	err = b.onServer(func(server *child, _ dataDir) error {
		run, err = b.load(server, bodies)
		return err
	})
	return run, err
}

// onServer starts a server of its own for use, with the site that the load sends hits of.
func (b *bench) onServer(use func(*child, dataDir) error) (err error) {
	dir, err := b.folder("in")
	if err != nil {
		return err
	}
	d := dataDir(dir)
	server, err := startChild(b.dir, true, "serve", "--listen", "127.0.0.1:0", "--data", dir, "--ack", b.Ack)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop(), os.RemoveAll(dir)) }()
	if err := addBenchSite(server, d); err != nil {
		return err
	}
	return use(server, d)
}

// newLoader gives a load of the server of so many hits a second; without a rate it is as much as the server takes. No two loads of a bench
// send the same batch.
func (b *bench) newLoader(server *child, bodies [][]byte, rate float64) *loader {
	batches := repeat(server.address(), bodies)
	b.loads++
	batches.number = b.loads << 40
	return &loader{address: server.address(), batches: batches, conns: b.Conns, rate: rate}
}

// load posts for a time, after a shorter one that does not count.
func (b *bench) load(server *child, bodies [][]byte) (run inRun, err error) {
	l := b.newLoader(server, bodies, 0)
	if _, err := loadFor(server, l, min(time.Second, b.Time/4)); err != nil {
		return run, err
	}
	before := server.cpuTime()
	result, err := loadFor(server, l, b.Time)
	if err == nil && result.requests == 0 {
		err = fmt.Errorf("no request was answered in %v", b.Time)
	}
	if err != nil {
		return run, err
	}
	cpu := max(server.cpuTime()-before, cpuTick)
	return inRun{
		perSecond: float64(result.requests) / result.took.Seconds(), perCPU: float64(result.requests) / cpu.Seconds(),
		p50: result.latency.quantile(0.5), p99: result.latency.quantile(0.99), rss: server.peakRSS(),
	}, nil
}

// loadFor posts for a time.
func loadFor(server *child, l *loader, d time.Duration) (loadResult, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	result, err := l.run(ctx)
	if err != nil {
		err = fmt.Errorf("%w; the server logged: %s", err, server.logged())
	}
	return result, err
}
