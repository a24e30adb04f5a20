package index

import (
	"errors"
	"strings"
	"testing"
	"time"

	"heatlog/heatmap"
)

// whereEvent is an event that has something in every field.
func whereEvent(t testing.TB) *Event {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Prague")
	if err != nil {
		t.Fatal(err)
	}
	h := heatmap.Hit{
		Time: 1767225600123, Site: "shop", URL: "https://Shop.example/p/1", View: "view", Visitor: "v-77", Selector: "main>a.buy", UserAgent: "Agent/1",
		ID: "id", Tags: []string{"variant:b", "new"}, X: 512, Y: 1480, ViewportW: 1280, ViewportH: 720, DocumentW: 1265, DocumentH: 5400,
		Depth: 2200, From: 720, AnchorX: 1 << 14, AnchorY: 1 << 15, Dwell: 1800, Layout: 1 << 31, Kind: heatmap.KindClick,
		Pointer: heatmap.PointerTouch, Flags: heatmap.FlagDead | heatmap.FlagFixed,
	}
	return &Event{
		Hit: &h, URL: "https://shop.example/p/1", Page: "https://shop.example/p/:id", Device: heatmap.Mobile, Bot: true, zone: zone,
	}
}

func TestWhere(t *testing.T) {
	e := whereEvent(t)
	f := func(text string, want bool) {
		t.Helper()
		w, err := CompileWhere(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			return
		}
		for range 2 {
			if got := w.Match(e); got != want {
				t.Errorf("%s: %t, want %t", text, got, want)
			}
		}
	}
	f(`bot and dead and fixed and trusted`, true)
	f(`url == "https://shop.example/p/1" and raw_url == "https://Shop.example/p/1" and page endsWith ":id"`, true)
	f(`site == "shop" and visitor == "v-77" and view == "view" and id == "id" and sel == "main>a.buy" and ua == "Agent/1"`, true)
	f(`device == "mobile" && kind == "click" && pointer == "touch"`, true)
	f(`t == 1767225600123 and x == 512 and y == 1480 and vw == 1280 and vh == 720 and dw == 1265 and dh == 5400`, true)
	f(`depth == 2200 and from == 720 and dwell == 1800 and ax == 0.25 and ay == 0.5 and layout == 2147483648`, true)
	f(`hour == 1 and weekday == 4 and time.Hour() == 1 and time.Year() == 2026`, true)
	f(`time > date("2026-01-01") and time < date("2026-01-02") and time - date("2026-01-01") < duration("1s")`, true)
	f(`time > date("2026-01-01 00:00:00") and time < date("2026-01-01T01:00:01+01:00")`, true)
	f(`"new" in tags and tags[0] == "variant:b" and len(tags) == 2`, true)
	f(`any(tags, # startsWith "variant:") and count(tags, # == "new") == 1`, true)
	f(`tags[2] == "x"`, false)
	f(`not (tags[2] == "x")`, false)
	f(`url matches "^https://shop\\.example/p/\\d+$"`, true)
	f(`kind in ["view", "scroll"]`, false)
	f(`lower(raw_url) contains "shop" ? x > 500 : false`, true)
	f(`max(x, y) - abs(-80) == 1400 and round(ax * 10) == 3.0`, true)
	f(`x > 600 or y > 1000`, true)
}

func TestWhereErrors(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		_, err := CompileWhere(text)
		var param *heatmap.ParamError
		if !errors.As(err, &param) || param.Field != "where" || !strings.HasPrefix(param.Message, want) {
			t.Errorf("%.100q\n got %v\nwant where: %s", text, err, want)
		}
	}
	f(``, `1:1: expression is empty`)
	f(" \n", `1:1: expression is empty`)
	f(`x = 3`, `1:3: unexpected token Operator("="); write == to compare`)
	f(`x > 3 and`, `1:9: unexpected token EOF`)
	f("x > 3 and\nfoo", `2:1: unknown name foo`)
	f(`url`, `1:1: expected bool, but got string`)
	f(`x == "a"`, `1:3: invalid operation: == (mismatched types int and string)`)
	f(`let a = url; a == url`, `1:5: let and ; are not available`)
	f(`bot; bot`, `1:1: let and ; are not available`)
	f(`$env == nil`, `1:1: $env is not available`)
	f(`any(tags, any(tags, true))`, `1:11: a condition over a list cannot hold another`)
	f(`x in 1..1000000`, `1:7: ranges are not available`)
	f(`url matches ua`, `1:5: the right side of matches must be a string`)
	f(`url matches "("`, `1:5: error parsing regexp: missing closing ): `+"`(`")
	f(`url matches "(((a{10}){10}){10})b{1000}"`, `1:5: regular expression has 6222 parts, limit 2000`)
	f(`time.Local() == time`, `1:6: "Local" is not available`)
	f(`time.Weekday() == 1`, `1:6: "Weekday" is not available`)
	f(`now() > time`, `1:1: unknown name now`)
	f(`repeat("a", 1000000) == url`, `1:1: unknown name repeat`)
	f(`len(map(tags, #)) > 1`, `1:5: map is not available`)
	f(`reduce(tags, #acc + #, "") == ""`, `1:1: reduce is not available`)
	f(`sum([x, y]) == 3`, `1:1: sum is not available`)
	for _, date := range []string{`date(ua)`, `date("today")`, `date("2026-01-01", "2006-01-02", "Local")`, `date("02 Jan 26 15:04 CET")`, `date("2026-01-01", "2006-01-02")`, `date(1)`} {
		f(`time > `+date, `1:8: date takes one day or instant`)
	}
	functions := "; functions are " + strings.Join(expressionBuiltins(), ", ")
	f(`split(url, "/")[0] == ""`, `1:1: unknown name split; known are `+strings.Join(expressionNames(), ", ")+functions)
	f(`filter(tags, true) == tags`, `1:1: filter is not available`+functions)
	f(`Bot`, `1:1: unknown name Bot`)
	f(strings.Repeat("(", 5000), `1:1: expression has 5000 bytes, limit 4096`)
	f(strings.Repeat("(", 4096), `1:`)
	f(strings.Repeat("bot or ", 400)+"bot", `1:`)
}

func FuzzWhere(f *testing.F) {
	for _, text := range []string{
		`bot and x > 3`, `any(tags, # startsWith "a")`, `url matches "a{3}"`, `time.Hour() > 3 or time < date("2026-01-01")`, `tags[-1:2] == tags`,
		`{"a": x}.a == 1`, `x ** y > 3`, `x % (y - 1480) == 0`, `all(tags, {len(#) > 1})`, `device?.a`, `tags | count(# == "a") > 1`, `-x?.y ?? bot`,
	} {
		f.Add(text)
	}
	e := whereEvent(f)
	f.Fuzz(func(t *testing.T, text string) {
		w, err := CompileWhere(text)
		var param *heatmap.ParamError
		if err != nil && !errors.As(err, &param) {
			t.Fatalf("error %v", err)
		}
		if err != nil {
			return
		}
		start := time.Now()
		first := w.Match(e)
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v", took)
		}
		if w.Match(e) != first {
			t.Error("two runs differ")
		}
	})
}

func BenchmarkWhere(b *testing.B) {
	e := whereEvent(b)
	for _, text := range []string{
		`bot`, `visitor == "v-78"`, `url contains "/internal/"`, `x > 100 and x < 200`, `kind in ["view", "scroll"]`, `"variant:b" in tags`, `hour >= 9 and hour < 17`,
		`url matches "/p/\\d+$"`, `device == "mobile" && y > 1200`, `vw < 800 && y > 1000`, `count(tags, # startsWith "variant:") == 1`,
	} {
		w, err := CompileWhere(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.Match(e)
			}
		})
	}
}
