package web

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"heatlog/heatmap"
)

// liveAnswer is what a node knows of its answer: what is said beside the rows as the members of a JSON object, and the rows as they
// stand in a message. What it does not need stays nil.
type liveAnswer struct {
	query    *heatmap.Query
	ask      heatmap.Asked
	head     []byte // members beside rows, each followed by a comma
	known    bool   // there is an answer
	complete bool
	prefix   *heatmap.Prefix // of the log that is in it; another one with each update, as those who were told keep it
	history  heatmap.Progress
	took     time.Duration

	points *rows[cellKey, uint64] // of a heatmap, and of elements those without one
	most   uint64                 // greatest weight of points
	listed *rows[string, string]  // elements, pages or buckets by their keys, which are members of an object without its braces
	bands  [2]*rows[int, string]  // reach and attention of a scroll, by band
	cell   int                    // px of points
	rest   uint64                 // hits at no element
	floor  uint64                 // what was before this version is another answer
}

// cellKey is where a point is, px.
type cellKey struct{ y, x uint32 }

func newLiveAnswer(ask heatmap.Asked, q *heatmap.Query) *liveAnswer {
	a := &liveAnswer{ask: ask, query: q}
	a.clear()
	return a
}

// clear forgets all rows, and holds nothing of the log then.
func (a *liveAnswer) clear() {
	a.prefix = nothingOf(a.prefix)
	a.points, a.listed, a.most, a.known = newRows[cellKey, uint64](), newRows[string, string](), 0, false
	a.bands = [2]*rows[int, string]{newRows[int, string](), newRows[int, string]()}
}

// nothingOf is the empty part of the log, of a generation.
func nothingOf(p *heatmap.Prefix) *heatmap.Prefix {
	if p == nil {
		return &heatmap.Prefix{}
	}
	return &heatmap.Prefix{Generation: p.Generation}
}

// apply takes an update in as the version, and reports whether there is anything else than before to be told.
func (a *liveAnswer) apply(u *heatmap.Update, version uint64) (changed bool) {
	was, wasComplete, wasKnown := a.head, a.complete, a.known
	prefix := *u.Prefix() // of its own: the update is large
	a.complete, a.history, a.prefix = u.Complete, u.History, &prefix
	o := object{dst: make([]byte, 0, len(was)+64)}
	switch {
	case u.Heatmap != nil:
		a.applyHeatmap(&o, u, version)
	case u.Scroll != nil:
		a.applyScroll(&o, u.Scroll, version)
	case u.Elements != nil:
		a.applyElements(&o, u.Elements, version)
	case u.Pages != nil:
		a.applyPages(&o, u.Pages, version)
	case u.Trend != nil:
		a.applyTrend(&o, u.Trend, version)
	}
	a.head, a.known = o.dst, true
	rows := a.points.changed(version) || a.listed.changed(version) || a.bands[0].changed(version) || a.bands[1].changed(version)
	if rows {
		a.points.forget(version)
		a.listed.forget(version)
	}
	return rows || !wasKnown || wasComplete != u.Complete || string(was) != string(a.head)
}

// oldest is the version before which nothing is known: who stands there needs all rows.
func (a *liveAnswer) oldest() uint64 { return max(a.floor, a.points.floor, a.listed.floor) }

// count is the number of rows.
func (a *liveAnswer) count() int {
	return a.points.count() + a.listed.count() + a.bands[0].count() + a.bands[1].count()
}

// bytes is about how much memory the rows take.
func (a *liveAnswer) bytes() int {
	const pointBytes, rowBytes = 64, 128 // with their places in a map
	sum := pointBytes*len(a.points.list) + rowBytes*(len(a.listed.list)+len(a.bands[0].list)+len(a.bands[1].list))
	for i := range a.listed.list {
		sum += len(a.listed.list[i].key) + len(a.listed.list[i].value)
	}
	return sum
}

// applyPoints takes in points of cells of cell px: all of them, or those that changed.
func (a *liveAnswer) applyPoints(points []heatmap.Point, cell int, whole bool, version uint64) {
	if a.cell != cell {
		a.points, a.most, a.cell, a.floor = newRows[cellKey, uint64](), 0, cell, version
	}
	if whole {
		a.points.whole()
	}
	fell := whole
	for _, p := range points {
		key := cellKey{uint32(p.Y), uint32(p.X)}
		fell = fell || p.Weight < a.most && a.weight(key) == a.most
		a.points.set(key, p.Weight, version)
		a.most = max(a.most, p.Weight)
	}
	if whole {
		a.points.end(version)
	}
	if fell {
		a.most = 0
		a.points.since(0, func(_ cellKey, weight uint64) { a.most = max(a.most, weight) })
	}
}

func (a *liveAnswer) weight(key cellKey) uint64 {
	if at, ok := a.points.places[key]; ok {
		return a.points.list[at].value
	}
	return 0
}

func (a *liveAnswer) applyHeatmap(o *object, u *heatmap.Update, version uint64) {
	h := u.Heatmap
	a.applyPoints(h.Points, h.Cell, u.Whole, version)
	heatmapFacts(o, a.query, h, a.most, nil, a.points.count())
	liveTail(o, h.Sampled, h.Why, &h.Prefix)
}

func (a *liveAnswer) applyScroll(o *object, s *heatmap.Scroll, version uint64) {
	for i, values := range [2][]float64{s.Reach, s.Attention} {
		if a.bands[i].count() > len(values) { // the client is told how many there are, not which of them are gone
			a.bands[i], a.floor = newRows[int, string](), version
		}
		for band, v := range values {
			a.bands[i].set(band, string(appendFloat(nil, v, bandPlaces[i])), version)
		}
	}
	scrollHead(o, a.query, s)
	scrollFold(o, s)
	o.count("bands", uint64(max(len(s.Reach), len(s.Attention))))
	liveTail(o, s.Sampled, s.Why, &s.Prefix)
}

func (a *liveAnswer) applyElements(o *object, l *heatmap.ElementList, version uint64) {
	a.applyPoints(l.RestPoints, l.Cell, true, version)
	a.listed.whole()
	for i := range l.Elements {
		e := &l.Elements[i]
		key, row := object{}, object{}
		elementKey(&key, e)
		elementCounts(&row, e, 0, a.query.Cells) // a share would change with every hit elsewhere
		a.listed.set(string(key.dst), string(row.dst), version)
	}
	a.listed.end(version)
	a.rest = l.Rest
	elementsHead(o, a.query, l)
	othersMember(o, l)
	if a.query.Cells {
		o.count("inner_cell", uint64(l.InnerSize))
	}
	liveTail(o, l.Sampled, l.Why, &l.Prefix)
}

func (a *liveAnswer) applyPages(o *object, l *heatmap.PageList, version uint64) {
	a.listed.whole()
	for i := range l.Pages {
		key, row := object{}, object{}
		key.dst = appendString(key.dst, l.Pages[i].Page)
		pageCounts(&row, a.query, &l.Pages[i])
		a.listed.set(string(key.dst), string(row.dst), version)
	}
	a.listed.end(version)
	o.text("site", a.query.Site)
	pagesFacts(o, a.query, l)
	liveTail(o, l.Sampled, l.Why, &l.Prefix)
}

func (a *liveAnswer) applyTrend(o *object, t *heatmap.Trend, version uint64) {
	zone := zoneOf(t)
	a.listed.whole()
	for i := range t.Buckets {
		var row object
		bucketCounts(&row, &t.Buckets[i], zone)
		a.listed.set(string(appendTime(nil, t.Buckets[i].Start, zone)), string(row.dst), version)
	}
	a.listed.end(version)
	trendHead(o, a.query, t)
	trendSums(o, t)
	liveTail(o, t.Sampled, t.Why, &t.Prefix)
}

// liveTail ends what stands beside the rows.
func liveTail(o *object, s heatmap.Sampled, why *heatmap.Why, p *heatmap.Prefix) {
	sampledMember(o, s)
	if why != nil {
		o.key("why")
		whyMembers(o, why)
	}
	if len(p.KeptFrom) > 0 {
		o.key("kept_from")
		positions(o, p.KeptFrom)
	}
}

// appendMembers appends what a snapshot (version 0) or a patch of what changed since a version says of the answer.
func (a *liveAnswer) appendMembers(o *object, version uint64) {
	o.dst = append(o.dst, ',')
	o.dst = append(o.dst, a.head...)
	switch a.ask {
	case heatmap.AskHeatmap:
		o.points("points", a.changedPoints(version))
	case heatmap.AskScroll:
		a.appendBands(o, "reach", a.bands[0], version)
		a.appendBands(o, "attention_ms", a.bands[1], version)
	case heatmap.AskElements:
		a.appendListed(o, "elements", "", version)
		restMember(o, a.rest, a.cell, a.changedPoints(version), a.query.Cells)
	case heatmap.AskPages:
		a.appendListed(o, "pages", `"url":`, version)
	case heatmap.AskTrend:
		a.appendListed(o, "buckets", `"start":`, version)
	}
	o.number("took_ms", float64(a.took)/float64(time.Millisecond), 3)
}

// changedPoints are the points that changed since a version, or all.
func (a *liveAnswer) changedPoints(version uint64) (points []heatmap.Point) {
	a.points.since(version, func(key cellKey, weight uint64) {
		points = append(points, heatmap.Point{X: int(key.x), Y: int(key.y), Weight: weight})
	})
	return points
}

func (a *liveAnswer) appendBands(o *object, name string, bands *rows[int, string], version uint64) {
	type pair struct {
		band  int
		value string
	}
	var pairs []pair
	bands.since(version, func(band int, value string) { pairs = append(pairs, pair{band, value}) })
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(a.band, b.band) })
	o.key(name)
	o.dst = append(o.dst, '[')
	for i, p := range pairs {
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		o.dst = strconv.AppendInt(append(o.dst, '['), int64(p.band)*heatmap.BandSize, 10)
		o.dst = append(append(append(o.dst, ','), p.value...), ']')
	}
	o.dst = append(o.dst, ']')
}

// appendListed appends the rows of a list as objects that begin with their keys, and the keys of those that are gone.
func (a *liveAnswer) appendListed(o *object, name, keyMember string, version uint64) {
	var gone []string
	o.key(name)
	o.dst = append(o.dst, '[')
	first := true
	a.listed.since(version, func(key, row string) {
		if row == "" {
			gone = append(gone, key)
			return
		}
		if !first {
			o.dst = append(o.dst, ',')
		}
		first = false
		o.dst = append(append(append(append(o.dst, '{'), keyMember...), key...), ',')
		o.dst = append(append(o.dst, row...), '}')
	})
	o.dst = append(o.dst, ']')
	if version == 0 {
		return
	}
	o.key("gone")
	o.dst = append(o.dst, '[')
	for i, key := range gone {
		if i > 0 {
			o.dst = append(o.dst, ',')
		}
		if keyMember == "" {
			key = "{" + key + "}"
		}
		o.dst = append(o.dst, key...)
	}
	o.dst = append(o.dst, ']')
}
