package journal

import (
	"strings"

	"heatlog/heatmap"
)

// full reports whether the block should take no more chunks. One that is not empty takes no chunk either that
// would take it beyond most hits.
func (b *blockBuilder) full() bool {
	return b.hits >= b.most || len(b.urlTexts.texts.bytes)+len(b.selectors.texts.bytes)+len(b.ids.bytes)+len(b.batchIDs.bytes)+
		len(b.views.texts.bytes)+len(b.visitors.texts.bytes)+len(b.agents.texts.bytes)+len(b.tags.texts.bytes)+
		len(b.containers.texts.bytes)+len(b.sites.texts.bytes)+b.suffixed >= blockTexts
}

// add takes a chunk.
func (b *blockBuilder) add(c *heatmap.Chunk) {
	b.chunkBatches = append(b.chunkBatches, uint32(len(c.Batches)))
	b.chunkAppended = append(b.chunkAppended, uint64(c.Appended-b.appended))
	b.appended = c.Appended
	for i := range c.Batches {
		b.batch(&c.Batches[i])
	}
	b.hits += c.Count
}

func (b *blockBuilder) batch(batch *heatmap.Batch) {
	first := &batch.Hits[0]
	flags := uint8(0)
	if batch.Site != "" || batch.Visitor != "" || batch.ID != "" {
		flags = batchNamed
		if suffix, ok := strings.CutPrefix(batch.ID, first.View); ok && first.View != "" {
			flags |= batchSuffix
			n, _ := b.suffixes.id(suffix)
			b.suffixed += len(batch.ID)
			b.batchSuffix = append(b.batchSuffix, n)
		} else {
			b.batchIDs.add(batch.ID)
		}
		if batch.Site != first.Site || batch.Visitor != first.Visitor {
			flags |= batchStrange
			b.batchSites.add(batch.Site)
			b.batchVisitors.add(batch.Visitor)
		}
	}
	b.batchFlags = append(b.batchFlags, flags)
	runs := uint32(0)
	for hits := batch.Hits; len(hits) > 0; runs++ {
		n := 1
		for n < len(hits) && hits[n].Layout == hits[0].Layout && sameGroup(&hits[0], &hits[n]) {
			n++
		}
		b.run(hits[:n])
		hits = hits[n:]
	}
	b.batchRuns = append(b.batchRuns, runs-1)
}

// run takes hits that agree in what a context says.
func (b *blockBuilder) run(hits []heatmap.Hit) {
	before := uint32(len(b.ctxList))
	ctx := b.context(&hits[0])
	code := uint32(0) // a new one
	if ctx < before {
		code = before - ctx
	}
	b.runLength = append(b.runLength, uint32(len(hits)-1))
	b.runContext = append(b.runContext, code)
	b.runTime = append(b.runTime, zigzag(b.appended-hits[0].Time))
	page := b.ctxList[ctx].page
	for i := range hits {
		if i > 0 {
			b.time = append(b.time, zigzag(hits[i].Time-hits[i-1].Time))
		}
		b.hit(&hits[i], page, &b.states[ctx])
	}
}

func zigzag(v int64) uint64      { return uint64(v<<1) ^ uint64(v>>63) }
func unzigzag(v uint64) int64    { return int64(v>>1) ^ -int64(v&1) }
func zigzag16(v uint16) uint16   { return v<<1 ^ uint16(int16(v)>>15) }
func unzigzag16(v uint16) uint16 { return v>>1 ^ -(v & 1) }

// context gives the number of h's context.
func (b *blockBuilder) context(h *heatmap.Hit) uint32 {
	site, _ := b.sites.id(h.Site)
	text, _ := b.urlTexts.id(h.URL)
	url, _ := number(&b.urls, &b.urlList, urlKey{site, text})
	page, _ := number(&b.pages, &b.pageList, pageKey{url, h.ViewportW})
	view, freshView := b.views.id(h.View)
	visitor, freshVisitor := b.visitors.id(h.Visitor)
	agent, _ := b.agents.id(h.UserAgent)
	n, fresh := number(&b.contexts, &b.ctxList, hitContext{
		page: page, view: view, visitor: visitor, agent: agent, tags: b.tagSet(h.Tags),
		viewportH: h.ViewportH, documentW: h.DocumentW, documentH: h.DocumentH, layout: h.Layout,
	})
	if fresh {
		b.states = append(b.states, viewState{})
		b.ctxFresh = append(b.ctxFresh, bit(freshView, 1)|bit(freshVisitor, 2))
	}
	return n
}

func bit(is bool, v uint8) uint8 {
	if is {
		return v
	}
	return 0
}

// number gives the number of k in the order in which they come.
func number[K comparable](index *map[K]uint32, list *[]K, k K) (n uint32, fresh bool) {
	n, ok := (*index)[k]
	if !ok {
		if *index == nil {
			*index = map[K]uint32{}
		}
		n = uint32(len(*list))
		(*index)[k] = n
		*list = append(*list, k)
	}
	return n, !ok
}

// tagSet gives the number of a list of tags.
func (b *blockBuilder) tagSet(tags []string) uint32 {
	key := b.keyBuf[:0]
	for _, t := range tags {
		n, _ := b.tags.id(t)
		key = append(key, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
	}
	b.keyBuf = key
	if n, ok := b.tagSets[string(key)]; ok {
		return n
	}
	if b.tagSets == nil {
		b.tagSets = map[string]uint32{}
	}
	n := uint32(len(b.tagList))
	b.tagSets[string(key)] = n
	list := make([]uint32, len(tags))
	for i := range list {
		list[i] = uint32(key[4*i]) | uint32(key[4*i+1])<<8 | uint32(key[4*i+2])<<16 | uint32(key[4*i+3])<<24
	}
	b.tagList = append(b.tagList, list)
	b.tagCount += len(tags)
	return n
}

// hit takes one hit of a run.
func (b *blockBuilder) hit(h *heatmap.Hit, page uint32, s *viewState) {
	head, rare := uint8(0), uint8(0)
	kind := h.Kind
	if !kind.Recorded() {
		rare |= rareKind
		b.kind = append(b.kind, uint8(kind))
		kind = heatmap.KindClick
	}
	head |= uint8(kind - 1)
	var place uint8
	if h.Selector != "" || h.HasCheck || h.AnchorX|h.AnchorY != 0 || h.BoxW|h.BoxH|h.Check != 0 {
		head |= headElement
		rare |= b.anchored(h, page, s.top)
	} else {
		place = b.place(h, kind, s.top)
	}
	rare |= place | b.rest(h, kind, s)
	if h.Flags != 0 {
		head |= headFlags
		b.flags = append(b.flags, uint8(h.Flags))
	}
	if rare != 0 {
		head |= headRare
		b.rare = append(b.rare, rare)
	}
	b.head = append(b.head, head)
	if kind == heatmap.KindScroll {
		s.top, s.depth = h.Y, h.Depth
	}
}

// anchored takes the element and the place of a hit on one.
func (b *blockBuilder) anchored(h *heatmap.Hit, page uint32, top uint16) (rare uint8) {
	selector, _ := b.selectors.id(h.Selector)
	n, fresh := number(&b.elements, &b.elKeys, elementKey{page, selector, h.BoxW, h.BoxH, h.Check, h.HasCheck})
	dx, dy := inBox(h.BoxW, h.AnchorX), inBox(h.BoxH, h.AnchorY)
	if h.Flags&heatmap.FlagFixed != 0 {
		dy += top
	}
	if fresh {
		b.elPlaces = append(b.elPlaces, place16{h.X - dx, h.Y - dy})
		b.elUses = append(b.elUses, 0)
	}
	b.elUses[n]++
	b.element = append(b.element, n)
	b.offX = append(b.offX, zigzag16(h.X-dx-b.elPlaces[n].x))
	b.offY = append(b.offY, zigzag16(h.Y-dy-b.elPlaces[n].y))
	ax, okX := anchorCode(h.AnchorX)
	ay, okY := anchorCode(h.AnchorY)
	if !okX || !okY {
		b.oddAnchorX, b.oddAnchorY = append(b.oddAnchorX, h.AnchorX), append(b.oddAnchorY, h.AnchorY)
		ax, ay, rare = 0, 0, rareAnchor
	}
	b.anchorX, b.anchorY = append(b.anchorX, ax), append(b.anchorY, ay)
	return rare
}

// inBox is how far a place inside a box is from its side, px.
func inBox(side uint16, anchor uint32) uint16 { return uint16(uint64(side) * uint64(anchor) >> 16) }

// place takes the place of a hit that is on no element.
func (b *blockBuilder) place(h *heatmap.Hit, kind heatmap.Kind, top uint16) (rare uint8) {
	switch kind {
	case heatmap.KindView:
		if h.X|h.Y == 0 {
			return 0
		}
	case heatmap.KindScroll:
		b.scrollY = append(b.scrollY, zigzag16(h.Y-top))
		if h.X == 0 {
			return 0
		}
	default:
		b.x, b.y = append(b.x, h.X), append(b.y, h.Y-top)
		return 0
	}
	b.oddX, b.oddY = append(b.oddX, h.X), append(b.oddY, h.Y)
	return rarePlace
}

// rest takes what does not depend on the place.
func (b *blockBuilder) rest(h *heatmap.Hit, kind heatmap.Kind, s *viewState) (rare uint8) {
	scroll := kind == heatmap.KindScroll
	if scroll {
		b.dwell = append(b.dwell, h.Dwell)
	} else if h.Dwell != 0 {
		rare |= rareDwell
		b.oddDwell = append(b.oddDwell, h.Dwell)
	}
	if from, depth := predictDepth(scroll, s.depth, h.Y, h.ViewportH); h.From != from || h.Depth != depth {
		rare |= rareDepth
		b.from, b.depth = append(b.from, h.From), append(b.depth, h.Depth)
	}
	if points := kind == heatmap.KindClick || kind == heatmap.KindMove; points && !s.points {
		s.pointer, s.points = h.Pointer, true
	} else if want := pointerOf(points, s.pointer); h.Pointer != want {
		rare |= rarePointer
		b.pointer = append(b.pointer, uint8(h.Pointer))
	}
	if h.ID != "" {
		rare |= rareID
		b.ids.add(h.ID)
	}
	if h.Container != "" || h.ContainerX|h.ContainerY != 0 {
		rare |= rareContainer
		n, _ := b.containers.id(h.Container)
		b.container = append(b.container, n)
		b.containerX, b.containerY = append(b.containerX, h.ContainerX), append(b.containerY, h.ContainerY)
	}
	return rare
}

// predictDepth gives from and depth of a hit: a scroll goes on from the depth of the one before in its context and reaches
// the lower edge of the window, all else has none.
func predictDepth(scroll bool, before, y, viewportH uint16) (from, depth uint16) {
	if !scroll {
		return 0, 0
	}
	return before, uint16(min(max(int(y)+int(viewportH), int(before)), heatmap.MaxCoordinate))
}

// pointerOf gives the pointer of a hit of a context.
func pointerOf(points bool, p heatmap.Pointer) heatmap.Pointer {
	if points {
		return p
	}
	return heatmap.PointerUnknown
}

// reset empties the builder.
func (b *blockBuilder) reset() {
	for _, d := range []*dict{&b.sites, &b.urlTexts, &b.views, &b.visitors, &b.agents, &b.tags, &b.selectors, &b.containers, &b.suffixes} {
		d.reset()
	}
	clear(b.urls)
	clear(b.pages)
	clear(b.tagSets)
	clear(b.contexts)
	clear(b.elements)
	*b = blockBuilder{
		out: b.out, most: b.most, sites: b.sites, urlTexts: b.urlTexts, views: b.views, visitors: b.visitors, agents: b.agents, tags: b.tags,
		selectors: b.selectors, containers: b.containers, suffixes: b.suffixes,
		urls: b.urls, urlList: b.urlList[:0], pages: b.pages, pageList: b.pageList[:0], tagSets: b.tagSets, tagList: b.tagList[:0],
		contexts: b.contexts, ctxList: b.ctxList[:0], ctxFresh: b.ctxFresh[:0], states: b.states[:0],
		elements: b.elements, elKeys: b.elKeys[:0], elPlaces: b.elPlaces[:0], elUses: b.elUses[:0], keyBuf: b.keyBuf[:0],
	}
}
