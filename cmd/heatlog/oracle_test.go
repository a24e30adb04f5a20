package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
)

// The oracle counts hits with maps and nothing of heatlog's, from what the API says about each number. It keeps every
// hit and counts anew for every question.

// oracleHit is an import line, as far as anything is counted by it.
type oracleHit struct {
	T                     int64
	Site, URL, Kind       string
	X, Y, Depth, From     float64
	VW, VH                float64
	Dwell                 float64
	View, Visitor, UA, ID string
	Trusted               *bool
	Sel                   string
	AX, AY, BW, BH        float64
	Check                 *int
	Fixed, Dead           bool
	page, day             string // day as 2006-01-02 in the zone of the site
	bot                   bool
	rage                  []*oracleHit // the burst that a click completes
	inBurst               bool
}

type cell struct{ x, y int }

// oracle holds what was imported, by page.
type oracle struct {
	pages map[string]map[string][]*oracleHit // site, page
	zone  map[string]*time.Location          // site
	hits  int
}

// filter is the part of a question that says which hits count.
type filter struct {
	from, to     string // days, both inclusive, "" = open
	fromMS, toMS int64  // instants, from inclusive, to exclusive, 0 = open
	vwMin, vwMax int    // px, used if vwMax > 0
	device       string
	bots         bool
}

func newOracle(zones map[string]string) (*oracle, error) {
	o := &oracle{pages: map[string]map[string][]*oracleHit{}, zone: map[string]*time.Location{}}
	for site, name := range zones {
		loc, err := time.LoadLocation(name)
		if err != nil {
			return nil, err
		}
		o.zone[site] = loc
		o.pages[site] = map[string][]*oracleHit{}
	}
	return o, nil
}

// read takes import lines in the order in which they are sent.
func (o *oracle) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	seen := map[[2]string]bool{}           // site and id
	clicks := map[[3]string][]*oracleHit{} // by site, view and page
	for lines.Scan() {
		h := new(oracleHit)
		if err := json.Unmarshal(lines.Bytes(), h); err != nil {
			return fmt.Errorf("read line %.100q: %w", lines.Text(), err)
		}
		if id := [2]string{h.Site, h.ID}; h.ID != "" {
			if seen[id] {
				continue
			}
			seen[id] = true
		}
		h.page = normalURL(h.URL)
		h.bot = isBot(h.UA)
		h.day = time.UnixMilli(h.T).In(o.zone[h.Site]).Format("2006-01-02")
		o.pages[h.Site][h.page] = append(o.pages[h.Site][h.page], h)
		o.hits++
		if view := [3]string{h.Site, h.View, h.page}; h.Kind == "click" && h.View != "" && (h.Trusted == nil || *h.Trusted) {
			clicks[view] = findRage(clicks[view], h)
		}
	}
	return lines.Err()
}

// normalURL applies the default rules for URLs, in their order.
func normalURL(raw string) string {
	scheme, rest, _ := strings.Cut(raw, "://")
	scheme = strings.ToLower(scheme)
	rest, fragment, hasFragment := strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	host, path, _ := strings.Cut(rest, "/")
	if i := strings.LastIndex(host, "@"); i >= 0 {
		host = host[i+1:]
	}
	host = strings.ToLower(host)
	host = strings.TrimSuffix(host, map[string]string{"http": ":80", "https": ":443"}[scheme])
	path = "/" + normalEscapes(path)
	if strings.HasSuffix(path, "/index.html") {
		path = strings.TrimSuffix(path, "index.html")
	}
	if path != "/" {
		path = strings.TrimSuffix(path, "/")
	}
	url := scheme + "://" + host + path
	if q := normalQuery(normalEscapes(query)); q != "" {
		url += "?" + q
	}
	if hasFragment && (strings.HasPrefix(fragment, "/") || strings.HasPrefix(fragment, "!")) {
		url += "#" + fragment
	}
	return url
}

// normalEscapes decodes the escapes of unreserved characters and writes the others in upper case.
func normalEscapes(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		var c byte
		if s[i] != '%' || i+2 >= len(s) {
			b.WriteByte(s[i])
			continue
		}
		if _, err := fmt.Sscanf(s[i+1:i+3], "%02x", &c); err != nil {
			b.WriteByte(s[i])
			continue
		}
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
		i += 2
	}
	return b.String()
}

// normalQuery drops the parameters of campaigns and sorts the rest by name, then value.
func normalQuery(query string) string {
	var kept [][2]string
	for p := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(p, "=")
		lower := strings.ToLower(name)
		if p == "" || strings.HasPrefix(lower, "utm_") || slices.Contains([]string{"gclid", "fbclid", "msclkid"}, lower) {
			continue
		}
		kept = append(kept, [2]string{name, p[len(name):]})
	}
	slices.SortStableFunc(kept, func(a, b [2]string) int {
		if c := strings.Compare(a[0], b[0]); c != 0 {
			return c
		}
		return strings.Compare(a[1], b[1])
	})
	var parts []string
	for _, p := range kept {
		parts = append(parts, p[0]+p[1])
	}
	return strings.Join(parts, "&")
}

// findRage marks h if it completes a burst: with two clicks of the same view on the same page, each two of the three
// within 1 s and 24 px. Of the eight clicks before it those count that belong to no burst yet, the latest that fit first.
func findRage(before []*oracleHit, h *oracleHit) []*oracleHit {
	recent := before[max(0, len(before)-8):]
	for j := len(recent) - 1; j >= 0; j-- {
		for i := j - 1; i >= 0; i-- {
			a, b := recent[i], recent[j]
			if !a.inBurst && !b.inBurst && near(a, b) && near(a, h) && near(b, h) {
				a.inBurst, b.inBurst, h.inBurst = true, true, true
				h.rage = []*oracleHit{a, b, h}
				return append(before, h)
			}
		}
	}
	return append(before, h)
}

// near reports whether two clicks can be of one burst.
func near(a, b *oracleHit) bool {
	dx, dy := math.Floor(a.X)-math.Floor(b.X), math.Floor(a.Y)-math.Floor(b.Y)
	return math.Abs(float64(a.T-b.T)) <= 1000 && math.Hypot(dx, dy) <= 24
}

func cellOf(h *oracleHit) cell { return cell{int(h.X) / 8 * 8, int(h.Y) / 8 * 8} }

func deviceOf(ua string) string {
	switch {
	case strings.Contains(ua, "iPad") || strings.Contains(ua, "Tablet") || strings.Contains(ua, "Android") && !strings.Contains(ua, "Mobile"):
		return "tablet"
	case strings.Contains(ua, "Mobi") || strings.Contains(ua, "iPhone"):
		return "mobile"
	}
	return "desktop"
}

func isBot(ua string) bool {
	return strings.Contains(strings.ToLower(ua), "bot")
}

// inRange reports whether a hit lies in the filter's range of time.
func (o *oracle) inRange(h *oracleHit, f filter) bool {
	return (f.from == "" || h.day >= f.from) && (f.to == "" || h.day <= f.to) &&
		(f.fromMS == 0 || h.T >= f.fromMS) && (f.toMS == 0 || h.T < f.toMS) && (f.bots || !h.bot)
}

// matches reports whether a hit counts under the filter.
func (o *oracle) matches(h *oracleHit, f filter) bool {
	return o.inRange(h, f) && (f.device == "" || deviceOf(h.UA) == f.device) &&
		(f.vwMax == 0 || int(h.VW) >= f.vwMin && int(h.VW) <= f.vwMax)
}

// heat counts the hits of a kind by cell, the views and the visitors of a page.
func (o *oracle) heat(site, page, kind string, f filter) (cells map[cell]int, views, visitors int) {
	cells = map[cell]int{}
	people := map[string]bool{}
	for _, h := range o.pages[site][page] {
		if o.inRange(h, f) && h.Visitor != "" {
			people[h.Visitor] = true
		}
		if !o.matches(h, f) {
			continue
		}
		if h.Kind == "view" {
			views++
		}
		if kind == "rage" {
			for _, c := range h.rage {
				cells[cellOf(c)]++
			}
		} else if h.Kind == kind {
			cells[cellOf(h)]++
		}
	}
	return cells, views, len(people)
}

// curves are the scroll numbers of a page, by the top of each band.
type curves struct {
	views              int
	reach, attention   map[int]float64
	foldMean, foldHalf float64
}

// scroll counts how far a page was scrolled.
func (o *oracle) scroll(site, page string, f filter) curves {
	c := curves{reach: map[int]float64{}, attention: map[int]float64{}}
	var folds []float64
	for _, h := range o.pages[site][page] {
		if h.Kind != "scroll" || !o.matches(h, f) {
			continue
		}
		from, depth, y := math.Floor(h.From), math.Floor(h.Depth), math.Floor(h.Y)
		if from == 0 {
			c.views++
			if h.VH > 0 {
				folds = append(folds, math.Floor(h.VH))
			}
		}
		for top := 0.0; top < 65536; top += 50 {
			if from <= top && top < depth {
				c.reach[int(top)]++
			}
			if top < y+h.VH && top+50 > y {
				c.attention[int(top)] += h.Dwell
			}
		}
	}
	for top := range c.reach {
		c.reach[top] /= float64(c.views)
	}
	for top := range c.attention {
		c.attention[top] /= float64(c.views)
	}
	c.foldMean, c.foldHalf = meanAndMedian(folds)
	return c
}

func meanAndMedian(v []float64) (mean, median float64) {
	if len(v) == 0 {
		return 0, 0
	}
	slices.Sort(v)
	for _, x := range v {
		mean += x
	}
	return mean / float64(len(v)), (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
