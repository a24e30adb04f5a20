package web

import (
	"math"
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
	return strconv.AppendFloat(dst, rounded(f, places), 'f', -1, 64)
}

func rounded(f float64, places int) float64 {
	scale := math.Pow10(places)
	if r := math.Round(f*scale) / scale; !math.IsInf(r, 0) {
		return r
	}
	return f
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
