package collector

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

func testBatchParser(t testing.TB) *batchParser {
	return &batchParser{parser: newParser(testSites(t))}
}

func TestParseBatch(t *testing.T) {
	p := testBatchParser(t)
	now := testNow.UnixMilli()
	f := func(body string, head batchHead, hits ...heatmap.Hit) {
		t.Helper()
		if !p.parse([]byte(body), now) {
			message, _ := p.faultPlace()
			t.Errorf("%s: %s", body, message)
			return
		}
		if diff := cmp.Diff(head, p.head, cmp.AllowUnexported(batchHead{})) + cmp.Diff(hits, p.hits); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
	}
	click := heatmap.Hit{
		Time: now - 1200, Site: "shop", URL: "https://shop.example/p/1", View: "a1b2", Tags: []string{"variant:b"}, Kind: heatmap.KindClick,
		X: 512, Y: 1480, ViewportW: 1280, ViewportH: 720, DocumentW: 1265, DocumentH: 5400, Selector: "main>a.buy", AnchorX: 16384, AnchorY: 32768,
	}
	head := batchHead{site: "shop", id: "a1b2-7", url: "https://shop.example/p/1", view: "a1b2", tags: []string{"variant:b"}}
	f(`{"site":"shop","url":"https://shop.example/p/1","view":"a1b2","b":"a1b2-7","tags":["variant:b"],
 "hits":[{"age":1200,"kind":"click","x":512,"y":1480,"vw":1280,"vh":720,"dw":1265,"dh":5400,"sel":"main>a.buy","ax":0.25,"ay":0.5}]}`, head, click)
	f(`{"hits":[{"ay":0.5,"age":1200,"kind":"click","x":512,"y":1480,"vw":1280,"vh":720,"dw":1265,"dh":5400,"sel":"main>a.buy","ax":0.25}],`+
		`"tags":["variant:b"],"b":"a1b2-7","url":"https://u:p@shop.example/p/1","more":{"hits":[1]},"view":"a1b2","site":"shop"} `, head, click)

	// a hit's own values, ages outside, and what a hit may not say
	f(`{"site":"x","b":"é","url":"http://x/","hits":[{"kind":"view","url":"http://y/?e=a@b.cz","view":"v","tags":[]},`+
		`{"kind":"scroll","depth":5,"age":-1},{"kind":"view","age":1e99},{"kind":"view","age":86400000.7,"t":"x","site":1,"visitor":{},"ua":[],"id":null}]}`,
		batchHead{site: "x", id: "é", url: "http://x/"},
		heatmap.Hit{Time: now, Site: "x", URL: "http://y/?e=~", View: "v", Kind: heatmap.KindView},
		heatmap.Hit{Time: now, Site: "x", URL: "http://x/", Kind: heatmap.KindScroll, Depth: 5},
		heatmap.Hit{Time: now - 86_400_000, Site: "x", URL: "http://x/", Kind: heatmap.KindView},
		heatmap.Hit{Time: now - 86_400_000, Site: "x", URL: "http://x/", Kind: heatmap.KindView})
	f(`{"site":"x","b":"1","url":"http://x/","tags":["a","b"],"hits":[{"kind":"view","tags":["c"]},{"kind":"view"}]}`,
		batchHead{site: "x", id: "1", url: "http://x/", tags: []string{"a", "b"}},
		heatmap.Hit{Time: now, Site: "x", URL: "http://x/", Kind: heatmap.KindView, Tags: []string{"c"}},
		heatmap.Hit{Time: now, Site: "x", URL: "http://x/", Kind: heatmap.KindView, Tags: []string{"a", "b"}})
	f(`{"site":"x","b":"1","hits":[{"kind":"view","url":"http://x/"}],"hits":[{"kind":"view","url":"http://y/"}]}`,
		batchHead{site: "x", id: "1"}, heatmap.Hit{Time: now, Site: "x", URL: "http://y/", Kind: heatmap.KindView})
	if !p.parse(batchOf(MaxHits), now) || len(p.hits) != MaxHits {
		t.Errorf("%d hits: %s", len(p.hits), p.fault.message())
	}
}

func TestParseBatchRefuses(t *testing.T) {
	p := testBatchParser(t)
	f := func(body string, reason Reason, message, field string) {
		t.Helper()
		if p.parse([]byte(body), testNow.UnixMilli()) {
			t.Errorf("%.200s: was taken", body)
			return
		}
		if m, at := p.faultPlace(); m != message || at != field || p.fault.reason != reason {
			t.Errorf("%.200s:\n got %v %q %q\nwant %v %q %q", body, p.fault.reason, at, m, reason, field, message)
		}
	}
	hits := func(list string, reason Reason, message, field string) {
		t.Helper()
		f(`{"site":"shop","b":"1","url":"http://x/","hits":[`+list+`]}`, reason, message, field)
	}
	const good = `{"kind":"view"}`
	f(``, ReasonMalformedJSON, "malformed JSON at byte 1: a value is missing", "")
	f(`{}`, ReasonMissingField, "site is missing", "site")
	f(`[]`, ReasonWrongType, "the body is [], want an object", "the body")
	f(`{"site":"a","b":"1"} `, ReasonMissingField, "hits is missing", "hits")
	f(`{"site":"a","hits":[`+good+`]}`, ReasonMissingField, "b is missing", "b")
	f(`{"site":"a","b":"1","hits":[`+good+`]}`, ReasonMissingField, "hit 0: url is missing", "hits[0].url")
	f(`{"site":"a","b":"","hits":[]}`, ReasonTooLong, `b is "", want 1 to 64 characters`, "b")
	f(`{"b":"`+strings.Repeat("é", 65)+`"}`, ReasonTooLong, `b is "`+strings.Repeat("é", 19)+`…", want 1 to 64 characters`, "b")
	f(`{"b":1}`, ReasonWrongType, "b is 1, want a string", "b")
	f(`{"hits":{}}`, ReasonWrongType, "hits is {}, want a list of 1 to 500 hits", "hits")
	f(`{"url":"x"}`, ReasonBadURL, `url is "x", want an absolute http or https URL`, "url")
	f(`{"site":"a"}x`, ReasonMalformedJSON, "malformed JSON at byte 13: something follows the object", "")
	f(`{"site":"a"`, ReasonMalformedJSON, "malformed JSON at byte 12: a comma or a closing bracket is missing", "")
	hits(``, ReasonMissingField, "hits is empty, want 1 to 500 hits", "hits")
	hits(strings.Repeat(good+",", MaxHits)+good, ReasonTooLong, "hits has more than 500 entries", "hits")
	hits(good+`,1`, ReasonWrongType, "hit 1: hits is 1, want an object", "hits[1]")
	hits(good+`,{"kind":"click","x":70000}`, ReasonOutOfRange, "hit 1: x is 70000, want 0 to 65535", "hits[1].x")
	hits(good+`,{"kind":"click","x":7}`, ReasonMissingField, "hit 1: y is missing, a click needs it", "hits[1].y")
	hits(`{"x":7}`, ReasonMissingField, "hit 0: kind is missing", "hits[0].kind")
	hits(`{"kind":"view","age":"1"}`, ReasonWrongType, `hit 0: age is "1", want a number`, "hits[0].age")
	hits(`{"kind":"view","a":"\ud800"}`, ReasonMalformedJSON, "hit 0: malformed JSON at byte 70: lone surrogate", "hits[0]")
	hits(good+good, ReasonMalformedJSON, "malformed JSON at byte 65: a comma or a closing bracket is missing", "")
	hits(good+`,`, ReasonMalformedJSON, "hit 1: malformed JSON at byte 66: not a value", "hits[1]")
}

// TestParseBatchAgainstLines mutates batches. What is taken has the hits that the same members give as lines.
func TestParseBatchAgainstLines(t *testing.T) {
	p, lines := testBatchParser(t), testParser(t)
	now := testNow.UnixMilli()
	r := rand.New(rand.NewPCG(11, 12))
	seed := []byte(`{"site":"shop","url":"http://x/","view":"a1","b":"a-7","tags":["v:b"],"hits":[{"age":12,"kind":"click","x":5,"y":1480,"ax":0.25},{"kind":"view","url":"http://y/?q=1"}]}`)
	taken := 0
	for range 20_000 {
		body := mutate(r, seed)
		m, err := naiveObject(body)
		if !p.parse(body, now) {
			if err == nil && p.fault.reason == ReasonMalformedJSON {
				t.Fatalf("%s: %s, but it is JSON", body, p.fault.message())
			}
			continue
		}
		if err != nil {
			t.Fatalf("%q was taken: %v", body, err)
		}
		taken++
		list := m["hits"].([]any)
		if len(list) != len(p.hits) {
			t.Fatalf("%q: %d hits, want %d", body, len(p.hits), len(list))
		}
		for i := range list {
			checkAsLine(t, lines, &p.hits[i])
		}
	}
	if taken < 1000 {
		t.Errorf("%d of 20000 mutated batches were taken; the test should see more", taken)
	}
}

// checkAsLine checks that a hit is one that an import takes too, if its site is known.
func checkAsLine(t *testing.T, p *parser, h *heatmap.Hit) {
	t.Helper()
	want := *h
	want.Site = "shop"
	var got heatmap.Hit
	if line := AppendLine(nil, &want); !p.parseLine(line, &got) {
		t.Fatalf("%s: %s", line, p.fault.message())
	}
	if len(want.Tags) == 0 {
		want.Tags = nil
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s", diff)
	}
}

func TestParseBatchAllocatesNothing(t *testing.T) {
	p := testBatchParser(t)
	body := batchOf(20)
	if n := testing.AllocsPerRun(1000, func() {
		if !p.parse(body, testNow.UnixMilli()) {
			t.Fatal(p.fault.message())
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestParseLineAllocatesNothing(t *testing.T) {
	p := testParser(t)
	var h heatmap.Hit
	for _, line := range []string{clickLine(1), moveLine(1), valid + `"a":{"b":["\u00e9",1.5e3,null]},"x":1.5,"view":"\u0041"}`, valid + `"x":-1}`} {
		b := []byte(line)
		if n := testing.AllocsPerRun(100, func() { p.parseLine(b, &h) }); n != 0 {
			t.Errorf("%s: %v allocations", line, n)
		}
	}
}

func ExampleScrub() {
	url, err := Scrub("https://jan:secret@shop.example/p?email=jan%40shop.example&size=42")
	fmt.Println(url, err)
	// Output: https://shop.example/p?email=~&size=42 <nil>
}
