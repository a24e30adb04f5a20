package collector

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

// TestCommonMembers parses lines one after the other whose common members come, change, change places, come twice, stand apart
// or are missing; each is what it is to a parser that has seen no other line.
func TestCommonMembers(t *testing.T) {
	sites := testSites(t)
	p := newParser(sites)
	p.setNow(testNow)
	r := rand.New(rand.NewPCG(7, 7))
	oneOf := func(s ...string) string { return s[r.IntN(len(s))] }
	values := map[string]func() string{
		"vw":      func() string { return oneOf("1280", "128", "12800", "1280.5", "1.28e3", "0", "01", "65536") },
		"vh":      func() string { return oneOf("720", "7200", "72") },
		"dw":      func() string { return oneOf("1265", "1265", "0") },
		"dh":      func() string { return oneOf("5400", "5401", "540") },
		"layout":  func() string { return oneOf("4294967295", "429496729", "4294967296", "7") },
		"pointer": func() string { return oneOf(`"mouse"`, `"touch"`, `""`, `"m\u006fuse"`, `"paw"`) },
	}
	common := []string{"vw", "vh", "dw", "dh", "layout", "pointer"}
	refused := 0
	for range 20_000 {
		var members []string
		names := common
		if r.IntN(4) == 0 {
			names = nil
			for range r.IntN(9) {
				names = append(names, common[r.IntN(len(common))])
			}
		}
		for _, name := range names {
			v := values[name]()
			if r.IntN(8) > 0 {
				v = map[string]string{"vw": "1280", "vh": "720", "dw": "1265", "dh": "5400", "layout": "4294967295", "pointer": `"mouse"`}[name]
			}
			members = append(members, fmt.Sprintf(oneOf(`"%s":%s`, `"%s":%s`, `"%s":%s`, `"%s" : %s`, `"%s":%s `), name, v))
			if r.IntN(10) == 0 {
				members = append(members, oneOf(`"x":5`, `"sel":"a"`, `"unknown":[1]`))
			}
		}
		line := fmt.Sprintf(`{"t":1767225600000,"site":"shop","url":"https://shop.example/","kind":"click","x":1,"y":2%s}`,
			strings.Join(append([]string{""}, members...), ","))
		var h heatmap.Hit
		fresh := newParser(sites)
		fresh.setNow(testNow)
		var alone heatmap.Hit
		ok := p.parseLine([]byte(line), &h)
		if want := fresh.parseLine([]byte(line), &alone); ok != want {
			t.Fatalf("%s\nok %v, want %v", line, ok, want)
		}
		if !ok {
			refused++
			if got, want := p.fault.message(), fresh.fault.message(); got != want {
				t.Fatalf("%s\n%s, want %s", line, got, want)
			}
			continue
		}
		want, err := naiveHit(sites, []byte(line))
		if err != nil || !cmp.Equal(want, h) {
			t.Fatalf("%s\n%v\n%s", line, err, cmp.Diff(want, h))
		}
	}
	if refused == 0 || refused > 15_000 {
		t.Errorf("%d of 20000 lines are refused", refused)
	}
}

// TestCommonIsBounded holds that no member makes the memory of what is common long.
func TestCommonIsBounded(t *testing.T) {
	p := newParser(testSites(t))
	p.setNow(testNow)
	var h heatmap.Hit
	for i := range 100 {
		line := fmt.Sprintf(`{"t":1767225600000,"site":"shop","url":"https://shop.example/","kind":"click","x":1,"y":2,"vw":%d.%s,"vh":%d}`,
			i, strings.Repeat("0", 30*i+1), i)
		if !p.parseLine([]byte(line), &h) || h.ViewportW != uint16(i) || h.ViewportH != uint16(i) {
			t.Fatalf("%s: %s", line, p.fault.message())
		}
	}
	if n := len(p.common.text); n > maxCommon*(maxCommonText+1) {
		t.Errorf("%d bytes are remembered", n)
	}
}
