package web

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"
	"unsafe"
)

// stillClock stands still until it is moved.
type stillClock struct {
	mu  sync.Mutex
	now time.Time
}

func newStillClock() *stillClock { return &stillClock{now: tokenTime} }

func (c *stillClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *stillClock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func TestThrottle(t *testing.T) {
	clock := newStillClock()
	th := newThrottle(clock.Now)
	a := netip.MustParseAddr("203.0.113.9")
	f := func(a netip.Addr, want time.Duration) {
		t.Helper()
		if got := th.take(a); got != want {
			t.Errorf("a try of %v must wait %v, want %v", a, got, want)
		}
	}
	for range freeTries {
		f(a, 0)
	}
	f(a, tryEvery)
	f(a, tryEvery) // who is refused does not wait longer for it
	clock.move(tryEvery - time.Second)
	f(a, time.Second)
	f(netip.MustParseAddr("203.0.113.10"), 0)
	f(netip.MustParseAddr("2001:db8::1"), 0)
	f(netip.Addr{}, 0)
	clock.move(time.Second)
	f(a, 0)
	f(a, tryEvery)
	th.giveBack(a)
	f(a, 0)
	f(a, tryEvery)
	clock.move(1000 * time.Hour)
	for range freeTries {
		f(a, 0)
	}
	f(a, tryEvery)
}

// TestThrottleNetworks checks which addresses are one.
func TestThrottleNetworks(t *testing.T) {
	f := func(a, b string, same bool) {
		t.Helper()
		th := newThrottle(newStillClock().Now)
		for range freeTries {
			th.take(netip.MustParseAddr(a))
		}
		if got := th.take(netip.MustParseAddr(b)) > 0; got != same {
			t.Errorf("%s is counted with %s: %v, want %v", b, a, got, same)
		}
	}
	f("192.0.2.1", "192.0.2.1", true)
	f("192.0.2.1", "192.0.2.2", false)
	f("192.0.2.1", "::ffff:192.0.2.1", true)
	f("::ffff:192.0.2.1", "::ffff:192.0.2.2", false)
	f("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true)
	f("2001:db8:1:2::1", "2001:db8:1:3::1", false)
	f("fe80::1%eth0", "fe80::2%eth1", true)
}

// TestThrottleBound shows that who comes from very many addresses takes no more memory, and that a wrong one among them
// is not forgotten for those that try less.
func TestThrottleBound(t *testing.T) {
	if size := unsafe.Sizeof(throttle{}); size > 128<<10 {
		t.Errorf("a throttle is %d bytes", size)
	}
	clock := newStillClock()
	th := newThrottle(clock.Now)
	busy := netip.MustParseAddr("203.0.113.9")
	for range freeTries {
		th.take(busy)
	}
	allocs := testing.AllocsPerRun(1, func() {
		for i := range 50_000 {
			th.take(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}))
		}
	})
	if allocs > 100 { // the runtime's own
		t.Errorf("%v allocations for 50,000 addresses", allocs)
	}
	if th.take(busy) == 0 {
		t.Error("an address that was wrong often is forgotten for those that tried once")
	}
}

func TestThrottleTogether(t *testing.T) {
	th := newThrottle(newStillClock().Now)
	var wg sync.WaitGroup
	let := make(chan bool, 1000)
	for range 100 {
		wg.Go(func() {
			for i := range 5 {
				th.take(netip.MustParseAddr(fmt.Sprintf("192.0.2.%d", i)))
				let <- th.take(netip.MustParseAddr("203.0.113.9")) == 0
			}
		})
	}
	wg.Wait()
	close(let)
	n := 0
	for ok := range let {
		if ok {
			n++
		}
	}
	if n != freeTries {
		t.Errorf("%d tries of 500 at once were let through, want %d", n, freeTries)
	}
}
