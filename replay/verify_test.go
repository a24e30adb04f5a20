package replay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/journal"
)

// bentStore is a store of which some documents and records are read otherwise than they were written.
type bentStore struct {
	index.Store
	bend atomic.Pointer[bend] // nil = all is as it is
}

// bend says what is read otherwise.
type bend struct {
	doc    func(d *index.Doc) (keep bool) // nil = as it is
	record func(name string, value []byte) []byte
	extra  *index.Doc // that a scan has too, before all others
}

func (s *bentStore) Scan(ctx context.Context, r index.Range, fn func(index.Doc) error) error {
	b := s.bend.Load()
	if b != nil && b.extra != nil {
		if err := fn(*b.extra); err != nil {
			return err
		}
	}
	return s.Store.Scan(ctx, r, func(d index.Doc) error {
		if b != nil && b.doc != nil && !b.doc(&d) {
			return nil
		}
		return fn(d)
	})
}

func (s *bentStore) Load(ctx context.Context, refs []index.Ref) ([]index.Doc, error) {
	docs, err := s.Store.Load(ctx, refs)
	for i := range docs {
		if b := s.bend.Load(); b != nil && b.doc != nil && !b.doc(&docs[i]) {
			docs[i] = index.Doc{Ref: docs[i].Ref}
		}
	}
	return docs, err
}

func (s *bentStore) Record(ctx context.Context, name string) ([]byte, error) {
	value, err := s.Store.Record(ctx, name)
	if b := s.bend.Load(); b != nil && b.record != nil && err == nil {
		value = b.record(name, value)
	}
	return value, err
}

// change gives a blob whose layers go through fn one by one; fn gives false for one that is to be left out, and may add to d.
func change(blob []byte, fn func(d *heatmap.Delta, id heatmap.LayerID, hits uint64) (keep bool)) []byte {
	var d, part heatmap.Delta
	drop := make(map[heatmap.LayerID]bool)
	if _, err := heatmap.BlobLayers(blob, func(id heatmap.LayerID, hits uint64) { drop[id] = !fn(&part, id, hits) }); err != nil {
		panic(err)
	}
	if err := d.MergeBlobSelected(blob, func(id heatmap.LayerID) (heatmap.LayerID, bool) { return id, !drop[id] }); err != nil {
		panic(err)
	}
	d.Merge(&part)
	return d.Append(nil)
}

// TestPlanted plants an error in what is stored of a generation. Each is found, by the check that is there for it, and the
// generation fails; the same without it becomes ready.
func TestPlanted(t *testing.T) {
	h := newHouse(t)
	h.fill(400)
	h.awaitDurable()
	bent := &bentStore{}
	var plant func(id string, b *bend)
	var report *heatmap.Report
	h.adjust = func(o *Options) {
		bent.Store = h.store
		o.Index.Store = bent
		o.Verify = func(ctx context.Context, v Verification) (*heatmap.Report, error) {
			for v.Generation.Lag() > 0 {
				if err := pause(ctx, time.Millisecond); err != nil {
					return nil, err
				}
			}
			if err := v.Generation.Flush(ctx); err != nil { // nothing is read and written again with the error
				return nil, err
			}
			var b bend
			plant(v.ID, &b)
			bent.bend.Store(&b)
			defer bent.bend.Store(nil)
			r, err := Compare(ctx, v)
			report = r
			return r, err
		}
	}
	h.open()
	page := heatmap.Key{Site: testSite, Page: "https://shop.example/product/7"}
	one := func(month, day bool, change func(blob []byte) []byte) func(id string, b *bend) {
		return func(id string, b *bend) {
			first := heatmap.Period(0)
			b.doc = func(d *index.Doc) bool {
				if d.Generation == id && d.Site == page.Site && d.Page == page.Page && (d.Period.IsMonth() && month || !d.Period.IsMonth() && day && (first == 0 || first == d.Period)) {
					if !d.Period.IsMonth() {
						first = d.Period
					}
					d.Blob = change(bytes.Clone(d.Blob))
					return d.Blob != nil
				}
				return true
			}
		}
	}
	isClick := func(l heatmap.LayerID) bool { return l.Kind() == heatmap.KindClick }
	lose := func(blob []byte) []byte {
		lost := false
		return change(blob, func(_ *heatmap.Delta, l heatmap.LayerID, n uint64) bool {
			keep := lost || !isClick(l)
			lost = lost || isClick(l)
			return keep
		})
	}
	double := func(blob []byte) []byte {
		doubled := false
		return change(blob, func(d *heatmap.Delta, l heatmap.LayerID, n uint64) bool {
			if isClick(l) && !doubled {
				doubled = true
				d.AddPoint(l, 8, 8)
			}
			return true
		})
	}
	move := func(blob []byte) []byte {
		moved := false
		return change(blob, func(d *heatmap.Delta, l heatmap.LayerID, n uint64) bool {
			if !isClick(l) || moved {
				return true
			}
			moved = true
			for range n {
				d.AddPoint(l, 4000, 60000)
			}
			return false
		})
	}
	visitor := func(blob []byte) []byte {
		return change(blob, func(d *heatmap.Delta, l heatmap.LayerID, n uint64) bool {
			d.AddVisitor(false, 12345)
			return true
		})
	}
	sampled := func(blob []byte) []byte {
		return change(blob, func(d *heatmap.Delta, l heatmap.LayerID, n uint64) bool {
			d.AddSampled(false, 1)
			return true
		})
	}
	none := func([]byte) []byte { return nil }
	flip := func(blob []byte) []byte {
		blob[len(blob)/2] ^= 4
		return blob
	}
	totals := func(from, to string) func(id string, b *bend) {
		return func(id string, b *bend) {
			b.record = func(name string, value []byte) []byte {
				if !strings.HasPrefix(name, "checkpoint/"+id+"/") || !bytes.Contains(value, []byte(from)) {
					return value
				}
				return bytes.Replace(value, []byte(from), []byte(to), 1)
			}
		}
	}
	f := func(name string, with func(id string, b *bend), checks ...string) {
		t.Helper()
		report, plant = nil, with
		id := h.start(heatmap.Replay{})
		var v heatmap.Generation
		for v.State != heatmap.StateFailed && v.State != heatmap.StateReady {
			var err error
			if v, err = h.g.Get(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		var failed []string
		for _, c := range report.Checks {
			if c.Failed > 0 {
				failed = append(failed, c.Name)
			}
			if c.Done == 0 {
				t.Errorf("%s: nothing was compared by %s", name, c.Name)
			}
		}
		slices.Sort(failed)
		if !slices.Equal(failed, checks) || (v.State == heatmap.StateReady) != (len(checks) == 0) {
			t.Errorf("%s: found by %v, want %v; it is %s\n%s", name, failed, checks, v.State, report)
		}
		if len(checks) > 0 && (report.OK() || v.Reason != report.Problems[0]) {
			t.Errorf("%s: reason is %q, report %s", name, v.Reason, report)
		}
		if err := h.g.Drop(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	f("nothing", func(string, *bend) {})
	f("a day lost hits", one(false, true, lose), "keys", "months", "sums")
	f("a month lost hits", one(true, false, lose), "keys", "months", "sums")
	f("a day has a hit twice", one(false, true, double), "keys", "months", "sums")
	f("a month has a hit twice", one(true, false, double), "keys", "months", "sums")
	f("hits of a day are elsewhere", one(false, true, move), "keys", "months")
	f("hits of a month are elsewhere", one(true, false, move), "keys", "months")
	f("a visitor too many", one(true, false, visitor), "keys", "months")
	f("sampled hits too many", one(false, true, sampled), "keys", "months")
	f("a day is gone", one(false, true, none), "months", "sums")
	f("a month is gone", one(true, false, none), "months", "sums")
	f("page is gone", func(id string, b *bend) {
		b.doc = func(d *index.Doc) bool { return d.Generation != id || d.Page != page.Page }
	}, "sums")
	f("a document is damaged", one(true, false, flip), "documents", "keys", "months", "sums")
	f("a document of more than was read", func(id string, b *bend) {
		b.doc = func(d *index.Doc) bool {
			if d.Generation == id && d.Page == page.Page && d.Period.IsMonth() {
				d.Watermark += 1 << 20
			}
			return true
		}
	}, "documents", "months", "sums")
	f("document of a page that never was", func(id string, b *bend) {
		var d heatmap.Delta
		d.AddView(heatmap.NewLayerID(heatmap.KindView, 1, heatmap.Desktop, false))
		b.extra = &index.Doc{Ref: index.Ref{Generation: id, Key: heatmap.Key{Site: "nobody", Page: "x", Period: heatmap.MonthPeriod(20000)}, Source: h.journal.Source()}, Watermark: 1, Blob: d.Append(nil)}
	}, "keys", "months", "sums")
	f("a counter of batches", totals(`"batches":4`, `"batches":5`), "counters")
	f("a counter of views", totals(`"views":`, `"views":1`), "counters", "sums")
	f("a counter of hits read", totals(`"read":`, `"read":1`), "counters")
	f("a counter of bots", totals(`"bots":`, `"bots":1`), "counters", "sums")
}

// TestActiveWrong: if it is the active generation that has lost count, the report says so and the new one becomes ready.
func TestActiveWrong(t *testing.T) {
	h := newHouse(t)
	h.fill(50)
	h.open()
	h.awaitAll()
	h.close()
	h.g = nil
	name := "checkpoint/g1/" + h.journal.Source()
	value, err := h.store.Record(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Replace(value, []byte(`"batches":`), []byte(`"batches":9`), 1)
	if ok, err := h.store.SwapRecord(t.Context(), name, value, bad); !ok || err != nil || bytes.Equal(bad, value) {
		t.Fatal(ok, err)
	}
	h.open()
	h.fill(20)
	id := h.start(heatmap.Replay{})
	h.await(id, heatmap.StateReady)
	r, err := h.g.Report(t.Context(), id)
	if err != nil || !r.OK() || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "g1 has 9") {
		t.Errorf("report %+v, %v", r, err)
	}
}

// TestReportOfRules: the report of other rules says what they leave out, which pages come together and what each page has then,
// as queries say it, while the active generation goes on.
func TestReportOfRules(t *testing.T) {
	h := newHouse(t)
	h.fill(1200)
	h.awaitDurable()
	h.open()
	const rules = `
exclude: ['x < 300', 'url contains "product/3"']
urls:
  groups:
    - {match: https://shop.example/product/1*, page: https://shop.example/ones}
    - {match: https://shop.example/product/2*, page: https://shop.example/product/20}
`
	id := h.start(heatmap.Replay{Rules: rules})
	h.await(id, heatmap.StateReady)
	h.awaitAll()
	r, err := h.g.Report(t.Context(), id)
	if err != nil || !r.OK() || len(r.Notes) > 0 || r.SameRules {
		t.Fatal(r, err)
	}
	for who, side := range map[string]*heatmap.ReportSide{"g1": r.Before, id: r.After} {
		v, err := h.g.Get(t.Context(), who)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprintf("%+v", *side.Counts), fmt.Sprintf("%+v", *v.Counts); got != want {
			t.Errorf("counts of %s are %s, want %s", who, got, want)
		}
		all, err := h.g.Pages(t.Context(), heatmap.Query{Site: testSite, Generation: who})
		if people := side.Counts.Hits - side.Counts.Bots; err != nil || uint64(all.Total) != side.Pages || all.Hits != people {
			t.Errorf("%s has %d pages and %d hits of people, report %d and %d, %v", who, all.Total, all.Hits, side.Pages, people, err)
		}
		for _, p := range r.Pages.Top {
			n := p.Before
			if who == id {
				n = p.After
			}
			at := slices.IndexFunc(all.Pages, func(c heatmap.PageCount) bool { return c.Page == p.Page })
			if at < 0 && n != 0 || at >= 0 && all.Pages[at].Hits != n {
				t.Errorf("%s has %d hits on %s by the report, a query says otherwise", who, n, p.Page)
			}
		}
	}
	if len(r.After.Counts.ExcludedBy) != 2 || r.After.Counts.ExcludedBy[0].Hits == 0 || r.After.Counts.ExcludedBy[1].Hits == 0 {
		t.Errorf("left out: %+v", r.After.Counts.ExcludedBy)
	}
	p := r.Pages
	if p.Appeared != 1 || p.Merged != 2 || len(p.Merges) != 2 || p.Moved != p.Merges[0].Hits+p.Merges[1].Hits || p.Disappeared < 20 {
		t.Errorf("pages: %+v", p)
	}
	ones := p.Merges[slices.IndexFunc(p.Merges, func(m heatmap.PageMerge) bool { return m.Page == "https://shop.example/ones" })]
	if ones.Of != 11 || len(ones.From) != heatmap.MaxReportFrom || ones.From[0].Hits < ones.From[1].Hits {
		t.Errorf("merged: %+v", ones)
	}
	if top := p.Top; uint64(len(top)) != min(heatmap.MaxReportPages, p.Changed+p.Appeared+p.Disappeared) || top[0].Page != "https://shop.example/ones" || top[0].Share <= 0 {
		t.Errorf("top: %+v", top)
	}
	if r.Before.FirstDay == "" || r.Before.FirstDay > r.Before.LastDay || r.Before.Visitors != 40 {
		t.Errorf("before: %+v", r.Before)
	}
}

// TestVerifyUnderLoad: hits that arrive while a generation is compared change nothing, and it catches up again.
func TestVerifyUnderLoad(t *testing.T) {
	h := newHouse(t)
	h.fill(500)
	h.open()
	var stop atomic.Bool
	var load sync.WaitGroup
	id := h.start(heatmap.Replay{})
	load.Go(func() {
		for !stop.Load() {
			h.fill(20)
		}
	})
	for range 3 {
		h.await(id, heatmap.StateReady)
		r, err := h.g.Report(t.Context(), id)
		if err != nil || !r.OK() || r.Positions[h.journal.Source()] == 0 || len(r.Checks) != 6 {
			t.Fatal(r, err)
		}
		if r.Before.Counts.Read != r.Positions[h.journal.Source()] || r.Pages.Changed+r.Pages.Appeared+r.Pages.Disappeared > 0 || !r.SameRules {
			t.Errorf("%+v", r)
		}
		if err := h.g.Drop(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		id = h.start(heatmap.Replay{})
	}
	stop.Store(true)
	load.Wait()
	h.await(id, heatmap.StateReady)
	h.awaitAll()
	h.close()
	h.same("g1", id)
}

// TestComparedMeanwhile drops a generation, and closes all, in the middle of a comparison, which ends at once: what was dropped
// is gone, what was closed is compared anew after the next start. Until then nobody gets a report, but is told how far it is.
func TestComparedMeanwhile(t *testing.T) {
	h := newHouse(t)
	h.fill(200)
	h.awaitDurable()
	begun := make(chan struct{}, 100)
	var holds atomic.Bool
	h.adjust = func(o *Options) {
		o.Verify = func(ctx context.Context, v Verification) (*heatmap.Report, error) {
			tell := v.Progress
			v.Progress = func(done, of uint64) {
				if tell(done, of); holds.Load() {
					begun <- struct{}{}
					<-ctx.Done()
				}
			}
			r, err := Compare(ctx, v)
			if holds.Load() && ctx.Err() == nil {
				t.Error("the comparison went on")
			}
			return r, err
		}
	}
	h.open()
	holds.Store(true)
	id := h.start(heatmap.Replay{})
	<-begun
	if _, err := h.g.Report(t.Context(), id); !errors.As(err, new(*heatmap.StateError)) || !strings.Contains(err.Error(), "it is being compared: 0 of ") {
		t.Errorf("report meanwhile: %v", err)
	}
	if a, err := h.g.Pages(t.Context(), heatmap.Query{Site: testSite, Generation: id}); err != nil || a.Hits == 0 || a.Generation != id {
		t.Errorf("asked meanwhile: %+v, %v", a, err)
	}
	if err := h.g.Drop(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	h.awaitGone(id)
	id = h.start(heatmap.Replay{})
	<-begun
	h.close()
	h.g = nil
	holds.Store(false)
	h.open()
	h.await(id, heatmap.StateReady)
	if r, err := h.g.Report(t.Context(), id); err != nil || !r.OK() {
		t.Error(r, err)
	}
}

// TestComparePruned compares where the journal no longer has its first hits: what is kept is recounted, of both, and the report
// says from where on.
func TestComparePruned(t *testing.T) {
	h := newHouse(t)
	h.fill(1500)
	if _, err := h.journal.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.open()
	h.awaitAll()
	h.clock.Add(3_600_000)
	h.fill(50)
	h.awaitAll()
	h.close()
	h.g = nil
	rep, err := h.journal.Prune(t.Context(), journal.PruneOptions{KeepBytes: 1, Below: func(string) uint64 { return 4000 }})
	if err != nil || h.journal.First() == 0 {
		t.Fatal(rep, err)
	}
	h.open()
	h.clock.Add(5 * 86_400_000) // so that there are days without hits that were pruned
	h.fill(50)
	h.awaitAll()
	id := h.start(heatmap.Replay{})
	h.await(id, heatmap.StateReady)
	source := h.journal.Source()
	r, err := h.g.Report(t.Context(), id)
	if err != nil || !r.OK() || r.KeptFrom[source] != h.journal.First() || r.Before.Counts.Read != r.Positions[source]-r.KeptFrom[source] {
		t.Fatalf("%v\n%+v", err, r)
	}
	for _, c := range r.Checks {
		if c.Done == 0 || c.Failed > 0 {
			t.Errorf("%+v", c)
		}
	}
}

// TestCompareFrozen compares over a journal that was frozen and the one that took its place.
func TestCompareFrozen(t *testing.T) {
	h := newHouse(t)
	h.fill(300)
	next, err := h.journal.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	h.journal = next
	h.fill(200)
	h.awaitDurable()
	h.open()
	id := h.start(heatmap.Replay{Rules: excludeSome})
	h.await(id, heatmap.StateReady)
	r, err := h.g.Report(t.Context(), id)
	if err != nil || !r.OK() || len(r.Notes) > 0 || len(r.Positions) != 2 || r.After.Counts.Excluded == 0 || r.Before.Counts.Hits != r.After.Counts.Hits+r.After.Counts.Excluded {
		t.Errorf("%v\n%+v", err, r)
	}
	for _, c := range r.Checks {
		if c.Done == 0 || c.Failed > 0 {
			t.Errorf("%+v", c)
		}
	}
}

// TestVerifyAfterKill kills a process that compares a generation, of which more is stored than its checkpoint says: the next one
// compares it when it has counted what the documents hold.
func TestVerifyAfterKill(t *testing.T) {
	h := newHouse(t)
	h.fill(200)
	var killed atomic.Bool
	h.adjust = func(o *Options) {
		o.Index.CheckpointEvery = time.Hour
		o.Verify = func(ctx context.Context, v Verification) (*heatmap.Report, error) {
			if !killed.Load() {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			if err := v.Generation.Ready(); err != nil {
				t.Errorf("compared before it has caught up: %v", err)
			}
			return Compare(ctx, v)
		}
	}
	h.open()
	id := h.start(heatmap.Replay{})
	h.await(id, heatmap.StateVerifying)
	stored := len(h.docs(id))
	h.fill(200)
	for h.awaitAll(); len(h.docs(id)) == stored; {
		if err := pause(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	killed.Store(true)
	h.open()
	h.await(id, heatmap.StateReady)
}
