package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"heatlog/heatmap"
)

// errConflict says that another index has stored hits of this source that this one holds too. What it holds is thrown
// away and read again from the checkpoint: the log and the store together always say what is missing.
var errConflict = errors.New("another index stores hits of this source")

// flush is a set of entries on its way to the store, as steps that can be taken one by one: load, merge, swap, and
// again from load until nothing is left. A step that fails may be taken again; what became of a failed swap shows in
// the watermarks that the next load gives.
type flush struct {
	store       Store
	generation  string
	source      string
	entries     []*entry // not yet known to be stored
	docs        []Doc    // of entries, by load
	writes      []Write  // of entries, by merge
	blobBytes   int      // written so far
	docsSwapped int
	scratch     []byte
	slots       slots // that merging takes one of
}

// flushBytes bounds the stored blobs that one flush loads at a time.
const flushBytes = 8 << 20

func newFlush(store Store, generation, source string, entries []*entry) *flush {
	return &flush{store: store, generation: generation, source: source, entries: append([]*entry(nil), entries...)}
}

func (e *entry) ref(generation, source string) Ref {
	return Ref{Generation: generation, Key: heatmap.Key{Site: e.page.site, Page: e.page.page, Period: e.period}, Source: source}
}

// load reads the stored documents of the first n entries, but for those of which there is none yet as far as we know. If
// there is one, the swap fails, and they are loaded then.
func (f *flush) load(ctx context.Context, n int) error {
	n = min(n, len(f.entries))
	f.docs = make([]Doc, n)
	var refs []Ref
	for i, e := range f.entries[:n] {
		f.docs[i].Ref = e.ref(f.generation, f.source)
		if !e.fresh {
			refs = append(refs, f.docs[i].Ref)
		}
	}
	if len(refs) == 0 {
		return nil
	}
	docs, err := f.store.Load(ctx, refs)
	if err != nil {
		f.docs = nil
		return fmt.Errorf("load %d documents: %w", len(refs), err)
	}
	for i, e := range f.entries[:n] {
		if !e.fresh {
			f.docs[i], docs = docs[0], docs[1:]
		}
	}
	return nil
}

// merge makes the writes for what load found. Entries that the store has already, from a swap whose answer was lost,
// are dropped. The error is errConflict if the store has a part of an entry.
func (f *flush) merge() error {
	f.writes = f.writes[:0]
	rest := f.entries[:0:0]
	for i, doc := range f.docs {
		e := f.entries[i]
		if doc.Watermark == e.to {
			continue
		}
		if doc.Watermark > e.first {
			return errConflict
		}
		blob, err := f.mergeBlob(doc.Blob, &e.delta)
		if err != nil {
			return fmt.Errorf("merge into blob of %s %s %s: %w", e.page.site, e.page.page, e.period, err)
		}
		f.writes = append(f.writes, Write{Ref: doc.Ref, Old: doc.Watermark, New: e.to, Blob: blob})
		rest = append(rest, e)
	}
	f.entries = append(rest, f.entries[len(f.docs):]...)
	f.docs = nil
	return nil
}

func (f *flush) mergeBlob(blob []byte, d *heatmap.Delta) ([]byte, error) {
	if len(blob) > 0 {
		sum := new(heatmap.Delta)
		if err := sum.MergeBlob(blob); err != nil {
			return nil, err
		}
		sum.Merge(d)
		d = sum
	}
	f.scratch = d.Append(f.scratch[:0])
	return bytes.Clone(f.scratch), nil
}

// swap stores the writes that merge made and drops the entries that were applied.
func (f *flush) swap(ctx context.Context) error {
	if len(f.writes) == 0 {
		return nil
	}
	applied, err := f.store.Swap(ctx, f.writes)
	if err != nil {
		return fmt.Errorf("swap %d documents: %w", len(f.writes), err)
	}
	rest := f.entries[:0:0]
	for i, ok := range applied {
		if !ok {
			f.entries[i].fresh = false
			rest = append(rest, f.entries[i])
			continue
		}
		f.blobBytes += len(f.writes[i].Blob)
		f.docsSwapped++
	}
	f.entries = append(rest, f.entries[len(applied):]...)
	f.writes = f.writes[:0]
	return nil
}

// step takes load, merge and swap once, for as many entries as keep the blobs within flushBytes.
func (f *flush) step(ctx context.Context) error {
	n := 1024
	if f.docsSwapped > 0 {
		n = min(n, max(8, flushBytes/(1+f.blobBytes/f.docsSwapped)))
	} else {
		n = 64
	}
	if err := f.load(ctx, n); err != nil {
		return err
	}
	f.slots.take()
	err := f.merge()
	f.slots.free()
	if err != nil {
		return err
	}
	return f.swap(ctx)
}

// to is the greatest position that the flush stores up to.
func (f *flush) to() uint64 {
	var to uint64
	for _, e := range f.entries {
		to = max(to, e.to)
	}
	return to
}
