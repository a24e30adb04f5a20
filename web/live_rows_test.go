package web

import (
	"maps"
	"math/rand/v2"
	"testing"

	"heatlog/heatmap"
)

// TestRows changes rows at random and compares what changed since each version with two naive maps.
func TestRows(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 3))
	for range 8 {
		table := newRows[int, int]()
		pictures := []map[int]int{{}} // by version
		keys := 1 + random.IntN(3*minForgotten/2)
		for version := uint64(1); version < 20; version++ {
			now := maps.Clone(pictures[version-1])
			if random.IntN(4) == 0 {
				table.whole()
				clear(now)
			}
			for range random.IntN(2 * keys) {
				key, value := random.IntN(keys), random.IntN(4)*random.IntN(2)
				table.set(key, value, version)
				if now[key] = value; value == 0 {
					delete(now, key)
				}
			}
			if len(now) == 0 || random.IntN(2) == 0 {
				table.whole()
				for key, value := range now {
					table.set(key, value, version)
				}
			}
			if random.IntN(2) == 0 { // as after every answer with all rows
				table.whole()
				for key, value := range now {
					table.set(key, value, version)
				}
				table.end(version)
			} else {
				for key := range pictures[version-1] {
					if _, there := now[key]; !there {
						table.set(key, 0, version)
					}
				}
			}
			table.forget(version)
			pictures = append(pictures, now)
			if table.count() != len(now) {
				t.Fatalf("version %d has %d rows, want %d", version, table.count(), len(now))
			}
			for from := uint64(0); from <= version; from++ {
				if from > 0 && from < table.floor {
					continue // all rows are sent
				}
				got := map[int]int{}
				if from > 0 {
					got = maps.Clone(pictures[from])
				}
				table.since(from, func(key, value int) {
					if got[key] = value; value == 0 {
						delete(got, key)
					}
				})
				if !maps.Equal(got, now) {
					t.Fatalf("from version %d to %d rows are %v, want %v", from, version, got, now)
				}
			}
		}
	}
}

// TestRowsForget lets rows come and go for ever: those that went are forgotten.
func TestRowsForget(t *testing.T) {
	t.Parallel()
	table := newRows[int, int]()
	for version := uint64(1); version <= 100*minForgotten; version++ {
		table.set(int(version), 1, version)
		table.set(int(version)-10, 0, version)
		table.forget(version)
		if len(table.list) > 2*minForgotten+20 {
			t.Fatalf("at version %d there are %d rows for %d", version, len(table.list), table.count())
		}
	}
	if table.floor == 0 || table.count() != 10 {
		t.Errorf("floor is %d, rows are %d", table.floor, table.count())
	}
}

// TestLiveMax follows the greatest weight while cells come, grow, shrink and go.
func TestLiveMax(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 5))
	a := newLiveAnswer(heatmap.AskHeatmap, &heatmap.Query{})
	cells := map[int]uint64{}
	for version := uint64(1); version < 2000; version++ {
		var points []heatmap.Point
		for range random.IntN(4) {
			x := 8 * random.IntN(6)
			if cells[x] = uint64(random.IntN(50)); cells[x] == 0 {
				delete(cells, x)
			}
			points = append(points, heatmap.Point{X: x, Weight: cells[x]})
		}
		whole := random.IntN(20) == 0
		if whole {
			delete(cells, 0)
			points = points[:0]
			for x, weight := range cells {
				points = append(points, heatmap.Point{X: x, Weight: weight})
			}
		}
		a.applyPoints(points, 8, whole, version)
		most := uint64(0)
		for _, weight := range cells {
			most = max(most, weight)
		}
		if a.most != most || a.points.count() != len(cells) {
			t.Fatalf("at version %d the greatest of %v is %d of %d", version, cells, a.most, a.points.count())
		}
	}
}
