package demo_test

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/demo"
)

// line is an import line, and nothing but one.
type line struct {
	T                                   int64
	Site, URL, Kind, Sel, View, Visitor string
	Check                               *uint16
	UA, Pointer                         string
	X, Y, VW, VH, DW, DH, Depth, From   int
	Dwell, BW, BH                       int
	AX, AY                              float64
	Fixed, Dead                         bool
}

var now = time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)

func options(seed uint64) demo.Options {
	return demo.Options{Origin: "https://heat.example/x/", Seed: seed, Now: now}
}

func lines(t testing.TB, o demo.Options) (list []line) {
	t.Helper()
	for text := range demo.Lines(o) {
		var l line
		d := json.NewDecoder(bytes.NewReader(text))
		d.DisallowUnknownFields()
		if err := d.Decode(&l); err != nil || !bytes.HasSuffix(text, []byte("}\n")) {
			t.Fatalf("line %q: %v", text, err)
		}
		list = append(list, l)
	}
	return list
}

func text(o demo.Options) string {
	var b strings.Builder
	for l := range demo.Lines(o) {
		b.Write(l)
	}
	return b.String()
}

func TestEqualSeedsGiveEqualLines(t *testing.T) {
	first := text(options(1))
	if text(options(1)) != first {
		t.Error("two runs with one seed differ")
	}
}

// TestOthersComeWithOtherSeeds: visitors and views of two seeds add up.
func TestOthersComeWithOtherSeeds(t *testing.T) {
	for _, id := range []func(line) string{func(l line) string { return l.Visitor }, func(l line) string { return l.View }} {
		seen := map[string]uint64{}
		for seed := range uint64(5) {
			for _, l := range lines(t, options(seed)) {
				if other, known := seen[id(l)]; known && other != seed {
					t.Fatalf("seeds %d and %d share %s", other, seed, id(l))
				}
				seen[id(l)] = seed
			}
		}
		if n := len(seen); n < 5*300 {
			t.Errorf("%d ids of 5 times 300 visitors", n)
		}
	}
}

// TestVisitorsComeInTime: none too early, no hit in the future, and few at night.
func TestVisitorsComeInTime(t *testing.T) {
	zone, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	o := options(3)
	o.Days, o.Visitors, o.Now = 3, 2000, now.In(zone)
	night, day, came := 0, 0, map[string]bool{}
	for _, l := range lines(t, o) {
		at := time.UnixMilli(l.T).In(zone)
		if at.After(o.Now) || at.Before(o.Now.AddDate(0, 0, -3)) {
			t.Fatalf("hit at %v, it is %v", at, o.Now)
		}
		if came[l.Visitor] {
			continue
		}
		came[l.Visitor] = true
		switch hour := at.Hour(); {
		case hour >= 1 && hour < 6:
			night++
		case hour >= 17 && hour < 22:
			day++
		}
	}
	if len(came) != 2000 || night*4 > day {
		t.Errorf("%d visitors came, %d at night and %d in the evening", len(came), night, day)
	}
}

// TestLinesAreInRange checks each line by itself, and against the box that was clicked.
func TestLinesAreInRange(t *testing.T) {
	shop := demo.Boxes()
	known := map[string]map[string]bool{}
	for _, p := range shop.Pages {
		known["https://heat.example/x"+p.Path] = map[string]bool{}
		for _, e := range p.Elements {
			known["https://heat.example/x"+p.Path][e.Selector] = true
		}
	}
	for _, l := range lines(t, options(4)) {
		if l.Site != "demo" || known[l.URL] == nil || l.VW == 0 || l.VH == 0 || l.DW > l.VW || l.DH <= l.VH || l.Visitor == "" || l.View == "" || l.UA == "" {
			t.Fatalf("%+v", l)
		}
		switch l.Kind {
		case "view":
		case "scroll":
			if l.From > l.Depth || l.Depth > l.DH || l.Depth < l.Y+l.VH && l.Depth != l.DH || l.Dwell <= 0 || l.Dwell > 600_000 {
				t.Fatalf("%+v", l)
			}
		case "click":
			touch := strings.Contains(l.UA, "Android") || strings.Contains(l.UA, "iP")
			if l.X >= l.DW || l.Y >= l.DH || !known[l.URL][l.Sel] || l.BW == 0 || l.BH == 0 || l.AX < 0 || l.AX > 1 || l.AY < 0 || l.AY > 1 ||
				(l.Pointer == "touch") != touch || touch != (l.VW < 1024) {
				t.Fatalf("%+v", l)
			}
		default:
			t.Fatalf("%+v", l)
		}
	}
}

// view is what is known of a view so far.
type view struct {
	url           string
	t             int64
	depth, firsts int
	height, top   int
	dead, burst   int
	lastX, lastY  int
	lastAt        int64
	clicks, fixed int
}

func views(t *testing.T, list []line) map[string]*view {
	t.Helper()
	all := map[string]*view{}
	for _, l := range list {
		v := all[l.View]
		if v == nil {
			if l.Kind != "view" {
				t.Fatalf("view begins with %+v", l)
			}
			v = &view{url: l.URL, t: l.T}
			all[l.View] = v
		}
		if l.T < v.t || l.URL != v.url {
			t.Fatalf("view went back or elsewhere: %+v", l)
		}
		v.t, v.height = l.T, l.DH
		switch l.Kind {
		case "scroll":
			if l.From != v.depth {
				t.Fatalf("scroll from %d after a depth of %d", l.From, v.depth)
			}
			if l.From == 0 {
				v.firsts++
			}
			v.depth, v.top = l.Depth, l.Y
		case "click":
			v.click(l)
		}
	}
	return all
}

func (v *view) click(l line) {
	v.clicks++
	if l.Dead {
		v.dead++
	}
	if l.Fixed && l.Y > 400 && (strings.HasPrefix(l.Sel, "#top") || strings.HasPrefix(l.Sel, "#menu") || strings.HasPrefix(l.Sel, "#bag") || strings.HasPrefix(l.Sel, "#burger")) {
		v.fixed++
	}
	if l.T-v.lastAt < 500 && math.Hypot(float64(l.X-v.lastX), float64(l.Y-v.lastY)) < 24 {
		v.burst++
	}
	v.lastX, v.lastY, v.lastAt = l.X, l.Y, l.T
}

// TestVisitorsReadAndClick: all of a heatmap's kinds have something to show, and reach falls off.
func TestVisitorsReadAndClick(t *testing.T) {
	o := options(5)
	o.Visitors = 1000
	var clicks, dead, bursts, fixed, half, end, landing int
	all := views(t, lines(t, o))
	for id, v := range all {
		if v.firsts > 1 || v.firsts == 0 && v.t < now.Add(-10*time.Minute).UnixMilli() {
			t.Fatalf("view %s has %d first scrolls", id, v.firsts)
		}
		clicks, dead, fixed = clicks+v.clicks, dead+v.dead, fixed+v.fixed
		if v.burst >= 2 {
			bursts++
		}
		if strings.HasSuffix(v.url, "/demo/") {
			landing++
			half += within(v.depth*2 > v.height)
			end += within(v.depth == v.height)
		}
	}
	share := func(what string, n, of int, low, high float64) {
		t.Helper()
		if s := float64(n) / float64(of); s < low || s > high {
			t.Errorf("%s: %d of %d, want %v to %v", what, n, of, low, high)
		}
	}
	share("views of a visitor", len(all), 1000, 1.8, 3.2)
	share("clicks of a view", clicks, len(all), .8, 2.5)
	share("dead clicks", dead, clicks, .05, .25)
	share("views with a burst", bursts, len(all), .01, .06)
	share("clicks in the header while scrolled", fixed, clicks, .02, .25)
	share("half of the landing page seen", half, landing, .2, .6)
	share("all of the landing page seen", end, landing, .04, .25)
}

func within(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestBoxesAreComplete: every page has all widths, and a box or none for each element.
func TestBoxesAreComplete(t *testing.T) {
	shop := demo.Boxes()
	if len(shop.Pages) != 3 {
		t.Fatalf("%d pages", len(shop.Pages))
	}
	for _, p := range shop.Pages {
		if len(p.Layouts) != len(demo.Widths) {
			t.Errorf("%s has %d layouts", p.Path, len(p.Layouts))
		}
		for _, l := range p.Layouts {
			if len(l.Boxes) != len(p.Elements) || l.DocW != l.Width || l.DocH < 2000 {
				t.Errorf("%s at %d px: %d boxes of %d elements on %d x %d px", p.Path, l.Width, len(l.Boxes), len(p.Elements), l.DocW, l.DocH)
			}
			for i, box := range l.Boxes {
				if n := len(box); n != 0 && n != demo.BoxLabelW+1 && n != demo.BoxLast+1 {
					t.Errorf("%s at %d px: box %d has %d numbers", p.Path, l.Width, i, n)
				}
			}
		}
	}
}

func BenchmarkLines(b *testing.B) {
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		for range demo.Lines(options(1)) {
			n++
		}
	}
	b.ReportMetric(float64(n)/float64(b.N), "hits/op")
}
