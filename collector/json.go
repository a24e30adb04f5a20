package collector

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep values may nest in a line, the hit itself being the first level.
const maxDepth = 64

// Bytes repeated over a word, for looking at eight at once.
const (
	lowBits   = 0x0101010101010101
	highBits  = 0x8080808080808080
	quotes    = lowBits * '"'
	backslash = lowBits * '\\'
	controls  = lowBits * 0x20
)

// zeroBytes has the high bit of every zero byte of w set, and possibly of bytes above the lowest zero byte.
func zeroBytes(w uint64) uint64 { return (w - lowBits) &^ w & highBits }

// nextSpecial gives the index of the first byte from i on that may not simply stand in a string: a quote, a backslash,
// a control character or one of a multi-byte rune. It is len(b) if there is none.
func nextSpecial(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		m := zeroBytes(w^quotes) | zeroBytes(w^backslash) | (w-controls)&^w&highBits | w&highBits
		if m != 0 {
			return i + bits.TrailingZeros64(m)>>3
		}
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' && b[i] >= 0x20 && b[i] < utf8.RuneSelf {
		i++
	}
	return i
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\t' || b[i] == '\r' || b[i] == '\n') {
		i++
	}
	return i
}

// syntax notes a fault of JSON's grammar at byte i and gives -1, the index that every scanning method fails with.
func (p *parser) syntax(i int, want string) int {
	p.fault = fault{reason: ReasonMalformedJSON, form: formSyntax, n: int64(i), want: want}
	return -1
}

// scanString checks the string whose opening quote is b[i] and gives the index after its closing one, or -1.
func (p *parser) scanString(i int) (end int, escaped bool) {
	b := p.b
	i++
	for {
		i = nextSpecial(b, i)
		if i >= len(b) {
			return p.syntax(i, "the string does not end"), false
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, escaped
		case c == '\\':
			escaped = true
			if i = p.scanEscape(i); i < 0 {
				return -1, false
			}
		case c < 0x20:
			return p.syntax(i, "control character in a string"), false
		default:
			if i = p.scanRunes(i); i < 0 {
				return -1, false
			}
		}
	}
}

// scanRunes checks the run of multi-byte runes at b[i].
func (p *parser) scanRunes(i int) int {
	for i < len(p.b) && p.b[i] >= utf8.RuneSelf {
		r, size := utf8.DecodeRune(p.b[i:])
		if r == utf8.RuneError && size == 1 {
			return p.syntax(i, "invalid UTF-8")
		}
		i += size
	}
	return i
}

// scanEscape checks the escape at b[i], both halves of a surrogate pair at once.
func (p *parser) scanEscape(i int) int {
	b := p.b
	if i+1 >= len(b) {
		return p.syntax(i, "the string does not end")
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
	default:
		return p.syntax(i, "unknown escape")
	}
	r, ok := hex4(b, i+2)
	if !ok {
		return p.syntax(i, `\u without four hexadecimal digits`)
	}
	if !utf16.IsSurrogate(r) {
		return i + 6
	}
	if low, ok := hex4(b, i+8); ok && b[i+6] == '\\' && b[i+7] == 'u' && utf16.DecodeRune(r, low) != utf8.RuneError {
		return i + 12
	}
	return p.syntax(i, "lone surrogate")
}

// hex4 reads four hexadecimal digits at b[i].
func hex4(b []byte, i int) (r rune, ok bool) {
	if i+4 > len(b) {
		return 0, false
	}
	for _, c := range b[i : i+4] {
		d := unhex(c)
		if d > 15 {
			return 0, false
		}
		r = r<<4 | rune(d)
	}
	return r, true
}

// unhex gives the value of a hexadecimal digit, 255 for other bytes.
func unhex(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// appendUnescaped appends the text of a checked string, given without its quotes.
func appendUnescaped(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			i++
			continue
		}
		if s[i+1] != 'u' {
			dst = append(dst, unescapedByte(s[i+1]))
			i += 2
			continue
		}
		r, _ := hex4(s, i+2)
		i += 6
		if utf16.IsSurrogate(r) {
			low, _ := hex4(s, i+2)
			r = utf16.DecodeRune(r, low)
			i += 6
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// unescapedByte is what the letter after a backslash stands for.
func unescapedByte(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// skipValue checks the value at b[i], which nests in depth others, and gives the index after it, or -1.
func (p *parser) skipValue(i, depth int) int {
	b := p.b
	if i >= len(b) {
		return p.syntax(i, "a value is missing")
	}
	switch c := b[i]; {
	case c == '"':
		end, _ := p.scanString(i)
		return end
	case c == '{' || c == '[':
		if depth >= maxDepth {
			return p.syntax(i, "nested deeper than 64")
		}
		return p.skipNested(i, depth+1)
	case c == '-' || c-'0' <= 9:
		if _, end := scanNumber(b, i); end >= 0 {
			return end
		}
		return p.syntax(i, "not a number")
	}
	if n := literal(b[i:]); n > 0 {
		return i + n
	}
	return p.syntax(i, "not a value")
}

// literal gives the length of the true, false or null that b begins with, else 0.
func literal(b []byte) int {
	switch {
	case hasPrefix(b, "true"), hasPrefix(b, "null"):
		return 4
	case hasPrefix(b, "false"):
		return 5
	}
	return 0
}

func hasPrefix(b []byte, s string) bool { return len(b) >= len(s) && string(b[:len(s)]) == s }

// skipNested checks the object or array at b[i] and gives the index after it, or -1.
func (p *parser) skipNested(i, depth int) int {
	b := p.b
	isObject := b[i] == '{'
	last := b[i] + 2 // } and ] follow two after { and [
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == last {
		return i + 1
	}
	for {
		if isObject {
			if i = p.skipName(i); i < 0 {
				return -1
			}
		}
		if i = p.skipValue(i, depth); i < 0 {
			return -1
		}
		var more bool
		if i, more = p.comma(i, last); !more {
			return i
		}
	}
}

// skipName checks the name at b[i] and the colon after it and gives the index of the value, or -1.
func (p *parser) skipName(i int) int {
	if i >= len(p.b) || p.b[i] != '"' {
		return p.syntax(i, "a name is missing")
	}
	end, _ := p.scanString(i)
	if end < 0 {
		return -1
	}
	return p.colon(end)
}

// colon gives the index of the value after the colon that is expected at b[i], or -1.
func (p *parser) colon(i int) int {
	i = skipSpace(p.b, i)
	if i >= len(p.b) || p.b[i] != ':' {
		return p.syntax(i, "a colon is missing")
	}
	return skipSpace(p.b, i+1)
}
