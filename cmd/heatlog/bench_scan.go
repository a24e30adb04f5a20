package main

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/index/pebblestore"
	"heatlog/journal"
)

// scanWhere is the expression of the bench's scan, and scanFields what a scan for a map reads for it of hits.
const (
	scanWhere  = "vw < 800 && y > 1000"
	scanFields = journal.FieldTime | journal.FieldSite | journal.FieldURL | journal.FieldView | journal.FieldVisitor | journal.FieldAgent | journal.FieldTags |
		journal.FieldViewport | journal.FieldFlags | journal.FieldPlace | journal.FieldID | journal.FieldBatch
)

// scanRounds asks for a map by an expression that no blob can answer, on all cores, beside decoding the columns that it needs alone.
func (b *bench) scanRounds(j *journal.Journal, dir string) (err error) {
	store, err := pebblestore.Open(dir, pebblestore.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	x, err := index.Open(context.Background(), index.Options{
		Store: store, Source: index.JournalSource(j, nil), CacheBytes: benchCache, RepeatBytes: benchCache, FlushEvery: time.Hour,
	})
	if err != nil {
		return err
	}
	defer x.Abort()
	for x.Lag() > 0 {
		time.Sleep(time.Millisecond)
	}
	for range b.Rounds {
		alone, err := decodeSpans(j)
		if err != nil {
			return err
		}
		before, start := x.Stats().ScannedHits, time.Now()
		a, err := x.Heatmap(context.Background(), heatmap.Query{Site: benchSite, Where: scanWhere})
		if err != nil {
			return err
		}
		took := time.Since(start)
		if a.Hits == 0 {
			return errors.New("the scan finds no hits")
		}
		read := float64(x.Stats().ScannedHits - before)
		b.note("scan: %.0f hits/s of %.0f, decode of the columns alone %.0f", read/took.Seconds(), read, float64(j.Durable())/alone.Seconds())
		b.sample("scan", read/took.Seconds(), float64(j.Durable())/alone.Seconds())
	}
	return nil
}

// decodeSpans decodes what scanFields needs of all hits, on all cores.
func decodeSpans(j *journal.Journal) (time.Duration, error) {
	start := time.Now()
	spans := j.Spans(0, j.Durable())
	var next atomic.Int64
	var running sync.WaitGroup
	errs := make([]error, runtime.NumCPU())
	for i := range errs {
		running.Go(func() {
			for k := next.Add(1) - 1; k < int64(len(spans)) && errs[i] == nil; k = next.Add(1) - 1 {
				errs[i] = decodeSpan(j, &spans[k])
			}
		})
	}
	running.Wait()
	return time.Since(start), errors.Join(errs...)
}

// decodeSpan decodes one span.
func decodeSpan(j *journal.Journal, s *journal.Span) error {
	r, err := j.ReadFields(s.From, scanFields)
	if err != nil {
		return err
	}
	defer r.Close()
	var c heatmap.Chunk
	for c.End() < s.To {
		if err := r.Next(context.Background(), &c); err != nil {
			return err
		}
	}
	return nil
}
