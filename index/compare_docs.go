package index

import (
	"container/heap"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"github.com/cespare/xxhash/v2"

	"heatlog/heatmap"
)

// checkDocuments reads every document of the generation once. The cells of each layer must add up to its hits (of a month: as
// those of its days do), the days of a month must give the month byte for byte, and the hits of all days, and of all months,
// must be those of the totals. It gives the keys that are to be recounted.
func (c *comparison) checkDocuments(ctx context.Context) (*recountedKeys, error) {
	a := &docAudit{comparison: c, sums: make(map[string]*docSums), months: make(map[monthKey]monthDoc), days: make(map[string]*heatmap.Delta)}
	for _, s := range c.cuts {
		if !s.whole {
			a.sums[s.id] = new(docSums)
		}
	}
	a.sample.init(c.options.Generation)
	where := Range{Generation: c.options.Generation, AllSites: true, IsPrefix: true}
	if err := c.options.Store.Scan(ctx, where, func(d Doc) error { a.doc(&d); return ctx.Err() }); err != nil {
		return nil, fmt.Errorf("read documents: %w", err)
	}
	a.endPage()
	c.check("documents", "documents whose cells add up to their hits", a.docs, a.badDocs)
	c.check("months", "months of pages that are their days together, byte for byte", a.monthsDone, a.badMonths)
	a.checkSums()
	return newRecountedKeys(a.sample.take(), c.options.Rules.CellSize()), nil
}

// docAudit is the reading of documents under way. They come by site, page, month or day, and source, a page's months first.
type docAudit struct {
	*comparison
	sums   map[string]*docSums // by source
	sample sample

	site, page string
	months     map[monthKey]monthDoc // of the page, whose days are to come
	month      heatmap.Period        // of days
	days       map[string]*heatmap.Delta

	docs, badDocs, monthsDone, badMonths uint64
}

type monthKey struct {
	month  heatmap.Period
	source string
}

// monthDoc is what is remembered of a month until its days are read.
type monthDoc struct {
	sum  [sha256.Size]byte
	hits uint64

	names map[heatmap.ElementID]heatmap.ElementName // that its days lack
}

// docSums are the hits of a source's documents.
type docSums struct{ days, months layerSums }

// layerSums are hits by kind, and those of bots among them that were recorded.
type layerSums struct {
	kinds kindCounts
	bots  uint64
}

func (s *layerSums) add(id heatmap.LayerID, hits uint64) {
	s.kinds[id.Kind()] += hits
	if id.Bot() && id.Kind().Recorded() {
		s.bots += hits
	}
}

func (a *docAudit) doc(d *Doc) {
	if d.Site != a.site || d.Page != a.page {
		a.endPage()
		a.site, a.page = d.Site, d.Page
	}
	a.docs++
	sums := a.sums[d.Source]
	var own layerSums
	_, damage := heatmap.BlobLayers(d.Blob, own.add)
	for _, s := range a.cuts {
		if s.id == d.Source && d.Watermark > s.position {
			a.badDoc(d, "holds hits up to position %d, the generation counts up to %d", d.Watermark, s.position)
			return
		}
		if s.id == d.Source && s.recountable() {
			a.sample.add(d.Ref, len(d.Blob), own.kinds.hits())
		}
	}
	if damage != nil {
		a.badDoc(d, "cannot be read: %v", damage)
		return
	}
	if d.Period.IsMonth() {
		month := monthDoc{sha256.Sum256(d.Blob), own.kinds.hits(), make(map[heatmap.ElementID]heatmap.ElementName)}
		if err := heatmap.BlobNames(d.Blob, func(id heatmap.ElementID, name heatmap.ElementName) { month.names[id] = name }); err != nil {
			a.badDoc(d, "cannot be read: %v", err)
			return
		}
		a.months[monthKey{d.Period, d.Source}] = month
	} else if err := a.addDay(d); err != nil {
		a.badDoc(d, "cannot be read: %v", err)
		return
	}
	if sums == nil {
		return // of a source that is not read: nothing is known of its hits
	}
	of := &sums.days
	if d.Period.IsMonth() {
		of = &sums.months
	}
	of.kinds.add(&own.kinds)
	of.bots += own.bots
}

func (a *docAudit) badDoc(d *Doc, format string, args ...any) {
	a.badDocs++
	a.problems.add("documents: %s %s", keyText(d.Key), fmt.Sprintf(format, args...))
}

// addDay adds a day to the days of its month.
func (a *docAudit) addDay(d *Doc) error {
	if month := heatmap.MonthPeriod(d.Period.First()); month != a.month {
		a.endMonth()
		a.month = month
	}
	sum := a.days[d.Source]
	if sum == nil {
		sum = new(heatmap.Delta)
		a.days[d.Source] = sum
	}
	return sum.MergeBlob(d.Blob)
}

// endMonth compares the days of a month with the month.
func (a *docAudit) endMonth() {
	for source, days := range a.days {
		a.monthsDone++
		key := monthKey{a.month, source}
		month, ok := a.months[key]
		delete(a.months, key)
		var hits kindCounts
		days.Layers(func(id heatmap.LayerID, n uint64) { hits[id.Kind()] += n })
		for id, name := range month.names {
			days.NameElement(id, name)
		}
		switch {
		case !ok:
			a.badMonth(a.month, "has no document, its days have %d hits", hits.hits())
		case sha256.Sum256(days.Append(nil)) != month.sum:
			a.badMonth(a.month, "is not its days together: it has %d hits, they have %d", month.hits, hits.hits())
		}
	}
	clear(a.days)
}

// endPage ends the last month of a page.
func (a *docAudit) endPage() {
	a.endMonth()
	for key, month := range a.months {
		a.monthsDone++
		a.badMonth(key.month, "has %d hits, and none of its days a document", month.hits)
	}
	clear(a.months)
	a.month = 0
}

func (a *docAudit) badMonth(month heatmap.Period, format string, args ...any) {
	a.badMonths++
	a.problems.add("months: %s %s", keyText(heatmap.Key{Site: a.site, Page: a.page, Period: month}), fmt.Sprintf(format, args...))
}

// checkSums compares the hits of all days, and of all months, with the totals.
func (a *docAudit) checkSums() {
	var done, failed uint64
	for _, s := range a.cuts {
		if s.whole {
			continue // by other rules
		}
		t := &s.totals
		for _, of := range []struct {
			name string
			sums *layerSums
		}{{"days", &a.sums[s.id].days}, {"months", &a.sums[s.id].months}} {
			k := &of.sums.kinds
			for _, n := range []struct {
				name      string
				has, want uint64
			}{
				{"views", k[heatmap.KindView], t.Views}, {"clicks", k[heatmap.KindClick], t.Clicks},
				{"scrolls", k[heatmap.KindScroll], t.Scrolls}, {"moves", k[heatmap.KindMove], t.Moves},
				{"dead clicks", k[heatmap.KindDead], t.Dead}, {"clicks in bursts", k[heatmap.KindRage], t.Bursts * uint64(a.options.Rules.rage.clicks)},
				{"hits of bots", of.sums.bots, t.Bots},
			} {
				if done++; n.has != n.want {
					failed++
					a.problems.add("sums: the documents of %s have %d %s of journal %s, %d were counted", of.name, n.has, n.name, s.id, n.want)
				}
			}
		}
	}
	a.check("sums", "sums over all days and over all months that are what was counted", done, failed)
}

// Bounds of what is recounted.
const (
	recountKeys  = 1000     // documents
	recountBytes = 8 << 20  // of their blobs together, but for the first: a byte becomes some twenty while it is recounted
	recountHits  = 16 << 20 // in them together, but for the first: each takes half a microsecond
)

// sample keeps the documents whose hashes are the least: which ones depends on what there is and on the generation, so that
// each page, day and source has its chance, and another one in another generation.
type sample struct {
	hash xxhash.Digest // of what all have in common
	kept sampleHeap
}

type sampled struct {
	hash  uint64
	ref   Ref
	bytes int
	hits  uint64
}

func (s *sample) init(generation string) {
	s.hash.Reset()
	_, _ = s.hash.WriteString(generation) // a Digest takes everything
}

func (s *sample) add(r Ref, bytes int, hits uint64) {
	h := s.hash
	for _, text := range []string{r.Site, r.Page, r.Source} {
		_, _ = h.WriteString(text)
		_, _ = h.Write([]byte{0})
	}
	_, _ = h.Write(binary.BigEndian.AppendUint32(nil, uint32(r.Period)))
	sum := h.Sum64()
	switch {
	case len(s.kept) < recountKeys:
		heap.Push(&s.kept, sampled{sum, r, bytes, hits})
	case sum < s.kept[0].hash:
		s.kept[0] = sampled{sum, r, bytes, hits}
		heap.Fix(&s.kept, 0)
	}
}

// take gives the documents in the order of their hashes, without those that are too much beside those before.
func (s *sample) take() (refs []Ref) {
	slices.SortFunc(s.kept, func(a, b sampled) int {
		if a.hash < b.hash {
			return -1
		}
		return 1
	})
	var bytes int
	var hits uint64
	for _, k := range s.kept {
		if bytes+k.bytes <= recountBytes && hits+k.hits <= recountHits || len(refs) == 0 {
			refs = append(refs, k.ref)
			bytes, hits = bytes+k.bytes, hits+k.hits
		}
	}
	return refs
}

// sampleHeap has the greatest hash first.
type sampleHeap []sampled

func (h sampleHeap) Len() int           { return len(h) }
func (h sampleHeap) Less(i, j int) bool { return h[i].hash > h[j].hash }
func (h sampleHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *sampleHeap) Push(v any)        { *h = append(*h, v.(sampled)) }
func (h *sampleHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	*h = old[:len(old)-1]
	return last
}

// checkKeys compares the documents of keys with what the journal says.
func (c *comparison) checkKeys(ctx context.Context, keys *recountedKeys) error {
	const atATime = 50
	var failed uint64
	for refs := range slices.Chunk(slices.Collect(maps.Keys(keys.byRef)), atATime) {
		docs, err := c.options.Store.Load(ctx, refs)
		if err != nil {
			return fmt.Errorf("load %d documents: %w", len(refs), err)
		}
		for i := range docs {
			if wrong := keys.byRef[refs[i]].differs(docs[i].Blob); wrong != "" {
				failed++
				c.problems.add("keys: %s %s", keyText(refs[i].Key), wrong)
			}
		}
	}
	c.check("keys", "days and months of pages recounted from the journal, byte for byte", uint64(len(keys.byRef)), failed)
	return nil
}
