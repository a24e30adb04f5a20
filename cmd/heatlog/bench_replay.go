package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/index/pebblestore"
	"heatlog/journal"
	"heatlog/replay"
)

// replayReach is how many hits a second a replay of four months, 51.3 million hits, must read to take 25 s.
const replayReach = 51_300_000.0 / 25

// runReplay builds a generation from a sealed journal of four months, from the start of the replay until it has caught up, and
// has it compared with the active one until it can be switched to.
func (b *bench) runReplay() error {
	dir, err := b.folder("replay")
	if err != nil {
		return err
	}
	j, err := b.sealMonths(filepath.Join(dir, "journal"))
	if err != nil {
		return err
	}
	defer j.Close()
	var rates, compared []float64
	for round := range b.Rounds {
		alone, err := timeDecode(j)
		if err != nil {
			return err
		}
		store, err := b.folder("store")
		if err != nil {
			return err
		}
		before := cpuTime(os.Getpid())
		took, comparing, err := timeReplay(j, store)
		if err != nil {
			return err
		}
		n := float64(b.Hits)
		b.note("replay, round %d: then compared in %.2f s, %.0f hits/s", round+1, comparing.Seconds(), n/comparing.Seconds())
		compared = append(compared, n/comparing.Seconds())
		b.note("replay, round %d: %.2f s, %.0f hits/s, %.2f CPU s/million hits; decode alone %.2f s, %.0f hits/s", round+1, took.Seconds(),
			n/took.Seconds(), (cpuTime(os.Getpid())-before).Seconds()*1e6/n, alone.Seconds(), n/alone.Seconds())
		rates = append(rates, n/took.Seconds())
	}
	b.rows = append(b.rows, atLeast("replay: sealed journal to a generation", median(rates), "hits/s", replayReach, "51.3 million in 25 s", 1),
		atLeast("replay: generation compared before the switch", median(compared), "hits/s", replayReach/2, "51.3 million in 50 s", 1))
	return nil
}

// sealMonths makes a sealed journal whose append time goes with the stream: 120 days.
func (b *bench) sealMonths(dir string) (*journal.Journal, error) {
	source := newBenchHits(b.Hits)
	j, err := journal.Open(dir, journal.Options{
		Ack: journal.AckWrite, Now: func() time.Time { return time.UnixMilli(source.stream.Time()) },
	})
	if err != nil {
		return nil, err
	}
	for {
		batches := source.next(1000)
		if len(batches) == 0 {
			_, err := j.Seal(context.Background())
			return j, err
		}
		if _, err := j.Append(batches); err != nil {
			return nil, errors.Join(err, j.Close())
		}
	}
}

// timeReplay builds a generation beside one that has nothing left to do, and then has it compared with that.
func timeReplay(j *journal.Journal, storeDir string) (took, comparing time.Duration, err error) {
	store, err := pebblestore.Open(storeDir, pebblestore.Options{})
	if err != nil {
		return 0, 0, err
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
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, g.Close(ctx)) }()
	for g.Lag() > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	start := time.Now()
	v, err := g.Start(ctx, heatmap.Replay{})
	for err == nil && v.State != heatmap.StateReady {
		if v.State == heatmap.StateFailed {
			return 0, 0, errors.New(v.Reason)
		}
		time.Sleep(10 * time.Millisecond)
		v, err = g.Get(ctx, v.ID)
	}
	if err != nil {
		return 0, 0, err
	}
	took = time.Since(start)
	report, err := g.Report(ctx, v.ID)
	if err != nil {
		return 0, 0, err
	}
	comparing = time.Duration(report.TookMS) * time.Millisecond
	return took - comparing, comparing, nil
}
