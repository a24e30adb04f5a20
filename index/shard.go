package index

import (
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"heatlog/heatmap"
)

// shard holds the live deltas of the pages that hash to it. It is a plain state machine: one worker owns it and calls
// it in the order of the log, and nothing in it blocks, sleeps or reads a clock.
//
// A page's day and its month are independent keys. Each has at most one live entry, which takes new hits, and at most
// one flushing entry, which is on its way to the store and is kept until the store has it for certain.
//
// A hit that counts in both is added to the day alone as long as both are live: the day is added to its month when one of
// them is taken to be flushed. See feed.
type shard struct {
	cell    int            // of its deltas, px
	notes   *heatmap.Notes // of entries to come
	pages   map[pageKey]*page
	sites   map[string]string // each site's key, kept once
	days    ring              // live days, the most recently used first
	months  ring              // the same of months
	age     ring              // live entries, the youngest first
	applied uint64
	using   uint64 // the position that the shard applies up to, or has

	// recovering is the position up to which flushes may have gone at start. Below it a hit may be in the store
	// already, so each key's watermark is looked up first and kept here.
	recovering uint64
	stored     map[heatmap.Key]uint64

	liveBytes, flushingBytes int
	liveEntries              int
}

type pageKey struct{ site, page string }

type page struct {
	pageKey
	hash           uint64
	live, flushing []*entry
	month          *entry // a live month, the one that was used last; nil when it went to flush
}

// entry is the delta of a key: every hit of the key from first on, up to the position where it was flushed, or up to
// the position that the shard has applied while it is live.
type entry struct {
	page     *page
	period   heatmap.Period
	first    uint64 // position of the first hit
	born     int64  // when the entry was made, Unix ms by the index's clock
	to       uint64 // set when it is taken to be flushed
	used     uint64 // shard.using when the entry was last used
	visitor  uint64 // of the last hit, to skip the sketch when the next is the same one's
	bot      bool   // whether that hit was a bot's
	bytes    int
	fresh    bool // when flushing: nothing of the key is stored, as far as we know
	delta    heatmap.Delta
	lru, age links

	month *entry   // of a live day: the live month that lacks the hits of this entry, nil if it has them
	days  []*entry // of a live month: the days that have hits which it lacks
}

// keptNotes is how much memory for notes that no entry has is kept, bytes, besides as much as entries have.
const keptNotes = 1 << 20

// entryOverhead is what an entry costs beside its delta and its page's URL: the struct, its slots in the page's slices
// and, shared by a page's day and month, the page and its slot in the map. TestShardBytes compares it with the heap.
const entryOverhead = 300

// size is the memory that the entry takes, bytes.
func (e *entry) size() int { return e.delta.Size() + entryOverhead + len(e.page.page)/2 }

// newShard makes a shard that counts on cells of so many px.
func newShard(cell int) *shard {
	return &shard{cell: cell, notes: new(heatmap.Notes), pages: make(map[pageKey]*page), sites: make(map[string]string), days: newRing(), months: newRing(), age: newRing()}
}

// recover tells where the log is read from, and that hits below end may be in the store already. It is called once,
// before the first apply.
func (s *shard) recover(from, end uint64) {
	s.applied, s.recovering = from, end
	if from < end {
		s.stored = make(map[heatmap.Key]uint64)
	}
}

// unknown gives the keys of ops whose watermark must be looked up before they can be applied.
func (s *shard) unknown(in *part) []heatmap.Key {
	if s.stored == nil {
		return nil
	}
	var keys []heatmap.Key
	in.each(func(r *run, ops []op) {
		if ops[0].position >= s.recovering {
			return
		}
		for _, period := range [2]heatmap.Period{heatmap.MonthPeriod(r.date), heatmap.DayPeriod(r.date)} {
			k := heatmap.Key{Site: r.site, Page: r.page, Period: period}
			if _, known := s.stored[k]; !known {
				k.Site, k.Page = strings.Clone(k.Site), strings.Clone(k.Page)
				s.stored[k] = 0
				keys = append(keys, k)
			}
		}
	})
	return keys
}

// refsOf names the documents of keys.
func refsOf(generation, source string, keys []heatmap.Key) []Ref {
	refs := make([]Ref, len(keys))
	for i, k := range keys {
		refs[i] = Ref{Generation: generation, Key: k, Source: source}
	}
	return refs
}

// know records the watermark of a key that unknown named.
func (s *shard) know(k heatmap.Key, watermark uint64) { s.stored[k] = watermark }

// apply counts ops, which are in the order of the log, and moves the shard to position end. Now is in Unix ms.
func (s *shard) apply(in *part, end uint64, now int64) {
	s.using = end
	in.each(func(r *run, ops []op) {
		for len(ops) > 0 && ops[0].position < s.recovering { // each may be stored already
			s.count(in, r, ops[:1], now)
			ops = ops[1:]
		}
		if len(ops) > 0 {
			s.count(in, r, ops, now)
		}
	})
	s.applied = end
	if s.stored != nil && end >= s.recovering {
		s.stored = nil
	}
}

// count counts ops of a run of a part, of which all or none are stored already.
func (s *shard) count(in *part, r *run, ops []op, now int64) {
	p := s.page(r)
	month := s.entry(p, heatmap.MonthPeriod(r.date), ops[0].position, now)
	day := s.entry(p, heatmap.DayPeriod(r.date), ops[0].position, now)
	switch {
	case month != nil && day != nil && day.month == nil && day.delta.Empty():
		day.month, month.days = month, append(month.days, day)
		fallthrough
	case day != nil && day.month != nil:
		month.name(in, ops)
		s.add(day, in, ops)
		s.weigh(month)
		s.touch(month)
	default:
		if month != nil {
			month.name(in, ops)
			s.add(month, in, ops)
		}
		if day != nil {
			s.add(day, in, ops)
		}
		s.prune(p)
	}
}

func (s *shard) page(r *run) *page {
	k := pageKey{r.site, r.page}
	if p := s.pages[k]; p != nil {
		return p
	}
	site, known := s.sites[r.site]
	if !known {
		site = strings.Clone(r.site)
		s.sites[site] = site
	}
	k = pageKey{site, strings.Clone(r.page)}
	p := &page{pageKey: k, hash: xxhash.Sum64String(k.site)*3 ^ xxhash.Sum64String(k.page)}
	s.pages[k] = p
	return p
}

// prune forgets a page that no entry is left of: its hit was in the store already.
func (s *shard) prune(p *page) {
	if len(p.live) == 0 && len(p.flushing) == 0 {
		delete(s.pages, p.pageKey)
	}
}

// entry gives the live entry of a period, makes one if there is none, and gives nil if the store has the hit already.
func (s *shard) entry(p *page, period heatmap.Period, position uint64, now int64) *entry {
	if position < s.recovering && position < s.stored[heatmap.Key{Site: p.site, Page: p.page, Period: period}] {
		return nil
	}
	if p.month != nil && p.month.period == period {
		return p.month
	}
	for _, e := range slices.Backward(p.live) { // the last ones were made for hits of about the same time
		if e.period == period {
			return p.found(e)
		}
	}
	e := &entry{page: p, period: period, first: position, born: now, delta: s.notes.NewDelta(s.cell)}
	e.bytes = e.size()
	p.live = append(p.live, e)
	s.liveEntries++
	s.liveBytes += e.bytes
	s.lru(e).push(&e.lru, e)
	s.age.push(&e.age, e)
	return p.found(e)
}

// found remembers a live entry if it is a month: months are far from the end of the list.
func (p *page) found(e *entry) *entry {
	if e.period.IsMonth() {
		p.month = e
	}
	return e
}

// add counts ops of a part in an entry.
func (s *shard) add(e *entry, in *part, ops []op) {
	for i := range ops {
		o := &ops[i]
		tally(&e.delta, o, in.derivedOf(o), o.layer)
		if bot := o.layer.Bot(); o.visitor != 0 && (o.visitor != e.visitor || bot != e.bot) {
			e.delta.AddVisitor(bot, o.visitor)
			e.visitor, e.bot = o.visitor, bot
		}
		e.delta.AddSampled(o.layer.Bot(), o.sampled)
	}
	s.weigh(e)
	s.touch(e)
}

// name gives a month the names of the elements that clicks are at. It has them before the hits, which come with their day.
func (e *entry) name(in *part, ops []op) {
	for i := range ops {
		if o := &ops[i]; o.named() {
			e.delta.AddName(o.anchor.Element, &in.names[o.name-1])
		}
	}
}

// weigh takes the size of a live entry anew.
func (s *shard) weigh(e *entry) {
	n := e.size()
	s.liveBytes += n - e.bytes
	e.bytes = n
}

// touch makes a live entry the most recently used.
func (s *shard) touch(e *entry) {
	e.used = s.using
	if lru := s.lru(e); lru.first() != e {
		e.lru.remove()
		lru.push(&e.lru, e)
	}
}

// lru gives the ring that an entry is in by its last use.
func (s *shard) lru(e *entry) ring {
	if e.period.IsMonth() {
		return s.months
	}
	return s.days
}

// monthStays is how many times as long as a day a month stays unused before it is taken. Days pass and months go on: one that
// is taken is read from the store, added to and written anew when its page has its next hit.
const monthStays = 8

// idleMonths is how many months, the idlest, are looked at for the one that takes the most memory. To write a month once more costs
// as much as all that it counts, so a large entry is a better bargain than many small ones.
const idleMonths = 256

// idlest gives the live entry that is best given up, nil if there is none.
func (s *shard) idlest() *entry {
	day, month := s.days.last(), s.months.last()
	if day != nil && (month == nil || (s.using-day.used)*monthStays >= s.using-month.used) {
		return day
	}
	n := 0
	for l := s.months.root.prev; l.entry != nil && n < idleMonths; l = l.prev {
		if l.entry.bytes > month.bytes {
			month = l.entry
		}
		n++
	}
	return month
}

// take moves live entries to flushing: those that were made at or before the Unix time born in ms, oldest first, then the
// idlest until at most keep bytes are live. About limit entries are taken at most. What was taken before must be
// settled, so that no key is flushed twice at a time.
func (s *shard) take(keep int, born int64, limit int) []*entry {
	var taken []*entry
	next := func() *entry {
		if e := s.age.last(); e != nil && e.born <= born {
			return e
		}
		if s.liveBytes > keep {
			return s.idlest()
		}
		return nil
	}
	for e := next(); e != nil && len(taken) < limit; e = next() {
		taken = append(taken, s.takeEntry(e)...)
	}
	if s.notes.Held() > 2*s.notes.Used()+keptNotes {
		s.notes = new(heatmap.Notes) // of entries to come; what the others have goes with the last of them
	}
	return taken
}

// feed adds a day to the month that lacks its hits.
func (s *shard) feed(day *entry) {
	month := day.month
	if !month.delta.MergeNoted(&day.delta) {
		day.delta.Finish()
		month.delta.Merge(&day.delta)
	}
	day.month, month.days = nil, without(month.days, day)
	s.weigh(month)
}

// takeEntry makes a live entry a flushing one. A month takes the days that have hits which it lacks with it: what comes
// later is not in it, so they could not be added to another.
func (s *shard) takeEntry(e *entry) (taken []*entry) {
	taken = append(taken, e)
	for len(e.days) > 0 {
		day := e.days[len(e.days)-1]
		s.feed(day)
		taken = append(taken, day)
	}
	if e.month != nil {
		s.feed(e)
	}
	for _, t := range taken {
		s.takeOne(t)
	}
	return taken
}

func (s *shard) takeOne(e *entry) {
	e.delta.Finish()
	s.weigh(e)
	p := e.page
	e.lru.remove()
	e.age.remove()
	e.to = s.applied
	p.live, p.month = without(p.live, e), nil
	p.flushing = append(p.flushing, e)
	s.liveEntries--
	s.liveBytes -= e.bytes
	s.flushingBytes += e.bytes
}

// settle drops entries that the store has.
func (s *shard) settle(flushed []*entry) {
	for _, e := range flushed {
		s.flushingBytes -= e.bytes
		e.page.flushing = without(e.page.flushing, e)
		s.prune(e.page)
	}
}

// firstDirty gives the smallest position that is not known to be in the store, or the position applied if there is none.
func (s *shard) firstDirty() uint64 {
	position := s.applied
	for _, p := range s.pages {
		for _, list := range [2][]*entry{p.live, p.flushing} {
			for _, e := range list {
				if e.first < position {
					position = e.first
				}
			}
		}
	}
	return position
}

// held is what a shard had of a key at a marker: the hits of the key from first to below to, in one part or several.
type held struct {
	first, to uint64
	parts     []any
}

// visit calls fn for each entry of the page, in the order in which the store gets them, with the deltas that hold its hits.
func (p *page) visit(applied uint64, fn func(period heatmap.Period, first, to uint64, deltas ...*heatmap.Delta)) {
	for _, e := range p.flushing {
		fn(e.period, e.first, e.to, &e.delta)
	}
	for _, e := range p.live {
		deltas := []*heatmap.Delta{&e.delta}
		for _, day := range e.days {
			deltas = append(deltas, &day.delta)
		}
		fn(e.period, e.first, applied, deltas...)
	}
}

func without(list []*entry, e *entry) []*entry {
	for i := range list {
		if list[i] == e {
			last := len(list) - 1
			list[i], list[last] = list[last], nil
			return list[:last]
		}
	}
	return list
}
