package journal_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"heatlog/heatmap"
	"heatlog/journal"
)

// survivors gives the chunks of a log that can be read.
func survivors(t *testing.T, l *journal.Log) (chunks []heatmap.Chunk) {
	t.Helper()
	r, err := l.Read(l.First())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for at := l.First(); at < l.Durable(); {
		var c heatmap.Chunk
		err := r.Next(t.Context(), &c)
		var damage *journal.CorruptError
		switch {
		case err == nil:
			chunks, at = append(chunks, c), c.End()
		case errors.As(err, &damage):
			at = damage.To
			r.Skip()
		default:
			t.Fatal(err)
		}
	}
	return chunks
}

// checkBefore compares Before with the chunks that can be read, for times around each of them.
func checkBefore(t *testing.T, l *journal.Log) {
	t.Helper()
	chunks := survivors(t, l)
	times := []int64{0, 1 << 60}
	for _, c := range chunks {
		times = append(times, c.Appended-1, c.Appended, c.Appended+1)
	}
	for _, at := range times {
		var want int64
		var wantOK bool
		for _, c := range chunks {
			if c.Appended < at {
				want, wantOK = c.Appended, true
			}
		}
		if got, ok, err := l.Before(at); got != want || ok != wantOK || err != nil {
			t.Fatalf("before %d: %d %t, %v; want %d %t", at, got, ok, err, want, wantOK)
		}
	}
}

func TestBefore(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		path, rng := t.TempDir(), rand.New(rand.NewPCG(5, 5))
		tick, now := clock()
		o := journal.Options{SegmentBytes: 8 << 10, Now: tick}
		open := func() *journal.Journal {
			t.Helper()
			j, err := journal.Open(path, o)
			if err != nil {
				t.Fatal(err)
			}
			return j
		}
		j := open()
		checkBefore(t, &j.Log)
		j.SetBlockHits(50)
		fillMixed(t, j, now, 5, 120)
		if sealed {
			mustSeal(t, j)
		}
		checkBefore(t, &j.Log)
		mustClose(t, j)
		j = open()
		checkBefore(t, &j.Log)
		if sealed {
			keep := j.Stats().Bytes / 2
			if rep := mustPrune(t, j, journal.PruneOptions{KeepBytes: keep}); rep.Segments == 0 {
				t.Fatalf("nothing is pruned: %+v", rep)
			}
			checkBefore(t, &j.Log)
		}
		source := j.Source()
		mustClose(t, j)
		damageEach(t, filepath.Join(path, source), rng, func() {
			j := open()
			checkBefore(t, &j.Log)
			mustClose(t, j)
		})
		j = mustFreeze(t, open())
		checkBefore(t, j.Frozen()[0])
		mustClose(t, j)
	}
}

// damageEach flips a random byte of each segment, of its middle and of its first 200, calls fn, and puts the file back.
func damageEach(t *testing.T, dir string, rng *rand.Rand, fn func()) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(dir, "*.hj*"))
	if err != nil || len(segments) < 3 {
		t.Fatalf("segments %v, %v", segments, err)
	}
	for _, path := range segments[:len(segments)-1] {
		sound, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []int{rng.IntN(200), 200 + rng.IntN(len(sound)-200), len(sound) - 1 - rng.IntN(80)} {
			bad := append([]byte(nil), sound...)
			bad[at] ^= 0x10
			write := func(b []byte) {
				t.Helper()
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(bad)
			fn()
			write(sound)
		}
	}
}
