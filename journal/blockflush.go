package journal

import (
	"cmp"
	"errors"
	"slices"
)

// errSealLimit means that a block cannot hold a chunk, so that its segment stays as it is.
var errSealLimit = errors.New("more than a sealed block can hold")

// flush appends the block's payload to dst and empties the builder. raw is the payload's length before compression.
func (b *blockBuilder) flush(dst []byte) (payload []byte, raw int, err error) {
	b.out.reset()
	counts := [blockCounts]uint32{
		countBatches: uint32(len(b.batchFlags)), countRuns: uint32(len(b.runLength)), countContexts: uint32(len(b.ctxList)),
		countPages: uint32(len(b.pageList)), countURLs: uint32(len(b.urlList)), countElements: uint32(len(b.elKeys)),
		countTagLists: uint32(len(b.tagList)), countTags: uint32(b.tagCount), countSites: b.sites.len(),
		countViews: b.views.len(), countVisitors: b.visitors.len(), countAgents: b.agents.len(), countTagTexts: b.tags.len(),
		countSelectors: b.selectors.len(), countContainers: b.containers.len(), countSuffixes: b.suffixes.len(),
	}
	pages := b.sortPages()
	ranks := b.sortElements(pages)
	b.putBatches()
	b.putContexts(pages)
	b.putPages(pages)
	b.putElements(ranks.order)
	b.putHits(ranks.rank)
	b.putTexts(pages)
	tags := b.tagCount
	b.reset()
	if raw = b.out.rawSize(); raw > maxBlock || tags > maxBlockTags {
		return dst, 0, errSealLimit
	}
	return b.out.payload(dst, &counts), raw, nil
}

// pageOrder is the order in which a block holds its pages: those of one URL side by side, often used ones first.
type pageOrder struct {
	order []uint32 // page numbers
	rank  []uint32 // of page number
	fresh []uint8  // 1: the URL is not that of the page before
	urls  []uint32 // in order
}

func (b *blockBuilder) sortPages() (p pageOrder) {
	uses, urlUses := make([]uint32, len(b.pageList)), make([]uint32, len(b.urlList))
	for _, c := range b.ctxList {
		uses[c.page]++
		urlUses[b.pageList[c.page].url]++
	}
	p.order = ascending(len(b.pageList))
	slices.SortFunc(p.order, func(i, j uint32) int {
		u, v := b.pageList[i].url, b.pageList[j].url
		return cmp.Or(cmp.Compare(urlUses[v], urlUses[u]), cmp.Compare(u, v), cmp.Compare(uses[j], uses[i]), cmp.Compare(i, j))
	})
	p.rank = inverse(p.order)
	for i, n := range p.order {
		url := b.pageList[n].url
		fresh := i == 0 || url != b.pageList[p.order[i-1]].url
		if fresh {
			p.urls = append(p.urls, url)
		}
		p.fresh = append(p.fresh, bit(fresh, 1))
	}
	return p
}

func ascending(n int) []uint32 {
	s := make([]uint32, n)
	for i := range s {
		s[i] = uint32(i)
	}
	return s
}

func inverse(order []uint32) []uint32 {
	rank := make([]uint32, len(order))
	for i, n := range order {
		rank[n] = uint32(i)
	}
	return rank
}

// elementOrder is the order in which a block holds its elements: page by page, often used ones first.
type elementOrder struct {
	order []uint32
	rank  []uint32 // of element number, in its page
}

func (b *blockBuilder) sortElements(pages pageOrder) (e elementOrder) {
	e.order = ascending(len(b.elKeys))
	slices.SortFunc(e.order, func(i, j uint32) int {
		return cmp.Or(cmp.Compare(pages.rank[b.elKeys[i].page], pages.rank[b.elKeys[j].page]), cmp.Compare(b.elUses[j], b.elUses[i]), cmp.Compare(i, j))
	})
	e.rank = make([]uint32, len(e.order))
	counts := make([]uint32, len(b.pageList))
	for _, n := range e.order {
		page := pages.rank[b.elKeys[n].page]
		e.rank[n] = counts[page]
		counts[page]++
	}
	put(&b.out, colPageElements, counts)
	return e
}

func (b *blockBuilder) putBatches() {
	w := &b.out
	put(w, colChunkBatches, b.chunkBatches)
	put(w, colChunkAppended, b.chunkAppended)
	put(w, colBatchFlags, b.batchFlags)
	put(w, colBatchRuns, b.batchRuns)
	put(w, colBatchSuffix, b.batchSuffix)
	w.texts(colBatchID, &b.batchIDs)
	w.texts(colBatchSite, &b.batchSites)
	w.texts(colBatchVisitor, &b.batchVisitors)
	put(w, colRunLength, b.runLength)
	put(w, colRunContext, b.runContext)
	put(w, colRunTime, b.runTime)
}

// putContexts writes what is not as in the last context of the same visitor, page or URL.
func (b *blockBuilder) putContexts(pages pageOrder) {
	p := newPredictor(len(b.visitors.index), len(b.pageList), len(b.urlList))
	var page, view, visitor, agent, tags, layout []uint32
	var diff, pointer []uint8
	var viewportH, documentW, documentH []uint16
	var views, visitors uint32
	for i, c := range b.ctxList {
		pk := b.pageList[c.page]
		page = append(page, pages.rank[c.page])
		view = append(view, freshOrBack(b.ctxFresh[i]&1 != 0, &views, c.view))
		visitor = append(visitor, freshOrBack(b.ctxFresh[i]&2 != 0, &visitors, c.visitor))
		full := predicted{c, b.states[i].pointer}
		want := p.predict(c.visitor, c.page, pk.url, pk.viewportW)
		if !b.states[i].points {
			full.pointer = want.pointer // no hit of it has one
		}
		d := full.diff(&want)
		diff = append(diff, d)
		appendIf(d&diffAgent, &agent, c.agent)
		appendIf(d&diffTags, &tags, c.tags)
		appendIf(d&diffViewportH, &viewportH, c.viewportH)
		appendIf(d&diffDocumentW, &documentW, zigzag16(c.documentW-pk.viewportW))
		appendIf(d&diffDocumentH, &documentH, c.documentH)
		appendIf(d&diffLayout, &layout, c.layout)
		appendIf(d&diffPointer, &pointer, uint8(full.pointer))
		p.note(c.visitor, c.page, pk.url, &full)
	}
	w := &b.out
	put(w, colCtxPage, page)
	put(w, colCtxView, view)
	put(w, colCtxVisitor, visitor)
	put(w, colCtxDiff, diff)
	put(w, colCtxAgent, agent)
	put(w, colCtxTags, tags)
	put(w, colCtxViewportH, viewportH)
	put(w, colCtxDocumentW, documentW)
	put(w, colCtxDocumentH, documentH)
	put(w, colCtxLayout, layout)
	put(w, colCtxPointer, pointer)
}

func appendIf[T any](bit uint8, dst *[]T, v T) {
	if bit != 0 {
		*dst = append(*dst, v)
	}
}

// freshOrBack codes the number of a text: 0 the first time, else how many came first since.
func freshOrBack(fresh bool, seen *uint32, n uint32) uint32 {
	if fresh {
		*seen++
		return 0
	}
	return *seen - n
}

// putPages writes the pages and, for each URL in their order, its site.
func (b *blockBuilder) putPages(pages pageOrder) {
	var viewportW []uint16
	for _, n := range pages.order {
		viewportW = append(viewportW, b.pageList[n].viewportW)
	}
	var sites []uint32
	for _, n := range pages.urls {
		sites = append(sites, b.urlList[n].site)
	}
	put(&b.out, colPageURL, pages.fresh)
	put(&b.out, colPageViewportW, viewportW)
	put(&b.out, colURLSite, sites)
}

// putElements writes what is not as in the last element of the same selector.
func (b *blockBuilder) putElements(order []uint32) {
	var selector []uint32
	var diff []uint8
	var boxW, boxH, check, left, top []uint16
	last := make([]elementKey, b.selectors.len())
	for _, n := range order {
		e := b.elKeys[n]
		selector = append(selector, e.selector)
		want := &last[e.selector]
		d := bit(e.boxW != want.boxW, diffBoxW) | bit(e.boxH != want.boxH, diffBoxH) | bit(e.check != want.check, diffCheck)
		diff = append(diff, d|bit(e.hasCheck, elementHasCheck))
		appendIf(d&diffBoxW, &boxW, e.boxW)
		appendIf(d&diffBoxH, &boxH, e.boxH)
		appendIf(d&diffCheck, &check, e.check)
		left, top = append(left, b.elPlaces[n].x), append(top, b.elPlaces[n].y)
		*want = e
	}
	w := &b.out
	put(w, colElSelector, selector)
	put(w, colElDiff, diff)
	put(w, colElBoxW, boxW)
	put(w, colElBoxH, boxH)
	put(w, colElCheck, check)
	put(w, colElLeft, left)
	put(w, colElTop, top)
}

func (b *blockBuilder) putHits(rank []uint32) {
	for i, n := range b.element {
		b.element[i] = rank[n]
	}
	w := &b.out
	put(w, colHead, b.head)
	put(w, colTime, b.time)
	put(w, colElement, b.element)
	put(w, colAnchorX, b.anchorX)
	put(w, colAnchorY, b.anchorY)
	put(w, colOffX, b.offX)
	put(w, colOffY, b.offY)
	put(w, colX, b.x)
	put(w, colY, b.y)
	put(w, colScrollY, b.scrollY)
	put(w, colDwell, b.dwell)
	put(w, colFlags, b.flags)
	put(w, colRare, b.rare)
	put(w, colKind, b.kind)
	put(w, colPointer, b.pointer)
	put(w, colOddAnchorX, b.oddAnchorX)
	put(w, colOddAnchorY, b.oddAnchorY)
	put(w, colContainer, b.container)
	put(w, colContainerX, b.containerX)
	put(w, colContainerY, b.containerY)
	w.texts(colID, &b.ids)
	put(w, colOddX, b.oddX)
	put(w, colOddY, b.oddY)
	put(w, colOddDwell, b.oddDwell)
	put(w, colFrom, b.from)
	put(w, colDepth, b.depth)
}

// putTexts writes the texts; those of URLs in the order of pages, one for each site that has them.
func (b *blockBuilder) putTexts(pages pageOrder) {
	var urls texts
	var offsets []uint32
	at := uint32(0)
	for _, n := range b.urlTexts.texts.lengths {
		offsets = append(offsets, at)
		at += n
	}
	for _, n := range pages.urls {
		text := b.urlList[n].text
		from := offsets[text]
		urls.lengths = append(urls.lengths, b.urlTexts.texts.lengths[text])
		urls.bytes = append(urls.bytes, b.urlTexts.texts.bytes[from:from+b.urlTexts.texts.lengths[text]]...)
	}
	w := &b.out
	w.texts(colURLText, &urls)
	w.texts(colSiteText, &b.sites.texts)
	w.texts(colViewText, &b.views.texts)
	w.texts(colVisitorText, &b.visitors.texts)
	w.texts(colAgentText, &b.agents.texts)
	w.texts(colTagText, &b.tags.texts)
	w.texts(colSelectorText, &b.selectors.texts)
	w.texts(colContainerText, &b.containers.texts)
	w.texts(colSuffixText, &b.suffixes.texts)
	var tagCounts, tags []uint32
	for _, list := range b.tagList {
		tagCounts = append(tagCounts, uint32(len(list)))
		tags = append(tags, list...)
	}
	put(w, colTagCount, tagCounts)
	put(w, colTag, tags)
}
