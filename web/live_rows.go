package web

import "math"

// rows are the rows of an answer that stays alive, each with the version in which it changed last. They are linked in the order of
// that, so that those since a version are found in no more time than they are many. V is comparable, and its zero value is a row
// that is gone.
type rows[K, V comparable] struct {
	places      map[K]uint32
	list        []row[K, V]
	first, last uint32 // of the order: the one that changed longest ago, and the one that changed last
	gone        int    // rows of list that are gone
	floor       uint64 // what was before this version is not known any more: rows that went were forgotten
}

type row[K, V comparable] struct {
	key        K
	value      V
	version    uint64
	prev, next uint32
	seen       bool // in the answer that is being compared
}

// noRow is where an order ends.
const noRow = math.MaxUint32

// minForgotten is how many rows that are gone are kept at least.
const minForgotten = 1024

func newRows[K, V comparable]() *rows[K, V] {
	return &rows[K, V]{places: map[K]uint32{}, first: noRow, last: noRow}
}

// set gives a row its value in a version, which is at least the version of every call before.
func (t *rows[K, V]) set(key K, value V, version uint64) {
	var none V
	at, known := t.places[key]
	if !known {
		if value == none {
			return
		}
		at = uint32(len(t.list))
		t.places[key] = at
		t.list = append(t.list, row[K, V]{key: key, value: value, version: version, prev: noRow, next: noRow, seen: true})
		t.append(at)
		return
	}
	r := &t.list[at]
	r.seen = true
	if r.value == value {
		return
	}
	switch none {
	case r.value:
		t.gone--
	case value:
		t.gone++
	}
	r.value, r.version = value, version
	t.remove(at)
	t.append(at)
}

func (t *rows[K, V]) append(at uint32) {
	r := &t.list[at]
	r.prev, r.next = t.last, noRow
	if t.last == noRow {
		t.first = at
	} else {
		t.list[t.last].next = at
	}
	t.last = at
}

func (t *rows[K, V]) remove(at uint32) {
	r := &t.list[at]
	if r.prev == noRow {
		t.first = r.next
	} else {
		t.list[r.prev].next = r.next
	}
	if r.next == noRow {
		t.last = r.prev
	} else {
		t.list[r.next].prev = r.prev
	}
}

// whole begins an answer with all rows: what is not set until the end is gone.
func (t *rows[K, V]) whole() {
	for i := range t.list {
		t.list[i].seen = false
	}
}

// end ends an answer that began with whole.
func (t *rows[K, V]) end(version uint64) {
	var none V
	for i := range t.list {
		if !t.list[i].seen && t.list[i].value != none {
			t.set(t.list[i].key, none, version)
		}
	}
}

// forget forgets the rows that are gone, if they are many, and with them what was before version.
func (t *rows[K, V]) forget(version uint64) {
	if t.gone < minForgotten || t.gone < len(t.list)/2 {
		return
	}
	kept := newRows[K, V]()
	for at := t.first; at != noRow; at = t.list[at].next {
		kept.set(t.list[at].key, t.list[at].value, t.list[at].version)
	}
	kept.floor = version
	*t = *kept
}

// count is the number of rows that there are.
func (t *rows[K, V]) count() int { return len(t.list) - t.gone }

// since calls fn for every row that changed after a version, the one that changed last first; with version 0 for every row that
// there is.
func (t *rows[K, V]) since(version uint64, fn func(key K, value V)) {
	var none V
	for at := t.last; at != noRow; {
		r := &t.list[at]
		if r.version <= version {
			return
		}
		if version > 0 || r.value != none {
			fn(r.key, r.value)
		}
		at = r.prev
	}
}

// changed reports whether a row changed in a version.
func (t *rows[K, V]) changed(version uint64) bool {
	return t.last != noRow && t.list[t.last].version == version
}
