package pebblestore_test

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"heatlog/index"
	"heatlog/index/pebblestore"
)

// history writes a store as the index does, in steps: the mark is raised, documents are stored, then the checkpoint follows.
// Some of it is in tables, the rest in the log. It gives the names and contents of all files.
func history(t *testing.T) map[string][]byte {
	t.Helper()
	mem := vfs.NewMem()
	s := open(t, "store", pebblestore.Options{FS: mem, MemTable: 256 << 10})
	var docs [cutDocs]uint64
	var high, checkpoint []byte
	set := func(name string, old *[]byte, step int) {
		value := strconv.AppendInt(nil, int64(step), 10)
		if ok, err := s.SwapRecord(t.Context(), name, *old, value); err != nil || !ok {
			t.Fatal(ok, err)
		}
		*old = value
	}
	for step := 1; step <= cutSteps; step++ {
		set("high", &high, step)
		var writes []index.Write
		for i := range docs {
			if storedAt(i, step) != uint64(step) {
				continue
			}
			w := write(i)
			w.Old, w.New, w.Blob = docs[i], uint64(step), fmt.Appendf(nil, "blob %d", step)
			docs[i] = w.New
			writes = append(writes, w)
		}
		if _, err := s.Swap(t.Context(), writes); err != nil {
			t.Fatal(err)
		}
		set("checkpoint", &checkpoint, step)
		if slices.Contains(cutFlushes, step) {
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	closeStore(t, s)
	names, err := mem.List("store")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		f, err := mem.Open("store/" + name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(f)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		files[name] = b
	}
	return files
}

const (
	cutDocs  = 12
	cutSteps = 32
)

// cutFlushes are the steps after which what is in memory becomes a table.
var cutFlushes = []int{9, 18, 22, 26, 29}

// storedAt is the watermark of a document after a step: one is stored every fourth step.
func storedAt(doc, step int) uint64 {
	if back := (step + 4 - doc%4) % 4; step > back {
		return uint64(step - back)
	}
	return 0
}

// wrongAfter opens a store of these files, and says what of it would be counted wrong: a document that lacks what lies below the
// checkpoint would never get it, one beyond the mark would get it twice. Refusal to open or to read is never wrong.
func wrongAfter(t *testing.T, files map[string][]byte) (wrong string, refused bool) {
	t.Helper()
	mem := vfs.NewMem()
	if err := mem.MkdirAll("store", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, b := range files {
		f, err := mem.Create("store/"+name, vfs.WriteCategoryUnspecified)
		if err == nil {
			_, err = f.Write(b)
		}
		if err != nil || f.Close() != nil {
			t.Fatal(err)
		}
	}
	s, err := pebblestore.Open("store", pebblestore.Options{FS: mem, MemTable: 256 << 10})
	if err != nil {
		return "", true
	}
	defer func() { _ = s.Close() }()
	number := func(name string) int {
		b, readErr := s.Record(t.Context(), name)
		n, _ := strconv.Atoi(string(b))
		if readErr != nil {
			err = readErr
		}
		return n
	}
	high, checkpoint := number("high"), number("checkpoint")
	refs := make([]index.Ref, cutDocs)
	for i := range refs {
		refs[i] = write(i).Ref
	}
	docs, loadErr := s.Load(t.Context(), refs)
	if err != nil || loadErr != nil {
		return "", true
	}
	for i, d := range docs {
		switch {
		case d.Watermark < storedAt(i, checkpoint):
			return fmt.Sprintf("document %d holds what is below %d, the checkpoint says %d", i, d.Watermark, storedAt(i, checkpoint)), false
		case d.Watermark > uint64(high):
			return fmt.Sprintf("document %d holds what is below %d, the mark says %d", i, d.Watermark, high), false
		case d.Watermark > 0 && string(d.Blob) != fmt.Sprintf("blob %d", d.Watermark):
			return fmt.Sprintf("document %d at %d is %q", i, d.Watermark, d.Blob), false
		}
	}
	return "", false
}

// TestCutFiles cuts every file of a store at every 64th byte and at its ends, takes it away, and flips bits of it. The store is
// refused, or it is one from which the index counts right: an older one of a piece.
func TestCutFiles(t *testing.T) {
	files := history(t)
	if wrong, refused := wrongAfter(t, files); wrong != "" || refused {
		t.Fatal("the store as it is: ", wrong, refused)
	}
	flips := 40
	if os.Getenv("HEATLOG_TORTURE") != "" {
		flips = 2000
	}
	r := rand.New(rand.NewPCG(1, 1))
	tried, refusals, wrongs := 0, 0, map[string]int{}
	try := func(name, how string, b []byte) {
		files := cloneFiles(files)
		if files[name] = b; b == nil {
			delete(files, name)
		}
		wrong, refused := wrongAfter(t, files)
		if tried++; refused {
			refusals++
		}
		if wrong != "" {
			sort := strings.TrimRight(name, "0123456789")
			if wrongs[sort]++; wrongs[sort] <= 3 {
				t.Errorf("%s %s: %s", name, how, wrong)
			}
		}
	}
	for name, b := range files {
		try(name, "is gone", nil)
		every := 64
		if strings.HasPrefix(name, "MANIFEST") {
			every = 1 // also between two of its records, where no checksum tells
		}
		for at := 0; at < len(b); at += every {
			try(name, fmt.Sprint("cut at ", at), b[:at:at])
		}
		for at := max(len(b)-9, 0); at < len(b); at++ {
			try(name, fmt.Sprint("cut at ", at), b[:at:at])
		}
		for range min(flips, 8*len(b)) {
			flipped := append([]byte{}, b...)
			at, bit := r.IntN(len(b)), r.IntN(8)
			flipped[at] ^= 1 << bit
			try(name, fmt.Sprintf("bit %d of byte %d flipped", bit, at), flipped)
		}
	}
	t.Logf("%d damages of %d files: %d refused, wrong %v", tried, len(files), refusals, wrongs)
}

func cloneFiles(files map[string][]byte) map[string][]byte {
	c := make(map[string][]byte, len(files))
	maps.Copy(c, files)
	return c
}
