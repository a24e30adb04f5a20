package main

import (
	"math/bits"
	"time"
)

// latencies counts times in buckets that are at most 1/16 wide, from 1 µs on.
type latencies struct {
	counts [40 * 16]int64
}

// record counts one time.
func (l *latencies) record(d time.Duration) {
	us := max(16, uint64(d.Microseconds()*16)) // in 1/16 µs
	shift := bits.Len64(us) - 5
	l.counts[min(len(l.counts)-1, shift*16+int(us>>shift)-16)]++
}

// add counts everything that o counted.
func (l *latencies) add(o *latencies) {
	for i, n := range o.counts {
		l.counts[i] += n
	}
}

// quantile gives the upper bound of the bucket that holds the share q of all times.
func (l *latencies) quantile(q float64) time.Duration {
	var all, seen int64
	for _, n := range l.counts {
		all += n
	}
	for i, n := range l.counts {
		if seen += n; n > 0 && float64(seen) >= q*float64(all) {
			return time.Duration(uint64(i%16+17)<<(i/16)) * time.Microsecond / 16
		}
	}
	return 0
}
