package collector

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"heatlog/heatmap"
)

// What a URL has to be, as messages say it.
const (
	wantAbsolute  = "an absolute http or https URL"
	wantHost      = "a URL with a host name and a port of 0 to 65535"
	wantNoControl = "a URL without control characters"
)

// checkURL says what url should be instead, "" if it is well.
func checkURL(url []byte) (want string) {
	start := schemeLen(url)
	if start == 0 {
		return wantAbsolute
	}
	if hasControl(url) {
		return wantNoControl
	}
	end := authorityEnd(url, start)
	host := url[start:end]
	for i := len(host) - 1; i >= 0; i-- {
		if host[i] == '@' {
			host = host[i+1:]
			break
		}
	}
	if !validHost(host) {
		return wantHost
	}
	return ""
}

// text is what the functions below read, in either form.
type text interface{ ~string | ~[]byte }

// schemeLen gives the length of http:// or https:// in any case, 0 if url does not begin so.
func schemeLen[T text](url T) int {
	const scheme = "https"
	for i := range len(url) {
		switch {
		case i < len(scheme) && url[i]|0x20 == scheme[i]:
		case (i == 4 || i == 5) && url[i] == ':' && i+2 < len(url) && url[i+1] == '/' && url[i+2] == '/':
			return i + 3
		default:
			return 0
		}
	}
	return 0
}

// authorityEnd gives the index after the authority that begins at start.
func authorityEnd[T text](url T, start int) int {
	for i := start; i < len(url); i++ {
		if c := url[i]; c == '/' || c == '?' || c == '#' {
			return i
		}
	}
	return len(url)
}

// hasControl reports whether s, valid UTF-8, has a rune of Unicode's category Cc.
func hasControl(s []byte) bool {
	for i, c := range s {
		// U+0080 to U+009F are C2 80 to C2 9F.
		if c < 0x20 || c == unicode.MaxASCII || c == 0xc2 && i+1 < len(s) && s[i+1] < 0xa0 {
			return true
		}
	}
	return false
}

// validHost reports whether s, an authority without user-info, has a host and no port but 0 to 65535. It is no full
// check of names: what cannot be part of any host is refused, so that nobody can take it for a path or for user-info.
func validHost(s []byte) bool {
	host, port := s, []byte(nil)
	for i := len(s) - 1; i >= 0 && s[i] != ']'; i-- {
		if s[i] == ':' {
			host, port = s[:i], s[i+1:]
			break
		}
	}
	n := 0
	for _, c := range port {
		if c-'0' > 9 || n > 65535 {
			return false
		}
		n = n*10 + int(c-'0')
	}
	if len(host) == 0 || n > 65535 {
		return false
	}
	if host[0] == '[' {
		return len(host) > 2 && host[len(host)-1] == ']' && strings.Trim(stringOf(host[1:len(host)-1]), "0123456789abcdefABCDEF:.") == ""
	}
	return !strings.ContainsAny(stringOf(host), " \"<>\\^`{|}[]:")
}

// errURL is the error of Scrub for what is no URL that a hit can have.
var errURL = errors.New("is not a URL of a hit")

// Scrub removes from a URL what must not be stored: user-info, and the values, not the names, of parameters that contain
// an e-mail address or are a card number (13 to 19 digits with spaces or dashes between them, valid by Luhn's check) or
// a token (32 and more characters of A-Z a-z 0-9 _ - . ~ + / = that are not made of words, as secrets are and the names
// of pages are not), each after percent-decoding. Such a value becomes "~". Parameters are those of the query and those
// of the fragment (#a=b, #/x?a=b). Nothing else is changed, and nothing is allocated if nothing changes. Scrub of a
// scrubbed URL is the same URL. It is an error if url is not absolute http or https, is over heatmap.MaxURL bytes or has
// control characters.
func Scrub(url string) (string, error) {
	if len(url) > heatmap.MaxURL {
		return "", fmt.Errorf("scrub url: it is %d bytes, limit %d", len(url), heatmap.MaxURL)
	}
	if want := checkURL(bytesOf(url)); want != "" {
		return "", fmt.Errorf("scrub url %.40q: %w, want %s", url, errURL, want)
	}
	out, changed := appendScrubbed(nil, url)
	if !changed {
		return url, nil
	}
	return string(out), nil
}

// scrubber copies a URL up to where it has looked, leaving out what must go.
type scrubber struct {
	dst  []byte
	url  string
	done int // bytes of url that are copied or left out
}

// replace leaves out url[start:end] and writes by instead.
func (s *scrubber) replace(start, end int, by string) {
	s.dst = append(s.dst, s.url[s.done:start]...)
	s.dst = append(s.dst, by...)
	s.done = end
}

// appendScrubbed appends the scrubbed form of url, which checkURL has passed, unless it does not differ.
func appendScrubbed(dst []byte, url string) (out []byte, changed bool) {
	s := scrubber{dst: dst, url: url}
	start := schemeLen(url)
	end := authorityEnd(url, start)
	if at := strings.LastIndexByte(url[start:end], '@'); at >= 0 {
		s.replace(start, start+at+1, "")
	}
	fragment := len(url)
	if i := strings.IndexByte(url[end:], '#'); i >= 0 {
		fragment = end + i
	}
	if q := strings.IndexByte(url[end:fragment], '?'); q >= 0 {
		s.params(end+q+1, fragment, "&")
	}
	s.params(min(fragment+1, len(url)), len(url), "&?")
	if s.done == 0 {
		return dst, false
	}
	return append(s.dst, url[s.done:]...), true
}

// params scrubs the parameters in url[i:end] that any of the bytes of separators separates.
func (s *scrubber) params(i, end int, separators string) {
	for i < end {
		next := end
		if n := strings.IndexAny(s.url[i:end], separators); n >= 0 {
			next = i + n
		}
		if eq := strings.IndexByte(s.url[i:next], '='); eq >= 0 && isPrivate(s.url[i+eq+1:next]) {
			s.replace(i+eq+1, next, "~")
		}
		i = next + 1
	}
}
