package main

import (
	"math"
	"net/url"
	"testing"
	"time"
)

// trendCount is what the oracle has of a day or hour.
type trendCount struct {
	kinds  map[string]int
	people map[string]bool
}

// trend counts hits by the name of the day, or of the hour with its offset from UTC; page "" is every page.
func (o *oracle) trend(site, page string, hourly bool, f filter) (buckets map[string]*trendCount, everyone map[string]bool) {
	buckets, everyone = map[string]*trendCount{}, map[string]bool{}
	for name, hits := range o.pages[site] {
		if page != "" && name != page {
			continue
		}
		for _, h := range hits {
			if !o.inRange(h, f) {
				continue
			}
			key := trendName(time.UnixMilli(h.T).In(o.zone[site]), hourly)
			b := buckets[key]
			if b == nil {
				b = &trendCount{map[string]int{}, map[string]bool{}}
				buckets[key] = b
			}
			if h.Visitor != "" {
				b.people[h.Visitor], everyone[h.Visitor] = true, true
			}
			if o.matches(h, f) {
				b.kinds[h.Kind]++
				b.kinds["hits"]++
				b.kinds["rage"] += len(h.rage)
			}
		}
	}
	return buckets, everyone
}

func trendName(t time.Time, hourly bool) string {
	if hourly {
		return t.Format("2006-01-02 15-07:00")
	}
	return t.Format(time.DateOnly)
}

// compareTrend compares a trend bucket by bucket, and its sums with those of the oracle.
func compareTrend(t *testing.T, when string, p *process, o *oracle, site, page, by string, f filter) int {
	t.Helper()
	var a struct {
		Timezone              string
		Hits, Views, Visitors int
		Buckets               []struct {
			Start                                                     time.Time
			Hits, Views, Clicks, Scrolls, Moves, Rage, Dead, Visitors int
		}
	}
	query := f.query(site, page)
	if page == "" {
		query.Del("url")
	}
	query.Set("by", by)
	p.Ask("/v1/trend", query, &a)
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s: trend %s: "+format, append([]any{when, query.Encode()}, args...)...)
	}
	want, everyone := o.trend(site, page, by == "hour", f)
	zone := o.zone[site]
	if a.Timezone != zone.String() {
		fail("timezone %s, want %s", a.Timezone, zone)
	}
	hits, views := 0, 0
	for _, b := range a.Buckets {
		name := trendName(b.Start.In(zone), by == "hour")
		if given := trendName(b.Start, by == "hour"); given != name {
			fail("bucket %s starts at %s in its zone", given, name)
		}
		n := want[name]
		if n == nil {
			n = &trendCount{}
		}
		if b.Hits != n.kinds["hits"] || b.Views != n.kinds["view"] || b.Clicks != n.kinds["click"] || b.Scrolls != n.kinds["scroll"] ||
			b.Moves != n.kinds["move"] || b.Rage != n.kinds["rage"] {
			fail("%+v, recount %v", b, n.kinds)
		}
		if !sameVisitors(b.Visitors, len(n.people)) {
			fail("%s: %d visitors, recount %d", name, b.Visitors, len(n.people))
		}
		hits, views = hits+b.Hits, views+b.Views
		delete(want, name)
	}
	for name, n := range want {
		if n.kinds["hits"] > 0 {
			fail("no bucket for %s, recount %v", name, n.kinds)
		}
	}
	if a.Hits != hits || a.Views != views || !sameVisitors(a.Visitors, len(everyone)) {
		fail("%d hits, %d views, %d visitors, recount %d, %d, %d", a.Hits, a.Views, a.Visitors, hits, views, len(everyone))
	}
	return 1
}

// sameVisitors allows for what is promised of visitors: exact up to 256, then within 5 %.
func sameVisitors(got, want int) bool {
	off := math.Abs(float64(got - want))
	return off == 0 || want > 256 && off <= 0.05*float64(want)
}

// TestTrendOfChangedClocks asks through the API for the two days of a year that have 23 and 25 hours.
func TestTrendOfChangedClocks(t *testing.T) {
	t.Parallel()
	p := startServer(t, t.TempDir())
	defer p.Stop()
	p.AddSite("prague", "Europe/Prague", "https://prague.example")
	var a struct {
		Buckets []struct{ Start string }
	}
	f := func(day string, hours int, starts ...string) {
		t.Helper()
		p.Ask("/v1/trend", url.Values{"site": {"prague"}, "from": {day}, "to": {day}, "by": {"hour"}}, &a)
		if len(a.Buckets) != hours {
			t.Errorf("%s has %d hours, want %d", day, len(a.Buckets), hours)
			return
		}
		for i, want := range starts {
			if got := a.Buckets[i+1].Start; got != want {
				t.Errorf("%s: bucket %d starts at %s, want %s", day, i+1, got, want)
			}
		}
	}
	f("2026-03-29", 23, "2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00")
	f("2026-10-25", 25, "2026-10-25T01:00:00+02:00", "2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00")
}
