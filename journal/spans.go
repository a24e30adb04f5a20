package journal

import (
	"cmp"
	"slices"
	"sort"
)

// Span is a piece of a log that can be read alone, with what is known of its hits. Who reads it begins a Reader at From and
// leaves out what that gives of other spans: a chunk begins at From and ends at To, but for those of the range that was
// asked for.
type Span struct {
	From, To uint64 // positions from From to To-1

	// No hit was appended before FirstAppend or after LastAppend, Unix ms; 0 = unknown.
	FirstAppend, LastAppend int64

	// Known says that it is a block of a sealed segment, which holds FirstTime, LastTime and its sites for certain.
	Known               bool
	FirstTime, LastTime int64 // least and greatest time of a hit of the whole block, Unix ms

	footer *footer
	block  int
}

// HasSite reports whether there may be a hit of a site. It is right for certain where it says no. The name of a batch may have
// another site than its hits, which is not asked here.
func (s *Span) HasSite(site string) bool {
	if !s.Known || s.footer.many {
		return true
	}
	n, ok := s.footer.numbers[site]
	return ok && s.footer.blocks[s.block].sites[n/64]&(1<<(n%64)) != 0
}

// Spans gives the log from a position to another one, which is not part of it, in order and without gaps as far as that is
// kept: of sealed segments their blocks, of others pieces of 64 KiB or more, and of one that was full before the journal was
// opened and that nobody has read since, all of it. It reads no file: what it tells is in memory since the segment was opened or
// sealed, about 110 bytes a block and 8 more for each 64 sites of its segment. Segments may be sealed or pruned after it, which
// changes no position: a reader of a span that was pruned gets a *PrunedError.
func (l *Log) Spans(from, to uint64) []Span {
	c := l.catalog
	c.mu.Lock()
	defer c.mu.Unlock()
	var spans []Span
	first := sort.Search(len(c.segments), func(i int) bool { return c.segments[i].end > from })
	for i, s := range c.segments[first:] {
		if s.base >= to {
			break
		}
		next := int64(0) // append time of what comes behind
		if n := first + i + 1; n < len(c.segments) {
			next = c.segments[n].appended
		}
		spans = s.spans(spans, from, to, next)
	}
	return spans
}

// spans adds the pieces of a segment that meet positions from to to-1. next is the append time of the chunk behind it, 0 =
// unknown. catalog.mu is held.
func (s *segment) spans(dst []Span, from, to uint64, next int64) []Span {
	to = min(to, s.end)
	for n := s.before(from); ; n++ {
		p := Span{From: s.base, To: s.end, FirstAppend: s.appended, LastAppend: next}
		if n > 0 {
			p.From, p.FirstAppend = s.marks[n-1].pos, s.marks[n-1].appended
		}
		if n < len(s.marks) {
			p.To, p.LastAppend = s.marks[n].pos, s.marks[n].appended
		}
		if p.From < p.To {
			s.tell(&p)
			p.From, p.To = max(p.From, from), min(p.To, to)
		}
		if p.From < p.To {
			dst = append(dst, p)
		}
		if p.To >= to || n >= len(s.marks) {
			return dst
		}
	}
}

// before is the number of marks at or before pos.
func (s *segment) before(pos uint64) int {
	return sort.Search(len(s.marks), func(n int) bool { return s.marks[n].pos > pos })
}

// tell adds what the footer says of a span, if that is one of its blocks.
func (s *segment) tell(p *Span) {
	if s.footer == nil {
		return
	}
	n, ok := slices.BinarySearchFunc(s.footer.blocks, p.From, func(b blockInfo, pos uint64) int { return cmp.Compare(b.base, pos) })
	if !ok || s.footer.blocks[n].base+uint64(s.footer.blocks[n].hits) != p.To {
		return
	}
	b := &s.footer.blocks[n]
	p.FirstAppend, p.LastAppend = b.firstAppend, b.lastAppend
	p.Known, p.FirstTime, p.LastTime, p.footer, p.block = true, b.firstTime, b.lastTime, s.footer, n
}
