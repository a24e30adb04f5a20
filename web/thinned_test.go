package web

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

// manyCells is a map of n cells.
func manyCells(n int) *heatmap.Heatmap {
	r := rand.New(rand.NewPCG(5, 6))
	h := &heatmap.Heatmap{Prefix: prefix(), Page: "x", Cell: 8}
	for i := range n {
		h.Points = append(h.Points, heatmap.Point{X: i % 160 * 8, Y: i / 160 * 8, Weight: 1 + uint64(r.IntN(50))})
		h.Hits += h.Points[i].Weight
	}
	slices.SortStableFunc(h.Points, func(a, b heatmap.Point) int { return int(b.Weight) - int(a.Weight) })
	return h
}

// mapAnswer is what a program reads of a heatmap in JSON.
type mapAnswer struct {
	Hits, Max, Cells uint64
	Thinned          bool
	Error            *float64
	Points           [][]float64
}

func TestLimit(t *testing.T) {
	r := newFakeReader()
	h := start(t, Options{Reader: r})
	f := func(limit string, points int) (a mapAnswer) {
		t.Helper()
		reply := h.get("/v1/heatmap?site=shop&url=x" + limit)
		if err := json.Unmarshal([]byte(reply.body), &a); err != nil || a.Error == nil {
			t.Fatalf("limit %q: %v in %.200s", limit, err, reply.body)
		}
		sum := 0.
		for _, p := range a.Points {
			sum += p[2]
		}
		exact := points == int(a.Cells)
		if len(a.Points) != points || sum != float64(r.heatmap.Hits) || a.Thinned == exact || (*a.Error == 0) != exact ||
			a.Hits != r.heatmap.Hits || a.Max != r.heatmap.Points[0].Weight || a.Cells != uint64(len(r.heatmap.Points)) {
			t.Errorf("limit %q: %d points of %g hits, want %d; thinned %t, error %g, %d hits, max %d, %d cells", limit, len(a.Points), sum, points, a.Thinned, *a.Error, a.Hits, a.Max, a.Cells)
		}
		if got := r.query().Limit; got != 0 {
			t.Errorf("limit %q asks for %d", limit, got)
		}
		return a
	}
	for _, limit := range []string{"", "&limit=0", "&limit=2", "&limit=100000"} {
		f(limit, 2)
	}
	f("&limit=1", 1)
	r.heatmap = manyCells(4001)
	f("", 4000)
	f("&limit=0", 4001)
	f("&limit=4001", 4001)
	thin := heatmap.Thin(r.heatmap.Points, 8, 500)
	a := f("&limit=500", 500)
	if *a.Error != thin.Error {
		t.Errorf("error is %g, want %g", *a.Error, thin.Error)
	}
	for i, p := range thin.Points {
		if d := cmp.Diff([]float64{p.X, p.Y, float64(p.Weight)}, a.Points[i]); d != "" {
			t.Fatalf("point %d (-want +got)\n%s", i, d)
		}
	}
}

// TestCSV reads the lines of thinned points, of cells and of a difference by the standard library.
func TestCSV(t *testing.T) {
	r := newFakeReader()
	h := start(t, Options{Reader: r})
	f := func(target string, headers map[string]string, want ...string) {
		t.Helper()
		a := h.get("/v1/heatmap?site=shop&format=csv&"+page+target, "Accept-Encoding", "identity")
		lines, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range lines {
			got = append(got, strings.Join(l, " "))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got)\n%s", target, d)
		}
		headers["Content-Type"] = "text/csv; charset=utf-8; header=present"
		headers["Heatlog-Hits"], headers["Heatlog-Cell"] = "12", "8"
		for name, value := range headers {
			if got := a.Header.Get(name); got != value {
				t.Errorf("%s: header %s is %q, want %q", target, name, got, value)
			}
		}
	}
	f("", map[string]string{"Heatlog-Thinned": "false", "Heatlog-Error": "0", "Heatlog-Max": "9", "Heatlog-Cells": "2", "Heatlog-Noise-Hits": "0", "Heatlog-From": "2026-01-01",
		"Heatlog-To": "2026-01-31", "Heatlog-Visitors": "5", "Heatlog-Views": "9", "Heatlog-Lag-Hits": "3", "Heatlog-Generation": "g1", "Heatlog-Positions": "ja:181200,jb:7"},
		"x y weight", "512 1480 9", "0 0 3")
	thin := heatmap.Thin(r.heatmap.Points, 8, 1)
	f("&limit=1", map[string]string{"Heatlog-Thinned": "true", "Heatlog-Error": strconv.FormatFloat(thin.Error, 'f', -1, 64), "Heatlog-Max": "9", "Heatlog-Cells": "2"},
		"x y weight", "384 1110 12")
	r.heatmap.Cell = 16
	a := h.get("/v1/heatmap?site=shop&format=csv&minus_generation=g2&" + page)
	if want := "x,y,difference,hits,minus_hits\n0,0,-0.75,3,4\n512,1480,0.75,9,0\n"; a.body != want || a.Header.Get("Heatlog-Minus-Hits") != "4" || a.Header.Get("Heatlog-Moved") != "0.75" {
		t.Errorf("a difference is %q, headers %v", a.body, a.Header)
	}
	r.heatmap = &heatmap.Heatmap{Cell: 8, Why: &heatmap.Why{Reason: heatmap.WhyOnlyBots}}
	if a := h.get("/v1/heatmap?site=shop&format=csv&" + page); a.body != "x,y,weight\n" || a.Header.Get("Heatlog-Why") != "only_bots" {
		t.Errorf("an empty map is %q, headers %v", a.body, a.Header)
	}
}

// TestThinCache asks for more maps than memory is for: those that were asked for last stay, made once whoever asks.
func TestThinCache(t *testing.T) {
	const limit = 100
	one := thinEntryBytes + 24*limit
	c := newThinCache(3*one + one/2)
	maps := make([][]heatmap.Point, 5)
	for i := range maps {
		maps[i] = manyCells(200 + i).Points
	}
	made := make([]*heatmap.Thinned, len(maps))
	for i := range maps {
		made[i] = c.thin(maps[i], 8, limit)
		if d := cmp.Diff(heatmap.Thin(maps[i], 8, limit), made[i]); d != "" {
			t.Fatalf("map %d (-want +got)\n%s", i, d)
		}
		if i == 2 {
			c.thin(maps[0], 8, limit) // before 1 again
		}
	}
	if c.bytes > c.max || len(c.byKey) != 3 || c.recent.Len() != 3 || c.bytes != 3*one {
		t.Errorf("%d maps, %d in the list, of %d bytes, want 3 of %d", len(c.byKey), c.recent.Len(), c.bytes, 3*one)
	}
	for i, kept := range []bool{true, false, false, true, true} {
		if _, ok := c.byKey[thinKey{c.sum(maps[i]), len(maps[i]), 8, limit}]; ok != kept {
			t.Errorf("map %d is kept: %t, want %t", i, ok, kept)
		}
	}
	if c.thin(slices.Clone(maps[4]), 8, limit) != made[4] {
		t.Error("equal cells were thinned again")
	}
	for _, other := range []*heatmap.Thinned{c.thin(maps[4], 16, limit), c.thin(maps[4], 8, limit-1)} {
		if other == made[4] {
			t.Error("another question was answered by the same points")
		}
	}
	changed := slices.Clone(maps[4])
	changed[7].Weight++
	if c.thin(changed, 8, limit) == made[4] {
		t.Error("other weights were answered by the same points")
	}
	if small := newThinCache(1); len(small.thin(maps[0], 8, limit).Points) != limit || len(small.byKey) != 0 || small.bytes != 0 {
		t.Errorf("a map over the limit is kept: %d bytes", small.bytes)
	}
}

func TestThinCacheAtOnce(t *testing.T) {
	c := newThinCache(DefaultThinBytes)
	points := manyCells(5000).Points
	var all sync.WaitGroup
	got := make([]*heatmap.Thinned, 8)
	for i := range got {
		all.Go(func() { got[i] = c.thin(points, 8, 100) })
	}
	all.Wait()
	for i := range got {
		if got[i] != got[0] || len(got[i].Points) != 100 {
			t.Fatalf("caller %d got points of its own", i)
		}
	}
}

func BenchmarkThinCache(b *testing.B) {
	c, points := newThinCache(DefaultThinBytes), manyCells(40_000).Points
	b.ReportAllocs()
	b.SetBytes(int64(24 * len(points)))
	for b.Loop() {
		c.thin(points, 8, 4000)
	}
}

func BenchmarkEncode(b *testing.B) {
	cells := manyCells(40_000).Points
	thin := heatmap.Thin(cells, 8, 4000).Points
	run := func(name string, n int, f func(dst []byte) []byte) {
		b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
			dst := f(nil)
			b.SetBytes(int64(len(dst)))
			b.ReportAllocs()
			for b.Loop() {
				dst = f(dst[:0])
			}
		})
	}
	run("json", len(cells), func(dst []byte) []byte { return appendPoints(dst, cells) })
	run("msgpack", len(cells), func(dst []byte) []byte { return packPoints(dst, cells) })
	run("csv", len(cells), func(dst []byte) []byte { return appendCSV(dst, cells) })
	run("json", len(thin), func(dst []byte) []byte { return appendThinned(dst, thin) })
	run("msgpack", len(thin), func(dst []byte) []byte { return packThinned(dst, thin) })
}
