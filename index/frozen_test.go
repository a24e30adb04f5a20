package index

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/journal"
)

// frozenLog is the first chunks of a log, to which nothing is added.
type frozenLog struct{ *memLog }

func frozenCopy(l *memLog, chunks int) frozenLog {
	older := newMemLog()
	older.id = l.ID()
	all, _ := l.state()
	older.chunks = slices.Clone(all[:chunks])
	return frozenLog{older}
}

func (l frozenLog) Open(position uint64, fields journal.Fields, passes func(*journal.CorruptError) bool) (Reader, error) {
	r, err := l.memLog.Open(position, fields, passes)
	return frozenReader{r.(*memReader)}, err
}

type frozenReader struct{ *memReader }

func (r frozenReader) Next(ctx context.Context, c *heatmap.Chunk) error {
	if chunks, _ := r.log.state(); r.next >= len(chunks) {
		return io.EOF
	}
	return r.memReader.Next(ctx, c)
}

// fill adds batches with clicks only, which are easy to count.
func fill(l *memLog, r *rand.Rand, n int) {
	for range n {
		b := randomBatch(r, 3)
		for i := range b.Hits {
			b.Hits[i].Kind, b.Hits[i].UserAgent = heatmap.KindClick, ""
		}
		l.append(b)
	}
}

// waitFinished waits until all frozen sources are stored.
func waitFinished(t *testing.T, x *Index) {
	t.Helper()
	waitApplied(t, x)
	for len(x.pipelines()) > 1 {
		if err := pause(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}

func clicks(t *testing.T, x *Index, where string) (uint64, map[string]uint64) {
	t.Helper()
	a, err := x.Pages(t.Context(), heatmap.Query{Site: testSite, Bots: true, Where: where})
	if err != nil {
		t.Fatal(err)
	}
	return a.Hits, a.Positions
}

// TestFrozenSources follows a source that loses its end, at once and by a crash, is frozen, gets back what it lost, and goes.
func TestFrozenSources(t *testing.T) {
	r, store := rand.New(rand.NewPCG(3, 4)), newMapStore()
	old, fresh := newMemLog(), newMemLog()
	fresh.id = "jnew"
	fill(old, r, 100)
	x := openTest(t, Options{Store: store, Source: old})
	waitApplied(t, x)
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	stored := old.Durable()
	fill(old, r, 50)
	fill(fresh, r, 30)
	f := func(name string, chunks int, end uint64) {
		t.Helper()
		copied := frozenCopy(old, chunks)
		for range 2 { // the second start has nothing left to do
			x := openTest(t, Options{Store: store, Source: fresh, Frozen: []Source{copied}, CacheBytes: minCacheBytes})
			hits, at := clicks(t, x, "")
			if want := (map[string]uint64{old.ID(): end, "jnew": fresh.Durable()}); hits != end+fresh.Durable() || !maps.Equal(at, want) {
				t.Errorf("%s: %d hits at %v, want those below %v", name, hits, at, want)
			}
			hits, at = clicks(t, x, "x >= 0")
			if want := (map[string]uint64{old.ID(): copied.Durable(), "jnew": fresh.Durable()}); hits != copied.Durable()+fresh.Durable() || !maps.Equal(at, want) {
				t.Errorf("%s: scan of %d hits at %v, want those below %v", name, hits, at, want)
			}
			waitFinished(t, x)
			if hits, at := clicks(t, x, ""); hits != end+fresh.Durable() || at[old.ID()] != end {
				t.Errorf("%s: %d hits at %v when all is stored", name, hits, at)
			}
			if err := x.Ready(); err != nil {
				t.Errorf("%s: not ready: %v", name, err)
			}
			if err := x.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	f("older copy", 40, stored)
	f("still older", 1, stored)
	f("empty", 0, stored)
	f("newer than the store", 120, positionOf(old, 120))
	f("older than before", 110, positionOf(old, 120))
	f("newest", 150, old.Durable())

	var log strings.Builder
	x = openTest(t, Options{Store: store, Source: fresh, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	defer x.kill()
	waitApplied(t, x)
	hits, at := clicks(t, x, "")
	if want := (map[string]uint64{old.ID(): old.Durable(), "jnew": fresh.Durable()}); hits != old.Durable()+fresh.Durable() || !maps.Equal(at, want) {
		t.Errorf("gone: %d hits at %v, want those below %v", hits, at, want)
	}
	if !strings.Contains(log.String(), "not there") || !strings.Contains(log.String(), old.ID()) {
		t.Errorf("the log does not say that a journal is gone:\n%s", log.String())
	}
}

func positionOf(l *memLog, chunks int) uint64 {
	all, _ := l.state()
	return all[chunks-1].End()
}

// TestFrozenRecovers kills an index again and again while it catches up a frozen source beside one that grows: every answer
// is an exact prefix of both.
func TestFrozenRecovers(t *testing.T) {
	r, store := rand.New(rand.NewPCG(5, 6)), newMapStore()
	old, fresh := newMemLog(), newMemLog()
	fresh.id = "jnew"
	fill(old, r, 2000)
	frozen := frozenCopy(old, 2000)
	for round := range 40 {
		fill(fresh, r, 50)
		x := openTest(t, Options{
			Store: store, Source: fresh, Frozen: []Source{frozen}, CacheBytes: minCacheBytes, FlushEvery: time.Millisecond,
			CheckpointEvery: time.Millisecond, Workers: 1 + round%3,
		})
		hits, at := clicks(t, x, "")
		if want := at[old.ID()] + at["jnew"]; hits != want || len(at) != 2 {
			t.Fatalf("round %d: %d hits at %v", round, hits, at)
		}
		if round%5 == 4 {
			waitFinished(t, x)
		}
		if round%2 == 0 {
			x.kill()
		} else if err := x.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFrozenExport exports below positions of several sources.
func TestFrozenExport(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	old, fresh := newMemLog(), newMemLog()
	fresh.id = "jnew"
	fill(old, r, 20)
	fill(fresh, r, 30)
	x := openTest(t, Options{Store: newMapStore(), Source: fresh, Frozen: []Source{frozenCopy(old, 20)}})
	defer x.kill()
	waitApplied(t, x)
	f := func(positions map[string]uint64, want uint64) {
		t.Helper()
		var n uint64
		err := x.Export(t.Context(), heatmap.Query{Site: testSite}, positions, func(*heatmap.Hit) error { n++; return nil })
		if bad := (*heatmap.ParamError)(nil); want == 0 != errors.As(err, &bad) || n != want {
			t.Errorf("exported %d hits below %v, %v; want %d", n, positions, err, want)
		}
	}
	f(nil, old.Durable()+fresh.Durable())
	f(map[string]uint64{"jmem": 3, "jnew": 4}, 7)
	f(map[string]uint64{"jmem": 3}, 3)
	f(map[string]uint64{"jnew": 4}, 4)
	f(map[string]uint64{"jmem": old.Durable() + 1}, 0)
	f(map[string]uint64{"jmem": 3, "jother": 1}, 0)
}
