package collector

import (
	"strconv"
	"unicode/utf8"

	"heatlog/heatmap"
)

// AppendLine appends a hit as one line of an import, without a newline, in the order of the package's table. Parsed again
// it is the same hit. What has its default is left out. Invalid UTF-8, which no accepted hit has, becomes U+FFFD.
func AppendLine(dst []byte, h *heatmap.Hit) []byte {
	dst = append(dst, `{"t":`...)
	dst = strconv.AppendInt(dst, h.Time, 10)
	dst = appendText(dst, `,"site":`, h.Site)
	dst = appendText(dst, `,"url":`, h.URL)
	dst = appendText(dst, `,"kind":`, h.Kind.String())
	hasPlace := h.Kind == heatmap.KindClick || h.Kind == heatmap.KindMove
	dst = appendInt(dst, `,"x":`, uint32(h.X), hasPlace)
	dst = appendInt(dst, `,"y":`, uint32(h.Y), hasPlace)
	isScroll := h.Kind == heatmap.KindScroll
	dst = appendInt(dst, `,"depth":`, uint32(h.Depth), isScroll)
	dst = appendInt(dst, `,"from":`, uint32(h.From), isScroll)
	dst = appendInt(dst, `,"dwell":`, h.Dwell, false)
	dst = appendInt(dst, `,"vw":`, uint32(h.ViewportW), false)
	dst = appendInt(dst, `,"vh":`, uint32(h.ViewportH), false)
	dst = appendInt(dst, `,"dw":`, uint32(h.DocumentW), false)
	dst = appendInt(dst, `,"dh":`, uint32(h.DocumentH), false)
	dst = appendElement(dst, h)
	dst = appendFlags(dst, h)
	dst = appendOptional(dst, `,"view":`, h.View)
	dst = appendOptional(dst, `,"visitor":`, h.Visitor)
	dst = appendOptional(dst, `,"ua":`, h.UserAgent)
	dst = appendTags(dst, h.Tags)
	dst = appendOptional(dst, `,"id":`, h.ID)
	return append(dst, '}')
}

// appendElement appends what is known of the element that was clicked.
func appendElement(dst []byte, h *heatmap.Hit) []byte {
	dst = appendOptional(dst, `,"sel":`, h.Selector)
	dst = appendAnchor(dst, `,"ax":`, h.AnchorX)
	dst = appendAnchor(dst, `,"ay":`, h.AnchorY)
	dst = appendInt(dst, `,"bw":`, uint32(h.BoxW), false)
	dst = appendInt(dst, `,"bh":`, uint32(h.BoxH), false)
	if h.HasCheck {
		dst = appendInt(dst, `,"check":`, uint32(h.Check), true)
	}
	dst = appendOptional(dst, `,"in":`, h.Container)
	dst = appendInt(dst, `,"ix":`, uint32(h.ContainerX), false)
	dst = appendInt(dst, `,"iy":`, uint32(h.ContainerY), false)
	return appendInt(dst, `,"layout":`, h.Layout, false)
}

func appendFlags(dst []byte, h *heatmap.Hit) []byte {
	dst = appendOptional(dst, `,"pointer":`, h.Pointer.String())
	if h.Flags&heatmap.FlagFixed != 0 {
		dst = append(dst, `,"fixed":true`...)
	}
	if h.Flags&heatmap.FlagUntrusted != 0 {
		dst = append(dst, `,"trusted":false`...)
	}
	if h.Flags&heatmap.FlagRage != 0 {
		dst = append(dst, `,"rage":true`...)
	}
	if h.Flags&heatmap.FlagDead != 0 {
		dst = append(dst, `,"dead":true`...)
	}
	return dst
}

func appendTags(dst []byte, tags []string) []byte {
	if len(tags) == 0 {
		return dst
	}
	name := `,"tags":[`
	for _, tag := range tags {
		dst = appendText(dst, name, tag)
		name = ","
	}
	return append(dst, ']')
}

// appendInt appends a member that is 0 by default.
func appendInt(dst []byte, name string, v uint32, always bool) []byte {
	if v == 0 && !always {
		return dst
	}
	return strconv.AppendUint(append(dst, name...), uint64(v), 10)
}

// appendAnchor appends a fraction in units of 1/heatmap.AnchorUnit with the fewest decimals, at most five, that give it
// again: a fraction that came with four or fewer leaves as it came.
func appendAnchor(dst []byte, name string, v uint32) []byte {
	const unit = heatmap.AnchorUnit
	if v == 0 {
		return dst
	}
	dst = append(dst, name...)
	if v >= unit {
		return append(dst, '1')
	}
	scale, digits := uint64(1), 0
	q := uint64(0)
	for ; ; digits++ {
		q = (uint64(v)*scale + unit/2) / unit
		if back := (q*unit + scale/2) / scale; back == uint64(v) {
			break
		}
		scale *= 10
	}
	dst = append(dst, "0."...)
	for s := scale / 10; s > 0; s /= 10 {
		dst = append(dst, '0'+byte(q/s%10))
	}
	return dst
}

func appendOptional(dst []byte, name, s string) []byte {
	if s == "" {
		return dst
	}
	return appendText(dst, name, s)
}

// appendText appends name and s as a JSON string.
func appendText(dst []byte, name, s string) []byte {
	dst = append(append(dst, name...), '"')
	done := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[done:i]...), "\uFFFD"...)
				done = i + 1
			}
			i += size
			continue
		}
		if c < 0x20 || c == '"' || c == '\\' {
			dst = appendEscape(append(dst, s[done:i]...), c)
			done = i + 1
		}
		i++
	}
	return append(append(dst, s[done:]...), '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	const digits = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
}
