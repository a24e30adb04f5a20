package storetest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"heatlog/heatmap"
	"heatlog/index"
)

const workers = 8

var swapTests = map[string]func(*testing.T, Opener){
	"nothing": func(t *testing.T, open Opener) {
		if applied := opened(t, open).swap(); len(applied) != 0 {
			t.Fatalf("no writes gave %d answers", len(applied))
		}
	},
	"insert, replace, conflict":    testSwapRules,
	"empty blob":                   testSwapEmpty,
	"mixed batch of thousands":     testSwapMixed,
	"odd keys":                     testSwapOddKeys,
	"large blobs":                  testSwapLarge,
	"eight workers, few documents": testSwapWorkers,
	"a document is never half":     testSwapWhole,
	"cancelled context":            testSwapCancelled,
}

func testSwapRules(t *testing.T, open Opener) {
	s := opened(t, open)
	r := ref(page1, day(3))
	var have index.Write
	f := func(old, to uint64, want bool) {
		t.Helper()
		w := replace(r, old, to, fmt.Sprintf("%d to %d", old, to))
		if got := s.swap(w)[0]; got != want {
			t.Fatalf("swap from %d to %d at %d: applied is %t", old, to, have.New, got)
		}
		if want {
			have = w
		}
		if have.New == 0 {
			s.lacks(r)
		} else {
			s.holds(have)
		}
	}
	f(5, 6, false) // there is none yet
	f(0, 10, true)
	f(0, 20, false) // there is one now
	f(9, 20, false)
	f(11, 20, false)
	f(20, 30, false)
	f(10, 11, true)
	f(10, 11, false) // the same once more
	f(11, 1<<63, true)
	f(1<<63, 1<<64-1, true)
	f(1<<63, 1<<64-1, false)
}

func testSwapEmpty(t *testing.T, open Opener) {
	s := opened(t, open)
	a, b := insert(ref(page1, day(0)), 3, ""), insert(ref(page1, day(1)), 4, "full")
	s.put(a, b)
	s.holds(a, b)
	c := index.Write{Ref: b.Ref, Old: 4, New: 5}
	if !s.swap(c)[0] {
		t.Fatal("replacing a blob by an empty one was not applied")
	}
	s.holds(a, c)
	s.sameDocs(s.scan(index.Range{Generation: "g1", Site: "shop", Page: page1}), []index.Doc{doc(a), doc(c)})
}

// testSwapMixed inserts, replaces and fails to in one call.
func testSwapMixed(t *testing.T, open Opener) {
	s := opened(t, open)
	const n = 6000
	rng := rand.New(rand.NewPCG(1, 2))
	at := func(i int) index.Ref { return ref(fmt.Sprintf("https://shop.example/p/%d", i/10), day(i%10)) }
	want := make([]index.Write, n)
	for i := 0; i < n; i += 2 {
		want[i] = insert(at(i), 1+rng.Uint64N(1000), fmt.Sprintf("first %d", i))
	}
	s.put(slices.DeleteFunc(slices.Clone(want), func(w index.Write) bool { return w.New == 0 })...)
	writes, ok := make([]index.Write, n), make([]bool, n)
	for i := range writes {
		ok[i] = rng.IntN(3) > 0
		writes[i] = replace(at(i), want[i].New, 2000, fmt.Sprintf("second %d", i))
		if !ok[i] {
			writes[i].Old = 1500 // that of none
		}
	}
	rng.Shuffle(n, func(i, j int) {
		writes[i], writes[j], ok[i], ok[j] = writes[j], writes[i], ok[j], ok[i]
		want[i], want[j] = want[j], want[i]
	})
	if applied := s.swap(writes...); !slices.Equal(applied, ok) {
		t.Fatal("applied are not the writes whose watermark was right")
	}
	for i := range writes {
		switch {
		case ok[i]:
			want[i] = writes[i]
		case want[i].New == 0:
			want[i].Ref = writes[i].Ref
		}
	}
	s.holds(want...)
}

func testSwapOddKeys(t *testing.T, open Opener) {
	s := opened(t, open)
	var writes []index.Write
	for _, generation := range []string{"g1", "g1 ", "g", "é"} {
		for _, site := range []string{"a", "a-b", "ab", "a-", "0123456789abcdefghijklmnopqrstuv"} {
			for i, page := range oddPages() {
				r := index.Ref{Generation: generation, Key: heatmap.Key{Site: site, Page: page, Period: day(i)}, Source: "j 'é\""}
				writes = append(writes, insert(r, uint64(len(writes)+1), generation+site))
			}
		}
	}
	s.put(writes...)
	s.holds(writes...)
	for _, w := range writes {
		got := s.scan(index.Range{Generation: w.Generation, Site: w.Site, Page: w.Page})
		s.sameDocs(got, []index.Doc{doc(w)})
	}
}

func testSwapLarge(t *testing.T, open Opener) {
	s := opened(t, open)
	rng := rand.New(rand.NewPCG(3, 4))
	var writes []index.Write
	for i, size := range []int{1, 4095, 64 << 10, 1 << 20, 3<<20 + 1, 5 << 20, 12 << 20} {
		blob := make([]byte, size)
		for j := range blob {
			blob[j] = byte(rng.Uint32())
		}
		writes = append(writes, index.Write{Ref: ref(page1, day(i)), New: 1, Blob: blob})
	}
	s.put(writes...)
	s.holds(writes...)
	for i := range writes {
		writes[i].Old, writes[i].New = 1, 2
		slices.Reverse(writes[i].Blob)
	}
	for i, ok := range s.swap(writes...) {
		if !ok {
			t.Fatalf("replacing %d bytes was not applied", len(writes[i].Blob))
		}
	}
	s.holds(writes...)
	for i, d := range s.scan(index.Range{Generation: "g1", Site: "shop", Page: page1}) {
		if !bytes.Equal(d.Blob, writes[i].Blob) {
			t.Fatalf("scan gave another blob of %d bytes", len(writes[i].Blob))
		}
	}
}

// testSwapWorkers lets workers count in the same few documents. Whoever wins adds one, so a count is the number of wins.
func testSwapWorkers(t *testing.T, open Opener) {
	s := opened(t, open)
	const docs, rounds = 6, 60
	refs := make([]index.Ref, docs)
	for i := range refs {
		refs[i] = ref(fmt.Sprintf("https://shop.example/%d", i), day(i))
	}
	wins := make([][docs]uint64, workers)
	parallel(t, func(worker int) error {
		rng := rand.New(rand.NewPCG(5, uint64(worker)))
		for range rounds {
			if err := countOnce(t.Context(), s, rng, refs, wins[worker][:]); err != nil {
				return err
			}
		}
		return nil
	})
	total := uint64(0)
	for i, d := range s.load(refs...) {
		sum := uint64(0)
		for w := range wins {
			sum += wins[w][i]
		}
		total += sum
		if d.Watermark != sum || count(d.Blob) != sum {
			t.Errorf("document %d counts %d at %d, but %d swaps were applied", i, count(d.Blob), d.Watermark, sum)
		}
	}
	if total == 0 {
		t.Error("no swap was applied")
	}
}

// countOnce adds one to some of the documents and notes in wins which it could.
func countOnce(ctx context.Context, s store, rng *rand.Rand, refs []index.Ref, wins []uint64) error {
	order := rng.Perm(len(refs))[:1+rng.IntN(len(refs))]
	some := make([]index.Ref, len(order))
	for i, j := range order {
		some[i] = refs[j]
	}
	docs, err := s.Load(ctx, some)
	if err != nil {
		return err
	}
	writes := make([]index.Write, len(docs))
	for i, d := range docs {
		if count(d.Blob) != d.Watermark {
			return fmt.Errorf("document counts %d at %d", count(d.Blob), d.Watermark)
		}
		blob := binary.BigEndian.AppendUint64(nil, d.Watermark+1)
		writes[i] = index.Write{Ref: d.Ref, Old: d.Watermark, New: d.Watermark + 1, Blob: blob}
	}
	applied, err := s.Swap(ctx, writes)
	for i, ok := range applied {
		if ok {
			wins[order[i]]++
		}
	}
	return err
}

func count(blob []byte) uint64 {
	if len(blob) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(blob)
}

// testSwapWhole reads documents of 40 KiB while they are replaced: each is all of one write.
func testSwapWhole(t *testing.T, open Opener) {
	s := opened(t, open)
	refs := []index.Ref{ref(page1, month(0)), ref(page1, day(0)), ref(page2, day(0))}
	parallel(t, func(worker int) error {
		for i := range 40 {
			docs, err := s.Load(t.Context(), refs)
			if err != nil {
				return err
			}
			var writes []index.Write
			for _, d := range docs {
				want := bytes.Repeat([]byte{byte(d.Watermark)}, len(d.Blob))
				if !bytes.Equal(d.Blob, want) {
					return fmt.Errorf("round %d: document at %d is mixed", i, d.Watermark)
				}
				blob := bytes.Repeat([]byte{byte(d.Watermark + 1)}, 40<<10)
				writes = append(writes, index.Write{Ref: d.Ref, Old: d.Watermark, New: d.Watermark + 1, Blob: blob})
			}
			if worker%2 == 0 {
				if _, err := s.Swap(t.Context(), writes); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func testSwapCancelled(t *testing.T, open Opener) {
	s := opened(t, open)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := insert(ref(page1, day(0)), 1, "x")
	if _, err := s.Swap(ctx, []index.Write{w}); !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v, want context.Canceled", err)
	}
	if got := s.scan(index.Range{Generation: "g1", Site: "shop", IsPrefix: true}); len(got) > 0 {
		s.holds(w) // it may have happened, but then wholly
	}
}

// parallel runs fn in all workers at once.
func parallel(t *testing.T, fn func(worker int) error) {
	t.Helper()
	var all sync.WaitGroup
	errs := make([]error, workers)
	for i := range workers {
		all.Go(func() { errs[i] = fn(i) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}
