package journal

import (
	"strings"

	"heatlog/heatmap"
)

// openHits reads the columns of hits. How long they are follows from the heads and from what is rare.
func (d *blockDecoder) openHits(hits int) {
	r, c := &d.in, &d.hitColumns
	c.head = get(r, colHead, hits, c.head)
	var heads, rares [256]int
	for _, h := range c.head {
		heads[h]++
	}
	elements := with(&heads, headElement)
	scrolls, points := 0, 0
	for h, n := range heads {
		if h&headElement == 0 {
			scrolls += n * b2i(kindOf(uint8(h)) == heatmap.KindScroll)
			points += n * b2i(isPoint(kindOf(uint8(h))))
		}
	}
	allScrolls := 0
	for h, n := range heads {
		allScrolls += n * b2i(kindOf(uint8(h)) == heatmap.KindScroll)
	}
	c.rare = get(r, colRare, with(&heads, headRare), c.rare)
	for _, v := range c.rare {
		rares[v]++
	}
	c.time = get(r, colTime, hits-r.counts[countRuns], c.time)
	c.element = get(r, colElement, elements, c.element)
	c.anchorX, c.anchorY = get(r, colAnchorX, elements, c.anchorX), get(r, colAnchorY, elements, c.anchorY)
	c.offX, c.offY = get(r, colOffX, elements, c.offX), get(r, colOffY, elements, c.offY)
	c.x, c.y = get(r, colX, points, c.x), get(r, colY, points, c.y)
	c.scrollY = get(r, colScrollY, scrolls, c.scrollY)
	c.dwell = get(r, colDwell, allScrolls, c.dwell)
	c.flags = get(r, colFlags, with(&heads, headFlags), c.flags)
	c.kind = get(r, colKind, with(&rares, rareKind), c.kind)
	c.pointer = get(r, colPointer, with(&rares, rarePointer), c.pointer)
	anchors, containers, places, depths := with(&rares, rareAnchor), with(&rares, rareContainer), with(&rares, rarePlace), with(&rares, rareDepth)
	c.oddAnchorX, c.oddAnchorY = get(r, colOddAnchorX, anchors, c.oddAnchorX), get(r, colOddAnchorY, anchors, c.oddAnchorY)
	c.inner = get(r, colContainer, containers, c.inner)
	for _, n := range c.inner {
		r.check(n, len(d.containers))
	}
	c.innerX, c.innerY = get(r, colContainerX, containers, c.innerX), get(r, colContainerY, containers, c.innerY)
	c.oddX, c.oddY = get(r, colOddX, places, c.oddX), get(r, colOddY, places, c.oddY)
	c.from, c.depth = get(r, colFrom, depths, c.from), get(r, colDepth, depths, c.depth)
	c.oddDwell = get(r, colOddDwell, with(&rares, rareDwell), c.oddDwell)
	d.ids = r.texts(colID, with(&rares, rareID), &d.lengths, d.ids)
}

// with is the number of values that have a bit, by how often each value is there.
func with(histogram *[256]int, bit int) (n int) {
	for v, count := range histogram {
		if v&bit != 0 {
			n += count
		}
	}
	return n
}

func kindOf(head uint8) heatmap.Kind { return heatmap.Kind(head&3 + 1) }

// isPoint reports whether hits of a kind have a pointer and, off elements, a place of their own.
func isPoint(k heatmap.Kind) bool { return k == heatmap.KindClick || k == heatmap.KindMove }

// openBatches reads chunks, batches and runs and checks that each level holds all of the one below it.
func (d *blockDecoder) openBatches(chunks, hits int) {
	r := &d.in
	batches, runs := r.counts[countBatches], r.counts[countRuns]
	d.chunkBatches = get(r, colChunkBatches, chunks, d.chunkBatches)
	d.chunkAppended = get(r, colChunkAppended, chunks, d.chunkAppended)
	d.batchFlags = get(r, colBatchFlags, batches, d.batchFlags)
	d.batchRuns = get(r, colBatchRuns, batches, d.batchRuns)
	suffixed, named, strange := set(d.batchFlags, batchSuffix), set(d.batchFlags, batchNamed), set(d.batchFlags, batchStrange)
	d.batchSuffix = get(r, colBatchSuffix, suffixed, d.batchSuffix)
	for _, n := range d.batchSuffix {
		r.check(n, len(d.suffixes))
	}
	if suffixed > named {
		r.fail("%d suffixes of %d names", suffixed, named)
		return
	}
	d.batchIDs = r.texts(colBatchID, named-suffixed, &d.lengths, d.batchIDs)
	d.batchSites = r.texts(colBatchSite, strange, &d.lengths, d.batchSites)
	d.batchVisitors = r.texts(colBatchVisitor, strange, &d.lengths, d.batchVisitors)
	d.runLength = get(r, colRunLength, runs, d.runLength)
	d.runContext = get(r, colRunContext, runs, d.runContext)
	d.runTime = get(r, colRunTime, runs, d.runTime)
	if r.err == nil {
		d.countHits(chunks, hits)
	}
	if r.err == nil && d.fields.has(FieldBatch) {
		d.nameBatches()
	}
}

// nameBatches makes the ids that are a view and a suffix, as parts of one string.
func (d *blockDecoder) nameBatches() {
	size := 0
	each := func(fn func(view, suffix string)) {
		n := 0
		for i, flags := range d.batchFlags {
			if flags&batchSuffix != 0 {
				fn(d.views[d.pred.seen[d.runContext[d.batchRun[i]]].view], d.suffixes[d.batchSuffix[n]])
				n++
			}
		}
	}
	each(func(view, suffix string) { size += len(view) + len(suffix) })
	if size > maxBlock {
		d.in.fail("ids of batches are %d bytes, limit %d", size, maxBlock)
		return
	}
	var all strings.Builder
	all.Grow(size)
	d.suffixIDs = d.suffixIDs[:0]
	each(func(view, suffix string) {
		at := all.Len()
		all.WriteString(view)
		all.WriteString(suffix)
		d.suffixIDs = append(d.suffixIDs, all.String()[at:])
	})
}

// countHits finds out how many hits each chunk has.
func (d *blockDecoder) countHits(chunks, hits int) {
	r := &d.in
	d.chunkHits, d.batchRun = grow(d.chunkHits, chunks), grow(d.batchRun, len(d.batchFlags))
	batch, run, hit, contexts := 0, 0, 0, uint32(0)
	for i, n := range d.chunkBatches {
		before := hit
		if n == 0 || uint64(n) > uint64(len(d.batchFlags)-batch) {
			r.fail("chunk of %d batches", n)
			return
		}
		for range n {
			if f := d.batchFlags[batch]; f&batchNamed == 0 && f&(batchSuffix|batchStrange) != 0 {
				r.fail("batch with flags %#x", f)
				return
			}
			more := uint64(d.batchRuns[batch])
			d.batchRun[batch] = uint32(run)
			batch++
			if more >= uint64(len(d.runLength)-run) {
				r.fail("batch of %d runs", more+1)
				return
			}
			for range more + 1 {
				if uint64(d.runLength[run]) >= uint64(hits-hit) {
					r.fail("run of %d hits", d.runLength[run])
					return
				}
				hit += int(d.runLength[run]) + 1
				ctx := backOrFresh(&contexts, d.runContext[run])
				r.check(ctx, len(d.states))
				d.runContext[run] = ctx
				run++
			}
		}
		d.chunkHits[i] = uint32(hit - before)
	}
	if batch != len(d.batchFlags) || run != len(d.runLength) || hit != hits || int(contexts) != len(d.states) {
		r.fail("%d batches, %d runs, %d hits and %d contexts in its chunks", batch, run, hit, contexts)
	}
}

// chunk fills c with the next chunk; there must be one. It reuses the slices of c as decoder.payload does.
func (d *blockDecoder) chunk(c *heatmap.Chunk) error {
	n := int(d.chunkHits[d.at.chunk])
	slab := takeSlab(c, n)
	d.appended += int64(d.chunkAppended[d.at.chunk])
	c.Position, c.Appended, c.Count, c.Batches = d.pos, d.appended, n, c.Batches[:0]
	hits := slab
	for range d.chunkBatches[d.at.chunk] {
		b := heatmap.Batch{Hits: hits}
		n := 0
		for range d.batchRuns[d.at.batch] + 1 {
			n += d.run(hits[n:])
		}
		b.Hits, hits = hits[:n:n], hits[n:]
		d.name(&b)
		c.Batches = append(c.Batches, b)
	}
	if d.in.err != nil {
		d.left = 0
		return d.in.err
	}
	c.Batches[0].Hits = slab[:len(c.Batches[0].Hits):cap(slab)]
	d.at.chunk++
	d.left--
	d.pos = c.End()
	return nil
}

// name gives a batch its name.
func (d *blockDecoder) name(b *heatmap.Batch) {
	at := &d.at
	flags := d.batchFlags[at.batch]
	at.batch++
	if flags&batchNamed == 0 || !d.fields.has(FieldBatch) {
		return
	}
	first := &b.Hits[0]
	b.Site, b.Visitor = first.Site, first.Visitor
	if flags&batchSuffix != 0 {
		b.ID = d.suffixIDs[at.suffix]
		at.suffix++
	} else {
		b.ID = d.batchIDs[at.batchID]
		at.batchID++
	}
	if flags&batchStrange != 0 {
		b.Site, b.Visitor = d.batchSites[at.strange], d.batchVisitors[at.strange]
		at.strange++
	}
}

// run decodes the next run to the begin of hits and returns its length.
func (d *blockDecoder) run(hits []heatmap.Hit) int {
	at := &d.at
	ctx := d.runContext[at.run]
	n := int(d.runLength[at.run]) + 1
	time := d.appended - unzigzag(d.runTime[at.run])
	at.run++
	p := &d.pred.seen[ctx]
	t := d.shared(p)
	if d.fields.has(FieldTime) {
		t.Time = time
	}
	hits = hits[:n]
	hits[0] = t
	times := d.time[at.time : at.time+n-1]
	at.time += n - 1
	for i, delta := range times {
		t.Time += unzigzag(delta)
		hits[i+1] = t
	}
	heads := d.head[at.hit : at.hit+n]
	at.hit += n
	state := &d.states[ctx]
	if !d.fields.has(hitFields) {
		d.plain(hits, heads, state)
		return n
	}
	var els []elementEntry
	if page := &d.pages[p.page]; page.elements > 0 {
		els = d.els[page.first:][:page.elements]
	}
	for i, head := range heads {
		d.hit(&hits[i], head, els, state)
	}
	return n
}

// shared gives a hit with what all hits of a context have in common, as far as it is wanted.
func (d *blockDecoder) shared(p *predicted) (t heatmap.Hit) {
	f := d.fields
	t.View, t.Visitor, t.UserAgent, t.Tags = d.views[p.view], d.visitors[p.visitor], d.agents[p.agent], d.tagLists[p.tags]
	if f.has(pageFields) {
		page := &d.pages[p.page]
		t.Site, t.URL = d.sites[d.urlSite[page.url]], d.urls[page.url]
		if f.has(FieldViewport) {
			t.ViewportW, t.ViewportH = page.viewportW, p.viewportH
		}
	}
	if f.has(FieldDocument) {
		t.DocumentW, t.DocumentH = p.documentW, p.documentH
	}
	t.Layout = p.layout
	return t
}

// plain fills in kinds, pointers, flags and what is rare.
func (d *blockDecoder) plain(hits []heatmap.Hit, heads []uint8, s *viewState) {
	for i, head := range heads {
		h := &hits[i]
		h.Kind, h.Pointer = kindOf(head), pointerIf(head, s.pointer)
		if head&headFlags != 0 {
			h.Flags = heatmap.Flags(d.flags[d.at.flags])
			d.at.flags++
		}
		if head&headRare != 0 {
			d.odd(h, head, nil, s)
		}
	}
}

// pointerIf gives a context's pointer for a head of a click or a move, whose codes are the odd ones, without a branch that
// nobody could foresee.
func pointerIf(head uint8, p heatmap.Pointer) heatmap.Pointer { return p & -heatmap.Pointer(head&1) }

// hit fills in what is not of the run.
func (d *blockDecoder) hit(h *heatmap.Hit, head uint8, els []elementEntry, s *viewState) {
	at := &d.at
	h.Kind = kindOf(head)
	if head&headFlags != 0 {
		h.Flags = heatmap.Flags(d.flags[at.flags])
		at.flags++
	}
	h.Pointer = pointerIf(head, s.pointer)
	switch {
	case head&headElement != 0:
		d.anchored(h, els, s.top)
	case h.Kind == heatmap.KindScroll:
		h.Y = s.top + unzigzag16(d.scrollY[at.scroll])
		at.scroll++
	case h.Kind != heatmap.KindView:
		h.X, h.Y = d.x[at.point], d.y[at.point]+s.top
		at.point++
	}
	scroll := h.Kind == heatmap.KindScroll
	if scroll {
		h.Dwell = d.dwell[at.dwell]
		at.dwell++
	}
	if head&headRare != 0 {
		d.odd(h, head, els, s)
	} else if d.fields.has(FieldDepth) {
		h.From, h.Depth = predictDepth(scroll, s.depth, h.Y, h.ViewportH)
	}
	if scroll {
		s.top, s.depth = h.Y, h.Depth
	}
}
