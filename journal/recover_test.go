package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"heatlog/heatmap"
	"heatlog/journal"
	"heatlog/journal/journaltest"
)

// specimen is a journal of two segments, of which one is to be damaged.
type specimen struct {
	files   map[string][]byte // by path
	paths   [2]string         // of the segments
	batches []heatmap.Batch   // one a chunk
	ends    []uint64          // position after each chunk
}

// newSpecimen makes one whose segment number target has about that many bytes. It is closed in order or by a crash.
func newSpecimen(t testing.TB, target, size int, closed bool) *specimen {
	t.Helper()
	fsys := new(journaltest.FS)
	s := &specimen{files: map[string][]byte{}}
	batch := journal.NewTraffic(7)
	for n := range 2 {
		j := mustOpen(t, journal.Options{FS: fsys})
		for i := 0; i == 0 || n == target && j.Stats().StoredBytes < uint64(size); i++ {
			b := batch(1 + i*7%50)
			s.batches = append(s.batches, b)
			s.ends = append(s.ends, mustAppend(t, j, b))
		}
		if n == 0 || closed {
			mustClose(t, j)
		} else {
			fsys = fsys.Kill()
		}
	}
	segments := 0
	for _, name := range fsys.Names() {
		if s.files[name] = fsys.Bytes(name); strings.HasSuffix(name, ".hj") {
			s.paths[segments] = name
			segments++
		}
	}
	return s
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// with gives a file system that holds the specimen with one file changed.
func (s *specimen) with(path string, content []byte) *journaltest.FS {
	fsys := new(journaltest.FS)
	for name, b := range s.files {
		if name == path {
			b = content
		}
		fsys.Put(name, b)
	}
	return fsys
}

func (s *specimen) end() uint64 { return s.ends[len(s.ends)-1] }

// A last segment that ends anywhere opens with its longest valid prefix; the rest is kept beside it.
func TestCutAtEveryByte(t *testing.T) {
	ended := 16 << 10
	if journaltest.Torture() {
		ended = 256 << 10
	}
	cutAtEveryByte(t, "an ended segment is cut", newSpecimen(t, 1, ended, true))
	cutAtEveryByte(t, "an active segment is cut", newSpecimen(t, 1, 256<<10/sparse, false))
}

func cutAtEveryByte(t *testing.T, name string, s *specimen) {
	whole := s.files[s.paths[1]]
	chunks := journal.Chunks(filepath.Base(s.paths[1]), whole)
	row := journaltest.Begin(t, name, len(whole), 0)
	row.Found("%d chunks, %d hits", len(chunks), s.end())
	_ = row.Each(len(whole), func(n int) error {
		wantEnd, wantLimit := chunks[0].Base, int64(journal.SegmentHeaderSize)
		for _, c := range chunks {
			if c.Offset+c.Size <= int64(n) {
				wantEnd, wantLimit = c.End, c.Offset+c.Size
			}
		}
		if n < journal.SegmentHeaderSize {
			wantLimit = 0
		}
		checkCut(t, s, n, wantEnd, wantLimit)
		return nil
	})
}

// checkCut cuts the last segment at n, where its first wantLimit bytes are to stay.
func checkCut(t *testing.T, s *specimen, n int, wantEnd uint64, wantLimit int64) {
	t.Helper()
	path := s.paths[1]
	fsys := s.with(path, s.files[path][:n])
	j, err := journal.Open(dir, journal.Options{FS: fsys})
	if err != nil {
		t.Fatalf("cut at %d: %v", n, err)
	}
	defer j.Close()
	if j.Durable() != wantEnd {
		t.Fatalf("cut at %d: journal ends at %d, want %d", n, j.Durable(), wantEnd)
	}
	if got := fsys.Bytes(path); !bytes.Equal(got, s.files[path][:wantLimit]) {
		t.Fatalf("cut at %d: segment has %d bytes, want %d", n, len(got), wantLimit)
	}
	if got := fsys.Bytes(path + ".torn"); !bytes.Equal(got, s.files[path][wantLimit:n]) {
		t.Fatalf("cut at %d: %d torn bytes are kept, want %d", n, len(got), int64(n)-wantLimit)
	}
	if n%97 != 0 && int64(n) != wantLimit {
		return // the rest takes longer
	}
	extra := journal.NewTraffic(99)(3)
	mustAppend(t, j, extra)
	var want []heatmap.Batch
	for i, b := range s.batches {
		if s.ends[i] <= wantEnd {
			want = append(want, b)
		}
	}
	want = append(want, extra)
	if diff := diffBatches(want, readBatches(t, j)); diff != "" {
		t.Fatalf("cut at %d: %s", n, diff)
	}
	mustClose(t, j)
	rep, err := journal.Verify(t.Context(), fsys, dir, nil)
	if err != nil || rep.Hits != wantEnd+3 || rep.Lost != 0 || rep.TailBytes != 0 || len(rep.Damages) != 0 {
		t.Fatalf("cut at %d: after repair %+v, %v", n, rep, err)
	}
}

// A changed bit is found wherever it is, told apart from a torn tail, and costs exactly the hits of its chunk.
func TestFlipBits(t *testing.T) {
	f := func(name string, target int, closed bool, size int) {
		t.Helper()
		s := newSpecimen(t, target, size, closed)
		path := s.paths[target]
		chunks := journal.Chunks(filepath.Base(path), s.files[path])
		bits, seed := sampleBits(t, 8*len(s.files[path]))
		row := journaltest.Begin(t, name, len(bits), seed)
		row.Found("%d bytes in %d chunks", len(s.files[path]), len(chunks))
		err := row.Each(len(bits), func(i int) error {
			n, bit := bits[i]/8, bits[i]%8
			damaged := bytes.Clone(s.files[path])
			damaged[n] ^= 1 << bit
			if err := checkLoss(t.Context(), s.with(path, damaged), path, flipLoss(s, chunks, target, n)); err != nil {
				return fmt.Errorf("byte %d bit %d: %w", n, bit, err)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	f("bits of an older segment are flipped", 0, true, 8<<10)
	f("bits of an ended segment are flipped", 1, true, 8<<10)
	f("bits of an active segment are flipped", 1, false, 64<<10/sparse)
}

// sampleBits gives the bits of n to flip: one in ten, all in the long form.
func sampleBits(t *testing.T, n int) (bits []int, seed uint64) {
	t.Helper()
	sample := 10 * sparse
	if journaltest.Torture() {
		sample = 1
	}
	seed = journaltest.Seed(t, 1)
	r := rand.New(rand.NewPCG(seed, 2))
	for bit := range n {
		if r.IntN(sample) == 0 {
			bits = append(bits, bit)
		}
	}
	return bits, seed
}

// loss is what damage must be reported as.
type loss struct {
	offset   int64
	from, to uint64
	torn     int64  // bytes, where it counts as torn
	repeated int64  // bytes, where it counts as a write that was done again
	end      uint64 // of the journal
}

// flipLoss says what a flip of byte n of the specimen's target costs.
func flipLoss(s *specimen, chunks []journal.ChunkInfo, target, n int) loss {
	want := loss{end: s.end()}
	for i, c := range chunks {
		if int64(n) < c.Offset || int64(n) >= c.Offset+c.Size {
			continue
		}
		want.offset, want.from, want.to = c.Offset, c.Base, c.End
		if target == 0 && c.Base == c.End { // the end of an older segment costs nothing
			want.repeated = c.Size
		}
		if target == 1 && i == len(chunks)-1 { // nothing vouches for it
			want.torn, want.end = c.Size, c.Base
			want.from, want.to = 0, 0
		}
	}
	return want
}

// checkLoss opens, reads and verifies a damaged journal.
func checkLoss(ctx context.Context, fsys *journaltest.FS, path string, want loss) error {
	rep, err := journal.Verify(ctx, fsys, dir, nil)
	if err != nil {
		return err
	}
	if rep.End != want.end || rep.TailBytes != want.torn || rep.Repeated != want.repeated || rep.Lost != want.to-want.from || rep.Hits != want.end-rep.Lost {
		return fmt.Errorf("verify: %+v, want %+v", rep, want)
	}
	switch {
	case want.torn+want.repeated > 0 && len(rep.Damages) == 0:
	case want.torn+want.repeated > 0, len(rep.Damages) != 1:
		return fmt.Errorf("verify: %d damages: %v", len(rep.Damages), rep.Damages)
	default:
		d := rep.Damages[0]
		if d.Segment != path || d.Offset != want.offset || d.Lost() > 0 && d.From != want.from {
			return fmt.Errorf("verify: %v, want %+v", d, want)
		}
	}
	j, err := journal.Open(dir, journal.Options{FS: fsys})
	if err != nil {
		return err
	}
	defer j.Close()
	if j.Durable() != want.end {
		return fmt.Errorf("opened: ends at %d, want %d", j.Durable(), want.end)
	}
	return readOver(ctx, j, want)
}

// readOver reads the journal with Skip and checks that just what is lost is left out.
func readOver(ctx context.Context, j *journal.Journal, want loss) error {
	r, err := j.Read(0)
	if err != nil {
		return err
	}
	defer r.Close()
	var c heatmap.Chunk
	damages := 0
	for at := uint64(0); at < want.end; {
		err := r.Next(ctx, &c)
		if corrupt := (*journal.CorruptError)(nil); errors.As(err, &corrupt) {
			if again := r.Next(ctx, &c); again != err {
				return fmt.Errorf("second next gave %v after %v", again, err)
			}
			if damages++; corrupt.Lost() > 0 && corrupt.From != at {
				return fmt.Errorf("%v at position %d", corrupt, at)
			}
			at = max(at, corrupt.To)
			r.Skip()
			continue
		}
		if err != nil {
			return err
		}
		if c.Position != at {
			return fmt.Errorf("chunk of position %d, want %d", c.Position, at)
		}
		at = c.End()
	}
	if wantDamages := b2i(want.torn+want.repeated == 0); damages != wantDamages {
		return fmt.Errorf("read over %d damages, want %d", damages, wantDamages)
	}
	return nil
}

// Named ways to damage a last segment that was closed in order or not, and what must be left of it.
func TestRecover(t *testing.T) {
	f := func(name string, target int, closed bool, damage func(b []byte, chunks []journal.ChunkInfo) []byte, wantEnd func([]journal.ChunkInfo) uint64, wantLost int) {
		t.Helper()
		s := newSpecimen(t, target, 4<<10, closed)
		path := s.paths[target]
		chunks := journal.Chunks(filepath.Base(path), s.files[path])
		fsys := s.with(path, damage(bytes.Clone(s.files[path]), chunks))
		var log bytes.Buffer
		j, err := journal.Open(dir, journal.Options{FS: fsys, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		defer j.Close()
		if want := wantEnd(chunks); j.Durable() != want {
			t.Errorf("%s: ends at %d, want %d\n%s", name, j.Durable(), want, &log)
		}
		rep, err := journal.Verify(t.Context(), fsys, dir, nil)
		if wantLost < 0 { // from the third chunk on
			wantLost = int(chunks[len(chunks)-1].End - chunks[2].Base)
		}
		if err != nil || int(rep.Lost) != wantLost {
			t.Errorf("%s: lost %d hits, %v, want %d", name, rep.Lost, err, wantLost)
		}
		if tells := strings.Contains(log.String(), "torn") || strings.Contains(log.String(), "damaged"); !tells && target == 1 {
			t.Errorf("%s: the log is silent: %s", name, &log)
		}
	}
	last := func(n int) func([]journal.ChunkInfo) uint64 {
		return func(c []journal.ChunkInfo) uint64 { return c[len(c)-n].End }
	}
	zero := func(b []byte, from, to int64) []byte {
		clear(b[from:to])
		return b
	}
	f("zeros behind the end", 1, true, func(b []byte, _ []journal.ChunkInfo) []byte { return append(b, make([]byte, 5000)...) }, last(1), 0)
	f("garbage behind the end", 1, false, func(b []byte, _ []journal.ChunkInfo) []byte { return append(b, bytes.Repeat([]byte("HCNK"), 999)...) }, last(1), 0)
	f("last chunk is zeros", 1, false, func(b []byte, c []journal.ChunkInfo) []byte {
		return zero(b, c[len(c)-1].Offset, int64(len(b)))
	}, last(2), 0)
	f("last two chunks are zeros", 1, false, func(b []byte, c []journal.ChunkInfo) []byte {
		return zero(b, c[len(c)-2].Offset, int64(len(b)))
	}, last(3), 0)
	f("a synced chunk is zeros", 1, false, func(b []byte, c []journal.ChunkInfo) []byte {
		return zero(b, c[2].Offset, c[2].Offset+c[2].Size)
	}, last(1), 15)
	f("two synced chunks are zeros", 1, true, func(b []byte, c []journal.ChunkInfo) []byte {
		return zero(b, c[2].Offset, c[3].Offset+c[3].Size)
	}, last(1), 15+22)
	f("a synced chunk and the last one", 1, false, func(b []byte, c []journal.ChunkInfo) []byte {
		b[c[1].Offset+70] ^= 1
		return zero(b, c[len(c)-1].Offset+8, int64(len(b)))
	}, last(2), 8)
	f("the header of the segment", 1, true, func(b []byte, _ []journal.ChunkInfo) []byte { return zero(b, 0, 128) }, last(1), 0)
	f("an older segment is cut", 0, true, func(b []byte, c []journal.ChunkInfo) []byte {
		return b[:c[2].Offset+9]
	}, func(c []journal.ChunkInfo) uint64 { return c[len(c)-1].End + 1 }, -1)
}

// A chunk in a segment of another journal or at another place is not taken.
func TestMisplaced(t *testing.T) {
	s := newSpecimen(t, 1, 4<<10, true)
	path := s.paths[1]
	b := s.files[path]
	chunks := journal.Chunks(filepath.Base(path), b)
	moved := append(bytes.Clone(b[:chunks[3].Offset]), b[chunks[2].Offset:chunks[2].Offset+chunks[2].Size]...)
	fsys := s.with(path, moved)
	j := mustOpen(t, journal.Options{FS: fsys})
	if j.Durable() != chunks[2].End {
		t.Errorf("ends at %d with a chunk twice, want %d", j.Durable(), chunks[2].End)
	}
	other := newSpecimen(t, 1, 4<<10, true)
	fsys = s.with(path, other.files[other.paths[1]])
	rep, err := journal.Verify(t.Context(), fsys, dir, nil)
	if err != nil || len(rep.Damages) == 0 || !strings.Contains(rep.Damages[0].Error(), "names source") {
		t.Errorf("segment of another journal: %+v, %v", rep, err)
	}
}

// Unknown features are refused: those that change reading altogether, the others for writing.
func TestFeatures(t *testing.T) {
	f := func(offset int, want error, readable bool) {
		t.Helper()
		s := newSpecimen(t, 1, 1<<10, true)
		for _, path := range s.paths {
			b := bytes.Clone(s.files[path])
			b[offset] |= 0x10
			journal.FixHeader(b)
			fsys := s.with(path, b)
			j, err := journal.Open(dir, journal.Options{FS: fsys})
			if err == nil {
				mustClose(t, j)
			}
			if version := (*journal.VersionError)(nil); want == nil && err != nil || want != nil && !errors.Is(err, want) && !errors.As(err, &version) {
				t.Errorf("feature bit at %d: open gives %v, want %v", offset, err, want)
			}
			if !bytes.Equal(fsys.Bytes(path), b) {
				t.Errorf("feature bit at %d: the segment was changed", offset)
			}
			rep, err := journal.Verify(t.Context(), fsys, dir, nil)
			if readable != (err == nil) || readable && rep.Hits != s.end() {
				t.Errorf("feature bit at %d: verify gives %+v, %v", offset, rep, err)
			}
		}
	}
	f(8, new(journal.VersionError), false)  // version
	f(32, new(journal.VersionError), false) // incompat
	f(40, journal.ErrReadOnly, true)        // ro-compat
	f(48, nil, true)                        // compat
}

// A tail that cannot be copied for want of room stays in place, and the journal opens all the same.
func TestTornTailOnFullDisk(t *testing.T) {
	s := newSpecimen(t, 1, 4<<10, false)
	path := s.paths[1]
	fsys := s.with(path, s.files[path][:len(s.files[path])-1])
	full := true
	fsys.FailWhen(func(op journaltest.Op) (journaltest.Fault, bool) {
		return journaltest.ENOSPC, full && strings.Contains(op.Name, ".torn")
	})
	j := mustOpen(t, journal.Options{FS: fsys})
	want := s.ends[len(s.ends)-2]
	if j.Durable() != want || len(fsys.Bytes(path)) != len(s.files[path])-1 {
		t.Errorf("ends at %d with %d bytes, want %d", j.Durable(), len(fsys.Bytes(path)), want)
	}
	extra := journal.NewTraffic(3)(4)
	mustAppend(t, j, extra)
	mustClose(t, j)
	full = false
	j = mustOpen(t, journal.Options{FS: fsys})
	if diff := diffBatches(append(s.batches[:len(s.batches)-1:len(s.batches)-1], extra), readBatches(t, j)); diff != "" {
		t.Error(diff)
	}
}

// A read that fails while the journal opens is an error, never taken for a torn tail.
func TestReadErrorIsNotDamage(t *testing.T) {
	s := newSpecimen(t, 1, 600<<10, false) // takes several reads
	for n := 1; ; n++ {
		fsys := s.with("", nil)
		fsys.FailAt(n, journaltest.EIO)
		j, err := journal.Open(dir, journal.Options{FS: fsys})
		if err == nil {
			mustClose(t, j)
			if fsys.Ops() >= n {
				t.Fatalf("operation %d failed and the journal opened", n)
			}
			break
		}
		if errors.As(err, new(*journal.CorruptError)) {
			t.Fatalf("operation %d failed: %v", n, err)
		}
		fsys.FailWhen(nil)
		rep, err := journal.Verify(t.Context(), fsys, dir, nil)
		if err != nil || rep.Hits != s.end() {
			t.Fatalf("operation %d failed: then %+v, %v", n, rep, err)
		}
	}
	fsys := s.with("", nil)
	j := mustOpen(t, journal.Options{FS: fsys})
	r, err := j.Read(0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var c heatmap.Chunk
	fsys.FailWhen(func(journaltest.Op) (journaltest.Fault, bool) { return journaltest.EIO, true })
	if err := r.Next(t.Context(), &c); err == nil || errors.As(err, new(*journal.CorruptError)) || errors.Is(err, io.EOF) {
		t.Errorf("failed read: %v", err)
	}
	fsys.FailWhen(nil)
	if err := r.Next(t.Context(), &c); err != nil || c.Position != 0 {
		t.Errorf("read again: position %d, %v", c.Position, err)
	}
}
