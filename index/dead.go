package index

import "heatlog/heatmap"

// Limits of dead-log/1.
const (
	deadPixels = 24 // distance up to which a click is on the same thing as another, CSS px
	deadMemory = 8  // clicks of one view on one page about which it is still open whether they are dead
)

// deadRules are the parameters of dead clicks.
type deadRules struct {
	fromLog bool  // dead-log/1, else dead/1: the flag that the tracker has recorded
	window  int64 // ms
}

// dead applies dead-log/1: a trusted click is dead if nothing of its view on its page follows within a window of time, and
// something after it. Exactly: of the hits of the same view and page that come later in the log, and are no earlier in
// time, a scroll, a view or a click over 24 px away that is at most window ms later shows that the click did something;
// the first hit of any kind that is more than window ms later shows that it was dead, unless the click did something
// before. Moves and clicks on the same spot within the window show nothing. A view that ends leaves it open.
//
// A dead click belongs to the hit that shows it: it is counted at its own place, in the day and layer of that hit. Like
// rage it sees a log that begins with the ten minutes before this bucket, and of that the last ringClicks clicks, and of a
// view on a page the last eight: over a gap it forgets all, so a click that nothing follows for so long stays open.
type dead struct {
	since, current waiting
}

// rotate moves on to the next bucket.
func (d *dead) rotate() { d.since, d.current = d.current, waiting{d.since.cleared()} }

// reset moves on to a bucket behind a gap.
func (d *dead) reset() {
	d.since, d.current = waiting{d.since.cleared()}, waiting{d.current.cleared()}
}

// hit takes a hit of a view on a page, which key names, and gives the clicks that it shows to be dead, in the order of
// the log. waits says that it is a click about which that is to be found out, unless it is a repeat of another.
func (d *dead) hit(rules *deadRules, key uint64, in verdict, h *heatmap.Hit, at Spot, waits bool, repeat verdict) []Spot {
	if in.fresh {
		d.current.add(rules, key, h, at, waits && !repeat.fresh)
	}
	if in.counts {
		return d.since.add(rules, key, h, at, waits && !repeat.counts)
	}
	return nil
}

// waiting holds the last clicks of one log; done are those that are dead or did something. The zero value is empty.
type waiting struct{ clickRing }

func (w *waiting) add(rules *deadRules, key uint64, h *heatmap.Hit, at Spot, waits bool) (found []Spot) {
	c := w.last(key)
	for range deadMemory {
		if c == nil {
			break
		}
		switch after := h.Time - c.ms; {
		case c.done:
		case after > rules.window:
			c.done = true
			found = append([]Spot{c.at}, found...)
		case after >= 0 && shows(h, c):
			c.done = true
		}
		c = w.before(c)
	}
	if waits {
		w.put(ringClick{key: key, ms: h.Time, at: at})
	}
	return found
}

// shows reports whether a hit within the window shows that a click did something.
func shows(h *heatmap.Hit, c *ringClick) bool {
	switch h.Kind {
	case heatmap.KindScroll, heatmap.KindView:
		return true
	case heatmap.KindClick:
		return !within(Spot{X: h.X, Y: h.Y}, c.at, deadPixels)
	}
	return false
}
