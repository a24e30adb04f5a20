package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"heatlog/cmd/heatlog/internal/stream"
	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/index/pebblestore"
	"heatlog/journal"
)

// benchCache is a cache so large that a bench's counts stay in memory, bytes.
const benchCache = 4 << 30

// fillJournal writes the bench's hits into a journal and gives the bytes that they are as import lines.
func (b *bench) fillJournal(j *journal.Journal) (lineBytes int64, err error) {
	source := newBenchHits(b.Hits)
	var lines []byte
	for {
		batches := source.next(1000)
		if len(batches) == 0 {
			return lineBytes, nil
		}
		for i := range batches {
			lines = stream.AppendLines(lines[:0], &batches[i])
			lineBytes += int64(len(lines))
		}
		if _, err := j.Append(batches); err != nil {
			return 0, err
		}
	}
}

// runApply counts a journal's hits into live grids, beside reading the same journal alone.
func (b *bench) runApply() error {
	dir, err := b.folder("apply")
	if err != nil {
		return err
	}
	j, err := journal.Open(filepath.Join(dir, "journal"), journal.Options{Ack: journal.AckWrite})
	if err != nil {
		return err
	}
	defer j.Close()
	if _, err := b.fillJournal(j); err != nil {
		return err
	}
	var decode, apply []float64
	for round := range b.Rounds {
		alone, err := timeDecode(j)
		if err != nil {
			return err
		}
		all, err := timeApply(j, filepath.Join(dir, fmt.Sprint("store", round)))
		if err != nil {
			return err
		}
		n := float64(b.Hits)
		b.note("apply, round %d: %.0f hits/s, decode alone %.0f", round+1, n/all.Seconds(), n/alone.Seconds())
		decode, apply = append(decode, n/alone.Seconds()), append(apply, n/all.Seconds())
	}
	b.rows = append(b.rows, atLeast("apply: journal to live grids", median(apply), "hits/s", median(decode), "decode alone", 0.1))
	return nil
}

// timeDecode reads the whole journal.
func timeDecode(j *journal.Journal) (time.Duration, error) {
	end := j.Durable()
	start := time.Now()
	r, err := j.Read(0)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	var c heatmap.Chunk
	for c.End() < end {
		if err := r.Next(context.Background(), &c); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

// timeApply counts the whole journal into a new index, which flushes nothing.
func timeApply(j *journal.Journal, storeDir string) (took time.Duration, err error) {
	store, err := pebblestore.Open(storeDir, pebblestore.Options{})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	start := time.Now()
	x, err := index.Open(context.Background(), index.Options{
		Store: store, Source: index.JournalSource(j, nil), CacheBytes: benchCache, RepeatBytes: benchCache, FlushEvery: time.Hour,
	})
	if err != nil {
		return 0, err
	}
	for x.Stats().Position < j.Durable() {
		time.Sleep(time.Millisecond)
	}
	// A query waits until all that is routed is in the grids.
	if _, err := x.Pages(context.Background(), heatmap.Query{Site: "no-site"}); err != nil {
		return 0, err
	}
	took = time.Since(start)
	stopped, cancel := context.WithCancel(context.Background())
	cancel() // nothing needs to be stored
	if err := x.Close(stopped); err != nil && !errors.Is(err, context.Canceled) {
		return 0, err
	}
	return took, nil
}

// runImport sends a file of hits with `heatlog import` to a server on the same cores.
func (b *bench) runImport() error {
	file := filepath.Join(b.dir, "hits.ndjson")
	size, err := writeLines(file, b.Hits)
	if err != nil {
		return err
	}
	var rates []float64
	for round := range b.Rounds {
		took, run, err := b.importOnce(file)
		if err != nil {
			return err
		}
		b.note("import, round %d: %.0f hits/s (%d bytes a line), server %.2f CPU s/million hits, peak %s", round+1,
			float64(b.Hits)/took.Seconds(), size/int64(b.Hits), run.cpu.Seconds()*1e6/float64(b.Hits), byteSize(run.rss))
		rates = append(rates, float64(b.Hits)/took.Seconds())
		if round == b.Rounds-1 {
			if err := b.sizeRows(run.data, size); err != nil {
				return err
			}
		}
	}
	b.rows = append(b.rows, atLeast("import, whole process", median(rates), "hits/s", 150_000, "150,000", 1))
	return nil
}

// importRun is what a server showed of one import.
type importRun struct {
	data dataDir
	cpu  time.Duration
	rss  int64
}

// importOnce imports a file into a new server of its own.
func (b *bench) importOnce(file string) (took time.Duration, run importRun, err error) {
	dir, err := b.folder("import")
	if err != nil {
		return 0, run, err
	}
	run.data = dataDir(dir)
	server, err := startChild(b.dir, false, "serve", "--listen", "127.0.0.1:0", "--data", dir, "--ack", b.Ack)
	if err != nil {
		return 0, run, err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	if err := addBenchSite(server, run.data); err != nil {
		return 0, run, err
	}
	start := time.Now()
	if err := runSelf("import", "--quiet", "--url", server.base, "--data", dir, file); err != nil {
		return 0, run, err
	}
	took = time.Since(start)
	run.cpu, run.rss = server.cpuTime(), server.peakRSS()
	return took, run, nil
}

// sizeRows adds the bytes that a hit takes in the journal and in blobs, beside its import line.
func (b *bench) sizeRows(d dataDir, lineBytes int64) error {
	hits, line := float64(b.Hits), float64(lineBytes)/float64(b.Hits)
	stored, err := filesSize(d.journal())
	if err != nil {
		return err
	}
	days, months, docs, err := blobSizes(d)
	if err != nil {
		return err
	}
	b.note("size: %d documents, %s of days, %s of months", docs, byteSize(days), byteSize(months))
	disk, err := filesSize(d.store())
	if err != nil {
		return err
	}
	b.rows = append(b.rows,
		atMost("size: journal, active segments", float64(stored)/hits, "bytes/hit", line, "NDJSON", 0.2),
		atMost("size: blobs of days", float64(days)/hits, "bytes/hit", line, "NDJSON", 0.1),
		atMost("size: blobs of months", float64(months)/hits, "bytes/hit", line, "NDJSON", 0.1),
		atMost("size: store on disk", float64(disk)/hits, "bytes/hit", line, "NDJSON", 0.2),
	)
	return nil
}

// filesSize sums the sizes of all files below a folder.
func filesSize(dir string) (sum int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	return sum, err
}

// blobSizes sums the blobs of a store that no server uses.
func blobSizes(d dataDir) (days, months int64, docs int, err error) {
	store, err := pebblestore.Open(d.store(), pebblestore.Options{})
	if err != nil {
		return 0, 0, 0, err
	}
	all := index.Range{Generation: "g1", Site: benchSite, IsPrefix: true}
	err = store.Scan(context.Background(), all, func(doc index.Doc) error {
		docs++
		if doc.Period.IsMonth() {
			months += int64(len(doc.Blob))
		} else {
			days += int64(len(doc.Blob))
		}
		return nil
	})
	return days, months, docs, errors.Join(err, store.Close())
}

// writeLines writes the bench's hits as import lines.
func writeLines(name string, hits int) (size int64, err error) {
	f, err := os.Create(name)
	if err != nil {
		return 0, err
	}
	source := newBenchHits(hits)
	var lines []byte
	for batches := source.next(1000); len(batches) > 0; batches = source.next(1000) {
		lines = lines[:0]
		for i := range batches {
			lines = stream.AppendLines(lines, &batches[i])
		}
		size += int64(len(lines))
		if _, err := f.Write(lines); err != nil {
			return 0, errors.Join(err, f.Close())
		}
	}
	return size, f.Close()
}
