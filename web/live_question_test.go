package web

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"heatlog/heatmap"
)

// liveDesk is a desk with answers that stay alive.
func liveDesk(t *testing.T, change func(*Options)) (*desk, *fakeLive) {
	f := newFakeLive()
	d := newDesk(t, func(o *Options) {
		o.Live = f
		if change != nil {
			change(o)
		}
	})
	t.Cleanup(func() { d.s.Shutdown(context.Background()) })
	return d, f
}

// TestSameQuestion checks which questions are one.
func TestSameQuestion(t *testing.T) {
	t.Parallel()
	d, _ := liveDesk(t, func(o *Options) {
		o.LiveLimits.Nodes = 1000
		o.CanonicalWhere = func(text string) (string, error) { return strings.Join(strings.Fields(text), " "), nil }
	})
	id := func(body string) string {
		t.Helper()
		var q question
		if err := json.Unmarshal([]byte(d.do("POST", queriesPath, body, adminToken).is(201, `"id"`).body), &q); err != nil {
			t.Fatal(err)
		}
		if !isLiveID(q.ID) {
			t.Errorf("%s has the ID %q", body, q.ID)
		}
		return q.ID
	}
	ids := map[string]string{}
	f := func(bodies ...string) {
		t.Helper()
		first := id(bodies[0])
		if other, taken := ids[first]; taken {
			t.Errorf("%s is the same as %s", bodies[0], other)
		}
		ids[first] = bodies[0]
		for _, body := range bodies[1:] {
			if id(body) != first {
				t.Errorf("%s is another question than %s", body, bodies[0])
			}
		}
	}
	hm := func(more string) string {
		return `{"kind":"heatmap","params":{"site":"shop","url":"https://shop.example/"` + more + `}}`
	}
	f(hm(""), hm(`,"kind":"click"`), hm(`,"limit":0`), hm(`,"limit":"400"`), hm(`,"bots":false`), hm(`,"bots":"0"`), hm(`,"bots":0`), hm(`,"format":"json"`), hm(`,"noise":0`),
		` { "params" : {"url":"https://shop.example/", "site":"shop"}, "kind":"heatmap", "start":"beginning"} `)
	f(hm(`,"kind":"move"`))
	f(hm(`,"cell":16`), hm(`,"cell":"16"`))
	f(hm(`,"bots":true`), hm(`,"bots":"1"`), hm(`,"bots":1`))
	f(hm(`,"last":"7d"`))
	f(hm(`,"last":"8d"`))
	f(hm(`,"from":"2026-01-01"`))
	f(hm(`,"from":"2026-01-01T08:00:00Z"`), hm(`,"from":"2026-01-01T09:00:00+01:00"`), hm(`,"from":"2026-01-01T08:00:00.000Z"`))
	f(hm(`,"to":"2026-01-01"`))
	f(hm(`,"vw":"320-767"`))
	f(hm(`,"device":"mobile"`))
	f(hm(`,"where":"x > 1"`), hm(`,"where":"  x  > 1 "`))
	f(hm(`,"generation":"g1"`))
	f(`{"kind":"scroll","params":{"site":"shop","url":"https://shop.example/"}}`)
	f(`{"kind":"elements","params":{"site":"shop","url":"https://shop.example/"}}`, `{"kind":"elements","params":{"site":"shop","url":"https://shop.example/","limit":200,"cells":false}}`)
	f(`{"kind":"elements","params":{"site":"shop","url":"https://shop.example/","cells":true}}`)
	f(`{"kind":"pages","params":{"site":"shop"}}`, `{"kind":"pages","params":{"site":"shop","q":"","offset":0,"limit":100}}`)
	f(`{"kind":"pages","params":{"site":"shop","offset":1}}`)
	f(`{"kind":"pages","params":{"site":"shop","window":"24h","every":"2m"}}`, `{"kind":"pages","params":{"site":"shop","window":"1d","every":"120s"}}`)
	f(`{"kind":"trend","params":{"site":"shop"}}`, `{"kind":"trend","params":{"site":"shop","by":"day"}}`)
	f(`{"kind":"trend","params":{"site":"shop","by":"hour"}}`)
	f(`{"kind":"trend","params":{"site":"shop","window":"24h","every":"2m"}}`)
	f(`{"kind":"pages","params":{"site":"shop"},"start":"2025-12-31T08:00:00Z"}`, `{"kind":"pages","params":{"site":"shop"},"start":"2025-12-31T09:00:00+01:00"}`)
	f(`{"kind":"pages","params":{"site":"shop"},"start":"2026-01-01T00:00:00Z"}`)
	f(`{"kind":"pages","params":{"site":"shop"},"start":"now"}`) // at that very instant, which is another question all the same
	d.clock.move(1)
	f(`{"kind":"pages","params":{"site":"shop"},"start":"now"}`)
}

// TestQuestionOutlives checks that a question has the same ID in another process, and another one under another key.
func TestQuestionOutlives(t *testing.T) {
	t.Parallel()
	id := func(key string) string {
		d, _ := liveDesk(t, func(o *Options) { o.Key = []byte(strings.Repeat(key, minKey)) })
		return d.s.liveID(&liveQuestion{Kind: "pages", Params: liveParams{Site: "shop"}, Start: startBeginning})
	}
	if a, b, other := id("k"), id("k"), id("l"); a != b || a == other {
		t.Errorf("IDs are %s, %s and by another key %s", a, b, other)
	}
}

func TestBadQuestions(t *testing.T) {
	t.Parallel()
	d, live := liveDesk(t, func(o *Options) {
		o.CanonicalWhere = func(text string) (string, error) {
			return "", &heatmap.ParamError{Field: "where", Message: "1:1: unknown name"}
		}
	})
	f := func(body, code, field, fragment string) {
		t.Helper()
		r := d.do("POST", queriesPath, body, adminToken)
		var e struct {
			Error struct{ Code, Field, Message string }
		}
		if err := json.Unmarshal([]byte(r.body), &e); err != nil || r.status != 400 || e.Error.Code != code || e.Error.Field != field ||
			!strings.Contains(e.Error.Message, fragment) {
			t.Errorf("%s: %d %s, want %s of %q with %q", body, r.status, r.body, code, field, fragment)
		}
	}
	f("", "bad_request", "", "body is not")
	f("[]", "bad_request", "", "a list")
	f(`{"kind":"heatmap"`, "bad_request", "", "breaks off")
	f(`{"kind":7}`, "bad_request", "", "kind in body is a number, want a text")
	f(`{"kind":"heatmap","params":[]}`, "bad_request", "", "params in body is a list")
	f(`{"kind":"trend","params":{"site":"shop","by":"day","site":"other"}}`, "bad_request", "", `the member "site" twice`)
	f(`{"kind":"heatmap","params":{},"since":1}`, "bad_request", "", "unknown member")
	f(`{"kind":"heatmap","params":`+heatmapParams+`,"start":7}`, "bad_request", "", "start in body is a number")
	f(`{"params":{}}`, "bad_param", "kind", "want heatmap, scroll, elements, pages or trend")
	f(`{"kind":"export","params":{}}`, "bad_param", "kind", `"export"`)
	f(`{"kind":"heatmap"}`, "bad_param", "site", "missing")
	hm := func(more, field, fragment string) {
		t.Helper()
		f(`{"kind":"heatmap","params":{"site":"shop","url":"https://shop.example/",`+more+`}}`, "bad_param", field, fragment)
	}
	hm(`"cell":7`, "cell", "a multiple of 8")
	hm(`"cell":8.0`, "cell", "a multiple of 8")
	hm(`"cell":null`, "cell", "no text, number, true or false")
	hm(`"cell":[8]`, "cell", "no text")
	hm(`"colour":"red"`, "colour", "unknown parameter")
	hm(`"bots":2`, "bots", "0, 1, false or true")
	hm(`"where":"a\u0000b"`, "where", "control characters")
	hm(`"where":"nothing"`, "where", "unknown name")
	hm(`"limit":-1`, "limit", "from 0 to 100000")
	hm(`"format":"csv"`, "format", "json alone")
	hm(`"format":"png","width":100`, "format", "json alone")
	hm(`"noise":0.5`, "noise", "kept alive")
	hm(`"minus_where":"true"`, "minus_where", "kept alive")
	hm(`"minus_to":"2026-01-01"`, "minus_to", "kept alive")
	hm(`"last":"7d","from":"2026-01-01"`, "last", "does not go with from")
	hm(`"window":"1d"`, "window", "unknown parameter")
	f(`{"kind":"heatmap","params":`+heatmapParams+`,"start":"tomorrow"}`, "bad_param", "start", `"beginning", "now" or`)
	f(`{"kind":"heatmap","params":`+heatmapParams+`,"start":""}`, "bad_param", "start", `"beginning", "now" or`)
	f(`{"kind":"heatmap","params":`+heatmapParams+`,"start":"2026-01-01"}`, "bad_param", "start", `an RFC 3339 instant`)
	f(`{"kind":"heatmap","params":`+heatmapParams+`,"start":"1999-01-01T00:00:00Z"}`, "bad_param", "start", `an RFC 3339 instant`)
	f(`{"kind":"heatmap","params":`+heatmapParams+`,"start":"2026-01-01T00:00:02Z"}`, "bad_param", "start", "in the future")
	d.do("POST", queriesPath, `{"kind":"heatmap","params":`+heatmapParams+`,"start":"2026-01-01T00:00:01Z"}`, adminToken).is(201, "") // clocks differ
	d.do("POST", queriesPath+"?x=1", `{}`, adminToken).is(400, "unknown parameter")
	d.do("POST", queriesPath, strings.Repeat(" ", maxQuestionBody+1), adminToken).is(413, "too_large")
	d.do("GET", queriesPath+"/x", "", adminToken).is(404, "not_found")
	d.do("DELETE", queriesPath+"/x", "", adminToken).is(404, "not_found")
	d.do("PUT", queriesPath, "", adminToken).is(405, "not_allowed")
	d.do("HEAD", queriesPath+"/x/stream", "", adminToken).is(405, "")
	if n := len(live.asked); n != 1 {
		t.Errorf("%d questions came through, want 1", n)
	}
}

// TestLiveOverlay lets an overlay ask for its site, from its pages.
func TestLiveOverlay(t *testing.T) {
	t.Parallel()
	d, _ := liveDesk(t, nil)
	body := `{"kind":"heatmap","params":` + heatmapParams + `}`
	mine, other := d.overlayToken("shop"), d.overlayToken("blog")
	r := d.do("POST", queriesPath, body, mine, shopOrigin).is(201, `"id"`)
	if r.header("Access-Control-Allow-Origin") != "https://shop.example" {
		t.Errorf("the answer is not shared: %s", r.String())
	}
	var q question
	if err := json.Unmarshal([]byte(r.body), &q); err != nil {
		t.Fatal(err)
	}
	one := queriesPath + "/" + q.ID
	d.do("POST", queriesPath, body, other).is(403, "other_site")
	d.do("POST", queriesPath, body, mine, evilOrigin).is(403, "origin_not_listed")
	d.do("POST", queriesPath, body).is(401, "unauthorized")
	d.do("GET", one, "", mine).is(200, q.ID)
	d.do("GET", one, "", other).is(403, "other_site")
	d.do("GET", one+"/stream", "", other, "Accept: text/event-stream").is(403, "other_site")
	d.do("GET", queriesPath, "", mine).is(200, q.ID)
	if r := d.do("GET", queriesPath, "", other).is(200, ""); strings.Contains(r.body, q.ID) {
		t.Errorf("another site's overlay sees %s", r.body)
	}
	pre := d.do("OPTIONS", queriesPath, "", shopOrigin).is(204, "")
	if pre.header("Access-Control-Allow-Methods") != "GET, POST" || pre.header("Access-Control-Allow-Headers") != "Authorization, Content-Type" {
		t.Errorf("preflight: %s", pre.String())
	}
	if pre := d.do("OPTIONS", one+"/stream", "", shopOrigin).is(204, ""); !strings.Contains(pre.header("Access-Control-Allow-Headers"), "Last-Event-ID") {
		t.Errorf("preflight: %s", pre.String())
	}
	d.do("OPTIONS", one, "", evilOrigin).is(403, "origin_not_listed")

	n := d.s.live.byID[q.ID]
	if _, err := d.s.live.listen(n, caller{key: "somebody else"}, 0, nil); err != nil {
		t.Fatal(err)
	}
	d.do("DELETE", one, "", mine).is(409, "conflict")
	d.do("DELETE", one, "", other).is(403, "other_site")
	d.do("DELETE", one, "", adminToken).is(204, "")
	d.do("GET", one, "", mine).is(404, "not_found")
	for u := range d.s.live.streams {
		d.s.live.leave(u)
	}
}

// TestSlowAnswer checks that an answer which takes too long says how it is had all the same.
func TestSlowAnswer(t *testing.T) {
	t.Parallel()
	reader := newFakeReader()
	reader.err = context.DeadlineExceeded
	d, _ := liveDesk(t, func(o *Options) { o.Reader = reader })
	f := func(target string, want string) {
		t.Helper()
		var e struct{ Error struct{ Message string } }
		r := d.do("GET", target, "", adminToken).is(503, "unavailable")
		if err := json.Unmarshal([]byte(r.body), &e); err != nil {
			t.Fatal(err)
		}
		_, body, found := strings.Cut(e.Error.Message, "POST /v1/queries ")
		if found != (want != "") || body != want {
			t.Errorf("%s says %s, want %s", target, e.Error.Message, want)
		}
		if found {
			d.do("POST", queriesPath, body, adminToken).is(201, "")
		}
	}
	f("/v1/heatmap?site=shop&url=https://shop.example/&where=x+%3E+1&limit=5", `{"kind":"heatmap","params":{"site":"shop","url":"https://shop.example/","kind":"click","where":"x > 1","bots":false}}`)
	f("/v1/pages?site=shop&q=p", `{"kind":"pages","params":{"site":"shop","bots":false,"q":"p","offset":0,"limit":100}}`)
	f("/v1/trend?site=shop&by=hour&last=3d", `{"kind":"trend","params":{"site":"shop","last":"3d","bots":false,"by":"hour"}}`)
	f("/v1/heatmap?site=shop&url=https://shop.example/&noise=0.5", "")
	f("/v1/heatmap?site=shop&url=https://shop.example/&format=png", "")
	reader.err = errors.New("blob is torn")
	if r := d.do("GET", "/v1/pages?site=shop", "", adminToken).is(500, ""); strings.Contains(r.body, queriesPath) {
		t.Errorf("an error of ours says %s", r.body)
	}
}
