package web

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// How many wrong sign-ins an address may have: freeTries at once, and then one every tryEvery.
const (
	freeTries = 10
	tryEvery  = 6 * time.Second
)

// The table of addresses has tryWays places for each of trySets hashes, 64 KiB in all.
const (
	trySets = 1024
	tryWays = 4
)

// throttle counts the sign-ins of addresses that have not been right, in memory that does not grow: where addresses share
// a place, the one that has tried least is forgotten. IPv6 counts by /64, which is what one household or host has. It
// holds keyed hashes, no addresses, and is safe for concurrent use.
type throttle struct {
	now  func() time.Time
	seed maphash.Seed

	mu   sync.Mutex
	sets [trySets][tryWays]tries
}

// tries is a leaky bucket: clear is when the last try of an address is worked off, Unix ns, and each adds tryEvery.
type tries struct {
	address uint64
	clear   int64
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, seed: maphash.MakeSeed()}
}

// take counts a try. If the address has had too many it gives how long to wait for the next one.
func (t *throttle) take(a netip.Addr) (wait time.Duration) {
	now := t.now().UnixNano()
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.place(a)
	clear := max(p.clear, now)
	if over := clear - now - int64((freeTries-1)*tryEvery); over > 0 {
		return time.Duration(over)
	}
	p.clear = clear + int64(tryEvery)
	return 0
}

// giveBack takes a try back: it was right.
func (t *throttle) giveBack(a netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.place(a).clear -= int64(tryEvery)
}

// place finds or makes the place of an address. t.mu is held.
func (t *throttle) place(a netip.Addr) *tries {
	hash := maphash.Comparable(t.seed, household(a))
	set := &t.sets[hash%trySets]
	least := &set[0]
	for i := range set {
		if set[i].address == hash {
			return &set[i]
		}
		if set[i].clear < least.clear {
			least = &set[i]
		}
	}
	*least = tries{address: hash}
	return least
}

// household is the network that an address is counted with.
func household(a netip.Addr) netip.Addr {
	if a = a.Unmap(); a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}
