package journal_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
	"heatlog/journal"
	"heatlog/journal/journaltest"
)

func TestList(t *testing.T) {
	now := int64(1_790_000_000_000)
	fsys := new(journaltest.FS)
	o := journal.Options{FS: fsys, SegmentBytes: 4 << 10, Now: func() time.Time { now += 1000; return time.UnixMilli(now) }}
	j := mustOpen(t, o)
	batch := journal.NewTraffic(1)
	for range 30 {
		mustAppend(t, j, batch(20))
	}
	infos, err := journal.List(fsys, dir) // while the journal is open
	if err != nil {
		t.Fatal(err)
	}
	chunks := readTo(t, j, 0, j.Durable())
	at := uint64(0)
	for i, info := range infos {
		first, last, n := int64(0), int64(0), 0
		for _, c := range chunks {
			if c.Position >= info.Base && c.Position < info.End {
				if n++; first == 0 {
					first = c.Appended
				}
				last = c.Appended
			}
		}
		want := journal.SegmentInfo{
			Source: j.Source(), Name: fmt.Sprintf("%020d-%08x.hj", at, i+1), Epoch: uint32(i + 1),
			Bytes: int64(len(fsys.Bytes(filepath.Join(dir, j.Source(), info.Name)))), Base: at, End: info.End,
			Created: first + 1000, First: first, Last: last, Chunks: n,
		}
		if diff := cmp.Diff(want, info); diff != "" {
			t.Error(diff)
		}
		at = info.End
	}
	if at != 600 || len(infos) < 3 {
		t.Errorf("%d segments up to %d, want some up to 600", len(infos), at)
	}
	if _, err := journal.List(fsys, "elsewhere"); err == nil || !strings.Contains(err.Error(), "no journal in elsewhere") {
		t.Errorf("list of no journal: %v", err)
	}
}

func TestDump(t *testing.T) {
	fsys := new(journaltest.FS)
	j := mustOpen(t, journal.Options{FS: fsys, Now: func() time.Time { return time.UnixMilli(1_790_000_000_123) }})
	hits := []heatmap.Hit{
		{Time: 1_790_000_000_000, Site: "shop", URL: "https://shop.example/", View: "v", Visitor: "p", Kind: heatmap.KindView, UserAgent: `a "b"`},
		{Time: 1_790_000_001_000, Site: "shop", URL: "https://shop.example/", Kind: heatmap.KindClick, X: 7, Y: 8, Selector: "a>b", AnchorX: 1, BoxW: 3,
			HasCheck: true, Pointer: heatmap.PointerPen, Flags: heatmap.FlagDead, Tags: []string{"x", ""}, ID: "i1", ViewportW: 1280},
		{Time: 1_790_000_002_000, Site: "shop", URL: "https://shop.example/", Kind: heatmap.KindScroll, Y: 9, From: 10, Depth: 20, Dwell: 30,
			Container: "div", ContainerY: 4, Layout: 5, DocumentH: 99},
	}
	mustAppend(t, j, heatmap.Batch{Site: "shop", Visitor: "p", ID: "b1", Hits: hits[:1]}, heatmap.Batch{Hits: hits[1:]})
	want := []string{
		`0 2026-09-21T14:13:20.123Z batch="b1" t=2026-09-21T14:13:20.000Z kind=view site="shop" url="https://shop.example/" view="v" visitor="p" ua="a \"b\""`,
		`1 2026-09-21T14:13:20.123Z t=2026-09-21T14:13:21.000Z kind=click site="shop" url="https://shop.example/" id="i1" at=7,8 viewport=1280,0 sel="a>b" ax=1 ay=0 box=3,0 check=0 flags=8 pointer="pen" tag="x" tag=""`,
		`2 2026-09-21T14:13:20.123Z t=2026-09-21T14:13:22.000Z kind=scroll site="shop" url="https://shop.example/" at=0,9 document=0,99 scroll=10,20 dwell=30 layout=5 container="div" container_at=0,4`,
	}
	f := func(from uint64, want []string) {
		t.Helper()
		var got []string
		err := journal.Dump(t.Context(), fsys, dir, journal.Range{From: from}, func(line []byte) error {
			got = append(got, string(line))
			return nil
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("from %d: %s", from, diff)
		}
	}
	f(0, want)
	f(1, want[1:])
	f(3, nil)
	enough := errors.New("enough")
	if err := journal.Dump(t.Context(), fsys, dir, journal.Range{}, func([]byte) error { return enough }, nil); !errors.Is(err, enough) {
		t.Errorf("dump that is stopped: %v", err)
	}
	if err := journal.Dump(t.Context(), fsys, dir, journal.Range{From: 4}, func([]byte) error { return nil }, nil); !errors.Is(err, journal.ErrPosition) {
		t.Errorf("dump from behind the end: %v", err)
	}
}

// Damage ends a dump unless someone takes note of it.
func TestDumpOverDamage(t *testing.T) {
	s := newSpecimen(t, 1, 4<<10, true)
	path := s.paths[1]
	chunks := journal.Chunks(filepath.Base(path), s.files[path])
	s.files[path][chunks[1].Offset+100] ^= 4
	fsys := s.with("", nil)
	lines, lost := 0, uint64(0)
	count := func([]byte) error { lines++; return nil }
	err := journal.Dump(t.Context(), fsys, dir, journal.Range{}, count, nil)
	if corrupt := (*journal.CorruptError)(nil); !errors.As(err, &corrupt) || corrupt.Offset != chunks[1].Offset || uint64(lines) != chunks[1].Base {
		t.Errorf("dump gives %d lines, %v", lines, err)
	}
	lines = 0
	err = journal.Dump(t.Context(), fsys, dir, journal.Range{}, count, func(e *journal.CorruptError) { lost += e.Lost() })
	if err != nil || lost != chunks[1].End-chunks[1].Base || uint64(lines)+lost != s.end() {
		t.Errorf("dump over damage: %d lines, %d lost of %d, %v", lines, lost, s.end(), err)
	}
}

// The readers for people work beside a process that writes, and never see damage where there is none.
func TestInspectWhileWriting(t *testing.T) {
	fsys := new(journaltest.FS)
	j := mustOpen(t, journal.Options{FS: fsys, SegmentBytes: 4 << 10})
	mustAppend(t, j, journal.NewTraffic(5)(1))
	done := make(chan struct{})
	go func() {
		defer close(done)
		batch := journal.NewTraffic(1)
		for range 300 {
			mustAppend(t, j, batch(9))
		}
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		durable := j.Durable()
		rep, err := journal.Verify(t.Context(), fsys, dir, nil)
		if err != nil || rep.Lost != 0 || len(rep.Damages) > 0 || rep.Hits < durable {
			t.Fatalf("verify: %+v, %v, durable was %d", rep, err, durable)
		}
		if _, err := journal.List(fsys, dir); err != nil {
			t.Fatal(err)
		}
	}
}

// Nor beside one that seals and prunes: what they read is all there or told to be pruned.
func TestInspectWhilePruning(t *testing.T) {
	fsys := new(journaltest.FS)
	j := mustOpen(t, journal.Options{FS: fsys, SegmentBytes: 4 << 10})
	mustAppend(t, j, journal.NewTraffic(5)(1))
	done := make(chan struct{})
	go func() {
		defer close(done)
		batch := journal.NewTraffic(1)
		for n := range 600 {
			mustAppend(t, j, batch(9))
			if n%3 == 0 {
				mustSeal(t, j)
			}
			if n%20 == 0 {
				mustPrune(t, j, journal.PruneOptions{KeepBytes: 8 << 10})
			}
		}
	}()
	rounds := 0
	for running := true; running; rounds++ {
		select {
		case <-done:
			running = false
		default:
		}
		durable := j.Durable()
		rep, err := journal.Verify(t.Context(), fsys, dir, nil)
		if err != nil || rep.Lost != 0 || len(rep.Damages) > 0 || len(rep.Manifest) > 0 || rep.First+rep.Hits+rep.Pruned < durable {
			t.Fatalf("verify: %+v, %v, durable was %d", rep, err, durable)
		}
		if _, err := journal.List(fsys, dir); err != nil {
			t.Fatal(err)
		}
		lines, first := uint64(0), j.First()
		if err := journal.Dump(t.Context(), fsys, dir, journal.Range{}, func([]byte) error { lines++; return nil }, nil); err != nil {
			t.Fatal(err)
		}
		if now := j.First(); first == now && first+lines < durable {
			t.Fatalf("dump gives %d lines, want at least those of %d to %d", lines, first, durable)
		}
	}
	if j.First() == 0 || rounds < 3 {
		t.Errorf("the first position kept is %d after %d rounds: the test proves little", j.First(), rounds)
	}
}
