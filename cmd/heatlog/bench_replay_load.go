package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"heatlog/heatmap"
)

// runBeside posts batches to a server while generations are built from its journal, one after the other, beside the same
// without them. Server and load share all cores: on one of its own, the server would have little left to build with.
func (b *bench) runBeside() error {
	bodies := benchBodies(200)
	for range b.Rounds {
		alone, err := b.besideOnce(bodies, false)
		if err != nil {
			return err
		}
		run, err := b.besideOnce(bodies, true)
		if err != nil {
			return err
		}
		b.note("in beside a replay: %.0f requests/s, p99 %v; without %.0f, %v; %d replays were begun, %d ended, %.1f million hits read",
			run.perSecond, run.p99, alone.perSecond, alone.p99, run.begun, run.ended, float64(run.hits)/1e6)
		b.sample("beside", run.perSecond, alone.perSecond)
		b.sample("beside p99", ms(run.p99), ms(alone.p99))
	}
	return nil
}

// besideRun is what a run of requests came to, and the replays that went on meanwhile.
type besideRun struct {
	inRun
	begun, ended int
	hits         uint64 // that they read
}

// besideOnce runs the load against a server whose journal has the bench's hits.
func (b *bench) besideOnce(bodies [][]byte, replaying bool) (run besideRun, err error) {
	dir, err := b.folder("beside")
	if err != nil {
		return run, err
	}
	if err := b.sealMonths(dataDir(dir)); err != nil {
		return run, err
	}
	server, err := startChild(b.dir, false, "serve", "--listen", "127.0.0.1:0", "--data", dir, "--ack", b.Ack)
	if err != nil {
		return run, err
	}
	defer func() { err = errors.Join(err, server.stop(), os.RemoveAll(dir)) }()
	flags := serverFlags{URL: server.base, Data: dataDir(dir)}
	cl, err := flags.client()
	if err != nil {
		return run, err
	}
	if err := addBenchSite(server, dataDir(dir)); err != nil {
		return run, err
	}
	all := &serverGenerations{cl}
	if err := waitCounted(all, uint64(b.ApplyHits)); err != nil {
		return run, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	replays := make(chan error, 1)
	if replaying {
		go func() { replays <- run.replays(ctx, all) }()
	} else {
		replays <- nil
	}
	if run.inRun, err = b.load(server, bodies); err != nil {
		return run, err
	}
	cancel()
	return run, <-replays
}

// sealMonths makes a sealed journal whose append time goes with the stream: 120 days.
func (b *bench) sealMonths(d dataDir) (err error) {
	source := newBenchHits(b.ApplyHits)
	j, err := source.open(d.journal())
	if err != nil {
		return err
	}
	if err := errors.Join(source.appendTo(j, lastHits), j.Close()); err != nil {
		return err
	}
	if j, err = source.sealed(d.journal()); err != nil {
		return err
	}
	return j.Close()
}

// replays builds one generation after the other until ctx ends.
func (r *besideRun) replays(ctx context.Context, all generations) error {
	for {
		g, err := all.Start(ctx, heatmap.Replay{})
		if err == nil {
			r.begun++
		}
		for err == nil && g.State != heatmap.StateReady {
			if g.State == heatmap.StateFailed {
				return fmt.Errorf("generation %s failed: %s", g.ID, g.Reason)
			}
			if err = sleep(ctx, 20*time.Millisecond); err == nil {
				var next heatmap.Generation
				if next, err = all.Get(ctx, g.ID); err == nil {
					g = next
				}
			}
		}
		r.hits += g.Progress.Hits
		if err == nil {
			r.ended++
			err = all.Drop(ctx, g.ID)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// waitCounted waits until the active generation has counted so many hits.
func waitCounted(all generations, hits uint64) error {
	ctx := context.Background()
	for {
		list, err := all.List(ctx)
		if err != nil {
			return err
		}
		for _, g := range list {
			if g.State == heatmap.StateActive && g.Progress.Hits >= hits {
				return nil
			}
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

// sleep waits, or gives the error of ctx if that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
