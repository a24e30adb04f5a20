package journal

import (
	"fmt"

	"github.com/klauspost/compress/zstd"

	"heatlog/heatmap"
)

// blockDecoder takes blocks apart. It keeps its memory between blocks; the hits that it makes refer to none of it but the
// block's texts and tags, which are never used again.
type blockDecoder struct {
	in     columnReader
	fields Fields // that are filled in, expanded
	wanted columnSet

	chunkBatches  []uint32
	chunkAppended []uint64
	chunkHits     []uint32

	batchFlags                          []uint8
	batchRuns, batchSuffix              []uint32
	batchRun                            []uint32 // the first run of each batch
	batchIDs, batchSites, batchVisitors []string
	suffixIDs                           []string

	runLength, runContext []uint32 // contexts by number
	runTime               []uint64

	pred       predictor // pred.seen are the contexts
	states     []viewState
	ctxDiff    []uint8
	ctxView    []uint32
	ctxVisitor []uint32
	ctxPage    []uint32
	ctxAgent   []uint32
	ctxTags    []uint32
	ctx16      [3][]uint16
	ctxLayout  []uint32
	ctxPointer []uint8

	pages     []pageEntry
	pageFresh []uint8
	pageWidth []uint16
	pageEls   []uint32
	urlSite   []uint32
	els       []elementEntry
	elLast    []elementEntry
	el16      [5][]uint16
	tagLists  [][]string

	sites, urls, views, visitors, agents, tags, selectors, containers, suffixes, ids []string
	lengths                                                                          []uint32

	hitColumns
	at cursor

	appended int64  // of the next chunk's predecessor
	pos      uint64 // of the next chunk
	left     int    // chunks that are still to come
}

// pageEntry is a page of a block.
type pageEntry struct {
	url       uint32
	viewportW uint16
	first     uint32 // its first element
	elements  uint32
}

// elementEntry is an element of a block.
type elementEntry struct {
	selector          uint32
	boxW, boxH, check uint16
	left, top         uint16
	hasCheck          bool
}

// hitColumns are the columns of hits.
type hitColumns struct {
	head, flags, rare, kind, pointer               []uint8
	time                                           []uint64
	element, anchorX, anchorY                      []uint32
	offX, offY, x, y, scrollY                      []uint16
	dwell, oddDwell, oddAnchorX, oddAnchorY, inner []uint32
	innerX, innerY, oddX, oddY, from, depth        []uint16
}

// cursor is where the decoder stands in every column.
type cursor struct {
	chunk, batch, suffix, batchID, strange, run, hit, time, element, point, scroll, dwell, flags, rare,
	kind, pointer, anchor, container, id, place, oddDwell, depth int
}

func newBlockDecoder() *blockDecoder {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxBlock), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		panic("BUG: journal: decompressor options: " + err.Error())
	}
	d := &blockDecoder{in: columnReader{zstd: z}}
	d.want(AllFields)
	return d
}

// want says which fields the next blocks are decoded for.
func (d *blockDecoder) want(fields Fields) {
	if fields = fields.expanded(); fields == d.fields {
		return
	}
	d.fields = fields
	d.wanted = d.fields.columns()
}

// decode reads a block of so many chunks and hits. raw is the length of the payload before compression. Columns that are not
// wanted are read as zeros, and what depends on them is left out.
func (d *blockDecoder) decode(payload []byte, raw, chunks, hits int, pos uint64) error {
	d.left, d.at = 0, cursor{}
	if err := d.in.open(payload, raw, &d.wanted); err != nil {
		return err
	}
	c := &d.in.counts
	for i, n := range c {
		if limit := hits; n > limit && (i != countTags && i != countTagTexts || n > maxBlockTags) {
			return fmt.Errorf("%w: count %d is %d, limit %d", errBlock, i, n, limit)
		}
	}
	d.openTexts()
	d.openHits(hits)
	d.openPages()
	d.openElements()
	d.openTags()
	d.openContexts()
	d.openBatches(chunks, hits)
	if d.in.err != nil {
		return d.in.err
	}
	d.left, d.pos, d.appended = chunks, pos, 0
	return nil
}

func (d *blockDecoder) openTexts() {
	r, c := &d.in, &d.in.counts
	d.sites = r.texts(colSiteText, c[countSites], &d.lengths, d.sites)
	d.urls = r.texts(colURLText, c[countURLs], &d.lengths, d.urls)
	d.views = r.texts(colViewText, c[countViews], &d.lengths, d.views)
	d.visitors = r.texts(colVisitorText, c[countVisitors], &d.lengths, d.visitors)
	d.agents = r.texts(colAgentText, c[countAgents], &d.lengths, d.agents)
	d.tags = r.texts(colTagText, c[countTagTexts], &d.lengths, d.tags)
	d.selectors = r.texts(colSelectorText, c[countSelectors], &d.lengths, d.selectors)
	d.containers = r.texts(colContainerText, c[countContainers], &d.lengths, d.containers)
	d.suffixes = r.texts(colSuffixText, c[countSuffixes], &d.lengths, d.suffixes)
}

// openPages reads the pages; elements are checked to be as many as the pages have together.
func (d *blockDecoder) openPages() {
	r, n := &d.in, d.in.counts[countPages]
	d.pageFresh = get(r, colPageURL, n, d.pageFresh)
	d.pageWidth = get(r, colPageViewportW, n, d.pageWidth)
	d.pageEls = get(r, colPageElements, n, d.pageEls)
	d.pages = grow(d.pages, n)
	if !d.fields.has(pageFields) {
		clear(d.pages)
		if n > 0 {
			r.check(0, len(d.urls))
		}
		return
	}
	d.urlSite = get(r, colURLSite, r.counts[countURLs], d.urlSite)
	for _, s := range d.urlSite {
		r.check(s, len(d.sites))
	}
	url, first := uint32(0), uint64(0)
	for i := range d.pages {
		url += uint32(d.pageFresh[i] & 1)
		r.check(url-1, len(d.urls))
		d.pages[i] = pageEntry{url - 1, d.pageWidth[i], uint32(first), d.pageEls[i]}
		first += uint64(d.pageEls[i])
	}
	if d.fields.has(elementFields) && first != uint64(r.counts[countElements]) {
		r.fail("pages have %d elements, want %d", first, r.counts[countElements])
	}
}

// check notes a number that is out of range.
func (r *columnReader) check(v uint32, n int) {
	if uint64(v) >= uint64(n) {
		r.fail("number %d of %d", v, n)
	}
}

// set gives the number of values in which a bit is set.
func set(values []uint8, bit uint8) (n int) {
	for _, v := range values {
		n += b2i(v&bit != 0)
	}
	return n
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (d *blockDecoder) openElements() {
	if !d.fields.has(elementFields) {
		return
	}
	r, n := &d.in, d.in.counts[countElements]
	selector := get(r, colElSelector, n, d.lengths)
	d.lengths = selector
	diff := get(r, colElDiff, n, d.ctxDiff)
	d.ctxDiff = diff
	boxW := get(r, colElBoxW, set(diff, diffBoxW), d.el16[0])
	boxH := get(r, colElBoxH, set(diff, diffBoxH), d.el16[1])
	check := get(r, colElCheck, set(diff, diffCheck), d.el16[2])
	left, top := get(r, colElLeft, n, d.el16[3]), get(r, colElTop, n, d.el16[4])
	d.el16 = [5][]uint16{boxW, boxH, check, left, top}
	d.els = grow(d.els, n)
	d.elLast = grow(d.elLast, len(d.selectors))
	clear(d.elLast)
	for i, s := range selector {
		if r.check(s, len(d.selectors)); r.err != nil {
			return
		}
		e := &d.elLast[s]
		e.selector, e.left, e.top, e.hasCheck = s, left[i], top[i], diff[i]&elementHasCheck != 0 && d.fields.has(FieldCheck)
		e.boxW = takeIf(diff[i]&diffBoxW, &boxW, e.boxW)
		e.boxH = takeIf(diff[i]&diffBoxH, &boxH, e.boxH)
		e.check = takeIf(diff[i]&diffCheck, &check, e.check)
		d.els[i] = *e
	}
}

// takeIf gives the next value if bit is set, else the one that is predicted.
func takeIf[T any](bit uint8, values *[]T, predicted T) T {
	if bit == 0 {
		return predicted
	}
	v := (*values)[0]
	*values = (*values)[1:]
	return v
}

// openTags makes the lists of tags; they are parts of one array that is never used again.
func (d *blockDecoder) openTags() {
	r, n := &d.in, d.in.counts[countTagLists]
	if !d.fields.has(FieldTags) {
		d.tagLists = grow(d.tagLists, n)
		clear(d.tagLists)
		return
	}
	counts := get(r, colTagCount, n, d.lengths)
	d.lengths = counts
	all := get(r, colTag, r.counts[countTags], d.ctxTags)
	d.ctxTags = all
	d.tagLists = grow(d.tagLists, n)
	slab := make([]string, len(all))
	for i, t := range all {
		if r.check(t, len(d.tags)); r.err != nil {
			return
		}
		slab[i] = d.tags[t]
	}
	for i, n := range counts {
		if uint64(n) > uint64(len(slab)) {
			r.fail("%d tags, %d are left", n, len(slab))
			return
		}
		if d.tagLists[i] = nil; n > 0 {
			d.tagLists[i] = slab[:n:n]
			slab = slab[n:]
		}
	}
}

// openContexts makes the contexts.
func (d *blockDecoder) openContexts() {
	r, n := &d.in, d.in.counts[countContexts]
	d.ctxPage = get(r, colCtxPage, n, d.ctxPage)
	d.ctxView = get(r, colCtxView, n, d.ctxView)
	d.ctxVisitor = get(r, colCtxVisitor, n, d.ctxVisitor)
	diff := get(r, colCtxDiff, n, d.ctxDiff)
	d.ctxDiff = diff
	d.ctxAgent = get(r, colCtxAgent, set(diff, diffAgent), d.ctxAgent)
	tagLists := get(r, colCtxTags, set(diff, diffTags), d.ctxTags)
	d.ctxTags = tagLists
	d.ctx16[0] = get(r, colCtxViewportH, set(diff, diffViewportH), d.ctx16[0])
	d.ctx16[1] = get(r, colCtxDocumentW, set(diff, diffDocumentW), d.ctx16[1])
	d.ctx16[2] = get(r, colCtxDocumentH, set(diff, diffDocumentH), d.ctx16[2])
	d.ctxLayout = get(r, colCtxLayout, set(diff, diffLayout), d.ctxLayout)
	d.ctxPointer = get(r, colCtxPointer, set(diff, diffPointer), d.ctxPointer)
	d.states = grow(d.states, n)
	clear(d.states)
	if r.err == nil {
		d.predictContexts(diff)
	}
}

func (d *blockDecoder) predictContexts(diff []uint8) {
	r := &d.in
	agents, tags, layouts, pointers := d.ctxAgent, d.ctxTags, d.ctxLayout, d.ctxPointer
	viewportH, documentW, documentH := d.ctx16[0], d.ctx16[1], d.ctx16[2]
	d.pred.reset(len(d.visitors), len(d.pages), len(d.urls))
	var views, visitors uint32
	for i, bits := range diff {
		view, visitor, page := uint32(0), uint32(0), d.ctxPage[i]
		if d.fields.has(FieldView) {
			view = backOrFresh(&views, d.ctxView[i])
		}
		if d.fields.has(visitorFields) {
			visitor = backOrFresh(&visitors, d.ctxVisitor[i])
		}
		r.check(view, len(d.views))
		r.check(visitor, len(d.visitors))
		r.check(page, len(d.pages))
		if r.err != nil {
			return
		}
		p := &d.pages[page]
		c := d.pred.predict(visitor, page, p.url, p.viewportW)
		c.page, c.view, c.visitor = page, view, visitor
		c.agent = takeIf(bits&diffAgent, &agents, c.agent)
		c.tags = takeIf(bits&diffTags, &tags, c.tags)
		c.viewportH = takeIf(bits&diffViewportH, &viewportH, c.viewportH)
		if bits&diffDocumentW != 0 {
			c.documentW = p.viewportW + unzigzag16(takeIf(1, &documentW, 0))
		}
		c.documentH = takeIf(bits&diffDocumentH, &documentH, c.documentH)
		c.layout = takeIf(bits&diffLayout, &layouts, c.layout)
		c.pointer = heatmap.Pointer(takeIf(bits&diffPointer, &pointers, uint8(c.pointer)))
		r.check(c.agent, len(d.agents))
		r.check(c.tags, len(d.tagLists))
		d.states[i].pointer = c.pointer
		d.pred.note(visitor, page, p.url, &c)
	}
}

// backOrFresh is the inverse of freshOrBack.
func backOrFresh(seen *uint32, code uint32) uint32 {
	if code == 0 {
		*seen++
		return *seen - 1
	}
	return *seen - code
}
