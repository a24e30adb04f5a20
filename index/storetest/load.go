package storetest

import (
	"context"
	"errors"
	"testing"

	"heatlog/index"
)

var loadTests = map[string]func(*testing.T, Opener){
	"nothing": func(t *testing.T, open Opener) {
		if docs := opened(t, open).load(); len(docs) != 0 {
			t.Fatalf("no references gave %d documents", len(docs))
		}
	},
	"in the order of the references":  testLoadOrder,
	"blobs are the caller's":          testLoadBlobs,
	"each part of a reference counts": testLoadParts,
	"cancelled context":               testLoadCancelled,
}

func testLoadOrder(t *testing.T, open Opener) {
	s := opened(t, open)
	b, a := insert(ref(page2, day(1)), 7, "b"), insert(ref(page1, month(0)), 9, "a")
	s.put(b, a)
	absent1, absent2 := ref(page1, day(1)), ref("zzz", day(1))
	want := []index.Doc{doc(b), {Ref: absent1}, doc(a), {Ref: absent1}, doc(b), {Ref: absent2}, doc(a)}
	refs := make([]index.Ref, len(want))
	for i := range want {
		refs[i] = want[i].Ref
	}
	s.sameDocs(s.load(refs...), want)
}

func testLoadBlobs(t *testing.T, open Opener) {
	s := opened(t, open)
	w := insert(ref(page1, day(0)), 1, "as written")
	s.put(w)
	twice := s.load(w.Ref, w.Ref)
	copy(twice[0].Blob, "changed")
	if string(twice[1].Blob) != "as written" {
		t.Fatalf("two documents of one call share a blob")
	}
	s.holds(w)
	want := insert(w.Ref, 1, "as written")
	copy(w.Blob, "changed too")
	s.holds(want)
}

func testLoadParts(t *testing.T, open Opener) {
	s := opened(t, open)
	w := insert(ref(page1, day(0)), 1, "x")
	s.put(w)
	others := [5]index.Ref{w.Ref, w.Ref, w.Ref, w.Ref, w.Ref}
	others[0].Generation = "g2"
	others[1].Site = "shop2"
	others[2].Page = page2
	others[3].Period = month(0)
	others[4].Source = "j2"
	s.lacks(others[:]...)
	for i, o := range others {
		s.put(insert(o, uint64(i+2), o.Source))
	}
	s.holds(w)
}

func testLoadCancelled(t *testing.T, open Opener) {
	s := opened(t, open)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Load(ctx, []index.Ref{ref(page1, day(0))}); !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v, want context.Canceled", err)
	}
}
