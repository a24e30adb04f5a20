package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"heatlog/heatmap"
	"heatlog/index"
)

var dropTests = map[string]func(*testing.T, Opener){
	"one generation and no other": testDropOne,
	"nothing is there":            testDropNothing,
	"written again":               testDropAndWrite,
	"after a restart":             testDropReopen,
	"while it is read":            testDropScanned,
	"cancelled context":           testDropCancelled,
}

func (s store) drop(generation string) {
	s.t.Helper()
	if err := s.Drop(s.t.Context(), generation); err != nil {
		s.t.Fatalf("drop %q: %v", generation, err)
	}
}

// oddGenerations are such that one is the begin of another, or sorts right beside it.
func oddGenerations() []string { return []string{"g1", "g10", "g11", "g1\x01", "g2", "g", "h", ""} }

// putOdd writes documents of several sites, pages, periods and sources in each odd generation.
func (s store) putOdd() map[string][]index.Write {
	s.t.Helper()
	all := make(map[string][]index.Write)
	for _, g := range oddGenerations() {
		for i := range 40 {
			r := ref(oddPages()[i%20], day(i))
			r.Generation, r.Site, r.Source = g, []string{"a", "a-b", "z"}[i%3], []string{"j1", "j2"}[i%2]
			if i%5 == 0 {
				r.Period = month(i)
			}
			all[g] = append(all[g], insert(r, uint64(i+1), fmt.Sprint(g, i)))
		}
		s.put(all[g]...)
	}
	return all
}

func refs(writes []index.Write) (refs []index.Ref) {
	for _, w := range writes {
		refs = append(refs, w.Ref)
	}
	return refs
}

func testDropOne(t *testing.T, open Opener) {
	s := opened(t, open)
	all := s.putOdd()
	for _, g := range oddGenerations() {
		s.swapRecord("checkpoint/"+g, nil, []byte(g))
	}
	for i, g := range oddGenerations() {
		s.drop(g)
		s.lacks(refs(all[g])...)
		for _, site := range []string{"a", "a-b", "z"} {
			if docs := s.scan(index.Range{Generation: g, Site: site, IsPrefix: true}); len(docs) > 0 {
				t.Fatalf("scan of %q after it was dropped gives %d documents", g, len(docs))
			}
		}
		for _, other := range oddGenerations()[i+1:] {
			s.holds(all[other]...)
		}
		if got := s.record("checkpoint/" + g); string(got) != g {
			t.Fatalf("dropping %q left the record %q", g, got)
		}
	}
}

func testDropNothing(t *testing.T, open Opener) {
	s := opened(t, open)
	w := insert(ref(page1, day(0)), 1, "x")
	s.put(w)
	s.drop("g2")
	s.drop("g2")
	s.holds(w)
}

func testDropAndWrite(t *testing.T, open Opener) {
	s := opened(t, open)
	r := ref(page1, day(0))
	for i := range uint64(4) {
		w := insert(r, 7+i, fmt.Sprint("round ", i))
		s.put(w)
		s.holds(w)
		s.drop("g1")
		s.lacks(r)
		if s.swap(replace(r, 7+i, 20, "late"))[0] {
			t.Fatal("a write to a document that was dropped was applied")
		}
	}
}

func testDropReopen(t *testing.T, open Opener) {
	first, reopen := open(t)
	s := store{first, t}
	var dropped []index.Write
	for i := range 2000 {
		dropped = append(dropped, insert(ref(fmt.Sprint("https://shop.example/", i), day(i%9)), 1, fmt.Sprint(i)))
	}
	s.put(dropped...)
	kept := insert(index.Ref{Generation: "g2", Key: heatmap.Key{Site: "shop", Page: page1, Period: day(0)}, Source: "j1"}, 3, "kept")
	s.put(kept)
	s = store{reopen(), t}
	s.drop("g1")
	s = store{reopen(), t}
	s.lacks(refs(dropped)...)
	s.holds(kept)
	s.drop("g1")
	s.holds(kept)
}

// testDropScanned drops what a scan is reading: the scan ends in order.
func testDropScanned(t *testing.T, open Opener) {
	s := opened(t, open)
	for i := range 500 {
		s.put(insert(ref(fmt.Sprintf("https://shop.example/%04d", i), day(0)), 1, fmt.Sprint(i)))
	}
	n := 0
	err := s.Scan(t.Context(), index.Range{Generation: "g1", Site: "shop", IsPrefix: true}, func(index.Doc) error {
		if n++; n == 10 {
			s.drop("g1")
		}
		return nil
	})
	if err != nil || n < 10 || n > 500 {
		t.Fatalf("scan gave %d of 500 documents, %v", n, err)
	}
	if docs := s.scan(index.Range{Generation: "g1", Site: "shop", IsPrefix: true}); len(docs) > 0 {
		t.Fatalf("%d documents are left", len(docs))
	}
}

func testDropCancelled(t *testing.T, open Opener) {
	s := opened(t, open)
	w := insert(ref(page1, day(0)), 1, "x")
	s.put(w)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Drop(ctx, "g1"); !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v, want context.Canceled", err)
	}
	s.holds(w)
}
