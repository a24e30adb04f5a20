package collector

import (
	"heatlog/heatmap"
)

// textAt gives the text of the string at p.b[i], a view into the line or into p.text, and the index after it, or -1.
func (p *parser) textAt(i int, f field) (s []byte, end int) {
	if i >= len(p.b) || p.b[i] != '"' {
		return nil, p.wrongType(i, f, "a string")
	}
	end, escaped := p.scanString(i)
	if end < 0 {
		return nil, -1
	}
	s = p.b[i+1 : end-1]
	if escaped {
		p.text = appendUnescaped(p.text[:0], s)
		s = p.text
	}
	return s, end
}

// string parses a text of at most limit bytes.
func (p *parser) string(i int, f field, last *slot, dst *string, limit int) int {
	if last.matches(p.b[i:]) {
		*dst = last.value
		return i + len(last.token)
	}
	s, end := p.textAt(i, f)
	if end < 0 {
		return -1
	}
	if len(s) > limit {
		return p.tooLong(f, len(s), limit)
	}
	last.set(p.b[i:end], p.arena.clone(s))
	*dst = last.value
	return end
}

// tooLong notes that f has n bytes and gives -1.
func (p *parser) tooLong(f field, n, limit int) int {
	p.fault = fault{reason: ReasonTooLong, form: formLong, field: fieldNames[f], n: int64(n), limit: int64(limit)}
	return -1
}

// userAgent parses a user agent, which is cut where others are refused.
func (p *parser) userAgent(i int, dst *string) int {
	if p.agent.matches(p.b[i:]) {
		*dst = p.agent.value
		return i + len(p.agent.token)
	}
	s, end := p.textAt(i, fieldUserAgent)
	if end < 0 {
		return -1
	}
	p.agent.set(p.b[i:end], p.arena.clone(cutUserAgent(s)))
	*dst = p.agent.value
	return end
}

// cutUserAgent cuts a user agent to what is stored of it.
func cutUserAgent(s []byte) []byte {
	if len(s) <= heatmap.MaxUserAgent {
		return s
	}
	return s[:runeStart(s, heatmap.MaxUserAgent)]
}

// siteKey parses a key and finds its site.
func (p *parser) siteKey(i int, h *heatmap.Hit) int {
	if p.site != nil && p.siteSlot.matches(p.b[i:]) {
		h.Site = p.siteSlot.value
		return i + len(p.siteSlot.token)
	}
	s, end := p.textAt(i, fieldSite)
	if end < 0 {
		return -1
	}
	site := p.sites.find(s)
	if site == nil {
		return p.bad(ReasonUnknownSite, fieldSite, i, end, "the key of a registered site")
	}
	p.site = site
	p.siteSlot.set(p.b[i:end], site.site.Key)
	h.Site = site.site.Key
	return end
}

// pageURL parses and scrubs a URL.
func (p *parser) pageURL(i int, dst *string) int {
	if p.url.matches(p.b[i:]) {
		*dst = p.url.value
		return i + len(p.url.token)
	}
	s, end := p.textAt(i, fieldURL)
	if end < 0 {
		return -1
	}
	if len(s) > heatmap.MaxURL {
		return p.tooLong(fieldURL, len(s), heatmap.MaxURL)
	}
	if want := checkURL(s); want != "" {
		return p.bad(ReasonBadURL, fieldURL, i, end, want)
	}
	scrubbed, changed := appendScrubbed(p.scrubbed[:0], stringOf(s))
	p.scrubbed = scrubbed
	if changed {
		s = scrubbed
	}
	p.url.set(p.b[i:end], p.arena.clone(s))
	*dst = p.url.value
	return end
}

// kind parses the kind of a hit.
func (p *parser) kind(i int, h *heatmap.Hit) int {
	s, end := p.textAt(i, fieldKind)
	if end < 0 {
		return -1
	}
	switch string(s) {
	case "view":
		h.Kind = heatmap.KindView
	case "click":
		h.Kind = heatmap.KindClick
	case "scroll":
		h.Kind = heatmap.KindScroll
	case "move":
		h.Kind = heatmap.KindMove
	default:
		return p.bad(ReasonBadValue, fieldKind, i, end, "view, click, scroll or move")
	}
	return end
}

// pointer parses what clicked or moved.
func (p *parser) pointer(i int, h *heatmap.Hit) int {
	s, end := p.textAt(i, fieldPointer)
	if end < 0 {
		return -1
	}
	v, ok := heatmap.ParsePointer(string(s))
	if !ok {
		return p.bad(ReasonBadValue, fieldPointer, i, end, "mouse, touch, pen or empty")
	}
	h.Pointer = v
	return end
}

// tagList parses a list of tags. Equal lists of consecutive hits are one list.
func (p *parser) tagList(i int, dst *[]string) int {
	n := len(p.tagsToken)
	if n != 0 && len(p.b)-i >= n && string(p.b[i:i+n]) == string(p.tagsToken) {
		*dst = p.tags
		return i + n
	}
	if i >= len(p.b) || p.b[i] != '[' {
		return p.wrongType(i, fieldTags, "a list of strings")
	}
	var list [heatmap.MaxTags]string
	end, n := p.tagStrings(i, &list)
	if end < 0 {
		return -1
	}
	p.tags = p.arena.strings(n)
	copy(p.tags, list[:n])
	p.tagsToken = append(p.tagsToken[:0], p.b[i:end]...)
	*dst = p.tags
	return end
}

// tagStrings parses the array at p.b[i] into list and gives the index after it, or -1, and how many there are.
func (p *parser) tagStrings(i int, list *[heatmap.MaxTags]string) (end, n int) {
	i = skipSpace(p.b, i+1)
	if i < len(p.b) && p.b[i] == ']' {
		return i + 1, 0
	}
	for more := true; more; n++ {
		if n == len(list) {
			p.fault = fault{reason: ReasonTooLong, form: formCount, field: "tags", limit: heatmap.MaxTags}
			return -1, 0
		}
		s, next := p.textAt(i, fieldTags)
		if next < 0 {
			return -1, 0
		}
		if len(s) > heatmap.MaxTag {
			return p.tooLong(fieldTags, len(s), heatmap.MaxTag), 0
		}
		list[n] = p.arena.clone(s)
		i, more = p.comma(next, ']')
	}
	return i, n
}

// complete checks what only a whole hit shows: seen are the fields that it has.
func (p *parser) complete(h *heatmap.Hit, seen fieldSet) bool {
	const always = fieldSet(1)<<fieldT | 1<<fieldSite | 1<<fieldURL | 1<<fieldKind
	if always&^seen != 0 {
		f := always.firstWithout(seen)
		p.fault = fault{reason: ReasonMissingField, form: formMissing, field: fieldNames[f]}
		return false
	}
	if need := neededFields(h.Kind); need&^seen != 0 {
		f := need.firstWithout(seen)
		p.fault = fault{reason: ReasonMissingField, form: formMissing, field: fieldNames[f], want: neededBy(h.Kind)}
		return false
	}
	if h.Kind == heatmap.KindScroll && h.Depth < h.From {
		p.fault = fault{
			reason: ReasonOutOfRange, form: formBelow, field: "depth", n: int64(h.Depth), want: "from", limit: int64(h.From),
		}
		return false
	}
	return true
}

// neededBy says for a message who needs a field.
func neededBy(k heatmap.Kind) string {
	switch k {
	case heatmap.KindClick:
		return ", a click needs it"
	case heatmap.KindMove:
		return ", a move needs it"
	default:
		return ", a scroll needs it"
	}
}
