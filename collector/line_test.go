package collector

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

func testParser(t testing.TB) *parser {
	p := newParser(testSites(t))
	p.setNow(testNow)
	return &p
}

func TestParseLineExamples(t *testing.T) {
	p := testParser(t)
	f := func(line string, want heatmap.Hit) {
		t.Helper()
		var h heatmap.Hit
		if !p.parseLine([]byte(line), &h) {
			t.Errorf("%s: %s", line, p.fault.message())
			return
		}
		if diff := cmp.Diff(want, h); diff != "" {
			t.Errorf("%s: %s", line, diff)
		}
	}
	f(`{"t":1767225600000,"site":"shop","url":"https://shop.example/p/1?utm_source=x","kind":"click","x":512,"y":1480,
 "vw":1280,"vh":720,"dw":1265,"dh":5400,"sel":"main>a.buy","ax":0.25,"ay":0.5,"fixed":false,
 "view":"a1b2","visitor":"v-77","ua":"Mozilla/5.0 …","tags":["variant:b"],"id":"optional"}`,
		heatmap.Hit{
			Time: 1767225600000, Site: "shop", URL: "https://shop.example/p/1?utm_source=x", Kind: heatmap.KindClick,
			X: 512, Y: 1480, ViewportW: 1280, ViewportH: 720, DocumentW: 1265, DocumentH: 5400, Selector: "main>a.buy",
			AnchorX: 16384, AnchorY: 32768, View: "a1b2", Visitor: "v-77", UserAgent: "Mozilla/5.0 …",
			Tags: []string{"variant:b"}, ID: "optional",
		})
	f(`{"t":1767225601000,"site":"shop","url":"https://shop.example/p/1","kind":"scroll","depth":2200,"from":720,"dwell":1800,"y":1480,"vw":1280,"vh":720,"dh":5400,"view":"a1b2","visitor":"v-77"}`,
		heatmap.Hit{
			Time: 1767225601000, Site: "shop", URL: "https://shop.example/p/1", Kind: heatmap.KindScroll, Depth: 2200, From: 720,
			Dwell: 1800, Y: 1480, ViewportW: 1280, ViewportH: 720, DocumentH: 5400, View: "a1b2", Visitor: "v-77",
		})
	f(` { "kind" : "view" , "t" : 1.7672256e12 , "site" : "\u0073hop" , "u\u0072l" : "HTTPS:\/\/shop.example\u002F\ud83d\ude00" } `+"\r",
		heatmap.Hit{Time: 1767225600000, Site: "shop", URL: "HTTPS://shop.example/😀", Kind: heatmap.KindView})
	f(`{"t":946684800000,"site":"shop","url":"http://x","kind":"move","x":0,"y":65535.99,"bw":1,"bh":2,"check":65535,"in":"ul","ix":3,"iy":4,"layout":4294967295,"pointer":"pen","trusted":false,"fixed":true,"rage":true,"dead":true}`,
		heatmap.Hit{
			Time: 946684800000, Site: "shop", URL: "http://x", Kind: heatmap.KindMove, Y: 65535, BoxW: 1, BoxH: 2, Check: 65535,
			HasCheck: true, Container: "ul", ContainerX: 3, ContainerY: 4, Layout: 4294967295, Pointer: heatmap.PointerPen,
			Flags: heatmap.FlagUntrusted | heatmap.FlagFixed | heatmap.FlagRage | heatmap.FlagDead,
		})
	f(`{"x":-0,"y":-0.0e9,"t":1767398400000.5,"site":"news","url":"http://x/","kind":"click","trusted":true,"tags":[],"view":""}`,
		heatmap.Hit{Time: 1767398400000, Site: "news", URL: "http://x/", Kind: heatmap.KindClick})
}

// TestParseLineIgnores has members that do not count, whatever they are.
func TestParseLineIgnores(t *testing.T) {
	p := testParser(t)
	f := func(members string) {
		t.Helper()
		var h heatmap.Hit
		line := `{"t":1767225600000,"site":"shop","url":"http://x/","kind":"view",` + members + `}`
		if !p.parseLine([]byte(line), &h) {
			t.Errorf("%s: %s", members, p.fault.message())
		}
		if want := (heatmap.Hit{Time: 1767225600000, Site: "shop", URL: "http://x/", Kind: heatmap.KindView}); !cmp.Equal(want, h) {
			t.Errorf("%s: %+v", members, h)
		}
	}
	f(`"":0`)
	f(`"unknown":null,"X":"1","T":true,"vieww":-0.1e-5`)
	f(`"age":"x","b":[],"hits":{}`)
	f(`"x\u0000":70000`)
	f(`"longerthanaword":"` + strings.Repeat("é\\n", 2000) + `"`)
	f(`"a":{"b":[{},[],[[]],{"c":{"d":null}},true,false,"\ud83d\ude00",1e5]}`)
	f(`"a":` + strings.Repeat(`[`, 63) + strings.Repeat(`]`, 63))
	f(`"a":` + strings.Repeat(`{"a":`, 63) + "1" + strings.Repeat(`}`, 63))
}

func TestParseLineLastOfEqualNamesCounts(t *testing.T) {
	p := testParser(t)
	var h heatmap.Hit
	line := `{"x":1,"x":2,"y":3,"y":4,"fixed":true,"fixed":false,"trusted":false,"trusted":true,"tags":["a"],"tags":["b"],` +
		`"kind":"view","kind":"move","t":1767225600000,"site":"news","site":"shop","url":"http://x/a","url":"http://x/b"}`
	if !p.parseLine([]byte(line), &h) {
		t.Fatal(p.fault.message())
	}
	want := heatmap.Hit{Time: 1767225600000, Site: "shop", URL: "http://x/b", Kind: heatmap.KindMove, X: 2, Y: 4, Tags: []string{"b"}}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Error(diff)
	}
	if p.parseLine([]byte(strings.Replace(line, `"x":1`, `"x":-1`, 1)), &h) {
		t.Error("the first of two values was not checked")
	}
}

// valid is a click to which tests add members; a member that is there already counts as it stands last.
const valid = `{"t":1767225600000,"site":"shop","url":"http://x/","kind":"click","x":1,"y":2,`

func TestParseLineRefuses(t *testing.T) {
	p := testParser(t)
	f := func(line string, reason Reason, message string) {
		t.Helper()
		var h heatmap.Hit
		if p.parseLine([]byte(line), &h) {
			t.Errorf("%.100s: was taken", line)
			return
		}
		if got := p.fault.message(); got != message || p.fault.reason != reason {
			t.Errorf("%.100s:\n got %v %s\nwant %v %s", line, p.fault.reason, got, reason, message)
		}
	}
	member := func(m string, reason Reason, message string) { t.Helper(); f(valid+m+"}", reason, message) }

	f(``, ReasonMalformedJSON, `malformed JSON at byte 1: a value is missing`)
	f(`{`, ReasonMalformedJSON, `malformed JSON at byte 2: a name is missing`)
	f(`{}`, ReasonMissingField, `t is missing`)
	f(`{"t":1767225600000`, ReasonMalformedJSON, `malformed JSON at byte 19: a comma or a closing bracket is missing`)
	f(`{"t":1767225600000,}`, ReasonMalformedJSON, `malformed JSON at byte 20: a name is missing`)
	f(`{"t" 1767225600000}`, ReasonMalformedJSON, `malformed JSON at byte 6: a colon is missing`)
	f(`{t:1}`, ReasonMalformedJSON, `malformed JSON at byte 2: a name is missing`)
	f(`[1,2]`, ReasonWrongType, `the line is [1,2], want an object`)
	f(`"text"`, ReasonWrongType, `the line is "text", want an object`)
	f(`null`, ReasonWrongType, `the line is null, want an object`)
	f(`nul`, ReasonMalformedJSON, `malformed JSON at byte 1: not a value`)
	f(`1 2`, ReasonMalformedJSON, `malformed JSON at byte 3: something follows the value`)
	f(valid+`"a":1} x`, ReasonMalformedJSON, fmt.Sprintf(`malformed JSON at byte %d: something follows the object`, len(valid)+8))
	f(valid+`"a":1}{}`, ReasonMalformedJSON, fmt.Sprintf(`malformed JSON at byte %d: something follows the object`, len(valid)+7))
	at := func(n int, want string) string {
		return fmt.Sprintf("malformed JSON at byte %d: %s", len(valid)+n, want)
	}
	member(`"x":NaN`, ReasonMalformedJSON, at(5, "not a value"))
	member(`"x":-Infinity`, ReasonMalformedJSON, at(5, "not a number"))
	member(`"x":01`, ReasonMalformedJSON, at(5, "not a number"))
	member(`"x":1.`, ReasonMalformedJSON, at(5, "not a number"))
	member(`"x":1x`, ReasonMalformedJSON, at(6, "a comma or a closing bracket is missing"))
	member(`"x":`, ReasonMalformedJSON, at(5, "not a value"))
	member(`"a":"`+"\x01"+`"`, ReasonMalformedJSON, at(6, "control character in a string"))
	member(`"a":"`+"\xff"+`"`, ReasonMalformedJSON, at(6, "invalid UTF-8"))
	member(`"a":"`+"\xed\xa0\x80"+`"`, ReasonMalformedJSON, at(6, "invalid UTF-8"))
	member(`"a":"\x"`, ReasonMalformedJSON, at(6, "unknown escape"))
	member(`"a":"\u12g4"`, ReasonMalformedJSON, at(6, `\u without four hexadecimal digits`))
	member(`"a":"\ud800"`, ReasonMalformedJSON, at(6, "lone surrogate"))
	member(`"url":"http://x/\udc00"`, ReasonMalformedJSON, at(17, "lone surrogate"))
	member(`"a":"\ud800\ud800"`, ReasonMalformedJSON, at(6, "lone surrogate"))
	member(`"a":"\ud800\n"`, ReasonMalformedJSON, at(6, "lone surrogate"))
	member(`"a":"`, ReasonMalformedJSON, at(7, "the string does not end"))
	member(`"a":[1,]`, ReasonMalformedJSON, at(8, "not a value"))
	member(`"a":[1}`, ReasonMalformedJSON, at(7, "a comma or a closing bracket is missing"))
	member(`"a":{"b"}`, ReasonMalformedJSON, at(9, "a colon is missing"))
	member(`"a":`+strings.Repeat("[", 64)+strings.Repeat("]", 64), ReasonMalformedJSON, at(68, "nested deeper than 64"))

	member(`"x":"5"`, ReasonWrongType, `x is "5", want a number`)
	member(`"x":null`, ReasonWrongType, `x is null, want a number`)
	member(`"x":[1]`, ReasonWrongType, `x is [1], want a number`)
	member(`"t":true`, ReasonWrongType, `t is true, want a number`)
	member(`"site":1`, ReasonWrongType, `site is 1, want a string`)
	member(`"fixed":0`, ReasonWrongType, `fixed is 0, want true or false`)
	member(`"tags":"a"`, ReasonWrongType, `tags is "a", want a list of strings`)
	member(`"tags":["a",1]`, ReasonWrongType, `tags is 1, want a string`)
	member(`"layout":1.5`, ReasonWrongType, `layout is 1.5, want a whole number`)
	member(`"check":1e-3`, ReasonWrongType, `check is 1e-3, want a whole number`)
	member(`"view":`+strings.Repeat("[", 20)+`"long long long"`+strings.Repeat("]", 20), ReasonWrongType,
		`view is `+strings.Repeat("[", 20)+`"long long long"]]]]…, want a string`)

	for _, name := range []string{"x", "y", "depth", "from", "vw", "vh", "dw", "dh", "bw", "bh", "ix", "iy", "check"} {
		for _, v := range []string{"65536", "70000", "-1", "-0.5", "1e5", "-1e-300", "99999999999999999999999", "1e999999999999"} {
			member(`"`+name+`":`+v, ReasonOutOfRange, name+" is "+v+", want 0 to 65535")
		}
	}
	member(`"ax":1.0000000000000000000001`, ReasonOutOfRange, `ax is 1.0000000000000000000001, want 0 to 1`)
	member(`"ay":-0.1`, ReasonOutOfRange, `ay is -0.1, want 0 to 1`)
	member(`"ay":2`, ReasonOutOfRange, `ay is 2, want 0 to 1`)
	member(`"dwell":600001`, ReasonOutOfRange, `dwell is 600001, want 0 to 600000`)
	member(`"dwell":-1`, ReasonOutOfRange, `dwell is -1, want 0 to 600000`)
	member(`"layout":4294967296`, ReasonOutOfRange, `layout is 4294967296, want 0 to 4294967295`)
	member(`"kind":"scroll","depth":100,"from":101`, ReasonOutOfRange, `depth is 100, want at least from, which is 101`)

	const span = ", want 946684800000 (2000-01-01) to 1767398400000 (24 h ahead), ms since 1970"
	for _, v := range []string{"0", "946684799999", "946684799999.9", "1767398400001", "4102444800000", "-1", "1e300", "01767225600", "0767225600000"} {
		if v[0] == '0' && len(v) > 1 {
			member(`"t":`+v, ReasonMalformedJSON, at(5, "not a number"))
			continue
		}
		member(`"t":`+v, ReasonBadTime, "t is "+v+span)
	}

	member(`"kind":"tap"`, ReasonBadValue, `kind is "tap", want view, click, scroll or move`)
	member(`"kind":"rage"`, ReasonBadValue, `kind is "rage", want view, click, scroll or move`)
	member(`"pointer":"nose"`, ReasonBadValue, `pointer is "nose", want mouse, touch, pen or empty`)
	member(`"site":"other"`, ReasonUnknownSite, `site is "other", want the key of a registered site`)
	member(`"site":""`, ReasonUnknownSite, `site is "", want the key of a registered site`)

	for _, url := range []string{
		``, `/p/1`, `shop.example/p`, `//shop.example/`, `ftp://shop.example/`, `javascript:alert(1)`, ` https://x/`, `http:/x/`, `http:`, `httpss://x`,
	} {
		member(`"url":"`+url+`"`, ReasonBadURL, `url is "`+url+`", want an absolute http or https URL`)
	}
	for _, url := range []string{`https://`, `http:///p`, `http://?a`, `http://u:p@/`, `http://x:y/`, `http://x:65536/`, `http://a b/`, `http://[::1/`, `http://a\\b/`} {
		member(`"url":"`+url+`"`, ReasonBadURL, `url is "`+url+`", want a URL with a host name and a port of 0 to 65535`)
	}
	for _, c := range []string{`\u0000`, `\n`, `\t`, `\u007f`, `\u0080`, `\u009f`} {
		member(`"url":"http://x/`+c+`"`, ReasonBadURL, `url is "http://x/`+c+`", want a URL without control characters`)
	}
	member(`"url":"http://x/`+strings.Repeat("a", 8192)+`"`, ReasonTooLong, `url is 8201 bytes, limit 8192`)
	member(`"view":"`+strings.Repeat("a", 129)+`"`, ReasonTooLong, `view is 129 bytes, limit 128`)
	member(`"visitor":"`+strings.Repeat("é", 65)+`"`, ReasonTooLong, `visitor is 130 bytes, limit 128`)
	member(`"id":"`+strings.Repeat("a", 129)+`"`, ReasonTooLong, `id is 129 bytes, limit 128`)
	member(`"sel":"`+strings.Repeat("a", 1025)+`"`, ReasonTooLong, `sel is 1025 bytes, limit 1024`)
	member(`"in":"`+strings.Repeat("a", 1025)+`"`, ReasonTooLong, `in is 1025 bytes, limit 1024`)
	member(`"tags":["`+strings.Repeat("a", 65)+`"]`, ReasonTooLong, `tags is 65 bytes, limit 64`)
	member(`"tags":[`+strings.Repeat(`"a",`, 16)+`"a"]`, ReasonTooLong, `tags has more than 16 entries`)

	head := `{"t":1767225600000,"site":"shop","url":"http://x/"`
	f(head+`}`, ReasonMissingField, `kind is missing`)
	f(head+`,"kind":"click","y":1}`, ReasonMissingField, `x is missing, a click needs it`)
	f(head+`,"kind":"move","x":1}`, ReasonMissingField, `y is missing, a move needs it`)
	f(head+`,"kind":"scroll","y":1}`, ReasonMissingField, `depth is missing, a scroll needs it`)
	f(`{"site":"shop","url":"http://x/","kind":"view"}`, ReasonMissingField, `t is missing`)
	f(`{"t":1767225600000,"url":"http://x/","kind":"view"}`, ReasonMissingField, `site is missing`)
	f(`{"t":1767225600000,"site":"shop","kind":"view"}`, ReasonMissingField, `url is missing`)
}

func TestParseLineLimitsAreTaken(t *testing.T) {
	p := testParser(t)
	for _, m := range []string{
		`"url":"http://x/` + strings.Repeat("a", 8183) + `"`, `"view":"` + strings.Repeat("a", 128) + `"`,
		`"sel":"` + strings.Repeat(`\u00e9`, 512) + `"`, `"tags":[` + strings.Repeat(`"a",`, 15) + `"` + strings.Repeat("b", 64) + `"]`,
		`"dwell":600000`, `"depth":65535,"from":65535`, `"t":1767398400000`, `"t":946684800000`, `"ax":1,"ay":0`,
	} {
		var h heatmap.Hit
		if !p.parseLine([]byte(valid+m+"}"), &h) {
			t.Errorf("%.60s: %s", m, p.fault.message())
		}
	}
}

func TestParseLineCutsUserAgent(t *testing.T) {
	p := testParser(t)
	f := func(ua, want string) {
		t.Helper()
		var h heatmap.Hit
		if !p.parseLine([]byte(valid+`"ua":"`+ua+`"}`), &h) || h.UserAgent != want {
			t.Errorf("user agent of %d bytes, want %d", len(h.UserAgent), len(want))
		}
	}
	a := strings.Repeat("a", 255)
	f(a+"b", a+"b")
	f(a+"bc", a+"b")
	f(a+"é", a)
	f(a[:253]+"é€", a[:253]+"é")
	f(a[:253]+"\U0001f600x", a[:253])
}

// TestParseLineStringsStay checks that no hit points into the memory of its line, or into what other lines reuse.
func TestParseLineStringsStay(t *testing.T) {
	p := testParser(t)
	line := []byte{}
	var hits []heatmap.Hit
	for i := range 5000 {
		line = append(line[:0], strings.Replace(clickLine(i), "a1b2", fmt.Sprintf(`\u0076%d`, i), 1)...)
		var h heatmap.Hit
		if !p.parseLine(line, &h) {
			t.Fatal(p.fault.message())
		}
		hits = append(hits, h)
		for j := range line {
			line[j] = '#'
		}
	}
	for i, h := range hits {
		if h.View != fmt.Sprintf("v%d", i) || h.URL != fmt.Sprintf("https://shop.example/p/%d?utm_source=x", i/50) || !slices.Equal(h.Tags, []string{"variant:b"}) {
			t.Fatalf("hit %d became %+v", i, h)
		}
	}
}

// mutate changes a line in one or a few places.
func mutate(r *rand.Rand, line []byte) []byte {
	pieces := []string{
		`"`, `\`, `{`, `}`, `[`, `]`, `,`, `:`, ` `, "\n", "\x00", "\xff", "é", "\xe2\x82", `\ud800`, `\ud83d\ude00`, `\u0041`, `\"`, `null`, `true`,
		`"x":1,`, `"y":65535.9,`, `-0`, `1e3`, `0.5`, `"tags":[],`, `"depth":7,`, `"kind":"scroll"`, `~`, `9`, `-`, `"\u0078":5,`,
	}
	line = slices.Clone(line)
	for range 1 + r.IntN(3) {
		i, j := r.IntN(len(line)+1), r.IntN(len(line)+1)
		switch r.IntN(5) {
		case 0: // insert
			line = slices.Insert(line, i, []byte(pieces[r.IntN(len(pieces))])...)
		case 1: // cut a little
			line = slices.Delete(line, i, min(len(line), i+1+r.IntN(6)))
		case 2: // flip
			if i < len(line) {
				line[i] ^= 1 << r.IntN(8)
			}
		case 3: // copy a piece
			line = slices.Insert(line, i, slices.Clone(line[min(i, j):min(len(line), min(i, j)+20)])...)
		case 4: // end early
			if r.IntN(8) == 0 {
				line = line[:i]
			}
		}
	}
	return line
}

// checkAgainstOracle parses a line both ways. It reports whether it was taken.
func checkAgainstOracle(t *testing.T, p *parser, line []byte) bool {
	t.Helper()
	var h heatmap.Hit
	taken := p.parseLine(line, &h)
	want, err := naiveHit(p.sites, line)
	if taken != (err == nil) {
		if !taken && (strings.Contains(p.fault.message(), "nested deeper") || hasRepeatedName(line)) {
			return false // each value of a name is checked; the oracle sees the last
		}
		t.Fatalf("%q:\ntaken: %v (%s), want %v", line, taken, p.fault.message(), err)
	}
	if !taken {
		if m := p.fault.message(); m == "" || !utf8.ValidString(m) || len(m) > 200 {
			t.Fatalf("%q: message %q", line, m)
		}
		if _, err := naiveObject(line); (p.fault.reason == ReasonMalformedJSON) && err == nil && !strings.Contains(p.fault.message(), "nested deeper") {
			t.Fatalf("%q: %s, but it is JSON", line, p.fault.message())
		}
		return false
	}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Fatalf("%q: %s", line, diff)
	}
	return true
}

func TestParseLineAgainstEncodingJSON(t *testing.T) {
	p := testParser(t)
	seeds := [][]byte{
		[]byte(clickLine(3)), []byte(moveLine(4)), []byte(valid + `"a":{"b":[1,"\u00e9",null]},"bw":1,"check":7,"in":"ul","ix":3,"layout":9,"pointer":"pen","trusted":false}`),
		[]byte(`{"t":1767225601000,"site":"shop","url":"https://shop.example/p/1?m=a%40b.cz","kind":"scroll","depth":2200,"from":720,"dwell":1800,"y":1480,"id":"i"}`),
	}
	r := rand.New(rand.NewPCG(3, 4))
	taken := 0
	for range 30_000 {
		if checkAgainstOracle(t, p, mutate(r, seeds[r.IntN(len(seeds))])) {
			taken++
		}
	}
	if taken < 2000 || taken > 28_000 {
		t.Errorf("%d of 30000 mutated lines were taken; the test should see both sorts", taken)
	}
}

func TestNextSpecial(t *testing.T) {
	for n := range 40 {
		b := []byte(strings.Repeat("~", n))
		if i := nextSpecial(b, 0); i != n {
			t.Errorf("%d plain bytes: %d", n, i)
		}
		for at := range b {
			for c := range 256 {
				b[at] = byte(c)
				want := n
				if c < 0x20 || c == '"' || c == '\\' || c >= 0x80 {
					want = at
				}
				if i := nextSpecial(b, 0); i != want {
					t.Fatalf("byte %#x at %d of %d: %d, want %d", c, at, n, i, want)
				}
			}
			b[at] = '~'
		}
	}
}
