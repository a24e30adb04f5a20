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

// What stands around a point.
const (
	jsonPoints = true  // [ and ], and a comma between two
	csvPoints  = false // a line each
)

// appendPoints appends points as [[x,y,weight],…].
func appendPoints(dst []byte, points []heatmap.Point) []byte {
	return append(appendEach(append(dst, '['), points, appendPoint, jsonPoints), ']')
}

// appendThinned is appendPoints of merged points, whose coordinates may have fractions.
func appendThinned(dst []byte, points []heatmap.ThinPoint) []byte {
	return append(appendEach(append(dst, '['), points, appendThinPoint, jsonPoints), ']')
}

// appendChanges appends points as [[x,y,difference,hits,minus hits],…]. The difference is the shortest number that reads as
// the same.
func appendChanges(dst []byte, points []heatmap.Change) []byte {
	return append(appendEach(append(dst, '['), points, appendChange, jsonPoints), ']')
}

func appendEach[P any](dst []byte, points []P, one func(dst []byte, p *P) []byte, json bool) []byte {
	for i := range points {
		if i%encodedAtOnce == 0 {
			dst = slices.Grow(dst, maxDigits*min(encodedAtOnce, len(points)-i))
		}
		if !json {
			dst = append(one(dst, &points[i]), '\n')
			continue
		}
		if i > 0 {
			dst = append(dst, ',', '[')
		} else {
			dst = append(dst, '[')
		}
		dst = append(one(dst, &points[i]), ']')
	}
	return dst
}

func appendPoint(dst []byte, p *heatmap.Point) []byte {
	dst = append(appendInt(dst, p.X), ',')
	dst = append(appendInt(dst, p.Y), ',')
	return appendDigits(dst, p.Weight)
}

func appendThinPoint(dst []byte, p *heatmap.ThinPoint) []byte {
	dst = append(appendPlace(dst, p.X), ',')
	dst = append(appendPlace(dst, p.Y), ',')
	return appendDigits(dst, p.Weight)
}

func appendChange(dst []byte, p *heatmap.Change) []byte {
	dst = append(appendInt(dst, p.X), ',')
	dst = append(appendInt(dst, p.Y), ',')
	dst = append(strconv.AppendFloat(dst, p.Share, 'f', -1, 64), ',')
	dst = append(appendDigits(dst, p.Hits), ',')
	return appendDigits(dst, p.Minus)
}

func appendInt(dst []byte, v int) []byte {
	if v < 0 {
		return strconv.AppendInt(dst, int64(v), 10)
	}
	return appendDigits(dst, uint64(v))
}

// pairs are the numbers of two digits.
const pairs = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566676869" +
	"707172737475767778798081828384858687888990919293949596979899"

// appendDigits is strconv.AppendUint, but faster for numbers of at most five digits, as nearly all are.
func appendDigits(dst []byte, v uint64) []byte {
	low := v % 100 * 2
	switch {
	case v < 10:
		return append(dst, '0'+byte(v))
	case v < 100:
		return append(dst, pairs[low], pairs[low+1])
	case v < 1000:
		return append(dst, '0'+byte(v/100), pairs[low], pairs[low+1])
	case v < 10_000:
		high := v / 100 * 2
		return append(dst, pairs[high], pairs[high+1], pairs[low], pairs[low+1])
	case v < 100_000:
		high := v / 100 % 100 * 2
		return append(dst, '0'+byte(v/10_000), pairs[high], pairs[high+1], pairs[low], pairs[low+1])
	}
	return strconv.AppendUint(dst, v, 10)
}

// fractions are the multiples of heatmap.ThinUnit below 1, as they follow on a whole number.
var fractions = [...]string{"", ".0625", ".125", ".1875", ".25", ".3125", ".375", ".4375", ".5", ".5625", ".625", ".6875", ".75", ".8125", ".875", ".9375"}

// appendPlace appends a coordinate of a thinned point, a multiple of heatmap.ThinUnit from 0 on.
func appendPlace(dst []byte, px float64) []byte {
	units := uint64(px / heatmap.ThinUnit)
	dst = appendDigits(dst, units/uint64(len(fractions)))
	return append(dst, fractions[units%uint64(len(fractions))]...)
}

// csvType says that the first line is a header (RFC 7111).
const csvType = "text/csv; charset=utf-8; header=present"

// appendCSV appends a line of names and one for each point.
func appendCSV(dst []byte, points []heatmap.Point) []byte {
	return appendEach(append(dst, "x,y,weight\n"...), points, appendPoint, csvPoints)
}

func appendThinnedCSV(dst []byte, points []heatmap.ThinPoint) []byte {
	return appendEach(append(dst, "x,y,weight\n"...), points, appendThinPoint, csvPoints)
}

func appendChangesCSV(dst []byte, points []heatmap.Change) []byte {
	return appendEach(append(dst, "x,y,difference,hits,minus_hits\n"...), points, appendChange, csvPoints)
}
