package mongostore

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"heatlog/index"
	"heatlog/index/mongostore/mongotest"
)

// TestForeignDocument has documents that another version wrote: each reading names it, and no writing changes it.
func TestForeignDocument(t *testing.T) {
	f := func(name string, fields ...bson.E) {
		t.Run(name, func(t *testing.T) {
			s := open(t, mongotest.Database(t), Options{})
			put(t, s, index.Write{Ref: docRef("a", 1), New: 1}, index.Write{Ref: docRef("c", 1), New: 1})
			r := docRef("b", 7)
			id, err := idOf(&r)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.docs.InsertOne(t.Context(), append(bson.D{{Key: idField, Value: id}}, fields...)); err != nil {
				t.Fatal(err)
			}
			before, err := s.docs.FindOne(t.Context(), bson.D{{Key: idField, Value: id}}).Raw()
			if err != nil {
				t.Fatal(err)
			}
			check := func(what string, err error) {
				t.Helper()
				if err == nil || !strings.Contains(err.Error(), "site shop, page \"b\"") || !strings.Contains(err.Error(), "another version") {
					t.Errorf("%s: %v", what, err)
				}
			}
			_, err = s.Load(t.Context(), []index.Ref{docRef("a", 1), r})
			check("load", err)
			check("scan", s.Scan(t.Context(), index.Range{Generation: "g1", Site: "shop", IsPrefix: true}, func(index.Doc) error { return nil }))
			for _, old := range []uint64{0, 1, 5} {
				ok, err := s.Swap(t.Context(), []index.Write{{Ref: r, Old: old, New: 9, Blob: []byte("mine")}})
				if err != nil || ok[0] {
					t.Errorf("swap from %d: %t, %v", old, ok, err)
				}
			}
			after, err := s.docs.FindOne(t.Context(), bson.D{{Key: idField, Value: id}}).Raw()
			if err != nil || string(after) != string(before) {
				t.Errorf("document was %s, is %s, %v", before, after, err)
			}
		})
	}
	blob := bson.Binary{Data: []byte("x")}
	f("other names", bson.E{Key: "w2", Value: int64(5)}, bson.E{Key: "b2", Value: blob})
	f("nothing")
	f("no blob", bson.E{Key: "w2", Value: int64(5)}, bson.E{Key: "b", Value: blob})
	f("watermark is a text", bson.E{Key: "w", Value: "5"}, bson.E{Key: "b", Value: blob})
	f("watermark is 0", bson.E{Key: "w", Value: int64(0)}, bson.E{Key: "b", Value: blob})
}

// TestReadDocument takes what appendDocument wrote and nothing else.
func TestReadDocument(t *testing.T) {
	for _, w := range []uint64{1, 1 << 63, 1<<64 - 1} {
		raw := appendDocument(nil, "id", w, []byte("blob"))
		d, err := readDocument(raw)
		if err != nil || d.id != "id" || d.watermark != w || string(d.blob) != "blob" {
			t.Errorf("document %s reads as %+v, %v", raw, d, err)
		}
		for n := range raw {
			if _, err := readDocument(raw[:n]); err == nil {
				t.Errorf("%d bytes of %d read as a document", n, len(raw))
			}
		}
	}
	f := func(fields ...bson.E) {
		t.Helper()
		raw, err := bson.Marshal(bson.D(fields))
		if err != nil {
			t.Fatal(err)
		}
		if d, err := readDocument(raw); err == nil {
			t.Errorf("%s reads as %+v", raw, d)
		}
	}
	id, w, b := bson.E{Key: "_id", Value: "id"}, bson.E{Key: "w", Value: int64(3)}, bson.E{Key: "b", Value: bson.Binary{Data: []byte("x")}}
	f(id, w)
	f(id, b)
	f(id, w, b, bson.E{Key: "c", Value: int32(1)})
	f(id, w, bson.E{Key: "b", Value: bson.Binary{Subtype: 0x80, Data: []byte("x")}})
	f(bson.E{Key: "_id", Value: int32(4)}, w, b)
	f(id, bson.E{Key: "w", Value: int32(3)}, b)
}

// TestFormat holds what the format record does.
func TestFormat(t *testing.T) {
	uri := mongotest.Database(t)
	s := open(t, uri, Options{})
	format := func() string {
		v, err := s.record(t.Context(), formatRecord)
		if err != nil {
			t.Fatal(err)
		}
		return string(v)
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := format(); got != "" {
		t.Errorf("a store that was only looked at has format %q", got)
	}
	put(t, s, index.Write{Ref: docRef("a", 1), New: 1})
	if got := format(); got != "heatlog store 1" {
		t.Errorf("format is %q", got)
	}
	// Another one that comes now takes it; without the record it takes nothing.
	if err := open(t, uri, Options{}).Ping(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := s.records.DeleteOne(t.Context(), bson.D{{Key: idField, Value: formatRecord}}); err != nil {
		t.Fatal(err)
	}
	other := open(t, uri, Options{})
	for what, call := range map[string]func() error{
		"ping": func() error { return other.Ping(t.Context()) },
		"load": func() error { _, err := other.Load(t.Context(), []index.Ref{docRef("a", 1)}); return err },
		"swap": func() error {
			_, err := other.Swap(t.Context(), []index.Write{{Ref: docRef("b", 1), New: 1}})
			return err
		},
		"drop": func() error { return other.Drop(t.Context(), "g1") },
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), "holds docs") {
			t.Errorf("%s of a store without its format: %v", what, err)
		}
	}
}

// TestEmptied empties a database that is in use: who used it stores nothing more, even if somebody else begins anew there, and who
// comes is refused as long as a part is left.
func TestEmptied(t *testing.T) {
	uri := mongotest.Database(t)
	s := open(t, uri, Options{})
	put(t, s, index.Write{Ref: docRef("a", 1), New: 1})
	for _, c := range []*mongo.Collection{s.docs, s.records} {
		if _, err := c.DeleteMany(t.Context(), bson.D{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.records.InsertOne(t.Context(), bson.D{{Key: idField, Value: "checkpoint"}, {Key: valueField, Value: binaryOf(nil)}}); err != nil {
		t.Fatal(err)
	}
	if err := open(t, uri, Options{}).Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "holds records") {
		t.Errorf("ping of what is left of a store: %v", err)
	}
	emptied := func(err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "was emptied") {
			t.Errorf("error is %v", err)
		}
	}
	emptied(s.Ping(t.Context()))
	if _, err := s.records.DeleteMany(t.Context(), bson.D{}); err != nil {
		t.Fatal(err)
	}
	put(t, open(t, uri, Options{}), index.Write{Ref: docRef("a", 1), New: 1})
	emptied(s.Ping(t.Context()))
	_, err := s.Swap(t.Context(), []index.Write{{Ref: docRef("b", 1), New: 1}})
	emptied(err)
	_, err = s.Load(t.Context(), []index.Ref{docRef("a", 1)})
	emptied(err)
	_, err = s.SwapRecord(t.Context(), "a", nil, []byte("b"))
	emptied(err)
}

// TestFormatMarkedMeanwhile lets a call on an empty database learn that there is no format only when another has set it: that is none
// that is gone.
func TestFormatMarkedMeanwhile(t *testing.T) {
	var s *Store
	var begun atomic.Bool
	monitor := &event.CommandMonitor{Succeeded: func(ctx context.Context, e *event.CommandSucceededEvent) {
		if e.CommandName != "find" || begun.Swap(true) {
			return
		}
		if err := s.contact(context.WithoutCancel(ctx), true); err != nil {
			t.Errorf("the call that is first: %v", err)
		}
	}}
	s = open(t, mongotest.Database(t), Options{monitor: monitor})
	if err := s.contact(t.Context(), true); err != nil {
		t.Errorf("the call that is second: %v", err)
	}
}
