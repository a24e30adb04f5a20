package journal_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"heatlog/heatmap"
	"heatlog/journal"
	"heatlog/journal/journaltest"
)

// only gives a hit with its kind and some fields.
func only(h *heatmap.Hit, fields journal.Fields) heatmap.Hit {
	k := heatmap.Hit{Kind: h.Kind}
	f := func(field journal.Fields, set func()) {
		if fields&field != 0 {
			set()
		}
	}
	f(journal.FieldTime, func() { k.Time = h.Time })
	f(journal.FieldSite, func() { k.Site = h.Site })
	f(journal.FieldURL, func() { k.URL = h.URL })
	f(journal.FieldView, func() { k.View = h.View })
	f(journal.FieldVisitor, func() { k.Visitor = h.Visitor })
	f(journal.FieldAgent, func() { k.UserAgent = h.UserAgent })
	f(journal.FieldTags, func() { k.Tags = h.Tags })
	f(journal.FieldViewport, func() { k.ViewportW, k.ViewportH = h.ViewportW, h.ViewportH })
	f(journal.FieldDocument, func() { k.DocumentW, k.DocumentH = h.DocumentW, h.DocumentH })
	f(journal.FieldLayout, func() { k.Layout = h.Layout })
	f(journal.FieldPointer, func() { k.Pointer = h.Pointer })
	f(journal.FieldFlags, func() { k.Flags = h.Flags })
	f(journal.FieldPlace, func() { k.X, k.Y = h.X, h.Y })
	f(journal.FieldSelector, func() { k.Selector = h.Selector })
	f(journal.FieldBox, func() { k.BoxW, k.BoxH = h.BoxW, h.BoxH })
	f(journal.FieldCheck, func() { k.Check, k.HasCheck = h.Check, h.HasCheck })
	f(journal.FieldAnchor, func() { k.AnchorX, k.AnchorY = h.AnchorX, h.AnchorY })
	f(journal.FieldContainer, func() { k.Container, k.ContainerX, k.ContainerY = h.Container, h.ContainerX, h.ContainerY })
	f(journal.FieldDwell, func() { k.Dwell = h.Dwell })
	f(journal.FieldDepth, func() { k.Depth, k.From = h.Depth, h.From })
	f(journal.FieldID, func() { k.ID = h.ID })
	return k
}

// onlyName gives the name of a batch, as far as the fields have it.
func onlyName(b *heatmap.Batch, fields journal.Fields) (n [3]string) {
	if fields&journal.FieldBatch != 0 {
		n[0], n[1] = b.Site, b.ID
		if fields&journal.FieldVisitor != 0 {
			n[2] = b.Visitor
		}
	}
	return n
}

// checkFields compares a chunk that was read for some fields with the same one that was read for all. Of what was not asked
// for a field is as it was recorded or zero.
func checkFields(t testing.TB, fields journal.Fields, want, got *heatmap.Chunk) {
	t.Helper()
	same := got.Position == want.Position && got.Appended == want.Appended && got.Count == want.Count
	if !same || len(got.Batches) != len(want.Batches) {
		t.Fatalf("fields %#x: chunk of position %d is not the one of %d", fields, got.Position, want.Position)
	}
	for i := range want.Batches {
		b, w := &got.Batches[i], &want.Batches[i]
		if len(b.Hits) != len(w.Hits) || onlyName(b, fields) != onlyName(w, fields) {
			t.Fatalf("fields %#x, chunk of position %d: batch %d is %q with %d hits, want %q with %d",
				fields, want.Position, i, b.ID, len(b.Hits), w.ID, len(w.Hits))
		}
		for k := range w.Hits {
			if g, h := only(&b.Hits[k], fields), only(&w.Hits[k], fields); !reflect.DeepEqual(g, h) {
				t.Fatalf("fields %#x, chunk of position %d, batch %d, hit %d:\n got %+v\nwant %+v", fields, want.Position, i, k, g, h)
			}
			checkRest(t, fields, &w.Hits[k], &b.Hits[k])
		}
	}
}

func checkRest(t testing.TB, fields journal.Fields, want, got *heatmap.Hit) {
	t.Helper()
	if got.Kind != want.Kind {
		t.Fatalf("fields %#x: kind %v, want %v", fields, got.Kind, want.Kind)
	}
	rest := only(got, journal.AllFields&^fields)
	if reflect.DeepEqual(rest, heatmap.Hit{Kind: rest.Kind}) {
		return
	}
	for f := journal.Fields(1); f < journal.AllFields; f <<= 1 {
		g := only(got, f)
		if fields&f == 0 && !reflect.DeepEqual(g, heatmap.Hit{Kind: g.Kind}) && !reflect.DeepEqual(g, only(want, f)) {
			t.Fatalf("fields %#x: field %#x, which is not one of them, is neither zero nor\n%+v\n%+v", fields, f, only(want, f), g)
		}
	}
}

// fieldSets gives no field, each one, each but one, all, and random ones.
func fieldSets(r *rand.Rand, random int) []journal.Fields {
	sets := []journal.Fields{0, journal.AllFields}
	for f := journal.Fields(1); f < journal.AllFields; f <<= 1 {
		sets = append(sets, f, journal.AllFields&^f)
	}
	for range random {
		few := r.Uint32() & r.Uint32()
		sets = append(sets, journal.Fields(few)&journal.AllFields)
	}
	return sets
}

// readSome reads from a position to the end for some fields, over damage, which it gives too.
func readSome(t testing.TB, j *journal.Journal, from uint64, fields journal.Fields) (chunks []heatmap.Chunk, damages []string) {
	t.Helper()
	r, err := j.ReadFields(from, fields)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for at := from; at < j.Durable(); {
		var c heatmap.Chunk
		err := r.Next(t.Context(), &c)
		var corrupt *journal.CorruptError
		switch {
		case errors.As(err, &corrupt):
			damages = append(damages, fmt.Sprint(corrupt))
			at = max(at, corrupt.To)
			r.Skip()
		case err != nil:
			t.Fatal(err)
		default:
			chunks = append(chunks, c)
			at = c.End()
		}
	}
	return chunks, damages
}

// TestReadFields reads sealed blocks and chunks behind them for every field alone, for all but one, and for random ones: what
// is asked for is there, hit by hit. So it is where blocks are damaged, which is told in the same words.
func TestReadFields(t *testing.T) {
	s := newSealedSpecimen(t, 60<<10, 600)
	r := rand.New(rand.NewPCG(8, 8))
	damaged := s.with("", nil)
	for range 2 {
		b := s.blocks[r.IntN(len(s.blocks)-1)]
		damaged.Bytes(s.sealed)[b.Offset+r.Int64N(b.Size)] ^= 1 << r.IntN(8)
	}
	for name, fsys := range map[string]*journaltest.FS{"sound": s.with("", nil), "damaged": damaged} {
		j := mustOpen(t, journal.Options{FS: fsys})
		for _, from := range []uint64{0, r.Uint64N(s.end)} {
			want, damages := readSome(t, j, from, journal.AllFields)
			if (len(damages) > 0) != (name == "damaged") && from == 0 {
				t.Fatalf("%s: damages are %v", name, damages)
			}
			for _, fields := range fieldSets(r, 30) {
				got, told := readSome(t, j, from, fields)
				if len(got) != len(want) || !reflect.DeepEqual(told, damages) {
					t.Fatalf("%s, from %d, fields %#x: %d chunks and %v, want %d and %v", name, from, fields, len(got), told, len(want), damages)
				}
				for i := range want {
					checkFields(t, fields, &want[i], &got[i])
				}
			}
		}
	}
}

// twist gives a batch of traffic in which some hits have what hits of their kind rarely have.
func twist(r *rand.Rand, b heatmap.Batch) heatmap.Batch {
	for i := range b.Hits {
		h := &b.Hits[i]
		some := func() uint16 { return uint16(r.IntN(3) * r.IntN(2000)) }
		switch r.IntN(12) {
		case 0:
			h.X, h.Y = some(), some()
		case 1:
			h.Dwell = uint32(some())
		case 2:
			h.From, h.Depth = some(), some()
		case 3:
			h.Pointer = heatmap.Pointer(r.IntN(256))
		case 4:
			h.Container, h.ContainerX, h.ContainerY = "div", some(), some()
		case 5:
			h.ID = fmt.Sprint(r.IntN(99))
		case 6:
			h.Kind = heatmap.Kind(r.IntN(9))
		case 7:
			h.Flags = heatmap.Flags(r.IntN(16))
		case 8:
			h.AnchorX, h.AnchorY = r.Uint32(), ^r.Uint32N(2000) // the greatest have no code
		case 9:
			h.Tags, h.UserAgent, h.Layout = []string{"a", "b"}[:r.IntN(3)], "", 0
		case 10:
			h.DocumentW, h.ViewportH = some(), some()
		}
	}
	if r.IntN(4) == 0 {
		b.Visitor = "another"
	}
	return b
}

// TestReadFieldsRare reads hits that have what is rare of their kind, each alone.
func TestReadFieldsRare(t *testing.T) {
	j := mustOpen(t, journal.Options{FS: new(journaltest.FS), SegmentBytes: 64 << 10})
	r := rand.New(rand.NewPCG(11, 11))
	batch := journal.NewTraffic(11)
	for j.Stats().Segments < 2 {
		mustAppend(t, j, twist(r, batch(20)), twist(r, batch(1+r.IntN(9))))
	}
	if rep := mustSeal(t, j); rep.Segments != 1 { // what is sealed is compared with what was written
		t.Fatalf("sealed: %+v", rep)
	}
	want, _ := readSome(t, j, 0, journal.AllFields)
	for _, fields := range fieldSets(r, 20) {
		got, _ := readSome(t, j, 0, fields)
		if len(got) != len(want) {
			t.Fatalf("fields %#x: %d chunks, want %d", fields, len(got), len(want))
		}
		for i := range want {
			checkFields(t, fields, &want[i], &got[i])
		}
	}
}
