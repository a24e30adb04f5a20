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
func history(t *testing.T, mem vfs.FS) map[string][]byte {
	t.Helper()
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
	cutSteps = 32
	cutOften = 12                  // documents that are stored every fourth step
	cutDocs  = cutOften + cutSteps // and those that are stored in one step each, and never again
)

// cutFlushes are the steps after which what is in memory becomes a table.
var cutFlushes = []int{9, 18, 22, 26, 29}

// keepsTables is a file system that deletes no table, as if a compaction's were always still waiting for it.
type keepsTables struct{ vfs.FS }

func (k keepsTables) Remove(name string) error {
	if strings.HasSuffix(name, ".sst") {
		return nil
	}
	return k.FS.Remove(name)
}

// storedAt is the watermark of a document after a step.
func storedAt(doc, step int) uint64 {
	if once := doc - cutOften + 1; once > 0 {
		if once > step {
			return 0
		}
		return uint64(once)
	}
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
	if err != nil && !strings.Contains(err.Error(), "folder is damaged") {
		return "the error does not say so: " + err.Error(), true
	}
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
// refused as damaged, or it is one from which the index counts right: an older one of a piece.
func TestCutFiles(t *testing.T) {
	c := newCutter(t, history(t, vfs.NewMem()))
	flips := 40
	if os.Getenv("HEATLOG_TORTURE") != "" {
		flips = 2000
	}
	r := rand.New(rand.NewPCG(1, 1))
	for name, b := range c.files {
		c.try(name, "is gone", nil)
		every := 64
		if strings.HasPrefix(name, "MANIFEST") {
			every = 1 // also between two of its records, where no checksum tells
		}
		for at := 0; at < len(b); at += every {
			c.cut(name, at)
		}
		for at := max(len(b)-9, 0); at < len(b); at++ {
			c.cut(name, at)
		}
		for range min(flips, 8*len(b)) {
			flipped := append([]byte{}, b...)
			at, bit := r.IntN(len(b)), r.IntN(8)
			flipped[at] ^= 1 << bit
			c.try(name, fmt.Sprintf("bit %d of byte %d flipped", bit, at), flipped)
		}
	}
	c.end()
}

// TestOldManifest cuts the manifest where all tables that it still lists are there, but not every log of what was written
// after them: Pebble has written newer ones over these.
func TestOldManifest(t *testing.T) {
	c := newCutter(t, history(t, keepsTables{vfs.NewMem()}))
	for name, b := range c.files {
		if strings.HasPrefix(name, "MANIFEST") {
			for at := range b {
				c.cut(name, at)
			}
		}
	}
	c.end()
}

// cutter damages the files of a store, one at a time.
type cutter struct {
	t               *testing.T
	files           map[string][]byte
	tried, refusals int
	wrongs          map[string]int // by the sort of file
}

func newCutter(t *testing.T, files map[string][]byte) *cutter {
	t.Helper()
	if wrong, refused := wrongAfter(t, files); wrong != "" || refused {
		t.Fatal("the store as it is: ", wrong, refused)
	}
	return &cutter{t: t, files: files, wrongs: map[string]int{}}
}

func (c *cutter) cut(name string, at int) {
	c.try(name, fmt.Sprint("cut at ", at), c.files[name][:at:at])
}

// try opens the store with another content of a file, nil for none.
func (c *cutter) try(name, how string, b []byte) {
	files := maps.Clone(c.files)
	if files[name] = b; b == nil {
		delete(files, name)
	}
	wrong, refused := wrongAfter(c.t, files)
	if c.tried++; refused {
		c.refusals++
	}
	if wrong != "" {
		sort := strings.TrimRight(name, "0123456789")
		if c.wrongs[sort]++; c.wrongs[sort] <= 3 {
			c.t.Errorf("%s %s: %s", name, how, wrong)
		}
	}
}

func (c *cutter) end() {
	c.t.Logf("%d damages of %d files: %d refused, wrong %v", c.tried, len(c.files), c.refusals, c.wrongs)
	if c.refusals == 0 { // all may be: what Pebble has written over when differs from run to run
		c.t.Errorf("none of %d damages is refused", c.tried)
	}
}
