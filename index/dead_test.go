package index

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

// TestDeadFromLog judges short logs of one view. The window is 2,000 ms.
func TestDeadFromLog(t *testing.T) {
	type hit = heatmap.Hit
	f := func(name string, want []Spot, hits ...hit) {
		t.Helper()
		var b heatmap.Batch
		for _, h := range hits {
			h.Site, h.URL = "s", "https://h/"+h.ID
			h.ID = ""
			if h.View == "" {
				h.View = "v"
			}
			b.Hits = append(b.Hits, h)
		}
		s := NewStream(mustParseRules(t, "dead: {from: log}"), nil, StreamOptions{})
		var got []Spot
		s.Events(&heatmap.Chunk{Count: len(b.Hits), Batches: []heatmap.Batch{b}}, func(e *Event) {
			if e.Dead {
				t.Errorf("%s: the recorded flag counts", name)
			}
			got = append(got, e.DeadAt...)
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: dead clicks (-want +got):\n%s", name, diff)
		}
	}
	const view, click, scroll, move = heatmap.KindView, heatmap.KindClick, heatmap.KindScroll, heatmap.KindMove
	at := func(ms int64, k heatmap.Kind, x uint16) hit {
		return hit{Time: ms, Kind: k, X: x, Flags: heatmap.FlagDead}
	}
	c := at(0, click, 100)
	dead := []Spot{{X: 100, Y: 0}}
	f("nothing after", nil, c)
	f("a move in time, and nothing after", nil, c, at(2000, move, 0))
	f("a move too late", dead, c, at(2001, move, 0))
	f("a scroll in time", nil, c, at(2000, scroll, 0), at(9000, move, 0))
	f("a scroll too late", dead, c, at(2001, scroll, 0))
	f("a scroll at once", nil, c, at(0, scroll, 0), at(9000, move, 0))
	f("a scroll from before that comes later", dead, c, at(-1, scroll, 0), at(9000, move, 0))
	f("a view in time", nil, c, at(10, view, 0), at(9000, move, 0))
	f("a click 25 px away", []Spot{{X: 125, Y: 0}}, c, at(10, click, 125), at(9000, move, 0))
	f("a click 24 px away", []Spot{{X: 100, Y: 0}, {X: 124, Y: 0}}, c, at(10, click, 124), at(9000, move, 0))
	f("an untrusted click elsewhere", nil, c, hit{Time: 10, Kind: click, X: 500, Flags: heatmap.FlagUntrusted}, at(9000, move, 0))
	f("an untrusted click", nil, hit{Kind: click, Flags: heatmap.FlagUntrusted}, at(9000, move, 0))
	f("each once", dead, c, at(9000, move, 0), at(9001, move, 0))
	f("alive once and for all", nil, c, at(1, scroll, 0), at(9000, scroll, 0))
	f("a click that shows it, and is dead itself", []Spot{{X: 100, Y: 0}, {X: 100, Y: 0}}, c, at(3000, click, 100), at(9000, move, 0))
	f("another view", nil, c, hit{Time: 9000, Kind: move, View: "w"})
	f("another page", nil, c, hit{Time: 9000, Kind: move, ID: "other"})
	f("a scroll of another view", dead, c, hit{Time: 5, Kind: scroll, View: "w"}, at(9000, move, 0))
	var many []hit
	var last []Spot
	for i := range uint16(10) {
		many = append(many, at(int64(i), click, i))
		if i >= 2 {
			last = append(last, Spot{X: i, Y: 0})
		}
	}
	f("the last eight", last, append(many, at(9000, move, 0))...)
}

func TestDeadWithoutView(t *testing.T) {
	s := NewStream(mustParseRules(t, "dead: {from: log}"), nil, StreamOptions{})
	hits := []heatmap.Hit{{Site: "s", URL: "https://h/", Kind: heatmap.KindClick}, {Time: 9000, Site: "s", URL: "https://h/", Kind: heatmap.KindMove}}
	s.Events(&heatmap.Chunk{Count: 2, Batches: []heatmap.Batch{{Hits: hits}}}, func(e *Event) {
		if e.DeadAt != nil {
			t.Errorf("hits of no view are of one: %v", e.DeadAt)
		}
	})
}

// TestRingForgets lets other views' clicks come between a click and what judges it: as many as are remembered, and one
// more.
func TestRingForgets(t *testing.T) {
	f := func(between int, want bool) {
		t.Helper()
		var r clickRing
		r.put(ringClick{key: 1})
		for i := range between {
			r.put(ringClick{key: uint64(2 + i)})
		}
		if got := r.last(1) != nil; got != want {
			t.Errorf("%d clicks between: remembered %t, want %t", between, got, want)
		}
		if len(r.clicks) > ringClicks || len(r.slots) > ringClicks {
			t.Errorf("%d clicks in %d slots are remembered, limit %d", len(r.clicks), len(r.slots), ringClicks)
		}
	}
	f(0, true)
	f(ringClicks-1, true)
	f(ringClicks, false)
	f(3*ringClicks, false)
}

func TestRepeatClicks(t *testing.T) {
	rules := nearness{500, 8}
	f := func(name string, want string, clicks ...[2]int64) {
		t.Helper()
		var r clickRing
		var got strings.Builder
		for _, c := range clicks {
			if r.repeats(rules, 1, c[0], Spot{X: uint16(c[1]), Y: 0}) {
				got.WriteString("r")
			} else {
				got.WriteString("c")
			}
		}
		if got.String() != want {
			t.Errorf("%s: %s, want %s", name, got.String(), want)
		}
	}
	f("in time", "cr", [2]int64{0, 100}, [2]int64{500, 100})
	f("too late", "cc", [2]int64{0, 100}, [2]int64{501, 100})
	f("earlier, but later in the log", "cr", [2]int64{500, 100}, [2]int64{0, 100})
	f("near", "cr", [2]int64{0, 100}, [2]int64{0, 108})
	f("too far", "cc", [2]int64{0, 100}, [2]int64{0, 109})
	f("from the last that counted, not the last", "crcr", [2]int64{0, 100}, [2]int64{400, 100}, [2]int64{800, 100}, [2]int64{1200, 100})
	f("the last that counted only", "ccc", [2]int64{0, 100}, [2]int64{1, 200}, [2]int64{2, 100})
}

// TestRepeatClickCompletesBurst checks that a click that does not count can complete a burst, of which each click counts.
func TestRepeatClickCompletesBurst(t *testing.T) {
	s := NewStream(mustParseRules(t, "repeat_clicks: {window: 1000}"), nil, StreamOptions{})
	var b heatmap.Batch
	for i := range 4 {
		b.Hits = append(b.Hits, heatmap.Hit{Time: int64(i), Site: "s", URL: "https://h/", View: "v", Kind: heatmap.KindClick, X: uint16(i), Flags: heatmap.FlagDead})
	}
	var d heatmap.Delta
	s.Events(&heatmap.Chunk{Count: 4, Batches: []heatmap.Batch{b}}, func(e *Event) {
		o := asOp(e)
		tallyNamed(&d, &o, o.layer)
	})
	got := map[heatmap.Kind]uint64{}
	d.Layers(func(id heatmap.LayerID, hits uint64) { got[id.Kind()] += hits })
	want := map[heatmap.Kind]uint64{heatmap.KindClick: 1, heatmap.KindRage: 3, heatmap.KindDead: 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("hits by kind (-want +got):\n%s", diff)
	}
}
