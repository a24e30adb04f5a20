package collector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"heatlog/heatmap"
)

// naiveHit is parseLine by way of encoding/json and exact rationals, one rule after the other.
func naiveHit(sites *Sites, line []byte) (h heatmap.Hit, err error) {
	m, err := naiveObject(line)
	if err != nil {
		return h, err
	}
	o := oracle{m: m}
	h.Time = o.num("t", big.NewRat(heatmap.MinTime, 1), big.NewRat(testNow.Add(heatmap.MaxAhead).UnixMilli(), 1)).Int64()
	h.Site, h.URL = o.str("site", 32), o.url()
	h.View, h.Visitor, h.ID = o.str("view", 128), o.str("visitor", 128), o.str("id", 128)
	h.Selector, h.Container = o.str("sel", 1024), o.str("in", 1024)
	h.UserAgent = o.agent()
	h.Tags = o.tags()
	h.X, h.Y, h.Depth, h.From = o.px("x"), o.px("y"), o.px("depth"), o.px("from")
	h.ViewportW, h.ViewportH, h.DocumentW, h.DocumentH = o.px("vw"), o.px("vh"), o.px("dw"), o.px("dh")
	h.BoxW, h.BoxH, h.ContainerX, h.ContainerY = o.px("bw"), o.px("bh"), o.px("ix"), o.px("iy")
	h.AnchorX, h.AnchorY = o.anchor("ax"), o.anchor("ay")
	h.Dwell = uint32(o.num("dwell", new(big.Rat), big.NewRat(600_000, 1)).Int64())
	h.Check, h.HasCheck = uint16(o.int("check", 65535)), m["check"] != nil
	h.Layout = uint32(o.int("layout", 1<<32-1))
	o.flags(&h)
	var ok bool
	if h.Kind, ok = heatmap.ParseKind(o.str("kind", 6)); !ok || !h.Kind.Recorded() {
		o.fail("kind")
	}
	if h.Pointer, ok = heatmap.ParsePointer(o.str("pointer", 6)); !ok {
		o.fail("pointer")
	}
	if _, ok := sites.Lookup(h.Site); !ok {
		o.fail("site")
	}
	o.needed(&h)
	return h, o.err
}

// naiveObject decodes a line that is a JSON object without lone surrogates, in UTF-8.
func naiveObject(line []byte) (m map[string]any, err error) {
	if !utf8.Valid(line) || loneSurrogate(line) {
		return nil, fmt.Errorf("not text")
	}
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	if err := d.Decode(&m); err != nil {
		return nil, err
	}
	if d.More() || m == nil || !json.Valid(line) {
		return nil, fmt.Errorf("not one object")
	}
	return m, nil
}

// hasRepeatedName reports whether an object has a name twice.
func hasRepeatedName(object []byte) bool {
	d := json.NewDecoder(bytes.NewReader(object))
	seen := map[json.Token]bool{}
	var skip json.RawMessage
	for _, err := d.Token(); d.More() && err == nil; err = d.Decode(&skip) {
		name, _ := d.Token()
		if seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}

// loneSurrogate reports whether valid JSON has an escape that is half a rune.
func loneSurrogate(b []byte) bool {
	unit := func(i int) rune {
		if i+6 > len(b) || b[i] != '\\' || b[i+1] != 'u' {
			return 0
		}
		n, _ := strconv.ParseUint(string(b[i+2:i+6]), 16, 32)
		return rune(n)
	}
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		u := unit(i)
		i++
		if !utf16.IsSurrogate(u) {
			continue
		}
		if utf16.DecodeRune(u, unit(i+5)) == utf8.RuneError {
			return true
		}
		i += 6
	}
	return false
}

// oracle reads fields until one is wrong.
type oracle struct {
	m   map[string]any
	err error
}

func (o *oracle) fail(field string) {
	if o.err == nil {
		o.err = fmt.Errorf("%s is wrong", field)
	}
}

func (o *oracle) str(field string, limit int) string {
	v, there := o.m[field]
	s, ok := v.(string)
	if there && !ok || len(s) > limit {
		o.fail(field)
	}
	return s
}

// num gives a number between min and max, less than a whole above it, rounded down.
func (o *oracle) num(field string, least, most *big.Rat) *big.Int {
	v, there := o.m[field]
	if !there {
		return new(big.Int)
	}
	n, ok := v.(json.Number)
	if !ok {
		o.fail(field)
		return new(big.Int)
	}
	r := rational(n.String())
	if r.Cmp(least) < 0 || r.Cmp(new(big.Rat).Add(most, big.NewRat(1, 1))) >= 0 {
		o.fail(field)
		return new(big.Int)
	}
	return new(big.Int).Quo(r.Num(), r.Denom())
}

func (o *oracle) px(field string) uint16 {
	return uint16(o.num(field, new(big.Rat), big.NewRat(65535, 1)).Int64())
}

func (o *oracle) int(field string, most int64) int64 {
	if n, ok := o.m[field].(json.Number); ok && !rational(n.String()).IsInt() {
		o.fail(field)
	}
	return o.num(field, new(big.Rat), big.NewRat(most, 1)).Int64()
}

func (o *oracle) anchor(field string) uint32 {
	n, _ := o.m[field].(json.Number)
	o.num(field, new(big.Rat), big.NewRat(1, 1))
	if n == "" || o.err != nil {
		return 0
	}
	r := rational(n.String())
	if r.Cmp(big.NewRat(1, 1)) > 0 {
		o.fail(field)
	}
	r.Add(r.Mul(r, big.NewRat(65536, 1)), big.NewRat(1, 2))
	return uint32(new(big.Int).Quo(r.Num(), r.Denom()).Int64())
}

func (o *oracle) url() string {
	s, err := Scrub(o.str("url", 8192))
	if err != nil {
		o.fail("url")
	}
	return s
}

func (o *oracle) agent() string {
	s := o.str("ua", 1<<20)
	for len(s) > 256 {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

func (o *oracle) tags() (tags []string) {
	v, there := o.m["tags"]
	list, ok := v.([]any)
	if there && !ok || len(list) > 16 {
		o.fail("tags")
	}
	for _, e := range list {
		s, ok := e.(string)
		if !ok || len(s) > 64 {
			o.fail("tags")
		}
		tags = append(tags, s)
	}
	return tags
}

func (o *oracle) flags(h *heatmap.Hit) {
	for field, flag := range map[string]heatmap.Flags{
		"fixed": heatmap.FlagFixed, "trusted": heatmap.FlagUntrusted, "rage": heatmap.FlagRage, "dead": heatmap.FlagDead,
	} {
		v, there := o.m[field]
		set, ok := v.(bool)
		if there && !ok {
			o.fail(field)
		}
		if there && set == (field != "trusted") {
			h.Flags |= flag
		}
	}
}

func (o *oracle) needed(h *heatmap.Hit) {
	fields := []string{"t", "site", "url", "kind"}
	switch h.Kind {
	case heatmap.KindClick, heatmap.KindMove:
		fields = append(fields, "x", "y")
	case heatmap.KindScroll:
		fields = append(fields, "depth")
		if h.Depth < h.From {
			o.fail("depth")
		}
	}
	for _, f := range fields {
		if _, there := o.m[f]; !there {
			o.fail(f)
		}
	}
}
