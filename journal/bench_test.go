package journal

import (
	"context"
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/heatmap"
)

func mustOpen(b *testing.B, o Options) *Journal {
	b.Helper()
	j, err := Open(b.TempDir(), o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { j.Close() })
	return j
}

func BenchmarkEncode(b *testing.B) {
	f := func(name string, batches []heatmap.Batch) {
		b.Run(name, func(b *testing.B) {
			e := newEncoder()
			unit, hits := e.unit(batches)
			b.SetBytes(int64(len(unit)))
			b.ReportAllocs()
			for b.Loop() {
				e.unit(batches)
			}
			b.ReportMetric(float64(hits*b.N)/b.Elapsed().Seconds(), "hits/s")
			b.ReportMetric(float64(len(unit))/float64(hits), "rawB/hit")
		})
	}
	f("tracker20", []heatmap.Batch{newTraffic(1).batch(20)})
	f("import4000", importLines(1, 4000))
}

func BenchmarkDecode(b *testing.B) {
	f := func(name string, appends ...[]heatmap.Batch) {
		b.Run(name, func(b *testing.B) {
			payload, hits := encodePayload(appends...)
			s := string(payload)
			var d decoder
			var c heatmap.Chunk
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				if err := d.payload(s, hits, len(appends), &c); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(hits*b.N)/b.Elapsed().Seconds(), "hits/s")
		})
	}
	tr := newTraffic(1)
	var ten [][]heatmap.Batch
	for range 10 {
		ten = append(ten, []heatmap.Batch{tr.batch(20)})
	}
	f("tracker10x20", ten...)
	f("import4000", importLines(1, 4000))
}

// BenchmarkAppend appends batches of 20 hits from many goroutines.
func BenchmarkAppend(b *testing.B) {
	f := func(name string, ack Ack, waiters int) {
		b.Run(name, func(b *testing.B) {
			j := mustOpen(b, Options{Ack: ack})
			var seed atomic.Uint64
			b.SetParallelism(max(1, waiters/runtime.GOMAXPROCS(0)))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				tr := newTraffic(seed.Add(1))
				batch := []heatmap.Batch{tr.batch(20)}
				for pb.Next() {
					if _, err := j.Append(batch); err != nil {
						b.Error(err)
						return
					}
				}
			})
			s := j.Stats()
			b.SetBytes(int64(s.StoredBytes / s.Appends))
			b.ReportMetric(float64(s.Hits)/b.Elapsed().Seconds(), "hits/s")
			b.ReportMetric(float64(s.Appends)/float64(s.Chunks), "appends/chunk")
		})
	}
	f("sync1", AckSync, 1)
	f("sync64", AckSync, 64)
	f("sync1000", AckSync, 1000)
	f("write64", AckWrite, 64)
}

// BenchmarkRead reads a journal of small chunks from the start: 10 appends of 20 hits a chunk, and imports.
func BenchmarkRead(b *testing.B) {
	f := func(name string, group func(tr *traffic, i int) []heatmap.Batch) {
		b.Run(name, func(b *testing.B) {
			j := mustOpen(b, Options{Ack: AckWrite, SyncEvery: time.Hour})
			tr := newTraffic(1)
			for i := range 1000 {
				if _, err := j.Append(group(tr, i)); err != nil {
					b.Fatal(err)
				}
			}
			if err := j.Close(); err != nil {
				b.Fatal(err)
			}
			stats := j.Stats()
			b.SetBytes(int64(stats.StoredBytes))
			b.ReportAllocs()
			var c heatmap.Chunk
			for b.Loop() {
				r, err := newReader(j.catalog, 0, false)
				if err != nil {
					b.Fatal(err)
				}
				for err = r.Next(context.Background(), &c); err == nil; {
					err = r.Next(context.Background(), &c)
				}
				if err != io.EOF {
					b.Fatal(err)
				}
				r.Close()
			}
			b.ReportMetric(float64(stats.Hits)*float64(b.N)/b.Elapsed().Seconds(), "hits/s")
			b.ReportMetric(float64(stats.StoredBytes)/float64(stats.Hits), "B/hit")
		})
	}
	f("tracker10x20", func(tr *traffic, _ int) (batches []heatmap.Batch) {
		for range 10 {
			batches = append(batches, tr.batch(20))
		}
		return batches
	})
	f("import4000", func(_ *traffic, i int) []heatmap.Batch { return importLines(uint64(i), 4000) })
}

// benchBlock gives the chunks of a full block: ten appends of 20 hits a chunk.
func benchBlock() (chunks []heatmap.Chunk, hits int) {
	tr := newTraffic(1)
	for hits < blockHits {
		c := heatmap.Chunk{Position: uint64(hits), Appended: tr.now}
		for range 10 {
			c.Batches = append(c.Batches, tr.batch(20))
			c.Count += 20
		}
		hits += c.Count
		chunks = append(chunks, c)
	}
	return chunks, hits
}

func BenchmarkSealBlock(b *testing.B) {
	chunks, hits := benchBlock()
	w := &blockBuilder{out: columnWriter{zstd: newBlockCompressor()}, most: blockHits}
	var payload []byte
	b.ReportAllocs()
	for b.Loop() {
		for i := range chunks {
			w.add(&chunks[i])
		}
		var err error
		if payload, _, err = w.flush(payload[:0]); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(payload)))
	b.ReportMetric(float64(hits*b.N)/b.Elapsed().Seconds(), "hits/s")
	b.ReportMetric(float64(len(payload))/float64(hits), "B/hit")
}

// BenchmarkUnsealBlock reads a block: decompression alone, all columns, the hits. What it allocates is the block's texts.
func BenchmarkUnsealBlock(b *testing.B) {
	chunks, hits := benchBlock()
	w := &blockBuilder{out: columnWriter{zstd: newBlockCompressor()}, most: blockHits}
	for i := range chunks {
		w.add(&chunks[i])
	}
	payload, raw, err := w.flush(nil)
	if err != nil {
		b.Fatal(err)
	}
	d := newBlockDecoder()
	var c heatmap.Chunk
	run := func(name string, read func() error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				if err := read(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(hits*b.N)/b.Elapsed().Seconds(), "hits/s")
		})
	}
	columns := func() error { return d.decode(payload, raw, len(chunks), hits, 0) }
	run("decompress", func() error { return d.in.open(payload, raw, &d.wanted) })
	run("columns", columns)
	run("hits", func() error {
		err := columns()
		for err == nil && d.left > 0 {
			err = d.chunk(&c)
		}
		return err
	})
}

// BenchmarkPack compresses and frames the chunk of 180 appends of 20 hits, and takes it apart again up to its payload.
func BenchmarkPack(b *testing.B) {
	tr := newTraffic(1)
	var appends [][]heatmap.Batch
	for range 180 {
		appends = append(appends, []heatmap.Batch{tr.batch(20)})
	}
	payload, hits := encodePayload(appends...)
	g := &group{payload: payload, hits: hits, appends: len(appends)}
	w := &writer{}
	run := func(name string, f func()) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(appends)), "ns/append")
		})
	}
	run("pack", func() { w.recycle(w.pack(g)) })
	c := w.pack(g)
	var u unpacker
	run("unpack", func() {
		if _, err := u.unpack(&c.head, c.frame[chunkHeaderSize:chunkHeaderSize+c.head.stored]); err != nil {
			b.Fatal(err)
		}
	})
}
