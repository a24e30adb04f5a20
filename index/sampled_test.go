package index

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"heatlog/heatmap"
)

// checkSampled puts questions of every kind to an index and compares what they say of sampled hits with recounts.
func checkSampled(t *testing.T, x *Index, log *memLog, when string) {
	t.Helper()
	first := heatmap.Date(1_769_500_000_000 / 86_400_000)
	noon := heatmap.Bound{Set: true, Instant: (first + 3).Start(time.UTC) + 43_200_000}
	day := func(d heatmap.Date) heatmap.Bound { return heatmap.Bound{Set: true, IsDate: true, Date: d} }
	phones := heatmap.Query{}
	phones.Device.Set, phones.Device.Value = true, heatmap.Mobile
	odd := heatmap.Query{}
	odd.Width.Set, odd.Width.Min, odd.Width.Max = true, 1, 301
	for name, q := range map[string]heatmap.Query{
		"all": {}, "bots": {Bots: true}, "expression": {Where: "true"}, "expression, bots": {Where: "x >= 0", Bots: true},
		"days": {From: day(first + 2), To: day(first + 7)}, "hours": {From: noon, Bots: true}, "phones": phones, "odd widths": odd,
	} {
		for _, url := range []string{"", testPage(0), "https://shop.example/**"} {
			q.Site, q.URL = testSite, url
			want := log.recountSampled(q, time.UTC, log.Durable())
			if want.Hits == 0 || want.Share != 125_000 {
				t.Fatalf("%s, %s, page %q: %v are sampled: the test shows nothing", when, name, url, want)
			}
			f := func(route string, got heatmap.Sampled, err error) {
				t.Helper()
				if err != nil || got != want {
					t.Errorf("%s, %s of page %q, %s: sampled %v, %v, want %v", when, route, url, name, got, err, want)
				}
			}
			if h, err := x.Heatmap(t.Context(), q); err != nil {
				t.Error(err)
			} else {
				f("heatmap", h.Sampled, err)
			}
			if s, err := x.Scroll(t.Context(), q); err != nil {
				t.Error(err)
			} else {
				f("scroll", s.Sampled, err)
			}
			if e, err := x.Elements(t.Context(), q); err != nil {
				t.Error(err)
			} else {
				f("elements", e.Sampled, err)
			}
			if a, err := x.Trend(t.Context(), q); err != nil {
				t.Error(err)
			} else {
				f("trend", a.Sampled, err)
			}
			checkSampledPages(t, x, log, q, when+", "+name)
		}
	}
}

// checkSampledPages compares a list of pages: each page, and all that are listed, before the limit.
func checkSampledPages(t *testing.T, x *Index, log *memLog, q heatmap.Query, when string) {
	t.Helper()
	q.Search, q.Limit = "/p/1", 2
	cut, err := x.Pages(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	q.Limit = 0
	a, err := x.Pages(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var sum heatmap.Sampled
	for _, p := range a.Pages {
		one := q
		one.URL = p.Page
		want := log.recountSampled(one, time.UTC, log.Durable())
		if p.Sampled != want {
			t.Errorf("%s: %s has sampled %v, want %v", when, p.Page, p.Sampled, want)
		}
		if sum.Hits += want.Hits; want.Hits > 0 && (sum.Share == 0 || want.Share < sum.Share) {
			sum.Share = want.Share
		}
	}
	if a.Sampled != sum || cut.Sampled != sum {
		t.Errorf("%s: %d pages have sampled %v, %v with a limit, want %v", when, a.Total, a.Sampled, cut.Sampled, sum)
	}
}

// TestSampled compares what answers say of sampled hits with recounts: live, stored, both, by a scan and after a restart.
func TestSampled(t *testing.T) {
	log, store, rng := newMemLog(), newMapStore(), rand.New(rand.NewPCG(31, 7))
	x := openTest(t, Options{Store: store, Source: log})
	fill := func(batches int) {
		for range batches {
			log.append(randomBatch(rng, 12))
		}
		waitApplied(t, x)
	}
	fill(500)
	checkSampled(t, x, log, "live")
	if err := x.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkSampled(t, x, log, "stored")
	fill(100)
	checkSampled(t, x, log, "live and stored")
	x.kill()
	x = openTest(t, Options{Store: store, Source: log, CacheBytes: minCacheBytes})
	waitApplied(t, x)
	checkSampled(t, x, log, "recovered")
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestSampledOfBefore: rules that do not name sampled/1 store the bytes that they always did, tags or not.
func TestSampledOfBefore(t *testing.T) {
	spec := string(DefaultRules().Spec())
	before := mustParseSpec(t, strings.Replace(spec, ",\n    \"sampled/1\"", "", 1))
	blobs := func(rules *Rules, tagged bool) map[heatmap.Key]string {
		log, store, rng := newMemLog(), newMapStore(), rand.New(rand.NewPCG(5, 7))
		for range 80 {
			b := randomBatch(rng, 3)
			for i := range b.Hits {
				if !tagged {
					b.Hits[i].Tags = nil
				}
			}
			log.append(b)
		}
		x := openTest(t, Options{Store: store, Source: log, Rules: rules})
		waitApplied(t, x)
		if err := x.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		all := make(map[heatmap.Key]string)
		for ref, d := range store.docs {
			all[ref.Key] = string(d.Blob)
		}
		return all
	}
	old, plain, now := blobs(before, true), blobs(DefaultRules(), false), blobs(DefaultRules(), true)
	others := 0
	for key, blob := range old {
		if plain[key] != blob {
			t.Errorf("%s %s has other bytes without tags", key.Page, key.Period)
		}
		if now[key] != blob {
			others++
		}
	}
	if len(old) < 20 || others < 10 {
		t.Errorf("%d of %d blobs hold sampled hits: the test shows nothing", others, len(old))
	}
}
