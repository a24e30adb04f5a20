package journal

import "heatlog/heatmap"

// anchored fills in the element and the place on it.
func (d *blockDecoder) anchored(h *heatmap.Hit, els []elementEntry, top uint16) {
	i := d.at.element
	d.at.element++
	h.AnchorX, h.AnchorY = anchorOf(d.anchorX[i]), anchorOf(d.anchorY[i])
	if !d.fields.has(elementFields) {
		return
	}
	n := d.element[i]
	if uint64(n) >= uint64(len(els)) {
		d.in.check(n, len(els))
		return
	}
	e := &els[n]
	h.Selector, h.BoxW, h.BoxH, h.Check, h.HasCheck = d.selectors[e.selector], e.boxW, e.boxH, e.check, e.hasCheck
	d.onElement(h, e, i, top)
}

// onElement fills in the place of the ith hit on an element.
func (d *blockDecoder) onElement(h *heatmap.Hit, e *elementEntry, i int, top uint16) {
	if !d.fields.has(FieldPlace) {
		return
	}
	h.X = e.left + inBox(e.boxW, h.AnchorX) + unzigzag16(d.offX[i])
	h.Y = e.top + inBox(e.boxH, h.AnchorY) + unzigzag16(d.offY[i])
	if h.Flags&heatmap.FlagFixed != 0 {
		h.Y += top
	}
}

// anchorOf is the inverse of anchorCode.
func anchorOf(code uint32) uint32 {
	if code < anchorCodes {
		return thousandths(code)
	}
	return code - anchorCodes
}

// odd fills in what is rare.
func (d *blockDecoder) odd(h *heatmap.Hit, head uint8, els []elementEntry, s *viewState) {
	at := &d.at
	rare := d.rare[at.rare]
	at.rare++
	scroll := h.Kind == heatmap.KindScroll
	if rare&rareKind != 0 {
		h.Kind = heatmap.Kind(d.kind[at.kind])
		at.kind++
	}
	if rare&rarePointer != 0 {
		h.Pointer = heatmap.Pointer(d.pointer[at.pointer])
		at.pointer++
	}
	if rare&rareAnchor != 0 {
		h.AnchorX, h.AnchorY = d.oddAnchorX[at.anchor], d.oddAnchorY[at.anchor]
		at.anchor++
		if d.fields.has(FieldPlace) && head&headElement != 0 {
			if n := uint64(d.element[at.element-1]); n < uint64(len(els)) {
				d.onElement(h, &els[n], at.element-1, s.top)
			}
		}
	}
	if rare&rarePlace != 0 {
		h.X, h.Y = d.oddX[at.place], d.oddY[at.place]
		at.place++
	}
	if rare&rareDwell != 0 {
		h.Dwell = d.oddDwell[at.oddDwell]
		at.oddDwell++
	}
	if d.fields.has(FieldDepth) {
		h.From, h.Depth = predictDepth(scroll, s.depth, h.Y, h.ViewportH)
	}
	if rare&rareDepth != 0 {
		h.From, h.Depth = d.from[at.depth], d.depth[at.depth]
		at.depth++
	}
	d.strange(h, rare)
}

// strange fills in an id of its own and a container.
func (d *blockDecoder) strange(h *heatmap.Hit, rare uint8) {
	at := &d.at
	if rare&rareID != 0 {
		h.ID = d.ids[at.id]
		at.id++
	}
	if rare&rareContainer != 0 {
		i := at.container
		h.Container, h.ContainerX, h.ContainerY = d.containers[d.inner[i]], d.innerX[i], d.innerY[i]
		at.container++
	}
}
