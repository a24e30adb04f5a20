package journal

// Fields is a set of fields of a hit, and of a batch, that a reader is to fill in. Kinds, positions, append times and the
// numbers of batches and hits are always there.
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
	FieldBatch                        // Batch.Site, Batch.Visitor, Batch.ID: the name of a batch

	// AllFields are all of them.
	AllFields = FieldBatch<<1 - 1
)

// has reports whether one of other is among the fields.
func (f Fields) has(other Fields) bool { return f&other != 0 }
