package index

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"heatlog/heatmap"
)

// TestShardBytes compares what a shard says it holds with what the heap has grown by, for many small pages.
func TestShardBytes(t *testing.T) {
	const pages = 50_000
	ops := new(part)
	for i := range uint64(pages) {
		ops.add("many", fmt.Sprintf("https://many.example/page/%d", i), 20_500, op{
			position: i, visitor: i + 1, layer: heatmap.NewLayerID(heatmap.KindClick, 40, heatmap.Desktop, false), x: uint16(i), y: 7,
		})
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	s := newShard(heatmap.CellSize)
	s.apply(ops, pages, 0)
	grown, said := heap()-before, int64(s.liveBytes)
	t.Logf("%d entries: %d bytes each, %d said", s.liveEntries, grown/int64(s.liveEntries), said/int64(s.liveEntries))
	if said < grown*9/10 || said > grown*13/10 {
		t.Errorf("the shard says %d bytes, the heap has grown by %d", said, grown)
	}
	runtime.KeepAlive(s)
	runtime.KeepAlive(ops)
}

// TestTakeOldFirst takes what is due before what was least recently used.
func TestTakeOldFirst(t *testing.T) {
	s := newShard(heatmap.CellSize)
	for i, page := range []string{"a", "b", "c", "a"} {
		ops := new(part)
		ops.add("s", page, 20_500, op{position: uint64(i), layer: sumLayer(heatmap.KindClick)})
		s.apply(ops, uint64(i+1), int64(i))
	}
	taken := s.take(0, 0, 3)
	var got strings.Builder
	for _, e := range taken {
		got.WriteString(e.page.page)
	}
	if got.String() != "aab" {
		t.Errorf("taken %q, want the day and the month of a, which are oldest, then one of b, the least recently used", got.String())
	}
	s.settle(taken)
	if len(s.pages) != 2 || s.flushingBytes != 0 || s.liveEntries != 3 {
		t.Errorf("%d pages, %d bytes in flight, %d entries are left", len(s.pages), s.flushingBytes, s.liveEntries)
	}
}

// TestTakeKeepsMonths has a month of one page wait for its next hit while other pages have days of theirs: these are given up
// first, until the month has waited monthStays times as long as they have.
func TestTakeKeepsMonths(t *testing.T) {
	f := func(gap uint64, wantMonth bool) {
		t.Helper()
		s := newShard(heatmap.CellSize)
		hit := func(page string, position uint64) {
			ops := new(part)
			ops.add("s", page, 20_500, op{position: position, layer: sumLayer(heatmap.KindClick)})
			s.apply(ops, position+1, 0)
		}
		hit("rare", 0)
		for _, e := range s.takeEntry(s.days.last()) { // its day is stored, and its month stays
			s.settle([]*entry{e})
		}
		hit("busy", gap)
		hit("later", gap+99)
		hit("latest", gap+199)
		first := s.take(s.liveBytes-1, never, 1)[0]
		if got := first.page.page == "rare"; got != wantMonth {
			t.Errorf("after %d hits of others: taken %s of %s", gap, first.period, first.page.page)
		}
		if !wantMonth && (first.period.IsMonth() || first.page.page != "busy") {
			t.Errorf("after %d hits of others: taken %s of %s, want the day of busy", gap, first.period, first.page.page)
		}
	}
	f(1, false)
	f(200*(monthStays-1)-50, false)
	f(200*monthStays, true)
}

// add adds an op to a part.
func (p *part) add(site, page string, date heatmap.Date, o op) {
	p.runs, p.ops = append(p.runs, run{site: site, page: page, date: date, ops: 1}), append(p.ops, o)
}

// TestNotesAreGivenUp stores many pages, and finds that the memory in which their hits were noted is not kept for others.
func TestNotesAreGivenUp(t *testing.T) {
	s, ops := newShard(heatmap.CellSize), new(part)
	for i := range uint64(20_000) {
		ops.add("many", fmt.Sprint(i), 20_500, op{position: i, layer: sumLayer(heatmap.KindClick)})
	}
	s.apply(ops, 20_000, 0)
	if s.notes.Used() < keptNotes || s.notes.Held() < s.notes.Used() {
		t.Fatalf("live entries have %d bytes of notes, of %d", s.notes.Used(), s.notes.Held())
	}
	few := s.notes
	s.settle(s.take(-1, never, 5))
	if s.notes != few {
		t.Error("memory for notes is given up that nearly all entries have")
	}
	s.settle(s.take(-1, never, 40_000))
	if held := s.notes.Held(); held > keptNotes {
		t.Errorf("without entries %d bytes for notes are kept, limit %d", held, keptNotes)
	}
}
