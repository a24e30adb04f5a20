package index

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

// naiveBucket is what a recount has of a day or an hour.
type naiveBucket struct {
	Views, Clicks, Scrolls, Moves, Rage, Dead, Visitors uint64
}

// naiveTrend is a recount of a trend: by the name of the day, or of the hour with its offset from UTC, which tells the two
// hours of one name of a day of 25.
type naiveTrend struct {
	buckets  map[string]*naiveBucket
	people   map[string]map[string]bool
	everyone map[string]bool
}

// bucketName names the day or hour of an instant by its calendar fields alone.
func bucketName(ms int64, zone *time.Location, hourly bool) string {
	if hourly {
		return time.UnixMilli(ms).In(zone).Format("2006-01-02 15-07:00")
	}
	return time.UnixMilli(ms).In(zone).Format(time.DateOnly)
}

// recountTrend counts the log below a position as plainly as can be. Rage is left out: the tests' bursts are counted apart.
func (l *memLog) recountTrend(q heatmap.Query, zone *time.Location, position uint64) *naiveTrend {
	n := &naiveTrend{buckets: map[string]*naiveBucket{}, people: map[string]map[string]bool{}, everyone: map[string]bool{}}
	l.all(func(at uint64, h *heatmap.Hit) {
		bot := strings.Contains(h.UserAgent, "Googlebot")
		prefix, pattern := strings.CutSuffix(q.URL, "**")
		switch {
		case at >= position, bot && !q.Bots, !inBounds(q, h.Time, zone):
			return
		case pattern && !strings.HasPrefix(h.URL, prefix), !pattern && q.URL != "" && h.URL != q.URL:
			return
		}
		name := bucketName(h.Time, zone, q.Hourly)
		if n.buckets[name] == nil {
			n.buckets[name], n.people[name] = new(naiveBucket), map[string]bool{}
		}
		n.people[name][h.Visitor], n.everyone[h.Visitor] = true, true
		if q.Width.Set && (h.ViewportW < q.Width.Min || h.ViewportW > q.Width.Max) {
			return
		}
		n.buckets[name].count(h)
	})
	for name, people := range n.people {
		n.buckets[name].Visitors = uint64(len(people))
	}
	return n
}

func (b *naiveBucket) count(h *heatmap.Hit) {
	*map[heatmap.Kind]*uint64{heatmap.KindView: &b.Views, heatmap.KindClick: &b.Clicks, heatmap.KindScroll: &b.Scrolls, heatmap.KindMove: &b.Moves}[h.Kind]++
	if h.Flags&heatmap.FlagDead != 0 && h.Kind == heatmap.KindClick {
		b.Dead++
	}
}

// inBounds reports whether an instant lies in a query's range of time.
func inBounds(q heatmap.Query, ms int64, zone *time.Location) bool {
	day := bucketName(ms, zone, false)
	return (!q.From.Set || q.From.IsDate && day >= q.From.Date.String() || !q.From.IsDate && ms >= q.From.Instant) &&
		(!q.To.Set || q.To.IsDate && day <= q.To.Date.String() || !q.To.IsDate && ms < q.To.Instant)
}

// checkTrend compares a trend with a recount at the position that it names.
func checkTrend(ctx context.Context, x *Index, l *memLog, q heatmap.Query) error {
	a, err := x.Trend(ctx, q)
	if err != nil {
		return fmt.Errorf("%w: trend %+v: %w", errUnanswered, q, err)
	}
	if err := l.compareTrend(q, a); err != nil {
		return fmt.Errorf("trend %+v at %v: %w", q, a.Positions, err)
	}
	return nil
}

func (l *memLog) compareTrend(q heatmap.Query, a *heatmap.Trend) error {
	want := l.recountTrend(q, a.Zone, a.Positions[l.ID()])
	if a.Visitors != uint64(len(want.everyone)) {
		return fmt.Errorf("%d visitors, recount %d", a.Visitors, len(want.everyone))
	}
	if sampled := l.recountSampled(q, a.Zone, a.Positions[l.ID()]); a.Sampled != sampled {
		return fmt.Errorf("sampled %v, recount %v", a.Sampled, sampled)
	}
	if (a.Why != nil) != (a.Hits == 0) || a.Dated != (len(a.Buckets) > 0) {
		return fmt.Errorf("%d hits in %d buckets: why %v, dated %v", a.Hits, len(a.Buckets), a.Why, a.Dated)
	}
	var hits, views uint64
	for i := range a.Buckets {
		b := &a.Buckets[i]
		name := bucketName(b.Start, a.Zone, q.Hourly)
		if before := bucketName(b.Start-1, a.Zone, q.Hourly); before == name {
			return fmt.Errorf("the bucket of %s starts late, at %d", name, b.Start)
		}
		if i > 0 && bucketName(b.Start-1, a.Zone, q.Hourly) != bucketName(a.Buckets[i-1].Start, a.Zone, q.Hourly) {
			return fmt.Errorf("bucket %s does not follow on the one before", name)
		}
		n := want.buckets[name]
		if n == nil {
			n = new(naiveBucket)
		}
		if got := (naiveBucket{b.Views, b.Clicks, b.Scrolls, b.Moves, b.Rage, b.Dead, b.Visitors}); got != *n {
			return fmt.Errorf("%s: %+v, recount %+v", name, got, *n)
		}
		hits, views = hits+b.Hits(), views+b.Views
		delete(want.buckets, name)
	}
	if hits != a.Hits || views != a.Views {
		return fmt.Errorf("the buckets have %d hits and %d views together, the answer says %d and %d", hits, views, a.Hits, a.Views)
	}
	for name, n := range want.buckets { // only where a bound is open, and only of visitors whose hits are filtered out
		if n.Views+n.Clicks+n.Scrolls+n.Moves > 0 || q.From.Set && q.To.Set {
			return fmt.Errorf("no bucket for %s, recount %+v", name, *n)
		}
	}
	return nil
}

// zoneCases are days on which clocks change, in zones that do it in different ways.
var zoneCases = []struct{ zone, day string }{
	{"UTC", "2026-03-29"},
	{"Europe/Prague", "2026-03-29"},       // 23 hours
	{"Europe/Prague", "2026-10-25"},       // 25 hours
	{"America/New_York", "2026-11-01"},    // 25 hours
	{"Asia/Kolkata", "2026-01-01"},        // half an hour off UTC
	{"Asia/Kathmandu", "2026-01-01"},      // 45 minutes off
	{"Australia/Lord_Howe", "2026-04-05"}, // half an hour back
	{"Australia/Lord_Howe", "2026-10-04"}, // half an hour ahead
	{"America/Sao_Paulo", "2018-11-04"},   // no midnight
	{"Pacific/Apia", "2011-12-31"},        // a day left out
	{"America/Caracas", "2016-05-01"},     // half an hour ahead for good
}

// hitsAround makes hits from two days before a day to two days after, many of them within hours of it.
func hitsAround(r *rand.Rand, start int64) []heatmap.Batch {
	var list []heatmap.Batch
	for range 120 {
		b := randomBatch(r, 3)
		at := start + int64(r.IntN(5*24*3600*1000)) - 2*86_400_000
		if r.IntN(2) == 0 {
			at = start + int64(r.IntN(6*3600*1000)) - 3*3_600_000
		}
		for i := range b.Hits {
			b.Hits[i].Time = at + int64(i)*400_000
		}
		list = append(list, b)
	}
	return list
}

// TestTrendInZones compares trends around changes of the clocks with recounts, from live counts, from stored ones, and after
// a restart.
func TestTrendInZones(t *testing.T) {
	for i, c := range zoneCases {
		t.Run(c.zone+" "+c.day, func(t *testing.T) {
			zone, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			day, _ := heatmap.ParseDate(c.day)
			r := rand.New(rand.NewPCG(uint64(i), 5))
			log := newMemLog()
			log.append(hitsAround(r, day.Start(zone))...)
			o := Options{Store: newMapStore(), Source: log, Zone: func(string) *time.Location { return zone }, FlushEvery: time.Hour}
			x := openTest(t, o)
			waitApplied(t, x)
			ask := func(when string) {
				t.Helper()
				for _, q := range trendQuestions(r, day, zone) {
					if err := checkTrend(t.Context(), x, log, q); err != nil {
						t.Errorf("%s: %v", when, err)
					}
				}
			}
			ask("live")
			if err := x.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			ask("stored")
			log.append(hitsAround(r, day.Start(zone))...)
			waitApplied(t, x)
			ask("stored and live")
			if err := x.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			x = openTest(t, o)
			defer x.kill()
			ask("after a restart")
		})
	}
}

// trendQuestions asks about ranges around a day in every way.
func trendQuestions(r *rand.Rand, day heatmap.Date, zone *time.Location) []heatmap.Query {
	date := func(d heatmap.Date) heatmap.Bound { return heatmap.Bound{Set: true, IsDate: true, Date: d} }
	instant := func(hours float64) heatmap.Bound {
		return heatmap.Bound{Set: true, Instant: day.Start(zone) + int64(hours*3_600_000)}
	}
	var list []heatmap.Query
	for _, bounds := range [][2]heatmap.Bound{
		{}, {date(day), {}}, {{}, date(day)}, {date(day), date(day)}, {date(day - 4), date(day + 1)},
		{instant(0), instant(24)}, {instant(-1.25), instant(4.1)}, {instant(2.5), instant(2.6)}, {{}, instant(1)},
	} {
		q := heatmap.Query{Site: testSite, From: bounds[0], To: bounds[1], Bots: r.IntN(2) == 0}
		q.URL = []string{"", testPage(0), "https://shop.example/p/**"}[r.IntN(3)]
		switch r.IntN(4) {
		case 0:
			q.Width.Set, q.Width.Min, q.Width.Max = true, 288, 927
		case 1:
			q.Width.Set, q.Width.Min, q.Width.Max = true, 300, 601 // no whole bands: a scan
		case 2:
			q.Where = "x >= 0" // all: a scan
		}
		list = append(list, q)
		q.Hourly = true
		list = append(list, q)
	}
	return list
}

// TestTrendEqualsOtherAnswers compares sums with those of the list of pages and of a heatmap, rage among them.
func TestTrendEqualsOtherAnswers(t *testing.T) {
	log := newMemLog()
	r := rand.New(rand.NewPCG(9, 9))
	for i := range 600 {
		b := randomBatch(r, 12)
		if i%5 == 0 { // three clicks on one spot
			b.Hits = b.Hits[:1]
			b.Hits[0].Kind, b.Hits[0].View = heatmap.KindClick, "view"+strconv.Itoa(i)
			for range 2 {
				b.Hits = append(b.Hits, b.Hits[0])
			}
		}
		log.append(b)
	}
	x := openTest(t, Options{Store: newMapStore(), Source: log})
	defer x.kill()
	waitApplied(t, x)
	for i := range 40 {
		q := heatmap.Query{Site: testSite, URL: []string{"", testPage(1), "https://shop.example/p/*"}[i%3], Bots: i%2 == 0, Hourly: i%5 == 0}
		if i%4 == 0 {
			q.Device.Set, q.Device.Value = true, heatmap.Mobile
		}
		if i%7 == 0 {
			q.Where = "x >= 0"
		}
		a, err := x.Trend(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		pages, err := x.Pages(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		heat, err := x.Heatmap(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		var got, want heatmap.PageCount
		for _, b := range a.Buckets {
			addCounts(&got, heatmap.PageCount{Hits: b.Hits(), Views: b.Views, Clicks: b.Clicks, Scrolls: b.Scrolls, Move: b.Moves, Rage: b.Rage, Dead: b.Dead})
		}
		for _, p := range pages.Pages {
			addCounts(&want, p)
		}
		if d := cmp.Diff(want, got); d != "" || want.Rage == 0 || want.Dead == 0 {
			t.Errorf("%+v: pages and trend (-pages +trend)\n%s", q, d)
		}
		if a.Hits != pages.Hits || a.Views != heat.Views || a.Visitors != heat.Visitors || got.Clicks != heat.Hits {
			t.Errorf("%+v: trend %d hits, %d views, %d visitors; pages %d hits; heatmap %d views, %d visitors",
				q, a.Hits, a.Views, a.Visitors, pages.Hits, heat.Views, heat.Visitors)
		}
	}
}

func addCounts(sum *heatmap.PageCount, p heatmap.PageCount) {
	sum.Hits, sum.Views, sum.Clicks, sum.Scrolls = sum.Hits+p.Hits, sum.Views+p.Views, sum.Clicks+p.Clicks, sum.Scrolls+p.Scrolls
	sum.Move, sum.Rage, sum.Dead = sum.Move+p.Move, sum.Rage+p.Rage, sum.Dead+p.Dead
}

// TestHours walks through years of hours: they follow on one another, and every instant lies in that of its name.
func TestHours(t *testing.T) {
	f := func(name, from string, want map[string]int) {
		t.Helper()
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		first, _ := heatmap.ParseDate(from)
		at := newHourSpan(first.Start(zone), zone).from
		hours := make(map[string]int)
		for end := (first + 800).Start(zone); at < end; {
			h := newHourSpan(at, zone)
			if h.from != at || h.to <= at || h.to > at+hourMillis {
				t.Fatalf("%s: hour at %v is from %d to %d", name, time.UnixMilli(at).In(zone), h.from-at, h.to-at)
			}
			if last := newHourSpan(h.to-1, zone); last != h || bucketName(h.to-1, zone, true) != bucketName(at, zone, true) {
				t.Fatalf("%s: hour at %v does not hold its last instant", name, time.UnixMilli(at).In(zone))
			}
			hours[bucketName(at, zone, false)]++
			at = h.to
		}
		for day, n := range want {
			if hours[day] != n {
				t.Errorf("%s: %s has %d hours, want %d", name, day, hours[day], n)
			}
		}
	}
	f("UTC", "2026-01-01", map[string]int{"2026-03-29": 24})
	f("Europe/Prague", "2026-01-01", map[string]int{"2026-03-28": 24, "2026-03-29": 23, "2026-10-25": 25, "2027-03-28": 23})
	f("America/New_York", "2026-01-01", map[string]int{"2026-03-08": 23, "2026-11-01": 25})
	f("America/St_Johns", "2008-01-01", map[string]int{"2008-03-09": 24, "2008-03-10": 24}) // changed at 00:01: 59 + 1 minutes
	f("Asia/Kolkata", "2026-01-01", map[string]int{"2026-03-29": 24})
	f("Australia/Lord_Howe", "2026-01-01", map[string]int{"2026-04-05": 25, "2026-10-04": 24})
	f("Pacific/Apia", "2011-01-01", map[string]int{"2011-12-29": 24, "2011-12-30": 0, "2011-12-31": 24})
	f("Antarctica/Troll", "2026-01-01", map[string]int{"2026-03-29": 22, "2026-10-25": 26}) // two hours
}

// TestTrendRefusesTooMuch asks for more days and hours than an answer has.
func TestTrendRefusesTooMuch(t *testing.T) {
	log := newMemLog()
	hit := func(day string) heatmap.Batch {
		d, _ := heatmap.ParseDate(day)
		return heatmap.Batch{Site: testSite, Visitor: "v", Hits: []heatmap.Hit{{
			Time: d.Start(time.UTC), Site: testSite, URL: testPage(1), Visitor: "v", Kind: heatmap.KindView,
		}}}
	}
	log.append(hit("2001-01-01"), hit("2026-01-01"), hit("2035-01-01"))
	x := openTest(t, Options{Store: newMapStore(), Source: log})
	defer x.kill()
	waitApplied(t, x)
	f := func(from, to string, hourly bool, buckets int, fragments ...string) {
		t.Helper()
		q := heatmap.Query{Site: testSite, Hourly: hourly}
		bound := func(b *heatmap.Bound, day string) {
			if d, err := heatmap.ParseDate(day); err == nil {
				*b = heatmap.Bound{Set: true, IsDate: true, Date: d}
			}
		}
		bound(&q.From, from)
		bound(&q.To, to)
		a, err := x.Trend(t.Context(), q)
		if buckets > 0 {
			if err != nil || len(a.Buckets) != buckets {
				t.Errorf("%s to %s: %v, want %d buckets", from, to, err, buckets)
			}
			return
		}
		var param *heatmap.ParamError
		if !errors.As(err, &param) || param.Field != "from" {
			t.Fatalf("%s to %s: %v, want an error about from", from, to, err)
		}
		for _, part := range fragments {
			if !strings.Contains(param.Message, part) {
				t.Errorf("message %q lacks %q", param.Message, part)
			}
		}
	}
	f("", "", false, 0, "10000 days", "narrow")
	f("", "", true, 0, "10000 hours", "narrow", "by=day")
	f("2001-01-01", "2035-01-01", false, 0, "10000 days")
	f("2026-01-01", "", true, 0, "by=day")
	f("", "2026-01-01", false, 9132)
	f("2026-01-01", "", false, 3288)
	f("2000-01-01", "2027-05-18", false, 10_000)
	f("2000-01-01", "2027-05-19", false, 0, "10000 days")
	f("2025-12-01", "2027-01-20", true, 416*24)
	f("2025-12-01", "2027-01-21", true, 0, "10000 hours")
}

// TestTrendOfJoinedBands asks for one band of widths of a page that was seen at more sizes than a blob tells apart.
func TestTrendOfJoinedBands(t *testing.T) {
	log := newMemLog()
	for width := range uint16(400) {
		b := heatmap.Batch{Site: testSite, Visitor: "v"}
		b.Hits = append(b.Hits, heatmap.Hit{
			Time: 1_769_500_000_000, Site: testSite, URL: testPage(0), Visitor: "v", Kind: heatmap.KindScroll,
			ViewportW: width*32 + 1, ViewportH: 700, Depth: 60_000,
		})
		log.append(b)
	}
	x := openTest(t, Options{Store: newMapStore(), Source: log})
	defer x.kill()
	waitApplied(t, x)
	q := heatmap.Query{Site: testSite, URL: testPage(0)}
	q.Width.Set, q.Width.Min, q.Width.Max = true, 320, 351
	for _, when := range []string{"live", "stored"} {
		a, err := x.Trend(t.Context(), q)
		if err != nil || a.Hits != 1 || !a.Scanned || a.Buckets[0].Scrolls != 1 {
			t.Errorf("%s: %+v, %v, want one scroll by a scan", when, a, err)
		}
		if err := x.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
