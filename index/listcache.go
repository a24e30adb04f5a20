package index

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"heatlog/heatmap"
)

// Versioned is a Store whose documents only this process changes. Version is another one, and greater, when a change begins, when it
// has been made or has failed, and when what an earlier one left may have come to light: while it stays the same, whoever scans
// finds the same, but for what is being changed.
type Versioned interface {
	Version() uint64
}

// listCache keeps what the store has of lists of pages, so that only what is live is added to it as long as the store does not
// change. It is safe for concurrent use.
type listCache struct {
	max int // bytes

	mu      sync.Mutex // guards all below
	version uint64     // of the store when the lists were read
	bytes   int
	asked   uint64 // grows with each call
	lists   map[listKey]*keptList
}

// listKey names what a list is made of.
type listKey struct {
	site, page, periods string
	width, device, bots string
}

type keptList struct {
	*storedList        // nil is one that is too large to be kept
	size        int    // bytes
	asked       uint64 // when it was asked for last
}

func newListCache(max int) *listCache {
	return &listCache{max: max, lists: make(map[listKey]*keptList)}
}

// listKeyOf gives the key of a plan that blobs answer.
func listKeyOf(pl *plan) listKey {
	q := &pl.query
	return listKey{q.Site, pl.page, fmt.Sprint(pl.periods), fmt.Sprint(q.Width), fmt.Sprint(q.Device), fmt.Sprint(q.Bots)}
}

// get gives the list that was read when the store had this version, nil if it is not kept, and whether it is known to be too large.
func (c *listCache) get(key listKey, version uint64) (s *storedList, tooLarge bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	kept := c.lists[key]
	if kept == nil || c.version != version {
		return nil, false
	}
	kept.asked = c.asked
	return kept.storedList, kept.storedList == nil
}

// put keeps a list that was read when the store had this version, or later: then nobody is given it. nil is one that is too large.
// Those of older versions go, and of what was asked for least recently as much as is too much.
func (c *listCache) put(key listKey, version uint64, s *storedList) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if version < c.version || version == c.version && c.lists[key] != nil {
		return
	}
	size := keptListBytes + len(key.site) + len(key.page) + len(key.periods)
	if s != nil {
		size += s.bytes
	}
	if size > c.max {
		return
	}
	if version > c.version {
		clear(c.lists)
		c.version, c.bytes = version, 0
	}
	for c.bytes+size > c.max {
		var oldest listKey
		var found *keptList
		for k, kept := range c.lists {
			if found == nil || kept.asked < found.asked {
				oldest, found = k, kept
			}
		}
		delete(c.lists, oldest)
		c.bytes -= found.size
	}
	c.asked++
	c.lists[key] = &keptList{s, size, c.asked}
	c.bytes += size
}

// storedList is what the store has of a list of pages. It does not change once it is read.
type storedList struct {
	sources []string
	highest []uint64 // watermark of the documents of a source
	pages   map[string]*storedPage
	bytes   int // about what it takes
}

// storedPage is what the store has of a page.
type storedPage struct {
	pageCount
	documents []storedDocument // in order of period and source
}

// storedDocument is where a document ends.
type storedDocument struct {
	period    heatmap.Period
	source    int // index of storedList.sources
	watermark uint64
}

// What is kept beside a list, and what its pages and documents take, bytes. TestListBytes compares it with the heap.
const (
	keptListBytes       = 300
	storedPageBytes     = 208
	storedDocumentBytes = 24
)

func newStoredList() *storedList { return &storedList{pages: make(map[string]*storedPage)} }

// errLarge says that a list is too large to be kept.
var errLarge = errors.New("list is too large to be kept")

// doc adds a document, in the order of Scan. The error is errLarge if the list takes more than max bytes.
func (s *storedList) doc(c *pageCounts, d Doc, max int) error {
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
	samples, err := heatmap.BlobLayers(d.Blob, func(id heatmap.LayerID, hits uint64) { c.count(&p.pageCount, id, hits) })
	p.samples.Add(&samples)
	if len(p.documents) == cap(p.documents) {
		p.documents = slices.Grow(p.documents, 1)
		s.bytes += storedDocumentBytes * (cap(p.documents) - len(p.documents))
	}
	p.documents = append(p.documents, storedDocument{d.Period, source, d.Watermark})
	if err == nil && s.bytes > max {
		err = errLarge
	}
	return err
}

// addTo adds what is stored to counts, and the copies of what was live that go on where it ends.
func (s *storedList) addTo(f *fold, c *pageCounts) error {
	for i, source := range s.sources {
		switch cut := f.cuts[source]; {
		case cut == nil && !isCarried(source):
			f.other(source)
		case cut != nil && s.highest[i] > cut.position && !cut.ended:
			return errOvertaken
		}
	}
	for page, p := range s.pages {
		c.add(heatmap.Key{Page: page}, &p.pageCount)
	}
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
func (s *storedList) watermark(k heatmap.Key, source string) uint64 {
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
	counts, isList := f.reducer.(*pageCounts)
	store, isVersioned := x.options.Store.(Versioned)
	if !isList || !isVersioned || pl.exact {
		return x.scanStored(ctx, t, pl, f.doc)
	}
	key, version := listKeyOf(pl), store.Version()
	s, tooLarge := x.lists.get(key, version)
	if s == nil && !tooLarge {
		read := newStoredList()
		err := x.scanStored(ctx, t, pl, func(d Doc) error { return read.doc(counts, d, x.lists.max) })
		if tooLarge = errors.Is(err, errLarge); !tooLarge {
			s = read
		}
		if err != nil && !tooLarge {
			return err
		}
		x.lists.put(key, version, s)
	}
	if tooLarge {
		return x.scanStored(ctx, t, pl, f.doc)
	}
	return s.addTo(f, counts)
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
