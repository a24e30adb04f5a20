package collector

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/valyala/fasthttp"
)

// addressOf gives an IPv4 address for each number.
func addressOf(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, n)))
}

// TestLimiter follows one address: a burst of two seconds' worth, then the rate.
func TestLimiter(t *testing.T) {
	f := func(rate float64, steps string) {
		t.Helper()
		l, now := newLimiter(rate, testNow), testNow
		for step := range strings.FieldsSeq(steps) {
			rest, refused := strings.CutPrefix(step, "-")
			if pause, err := time.ParseDuration(rest); err == nil && !refused {
				now = now.Add(pause)
				continue
			}
			var want time.Duration
			if refused {
				want, _ = time.ParseDuration(rest)
			}
			if wait := l.allow(addressOf(1), now); wait != want {
				t.Errorf("rate %v, %s: at %v it has to wait %v, want %v", rate, steps, now.Sub(testNow), wait, want)
			}
		}
	}
	f(1, "ok ok -1s -1s 400ms -600ms 600ms ok -1s 1s ok -1s 2s ok ok -1s 1h ok ok -1s")
	f(10, "ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok ok -100ms 250ms ok ok -50ms")
	f(0.1, "ok -10s 9999ms -1ms 1ms ok -10s")
	f(0.001, "ok -1000s 1000s ok")
	f(1.5, "ok ok ok -666666666ns")
	f(MaxRateLimit, "ok ok 1ns ok")
	for _, rate := range []float64{0, -1, MinRateLimit / 2, MaxRateLimit * 2} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("rate %v was taken", rate)
				}
			}()
			newLimiter(rate, testNow)
		}()
	}
}

// TestLimiterNetworks looks at which addresses share a bucket.
func TestLimiterNetworks(t *testing.T) {
	f := func(a, b string, share bool) {
		t.Helper()
		l := newLimiter(1, testNow)
		for range 2 {
			l.allow(netip.MustParseAddr(a), testNow)
		}
		if refused := l.allow(netip.MustParseAddr(b), testNow) > 0; refused != share {
			t.Errorf("%s and %s share a bucket: %v, want %v", a, b, refused, share)
		}
	}
	f("192.0.2.1", "192.0.2.1", true)
	f("192.0.2.1", "192.0.2.2", false)
	f("192.0.2.1", "::ffff:192.0.2.1", true)
	f("::ffff:192.0.2.1", "::ffff:192.0.2.2", false)
	f("2001:db8::1", "2001:db8::2:1", true)
	f("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true)
	f("2001:db8:0:1::1", "2001:db8:0:2::1", false)
	f("::1", "0.0.0.1", false)
	f("fe80::1%eth0", "fe80::1%eth1", true)
}

// TestLimiterAgainstModel compares it with a plain token bucket for each of some senders, too few to meet in the table.
func TestLimiterAgainstModel(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		type bucket struct {
			tokens float64
			last   time.Time
		}
		rate := float64(int(1) << random.IntN(6)) // powers of two have no rounding
		l, now, buckets := newLimiter(rate, testNow), testNow, map[uint32]*bucket{}
		for range 5000 {
			now = now.Add(time.Duration(random.IntN(int(time.Second/time.Duration(4*rate)))) / 1024 * 1024)
			n := uint32(random.IntN(6))
			b := buckets[n]
			if b == nil {
				b = &bucket{2 * rate, now}
				buckets[n] = b
			}
			b.tokens, b.last = min(2*rate, b.tokens+rate*now.Sub(b.last).Seconds()), now
			const near = 1e-6
			wait := l.allow(addressOf(n), now)
			if wait == 0 && b.tokens < 1-near || wait > 0 && b.tokens > 1+near {
				t.Fatalf("rate %v: waits %v with %v tokens", rate, wait, b.tokens)
			}
			if wait == 0 {
				b.tokens--
			}
		}
	}
}

// TestLimiterFull has many more senders than buckets. No sender gets more than what two buckets give.
func TestLimiterFull(t *testing.T) {
	const (
		rate, seconds = 1, 10
		senders       = 4 * limitShards * limitSlots
		most          = 2 * (2*rate + rate*seconds)
	)
	if size := unsafe.Sizeof(limiter{}); size > 1<<20+8<<10 {
		t.Errorf("a limiter is %d bytes", size)
	}
	random := rand.New(rand.NewPCG(3, 4))
	l, passed, total := newLimiter(rate, testNow), make([]int, senders), 0
	const steps = senders * seconds
	for i := range steps {
		n := uint32(random.IntN(senders))
		if i%2 == 0 {
			n %= 16 // some send all the time
		}
		if l.allow(addressOf(n), testNow.Add(time.Duration(i)*seconds*time.Second/steps)) == 0 {
			passed[n]++
			total++
		}
	}
	for n, passed := range passed {
		if passed > most {
			t.Errorf("sender %d got %d requests through, at most %d are its share", n, passed, most)
		}
	}
	if slots := limitShards * limitSlots; total > slots*(2+seconds) || total < slots*seconds/2 {
		t.Errorf("%d requests came through %d buckets", total, slots)
	}
}

// TestLimiterSpreads fills a third of the table at once. Where both slots are taken, which of x, the share that is taken,
// happens to x² of those who come, two share a bucket: to x²/3, or 3.7 % of a third, while with one slot to choose from
// it would be half of x, and 17 %.
func TestLimiterSpreads(t *testing.T) {
	const senders = limitShards * limitSlots / 3
	l, refused := newLimiter(1, testNow), 0
	for n := range uint32(senders) {
		for range 2 {
			if l.allow(addressOf(n), testNow) > 0 {
				refused++
			}
		}
	}
	if share := float64(refused) / (2 * senders); share < 0.03 || share > 0.045 {
		t.Errorf("%.1f %% of requests within the limit were refused, want about 3.7 %%", 100*share)
	}
}

// TestLimiterAtOnce has one address send over many connections.
func TestLimiterAtOnce(t *testing.T) {
	const rate = 500
	l := newLimiter(rate, testNow)
	var passed atomic.Int64
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for range rate {
				if l.allow(addressOf(1), testNow) == 0 {
					passed.Add(1)
				}
			}
		})
	}
	senders.Wait()
	if passed.Load() != 2*rate {
		t.Errorf("%d requests came through, want the burst of %d", passed.Load(), 2*rate)
	}
}

func TestLimiterAllocatesNothing(t *testing.T) {
	l, n := newLimiter(10, testNow), byte(0)
	if allocs := testing.AllocsPerRun(1000, func() {
		n++
		l.allow(netip.AddrFrom4([4]byte{192, 0, 2, n}), testNow)
	}); allocs != 0 {
		t.Errorf("%v allocations a request", allocs)
	}
}

// TestInRateLimit sends too much from one address: that is refused before its body is looked at, the page can read why,
// and others are not in the way.
func TestInRateLimit(t *testing.T) {
	now, ip := testNow, addressOf(1)
	r := newRig(t, func(o *Options, _ *fasthttp.Server) {
		o.RateLimit = 1
		o.Now = func() time.Time { return now }
		o.ClientIP = func(*fasthttp.RequestCtx) netip.Addr { return ip }
	})
	pass := func(status int, body string, headers ...string) {
		t.Helper()
		if resp := r.in(body, headers...); resp.status != status || resp.header.Peek("Retry-After") != nil {
			t.Errorf("%d %s, want %d", resp.status, resp.body, status)
		}
	}
	refuse := func(after, body string, headers ...string) {
		t.Helper()
		resp := r.in(body, append(headers, fromShop)...)
		h := resp.header
		if resp.status != 429 || string(h.Peek("Retry-After")) != after || string(h.Peek("Access-Control-Allow-Origin")) != "https://shop.example" ||
			string(h.Peek("Access-Control-Expose-Headers")) != "Retry-After" || string(h.Peek("Vary")) != "Origin" {
			t.Errorf("%d\n%s", resp.status, h)
		}
		if e := decodeError(t, resp.body); e.Code != "rate_limited" || strings.Contains(resp.body, ip.String()) {
			t.Errorf("%s", resp.body)
		}
	}
	pass(204, smallBatch, plain, fromShop)
	pass(400, "{", plain) // what is refused for another reason counts too
	refuse("1", smallBatch, plain)
	refuse("1", smallBatch, "Content-Type: text/html")
	refuse("1", "no gzip at all", plain, "Content-Encoding: gzip")
	refuse("1", strings.Repeat(" ", MaxBody+1), plain)
	if resp := r.do("OPTIONS", "/v1/in", nil, 0, fromShop); resp.status != 204 {
		t.Errorf("preflight: %d", resp.status)
	}
	ip = addressOf(2)
	pass(204, smallBatch, plain)
	ip = addressOf(1)
	now = now.Add(999 * time.Millisecond)
	refuse("1", smallBatch, plain)
	now = now.Add(time.Millisecond)
	pass(204, smallBatch, plain)
	if s := r.c.Stats(); s.Limited != 5 || s.InAccepted != 3 || s.InRequests != 10 || s.Rejected["malformed_json"] != 1 || s.Broken != 0 {
		t.Errorf("%+v", s)
	}
}

// TestInRetryAfter looks at waits of more than a second.
func TestInRetryAfter(t *testing.T) {
	r := newRig(t, func(o *Options, _ *fasthttp.Server) { o.RateLimit = 0.4 })
	for _, want := range []string{"", "3"} {
		if resp := r.in(smallBatch, plain); string(resp.header.Peek("Retry-After")) != want {
			t.Errorf("%d\n%s", resp.status, resp.header)
		}
	}
}

func BenchmarkLimiter(b *testing.B) {
	var crowd [1 << 14]netip.Addr
	for i := range crowd {
		crowd[i] = addressOf(rand.Uint32())
	}
	run := func(name string, addrs []netip.Addr) {
		b.Run(name, func(b *testing.B) {
			l := newLimiter(10, testNow)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				now, i := testNow, rand.IntN(len(addrs))
				for pb.Next() {
					l.allow(addrs[i%len(addrs)], now)
					now, i = now.Add(time.Microsecond), i+1
				}
			})
		})
	}
	run("one address", crowd[:1])
	run("many", crowd[:])
}
