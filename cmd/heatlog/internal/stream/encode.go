package stream

import (
	"encoding/json"
	"strconv"

	"heatlog/heatmap"
)

// AppendBatchJSON appends b as the body of POST /v1/in, sent at now (Unix ms). Ages are at least 0.
func AppendBatchJSON(dst []byte, b *heatmap.Batch, now int64) []byte {
	first := heatmap.Hit{}
	if len(b.Hits) > 0 {
		first = b.Hits[0]
	}
	dst = appendText(append(dst, '{'), `"site":`, b.Site)
	dst = appendText(dst, `,"url":`, first.URL)
	dst = appendText(dst, `,"view":`, first.View)
	dst = appendText(dst, `,"b":`, b.ID)
	dst = appendTags(dst, first.Tags)
	dst = append(dst, `,"hits":[`...)
	for i := range b.Hits {
		if i > 0 {
			dst = append(dst, ',')
		}
		h := &b.Hits[i]
		dst = strconv.AppendInt(append(dst, `{"age":`...), max(now-h.Time, 0), 10)
		if h.URL != first.URL {
			dst = appendText(dst, `,"url":`, h.URL)
		}
		if h.View != first.View {
			dst = appendText(dst, `,"view":`, h.View)
		}
		dst = append(appendHit(dst, h), '}')
	}
	return append(dst, "]}"...)
}

// AppendLines appends the hits of b as lines of POST /v1/import, each with a newline.
func AppendLines(dst []byte, b *heatmap.Batch) []byte {
	for i := range b.Hits {
		h := &b.Hits[i]
		dst = strconv.AppendInt(append(dst, `{"t":`...), h.Time, 10)
		dst = appendText(dst, `,"site":`, h.Site)
		dst = appendText(dst, `,"url":`, h.URL)
		dst = appendHit(dst, h)
		dst = appendSome(dst, `,"view":`, h.View)
		dst = appendSome(dst, `,"visitor":`, h.Visitor)
		dst = appendSome(dst, `,"ua":`, h.UserAgent)
		dst = appendSome(dst, `,"id":`, h.ID)
		dst = append(appendTags(dst, h.Tags), "}\n"...)
	}
	return dst
}

// appendHit appends the members that both forms have.
func appendHit(dst []byte, h *heatmap.Hit) []byte {
	dst = append(append(append(dst, `,"kind":"`...), h.Kind.String()...), '"')
	switch h.Kind {
	case heatmap.KindClick, heatmap.KindMove:
		dst = appendNumber(dst, `,"x":`, uint32(h.X))
		dst = appendNumber(dst, `,"y":`, uint32(h.Y))
	case heatmap.KindScroll:
		dst = appendNumber(dst, `,"depth":`, uint32(h.Depth))
		dst = appendNumber(dst, `,"from":`, uint32(h.From))
		dst = appendNumber(dst, `,"dwell":`, h.Dwell)
		dst = appendNumber(dst, `,"y":`, uint32(h.Y))
	}
	dst = appendNumber(dst, `,"vw":`, uint32(h.ViewportW))
	dst = appendNumber(dst, `,"vh":`, uint32(h.ViewportH))
	dst = appendNumber(dst, `,"dw":`, uint32(h.DocumentW))
	dst = appendNumber(dst, `,"dh":`, uint32(h.DocumentH))
	if h.Selector != "" {
		dst = appendText(dst, `,"sel":`, h.Selector)
		dst = appendFraction(dst, `,"ax":`, h.AnchorX)
		dst = appendFraction(dst, `,"ay":`, h.AnchorY)
		dst = appendNumber(dst, `,"bw":`, uint32(h.BoxW))
		dst = appendNumber(dst, `,"bh":`, uint32(h.BoxH))
	}
	if h.HasCheck {
		dst = appendNumber(dst, `,"check":`, uint32(h.Check))
	}
	if h.Layout != 0 {
		dst = appendNumber(dst, `,"layout":`, h.Layout)
	}
	return appendFlags(dst, h)
}

func appendFlags(dst []byte, h *heatmap.Hit) []byte {
	dst = appendSome(dst, `,"pointer":`, h.Pointer.String())
	if h.Flags&heatmap.FlagFixed != 0 {
		dst = append(dst, `,"fixed":true`...)
	}
	if h.Flags&heatmap.FlagUntrusted != 0 {
		dst = append(dst, `,"trusted":false`...)
	}
	if h.Flags&heatmap.FlagDead != 0 {
		dst = append(dst, `,"dead":true`...)
	}
	return dst
}

func appendTags(dst []byte, tags []string) []byte {
	for i, tag := range tags {
		name := ","
		if i == 0 {
			name = `,"tags":[`
		}
		dst = appendText(dst, name, tag)
	}
	if len(tags) > 0 {
		dst = append(dst, ']')
	}
	return dst
}

func appendNumber(dst []byte, name string, v uint32) []byte {
	return strconv.AppendUint(append(dst, name...), uint64(v), 10)
}

// appendFraction appends a place inside an element with three decimals, as a tracker rounds it, or with the five that
// tell every one if it has more.
func appendFraction(dst []byte, name string, v uint32) []byte {
	dst = append(dst, name...)
	scale := 1000
	if anchor((int(v)*1000+heatmap.AnchorUnit/2)/heatmap.AnchorUnit) != v {
		scale = 100_000
	}
	n := (int(v)*scale + heatmap.AnchorUnit/2) / heatmap.AnchorUnit
	if n >= scale {
		return append(dst, '1')
	}
	dst = append(dst, "0."...)
	for scale /= 10; scale > 0; scale /= 10 {
		dst = append(dst, '0'+byte(n/scale%10))
	}
	return dst
}

func appendSome(dst []byte, name, s string) []byte {
	if s == "" {
		return dst
	}
	return appendText(dst, name, s)
}

// appendText appends name and s as a JSON string.
func appendText(dst []byte, name, s string) []byte {
	dst = append(dst, name...)
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string has no error
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}
