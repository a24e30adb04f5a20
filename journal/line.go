package journal

import (
	"strconv"
	"time"

	"heatlog/heatmap"
)

// appendLine writes a hit for people to read: the position, its two times in UTC, then name=value for everything that is
// set. Text is quoted.
func appendLine(dst []byte, pos uint64, appended int64, b *heatmap.Batch, h *heatmap.Hit) []byte {
	dst = strconv.AppendUint(dst, pos, 10)
	l := liner(appendTime(append(dst, ' '), appended))
	l.text("batch", b.ID)
	if b.Site != h.Site {
		l.text("batch_site", b.Site)
	}
	if b.Visitor != h.Visitor {
		l.text("batch_visitor", b.Visitor)
	}
	l = liner(appendTime(append(l, " t="...), h.Time))
	l = append(append(l, " kind="...), h.Kind.String()...)
	l.text("site", h.Site)
	l.text("url", h.URL)
	l.text("view", h.View)
	l.text("visitor", h.Visitor)
	l.text("id", h.ID)
	l.place(h)
	l.element(h)
	l.number("flags", uint64(h.Flags))
	l.text("pointer", h.Pointer.String())
	l.text("ua", h.UserAgent)
	for _, t := range h.Tags {
		l.quoted("tag", t)
	}
	return l
}

// place writes where the hit was.
func (l *liner) place(h *heatmap.Hit) {
	if h.Kind != heatmap.KindView {
		l.pair("at", h.X, h.Y)
	}
	l.nonZeroPair("viewport", h.ViewportW, h.ViewportH)
	l.nonZeroPair("document", h.DocumentW, h.DocumentH)
	if h.Kind == heatmap.KindScroll {
		l.pair("scroll", h.From, h.Depth)
	}
	l.number("dwell", uint64(h.Dwell))
	l.number("layout", uint64(h.Layout))
}

// element writes what was hit.
func (l *liner) element(h *heatmap.Hit) {
	l.text("sel", h.Selector)
	if h.AnchorX|h.AnchorY != 0 {
		l.uint("ax", uint64(h.AnchorX))
		l.uint("ay", uint64(h.AnchorY))
	}
	l.nonZeroPair("box", h.BoxW, h.BoxH)
	if h.HasCheck {
		l.uint("check", uint64(h.Check))
	}
	l.text("container", h.Container)
	l.nonZeroPair("container_at", h.ContainerX, h.ContainerY)
}

// liner is a line that is being written.
type liner []byte

// appendTime writes a Unix time in ms in UTC.
func appendTime(dst []byte, ms int64) []byte {
	return time.UnixMilli(ms).UTC().AppendFormat(dst, "2006-01-02T15:04:05.000Z")
}

func (l *liner) name(name string) { *l = append(append(append(*l, ' '), name...), '=') }

// text writes s if it is not empty.
func (l *liner) text(name, s string) {
	if s != "" {
		l.quoted(name, s)
	}
}

func (l *liner) quoted(name, s string) {
	l.name(name)
	*l = strconv.AppendQuote(*l, s)
}

// number writes v if it is not zero.
func (l *liner) number(name string, v uint64) {
	if v != 0 {
		l.uint(name, v)
	}
}

func (l *liner) uint(name string, v uint64) {
	l.name(name)
	*l = strconv.AppendUint(*l, v, 10)
}

func (l *liner) pair(name string, a, b uint16) {
	l.uint(name, uint64(a))
	*l = strconv.AppendUint(append(*l, ','), uint64(b), 10)
}

func (l *liner) nonZeroPair(name string, a, b uint16) {
	if a|b != 0 {
		l.pair(name, a, b)
	}
}
