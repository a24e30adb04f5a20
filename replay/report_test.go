package replay

import (
	"context"
	"errors"
	"testing"

	"heatlog/heatmap"
)

// TestReport: what a comparison has found is there after a restart too, of a generation that failed by it as well, and goes
// with it.
func TestReport(t *testing.T) {
	h := newHouse(t)
	var problems []string
	h.adjust = func(o *Options) {
		o.Verify = func(ctx context.Context, v Verification) (*heatmap.Report, error) {
			return &heatmap.Report{Generation: v.ID, Active: v.ActiveID, Problems: problems}, nil
		}
	}
	h.open()
	h.fill(5)
	want := func(id string, problems int) {
		t.Helper()
		r, err := h.g.Report(t.Context(), id)
		if err != nil || r.Generation != id || r.Active != "g1" || len(r.Problems) != problems {
			t.Errorf("report of %s is %+v, %v", id, r, err)
		}
	}
	good := h.start(heatmap.Replay{})
	h.await(good, heatmap.StateReady)
	want(good, 0)
	problems = []string{"cells do not add up"}
	v, err := h.g.Start(t.Context(), heatmap.Replay{})
	if err != nil {
		t.Fatal(err)
	}
	for v.State != heatmap.StateFailed {
		if v, err = h.g.Get(t.Context(), v.ID); err != nil {
			t.Fatal(err)
		}
	}
	if v.Reason != problems[0] {
		t.Errorf("reason is %q", v.Reason)
	}
	h.open()
	want(good, 0)
	want(v.ID, 1)
	if _, err := h.g.Report(t.Context(), "g1"); !errors.As(err, new(*heatmap.StateError)) {
		t.Errorf("report of what was not compared: %v", err)
	}
	if err := h.g.Drop(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	if _, err := h.g.Report(t.Context(), good); !errors.As(err, new(*heatmap.ParamError)) {
		t.Errorf("report of what is dropped: %v", err)
	}
	h.awaitGone(good)
	if text, err := h.store.Record(t.Context(), reportName(good)); text != nil || err != nil {
		t.Errorf("left is %s, %v", text, err)
	}
}

// TestRulesText: rules are there as they were given, and as the canonical text where nobody gave any.
func TestRulesText(t *testing.T) {
	h := newHouse(t)
	h.open()
	const text = "# as given\nexclude: ['x == 1']\n"
	id := h.start(heatmap.Replay{Rules: text})
	h.open()
	if v, err := h.g.Get(t.Context(), id); err != nil || v.RulesText != text || v.Rules == "" {
		t.Errorf("rules are %q, %q, %v", v.RulesText, v.Rules, err)
	}
	if v, err := h.g.Get(t.Context(), "g1"); err != nil || v.RulesText != "" || v.Rules == "" {
		t.Errorf("default rules are %q, %q, %v", v.RulesText, v.Rules, err)
	}
	old, err := h.store.Record(t.Context(), rulesName(id))
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := h.store.SwapRecord(t.Context(), rulesName(id), old, nil); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if v, err := h.g.Get(t.Context(), id); err != nil || v.RulesText != v.Rules {
		t.Errorf("rules whose text is lost are %q, %v", v.RulesText, err)
	}
}
