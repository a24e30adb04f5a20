package main

import (
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestTrustedProxies(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		var p trustedProxies
		if err := p.UnmarshalText([]byte(in)); err != nil {
			t.Errorf("%q: %v", in, err)
		}
		var got []string
		for _, prefix := range p {
			got = append(got, prefix.String())
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	f("", "")
	f(" ", "")
	f("10.0.0.0/8", "10.0.0.0/8")
	f("10.1.2.3/8", "10.0.0.0/8")
	f("127.0.0.1, ::1", "127.0.0.1/32 ::1/128")
	f("2001:db8::/32,192.0.2.1", "2001:db8::/32 192.0.2.1/32")
	f("::ffff:10.0.0.1", "10.0.0.1/32")
	f("::ffff:10.0.0.0/104", "10.0.0.0/8")
	f("fe80::1%eth0", "fe80::1/128")
	f("0.0.0.0/0,::/0", "0.0.0.0/0 ::/0")
	for _, in := range []string{
		"10.0.0.0/33", "2001:db8::/129", "10.0.0/8", "10.0.0.1:80", "proxy.example", ",", "10.0.0.1,", "10.0.0.1,,10.0.0.2",
		"10.0.0.0/-1", "10.0.0.0/08", "fe80::%eth0/64", "[::1]", "10.0.0.1 10.0.0.2", "private",
	} {
		err := new(trustedProxies).UnmarshalText([]byte(in))
		if err == nil || !strings.HasPrefix(err.Error(), "trusted proxy is ") {
			t.Errorf("%q: error %v", in, err)
		}
	}
}

// proxiesOf are the trusted proxies of a list that is right.
func proxiesOf(t testing.TB, list string) trustedProxies {
	t.Helper()
	var p trustedProxies
	if err := p.UnmarshalText([]byte(list)); err != nil {
		t.Fatal(err)
	}
	return p
}

// requestOf is a request of a connection from remote with lines of X-Forwarded-For.
func requestOf(remote string, lines ...string) *fasthttp.RequestCtx {
	ctx := &fasthttp.RequestCtx{}
	addr := netip.MustParseAddr(remote)
	ctx.SetRemoteAddr(&net.TCPAddr{IP: addr.AsSlice(), Zone: addr.Zone(), Port: 50000})
	for _, line := range lines {
		ctx.Request.Header.Add("X-Forwarded-For", line)
	}
	return ctx
}

func TestClientIP(t *testing.T) {
	p := proxiesOf(t, "10.0.0.0/8,2001:db8:1::/48,fe80::/10")
	f := func(want, remote string, lines ...string) {
		t.Helper()
		if got := p.clientIP(requestOf(remote, lines...)); got.String() != want {
			t.Errorf("connection from %s, X-Forwarded-For %q: client is %v, want %s", remote, lines, got, want)
		}
	}
	// The header of a stranger is nothing.
	f("192.0.2.1", "192.0.2.1")
	f("192.0.2.1", "192.0.2.1", "198.51.100.7")
	f("192.0.2.1", "::ffff:192.0.2.1", "198.51.100.7")
	f("2001:db8:2::1", "2001:db8:2::1", "198.51.100.7")

	// The last hop that is no proxy's counts, whatever stands before it.
	f("10.0.0.1", "10.0.0.1")
	f("198.51.100.7", "10.0.0.1", "198.51.100.7")
	f("198.51.100.7", "::ffff:10.0.0.1", "198.51.100.7")
	f("198.51.100.7", "2001:db8:1::9", "198.51.100.7")
	f("198.51.100.7", "fe80::1%eth0", "198.51.100.7")
	f("198.51.100.7", "10.0.0.1", "203.0.113.9, 198.51.100.7")
	f("198.51.100.7", "10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2,10.0.0.3")
	f("10.0.0.4", "10.0.0.1", "10.0.0.4, 10.0.0.3") // a client of the proxies' own network
	f("2001:db8:2::7", "10.0.0.1", "2001:db8:2::7,2001:db8:1::2")

	// Several lines are one list.
	f("198.51.100.7", "10.0.0.1", "203.0.113.9", "198.51.100.7")
	f("198.51.100.7", "10.0.0.1", "203.0.113.9, 198.51.100.7", "10.0.0.2", "10.0.0.3")
	f("10.0.0.3", "10.0.0.1", "198.51.100.7", "", "10.0.0.3")

	// Behind a hop that is no address nothing is believed.
	f("10.0.0.1", "10.0.0.1", "198.51.100.7, unknown")
	f("10.0.0.2", "10.0.0.1", "198.51.100.7, _hidden, 10.0.0.2")
	f("10.0.0.2", "10.0.0.1", "198.51.100.7,, 10.0.0.2")
	f("10.0.0.1", "10.0.0.1", "198.51.100.7,")
	f("10.0.0.1", "10.0.0.1", "")
	f("198.51.100.7", "10.0.0.1", "'; drop table, 198.51.100.7")

	// Ports, brackets, zones, and IPv4 written as IPv6.
	f("198.51.100.7", "10.0.0.1", "198.51.100.7:4711")
	f("2001:db8:2::7", "10.0.0.1", "[2001:db8:2::7]:4711")
	f("2001:db8:2::7", "10.0.0.1", "[2001:db8:2::7]")
	f("2001:db8:2::7", "10.0.0.1", "\t2001:db8:2::7%eth0 ")
	f("2001:db8:2::7", "10.0.0.1", "[2001:db8:2::7%eth0]:80")
	f("198.51.100.7", "10.0.0.1", "::ffff:198.51.100.7")
	f("198.51.100.7", "10.0.0.1", "[::ffff:198.51.100.7]:80, ::ffff:10.0.0.2")
	for _, hop := range []string{
		"198.51.100.7:", "198.51.100.7:x", "198.51.100.7:70000", "[198.51.100.7]", "[198.51.100.7]:80", "[2001:db8:2::7", "2001:db8:2::7]",
		"[]", "[", "198.51.100", "198.51.100.007", "0x7f.1", "198.51.100.7/32", `"198.51.100.7"`, "for=198.51.100.7", "1 2",
	} {
		f("10.0.0.1", "10.0.0.1", hop)
	}
	f("10.0.0.1", "10.0.0.1", strings.Repeat("10.0.0.1,", 1000)+"10.0.0.1")
}

// TestClientIPTrustsNobody is the server without --trusted-proxies.
func TestClientIPTrustsNobody(t *testing.T) {
	if got := trustedProxies(nil).clientIP(requestOf("127.0.0.1", "198.51.100.7")); got != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("client is %v", got)
	}
}

// FuzzClientIP looks for headers by which a client could choose its address. What a proxy adds last is the client's
// address, whatever came before it.
func FuzzClientIP(f *testing.F) {
	for _, header := range []string{
		"", ",", "198.51.100.7", "10.0.0.2, 10.0.0.3", "[2001:db8::7]:80,\t10.0.0.2", "unknown, 10.0.0.9", "::ffff:10.0.0.1%x", "fe80::1%,",
	} {
		f.Add(header)
	}
	proxies := proxiesOf(f, "10.0.0.0/8,2001:db8:1::/48")
	real := netip.MustParseAddr("203.0.113.9")
	f.Fuzz(func(t *testing.T, header string) {
		if strings.ContainsAny(header, "\r\n") {
			return // no header has them
		}
		got := proxies.clientIP(requestOf("10.0.0.1", header))
		if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Fatalf("client is %v", got)
		}
		hops := strings.Split(header, ",")
		known := got == netip.MustParseAddr("10.0.0.1") || slices.ContainsFunc(hops, func(hop string) bool {
			addr, ok := parseHop(strings.TrimSpace(hop))
			return ok && addr == got
		})
		if !known {
			t.Fatalf("client is %v, which is no hop", got)
		}
		if !proxies.trusts(got) && proxies.clientIP(requestOf("10.0.0.1", "192.0.2.1, "+header)) != got {
			t.Fatal("what stands before the client changes it")
		}
		for _, lines := range [][]string{{header, real.String()}, {header + "," + real.String()}, {header, real.String(), "10.0.0.2"}} {
			if got := proxies.clientIP(requestOf("10.0.0.1", lines...)); got != real {
				t.Fatalf("%q: client is %v, want %v", lines, got, real)
			}
		}
		if got := proxies.clientIP(requestOf("192.0.2.1", header)); got != netip.MustParseAddr("192.0.2.1") {
			t.Fatalf("a stranger is %v", got)
		}
	})
}

func BenchmarkClientIP(b *testing.B) {
	ctx := requestOf("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.0.0.2")
	for name, list := range map[string]string{"trusts nobody": "", "two proxies": "10.0.0.0/8"} {
		b.Run(name, func(b *testing.B) {
			p := proxiesOf(b, list)
			b.ReportAllocs()
			for b.Loop() {
				p.clientIP(ctx)
			}
		})
	}
}
