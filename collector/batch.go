package collector

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"heatlog/heatmap"
)

// batchParser parses tracker's batches. What it holds after parse is of the last batch; strings stay valid.
type batchParser struct {
	parser
	head batchHead
	hits []heatmap.Hit // without visitor and user agent
	has  fieldSet      // of the batch
	own  []fieldSet    // of each hit
	at   int           // hit that the fault is in, -1 = the batch itself

	// The rest is for the handler's use.
	raw      rawBody
	unpacked unpacked
	body     []byte // unpacked
	now      int64  // when the batch was sent, Unix ms
	visitors visitorHash
	batch    [1]heatmap.Batch // as the journal takes it
}

// batchHead is what a batch says for all of its hits.
type batchHead struct {
	site          string // not looked up
	id, url, view string
	tags          []string
}

// parse parses a batch that was sent at now, Unix ms. If it is refused, fault and at say why and where.
func (p *batchParser) parse(body []byte, now int64) bool {
	p.b, p.ignore, p.depth = body, ^hitFields, 3
	p.head = batchHead{}
	p.hits, p.own, p.has, p.at = p.hits[:0], p.own[:0], 0, -1
	i := skipSpace(body, 0)
	if i >= len(body) || body[i] != '{' {
		p.notObject(i)
		if p.fault.form == formValue {
			p.fault.field = "the body"
		}
		return false
	}
	if i = p.members(i); i < 0 {
		return false
	}
	if i = skipSpace(body, i); i != len(body) {
		p.syntax(i, "something follows the object")
		return false
	}
	return p.check(now)
}

// members parses the members of the batch, whose brace is p.b[i], and gives the index after it, or -1.
func (p *batchParser) members(i int) int {
	b := p.b
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		f, next := p.name(i)
		if next < 0 {
			return -1
		}
		if next = p.member(f, next); next < 0 {
			return -1
		}
		var more bool
		if i, more = p.comma(next, '}'); !more {
			return i
		}
	}
}

// member parses one value of the batch.
func (p *batchParser) member(f field, i int) int {
	p.has |= 1 << f
	switch f {
	case fieldSite:
		s, end := p.textAt(i, f)
		if end >= 0 {
			p.head.site = p.arena.clone(s)
		}
		return end
	case fieldURL:
		return p.pageURL(i, &p.head.url)
	case fieldView:
		return p.string(i, f, &p.view, &p.head.view, heatmap.MaxName)
	case fieldTags:
		return p.tagList(i, &p.head.tags)
	case fieldBatch:
		return p.batchID(i)
	case fieldHits:
		return p.hitList(i)
	}
	return p.skipValue(i, 1)
}

// batchID parses b.
func (p *batchParser) batchID(i int) int {
	s, end := p.textAt(i, fieldBatch)
	if end < 0 {
		return -1
	}
	if n := utf8.RuneCount(s); n < 1 || n > heatmap.MaxBatchID {
		return p.bad(ReasonTooLong, fieldBatch, i, end, "1 to 64 characters")
	}
	p.head.id = p.arena.clone(s)
	return end
}

// hitList parses hits.
func (p *batchParser) hitList(i int) int {
	if i >= len(p.b) || p.b[i] != '[' {
		return p.wrongType(i, fieldHits, "a list of 1 to 500 hits")
	}
	p.hits, p.own = p.hits[:0], p.own[:0]
	i = skipSpace(p.b, i+1)
	if i < len(p.b) && p.b[i] == ']' {
		return i + 1
	}
	for more := true; more; {
		if len(p.hits) == MaxHits {
			p.fault = fault{reason: ReasonTooLong, form: formCount, field: "hits", limit: MaxHits}
			return -1
		}
		p.at = len(p.hits)
		if i = p.oneHit(i); i < 0 {
			return -1
		}
		p.at = -1
		i, more = p.comma(i, ']')
	}
	return i
}

// oneHit parses the hit at p.b[i].
func (p *batchParser) oneHit(i int) int {
	if i >= len(p.b) || p.b[i] != '{' {
		return p.wrongType(i, fieldHits, "an object")
	}
	p.hits = slices.Grow(p.hits, 1)[:len(p.hits)+1]
	h := &p.hits[len(p.hits)-1] // hit clears it
	if i = p.hit(i, h); i < 0 {
		return -1
	}
	h.Time = p.age // until check knows what the batch says
	p.own = append(p.own, p.seen)
	return i
}

// check checks the whole batch and gives its hits what they share.
func (p *batchParser) check(now int64) bool {
	const needed = fieldSet(1)<<fieldSite | 1<<fieldBatch | 1<<fieldHits
	if needed&^p.has != 0 {
		f := needed.firstWithout(p.has)
		p.fault = fault{reason: ReasonMissingField, form: formMissing, field: fieldNames[f]}
		return false
	}
	if len(p.hits) == 0 {
		p.fault = fault{reason: ReasonMissingField, form: formText, field: "hits", want: "is empty, want 1 to 500 hits"}
		return false
	}
	for i := range p.hits {
		h, own := &p.hits[i], p.own[i]
		p.share(h, own, now)
		if !p.complete(h, own|p.has&(1<<fieldURL)|1<<fieldSite|1<<fieldT) {
			p.at = i
			return false
		}
	}
	return true
}

// share gives a hit what it does not have itself.
func (p *batchParser) share(h *heatmap.Hit, own fieldSet, now int64) {
	h.Time = now - h.Time
	h.Site = p.head.site
	if !own.has(fieldURL) {
		h.URL = p.head.url
	}
	if !own.has(fieldView) {
		h.View = p.head.view
	}
	if !own.has(fieldTags) {
		h.Tags = p.head.tags
	}
}

// faultPlace gives the message and the field of the fault, with the hit that it is in.
func (p *batchParser) faultPlace() (message, field string) {
	message, field = p.fault.message(), p.fault.field
	if p.at < 0 {
		return message, field
	}
	place := fmt.Sprintf("hits[%d]", p.at)
	if field != "" && field != fieldNames[fieldHits] { // not the hit itself
		place += "." + field
	}
	return fmt.Sprintf("hit %d: %s", p.at, message), place
}
