package web

import (
	"image/png"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

func TestDifference(t *testing.T) {
	r := newFakeReader()
	h := start(t, Options{Reader: r})
	const ask = "/v1/heatmap?site=shop&from=2026-01-01&to=2026-01-31&where=true&generation=g1&" + page
	date := func(s string) heatmap.Bound { return heatmap.Bound{Set: true, IsDate: true, Date: day(s)} }
	f := func(more string, change func(*heatmap.Query)) {
		t.Helper()
		a := h.get(ask + more)
		want := r.query()
		change(&want)
		if d := cmp.Diff(want, r.minus); a.StatusCode != 200 || d != "" {
			t.Errorf("%s: status %d %s, minus side (-want +got)\n%s", more, a.StatusCode, a.body, d)
		}
	}
	f("&minus_from=2025-12-01&minus_to=2025-12-31", func(q *heatmap.Query) { q.From, q.To = date("2025-12-01"), date("2025-12-31") })
	f("&minus_to=2025-12-31", func(q *heatmap.Query) { q.From, q.To = heatmap.Bound{}, date("2025-12-31") })
	f("&minus_from=2026-02-01", func(q *heatmap.Query) { q.From, q.To = date("2026-02-01"), heatmap.Bound{} })
	f("&minus_where=x+%3E+5", func(q *heatmap.Query) { q.Where = "x > 5" })
	f("&minus_generation=g2", func(q *heatmap.Query) { q.Generation = "g2" })

	const minus = `"minus":{"url":"https://shop.example/:id","from":null,"to":null,"hits":4,"visitors":2,"visitors_scope":"page","views":4,"kept_cell":16,` +
		`"generation":"g2","positions":{"ja":181200,"jb":7},"lag_hits":3,"kept_from":{"ja":5}},"kept_cell":8,`
	const head = `{"site":"shop","kind":"click","difference":true,"url":"https://shop.example/p/1","from":"2026-01-01","to":"2026-01-31","hits":12,` +
		`"visitors":5,"visitors_scope":"page","views":9,"cell":16,`
	a := h.get(ask + "&minus_generation=g2")
	want := head + `"max":0.75,"moved":0.75,"thinned":false,"cells":2,"points":[[0,0,-0.75,3,4],[512,1480,0.75,9,0]],` + minus + tailJSON
	if d := cmp.Diff(want, a.body); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	r.minusWhy = &heatmap.Why{Reason: heatmap.WhyOnlyBots, Message: "m"}
	a = h.get(ask + "&minus_generation=g2")
	if !strings.Contains(a.body, `"max":0,"moved":0,"thinned":false,"cells":0,"points":[],"minus":{`) || !strings.Contains(a.body, `"why":{"reason":"only_bots","message":"m"}`) {
		t.Errorf("of an empty side: %s", a.body)
	}
}

func TestDifferencePicture(t *testing.T) {
	r := newFakeReader()
	h := start(t, Options{Reader: r})
	a := h.get("/v1/heatmap?site=shop&url=x&format=png&minus_generation=g2")
	for name, want := range map[string]string{"Content-Type": "image/png", "Heatlog-Hits": "12", "Heatlog-Max": "0.75", "Heatlog-Moved": "0.75", "Heatlog-Generation": "g1",
		"Heatlog-Minus-Hits": "4", "Heatlog-Minus-Generation": "g2", "Heatlog-Minus-Positions": "ja:181200,jb:7", "Heatlog-Minus-Kept-From": "ja:5", "Heatlog-Minus-Why": ""} {
		if got := a.Header.Get(name); got != want {
			t.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	img, err := png.Decode(strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	if red, _, blue, _ := img.At(8, 8).RGBA(); red >= blue {
		t.Error("what is less is not blue")
	}
	if red, _, blue, _ := img.At(520, 1488).RGBA(); red <= blue {
		t.Error("what is more is not orange")
	}
}

func TestBadDifferences(t *testing.T) {
	r := newFakeReader()
	h := start(t, Options{Reader: r})
	f := func(more string, status int, field string, fragments ...string) {
		t.Helper()
		a := h.get("/v1/heatmap?site=shop&" + page + more)
		for _, fragment := range append(fragments, `"field":"`+field+`"`) {
			if a.StatusCode != status || !strings.Contains(a.body, fragment) {
				t.Errorf("%s: status %d, answer lacks %s: %s", more, a.StatusCode, fragment, a.body)
			}
		}
	}
	f("&minus_from=2026-02-30", 400, "minus_from", "want a day")
	f("&minus_from=2026-02-02&minus_to=2026-02-01", 400, "minus_from", "after minus_to")
	f("&minus_where=", 400, "minus_where", "is empty")
	f("&minus_where="+strings.Repeat("x", maxWhere+1), 400, "minus_where", "limit 4096")
	f("&minus_device=mobile", 400, "minus_device", "unknown parameter")
	f("&minus_generation=g2&noise=0.1", 400, "noise", "does not go with minus_generation")
	f("&minus_generation=g2&limit=1", 400, "limit", "the difference map has 2 cells")
	r.err = &heatmap.ParamError{Field: "minus_generation", Message: "there is no generation g9"}
	f("&minus_generation=g9", 404, "minus_generation", "no generation g9")
	r.err = &heatmap.ParamError{Field: "minus_where", Message: "1:1: unknown name"}
	f("&minus_where=colour", 400, "minus_where", "unknown name")
}
