package journal

import (
	"context"
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	"heatlog/heatmap"
)

// scanFields are what counts a heatmap of the hits with vw < 800 && y > 1000: the page, the range of time, bots and devices, the
// expression, and the names that tell repeats.
const scanFields = FieldTime | FieldSite | FieldURL | FieldAgent | FieldView | FieldViewport | FieldFlags | FieldPlace | FieldID |
	FieldBatch

// BenchmarkReadFields reads a sealed segment of trackers' traffic: all columns, those of a scan for a heatmap, and two. Beside
// each is what it takes to read and decompress the same streams alone.
func BenchmarkReadFields(b *testing.B) {
	dir := b.TempDir()
	fillSegments(b, dir, 1, 16<<20)
	j, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Seal(b.Context()); err != nil {
		b.Fatal(err)
	}
	run := func(name string, fields Fields, read func(*testing.B, *Journal, Fields) int) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			hits, before := 0, cpuTime(b)
			for b.Loop() {
				hits += read(b, j, fields)
			}
			b.ReportMetric(float64(hits)/(cpuTime(b)-before).Seconds()/1e6, "Mhits/cpu-s")
		})
	}
	f := func(name string, fields Fields) {
		run(name+"/decompress", fields, decompressSealed)
		run(name+"/hits", fields, readSealed)
	}
	f("all", AllFields)
	f("heatmap", scanFields)
	f("two", FieldTime|FieldViewport)
	run("heatmap/spans", scanFields, readSpans)
}

// cpuTime is what the process has used of all processors. Others that run meanwhile do not count, as far as they leave the
// caches alone.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// decompressSealed reads the blocks of the first segment and decompresses the columns of the fields. It gives the hits in them.
func decompressSealed(b *testing.B, j *Journal, fields Fields) (hits int) {
	r, err := j.ReadFields(0, fields)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	d := newBlockDecoder()
	d.want(fields)
	for first := j.catalog.segments[0]; r.pos < first.end; {
		h, err := r.head(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		payload, err := r.scan.payload(&h)
		if err == nil {
			err = d.in.open(payload, int(h.raw), &d.wanted)
		}
		if err != nil {
			b.Fatal(err)
		}
		hits += int(h.hits)
		r.step(&h)
	}
	return hits
}

// readSpans reads the first segment span by span, each by a reader of its own, and gives its hits.
func readSpans(b *testing.B, j *Journal, fields Fields) (hits int) {
	var c heatmap.Chunk
	for _, s := range j.Spans(0, j.catalog.segments[0].end) {
		r, err := j.ReadFields(s.From, fields)
		if err != nil {
			b.Fatal(err)
		}
		for c = (heatmap.Chunk{Batches: c.Batches}); c.End() < s.To; hits += c.Count {
			if err := r.Next(context.Background(), &c); err != nil {
				b.Fatal(err)
			}
		}
		r.Close()
	}
	return hits
}

// readSealed reads the first segment of a journal and gives its hits.
func readSealed(b *testing.B, j *Journal, fields Fields) (hits int) {
	r, err := j.ReadFields(0, fields)
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	var c heatmap.Chunk
	for first := j.catalog.segments[0]; c.End() < first.end; hits += c.Count {
		if err := r.Next(context.Background(), &c); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			b.Fatal(err)
		}
	}
	return hits
}
