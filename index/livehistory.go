package index

import (
	"slices"
	"time"

	"heatlog/heatmap"
)

// history is how far the reading of history is.
type history struct {
	before      uint64 // hits of scans that are done
	done, total uint64 // hits, with before
	marks       []historyMark
}

// historyMark is how far the reading was at a time.
type historyMark struct {
	at   time.Time
	done uint64
}

// historyMarks is over how many of the last marks, at least a quarter of a second apart, the speed is taken.
const (
	historyMarks = 16
	markEvery    = 250 * time.Millisecond
)

// begin begins another scan, of so many hits.
func (h *history) begin(total uint64) {
	h.before = h.done
	h.total = h.before + total
}

// move takes note of how far a scan is.
func (h *history) move(done, total uint64, now time.Time) {
	h.done, h.total = h.before+done, h.before+total
	if n := len(h.marks); n > 0 && now.Sub(h.marks[n-1].at) < markEvery {
		return
	}
	if h.marks = append(h.marks, historyMark{now, h.done}); len(h.marks) > historyMarks {
		h.marks = slices.Delete(h.marks, 0, 1)
	}
}

// progress says how far it is, and how long the rest will take.
func (h *history) progress(positions map[string]uint64) heatmap.Progress {
	p := heatmap.Progress{Hits: h.done, Of: max(h.total, h.done), Positions: positions}
	if n := len(h.marks); n > 1 {
		first, last := h.marks[0], h.marks[n-1]
		p.HitsPerSecond = float64(last.done-first.done) / last.at.Sub(first.at).Seconds()
	}
	if p.HitsPerSecond > 0 {
		p.ETASeconds = float64(p.Of-p.Hits) / p.HitsPerSecond
	}
	return p
}
