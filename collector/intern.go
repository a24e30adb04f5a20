package collector

import "unsafe"

// blockBytes is the size of the blocks that strings are copied into.
const blockBytes = 64 << 10

// arena makes strings and lists of strings without an allocation for each. Its blocks are never written again once a
// string points to them, so strings stay valid; a kept one keeps its block.
type arena struct {
	free []byte
	list []string
}

// clone copies b to a string.
func (a *arena) clone(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if len(b) > len(a.free) {
		a.free = make([]byte, max(blockBytes, len(b)))
	}
	n := copy(a.free, b)
	s := unsafe.String(&a.free[0], n)
	a.free = a.free[n:]
	return s
}

// strings gives a list of n empty strings, nil for none.
func (a *arena) strings(n int) []string {
	if n == 0 {
		return nil
	}
	if n > len(a.list) {
		a.list = make([]string, max(256, n))
	}
	l := a.list[:n:n]
	a.list = a.list[n:]
	return l
}

// slot remembers the value that a field had last, by the bytes that stood for it.
type slot struct {
	token []byte // as it stood in the line, from quote to quote; nil = nothing yet
	value string
}

// matches reports whether b begins with the remembered token. A token ends with the quote that closes its string, so
// what begins with it holds the same string.
func (s *slot) matches(b []byte) bool {
	n := len(s.token)
	return n != 0 && len(b) >= n && string(b[:n]) == string(s.token)
}

// set remembers value for token.
func (s *slot) set(token []byte, value string) {
	s.token = append(s.token[:0], token...)
	s.value = value
}

// stringOf is b seen as a string, for functions that only look at it. b may not change meanwhile.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bytesOf is s seen as bytes, for functions that only look at them.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
