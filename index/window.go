package index

import (
	"context"
	"fmt"
	"time"

	"heatlog/heatmap"
)

// Limits of windows.
const (
	longestWindow  = 90 * 24 * time.Hour
	maxWindowPanes = 2000    // of one window
	maxPanePages   = 200_000 // pages in panes of a list, a page as often as it has hits in panes: 500 bytes each, and visitors
)

// window is a window of time that slides by panes. A pane has the hits of a span of time by the hits' own clocks, in UTC, so a hit
// that comes late is in its own pane, and one that is ahead waits there. Pane n begins at n times every. The window with the end e is
// of the panes from e-panes to e-1.
type window struct {
	every    int64  // ms
	panes    int64  // of a window
	from, to *int64 // Unix ms: ends are behind from and up to to; nil = open
	now      int64  // Unix ms
}

// newWindow makes the window of a plan, which reads no more of the log than is needed then. Ahead says that time will pass.
func (x *Index) newWindow(pl *plan, ahead bool) (*window, error) {
	q := &pl.query
	if err := checkWindow(q); err != nil {
		return nil, err
	}
	w := &window{every: q.Every.Milliseconds(), panes: int64(q.Window / q.Every), now: x.options.Now().UnixMilli()}
	if pl.first != nil {
		w.from = new(int64)
		*w.from = pl.from
	}
	if pl.last != nil {
		w.to = new(int64)
		*w.to = pl.to
	}
	first, last := w.ends()
	if last-first >= heatmap.MaxTrendBuckets {
		return nil, &heatmap.ParamError{Field: "every", Message: fmt.Sprintf(
			"the range has %d windows, limit %d: narrow it with from and to, or ask for a longer every", last-first+1, heatmap.MaxTrendBuckets)}
	}
	pl.scan = true
	if pl.from = (first - w.panes) * w.every; !ahead || w.to != nil {
		pl.to = last * w.every
		if ahead {
			pl.to = *w.to
		}
	}
	begin, end := heatmap.DateOf(pl.from, pl.zone), heatmap.DateOf(last*w.every-1, pl.zone)
	pl.first, pl.last = &begin, &end
	return w, nil
}

// checkWindow refuses windows that cannot be.
func checkWindow(q *heatmap.Query) error {
	bad := func(field, format string, args ...any) error {
		return &heatmap.ParamError{Field: field, Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case q.Window <= 0:
		return bad("window", "every is how often a window slides: say with window how long it is")
	case q.Every < time.Second || q.Every%time.Second != 0:
		return bad("every", "every is %s, want whole seconds, how often the window slides", q.Every)
	case q.Window > longestWindow:
		return bad("window", "window is %s, limit %d days", q.Window, longestWindow/(24*time.Hour))
	case q.Window%q.Every != 0:
		return bad("window", "window is %s, no multiple of every, %s", q.Window, q.Every)
	case q.Window/q.Every > maxWindowPanes:
		return bad("every", "window is %d times every, limit %d", q.Window/q.Every, maxWindowPanes)
	case q.Hourly:
		return bad("by", "a trend of windows has no days or hours: leave out by")
	}
	return nil
}

// windows gives the trend of windows that a plan asks for.
func (x *Index) windows(ctx context.Context, pl *plan) (*heatmap.Trend, error) {
	w, err := x.newWindow(pl, false)
	if err != nil {
		return nil, err
	}
	t := newWindowTrend(pl, w)
	prefix, err := x.scan(ctx, pl, t)
	if err != nil {
		return nil, err
	}
	a := t.answer(prefix)
	if a.Hits == 0 {
		a.Why, err = x.why(ctx, pl, 0)
	}
	return a, err
}

// windowList gives the list of pages of the last window.
func (x *Index) windowList(ctx context.Context, pl *plan) (*heatmap.PageList, error) {
	c, err := x.newPagesWindow(pl, false)
	if err != nil {
		return nil, err
	}
	prefix, err := x.scan(ctx, pl, c)
	if err != nil {
		return nil, err
	}
	a := c.answer(prefix)
	if a.Total == 0 {
		a.Why, err = x.why(ctx, pl, 0)
	}
	return a, err
}

// newPagesWindow makes the empty list of the last window.
func (x *Index) newPagesWindow(pl *plan, ahead bool) (*windowPages, error) {
	if pl.first != nil || pl.last != nil {
		return nil, &heatmap.ParamError{Field: "window", Message: "a list with a window is of the last one: leave out from, to and last"}
	}
	w, err := x.newWindow(pl, ahead)
	if err != nil {
		return nil, err
	}
	c := newWindowPages(pl, w)
	pl.from = c.low() * w.every
	*pl.first = heatmap.DateOf(pl.from, pl.zone)
	return c, nil
}

// slides reports whether a query asks for a window.
func slides(q *heatmap.Query) bool { return q.Window != 0 || q.Every != 0 }

// refuseWindow refuses a window where there is none.
func refuseWindow(q *heatmap.Query) error {
	if !slides(q) {
		return nil
	}
	return &heatmap.ParamError{Field: "window", Message: "only trends and lists of pages have windows"}
}

// pane gives the pane of a time, Unix ms.
func (w *window) pane(ms int64) int64 {
	n := ms / w.every
	if ms%w.every < 0 {
		n--
	}
	return n
}

// ends gives the first and the last end of a window that is asked for. The last is that of the pane which is running, unless to is before:
// it changes as hits come. Without from, there are as many as a window has panes.
func (w *window) ends() (first, last int64) {
	last = w.pane(w.now) + 1
	if w.to != nil {
		last = min(last, w.pane(*w.to))
	}
	if w.from != nil {
		return w.pane(*w.from) + 1, last
	}
	return last - w.panes + 1, last
}

// low is the first pane that is needed.
func (w *window) low() int64 {
	first, _ := w.ends()
	return first - w.panes
}

// pass brings the window to a time, and reports whether it has slid. It gives the time at which it will the next time.
func (w *window) pass(now int64) (slid bool, next int64) {
	_, before := w.ends()
	w.now = max(w.now, now)
	_, last := w.ends()
	return last != before, (w.pane(w.now) + 1) * w.every
}
