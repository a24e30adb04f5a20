package web

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

// unpack reads one value of MessagePack as encoding/json would give it, by the format's table, and what follows it.
func unpack(b []byte) (any, []byte, error) {
	if len(b) == 0 {
		return nil, nil, errors.New("value is missing")
	}
	head, b := b[0], b[1:]
	number := func(size int) uint64 {
		if len(b) < size {
			return 0
		}
		v := uint64(0)
		for _, c := range b[:size] {
			v = v<<8 | uint64(c)
		}
		b = b[size:]
		return v
	}
	switch {
	case head < 0x80:
		return float64(head), b, nil
	case head < 0x90:
		return unpackMap(b, int(head&15))
	case head < 0xa0:
		return unpackArray(b, int(head&15))
	case head < 0xc0:
		return unpackString(b, int(head&31))
	case head >= 0xe0:
		return float64(int8(head)), b, nil
	}
	switch head {
	case 0xc0:
		return nil, b, nil
	case 0xc2, 0xc3:
		return head == 0xc3, b, nil
	case 0xca:
		return float64(math.Float32frombits(uint32(number(4)))), b, nil
	case 0xcb:
		return math.Float64frombits(number(8)), b, nil
	case 0xcc, 0xcd, 0xce, 0xcf:
		v := number(1 << (head - 0xcc))
		return float64(v), b, nil
	case 0xd9, 0xda, 0xdb:
		n := int(number(1 << (head - 0xd9)))
		return unpackString(b, n)
	case 0xdc, 0xdd:
		n := int(number(2 << (head - 0xdc)))
		return unpackArray(b, n)
	case 0xde, 0xdf:
		n := int(number(2 << (head - 0xde)))
		return unpackMap(b, n)
	}
	return nil, nil, fmt.Errorf("first byte is %#x", head)
}

func unpackString(b []byte, n int) (any, []byte, error) {
	if len(b) < n {
		return nil, nil, fmt.Errorf("text of %d bytes has %d", n, len(b))
	}
	return string(b[:n]), b[n:], nil
}

func unpackArray(b []byte, n int) (any, []byte, error) {
	list := make([]any, 0, min(n, len(b)))
	for range n {
		v, rest, err := unpack(b)
		if err != nil {
			return nil, nil, err
		}
		list, b = append(list, v), rest
	}
	return list, b, nil
}

func unpackMap(b []byte, n int) (any, []byte, error) {
	m := make(map[string]any)
	for range n {
		k, rest, err := unpack(b)
		if err != nil {
			return nil, nil, err
		}
		name, ok := k.(string)
		if _, twice := m[name]; !ok || twice {
			return nil, nil, fmt.Errorf("name of a member is %v", k)
		}
		if m[name], b, err = unpack(rest); err != nil {
			return nil, nil, err
		}
	}
	return m, b, nil
}

// TestMessagePack holds that an answer in MessagePack says what it says in JSON.
func TestMessagePack(t *testing.T) {
	r := newFakeReader()
	h := start(t, Options{Reader: r})
	f := func(more string) {
		t.Helper()
		target := "/v1/heatmap?site=shop&" + page + more
		var want any
		if err := json.Unmarshal([]byte(h.get(target).body), &want); err != nil {
			t.Fatal(err)
		}
		a := h.get(target + "&format=msgpack")
		got, rest, err := unpack([]byte(a.body))
		if err != nil || len(rest) > 0 || a.Header.Get("Content-Type") != "application/vnd.msgpack" {
			t.Fatalf("%s: %v, %d bytes too many, of type %s", more, err, len(rest), a.Header.Get("Content-Type"))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: (-JSON +MessagePack)\n%s", more, d)
		}
	}
	f("")
	f("&limit=1")
	f("&minus_generation=g2")
	r.heatmap.Sampled = heatmap.Sampled{Share: heatmap.WholeShare / 4, Hits: 3}
	r.heatmap.KeptFrom = map[string]uint64{"ja": 1 << 40}
	f("")
	for _, why := range []heatmap.Why{
		{Reason: heatmap.WhyOutsideRange, From: day("2026-01-01"), To: day("2026-01-31"), Message: strings.Repeat("ž", 40)},
		{Reason: heatmap.WhyNoHitsForURL, Nearest: []string{"a", strings.Repeat("b", 300)}},
		{Reason: heatmap.WhyOtherWidth, Widths: [][2]int{{0, 31}, {1280, 65535}}},
		{Reason: heatmap.WhyOtherKind, Kinds: []string{"move"}},
		{Reason: heatmap.WhyOtherDevice, Devices: []string{"tablet"}},
	} {
		r.heatmap = &heatmap.Heatmap{Prefix: prefix(), Page: "x", Cell: 8, Why: &why}
		f("")
	}
	r.heatmap = manyCells(70_000)
	r.heatmap.Points[0].Weight, r.heatmap.Points[1].Weight = 1<<52, 1<<31
	f("&limit=0")
	f("")
	f("&limit=10")
}

func TestPack(t *testing.T) {
	f := func(got []byte, want string) {
		t.Helper()
		if string(got) != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	f(packUint(nil, 127), "\x7f")
	f(packUint(nil, 128), "\xcc\x80")
	f(packUint(nil, 255), "\xcc\xff")
	f(packUint(nil, 256), "\xcd\x01\x00")
	f(packUint(nil, 1<<16), "\xce\x00\x01\x00\x00")
	f(packUint(nil, 1<<32), "\xcf\x00\x00\x00\x01\x00\x00\x00\x00")
	f(packUint(nil, math.MaxUint64), "\xcf\xff\xff\xff\xff\xff\xff\xff\xff")
	f(packFloat(nil, 0.5), "\xca\x3f\x00\x00\x00")
	f(packFloat(nil, 0.1), "\xcb"+string(binary.BigEndian.AppendUint64(nil, math.Float64bits(0.1))))
	f(packFloat(nil, math.NaN()), "\xc0")
	f(packFloat(nil, math.Inf(1)), "\xc0")
	f(packString(nil, strings.Repeat("a", 31)), "\xbf"+strings.Repeat("a", 31))
	f(packString(nil, strings.Repeat("a", 32)), "\xd9\x20"+strings.Repeat("a", 32))
	f(packString(nil, strings.Repeat("a", 256)), "\xda\x01\x00"+strings.Repeat("a", 256))
	f(packString(nil, strings.Repeat("a", 70_000))[:3], "\xda\xff\xff")
	f(packArray(nil, 15), "\x9f")
	f(packArray(nil, 16), "\xdc\x00\x10")
	f(packArray(nil, 1<<16), "\xdd\x00\x01\x00\x00")
	f(packThinned(nil, []heatmap.ThinPoint{{X: 512.0625, Y: 8, Weight: 300}}), "\x91\x93\xca\x44\x00\x04\x00\x08\xcd\x01\x2c")
}
