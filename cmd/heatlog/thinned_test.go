package main

import (
	"bytes"
	"math"
	"net/url"
	"strconv"
	"testing"
)

// TestThinnedAnswers compares the error that answers name with a naive drawing of what they give, beside that of all cells: of
// recorded hits where the samples are there, and of streamed ones.
func TestThinnedAnswers(t *testing.T) {
	t.Parallel()
	p := startServer(t, t.TempDir())
	sites := []string{"adserp", "iweb", "site-0"}
	for _, site := range sites {
		p.AddSite(site, "UTC", "https://"+site+".example")
	}
	sets := sampleSets(t)
	if sets[0].name != "streamed" {
		sets = append(sets, streamedSet(60_000))
	}
	for _, set := range sets {
		p.Import(bytes.NewReader(set.lines), set.encoding)
	}
	compared := map[int]int{}
	for _, site := range sites {
		p.WaitCounted(site)
		var a struct{ Pages []struct{ URL string } }
		p.Ask("/v1/pages", url.Values{"site": {site}, "bots": {"1"}}, &a)
		questions := []string{"https://**", "http://**"}
		for _, page := range a.Pages[:min(2, len(a.Pages))] {
			questions = append(questions, page.URL)
		}
		for _, question := range questions {
			for _, kind := range []string{"click", "move"} {
				compareThinned(t, p, url.Values{"site": {site}, "url": {question}, "kind": {kind}, "bots": {"1"}}, compared)
			}
		}
	}
	for _, limit := range []int{500, 1000, 4000} {
		if compared[limit] == 0 {
			t.Errorf("no answer has more than %d cells: the test proves nothing", limit)
		}
	}
	p.Stop()
}

// compareThinned asks for all cells and for so many points, and counts by limit what was thinned.
func compareThinned(t *testing.T, p *process, q url.Values, compared map[int]int) {
	t.Helper()
	type answer struct {
		Error  float64
		Points [][3]float64
	}
	var all answer
	q.Set("limit", "0")
	p.Ask("/v1/heatmap", q, &all)
	exact := drawNaively(all.Points)
	top := 0.0
	for _, heat := range exact {
		top = max(top, heat)
	}
	for _, limit := range []int{500, 1000, 4000} {
		if len(all.Points) <= limit {
			continue
		}
		var thin answer
		q.Set("limit", strconv.Itoa(limit))
		p.Ask("/v1/heatmap", q, &thin)
		far := 0.0
		drawn := drawNaively(thin.Points)
		for at, heat := range exact {
			far = max(far, math.Abs(heat-drawn[at]))
		}
		for at, heat := range drawn {
			far = max(far, math.Abs(heat-exact[at]))
		}
		if naive := far / top; len(thin.Points) != limit || math.Abs(thin.Error-naive) > 3e-6 {
			t.Errorf("%v: %d points with error %.7f, want %d with the naive drawing's %.7f", q, len(thin.Points), thin.Error, limit, naive)
		}
		t.Logf("%s %s %s: %d cells, limit %d: error %.4f %%", q.Get("site"), q.Get("url"), q.Get("kind"), len(all.Points), limit, 100*thin.Error)
		compared[limit]++
	}
}

// drawNaively has the heat of points of cells of 8 px at the corners and centres of cells, by the formula of the kernel.
func drawNaively(points [][3]float64) map[[2]int]float64 {
	const radius, cell = 24, 8
	heat := make(map[[2]int]float64)
	for _, p := range points {
		cx, cy := p[0]+cell/2, p[1]+cell/2
		for y := max(int(cy-radius), 0) / 4 * 4; float64(y) < cy+radius; y += 4 {
			for x := max(int(cx-radius), 0) / 4 * 4; float64(x) < cx+radius; x += 4 {
				dx, dy := float64(x)-cx, float64(y)-cy
				if k := 1 - (dx*dx+dy*dy)/(radius*radius); k > 0 && x%8 == y%8 {
					heat[[2]int{x, y}] += p[2] * k * k
				}
			}
		}
	}
	return heat
}
