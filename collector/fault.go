package collector

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Reason says why a hit was refused. The set is small and fixed, so that it can label a metric.
type Reason uint8

// The reasons, in the order of Reasons.
const (
	ReasonMalformedJSON Reason = iota // not JSON, not UTF-8, or a lone surrogate
	ReasonWrongType                   // a value of another type than its name has
	ReasonOutOfRange                  // a number outside its range
	ReasonBadValue                    // an unknown kind or pointer
	ReasonMissingField                // a needed name is not there
	ReasonBadTime                     // t too early or too late
	ReasonUnknownSite                 // site is not registered
	ReasonBadURL                      // not absolute http(s), or control characters
	ReasonTooLong                     // a line, a string or a list over its limit
	numReasons
)

var reasonNames = [numReasons]string{
	"malformed_json", "wrong_type", "out_of_range", "bad_value", "missing_field", "bad_time", "unknown_site", "bad_url",
	"too_long",
}

// String gives the name that the metric's label has.
func (r Reason) String() string {
	if int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return "reason(" + strconv.Itoa(int(r)) + ")"
}

// faultForm says how a fault's message is built from its other fields.
type faultForm uint8

const (
	formSyntax   faultForm = iota // malformed JSON at byte n: want
	formValue                     // field is value, want want
	formLong                      // field is n bytes, limit limit
	formCount                     // field has more than limit entries
	formMissing                   // field is missing; want says who needs it
	formText                      // field want
	formBelow                     // field is n, want at least limit (of other)
	formTimeSpan                  // field is value, want limit to n
)

// fault says what is wrong with a hit. It is made without allocation; the message is built only if someone reads it.
// value is a view into the line.
type fault struct {
	reason   Reason
	form     faultForm
	field    string
	value    []byte
	want     string
	n, limit int64
}

// message is one sentence that names field, value and limit.
func (f *fault) message() string {
	switch f.form {
	case formSyntax:
		return fmt.Sprintf("malformed JSON at byte %d: %s", f.n+1, f.want)
	case formValue:
		return fmt.Sprintf("%s is %s, want %s", f.field, shorten(f.value), f.want)
	case formLong:
		return fmt.Sprintf("%s is %d bytes, limit %d", f.field, f.n, f.limit)
	case formCount:
		return fmt.Sprintf("%s has more than %d entries", f.field, f.limit)
	case formMissing:
		return f.field + " is missing" + f.want
	case formBelow:
		return fmt.Sprintf("%s is %d, want at least %s, which is %d", f.field, f.n, f.want, f.limit)
	case formTimeSpan:
		return fmt.Sprintf("%s is %s, want %d (2000-01-01) to %d (24 h ahead), ms since 1970", f.field, shorten(f.value), f.limit, f.n)
	default:
		return f.field + " " + f.want
	}
}

// shownBytes is how much of a value a message repeats.
const shownBytes = 40

// shorten makes a JSON token fit for a message: printable, valid UTF-8, at most shownBytes and an ellipsis.
func shorten(token []byte) string {
	cut := len(token) > shownBytes
	if cut {
		token = token[:runeStart(token, shownBytes)]
	}
	s := strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, string(token))
	if !cut {
		return s
	}
	if strings.HasPrefix(s, `"`) {
		return s + `…"`
	}
	return s + "…"
}

// runeStart gives the greatest length of at most n bytes at which s can be cut without splitting a rune.
func runeStart(s []byte, n int) int {
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return n
}
