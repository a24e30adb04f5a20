package index

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"heatlog/heatmap"
)

// Limits of a rewrite.
const (
	maxRewrites       = 50
	maxRewriteMatch   = 1 << 10            // bytes
	maxRewriteReplace = 256                // bytes
	rewriteMatches    = 32                 // places of a URL that a rewrite replaces
	maxRewriteWork    = 1 << 19            // steps that the rewrites of a URL take, at most 12 ns each
	maxRewritten      = 2 * heatmap.MaxURL // bytes of what a rewrite makes, before it is normalised
)

// rewrite applies one rule of rewrites/1: it replaces the first rewriteMatches places of a normalised URL where the
// regular expression matches, in the way of regexp.Expand.
type rewrite struct {
	match   *regexp.Regexp
	replace string
	needed  string // a text without which a URL does not match
	steps   int    // for each byte of a URL that is looked at: instructions of the regular expression
	reach   int    // bytes from its start that can be looked at, -1 = all
}

// compileRewrite checks what a rewrite replaces by, for a regular expression that compiles.
func compileRewrite(match *regexp.Regexp, replace string) (*rewrite, error) {
	if len(replace) > maxRewriteReplace {
		return nil, fmt.Errorf("replace has %d bytes, limit %d", len(replace), maxRewriteReplace)
	}
	if err := checkTemplate(match, replace); err != nil {
		return nil, err
	}
	re, err := syntax.Parse(match.String(), syntax.Perl)
	if err != nil {
		return nil, err
	}
	re = re.Simplify()
	program, err := syntax.Compile(re)
	if err != nil {
		return nil, err
	}
	r := &rewrite{match, replace, neededText(re), len(program.Inst), -1}
	if isAnchored(re) {
		r.reach = longestMatch(re)
	}
	return r, nil
}

// isAnchored reports whether a regular expression matches only from the start of a text.
func isAnchored(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpBeginText:
		return true
	case syntax.OpConcat, syntax.OpCapture:
		return isAnchored(re.Sub[0])
	case syntax.OpAlternate:
		return !slices.ContainsFunc(re.Sub, func(sub *syntax.Regexp) bool { return !isAnchored(sub) })
	}
	return false
}

// longestMatch is how many bytes a regular expression without repeats that are counted matches at most, -1 if any number.
func longestMatch(re *syntax.Regexp) (bytes int) {
	switch re.Op {
	case syntax.OpStar, syntax.OpPlus, syntax.OpRepeat:
		return -1
	case syntax.OpLiteral:
		return utf8.UTFMax * len(re.Rune)
	case syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return utf8.UTFMax
	}
	for _, sub := range re.Sub {
		n := longestMatch(sub)
		switch {
		case n < 0:
			return -1
		case re.Op == syntax.OpAlternate:
			bytes = max(bytes, n)
		default:
			bytes += n
		}
	}
	return bytes
}

// neededText is the longest text that is in whatever a regular expression matches, as far as it shows.
func neededText(re *syntax.Regexp) (text string) {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			text = string(re.Rune)
		}
	case syntax.OpCapture, syntax.OpPlus, syntax.OpConcat:
		for _, sub := range re.Sub {
			if t := neededText(sub); len(t) > len(text) {
				text = t
			}
		}
	}
	return text
}

// compileRegexp compiles a regular expression that is not too large, and gives its cost.
func compileRegexp(text string) (re *regexp.Regexp, cost int, err error) {
	if len(text) > maxRewriteMatch {
		return nil, 0, fmt.Errorf("regular expression has %d bytes, limit %d", len(text), maxRewriteMatch)
	}
	cost, reason := checkRegexp(text)
	if reason != "" {
		return nil, 0, errors.New(reason)
	}
	re, err = regexp.Compile(text)
	return re, cost, err
}

// checkTemplate refuses a text with a $ that stands for nothing: regexp.Expand would take it for an empty text, or leave
// it.
func checkTemplate(match *regexp.Regexp, text string) error {
	for {
		_, rest, ok := strings.Cut(text, "$")
		if !ok {
			return nil
		}
		name, after := templateName(rest)
		switch {
		case strings.HasPrefix(rest, "$"):
			after = rest[1:]
		case name == "":
			return errors.New("replace has a $ that no group follows, write $$ for the sign itself")
		case !hasGroup(match, name):
			return fmt.Errorf("replace names the group %s, which match does not have; ${1}0 is group 1 before a 0", name)
		}
		text = after
	}
}

// templateName gives the name behind a $, "" if there is none, and what follows it.
func templateName(text string) (name, rest string) {
	if braced, ok := strings.CutPrefix(text, "{"); ok {
		name, rest, ok = strings.Cut(braced, "}")
		if !ok || strings.TrimFunc(name, isNameRune) != "" {
			return "", rest
		}
		return name, rest
	}
	rest = strings.TrimLeftFunc(text, isNameRune)
	return text[:len(text)-len(rest)], rest
}

// isNameRune reports whether a name of a group can have c.
func isNameRune(c rune) bool {
	l := c | 0x20
	return c == '_' || c >= '0' && c <= '9' || l >= 'a' && l <= 'z'
}

func hasGroup(match *regexp.Regexp, name string) bool {
	if n, err := strconv.Atoi(name); err == nil {
		return n <= match.NumSubexp()
	}
	return match.SubexpIndex(name) >= 0
}

// apply gives the rewritten URL, not normalised, which is the URL itself if the regular expression matches nowhere. It takes
// from work the steps that this can have taken: to search the URL once, and once more for each place. Where there are not
// so many left, or the result is over maxRewritten, ok is false.
func (r *rewrite) apply(url string, work *int) (rewritten string, ok bool) {
	if *work -= len(url) / searchedBytes; !strings.Contains(url, r.needed) {
		return url, *work >= 0
	}
	once := r.steps * (len(url) + 1)
	if r.reach >= 0 {
		once = r.steps * (min(len(url), r.reach) + 1)
	}
	most := *work/once - 1
	if most < 0 {
		return url, false
	}
	places := r.match.FindAllStringSubmatchIndex(url, min(most+1, rewriteMatches))
	if len(places) > most {
		return url, false
	}
	*work -= once * (len(places) + 1)
	var out []byte
	end := 0
	for _, at := range places {
		out = append(out, url[end:at[0]]...)
		if out = r.match.ExpandString(out, r.replace, url, at); len(out) > maxRewritten {
			return url, false
		}
		end = at[1]
	}
	out = append(out, url[end:]...)
	return string(out), len(out) <= maxRewritten
}

// rewritten gives what a normalised URL is rewritten to, by each rewrite once, in their order. Where a result is no URL that a
// hit could have, or would itself be rewritten to another, or takes more than maxRewriteWork, the URL stays as it is and ok
// is false: so what comes out is its own result.
func (r *Rules) rewritten(url string) (out string, ok bool) {
	if len(r.rewrites) == 0 {
		return url, true
	}
	out, ok = r.rewriteOnce(url)
	if ok && out != url {
		var again string
		again, ok = r.rewriteOnce(out)
		ok = ok && again == out
	}
	if !ok {
		return url, false
	}
	return out, true
}

// rewriteOnce passes a normalised URL through all rewrites.
func (r *Rules) rewriteOnce(url string) (out string, ok bool) {
	work := maxRewriteWork
	for _, w := range r.rewrites {
		next, ok := w.apply(url, &work)
		if !ok {
			return url, false
		}
		if next == url {
			continue
		}
		if next = r.params.normalURL(next); checkURL(next) != nil || !hasHost(next) {
			return url, false
		}
		url = next
	}
	return url, true
}

// checkURL says why a hit cannot have a URL.
func checkURL(url string) error {
	if len(url) > heatmap.MaxURL {
		return fmt.Errorf("url has %d bytes, limit %d", len(url), heatmap.MaxURL)
	}
	if strings.ContainsFunc(url, isControl) {
		return fmt.Errorf("url %q has control characters", url)
	}
	if _, _, ok := cutScheme(url); !ok {
		return fmt.Errorf("url %q is not an absolute http or https URL", url)
	}
	return nil
}

// hasHost reports whether a normalised URL names a host.
func hasHost(url string) bool {
	_, rest, _ := cutScheme(url)
	host, _, _, _ := splitURL(rest)
	return host != ""
}
