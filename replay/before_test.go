package replay

import (
	"strings"
	"testing"

	"heatlog/heatmap"
	"heatlog/index"
)

// TestGenerationOfBefore opens what was counted before clicks were counted inside elements and sampled hits as such: it goes on as
// it was, stored and live, and a new generation by the same rules has the elements and the samples of all hits, those of before
// too.
func TestGenerationOfBefore(t *testing.T) {
	h := newHouse(t)
	h.fill(60)
	spec := string(index.DefaultRules().Spec())
	before := strings.Replace(spec, "    \"elements/1\",\n", "", 1)
	if before = strings.Replace(before, ",\n    \"sampled/1\"", "", 1); strings.Contains(before, "elements") || strings.Contains(before, "sampled") || len(before) > len(spec)-30 {
		t.Fatal("the default rules do not name elements/1 and sampled/1: the test shows nothing")
	}
	if ok, err := h.store.SwapRecord(t.Context(), specName("g1"), nil, []byte(before)); err != nil || !ok {
		t.Fatal(ok, err)
	}
	ask := func(id string) *heatmap.ElementList {
		t.Helper()
		a, err := h.g.Elements(t.Context(), heatmap.Query{Site: testSite, URL: "https://shop.example/product/*", Generation: id, Cells: true})
		if err != nil {
			t.Fatal(err)
		}
		if a.Hits == 0 || a.Hits != a.Rest+a.Anchored() || a.Unnamed > 0 {
			t.Fatalf("%s: %d hits, rest %d, %d unnamed", id, a.Hits, a.Rest, a.Unnamed)
		}
		return a
	}
	h.g = h.open()
	h.awaitAll()
	h.close()
	h.g = h.open()
	h.fill(60)
	h.awaitAll()
	if a := ask("g1"); a.Anchored() != 0 || len(a.Elements) != 0 || a.Sampled != (heatmap.Sampled{}) {
		t.Errorf("%d hits are at %d elements, sampled %v, which g1 does not count", a.Anchored(), len(a.Elements), a.Sampled)
	}
	if v, err := h.g.Get(t.Context(), "g1"); err != nil || v.RulesText != "" || v.Rules != before {
		t.Errorf("rules of g1 are given as %q, recorded as %q, %v", v.RulesText, v.Rules, err)
	}
	id := h.start(heatmap.Replay{})
	h.await(id, heatmap.StateReady)
	h.awaitAll()
	old, now := ask("g1"), ask(id)
	if now.Hits != old.Hits || now.Anchored() < now.Hits/3 || len(now.Elements) < 5 || now.Sampled.Hits < 10 || now.Sampled.Share != 100_000 {
		t.Errorf("%s has %d hits, %d at %d elements, sampled %v; g1 has %d", id, now.Hits, now.Anchored(), len(now.Elements), now.Sampled, old.Hits)
	}
	h.close()
}
