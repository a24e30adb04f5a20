package index

import (
	"context"
	"fmt"
	"strings"

	"heatlog/heatmap"
)

// windowPages counts pages in panes, and gives the list of the last window.
type windowPages struct {
	*window
	plan   *plan
	pages  map[string]*windowPage
	byPane map[int64]map[*windowPage]bool
	held   int // pages in panes
	most   int // maxPanePages, but in tests
}

// windowPage is a page with its panes, and what they are together.
type windowPage struct {
	name  string
	panes map[int64]*pagePane

	sum   kindCounts // of the window
	scope heatmap.Delta
	stale bool // scope is that of panes that are over too, or lacks one that has come
}

// pagePane is what a page has in a pane: scope has visitors and sampled hits.
type pagePane struct {
	counts kindCounts
	scope  heatmap.Delta
}

func newWindowPages(pl *plan, w *window) *windowPages {
	return &windowPages{window: w, plan: pl, pages: make(map[string]*windowPage), byPane: make(map[int64]map[*windowPage]bool), most: maxPanePages}
}

// low is the first pane of the window.
func (c *windowPages) low() int64 {
	_, last := c.ends()
	return last - c.panes
}

// at gives what a page has in a pane. The error is a *heatmap.ParamError if there are too many.
func (c *windowPages) at(page string, pane int64) (*windowPage, *pagePane, error) {
	p := c.pages[page]
	if p == nil {
		p = &windowPage{name: strings.Clone(page), panes: make(map[int64]*pagePane)}
		c.pages[p.name] = p
	}
	n := p.panes[pane]
	if n == nil {
		if c.held >= c.most {
			return nil, nil, &heatmap.ParamError{Field: "every", Message: fmt.Sprintf(
				"the pages have hits in more than %d panes together: ask for fewer pages, a shorter window or a longer every", c.most)}
		}
		n = new(pagePane)
		p.panes[pane] = n
		c.held++
		if c.byPane[pane] == nil {
			c.byPane[pane] = make(map[*windowPage]bool)
		}
		c.byPane[pane][p] = true
	}
	return p, n, nil
}

func (c *windowPages) event(ev *Event) error {
	pane := c.pane(ev.Hit.Time)
	if pane < c.low() {
		return nil
	}
	p, n, err := c.at(ev.Page, pane)
	if err != nil {
		return err
	}
	_, last := c.ends()
	now := pane < last
	n.scope.AddVisitor(ev.Bot, ev.Visitor)
	n.scope.AddSampled(ev.Bot, ev.Sampled)
	if now && !p.stale {
		p.scope.AddVisitor(ev.Bot, ev.Visitor)
		p.scope.AddSampled(ev.Bot, ev.Sampled)
	}
	if pl := c.plan; pl.keepsWidthOf(ev.Hit.ViewportW) && pl.keepsDevice(ev.Device) {
		n.counts.event(ev)
		if now {
			p.sum.event(ev)
		}
	}
	return nil
}

func (c *windowPages) merge(part aggregate) error {
	low := c.low()
	_, last := c.ends()
	for page, o := range part.(*windowPages).pages {
		for pane, from := range o.panes {
			if pane < low {
				continue
			}
			p, n, err := c.at(page, pane)
			if err != nil {
				return err
			}
			n.counts.add(&from.counts)
			n.scope.MergePageScope(&from.scope)
			if pane < last {
				p.sum.add(&from.counts)
				p.stale = true
			}
		}
	}
	return nil
}

func (c *windowPages) fresh() aggregate {
	w := *c.window
	part := newWindowPages(c.plan, &w)
	part.most = c.most
	return part
}

// pass lets panes go that are over, and takes in those that have come.
func (c *windowPages) pass(now int64) (changed bool, next int64) {
	_, before := c.ends()
	slid, next := c.window.pass(now)
	if !slid {
		return false, next
	}
	_, last := c.ends()
	low := c.low()
	for pane, pages := range c.byPane {
		switch {
		case pane < low:
			c.drop(pane, pane < before)
		case before <= pane && pane < last:
			for p := range pages {
				p.sum.add(&p.panes[pane].counts)
				p.stale = true
			}
		}
	}
	return true, next
}

// drop forgets a pane that is over, which was in the window or never came to be.
func (c *windowPages) drop(pane int64, counted bool) {
	for p := range c.byPane[pane] {
		if counted {
			p.sum.take(&p.panes[pane].counts)
		}
		delete(p.panes, pane)
		c.held--
		if p.stale = true; len(p.panes) == 0 {
			delete(c.pages, p.name)
		}
	}
	delete(c.byPane, pane)
}

// take takes away what was added before.
func (n *kindCounts) take(o *kindCounts) {
	for kind, hits := range o {
		n[kind] -= hits
	}
}

// freshen puts together who was in the window, if panes have come or gone.
func (c *windowPages) freshen(p *windowPage) {
	if !p.stale {
		return
	}
	_, last := c.ends()
	p.scope, p.stale = heatmap.Delta{}, false
	for pane, n := range p.panes {
		if pane < last {
			p.scope.MergePageScope(&n.scope)
		}
	}
}

// answer is the list of the last window.
func (c *windowPages) answer(prefix heatmap.Prefix) *heatmap.PageList {
	q := &c.plan.query
	a := &heatmap.PageList{Prefix: prefix}
	var list []heatmap.PageCount
	for _, p := range c.pages {
		n := &p.sum
		if n.hits() == 0 || !strings.Contains(p.name, q.Search) {
			continue
		}
		c.freshen(p)
		list = append(list, heatmap.PageCount{
			Page: p.name, Hits: n.hits(), Views: n[heatmap.KindView], Clicks: n[heatmap.KindClick], Scrolls: n[heatmap.KindScroll],
			Move: n[heatmap.KindMove], Rage: n[heatmap.KindRage], Dead: n[heatmap.KindDead],
			Sampled: p.scope.Sampled(q.Bots), Visitors: p.scope.Visitors(q.Bots),
		})
	}
	sortPages(list)
	for i := range list {
		a.Hits += list[i].Hits
		a.Sampled.Add(list[i].Sampled)
	}
	a.Pages, a.Total = pageOf(list, q.Offset, q.Limit), len(list)
	return a
}

// livingWindowPages keeps the list of the last window.
type livingWindowPages struct{ *windowPages }

func (l livingWindowPages) snapshot(context.Context) (heatmap.Prefix, error) {
	return heatmap.Prefix{}, errNeedsScan
}

func (l livingWindowPages) update(u *heatmap.Update, p heatmap.Prefix) (heatmap.Kind, bool, error) {
	u.Pages = l.answer(p)
	return 0, u.Pages.Total == 0, nil
}

func (l livingWindowPages) size() int { return l.held }
