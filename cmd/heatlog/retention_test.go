package main

import (
	"bytes"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/index/pebblestore"
	"heatlog/journal"
	"heatlog/journal/journaltest"
)

// TestPrunerFails lets a disk fail under pruning: that is logged once and tried again, and nothing that is needed goes.
func TestPrunerFails(t *testing.T) {
	var now atomic.Int64
	now.Store(1_790_000_000_000)
	clock := func() time.Time { return time.UnixMilli(now.Load()) }
	fsys := new(journaltest.FS)
	j, err := journal.Open("journal", journal.Options{FS: fsys, SegmentBytes: 4 << 10, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	hit := heatmap.Hit{Time: now.Load(), Site: "shop", URL: "https://shop.example/", Kind: heatmap.KindClick, View: strings.Repeat("v", 900)}
	for j.Stats().Segments < 4 {
		if _, err := j.Append([]heatmap.Batch{{Hits: []heatmap.Hit{hit}}}); err != nil {
			t.Fatal(err)
		}
		now.Add(time.Hour.Milliseconds())
		hit.View += "w"
	}
	store, err := pebblestore.Open(t.TempDir(), pebblestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	x, err := index.Open(t.Context(), index.Options{Store: store, Source: index.JournalSource(j, nil)})
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close(t.Context())
	var log bytes.Buffer
	p := &pruner{journal: j, index: x, now: clock, log: slog.New(slog.NewTextHandler(&log, nil)), keep: retention{age: age(30 * time.Minute)}}
	round := func(first bool, lines int, text string) {
		t.Helper()
		p.round(t.Context())
		if n := strings.Count(log.String(), "\n"); n != lines || !strings.Contains(log.String(), text) || (j.First() > 0) != first {
			t.Fatalf("first %d, log of %d lines, want %d with %q:\n%s", j.First(), n, lines, text, &log)
		}
	}
	round(false, 1, "waits for a journal segment that is not sealed")
	round(false, 1, "")
	if _, err := j.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	for x.Lag() > 0 || x.Ready() != nil {
		time.Sleep(time.Millisecond)
	}
	round(false, 1, "") // nothing is stored yet
	if err := x.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	fsys.FailWhen(func(op journaltest.Op) (journaltest.Fault, bool) {
		return journaltest.EIO, op.Kind == "rename" && strings.HasSuffix(op.Name, "MANIFEST")
	})
	round(false, 2, "pruning failed, trying again")
	round(false, 2, "")
	if !p.failed.Load() {
		t.Error("a round that failed does not say so")
	}
	fsys.FailWhen(nil)
	round(true, 3, "journal was pruned")
	if p.failed.Load() || j.First() >= j.Durable() {
		t.Errorf("failed %v, the journal is %d to %d", p.failed.Load(), j.First(), j.Durable())
	}
}
