package journal

import "heatlog/heatmap"

// predicted is a context with all that may be as it was before.
type predicted struct {
	hitContext
	pointer heatmap.Pointer
}

// diff gives the bits of what is not as in want.
func (p *predicted) diff(want *predicted) uint8 {
	return bit(p.agent != want.agent, diffAgent) | bit(p.tags != want.tags, diffTags) | bit(p.viewportH != want.viewportH, diffViewportH) |
		bit(p.documentW != want.documentW, diffDocumentW) | bit(p.documentH != want.documentH, diffDocumentH) |
		bit(p.layout != want.layout, diffLayout) | bit(p.pointer != want.pointer, diffPointer)
}

// predictor knows the last context of each visitor, page and URL, by number plus one; 0 = there is none.
type predictor struct {
	seen                     []predicted
	byVisitor, byPage, byURL []uint32
}

func newPredictor(visitors, pages, urls int) *predictor {
	p := &predictor{}
	p.reset(visitors, pages, urls)
	return p
}

func (p *predictor) reset(visitors, pages, urls int) {
	p.seen = p.seen[:0]
	p.byVisitor, p.byPage, p.byURL = grow(p.byVisitor, visitors), grow(p.byPage, pages), grow(p.byURL, urls)
	clear(p.byVisitor)
	clear(p.byPage)
	clear(p.byURL)
}

// predict gives a context as the ones before let it expect: agent, tags, viewport and pointer are those of the visitor,
// the document is that of the page, the layout that of the URL.
func (p *predictor) predict(visitor, page, url uint32, viewportW uint16) (want predicted) {
	want.documentW = viewportW
	if n := p.byURL[url]; n > 0 {
		want.layout = p.seen[n-1].layout
	}
	if n := p.byPage[page]; n > 0 {
		last := &p.seen[n-1]
		want.documentW, want.documentH, want.layout = last.documentW, last.documentH, last.layout
	}
	if n := p.byVisitor[visitor]; n > 0 {
		last := &p.seen[n-1]
		want.agent, want.tags, want.viewportH, want.pointer = last.agent, last.tags, last.viewportH, last.pointer
	}
	return want
}

// note adds a context.
func (p *predictor) note(visitor, page, url uint32, c *predicted) {
	p.seen = append(p.seen, *c)
	n := uint32(len(p.seen))
	p.byVisitor[visitor], p.byPage[page], p.byURL[url] = n, n, n
}
