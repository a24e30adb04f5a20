package collector

import (
	"encoding/binary"
	"math/bits"

	"heatlog/heatmap"
)

// number is a JSON number, exact in what the fields of a hit need of it.
type number struct {
	whole uint64 // integer part of the absolute value, at least maxWhole if it is that or more
	frac  uint64 // first 19 digits after the point, in units of 1e-19
	split bool   // there is a fraction other than zero, if beyond these digits
	neg   bool   // below zero; -0 is not
}

// maxWhole is greater than every limit of a hit's fields.
const maxWhole = 100_000_000_000_000_000

// fracDigits is how many digits of a fraction are kept, fracUnit the fraction 1 in their unit.
const (
	fracDigits = 19
	fracUnit   = 10_000_000_000_000_000_000
)

// maxExponent is greater than any number of digits that a line can hold.
const maxExponent = 1 << 20

var pow10 = [fracDigits]uint64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
}

// scanNumber reads the number that begins at b[i]. end is the index after it, or -1 if there is none by JSON's grammar.
func scanNumber(b []byte, i int) (n number, end int) {
	neg := i < len(b) && b[i] == '-'
	if neg {
		i++
	}
	whole := i
	i = skipDigits(b, i)
	if i == whole || i > whole+1 && b[whole] == '0' {
		return n, -1
	}
	point, frac := i, i
	if i < len(b) && b[i] == '.' {
		frac = i + 1
		if i = skipDigits(b, frac); i == frac {
			return n, -1
		}
	}
	fracEnd, exponent := i, 0
	if i < len(b) && b[i]|0x20 == 'e' {
		if exponent, i = scanExponent(b, i+1); i < 0 {
			return n, -1
		}
	}
	place := n.add(b[whole:point], point-whole+exponent)
	place = n.add(b[frac:fracEnd], place)
	for ; place > 0 && n.whole != 0 && n.whole < maxWhole; place-- {
		n.whole *= 10
	}
	n.neg = neg && (n.whole != 0 || n.split)
	return n, i
}

// add takes further digits, of which the first has the value 10^(place-1), and gives the place after the last.
func (n *number) add(digits []byte, place int) int {
	for _, c := range digits {
		d := uint64(c - '0')
		place--
		switch {
		case place >= 0 && n.whole < maxWhole:
			n.whole = n.whole*10 + d
		case place >= 0: // too great for any field
		default:
			n.split = n.split || d != 0
			if place >= -fracDigits {
				n.frac += d * pow10[fracDigits+place]
			}
		}
	}
	return place
}

// maxPlain is how many digits a number has at most that plainWhole reads.
const maxPlain = 18

// plainWhole reads a number without sign, fraction and exponent behind which a value may end, as most are. end is -1 for any
// other, and near the end of b.
func plainWhole(b []byte, i int) (v uint64, end int) {
	v, n := eightDigits(b, i)
	if n == 0 || n > 1 && b[i] == '0' {
		return 0, -1
	}
	end = i + n
	if n == 8 {
		for end < len(b) && b[end]-'0' <= 9 && end < i+maxPlain {
			v = v*10 + uint64(b[end]-'0')
			end++
		}
	}
	if end >= len(b) || !endsValue(b[end]) {
		return 0, -1
	}
	return v, end
}

// plainAnchor reads an anchor that is written as 0. and at most seven digits. end is -1 for any other.
func plainAnchor(b []byte, i int) (anchor uint32, end int) {
	if i+2 >= len(b) || b[i] != '0' || b[i+1] != '.' {
		return 0, -1
	}
	v, n := eightDigits(b, i+2)
	end = i + 2 + n
	if n == 0 || n == 8 || !endsValue(b[end]) {
		return 0, -1
	}
	unit := pow10[n]
	return uint32((2*v*heatmap.AnchorUnit + unit) / (2 * unit)), end // rounded half up
}

// eightDigits reads the digits at b[i], at most eight, and gives their number. It is 0 if there are no eight bytes.
func eightDigits(b []byte, i int) (v uint64, n int) {
	if i+8 > len(b) {
		return 0, 0
	}
	w := binary.LittleEndian.Uint64(b[i:]) ^ lowBits*'0'       // digits become 0 to 9
	n = bits.TrailingZeros64((w+lowBits*0x76|w)&highBits) >> 3 // 10 and more have the high bit in either
	if n == 0 {
		return 0, 0
	}
	w <<= 64 - 8*n // the first of eight, zeros before them, is now in the lowest byte
	w = w*10 + w>>8
	const fours = 0x000000ff_000000ff
	return (w&fours*(100+1_000_000<<32) + w>>16&fours*(1+10_000<<32)) >> 32, n
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}

// scanExponent reads the sign and the digits after an e. Exponents beyond maxExponent are as good as that.
func scanExponent(b []byte, i int) (exponent, end int) {
	neg := false
	if i < len(b) && (b[i] == '+' || b[i] == '-') {
		neg = b[i] == '-'
		i++
	}
	end = skipDigits(b, i)
	if end == i {
		return 0, -1
	}
	for _, c := range b[i:end] {
		if exponent < maxExponent {
			exponent = exponent*10 + int(c-'0')
		}
	}
	if neg {
		exponent = -exponent
	}
	return exponent, end
}

// atMost reports whether 0 <= n < limit+1, so that n rounded down is at most limit.
func (n number) atMost(limit uint64) bool { return !n.neg && n.whole <= limit }

// anchor gives n in units of 1/heatmap.AnchorUnit, rounded to the nearest, half up. ok is false outside 0 to 1.
func (n number) anchor() (v uint32, ok bool) {
	if n.neg || n.whole > 1 || n.whole == 1 && n.split {
		return 0, false
	}
	hi, lo := bits.Mul64(n.frac, heatmap.AnchorUnit)
	lo, carry := bits.Add64(lo, fracUnit/2, 0)
	q, _ := bits.Div64(hi+carry, lo, fracUnit)
	return uint32(n.whole)*heatmap.AnchorUnit + uint32(q), true
}
