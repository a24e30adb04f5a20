package index

import (
	"errors"
	"strings"
	"testing"
	"time"

	"heatlog/heatmap"
)

// TestPeriodsCoverEachDayOnce compares the periods of every range of a year with the days themselves.
func TestPeriodsCoverEachDayOnce(t *testing.T) {
	start := day(t, "2027-11-25")
	covered := func(periods []PeriodRange, d heatmap.Date) (n int) {
		for _, r := range periods {
			for _, p := range []heatmap.Period{heatmap.MonthPeriod(d), heatmap.DayPeriod(d)} {
				if r.First <= p && p <= r.Last {
					n++
				}
			}
		}
		return n
	}
	for a := range heatmap.Date(75) {
		for b := a; b < 75; b++ {
			first, last := start+a, start+b
			for name, c := range map[string]struct{ first, last *heatmap.Date }{
				"closed": {&first, &last}, "from": {&first, nil}, "to": {nil, &last}, "open": {nil, nil},
			} {
				periods := periodsOf(c.first, c.last)
				for d := start - 40; d < start+90; d++ {
					want := 1
					if c.first != nil && d < first || c.last != nil && d > last {
						want = 0
					}
					if got := covered(periods, d); got != want {
						t.Fatalf("%s %s..%s: %s is covered %d times, want %d (%v)", name, first, last, d, got, want, periods)
					}
				}
			}
		}
	}
}

func day(t *testing.T, s string) heatmap.Date {
	t.Helper()
	d, err := heatmap.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestPlanChooses says when blobs answer and when the journal is scanned.
func TestPlanChooses(t *testing.T) {
	prague, err := time.LoadLocation("Europe/Prague")
	if err != nil {
		t.Fatal(err)
	}
	x := &Index{options: Options{Rules: simRules, Zone: func(string) *time.Location { return prague }}.withDefaults()}
	instant := func(s string) heatmap.Bound {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return heatmap.Bound{Set: true, Instant: at.UnixMilli()}
	}
	f := func(name string, change func(*heatmap.Query), scan bool) {
		t.Helper()
		q := heatmap.Query{Site: "shop", URL: "https://shop.example/"}
		change(&q)
		pl, err := x.newPlan(t.Context(), q)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		if pl.scan != scan {
			t.Errorf("%s: scan %v, want %v", name, pl.scan, scan)
		}
	}
	width := func(low, high uint16) func(*heatmap.Query) {
		return func(q *heatmap.Query) { q.Width.Set, q.Width.Min, q.Width.Max = true, low, high }
	}
	f("nothing", func(*heatmap.Query) {}, false)
	f("whole bands", width(320, 1023), false)
	f("from zero", width(0, 1023), false)
	f("known widths", width(1, 65535), false)
	f("odd least width", width(321, 1023), true)
	f("odd greatest width", width(320, 1024), true)
	f("midnights of the zone", func(q *heatmap.Query) {
		q.From, q.To = instant("2026-01-01T00:00:00+01:00"), instant("2026-02-01T00:00:00+01:00")
	}, false)
	f("midnight elsewhere", func(q *heatmap.Query) { q.From = instant("2026-01-01T00:00:00Z") }, true)
	f("an hour", func(q *heatmap.Query) { q.To = instant("2026-01-01T13:00:00Z") }, true)
	f("an expression", func(q *heatmap.Query) { q.Where = "x > 5" }, true)
}

// TestPlanRefuses names the parameter that is wrong.
func TestPlanRefuses(t *testing.T) {
	x := &Index{options: Options{Rules: simRules}.withDefaults()}
	f := func(field string, change func(*heatmap.Query)) {
		t.Helper()
		q := heatmap.Query{Site: "shop", URL: "https://shop.example/"}
		change(&q)
		var bad *heatmap.ParamError
		if _, err := x.newPlan(t.Context(), q); !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%+v: %v, want an error of %s", q, err, field)
		}
	}
	f("generation", func(q *heatmap.Query) { q.Generation = "g9" })
	f("cell", func(q *heatmap.Query) { q.Cell = 7 })
	f("vw", func(q *heatmap.Query) { q.Width.Set, q.Width.Min, q.Width.Max = true, 9, 8 })
	f("where", func(q *heatmap.Query) { q.Where = "x +" })
	f("from", func(q *heatmap.Query) {
		q.From = heatmap.Bound{Set: true, IsDate: true, Date: 20001}
		q.To = heatmap.Bound{Set: true, IsDate: true, Date: 20000}
	})
}

// TestWhereSaysWhatIsRight names fields and the way to ask for a tag where an expression is wrong.
func TestWhereSaysWhatIsRight(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := CompileWhere(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	f(`foo == 1`, "known are bot, device, ")
	f(`tags contains "a"`, `"x" in tags`)
}
