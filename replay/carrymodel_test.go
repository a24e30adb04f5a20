package replay

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/journal"
)

// place is where a hit is in the log.
type place struct {
	source   string
	position uint64
}

// told is what a generation makes of a hit.
type told struct {
	day     heatmap.Date
	page    string
	counted bool
}

// carryModel knows every hit of a house and, naively, what each generation must have of it.
type carryModel struct {
	*house
	r     *rand.Rand
	hits  map[place]heatmap.Hit
	twice map[place]bool // repeats
	has   map[string]map[place]told
	base  map[string]index.Base
	rules map[string]string
	pure  map[string]bool // by the same rules all over
	gone  map[string]bool // sources that are not read any more
}

var carrySites = []string{"blog", "shop"}

// carryRules are what a generation may be counted by.
var carryRules = []string{
	"",
	"exclude: ['x < 600']",
	"sites: {shop: {timezone: Pacific/Kiritimati}}",
	"sites: {shop: {timezone: America/Los_Angeles}, blog: {timezone: Asia/Tokyo}}",
	"cell: 16",
	"urls: {groups: [{match: 'https://*.example/product/*', page: 'https://any.example/product'}]}",
}

func newCarryModel(t *testing.T, seed uint64) *carryModel {
	h := newHouse(t)
	h.reopenWith(4 << 10)
	m := &carryModel{
		house: h, r: rand.New(rand.NewPCG(seed, 9)), hits: make(map[place]heatmap.Hit), twice: make(map[place]bool),
		has: make(map[string]map[place]told), rules: map[string]string{"g1": ""}, gone: make(map[string]bool),
		base: make(map[string]index.Base), pure: map[string]bool{"g1": true},
	}
	m.adjust = func(o *Options) {
		o.Index.Now = func() time.Time { return time.UnixMilli(h.clock.Load()) }
		o.Index.KnownSite = func(site string) bool { return slices.Contains(carrySites, site) }
		o.Sources = func(damaged func(*journal.CorruptError)) (index.Source, []index.Source) {
			frozen := index.FrozenSources(h.journal, damaged)
			frozen = slices.DeleteFunc(frozen, func(s index.Source) bool { return m.gone[s.ID()] })
			return index.JournalSource(h.journal, damaged), frozen
		}
	}
	return m
}

// grow appends batches over so many days.
func (m *carryModel) grow(batches int, days float64) {
	m.t.Helper()
	for range batches {
		m.clock.Add(int64(m.r.ExpFloat64() * days * 86_400_000 / float64(batches)))
		m.append()
	}
}

// sampledTags are the tags of visitors whose page loads are a share of all.
var sampledTags = map[string][]string{"v0": {"sampled:0.5"}, "v1": {"variant:b", "sampled:0.125"}}

// sampledOf adds a hit to those that are from a share of page loads.
func sampledOf(sum heatmap.Sampled, h heatmap.Hit) heatmap.Sampled {
	share := map[string]uint32{"v0": 500_000, "v1": 125_000}[h.Visitor]
	if share == 0 {
		return sum
	}
	return heatmap.Sampled{Hits: sum.Hits + 1, Share: min(cmp.Or(sum.Share, share), share)}
}

// append appends a batch, sometimes twice, of hits of about now, late ones, and some from the day to come.
func (m *carryModel) append() {
	m.t.Helper()
	m.batches++
	site := carrySites[m.r.IntN(len(carrySites))]
	visitor := fmt.Sprint("v", m.r.IntN(9))
	b := heatmap.Batch{Site: site, Visitor: visitor, ID: fmt.Sprint("b", m.batches)}
	for range 1 + m.r.IntN(6) {
		at := m.clock.Load()
		switch m.r.IntN(4) {
		case 0:
			at -= m.r.Int64N(6 * 86_400_000)
		case 1:
			at += 86_400_000 - int64(m.r.ExpFloat64()*7_200_000)
		}
		hit := heatmap.Hit{
			Time: at, Site: site, URL: fmt.Sprintf("https://%s.example/product/%d", site, m.r.IntN(3)), Visitor: visitor,
			View: fmt.Sprint("w", m.batches%7), Kind: heatmap.KindClick, X: uint16(m.r.IntN(1200)), Y: uint16(m.r.IntN(40)), Tags: sampledTags[visitor],
		}
		if m.r.IntN(3) == 0 {
			hit.Kind = heatmap.KindView
		}
		if m.r.IntN(3) == 0 {
			hit.X = 700 // for bursts
		}
		b.Hits = append(b.Hits, hit)
	}
	for n := range 1 + m.r.IntN(8)/7 {
		end, err := m.journal.Append([]heatmap.Batch{b})
		if err != nil {
			m.t.Fatal(err)
		}
		for i, hit := range b.Hits {
			at := place{m.journal.Source(), end - uint64(len(b.Hits)-i)}
			m.hits[at], m.twice[at] = hit, n > 0
		}
		m.clock.Add(m.r.Int64N(240_000))
	}
}

// count says naively what a generation must have: of what is carried what the one before has, of all else what the rules say.
func (m *carryModel) count(id string) {
	m.t.Helper()
	rules, err := index.ParseRules([]byte(m.rules[id]))
	if err != nil {
		m.t.Fatal(err)
	}
	r := m.g.snapshot()
	var base index.Base
	if c := r.find(id).Carrying; c != nil {
		base = *c.Base
	}
	old, all := m.has[base.Generation], m.has[id]
	if all == nil {
		all = make(map[place]told)
		m.has[id] = all
	}
	m.base[id] = base
	for at, hit := range m.hits {
		if _, known := all[at]; known {
			continue
		}
		before := old[at]
		if m.carried(id, at) {
			all[at] = before
			continue
		}
		if at.position < base.Kept[at.source] && before.counted {
			m.t.Errorf("%s lost hit %v of %s: it is pruned, and days before %q are carried", id, at, before.day, base.From)
		}
		zone := time.UTC
		if loc := rules.Zone(hit.Site); loc != nil {
			zone = loc
		}
		page, err := rules.Page(hit.URL)
		if err != nil {
			m.t.Fatal(err)
		}
		all[at] = told{heatmap.DateOf(hit.Time, zone), page, !m.twice[at] && !(m.rules[id] == carryRules[1] && hit.X < 600)}
	}
}

// carried says naively whether a generation must have a hit from the one before.
func (m *carryModel) carried(id string, at place) bool {
	base, hit := m.base[id], m.hits[at]
	if at.position < base.Positions[at.source] {
		day := m.has[base.Generation][at].day.String()
		return day < base.From || len(base.Sites) > 0 && !slices.Contains(base.Sites, hit.Site)
	}
	return slices.Contains(base.Whole, at.source)
}

// check compares what is stored of a generation with the model.
func (m *carryModel) check(id string) {
	m.t.Helper()
	want, got := make(map[heatmap.Key]uint64), make(map[heatmap.Key]uint64)
	sampled := make(map[heatmap.Key]heatmap.Sampled)
	for at, is := range m.has[id] {
		if is.counted {
			site := m.hits[at].Site
			for _, period := range []heatmap.Period{heatmap.DayPeriod(is.day), heatmap.MonthPeriod(is.day)} {
				key := heatmap.Key{Site: site, Page: is.page, Period: period}
				want[key]++
				sampled[key] = sampledOf(sampled[key], m.hits[at])
			}
		}
	}
	for key, sum := range m.sums(id) {
		if has := sum.Sampled(false); has != sampled[key] {
			m.t.Errorf("%s has sampled %v of %v %s, want %v", id, has, key, key.Period, sampled[key])
		}
		sum.Layers(func(layer heatmap.LayerID, n uint64) {
			if k := layer.Kind(); k != heatmap.KindRage && k != heatmap.KindDead {
				got[key] += n
			}
		})
	}
	if !maps.Equal(got, want) {
		for key := range want {
			if got[key] != want[key] {
				m.t.Errorf("%s has %d hits of %v %s, want %d", id, got[key], key, key.Period, want[key])
			}
		}
		for key := range got {
			if _, ok := want[key]; !ok {
				m.t.Errorf("%s has %d hits of %v %s, want none", id, got[key], key, key.Period)
			}
		}
	}
}

// checkView compares what the world is told of a generation with the model.
func (m *carryModel) checkView(id string) {
	m.t.Helper()
	v, err := m.g.Get(m.t.Context(), id)
	if err != nil {
		m.t.Fatal(err)
	}
	want, got := make(map[string]uint64), make(map[string]uint64)
	if base := m.base[id]; base.Generation != "" {
		for at, is := range m.has[id] {
			if is.counted && m.carried(id, at) {
				want[m.hits[at].Site]++
			}
		}
	}
	for _, c := range v.Carried {
		got[c.Site] += c.Hits
	}
	if !maps.Equal(got, want) {
		m.t.Errorf("%s says that it carries %v, want %v", id, got, want)
	}
	if c := v.Counts; c.Read != c.RepeatedHits+c.Excluded+c.RepeatedClicks+c.Carried+c.Views+c.Clicks+c.Scrolls+c.Moves {
		m.t.Errorf("counts of %s do not add up: %+v", id, c)
	}
	for _, site := range carrySites {
		hits, sampled := uint64(0), heatmap.Sampled{}
		for at, is := range m.has[id] {
			if is.counted && m.hits[at].Site == site {
				hits++
				sampled = sampledOf(sampled, m.hits[at])
			}
		}
		a, err := m.g.Pages(m.t.Context(), heatmap.Query{Site: site, Generation: id, Bots: true})
		if err != nil || a.Hits != hits || a.Sampled != sampled {
			m.t.Errorf("%s answers %+v, %v; want %d hits of %s, sampled %v", id, a, err, hits, site, sampled)
		}
		if h, err := m.g.Heatmap(m.t.Context(), heatmap.Query{Site: site, URL: "https://**", Generation: id, Bots: true}); err != nil || h.Hits > hits {
			m.t.Errorf("%s answers %+v, %v; want at most %d clicks of %s", id, h, err, hits, site)
		}
		for source := range a.Positions {
			if strings.HasPrefix(source, "carried") {
				m.t.Errorf("an answer of %s names a position of %s", id, source)
			}
		}
	}
}

// sums adds up the documents of all sources.
func (m *carryModel) sums(id string) map[heatmap.Key]*heatmap.Delta {
	m.t.Helper()
	all := make(map[heatmap.Key]*heatmap.Delta)
	for _, site := range carrySites {
		err := m.store.Store.Scan(m.t.Context(), index.Range{Generation: id, Site: site, IsPrefix: true}, func(d index.Doc) error {
			if all[d.Key] == nil {
				all[d.Key] = new(heatmap.Delta)
			}
			return all[d.Key].MergeBlob(d.Blob)
		})
		if err != nil {
			m.t.Fatal(err)
		}
	}
	return all
}

// identical fails unless two generations by the same rules have the same of everything, bursts and visitors too.
func (m *carryModel) identical(a, b string) {
	m.t.Helper()
	x, y := m.sums(a), m.sums(b)
	if len(x) != len(y) {
		m.t.Errorf("%s has %d keys, %s has %d", a, len(x), b, len(y))
	}
	for key, d := range x {
		if o := y[key]; o == nil || !bytes.Equal(o.Append(nil), d.Append(nil)) {
			m.t.Errorf("%v %s of %s differs from that of %s", key, key.Period, a, b)
		}
	}
}

// prune deletes what is older than a random time and not needed.
func (m *carryModel) prune() {
	m.t.Helper()
	if _, err := m.journal.Seal(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	below, err := m.g.Needed(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	if _, err := m.journal.Prune(m.t.Context(), journal.PruneOptions{OlderThan: m.clock.Load() - m.r.Int64N(30*86_400_000), Below: below}); err != nil {
		m.t.Fatal(err)
	}
}

// freeze goes on under a new source; sometimes the old one is not there any more.
func (m *carryModel) freeze() {
	m.t.Helper()
	m.awaitAll() // what was not counted is lost with a journal that goes
	m.close()
	source := m.journal.Source()
	if m.r.IntN(3) == 0 {
		m.loseEnd()
	}
	next, err := m.journal.Freeze()
	if err != nil {
		m.t.Fatal(err)
	}
	m.journal, m.gone[source] = next, m.r.IntN(2) == 0
	m.g = nil
	m.open()
	m.settle()
}

// loseEnd puts back an older copy of the journal, of which everything is stored.
func (m *carryModel) loseEnd() {
	m.t.Helper()
	reopen := func(between func()) {
		if err := m.journal.Close(); err != nil {
			m.t.Fatal(err)
		}
		between()
		m.openJournal()
	}
	older := m.t.TempDir()
	reopen(func() {
		if err := os.CopyFS(older, os.DirFS(m.dir)); err != nil {
			m.t.Fatal(err)
		}
	})
	m.open()
	m.grow(10, 1)
	m.awaitAll()
	m.close()
	reopen(func() { m.dir = older })
}

// settle waits until all is read, and compares everything stored with the model.
func (m *carryModel) settle() {
	m.t.Helper()
	m.awaitAll()
	m.close()
	m.g = nil
	m.open()
	for _, v := range m.g.List() {
		m.count(v.ID)
		m.check(v.ID)
	}
	m.awaitAll()
	for _, v := range m.g.List() {
		m.checkView(v.ID)
	}
}
