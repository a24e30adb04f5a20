package index

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

// TestCellOfGeneration counts on cells of 32 px: what is asked for is that, or a multiple, from blobs, live counts and scans
// alike, and never finer.
func TestCellOfGeneration(t *testing.T) {
	log, store, rng := newMemLog(), newMapStore(), rand.New(rand.NewPCG(11, 11))
	rules := mustParseRules(t, "cell: 32")
	x := openTest(t, Options{Store: store, Source: log, Rules: rules})
	for range 20 {
		log.append(randomBatch(rng, 2))
	}
	waitApplied(t, x)
	fine := openTest(t, Options{Store: newMapStore(), Source: log})
	waitApplied(t, fine)
	ask := func(cell int, where string) heatmap.Query {
		return heatmap.Query{Site: testSite, URL: testPage(0), Kind: heatmap.KindClick, Cell: cell, Where: where}
	}
	check := func(when string) {
		t.Helper()
		for _, cell := range []int{0, 32, 64, 96} {
			q := ask(max(cell, 32), "")
			want, err := fine.Heatmap(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			for _, where := range []string{"", "true"} {
				got, err := x.Heatmap(t.Context(), ask(cell, where))
				if err != nil {
					t.Fatalf("%s: cell %d, where %q: %v", when, cell, where, err)
				}
				if diff := cmp.Diff(want.Points, got.Points); diff != "" || got.Cell != max(cell, 32) || got.Hits == 0 {
					t.Errorf("%s: cell %d, where %q: cells of %d px, %d hits; points (-want +got):\n%s", when, cell, where, got.Cell, got.Hits, diff)
				}
			}
		}
		for _, cell := range []int{8, 16, 48} {
			for _, where := range []string{"", "true"} {
				_, err := x.Heatmap(t.Context(), ask(cell, where))
				var param *heatmap.ParamError
				if !errors.As(err, &param) || param.Field != "cell" || !strings.Contains(param.Message, "multiple of 32") {
					t.Errorf("%s: cell %d, where %q: %v", when, cell, where, err)
				}
			}
		}
	}
	check("live")
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	x = openTest(t, Options{Store: store, Source: log, Rules: rules})
	check("stored")
	if _, err := Open(t.Context(), Options{Store: store, Source: log}); err == nil || !strings.Contains(err.Error(), "other rules") {
		t.Errorf("opened with cells of 8 px: %v", err)
	}
}

// TestNoise asks with noise: what is left out is said, and nothing is lost.
func TestNoise(t *testing.T) {
	log, rng := newMemLog(), rand.New(rand.NewPCG(12, 12))
	x := openTest(t, Options{Store: newMapStore(), Source: log})
	for range 10 {
		log.append(randomBatch(rng, 1))
	}
	hot := heatmap.Hit{Time: 1_769_500_000_000, Site: testSite, URL: testPage(0), Kind: heatmap.KindClick, X: 640, Y: 360}
	log.append(heatmap.Batch{Site: testSite, Hits: []heatmap.Hit{hot, hot, hot}})
	waitApplied(t, x)
	q := heatmap.Query{Site: testSite, URL: testPage(0), Kind: heatmap.KindClick}
	all, err := x.Heatmap(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	left := 0
	for _, q.Noise = range []float64{0, 0.3, 1} {
		for _, q.Where = range []string{"", "true"} {
			a, err := x.Heatmap(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			sum := a.Noise.Hits
			for _, p := range a.Points {
				sum += p.Weight
			}
			if sum != a.Hits || a.Hits != all.Hits || a.Max() != all.Max() || len(a.Points)+a.Noise.Cells != len(all.Points) || q.Noise == 0 && a.Noise.Cells != 0 {
				t.Errorf("noise %v: %d hits in %d cells, left out %+v, max %d; want %d hits, %d cells, max %d", q.Noise, sum, len(a.Points), a.Noise, a.Max(), all.Hits, len(all.Points), all.Max())
			}
			left = max(left, a.Noise.Cells)
		}
	}
	if left == 0 {
		t.Error("noise of 1 leaves nothing out")
	}
	for _, q.Noise = range []float64{-0.1, 1.1} {
		var param *heatmap.ParamError
		if _, err := x.Heatmap(t.Context(), q); !errors.As(err, &param) || param.Field != "noise" {
			t.Errorf("noise %v: %v", q.Noise, err)
		}
	}
}
