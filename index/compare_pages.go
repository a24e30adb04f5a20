package index

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"heatlog/heatmap"
)

// comparedPages bounds the pages that are told apart, and the pairs of pages between which hits move.
const comparedPages = 1 << 17

// pageDiffs compare the hits of pages before and after.
type pageDiffs struct {
	pages map[pageKey]*pageDiff
	other pageDiff                // of all pages beyond comparedPages
	moves map[[2]*pageDiff]uint64 // hits that counted as the first before and as the second after
	moved uint64                  // these, and those of pairs beyond comparedPages

	from []*pageDiff // of each hit of a chunk: as which page it counted before, nil = not at all
	base uint64      // position of the first of them

	lastBefore, lastAfter *pageDiff
}

// pageDiff is a page with its hits.
type pageDiff struct {
	pageKey
	before, after uint64
	keys          []*recountedKey
}

func newPageDiffs(keys *recountedKeys) *pageDiffs {
	p := &pageDiffs{pages: make(map[pageKey]*pageDiff), moves: make(map[[2]*pageDiff]uint64)}
	for page, of := range keys.byPage {
		p.pages[page] = &pageDiff{pageKey: page, keys: of}
	}
	p.lastBefore, p.lastAfter = &p.other, &p.other
	return p
}

// find gives the page of a hit; last is that of the hit before.
func (p *pageDiffs) find(last **pageDiff, site, page string) *pageDiff {
	if d := *last; d.page == page && d.site == site && d != &p.other {
		return d
	}
	d := p.pages[pageKey{site, page}]
	switch {
	case d != nil:
	case len(p.pages) >= comparedPages:
		d = &p.other
	default:
		d = &pageDiff{pageKey: pageKey{strings.Clone(site), strings.Clone(page)}}
		p.pages[d.pageKey] = d
	}
	*last = d
	return d
}

// beforeChunk forgets the chunk before.
func (p *pageDiffs) beforeChunk(c *heatmap.Chunk) {
	p.base = c.Position
	p.from = append(p.from[:0], make([]*pageDiff, c.Count)...)
}

// before counts a hit of people as the page that it was of.
func (p *pageDiffs) before(ev *Event) {
	if ev.Bot {
		return
	}
	d := p.find(&p.lastBefore, ev.Hit.Site, ev.Page)
	d.before++
	p.from[ev.Position-p.base] = d
}

// after counts a hit for the keys of the page that it is of now, and as that page if it is of people. Same says that it was of the same before.
func (p *pageDiffs) after(ev *Event, same bool, source string) {
	d := p.find(&p.lastAfter, ev.Hit.Site, ev.Page)
	for _, k := range d.keys {
		k.event(ev, source)
	}
	if ev.Repeat || ev.Bot {
		return
	}
	d.after++
	if same {
		d.before++
		return
	}
	from := p.from[ev.Position-p.base]
	if from == nil || from == d {
		return
	}
	p.moved++
	pair := [2]*pageDiff{from, d}
	if _, known := p.moves[pair]; known || len(p.moves) < comparedPages {
		p.moves[pair]++
	}
}

// collapsed calls fn for the sites that had many pages and have one, though no fewer than half of their hits are left.
func (p *pageDiffs) collapsed(fn func(site, page string, were int)) {
	type pages struct {
		before, after         int
		hitsBefore, hitsAfter uint64
		page                  string
	}
	sites := make(map[string]*pages)
	for _, d := range p.pages {
		s := sites[d.site]
		if s == nil {
			s = new(pages)
			sites[d.site] = s
		}
		if s.hitsBefore += d.before; d.before > 0 {
			s.before++
		}
		if s.hitsAfter += d.after; d.after > 0 {
			s.after++
			s.page = d.page
		}
	}
	for _, site := range slices.Sorted(maps.Keys(sites)) {
		if s := sites[site]; s.before >= manyPages && s.after == 1 && s.hitsAfter >= s.hitsBefore/2 {
			fn(site, s.page, s.before)
		}
	}
}

// manyPages is how many pages of a site must become one for a warning.
const manyPages = 5

func (p *pageDiffs) beforePages() (n uint64) {
	for _, d := range p.pages {
		if d.before > 0 {
			n++
		}
	}
	return n
}

func (p *pageDiffs) afterPages() (n uint64) {
	for _, d := range p.pages {
		if d.after > 0 {
			n++
		}
	}
	return n
}

// distance is by how many hits a page differs.
func (d *pageDiff) distance() uint64 { return max(d.before, d.after) - min(d.before, d.after) }

func (d *pageDiff) compare(o *pageDiff) int {
	return cmp.Or(strings.Compare(d.site, o.site), strings.Compare(d.page, o.page))
}

// report says what became of the pages.
func (p *pageDiffs) report() *heatmap.PageChanges {
	r := &heatmap.PageChanges{Moved: p.moved, Apart: max(p.other.before, p.other.after)}
	var changed []*pageDiff
	hits := p.other.before
	for _, d := range p.pages {
		hits += d.before
		switch {
		case d.before == d.after:
			if d.after > 0 {
				r.Same++
			}
			continue
		case d.before == 0:
			r.Appeared++
		case d.after == 0:
			r.Disappeared++
		default:
			r.Changed++
		}
		changed = append(changed, d)
	}
	slices.SortFunc(changed, func(a, b *pageDiff) int { return cmp.Or(cmp.Compare(b.distance(), a.distance()), a.compare(b)) })
	for _, d := range changed[:min(len(changed), heatmap.MaxReportPages)] {
		share := float64(int64(d.after)-int64(d.before)) / float64(max(hits, 1))
		r.Top = append(r.Top, heatmap.PageChange{Site: d.site, Page: heatmap.ReportPage(d.page), Before: d.before, After: d.after, Share: share})
	}
	p.reportMerges(r)
	return r
}

// pageMerge is a page that takes hits of others.
type pageMerge struct {
	to   *pageDiff
	hits uint64
	from []pageMove
}

type pageMove struct {
	from *pageDiff
	hits uint64
}

// reportMerges says which pages take hits of others.
func (p *pageDiffs) reportMerges(r *heatmap.PageChanges) {
	byPage := make(map[*pageDiff]*pageMerge)
	for pair, hits := range p.moves {
		if pair[0] == &p.other || pair[1] == &p.other {
			continue
		}
		m := byPage[pair[1]]
		if m == nil {
			m = &pageMerge{to: pair[1]}
			byPage[pair[1]] = m
		}
		m.hits += hits
		m.from = append(m.from, pageMove{pair[0], hits})
	}
	r.Merged = uint64(len(byPage))
	merges := make([]*pageMerge, 0, len(byPage))
	for _, m := range byPage {
		merges = append(merges, m)
	}
	slices.SortFunc(merges, func(a, b *pageMerge) int { return cmp.Or(cmp.Compare(b.hits, a.hits), a.to.compare(b.to)) })
	for _, m := range merges[:min(len(merges), heatmap.MaxReportPages)] {
		slices.SortFunc(m.from, func(a, b pageMove) int { return cmp.Or(cmp.Compare(b.hits, a.hits), a.from.compare(b.from)) })
		out := heatmap.PageMerge{Site: m.to.site, Page: heatmap.ReportPage(m.to.page), Hits: m.hits, Of: uint64(len(m.from))}
		for _, f := range m.from[:min(len(m.from), heatmap.MaxReportFrom)] {
			out.From = append(out.From, heatmap.PageHits{Page: heatmap.ReportPage(f.from.page), Hits: f.hits})
		}
		r.Merges = append(r.Merges, out)
	}
}
