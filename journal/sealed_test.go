package journal_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"heatlog/heatmap"
	"heatlog/journal"
	"heatlog/journal/journaltest"
)

// sealedSpecimen is a journal whose first segment is sealed, in blocks of a few chunks, and is to be damaged.
type sealedSpecimen struct {
	files    map[string][]byte
	sealed   string // path
	manifest string
	source   []byte // the segment that was sealed
	chunks   []heatmap.Chunk
	blocks   []journal.ChunkInfo // and the footer
	end      uint64
	sealEnd  uint64
}

func newSealedSpecimen(t testing.TB, size int64, blockHits int) *sealedSpecimen {
	t.Helper()
	fsys := new(journaltest.FS)
	nowFn, now := clock()
	j := mustOpen(t, journal.Options{FS: fsys, Now: nowFn, SegmentBytes: size})
	j.SetBlockHits(blockHits)
	for i := uint64(0); j.Stats().Segments < 2; i++ {
		fillMixed(t, j, now, i, 9)
	}
	s := &sealedSpecimen{files: map[string][]byte{}, chunks: readTo(t, j, 0, j.Durable()), end: j.Durable()}
	for _, name := range fsys.Names() {
		if strings.HasSuffix(name, "-00000001.hj") {
			s.source, s.sealed = bytes.Clone(fsys.Bytes(name)), name+"s"
		}
	}
	mustSeal(t, j)
	mustClose(t, j)
	for _, name := range fsys.Names() {
		s.files[name] = fsys.Bytes(name)
		if strings.HasSuffix(name, "MANIFEST") {
			s.manifest = name
		}
	}
	whole := s.files[s.sealed]
	s.blocks = journal.Chunks(filepath.Base(s.sealed), whole[:len(whole)-16])
	s.sealEnd = s.blocks[len(s.blocks)-1].Base
	if len(s.blocks) < 3 || s.manifest == "" {
		t.Fatalf("%d blocks of %d bytes, manifest %q", len(s.blocks), len(whole), s.manifest)
	}
	return s
}

func (s *sealedSpecimen) with(path string, content []byte) *journaltest.FS {
	return (&specimen{files: s.files}).with(path, content)
}

// lostBy gives the hits that cost a change to bytes from to to-1.
func (s *sealedSpecimen) lostBy(from, to int64) (lost uint64) {
	for _, b := range s.blocks {
		if from < b.Offset+b.Size && to > b.Offset {
			lost += b.End - b.Base
		}
	}
	return lost
}

// readOverAll reads all that can be read and gives the positions that are lost.
func readOverAll(ctx context.Context, j *journal.Journal, want []heatmap.Chunk) (lost uint64, damages int, err error) {
	r, err := j.Read(0)
	if err != nil {
		return 0, 0, err
	}
	defer r.Close()
	byPos := map[uint64]*heatmap.Chunk{}
	for i := range want {
		byPos[want[i].Position] = &want[i]
	}
	var c heatmap.Chunk
	for at := uint64(0); at < j.Durable(); {
		err := r.Next(ctx, &c)
		if corrupt := (*journal.CorruptError)(nil); errors.As(err, &corrupt) {
			if corrupt.Lost() > 0 && corrupt.From != at {
				return 0, 0, fmt.Errorf("%w at %d", err, at)
			}
			damages++
			lost += corrupt.Lost()
			at = max(at, corrupt.To)
			r.Skip()
			continue
		}
		if err != nil {
			return 0, 0, err
		}
		w := byPos[c.Position]
		if c.Position != at || w == nil || w.Appended != c.Appended || diffBatches(w.Batches, c.Batches) != "" {
			return 0, 0, fmt.Errorf("chunk of position %d at %d is not what was written", c.Position, at)
		}
		at = c.End()
	}
	return lost, damages, nil
}

// checkSealedDamage opens, reads and verifies a journal whose sealed segment or MANIFEST is damaged.
func checkSealedDamage(ctx context.Context, fsys *journaltest.FS, s *sealedSpecimen, lost uint64, inSegment bool) error {
	rep, err := journal.Verify(ctx, fsys, dir, nil)
	if err != nil {
		return err
	}
	if rep.Lost != lost || rep.Hits != s.end-lost || rep.End != s.end || len(rep.Manifest) == 0 || inSegment && len(rep.Damages) == 0 {
		return fmt.Errorf("verify: %+v, want %d lost", rep, lost)
	}
	for _, d := range rep.Damages {
		if d.Segment != s.sealed || d.Offset > int64(len(s.files[s.sealed])) {
			return fmt.Errorf("verify: %w", d)
		}
	}
	j, err := journal.Open(dir, journal.Options{FS: fsys})
	if err != nil {
		return err
	}
	defer j.Close()
	got, damages, err := readOverAll(ctx, j, s.chunks)
	if err != nil || got != lost || inSegment != (damages > 0) {
		return fmt.Errorf("read: %d lost in %d damages, %w, want %d", got, damages, errors.Join(err), lost)
	}
	return nil
}

// A sealed segment that ends anywhere gives what is whole of it and tells exactly what is lost; so it does as the last
// segment.
func TestCutSealedAtEveryByte(t *testing.T) {
	size := int64(96 << 10)
	if journaltest.Torture() {
		size = 256 << 10
	}
	s := newSealedSpecimen(t, size, 600)
	whole := s.files[s.sealed]
	row := journaltest.Begin(t, "a sealed segment is cut", len(whole)/sparse, 0)
	row.Found("%d bytes in %d blocks, sealed of %d bytes", len(whole), len(s.blocks)-1, len(s.source))
	err := row.Each(len(whole)/sparse, func(i int) error {
		n := i * sparse
		lost := s.lostBy(int64(n), int64(len(whole)))
		switch {
		case n%100 != 0:
			j := openOne(t, journal.Options{FS: s.with(s.sealed, whole[:n])})
			defer j.Close()
			if err := checkLossAt(t.Context(), j, s.sealEnd-lost, s.sealEnd, s.sealed, n%9 == 0); err != nil {
				return fmt.Errorf("cut at %d of %d: %w", n, len(whole), err)
			}
			return nil
		case n%300 == 0:
			checkCutLast(t, s, n, lost)
		}
		if err := checkSealedDamage(t.Context(), s.with(s.sealed, whole[:n]), s, lost, true); err != nil {
			return fmt.Errorf("cut at %d of %d: %w", n, len(whole), err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkCutLast cuts the sealed segment where it is the only one, as after a restore of what is sealed.
func checkCutLast(t *testing.T, s *sealedSpecimen, n int, lost uint64) {
	t.Helper()
	fsys := s.with(s.sealed, s.files[s.sealed][:n])
	for _, name := range fsys.Names() {
		if strings.HasSuffix(name, ".hj") {
			if err := fsys.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	j := openOne(t, journal.Options{FS: fsys})
	defer j.Close()
	if j.Durable() != s.sealEnd {
		t.Fatalf("cut at %d: journal ends at %d, want %d", n, j.Durable(), s.sealEnd)
	}
	if end := mustAppend(t, j, journal.NewTraffic(1)(3)); end != s.sealEnd+3 {
		t.Fatalf("cut at %d: append ends at %d, want %d", n, end, s.sealEnd+3)
	}
	rep, err := journal.Verify(t.Context(), fsys, dir, nil)
	if err != nil || rep.Lost != lost || rep.Hits != s.sealEnd-lost+3 {
		t.Fatalf("cut at %d: verify %+v, %v, want %d lost", n, rep, err, lost)
	}
}

// MANIFEST that ends anywhere or has a changed bit is found out, costs no hit, and the next Seal makes it anew.
func TestDamagedManifest(t *testing.T) {
	s := newSealedSpecimen(t, 8<<10, 60)
	whole, tries := s.files[s.manifest], 0
	row := journaltest.Begin(t, "MANIFEST is cut and its bits are flipped", 0, 0)
	row.Found("%d bytes", len(whole))
	f := func(what string, content []byte) {
		t.Helper()
		row.Done(1)
		fsys := s.with(s.manifest, content)
		if err := checkSealedDamage(t.Context(), fsys, s, 0, false); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if tries++; tries%20 != 1 {
			return
		}
		j := openOne(t, journal.Options{FS: fsys})
		if rep := mustSeal(t, j); rep.Listed != 1 {
			t.Fatalf("%s: seal %+v", what, rep)
		}
		mustClose(t, j)
		mustVerify(t, fsys)
		if got := fsys.Bytes(s.manifest); !bytes.Equal(got, whole) {
			t.Fatalf("%s: made anew it is\n%s, was\n%s", what, got, whole)
		}
	}
	for n := range whole {
		f(fmt.Sprintf("cut at %d", n), whole[:n])
		for bit := range 8 {
			if bit != n%8 && !journaltest.Torture() {
				continue
			}
			damaged := bytes.Clone(whole)
			damaged[n] ^= 1 << bit
			f(fmt.Sprintf("byte %d bit %d", n, bit), damaged)
		}
	}
	fsys := s.with("", nil)
	if err := fsys.Remove(s.manifest); err != nil {
		t.Fatal(err)
	}
	if rep, err := journal.Verify(t.Context(), fsys, dir, nil); err != nil || len(rep.Manifest) != 1 || !errors.Is(rep.Manifest[0], journal.ErrManifest) {
		t.Errorf("verify without a manifest: %+v, %v", rep, err)
	}
}

// MANIFEST finds out a sealed segment that is sound but not the one that was sealed, and one that is gone.
func TestManifestFindsStranger(t *testing.T) {
	s := newSealedSpecimen(t, 8<<10, 60)
	other := newSealedSpecimen(t, 12<<10, 60) // of another source
	fsys := s.with(s.manifest, bytes.Replace(s.files[s.manifest], []byte("# first 0"), []byte("# first 0"), 1))
	if err := fsys.Remove(s.sealed); err != nil {
		t.Fatal(err)
	}
	rep, err := journal.Verify(t.Context(), fsys, dir, nil)
	if err != nil || len(rep.Manifest) != 1 || !errors.Is(rep.Manifest[0], journal.ErrMissing) {
		t.Errorf("verify without the segment: %+v, %v", rep, err)
	}
	rep, err = journal.Verify(t.Context(), s.with(s.sealed, other.files[other.sealed]), dir, nil)
	if err != nil || len(rep.Manifest) != 1 || !errors.Is(rep.Manifest[0], journal.ErrChanged) {
		t.Errorf("verify with another segment: %+v, %v", rep, err)
	}
}

// checkLossAt reads from position from, where all up to position to is lost and what is behind it is not. Nothing is lost if
// both are equal: then damage without a loss must be told at the start. What is behind is read only if asked for.
func checkLossAt(ctx context.Context, j *journal.Journal, from, to uint64, segment string, behind bool) error {
	start := from
	if from == to {
		start = 0
	}
	r, err := j.Read(start)
	if err != nil {
		return err
	}
	defer r.Close()
	var c heatmap.Chunk
	for lost := from == to; ; {
		err := r.Next(ctx, &c)
		corrupt := (*journal.CorruptError)(nil)
		if errors.As(err, &corrupt) && corrupt.Lost() == 0 && corrupt.Segment == segment {
			r.Skip()
			lost = true
			continue
		}
		if lost && from == to {
			return err
		}
		if corrupt == nil || corrupt.From != from || corrupt.To > to || corrupt.Segment != segment {
			return fmt.Errorf("%w, want the loss of %d to %d", err, from, to)
		}
		r.Skip()
		if from = corrupt.To; from < to {
			continue
		}
		if !behind {
			return nil
		}
		if err := r.Next(ctx, &c); err != nil || c.Position != to {
			return fmt.Errorf("behind the loss: position %d, %w, want %d", c.Position, errors.Join(err), to)
		}
		return nil
	}
}

// Every changed bit of a sealed segment is found, and costs exactly its block.
func TestFlipSealedBits(t *testing.T) {
	s := newSealedSpecimen(t, 95<<10, 250)
	size := len(s.files[s.sealed])
	if size < 60<<10 {
		t.Fatalf("sealed segment has %d bytes", size)
	}
	type rig struct {
		fsys *journaltest.FS
		j    *journal.Journal
	}
	rigs := sync.Pool{New: func() any {
		fsys := s.with("", nil)
		return &rig{fsys, mustOpen(t, journal.Options{FS: fsys})}
	}}
	bits, seed := sampleBits(t, 8*size)
	row := journaltest.Begin(t, "bits of a sealed segment are flipped", len(bits), seed)
	row.Found("%d bytes in %d blocks", size, len(s.blocks)-1)
	err := row.Each(len(bits), func(i int) error {
		r := rigs.Get().(*rig)
		defer rigs.Put(r)
		n, bit := bits[i]/8, bits[i]%8
		live := r.fsys.Bytes(s.sealed)
		live[n] ^= 1 << bit
		defer func() { live[n] ^= 1 << bit }()
		if err := checkFlip(t.Context(), r.j, r.fsys, s, int64(n), i%500 == 0); err != nil {
			return fmt.Errorf("byte %d bit %d of %d: %w", n, bit, size, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// checkFlip looks at a journal with a changed byte at n: in a block through a reader, elsewhere, and if all is asked for,
// with Verify and after another start.
func checkFlip(ctx context.Context, j *journal.Journal, fsys *journaltest.FS, s *sealedSpecimen, n int64, all bool) error {
	for _, b := range s.blocks {
		if n >= b.Offset && n < b.Offset+b.Size && b.End > b.Base && !all {
			return checkLossAt(ctx, j, b.Base, b.End, s.sealed, n%50 == 0)
		}
	}
	damaged := s.with(s.sealed, fsys.Bytes(s.sealed))
	if all {
		return checkSealedDamage(ctx, damaged, s, s.lostBy(n, n+1), true)
	}
	again, err := journal.Open(dir, journal.Options{FS: damaged})
	if err != nil {
		return err
	}
	defer again.Close()
	return checkLossAt(ctx, again, 0, 0, s.sealed, false)
}

// A read that fails is not damage: the next try goes on.
func TestSealedReadError(t *testing.T) {
	s := newSealedSpecimen(t, 8<<10, 60)
	fsys := s.with("", nil)
	j := mustOpen(t, journal.Options{FS: fsys})
	r, err := j.Read(0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fsys.FailWhen(func(op journaltest.Op) (journaltest.Fault, bool) { return journaltest.EIO, op.Kind == "read" })
	var c heatmap.Chunk
	if err := r.Next(t.Context(), &c); err == nil || errors.As(err, new(*journal.CorruptError)) || errors.Is(err, io.EOF) {
		t.Fatalf("read error: %v", err)
	}
	fsys.FailWhen(nil)
	if err := r.Next(t.Context(), &c); err != nil || c.Position != 0 {
		t.Fatalf("after it: %v, position %d", err, c.Position)
	}
}

// A block that declares more than it holds or than a block may hold is refused before room is made for it.
func TestBlockBombs(t *testing.T) {
	chunks := blockSeeds()[0]
	payload, raw := journal.EncodeBlock(chunks)
	f := func(what string, change func(b []byte) []byte, raw int) {
		t.Helper()
		b := change(bytes.Clone(payload))
		var err error
		allocated := testing.AllocsPerRun(1, func() { _, err = journal.DecodeBlock(b, raw, 1, 10, journal.AllFields) })
		if err == nil {
			t.Errorf("%s: taken, %v allocations", what, allocated)
		}
	}
	put := func(at int, v uint32) func(b []byte) []byte {
		return func(b []byte) []byte {
			binary.LittleEndian.PutUint32(b[at:], v)
			return b
		}
	}
	same := func(b []byte) []byte { return b }
	if _, err := journal.DecodeBlock(payload, raw, 1, 10, journal.AllFields); err != nil {
		t.Fatal(err)
	}
	for i := range 16 {
		f(fmt.Sprintf("count %d", i), put(4*i, 1<<31), raw)
		f(fmt.Sprintf("count %d", i), put(4*i, 11), raw)
	}
	f("streams", put(64, 1<<30), raw)
	f("length of a stream", put(72, 1<<31), raw)
	f("stored length of a stream", put(76, 1<<31), raw)
	f("less than declared", same, raw+1)
	f("more than declared", same, raw-1)
	f("more than the limit", same, 65<<20)
	f("bytes behind the streams", func(b []byte) []byte { return append(b, 0) }, raw)
}
