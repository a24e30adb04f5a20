package index

import (
	"strings"

	"heatlog/heatmap"
)

// pageCounts reduces to the hits of each page by kind. Only the directories of blobs are read.
type pageCounts struct {
	plan  *plan
	pages map[string]*kindCounts
}

// kindCounts are hits by kind.
type kindCounts [heatmap.KindDead + 1]uint64

func newPageCounts(pl *plan) *pageCounts {
	return &pageCounts{plan: pl, pages: make(map[string]*kindCounts)}
}

func (c *pageCounts) keeps(id heatmap.LayerID) bool {
	return id.Kind().Valid() && c.plan.keepsWidth(id.WidthBand()) && c.plan.keepsDevice(id.Device()) && c.plan.keepsBot(id.Bot())
}

func (c *pageCounts) part(d *heatmap.Delta) any {
	counts := new(kindCounts)
	d.Layers(func(id heatmap.LayerID, hits uint64) {
		if c.keeps(id) {
			counts[id.Kind()] += hits
		}
	})
	return counts
}

func (c *pageCounts) add(k heatmap.Key, part any) {
	sum := c.of(k.Page)
	for kind, hits := range part.(*kindCounts) {
		sum[kind] += hits
	}
}

func (c *pageCounts) blob(k heatmap.Key, blob []byte) error {
	sum := c.of(k.Page)
	return heatmap.BlobLayers(blob, func(id heatmap.LayerID, hits uint64) {
		if c.keeps(id) {
			sum[id.Kind()] += hits
		}
	})
}

func (c *pageCounts) of(page string) *kindCounts {
	sum := c.pages[page]
	if sum == nil {
		sum = new(kindCounts)
		c.pages[strings.Clone(page)] = sum
	}
	return sum
}

func (c *pageCounts) reset() { clear(c.pages) }

// list gives the pages that have hits and contain the search text, sorted.
func (c *pageCounts) list(q heatmap.Query) []heatmap.PageCount {
	var list []heatmap.PageCount
	for page, n := range c.pages {
		p := heatmap.PageCount{
			Page: page, Views: n[heatmap.KindView], Clicks: n[heatmap.KindClick], Scrolls: n[heatmap.KindScroll],
			Move: n[heatmap.KindMove], Rage: n[heatmap.KindRage], Dead: n[heatmap.KindDead],
		}
		p.Hits = p.Views + p.Clicks + p.Scrolls + p.Move
		if p.Hits > 0 && strings.Contains(page, q.Search) {
			list = append(list, p)
		}
	}
	sortPages(list)
	return list
}
