package index

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"heatlog/heatmap"
	"heatlog/journal"
)

// TestScan asks random worlds everything that a scan can answer, and compares with a recount that reads all through one stream: by one
// worker, two and seven, from all positions or some, at the end and wherever the scan says how far it is.
func TestScan(t *testing.T) {
	t.Parallel()
	rules := map[string]string{
		"plain":         "",
		"exclude":       "exclude: ['visitor == \"v3\"', 'y % 1000 > 10']\nurls: {groups: [{match: 'https://shop.example/p/*', page: 'https://shop.example/p/:id'}]}\ncell: 16",
		"dead by log":   "dead: {from: log, window: 1000}",
		"repeat clicks": "repeat_clicks: {window: 800, radius: 10}\ninternal_tags: ['sampled:1']",
	}
	seed := uint64(0)
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		for _, how := range []string{"sealed", "frozen", "pruned"} {
			seed++
			t.Run(name+" "+how, func(t *testing.T) {
				t.Parallel()
				w := newScanWorld(t, seed, "shop", "docs", "blog", "rare")
				w.fill(300)
				w.seal()
				switch how {
				case "frozen":
					j, err := w.j.Freeze()
					w.must(err)
					w.j = j
					w.fill(150)
					w.seal()
				case "pruned":
					_, err := w.j.Prune(t.Context(), journal.PruneOptions{OlderThan: w.clock.Load() - 100*bucketMillis})
					w.must(err)
				}
				w.fill(30)
				w.checkScans(w.index(rules[name]), 5)
			})
		}
	}
}

// checkScans asks so many random queries.
func (w *scanWorld) checkScans(x *Index, queries int) {
	w.Helper()
	ends, err := x.scanEnds(w.Context())
	w.must(err)
	for i := range queries {
		q := w.query()
		from := make([]uint64, len(ends))
		if i%2 == 1 {
			for k := range from {
				from[k] = w.rand.Uint64N(ends[k] + 1)
			}
		}
		all := w.aggregates(x, q)
		names := slices.Sorted(maps.Keys(all))
		w.rand.Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
		for _, name := range names[:4] {
			of := all[name]
			w.checkScan(x, fmt.Sprintf("%s of %+v from %d", name, q, from), of, from, ends)
		}
	}
}

// checkScan fills an aggregate by scans and by recounts.
func (w *scanWorld) checkScan(x *Index, what string, of func() (*plan, aggregate), from, ends []uint64) {
	w.Helper()
	recount := func(to []uint64) string {
		pl, a := of()
		w.must(recountScan(w.Context(), x, pl, a, from, to))
		return digest(a)
	}
	want := recount(ends)
	pl, a := of()
	var last scanned
	var passed []string
	workers := []int{1, 2, 7}[w.rand.IntN(3)]
	o := scanOptions{from: from, workers: workers, stretch: uint64(1 + w.rand.IntN(300)), moved: func(at scanned) {
		if last = at; w.rand.IntN(150) == 0 && digest(a) != recount(at.positions) {
			passed = append(passed, fmt.Sprint(at.positions))
		}
	}}
	prefix, err := x.scanRange(w.Context(), pl, a, o)
	w.must(err)
	if got := digest(a); got != want {
		w.Fatalf("%s by %d workers: got\n%s\nwant\n%s", what, workers, got, want)
	}
	if len(passed) > 0 {
		w.Fatalf("%s by %d workers: at %s it is not what a recount gives", what, workers, passed)
	}
	if !slices.Equal(last.positions, ends) || last.done != last.total {
		w.Fatalf("%s: ends at %+v, want %d", what, last, ends)
	}
	for i, f := range x.feeds {
		id, first := f.source.ID(), f.source.First()
		if kept := prefix.KeptFrom[id]; prefix.Positions[id] != ends[i] || first > from[i] && kept != first || first <= from[i] && kept != 0 {
			w.Fatalf("%s: prefix %+v, want %d of %d", what, prefix, ends, first)
		}
	}
}

// TestScanSkips begins at one position after the other, and asks for one range of time after the other, whose first hits depend on others
// that are not counted. What is neither is not read.
func TestScanSkips(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "dead: {from: log, window: 1000}"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newScanWorld(t, 50, "shop", "docs")
			w.fill(250)
			w.seal()
			x := w.index(name)
			ends, err := x.scanEnds(t.Context())
			w.must(err)
			for _, kind := range []heatmap.Kind{heatmap.KindClick, heatmap.KindRage, heatmap.KindDead} {
				for step := range uint64(30) {
					q := heatmap.Query{Site: "shop"}
					from := []uint64{ends[0] * step / 30}
					if step%2 == 1 {
						q.From = heatmap.Bound{Set: true, Instant: w.appended(x, from[0])}
						from[0] = 0
					}
					w.checkScan(x, fmt.Sprintf("%s of %+v from %d", kind, q, from), w.aggregates(x, q)[kind.String()], from, ends)
				}
			}
			before := x.Stats().ScannedHits
			pl, err := x.newPlan(t.Context(), heatmap.Query{Site: "nowhere"})
			w.must(err)
			_, err = x.scan(t.Context(), pl, newSumAggregate(pl, heatmap.KindClick))
			w.must(err)
			if read := x.Stats().ScannedHits - before; read > ends[0]/10 {
				t.Errorf("%d hits of %d are read for a site that has none", read, ends[0])
			}
		})
	}
}

// appended gives the append time of a position.
func (w *scanWorld) appended(x *Index, position uint64) int64 {
	w.Helper()
	reader, _, err := openFrom(x.active().source, position)
	w.must(err)
	defer reader.Close()
	var c heatmap.Chunk
	w.must(reader.Next(w.Context(), &c))
	return c.Appended
}

// TestScanDamage flips bytes of sealed segments: scans leave out what a recount does, or end with the damage if they must not pass it.
func TestScanDamage(t *testing.T) {
	t.Parallel()
	w := newScanWorld(t, 70, "shop")
	w.fill(150)
	w.seal()
	w.fill(20)
	w.must(w.j.Close())
	sealed := slices.DeleteFunc(w.fsys.Names(), func(name string) bool { return !strings.HasSuffix(name, ".hjs") })
	for i := 1; i < len(sealed); i += 4 {
		content := slices.Clone(w.fsys.Bytes(sealed[i]))
		content[len(content)/2] ^= 1
		w.fsys.Put(sealed[i], content)
	}
	w.open()
	x := w.index("repeat_clicks: {window: 800, radius: 10}")
	ends, err := x.scanEnds(t.Context())
	w.must(err)
	before := x.Stats().ScannedHits
	for name, of := range w.aggregates(x, heatmap.Query{Site: "shop"}) {
		w.checkScan(x, name, of, []uint64{0}, ends)
	}
	if read := x.Stats().ScannedHits - before; read == 0 || read >= 10*ends[0] {
		t.Errorf("%d hits are read ten times, of %d: none is lost", read, ends[0])
	}
	y := &Index{options: x.options, feeds: []*feed{{source: JournalSource(w.j, nil)}}}
	pl, err := x.newPlan(t.Context(), heatmap.Query{Site: "shop"})
	w.must(err)
	o := scanOptions{workers: 3, stretch: 1}.withDefaults()
	s := y.newScanning(pl, pagesAggregate{newPageCounts(pl)}, &o, ends, y.pins.add())
	defer s.pinned.release()
	var damage *journal.CorruptError
	if err := s.run(t.Context()); !errors.As(err, &damage) {
		t.Errorf("%v, want the damage", err)
	}
}
