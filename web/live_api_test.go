package web

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"heatlog/heatmap"
)

// liveAnswers asks questions, listens and ends them, rightly and wrongly.
func (r *recorder) liveAnswers() {
	const question = `{"kind":"heatmap","params":{"site":"shop","url":"https://shop.example/p/1"},"start":"now"}`
	idOf := func(r reply) string {
		var q struct{ ID string }
		_ = json.Unmarshal([]byte(r.body), &q)
		return q.ID
	}
	id := idOf(r.ask("POST", queriesPath, question, r.token, shopOrigin))
	one, stream := queriesPath+"/"+id, queriesPath+"/"+id+"/stream"
	const events = "Accept: text/event-stream"
	blog := r.d.overlayToken("blog")
	for _, target := range []string{queriesPath, one, stream, queriesPath + "/AAAAAAAAAAAAAAAA", queriesPath + "/AAAAAAAAAAAAAAAA/stream"} {
		r.ask("GET", target, "", adminToken)
		r.ask("GET", target, "", r.token, shopOrigin)
		r.ask("GET", target, "", r.token, evilOrigin)
		r.ask("GET", target, "", blog)
		r.ask("GET", target+"?x=1", "", adminToken)
		if !strings.HasSuffix(target, "/stream") {
			r.ask("HEAD", target, "", adminToken)
		}
		r.ask("OPTIONS", target, "", shopOrigin)
		r.ask("OPTIONS", target, "", evilOrigin)
	}
	socket := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
	r.ask("GET", stream, "", append(socket, adminToken)...)
	r.ask("GET", stream, "", append(socket[:3:3], adminToken)...)
	r.ask("GET", stream, "", append(socket, r.cookie, evilOrigin)...)
	r.ask("GET", stream+"?after=x", "", adminToken, events)
	r.ask("POST", queriesPath, question, blog)
	r.ask("POST", queriesPath, question, r.cookie, evilOrigin)
	r.ask("POST", queriesPath, "{}", adminToken)
	r.ask("POST", queriesPath, "[]", adminToken)
	for _, err := range []error{
		&heatmap.ParamError{Field: "generation", Message: "there is no generation g9"}, &heatmap.UnavailableError{Message: "the store is away"}, errors.New("blob is torn"),
	} {
		r.live.fail(err)
		r.ask("POST", queriesPath, strings.Replace(question, "p/1", "p/2", 1), adminToken)
	}
	r.live.fail(nil)
	for _, k := range r.live.kept {
		k.change(func(k *fakeKept) { k.err = &heatmap.GoneError{Field: "start", Message: "the hits were pruned"} })
	}
	r.ask("GET", stream, "", adminToken, events) // ends at once
	await(r.d.t, "the end of the question", func() bool { return r.d.s.LiveStats().Nodes == 0 })

	id = idOf(r.ask("POST", queriesPath, question, adminToken))
	one = queriesPath + "/" + id
	n := r.d.s.live.byID[id]
	u, err := r.d.s.live.listen(n, caller{key: "somebody else"}, 0, nil)
	if err != nil {
		r.d.t.Fatal(err)
	}
	r.ask("DELETE", one, "", r.token, shopOrigin)
	r.d.s.live.leave(u)
	r.ask("DELETE", one, "", blog)
	r.ask("DELETE", one+"?x=1", "", adminToken)
	r.ask("DELETE", one, "", r.token, shopOrigin)
	r.ask("DELETE", one, "", r.token, shopOrigin)
}

// liveUpdates are two updates of each kind: with the second one a row changes, one goes and one comes.
func liveUpdates() map[heatmap.Asked][2]*heatmap.Update {
	first, second := newFakeReader(), newFakeReader()
	second.heatmap.Points = []heatmap.Point{{X: 512, Y: 1480, Weight: 10}, {X: 0, Y: 0, Weight: 0}, {X: 8, Y: 8, Weight: 2}}
	second.scroll.Reach, second.scroll.Attention = []float64{1, 0.5, 0.25}, []float64{1200, 0.5, 7}
	e := second.elements
	e.Hits, e.Rest = 13, 2
	e.RestPoints = []heatmap.Point{{X: 8, Y: 8, Weight: 2}}
	e.Elements[0].Hits++
	e.Elements[1] = heatmap.ElementCount{ElementName: heatmap.ElementName{Selector: "#new"}, Hits: 1}
	second.pages.Pages = append([]heatmap.PageCount{{Page: "https://shop.example/new", Hits: 30, Views: 30}}, second.pages.Pages[1:]...)
	second.trend.Buckets[0].Clicks++
	second.trend.Buckets[1].Start += 86_400_000
	all := map[heatmap.Asked][2]*heatmap.Update{}
	for i, r := range []*fakeReader{first, second} {
		for ask, u := range map[heatmap.Asked]*heatmap.Update{
			heatmap.AskHeatmap: {Whole: i == 0, Heatmap: r.heatmap}, heatmap.AskScroll: {Whole: true, Scroll: r.scroll}, heatmap.AskElements: {Whole: true, Elements: r.elements},
			heatmap.AskPages: {Whole: true, Pages: r.pages}, heatmap.AskTrend: {Whole: true, Trend: r.trend},
		} {
			u.Complete = true
			pair := all[ask]
			pair[i] = u
			all[ask] = pair
		}
	}
	return all
}

// TestLiveKinds compares the messages of each kind with what they must say, and with their description.
func TestLiveKinds(t *testing.T) {
	t.Parallel()
	message := parseAPIDoc(t, openAPI).top().at("components", "schemas", "LiveMessage")
	updates := liveUpdates()
	f := func(kind, params string, get string, snapshot, patch map[string]string) {
		t.Helper()
		h, live := startLive(t, quick())
		ask, _ := heatmap.ParseAsked(kind)
		live.fixed = func(heatmap.Question) *heatmap.Update { return updates[ask][0] }
		id := h.ask(`{"kind":"` + kind + `","params":` + params + `}`).ID
		l := h.listen(id, "")
		defer l.close()
		check := func(event string, want map[string]string) {
			t.Helper()
			m := l.event(event)
			if err := message.validateText(m.raw); err != nil {
				t.Errorf("%s: %v", m.raw, err)
			}
			for name, value := range want {
				if got := string(m.all[name]); got != value {
					t.Errorf("%s of a %s: %s is %s, want %s", event, kind, name, got, value)
				}
			}
			var answer map[string]json.RawMessage
			if err := json.Unmarshal([]byte(h.get(get).body), &answer); err != nil {
				t.Fatal(err)
			}
			for name := range answer {
				if m.all[name] == nil {
					t.Errorf("%s of a %s lacks %s, which the answer of its route has", event, kind, name)
				}
			}
		}
		check("snapshot", snapshot)
		live.last().change(func(k *fakeKept) { k.fixed = func(heatmap.Question) *heatmap.Update { return updates[ask][1] } })
		check("patch", patch)
		if m := l.event("progress"); message.validateText(m.raw) != nil {
			t.Errorf("progress is %s", m.raw)
		}
		h.do("DELETE", queriesPath+"/"+id, nil)
		if m := l.event("bye"); message.validateText(m.raw) != nil {
			t.Errorf("bye is %s", m.raw)
		}
	}
	const aPage = `{"site":"shop","url":"x"}`
	f("heatmap", aPage, "/v1/heatmap?site=shop&url=x", map[string]string{"max": "9", "cells": "2", "thinned": "false"},
		map[string]string{"points": "[[8,8,2],[0,0,0],[512,1480,10]]", "max": "10", "cells": "2", "hits": "12"})
	f("scroll", aPage, "/v1/scroll?site=shop&url=x", map[string]string{"reach": "[[0,1],[50,0.666667]]", "attention_ms": "[[0,1200],[50,0.5]]", "bands": "2", "views": "3"},
		map[string]string{"reach": "[[50,0.5],[100,0.25]]", "attention_ms": "[[100,7]]", "bands": "3", "fold": `{"average":720.5,"p50":720}`})
	f("elements", `{"site":"shop","url":"x","cells":true}`, "/v1/elements?site=shop&url=x&cells=1",
		map[string]string{"rest": `{"hits":1,"cell":8,"points":[[512,1480,1]]}`, "others": `{"elements":1,"hits":2,"unnamed":1}`},
		map[string]string{"rest": `{"hits":2,"cell":8,"points":[[512,1480,0],[8,8,2]]}`, "gone": `[{"sel":"#\u003cb\u003e","fixed":false}]`,
			"elements": `[{"sel":"#new","fixed":false,"hits":1,"rage":0,"dead":0,"cells":[]},{"sel":"main\u003ea.buy","check":4711,"fixed":true,"hits":8,"rage":3,"dead":1,"cells":[[0.0313,0.25,7]]}]`})
	f("elements", aPage, "/v1/elements?site=shop&url=x", map[string]string{"rest": `{"hits":1}`}, map[string]string{"rest": `{"hits":2}`, "hits": "13"})
	f("pages", `{"site":"shop"}`, "/v1/pages?site=shop",
		map[string]string{"pages": `[{"url":"https://shop.example/","hits":21,"views":6,"clicks":7,"scrolls":5,"moves":3,"rage":2,"dead":1}]`, "total": "120", "next_offset": "1"},
		map[string]string{"pages": `[{"url":"https://shop.example/new","hits":30,"views":30,"clicks":0,"scrolls":0,"moves":0,"rage":0,"dead":0}]`, "gone": `["https://shop.example/"]`})
	f("trend", `{"site":"shop"}`, "/v1/trend?site=shop", map[string]string{"by": `"day"`, "timezone": `"Asia/Kolkata"`},
		map[string]string{"gone": `["2026-01-02T00:00:00+05:30"]`,
			"buckets": `[{"start":"2026-01-03T00:00:00+05:30","hits":0,"views":0,"clicks":0,"scrolls":0,"moves":0,"rage":0,"dead":0,"visitors":0},` +
				`{"start":"2026-01-01T00:00:00+05:30","hits":6,"views":2,"clicks":2,"scrolls":1,"moves":1,"rage":3,"dead":1,"visitors":2}]`})
}

// TestLiveQuietHits has hits come that change nothing of the answer: no patch is sent, and positions move on.
func TestLiveQuietHits(t *testing.T) {
	t.Parallel()
	h, f := startLive(t, quick())
	u := liveUpdates()[heatmap.AskPages][0]
	f.fixed = func(heatmap.Question) *heatmap.Update { return u }
	l := h.listen(h.ask(`{"kind":"pages","params":{"site":"shop"}}`).ID, "")
	defer l.close()
	l.event("snapshot")
	moved := *u.Pages
	moved.Positions = map[string]uint64{"ja": 200_000}
	f.last().change(func(k *fakeKept) {
		k.fixed = func(heatmap.Question) *heatmap.Update { return &heatmap.Update{Complete: true, Pages: &moved} }
	})
	l.until("a later position", func(m told) bool {
		if m.Event != "progress" {
			t.Errorf("there is %s", m.raw)
		}
		return m.Positions["ja"] == 200_000
	})
}
