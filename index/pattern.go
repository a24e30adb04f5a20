package index

import (
	"fmt"
	"math"
	"strings"

	"heatlog/heatmap"
)

// MaxPatternStars is the greatest number of stars in a URL pattern, each * counted.
const MaxPatternStars = 64

// Pattern is a compiled URL pattern: * stands for any run of bytes but / ? #, ** for any run of bytes. It is matched
// over normalised URLs and pages, as a whole, in time linear in the URL. It is safe for concurrent use.
type Pattern struct {
	text   string
	prefix string // literal part before the first star
	suffix string // behind the last one
	needed string // the longest between two, behind prefix

	// The rest is an automaton whose state i has seen the first i literal bytes behind prefix. It is run as a set of
	// states, one bit each.
	states  int
	class   [256]uint8 // number of a byte's row of forward, 0 = the byte is not in the pattern
	forward [][]uint64 // by class: states that go on to the next with this byte
	any     []uint64   // states that stay with any byte
	segment []uint64   // states that stay with any byte but / ? #
}

// maxPatternWords holds the states of the longest pattern.
const maxPatternWords = heatmap.MaxURL/64 + 1

// IsPattern reports whether what is asked for with url= is a pattern and not one URL.
func IsPattern(url string) bool { return strings.IndexByte(url, '*') >= 0 }

// CompilePattern compiles a pattern. Scheme and host are put in lower case, nothing else is normalised. The error is a
// *heatmap.ParamError for the field url: more than MaxPatternStars, or more than heatmap.MaxURL bytes.
func CompilePattern(text string) (*Pattern, error) {
	if n := strings.Count(text, "*"); n > MaxPatternStars {
		return nil, &heatmap.ParamError{Field: "url", Message: fmt.Sprintf("pattern has %d stars, limit %d", n, MaxPatternStars)}
	}
	if len(text) > heatmap.MaxURL {
		return nil, &heatmap.ParamError{Field: "url", Message: fmt.Sprintf("pattern has %d bytes, limit %d", len(text), heatmap.MaxURL)}
	}
	p := &Pattern{text: lowerOrigin(text)}
	p.compile()
	return p, nil
}

// String gives the pattern as it is matched.
func (p *Pattern) String() string { return p.text }

// Prefix is the literal text with which everything begins that the pattern matches.
func (p *Pattern) Prefix() string { return p.prefix }

// Match reports whether the pattern matches the whole of a normalised URL or page.
func (p *Pattern) Match(url string) bool {
	ok, _ := p.matchWithin(url, math.MaxInt)
	return ok
}

// searchedBytes is how many bytes are searched for a literal text in the time of a step of the automaton, about.
const searchedBytes = 32

// matchWithin is Match, with the steps that it takes at most: words of states that bytes of the URL move. It does not begin
// what takes more than most; ok is false then.
func (p *Pattern) matchWithin(url string, most int) (ok bool, steps int) {
	if !strings.HasPrefix(url, p.prefix) {
		return false, 0
	}
	url = url[len(p.prefix):]
	if !strings.HasSuffix(url, p.suffix) {
		return false, 0
	}
	if steps = len(url) / searchedBytes; !strings.Contains(url, p.needed) {
		return false, steps
	}
	steps += len(url) * len(p.any)
	if steps > most {
		return false, steps
	}
	if len(p.any) == 1 {
		return p.matchShort(url), steps
	}
	return p.matchLong(url), steps
}

// matchShort runs the automaton if its states fit a word.
func (p *Pattern) matchShort(url string) bool {
	set := uint64(1)
	for i := 0; i < len(url) && set != 0; i++ {
		stay := p.any[0]
		if !isDelimiter(url[i]) {
			stay |= p.segment[0]
		}
		set = set&p.forward[p.class[url[i]]][0]<<1 | set&stay
	}
	return set>>p.states&1 != 0
}

// matchLong is matchShort for any number of words.
func (p *Pattern) matchLong(url string) bool {
	var memory [maxPatternWords]uint64
	set := memory[:len(p.any)]
	set[0] = 1
	for i := range len(url) {
		forward, inSegment := p.forward[p.class[url[i]]], !isDelimiter(url[i])
		carry, alive := uint64(0), uint64(0)
		for w, bits := range set {
			stay, on := p.any[w], bits&forward[w]
			if inSegment {
				stay |= p.segment[w]
			}
			set[w] = on<<1 | carry | bits&stay
			carry = on >> 63
			alive |= set[w]
		}
		if alive == 0 {
			return false
		}
	}
	return set[p.states/64]>>(p.states%64)&1 != 0
}

func isDelimiter(c byte) bool { return c == '/' || c == '?' || c == '#' }

// compile makes the automaton of p.text.
func (p *Pattern) compile() {
	star := strings.IndexByte(p.text, '*')
	if star < 0 {
		star = len(p.text)
	}
	p.prefix = p.text[:star]
	tail := p.text[star:]
	if last := strings.LastIndexByte(tail, '*'); last >= 0 {
		p.suffix = tail[last+1:]
		for literal := range strings.SplitSeq(tail[:last], "*") {
			if len(literal) > len(p.needed) {
				p.needed = literal
			}
		}
	}
	p.states = len(tail) - strings.Count(tail, "*")
	words := p.states/64 + 1
	p.any, p.segment = make([]uint64, words), make([]uint64, words)
	p.forward = [][]uint64{make([]uint64, words)}
	state := 0
	for i := 0; i < len(tail); i++ {
		word, bit := state/64, uint64(1)<<(state%64)
		switch {
		case strings.HasPrefix(tail[i:], "**"):
			p.any[word] |= bit
			i++
		case tail[i] == '*':
			p.segment[word] |= bit
		default:
			p.row(tail[i])[word] |= bit
			state++
		}
	}
}

// row gives the states that go on with c.
func (p *Pattern) row(c byte) []uint64 {
	if p.class[c] == 0 {
		p.class[c] = uint8(len(p.forward)) // 1 to 255: a star is never a literal
		p.forward = append(p.forward, make([]uint64, len(p.any)))
	}
	return p.forward[p.class[c]]
}

// lowerOrigin puts the scheme and host of a pattern in lower case, as far as it is sure to be scheme and host: up to
// the path or the first **.
func lowerOrigin(text string) string {
	colon := strings.Index(text, "://")
	if colon < 0 || strings.Contains(text[:colon], "**") {
		return text
	}
	end := len(text)
	if i := strings.IndexAny(text[colon+3:], "/?#"); i >= 0 {
		end = colon + 3 + i
	}
	if i := strings.Index(text[:end], "**"); i >= 0 {
		end = i
	}
	return lowerASCII(text[:end]) + text[end:]
}
