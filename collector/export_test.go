package collector

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

func TestAppendLine(t *testing.T) {
	p := testParser(t)
	f := func(line, want string) {
		t.Helper()
		var h heatmap.Hit
		if !p.parseLine([]byte(line), &h) {
			t.Fatalf("%s: %s", line, p.fault.message())
		}
		if got := string(AppendLine(nil, &h)); got != want {
			t.Errorf("%s\n got %s\nwant %s", line, got, want)
		}
	}
	f(`{"kind":"click","x":0,"y":0,"t":1767225600000,"site":"shop","url":"https://x/\"\\\u00e9\ud83d\ude00","view":"\u0000\n\u001f\r\t","tags":["a","b"],"ax":0.1234,"ay":1,"trusted":false}`,
		`{"t":1767225600000,"site":"shop","url":"https://x/\"\\é😀","kind":"click","x":0,"y":0,"ax":0.1234,"ay":1,"trusted":false,"view":"\u0000\n\u001f\r\t","tags":["a","b"]}`)
	f(`{"kind":"scroll","depth":0,"y":7,"t":1767225600000,"site":"shop","url":"https://x/"}`,
		`{"t":1767225600000,"site":"shop","url":"https://x/","kind":"scroll","y":7,"depth":0,"from":0}`)
	f(`{"kind":"view","check":0,"t":1767225600000,"site":"shop","url":"https://x/"}`,
		`{"t":1767225600000,"site":"shop","url":"https://x/","kind":"view","check":0}`)
}

func TestAppendLineInvalidUTF8(t *testing.T) {
	line := AppendLine(nil, &heatmap.Hit{Kind: heatmap.KindView, UserAgent: "a\xffb\xe2\x82"})
	if !json.Valid(line) || !strings.Contains(string(line), "\"a\uFFFDb\uFFFD\uFFFD\"") {
		t.Errorf("%q", line)
	}
}

// TestAnchorDecimals checks every anchor, and that input of up to four decimals leaves as it came.
func TestAnchorDecimals(t *testing.T) {
	parse := func(s string) uint32 {
		n, end := scanNumber([]byte(s), 0)
		v, ok := n.anchor()
		if end != len(s) || !ok {
			t.Fatalf("%s is no anchor", s)
		}
		return v
	}
	for v := uint32(1); v <= heatmap.AnchorUnit; v++ {
		s := string(appendAnchor(nil, "", v))
		if len(s) > len("0.12345") || parse(s) != v {
			t.Fatalf("%d became %s", v, s)
		}
	}
	for i := 1; i <= 10_000; i++ {
		want := strconv.FormatFloat(float64(i)/10_000, 'f', -1, 64)
		if got := string(appendAnchor(nil, "", parse(want))); got != want {
			t.Fatalf("%s became %s", want, got)
		}
	}
	if s := appendAnchor(nil, `,"ax":`, 0); len(s) != 0 {
		t.Errorf("0 became %s", s)
	}
}

// randomHit gives a hit that can be in a journal.
func randomHit(r *rand.Rand) heatmap.Hit {
	text := func(limit int) string {
		if r.IntN(3) == 0 {
			return ""
		}
		var s strings.Builder
		for range r.IntN(8) {
			s.WriteString([]string{"a", "é", "€", "😀", `"`, `\`, "\n", "\x00", "\x7f", "\u0080", "/", " ", "\u2028", "\ufffd"}[r.IntN(14)])
		}
		return s.String()[:min(len(s.String()), limit)/8*8]
	}
	valid := func(s string) string { return strings.ToValidUTF8(s, "?") }
	px := func() uint16 { return uint16(r.Uint32() >> r.IntN(33) >> 16 * uint32(r.IntN(2))) }
	h := heatmap.Hit{
		Time: heatmap.MinTime + r.Int64N(testNow.UnixMilli()-heatmap.MinTime), Site: []string{"shop", "news"}[r.IntN(2)],
		URL:  []string{"http://x", "https://shop.example/ř?a=~&b=%22\"#/x?y=\\"}[r.IntN(2)] + strings.Repeat("/a", r.IntN(3)),
		View: valid(text(128)), Visitor: valid(text(128)), Selector: valid(text(1024)), Container: valid(text(1024)),
		UserAgent: valid(text(256)), ID: valid(text(128)), X: px(), Y: px(), ViewportW: px(), ViewportH: px(), DocumentW: px(), DocumentH: px(),
		From: px(), BoxW: px(), BoxH: px(), ContainerX: px(), ContainerY: px(), HasCheck: r.IntN(2) == 0,
		AnchorX: r.Uint32N(heatmap.AnchorUnit + 1), AnchorY: r.Uint32N(2) * heatmap.AnchorUnit, Dwell: r.Uint32N(heatmap.MaxDwell + 1),
		Layout: r.Uint32() >> r.IntN(33), Kind: heatmap.Kind(1 + r.IntN(4)), Pointer: heatmap.Pointer(r.IntN(4)), Flags: heatmap.Flags(r.IntN(16)),
	}
	h.Depth = max(h.From, px())
	if h.HasCheck {
		h.Check = px()
	}
	for range r.IntN(3) {
		h.Tags = append(h.Tags, valid(text(64)))
	}
	return h
}

func TestAppendLineRoundTrip(t *testing.T) {
	p := testParser(t)
	r := rand.New(rand.NewPCG(9, 10))
	var line []byte
	for range 20_000 {
		want := randomHit(r)
		line = AppendLine(line[:0], &want)
		if !json.Valid(line) {
			t.Fatalf("%s is no JSON", line)
		}
		var got heatmap.Hit
		if !p.parseLine(line, &got) {
			t.Fatalf("%s: %s", line, p.fault.message())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s: %s", line, diff)
		}
		if again := AppendLine(nil, &got); string(again) != string(line) {
			t.Fatalf("%s became %s", line, again)
		}
	}
}

func ExampleAppendLine() {
	h := heatmap.Hit{Time: 1767225600000, Site: "shop", URL: "https://shop.example/", Kind: heatmap.KindClick, X: 512, Y: 1480}
	fmt.Printf("%s\n", AppendLine(nil, &h))
	// Output: {"t":1767225600000,"site":"shop","url":"https://shop.example/","kind":"click","x":512,"y":1480}
}
