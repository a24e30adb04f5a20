package index

import (
	"strings"
	"testing"

	"heatlog/heatmap"
)

// TestWhy asks questions that leave nothing, each for another reason.
func TestWhy(t *testing.T) {
	log := newMemLog()
	hit := func(url string, kind heatmap.Kind, agent string) heatmap.Batch {
		return heatmap.Batch{Hits: []heatmap.Hit{{
			Time: day(t, "2026-01-10").Time().UnixMilli(), Site: testSite, URL: url, Kind: kind, UserAgent: agent, ViewportW: 1280, X: 8, Y: 8,
		}}}
	}
	log.append(hit(testPage(1), heatmap.KindClick, ""), hit(testPage(2), heatmap.KindMove, ""), hit(testPage(3), heatmap.KindClick, "Googlebot/2.1"))
	x := openTest(t, Options{
		Store: newMapStore(), Source: log, KnownSite: func(key string) bool { return key != "nobody" },
	})
	defer x.kill()
	waitApplied(t, x)
	f := func(reason string, change func(*heatmap.Query)) *heatmap.Why {
		t.Helper()
		q := heatmap.Query{Site: testSite, URL: testPage(1)}
		change(&q)
		a, err := x.Heatmap(t.Context(), q)
		if err != nil {
			t.Errorf("%s: %v", reason, err)
			return &heatmap.Why{}
		}
		if a.Why == nil || a.Why.Reason != reason {
			t.Errorf("%+v: why %+v, want %s", q, a.Why, reason)
			return &heatmap.Why{}
		}
		return a.Why
	}
	f(heatmap.WhyUnknownSite, func(q *heatmap.Query) { q.Site = "nobody" })
	w := f(heatmap.WhyNoHitsForURL, func(q *heatmap.Query) { q.URL = testPage(1) + "x" })
	if len(w.Nearest) == 0 || w.Nearest[0] != testPage(1) {
		t.Errorf("nearest pages are %v", w.Nearest)
	}
	f(heatmap.WhyNoHitsForURL, func(q *heatmap.Query) { q.URL = "https://elsewhere.example/*" })
	w = f(heatmap.WhyOutsideRange, func(q *heatmap.Query) {
		q.From = heatmap.Bound{Set: true, IsDate: true, Date: day(t, "2026-01-11")}
	})
	if w.From.String() != "2026-01-10" || w.To.String() != "2026-01-10" {
		t.Errorf("hits are said to be from %s to %s", w.From, w.To)
	}
	w = f(heatmap.WhyOtherWidth, func(q *heatmap.Query) { q.Width.Set, q.Width.Min, q.Width.Max = true, 320, 351 })
	if len(w.Widths) != 1 || w.Widths[0] != [2]int{1280, 1311} {
		t.Errorf("widths are %v", w.Widths)
	}
	f(heatmap.WhyOtherKind, func(q *heatmap.Query) { q.URL = testPage(2) })
	f(heatmap.WhyOtherDevice, func(q *heatmap.Query) { q.Device.Set, q.Device.Value = true, heatmap.Mobile })
	f(heatmap.WhyOnlyBots, func(q *heatmap.Query) { q.URL = testPage(3) })
	for url, want := range map[string]string{testPage(1): "the page has hits, but none", "": "the site has hits, but none", "https://shop.example/*/1": "the pages have hits, but none"} {
		w = f(heatmap.WhyNoHits, func(q *heatmap.Query) { q.URL, q.Where = url, "x > 100" })
		if !strings.HasPrefix(w.Message, want) {
			t.Errorf("of %q it says %q, want %s", url, w.Message, want)
		}
	}
}

// TestSpan says which days an answer is about.
func TestSpan(t *testing.T) {
	log := newMemLog()
	for _, date := range []string{"2026-01-10", "2026-03-31", "2027-02-02"} {
		log.append(heatmap.Batch{Hits: []heatmap.Hit{{
			Time: day(t, date).Time().UnixMilli(), Site: testSite, URL: testPage(1), Kind: heatmap.KindClick,
		}}})
	}
	x := openTest(t, Options{Store: newMapStore(), Source: log})
	defer x.kill()
	waitApplied(t, x)
	f := func(url, from, to, where, want string) {
		t.Helper()
		q := heatmap.Query{Site: testSite, URL: url, Where: where}
		if from != "" {
			q.From = heatmap.Bound{Set: true, IsDate: true, Date: day(t, from)}
		}
		if to != "" {
			q.To = heatmap.Bound{Set: true, IsDate: true, Date: day(t, to)}
		}
		a, err := x.Heatmap(t.Context(), q)
		if err != nil {
			t.Error(err)
			return
		}
		got := "unknown"
		if a.Dated {
			got = a.From.String() + " " + a.To.String()
		}
		if got != want {
			t.Errorf("%s from %q to %q where %q: %s, want %s", url, from, to, where, got, want)
		}
	}
	f(testPage(1), "", "", "", "2026-01-10 2027-02-02")
	f(testPage(1), "", "2026-12-31", "", "2026-01-10 2026-12-31")
	f(testPage(1), "2026-02-01", "", "", "2026-02-01 2027-02-02")
	f(testPage(1), "2026-01-01", "2026-01-31", "", "2026-01-01 2026-01-31")
	f(testPage(1), "", "", "x == 0", "2026-01-10 2027-02-02")
	f(testPage(2), "", "", "", "unknown")
	f("https://shop.example/**", "", "", "", "unknown")
}

// TestDistance compares with known edit distances.
func TestDistance(t *testing.T) {
	f := func(a, b string, want int) {
		t.Helper()
		if got := distance(a, b); got != want {
			t.Errorf("distance(%q, %q) = %d, want %d", a, b, got, want)
		}
	}
	f("", "", 0)
	f("kitten", "sitting", 3)
	f("abc", "", 3)
	f("/p/1", "/p/12", 1)
	f("flaw", "lawn", 2)
}
