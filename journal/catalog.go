package journal

import (
	"fmt"
	"runtime"
	"slices"
	"sort"
	"sync"
)

// markEvery is the least distance of two marks of a segment, bytes.
const markEvery = 64 << 10

// mark is an entry of the sparse index: a chunk begins here.
type mark struct {
	offset   int64
	pos      uint64
	appended int64
}

// segment is one file of the journal as readers see it.
type segment struct {
	base  uint64
	epoch uint32

	// The rest is guarded by catalog.mu. What is written of a segment that is not sealed is told by its name; a segment is
	// sealed in place, so that readers of the old file find the next segment from the same one.
	name     segmentName
	path     string
	last     int64   // append time of the last chunk of a sealed one, Unix ms; 0 = unknown
	end      uint64  // position after its last hit that counts
	limit    int64   // readers read below it; wholeFile = up to the end of the file
	bytes    int64   // length of the file, of the last segment as far as it was durable at the start
	appended int64   // append time of the first chunk, Unix ms; 0 = unknown
	damage   error   // of the header or of a sealed one's footer, nil if they are sound
	damageAt int64   // where that is
	marks    []mark  // ascending, contiguous from the segment's start
	footer   *footer // of a sealed one, nil if it is not sound
}

// wholeFile as a limit means that the segment is ended and its file does not grow.
const wholeFile = -1

// catalog is the list of segments with what is durable in them. It is safe for concurrent use.
type catalog struct {
	fsys   FS
	source uint64
	frozen bool // the last segment does not grow
	alone  bool // nobody tells it of what is sealed and pruned: another process may be doing so

	mu       sync.Mutex
	parsers  []*parser  // that closed readers have left, at most one a core
	segments []*segment // ascending, without overlap
	start    uint64     // of a frozen source that has no segments left: the position after its last hit
	changed  chan struct{}
	added    chan struct{} // holds a token when a segment was added
	closed   error         // what readers get at the tail, nil while it can grow
}

// parser gives one for a new reader.
func (c *catalog) parser() *parser {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := len(c.parsers) - 1
	if last < 0 {
		return new(parser)
	}
	p := c.parsers[last]
	c.parsers[last] = nil
	c.parsers = c.parsers[:last]
	return p
}

// leave takes the parser of a reader that was closed.
func (c *catalog) leave(p *parser) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.parsers) < runtime.GOMAXPROCS(0) {
		c.parsers = append(c.parsers, p)
	}
}

func newCatalog(fsys FS) *catalog {
	return &catalog{fsys: fsys, changed: make(chan struct{}), added: make(chan struct{}, 1)}
}

// add puts a new last segment behind the others, which ends the one before at its base.
func (c *catalog) add(s *segment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := len(c.segments); n > 0 && c.segments[n-1].base >= s.base; n-- {
		c.segments = c.segments[:n-1] // superseded: it has no hit that counts
	}
	if n := len(c.segments); n > 0 {
		before := c.segments[n-1]
		if before.end = s.base; before.limit != wholeFile {
			before.bytes = before.limit
		}
	}
	c.segments = append(c.segments, s)
	c.wake()
	select {
	case c.added <- struct{}{}:
	default:
	}
}

// extend moves the durable end of the last segment and adds the marks of its new chunks.
func (c *catalog) extend(s *segment, end uint64, limit int64, marks []mark) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.end, s.limit = end, limit
	for _, m := range marks {
		s.mark(m)
	}
	c.wake()
}

// close makes readers at the tail return err.
func (c *catalog) close(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = err
	c.wake()
}

// wake lets waiting readers look again. c.mu is held.
func (c *catalog) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// mark adds m if it is far enough from the last one. The caller holds catalog.mu.
func (s *segment) mark(m mark) {
	if n := len(s.marks); n == 0 || m.offset >= s.marks[n-1].offset+markEvery {
		s.marks = append(s.marks, m)
		if s.appended == 0 && m.pos == s.base {
			s.appended = m.appended
		}
	}
}

// passed adds marks that a reader found on its way in a segment of this form.
func (c *catalog) passed(s *segment, name segmentName, m mark) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.name == name {
		s.mark(m)
	}
}

// unsealed gives the first segment from pos on that is full and not sealed, with its end; without a segment if there is none.
func (c *catalog) unsealed(pos uint64) (full place, end uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range len(c.segments) - c.stays() {
		if s := c.segments[i]; s.base >= pos && !s.name.sealed && s.damage == nil && s.end > s.base {
			return s.from(0), s.end
		}
	}
	return place{}, pos
}

// allSealed gives the sealed segments with their ends and the append times of their last chunks.
func (c *catalog) allSealed() (sealed []place, ends []uint64, lasts []int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.segments {
		if s.name.sealed {
			sealed, ends, lasts = append(sealed, s.from(0)), append(ends, s.end), append(lasts, s.last)
		}
	}
	return sealed, ends, lasts
}

// sealedThere gives the sealed segments but for those that are missing.
func (c *catalog) sealedThere() (sealed []place) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.segments {
		if s.name.sealed && !s.missing() {
			sealed = append(sealed, s.from(0))
		}
	}
	return sealed
}

// sealed gives a segment the form that it has been rewritten in.
func (c *catalog) sealed(s *segment, form *segment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.name, s.path, s.limit, s.damage, s.damageAt, s.marks, s.last = form.name, form.path, wholeFile, form.damage, form.damageAt, form.marks, form.last
	s.footer = form.footer
	s.appended, s.bytes = form.appended, form.bytes
}

// drop takes the first segment out, if it is s. The last one stays, but of a frozen source.
func (c *catalog) drop(s *segment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.segments) > c.stays() && c.segments[0] == s {
		c.segments, c.start = c.segments[1:], s.end
		c.wake()
	}
}

// stays is the number of segments that are never full: the last one, unless the source is frozen.
func (c *catalog) stays() int {
	if c.frozen {
		return 0
	}
	return 1
}

// oldest gives the first segment if it is full, with the position after it and an append time that all its hits have or are
// before; 0 = unknown.
func (c *catalog) oldest() (p place, end uint64, last int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.segments) <= c.stays() {
		return place{}, 0, 0
	}
	s := c.segments[0]
	if last = s.last; last == 0 && len(c.segments) > 1 {
		last = c.segments[1].appended
	}
	return s.from(0), s.end, last
}

// paths gives the files of all segments.
func (c *catalog) paths() map[string]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	paths := make(map[string]bool, len(c.segments))
	for _, s := range c.segments {
		paths[s.path] = true
	}
	return paths
}

// durable is the position after the last hit that is durable.
func (c *catalog) durable() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.segments); n > 0 {
		return c.segments[n-1].end
	}
	return c.start
}

// first is the first position that is kept.
func (c *catalog) first() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.segments) > 0 {
		return c.segments[0].base
	}
	return c.start
}

// count adds the segments to Stats.
func (c *catalog) count(st *Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	st.Segments += len(c.segments)
	for i, s := range c.segments {
		bytes := s.bytes
		if s.limit != wholeFile {
			bytes = s.limit
		}
		st.Bytes += bytes
		if !s.name.sealed && i < len(c.segments)-c.stays() {
			st.UnsealedSegments++
			st.UnsealedBytes += bytes
		}
	}
}

// place is where a reader goes on: a chunk of segment begins at offset with position pos.
type place struct {
	segment *segment
	name    segmentName
	path    string
	mark
}

// find gives the last known chunk that begins at or before pos. The error wraps ErrPosition.
func (c *catalog) find(pos uint64) (place, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := sort.Search(len(c.segments), func(i int) bool { return c.segments[i].base > pos }) - 1
	if i < 0 {
		if len(c.segments) > 0 {
			return place{}, &PrunedError{Position: pos, First: c.segments[0].base}
		}
		if pos == c.start {
			return place{}, nil
		}
		if pos < c.start {
			return place{}, &PrunedError{Position: pos, First: c.start}
		}
		return place{}, fmt.Errorf("read position %d: %w", pos, ErrPosition)
	}
	s := c.segments[i]
	if pos > s.end {
		return place{}, fmt.Errorf("read position %d, the journal ends at %d: %w", pos, s.end, ErrPosition)
	}
	return s.at(pos), nil
}

// at gives the place of the mark at or before pos.
func (s *segment) at(pos uint64) place {
	return s.from(s.before(pos))
}

// from gives the place of the mark before the nth, or the segment's start.
func (s *segment) from(n int) place {
	if n == 0 {
		return place{s, s.name, s.path, mark{segmentHeaderSize, s.base, s.appended}}
	}
	return place{s, s.name, s.path, s.marks[n-1]}
}

// findTime gives a place before which every chunk was appended earlier than t.
func (c *catalog) findTime(t int64) place {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := len(c.segments) - 1
	for i > 0 && (c.segments[i].appended == 0 || c.segments[i].appended >= t) {
		i--
	}
	if i < 0 {
		return place{}
	}
	s := c.segments[i]
	return s.from(sort.Search(len(s.marks), func(n int) bool { return s.marks[n].appended >= t }))
}

// state is what a reader of a segment may know.
type state struct {
	end      uint64
	limit    int64
	damage   error
	damageAt int64
	next     place           // its start; without a segment for the last one
	pruned   uint64          // of a source without segments: what lies below was pruned
	changed  <-chan struct{} // closed when anything changes
	closed   error
}

// look gives the state of s, or of the first segment for nil.
func (c *catalog) look(s *segment) state {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := state{changed: c.changed, closed: c.closed}
	i := -1
	if s != nil {
		st.end, st.limit, st.damage, st.damageAt = s.end, s.limit, s.damage, s.damageAt
		i = slices.Index(c.segments, s)
		if i < 0 { // pruned, or superseded while it was empty
			i = sort.Search(len(c.segments), func(i int) bool { return c.segments[i].base > s.base }) - 1
			i = max(i-1, -1)
		}
	}
	if i+1 < len(c.segments) {
		st.next = c.segments[i+1].from(0)
	}
	if len(c.segments) == 0 {
		st.pruned = c.start
	}
	return st
}
