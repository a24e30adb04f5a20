package journal_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/journal"
	"heatlog/journal/journaltest"
)

var rewrite = flag.Bool("rewrite", false, "write testdata anew; only for a format that was never released")

// goldenBatches is what testdata/v1 holds: every field, in every way that it can be written.
func goldenBatches() []heatmap.Batch {
	page := heatmap.Hit{
		Time: 1_790_000_000_000, Site: "shop", URL: "https://shop.example/p/1?q=~", View: "a1b2", Visitor: "0123456789abcdef",
		UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0", Tags: []string{"variant:b", "de"},
		ViewportW: 1280, ViewportH: 720, DocumentW: 1265, DocumentH: 5400, Layout: 0xdeadbeef, Kind: heatmap.KindView,
	}
	click := page
	click.Kind, click.Time, click.X, click.Y = heatmap.KindClick, page.Time+1500, 512, 1480
	click.Selector, click.AnchorX, click.AnchorY, click.BoxW, click.BoxH = "main>a.buy", 16384, 65535, 120, 40
	click.Check, click.HasCheck, click.Pointer, click.Flags = 0xabcd, true, heatmap.PointerTouch, heatmap.FlagFixed|heatmap.FlagDead
	edge := click
	edge.AnchorX, edge.AnchorY, edge.X, edge.Y, edge.ID = heatmap.AnchorUnit, 0, 65535, 0, "own-id"
	edge.Container, edge.ContainerX, edge.ContainerY, edge.Time = "div.list", 0, 300, page.Time-1
	scroll := page
	scroll.Kind, scroll.Y, scroll.Depth, scroll.Dwell, scroll.Time = heatmap.KindScroll, 700, 1420, 1800, page.Time+2000
	back := scroll
	back.Y, back.From, back.Depth, back.Dwell = 0, 1420, 1420, heatmap.MaxDwell
	odd := scroll
	odd.From, odd.Depth, odd.Kind, odd.Check = 900, 17, 200, 7
	other := heatmap.Hit{Time: heatmap.MinTime, Site: "blog", URL: "http://blog.example/", Kind: heatmap.KindMove, X: 1, Y: 2, Pointer: heatmap.PointerMouse}
	near := other
	near.X, near.Time = 0, other.Time+16
	return []heatmap.Batch{
		{Site: "shop", Visitor: page.Visitor, ID: "a1b2-0", Hits: []heatmap.Hit{page, click, edge, scroll, back, odd}},
		{Hits: []heatmap.Hit{other, near, click, other}},
		journal.ImportLines(1, 60)[0], // long enough to be compressed
	}
}

// What is written today is what was written when the format was made.
func TestGolden(t *testing.T) {
	fsys := new(journaltest.FS)
	fsys.Put(filepath.Join(dir, goldenSource, "IDENTITY"), []byte("heatlog journal 1\nsource "+goldenSource+"\n"))
	o := journal.Options{FS: fsys, Now: func() time.Time { return time.UnixMilli(1_790_000_100_000) }}
	want := goldenBatches()
	for _, part := range [][]heatmap.Batch{want[:1], want[1:]} {
		j := mustOpen(t, o)
		if j.Source() != goldenSource {
			t.Fatalf("source %s, want %s", j.Source(), goldenSource)
		}
		mustAppend(t, j, part...)
		mustClose(t, j)
	}
	for _, name := range fsys.Names() {
		if strings.HasSuffix(name, "LOCK") {
			continue
		}
		path := filepath.Join("testdata", "v1s2", filepath.Base(name))
		if *rewrite {
			if err := os.WriteFile(path, fsys.Bytes(name), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		// The compressor may change with its version; the rest of the format must not.
		if first := strings.Contains(name, "-00000001"); first && !bytes.Equal(b, fsys.Bytes(name)) {
			t.Errorf("%s would be written differently today", path)
		}
	}
}

// goldenSource is the source of the journals in testdata.
const goldenSource = "j00000000000c0ffe"

// goldenFS is a disk with a journal of so many golden files.
func goldenFS(t *testing.T, folder string, files int) *journaltest.FS {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(names) != files {
		t.Fatal(names, err)
	}
	golden := new(journaltest.FS)
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		golden.Put(filepath.Join(dir, goldenSource, filepath.Base(name)), b)
	}
	return golden
}

// A journal of every released format stays readable: v1 is compressed with zstd, v1s2 with S2.
func TestGoldenRead(t *testing.T) {
	for _, format := range []string{"v1", "v1s2"} {
		golden := goldenFS(t, filepath.Join("testdata", format), 3)
		rep, err := journal.Verify(t.Context(), golden, dir, nil)
		if err != nil || rep.Lost != 0 || rep.TailBytes != 0 || rep.Repeated != 0 || rep.Chunks != 2 {
			t.Errorf("%s: verify %+v, %v", format, rep, err)
		}
		j := mustOpen(t, journal.Options{FS: golden})
		if diff := diffBatches(goldenBatches(), readBatches(t, j)); diff != "" {
			t.Errorf("%s: %s", format, diff)
		}
		for _, c := range readTo(t, j, 0, j.Durable()) {
			if c.Appended != 1_790_000_100_000 {
				t.Errorf("%s: append time %d", format, c.Appended)
			}
		}
		mustClose(t, j)
	}
}

// A sealed segment of every released format stays readable, beside the MANIFEST that lists it.
func TestGoldenSealed(t *testing.T) {
	source := goldenSource
	root := filepath.Join("testdata", "v1sealed")
	now := func() time.Time { return time.UnixMilli(1_790_000_100_000) }
	want := goldenBatches()
	fsys := new(journaltest.FS)
	if *rewrite {
		fsys.Put(filepath.Join(dir, source, "IDENTITY"), []byte("heatlog journal 1\nsource "+source+"\n"))
		for _, part := range [][]heatmap.Batch{want[:1], want[1:2], want[2:]} {
			j := mustOpen(t, journal.Options{FS: fsys, Now: now})
			mustAppend(t, j, part...)
			mustSeal(t, j)
			mustClose(t, j)
		}
		for _, name := range fsys.Names() {
			if !strings.HasSuffix(name, "LOCK") {
				if err := os.WriteFile(filepath.Join(root, filepath.Base(name)), fsys.Bytes(name), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	golden := goldenFS(t, root, 5)
	if rep := mustVerify(t, golden); rep.Sealed != 2 || rep.Chunks != 3 {
		t.Errorf("verify %+v", rep)
	}
	j := mustOpen(t, journal.Options{FS: golden, Now: now})
	if diff := diffBatches(want, readBatches(t, j)); diff != "" {
		t.Error(diff)
	}
	for _, c := range readTo(t, j, 0, j.Durable()) {
		if c.Appended != 1_790_000_100_000 {
			t.Errorf("append time %d", c.Appended)
		}
	}
}
