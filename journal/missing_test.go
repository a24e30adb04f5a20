package journal_test

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"heatlog/heatmap"
	"heatlog/journal"
	"heatlog/journal/journaltest"
)

// threeSealed is a journal of three sealed segments and one that is written.
func threeSealed(t *testing.T) (fsys *journaltest.FS, names []string) {
	t.Helper()
	fsys = new(journaltest.FS)
	batch := journal.NewTraffic(3)
	for range 4 {
		j := mustOpen(t, journal.Options{FS: fsys})
		mustAppend(t, j, batch(5))
		if _, err := j.Seal(t.Context()); err != nil {
			t.Fatal(err)
		}
		mustClose(t, j)
	}
	for _, name := range fsys.Names() {
		if strings.HasSuffix(name, ".hjs") {
			names = append(names, name)
		}
	}
	if len(names) != 3 {
		t.Fatalf("sealed are %v", names)
	}
	return fsys, names
}

// TestMissingSegment takes away sealed segments that lie between others: each is told as what is lost, and no other.
func TestMissingSegment(t *testing.T) {
	f := func(remove ...int) {
		t.Helper()
		fsys, names := threeSealed(t)
		for _, n := range remove {
			if err := fsys.Remove(names[n]); err != nil {
				t.Fatal(err)
			}
		}
		check := func(damages []*journal.CorruptError) {
			t.Helper()
			if len(damages) != len(remove) {
				t.Fatalf("without %v: damages are %v", remove, damages)
			}
			for i, n := range remove {
				d := damages[i]
				if d.Segment != names[n] || !errors.Is(d, journal.ErrMissing) || d.From != uint64(5*n) || d.To != uint64(5*n+5) || d.Offset != 0 {
					t.Errorf("without %v: damage %v", remove, d)
				}
			}
		}
		rep, err := journal.Verify(t.Context(), fsys, dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		check(rep.Damages)
		if rep.Hits != uint64(20-5*len(remove)) || rep.End != 20 {
			t.Errorf("without %v: %d hits up to %d", remove, rep.Hits, rep.End)
		}
		var log bytes.Buffer
		j := mustOpen(t, journal.Options{FS: fsys, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		r, err := j.Read(0)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		hits, damages := drain(t, r, 20)
		check(damages)
		if hits != 20-5*len(remove) {
			t.Errorf("without %v: %d hits are read", remove, hits)
		}
		if n := strings.Count(log.String(), "sealed segment is missing"); n != len(remove) {
			t.Errorf("without %v: logged is\n%s", remove, log.String())
		}
		mustClose(t, j)
	}
	f(1)
	f(2)
	f(1, 2)
}

// TestTornHeader cuts the header of the last segment short: that is a torn write to all who look, and no damage.
func TestTornHeader(t *testing.T) {
	fsys, _ := threeSealed(t)
	j := mustOpen(t, journal.Options{FS: fsys})
	mustAppend(t, j, journal.NewTraffic(4)(5))
	mustClose(t, j)
	last := ""
	for _, name := range fsys.Names() {
		if strings.HasSuffix(name, ".hj") {
			last = name
		}
	}
	whole := fsys.Bytes(last)
	for _, n := range []int{1, 10, 63} {
		cut := fsys.Clone()
		cut.Put(last, whole[:n])
		rep, err := journal.Verify(t.Context(), cut, dir, nil)
		if err != nil || len(rep.Damages) != 0 || rep.TailBytes != int64(n) {
			t.Errorf("header cut at %d: damages %v, %d bytes of tail, error %v", n, rep.Damages, rep.TailBytes, err)
		}
		var log bytes.Buffer
		mustClose(t, mustOpen(t, journal.Options{FS: cut, Logger: slog.New(slog.NewTextHandler(&log, nil))}))
		if strings.Contains(log.String(), "damaged") || !strings.Contains(log.String(), "torn") {
			t.Errorf("header cut at %d: logged is\n%s", n, log.String())
		}
	}
}

// TestVerifyWithoutIdentity reads all of a source that has lost its name, and says so.
func TestVerifyWithoutIdentity(t *testing.T) {
	fsys, names := threeSealed(t)
	if err := fsys.Remove(filepath.Join(filepath.Dir(names[0]), "IDENTITY")); err != nil {
		t.Fatal(err)
	}
	rep, err := journal.Verify(t.Context(), fsys, dir, nil)
	if err != nil || rep.Hits != 20 || !errors.Is(rep.Identity, journal.ErrIdentity) {
		t.Errorf("report %+v, error %v", rep, err)
	}
}

// drain reads up to a position over all damage.
func drain(t *testing.T, r *journal.Reader, end uint64) (hits int, damages []*journal.CorruptError) {
	t.Helper()
	var c heatmap.Chunk
	for at := uint64(0); at < end; {
		err := r.Next(t.Context(), &c)
		if corrupt := (*journal.CorruptError)(nil); errors.As(err, &corrupt) {
			damages = append(damages, corrupt)
			at = corrupt.To
			r.Skip()
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		hits += c.Count
		at = c.End()
	}
	return hits, damages
}

// TestPruneMissingSegment prunes over a segment that is not there.
func TestPruneMissingSegment(t *testing.T) {
	fsys, names := threeSealed(t)
	if err := fsys.Remove(names[1]); err != nil {
		t.Fatal(err)
	}
	j := mustOpen(t, journal.Options{FS: fsys})
	rep, err := j.Prune(t.Context(), journal.PruneOptions{KeepBytes: 1})
	if err != nil || rep.Segments != 3 || rep.First != 15 {
		t.Errorf("report %+v, error %v", rep, err)
	}
	mustClose(t, j)
	if rep, err := journal.Verify(t.Context(), fsys, dir, nil); err != nil || len(rep.Damages)+len(rep.Manifest) != 0 || rep.Hits != 5 {
		t.Errorf("report %+v, error %v", rep, err)
	}
}
