package web

import (
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"heatlog/heatmap"
)

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string that is valid UTF-8 and harmless inside HTML and JavaScript: <, >, &, U+2028
// and U+2029 are escaped, bytes that are not UTF-8 become U+FFFD.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			if plain(c) {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			dst = appendEscaped(dst, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 || r == '\u2028' || r == '\u2029' {
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\u`...)
			dst = append(dst, hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func plain(c byte) bool {
	return c >= ' ' && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&' && c != 0x7f
}

func appendEscaped(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

func appendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return append(dst, ']')
}

// appendFloat appends f rounded to places decimals; what JSON has no number for becomes null.
func appendFloat(dst []byte, f float64, places int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	scale := math.Pow10(places)
	if rounded := math.Round(f*scale) / scale; !math.IsInf(rounded, 0) {
		f = rounded
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

// appendPoints appends points as [[x,y,weight],…].
func appendPoints(dst []byte, points []heatmap.Point) []byte {
	dst = slices.Grow(dst, 16*len(points))
	dst = append(dst, '[')
	for i := range points {
		if i > 0 {
			dst = append(dst, ',')
		}
		p := &points[i]
		dst = append(dst, '[')
		dst = strconv.AppendInt(dst, int64(p.X), 10)
		dst = append(dst, ',')
		dst = strconv.AppendInt(dst, int64(p.Y), 10)
		dst = append(dst, ',')
		dst = strconv.AppendUint(dst, p.Weight, 10)
		dst = append(dst, ']')
	}
	return append(dst, ']')
}

// appendBands appends the values of bands as [[top,value],…] with tops in px, values rounded to places decimals.
func appendBands(dst []byte, values []float64, places int) []byte {
	dst = append(dst, '[')
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '[')
		dst = strconv.AppendInt(dst, int64(i)*heatmap.BandSize, 10)
		dst = append(dst, ',')
		dst = appendFloat(dst, v, places)
		dst = append(dst, ']')
	}
	return append(dst, ']')
}

// object appends the members of a JSON object. The zero value after open is ready for the first member.
type object struct {
	dst   []byte
	inner bool // a member stands before the next one
}

func (o *object) open() {
	o.dst = append(o.dst, '{')
	o.inner = false
}

func (o *object) close() {
	o.dst = append(o.dst, '}')
	o.inner = true
}

// key begins a member; its value is appended to dst. name needs no escaping.
func (o *object) key(name string) {
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
	o.dst = appendString(o.dst, v)
}

func (o *object) count(name string, v uint64) {
	o.key(name)
	o.dst = strconv.AppendUint(o.dst, v, 10)
}

func (o *object) number(name string, v float64, places int) {
	o.key(name)
	o.dst = appendFloat(o.dst, v, places)
}

// float writes v as the shortest number that reads as the same.
func (o *object) float(name string, v float64) {
	o.key(name)
	o.dst = strconv.AppendFloat(o.dst, v, 'f', -1, 64)
}

func (o *object) boolean(name string, v bool) {
	o.key(name)
	o.dst = strconv.AppendBool(o.dst, v)
}

// day writes a date, or null if there is none.
func (o *object) day(name string, d heatmap.Date, known bool) {
	o.key(name)
	if !known {
		o.dst = append(o.dst, "null"...)
		return
	}
	o.dst = append(o.dst, '"')
	o.dst = d.Time().AppendFormat(o.dst, "2006-01-02")
	o.dst = append(o.dst, '"')
}
