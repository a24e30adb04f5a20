package web

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

func TestTimeline(t *testing.T) {
	o := wholeOptions()
	reader := newFakeReader()
	o.Reader, o.Timeline = reader, reader.Timeline
	h := start(t, o)
	a := h.get("/v1/timeline?site=shop&" + page + "&kind=rage&cell=16&step=10m&last=2d&device=mobile")
	const want = `{"site":"shop","url":"https://shop.example/p/1","kind":"rage","from":"2026-01-01","to":"2026-01-01","timezone":"Asia/Kolkata",` +
		`"start":"2026-01-01T00:00:00+05:30","step_ms":600000,"steps":144,"cell":8,"hits":4,"frames":[[51,[[512,1480,3]]],[52,[[0,8,1]]]],` +
		`"generation":"g1","positions":{"ja":181200,"jb":7},"lag_hits":3,"took_ms":1.5}` + "\n"
	if a.StatusCode != 200 || a.body != want {
		t.Errorf("the timeline is %d %s, want %s", a.StatusCode, a.body, want)
	}
	q := heatmap.Query{Site: "shop", URL: "https://shop.example/p/1", Kind: heatmap.KindRage, Cell: 16, Step: 10 * time.Minute, Last: 2}
	q.Device.Set, q.Device.Value = true, heatmap.Mobile
	if d := cmp.Diff(q, reader.query()); d != "" {
		t.Errorf("it was asked (-want +got)\n%s", d)
	}
	h.refused(h.get("/v1/timeline?site=shop"), 400, "bad_param", "url", "missing")
	h.refused(h.get("/v1/timeline?site=shop&url=x&limit=5"), 400, "bad_param", "limit", "unknown")
	reader.timeline = &heatmap.Timeline{Prefix: prefix(), Why: &heatmap.Why{Reason: heatmap.WhyOnlyBots, Message: "only bots"}}
	if a := h.get("/v1/timeline?site=shop&url=x"); a.StatusCode != 200 || !strings.HasPrefix(a.body, `{"site":"shop","url":"","kind":"click","from":null,"to":null`) {
		t.Errorf("an empty timeline is %s", a.body)
	}
}

// TestRelativeTimes reads lengths of time: last, window, every and step.
func TestRelativeTimes(t *testing.T) {
	f := func(parse func([]byte) (heatmap.Query, error), query string, want heatmap.Query, refused string) {
		t.Helper()
		got, err := parse([]byte("site=shop&url=x&" + query))
		if refused != "" {
			if e, ok := err.(*apiError); !ok || e.field != refused {
				t.Errorf("%s: %v, want the field %s", query, err, refused)
			}
			return
		}
		want.Site, want.URL, want.Limit, want.Kind = "shop", "x", got.Limit, got.Kind
		if d := cmp.Diff(want, got); err != nil || d != "" {
			t.Errorf("%s: %v (-want +got)\n%s", query, err, d)
		}
	}
	const day = 24 * time.Hour
	for _, parse := range []func([]byte) (heatmap.Query, error){parseScrollQuery, parsePagesQuery, parseTrendQuery, parseElementsQuery, parseTimelineQuery} {
		f(parse, "last=1d", heatmap.Query{Last: 1}, "")
		f(parse, "last=3660d", heatmap.Query{Last: 3660}, "")
		for _, bad := range []string{"last=0d", "last=3661d", "last=7", "last=d", "last=07d", "last=-1d", "last=1w", "last=1.5d", "last=7d&from=2026-01-01", "last=7d&to=2026-01-01"} {
			f(parse, bad, heatmap.Query{}, "last")
		}
	}
	for _, parse := range []func([]byte) (heatmap.Query, error){parsePagesQuery, parseTrendQuery} {
		f(parse, "window=24h&every=2m", heatmap.Query{Window: day, Every: 2 * time.Minute}, "")
		f(parse, "window=90d&every=90d", heatmap.Query{Window: 90 * day, Every: 90 * day}, "")
		f(parse, "window=2000s&every=1s", heatmap.Query{Window: 2000 * time.Second, Every: time.Second}, "")
		for _, bad := range []string{"window=24h", "window=2001s&every=1s", "window=3m&every=2m", "window=1m&every=2m", "window=91d&every=1d", "window=2161h&every=1h", "window=0s&every=1s",
			"window=01m&every=1s", "window=1&every=1s", "window=m&every=1s", "window=1y&every=1s", "window=%2B1m&every=1s", "window=99999999999999999999s&every=1s"} {
			f(parse, bad, heatmap.Query{}, "window")
		}
		f(parse, "every=2m", heatmap.Query{}, "every")
		f(parse, "window=1d&every=ž", heatmap.Query{}, "every")
	}
	for _, name := range []string{"from=2026-01-01", "to=2026-01-01", "last=7d"} {
		field, _, _ := strings.Cut(name, "=")
		f(parsePagesQuery, name+"&window=1d&every=1h", heatmap.Query{}, field)
	}
	f(parseTrendQuery, "by=hour&window=1d&every=1h", heatmap.Query{}, "by")
	f(parseTimelineQuery, "step=31d", heatmap.Query{Step: 31 * day}, "")
	f(parseTimelineQuery, "step=32d", heatmap.Query{}, "step")
	f(parseTimelineQuery, "step=4", heatmap.Query{}, "step")
	for span, want := range map[time.Duration]string{90 * time.Second: "90s", 2 * time.Minute: "2m", day: "1d", 25 * time.Hour: "25h"} {
		if got := spanText(span); got != want {
			t.Errorf("%v is written %s, want %s", span, got, want)
		}
	}
}

// TestWindowMembers checks what answers of a window have beside those of days.
func TestWindowMembers(t *testing.T) {
	o := wholeOptions()
	reader := newFakeReader()
	reader.pages.Pages[0].Visitors = 4
	reader.trend.Buckets = []heatmap.TrendBucket{{Start: 1_767_205_800_000, End: 1_767_292_200_000, Clicks: 1}}
	o.Reader = reader
	h := start(t, o)
	f := func(target string, has, lacks []string) {
		t.Helper()
		body := h.get(target).body
		for _, part := range has {
			if !strings.Contains(body, part) {
				t.Errorf("%s lacks %s: %s", target, part, body)
			}
		}
		for _, part := range lacks {
			if strings.Contains(body, part) {
				t.Errorf("%s has %s: %s", target, part, body)
			}
		}
	}
	f("/v1/pages?site=shop&window=24h&every=2m", []string{`"window":"1d","every":"2m"`, `"dead":1,"visitors":4}`}, nil)
	f("/v1/pages?site=shop", nil, []string{`"window"`, `"visitors"`})
	f("/v1/trend?site=shop&window=24h&every=2m", []string{`"window":"1d","every":"2m"`, `"start":"2026-01-01T00:00:00+05:30","end":"2026-01-02T00:00:00+05:30"`}, []string{`"by"`})
	reader.trend.Buckets[0].End = 0
	f("/v1/trend?site=shop", []string{`"by":"day"`}, []string{`"window"`, `"end"`})
}
