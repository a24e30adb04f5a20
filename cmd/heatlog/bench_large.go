package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"heatlog/cmd/heatlog/internal/stream"
)

// Of the row about memory.
const (
	manyPageCount = 200_000
	memoryCache   = "64MiB"
)

// largeCell is the side of the cells that are asked for where hits are many, px: a page with 17 million of them has more cells than a
// blob holds at the usual size.
const largeCell = "16"

// runLarge asks about many hits what is asked about fewer, in turns, on one core.
func (b *bench) runLarge() (err error) {
	set, err := b.theSet()
	if err != nil {
		return err
	}
	large, err := b.fill("large", benchStream(b.LargeHits), oneSegment)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(string(large.data))) }()
	b.sample("large blobs", float64(large.stored.days+large.stored.months)/float64(large.hits), 0)
	undo, err := pinSelf()
	if err != nil {
		return err
	}
	defer undo()
	small, askSmall, err := b.serveSet(set)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, small.stop()) }()
	big, askBig, err := b.serveSet(large)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, big.stop()) }()
	for _, q := range []timedQuestion{
		{question: hotQuestion().with("cell", largeCell), p50: "large hot"},
		{question: hotQuestion().with("cell", largeCell, "limit", "4000"), p50: "large first", fresh: true, share: 4},
	} {
		for range b.Rounds {
			few, err := b.askOften(askSmall, q)
			if err != nil {
				b.fail(q.p50, err)
				break
			}
			many, err := b.askOften(askBig, q)
			if err != nil {
				b.fail(q.p50, err)
				break
			}
			b.sample(q.p50, median(many), median(few))
		}
	}
	b.note("the server of %s hits: peak memory %s", millions(large.hits), byteSize(big.peakRSS()))
	return nil
}

// runMemory lets a server with a small cache count hits of many pages beside what it has stored, and answer.
func (b *bench) runMemory() (err error) {
	o := benchStream(b.MemoryHits)
	o.Pages = manyPageCount
	set, err := b.fill("memory", o, fullSegments)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(string(set.data))) }()
	server, a, err := b.serveSet(set, "--cache-bytes", memoryCache)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	load := stream.New(stream.Options{Seed: 2, Sites: 1, Pages: manyPageCount, HitsPerView: 200})
	ctx, cancel := context.WithTimeout(context.Background(), 2*b.Time)
	defer cancel()
	failed := make(chan error, 1)
	var result loadResult
	go func() {
		l := b.newLoader(server, bodiesOf(load, 4000, hitsABatch), 0)
		var err error
		result, err = l.run(ctx)
		failed <- err
	}()
	asked := 0
	for ; ctx.Err() == nil; asked++ {
		for _, q := range []question{hotQuestion(), mapOf(hotPage(), "limit", "0"), {"/v1/pages", nil}} {
			if _, _, err := a.ask(q.with("site", benchSite)); err != nil {
				return errors.Join(err, <-failed)
			}
		}
	}
	if err := <-failed; err != nil {
		return fmt.Errorf("%w; the server logged: %s", err, server.logged())
	}
	b.note("memory: %d hits came in and %d questions were asked", result.requests*hitsABatch, 3*asked)
	b.sample("memory", float64(server.peakRSS())/(1<<20), 0)
	return nil
}
