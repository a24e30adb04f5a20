package web

import (
	"slices"
	"strconv"

	"heatlog/heatmap"
)

// encodedAtOnce is for how many points memory is made sure of at a time.
const encodedAtOnce = 1024

// maxDigits is the most bytes of a point as text: three whole numbers of 64 bits, two with a fraction, and what stands
// around them.
const maxDigits = 3*20 + 2*len(".0625") + len("[,,],")

// pointText is how points are written as text: what stands before and after each, and between two of them.
type pointText struct{ before, after, between string }

var (
	jsonPoint = pointText{"[", "]", ","}
	csvPoint  = pointText{"", "\n", ""}
)

// appendPoints appends points as [[x,y,weight],…].
func appendPoints(dst []byte, points []heatmap.Point) []byte {
	return append(appendEach(append(dst, '['), points, appendPoint, jsonPoint), ']')
}

// appendThinned is appendPoints of merged points, whose coordinates may have fractions.
func appendThinned(dst []byte, points []heatmap.ThinPoint) []byte {
	return append(appendEach(append(dst, '['), points, appendThinPoint, jsonPoint), ']')
}

// appendChanges appends points as [[x,y,difference,hits,minus hits],…]. The difference is the shortest number that reads as
// the same.
func appendChanges(dst []byte, points []heatmap.Change) []byte {
	return append(appendEach(append(dst, '['), points, appendChange, jsonPoint), ']')
}

func appendEach[P any](dst []byte, points []P, one func(dst []byte, p *P) []byte, t pointText) []byte {
	for i := range points {
		if i%encodedAtOnce == 0 {
			dst = slices.Grow(dst, maxDigits*min(encodedAtOnce, len(points)-i))
		}
		if i > 0 {
			dst = append(dst, t.between...)
		}
		dst = append(dst, t.before...)
		dst = one(dst, &points[i])
		dst = append(dst, t.after...)
	}
	return dst
}

func appendPoint(dst []byte, p *heatmap.Point) []byte {
	dst = append(appendInt(dst, p.X), ',')
	dst = append(appendInt(dst, p.Y), ',')
	return strconv.AppendUint(dst, p.Weight, 10)
}

func appendThinPoint(dst []byte, p *heatmap.ThinPoint) []byte {
	dst = append(appendPlace(dst, p.X), ',')
	dst = append(appendPlace(dst, p.Y), ',')
	return strconv.AppendUint(dst, p.Weight, 10)
}

func appendChange(dst []byte, p *heatmap.Change) []byte {
	dst = append(appendInt(dst, p.X), ',')
	dst = append(appendInt(dst, p.Y), ',')
	dst = append(strconv.AppendFloat(dst, p.Share, 'f', -1, 64), ',')
	dst = append(strconv.AppendUint(dst, p.Hits, 10), ',')
	return strconv.AppendUint(dst, p.Minus, 10)
}

func appendInt(dst []byte, v int) []byte { return strconv.AppendInt(dst, int64(v), 10) }

// fractions are the multiples of heatmap.ThinUnit below 1, as they follow on a whole number.
var fractions = [...]string{"", ".0625", ".125", ".1875", ".25", ".3125", ".375", ".4375", ".5", ".5625", ".625", ".6875", ".75", ".8125", ".875", ".9375"}

// appendPlace appends a coordinate of a thinned point, a multiple of heatmap.ThinUnit from 0 on.
func appendPlace(dst []byte, px float64) []byte {
	units := uint64(px / heatmap.ThinUnit)
	dst = strconv.AppendUint(dst, units/uint64(len(fractions)), 10)
	return append(dst, fractions[units%uint64(len(fractions))]...)
}

// csvType says that the first line is a header (RFC 7111).
const csvType = "text/csv; charset=utf-8; header=present"

// appendCSV appends a line of names and one for each point.
func appendCSV(dst []byte, points []heatmap.Point) []byte {
	return appendEach(append(dst, "x,y,weight\n"...), points, appendPoint, csvPoint)
}

func appendThinnedCSV(dst []byte, points []heatmap.ThinPoint) []byte {
	return appendEach(append(dst, "x,y,weight\n"...), points, appendThinPoint, csvPoint)
}

func appendChangesCSV(dst []byte, points []heatmap.Change) []byte {
	return appendEach(append(dst, "x,y,difference,hits,minus_hits\n"...), points, appendChange, csvPoint)
}
