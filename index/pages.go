package index

import (
	"strings"

	"heatlog/heatmap"
)

// pageCounts reduces to the hits of each page by kind, and its sampled hits. Only the directories of blobs are read.
type pageCounts struct {
	plan  *plan
	pages map[string]*pageCount
}

type pageCount struct {
	kindCounts
	samples heatmap.Samples
}

// kindCounts are hits by kind.
type kindCounts [heatmap.KindDead + 1]uint64

func (n *kindCounts) add(o *kindCounts) {
	for kind, hits := range o {
		n[kind] += hits
	}
}

// event counts an event, as what it is and as what is derived from it.
func (n *kindCounts) event(ev *Event) {
	if !ev.Repeat {
		n[ev.Hit.Kind]++
	}
	if ev.Dead {
		n[heatmap.KindDead]++
	}
	n[heatmap.KindDead] += uint64(len(ev.DeadAt))
	n[heatmap.KindRage] += uint64(len(ev.RageAt))
}

// hits is the number of hits that were recorded.
func (n *kindCounts) hits() uint64 {
	return n[heatmap.KindView] + n[heatmap.KindClick] + n[heatmap.KindScroll] + n[heatmap.KindMove]
}

func newPageCounts(pl *plan) *pageCounts {
	return &pageCounts{plan: pl, pages: make(map[string]*pageCount)}
}

func (c *pageCounts) part(d *heatmap.Delta) any {
	sum := &pageCount{samples: d.Samples()}
	d.Layers(func(id heatmap.LayerID, hits uint64) { c.count(sum, id, hits) })
	return sum
}

func (c *pageCounts) add(k heatmap.Key, part any) {
	sum, p := c.of(k.Page), part.(*pageCount)
	sum.add(&p.kindCounts)
	sum.samples.Add(&p.samples)
}

func (c *pageCounts) blob(k heatmap.Key, blob []byte) error {
	sum := c.of(k.Page)
	samples, err := heatmap.BlobLayers(blob, func(id heatmap.LayerID, hits uint64) { c.count(sum, id, hits) })
	sum.samples.Add(&samples)
	return err
}

func (c *pageCounts) count(sum *pageCount, id heatmap.LayerID, hits uint64) {
	if c.plan.keeps(id) {
		sum.kindCounts[id.Kind()] += hits
	}
}

func (c *pageCounts) of(page string) *pageCount {
	sum := c.pages[page]
	if sum == nil {
		sum = new(pageCount)
		c.pages[strings.Clone(page)] = sum
	}
	return sum
}

func (c *pageCounts) what() string { return "list" }

func (c *pageCounts) keep(_ *stored, p *storedPage, _ heatmap.Key, blob []byte) error {
	samples, err := heatmap.BlobLayers(blob, func(id heatmap.LayerID, hits uint64) { c.count(&p.pageCount, id, hits) })
	p.samples.Add(&samples)
	return err
}

func (c *pageCounts) seal(*stored) {}

func (c *pageCounts) begin(s *stored) {
	for page, p := range s.pages {
		c.add(heatmap.Key{Page: page}, &p.pageCount)
	}
}

func (c *pageCounts) reset() { clear(c.pages) }

// list gives the pages that have hits and contain the search text, sorted.
func (c *pageCounts) list(q heatmap.Query) []heatmap.PageCount {
	var list []heatmap.PageCount
	for page, sum := range c.pages {
		n := &sum.kindCounts
		p := heatmap.PageCount{
			Page: page, Hits: n.hits(), Views: n[heatmap.KindView], Clicks: n[heatmap.KindClick], Scrolls: n[heatmap.KindScroll],
			Move: n[heatmap.KindMove], Rage: n[heatmap.KindRage], Dead: n[heatmap.KindDead], Sampled: sum.samples.Of(q.Bots),
		}
		if p.Hits > 0 && strings.Contains(page, q.Search) {
			list = append(list, p)
		}
	}
	sortPages(list)
	return list
}
