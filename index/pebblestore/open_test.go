package pebblestore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/index/pebblestore"
)

// refused fails unless the folder cannot be opened, for a reason that has want in it and with a hint.
func refused(t *testing.T, dir, want string) {
	t.Helper()
	s, err := pebblestore.Open(dir, pebblestore.Options{})
	if err == nil {
		closeStore(t, s)
		t.Fatalf("folder opened, want an error with %q", want)
	}
	var open *pebblestore.OpenError
	if !errors.As(err, &open) || open.Hint == "" || open.Dir != dir || !strings.Contains(err.Error(), want) {
		t.Fatalf("error is %v, want an OpenError with %q and a hint", err, want)
	}
}

// quiet is a logger of Pebble's.
type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

func write(i int) index.Write {
	key := heatmap.Key{Site: "shop", Page: fmt.Sprintf("https://shop.example/p/%d", i/8), Period: heatmap.DayPeriod(heatmap.Date(20454 + i%8))}
	return index.Write{Ref: index.Ref{Generation: "g1", Key: key, Source: "j1"}, New: uint64(i + 1), Blob: fmt.Appendf(nil, "blob %d", i)}
}

func fill(t testing.TB, s *pebblestore.Store, from, to int) {
	t.Helper()
	var writes []index.Write
	for i := from; i < to; i++ {
		writes = append(writes, write(i))
	}
	applied, err := s.Swap(context.Background(), writes)
	if err != nil {
		t.Fatal(err)
	}
	for i, ok := range applied {
		if !ok {
			t.Fatalf("write %d was not applied", from+i)
		}
	}
}

// missing counts which of the first n writes are not there.
func missing(t testing.TB, s *pebblestore.Store, n int) int {
	t.Helper()
	refs := make([]index.Ref, n)
	for i := range refs {
		refs[i] = write(i).Ref
	}
	docs, err := s.Load(context.Background(), refs)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for i, d := range docs {
		if w := write(i); d.Watermark != w.New || string(d.Blob) != string(w.Blob) {
			count++
		}
	}
	return count
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, pebblestore.Options{})
	refused(t, dir, "in use by another process")
	closeStore(t, s)
	open(t, dir, pebblestore.Options{})
}

func TestOpenWhereItCannot(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, file, "not a directory")
	refused(t, filepath.Join(file, "below"), "not a directory")
}

func TestFormat(t *testing.T) {
	f := func(key, value, want string) {
		t.Helper()
		dir := t.TempDir()
		db, err := pebble.Open(dir, &pebble.Options{Logger: quiet{}})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Set([]byte(key), []byte(value), pebble.Sync), db.Close()); err != nil {
			t.Fatal(err)
		}
		refused(t, dir, want)
		refused(t, dir, want) // the first try has changed nothing
	}
	f("v", "heatlog store 2", `format version "2", want "1"`)
	f("v", "heatlog store ", `format version ""`)
	f("v", "something", "not one of heatlog's")
	f("v", "", "not one of heatlog's")
	f("k", "value of another program", "damaged, or not heatlog's")
}

func TestClosed(t *testing.T) {
	s := open(t, t.TempDir(), pebblestore.Options{})
	fill(t, s, 0, 10)
	closeStore(t, s)
	closeStore(t, s)
	ctx := t.Context()
	_, loadErr := s.Load(ctx, []index.Ref{write(0).Ref})
	_, swapErr := s.Swap(ctx, []index.Write{write(0)})
	_, recordErr := s.Record(ctx, "r")
	_, swapRecordErr := s.SwapRecord(ctx, "r", nil, nil)
	scanErr := s.Scan(ctx, index.Range{}, func(index.Doc) error { return nil })
	for i, err := range []error{loadErr, swapErr, recordErr, swapRecordErr, scanErr, s.Flush(ctx), s.Compact(ctx)} {
		if !errors.Is(err, pebblestore.ErrClosed) {
			t.Errorf("call %d after Close: error is %v", i, err)
		}
	}
	if s.Stats().Written != 10 {
		t.Errorf("stats after Close are %+v", s.Stats())
	}
}

func TestRefusedWrites(t *testing.T) {
	s := open(t, t.TempDir(), pebblestore.Options{})
	f := func(want string, writes ...index.Write) {
		t.Helper()
		_, err := s.Swap(t.Context(), append(writes, write(1)))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want one with %q", err, want)
		}
		if missing(t, s, 2) != 2 {
			t.Errorf("a refused call has written")
		}
	}
	down, same, long, large := write(0), write(0), write(0), write(0)
	down.Old = 5
	same.New = 0
	long.Page = strings.Repeat("x", 70<<10)
	large.Blob = make([]byte, 64<<20+1)
	f("watermark 1 is not above 5", down)
	f("watermark 0 is not above 0", same)
	f("limit 65536", long)
	f("limit 67108864", large)
	f("two writes", write(0), write(0))
	if _, err := s.Load(t.Context(), []index.Ref{long.Ref}); err == nil {
		t.Error("load with a key that is too long has no error")
	}
}

// TestOddBytes has bytes in keys that the index never makes.
func TestOddBytes(t *testing.T) {
	s := open(t, t.TempDir(), pebblestore.Options{})
	texts := []string{"", "\x00", "\x00\x00", "\x00\x01", "\x00\xff", "\x01", "a\x00", "a\x00\xff", "\xff", "\xff\xff"}
	var writes []index.Write
	for _, site := range texts {
		for _, page := range texts {
			for _, source := range texts {
				w := write(len(writes))
				w.Site, w.Page, w.Source = site, page, source
				writes = append(writes, w)
			}
		}
	}
	if _, err := s.Swap(t.Context(), writes); err != nil {
		t.Fatal(err)
	}
	for _, site := range texts {
		for _, page := range texts {
			n := 0
			err := s.Scan(t.Context(), index.Range{Generation: "g1", Site: site, Page: page}, func(d index.Doc) error {
				if d.Site != site || d.Page != page {
					return fmt.Errorf("document of %q %q", d.Site, d.Page)
				}
				n++
				return nil
			})
			if err != nil || n != len(texts) {
				t.Fatalf("scan of %q %q gave %d documents, error %v, want %d", site, page, n, err, len(texts))
			}
		}
	}
}

// TestCountsOfCommits opens a store from before commits were numbered, and one that a heatlog from before has compacted.
func TestCountsOfCommits(t *testing.T) {
	dir := t.TempDir()
	before := func(change func(db *pebble.DB) error) {
		t.Helper()
		db, err := pebble.Open(dir, &pebble.Options{Logger: quiet{}, FormatMajorVersion: pebble.FormatTableFormatV6})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(change(db), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	before(func(db *pebble.DB) error { return db.Set([]byte("v"), []byte("heatlog store 1"), pebble.Sync) })
	for i := range 4 {
		s := open(t, dir, pebblestore.Options{})
		if n := missing(t, s, 10*i); n != 0 {
			t.Fatalf("%d of %d documents are missing", n, 10*i)
		}
		fill(t, s, 10*i, 10*i+5)
		fill(t, s, 10*i+5, 10*i+10)
		closeStore(t, s)
		before(func(db *pebble.DB) error { return db.Compact(t.Context(), []byte{0}, []byte{0xff}, false) })
	}
	before(func(db *pebble.DB) error { return db.Set([]byte("nn"), []byte{0, 0, 0, 0, 0, 0, 0, 9}, pebble.Sync) })
	refused(t, dir, "folder is damaged: 8 commits of 9 are there")
	before(func(db *pebble.DB) error { return db.Set([]byte("nn"), []byte{0, 8}, pebble.Sync) })
	refused(t, dir, "folder is damaged: count has 2 bytes too many")
}

// TestNoManifest removes the files that say which tables there are. The tables must stay.
func TestNoManifest(t *testing.T) {
	for _, pattern := range []string{"marker.manifest.*", "MANIFEST-*"} {
		dir := t.TempDir()
		s := open(t, dir, pebblestore.Options{})
		fill(t, s, 0, 100)
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		closeStore(t, s)
		names, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("%d files %s, %v", len(names), pattern, err)
		}
		for _, name := range names {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
		refused(t, dir, "folder is damaged")
		if countTables(t, dir) == 0 {
			t.Errorf("without %s the tables were deleted", pattern)
		}
	}
}

// TestDamage changes and removes parts of a closed store. Opening and reading must give an error or the documents as they
// were written, and must not delete what could not be read.
func TestDamage(t *testing.T) {
	master := t.TempDir()
	s := open(t, master, pebblestore.Options{})
	fill(t, s, 0, 2000)
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	fill(t, s, 2000, 2200) // these are in the log only
	closeStore(t, s)
	entries, err := os.ReadDir(master)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	detected := 0
	for _, e := range entries {
		for range 6 {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(master)); err != nil {
				t.Fatal(err)
			}
			damage(t, filepath.Join(dir, e.Name()), rng)
			if damaged(t, dir) {
				detected++
			}
		}
	}
	if detected < 10 {
		t.Errorf("damage was detected %d times", detected)
	}
}

func damage(t *testing.T, path string, rng *rand.Rand) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	switch rng.IntN(3) {
	case 0:
		err = os.Remove(path)
	case 1:
		err = os.Truncate(path, int64(len(data)/2))
	default:
		for range min(8, len(data)) {
			data[rng.IntN(len(data))] ^= 1 << rng.IntN(8)
		}
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// damaged opens and reads a store and reports whether that gave an error.
func damaged(t *testing.T, dir string) bool {
	tables := countTables(t, dir)
	s, err := pebblestore.Open(dir, pebblestore.Options{})
	if err != nil {
		if now := countTables(t, dir); now != tables {
			t.Fatalf("%d tables are left of %d after %v", now, tables, err)
		}
		return true
	}
	defer func() { _ = s.Close() }()
	bad := false
	for i := range 2200 {
		docs, err := s.Load(t.Context(), []index.Ref{write(i).Ref})
		if err != nil {
			bad = true
		} else if d, w := docs[0], write(i); d.Watermark != 0 && (d.Watermark != w.New || string(d.Blob) != string(w.Blob)) {
			t.Fatalf("document %d is %d %q after damage", i, d.Watermark, d.Blob)
		}
	}
	return bad
}

func countTables(t *testing.T, dir string) int {
	names, err := filepath.Glob(filepath.Join(dir, "*.sst"))
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}
