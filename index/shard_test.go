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
	ops := make([]op, pages)
	for i := range ops {
		ops[i] = op{
			position: uint64(i), visitor: uint64(i) + 1, site: "many", page: fmt.Sprintf("https://many.example/page/%d", i),
			date: 20_500, layer: heatmap.NewLayerID(heatmap.KindClick, 40, heatmap.Desktop, false), x: uint16(i), y: 7,
		}
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
		s.apply([]op{{position: uint64(i), site: "s", page: page, date: 20_500, layer: sumLayer(heatmap.KindClick)}}, uint64(i+1), int64(i))
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
