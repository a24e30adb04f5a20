package index

// ring is a list of entries, newest first, that entries are linked into: no memory but that in them.
type ring struct{ root *links }

// links are an entry's place in a ring.
type links struct {
	entry      *entry
	prev, next *links
}

func newRing() ring {
	root := new(links)
	root.prev, root.next = root, root
	return ring{root}
}

// push puts an entry first.
func (r ring) push(l *links, e *entry) {
	l.entry, l.prev, l.next = e, r.root, r.root.next
	l.prev.next, l.next.prev = l, l
}

// first gives the first entry, nil if there is none.
func (r ring) first() *entry { return r.root.next.entry }

// last gives the last entry, nil if there is none.
func (r ring) last() *entry { return r.root.prev.entry }

// remove takes an entry out of its ring.
func (l *links) remove() {
	l.prev.next, l.next.prev = l.next, l.prev
	l.prev, l.next = nil, nil
}
