package web

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"heatlog/heatmap"
)

// maxValue is the longest value of a parameter that is not in longValues, bytes.
const maxValue = 256

func maxValueOf(name string) int {
	switch name {
	case "url":
		return heatmap.MaxURL
	case "where", "minus_where":
		return maxWhere
	case "q":
		return maxSearch
	case "positions":
		return maxPositions
	}
	return maxValue
}

// params are the parameters of a query string. Its methods read one each; the first thing that is wrong stays in err,
// and what is read after it has no meaning.
type params struct {
	values map[string]string
	err    error
}

// parseParams reads a query string that may have the parameters of known, each at most once.
func parseParams(query []byte, known ...string) *params {
	p := &params{values: make(map[string]string, len(known))}
	for pair := range bytes.SplitSeq(query, []byte("&")) {
		if len(pair) > 0 && p.err == nil {
			p.add(pair, known)
		}
	}
	return p
}

func (p *params) add(pair []byte, known []string) {
	rawName, rawValue, _ := bytes.Cut(pair, []byte("="))
	name, ok := unescape(rawName)
	if !ok || !slices.Contains(known, name) {
		has := "this route has none"
		if len(known) > 0 {
			has = "this route has " + strings.Join(known, ", ")
		}
		p.refuse(printable(name), "unknown parameter "+shorten(name)+"; "+has)
		return
	}
	if _, again := p.values[name]; again {
		p.refuse(name, name+" is given twice")
		return
	}
	value, ok := unescape(rawValue)
	switch {
	case !ok:
		p.refuse(name, name+" has a % that two hexadecimal digits do not follow; write %25 for a percent sign")
	case len(value) > maxValueOf(name):
		p.refuse(name, fmt.Sprintf("%s is %d bytes (%s), limit %d", name, len(value), shorten(value), maxValueOf(name)))
	case !utf8.ValidString(value):
		p.refuse(name, name+" is "+shorten(value)+", which is not UTF-8")
	case strings.ContainsFunc(value, unicode.IsControl):
		p.refuse(name, name+" is "+shorten(value)+", which has control characters")
	case value == "" && name != "q":
		p.refuse(name, name+" is empty; leave it out or give it a value")
	default:
		p.values[name] = value
	}
}

// printable is a parameter's name for the field of an error: what no JSON reader stumbles over.
func printable(name string) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	if len(name) > 64 {
		name = strings.ToValidUTF8(name[:64], "")
	}
	return name
}

// unescape decodes %xx and + of a query string; ok is false where % is not followed by two hexadecimal digits.
func unescape(raw []byte) (text string, ok bool) {
	if bytes.IndexByte(raw, '%') < 0 && bytes.IndexByte(raw, '+') < 0 {
		return string(raw), true
	}
	dst := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		switch raw[i] {
		case '+':
			dst = append(dst, ' ')
		case '%':
			if i+2 >= len(raw) {
				return string(raw), false
			}
			b, err := strconv.ParseUint(string(raw[i+1:i+3]), 16, 8)
			if err != nil {
				return string(raw), false
			}
			dst = append(dst, byte(b))
			i += 2
		default:
			dst = append(dst, raw[i])
		}
	}
	return string(dst), true
}

func (p *params) refuse(field, message string) {
	if p.err == nil {
		p.err = badParam(field, message)
	}
}

// wrong refuses the value that name has.
func (p *params) wrong(name, want string) {
	p.refuse(name, name+" is "+shorten(p.values[name])+", want "+want)
}

func (p *params) text(name string) string { return p.values[name] }

func (p *params) has(name string) bool {
	_, ok := p.values[name]
	return ok
}

// needed is a value that must be there; what says what it is.
func (p *params) needed(name, what string) string {
	v, ok := p.values[name]
	if !ok {
		p.refuse(name, name+" is missing, want "+what)
	}
	return v
}

// integer is a whole number from least to most in plain digits, or missing.
func (p *params) integer(name string, least, most, missing int) int {
	v, ok := p.values[name]
	if !ok {
		return missing
	}
	n, err := parseDigits(v, uint64(most))
	if err != nil || n < uint64(least) {
		p.wrong(name, fmt.Sprintf("a whole number from %d to %d", least, most))
		return missing
	}
	return int(n)
}

// parseDigits reads a number of decimal digits alone: no sign, no underscore, no space, no more than 20 of them.
func parseDigits(v string, most uint64) (uint64, error) {
	if len(v) > 20 || strings.Trim(v, "0123456789") != "" {
		return 0, strconv.ErrSyntax
	}
	n, err := strconv.ParseUint(v, 10, 64)
	if err == nil && n > most {
		err = strconv.ErrRange
	}
	return n, err
}

// oneOf is a value of names, or missing.
func (p *params) oneOf(name, missing string, names ...string) string {
	v, ok := p.values[name]
	if !ok {
		return missing
	}
	if !slices.Contains(names, v) {
		last := len(names) - 1
		p.wrong(name, strings.Join(names[:last], ", ")+" or "+names[last])
		return missing
	}
	return v
}
