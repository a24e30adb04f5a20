package heatmap

import (
	"fmt"
	"time"
)

// Kind says what a hit is, and what a layer counts.
type Kind uint8

// The kinds of hits that are recorded, and the two that are derived from clicks. The numbers are part of the journal's
// and the blob's format.
const (
	KindView   Kind = 1 // one page view
	KindClick  Kind = 2
	KindScroll Kind = 3
	KindMove   Kind = 4 // the pointer rested or passed here
	KindRage   Kind = 5 // derived: clicks that belong to a burst on one spot
	KindDead   Kind = 6 // derived: clicks that changed nothing
)

var kindNames = [...]string{KindView: "view", KindClick: "click", KindScroll: "scroll", KindMove: "move", KindRage: "rage", KindDead: "dead"}

// String gives the name that the API uses, or "kind(N)" for an unknown one.
func (k Kind) String() string {
	if k.Valid() {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Valid reports whether k is one of the six kinds.
func (k Kind) Valid() bool { return k >= KindView && k <= KindDead }

// Recorded reports whether k is a kind that a hit in the journal can have.
func (k Kind) Recorded() bool { return k >= KindView && k <= KindMove }

// ParseKind is the inverse of String; it takes the derived kinds too.
func ParseKind(name string) (Kind, bool) {
	for k, n := range kindNames {
		if n == name && n != "" {
			return Kind(k), true
		}
	}
	return 0, false
}

// Pointer is the device that made a click or a move.
type Pointer uint8

// The pointers; zero is unknown. The numbers are part of the journal's format.
const (
	PointerUnknown Pointer = 0
	PointerMouse   Pointer = 1
	PointerTouch   Pointer = 2
	PointerPen     Pointer = 3
)

var pointerNames = [...]string{"", "mouse", "touch", "pen"}

// String gives the name that PointerEvent.pointerType has, "" for an unknown one.
func (p Pointer) String() string {
	if int(p) < len(pointerNames) {
		return pointerNames[p]
	}
	return ""
}

// ParsePointer is the inverse of String; "" is PointerUnknown.
func ParsePointer(name string) (Pointer, bool) {
	for p, n := range pointerNames {
		if n == name {
			return Pointer(p), true
		}
	}
	return 0, false
}

// Flags are the yes-or-no facts of a hit. The bits are part of the journal's format.
type Flags uint8

// The flags of a hit; all are clear by default.
const (
	FlagFixed     Flags = 1 << 0 // the element is fixed or sticky: it does not move with the page
	FlagUntrusted Flags = 1 << 1 // made by a script, not by a person (Event.isTrusted was false)
	FlagRage      Flags = 1 << 2 // the tracker saw a burst; the index derives its own from the log
	FlagDead      Flags = 1 << 3 // the tracker saw no change after the click
)

// Limits of a hit's fields. What is outside is refused by the collector, never clamped.
const (
	MaxCoordinate = 65535   // greatest x, y, depth, from, and side of a viewport, document or box, px
	MaxDwell      = 600_000 // ms
	MaxURL        = 8 << 10 // bytes
	MaxUserAgent  = 256     // bytes; a longer one is cut at a rune's start
	MaxBatchID    = 64      // characters
	MaxTags       = 16      // tags of one hit
	MaxTag        = 64      // bytes of one tag
	MaxSelector   = 1024    // bytes
	MaxName       = 128     // bytes of a view, a visitor or an imported hit's id
	AnchorUnit    = 1 << 16 // a fraction of 1 in Hit.AnchorX and Hit.AnchorY

	MaxAhead = 24 * time.Hour // how far a hit's time may lie ahead of the server's clock
)

// MinTime is the first time that a hit may have: 2000-01-01 UTC, in Unix ms.
const MinTime int64 = 946_684_800_000

// Hit is one thing that a visitor did, with everything that was recorded of it: replay can compute anew only from what
// is here. Strings are views into the memory of whoever made the hit; a reader that keeps one longer than its chunk
// must clone it.
type Hit struct {
	Time int64 // Unix ms: the server's clock less the age that the tracker reported

	Site    string // site key
	URL     string // scrubbed, not normalised, at most MaxURL bytes
	View    string // page view id, "" = unknown
	Visitor string // daily salted hash, or what an import gave, "" = unknown

	Selector  string // of the clicked element, "" = no anchor
	Container string // selector of the inner scroll container that held it, "" = the page itself
	UserAgent string // raw, at most MaxUserAgent bytes
	ID        string // an imported hit's own id, for dropping repeats; "" = none
	Tags      []string

	X, Y                   uint16 // CSS px of the page; for a scroll Y is the top of what is visible after it
	ViewportW, ViewportH   uint16 // CSS px, 0 = unknown
	DocumentW, DocumentH   uint16 // CSS px, 0 = unknown
	Depth, From            uint16 // scroll: lowest page px seen so far, and before this hit
	BoxW, BoxH             uint16 // size of the clicked element, CSS px, 0 = unknown
	ContainerX, ContainerY uint16 // scroll offset of Container, CSS px
	Check                  uint16 // salted hash of the element's own text; meaningful if HasCheck

	AnchorX, AnchorY uint32 // fraction inside the element's box in units of 1/AnchorUnit, 0 to AnchorUnit
	Dwell            uint32 // scroll: how long the part stayed visible, ms, 0 to MaxDwell
	Layout           uint32 // hash of the page's layout, 0 = unknown

	Kind     Kind
	Pointer  Pointer
	Flags    Flags
	HasCheck bool
}

// Batch is what was sent as one thing and is counted at most once. An empty ID means that only the hits' own IDs tell
// repeats. Of a batch with a site, ID names it together with the site, and with view and user agent of its first hit;
// of one without, a part of an import, ID alone.
type Batch struct {
	Site, Visitor, ID string // Visitor is no part of the name: a batch sent again can have another one
	Hits              []Hit
}

// A Chunk is a run of hits as the journal gives them back: decoded, in the order in which they were accepted.
type Chunk struct {
	Position uint64 // of the first hit
	Appended int64  // append time of all of them, Unix ms, never less than that of the chunk before
	Batches  []Batch
	Count    int // hits in all batches
}

// End is the position after the chunk's last hit.
func (c *Chunk) End() uint64 { return c.Position + uint64(c.Count) }

// Site is a site as its owner registered it.
type Site struct {
	Key      string   `json:"key"`      // 1 to 32 of a-z, 0-9, '-'
	Origins  []string `json:"origins"`  // scheme://host[:port] that may send hits
	Timezone string   `json:"timezone"` // IANA name, "" = UTC
}

// ValidSiteKey reports whether key is 1 to 32 of a-z, 0-9 and '-'.
func ValidSiteKey(key string) bool {
	if len(key) < 1 || len(key) > 32 {
		return false
	}
	for i := range len(key) {
		c := key[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}
