package index

import (
	"context"
	"fmt"
	"slices"

	"heatlog/heatmap"
)

// Sum adds up the month that is carried in part from its days, and says how many hits of which site are carried over.
func (c *Carry) Sum(ctx context.Context) (all []heatmap.Carried, err error) {
	sites, err := c.Options.Store.Sites(ctx, c.Options.Generation)
	if err != nil {
		return nil, fmt.Errorf("list sites of generation %s: %w", c.Options.Generation, err)
	}
	s := summing{Carry: c, from: CarriedSource(c.Base.Generation)}
	if s.before, s.anew, err = c.Base.scope(); err != nil {
		return nil, err
	}
	for _, site := range sites {
		found, err := s.site(ctx, site)
		if err != nil {
			return nil, fmt.Errorf("add up documents of site %s: %w", site, err)
		}
		all = append(all, found...)
	}
	return all, nil
}

// summing is the step Sum.
type summing struct {
	*Carry
	from   string // the carried source
	before heatmap.Date
	anew   map[string]bool // sites, nil = all

	page      string
	month     heatmap.Delta // of page, from the days that are carried
	watermark uint64        // of the document of that month
}

// site adds up the months of a site's pages, and counts its hits.
func (s *summing) site(ctx context.Context, site string) ([]heatmap.Carried, error) {
	hits := make(map[string]uint64) // by source
	cut, isCut := s.cut(site)
	err := s.Options.Store.Scan(ctx, Range{Generation: s.Options.Generation, Site: site, IsPrefix: true}, func(d Doc) error {
		if d.Source != s.from && !slices.Contains(s.Base.Whole, d.Source) {
			return nil
		}
		if d.Page != s.page {
			if err := s.write(ctx, site, cut); err != nil {
				return err
			}
			s.page = d.Page
		}
		if d.Period.IsMonth() {
			if d.Source == s.from && d.Period == cut {
				s.watermark = d.Watermark
			}
			return nil
		}
		n, err := blobHits(d.Blob)
		if err != nil {
			return err
		}
		hits[d.Source] += n
		if d.Source == s.from && isCut && heatmap.MonthPeriod(d.Period.First()) == cut {
			return s.month.MergeBlob(d.Blob)
		}
		return nil
	})
	if err == nil {
		err = s.write(ctx, site, cut)
	}
	var all []heatmap.Carried
	for _, source := range append([]string{s.from}, s.Base.Whole...) {
		if hits[source] == 0 {
			continue
		}
		one := heatmap.Carried{Site: site, From: s.Base.Generation, Hits: hits[source]}
		switch {
		case source != s.from:
			one.Source = source
		case s.anew == nil || s.anew[site]:
			one.Before = s.Base.From
		}
		all = append(all, one)
	}
	return all, err
}

// cut gives the month of which a site has some days carried and others not.
func (s *summing) cut(site string) (heatmap.Period, bool) {
	month := heatmap.MonthPeriod(s.before)
	return month, (s.anew == nil || s.anew[site]) && month.First() < s.before
}

// write writes the month of a page, over what Count has of it.
func (s *summing) write(ctx context.Context, site string, cut heatmap.Period) error {
	month, watermark := s.month, s.watermark
	if s.month, s.watermark = (heatmap.Delta{}), 0; month.Empty() {
		return nil
	}
	key := heatmap.Key{Site: site, Page: s.page, Period: cut}
	w := Write{
		Ref: Ref{Generation: s.Options.Generation, Key: key, Source: s.from},
		Old: watermark, New: max(watermark, s.Base.Positions[s.Base.Source]) + 1, Blob: month.Append(nil),
	}
	applied, err := s.Options.Store.Swap(ctx, []Write{w})
	if err == nil && !applied[0] {
		err = errConflict
	}
	return err
}

// blobHits is the number of hits that a blob counts.
func blobHits(blob []byte) (hits uint64, err error) {
	_, err = heatmap.BlobLayers(blob, func(id heatmap.LayerID, n uint64) {
		if k := id.Kind(); k != heatmap.KindRage && k != heatmap.KindDead {
			hits += n
		}
	})
	return hits, err
}
