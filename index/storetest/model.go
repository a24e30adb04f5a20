package storetest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"heatlog/heatmap"
	"heatlog/index"
)

var reopenTests = map[string]func(*testing.T, Opener){
	"all that was done is there": testReopen,
	"it goes on":                 testReopenGoesOn,
}

func testReopen(t *testing.T, open Opener) {
	first, reopen := open(t)
	s := store{first, t}
	var writes []index.Write
	for i := range 3000 {
		writes = append(writes, insert(ref(fmt.Sprintf("https://shop.example/%d", i%50), day(i)), uint64(i+1), fmt.Sprint(i)))
	}
	s.put(writes...)
	large := index.Write{Ref: ref("large", month(0)), New: 5, Blob: make([]byte, 6<<20)}
	s.put(large)
	s.swapRecord("r", nil, []byte("value"))
	s.swapRecord("empty", nil, []byte{})
	s = store{reopen(), t}
	s.holds(append(writes, large)...)
	if got := s.record("r"); string(got) != "value" {
		t.Fatalf("record is %q, want value", got)
	}
	if got := s.record("empty"); got == nil || len(got) > 0 {
		t.Fatalf("record is %#v, want an empty one", got)
	}
	if docs := s.scan(allOf()); len(docs) != len(writes)+1 {
		t.Fatalf("scan gave %d documents, want %d", len(docs), len(writes)+1)
	}
}

func testReopenGoesOn(t *testing.T, open Opener) {
	first, reopen := open(t)
	s := store{first, t}
	r := ref(page1, day(0))
	for i := range uint64(5) {
		w := replace(r, i, i+1, fmt.Sprint("value ", i))
		if !s.swap(w)[0] {
			t.Fatalf("swap from %d was not applied", i)
		}
		s = store{reopen(), t}
		s.holds(w)
		if s.swap(w)[0] {
			t.Fatalf("swap from %d was applied twice", i)
		}
	}
}

// model is what a store must hold.
type model struct {
	docs    map[index.Ref]index.Write
	records map[string]string
}

// testModel does random calls on the store and on maps, and compares.
func testModel(t *testing.T, open Opener) {
	first, reopen := open(t)
	s := store{first, t}
	m := model{map[index.Ref]index.Write{}, map[string]string{}}
	rng := rand.New(rand.NewPCG(11, 12))
	for step := range 600 {
		switch n := rng.IntN(100); {
		case n < 45:
			m.swap(s, rng, uint64(step+1))
		case n < 65:
			m.load(s, rng)
		case n < 85:
			m.scan(s, rng)
		case n < 87:
			m.drop(s, rng)
		case n < 99:
			m.record(s, rng)
		default:
			s = store{reopen(), t}
		}
	}
}

func randomRef(rng *rand.Rand) index.Ref {
	pages := []string{"a", "a/", "a/b", "b", "https://shop.example/"}
	r := ref(pages[rng.IntN(len(pages))], day(rng.IntN(6)))
	if rng.IntN(3) == 0 {
		r.Period = month(rng.IntN(4))
	}
	r.Generation = []string{"g1", "g2"}[rng.IntN(2)]
	r.Site = []string{"a", "a-b"}[rng.IntN(2)]
	r.Source = []string{"j1", "j2"}[rng.IntN(2)]
	return r
}

func (m model) swap(s store, rng *rand.Rand, step uint64) {
	s.t.Helper()
	var writes []index.Write
	var want []bool
	for range rng.IntN(20) {
		r := randomRef(rng)
		if slices.ContainsFunc(writes, func(w index.Write) bool { return w.Ref == r }) {
			continue
		}
		old := m.docs[r].New
		if rng.IntN(4) == 0 {
			old = rng.Uint64N(step)
		}
		writes = append(writes, replace(r, old, step, fmt.Sprint(step, r)))
		want = append(want, old == m.docs[r].New)
	}
	if got := s.swap(writes...); !slices.Equal(got, want) {
		s.t.Fatalf("step %d: applied %v, want %v", step, got, want)
	}
	for i, w := range writes {
		if want[i] {
			m.docs[w.Ref] = w
		}
	}
}

func (m model) load(s store, rng *rand.Rand) {
	s.t.Helper()
	refs := make([]index.Ref, rng.IntN(30))
	want := make([]index.Doc, len(refs))
	for i := range refs {
		refs[i] = randomRef(rng)
		want[i] = index.Doc{Ref: refs[i], Watermark: m.docs[refs[i]].New, Blob: m.docs[refs[i]].Blob}
	}
	s.sameDocs(s.load(refs...), want)
}

func (m model) scan(s store, rng *rand.Rand) {
	s.t.Helper()
	one := randomRef(rng)
	r := index.Range{Generation: one.Generation, Site: one.Site, Page: one.Page, IsPrefix: rng.IntN(2) == 0}
	if r.IsPrefix {
		r.Page = r.Page[:rng.IntN(len(r.Page)+1)]
	}
	for p := heatmap.Period(0); rng.IntN(3) > 0; {
		first := max(p, randomRef(rng).Period)
		last := first + heatmap.Period(rng.IntN(4))
		r.Periods = append(r.Periods, index.PeriodRange{First: first, Last: last})
		p = last + 1
	}
	var docs []index.Doc
	for _, w := range m.docs {
		docs = append(docs, doc(w))
	}
	s.sameDocs(s.scan(r), naive(docs, r))
}

func (m model) drop(s store, rng *rand.Rand) {
	s.t.Helper()
	generation := randomRef(rng).Generation
	s.drop(generation)
	maps.DeleteFunc(m.docs, func(r index.Ref, _ index.Write) bool { return r.Generation == generation })
}

func (m model) record(s store, rng *rand.Rand) {
	s.t.Helper()
	name, value := fmt.Sprint("r", rng.IntN(4)), fmt.Sprint(rng.IntN(5))
	have, exists := m.records[name]
	var old []byte
	if exists != (rng.IntN(5) == 0) {
		old = []byte(have)
	}
	want := exists == (old != nil)
	next := []byte(value)
	if rng.IntN(6) == 0 {
		next = nil
	}
	if got := s.swapRecord(name, old, next); got != want {
		s.t.Fatalf("swap of record %s from %q to %#v: done is %t", name, old, next, got)
	}
	if want && next != nil {
		m.records[name] = value
	} else if want {
		delete(m.records, name)
	}
	have, exists = m.records[name]
	if got := s.record(name); string(got) != have || (got != nil) != exists {
		s.t.Fatalf("record %s is %q, want %q", name, got, have)
	}
}
