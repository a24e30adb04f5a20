package web

import (
	"encoding/binary"
	"math"
	"slices"

	"heatlog/heatmap"
)

// The first bytes of values in MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md). Of those that tell
// their length there, the length is added.
const (
	packFixArray  = 0x90
	packFixString = 0xa0
	packNil       = 0xc0
	packFalse     = 0xc2
	packTrue      = 0xc3
	packFloat32   = 0xca
	packFloat64   = 0xcb
	packUint8     = 0xcc
	packUint16    = 0xcd
	packUint32    = 0xce
	packUint64    = 0xcf
	packString8   = 0xd9
	packString16  = 0xda
	packArray16   = 0xdc
	packArray32   = 0xdd
	packMap16     = 0xde
)

// packType is the registered media type.
const packType = "application/vnd.msgpack"

func packUint(dst []byte, v uint64) []byte {
	switch {
	case v < 1<<7:
		return append(dst, byte(v))
	case v <= math.MaxUint8:
		return append(dst, packUint8, byte(v))
	case v <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, packUint16), uint16(v))
	case v <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, packUint32), uint32(v))
	}
	return binary.BigEndian.AppendUint64(append(dst, packUint64), v)
}

// packFloat writes the shorter number of those that hold v exactly. What JSON has no number for is nil, as there.
func packFloat(dst []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(dst, packNil)
	}
	if f := float32(v); float64(f) == v {
		return binary.BigEndian.AppendUint32(append(dst, packFloat32), math.Float32bits(f))
	}
	return binary.BigEndian.AppendUint64(append(dst, packFloat64), math.Float64bits(v))
}

// packString writes s, of at most 65,535 bytes: what is longer is cut. An answer's longest text is a URL.
func packString(dst []byte, s string) []byte {
	s = s[:min(len(s), math.MaxUint16)]
	switch {
	case len(s) < 1<<5:
		dst = append(dst, packFixString|byte(len(s)))
	case len(s) <= math.MaxUint8:
		dst = append(dst, packString8, byte(len(s)))
	default:
		dst = binary.BigEndian.AppendUint16(append(dst, packString16), uint16(len(s)))
	}
	return append(dst, s...)
}

// packArray begins an array of n values.
func packArray(dst []byte, n int) []byte {
	switch {
	case n < 1<<4:
		return append(dst, packFixArray|byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, packArray16), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(dst, packArray32), uint32(n))
}

// maxPacked is the most bytes of a point: three values with 9 each.
const maxPacked = 1 + 3*9

// packPoints writes [[x,y,weight],…].
func packPoints(dst []byte, points []heatmap.Point) []byte {
	dst = packArray(dst, len(points))
	for part := range slices.Chunk(points, encodedAtOnce) {
		dst = slices.Grow(dst, maxPacked*len(part))
		for i := range part {
			p := &part[i]
			dst = append(dst, packFixArray|3)
			dst = packUint(packUint(packUint(dst, uint64(p.X)), uint64(p.Y)), p.Weight)
		}
	}
	return dst
}

// packThinned is packPoints of merged points: where a coordinate has a fraction it is a float.
func packThinned(dst []byte, points []heatmap.ThinPoint) []byte {
	dst = packArray(dst, len(points))
	for part := range slices.Chunk(points, encodedAtOnce) {
		dst = slices.Grow(dst, maxPacked*len(part))
		for i := range part {
			p := &part[i]
			dst = append(dst, packFixArray|3)
			dst = packUint(packPlace(packPlace(dst, p.X), p.Y), p.Weight)
		}
	}
	return dst
}

func packPlace(dst []byte, px float64) []byte {
	if whole := uint64(px); float64(whole) == px {
		return packUint(dst, whole)
	}
	return packFloat(dst, px)
}

// packChanges writes [[x,y,difference,hits,minus hits],…].
func packChanges(dst []byte, points []heatmap.Change) []byte {
	dst = packArray(dst, len(points))
	for i := range points {
		p := &points[i]
		dst = packArray(dst, 5)
		dst = packFloat(packUint(packUint(dst, uint64(p.X)), uint64(p.Y)), p.Share)
		dst = packUint(packUint(dst, p.Hits), p.Minus)
	}
	return dst
}
