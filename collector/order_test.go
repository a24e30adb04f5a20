package collector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

// TestMemberOrder parses hits whose members come in changing orders, with names that are expected, that only begin or end like them, that
// are escaped or followed by space, by a parser that has seen the ones before, and by a new one.
func TestMemberOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	p := newParser(testSites(t))
	p.setNow(testNow)
	for n := range 3000 {
		kind := []string{"view", "click", "scroll", "move"}[r.IntN(4)]
		members := []string{
			fmt.Sprintf(`"t":%d`, testNow.UnixMilli()), `"site":"shop"`, `"url":"https://shop.example/p/1"`, `"kind":"` + kind + `"`,
			fmt.Sprintf(`"x":%d`, n), `"y":7`, `"depth":900`, `"from":5`, `"dwell":12`, `"layout":3`, `"pointer":"pen"`, `"trusted":false`,
			`"check" : 17`, `"a\u0078":0.5`, `"laYout":1`, `"pointers":"pen"`, `"truste":1`, `"":2`, `"age":5`, `"vw":  1280`,
		}
		if n%5 > 0 { // mostly in one order, but for a few
			i := r.IntN(len(members) - 1)
			members[i], members[i+1] = members[i+1], members[i]
		} else {
			r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		}
		line := []byte("{" + strings.Join(members, ",") + "}" + strings.Repeat(" ", r.IntN(12)))
		var got, want heatmap.Hit
		fresh := newParser(p.sites)
		fresh.setNow(testNow)
		if !p.parseLine(line, &got) || !fresh.parseLine(line, &want) {
			t.Fatalf("%s: %s %s", line, p.fault.message(), fresh.fault.message())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s (-new parser +old):\n%s", line, diff)
		}
		if got.X != uint16(n) || got.Layout != 3 || got.AnchorX != heatmap.AnchorUnit/2 || got.Check != 17 || got.ViewportW != 1280 || got.Depth != 900 {
			t.Fatalf("%s: %+v", line, got)
		}
	}
}

// TestMemberOrderEnds cuts a line at every byte: a name that is expected may not be there to its end.
func TestMemberOrderEnds(t *testing.T) {
	line := []byte(clickLine(1))
	p := newParser(testSites(t))
	p.setNow(testNow)
	var h heatmap.Hit
	for n := range line {
		if !p.parseLine(line, &h) {
			t.Fatal(p.fault.message())
		}
		cut := bytes.Clone(line[:n]) // not to be read beyond
		if json.Valid(cut) || p.parseLine(cut[:n:n], &h) {
			t.Fatalf("%s was taken", cut)
		}
	}
}
