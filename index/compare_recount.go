package index

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"heatlog/heatmap"
)

// recount reads the journal once, by the rules of both generations, and checks the totals of both against it. Keys are
// counted anew, and pages are compared.
func (c *comparison) recount(ctx context.Context, keys *recountedKeys, moved func(feed int, to uint64)) error {
	after, before := newRecountSide(c.Index, c.Index), newRecountSide(c.active, c.Index)
	r := &recounting{comparison: c, keys: keys, pages: newPageDiffs(keys), after: after, before: before, moved: moved}
	if c.report.SameRules && !c.base.carries() && !c.active.base.carries() {
		r.before = nil
	}
	for _, s := range c.cuts {
		if s.end > s.first {
			r.all += s.end - s.first
		}
	}
	for i, s := range c.cuts {
		if err := r.source(ctx, i, s); err != nil {
			return err
		}
	}
	c.check("counters", "counters that are what the journal says", r.counters, r.badCounters)
	c.check("active", "counters of "+c.report.Active+" at the same positions that no rules can change", r.theirs, r.badTheirs)
	c.report.After = after.report(r.pages.afterPages())
	if r.before == nil {
		c.report.Before = after.report(r.pages.afterPages())
	} else {
		c.report.Before = before.report(r.pages.beforePages())
	}
	c.report.Pages = r.pages.report()
	c.warn(&r.after.sum, r.pages)
	return nil
}

// recountSide counts by the rules of one generation.
type recountSide struct {
	*Index
	other       *Index // hits that it has carried over are left out too
	sum         Totals // of the sources that are done
	stream      *Stream
	totals      Totals // of the source that is read
	visitors    heatmap.Delta
	visitor     uint64 // that was counted last
	first, last heatmap.Date
	dated       bool
}

func newRecountSide(x, other *Index) *recountSide { return &recountSide{Index: x, other: other} }

// begin begins a source.
func (s *recountSide) begin(source string) error {
	own, err := s.base.Carried(source, s.options.Zone)
	if err != nil {
		return err
	}
	others, err := s.other.base.Carried(source, s.options.Zone)
	if err != nil {
		return err
	}
	leftOut := func(ev *Event) bool { return own.Holds(ev) || others.Holds(ev) }
	s.stream = NewStream(s.options.Rules, s.options.Zone, StreamOptions{MaxBytes: s.options.RepeatBytes, LeftOut: leftOut})
	s.totals = Totals{}
	return nil
}

// event counts a hit.
func (s *recountSide) event(ev *Event) {
	t := &s.totals
	t.Dead += uint64(len(ev.DeadAt))
	if len(ev.RageAt) > 0 {
		t.Bursts++
	}
	if ev.Visitor != s.visitor {
		s.visitor = ev.Visitor
		s.visitors.AddVisitor(ev.Bot, ev.Visitor)
	}
	if ev.Repeat {
		return
	}
	switch ev.Hit.Kind {
	case heatmap.KindView:
		t.Views++
	case heatmap.KindClick:
		t.Clicks++
	case heatmap.KindScroll:
		t.Scrolls++
	case heatmap.KindMove:
		t.Moves++
	}
	if ev.Bot {
		t.Bots++
	}
	if ev.Dead {
		t.Dead++
	}
	if !s.dated || ev.Date < s.first {
		s.first = ev.Date
	}
	if !s.dated || ev.Date > s.last {
		s.last = ev.Date
	}
	s.dated = true
}

// end ends a source of which so much was read.
func (s *recountSide) end(read Totals) Totals {
	t, left := s.totals, s.stream.Stats()
	t.Since, t.Read, t.Batches, t.Lost = read.Since, read.Read, read.Batches, read.Lost
	t.RepeatedBatches, t.RepeatedHits = left.RepeatedBatches, left.RepeatedHits
	t.Excluded, t.ExcludedBy, t.ExprErrors = left.Excluded, left.ExcludedBy, left.ExprErrors
	t.RepeatedClicks, t.Unsettled, t.Carried = left.RepeatedClicks, left.Unsettled, left.LeftOut
	s.sum.Add(&t)
	return t
}

func (s *recountSide) report(pages uint64) *heatmap.ReportSide {
	r := &heatmap.ReportSide{Counts: s.sum.Counts(s.options.Rules), Visitors: s.visitors.Visitors(false), Pages: pages}
	if s.dated {
		r.FirstDay, r.LastDay = s.first.String(), s.last.String()
	}
	return r
}

// recounting is the reading of the journal under way.
type recounting struct {
	*comparison
	after  *recountSide
	before *recountSide // nil = as after
	keys   *recountedKeys
	pages  *pageDiffs
	moved  func(feed int, to uint64)

	from      string // id of the source that is read
	done, all uint64 // hits

	counters, badCounters, theirs, badTheirs uint64
}

// source reads one source up to where it is compared.
func (r *recounting) source(ctx context.Context, i int, s *comparedSource) error {
	read := Totals{Since: s.first}
	if err := r.after.begin(s.id); err != nil {
		return err
	}
	if r.before != nil {
		if err := r.before.begin(s.id); err != nil {
			return err
		}
	}
	r.from = s.id
	if s.first < s.end && !s.whole {
		if err := r.read(ctx, i, s, &read); err != nil {
			return err
		}
	}
	after := r.after.end(read)
	before := after
	if r.before != nil {
		before = r.before.end(read)
	}
	r.judge(s, &after, &before)
	return nil
}

// read passes the chunks of a source through both streams.
func (r *recounting) read(ctx context.Context, i int, s *comparedSource, read *Totals) error {
	reader, first, err := openFirst(s.feed.source)
	if err != nil {
		return err
	}
	defer reader.Close()
	s.first = max(s.first, first)
	read.Since = s.first
	chunks := readAhead(ctx, reader)
	defer chunks.close()
	for next := s.first; next < s.end; {
		r.moved(i, next)
		if r.progress != nil {
			r.progress(r.done, r.all)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		c, err := chunks.next(ctx)
		if errors.Is(err, io.EOF) {
			break // the end of a frozen source was lost to damage
		}
		if err != nil {
			return fmt.Errorf("read journal %s: %w", s.id, err)
		}
		cutChunk(c, s.end)
		if c.Position > next {
			read.Lost += c.Position - next
		}
		r.chunk(c, read)
		r.done += uint64(c.Count)
		next = c.End()
	}
	return nil
}

// cutChunk leaves off what a chunk has from a position on. Sealing makes larger chunks, so it may be of both sides.
func cutChunk(c *heatmap.Chunk, end uint64) {
	if c.End() <= end {
		return
	}
	at := c.Position
	for i := range c.Batches {
		if at >= end {
			c.Batches = c.Batches[:i]
			break
		}
		b := &c.Batches[i]
		b.Hits = b.Hits[:min(uint64(len(b.Hits)), end-at)]
		at += uint64(len(b.Hits))
	}
	c.Count = int(end - c.Position)
}

// chunk counts a chunk by both rules.
func (r *recounting) chunk(c *heatmap.Chunk, read *Totals) {
	read.Read += uint64(c.Count)
	for i := range c.Batches {
		if len(c.Batches[i].Hits) > 0 {
			read.Batches++
		}
	}
	if r.before != nil {
		r.pages.beforeChunk(c)
		r.before.stream.Events(c, func(ev *Event) {
			if r.before.event(ev); !ev.Repeat {
				r.pages.before(ev)
			}
		})
	}
	r.after.stream.Events(c, func(ev *Event) {
		r.after.event(ev)
		r.pages.after(ev, r.before == nil, r.from)
	})
}

// warn says what whoever switches may not have meant: next to nothing is left, or the active one has what the journal lost.
func (c *comparison) warn(t *Totals, pages *pageDiffs) {
	add := func(format string, args ...any) {
		c.report.Warnings = append(c.report.Warnings, fmt.Sprintf(format, args...))
	}
	id, active, told := c.report.Generation, c.report.Active, t.Read-t.RepeatedHits-t.Carried
	switch {
	case told == 0:
	case t.Hits() == 0:
		add("its rules leave out every hit")
	case t.Bots == t.Hits():
		add("by its rules every hit is a bot's, which no answer has unless it is asked for")
	}
	if told > 0 && t.ExprErrors >= told {
		add("an expression of its rules fails on every hit, which counts as false")
	}
	pages.collapsed(func(site, page string, were int) {
		add("of the %d pages of site %s one is left, %s", were, site, heatmap.ReportPage(page))
	})
	var lost uint64
	for _, s := range c.cuts {
		if s.theirs != nil && s.theirs.Lost < s.totals.Lost {
			lost += s.totals.Lost - s.theirs.Lost
		}
	}
	if lost > 0 && c.report.Scope.All() {
		add("%s has counted %s hits that the journal has lost to damage since: whoever switches to %s gives them up; a replay with --from the day after the damage keeps them as they are counted",
			active, heatmap.Grouped(lost), id)
	}
}

// judge compares the totals of a source with what was counted.
func (r *recounting) judge(s *comparedSource, after, before *Totals) {
	id, active := r.report.Generation, r.report.Active
	fail := func(of *findings, format string, args ...any) { of.add("counters: "+format, args...) }
	differ := func(has, want []counter, done, failed *uint64, of *findings, whose string) {
		for i := range has {
			if *done++; has[i].n != want[i].n {
				*failed++
				fail(of, "%s has %d %s of journal %s, the journal has %d", whose, has[i].n, has[i].name, s.id, want[i].n)
			}
		}
	}
	whole := func(t *Totals, done, failed *uint64, of *findings, whose string) {
		if *done++; t.Since+t.Read+t.Lost != s.position {
			*failed++
			fail(of, "%s has read %d hits of journal %s and lost %d, from position %d on, which is not up to %d", whose, t.Read, s.id, t.Lost, t.Since, s.position)
		}
	}
	whole(&s.totals, &r.counters, &r.badCounters, &r.problems, id)
	if r.counters++; s.totals.Read != s.totals.accounted() {
		r.badCounters++
		fail(&r.problems, "%s has read %d hits of journal %s, %d are accounted for", id, s.totals.Read, s.id, s.totals.accounted())
	}
	if s.recountable() {
		rules := r.options.Rules
		differ(s.totals.counters(rules), after.counters(rules), &r.counters, &r.badCounters, &r.problems, id)
	} else {
		r.notes.add("journal %s has no hits below position %d any more or none above %d: what %s has of them was not recounted", s.id, s.first, s.end, id)
	}
	switch t := s.theirs; {
	case t == nil:
		r.notes.add("the counters of %s at position %d of journal %s are not known, so they were not compared", active, s.position, s.id)
	case t.Since == s.first && s.end == s.position:
		whole(t, &r.theirs, &r.badTheirs, &r.notes, active)
		differ(t.unchangeable(), before.unchangeable(), &r.theirs, &r.badTheirs, &r.notes, active)
	default:
		whole(t, &r.theirs, &r.badTheirs, &r.notes, active)
	}
}

// recountedKeys are the keys that are counted anew.
type recountedKeys struct {
	byRef  map[Ref]*recountedKey
	byPage map[pageKey][]*recountedKey
}

type recountedKey struct {
	Ref
	first, last heatmap.Date
	count       *heatmap.Recount
}

func newRecountedKeys(refs []Ref, cell int) *recountedKeys {
	k := &recountedKeys{byRef: make(map[Ref]*recountedKey), byPage: make(map[pageKey][]*recountedKey)}
	for _, r := range refs {
		one := &recountedKey{r, r.Period.First(), r.Period.Last(), heatmap.NewRecount(cell)}
		k.byRef[r] = one
		page := pageKey{r.Site, r.Page}
		k.byPage[page] = append(k.byPage[page], one)
	}
	return k
}

// event counts a hit of the key's page if it is of the key.
func (k *recountedKey) event(ev *Event, source string) {
	if ev.Date < k.first || ev.Date > k.last || k.Source != source {
		return
	}
	h := ev.Hit
	layer := func(kind heatmap.Kind) heatmap.LayerID {
		return heatmap.NewLayerID(kind, heatmap.WidthBandOf(h.ViewportW), ev.Device, ev.Bot)
	}
	switch {
	case ev.Repeat:
	case h.Kind == heatmap.KindView:
		k.count.View(layer(h.Kind))
	case h.Kind == heatmap.KindScroll:
		k.count.Scroll(layer(h.Kind), h.Depth, h.From, h.Y, h.ViewportH, h.Dwell)
	case h.Kind == heatmap.KindClick:
		var name *heatmap.ElementName
		if k.Period.IsMonth() {
			name = &heatmap.ElementName{Selector: h.Selector, Check: h.Check, HasCheck: h.HasCheck, Fixed: h.Flags&heatmap.FlagFixed != 0}
		}
		k.count.Click(layer(h.Kind), h.X, h.Y, ev.Anchor, name)
	default:
		k.count.Point(layer(h.Kind), h.X, h.Y)
	}
	if ev.Dead {
		k.count.Click(layer(heatmap.KindDead), h.X, h.Y, ev.Anchor, nil)
	}
	for _, at := range ev.DeadAt {
		k.count.Click(layer(heatmap.KindDead), at.X, at.Y, at.Anchor(), nil)
	}
	for _, at := range ev.RageAt {
		k.count.Click(layer(heatmap.KindRage), at.X, at.Y, at.Anchor(), nil)
	}
	k.count.Visitor(ev.Bot, ev.Visitor)
	k.count.Sampled(ev.Bot, ev.Sampled)
}

// differs says what a stored blob has otherwise than the journal, "" for nothing.
func (k *recountedKey) differs(blob []byte) string {
	if slices.Equal(k.count.Blob(), blob) {
		return ""
	}
	var has, want kindCounts
	if _, err := heatmap.BlobLayers(blob, func(id heatmap.LayerID, n uint64) { has[id.Kind()] += n }); err != nil {
		return fmt.Sprintf("cannot be read: %v", err)
	}
	k.count.Hits(func(id heatmap.LayerID, n uint64) { want[id.Kind()] += n })
	for kind := heatmap.KindView; kind <= heatmap.KindDead; kind++ {
		if has[kind] != want[kind] {
			return fmt.Sprintf("has %d %s hits, the journal has %d", has[kind], kind, want[kind])
		}
	}
	return "has its hits in other places, layers or from other visitors or shares of page loads than the journal"
}
