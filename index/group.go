package index

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"heatlog/heatmap"
)

// Limits of a group with captures.
const (
	maxCaptures     = 8
	maxCaptureMatch = 1 << 10 // bytes
)

// maxGroupWork bounds the steps that the groups of a URL take, at most 8 ns each.
const maxGroupWork = 1 << 19

// pageGroup counts the URLs that match as one page, or, with captures, as one page for each of what these take: groups/1.
type pageGroup struct {
	match    *Pattern // each capture is a *
	captures *regexp.Regexp
	steps    int        // of captures, for each byte of a URL: stars and captures, at each of which it can be
	page     []pagePart // literals, and captures to put between them
}

// pagePart is a literal text of a page, or the number of the submatch that stands there.
type pagePart struct {
	text    string
	capture int // 0 = text
}

// captureName is what stands between braces in a match and its page.
var captureName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// compileGroup makes a group of a match and its page. Match is a pattern in which {name} takes what * would, and gives it
// to {name} in page. Which it takes where there is a choice is as for regexp: the first capture or star as much as it can.
// Without a capture or star match is one URL, which params puts into its normal form, as it does page. The error is an
// inPage or is about match.
func compileGroup(params *urlParams, match, page string) (g pageGroup, text groupSpec, err error) {
	pattern, names, err := cutCaptures(match)
	if err != nil {
		return g, text, err
	}
	if !IsPattern(pattern) {
		pattern = params.normalURL(pattern)
		match = pattern
	}
	if g.match, err = compileURLPattern(pattern); err != nil {
		return g, text, err
	}
	if reason := swallows(g.match.String()); reason != "" {
		return g, text, errors.New(reason)
	}
	if len(names) > 0 {
		match = lowerOrigin(match)
		if g.captures, err = captureRegexp(match); err != nil {
			return g, text, err
		}
		g.steps = 8 * (1 + strings.Count(pattern, "*"))
	} else {
		match = g.match.String()
	}
	page = params.normalURL(page)
	if err := checkURL(page); err != nil {
		return g, text, inPage{fmt.Errorf("page: %w", err)}
	}
	if g.page, err = pageParts(page, names); err != nil {
		return g, text, inPage{err}
	}
	return g, groupSpec{Match: match, Page: page}, nil
}

// inPage is an error of a group that is about its page.
type inPage struct{ error }

// cutCaptures gives a match with * in place of each {name}, and the names in order.
func cutCaptures(match string) (pattern string, names []string, err error) {
	var out strings.Builder
	for rest := match; ; {
		at := strings.IndexAny(rest, "{}")
		if at < 0 {
			out.WriteString(rest)
			break
		}
		name, after, closed := strings.Cut(rest[at+1:], "}")
		if rest[at] == '}' || !closed || !captureName.MatchString(name) {
			return "", nil, fmt.Errorf("match has %q, want {name} with a name of a-z, 0-9 and _, 32 at most; %%7B and %%7D are the braces themselves", rest[at:min(len(rest), at+40)])
		}
		if slices.Contains(names, name) {
			return "", nil, fmt.Errorf("match has {%s} twice", name)
		}
		names = append(names, name)
		out.WriteString(rest[:at])
		if strings.HasSuffix(out.String(), "*") || strings.HasPrefix(after, "*") || strings.HasPrefix(after, "{") {
			return "", nil, fmt.Errorf("match has {%s} directly beside a star or another capture", name)
		}
		out.WriteByte('*')
		rest = after
	}
	switch {
	case len(names) > maxCaptures:
		return "", nil, fmt.Errorf("match has %d captures, limit %d", len(names), maxCaptures)
	case len(names) > 0 && len(match) > maxCaptureMatch:
		return "", nil, fmt.Errorf("match with captures has %d bytes, limit %d", len(match), maxCaptureMatch)
	}
	return out.String(), names, nil
}

// compileURLPattern is CompilePattern with an error that names no parameter.
func compileURLPattern(text string) (*Pattern, error) {
	p, err := CompilePattern(text)
	if param := (*heatmap.ParamError)(nil); errors.As(err, &param) {
		return nil, errors.New(param.Message)
	}
	return p, err
}

// captureRegexp makes the regular expression that finds what the captures of a match take.
func captureRegexp(match string) (*regexp.Regexp, error) {
	var out strings.Builder
	out.WriteString(`\A`)
	for rest := match; rest != ""; {
		at := strings.IndexAny(rest, "{*")
		switch {
		case at < 0:
			out.WriteString(regexp.QuoteMeta(rest))
			rest = ""
			continue
		case rest[at] == '{':
			_, after, _ := strings.Cut(rest, "}")
			out.WriteString(regexp.QuoteMeta(rest[:at]) + `([^/?#]*)`)
			rest = after
		case strings.HasPrefix(rest[at:], "**"):
			out.WriteString(regexp.QuoteMeta(rest[:at]) + `(?s:.*)`)
			rest = rest[at+2:]
		default:
			out.WriteString(regexp.QuoteMeta(rest[:at]) + `[^/?#]*`)
			rest = rest[at+1:]
		}
	}
	return regexp.Compile(out.String() + `\z`)
}

// pageParts cuts a page at its captures. Braces around what is no capture of the match are refused.
func pageParts(page string, names []string) (parts []pagePart, err error) {
	if IsPattern(page) {
		return nil, fmt.Errorf("page %q has a star", page)
	}
	for rest := page; rest != ""; {
		at := strings.IndexAny(rest, "{}")
		if at < 0 {
			return append(parts, pagePart{text: rest}), nil
		}
		name, after, closed := strings.Cut(rest[at+1:], "}")
		if rest[at] == '}' || !closed {
			return nil, fmt.Errorf("page has %q, want {name}", rest[at:min(len(rest), at+40)])
		}
		number := slices.Index(names, name) + 1
		if number == 0 {
			return nil, fmt.Errorf("page has the capture {%s}, which match does not have", name)
		}
		parts = append(parts, pagePart{text: rest[:at]}, pagePart{capture: number})
		rest = after
	}
	return parts, nil
}

// swallows gives the reason why a match could take every URL of every site, "" if it cannot: it must name a host, of which
// at least one whole label is literal, or which is literal up to a star.
func swallows(match string) string {
	const want = "match must begin with http:// or https:// and name a host with at least one label without a star, such as *.shop.example: else it could take every URL of every site"
	scheme, rest, ok := strings.Cut(match, "://")
	if !ok || scheme != "http" && scheme != "https" && scheme != "http*" {
		return want
	}
	if at := strings.IndexAny(rest, "/?#"); at >= 0 {
		rest = rest[:at]
	}
	if strings.Contains(rest, "**") {
		return want + "; ** in a host is more than the host"
	}
	if at := strings.LastIndexByte(rest, ':'); at > strings.LastIndexByte(rest, ']') {
		rest = rest[:at]
	}
	for label := range strings.SplitSeq(rest, ".") {
		if label != "" && !strings.Contains(label, "*") {
			return ""
		}
	}
	return want
}

// of gives the page of a URL, ok is false if the group does not match it, or not within the steps that are left of work, which
// is below 0 then.
func (g *pageGroup) of(url string, params *urlParams, work *int) (page string, ok bool) {
	ok, steps := g.match.matchWithin(url, *work)
	if *work -= steps; *work < 0 || !ok {
		return "", false
	}
	if g.captures == nil {
		return g.literal(), true
	}
	if *work -= len(url) * g.steps; *work < 0 {
		return "", false
	}
	found := g.captures.FindStringSubmatch(url)
	if found == nil {
		return "", false
	}
	return params.normalURL(g.with(found)), true
}

// literal is the page of a group without captures.
func (g *pageGroup) literal() string { return g.page[0].text }

// with puts what captures took into the page.
func (g *pageGroup) with(found []string) string {
	var out strings.Builder
	for _, part := range g.page {
		if part.capture > 0 {
			out.WriteString(found[part.capture])
		} else {
			out.WriteString(part.text)
		}
	}
	return out.String()
}

// sample is a page of the group, of captures that all take the same text.
func (g *pageGroup) sample(text string) string {
	found := make([]string, maxCaptures+1)
	for i := range found {
		found[i] = text
	}
	return g.with(found)
}

// counted gives what a normalised URL is rewritten to, and the page that it is counted as. A page is its own page: where the
// page of a group would be counted as another, the URL is its own page and ok is false. So it is where a rewrite comes to
// nothing.
func (r *Rules) counted(normal string) (url, page string, ok bool) {
	url, ok = r.rewritten(normal)
	page, within := r.grouped(url)
	if page == url || r.isOwn(page) {
		return url, page, ok && within
	}
	return url, url, false
}

// isOwn reports whether a page is counted as itself.
func (r *Rules) isOwn(page string) bool {
	if checkURL(page) != nil || r.params.normalURL(page) != page {
		return false
	}
	again, ok := r.rewritten(page)
	if !ok || again != page {
		return false
	}
	own, within := r.grouped(page)
	return within && own == page
}

// grouped gives the page of the first group that matches a URL, or the URL. Where that takes more than maxGroupWork it is
// the URL, and ok is false.
func (r *Rules) grouped(url string) (page string, ok bool) {
	work := maxGroupWork
	for i := range r.groups {
		if page, ok := r.groups[i].of(url, &r.params, &work); ok {
			return page, true
		}
		if work < 0 {
			return url, false
		}
	}
	return url, true
}
