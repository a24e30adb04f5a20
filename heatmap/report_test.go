package heatmap

import (
	"strings"
	"testing"
)

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

func TestNumberTexts(t *testing.T) {
	f := func(got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(Grouped(0), "0")
	f(Grouped(999), "999")
	f(Grouped(1000), "1,000")
	f(Grouped(51310442), "51,310,442")
	f(Signed(7, 7), "")
	f(Signed(1000, 1), "+999")
	f(Signed(1, 12001), "-12,000")
	f(ReportPage(strings.Repeat("x", MaxReportPage)), strings.Repeat("x", MaxReportPage))
	f(ReportPage(strings.Repeat("x", MaxReportPage+1)), strings.Repeat("x", MaxReportPage-3)+"…")
	f(ReportPage(strings.Repeat("ž", MaxReportPage)), strings.Repeat("ž", (MaxReportPage-3)/2)+"…")
}
