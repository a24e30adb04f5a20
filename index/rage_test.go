package index

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rage1 are the parameters of rage/1 where the rules name none.
var rage1 = rageRules{3, nearness{1000, 24}}

func TestRage(t *testing.T) {
	type click struct {
		ms   int64
		x, y uint16
	}
	f := func(name string, clicks []click, want ...[]Spot) {
		t.Helper()
		var b bursts
		var got [][]Spot
		for _, c := range clicks {
			if burst := b.add(&rage1, 1, c.ms, Spot{X: c.x, Y: c.y}); burst != nil {
				got = append(got, burst)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: bursts (-want +got):\n%s", name, diff)
		}
	}
	at := func(x, y uint16) Spot { return Spot{X: x, Y: y} }
	f("two", []click{{0, 5, 5}, {1, 5, 5}})
	f("three", []click{{0, 5, 5}, {1, 6, 5}, {2, 7, 5}}, []Spot{at(5, 5), at(6, 5), at(7, 5)})
	f("a second", []click{{5000, 5, 5}, {4500, 6, 5}, {4000, 7, 5}}, []Spot{at(5, 5), at(6, 5), at(7, 5)})
	f("over a second", []click{{5001, 5, 5}, {4500, 6, 5}, {4000, 7, 5}})
	f("over a second the other way", []click{{4000, 5, 5}, {4500, 6, 5}, {5001, 7, 5}})
	f("24 px", []click{{0, 0, 65535}, {0, 24, 65535}, {0, 12, 65535}}, []Spot{at(0, 65535), at(24, 65535), at(12, 65535)})
	f("25 px between the first two", []click{{0, 0, 0}, {0, 25, 0}, {0, 12, 0}})
	f("25 px between the last two", []click{{0, 12, 0}, {0, 25, 0}, {0, 0, 0}})
	f("over 24 px aslant", []click{{0, 0, 0}, {0, 17, 17}, {0, 8, 8}})
	f("under 24 px aslant", []click{{0, 0, 0}, {0, 16, 17}, {0, 8, 8}}, []Spot{at(0, 0), at(16, 17), at(8, 8)})
	f("across the whole page", []click{{0, 0, 0}, {0, 65535, 65535}, {0, 0, 65535}})
	f("each click once", []click{{0, 1, 0}, {0, 2, 0}, {0, 3, 0}, {0, 4, 0}, {0, 5, 0}, {0, 6, 0}, {0, 7, 0}},
		[]Spot{at(1, 0), at(2, 0), at(3, 0)}, []Spot{at(4, 0), at(5, 0), at(6, 0)})
	f("the latest two", []click{{0, 0, 0}, {0, 24, 0}, {0, 48, 0}, {0, 24, 24}, {0, 24, 12}}, []Spot{at(24, 0), at(24, 24), at(24, 12)})
	f("an earlier pair where the latest does not fit", []click{{0, 10, 0}, {0, 11, 0}, {0, 36, 0}, {0, 12, 0}}, []Spot{at(10, 0), at(11, 0), at(12, 0)})
	f("eight clicks back", []click{{0, 5, 5}, {0, 90, 0}, {0, 5, 90}, {0, 90, 90}, {0, 180, 0}, {0, 0, 180}, {0, 180, 180}, {0, 5, 5}, {0, 5, 5}},
		[]Spot{at(5, 5), at(5, 5), at(5, 5)})
	f("nine clicks back", []click{{0, 5, 5}, {0, 90, 0}, {0, 5, 90}, {0, 90, 90}, {0, 180, 0}, {0, 0, 180}, {0, 180, 180}, {0, 180, 90}, {0, 5, 5}, {0, 5, 5}})
}

func TestRageKeys(t *testing.T) {
	var b bursts
	for i := range 300 {
		key := uint64(i % 100)
		if burst := b.add(&rage1, key, 0, Spot{}); (burst != nil) != (i >= 200) {
			t.Fatalf("click %d: burst %v", i, burst)
		}
	}
}

// TestRageForgets lets other views' clicks come between those of a burst: as many as are remembered, and one more.
func TestRageForgets(t *testing.T) {
	f := func(between int, want bool) {
		t.Helper()
		var b bursts
		b.add(&rage1, 1, 0, Spot{})
		for i := range between {
			b.add(&rage1, uint64(2+i), 0, Spot{})
		}
		b.add(&rage1, 1, 0, Spot{})
		if got := b.add(&rage1, 1, 0, Spot{}); (got != nil) != want {
			t.Errorf("%d clicks between: burst %v, want one: %t", between, got, want)
		}
		if len(b.clicks) > ringClicks || len(b.slots) > ringClicks {
			t.Errorf("%d clicks in %d slots are remembered, limit %d", len(b.clicks), len(b.slots), ringClicks)
		}
	}
	f(ringClicks-2, true)
	f(ringClicks-1, false)
	f(3*ringClicks, false)
}
