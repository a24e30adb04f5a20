package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"heatlog/cmd/heatlog/internal/stream"
	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/index/pebblestore"
	"heatlog/journal"
	"heatlog/replay"
)

// benchSet is a data folder with hits of the stream that are counted and stored: all of site-0, in 120 days from 1 January 2026 on.
type benchSet struct {
	data          dataDir
	hits          int
	active        int64 // bytes of the journal before it was sealed
	sealed        int64 // after it, 0 if it was not
	stored        storedSizes
	appended, all time.Duration
}

// maxSegment is the longest segment that a journal may have, bytes.
const maxSegment = 16 << 30

// fillCache is the memory that counts are kept in while a folder is filled, bytes.
const fillCache = 2 << 30

// segments is what becomes of the journal of a set.
type segments int

// The journals of sets.
const (
	sealedSegments segments = iota
	fullSegments            // a server begins to seal them
	oneSegment              // which a server leaves alone until a hit comes in
)

// fill makes a set. The journal is written and counted at the same time.
func (b *bench) fill(name string, o stream.Options, as segments) (*benchSet, error) {
	dir, err := b.folder(name)
	if err != nil {
		return nil, err
	}
	defer debug.FreeOSMemory() // what counting took must not press on what is measured
	set := &benchSet{data: dataDir(dir), hits: int(o.Hits)}
	source := &benchHits{stream: stream.New(o), left: set.hits}
	if as == oneSegment {
		source.segment = maxSegment
	}
	sites, err := set.data.openSites()
	if err != nil {
		return nil, err
	}
	for _, site := range source.stream.Sites() {
		if err := sites.Put(site); err != nil {
			return nil, err
		}
	}
	j, err := source.open(set.data.journal())
	if err != nil {
		return nil, err
	}
	if err := errors.Join(set.count(j, source, sites.Zone), j.Close()); err != nil {
		return nil, err
	}
	if set.active, err = filesSize(set.data.journal()); err != nil {
		return nil, err
	}
	if as == sealedSegments {
		if j, err = source.sealed(set.data.journal()); err != nil {
			return nil, err
		}
		if err := j.Close(); err != nil {
			return nil, err
		}
		if set.sealed, err = filesSize(set.data.journal()); err != nil {
			return nil, err
		}
	}
	set.stored, err = storedSizesOf(set.data)
	b.note("%s hits: written in %v, counted and stored after %v", millions(set.hits), set.appended.Round(time.Second/10), set.all.Round(time.Second/10))
	return set, err
}

// count writes the hits into the journal and stores what is counted from them.
func (set *benchSet) count(j *journal.Journal, source *benchHits, zone func(string) *time.Location) error {
	store, err := pebblestore.Open(set.data.store(), pebblestore.Options{})
	if err != nil {
		return err
	}
	ctx, start := context.Background(), time.Now()
	g, err := replay.Open(ctx, replay.Options{
		Index: index.Options{Store: store, Zone: zone, CacheBytes: fillCache, FlushEvery: time.Hour},
		Sources: func(damaged func(*journal.CorruptError)) (index.Source, []index.Source) {
			return index.JournalSource(j, damaged), nil
		},
	})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	err = source.appendTo(j, lastHits)
	set.appended = time.Since(start)
	for err == nil && g.Lag() > 0 {
		time.Sleep(10 * time.Millisecond)
	}
	err = errors.Join(err, g.Close(ctx), store.Close())
	set.all = time.Since(start)
	return err
}

// benchHits gives the bench's hits in the order in which a server would take them.
type benchHits struct {
	stream  *stream.Stream
	left    int
	segment int64           // length of the journal's segments, bytes, 0 = the journal's default
	batches []heatmap.Batch // used again and again
}

// benchStream says what the bench's hits are: n of one site, 2,000 pages and 120 days, whatever n is.
func benchStream(n int) stream.Options {
	return stream.Options{Seed: 1, Sites: 1, Pages: benchPages, Hits: uint64(n)}
}

// benchPages is how many pages the site of a set has.
const benchPages = 2000

func newBenchHits(n int) *benchHits { return &benchHits{stream: stream.New(benchStream(n)), left: n} }

// next gives the next batches with at least hits hits in all, or what is left; nothing at the end. They stay valid until it is
// called again.
func (h *benchHits) next(hits int) []heatmap.Batch {
	n := 0
	for got := 0; got < hits && h.left > 0; n++ {
		if n == len(h.batches) {
			h.batches = append(h.batches, heatmap.Batch{})
		}
		b := &h.batches[n]
		h.stream.Next(b)
		b.Hits = b.Hits[:min(len(b.Hits), h.left)]
		h.left -= len(b.Hits)
		got += len(b.Hits)
	}
	return h.batches[:n]
}

// lastHits is how many hits are kept for after a journal's next start: the first of them ends the segment before it, so that this can be
// sealed.
const lastHits = 20

// open opens a journal whose append time goes with the stream.
func (h *benchHits) open(dir string) (*journal.Journal, error) {
	return journal.Open(dir, journal.Options{Ack: journal.AckWrite, SegmentBytes: h.segment, Now: func() time.Time { return time.UnixMilli(h.stream.Time()) }})
}

// appendTo writes all but the last so many hits into a journal, and waits until they can be read.
func (h *benchHits) appendTo(j *journal.Journal, keep int) error {
	h.left -= keep
	end := uint64(0)
	for batches := h.next(1000); len(batches) > 0; batches = h.next(1000) {
		var err error
		if end, err = j.Append(batches); err != nil {
			return fmt.Errorf("fill journal: %w", err)
		}
	}
	h.left += keep
	for j.Durable() < end {
		time.Sleep(time.Millisecond)
	}
	return nil
}

// sealed opens a journal that has all but the last hits, adds these and seals the others.
func (h *benchHits) sealed(dir string) (*journal.Journal, error) {
	j, err := h.open(dir)
	if err != nil {
		return nil, err
	}
	if err = h.appendTo(j, 0); err == nil {
		var rep journal.SealReport
		if rep, err = j.Seal(context.Background()); err == nil && (rep.Segments == 0 || rep.Unsound > 0) {
			err = fmt.Errorf("%d segments were sealed, %d are not sound", rep.Segments, rep.Unsound)
		}
	}
	if err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

// theSet gives the set that questions are asked about, which is made once.
func (b *bench) theSet() (_ *benchSet, err error) {
	if b.set == nil {
		b.set, err = b.fill("set", benchStream(b.Hits), sealedSegments)
	}
	return b.set, err
}
