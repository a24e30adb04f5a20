package collector

import "strings"

// minToken is the least length of a token, minCard that of a card number, maxCard its greatest.
const (
	minToken = 32
	minCard  = 13
	maxCard  = 19
)

// isPrivate reports whether the value of a parameter, still percent-encoded, has to go.
func isPrivate(value string) bool {
	if len(value) < len("a@b.cd") {
		return false
	}
	if strings.IndexByte(value, '%') < 0 {
		return hasEmail(value) || isCard(value) || isToken(value)
	}
	return isPrivateEncoded(value)
}

// isPrivateEncoded is isPrivate for a value that has escapes. Its buffer holds any that a hit's URL can have.
func isPrivateEncoded(value string) bool {
	var buf [8 << 10]byte
	b := appendDecoded(buf[:0], value)
	v := stringOf(b)
	return hasEmail(v) || isCard(v) || isToken(v)
}

// appendDecoded appends s with its percent escapes decoded; what is no escape stays.
func appendDecoded(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && unhex(s[i+1]) <= 15 && unhex(s[i+2]) <= 15 {
			dst = append(dst, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
			continue
		}
		dst = append(dst, s[i])
	}
	return dst
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c-'0' <= 9 }

// hasEmail reports whether v contains name@host.tld, where name ends in a letter, a digit, one of _%+-. or a rune beyond
// ASCII, host has letters, digits, dashes and dots, and tld is two letters or more.
func hasEmail(v string) bool {
	for {
		at := strings.IndexByte(v, '@')
		if at < 0 {
			return false
		}
		if at > 0 && (isHostByte(v[at-1]) || strings.IndexByte("_%+", v[at-1]) >= 0) && hasDomain(v[at+1:]) {
			return true
		}
		v = v[at+1:]
	}
}

func isHostByte(c byte) bool { return isLetter(c) || isDigit(c) || c == '-' || c == '.' || c >= 0x80 }

// hasDomain reports whether v begins with a host name that has a top-level domain.
func hasDomain(v string) bool {
	n := 0
	for n < len(v) && isHostByte(v[n]) {
		n++
	}
	host := strings.TrimRight(v[:n], ".-")
	dot := strings.LastIndexByte(host, '.')
	if dot < 1 || len(host)-dot <= 2 {
		return false
	}
	for i := dot + 1; i < len(host); i++ {
		if c := host[i]; !isLetter(c) && c < 0x80 {
			return strings.HasPrefix(strings.ToLower(host[dot+1:]), "xn--")
		}
	}
	return true
}

// isCard reports whether v is a card number. A plus is a space in a query.
func isCard(v string) bool {
	digits, sum := 0, 0
	for i := len(v) - 1; i >= 0; i-- { // Luhn's check doubles every second digit from the right
		c := v[i]
		if c == ' ' || c == '+' || c == '-' {
			continue
		}
		if !isDigit(c) || digits == maxCard {
			return false
		}
		d := int(c - '0')
		if digits%2 == 1 {
			d *= 2
		}
		sum += d/10 + d%10
		digits++
	}
	return digits >= minCard && sum%10 == 0
}

// isToken reports whether v is long, of a token's alphabet, and mostly not words. Addresses of pages carry long values
// that are words and numbers with dashes between them (q=buy-monroe-72231-sensa-trac-strut), and they tell one page from
// another; keys, hashes, UUIDs and signed tokens are runs that mix letters with digits or cases, or are longer than
// words are.
func isToken(v string) bool {
	if len(v) < minToken {
		return false
	}
	random, start := 0, 0
	for i := range len(v) {
		c := v[i]
		if isLetter(c) || isDigit(c) {
			continue
		}
		if strings.IndexByte("_-.~+/=", c) < 0 {
			return false
		}
		random += randomBytes(v[start:i])
		start = i + 1
	}
	random += randomBytes(v[start:])
	return random*2 >= len(v)
}

// maxWord is longer than the words and the numbers that people put into addresses.
const maxWord = 20

// randomBytes gives the length of s, a run of letters and digits, if it is not a word or a number, else 0.
func randomBytes(s string) int {
	var digits, lower, upper int
	for i := range len(s) {
		switch c := s[i]; {
		case isDigit(c):
			digits++
		case c >= 'a':
			lower++
		case i > 0: // a capital at the beginning is still a word
			upper++
		}
	}
	mixed := digits > 0 && digits < len(s) || upper > 0 && lower > 0
	if mixed || len(s) > maxWord {
		return len(s)
	}
	return 0
}
