package index

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

// anchoredBatch is a randomBatch of which most clicks are at elements, and some in bursts.
func anchoredBatch(r *rand.Rand, number int) heatmap.Batch {
	b := randomBatch(r, 2)
	for i := range b.Hits {
		h := &b.Hits[i]
		h.View = fmt.Sprint("view", number)
		if h.Kind != heatmap.KindClick || r.IntN(4) == 0 {
			continue
		}
		n := r.IntN(9)
		h.Selector = fmt.Sprintf("main>a:nth-child(%d)", n/2)
		h.Check, h.HasCheck = uint16(n), n%2 == 0
		h.BoxW, h.BoxH = uint16(n*20), 24
		h.AnchorX, h.AnchorY = r.Uint32N(heatmap.AnchorUnit+1), r.Uint32N(heatmap.AnchorUnit+1)
		if n == 3 {
			h.Flags |= heatmap.FlagFixed
		}
		if r.IntN(5) == 0 {
			b.Hits = append(b.Hits, *h, *h)
		}
	}
	return b
}

// naiveElements counts the events of a query one by one.
func naiveElements(t *testing.T, log *memLog, rules *Rules, q heatmap.Query, keep func(*Event) bool) *heatmap.ElementList {
	t.Helper()
	names, fixed := map[heatmap.ElementID]heatmap.ElementName{}, map[heatmap.ElementID]bool{}
	type count struct {
		kinds [heatmap.KindDead + 1]uint64
		cells map[heatmap.InnerCell]uint64
	}
	counts, rest, a := map[heatmap.ElementID]*count{}, map[[2]int]uint64{}, &heatmap.ElementList{Cell: 8, InnerSize: 4}
	tell := func(kind heatmap.Kind, at Spot) {
		if kind == q.Kind {
			a.Hits++
		}
		c := counts[at.Element]
		switch {
		case at.Element == 0:
			if kind == q.Kind {
				a.Rest++
				rest[[2]int{int(at.X) / 8 * 8, int(at.Y) / 8 * 8}]++
			}
			return
		case c == nil:
			c = &count{cells: map[heatmap.InnerCell]uint64{}}
			counts[at.Element] = c
		}
		if c.kinds[kind]++; kind == q.Kind {
			c.cells[at.Cell]++
		}
	}
	stream := NewStream(rules, nil, StreamOptions{})
	chunks, _ := log.state()
	for _, c := range chunks {
		stream.Events(&c, func(e *Event) {
			if !keep(e) {
				return
			}
			h := e.Hit
			at := Spot{X: h.X, Y: h.Y}
			if name := h.ElementName(); h.Kind == heatmap.KindClick && h.Selector != "" && rules.elements {
				at.Element, at.Cell = name.ID(), heatmap.InnerCellOf(h.BoxW, h.BoxH, h.AnchorX, h.AnchorY)
				fixed[at.Element] = fixed[at.Element] || name.Fixed
				if !name.HasCheck {
					name.Check = 0
				}
				names[at.Element] = name
			}
			switch h.Kind {
			case heatmap.KindView:
				a.Views++
			case heatmap.KindClick:
				tell(heatmap.KindClick, at)
			}
			if e.Dead {
				tell(heatmap.KindDead, at)
			}
			for _, at := range e.RageAt {
				tell(heatmap.KindRage, at)
			}
		})
	}
	for id, c := range counts {
		if c.kinds[q.Kind] == 0 {
			continue
		}
		e := heatmap.ElementCount{ElementName: names[id], Hits: c.kinds[q.Kind], Rage: c.kinds[heatmap.KindRage], Dead: c.kinds[heatmap.KindDead]}
		e.Fixed = fixed[id]
		for cell, n := range c.cells {
			e.Cells = append(e.Cells, heatmap.InnerCount{Cell: cell, Hits: n})
		}
		slices.SortFunc(e.Cells, func(a, b heatmap.InnerCount) int { return cmp.Compare(a.Cell, b.Cell) })
		a.Elements = append(a.Elements, e)
	}
	check := func(e heatmap.ElementCount) string { return fmt.Sprintf("%t%05d", e.HasCheck, e.Check) }
	slices.SortFunc(a.Elements, func(a, b heatmap.ElementCount) int {
		return cmp.Or(cmp.Compare(b.Hits, a.Hits), cmp.Compare(a.Selector, b.Selector), cmp.Compare(check(a), check(b)))
	})
	for at, n := range rest {
		a.RestPoints = append(a.RestPoints, heatmap.Point{X: at[0], Y: at[1], Weight: n})
	}
	slices.SortFunc(a.RestPoints, func(a, b heatmap.Point) int {
		return cmp.Or(cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Y, b.Y), cmp.Compare(a.X, b.X))
	})
	return a
}

// elementQueries are queries with the naive test of their filters.
func elementQueries(t *testing.T, x *Index) map[string]func(q *heatmap.Query) func(*Event) bool {
	t.Helper()
	all := func(*Event) bool { return true }
	bound := func(day string) (b heatmap.Bound) {
		d, err := heatmap.ParseDate(day)
		if err != nil {
			t.Fatal(err)
		}
		return heatmap.Bound{Set: true, IsDate: true, Date: d}
	}
	return map[string]func(q *heatmap.Query) func(*Event) bool{
		"all":   func(*heatmap.Query) func(*Event) bool { return all },
		"where": func(q *heatmap.Query) func(*Event) bool { q.Where = "true"; return all },
		"days": func(q *heatmap.Query) func(*Event) bool {
			q.From, q.To = bound("2026-01-28"), bound("2026-02-03")
			return func(e *Event) bool { return e.Date >= q.From.Date && e.Date <= q.To.Date }
		},
		"a month and days": func(q *heatmap.Query) func(*Event) bool {
			q.From = bound("2026-01-29")
			return func(e *Event) bool { return e.Date >= q.From.Date }
		},
		"widths": func(q *heatmap.Query) func(*Event) bool {
			q.Width.Set, q.Width.Min, q.Width.Max = true, 288, 639
			return func(e *Event) bool { return e.Hit.ViewportW >= 288 && e.Hit.ViewportW < 640 }
		},
		"odd widths of days": func(q *heatmap.Query) func(*Event) bool {
			q.Width.Set, q.Width.Min, q.Width.Max = true, 300, 601
			q.To = bound("2026-01-30")
			return func(e *Event) bool {
				return e.Hit.ViewportW >= 300 && e.Hit.ViewportW <= 601 && e.Date <= q.To.Date
			}
		},
		"phones": func(q *heatmap.Query) func(*Event) bool {
			q.Device.Set, q.Device.Value = true, heatmap.Mobile
			return func(e *Event) bool { return e.Device == heatmap.Mobile }
		},
		"bots": func(q *heatmap.Query) func(*Event) bool { q.Bots = true; return all },
		"site": func(q *heatmap.Query) func(*Event) bool { q.URL = "**"; return all },
	}
}

// checkElements puts all queries to an index and compares the answers with the naive count.
func checkElements(t *testing.T, x *Index, log *memLog, when string) {
	t.Helper()
	for name, filter := range elementQueries(t, x) {
		for _, kind := range []heatmap.Kind{heatmap.KindClick, heatmap.KindRage, heatmap.KindDead} {
			q := heatmap.Query{Site: testSite, URL: testPage(0), Kind: kind, Cells: true}
			keep := filter(&q)
			want := naiveElements(t, log, x.options.Rules, q, func(e *Event) bool {
				return keep(e) && (q.Bots || !e.Bot) && (q.URL == "**" || e.Page == q.URL)
			})
			a, err := x.Elements(t.Context(), q)
			if err != nil {
				t.Fatalf("%s, %s: %v", when, name, err)
			}
			if a.Hits == 0 || name == "all" && rulesCount(x) != (len(a.Elements) > 0) {
				t.Fatalf("%s, %s, %s: %d hits at %d elements: the test shows nothing", when, name, kind, a.Hits, len(a.Elements))
			}
			sampled := log.recountSampled(q, time.UTC, log.Durable())
			if !x.options.Rules.sampled {
				sampled = heatmap.Sampled{}
			}
			if a.Sampled != sampled {
				t.Fatalf("%s, %s, %s: sampled %v, recount %v", when, name, kind, a.Sampled, sampled)
			}
			got := *a
			got.Visitors, got.Sampled = 0, heatmap.Sampled{}
			got.Prefix, got.Page, got.From, got.To, got.Dated, got.Scanned, got.Why = heatmap.Prefix{}, "", 0, 0, false, false, nil
			if len(got.RestPoints) == 0 {
				got.RestPoints = nil
			}
			if diff := gocmp.Diff(want, &got); diff != "" {
				t.Fatalf("%s, %s, %s (-want +got):\n%s", when, name, kind, diff)
			}
		}
	}
}

func rulesCount(x *Index) bool { return x.options.Rules.elements }

// TestElements compares answers with a naive count: of what is live, of what is stored, of both, and of a scan.
func TestElements(t *testing.T) {
	for _, rules := range []*Rules{DefaultRules(), mustParseSpec(t, `{"algorithms":["rage/1"]}`)} {
		log, store, rng := newMemLog(), newMapStore(), rand.New(rand.NewPCG(21, 12))
		x := openTest(t, Options{Store: store, Source: log, Rules: rules})
		fill := func(batches int) {
			for i := range batches {
				log.append(anchoredBatch(rng, int(log.Durable())+i))
			}
			waitApplied(t, x)
		}
		fill(150)
		checkElements(t, x, log, "live")
		if err := x.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		checkElements(t, x, log, "stored")
		fill(60)
		checkElements(t, x, log, "live and stored")
		if err := x.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		x = openTest(t, Options{Store: store, Source: log, Rules: rules, CacheBytes: minCacheBytes})
		waitApplied(t, x)
		checkElements(t, x, log, "stored twice")
		if err := x.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func mustParseSpec(t *testing.T, spec string) *Rules {
	t.Helper()
	r, err := ParseSpec([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestElementsLimit leaves elements out, says so, and why there are none.
func TestElementsLimit(t *testing.T) {
	log, rng := newMemLog(), rand.New(rand.NewPCG(2, 2))
	x := openTest(t, Options{Store: newMapStore(), Source: log})
	for i := range 60 {
		log.append(anchoredBatch(rng, i))
	}
	waitApplied(t, x)
	q := heatmap.Query{Site: testSite, URL: testPage(0)}
	all, err := x.Elements(t.Context(), q)
	if err != nil || len(all.Elements) < 5 || all.OtherElements != 0 || all.RestPoints != nil || all.Elements[0].Cells != nil {
		t.Fatalf("%+v, %v", all, err)
	}
	for q.Limit = 1; q.Limit < len(all.Elements); q.Limit++ {
		a, err := x.Elements(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		sum := a.OtherHits + a.Rest
		for _, e := range a.Elements {
			sum += e.Hits
		}
		if len(a.Elements) != q.Limit || a.OtherElements != len(all.Elements)-q.Limit || sum != a.Hits || a.Hits != all.Hits || a.Anchored() != all.Anchored() {
			t.Errorf("limit %d: %+v", q.Limit, a)
		}
	}
	q.URL = "https://shop.example/nowhere"
	if a, err := x.Elements(t.Context(), q); err != nil || a.Why == nil || a.Why.Reason != heatmap.WhyNoHitsForURL {
		t.Errorf("%+v, %v", a, err)
	}
	for kind, bad := range map[heatmap.Kind]bool{heatmap.KindMove: true, heatmap.KindView: true, heatmap.KindScroll: true, heatmap.KindDead: false} {
		if _, err := x.Elements(t.Context(), heatmap.Query{Site: testSite, URL: q.URL, Kind: kind}); (err != nil) != bad {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// TestNamesOfMonths: blobs of months have the names of their elements, those of days have none.
func TestNamesOfMonths(t *testing.T) {
	log, store, rng := newMemLog(), newMapStore(), rand.New(rand.NewPCG(3, 2))
	x := openTest(t, Options{Store: store, Source: log})
	for i := range 60 {
		log.append(anchoredBatch(rng, i))
	}
	waitApplied(t, x)
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	days, months := 0, 0
	for ref, d := range store.docs {
		names := 0
		if err := heatmap.BlobNames(d.Blob, func(heatmap.ElementID, heatmap.ElementName) { names++ }); err != nil {
			t.Fatal(err)
		}
		if ref.Period.IsMonth() {
			months += min(names, 1)
		} else if days++; names > 0 {
			t.Errorf("%s %s has %d names", ref.Page, ref.Period, names)
		}
	}
	if days < 10 || months < 2 {
		t.Errorf("%d days and %d months with names: the test shows nothing", days, months)
	}
}
