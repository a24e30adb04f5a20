package replay

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
)

// List gives all generations, oldest first, without their rules.
func (g *Generations) List() []heatmap.Generation {
	g.mu.RLock()
	defer g.mu.RUnlock()
	list := make([]heatmap.Generation, len(g.record.Generations))
	for i := range list {
		list[i] = g.view(&g.record.Generations[i])
	}
	return list
}

// Get gives a generation, "" for the active one, with its rules and the counts of the active one beside its own. The error is
// a *heatmap.ParamError if there is none.
func (g *Generations) Get(ctx context.Context, id string) (heatmap.Generation, error) {
	v, err := g.get(id)
	if err != nil {
		return v, err
	}
	spec, err := index.GenerationSpec(ctx, g.store, v.ID)
	if err != nil {
		return v, err
	}
	text, err := g.store.Record(ctx, rulesName(v.ID))
	if err != nil {
		return v, fmt.Errorf("read record %s: %w", rulesName(v.ID), err)
	}
	if len(text) == 0 && !index.SameKeys(spec, index.DefaultRules().Spec()) {
		text = spec // of a generation from before the text was kept
	}
	v.Rules, v.RulesText = string(spec), string(text)
	return v, nil
}

func (g *Generations) get(id string) (v heatmap.Generation, err error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	e, err := g.record.asked(id)
	if err != nil {
		return v, err
	}
	v = g.view(e)
	if active := g.live[g.record.Active]; active != nil && e.ID != g.record.Active {
		v.ActiveCounts = active.counts(active.index.Sources())
	}
	return v, nil
}

// view is what the world sees of a generation. The caller holds mu.
func (g *Generations) view(e *entry) heatmap.Generation {
	v := heatmap.Generation{
		ID: e.ID, State: e.State, Paused: e.Paused, Reason: e.Reason, Spec: e.Spec, Scope: e.Scope, Activate: e.Activate,
		SkipDamaged: e.SkipDamaged, Created: e.Created, Ready: e.Ready, Activated: e.Activated, Retired: e.Retired, Until: e.Until,
		Progress: heatmap.Progress{Positions: make(map[string]uint64)},
	}
	if e.Carrying != nil {
		v.Carried = e.Carrying.Found
	}
	n := g.live[e.ID]
	if n == nil {
		return v
	}
	sources := n.index.Sources()
	v.Progress = progressOf(sources)
	v.Counts = n.counts(sources)
	v.Warnings = g.warnings(e, n)
	if err := n.index.Failed(); err != nil && v.Reason == "" {
		v.Reason = err.Error()
	}
	v.Progress.HitsPerSecond = n.rate.perSecond()
	if left := v.Progress.Of - v.Progress.Hits; e.State.CanPause() && !e.Paused && v.Progress.HitsPerSecond > 0 {
		v.Progress.ETASeconds = float64(left) / v.Progress.HitsPerSecond
	}
	return v
}

func progressOf(sources []index.SourceState) heatmap.Progress {
	p := heatmap.Progress{Positions: make(map[string]uint64)}
	for _, s := range sources {
		p.Hits += s.Position
		p.Of += s.Durable
		p.Positions[s.Source] = s.Position
	}
	return p
}

// counts adds up what became of the hits of all sources.
func (n *generation) counts(sources []index.SourceState) *heatmap.Counts {
	var t index.Totals
	var since []heatmap.SourceSince
	for i := range sources {
		s := &sources[i]
		t.Add(&s.Totals)
		if s.Totals.Since > 0 {
			since = append(since, heatmap.SourceSince{Source: s.Source, Position: s.Totals.Since})
		}
	}
	c := t.Counts(n.rules)
	c.Since = since
	return c
}

// sample notes how far every generation is, and how many are being built.
func (g *Generations) sample() {
	g.mu.RLock()
	live := maps.Clone(g.live)
	g.mu.RUnlock()
	now, building := time.Now(), 0
	for _, n := range live {
		n.rate.add(now, progressOf(n.index.Sources()).Hits)
		if n.index.Building() {
			building++
		}
	}
	if g.options.Busy != nil && building != g.building {
		g.options.Busy(building)
		g.building = building
	}
}

// meter tells the rate of the last seconds. The zero value is ready.
type meter struct {
	mu   sync.Mutex
	at   [samples]time.Time // guarded by mu, as is all below
	hits [samples]uint64
	n    int // samples ever
}

// samples is over how many rounds of housekeeping the rate is told.
const samples = 40

func (m *meter) add(at time.Time, hits uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at[m.n%len(m.at)], m.hits[m.n%len(m.at)] = at, hits
	m.n++
}

// perSecond gives the rate between the oldest sample and the last.
func (m *meter) perSecond() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.n < 2 {
		return 0
	}
	last, first := (m.n-1)%len(m.at), 0
	if m.n > len(m.at) {
		first = m.n % len(m.at)
	}
	took := m.at[last].Sub(m.at[first]).Seconds()
	if took <= 0 || m.hits[last] < m.hits[first] {
		return 0
	}
	return float64(m.hits[last]-m.hits[first]) / took
}
