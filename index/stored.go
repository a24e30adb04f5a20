package index

import (
	"context"
	"errors"
	"slices"
	"strings"

	"heatlog/heatmap"
)

// keeper is a reducer of which what the store has can be kept.
type keeper interface {
	reducer
	what() string                                                    // names what is kept of a plan
	keep(s *stored, p *storedPage, k heatmap.Key, blob []byte) error // adds a blob to what is kept
	seal(s *stored)                                                  // ends keeping
	begin(s *stored)                                                 // makes what was kept the begin of the sum
}

// stored is what the store has of an answer. It does not change once it is read.
type stored struct {
	sources []string
	highest []uint64 // watermark of the documents of a source
	pages   map[string]*storedPage
	sum     *storedSum // of the answers that need one
	bytes   int        // about what it takes
}

// storedPage is what the store has of a page.
type storedPage struct {
	pageCount                  // of a list
	documents []storedDocument // in order of period and source
}

// storedDocument is where a document ends.
type storedDocument struct {
	period    heatmap.Period
	source    int // index of stored.sources
	watermark uint64
}

// What pages and documents take, bytes. TestStoredBytes compares it with the heap.
const (
	storedPageBytes     = 208
	storedDocumentBytes = 24
)

func newStored() *stored { return &stored{pages: make(map[string]*storedPage)} }

// errLarge says that what is stored is too large to be kept.
var errLarge = errors.New("too large to be kept")

// doc adds a document, in the order of Scan. The error is errLarge if all take more than max bytes.
func (s *stored) doc(k keeper, d Doc, max int) error {
	p := s.pages[d.Page]
	if p == nil {
		p = new(storedPage)
		s.pages[strings.Clone(d.Page)] = p
		s.bytes += storedPageBytes + len(d.Page)
	}
	source := slices.Index(s.sources, d.Source)
	if source < 0 {
		source = len(s.sources)
		s.sources, s.highest = append(s.sources, strings.Clone(d.Source)), append(s.highest, 0)
	}
	if d.Watermark > s.highest[source] {
		s.highest[source] = d.Watermark
	}
	if len(p.documents) == cap(p.documents) {
		p.documents = slices.Grow(p.documents, 1)
		s.bytes += storedDocumentBytes * (cap(p.documents) - len(p.documents))
	}
	p.documents = append(p.documents, storedDocument{d.Period, source, d.Watermark})
	err := k.keep(s, p, d.Key, d.Blob)
	if err == nil && s.bytes > max {
		err = errLarge
	}
	return err
}

// addTo adds what is stored to a sum, and the copies of what was live that go on where it ends.
func (s *stored) addTo(f *fold, k keeper) error {
	for i, source := range s.sources {
		switch cut := f.cuts[source]; {
		case cut == nil && !isCarried(source):
			f.other(source)
		case cut != nil && s.highest[i] > cut.position && !cut.ended:
			return errOvertaken
		}
	}
	k.begin(s)
	for source, cut := range f.cuts {
		for k, parts := range cut.copies {
			if err := f.chain(source, k, s.watermark(k, source), parts); err != nil {
				return err
			}
		}
		clear(cut.copies)
	}
	return nil
}

// watermark gives where the document of a key ends, 0 if there is none.
func (s *stored) watermark(k heatmap.Key, source string) uint64 {
	p := s.pages[k.Page]
	if p == nil {
		return 0
	}
	i, _ := slices.BinarySearchFunc(p.documents, k.Period, func(d storedDocument, period heatmap.Period) int {
		return int(int64(d.period) - int64(period))
	})
	for ; i < len(p.documents) && p.documents[i].period == k.Period; i++ {
		if s.sources[p.documents[i].source] == source {
			return p.documents[i].watermark
		}
	}
	return 0
}

// readStored adds what the store has of a plan, and the copies of the same keys.
func (x *Index) readStored(ctx context.Context, t *turn, pl *plan, f *fold) error {
	k, isKept := f.reducer.(keeper)
	store, isVersioned := x.options.Store.(Versioned)
	if !isKept || !isVersioned {
		return x.scanStored(ctx, t, pl, f.doc)
	}
	version := store.Version
	if pl.exact {
		version = func() uint64 { return store.PageVersion(pl.query.Site, pl.page) }
	}
	return x.kept.read(keptKeyOf(k.what(), pl), version(), k, f, func(fn func(Doc) error) error { return x.scanStored(ctx, t, pl, fn) })
}

// read adds what the store has, which has this version now that the live parts are copied: what is kept of it, or what scan calls
// its function with.
func (c *keptCache) read(key keptKey, version uint64, k keeper, f *fold, scan func(fn func(Doc) error) error) error {
	s, tooLarge := c.get(key, version)
	if s == nil && !tooLarge {
		read := newStored()
		err := scan(func(d Doc) error { return read.doc(k, d, c.max) })
		switch tooLarge = errors.Is(err, errLarge); {
		case tooLarge:
		case err != nil:
			return err
		default:
			k.seal(read)
			s = read
		}
		c.put(key, version, s)
	}
	if tooLarge {
		return scan(f.doc)
	}
	return s.addTo(f, k)
}

// scanStored calls fn for each document of a plan.
func (x *Index) scanStored(ctx context.Context, t *turn, pl *plan, fn func(Doc) error) error {
	where := Range{
		Generation: x.options.Generation, Site: pl.query.Site, Page: pl.prefix, IsPrefix: !pl.exact, Periods: pl.periods,
	}
	var refused error
	err := x.options.Store.Scan(ctx, where, func(d Doc) error {
		t.rest()
		if pl.match(d.Page) {
			refused = fn(d)
		}
		return refused
	})
	if err != nil && refused == nil {
		err = &readError{err}
	}
	return err
}
