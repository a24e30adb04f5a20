package index

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/journal"
	"heatlog/journal/journaltest"
)

// scanWorld is a journal with everything that a scan must get right: batches and hits that are sent again, soon and late, parts of imports
// with hits of several sites, pauses, late and early hits, segments that are sealed and such that are not.
type scanWorld struct {
	*testing.T
	rand  *rand.Rand
	fsys  *journaltest.FS
	j     *journal.Journal
	clock atomic.Int64
	sites []string
	sent  []heatmap.Batch
	count int
}

func newScanWorld(t *testing.T, seed uint64, sites ...string) *scanWorld {
	w := &scanWorld{T: t, rand: rand.New(rand.NewPCG(seed, 77)), fsys: new(journaltest.FS), sites: sites}
	w.clock.Store(1_769_500_000_000)
	w.open()
	return w
}

func (w *scanWorld) open() {
	w.Helper()
	j, err := journal.Open("world", journal.Options{
		FS: w.fsys, SegmentBytes: 4 << 10, Now: func() time.Time { return time.UnixMilli(w.clock.Load()) },
	})
	if err != nil {
		w.Fatal(err)
	}
	w.j = j
}

// must ends the test with an error.
func (w *scanWorld) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// fill appends so many chunks.
func (w *scanWorld) fill(chunks int) {
	w.Helper()
	for range chunks {
		switch pause := w.rand.IntN(40); {
		case pause == 0:
			w.clock.Add(int64(w.rand.IntN(20 * bucketMillis)))
		case pause < 4:
			w.clock.Add(bucketMillis + int64(w.rand.IntN(bucketMillis)))
		default:
			w.clock.Add(int64(w.rand.IntN(100_000)))
		}
		var batches []heatmap.Batch
		for range 1 + w.rand.IntN(3) {
			batches = append(batches, w.batch())
		}
		_, err := w.j.Append(batches)
		w.must(err)
	}
}

// batch gives a batch that was sent before or a new one, of a tracker or of an import.
func (w *scanWorld) batch() heatmap.Batch {
	if n := len(w.sent); n > 0 && w.rand.IntN(5) == 0 {
		return w.again(w.sent[n-1-w.rand.IntN(min(n, 40))])
	}
	w.count++
	site := w.site()
	b := heatmap.Batch{Site: site, Visitor: "v" + strconv.Itoa(w.rand.IntN(9)), ID: "b" + strconv.Itoa(w.count-w.rand.IntN(9)/8)}
	imported := w.rand.IntN(6) == 0
	if imported {
		b.Site, b.Visitor = "", ""
	}
	if w.rand.IntN(8) == 0 {
		b.ID = ""
	}
	view := "w" + strconv.Itoa(w.count/3)
	shift := int64(0)
	switch w.rand.IntN(60) {
	case 0:
		shift = -int64(w.rand.IntN(4 * dayMillis))
	case 1:
		shift = int64(w.rand.IntN(dayMillis / 2))
	}
	for i := range 1 + w.rand.IntN(9) {
		h := w.hit(site, view, b.Visitor)
		h.Time += shift + int64(i*w.rand.IntN(400))
		if imported {
			h.Site, h.Visitor = w.site(), "v7"
			if w.rand.IntN(3) > 0 {
				h.ID = "h" + strconv.Itoa(w.rand.IntN(200))
			}
		}
		b.Hits = append(b.Hits, h)
	}
	w.sent = append(w.sent, b)
	return b
}

// again gives a batch as it is sent again: as another visitor, and with its ages counted from now.
func (w *scanWorld) again(b heatmap.Batch) heatmap.Batch {
	b.Visitor, b.Hits = "v"+strconv.Itoa(w.rand.IntN(9)), slices.Clone(b.Hits)
	shift := w.clock.Load() - b.Hits[0].Time
	for i := range b.Hits {
		b.Hits[i].Time += shift
	}
	return b
}

// site gives mostly the first, and others for a while.
func (w *scanWorld) site() string {
	if w.rand.IntN(2) == 0 {
		return w.sites[0]
	}
	return w.sites[w.count/60%len(w.sites)]
}

// hit gives a hit on one of few spots of few pages, so that there are bursts.
func (w *scanWorld) hit(site, view, visitor string) heatmap.Hit {
	r := w.rand
	agents := []string{"", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile", "Googlebot/2.1"}
	h := heatmap.Hit{
		Time: w.clock.Load() - 2000, Site: site, URL: testPage(w.count % 3 * r.IntN(2)), View: view, Visitor: visitor,
		UserAgent: agents[w.count%3], Kind: []heatmap.Kind{heatmap.KindView, heatmap.KindClick, heatmap.KindClick, heatmap.KindScroll, heatmap.KindMove}[r.IntN(5)], ViewportW: uint16(r.IntN(5) * 300), ViewportH: 720,
		X: uint16(w.count%2*700 + r.IntN(12)), Y: uint16(r.IntN(2)*1000 + r.IntN(12)), Tags: testTags(visitor + "0"),
	}
	switch h.Kind {
	case heatmap.KindScroll:
		h.From = uint16(r.IntN(2) * 720)
		h.Depth, h.Dwell = h.From+uint16(r.IntN(1000)), uint32(r.IntN(9000))
	case heatmap.KindClick:
		h.Selector, h.BoxW, h.BoxH = "main>a:nth-child("+strconv.Itoa(r.IntN(4))+")", 100, 40
		h.AnchorX, h.AnchorY = uint32(r.IntN(heatmap.AnchorUnit)), uint32(r.IntN(heatmap.AnchorUnit))
		if r.IntN(9) == 0 {
			h.Flags = heatmap.FlagDead
		}
		if r.IntN(20) == 0 {
			h.Flags |= heatmap.FlagUntrusted
		}
	}
	return h
}

// seal seals all segments that are full.
func (w *scanWorld) seal() {
	w.Helper()
	_, err := w.j.Seal(w.Context())
	w.must(err)
}

// index opens an index over the journal and waits until all of it is applied. Damage is passed over.
func (w *scanWorld) index(rules string) *Index {
	w.Helper()
	passes := func(*journal.CorruptError) {}
	x := openTest(w.T, Options{
		Store: newMapStore(), Source: JournalSource(w.j, passes), Frozen: FrozenSources(w.j, passes), Rules: mustParseRules(w.T, rules),
		Now: func() time.Time { return time.UnixMilli(w.clock.Load()) },
	})
	w.Cleanup(x.kill)
	waitApplied(w.T, x)
	return x
}

// query asks for something.
func (w *scanWorld) query() heatmap.Query {
	r := w.rand
	q := heatmap.Query{Site: w.sites[r.IntN(len(w.sites))], Bots: r.IntN(3) == 0}
	q.URL = []string{"", testPage(0), testPage(1), "https://shop.example/p/*", "**/2"}[r.IntN(5)]
	at := func() heatmap.Bound {
		return heatmap.Bound{Set: r.IntN(2) == 0, Instant: 1_769_500_000_000 + r.Int64N(w.clock.Load()-1_769_500_000_000+2) - 1}
	}
	if q.From, q.To = at(), at(); q.From.Set && q.To.Set && q.From.Instant >= q.To.Instant {
		q.From.Instant, q.To.Instant = q.To.Instant, q.From.Instant+1
	}
	if r.IntN(4) == 0 {
		q.Width.Set, q.Width.Min, q.Width.Max = true, uint16(r.IntN(600)), 700
	}
	q.Device.Set = r.IntN(5) == 0
	q.Where = []string{"", "", "vw < 800 && y > 900", `visitor == "v3" or "sampled:0.5" in tags`, "hour % 2 == 0", "x % (y % 3) == 0"}[r.IntN(6)]
	return q
}

// aggregates gives one of each sort that a scan can fill for a query.
func (w *scanWorld) aggregates(x *Index, q heatmap.Query) map[string]func() (*plan, aggregate) {
	w.Helper()
	pl, err := x.newPlan(w.Context(), q)
	w.must(err)
	hourly := q
	hourly.Hourly = true
	byHour, err := x.newPlan(w.Context(), hourly)
	w.must(err)
	all := map[string]func() (*plan, aggregate){
		"scroll":   func() (*plan, aggregate) { return pl.own(), newSumAggregate(pl, heatmap.KindScroll) },
		"pages":    func() (*plan, aggregate) { return pl.own(), pagesAggregate{newPageCounts(pl)} },
		"trend":    func() (*plan, aggregate) { return pl.own(), trendAggregate{newTrend(pl)} },
		"by hour":  func() (*plan, aggregate) { return byHour.own(), trendAggregate{newTrend(byHour)} },
		"elements": func() (*plan, aggregate) { return pl.own(), newElementAggregate(pl, listedKinds()...) },
		"sides": func() (*plan, aggregate) {
			q.Kind = heatmap.KindClick
			a, err := x.newSide(w.Context(), q)
			w.must(err)
			minus := q
			minus.Where = "y < 1000"
			b, err := x.newSide(w.Context(), minus)
			w.must(err)
			return a.union(b), sidesAggregate{a, b}
		},
	}
	for _, kind := range []heatmap.Kind{heatmap.KindClick, heatmap.KindMove, heatmap.KindRage, heatmap.KindDead} {
		all[kind.String()] = func() (*plan, aggregate) { return pl.own(), newSumAggregate(pl, kind, heatmap.KindView) }
	}
	return all
}

// recountScan counts what a plan asks for from positions up to others as plainly as can be: all hits through one stream.
func recountScan(ctx context.Context, x *Index, pl *plan, a aggregate, from, to []uint64) error {
	for i, f := range x.feeds {
		if f.source.First() >= to[i] {
			continue
		}
		reader, _, err := openFirst(f.source)
		if err != nil {
			return err
		}
		stream := NewStream(x.options.Rules, x.zone, StreamOptions{})
		var c heatmap.Chunk
		for c.End() < to[i] && err == nil {
			if err = reader.Next(ctx, &c); errors.Is(err, io.EOF) {
				err = nil
				break
			}
			stream.Events(&c, func(ev *Event) {
				if err == nil && from[i] <= ev.Position && ev.Position < to[i] && pl.keepsEvent(ev) {
					err = a.event(ev)
				}
			})
		}
		if err = errors.Join(err, reader.Close()); err != nil {
			return err
		}
	}
	return nil
}

// digest says all that was counted, the same for the same.
func digest(a aggregate) string {
	of := func(s *sum) string { return fmt.Sprintf("%v %x", s.daysSeen, s.delta.Clone().Append(nil)) }
	switch a := a.(type) {
	case *sumAggregate:
		return of(a.sum)
	case *elementAggregate:
		return of(&a.elementSum.sum)
	case sidesAggregate:
		return of(a[0].sum) + " and " + of(a[1].sum)
	case pagesAggregate:
		var all []string
		for page, n := range a.pages {
			all = append(all, fmt.Sprint(page, *n))
		}
		slices.Sort(all)
		return strings.Join(all, "\n")
	case trendAggregate:
		var all []string
		for _, key := range slices.Sorted(maps.Keys(a.buckets)) {
			all = append(all, fmt.Sprintf("%d %v %x", key, a.buckets[key].counts, a.buckets[key].scope.Clone().Append(nil)))
		}
		return strings.Join(all, "\n")
	}
	return fmt.Sprintf("%v", a)
}
