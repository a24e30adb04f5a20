package main

import (
	"context"
	"errors"
	"os"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/index/pebblestore"
	"heatlog/journal"
	"heatlog/replay"
)

// runReplay builds generations from the set's sealed journal on all cores, each from the start of the replay until it has caught up,
// and has it compared with the active one until it can be switched to; beside reading the same journal on one core.
func (b *bench) runReplay() (err error) {
	set, err := b.theSet()
	if err != nil {
		return err
	}
	j, err := journal.Open(set.data.journal(), journal.Options{Ack: journal.AckWrite})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	store, err := pebblestore.Open(set.data.store(), pebblestore.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	ctx := context.Background()
	g, err := replay.Open(ctx, replay.Options{
		Index: index.Options{Store: store},
		Sources: func(damaged func(*journal.CorruptError)) (index.Source, []index.Source) {
			return index.JournalSource(j, damaged), nil
		},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, g.Close(ctx)) }()
	for range b.Rounds {
		if err := b.replayRound(ctx, j, g); err != nil {
			return err
		}
	}
	return nil
}

// replayRound builds a generation and drops it.
func (b *bench) replayRound(ctx context.Context, j *journal.Journal, g *replay.Generations) error {
	alone, err := timeDecode(j)
	if err != nil {
		return err
	}
	before := cpuTime(os.Getpid())
	id, took, comparing, err := timeReplay(ctx, g)
	if err != nil {
		return err
	}
	n := float64(j.Durable())
	b.note("replay: %.2f s, %.0f hits/s, and %.2f s to compare; %.2f CPU s/million hits in all; decode alone %.2f s", took.Seconds(),
		n/took.Seconds(), comparing.Seconds(), (cpuTime(os.Getpid())-before).Seconds()*1e6/n, alone.Seconds())
	b.sample("replay", n/took.Seconds(), n/alone.Seconds())
	b.sample("replay compared", n/comparing.Seconds(), 0)
	return g.Drop(ctx, id)
}

// timeReplay builds a generation beside one that has nothing left to do, and then has it compared with that.
func timeReplay(ctx context.Context, g *replay.Generations) (id string, took, comparing time.Duration, err error) {
	for g.Lag() > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	start := time.Now()
	v, err := g.Start(ctx, heatmap.Replay{})
	for err == nil && v.State != heatmap.StateReady {
		if v.State == heatmap.StateFailed {
			return "", 0, 0, errors.New(v.Reason)
		}
		time.Sleep(10 * time.Millisecond)
		v, err = g.Get(ctx, v.ID)
	}
	if err != nil {
		return "", 0, 0, err
	}
	took = time.Since(start)
	report, err := g.Report(ctx, v.ID)
	if err != nil {
		return "", 0, 0, err
	}
	comparing = time.Duration(report.TookMS) * time.Millisecond
	return v.ID, took - comparing, max(comparing, time.Millisecond), nil
}
