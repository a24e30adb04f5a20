package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"heatlog/heatmap"
	"heatlog/index"
)

var scanTests = map[string]func(*testing.T, Opener){
	"nothing":             testScanNothing,
	"pages":               testScanPages,
	"periods":             testScanPeriods,
	"order":               testScanOrder,
	"site and generation": testScanApart,
	"all sites":           testScanSites,
	"error of fn":         testScanError,
	"cancelled context":   testScanCancelled,
	"sites":               testSites,
	"calls inside":        testScanCalls,
	"while writing":       testScanWhileWriting,
}

// allOf is every document of site shop in g1.
func allOf() index.Range { return index.Range{Generation: "g1", Site: "shop", IsPrefix: true} }

// testSites lists the sites of generations whose names begin with one another, as the sites' do.
func testSites(t *testing.T, open Opener) {
	s := opened(t, open)
	want := map[string][]string{"g1": {"a", "a-1", "a1", "b", "shop"}, "g11": {"a", "c"}, "g2": nil}
	for generation, sites := range want {
		for _, site := range sites {
			for i, page := range oddPages() {
				r := ref(page, day(i%2))
				r.Generation, r.Site = generation, site
				s.put(insert(r, 1, "x"))
			}
		}
	}
	for generation, sites := range want {
		got, err := s.Sites(t.Context(), generation)
		if err != nil || !slices.Equal(got, sites) {
			t.Errorf("sites of %s are %q, %v; want %q", generation, got, err, sites)
		}
	}
	if err := s.Drop(t.Context(), "g1"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Sites(t.Context(), "g1"); err != nil || len(got) != 0 {
		t.Errorf("sites of a dropped generation are %q, %v", got, err)
	}
}

func testScanNothing(t *testing.T, open Opener) {
	s := opened(t, open)
	s.sameDocs(s.scan(allOf()), nil)
	s.put(insert(ref(page1, day(0)), 1, "x"))
	s.sameDocs(s.scan(index.Range{Generation: "g1", Site: "shop", Page: "https://shop.example/p/"}), nil)
	s.sameDocs(s.scan(index.Range{Generation: "g1", Site: "sho", IsPrefix: true}), nil)
	s.sameDocs(s.scan(index.Range{Generation: "g", Site: "shop", IsPrefix: true}), nil)
}

// testScanPages asks for pages and prefixes, among pages that begin with one another.
func testScanPages(t *testing.T, open Opener) {
	s := opened(t, open)
	var docs []index.Doc
	for i, page := range oddPages() {
		for p := range 2 {
			w := insert(ref(page, day(p)), uint64(i+1), page[:min(4, len(page))])
			s.put(w)
			docs = append(docs, doc(w))
		}
	}
	for _, page := range append(oddPages(), "absent", "\U0010ffff", "https://shop.example/", "https://", "%") {
		for _, isPrefix := range []bool{false, true} {
			r := index.Range{Generation: "g1", Site: "shop", Page: page, IsPrefix: isPrefix}
			s.sameDocs(s.scan(r), naive(docs, r))
		}
	}
}

// naive is what a scan must give.
func naive(docs []index.Doc, r index.Range) []index.Doc {
	var out []index.Doc
	for _, d := range docs {
		page := d.Page == r.Page || r.IsPrefix && strings.HasPrefix(d.Page, r.Page)
		if page && d.Generation == r.Generation && d.Site == r.Site && wanted(d.Period, r.Periods) {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b index.Doc) int {
		return cmp.Or(strings.Compare(a.Page, b.Page), cmp.Compare(a.Period, b.Period), strings.Compare(a.Source, b.Source))
	})
	return out
}

func wanted(p heatmap.Period, ranges []index.PeriodRange) bool {
	return ranges == nil || slices.ContainsFunc(ranges, func(r index.PeriodRange) bool { return r.First <= p && p <= r.Last })
}

func testScanPeriods(t *testing.T, open Opener) {
	s := opened(t, open)
	var docs []index.Doc
	var writes []index.Write
	for _, page := range []string{page1, page1 + "0", page2} {
		for n := range 40 {
			for _, p := range []heatmap.Period{day(3 * n), month(2 * n)} {
				w := insert(ref(page, p), uint64(n+1), p.String())
				if n%5 == 0 {
					other := w
					other.Source = "j0"
					writes, docs = append(writes, other), append(docs, doc(other))
				}
				writes, docs = append(writes, w), append(docs, doc(w))
			}
		}
	}
	s.put(writes...)
	f := func(periods ...index.PeriodRange) {
		t.Helper()
		for _, r := range []index.Range{{Page: page1}, {Page: page1, IsPrefix: true}, {Page: page2}, {IsPrefix: true}, {Page: "absent"}} {
			r.Generation, r.Site, r.Periods = "g1", "shop", periods
			s.sameDocs(s.scan(r), naive(docs, r))
		}
	}
	run := func(first, last heatmap.Period) index.PeriodRange { return index.PeriodRange{First: first, Last: last} }
	f()
	f(run(day(3), day(3)))
	f(run(day(4), day(4))) // between two that are there
	f(run(month(0), month(78)))
	f(run(day(0), day(117)))
	f(run(month(1), month(1)))
	f(run(month(3), month(9)), run(day(0), day(10)), run(day(20), day(21)), run(day(100), day(4000)))
	f(run(month(-50), month(-1)), run(month(200), month(300)), run(day(-90), day(-1)))
	f(run(month(-50), month(0)), run(month(2), month(2)), run(month(4), month(4)), run(day(117), day(117)))
	f(run(0, 1<<32-1))
	f(run(day(118), 1<<32-1))
	f(run(0, month(0)-1))
}

// testScanOrder writes in an order that is none and with sources on both sides of one another.
func testScanOrder(t *testing.T, open Opener) {
	s := opened(t, open)
	var docs []index.Doc
	for i, page := range []string{"b", "a/", "a", "B", "é", "a\x01", "ab", "a0"} {
		for j, source := range []string{"j2", "j", "j10", "k", ""} {
			for k, p := range []heatmap.Period{day(400), month(30), day(2), month(1)} {
				w := insert(ref(page, p), uint64(1+i+j+k), page)
				w.Source = source
				s.put(w)
				docs = append(docs, doc(w))
			}
		}
	}
	s.sameDocs(s.scan(allOf()), naive(docs, allOf()))
}

func testScanApart(t *testing.T, open Opener) {
	s := opened(t, open)
	var docs []index.Doc
	for _, generation := range []string{"g1", "g10", "g2"} {
		for _, site := range []string{"a", "a-b", "a-", "a0", "b"} {
			w := insert(ref(page1, day(0)), 1, generation+site)
			w.Generation, w.Site = generation, site
			s.put(w)
			docs = append(docs, doc(w))
		}
	}
	for _, d := range docs {
		r := index.Range{Generation: d.Generation, Site: d.Site, IsPrefix: true}
		s.sameDocs(s.scan(r), []index.Doc{d})
	}
}

// testScanSites asks for all sites of a generation at once, whole and in part.
func testScanSites(t *testing.T, open Opener) {
	s := opened(t, open)
	want := make(map[string][]index.Doc) // by what is asked for
	for _, generation := range []string{"g1", "g10", "g2"} {
		for _, site := range []string{"", "a", "a-", "a-b", "a\x00", "a\x00b", "a0", "b"} {
			for _, page := range []string{"p", "p/1", "q"} {
				for n, p := range []heatmap.Period{month(1), day(0), day(1)} {
					w := insert(ref(page, p), 1, fmt.Sprint(generation, site, page, n))
					w.Generation, w.Site = generation, site
					s.put(w)
					if generation != "g1" {
						continue
					}
					want["all"] = append(want["all"], doc(w))
					if page == "p" {
						want["page"] = append(want["page"], doc(w))
					}
					if page != "q" && n == 2 {
						want["day"] = append(want["day"], doc(w))
					}
				}
			}
		}
	}
	bySite := func(docs []index.Doc) []index.Doc {
		slices.SortStableFunc(docs, func(a, b index.Doc) int { return cmp.Compare(a.Site, b.Site) })
		return docs
	}
	s.sameDocs(s.scan(index.Range{Generation: "g1", AllSites: true, IsPrefix: true}), bySite(want["all"]))
	s.sameDocs(s.scan(index.Range{Generation: "g1", AllSites: true, Page: "p"}), bySite(want["page"]))
	s.sameDocs(s.scan(index.Range{Generation: "g1", AllSites: true, Page: "p", IsPrefix: true, Periods: []index.PeriodRange{{First: day(1), Last: day(9)}}}), bySite(want["day"]))
	s.sameDocs(s.scan(index.Range{Generation: "g3", AllSites: true, IsPrefix: true}), nil)
	enough, calls := errors.New("enough"), 0
	err := s.Scan(t.Context(), index.Range{Generation: "g1", AllSites: true, IsPrefix: true}, func(index.Doc) error {
		calls++
		return enough
	})
	if err != enough || calls != 1 {
		t.Fatalf("error is %v after %d calls, want that of the first", err, calls)
	}
}

func testScanError(t *testing.T, open Opener) {
	s := opened(t, open)
	for i := range 5 {
		s.put(insert(ref(page1, day(i)), 1, "x"))
	}
	want, calls := errors.New("enough"), 0
	err := s.Scan(t.Context(), allOf(), func(index.Doc) error {
		if calls++; calls == 3 {
			return want
		}
		return nil
	})
	if err != want || calls != 3 {
		t.Fatalf("error is %v after %d calls, want that of the third", err, calls)
	}
}

func testScanCancelled(t *testing.T, open Opener) {
	s := opened(t, open)
	var writes []index.Write
	for i := range 5000 {
		writes = append(writes, insert(ref(page1, day(i)), 1, "x"))
	}
	s.put(writes...)
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := s.Scan(ctx, allOf(), func(index.Doc) error { calls++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || calls == len(writes) {
		t.Fatalf("error is %v after %d of %d calls, want context.Canceled", err, calls, len(writes))
	}
	err = s.Scan(ctx, allOf(), func(index.Doc) error { t.Error("called under a cancelled context"); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v, want context.Canceled", err)
	}
}

// testScanCalls uses the store from within a scan.
func testScanCalls(t *testing.T, open Opener) {
	s := opened(t, open)
	for i := range 20 {
		s.put(insert(ref(page1, day(i)), 1, "x"))
	}
	seen := 0
	err := s.Scan(t.Context(), allOf(), func(d index.Doc) error {
		seen++
		if docs, err := s.Load(t.Context(), []index.Ref{d.Ref}); err != nil || docs[0].Watermark == 0 {
			return fmt.Errorf("load inside a scan: %v, %v", docs, err)
		}
		applied, err := s.Swap(t.Context(), []index.Write{replace(d.Ref, 1, 2, "y")})
		if err == nil && !applied[0] {
			return errors.New("swap inside a scan was not applied")
		}
		return err
	})
	if err != nil || seen != 20 {
		t.Fatalf("%d documents, error %v", seen, err)
	}
}

// testScanWhileWriting scans while each document is replaced again and again and others come between: what was there
// before must come exactly once, as some swap left it.
func testScanWhileWriting(t *testing.T, open Opener) {
	s := opened(t, open)
	const n = 200
	blob := func(w uint64) []byte { return bytes.Repeat([]byte{byte(w)}, 600) }
	for i := range n {
		s.put(index.Write{Ref: ref(page1, day(2*i)), New: 1, Blob: blob(1)})
	}
	parallel(t, func(worker int) error {
		if worker < workers/2 {
			return rewrite(t.Context(), s, worker, n, blob)
		}
		for range 10 {
			if err := scanOnce(t.Context(), s, n, blob); err != nil {
				return err
			}
		}
		return nil
	})
}

func rewrite(ctx context.Context, s store, worker, n int, blob func(uint64) []byte) error {
	for round := uint64(1); round < 6; round++ {
		var writes []index.Write
		for i := worker; i < n; i += workers / 2 {
			writes = append(writes, index.Write{Ref: ref(page1, day(2*i)), Old: round, New: round + 1, Blob: blob(round + 1)},
				index.Write{Ref: ref(page1, day(2*i+1)), Old: round - 1, New: round, Blob: blob(round)})
		}
		applied, err := s.Swap(ctx, writes)
		if err != nil {
			return err
		}
		if slices.Contains(applied, false) {
			return fmt.Errorf("a swap of round %d was not applied", round)
		}
	}
	return nil
}

func scanOnce(ctx context.Context, s store, n int, blob func(uint64) []byte) error {
	seen, last := 0, heatmap.Period(0)
	err := s.Scan(ctx, index.Range{Generation: "g1", Site: "shop", Page: page1}, func(d index.Doc) error {
		if d.Period <= last {
			return fmt.Errorf("period %s after %s", d.Period, last)
		}
		if !bytes.Equal(d.Blob, blob(d.Watermark)) {
			return fmt.Errorf("document at %d is not as it was written", d.Watermark)
		}
		if last = d.Period; (d.Period-day(0))%2 == 0 {
			seen++
		}
		return nil
	})
	if err == nil && seen != n {
		return fmt.Errorf("scan saw %d of %d documents", seen, n)
	}
	return err
}
