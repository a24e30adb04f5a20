package index

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
)

// urlParams says which query parameters canon/1 leaves in a URL, and what it does with its path. Names are patterns in
// lower case in which * stands for any run of bytes; they are compared without regard to the case of ASCII letters.
type urlParams struct {
	drop      []string
	keep      []string
	keepsOnly bool // only what matches keep stays, of that which drop leaves
	lowerPath bool // ASCII letters of the path are put in lower case
	keepSlash bool // a / at the end of the path stays
}

// kept reports whether a parameter of this name stays.
func (p *urlParams) kept(name []byte) bool {
	return !matchesParam(p.drop, name) && (!p.keepsOnly || matchesParam(p.keep, name))
}

func matchesParam(patterns []string, name []byte) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return matchParam(pattern, name) })
}

// matchParam goes back only to the last star, so it takes at most len(pattern)·len(name) steps.
func matchParam(pattern string, name []byte) bool {
	p, n, star, retry := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, retry = p, n
			p++
		case p < len(pattern) && pattern[p] == lowerByte(name[n]):
			p, n = p+1, n+1
		case star >= 0:
			retry++
			p, n = star+1, retry
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// normalURL applies canon/1 to an absolute http or https URL. What is not one, and one without a host, stays as it is.
// It works on bytes: only what canon/1 names is changed, so a stray % or a raw non-ASCII byte passes through. The result
// is its own normal form. It is safe for concurrent use.
func (p *urlParams) normalURL(raw string) string {
	scheme, rest, ok := cutScheme(raw)
	if !ok {
		return raw
	}
	authority, path, query, fragment := splitURL(rest)
	out := make([]byte, 0, len(raw)+1)
	out = append(append(out, scheme...), "://"...)
	hostAt := len(out)
	if out = appendHost(out, authority, scheme); len(out) == hostAt {
		return raw
	}
	out = p.appendPath(out, path)
	out = p.appendQuery(out, query)
	if strings.HasPrefix(fragment, "#/") || strings.HasPrefix(fragment, "#!") {
		out = appendUnescaped(out, fragment, false)
	}
	if string(out) == raw {
		return raw
	}
	return string(out)
}

// cutScheme splits off http:// or https:// in any case; scheme is in lower case and without the ://.
func cutScheme(raw string) (scheme, rest string, ok bool) {
	for _, scheme := range [...]string{"https", "http"} {
		if n := len(scheme) + len("://"); len(raw) >= n && strings.EqualFold(raw[:len(scheme)], scheme) && raw[len(scheme):n] == "://" {
			return scheme, raw[n:], true
		}
	}
	return "", "", false
}

// splitURL cuts what follows the :// of a URL. query is without its ?, fragment has its #.
func splitURL(rest string) (authority, path, query, fragment string) {
	if i := strings.IndexByte(rest, '#'); i >= 0 {
		rest, fragment = rest[:i], rest[i:]
	}
	rest, query, _ = strings.Cut(rest, "?")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[:i], rest[i:], query, fragment
	}
	return rest, "", query, fragment
}

// appendHost appends the host and, if it is not the scheme's default, the port.
func appendHost(dst []byte, authority, scheme string) []byte {
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = authority[i+1:]
	}
	start := len(dst)
	dst = appendUnescaped(dst, authority, true)
	colon := bytes.LastIndexByte(dst[start:], ':')
	if colon < 0 || bytes.IndexByte(dst[start+colon:], ']') >= 0 {
		return dst
	}
	host, port := dst[start:start+colon], string(dst[start+colon+1:])
	isDefault := port == "" || port == "80" && scheme == "http" || port == "443" && scheme == "https"
	isPort := bytes.IndexByte(host, ':') < 0 || bytes.HasSuffix(host, []byte("]"))
	if isDefault && isPort {
		return dst[:start+colon]
	}
	return dst
}

// appendPath appends a path without index.html as its last segment and, unless it is to stay, without / at its end. An
// empty path is the root.
func (p *urlParams) appendPath(dst []byte, path string) []byte {
	const indexPage = "index.html"
	start := len(dst)
	dst = appendUnescaped(dst, path, p.lowerPath)
	for {
		for !p.keepSlash && len(dst) > start && dst[len(dst)-1] == '/' {
			dst = dst[:len(dst)-1]
		}
		if !bytes.HasSuffix(dst[start:], []byte("/"+indexPage)) {
			break
		}
		dst = dst[:len(dst)-len(indexPage)]
	}
	if len(dst) == start {
		dst = append(dst, '/')
	}
	return dst
}

// appendQuery appends the parameters that stay, sorted by name, then by value; a name without = comes before the same
// name with an empty value. Parameters without any byte are left out.
func (p *urlParams) appendQuery(dst []byte, query string) []byte {
	if query == "" {
		return dst
	}
	var params [][]byte
	for param := range bytes.SplitSeq(appendUnescaped(nil, query, false), []byte("&")) {
		if name, _, _ := bytes.Cut(param, []byte("=")); len(param) > 0 && p.kept(name) {
			params = append(params, param)
		}
	}
	slices.SortStableFunc(params, compareParams)
	for i, param := range params {
		sep := byte('&')
		if i == 0 {
			sep = '?'
		}
		dst = append(append(dst, sep), param...)
	}
	return dst
}

func compareParams(a, b []byte) int {
	aName, aValue, _ := bytes.Cut(a, []byte("="))
	bName, bValue, _ := bytes.Cut(b, []byte("="))
	return cmp.Or(bytes.Compare(aName, bName), bytes.Compare(aValue, bValue), cmp.Compare(len(a), len(b)))
}

// appendUnescaped decodes the %xx of unreserved characters and puts other escapes in upper case. A % that begins no
// escape stays, and so does an escaped hex digit behind it that would make it begin one: else the result would not be
// its own normal form ("%%34%31" would become "%41", and that "A"). lower puts letters outside escapes in lower case.
func appendUnescaped(dst []byte, s string, lower bool) []byte {
	stray := -3 // where in dst the last % stands that begins no escape
	for i := 0; i < len(s); i++ {
		c, escape := s[i], false
		if c == '%' {
			if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
				stray = len(dst)
			} else {
				c, escape = unhex(s[i+1])<<4|unhex(s[i+2]), true
				i += 2
			}
		}
		switch {
		case escape && (!isUnreserved(c) || completesEscape(dst[max(stray, 0):], stray, c)):
			dst = append(dst, '%', upperByte(s[i-1]), upperByte(s[i]))
		case lower:
			dst = append(dst, lowerByte(c))
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// completesEscape reports whether c would stand as a hex digit directly behind the stray % with which tail begins, or
// behind that and one hex digit. A negative stray means that there is none.
func completesEscape(tail []byte, stray int, c byte) bool {
	return stray >= 0 && isHex(c) && (len(tail) == 1 || len(tail) == 2 && isHex(tail[1]))
}

// isUnreserved reports whether RFC 3986, section 2.3, calls c unreserved.
func isUnreserved(c byte) bool {
	l := c | 0x20
	return l >= 'a' && l <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_' || c == '~'
}

func isHex(c byte) bool {
	l := c | 0x20
	return l >= 'a' && l <= 'f' || c >= '0' && c <= '9'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

func lowerByte(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// lowerASCII puts ASCII letters in lower case and leaves other bytes as they are.
func lowerASCII(s string) string {
	lower := []byte(s)
	for i, c := range lower {
		lower[i] = lowerByte(c)
	}
	return string(lower)
}

func upperByte(c byte) byte {
	if c >= 'a' && c <= 'z' {
		return c - 'a' + 'A'
	}
	return c
}
