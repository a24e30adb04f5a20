package main

import (
	"context"
	"sync/atomic"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/replay"
	"heatlog/web"
)

// counts are the generations of a store that may not be reached yet. Until it is, whatever is asked of them is refused with the
// reason, a *heatmap.UnavailableError.
type counts struct {
	opened atomic.Pointer[replay.Generations] // nil until the store was reached
	why    func() error                       // what is in the way of answers, nil if nothing is
	behind func() uint64                      // hits that are not counted while there is nothing to count them
}

// open gives the generations.
func (c *counts) open() (*replay.Generations, error) {
	if g := c.opened.Load(); g != nil {
		return g, nil
	}
	if err := c.why(); err != nil {
		return nil, err
	}
	return nil, &heatmap.UnavailableError{Message: "the store was just reached, and its counts are not open yet"}
}

// of asks the generations something.
func of[A any](c *counts, ask func(*replay.Generations) (A, error)) (A, error) {
	g, err := c.open()
	if err != nil {
		var none A
		return none, err
	}
	return ask(g)
}

// do has the generations do something.
func (c *counts) do(what func(*replay.Generations) error) error {
	_, err := of(c, func(g *replay.Generations) (struct{}, error) { return struct{}{}, what(g) })
	return err
}

// Heatmap is that of the generations.
func (c *counts) Heatmap(ctx context.Context, q heatmap.Query) (*heatmap.Heatmap, error) {
	return of(c, func(g *replay.Generations) (*heatmap.Heatmap, error) { return g.Heatmap(ctx, q) })
}

// Difference is that of the generations.
func (c *counts) Difference(ctx context.Context, q, minus heatmap.Query) (*heatmap.Difference, error) {
	return of(c, func(g *replay.Generations) (*heatmap.Difference, error) { return g.Difference(ctx, q, minus) })
}

// Elements is that of the generations.
func (c *counts) Elements(ctx context.Context, q heatmap.Query) (*heatmap.ElementList, error) {
	return of(c, func(g *replay.Generations) (*heatmap.ElementList, error) { return g.Elements(ctx, q) })
}

// Scroll is that of the generations.
func (c *counts) Scroll(ctx context.Context, q heatmap.Query) (*heatmap.Scroll, error) {
	return of(c, func(g *replay.Generations) (*heatmap.Scroll, error) { return g.Scroll(ctx, q) })
}

// Pages is that of the generations.
func (c *counts) Pages(ctx context.Context, q heatmap.Query) (*heatmap.PageList, error) {
	return of(c, func(g *replay.Generations) (*heatmap.PageList, error) { return g.Pages(ctx, q) })
}

// Trend is that of the generations.
func (c *counts) Trend(ctx context.Context, q heatmap.Query) (*heatmap.Trend, error) {
	return of(c, func(g *replay.Generations) (*heatmap.Trend, error) { return g.Trend(ctx, q) })
}

// Keep is that of the generations.
func (c *counts) Keep(ctx context.Context, q heatmap.Question) (web.Kept, error) {
	return of(c, func(g *replay.Generations) (web.Kept, error) {
		kept, err := g.Keep(ctx, q)
		if err != nil {
			return nil, err
		}
		return kept, nil
	})
}

// Timeline is that of the generations.
func (c *counts) Timeline(ctx context.Context, q heatmap.Query) (*heatmap.Timeline, error) {
	return of(c, func(g *replay.Generations) (*heatmap.Timeline, error) { return g.Timeline(ctx, q) })
}

// Export is that of the generations.
func (c *counts) Export(ctx context.Context, q heatmap.Query, positions map[string]uint64, fn func(*heatmap.Hit) error) error {
	return c.do(func(g *replay.Generations) error { return g.Export(ctx, q, positions, fn) })
}

// List is that of the generations.
func (c *counts) List() ([]heatmap.Generation, error) {
	return of(c, func(g *replay.Generations) ([]heatmap.Generation, error) { return g.List(), nil })
}

// Get is that of the generations.
func (c *counts) Get(ctx context.Context, id string) (heatmap.Generation, error) {
	return of(c, func(g *replay.Generations) (heatmap.Generation, error) { return g.Get(ctx, id) })
}

// Start is that of the generations.
func (c *counts) Start(ctx context.Context, p heatmap.Replay) (heatmap.Generation, error) {
	return of(c, func(g *replay.Generations) (heatmap.Generation, error) { return g.Start(ctx, p) })
}

// Report is that of the generations.
func (c *counts) Report(ctx context.Context, id string) (*heatmap.Report, error) {
	return of(c, func(g *replay.Generations) (*heatmap.Report, error) { return g.Report(ctx, id) })
}

// Activate is that of the generations.
func (c *counts) Activate(ctx context.Context, id string) error {
	return c.do(func(g *replay.Generations) error { return g.Activate(ctx, id) })
}

// Pause is that of the generations.
func (c *counts) Pause(ctx context.Context, id string) error {
	return c.do(func(g *replay.Generations) error { return g.Pause(ctx, id) })
}

// Resume is that of the generations.
func (c *counts) Resume(ctx context.Context, id string) error {
	return c.do(func(g *replay.Generations) error { return g.Resume(ctx, id) })
}

// Drop is that of the generations.
func (c *counts) Drop(ctx context.Context, id string) error {
	return c.do(func(g *replay.Generations) error { return g.Drop(ctx, id) })
}

// Needed is that of the generations.
func (c *counts) Needed(ctx context.Context) (below func(source string) uint64, err error) {
	return of(c, func(g *replay.Generations) (func(string) uint64, error) { return g.Needed(ctx) })
}

// Ready gives nil, or what is in the way of answers that are up to date.
func (c *counts) Ready() error {
	if err := c.why(); err != nil {
		return err
	}
	return c.do((*replay.Generations).Ready)
}

// Admit says whether hits may be added to the source: any while there is nothing to count them.
func (c *counts) Admit(hits int) error {
	if g := c.opened.Load(); g != nil {
		return g.Admit(hits)
	}
	return nil
}

// Lag is the number of durable hits that answers do not count yet.
func (c *counts) Lag() uint64 {
	if g := c.opened.Load(); g != nil {
		return g.Lag()
	}
	return c.behind()
}

// Zone gives the zone that the rules of the active generation name for a site, nil for none.
func (c *counts) Zone(site string) *time.Location {
	if g := c.opened.Load(); g != nil {
		return g.Zone(site)
	}
	return nil
}

// Stats gives the totals of the active generation's index.
func (c *counts) Stats() index.Stats {
	if g := c.opened.Load(); g != nil {
		return g.Stats()
	}
	return index.Stats{}
}

// Memory is what all generations together may hold of deltas, and what they hold to tell repeats, bytes.
func (c *counts) Memory() (deltas, repeats int64) {
	if g := c.opened.Load(); g != nil {
		return g.Memory()
	}
	return 0, 0
}
