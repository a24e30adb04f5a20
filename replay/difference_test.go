package replay

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"heatlog/heatmap"
	"heatlog/index"
)

// TestDifference asks for the difference of ranges, which is of one position, and of generations, each of which names its own.
func TestDifference(t *testing.T) {
	h, id := readyHouse(t, 200)
	q := heatmap.Query{Site: testSite, URL: "**", Kind: heatmap.KindClick}
	one := q
	one.Where = "x < 500"
	d, err := h.g.Difference(t.Context(), q, one)
	if err != nil {
		t.Fatal(err)
	}
	if d.Shown.Hits == 0 || d.Minus.Hits == 0 || d.Minus.Hits >= d.Shown.Hits || !maps.Equal(d.Shown.Positions, d.Minus.Positions) || d.Minus.Generation != "g1" {
		t.Errorf("difference of %d and %d hits, of %v and %v by %s", d.Shown.Hits, d.Minus.Hits, d.Shown.Positions, d.Minus.Positions, d.Minus.Generation)
	}
	other := q
	other.Generation = id
	d, err = h.g.Difference(t.Context(), q, other)
	if err != nil {
		t.Fatal(err)
	}
	if d.Shown.Generation != "g1" || d.Minus.Generation != id || d.Shown.Hits == 0 {
		t.Errorf("difference of %s and %s, %d hits", d.Shown.Generation, d.Minus.Generation, d.Shown.Hits)
	}
	f := func(q, minus heatmap.Query, field string) {
		t.Helper()
		_, err := h.g.Difference(t.Context(), q, minus)
		if param := (*heatmap.ParamError)(nil); !errors.As(err, &param) || param.Field != field {
			t.Errorf("error is %v, want one of %s", err, field)
		}
	}
	none := q
	none.Generation = "g99"
	f(q, none, "minus_generation")
	f(none, q, "generation")
	f(none, none, "generation")
	none.Generation, none.Where = "", "x +"
	f(q, none, "minus_where")
}

// TestWarnings warns of rules that another generation has, and of sites that there are not.
func TestWarnings(t *testing.T) {
	h := newHouse(t)
	h.adjust = func(o *Options) { o.Index.KnownSite = func(site string) bool { return site == testSite } }
	h.fill(5)
	h.g = h.open()
	f := func(rules string, want ...string) {
		t.Helper()
		g := h.await(h.start(heatmap.Replay{Rules: rules}), heatmap.StateReady)
		if got := strings.Join(g.Warnings, "|"); got != strings.Join(want, "|") {
			t.Errorf("%q: warnings are %q, want %q", rules, g.Warnings, want)
		}
	}
	f("", "its rules are the same as those of g1: both count the same")
	f("cell: 16\nsites: {shop: {timezone: Europe/Prague}, shopp: {timezone: UTC}}", "its rules name the site shopp, which there is not: register it, or put its key right")
	if w := h.g.List()[0].Warnings; w != nil {
		t.Errorf("g1 has the warnings %q", w)
	}
}

// TestOpenByOtherAlgorithm opens what another version of heatlog has counted: the error says how to go on, and what an older
// one recorded with fewer keys is taken.
func TestOpenByOtherAlgorithm(t *testing.T) {
	h := newHouse(t)
	h.fill(5)
	h.g = h.open()
	h.close()
	record := func(change func(spec string) string) {
		t.Helper()
		old, err := h.store.Record(t.Context(), specName("g1"))
		if err != nil {
			t.Fatal(err)
		}
		if ok, err := h.store.SwapRecord(t.Context(), specName("g1"), old, []byte(change(string(index.DefaultRules().Spec())))); err != nil || !ok {
			t.Fatal(ok, err)
		}
	}
	record(func(spec string) string { return strings.Replace(spec, "repeats/2", "repeats/1", 1) })
	_, err := Open(t.Context(), h.options())
	const want = "open generation g1: it was counted by another version of heatlog: this build does not have repeats/1: " +
		"move the folder store out of the data folder, or name an empty database, and everything is counted anew from the journal"
	if err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	record(func(spec string) string { return strings.Replace(spec, `"repeat_clicks":`, `"unknown_key":`, 1) })
	if _, err := Open(t.Context(), h.options()); err == nil || !strings.Contains(err.Error(), countAnew) {
		t.Errorf("error is %v", err)
	}
	record(func(string) string {
		return `{"algorithms":["bots/1","canon/1","rage/1","repeats/2"],"urls":{"groups":[]}}`
	})
	h.g = h.open()
}
