package journal

import (
	"fmt"
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
	segmentName
	path string

	// The rest is guarded by catalog.mu.
	end      uint64 // position after its last hit that counts
	limit    int64  // readers read below it; wholeFile = up to the end of the file
	appended int64  // append time of the first chunk, Unix ms; 0 = unknown
	damage   error  // of the header, nil if it is sound
	marks    []mark // ascending, contiguous from the segment's start
}

// wholeFile as a limit means that the segment is ended and its file does not grow.
const wholeFile = -1

// catalog is the list of segments with what is durable in them. It is safe for concurrent use.
type catalog struct {
	fsys FS

	mu       sync.Mutex
	segments []*segment // ascending, without overlap
	changed  chan struct{}
	closed   error // what readers get at the tail, nil while it can grow
}

func newCatalog(fsys FS) *catalog { return &catalog{fsys: fsys, changed: make(chan struct{})} }

// add puts a new last segment behind the others, which ends the one before at its base.
func (c *catalog) add(s *segment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := len(c.segments); n > 0 && c.segments[n-1].base >= s.base; n-- {
		c.segments = c.segments[:n-1] // superseded: it has no hit that counts
	}
	if n := len(c.segments); n > 0 {
		c.segments[n-1].end = s.base
	}
	c.segments = append(c.segments, s)
	c.wake()
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

// passed adds marks that a reader found on its way.
func (c *catalog) passed(s *segment, m mark) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.mark(m)
}

// durable is the position after the last hit that is durable.
func (c *catalog) durable() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.segments); n > 0 {
		return c.segments[n-1].end
	}
	return 0
}

// first is the first position that is kept.
func (c *catalog) first() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.segments) > 0 {
		return c.segments[0].base
	}
	return 0
}

func (c *catalog) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.segments)
}

// place is where a reader goes on: a chunk of segment begins at offset with position pos.
type place struct {
	segment *segment
	mark
}

// find gives the last known chunk that begins at or before pos. The error wraps ErrPosition.
func (c *catalog) find(pos uint64) (place, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := sort.Search(len(c.segments), func(i int) bool { return c.segments[i].base > pos }) - 1
	if i < 0 {
		if pos == 0 && len(c.segments) == 0 {
			return place{}, nil
		}
		return place{}, fmt.Errorf("read position %d: %w", pos, ErrPosition)
	}
	s := c.segments[i]
	if pos > s.end {
		return place{}, fmt.Errorf("read position %d, the journal ends at %d: %w", pos, s.end, ErrPosition)
	}
	n := sort.Search(len(s.marks), func(n int) bool { return s.marks[n].pos > pos })
	return s.from(n), nil
}

// from gives the place of the mark before the nth, or the segment's start.
func (s *segment) from(n int) place {
	if n == 0 {
		return place{s, mark{segmentHeaderSize, s.base, s.appended}}
	}
	return place{s, s.marks[n-1]}
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
	end     uint64
	limit   int64
	damage  error
	next    *segment        // nil for the last one
	changed <-chan struct{} // closed when anything changes
	closed  error
}

// look gives the state of s, or of the first segment for nil.
func (c *catalog) look(s *segment) state {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := state{changed: c.changed, closed: c.closed}
	i := -1
	if s != nil {
		st.end, st.limit, st.damage = s.end, s.limit, s.damage
		i = slices.Index(c.segments, s)
		if i < 0 { // superseded while it was empty
			i = sort.Search(len(c.segments), func(i int) bool { return c.segments[i].base > s.base }) - 1
			i = max(i-1, -1)
		}
	}
	if i+1 < len(c.segments) {
		st.next = c.segments[i+1]
	}
	return st
}
