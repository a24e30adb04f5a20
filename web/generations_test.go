package web

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"heatlog/heatmap"
)

// fakeGenerations are two generations, of which each has all that one can have; err is what every question about one gives.
type fakeGenerations struct {
	list    []heatmap.Generation
	listErr error
	err     error
	moves   []string
	replay  heatmap.Replay
}

func newFakeGenerations() *fakeGenerations {
	at := time.UnixMilli(1_767_225_600_000).UTC()
	positions := map[string]uint64{"ja": 7}
	counts := &heatmap.Counts{
		Read: 7, Hits: 5, Excluded: 2, Clicks: 5, ExcludedBy: []heatmap.RuleCount{{Rule: `visitor == "v-77"`, Hits: 2}},
		Since: []heatmap.SourceSince{{Source: "ja", Position: 3}},
	}
	return &fakeGenerations{list: []heatmap.Generation{
		{
			ID: "g1", State: heatmap.StateActive, Spec: "0123456789abcdef", Created: at, Ready: at, Activated: at,
			Progress: heatmap.Progress{Hits: 7, Of: 7, Positions: positions}, Counts: counts,
		},
		{
			ID: "g2", State: heatmap.StateCatchingUp, Paused: true, Reason: "<none>", Spec: "fedcba9876543210", Rules: "{}", RulesText: "exclude: []", Activate: true, SkipDamaged: true,
			Scope: heatmap.Scope{Sites: []string{"shop"}, From: "2026-01-01"}, Carried: []heatmap.Carried{{Site: "shop", From: "g1", Before: "2026-01-01", Source: "j1", Hits: 3}}, Created: at, Ready: at, Activated: at, Retired: at, Until: at,
			Progress: heatmap.Progress{Hits: 3, Of: 7, HitsPerSecond: 1.5, ETASeconds: 2.5, Positions: positions}, Counts: counts, ActiveCounts: counts,
		},
	}}
}

func (f *fakeGenerations) List() ([]heatmap.Generation, error) { return f.list, f.listErr }

func (f *fakeGenerations) Get(_ context.Context, id string) (heatmap.Generation, error) {
	for _, g := range f.list {
		if g.ID == id {
			return g, nil
		}
	}
	return heatmap.Generation{}, &heatmap.ParamError{Field: "generation", Message: "there is no generation " + id}
}

func (f *fakeGenerations) Start(_ context.Context, r heatmap.Replay) (heatmap.Generation, error) {
	f.replay = r
	if strings.Contains(r.Rules, "wrong") {
		return heatmap.Generation{}, &heatmap.ParamError{Field: "rules", Message: `rules 1:1: unknown key "wrong"`}
	}
	return f.list[1], f.err
}

func (f *fakeGenerations) Report(ctx context.Context, id string) (*heatmap.Report, error) {
	if _, err := f.Get(ctx, id); err != nil {
		return nil, err
	}
	side := func(hits uint64) *heatmap.ReportSide {
		return &heatmap.ReportSide{Counts: &heatmap.Counts{Read: 9, Hits: hits, ExcludedBy: []heatmap.RuleCount{{Rule: "x < 1", Hits: 9 - hits}}}, Visitors: 2, Pages: 3, FirstDay: "2026-01-01", LastDay: "2026-01-31"}
	}
	return &heatmap.Report{
		Generation: id, Active: "g1", Compared: time.UnixMilli(1_767_225_600_000).UTC(), TookMS: 12, Scope: heatmap.Scope{Sites: []string{"shop"}, From: "2026-01-01"},
		Positions: map[string]uint64{"j1": 9}, KeptFrom: map[string]uint64{"j1": 2}, Problems: []string{"page <p> differs"}, Notes: []string{"g1 has lost count"},
		Checks: []heatmap.Check{{Name: "months", What: "months of pages", Done: 3, Failed: 1}}, Before: side(8), After: side(7),
		Pages: &heatmap.PageChanges{
			Same: 1, Changed: 1, Appeared: 1, Disappeared: 1, Merged: 1, Moved: 2, Apart: 3,
			Top:    []heatmap.PageChange{{Site: "shop", Page: "https://shop.example/a", Before: 4, After: 2, Share: -0.25}},
			Merges: []heatmap.PageMerge{{Site: "shop", Page: "https://shop.example/b", Hits: 2, Of: 7, From: []heatmap.PageHits{{Page: "https://shop.example/a", Hits: 2}}}},
		},
	}, f.err
}

func (f *fakeGenerations) Activate(ctx context.Context, id string) error {
	return f.move(ctx, "activate", id)
}
func (f *fakeGenerations) Pause(ctx context.Context, id string) error {
	return f.move(ctx, "pause", id)
}
func (f *fakeGenerations) Resume(ctx context.Context, id string) error {
	return f.move(ctx, "resume", id)
}
func (f *fakeGenerations) Drop(ctx context.Context, id string) error { return f.move(ctx, "drop", id) }

func (f *fakeGenerations) move(ctx context.Context, move, id string) error {
	if _, err := f.Get(ctx, id); err != nil {
		return err
	}
	f.moves = append(f.moves, move+" "+id)
	return f.err
}

func TestGenerations(t *testing.T) {
	fake := newFakeGenerations()
	h := start(t, Options{Generations: fake})
	f := func(a answer, status int, fragments ...string) {
		t.Helper()
		for _, want := range fragments {
			if !strings.Contains(a.body, want) {
				t.Errorf("%s lacks %s", a.body, want)
			}
		}
		if a.StatusCode != status {
			t.Errorf("status %d, want %d: %s", a.StatusCode, status, a.body)
		}
	}
	post := func(path, body string) answer { return h.do("POST", path, strings.NewReader(body)) }
	f(h.get("/v1/generations"), 200, `{"active":"g1","generations":[{"id":"g1","state":"active",`, `{"id":"g2","state":"catching-up","paused":true`)
	f(h.get("/v1/generations/g2"), 200, `{"id":"g2",`, `"reason":"\u003cnone\u003e"`, `"hits_per_second":1.5,"eta_seconds":2.5`, `"active_counts":{"read":7`)
	f(post("/v1/generations", `{"rules":"exclude: []\n","sites":["shop","blog"],"from":"2026-01-02","activate":true,"skip_damaged":true}`), 201, `{"id":"g2",`)
	if r := fake.replay; r.Rules != "exclude: []\n" || strings.Join(r.Sites, " ") != "shop blog" || r.From != day("2026-01-02") || !r.Activate || !r.SkipDamaged {
		t.Errorf("replay is %+v", r)
	}
	f(post("/v1/generations", `{"rules":""}`), 201)
	if r := fake.replay; r.Rules != "" || r.Sites != nil || r.From != 0 || r.Activate || r.SkipDamaged {
		t.Errorf("replay is %+v", r)
	}
	f(post("/v1/generations/g2/activate", ""), 200, `{"id":"g2",`)
	f(post("/v1/generations/g2/pause", ""), 200, `{"id":"g2",`)
	f(post("/v1/generations/g1/resume", ""), 200, `{"id":"g1",`)
	if a := h.do("DELETE", "/v1/generations/g2", nil); a.StatusCode != 204 || a.body != "" {
		t.Errorf("status %d, body %q", a.StatusCode, a.body)
	}
	if got := strings.Join(fake.moves, ", "); got != "activate g2, pause g2, resume g1, drop g2" {
		t.Errorf("moves are %s", got)
	}
	fake.list = nil
	f(h.get("/v1/generations"), 200, `{"generations":[]}`)
}

func TestGenerationReport(t *testing.T) {
	h := start(t, Options{Generations: newFakeGenerations()})
	const asJSON = `{"generation":"g2","active":"g1","compared":"2026-01-01T00:00:00Z","took_ms":12,`
	f := func(target, accept, contentType, fragment string) {
		t.Helper()
		a := h.get(target, "Accept", accept)
		if got := a.Header.Get("Content-Type"); a.StatusCode != 200 || got != contentType || !strings.Contains(a.body, fragment) || !strings.HasPrefix(a.Header.Get("Vary"), "Accept,") {
			t.Errorf("%s, %s: status %d, %s, vary %s: %s", target, accept, a.StatusCode, got, a.Header.Get("Vary"), a.body)
		}
	}
	const plain = "text/plain; charset=utf-8"
	f("/v1/generations/g2/report", "", jsonType, asJSON)
	f("/v1/generations/g2/report", "*/*", jsonType, asJSON)
	f("/v1/generations/g2/report", "text/plain", plain, "page <p> differs\n")
	f("/v1/generations/g2/report", "Text/Plain;q=0.9, */*", plain, "g2 compared with g1")
	f("/v1/generations/g2/report", "application/json, text/plain", jsonType, asJSON)
	f("/v1/generations/g2/report?format=text", "application/json", plain, "page <p> differs\n")
	f("/v1/generations/g2/report?format=json", "text/plain", jsonType, asJSON)
}

func TestBadGenerations(t *testing.T) {
	fake := newFakeGenerations()
	h := start(t, Options{Generations: fake})
	post := func(path, body string) answer { return h.do("POST", path, strings.NewReader(body)) }
	bad := func(body, code, field string, fragments ...string) {
		t.Helper()
		h.refused(post("/v1/generations", body), 400, code, field, fragments...)
	}
	bad("", "bad_request", "", `{"rules":`)
	bad("{}", "bad_param", "rules", "missing", "default rules")
	bad(`{"rules":null}`, "bad_param", "rules", "missing")
	bad(`{"rules":7}`, "bad_request", "", "number")
	bad(`{"rules":"","colour":1}`, "bad_request", "", "colour")
	bad(`{"rules":"wrong"}`, "bad_param", "rules", `1:1: unknown key "wrong"`)
	bad(`{"rules":"","sites":["Shop!"]}`, "bad_param", "sites", `"Shop!"`)
	bad(`{"rules":"","sites":["a"`+strings.Repeat(`,"a"`, maxReplaySites)+`]}`, "bad_param", "sites", "1001", "limit 1000")
	for _, from := range []string{"", "2026-02-30", "2026-01-01T00:00:00Z", "1999-12-31", "2149-06-07"} {
		bad(`{"rules":"","from":"`+from+`"}`, "bad_param", "from", "2000-01-01")
	}
	if got := h.raw(fmt.Sprintf("POST /v1/generations HTTP/1.1\r\n%sExpect: 100-continue\r\nConnection: close\r\nContent-Length: %d\r\n\r\n", auth, maxReplayBody+1)); !strings.HasPrefix(got, "HTTP/1.1 413 ") {
		t.Errorf("a body that is too large: %q", got)
	}
	for _, target := range []string{"/v1/generations/g9", "/v1/generations/g9/report", "/v1/generations/g0/report", "/v1/generations/%3Cb%3E", "/v1/generations/G1", "/v1/generations/g" + strings.Repeat("1", 5000)} {
		h.refused(h.get(target), 404, "not_found", "generation", "there is no generation")
	}
	h.refused(post("/v1/generations/g9/activate", ""), 404, "not_found", "generation")
	h.refused(h.get("/v1/generations/g1/colour"), 404, "not_found", "", "/v1/generations/{id}/activate")
	h.refused(h.get("/v1/generations/"), 404, "not_found", "")
	h.refused(h.get("/v1/generations/g1/report/"), 404, "not_found", "")
	h.refused(h.get("/v1/generations/g1/activate"), 405, "method_not_allowed", "", "only POST")
	h.refused(h.get("/v1/generations/g1/report?format=pdf"), 400, "bad_param", "format")
	h.refused(h.get("/v1/generations?site=shop"), 400, "bad_param", "site")
	if len(fake.moves) > 0 {
		t.Errorf("moves are %q", fake.moves)
	}
	fake.err = &heatmap.StateError{ID: "g2", State: heatmap.StateBuilding, Message: "it is not ready"}
	for _, a := range []answer{
		post("/v1/generations/g2/activate", ""), post("/v1/generations/g2/pause", ""), post("/v1/generations", `{"rules":""}`),
		h.do("DELETE", "/v1/generations/g2", nil), h.get("/v1/generations/g2/report"),
	} {
		h.refused(a, 409, "conflict", "", "generation g2 is building: it is not ready")
	}
	fake.err = errors.New("disk is full")
	h.refused(post("/v1/generations/g2/activate", ""), 500, "internal", "")
}

// TestGenerationsAreForOperators: a token of an overlay, which every visitor of a page could take from it, opens none of them,
// and a page of another origin cannot use a session.
func TestGenerationsAreForOperators(t *testing.T) {
	fake := newFakeGenerations()
	d := newDesk(t, func(o *Options) { o.Generations = fake })
	overlay, cookie := d.overlayToken("shop"), d.signIn()
	f := func(method, target, body string) {
		t.Helper()
		d.do(method, target, body).is(401, "unauthorized")
		d.do(method, target, body, overlay).is(403, "forbidden")
		if method != "GET" {
			d.do(method, target, body, cookie, evilOrigin).is(403, "cross_site")
		}
	}
	f("GET", "/v1/generations", "")
	f("POST", "/v1/generations", `{"rules":""}`)
	f("GET", "/v1/generations/g2", "")
	f("GET", "/v1/generations/g2/report", "")
	f("POST", "/v1/generations/g2/activate", "")
	f("POST", "/v1/generations/g2/pause", "")
	f("POST", "/v1/generations/g2/resume", "")
	f("DELETE", "/v1/generations/g2", "")
	if len(fake.moves) > 0 {
		t.Errorf("moves are %q", fake.moves)
	}
	d.do("POST", "/v1/generations/g2/pause", "", cookie, ownOrigin).is(200, `"id":"g2"`)
}

func TestOverlayLinkOfGeneration(t *testing.T) {
	fake := newFakeGenerations()
	h := start(t, Options{Sites: newFakeSites(), Generations: fake})
	link := func(id string) answer {
		return h.do("POST", "/v1/overlay-links", strings.NewReader(`{"site":"shop","url":"https://shop.example/p#/route","generation":"`+id+`"}`))
	}
	a := link("g1")
	if token, _, ok := strings.Cut(a.body, `.g1~/route","token":"hlo_`); !ok || a.StatusCode != 201 || !strings.Contains(token, `/p#hl=hlo_`) {
		t.Errorf("status %d: %s", a.StatusCode, a.body)
	}
	h.refused(link("g2"), 409, "conflict", "", "generation g2 is catching-up: it has no maps to show yet")
	fake.list[1].Paused = false
	if a := link("g2"); a.StatusCode != 201 {
		t.Errorf("status %d: %s", a.StatusCode, a.body)
	}
	fake.list[1].State = heatmap.StateFailed
	h.refused(link("g2"), 409, "conflict", "", "failed")
	h.refused(link("g9"), 404, "not_found", "generation", "g9")
	h.refused(link("~x"), 404, "not_found", "generation")
	h.refused(link(""), 404, "not_found", "generation")
}

// generationAnswers asks about generations and moves them, rightly and wrongly.
func (r *recorder) generationAnswers() {
	const replay = `{"rules":"exclude: []\\n"}`
	moves := func(id string) {
		r.ask("GET", "/v1/generations/"+id, "", adminToken)
		r.ask("GET", "/v1/generations/"+id+"/report", "", adminToken)
		r.ask("GET", "/v1/generations/"+id+"/report?format=text", "", adminToken)
		r.ask("GET", "/v1/generations/"+id+"/report", "", adminToken, "Accept: text/plain")
		for _, move := range []string{"activate", "pause", "resume"} {
			r.ask("POST", "/v1/generations/"+id+"/"+move, "", adminToken)
		}
		r.ask("DELETE", "/v1/generations/"+id, "", adminToken)
		r.ask("GET", "/v1/generations", "", adminToken)
		r.ask("POST", "/v1/generations", replay, r.cookie, ownOrigin)
	}
	moves("g2")
	moves("g9")
	moves("<g>")
	r.ask("POST", "/v1/generations", `{}`, adminToken)
	r.ask("POST", "/v1/generations", `{"rules":"wrong"}`, adminToken)
	r.ask("POST", "/v1/generations", `[]`, adminToken)
	for _, id := range []string{"g1", "g2", "g9", "G"} {
		r.ask("POST", "/v1/overlay-links", `{"site":"shop","url":"https://shop.example/","generation":"`+id+`"}`, adminToken)
	}
	r.generations.err = &heatmap.StateError{ID: "g2", State: heatmap.StateBuilding, Message: "it is not ready"}
	moves("g2")
	r.generations.err = nil
	for _, target := range []string{"", "/g2", "/g2/report"} {
		r.ask("GET", "/v1/generations"+target+"?x=1", "", adminToken)
	}
	r.ask("DELETE", "/v1/generations/g2?x=1", "", adminToken)
	for _, move := range []string{"activate", "pause", "resume"} {
		r.ask("POST", "/v1/generations/g2/"+move+"?x=1", "", adminToken)
	}
}
