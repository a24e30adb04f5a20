package journal

import (
	"strings"

	"heatlog/heatmap"
)

const (
	// blockHits is the number of hits from which a block takes no other chunk.
	blockHits = 32 << 10
	// blockTexts is the length of a block's distinct texts from which it takes no other chunk, bytes.
	blockTexts = 4 << 20
	// maxBlock is the greatest length of a block's payload before compression, bytes.
	maxBlock = 64 << 20
	// maxBlockTags is the greatest number of tags in a block's distinct lists.
	maxBlockTags = 1 << 20
)

// The counts at the begin of a block's payload.
const (
	countBatches = iota
	countRuns
	countContexts
	countPages
	countURLs
	countElements
	countTagLists
	countTags // in all lists
	countSites
	countViews
	countVisitors
	countAgents
	countTagTexts
	countSelectors
	countContainers
	countSuffixes
)

// The bits of a batch's flags.
const (
	batchNamed   = 1 << 0 // it has a name
	batchSuffix  = 1 << 1 // its id is the view of its first hit and a suffix
	batchStrange = 1 << 2 // its site or visitor is not that of its first hit
)

// The bits of a hit's head; bits 0 and 1 are the kind less one.
const (
	headElement = 1 << 2
	headFlags   = 1 << 3
	headRare    = 1 << 4
)

// The bits of what is rare in a hit.
const (
	rareKind      = 1 << 0 // not one that is recorded
	rarePointer   = 1 << 1 // not the one of the context
	rareAnchor    = 1 << 2 // too great for its code
	rareContainer = 1 << 3
	rareID        = 1 << 4
	rarePlace     = 1 << 5 // of a view, or x of a scroll
	rareDwell     = 1 << 6 // of what is not a scroll
	rareDepth     = 1 << 7 // not as predicted
)

// The bits of a context that is not as predicted.
const (
	diffAgent = 1 << iota
	diffTags
	diffViewportH
	diffDocumentW
	diffDocumentH
	diffLayout
	diffPointer
)

// The bits of an element that is not as predicted.
const (
	diffBoxW = 1 << iota
	diffBoxH
	diffCheck
	elementHasCheck
)

// anchorCodes is the number of thousandths that have a code of their own.
const anchorCodes = 1001

// thousandths gives the anchor of t/1000, as the collector rounds it.
func thousandths(t uint32) uint32 { return (t*heatmap.AnchorUnit + 500) / 1000 }

// anchorCode gives the code of an anchor: a thousandth, as the tracker rounds, or all else behind them.
func anchorCode(a uint32) (code uint32, ok bool) {
	if a <= heatmap.AnchorUnit {
		if t := (a*1000 + heatmap.AnchorUnit/2) / heatmap.AnchorUnit; thousandths(t) == a {
			return t, true
		}
	}
	return a + anchorCodes, a+anchorCodes >= anchorCodes
}

// dict numbers the distinct texts of a block in the order in which they come.
type dict struct {
	index map[string]uint32
	texts texts
}

func (d *dict) id(s string) (n uint32, fresh bool) {
	n, ok := d.index[s]
	if !ok {
		if d.index == nil {
			d.index = map[string]uint32{}
		}
		n = uint32(len(d.index))
		d.index[strings.Clone(s)] = n
		d.texts.add(s)
	}
	return n, !ok
}

func (d *dict) reset() {
	clear(d.index)
	d.texts.reset()
}

func (d *dict) len() uint32 { return uint32(len(d.index)) }

// hitContext is what the hits of a run have in common.
type hitContext struct {
	page, view, visitor, agent, tags uint32
	viewportH, documentW, documentH  uint16
	layout                           uint32
}

// viewState is what a context's hits are predicted from.
type viewState struct {
	top, depth uint16 // of the last scroll
	pointer    heatmap.Pointer
	points     bool // pointer is known
}

// pageKey is a page as it is laid out for one width.
type pageKey struct {
	url       uint32
	viewportW uint16
}

// urlKey is a URL of a site.
type urlKey struct{ site, text uint32 }

// elementKey is a clicked element of a page.
type elementKey struct {
	page, selector    uint32
	boxW, boxH, check uint16
	hasCheck          bool
}

// place16 is a place on a page.
type place16 struct{ x, y uint16 }

// blockBuilder collects the hits of a block.
type blockBuilder struct {
	out  columnWriter
	most int // hits from which it takes no other chunk

	sites, urlTexts, views, visitors, agents, tags, selectors, containers, suffixes dict

	urls     map[urlKey]uint32
	urlList  []urlKey
	pages    map[pageKey]uint32
	pageList []pageKey
	tagSets  map[string]uint32 // the numbers of the tags, as bytes
	tagList  [][]uint32
	contexts map[hitContext]uint32
	ctxList  []hitContext
	ctxFresh []uint8 // bit 0 view, bit 1 visitor: seen for the first time
	states   []viewState
	elements map[elementKey]uint32
	elKeys   []elementKey
	elPlaces []place16 // of the element, from its first hit
	elUses   []uint32

	hits, tagCount int
	suffixed       int // bytes of the ids that are a view and a suffix
	chunkBatches   []uint32
	chunkAppended  []uint64
	appended       int64 // of the last chunk

	batchFlags                          []uint8
	batchRuns                           []uint32
	batchSuffix                         []uint32
	batchIDs, batchSites, batchVisitors texts

	runLength, runContext []uint32
	runTime               []uint64

	head                   []uint8
	time                   []uint64
	element                []uint32
	anchorX, anchorY       []uint32
	offX, offY             []uint16
	x, y, scrollY          []uint16
	dwell                  []uint32
	flags, rare            []uint8
	kind, pointer          []uint8
	oddAnchorX, oddAnchorY []uint32
	container              []uint32
	containerX, containerY []uint16
	ids                    texts
	oddX, oddY             []uint16
	oddDwell               []uint32
	from, depth            []uint16
	keyBuf                 []byte
}
