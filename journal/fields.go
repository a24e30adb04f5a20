package journal

// Fields is a set of fields of a hit, and of a batch, that a reader is to fill in. Kinds, positions, append times and the
// numbers of batches and hits are always there. Some fields are predicted from others, which are filled in with them: a
// depth from the place and the viewport, a place from the box, the anchor and the flags.
type Fields uint32

// The fields. A bit stands for what is decoded together.
const (
	FieldTime      Fields = 1 << iota // Time
	FieldSite                         // Site
	FieldURL                          // URL
	FieldView                         // View
	FieldVisitor                      // Visitor
	FieldAgent                        // UserAgent
	FieldTags                         // Tags
	FieldViewport                     // ViewportW, ViewportH
	FieldDocument                     // DocumentW, DocumentH
	FieldLayout                       // Layout
	FieldPointer                      // Pointer
	FieldFlags                        // Flags
	FieldPlace                        // X, Y
	FieldSelector                     // Selector
	FieldBox                          // BoxW, BoxH
	FieldCheck                        // Check, HasCheck
	FieldAnchor                       // AnchorX, AnchorY
	FieldContainer                    // Container, ContainerX, ContainerY
	FieldDwell                        // Dwell
	FieldDepth                        // Depth, From
	FieldID                           // ID
	FieldBatch                        // Batch.Site, Batch.ID and, with FieldVisitor, Batch.Visitor

	// AllFields are all of them.
	AllFields = FieldBatch<<1 - 1
)

// has reports whether one of other is among the fields.
func (f Fields) has(other Fields) bool { return f&other != 0 }

// expanded adds the fields without which others cannot be told.
func (f Fields) expanded() Fields {
	if f.has(FieldBatch) {
		f |= FieldSite | FieldView
	}
	if f.has(FieldDepth) {
		f |= FieldPlace | FieldViewport
	}
	if f.has(FieldPlace) {
		f |= FieldBox | FieldAnchor | FieldFlags
	}
	return f
}

// The fields that depend on where a hit comes from, or how it is laid out. They are expanded.
const (
	elementFields = FieldPlace | FieldSelector | FieldBox | FieldCheck // of the element of a hit
	pageFields    = elementFields | FieldSite | FieldURL | FieldViewport | FieldDocument | FieldLayout
	visitorFields = FieldVisitor | FieldAgent | FieldTags | FieldViewport | FieldPointer
	diffFields    = FieldAgent | FieldTags | FieldViewport | FieldDocument | FieldLayout | FieldPointer
	hitFields     = elementFields | FieldAnchor | FieldDepth | FieldDwell // more than flags and what is rare
)

// columnSet is a set of columns that this version knows.
type columnSet [(columns + 63) / 64]uint64

func (s *columnSet) has(c column) bool { return c < columns && s[c/64]&(1<<(c%64)) != 0 }

// columns gives what has to be decoded for the fields, which are expanded.
func (f Fields) columns() (s columnSet) {
	need := func(fields Fields, list ...column) {
		if !f.has(fields) {
			return
		}
		for _, c := range list {
			s[c/64] |= 1 << (c % 64)
		}
	}
	f |= 1 << 31 // a bit that is always set
	need(1<<31, colChunkBatches, colChunkAppended, colBatchFlags, colBatchRuns, colRunLength, colRunContext, colHead, colRare, colKind)
	need(FieldTime, colRunTime, colTime)
	need(pageFields, colCtxPage, colPageURL, colPageViewportW)
	need(visitorFields, colCtxVisitor)
	need(diffFields, colCtxDiff)
	need(elementFields, colPageElements, colElement, colElSelector)
	need(FieldSite, colURLSite, colSiteText)
	need(FieldURL, colURLText)
	need(FieldView, colCtxView, colViewText)
	need(FieldVisitor, colVisitorText)
	need(FieldAgent, colCtxAgent, colAgentText)
	need(FieldTags, colCtxTags, colTagCount, colTag, colTagText)
	need(FieldViewport, colCtxViewportH)
	need(FieldDocument, colCtxDocumentW, colCtxDocumentH)
	need(FieldLayout, colCtxLayout)
	need(FieldPointer, colCtxPointer, colPointer)
	need(FieldFlags, colFlags)
	need(FieldPlace, colElLeft, colElTop, colOffX, colOffY, colX, colY, colScrollY, colOddX, colOddY)
	need(FieldSelector, colSelectorText)
	need(FieldBox, colElDiff, colElBoxW, colElBoxH)
	need(FieldCheck, colElDiff, colElCheck)
	need(FieldAnchor, colAnchorX, colAnchorY, colOddAnchorX, colOddAnchorY)
	need(FieldContainer, colContainer, colContainerX, colContainerY, colContainerText)
	need(FieldDwell, colDwell, colOddDwell)
	need(FieldDepth, colFrom, colDepth)
	need(FieldID, colID)
	need(FieldBatch, colBatchSuffix, colBatchID, colBatchSite, colBatchVisitor, colSuffixText)
	return s
}
