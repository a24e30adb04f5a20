package collector

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"
	"net/netip"
	"sync"
	"time"
)

// Bounds of Options.RateLimit, requests/s.
const (
	MinRateLimit = 0.001
	MaxRateLimit = 1_000_000
)

const (
	limitShards = 256 // each with a lock of its own
	limitSlots  = 256 // of a shard; together 64 Ki
	limitBurst  = 2   // seconds' worth of requests that may come at once
)

// limiter is a token bucket for each IPv4 address and each IPv6 /64, in a table that never grows: 1 MiB for 65,536
// buckets. It keeps no address, only a hash under a seed of this process. It is safe for concurrent use.
//
// A bucket is the moment at which it will be full again (the generic cell rate algorithm of ITU-T I.371), so that a slot
// is free once this moment has come: a sender that keeps quiet for two seconds takes no room. An address has two slots to
// choose from. If both hold buckets of others that are not full yet, it joins the fuller one instead of beginning a new
// one, and moves with it. So a slot never lets through more than the rate and a burst, an address, which has two, never
// more than twice that, whatever others send, and with a table full of senders a newcomer may be refused for what
// another sent. Nobody can bring that about for an address of their choice without the seed.
type limiter struct {
	every time.Duration // between two requests at the rate
	slack time.Duration // how far from full a bucket may be when a request comes
	start time.Time
	seed  maphash.Seed
	shard [limitShards]limitShard
}

// limitShard is a part of the table.
type limitShard struct {
	mu   sync.Mutex
	slot [limitSlots]limitSlot // guarded by mu
}

// limitSlot is one bucket.
type limitSlot struct {
	who  uint64        // hash of the address
	full time.Duration // since the limiter's start
}

// newLimiter makes a limiter of rate requests/s whose time begins now. It panics for a rate outside its bounds.
func newLimiter(rate float64, now time.Time) *limiter {
	if !(rate >= MinRateLimit && rate <= MaxRateLimit) {
		panic(fmt.Sprintf("BUG: rate limit is %v, want 0 or %v to %v", rate, MinRateLimit, MaxRateLimit))
	}
	every := time.Duration(float64(time.Second) / rate)
	burst := max(1, math.Ceil(limitBurst*rate))
	return &limiter{every: every, slack: time.Duration(burst-1) * every, start: now, seed: maphash.MakeSeed()}
}

// allow takes one request of an address at a moment. It is 0 if there was room for it, else how long that will take.
func (l *limiter) allow(addr netip.Addr, now time.Time) (wait time.Duration) {
	who := l.hash(addr)
	at := now.Sub(l.start)
	shard := &l.shard[who%limitShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	slot := shard.find(who)
	full := max(slot.full, at)
	if wait = full - at - l.slack; wait > 0 {
		return wait
	}
	*slot = limitSlot{who, full + l.every}
	return 0
}

// find gives the slot of who: the one that it has, else the fuller one of its two.
func (s *limitShard) find(who uint64) *limitSlot {
	first := (who >> 8) % limitSlots
	second := first ^ (1 + (who>>16)%(limitSlots-1)) // never the first
	a, b := &s.slot[first], &s.slot[second]
	switch {
	case a.who == who:
		return a
	case b.who == who:
		return b
	case a.full <= b.full:
		return a
	}
	return b
}

// hash tells addresses apart, all of an IPv6 /64 being one: that is what a single subscriber has.
func (l *limiter) hash(addr netip.Addr) uint64 {
	network := addr.Unmap().As16()
	if addr = addr.Unmap(); !addr.Is4() {
		binary.BigEndian.PutUint64(network[8:], 0)
	}
	return maphash.Bytes(l.seed, network[:])
}
