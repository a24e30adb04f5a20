package journal

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"sync"
	"testing"
	"time"

	"heatlog/heatmap"
)

// fillSegments makes a journal of full segments in a folder, ready to be sealed.
func fillSegments(b testing.TB, dir string, segments int, bytes int64) {
	b.Helper()
	j, err := Open(dir, Options{Ack: AckWrite, SegmentBytes: bytes})
	if err != nil {
		b.Fatal(err)
	}
	tr := newTraffic(1)
	for before := j.Stats().Segments; j.Stats().Segments <= before+segments; {
		var batches []heatmap.Batch
		for range 10 {
			batches = append(batches, tr.batch(20))
		}
		if _, err := j.Append(batches); err != nil {
			b.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
}

// sealMemory is the most memory that sealing trackers' traffic takes, whatever the length and number of the segments, bytes: a
// block of 32,768 hits as it is built, its payload, the same block as it is read back, and what compresses.
const sealMemory = 16 << 20

// TestSealMemory seals a segment in bounded memory: the heap that is still in use after each collection, of which there are
// many. Three segments of three sources are no more than one.
func TestSealMemory(t *testing.T) {
	size := int64(2 << 20)
	if os.Getenv("HEATLOG_TORTURE") != "" {
		size = 64 << 20
	}
	dir := t.TempDir()
	for range 3 {
		fillSegments(t, dir, 1, size)
		j, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if j, err = j.Freeze(); err != nil {
			t.Fatal(err)
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
	}
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	read := func() int64 {
		metrics.Read(live)
		return int64(live[0].Value.Uint64())
	}
	debug.FreeOSMemory()
	before, most := read(), int64(0)
	j, err := Open(dir, Options{Seal: true, SealRate: 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	for st := j.Stats(); st.UnsealedSegments > 0; st = j.Stats() {
		if st.Sealed.Error != "" {
			t.Fatal(st.Sealed.Error)
		}
		most = max(most, read()-before)
		pause(t.Context(), time.Millisecond)
	}
	st := j.Stats()
	t.Logf("sealing %d hits of %d segments held %.1f MiB, limit %d", st.Sealed.Hits, st.Sealed.Segments, float64(most)/(1<<20), sealMemory>>20)
	if st.Sealed.Segments < 3 || most > sealMemory || most == 0 {
		t.Errorf("sealing %d segments held %d bytes, want at most %d", st.Sealed.Segments, most, sealMemory)
	}
}

// BenchmarkAppendWhileSealing appends 20 hits 1,500 times a second, each append from when it was due, while nothing else is
// done, while full segments are sealed at the default rate, and while they are sealed as fast as it goes.
func BenchmarkAppendWhileSealing(b *testing.B) {
	const every = time.Second / 1500
	master := b.TempDir()
	fillSegments(b, master, 3, 64<<20)
	f := func(name string, o Options) {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			if err := os.CopyFS(dir, os.DirFS(master)); err != nil {
				b.Fatal(err)
			}
			j, err := Open(dir, o)
			if err != nil {
				b.Fatal(err)
			}
			defer j.Close()
			tr := newTraffic(2)
			var batches [200][]heatmap.Batch
			for i := range batches {
				batches[i] = []heatmap.Batch{tr.batch(20)}
			}
			took := make([]time.Duration, b.N)
			var all sync.WaitGroup
			begin := time.Now()
			b.ResetTimer()
			for i := range b.N {
				due := begin.Add(time.Duration(i) * every)
				pause(context.Background(), time.Until(due))
				all.Go(func() {
					if _, err := j.Append(batches[i%len(batches)]); err != nil {
						b.Error(err)
					}
					took[i] = time.Since(due)
				})
			}
			all.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(took[b.N/2])/1e6, "p50-ms")
			b.ReportMetric(float64(took[b.N*99/100])/1e6, "p99-ms")
			b.ReportMetric(float64(took[b.N*999/1000])/1e6, "p999-ms")
			b.ReportMetric(float64(j.Stats().Sealed.Hits)/b.Elapsed().Seconds(), "sealed/s")
		})
	}
	f("quiet", Options{})
	f("seal", Options{Seal: true})
	f("sealFast", Options{Seal: true, SealRate: 1 << 40})
}
