package main

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"github.com/valyala/fasthttp"
)

// trustedProxies are the addresses whose X-Forwarded-For header is believed.
type trustedProxies []netip.Prefix

// UnmarshalText reads addresses and CIDR ranges with commas between them, as in 10.0.0.0/8,2001:db8::1; nothing is none.
func (p *trustedProxies) UnmarshalText(text []byte) error {
	*p = nil
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	for part := range strings.SplitSeq(string(text), ",") {
		part = strings.TrimSpace(part)
		prefix, err := parseRange(part)
		if err != nil {
			return fmt.Errorf("trusted proxy is %q, want an address or a range of them, as in 10.0.0.0/8 or 2001:db8::1", part)
		}
		*p = append(*p, prefix)
	}
	return nil
}

// parseRange reads an address or a CIDR range, and IPv4 ones that are written as IPv6.
func parseRange(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		addr = plainAddr(addr)
		return netip.PrefixFrom(addr, addr.BitLen()), err
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return prefix, err
	}
	const mapped = 128 - 32 // bits before the IPv4 address
	if prefix.Addr().Is4In6() && prefix.Bits() >= mapped {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mapped)
	}
	return prefix.Masked(), nil
}

// plainAddr is the one way to write an address: IPv4 not as IPv6, and without the zone, which means nothing elsewhere.
func plainAddr(addr netip.Addr) netip.Addr { return addr.WithZone("").Unmap() }

// trusts reports whether addr is that of a proxy.
func (p trustedProxies) trusts(addr netip.Addr) bool {
	for _, prefix := range p {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// clientIP gives the address of whoever sent a request: the connection's, or where that is a proxy's, the last one of
// X-Forwarded-For that is not. What stands before it, or before a hop that is no address, was written by nobody who is
// trusted.
func (p trustedProxies) clientIP(ctx *fasthttp.RequestCtx) netip.Addr {
	remote, _ := netip.AddrFromSlice(ctx.RemoteIP())
	client := plainAddr(remote)
	if !p.trusts(client) {
		return client
	}
	lines := ctx.Request.Header.PeekAll(fasthttp.HeaderXForwardedFor)
	for i := len(lines) - 1; i >= 0; i-- { // they are one list, broken anywhere
		for rest, more := lines[i], true; more; {
			var hop []byte
			rest, hop, more = cutLast(rest)
			addr, ok := parseHop(string(hop))
			if !ok {
				return client
			}
			if client = addr; !p.trusts(client) {
				return client
			}
		}
	}
	return client
}

// cutLast takes the last entry off a list; more says whether there are others.
func cutLast(list []byte) (rest, last []byte, more bool) {
	at := bytes.LastIndexByte(list, ',')
	if at < 0 {
		return nil, bytes.TrimSpace(list), false
	}
	return list[:at], bytes.TrimSpace(list[at+1:]), true
}

// parseHop reads an address as proxies write it: alone, in brackets, or with a port.
func parseHop(hop string) (addr netip.Addr, ok bool) {
	if addr, err := netip.ParseAddr(hop); err == nil {
		return plainAddr(addr), true
	}
	if both, err := netip.ParseAddrPort(hop); err == nil {
		return plainAddr(both.Addr()), true
	}
	inner, open := strings.CutPrefix(hop, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if !open || !closed {
		return netip.Addr{}, false
	}
	addr, err := netip.ParseAddr(inner)
	return plainAddr(addr), err == nil && addr.Is6()
}
