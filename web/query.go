package web

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"heatlog/heatmap"
)

// Limits of what a query may ask.
const (
	maxWhere     = 4 << 10 // bytes
	maxSearch    = 1 << 10 // bytes
	maxPositions = 4 << 10 // bytes
	maxCell      = 4096    // px
	maxPoints    = 100_000
	thinPoints   = 4000 // default of a heatmap's limit
	maxPages     = 10_000
	defaultPages = 100
	maxOffset    = 1 << 30
	maxLast      = 3660 // days
	maxPanes     = 2000 // of a window
	maxSpan      = 90 * 24 * time.Hour
)

// Days that a query may name, both inclusive: those that a heatmap.Period can name from heatmap.MinTime on.
const (
	firstDay heatmap.Date = 10_957 // 2000-01-01
	lastDay  heatmap.Date = 65_535 // 2149-06-06
)

// Parameters that every query about counted hits has.
var commonParams = [...]string{"site", "url", "from", "to", "last", "vw", "device", "where", "generation", "bots"}

func withCommon(more ...string) []string {
	return append(commonParams[:len(commonParams):len(commonParams)], more...)
}

// heatmapQuery is what GET /v1/heatmap asks.
type heatmapQuery struct {
	heatmap.Query
	points  int // at most, 0 = all
	format  string
	picture heatmap.DrawOptions
	field   heatmap.FieldOptions
	minus   *heatmap.Query // the other side of a difference map, nil = none
}

func parseHeatmapQuery(query []byte) (heatmapQuery, error) {
	p := parseParams(query, withCommon("kind", "cell", "noise", "limit", "format", "width", "height", "radius", "step", "y0", "y1", minusParams[0], minusParams[1], minusParams[2], minusParams[3])...)
	q := heatmapQuery{Query: commonQuery(p)}
	q.URL = neededURL(p)
	q.Kind, _ = heatmap.ParseKind(p.oneOf("kind", "click", "click", "move", "rage", "dead"))
	q.Cell = cellOf(p)
	q.Noise = noiseOf(p)
	q.format = formatOf(p)
	q.picture, q.field = pictureOf(p, q.format)
	q.minus = minusOf(p, q.Query)
	q.points = p.integer("limit", 0, maxPoints, thinPoints)
	if q.minus != nil && !p.has("limit") {
		q.points = 0
	}
	return q, p.err
}

func parseScrollQuery(query []byte) (heatmap.Query, error) {
	p := parseParams(query, withCommon()...)
	q := commonQuery(p)
	q.URL = neededURL(p)
	return q, p.err
}

func parsePagesQuery(query []byte) (heatmap.Query, error) {
	p := parseParams(query, withCommon("q", "offset", "limit", "window", "every")...)
	q := commonQuery(p)
	q.Window, q.Every = windowOf(p)
	for _, name := range [...]string{"from", "to", "last"} {
		if q.Window > 0 && p.has(name) {
			p.refuse(name, name+" does not go with window: the list is of the window that ends now")
		}
	}
	q.Search = p.text("q")
	q.Offset = p.integer("offset", 0, maxOffset, 0)
	q.Limit = p.integer("limit", 1, maxPages, defaultPages)
	return q, p.err
}

// What a trend's buckets are.
const (
	byDay  = "day"
	byHour = "hour"
)

func parseTrendQuery(query []byte) (heatmap.Query, error) {
	p := parseParams(query, withCommon("by", "window", "every")...)
	q := commonQuery(p)
	q.Window, q.Every = windowOf(p)
	if q.Window > 0 && p.has("by") {
		p.refuse("by", "by does not go with window: there is a bucket every "+p.text("every"))
	}
	q.Hourly = p.oneOf("by", byDay, byDay, byHour) == byHour
	return q, p.err
}

// parseTimelineQuery reads what GET /v1/timeline asks.
func parseTimelineQuery(query []byte) (heatmap.Query, error) {
	p := parseParams(query, withCommon("kind", "cell", "step")...)
	q := commonQuery(p)
	q.URL = neededURL(p)
	q.Kind, _ = heatmap.ParseKind(p.oneOf("kind", "click", "click", "move", "rage", "dead"))
	q.Cell = cellOf(p)
	q.Step = spanOf(p, "step", heatmap.MaxTimelineDays*24*time.Hour)
	return q, p.err
}

func parseExportQuery(query []byte) (heatmap.Query, map[string]uint64, error) {
	p := parseParams(query, "site", "from", "to", "positions")
	q := heatmap.Query{Site: siteOf(p)}
	q.From, q.To = rangeOf(p)
	positions := positionsOf(p)
	return q, positions, p.err
}

func commonQuery(p *params) heatmap.Query {
	q := heatmap.Query{Site: siteOf(p), URL: p.text("url"), Where: p.text("where"), Generation: p.text("generation")}
	q.From, q.To = rangeOf(p)
	q.Last = lastOf(p)
	q.Width.Set, q.Width.Min, q.Width.Max = widthsOf(p)
	q.Device.Set = p.has("device")
	q.Device.Value, _ = heatmap.ParseDevice(p.oneOf("device", "desktop", "desktop", "tablet", "mobile"))
	bots := p.oneOf("bots", "0", "0", "1", "false", "true")
	q.Bots = bots == "1" || bots == "true"
	return q
}

func siteOf(p *params) string {
	site := p.needed("site", "the key of a site, such as site=shop")
	if site != "" && !heatmap.ValidSiteKey(site) {
		p.wrong("site", "1 to 32 of a-z, 0-9 and -")
	}
	return site
}

func neededURL(p *params) string {
	return p.needed("url", "the URL of a page, or a pattern: * stands for anything within one path segment, ** for anything")
}

// cellOf is the side of a cell, 0 for that of the generation.
func cellOf(p *params) int {
	v, ok := p.values["cell"]
	if !ok {
		return 0
	}
	cell, err := parseDigits(v, maxCell)
	if err != nil || cell == 0 || cell%heatmap.CellSize != 0 {
		p.wrong("cell", fmt.Sprintf("a multiple of %d, from %d to %d", heatmap.CellSize, heatmap.CellSize, maxCell))
		return 0
	}
	return int(cell)
}

// noiseOf is a share from 0 to 1 in plain digits, with a fraction of at most six.
func noiseOf(p *params) float64 {
	v, ok := p.values["noise"]
	if !ok {
		return 0
	}
	whole, fraction, point := strings.Cut(v, ".")
	_, err := parseDigits(whole, 1)
	_, badFraction := parseDigits(fraction, 999_999)
	share, badNumber := strconv.ParseFloat(v, 64)
	if err != nil || len(whole) != 1 || point && (badFraction != nil || len(fraction) > 6) || badNumber != nil || share > 1 {
		p.wrong("noise", "a share from 0 to 1 such as 0.05, with at most six digits after the point")
		return 0
	}
	return share
}

// Formats of a heatmap.
const (
	formatJSON   = "json"
	formatPacked = "msgpack"
	formatCSV    = "csv"
	formatPNG    = "png"
	formatField  = "field"
)

func formatOf(p *params) string {
	return p.oneOf("format", formatJSON, formatJSON, formatPacked, formatCSV, formatPNG, formatField)
}

func widthsOf(p *params) (set bool, least, most uint16) {
	v, ok := p.values["vw"]
	if !ok {
		return false, 0, 0
	}
	a, b, _ := strings.Cut(v, "-")
	lo, errLo := parseDigits(a, heatmap.MaxCoordinate)
	hi, errHi := parseDigits(b, heatmap.MaxCoordinate)
	if errLo != nil || errHi != nil || lo > hi {
		p.wrong("vw", "MIN-MAX, two viewport widths from 0 to 65535 px with MIN <= MAX, such as vw=320-767")
	}
	return true, uint16(lo), uint16(hi)
}

func rangeOf(p *params) (from, to heatmap.Bound) { return boundsOf(p, "from", "to") }

// boundsOf reads a range by the names of its parameters.
func boundsOf(p *params, first, last string) (from, to heatmap.Bound) {
	from, to = boundOf(p, first), boundOf(p, last)
	if from.Set && to.Set && isAfter(from, to) {
		p.refuse(first, fmt.Sprintf("%s is %s, after %s, which is %s", first, shorten(p.text(first)), last, shorten(p.text(last))))
	}
	return from, to
}

// lastOf is a number of days up to today, such as 7d, 0 for none.
func lastOf(p *params) int {
	v, ok := p.values["last"]
	if !ok {
		return 0
	}
	digits, isDays := strings.CutSuffix(v, "d")
	days, err := parseDigits(digits, maxLast)
	if !isDays || err != nil || days == 0 || digits[0] == '0' {
		p.wrong("last", fmt.Sprintf("a number of days up to today, from 1d to %dd", maxLast))
		return 0
	}
	for _, name := range [...]string{"from", "to"} {
		if p.has(name) {
			p.refuse("last", "last does not go with "+name+": it stands for both")
		}
	}
	return int(days)
}

// windowOf reads how long the window of a trend or a list is, and how often there is one; 0 is none.
func windowOf(p *params) (window, every time.Duration) {
	window, every = spanOf(p, "window", maxSpan), spanOf(p, "every", maxSpan)
	switch {
	case p.err != nil || window == 0 && every == 0:
	case every == 0:
		p.refuse("window", "window goes with every: how often there is one, such as every=2m")
	case window == 0:
		p.refuse("every", "every goes with window: how long it is, such as window=24h")
	case window%every != 0:
		p.wrong("window", "a multiple of every, which is "+p.text("every"))
	case window/every > maxPanes:
		p.wrong("window", fmt.Sprintf("at most %d times every, which is %s", maxPanes, p.text("every")))
	}
	return window, every
}

// spanOf is a length of time in whole seconds (90s), minutes, hours or days, from a second to most; 0 is none.
func spanOf(p *params, name string, most time.Duration) time.Duration {
	v, ok := p.values[name]
	if !ok {
		return 0
	}
	unit, known := spanUnits[v[len(v)-1]]
	n, err := parseDigits(v[:len(v)-1], uint64(most/time.Second))
	if !known || err != nil || n == 0 || v[0] == '0' || n > uint64(most/unit) {
		p.wrong(name, "a length of time such as 90s, 2m, 24h or 7d, from 1s to "+spanText(most))
		return 0
	}
	return time.Duration(n) * unit
}

// spanUnits are the last letters of lengths of time.
var spanUnits = map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}

// spanText writes a length of time as spanOf reads it, in the largest unit that it is whole in.
func spanText(span time.Duration) string {
	for _, unit := range "dhm" {
		if length := spanUnits[byte(unit)]; span%length == 0 {
			return strconv.FormatInt(int64(span/length), 10) + string(unit)
		}
	}
	return strconv.FormatInt(int64(span/time.Second), 10) + "s"
}

func boundOf(p *params, name string) heatmap.Bound {
	v, ok := p.values[name]
	if !ok {
		return heatmap.Bound{}
	}
	b, err := parseBound(v)
	switch {
	case err != nil && strings.Contains(v, "T") && strings.Contains(v, " "):
		p.wrong(name, "an RFC 3339 instant, whose + is written %2B in a query string")
	case err != nil:
		p.wrong(name, "a day (2026-01-31) or an RFC 3339 instant with a zone (2026-01-31T08:00:00Z)")
	case !inCalendar(b):
		p.wrong(name, fmt.Sprintf("a time from %s to %s", firstDay, lastDay))
	}
	return b
}

func inCalendar(b heatmap.Bound) bool {
	if b.IsDate {
		return b.Date >= firstDay && b.Date <= lastDay
	}
	return b.Instant >= heatmap.MinTime && b.Instant <= (lastDay+1).Time().UnixMilli()
}

// isAfter reports whether from is after to in every time zone: which one a day is of is not known here.
func isAfter(from, to heatmap.Bound) bool {
	const hour = 3_600_000 // ms
	switch {
	case from.IsDate && to.IsDate:
		return from.Date > to.Date
	case from.IsDate: // no zone is further ahead than UTC+14
		return from.Date.Time().UnixMilli()-14*hour > to.Instant
	case to.IsDate: // nor further behind than UTC-12
		return from.Instant > (to.Date+1).Time().UnixMilli()+12*hour
	}
	return from.Instant > to.Instant
}

func parseBound(v string) (heatmap.Bound, error) {
	if len(v) == len(time.DateOnly) {
		d, err := heatmap.ParseDate(v)
		return heatmap.Bound{Set: true, IsDate: true, Date: d}, err
	}
	var t time.Time
	err := t.UnmarshalText([]byte(v))
	ms := t.UnixMilli()
	if t.Nanosecond()%int(time.Millisecond) != 0 { // hits have whole ms: those from t on begin with the next one
		ms++
	}
	return heatmap.Bound{Set: true, Instant: ms}, err
}

// positionsOf reads SOURCE:N[,SOURCE:N], nil where there is none.
func positionsOf(p *params) map[string]uint64 {
	v, ok := p.values["positions"]
	if !ok {
		return nil
	}
	positions := make(map[string]uint64)
	for pair := range strings.SplitSeq(v, ",") {
		source, digits, _ := strings.Cut(pair, ":")
		n, err := parseDigits(digits, math.MaxUint64)
		_, again := positions[source]
		if err != nil || again || !heatmap.ValidSiteKey(source) {
			p.wrong("positions", "SOURCE:N[,SOURCE:N] with each source once, as an answer's positions name them")
			return nil
		}
		positions[source] = n
	}
	return positions
}
