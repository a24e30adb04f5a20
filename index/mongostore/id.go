package mongostore

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"

	"heatlog/heatmap"
	"heatlog/index"
)

const (
	maxID  = 64 << 10 // bytes; a page is at most 8 KiB, and escapes at most triple it
	endOf  = ' '      // ends a text; below all that a text is written with
	lowEsc = '!'      // and two hex digits: a byte below all that stand for themselves
	hiEsc  = '~'      // and two hex digits: a byte above them
	behind = "\x7f"   // above all that an id is written with

	firstPlain, lastPlain = '"', '}' // the bytes that stand for themselves
)

// digits are those of numbers to base 64, in ASCII order, so that numbers of equal length order as their digits do.
const digits = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"

// packed writes the 16 bytes of a common source as 22 digits.
var packed = base64.NewEncoding(digits).WithPadding(base64.NoPadding).Strict()

// sourceDigits is the length of a packed source.
const sourceDigits = 22

var errBadID = errors.New("not the _id of a document")

// appendEscaped appends s so that encoded texts order as the texts do.
func appendEscaped(dst []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c < firstPlain:
			dst = append(dst, lowEsc, hexDigits[c>>4], hexDigits[c&15])
		case c > lastPlain:
			dst = append(dst, hiEsc, hexDigits[c>>4], hexDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

const hexDigits = "0123456789abcdef"

// appendText appends s and an end, so that none is the beginning of another.
func appendText(dst []byte, s string) []byte { return append(appendEscaped(dst, s), endOf) }

// unescape gives the text that appendEscaped was given.
func unescape(text string) (string, error) {
	plain := 0
	for plain < len(text) && text[plain] >= firstPlain && text[plain] <= lastPlain {
		plain++
	}
	if plain == len(text) {
		return text, nil
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c >= firstPlain && c <= lastPlain {
			out = append(out, c)
			continue
		}
		if c != lowEsc && c != hiEsc || i+3 > len(text) {
			return "", errBadID
		}
		high, low := strings.IndexByte(hexDigits, text[i+1]), strings.IndexByte(hexDigits, text[i+2])
		if high < 0 || low < 0 {
			return "", errBadID
		}
		b := byte(high<<4 | low)
		if isLow := b < firstPlain; isLow != (c == lowEsc) || !isLow && b <= lastPlain {
			return "", errBadID
		}
		out = append(out, b)
		i += 2
	}
	return string(out), nil
}

// cutText splits id behind its first text.
func cutText(id string) (text, rest string, err error) {
	escaped, rest, found := strings.Cut(id, string(endOf))
	if !found {
		return "", "", errBadID
	}
	text, err = unescape(escaped)
	return text, rest, err
}

// appendPeriod appends the number of digits and the digits.
func appendPeriod(dst []byte, p heatmap.Period) []byte {
	n := 1
	for p>>(6*n) > 0 {
		n++
	}
	dst = append(dst, '0'+byte(n))
	for n--; n >= 0; n-- {
		dst = append(dst, digits[p>>(6*n)&63])
	}
	return dst
}

// cutPeriod splits id behind the period that it begins with.
func cutPeriod(id string) (p heatmap.Period, rest string, err error) {
	if id == "" || id[0] < '1' || id[0] > '6' || len(id) <= int(id[0]-'0') {
		return 0, "", errBadID
	}
	n := int(id[0] - '0')
	value := uint64(0)
	for _, c := range []byte(id[1 : 1+n]) {
		d := strings.IndexByte(digits, c)
		if d < 0 {
			return 0, "", errBadID
		}
		value = value<<6 | uint64(d)
	}
	if value > math.MaxUint32 || n > 1 && value>>(6*(n-1)) == 0 {
		return 0, "", errBadID
	}
	return heatmap.Period(value), id[1+n:], nil
}

// appendSource appends a source. The common one, 32 hex digits, is packed into 22 characters. Any other text comes behind
// the greatest common one that is below it: that one, a mark and the text. What is below all of them has another mark alone.
func appendSource(dst []byte, source string) []byte {
	below, exact, some := commonSource(source)
	if !some {
		return appendEscaped(append(dst, lowEsc), source)
	}
	dst = packed.AppendEncode(dst, below[:])
	if exact {
		return dst
	}
	return appendEscaped(append(dst, hiEsc), source)
}

// commonSource gives the greatest text of 32 hex digits that is not above source; some is false if there is none.
func commonSource(source string) (below [16]byte, exact, some bool) {
	n := 0
	for n < len(source) && n < 32 && strings.IndexByte(hexDigits, source[n]) >= 0 {
		n++
	}
	text := append(make([]byte, 0, 32), source[:n]...)
	if n < 32 {
		// The digit at n is the greatest below what is there; without one, the digits before it go down by one.
		if n < len(source) && source[n] > '0' {
			text = append(text, hexDigits[greatestBelow(source[n])])
		} else if !countDown(text) {
			return below, false, false
		}
	}
	for len(text) < 32 {
		text = append(text, 'f')
	}
	if _, err := hex.Decode(below[:], text); err != nil {
		panic(fmt.Sprintf("mongostore: %q is not hex: %v", text, err))
	}
	return below, n == 32 && len(source) == 32, true
}

// greatestBelow gives the value of the greatest hex digit below c, which is above '0' and no hex digit.
func greatestBelow(c byte) int {
	v := 0
	for i := range len(hexDigits) {
		if hexDigits[i] < c {
			v = i
		}
	}
	return v
}

// countDown takes one from the number that hex digits make, and reports whether that was possible.
func countDown(text []byte) bool {
	for i := len(text) - 1; i >= 0; i-- {
		if v := strings.IndexByte(hexDigits, text[i]); v > 0 {
			text[i] = hexDigits[v-1]
			return true
		}
		text[i] = 'f'
	}
	return false
}

// readSource is the inverse of appendSource.
func readSource(id string) (string, error) {
	if id != "" && id[0] == lowEsc {
		return checkSource(id, id[1:])
	}
	if len(id) < sourceDigits {
		return "", errBadID
	}
	var raw [16]byte
	if _, err := packed.Decode(raw[:], []byte(id[:sourceDigits])); err != nil {
		return "", errBadID
	}
	if len(id) == sourceDigits {
		return hex.EncodeToString(raw[:]), nil
	}
	if id[sourceDigits] != hiEsc {
		return "", errBadID
	}
	return checkSource(id, id[sourceDigits+1:])
}

// checkSource reads the escaped text of an uncommon source, which must be written as id.
func checkSource(id, escaped string) (string, error) {
	source, err := unescape(escaped)
	if err != nil || string(appendSource(nil, source)) != id {
		return "", errBadID
	}
	return source, nil
}

// idOf gives the _id of a document.
func idOf(r *index.Ref) (string, error) {
	var space [192]byte
	id := appendText(appendText(appendText(space[:0], r.Generation), r.Site), r.Page)
	id = appendSource(appendPeriod(id, r.Period), r.Source)
	if len(id) > maxID {
		return "", fmt.Errorf("_id of site %q, page %.100q is %d bytes, limit %d", r.Site, r.Page, len(id), maxID)
	}
	return string(id), nil
}

// refReader reads ids. It keeps what neighbours have in common.
type refReader struct {
	prefix string // generation, site and page of ref
	ref    index.Ref
	tail   string // source of ref
}

// read gives what idOf was given.
func (d *refReader) read(id string) (index.Ref, error) {
	if d.prefix == "" || !strings.HasPrefix(id, d.prefix) {
		if err := d.readPage(id); err != nil {
			return index.Ref{}, err
		}
	}
	period, tail, err := cutPeriod(id[len(d.prefix):])
	if err != nil {
		return index.Ref{}, err
	}
	if d.ref.Period = period; tail != d.tail || d.tail == "" {
		if d.ref.Source, err = readSource(tail); err != nil {
			return index.Ref{}, err
		}
		d.tail = tail
	}
	return d.ref, nil
}

func (d *refReader) readPage(id string) error {
	var ref index.Ref
	d.prefix = ""
	generation, rest, err := cutText(id)
	if err != nil {
		return err
	}
	site, rest, err := cutText(rest)
	if err != nil {
		return err
	}
	ref.Generation, ref.Site = generation, site
	if ref.Page, rest, err = cutText(rest); err != nil {
		return err
	}
	d.prefix = id[:len(id)-len(rest)]
	d.ref, d.tail = ref, ""
	return nil
}

// describe names a document for a person.
func describe(id string) string {
	ref, err := new(refReader).read(id)
	if err != nil {
		return fmt.Sprintf("with _id %.100q", id)
	}
	return describeRef(&ref)
}

func describeRef(r *index.Ref) string {
	return fmt.Sprintf("of generation %s, site %s, page %.100q, %s, source %s", r.Generation, r.Site, r.Page, r.Period, r.Source)
}
