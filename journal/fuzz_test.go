package journal_test

import (
	"bytes"
	"hash/crc32"
	"math/rand/v2"
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
	names, err := filepath.Glob("testdata/v1/*.hj")
	if err != nil || len(names) != 2 {
		f.Fatal(names, err)
	}
	addDamaged(f, names, 64)
	f.Fuzz(func(t *testing.T, segment []byte) {
		fsys := journalOf(filepath.Base(names[0]), segment)
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

// FuzzBlock decodes any bytes as a block: no panic, bounded memory, and what is taken survives another round.
func FuzzBlock(f *testing.F) {
	for _, chunks := range blockSeeds() {
		hits := 0
		for _, c := range chunks {
			hits += c.Count
		}
		payload, raw := journal.EncodeBlock(chunks)
		f.Add(payload, raw, len(chunks), hits)
	}
	f.Fuzz(func(t *testing.T, payload []byte, raw, chunks, hits int) {
		if chunks < 0 || hits < 0 || hits > 2000 || raw < 0 || raw > 1<<20 {
			return
		}
		all, err := journal.DecodeBlock(payload, raw, chunks, hits, journal.AllFields)
		fields := journal.Fields(crc32.ChecksumIEEE(payload)) & journal.AllFields // any: what is not wanted must not matter
		some, errSome := journal.DecodeBlock(payload, raw, chunks, hits, fields)
		if err != nil {
			return
		}
		if errSome != nil {
			t.Fatalf("fields %#x: %v", fields, errSome)
		}
		for i := range all {
			checkFields(t, fields, &all[i], &some[i])
		}
		again, n := journal.EncodeBlock(all)
		other, err := journal.DecodeBlock(again, n, len(all), hits, journal.AllFields)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(all, other) {
			t.Errorf("%+v\n%+v", all, other)
		}
	})
}

// blockSeeds gives chunks of several kinds.
func blockSeeds() [][]heatmap.Chunk {
	batch := journal.NewTraffic(1)
	one := []heatmap.Chunk{chunkOf(0, 5, goldenBatches()[:2]...)}
	some := []heatmap.Chunk{chunkOf(0, 5, batch(5), batch(2)), chunkOf(0, 9, batch(20)), chunkOf(0, 9, batch(1))}
	wild := []heatmap.Chunk{chunkOf(0, -1, journal.WildBatches(rand.New(rand.NewPCG(1, 1)), 3)...)}
	pos := uint64(0)
	for i := range some {
		some[i].Position = pos
		pos = some[i].End()
	}
	return [][]heatmap.Chunk{one, some, wild}
}

func chunkOf(pos uint64, appended int64, batches ...heatmap.Batch) heatmap.Chunk {
	return heatmap.Chunk{Position: pos, Appended: appended, Batches: batches, Count: int(hitsOf(batches))}
}

// FuzzFooter and FuzzManifest read any bytes: no panic, and what is taken is written as it was read.
func FuzzFooter(f *testing.F) {
	for _, name := range sealedGolden(f) {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		at := bytes.LastIndex(b, []byte("HCNK"))
		f.Add(b[at+64 : len(b)-16])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if again, err := journal.ParseFooter(b); err == nil {
			if third, err := journal.ParseFooter(again); err != nil || !bytes.Equal(again, third) {
				t.Errorf("%x, then %x, %v", again, third, err)
			}
		}
	})
}

func FuzzManifest(f *testing.F) {
	b, err := os.ReadFile("testdata/v1sealed/MANIFEST")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if again, err := journal.ParseManifest(b); err == nil && !bytes.Equal(again, b) {
			t.Errorf("%s\nis written as\n%s", b, again)
		}
	})
}

func sealedGolden(t testing.TB) []string {
	names, err := filepath.Glob("testdata/v1sealed/*.hjs")
	if err != nil || len(names) != 2 {
		t.Fatal(names, err)
	}
	return names
}

// FuzzSealed opens a journal whose sealed segment is any bytes: no panic, all that it holds is read or told as lost.
func FuzzSealed(f *testing.F) {
	names := sealedGolden(f)
	addDamaged(f, names, 16)
	f.Fuzz(func(t *testing.T, segment []byte) {
		fsys := journalOf(filepath.Base(names[0]), segment)
		j, err := journal.Open(dir, journal.Options{FS: fsys})
		if err != nil {
			return // of a later format
		}
		defer j.Close()
		rep, err := journal.Verify(t.Context(), fsys, dir, nil)
		if err != nil || rep.Hits+rep.Lost != rep.End-rep.First || rep.End != j.Durable() {
			t.Fatalf("verify: %+v, %v", rep, err)
		}
	})
}

// addDamaged adds segments as seeds: whole, without their last bytes, and with a chunk that is none.
func addDamaged(f *testing.F, names []string, cut int) {
	f.Helper()
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)-cut])
		f.Add(bytes.Replace(b, []byte("HCNK"), []byte("HCNk"), 1))
	}
}

// journalOf is a disk with the journal of the golden files that has one segment.
func journalOf(name string, segment []byte) *journaltest.FS {
	const source = "j00000000000c0ffe"
	fsys := new(journaltest.FS)
	fsys.Put(filepath.Join(dir, source, "IDENTITY"), []byte("heatlog journal 1\nsource "+source+"\n"))
	fsys.Put(filepath.Join(dir, source, name), segment)
	return fsys
}

// FuzzFrozen reads any bytes as the file that says that a source is frozen: the source stays readable and is not written.
func FuzzFrozen(f *testing.F) {
	const source = "j00000000000c0ffe"
	f.Add([]byte("heatlog journal 1\nfrozen " + source + "\norder 1\nend 6\n"))
	f.Add([]byte("order 18446744073709551615\n"))
	f.Add([]byte{})
	name := "testdata/v1/00000000000000000000-00000001.hj"
	segment, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, marker []byte) {
		fsys := journalOf(filepath.Base(name), segment)
		fsys.Put(filepath.Join(dir, source+".frozen"), marker)
		j := mustOpen(t, journal.Options{FS: fsys})
		defer j.Close()
		mustAppend(t, j, journal.NewTraffic(1)(2))
		logs := j.Frozen()
		if len(logs) != 1 || logs[0].Source() != source || j.Source() == source || logs[0].Durable() != 6 {
			t.Errorf("%d frozen sources, %s is written", len(logs), j.Source())
		}
	})
}
