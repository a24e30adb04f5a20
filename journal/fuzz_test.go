package journal_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"heatlog/heatmap"
	"heatlog/journal"
	"heatlog/journal/journaltest"
)

// FuzzPayload decodes any bytes as a payload: no panic, and what is taken survives another round.
func FuzzPayload(f *testing.F) {
	for _, batches := range [][]heatmap.Batch{goldenBatches()[:1], goldenBatches()[1:2], {journal.NewTraffic(1)(20)}} {
		payload, hits := journal.EncodePayload(batches)
		f.Add(payload, hits, 1)
	}
	f.Add([]byte{}, 0, 0)
	f.Fuzz(func(t *testing.T, payload []byte, hits, appends int) {
		if hits < 0 || hits > 1000 {
			return
		}
		var c heatmap.Chunk
		if journal.DecodePayload(string(payload), hits, appends, &c) != nil {
			return
		}
		again, n := journal.EncodePayload(c.Batches)
		var d heatmap.Chunk
		if err := journal.DecodePayload(string(again), n, 1, &d); err != nil {
			t.Fatal(err)
		}
		if n != hits || n > 0 && !reflect.DeepEqual(c.Batches, d.Batches) {
			t.Errorf("%d hits became %d:\n%+v\n%+v", hits, n, c.Batches, d.Batches)
		}
	})
}

// FuzzSegment opens a journal whose last segment is any bytes: no panic, it opens, and everything that it has taken over
// can be read.
func FuzzSegment(f *testing.F) {
	const source = "j00000000000c0ffe"
	names, err := filepath.Glob("testdata/v1/*.hj")
	if err != nil || len(names) != 2 {
		f.Fatal(names, err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)-64])
		f.Add(bytes.Replace(b, []byte("HCNK"), []byte("HCNk"), 1))
	}
	f.Fuzz(func(t *testing.T, segment []byte) {
		fsys := new(journaltest.FS)
		fsys.Put(filepath.Join(dir, source, "IDENTITY"), []byte("heatlog journal 1\nsource "+source+"\n"))
		fsys.Put(filepath.Join(dir, source, filepath.Base(names[0])), segment)
		j, err := journal.Open(dir, journal.Options{FS: fsys})
		if err != nil {
			return // of a later format
		}
		defer j.Close()
		rep, err := journal.Verify(t.Context(), fsys, dir, nil)
		if err != nil || rep.Hits+rep.Lost != rep.End-rep.First || rep.TailBytes != 0 || rep.End != j.Durable() {
			t.Fatalf("verify: %+v, %v", rep, err)
		}
		if end := mustAppend(t, j, journal.NewTraffic(1)(2)); end != rep.End+2 {
			t.Errorf("append ends at %d, want %d", end, rep.End+2)
		}
	})
}
