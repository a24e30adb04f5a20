package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/index/pebblestore"
	"heatlog/journal"
)

// What benchmarks of the index count: HEATLOG_BENCH_HITS hits, by default 200,000. With HEATLOG_BENCH_DIR, journals and stores are made
// there once and kept.
func benchHitCount(b *testing.B) int {
	n := 200_000
	if text := os.Getenv("HEATLOG_BENCH_HITS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	return n
}

// benchFolder gives a folder for what is made of so many hits, and whether it is there already.
func benchFolder(b *testing.B, name string) (dir string, made bool) {
	b.Helper()
	dir = os.Getenv("HEATLOG_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	}
	dir = filepath.Join(dir, fmt.Sprint(name, benchHitCount(b)))
	_, err := os.Stat(filepath.Join(dir, "made"))
	return dir, err == nil
}

func benchMade(b *testing.B, dir string) {
	b.Helper()
	if err := os.WriteFile(filepath.Join(dir, "made"), nil, 0o644); err != nil {
		b.Fatal(err)
	}
}

// openBenchJournal gives a journal of the bench's stream, whose append time goes with it: 120 days.
func openBenchJournal(b *testing.B, sealed bool) *journal.Journal {
	b.Helper()
	name, segment := "active", int64(0)
	if sealed {
		name, segment = "sealed", 1<<20 // the last segment stays active
	}
	dir, made := benchFolder(b, name)
	source := newBenchHits(benchHitCount(b))
	j, err := journal.Open(filepath.Join(dir, "journal"), journal.Options{
		Ack: journal.AckWrite, SegmentBytes: segment, Now: func() time.Time { return time.UnixMilli(source.stream.Time()) },
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { j.Close() })
	if made {
		return j
	}
	for batches := source.next(1000); len(batches) > 0; batches = source.next(1000) {
		if _, err := j.Append(batches); err != nil {
			b.Fatal(err)
		}
	}
	if sealed {
		if _, err := j.Seal(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
	benchMade(b, dir)
	return j
}

// cpuNow is the processor time that the process has taken so far, by threads of its own and the garbage collector's.
func cpuNow(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchBothJournals(b *testing.B, run func(b *testing.B, j *journal.Journal)) {
	for _, sealed := range []bool{true, false} {
		name := "active"
		if sealed {
			name = "sealed"
		}
		b.Run(name, func(b *testing.B) {
			j := openBenchJournal(b, sealed)
			hits := float64(benchHitCount(b))
			b.ReportAllocs()
			b.SetBytes(j.Stats().Bytes)
			b.ResetTimer()
			before := cpuNow(b)
			for range b.N {
				run(b, j)
			}
			cpu := (cpuNow(b) - before).Seconds() / float64(b.N)
			b.ReportMetric(hits*float64(b.N)/b.Elapsed().Seconds(), "hits/s")
			b.ReportMetric(hits/cpu, "hits/cpu-s")
		})
	}
}

// BenchmarkDecode reads a journal.
func BenchmarkDecode(b *testing.B) {
	benchBothJournals(b, func(b *testing.B, j *journal.Journal) {
		if _, err := timeDecode(j); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkApply reads a journal into live deltas.
func BenchmarkApply(b *testing.B) {
	benchBothJournals(b, func(b *testing.B, j *journal.Journal) {
		if _, err := timeApply(j, filepath.Join(b.TempDir(), "store")); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkBuild reads a journal in bulk and stores the counts.
func BenchmarkBuild(b *testing.B) {
	benchBothJournals(b, func(b *testing.B, j *journal.Journal) {
		x, done := openBenchIndex(b, j, filepath.Join(b.TempDir(), "store"))
		if err := x.Flush(context.Background()); err != nil {
			b.Fatal(err)
		}
		done()
	})
}

// openBenchIndex counts a journal in bulk into a store, and gives the index when it has caught up.
func openBenchIndex(b *testing.B, j *journal.Journal, dir string) (x *index.Index, done func()) {
	b.Helper()
	store, err := pebblestore.Open(dir, pebblestore.Options{Cache: 64 << 20})
	if err != nil {
		b.Fatal(err)
	}
	x, err = index.Open(context.Background(), index.Options{Store: store, Source: index.JournalSource(j, nil), BulkBytes: 256 << 20})
	if err != nil {
		b.Fatal(err)
	}
	for x.Building() || x.Lag() > 0 {
		if err := x.Failed(); err != nil {
			b.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	return x, func() {
		if err := x.Close(context.Background()); err != nil {
			b.Error(err)
		}
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	}
}

// BenchmarkQuery asks what an analyst asks, of 90 days.
func BenchmarkQuery(b *testing.B) {
	j := openBenchJournal(b, true)
	dir, made := benchFolder(b, "store")
	x, done := openBenchIndex(b, j, dir)
	b.Cleanup(done)
	if !made {
		benchMade(b, dir)
	}
	site, url := newBenchHits(1).stream.Page(0)
	from, _ := heatmap.ParseDate("2026-01-15")
	q := heatmap.Query{Site: site, URL: url}
	q.From, q.To = heatmap.Bound{Set: true, IsDate: true, Date: from}, heatmap.Bound{Set: true, IsDate: true, Date: from + 89}
	q.Width.Set, q.Width.Min, q.Width.Max = true, 1280, 1311
	ask := func(name string, q heatmap.Query) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var a *heatmap.Heatmap
			for range b.N {
				var err error
				if a, err = x.Heatmap(context.Background(), q); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(a.Points)), "cells")
			b.ReportMetric(float64(a.Hits), "hits")
		})
	}
	ask("hottest", q)
	all := q
	all.Width.Set = false
	ask("hottest, all widths", all)
	all.URL = "https://www.0.example/*/1**"
	ask("pattern", all)
	all.URL = ""
	ask("all pages", all)
	q.URL = ""
	ask("all pages, one band", q)
	list := heatmap.Query{Site: site, From: q.From, To: q.To}
	pages := func(name string, q heatmap.Query) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if _, err := x.Pages(context.Background(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	pages("pages", list)
	pages("pages, all days", heatmap.Query{Site: site})
	scroll := func(name string, q heatmap.Query) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if _, err := x.Scroll(context.Background(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	list.URL = url
	scroll("scroll", list)
	scroll("scroll, all days", heatmap.Query{Site: site, URL: url})
	ask("hottest, all days", heatmap.Query{Site: site, URL: url})
}
