package web

import (
	"encoding/binary"
	"strconv"

	"heatlog/heatmap"
)

// object appends the members of an answer, as JSON or as MessagePack. The zero value after open is ready for the first
// member.
type object struct {
	dst    []byte
	inner  bool  // JSON: a member stands before the next one
	packed bool  // MessagePack
	heads  []int // MessagePack: where the objects that are open begin in dst
}

func (o *object) open() {
	if o.packed {
		o.heads = append(o.heads, len(o.dst))
		o.dst = append(o.dst, packMap16, 0, 0)
		return
	}
	o.dst = append(o.dst, '{')
	o.inner = false
}

func (o *object) close() {
	if o.packed {
		o.heads = o.heads[:len(o.heads)-1]
		return
	}
	o.dst = append(o.dst, '}')
	o.inner = true
}

// key begins a member; its value is appended to dst. name needs no escaping.
func (o *object) key(name string) {
	if o.packed {
		count := o.dst[o.heads[len(o.heads)-1]+1:]
		binary.BigEndian.PutUint16(count, binary.BigEndian.Uint16(count)+1)
		o.dst = packString(o.dst, name)
		return
	}
	if o.inner {
		o.dst = append(o.dst, ',')
	}
	o.inner = true
	o.dst = append(o.dst, '"')
	o.dst = append(o.dst, name...)
	o.dst = append(o.dst, '"', ':')
}

func (o *object) text(name, v string) {
	o.key(name)
	if o.packed {
		o.dst = packString(o.dst, v)
		return
	}
	o.dst = appendString(o.dst, v)
}

func (o *object) count(name string, v uint64) {
	o.key(name)
	if o.packed {
		o.dst = packUint(o.dst, v)
		return
	}
	o.dst = strconv.AppendUint(o.dst, v, 10)
}

func (o *object) number(name string, v float64, places int) {
	o.key(name)
	if o.packed {
		o.dst = packFloat(o.dst, rounded(v, places))
		return
	}
	o.dst = appendFloat(o.dst, v, places)
}

// float writes v as the shortest number that reads as the same.
func (o *object) float(name string, v float64) {
	o.key(name)
	if o.packed {
		o.dst = packFloat(o.dst, v)
		return
	}
	o.dst = strconv.AppendFloat(o.dst, v, 'f', -1, 64)
}

func (o *object) boolean(name string, v bool) {
	o.key(name)
	switch {
	case !o.packed:
		o.dst = strconv.AppendBool(o.dst, v)
	case v:
		o.dst = append(o.dst, packTrue)
	default:
		o.dst = append(o.dst, packFalse)
	}
}

// day writes a date, or null if there is none.
func (o *object) day(name string, d heatmap.Date, known bool) {
	switch {
	case known:
		o.text(name, d.String())
	case o.packed:
		o.key(name)
		o.dst = append(o.dst, packNil)
	default:
		o.key(name)
		o.dst = append(o.dst, "null"...)
	}
}

func (o *object) texts(name string, list []string) {
	o.key(name)
	if !o.packed {
		o.dst = appendStrings(o.dst, list)
		return
	}
	o.dst = packArray(o.dst, len(list))
	for _, s := range list {
		o.dst = packString(o.dst, s)
	}
}

// ranges writes [[MIN,MAX],…].
func (o *object) ranges(name string, list [][2]int) {
	o.key(name)
	if !o.packed {
		o.dst = appendWidths(o.dst, list)
		return
	}
	o.dst = packArray(o.dst, len(list))
	for _, r := range list {
		o.dst = packArray(o.dst, 2)
		o.dst = packUint(packUint(o.dst, uint64(r[0])), uint64(r[1]))
	}
}

// points writes [[x,y,weight],…].
func (o *object) points(name string, points []heatmap.Point) {
	pointList(o, name, points, packPoints, appendPoints)
}

// thinned writes [[x,y,weight],…].
func (o *object) thinned(name string, points []heatmap.ThinPoint) {
	pointList(o, name, points, packThinned, appendThinned)
}

// changes writes [[x,y,difference,hits,minus hits],…].
func (o *object) changes(name string, points []heatmap.Change) {
	pointList(o, name, points, packChanges, appendChanges)
}

// pointList writes points as pack does, or else as text.
func pointList[P any](o *object, name string, points []P, pack, text func(dst []byte, points []P) []byte) {
	o.key(name)
	if o.packed {
		o.dst = pack(o.dst, points)
		return
	}
	o.dst = text(o.dst, points)
}
