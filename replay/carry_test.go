package replay

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/heatmap"
)

// build builds a generation while hits arrive and the process is killed between any two calls of the store.
func (m *carryModel) build() string {
	m.t.Helper()
	p := heatmap.Replay{Rules: carryRules[m.r.IntN(len(carryRules))]}
	if m.r.IntN(2) == 0 {
		p.From = heatmap.DateOf(m.clock.Load()-m.r.Int64N(45*86_400_000), time.UTC)
	}
	if m.r.IntN(4) == 0 {
		p.Sites = []string{carrySites[m.r.IntN(len(carrySites))]}
		r := m.g.snapshot()
		if c := r.find(r.Active).Carrying; c != nil && len(c.Base.Sites) > 0 {
			p.Sites = c.Base.Sites // of a site that was carried nothing may be left to count
		}
	}
	if m.r.IntN(3) == 0 {
		p.Rules = m.rules[m.g.snapshot().Active]
	}
	id := m.start(p)
	m.rules[id] = p.Rules
	for kills := m.r.IntN(6); kills > 0; kills-- {
		m.store.dieAt.Store(m.store.calls.Load() + m.r.Int64N(60))
		for n := 0; n < 40 && !m.store.down.Load(); n++ {
			if m.r.IntN(4) == 0 {
				m.append()
			}
			_ = pause(m.t.Context(), time.Millisecond)
		}
		m.g.abort()
		m.store.dieAt.Store(0)
		m.store.down.Store(false)
		m.open()
	}
	m.grow(m.r.IntN(20), 0.2)
	m.await(id, heatmap.StateReady)
	return id
}

// TestCarry replays parts of a journal, pruned, frozen, gone or whole, while hits arrive and everything is killed: each hit that
// was counted is counted exactly once, by the generation before or anew. HEATLOG_CARRY_RUNS sets how many histories there are,
// HEATLOG_SEED the first.
func TestCarry(t *testing.T) {
	runs, first := 12, uint64(1)
	if n, err := strconv.Atoi(os.Getenv("HEATLOG_CARRY_RUNS")); err == nil {
		runs = n
	}
	if n, err := strconv.ParseUint(os.Getenv("HEATLOG_SEED"), 10, 64); err == nil {
		first = n
	}
	var carried, pruned, whole atomic.Int64
	t.Cleanup(func() {
		if runs >= 10 && (carried.Load() == 0 || pruned.Load() == 0 || whole.Load() == 0) {
			t.Error("nothing was carried, pruned or gone: the test proves nothing")
		}
	})
	for seed := first; seed < first+uint64(runs); seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			m := newCarryModel(t, seed)
			m.grow(150, 40)
			m.open()
			m.settle()
			for range 4 {
				if m.r.IntN(2) == 0 {
					m.prune()
				}
				if m.r.IntN(4) == 0 {
					m.freeze()
				}
				active := m.g.snapshot().Active
				id := m.build()
				m.settle()
				r := m.g.snapshot()
				base := r.find(id).Carrying.Base
				carried.Add(int64(len(base.From) + len(base.Sites)))
				whole.Add(int64(len(base.Whole)))
				pruned.Add(int64(m.journal.Stats().First))
				same := m.rules[id] == m.rules[active] && m.pure[active]
				if m.pure[id] = base.Empty() || same; same {
					m.identical(active, id)
				}
				m.grow(20, 2)
				if err := m.g.Activate(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				for _, v := range m.g.List() {
					if v.ID != id && (v.ID != active || m.r.IntN(2) == 0) {
						err := m.g.Drop(t.Context(), v.ID)
						if r := m.g.snapshot(); err != nil && r.find(v.ID) != nil { // else it has expired meanwhile
							t.Fatal(err)
						}
					}
				}
				if t.Failed() {
					t.Fatalf("base of %s: %+v", id, base)
				}
			}
			m.settle()
		})
	}
}

// TestCarryFromEmpty begins when nothing is counted yet of the journal that is written, and counts its first hits before the
// documents are looked at.
func TestCarryFromEmpty(t *testing.T) {
	m := newCarryModel(t, 1)
	m.grow(50, 5)
	m.open()
	m.settle()
	m.close()
	next, err := m.journal.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	m.journal = next
	m.open()
	var once sync.Once
	m.store.onSites = func() {
		once.Do(func() {
			m.grow(20, 1)
			for m.awaitDurable(); ; {
				value, err := m.store.Record(t.Context(), "checkpoint/g1/"+m.journal.Source())
				if position, _, _ := strings.Cut(string(value), " "); position == fmt.Sprint(m.journal.Durable()) {
					return
				}
				m.clock.Add(10) // by which deltas are flushed
				if err := errors.Join(err, pause(t.Context(), time.Millisecond)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	m.rules["g2"] = ""
	m.start(heatmap.Replay{Sites: carrySites[:1], From: heatmap.DateOf(m.clock.Load(), time.UTC) - 2})
	m.await("g2", heatmap.StateReady)
	m.settle()
	m.identical("g1", "g2")
}
