package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"heatlog/cmd/heatlog/internal/stream"
	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/index/mongostore"
	"heatlog/index/pebblestore"
	"heatlog/journal"
)

// benchCache is a cache so large that a bench's counts stay in memory, bytes.
const benchCache = 4 << 30

// runApply counts a journal's hits into live grids on one core, beside reading the same journal alone: first from active segments, as
// a server that runs, then from sealed ones. Of these a map is made by a scan on all cores.
func (b *bench) runApply() error {
	dir, err := b.folder("apply")
	if err != nil {
		return err
	}
	source := newBenchHits(b.ApplyHits)
	journalDir := filepath.Join(dir, "journal")
	j, err := source.open(journalDir)
	if err != nil {
		return err
	}
	if err := source.appendTo(j, lastHits); err != nil {
		return errors.Join(err, j.Close())
	}
	if err := errors.Join(b.applyRounds(j, "apply active", dir), j.Close()); err != nil {
		return err
	}
	if j, err = source.sealed(journalDir); err != nil {
		return err
	}
	if err = b.applyRounds(j, "apply sealed", dir); err == nil {
		err = b.scanRounds(j, filepath.Join(dir, "scan"))
	}
	return errors.Join(err, j.Close())
}

// applyRounds measures one row.
func (b *bench) applyRounds(j *journal.Journal, row rowID, dir string) error {
	procs := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(procs)
	for range b.Rounds {
		alone, err := timeDecode(j)
		if err != nil {
			return err
		}
		store, err := os.MkdirTemp(dir, "store")
		if err != nil {
			return err
		}
		all, err := timeApply(j, store)
		if err != nil {
			return err
		}
		n := float64(j.Durable())
		b.note("%s: %.0f hits/s, decode alone %.0f", row, n/all.Seconds(), n/alone.Seconds())
		b.sample(row, n/all.Seconds(), n/alone.Seconds())
	}
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
	size, err := writeLines(file, b.ApplyHits)
	if err != nil {
		return err
	}
	for range b.Rounds {
		took, run, err := b.importOnce(file)
		if err != nil {
			return err
		}
		n := float64(b.ApplyHits)
		b.note("import: %.0f hits/s (%d bytes a line), server %.2f CPU s/million hits, peak %s",
			n/took.Seconds(), size/int64(b.ApplyHits), run.cpu.Seconds()*1e6/n, byteSize(run.rss))
		b.sample("import", n/took.Seconds(), 0)
	}
	return nil
}

// importRun is what a server showed of one import.
type importRun struct {
	cpu time.Duration
	rss int64
}

// importOnce imports a file into a new server of its own.
func (b *bench) importOnce(file string) (took time.Duration, run importRun, err error) {
	dir, err := b.folder("import")
	if err != nil {
		return 0, run, err
	}
	server, err := startChild(b.dir, false, "serve", "--listen", "127.0.0.1:0", "--data", dir, "--ack", b.Ack)
	if err != nil {
		return 0, run, err
	}
	defer func() { err = errors.Join(err, server.stop(), os.RemoveAll(dir)) }()
	if err := addBenchSite(server, dataDir(dir)); err != nil {
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

// storedSizes is what counts take in stores, bytes.
type storedSizes struct {
	days, months        int64 // blobs
	docs                int
	mongoDocs, mongoIDs int64 // of the same documents in MongoDB: their BSON, and their keys in its index
}

// storedSizesOf sums the documents of a store that no server uses.
func storedSizesOf(d dataDir) (sum storedSizes, err error) {
	store, err := pebblestore.Open(d.store(), pebblestore.Options{})
	if err != nil {
		return sum, err
	}
	all := index.Range{Generation: "g1", AllSites: true, IsPrefix: true}
	err = store.Scan(context.Background(), all, func(doc index.Doc) error {
		sum.docs++
		if doc.Period.IsMonth() {
			sum.months += int64(len(doc.Blob))
		} else {
			sum.days += int64(len(doc.Blob))
		}
		document, key, err := mongostore.Size(doc)
		sum.mongoDocs += int64(document)
		sum.mongoIDs += int64(key)
		return err
	})
	return sum, errors.Join(err, store.Close())
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
