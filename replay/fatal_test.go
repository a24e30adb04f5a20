package replay

import (
	"strings"
	"testing"

	"heatlog/heatmap"
)

// TestFatalRules replays by rules of which nobody can mean what comes of them: they are built, but not switched to.
func TestFatalRules(t *testing.T) {
	f := func(rules, want string) {
		t.Helper()
		h := newHouse(t)
		h.fill(300)
		h.open()
		id := h.start(heatmap.Replay{Rules: rules, Activate: true})
		h.await(id, heatmap.StateReady)
		r, err := h.g.Report(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(r.Warnings, "; "); !strings.Contains(got, want) || !strings.Contains(r.Summary(), want) {
			t.Errorf("%s: warned of %q, want %q", rules, got, want)
		}
		if e, _ := h.g.entry(id); e.Activate || e.State != heatmap.StateReady {
			t.Errorf("%s: %s is %s and is switched to: %t", rules, id, e.State, e.Activate)
		}
	}
	f("exclude: ['true']", "leave out every hit")
	f("exclude: ['!bot']", "every hit is a bot's")
	f("exclude: ['x % 0 == 1']", "fails on every hit")
	f("urls: {groups: [{match: 'https://shop.example/**', page: 'https://shop.example/all'}]}", "one is left")
}
