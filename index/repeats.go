package index

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"

	"github.com/cespare/xxhash/v2"

	"heatlog/heatmap"
)

// bucketMillis is the length of a bucket of append time, ms. What the stream remembers, it remembers by buckets: those of the
// log, one that holds no hit is none. So time that passes without hits makes nothing be forgotten, nor does a jump of the
// clock by itself.
const bucketMillis = 600_000

// repeats applies repeats/2: it tells batches and hits that came before. A batch (see namer.batch for what names it) or
// a hit (site, id) is a repeat if it is one in a log that begins with the last bucket before this one that holds a hit,
// however long ago that is. So a batch is told for as long as buckets turn no more than once: for ten minutes, and over
// one jump of the clock or pause of any length. One that is sent
// again and again counts once for as long as that goes on, and whoever has read the bucket before knows what one knows
// who has read the whole log. (Were it "unless the earlier one was dropped itself", that could depend on any bucket of
// the past.)
//
// Two logs are followed at once, therefore: the one since the bucket before, which decides, and the one since this
// bucket, which the next bucket goes on with. They differ in the hits of a batch that repeats one of the bucket before.
type repeats struct {
	before, current fingerprints
	names           namer
}

// verdict says in which log a batch or a hit counts, that is, is no repeat.
type verdict struct {
	counts bool // in the log since the bucket before this one
	fresh  bool // in the log since this bucket; true if counts is
}

// rotate moves on to the next bucket.
func (r *repeats) rotate() { r.before, r.current = r.current, fingerprints{} }

// batch judges a batch that has hits, and remembers it.
func (r *repeats) batch(b *heatmap.Batch) verdict { return r.judgeBatch(r.names.batch(b)) }

// judgeBatch judges a batch by its name. One without is never a repeat.
func (r *repeats) judgeBatch(name uint64) verdict {
	if name == 0 {
		return verdict{counts: true, fresh: true}
	}
	fresh := r.current.add(name, true) == absent
	return verdict{counts: fresh && r.before.find(name) == absent, fresh: fresh}
}

// hit judges a hit of a batch and remembers it.
func (r *repeats) hit(site, id string, batch verdict) verdict {
	if id == "" || !batch.fresh {
		return batch
	}
	return r.judgeHit(r.names.hit(site, id), batch)
}

// judgeHit judges a hit by its name. One without is a repeat if its batch is.
func (r *repeats) judgeHit(name uint64, batch verdict) verdict {
	if name == 0 || !batch.fresh {
		return batch
	}
	was := r.current.add(name, batch.counts)
	return verdict{
		counts: batch.counts && was != marked && r.before.find(name) == absent,
		fresh:  was == absent,
	}
}

// namer hashes what names batches and hits. The zero value is ready; not safe for concurrent use.
type namer struct{ scratch []byte }

// batch gives the hash of a batch's name, 0 if it has none.
//
// A batch of a site, which a tracker sent, is named by site and id, and by view and user agent of its first hit: all of
// that is in the body and in the headers that a page sends again, and the collector takes all hits or none. The visitor is
// not: it is another one after midnight and from another address. View and user agent keep apart two senders that
// happen to choose the same id. A batch without a site is a part of an import and is named by its id alone: which of its
// hits comes first can differ when it is sent again, as lines are refused that name an unknown site or a time to come.
func (n *namer) batch(b *heatmap.Batch) uint64 {
	if b.ID == "" {
		return 0
	}
	var view, agent string
	if b.Site != "" {
		view, agent = b.Hits[0].View, b.Hits[0].UserAgent
	}
	return n.name('b', b.Site, view, agent, b.ID)
}

// hit gives the hash of a hit's name, 0 if it has none.
func (n *namer) hit(site, id string) uint64 {
	if id == "" {
		return 0
	}
	return n.name('h', site, id)
}

// name hashes an identity; 0 and 1 have the same fingerprint. The lengths keep ("a", "bc") and ("ab", "c") apart.
func (n *namer) name(kind byte, parts ...string) uint64 {
	b := append(n.scratch[:0], kind)
	for _, part := range parts {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	n.scratch = b
	return max(xxhash.Sum64(b), 1)
}

// fingerprints is a set of 63-bit hashes, each marked or not: an open hash table of 8 bytes a slot, at most three
// quarters full. With 5 million in it the chance that a new one is taken for an old is 5·10⁻¹³. The zero value is empty.
type fingerprints struct {
	slots  []uint64 // length a power of two; 0 = free, bit 0 = mark
	n      int
	spread uint64 // odd and random: whoever chooses ids cannot choose slots
}

type presence uint8

const (
	absent presence = iota
	unmarked
	marked
)

const minFingerprints = 1 << 10

// add puts key into the set, marked if mark is set or it was so before, and gives what it was.
func (f *fingerprints) add(key uint64, mark bool) presence {
	if (f.n+1)*4 > len(f.slots)*3 {
		f.grow()
	}
	slot := f.slot(key)
	was := presenceOf(*slot)
	if was == absent {
		*slot = fingerprint(key)
		f.n++
	}
	if mark {
		*slot |= 1
	}
	return was
}

// find tells whether key is in the set.
func (f *fingerprints) find(key uint64) presence {
	if f.n == 0 {
		return absent
	}
	return presenceOf(*f.slot(key))
}

// slot gives the slot that holds key, or the free one where it would be put.
func (f *fingerprints) slot(key uint64) *uint64 {
	want, mask := fingerprint(key), uint64(len(f.slots)-1)
	for i := want * f.spread >> (64 - bits.Len64(mask)); ; i = (i + 1) & mask {
		if s := f.slots[i]; s == 0 || s&^1 == want {
			return &f.slots[i]
		}
	}
}

func (f *fingerprints) grow() {
	old := f.slots
	f.spread = rand.Uint64() | 1
	f.slots = make([]uint64, max(2*len(old), minFingerprints))
	for _, s := range old {
		if s != 0 {
			*f.slot(s) = s
		}
	}
}

// bytes is the memory of the table.
func (f *fingerprints) bytes() int64 { return int64(len(f.slots)) * 8 }

// soon is the memory of the table, twice that if it is about to grow.
func (f *fingerprints) soon() int64 {
	size := f.bytes()
	if limit := len(f.slots) / 4 * 3; limit > minFingerprints && f.n >= limit-limit/16 {
		size *= 2
	}
	return size
}

// fingerprint clears the bit of the mark and keeps 0 for free slots.
func fingerprint(key uint64) uint64 {
	if key &^= 1; key != 0 {
		return key
	}
	return 2
}

func presenceOf(slot uint64) presence {
	switch {
	case slot == 0:
		return absent
	case slot&1 == 0:
		return unmarked
	}
	return marked
}
