package collector

import (
	"testing"

	"heatlog/heatmap"
)

// The seeds are in testdata/fuzz, one file each.

func FuzzParseLine(f *testing.F) {
	p := testParser(f)
	f.Fuzz(func(t *testing.T, line []byte) {
		if !checkAgainstOracle(t, p, line) {
			return
		}
		var h, again heatmap.Hit
		p.parseLine(line, &h)
		out := AppendLine(nil, &h)
		if !p.parseLine(out, &again) {
			t.Fatalf("%q: written as %q: %s", line, out, p.fault.message())
		}
		if second := AppendLine(nil, &again); string(second) != string(out) {
			t.Fatalf("%q: written as %q, then as %q", line, out, second)
		}
	})
}

func FuzzParseBatch(f *testing.F) {
	p, lines := testBatchParser(f), testParser(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		_, err := naiveObject(body)
		if !p.parse(body, testNow.UnixMilli()) {
			if message, _ := p.faultPlace(); message == "" {
				t.Fatal("no message")
			}
			return
		}
		if err != nil || len(p.hits) < 1 || len(p.hits) > MaxHits || p.head.id == "" {
			t.Fatalf("%q was taken: %v", body, err)
		}
		for i := range p.hits {
			checkAsLine(t, lines, &p.hits[i])
		}
	})
}

func FuzzScrub(f *testing.F) {
	f.Fuzz(func(t *testing.T, url string) { checkScrubbed(t, url) })
}
