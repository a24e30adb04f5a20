package collector

import (
	"heatlog/heatmap"
)

// value parses the value of f at p.b[i] into h and gives the index after it, or -1.
func (p *parser) value(f field, i int, h *heatmap.Hit) int {
	p.seen |= 1 << f
	switch f {
	case fieldT:
		return p.time(i, &h.Time)
	case fieldAge:
		return p.ageMillis(i)
	case fieldSite:
		return p.siteKey(i, h)
	case fieldURL:
		return p.pageURL(i, &h.URL)
	case fieldKind:
		return p.kind(i, h)
	case fieldX:
		return p.px(i, f, &h.X)
	case fieldY:
		return p.px(i, f, &h.Y)
	case fieldDepth:
		return p.px(i, f, &h.Depth)
	case fieldFrom:
		return p.px(i, f, &h.From)
	case fieldDwell:
		return p.whole(i, f, &h.Dwell, heatmap.MaxDwell, "0 to 600000", true)
	case fieldViewportW:
		return p.px(i, f, &h.ViewportW)
	case fieldViewportH:
		return p.px(i, f, &h.ViewportH)
	case fieldDocumentW:
		return p.px(i, f, &h.DocumentW)
	case fieldDocumentH:
		return p.px(i, f, &h.DocumentH)
	case fieldAnchorX:
		return p.fraction(i, f, &h.AnchorX)
	case fieldAnchorY:
		return p.fraction(i, f, &h.AnchorY)
	case fieldSelector:
		return p.string(i, f, &p.selector, &h.Selector, heatmap.MaxSelector)
	case fieldView:
		return p.string(i, f, &p.view, &h.View, heatmap.MaxName)
	case fieldVisitor:
		return p.string(i, f, &p.visitor, &h.Visitor, heatmap.MaxName)
	case fieldUserAgent:
		return p.userAgent(i, &h.UserAgent)
	case fieldTags:
		return p.tagList(i, &h.Tags)
	}
	return p.rareValue(f, i, h)
}

// rareValue is value for the fields that few hits have.
func (p *parser) rareValue(f field, i int, h *heatmap.Hit) int {
	switch f {
	case fieldBoxW:
		return p.px(i, f, &h.BoxW)
	case fieldBoxH:
		return p.px(i, f, &h.BoxH)
	case fieldContainer:
		return p.string(i, f, &p.container, &h.Container, heatmap.MaxSelector)
	case fieldContainerX:
		return p.px(i, f, &h.ContainerX)
	case fieldContainerY:
		return p.px(i, f, &h.ContainerY)
	case fieldCheck:
		return p.check(i, h)
	case fieldLayout:
		return p.whole(i, f, &h.Layout, 1<<32-1, "0 to 4294967295", false)
	case fieldPointer:
		return p.pointer(i, h)
	case fieldFixed:
		return p.flag(i, f, h, heatmap.FlagFixed, true)
	case fieldTrusted:
		return p.flag(i, f, h, heatmap.FlagUntrusted, false)
	case fieldRage:
		return p.flag(i, f, h, heatmap.FlagRage, true)
	case fieldDead:
		return p.flag(i, f, h, heatmap.FlagDead, true)
	default: // fieldID
		return p.string(i, f, &p.id, &h.ID, heatmap.MaxName)
	}
}

// wrongType notes that the value of f at p.b[i] is JSON of another type than want, or no JSON, and gives -1.
func (p *parser) wrongType(i int, f field, want string) int {
	end := p.skipValue(i, p.depth)
	if end < 0 {
		return -1
	}
	return p.bad(ReasonWrongType, f, i, end, want)
}

// bad notes a value that f may not have and gives -1.
func (p *parser) bad(r Reason, f field, i, end int, want string) int {
	p.fault = fault{reason: r, form: formValue, field: fieldNames[f], value: p.b[i:end], want: want}
	return -1
}

// endsValue reports whether a value may end before c.
func endsValue(c byte) bool { return c == ',' || c == '}' }

// px parses a length on the page, which is 0 to 65535 after it is rounded down.
func (p *parser) px(i int, f field, dst *uint16) int {
	if v, end := plainWhole(p.b, i); end >= 0 && v <= heatmap.MaxCoordinate {
		*dst = uint16(v)
		return end
	}
	var wide uint32
	end := p.anyWhole(i, f, &wide, heatmap.MaxCoordinate, "0 to 65535", true)
	*dst = uint16(wide)
	return end
}

// number parses any number.
func (p *parser) number(i int, f field) (number, int) {
	if i < len(p.b) && (p.b[i] == '-' || p.b[i]-'0' <= 9) {
		n, end := scanNumber(p.b, i)
		if end < 0 {
			p.syntax(i, "not a number")
		}
		return n, end
	}
	return number{}, p.wrongType(i, f, "a number")
}

// whole parses a number of 0 to limit. A fraction is cut off or, if it may not be there, refused.
func (p *parser) whole(i int, f field, dst *uint32, limit uint32, want string, fraction bool) int {
	if v, end := plainWhole(p.b, i); end >= 0 && v <= uint64(limit) {
		*dst = uint32(v)
		return end
	}
	return p.anyWhole(i, f, dst, limit, want, fraction)
}

// anyWhole is whole for numbers of any form.
func (p *parser) anyWhole(i int, f field, dst *uint32, limit uint32, want string, fraction bool) int {
	n, end := p.number(i, f)
	if end < 0 {
		return -1
	}
	if !n.atMost(uint64(limit)) {
		return p.bad(ReasonOutOfRange, f, i, end, want)
	}
	if n.split && !fraction {
		return p.bad(ReasonWrongType, f, i, end, "a whole number")
	}
	*dst = uint32(n.whole)
	return end
}

// check parses the hash of an element's text.
func (p *parser) check(i int, h *heatmap.Hit) int {
	var v uint32
	end := p.whole(i, fieldCheck, &v, 1<<16-1, "0 to 65535", false)
	h.Check, h.HasCheck = uint16(v), true
	return end
}

// fraction parses an anchor.
func (p *parser) fraction(i int, f field, dst *uint32) int {
	if v, end := plainAnchor(p.b, i); end >= 0 {
		*dst = v
		return end
	}
	n, end := p.number(i, f)
	if end < 0 {
		return -1
	}
	v, ok := n.anchor()
	if !ok {
		return p.bad(ReasonOutOfRange, f, i, end, "0 to 1")
	}
	*dst = v
	return end
}

// time parses t.
func (p *parser) time(i int, dst *int64) int {
	u, end := plainWhole(p.b, i)
	v := int64(u)
	if end < 0 {
		n, e := p.number(i, fieldT)
		if e < 0 {
			return -1
		}
		v, end = int64(n.whole), e
		if n.neg {
			v = -1
		}
	}
	if v < p.minT || v > p.maxT {
		p.fault = fault{
			reason: ReasonBadTime, form: formTimeSpan, field: "t", value: p.b[i:end], limit: p.minT, n: p.maxT,
		}
		return -1
	}
	*dst = v
	return end
}

// maxAge is the greatest age that a tracker's hit can have, ms.
const maxAge = 86_400_000

// ageMillis parses age.
func (p *parser) ageMillis(i int) int {
	if v, end := plainWhole(p.b, i); end >= 0 {
		p.age = int64(min(v, maxAge))
		return end
	}
	n, end := p.number(i, fieldAge)
	if end < 0 {
		return -1
	}
	p.age = int64(min(n.whole, maxAge))
	if n.neg {
		p.age = 0
	}
	return end
}

// flag parses true or false; flag is set for the value set.
func (p *parser) flag(i int, f field, h *heatmap.Hit, flag heatmap.Flags, set bool) int {
	var v bool
	switch {
	case hasPrefix(p.b[i:], "true"):
		v, i = true, i+4
	case hasPrefix(p.b[i:], "false"):
		i += 5
	default:
		return p.wrongType(i, f, "true or false")
	}
	h.Flags &^= flag
	if v == set {
		h.Flags |= flag
	}
	return i
}
