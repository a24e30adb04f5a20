// Package storetest is the one suite that every [index.Store] must pass. A store's own tests call [Run] with a way to
// open an empty store; what is particular to that store (its files, its failures) is tested beside it.
package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"heatlog/heatmap"
	"heatlog/index"
)

// Opener opens an empty store for one test and closes it when the test ends. Reopen closes it as a restart would, opens
// it again and gives what is there then; the store before it is not used any more.
type Opener func(t *testing.T) (s index.Store, reopen func() index.Store)

// Run runs the whole suite. The tests share nothing and run one after another.
func Run(t *testing.T, open Opener) {
	group := func(name string, tests map[string]func(*testing.T, Opener)) {
		t.Run(name, func(t *testing.T) {
			names := make([]string, 0, len(tests))
			for name := range tests {
				names = append(names, name)
			}
			slices.Sort(names)
			for _, name := range names {
				t.Run(name, func(t *testing.T) { tests[name](t, open) })
			}
		})
	}
	group("Load", loadTests)
	group("Swap", swapTests)
	group("Scan", scanTests)
	group("Drop", dropTests)
	group("Record", recordTests)
	group("Reopen", reopenTests)
	t.Run("Model", func(t *testing.T) { testModel(t, open) })
}

// store is a store under test: its methods end the test where there is an error.
type store struct {
	index.Store
	t *testing.T
}

func opened(t *testing.T, open Opener) store {
	t.Helper()
	s, _ := open(t)
	return store{s, t}
}

func (s store) load(refs ...index.Ref) []index.Doc {
	s.t.Helper()
	docs, err := s.Load(s.t.Context(), refs)
	if err != nil {
		s.t.Fatalf("load %d documents: %v", len(refs), err)
	}
	if len(docs) != len(refs) {
		s.t.Fatalf("load gave %d documents for %d references", len(docs), len(refs))
	}
	for i := range docs {
		if docs[i].Ref != refs[i] {
			s.t.Fatalf("document %d is of %+v, want %+v", i, docs[i].Ref, refs[i])
		}
	}
	return docs
}

func (s store) swap(writes ...index.Write) []bool {
	s.t.Helper()
	applied, err := s.Swap(s.t.Context(), writes)
	if err != nil {
		s.t.Fatalf("swap %d documents: %v", len(writes), err)
	}
	if len(applied) != len(writes) {
		s.t.Fatalf("swap gave %d answers for %d writes", len(applied), len(writes))
	}
	return applied
}

// put writes documents that must not exist.
func (s store) put(writes ...index.Write) {
	s.t.Helper()
	for i, ok := range s.swap(writes...) {
		if !ok {
			s.t.Fatalf("insert of %+v was not applied", writes[i].Ref)
		}
	}
}

// scan gives copies of all documents of r.
func (s store) scan(r index.Range) []index.Doc {
	s.t.Helper()
	var docs []index.Doc
	err := s.Scan(s.t.Context(), r, func(d index.Doc) error {
		d.Blob = bytes.Clone(d.Blob)
		docs = append(docs, d)
		return nil
	})
	if err != nil {
		s.t.Fatalf("scan %+v: %v", r, err)
	}
	return docs
}

// holds fails unless the document of w is as w left it.
func (s store) holds(writes ...index.Write) {
	s.t.Helper()
	refs := make([]index.Ref, len(writes))
	for i := range writes {
		refs[i] = writes[i].Ref
	}
	for i, d := range s.load(refs...) {
		if w := writes[i]; d.Watermark != w.New || !bytes.Equal(d.Blob, w.Blob) {
			s.t.Fatalf("document %+v is %s, want %s", d.Ref, brief(d.Watermark, d.Blob), brief(w.New, w.Blob))
		}
	}
}

// lacks fails if there is a document under one of the references.
func (s store) lacks(refs ...index.Ref) {
	s.t.Helper()
	for _, d := range s.load(refs...) {
		if d.Watermark != 0 || len(d.Blob) != 0 {
			s.t.Fatalf("document %+v is %s, want none", d.Ref, brief(d.Watermark, d.Blob))
		}
	}
}

func (s store) sameDocs(got, want []index.Doc) {
	s.t.Helper()
	for i := range min(len(got), len(want)) {
		g, w := got[i], want[i]
		if g.Ref != w.Ref || g.Watermark != w.Watermark || !bytes.Equal(g.Blob, w.Blob) {
			s.t.Fatalf("document %d is %+v %s, want %+v %s", i, g.Ref, brief(g.Watermark, g.Blob), w.Ref, brief(w.Watermark, w.Blob))
		}
	}
	if len(got) != len(want) {
		s.t.Fatalf("%d documents, want %d", len(got), len(want))
	}
}

func brief(watermark uint64, blob []byte) string {
	return fmt.Sprintf("at %d with %d bytes %.20q", watermark, len(blob), blob)
}

// ref names a document of generation g1, site shop and source j1.
func ref(page string, p heatmap.Period) index.Ref {
	return index.Ref{Generation: "g1", Key: heatmap.Key{Site: "shop", Page: page, Period: p}, Source: "j1"}
}

func insert(r index.Ref, w uint64, blob string) index.Write {
	return index.Write{Ref: r, New: w, Blob: []byte(blob)}
}

func replace(r index.Ref, from, to uint64, blob string) index.Write {
	return index.Write{Ref: r, Old: from, New: to, Blob: []byte(blob)}
}

// doc is the document that w leaves.
func doc(w index.Write) index.Doc { return index.Doc{Ref: w.Ref, Watermark: w.New, Blob: w.Blob} }

const (
	page1 = "https://shop.example/p/1"
	page2 = "https://shop.example/p/2"
)

func day(n int) heatmap.Period   { return heatmap.DayPeriod(heatmap.Date(20454 + n)) } // from 2026-01-01 on
func month(n int) heatmap.Period { return heatmap.MonthPeriod(20454) + heatmap.Period(n) }

// oddPages are valid UTF-8 without 0x00, as all pages are, sorted bytewise.
func oddPages() []string {
	long := "https://shop.example/" + strings.Repeat("x", 8<<10-30)
	pages := []string{
		"", " ", "  ", "\x01", "\x01\x01", "a\x01", "\"", "'", "%00", "$where", "a.b", "\\", "\xc3\xa9", "日本語", "\U0001f525",
		"https://shop.example/a", "https://shop.example/a/", "https://shop.example/a/b", "https://shop.example/a b", "https://shop.example/a%20b",
		"https://shop.example/a?x=1&y=\"2\"", "https://shop.example/A", long + "1", long + "2", long, long[:len(long)-1],
	}
	slices.Sort(pages)
	return pages
}
