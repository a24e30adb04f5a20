package main

import (
	"context"
	"errors"
	"fmt"
	"net"
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

// bareServerCmd is the yardstick of the row in: it reads a request's body and answers 204.
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

// runIn posts batches of 20 hits, beside a server that only reads them.
func (b *bench) runIn() error {
	bodies := benchBodies(200)
	undo, err := pinSelf()
	if err != nil {
		return err
	}
	defer undo()
	var bare, ours []inRun
	for round := range b.Rounds {
		yard, err := b.loadOnce(bodies, false)
		if err != nil {
			return fmt.Errorf("bare server: %w", err)
		}
		run, err := b.loadOnce(bodies, true)
		if err != nil {
			return err
		}
		b.note("in, round %d: %.0f requests/s (p50 %v, p99 %v, %.0f a CPU second, peak %s), bare server %.0f (%.0f a CPU second)",
			round+1, run.perSecond, run.p50, run.p99, run.perCPU, byteSize(run.rss), yard.perSecond, yard.perCPU)
		bare, ours = append(bare, yard), append(ours, run)
	}
	b.inRows(bare, ours)
	return b.runAcks(bodies)
}

// runAcks posts batches over few and many connections in both modes of --ack, one beside the other.
func (b *bench) runAcks(bodies [][]byte) error {
	for _, conns := range []int{64, 1000} {
		perSecond := map[string][]float64{}
		for round := range b.Rounds {
			for _, ack := range []string{"sync", "write"} {
				flags := *b.benchRunCmd
				flags.Ack, flags.Conns = ack, conns
				in := &bench{benchRunCmd: &flags, log: b.log, dir: b.dir}
				run, err := in.loadOnce(bodies, true)
				if err != nil {
					return fmt.Errorf("%s over %d connections: %w", ack, conns, err)
				}
				b.note("in, %s, %d connections, round %d: %.0f requests/s (p50 %v, p99 %v)", ack, conns, round+1, run.perSecond, run.p50, run.p99)
				perSecond[ack] = append(perSecond[ack], run.perSecond)
			}
		}
		b.rows = append(b.rows, atLeast(fmt.Sprintf("in requests of 20 hits, sync, %d connections", conns),
			median(perSecond["sync"]), "requests/s", median(perSecond["write"]), "write", 0.1))
	}
	return nil
}

// inRows adds the rows of requests.
func (b *bench) inRows(bare, ours []inRun) {
	perSecond := func(r inRun) float64 { return r.perSecond }
	perCPU := func(r inRun) float64 { return r.perCPU }
	p50 := func(r inRun) float64 { return float64(r.p50) / 1e6 }
	p99 := func(r inRun) float64 { return float64(r.p99) / 1e6 }
	cpuPerMillion := func(r inRun) float64 { return 1e6 / hitsABatch / r.perCPU }
	b.rows = append(b.rows,
		atLeast("in requests of 20 hits, "+b.Ack, medianOf(ours, perSecond), "requests/s", medianOf(bare, perSecond), "bare fasthttp", 0.25),
		atLeast("in hits, "+b.Ack, hitsABatch*medianOf(ours, perSecond), "hits/s", 500_000, "half a million", 1),
		atLeast("in requests of server CPU, "+b.Ack, medianOf(ours, perCPU), "requests/CPU s", medianOf(bare, perCPU), "bare fasthttp", 0.25),
		atMost("in server CPU, "+b.Ack, medianOf(ours, cpuPerMillion), "CPU s/million hits", 2, "2 s", 1),
		atMost("in p50, "+b.Ack, medianOf(ours, p50), "ms", medianOf(bare, p50), "bare fasthttp", 4),
		atMost("in p99, "+b.Ack, medianOf(ours, p99), "ms", 100, "100 ms", 1),
		atMost("in peak memory, "+b.Ack, medianOf(ours, func(r inRun) float64 { return float64(r.rss) / (1 << 20) }), "MiB", 400, "400 MiB", 1),
	)
}

// loadOnce runs the load against a new server of its own.
func (b *bench) loadOnce(bodies [][]byte, heatlog bool) (run inRun, err error) {
	dir, err := b.folder("in")
	if err != nil {
		return run, err
	}
	args := []string{"bench", "bare-server"}
	if heatlog {
		args = []string{"serve", "--listen", "127.0.0.1:0", "--data", dir, "--ack", b.Ack}
	}
	server, err := startChild(b.dir, true, args...)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	if heatlog {
		if err := addBenchSite(server, dataDir(dir)); err != nil {
			return run, err
		}
	}
	return b.load(server, bodies)
}

// load posts for a time, after a shorter one that does not count.
func (b *bench) load(server *child, bodies [][]byte) (run inRun, err error) {
	l := &loader{address: server.address(), bodies: bodies, mark: []byte(bodyMark), conns: b.Conns}
	warm, cancel := context.WithTimeout(context.Background(), min(time.Second, b.Time/4))
	_, err = l.run(warm)
	cancel()
	if err != nil {
		return run, err
	}
	before := server.cpuTime()
	ctx, cancel := context.WithTimeout(context.Background(), b.Time)
	defer cancel()
	result, err := l.run(ctx)
	if err != nil {
		return run, fmt.Errorf("%w; the server logged: %s", err, server.logged())
	}
	cpu := server.cpuTime() - before
	return inRun{
		perSecond: float64(result.requests) / result.took.Seconds(), perCPU: float64(result.requests) / cpu.Seconds(),
		p50: result.latency.quantile(0.5), p99: result.latency.quantile(0.99), rss: server.peakRSS(),
	}, nil
}
