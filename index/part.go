package index

import (
	"slices"

	"heatlog/heatmap"
)

// part is what a shard takes of some chunks: ops in the order of the log, in runs, and what few of them have besides.
type part struct {
	runs    []run
	ops     []op
	names   []heatmap.ElementName
	derived []derived
}

// run is so many ops that follow one another in a part and count on one day of one page. A tracker's batch is one, as a rule: what
// the page and the day cost to be found is paid once for all of it.
type run struct {
	site, page string
	date       heatmap.Date
	ops        int
}

// op is one hit as a shard counts it. It holds no pointer, so that passing it on costs the collector of garbage nothing.
type op struct {
	position    uint64
	visitor     uint64
	anchor      heatmap.Anchor
	layer       heatmap.LayerID
	dwell       uint32
	sampled     uint32 // as in Event
	x, y        uint16
	vh          uint16
	depth, from uint16
	repeat      bool // a click that does not count itself
	dead        bool
	name        uint32 // of the element that the anchor is at: number in the part's names, from 1; 0 = no anchor
	derived     uint32 // number in the part's derived, from 1; 0 = nothing
}

// derived is what a hit completes beside itself. Its memory outlives the chunk.
type derived struct{ rageAt, deadAt []Spot }

// lonelyOp is an op that is in no part.
type lonelyOp struct {
	op
	element heatmap.ElementName // that the anchor is at
	derived derived
}

// begin begins a run with the page and the day of an event.
func (p *part) begin(ev *Event) *run {
	p.runs = append(p.runs, run{site: ev.Hit.Site, page: ev.Page, date: ev.Date})
	return &p.runs[len(p.runs)-1]
}

// next adds the op of an event to the last run.
func (p *part) next(ev *Event) {
	p.runs[len(p.runs)-1].ops++
	p.ops = slices.Grow(p.ops, 1)[:len(p.ops)+1]
	o := &p.ops[len(p.ops)-1]
	o.set(ev) // all of it: the memory may have held another one
	if o.anchor.Element != 0 {
		p.names = append(p.names, ev.Hit.ElementName())
		o.name = uint32(len(p.names))
	}
	if ev.RageAt != nil || ev.DeadAt != nil {
		p.derived = append(p.derived, derived{ev.RageAt, ev.DeadAt})
		o.derived = uint32(len(p.derived))
	}
}

// derivedOf gives what an op completes.
func (p *part) derivedOf(o *op) *derived {
	if o.derived == 0 {
		return nil
	}
	return &p.derived[o.derived-1]
}

// reset empties a part, in its memory.
func (p *part) reset() {
	clear(p.names)
	clear(p.derived)
	p.runs, p.ops, p.names, p.derived = p.runs[:0], p.ops[:0], p.names[:0], p.derived[:0]
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

// tally adds a hit to the layers that it belongs to: that of its kind, and those of what is derived, nil for nothing.
func tally(d *heatmap.Delta, o *op, of *derived, layer heatmap.LayerID) {
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
	tallyDerived(d, o, of, layer)
}

// tallyNamed is tally where the elements are to have their names.
func tallyNamed(d *heatmap.Delta, o *lonelyOp, layer heatmap.LayerID) {
	if o.named() {
		d.AddName(o.anchor.Element, &o.element)
	}
	tally(d, &o.op, &o.derived, layer)
}

// named reports whether an op gives an element its name.
func (o *op) named() bool { return o.anchor.Element != 0 && !o.repeat }

// tallyDerived adds to the layers that are derived from clicks what a hit is or completes.
func tallyDerived(d *heatmap.Delta, o *op, of *derived, layer heatmap.LayerID) {
	if o.dead {
		d.AddClick(layerOfKind(layer, heatmap.KindDead), o.x, o.y, o.anchor, nil)
	}
	if of == nil {
		return
	}
	for _, at := range of.deadAt {
		d.AddClick(layerOfKind(layer, heatmap.KindDead), at.X, at.Y, at.Anchor(), nil)
	}
	for _, at := range of.rageAt {
		d.AddClick(layerOfKind(layer, heatmap.KindRage), at.X, at.Y, at.Anchor(), nil)
	}
}

func layerOfKind(id heatmap.LayerID, k heatmap.Kind) heatmap.LayerID {
	return heatmap.NewLayerID(k, id.WidthBand(), id.Device(), id.Bot())
}
