package index

import (
	"context"

	"heatlog/heatmap"
)

// Ref names a stored document: what one source contributed to one key in one generation.
type Ref struct {
	Generation string
	heatmap.Key
	Source string
}

// Doc is a stored document. It holds every hit of its key that its source has below Watermark.
type Doc struct {
	Ref
	Watermark uint64 // 0 = there is no such document
	Blob      []byte
}

// Write replaces a document if its watermark is still Old, 0 meaning that it must not exist.
type Write struct {
	Ref
	Old, New uint64 // Old < New
	Blob     []byte
}

// PeriodRange is a run of periods of one sort (months or days), both inclusive.
type PeriodRange struct{ First, Last heatmap.Period }

// Range names documents to scan: of one page, or of every page that begins with a prefix, of one site or of all.
type Range struct {
	Generation, Site string
	AllSites         bool // every site; Site is "" then
	Page             string
	IsPrefix         bool          // Page is a prefix; "" is every page of the site
	Periods          []PeriodRange // ascending, without overlap; nil = all
}

// Store keeps documents and records. All methods are safe for concurrent use. What Swap and SwapRecord have reported as
// done is durable. An error from either means that the outcome is unknown: each write may have happened, may never
// happen, or may happen later, but only ever as the compare-and-swap that it is.
type Store interface {
	// Load gives the named documents in the order of refs. What does not exist has Watermark 0. The blobs are the
	// caller's.
	Load(ctx context.Context, refs []Ref) ([]Doc, error)

	// Swap applies each write whose document still has the watermark Old, atomically for each document, and says
	// which were applied. No two writes of a call name the same document.
	Swap(ctx context.Context, writes []Write) (applied []bool, err error)

	// Scan calls fn for every document of r in ascending order of site, page (both bytewise), period and source. The blob is
	// valid only during the call. An error of fn ends the scan and is returned as it is.
	Scan(ctx context.Context, r Range, fn func(Doc) error) error

	// Sites gives the sites that a generation has documents of, in bytewise order.
	Sites(ctx context.Context, generation string) ([]string, error)

	// Drop deletes every document of a generation. It may be called again, and goes on with what an earlier call left. Nobody
	// may write documents of the generation meanwhile; who reads them finds all, some or none.
	Drop(ctx context.Context, generation string) error

	Records
}

// Records are the few small values beside the documents: checkpoints, how far flushes may have gone, generations.
type Records interface {
	// Record gives the named value, nil if there is none.
	Record(ctx context.Context, name string) ([]byte, error)

	// SwapRecord sets the named value if it is still old (nil = does not exist) and reports whether it was. A value of nil
	// deletes it.
	SwapRecord(ctx context.Context, name string, old, value []byte) (bool, error)
}
