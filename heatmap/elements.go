package heatmap

import (
	"cmp"
	"slices"
	"strings"
	"unique"
	"unsafe"
)

// element is an element that a delta has hits at, and its name if that is known.
type element struct {
	id    ElementID
	name  unique.Handle[string] // the selector, if flags say so: pages of a site have many in common
	check uint16
	flags elementFlags
}

type elementFlags uint8

const (
	elementChecked elementFlags = 1 << 0
	elementFixed   elementFlags = 1 << 1
	elementNamed   elementFlags = 1 << 2
)

// elements are those of a delta, ascending by id.
type elements struct {
	list  []element
	bytes int // of the selectors
}

const elementSize = int(unsafe.Sizeof(element{}))

// size is the memory that the elements hold, bytes. A selector counts in each delta that has it.
func (t *elements) size() int { return cap(t.list)*elementSize + t.bytes }

// find gives the place of an element, or where it would be put. Ids are hashes: it looks first where an id of that size is if they
// lie evenly, which mostly is in the same line of the processor's cache or the next, and goes from there in steps that double.
func (t *elements) find(id ElementID) (int, bool) {
	low, high := 0, len(t.list) // what is before low is less, what is from high on is not
	if high == 0 {
		return 0, false
	}
	guess := min(int(uint64(id)*uint64(high)>>(8*elementBytes)), high-1)
	if t.list[guess].id < id {
		low = guess + 1
		for step := 1; low+step <= high; step *= 2 {
			if t.list[low+step-1].id >= id {
				high = low + step - 1
				break
			}
			low += step
		}
	} else {
		high = guess
		for step := 1; step <= high; step *= 2 {
			if t.list[high-step].id < id {
				low = high - step + 1
				break
			}
			high -= step
		}
	}
	for low < high {
		if middle := int(uint(low+high) >> 1); t.list[middle].id < id {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, low < len(t.list) && t.list[low].id == id
}

// need gives the entry of an element, which is made if it is missing. It is valid until the next call.
func (t *elements) need(id ElementID) *element {
	i, ok := t.find(id)
	if !ok {
		t.list = slices.Insert(t.list, i, element{id: id})
	}
	return &t.list[i]
}

// needAll makes the entries of elements that anchors are at, of those before cut, 0 for all, that are missing.
func (t *elements) needAll(anchors []notedAnchor, cut ElementID) {
	if len(t.list) == 0 {
		t.list = slices.Grow(t.list, distinct(anchors))
	}
	last := ElementID(0)
	for i := range anchors {
		if id := anchors[i].element; id != last && (cut == 0 || id < cut) {
			t.need(id)
			last = id
		}
	}
}

// distinct is the number of elements among anchors of which equal ones follow one another in each layer, at least.
func distinct(anchors []notedAnchor) (n int) {
	for i := range anchors {
		if i > 0 && anchors[i].id != anchors[i-1].id {
			break
		}
		if i == 0 || anchors[i].element != anchors[i-1].element {
			n++
		}
	}
	return n
}

// add adds an element with its name.
func (t *elements) add(id ElementID, name *ElementName) {
	e := t.need(id)
	if e.flags&elementNamed == 0 || e.name.Value() != name.Selector && e.compareName(name) > 0 {
		t.setName(e, name)
	}
	if name.Fixed {
		e.flags |= elementFixed
	}
}

// setName gives an element a name. Of two that have one id, the first in order stays: which one came first is not to matter.
func (t *elements) setName(e *element, name *ElementName) {
	if e.flags&elementNamed != 0 {
		t.bytes -= len(e.name.Value())
	}
	e.name, e.check = unique.Make(name.Selector), name.Check
	e.flags = e.flags&elementFixed | elementNamed
	if name.HasCheck {
		e.flags |= elementChecked
	} else {
		e.check = 0
	}
	t.bytes += len(name.Selector)
}

// merge adds the elements of o.
func (t *elements) merge(o *elements) {
	for i := range o.list {
		e := &o.list[i]
		if e.flags&elementNamed == 0 {
			t.need(e.id)
			continue
		}
		name := e.ElementName()
		t.add(e.id, &name)
	}
}

// forget takes the names off.
func (t *elements) forget() {
	for i := range t.list {
		t.list[i] = element{id: t.list[i].id}
	}
	t.bytes = 0
}

// cut drops the elements from id on.
func (t *elements) cut(id ElementID) {
	i, _ := t.find(id)
	for _, e := range t.list[i:] {
		if e.flags&elementNamed != 0 {
			t.bytes -= len(e.name.Value())
		}
	}
	t.list = slices.Delete(t.list, i, len(t.list))
}

func (t *elements) clone() elements { return elements{slices.Clone(t.list), t.bytes} }

// ElementName gives the name of an element that has one.
func (e *element) ElementName() ElementName {
	return ElementName{
		Selector: e.name.Value(), Check: e.check, HasCheck: e.flags&elementChecked != 0, Fixed: e.flags&elementFixed != 0,
	}
}

// compareName orders the name of an element before or after another one.
func (e *element) compareName(name *ElementName) int {
	own := e.ElementName()
	return own.compare(name)
}

// compare orders names by selector, then those without a check first, then by check.
func (n *ElementName) compare(o *ElementName) int {
	return cmp.Or(strings.Compare(n.Selector, o.Selector), cmp.Compare(n.checkOrder(), o.checkOrder()))
}

func (n *ElementName) checkOrder() int {
	if n.HasCheck {
		return 1 + int(n.Check)
	}
	return 0
}

// order gives the places in the list of the elements that have names, in the order of these, then of the others by id, and how
// many the former are.
func (t *elements) order() (order []int, named int) {
	order = make([]int, 0, len(t.list))
	for i := range t.list {
		if t.list[i].flags&elementNamed != 0 {
			order = append(order, i)
		}
	}
	named = len(order)
	slices.SortFunc(order, func(a, b int) int {
		name := t.list[b].ElementName()
		return t.list[a].compareName(&name)
	})
	for i := range t.list {
		if t.list[i].flags&elementNamed == 0 {
			order = append(order, i)
		}
	}
	return order, named
}
