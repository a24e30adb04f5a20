package heatmap

import "testing"

func TestReportText(t *testing.T) {
	r := &Report{Generation: "g2", Active: "g1"}
	if got := r.String(); got != "generation g2 compared with g1: all that must hold holds\n" || !r.OK() {
		t.Errorf("%q, %v", got, r.OK())
	}
	r.Problems = []string{"sums differ", "counters differ"}
	if got := r.String(); got != "generation g2 compared with g1: it must not be used\n  sums differ\n  counters differ\n" || r.OK() {
		t.Errorf("%q, %v", got, r.OK())
	}
}
