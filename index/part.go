package index

import (
	"slices"

	"heatlog/heatmap"
)

// part is what a shard takes of some chunks: ops in the order of the log, in runs.
type part struct {
	runs []run
	ops  []op
}

// run is so many ops that follow one another in a part and count on one day of one page. A tracker's batch is one, as a rule: what
// the page and the day cost to be found is paid once for all of it.
type run struct {
	site, page             string
	date                   heatmap.Date
	ops                    int
	hits, scrolls, anchors int // what the ops add: see heatmap.Delta.Grow
}

// begin begins a run with the page and the day of an event.
func (p *part) begin(ev *Event) *run {
	p.runs = append(p.runs, run{site: ev.Hit.Site, page: ev.Page, date: ev.Date})
	return &p.runs[len(p.runs)-1]
}

// see counts an op as one of the run.
func (r *run) see(o *op) {
	r.ops++
	points := 1
	if o.dead {
		points = 2
	}
	r.hits += points
	switch {
	case o.layer.Kind() == heatmap.KindScroll:
		r.scrolls++
	case o.anchor.Element != 0:
		r.anchors += points
	}
}

// next adds the op of an event to the last run.
func (p *part) next(ev *Event) *op {
	p.ops = slices.Grow(p.ops, 1)[:len(p.ops)+1]
	o := &p.ops[len(p.ops)-1]
	o.set(ev) // all of it: the memory may have held another one
	return o
}

// reset empties a part, in its memory.
func (p *part) reset() {
	p.runs, p.ops = p.runs[:0], p.ops[:0]
}

// each calls fn for each run with its ops.
func (p *part) each(fn func(r *run, ops []op)) {
	at := 0
	for i := range p.runs {
		r := &p.runs[i]
		fn(r, p.ops[at:at+r.ops])
		at += r.ops
	}
}
