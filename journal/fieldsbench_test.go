package journal

import (
	"context"
	"errors"
	"io"
	"testing"

	"heatlog/heatmap"
)

// scanFields are what counts a heatmap of the hits with vw < 800 && y > 1000: the page, the range of time, bots and devices, the
// expression, and the names that tell repeats.
const scanFields = FieldTime | FieldSite | FieldURL | FieldAgent | FieldView | FieldViewport | FieldFlags | FieldPlace | FieldID | FieldBatch

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
	f := func(name string, fields Fields) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			hits := 0
			for b.Loop() {
				hits += readSealed(b, j, fields)
			}
			b.ReportMetric(float64(hits)/b.Elapsed().Seconds()/1e6, "Mhits/s")
		})
	}
	f("all", AllFields)
	f("heatmap", scanFields)
	f("two", FieldTime|FieldViewport)
	f("none", 0)
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
