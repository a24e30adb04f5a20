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
	site, page string
	date       heatmap.Date
	ops        int
}

// op is one hit as a shard counts it. It holds no pointer into a chunk but for the strings, which stay valid.
type op struct {
	position    uint64
	visitor     uint64
	layer       heatmap.LayerID
	dwell       uint32
	x, y        uint16
	vh          uint16
	depth, from uint16
	repeat      bool // a click that does not count itself
	dead        bool
	sampled     uint32   // as in Event
	derived     *derived // nil = nothing
	anchor      heatmap.Anchor
	element     heatmap.ElementName // that the anchor is at
}

// derived is what a hit completes beside itself.
type derived struct{ rageAt, deadAt []Spot }

// begin begins a run with the page and the day of an event.
func (p *part) begin(ev *Event) *run {
	p.runs = append(p.runs, run{site: ev.Hit.Site, page: ev.Page, date: ev.Date})
	return &p.runs[len(p.runs)-1]
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

// tally adds a hit to the layers that it belongs to: that of its kind, and the derived ones.
func tally(d *heatmap.Delta, o *op, layer heatmap.LayerID) {
	switch kind := layer.Kind(); {
	case o.repeat:
	case kind == heatmap.KindView:
		d.AddView(layer)
	case kind == heatmap.KindScroll:
		d.AddScroll(layer, o.depth, o.from, o.y, o.vh, o.dwell)
	case kind == heatmap.KindClick:
		d.AddClick(layer, o.x, o.y, o.anchor, nil)
	default:
		d.AddPoint(layer, o.x, o.y)
	}
	tallyDerived(d, o, layer)
}

// nameElement gives the element that a click is at its name.
func nameElement(d *heatmap.Delta, o *op) {
	if o.anchor.Element != 0 && !o.repeat {
		d.AddName(o.anchor.Element, &o.element)
	}
}

// tallyNamed is tally where the elements are to have their names.
func tallyNamed(d *heatmap.Delta, o *op, layer heatmap.LayerID) {
	nameElement(d, o)
	tally(d, o, layer)
}

// tallyDerived adds to the layers that are derived from clicks what a hit is or completes.
func tallyDerived(d *heatmap.Delta, o *op, layer heatmap.LayerID) {
	if o.dead {
		d.AddClick(layerOfKind(layer, heatmap.KindDead), o.x, o.y, o.anchor, nil)
	}
	if o.derived == nil {
		return
	}
	for _, at := range o.derived.deadAt {
		d.AddClick(layerOfKind(layer, heatmap.KindDead), at.X, at.Y, at.Anchor(), nil)
	}
	for _, at := range o.derived.rageAt {
		d.AddClick(layerOfKind(layer, heatmap.KindRage), at.X, at.Y, at.Anchor(), nil)
	}
}

func layerOfKind(id heatmap.LayerID, k heatmap.Kind) heatmap.LayerID {
	return heatmap.NewLayerID(k, id.WidthBand(), id.Device(), id.Bot())
}
