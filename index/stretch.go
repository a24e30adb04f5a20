package index

import (
	"math"

	"heatlog/journal"
)

// stretchHits is how many hits a stretch of several spans has at most, if a scan is not told otherwise. It is what a block of a sealed segment has.
const stretchHits = 32 << 10

// stretch is a piece of a source's log that a scan reads in one go: a span, or several small ones that follow one another.
type stretch struct {
	feed     int
	from, to uint64 // positions
	done     uint64 // hits that are read or skipped when it is, of all that are to be
	counts   bool   // else it is read only for the sake of those that follow
	anew     bool   // what lies before it is of no use to it: it was left out, or there is nothing
}

// stretches finds what must be read of a source's spans to count the plan's hits from position from on, which is all that may
// have such hits and, before each piece of that, what decides which hits of it are repeats.
func (pl *plan) stretches(feed int, spans []journal.Span, from, most uint64) (list []stretch) {
	counts := make([]bool, len(spans))
	for i := range spans {
		counts[i] = spans[i].To > from && pl.mayMatch(&spans[i])
	}
	needed := withBefore(spans, counts)
	done := uint64(0)
	for i := range spans {
		s := &spans[i]
		done += s.To - min(max(s.From, from), s.To)
		if !needed[i] {
			continue
		}
		anew := i == 0 || !needed[i-1]
		if n := len(list); n > 0 && !anew && list[n-1].counts == counts[i] && s.To-list[n-1].from <= most {
			list[n-1].to, list[n-1].done = s.To, done
			continue
		}
		list = append(list, stretch{feed: feed, from: s.From, to: s.To, done: done, counts: counts[i], anew: anew})
	}
	return list
}

// mayMatch reports whether a span may have hits of the plan's site and time.
func (pl *plan) mayMatch(s *journal.Span) bool {
	return !s.Known || s.HasSite(pl.query.Site) && s.LastTime >= pl.from && s.FirstTime < pl.to
}

// withBefore gives the spans that count and those before that a stream must have seen to judge them: from the start of the last
// bucket of append time before their own that holds a hit.
//
// Of a span only bounds of its append times are known. The lower one is always the append time of some hit, in it or before it.
// So the nearest span on the way back that begins in an earlier bucket shows that the one which is looked for is not before that.
func withBefore(spans []journal.Span, counts []bool) (needed []bool) {
	first, last := appendBuckets(spans)
	needed = make([]bool, len(spans))
	for i := range spans {
		if !counts[i] {
			continue
		}
		needed[i] = true
		if i > 0 && counts[i-1] {
			continue // what that needs is enough for both
		}
		k := i - 1
		for ; k >= 0 && first[k] >= first[i]; k-- {
			needed[k] = true
		}
		for begin := k; k >= 0 && last[k] >= first[begin]; k-- {
			needed[k] = true
		}
	}
	return needed
}

// appendBuckets gives for each span buckets of append time before and behind which it has no hit, as far as is known.
func appendBuckets(spans []journal.Span) (first, last []int64) {
	first, last = make([]int64, len(spans)), make([]int64, len(spans))
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	for i := range spans {
		if at := spans[i].FirstAppend; at != 0 {
			low = bucketOf(at)
		}
		first[i] = low
	}
	for i := len(spans) - 1; i >= 0; i-- {
		if at := spans[i].LastAppend; at != 0 {
			high = bucketOf(at)
		}
		last[i] = high
	}
	return first, last
}
