package web

import (
	"errors"
	"math"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

const page = "url=https%3A%2F%2Fshop.example%2Fp%2F1"

func TestBadParameters(t *testing.T) {
	h := start(t, wholeOptions())
	f := func(target, field string, fragments ...string) {
		t.Helper()
		h.refused(h.get(target), 400, "bad_param", field, fragments...)
	}
	hm := func(more, field string, fragments ...string) {
		t.Helper()
		f("/v1/heatmap?site=shop&"+page+"&"+more, field, fragments...)
	}

	f("/v1/heatmap", "site", "missing")
	f("/v1/heatmap?site=", "site", "empty")
	f("/v1/heatmap?site&"+page, "site", "empty")
	f("/v1/heatmap?site=Shop&"+page, "site", `"Shop"`, "a-z")
	f("/v1/heatmap?site="+strings.Repeat("a", 33)+"&"+page, "site", "1 to 32")
	f("/v1/heatmap?site=shop", "url", "missing", "pattern")
	f("/v1/scroll?site=shop", "url", "missing")
	f("/v1/elements?site=shop", "url", "missing")
	f("/v1/elements?site=shop&"+page+"&kind=move", "kind", "click, rage or dead")
	f("/v1/elements?site=shop&"+page+"&limit=10001", "limit", "0 to 10000")
	f("/v1/elements?site=shop&"+page+"&cells=yes", "cells", "0, 1")
	f("/v1/elements?site=shop&"+page+"&cell=8", "cell", "unknown parameter")
	f("/v1/scroll?"+page, "site", "missing")
	f("/v1/pages", "site", "missing")
	f("/v1/export", "site", "missing")

	hm("form=2026-01-01", "form", `unknown parameter "form"`, "from, to")
	hm("Kind=click", "Kind", "unknown parameter")
	hm("%00=1", "\x00", "unknown parameter")
	hm("%ff=1", "\uFFFD", "unknown parameter")
	hm("%zz=1", "%zz", "unknown parameter")
	hm("site=shop", "site", "given twice")
	hm("sit%65=shop", "site", "given twice")
	hm(strings.Repeat("x", 500)+"=1", strings.Repeat("x", 64), "unknown parameter", "…")
	f("/v1/scroll?site=shop&"+page+"&kind=click", "kind", "unknown parameter")
	f("/v1/pages?site=shop&cell=8", "cell", "unknown parameter")
	f("/v1/export?site=shop&where=1", "where", "unknown parameter", "positions")
	f("/v1/sites?x=1", "x", "unknown parameter")
	f("/v1/bots?x=1", "x", "unknown parameter")

	hm("where=%", "where", "hexadecimal")
	hm("where=%4", "where", "hexadecimal")
	hm("where=%zz", "where", "hexadecimal", "%25")
	hm("where=%2b1%ff", "where", "not UTF-8", `\xff`)
	hm("where=a%0ab", "where", "control characters", `\n`)
	hm("where=a%C2%85b", "where", "control characters")
	hm("where="+strings.Repeat("a", 4097), "where", "4097 bytes", "limit 4096", "…")
	hm("generation="+strings.Repeat("g", 257), "generation", "limit 256")
	f("/v1/pages?site=shop&q="+strings.Repeat("q", 1025), "q", "limit 1024")
	f("/v1/heatmap?site=shop&url="+strings.Repeat("u", 8193), "url", "8193 bytes", "limit 8192")

	hm("from=2026-02-30", "from", `"2026-02-30"`, "a day (2026-01-31)")
	hm("from=2026-2-3", "from", "a day")
	hm("from=yesterday", "from", "a day")
	hm("from=1767225600000", "from", "a day")
	hm("from=2026-01-01T00:00:00", "from", "with a zone")
	hm("from=2026-01-01T00:00:00+02:00", "from", "%2B")
	hm("to=2026-01-01T24:00:00Z", "to", "a day")
	hm("to=2026-01-01t00:00:00z", "to", "a day")
	hm("from=1999-12-31", "from", "from 2000-01-01 to 2149-06-06")
	hm("from=1999-12-31T23:59:59.999Z", "from", "from 2000-01-01")
	hm("to=2149-06-07", "to", "to 2149-06-06")
	hm("to=2150-01-01", "to", "to 2149-06-06")
	hm("to=2149-06-07T00:00:00.001Z", "to", "to 2149-06-06")
	hm("from=2026-01-02&to=2026-01-01", "from", `"2026-01-02"`, "after to", `"2026-01-01"`)
	hm("from=2026-01-02T00:00:00Z&to=2026-01-01T23:59:59Z", "from", "after to")
	hm("from=2026-01-02&to=2026-01-01T09:59:59Z", "from", "after to")
	hm("from=2026-01-02T12:00:01Z&to=2026-01-01", "from", "after to")
	f("/v1/export?site=shop&from=2026-01-02&to=2026-01-01", "from", "after to")
	f("/v1/pages?site=shop&to=x", "to", "a day")

	for _, vw := range []string{"320", "320-", "-320", "-", "768-320", "0-65536", "a-b", "1-2-3", "%2B1-2", "1.5-2", "1_0-20", "0x1-20", " 1-2"} {
		hm("vw="+strings.ReplaceAll(vw, " ", "%20"), "vw", "MIN-MAX")
	}
	hm("device=phone", "device", `"phone"`, "desktop, tablet or mobile")
	hm("device=", "device", "empty")
	hm("bots=yes", "bots", "0, 1, false or true")
	hm("kind=scroll", "kind", "click, move, rage or dead")
	hm("kind=view", "kind", `"view"`)
	for _, cell := range []string{"7", "0", "-8", "12", "4104", "8.0", "08x", "1e2", "%2B8", "99999999999999999999999"} {
		hm("cell="+cell, "cell", "want a multiple of 8, from 8 to 4096")
	}
	hm("cell=7", "cell", `"7"`)
	for _, noise := range []string{"2", "1.1", "-0.1", "%2B0.5", "0,5", ".5", "1.", "5%25", "1e-1", "NaN", "0.1234567", "00.5", "0x1", "1.000001", "0.5.5"} {
		hm("noise="+noise, "noise", "a share from 0 to 1")
	}
	hm("limit=-1", "limit", "from 0 to 100000")
	hm("limit=100001", "limit", "from 0 to 100000")
	hm("limit=18446744073709551617", "limit", "from 0 to 100000")
	hm("format=jpeg", "format", `"jpeg"`, "json, msgpack, csv, png or field")
	hm("format=CSV", "format", `"CSV"`)
	hm("width=100", "width", "format=png")
	f("/v1/pages?site=shop&limit=0", "limit", "from 1 to 10000")
	f("/v1/pages?site=shop&limit=10001", "limit", "from 1 to 10000")
	f("/v1/pages?site=shop&offset=-1", "offset", "whole number")

	for _, positions := range []string{"ja", "ja:", ":1", "ja:1,", "ja:1,ja:2", "ja:-1", "ja:18446744073709551616", "j%2fa:1"} {
		f("/v1/export?site=shop&positions="+positions, "positions", "SOURCE:N")
	}
}

func TestGoodParameters(t *testing.T) {
	f := func(query string, want heatmap.Query) {
		t.Helper()
		got, err := parseHeatmapQuery([]byte(query))
		if err != nil {
			t.Errorf("%s: %v", query, err)
			return
		}
		if d := cmp.Diff(want, got.Query); d != "" {
			t.Errorf("%s: (-want +got)\n%s", query, d)
		}
	}
	base := heatmap.Query{Site: "shop", URL: "https://shop.example/p/1", Kind: heatmap.KindClick}
	with := func(change func(q *heatmap.Query)) heatmap.Query {
		q := base
		change(&q)
		return q
	}
	const s = "site=shop&" + page

	f(s, base)
	f("&&"+s+"&", base)
	f("site=shop&url=https://shop.example/p/1", base)
	f(s+"&kind=rage", with(func(q *heatmap.Query) { q.Kind = heatmap.KindRage }))
	f(s+"&kind=dead&cell=4096", with(func(q *heatmap.Query) { q.Kind, q.Cell = heatmap.KindDead, 4096 }))
	f(s+"&noise=0", base)
	f(s+"&noise=0.05", with(func(q *heatmap.Query) { q.Noise = 0.05 }))
	f(s+"&noise=1.000000&cell=8", with(func(q *heatmap.Query) { q.Noise, q.Cell = 1, 8 }))
	f(s+"&vw=0-65535", with(func(q *heatmap.Query) { q.Width.Set, q.Width.Max = true, 65535 }))
	f(s+"&vw=320-320", with(func(q *heatmap.Query) { q.Width.Set, q.Width.Min, q.Width.Max = true, 320, 320 }))
	f(s+"&device=desktop", with(func(q *heatmap.Query) { q.Device.Set = true }))
	f(s+"&device=mobile", with(func(q *heatmap.Query) { q.Device.Set, q.Device.Value = true, heatmap.Mobile }))
	f(s+"&bots=1", with(func(q *heatmap.Query) { q.Bots = true }))
	f(s+"&bots=true", with(func(q *heatmap.Query) { q.Bots = true }))
	f(s+"&bots=0", base)
	f(s+"&bots=false", base)
	f(s+"&where=view+%3D%3D+%22a%2Bb%22", with(func(q *heatmap.Query) { q.Where = `view == "a+b"` }))
	f(s+"&where=a=b", with(func(q *heatmap.Query) { q.Where = "a=b" }))
	f(s+"&where="+strings.Repeat("a", 4096), with(func(q *heatmap.Query) { q.Where = strings.Repeat("a", 4096) }))
	f(s+"&generation=g2", with(func(q *heatmap.Query) { q.Generation = "g2" }))
	f("site=shop&url=%C5%BElu%C5%A5%2A%2A", with(func(q *heatmap.Query) { q.URL = "žluť**" }))

	date := func(d string) heatmap.Bound { return heatmap.Bound{Set: true, IsDate: true, Date: day(d)} }
	instant := func(ms int64) heatmap.Bound { return heatmap.Bound{Set: true, Instant: ms} }
	f(s+"&from=2000-01-01&to=2149-06-06", with(func(q *heatmap.Query) { q.From, q.To = date("2000-01-01"), date("2149-06-06") }))
	f(s+"&from=2026-01-01&to=2026-01-01", with(func(q *heatmap.Query) { q.From, q.To = date("2026-01-01"), date("2026-01-01") }))
	f(s+"&from=2026-01-01T00:00:00Z", with(func(q *heatmap.Query) { q.From = instant(1_767_225_600_000) }))
	f(s+"&from=2026-01-01T00:00:00.0005Z", with(func(q *heatmap.Query) { q.From = instant(1_767_225_600_001) }))
	f(s+"&from=2026-01-01T00:00:00.001Z", with(func(q *heatmap.Query) { q.From = instant(1_767_225_600_001) }))
	f(s+"&to=2026-01-01T01:00:00%2B01:00", with(func(q *heatmap.Query) { q.To = instant(1_767_225_600_000) }))
	f(s+"&from=2026-01-01&to=2025-12-31T10:00:00Z", with(func(q *heatmap.Query) { // the day begins there in UTC+14
		q.From, q.To = date("2026-01-01"), instant(1_767_225_600_000-14*3_600_000)
	}))
	f(s+"&from=2026-01-02T12:00:00Z&to=2026-01-01", with(func(q *heatmap.Query) { // the day ends there in UTC-12
		q.From, q.To = instant(1_767_225_600_000+36*3_600_000), date("2026-01-01")
	}))
}

func TestParsePagesQuery(t *testing.T) {
	got, err := parsePagesQuery([]byte("site=shop&q=&offset=5&limit=10000"))
	want := heatmap.Query{Site: "shop", Offset: 5, Limit: 10000}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("error %v (-want +got)\n%s", err, d)
	}
	got, err = parsePagesQuery([]byte("site=shop&url=https://a.example/**&q=%2Fp"))
	want = heatmap.Query{Site: "shop", URL: "https://a.example/**", Search: "/p", Limit: 100}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("error %v (-want +got)\n%s", err, d)
	}
}

func TestParsePositions(t *testing.T) {
	_, got, err := parseExportQuery([]byte("site=shop&positions=ja:1,jb:18446744073709551615"))
	if d := cmp.Diff(map[string]uint64{"ja": 1, "jb": math.MaxUint64}, got); err != nil || d != "" {
		t.Errorf("error %v (-want +got)\n%s", err, d)
	}
	if _, got, err = parseExportQuery([]byte("site=shop")); got != nil || err != nil {
		t.Errorf("without positions: %v, %v", got, err)
	}
}

// FuzzParseQuery checks what holds for every query string: no panic, an error that can be sent, a query in its bounds,
// and the same query from the same values written by another encoder.
func FuzzParseQuery(f *testing.F) {
	for _, seed := range []string{
		"", "site=shop&" + page, "site=shop&url=a&cell=16&limit=7&kind=move&format=png&width=3", "site=shop&url=%&a=%zz",
		"site=shop&url=%ff%00&vw=1-2", "site=shop&url=a&vw=2-1&from=2026-01-01&to=2026-01-01T00:00:00Z",
		"site=shop&url=+&bots=1&device=tablet&generation=g&where=1", "site=shop&site=shop", "&=&=&;", "site=shop&url=a&from=2149-06-06",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		q, err := parseHeatmapQuery([]byte(query))
		if err != nil {
			checkRefusal(t, err)
			return
		}
		if !heatmap.ValidSiteKey(q.Site) || q.URL == "" || !utf8.ValidString(q.URL) || !utf8.ValidString(q.Where) ||
			q.Cell%8 != 0 || q.Cell < 0 || q.Cell > 4096 || !(q.Noise >= 0 && q.Noise <= 1) || q.Width.Min > q.Width.Max || q.points < 0 || q.points > 100_000 ||
			q.From.Set && !inCalendar(q.From) || q.To.Set && !inCalendar(q.To) {
			t.Fatalf("%q gives %+v", query, q)
		}
		values, err := url.ParseQuery(query)
		if err != nil {
			return // net/url refuses semicolons
		}
		if again, err := parseHeatmapQuery([]byte(values.Encode())); err != nil || again != q {
			t.Fatalf("%q gives %+v, encoded anew %+v, %v", query, q, again, err)
		}
	})
}

func checkRefusal(t *testing.T, err error) {
	t.Helper()
	var e *apiError
	if !errors.As(err, &e) || e.status != 400 || e.field == "" && !strings.Contains(e.message, `""`) || !utf8.ValidString(e.message) ||
		!utf8.ValidString(e.field) || len(e.message) > 1000 {
		t.Fatalf("error %#v", err)
	}
}
