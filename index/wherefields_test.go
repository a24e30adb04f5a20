package index

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"heatlog/heatmap"
	"heatlog/journal"
)

// TestExpressionNeeds reads a journal for the fields alone that each name of an expression is said to need, and then has it the
// value that it has where all is read.
func TestExpressionNeeds(t *testing.T) {
	t.Parallel()
	j, err := journal.Open(t.TempDir(), journal.Options{SegmentBytes: 32 << 10})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	w := exprWriter{rand.New(rand.NewPCG(10, 10))}
	zones := whereZones(t)
	for range 200 {
		var b heatmap.Batch
		for range 10 {
			b.Hits = append(b.Hits, *w.event(zones).Hit)
		}
		if _, err := j.Append([]heatmap.Batch{b}); err != nil {
			t.Fatal(err)
		}
	}
	if rep, err := j.Seal(t.Context()); err != nil || rep.Segments == 0 {
		t.Fatalf("sealed: %+v, %v", rep, err)
	}
	source := JournalSource(j, nil)
	read := func(fields journal.Fields) (envs []hitEnv) {
		r, err := source.Open(0, fields, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for c := (heatmap.Chunk{}); c.End() < source.Durable(); {
			if err := r.Next(t.Context(), &c); err != nil {
				t.Fatal(err)
			}
			for _, b := range c.Batches {
				for i := range b.Hits {
					h := &b.Hits[i]
					agent := len(h.UserAgent)
					e := &Event{Hit: h, URL: h.URL, Page: h.Site + h.URL, Device: heatmap.Device(agent % 3), Bot: agent%2 == 0}
					var v hitEnv
					v.set(e)
					v.setTime(zones[len(h.Site)%len(zones)])
					envs = append(envs, v)
				}
			}
		}
		return envs
	}
	all := read(journal.AllFields)
	for f := range reflect.TypeFor[hitEnv]().Fields() {
		name := f.Tag.Get("expr")
		x, err := compileExpression(name + " == " + name)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range read(x.fields()) {
			of := func(v hitEnv) any { return reflect.ValueOf(v).FieldByIndex(f.Index).Interface() }
			got, want := of(v), of(all[i])
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("hit %d: %s is %v where fields %#x are read, %v where all are", i, name, got, x.fields(), want)
			}
		}
		if x.fields() == journal.AllFields {
			t.Errorf("%s needs all fields", name)
		}
	}
}
