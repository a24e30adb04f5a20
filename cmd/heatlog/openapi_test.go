package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestDescribedAnswers asks the program for answers that are full and for answers that are empty for every reason, and
// validates them with the description that the program itself serves.
func TestDescribedAnswers(t *testing.T) {
	p := startServer(t, t.TempDir())
	defer p.Stop()
	p.AddSite("shop", "Europe/Prague", "https://shop.example")
	p.AddSite("quiet", "UTC", "https://quiet.example")
	p.Import(strings.NewReader(
		`{"t":1767225600000,"site":"shop","url":"https://shop.example/p/1","kind":"view","vw":1280,"vh":720,"view":"a1","visitor":"v-77"}
{"t":1767225600500,"site":"shop","url":"https://shop.example/p/1","kind":"click","x":512,"y":1480,"vw":1280,"vh":720,"view":"a1","visitor":"v-77"}
{"t":1767225601000,"site":"shop","url":"https://shop.example/p/1","kind":"scroll","depth":2200,"from":0,"dwell":1800,"y":1480,"vw":1280,"vh":720,"view":"a1","visitor":"v-77"}
{"t":1767225601000,"site":"shop","url":"https://shop.example/b","kind":"scroll","depth":720,"ua":"Googlebot/2.1","view":"b1"}
{"t":1767225602000,"site":"shop","url":"https://shop.example/b","kind":"click","x":1,"y":2,"ua":"Googlebot/2.1","view":"b1"}
`), "")
	p.WaitCounted("shop")
	_, text := p.Request("GET", "/v1/openapi.json", nil, nil, nil)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.AddResource("https://heatlog.test/api", root); err != nil {
		t.Fatal(err)
	}
	f := func(path, schema, query, fragment string) {
		t.Helper()
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		_, body := p.Request("GET", path, values, nil, nil)
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
		if err != nil {
			t.Fatalf("%s?%s: %v in %s", path, query, err, body)
		}
		if err := c.MustCompile("https://heatlog.test/api#/components/schemas/" + schema).Validate(value); err != nil || !bytes.Contains(body, []byte(fragment)) {
			t.Errorf("%s?%s: %v; want %s in %s", path, query, err, fragment, body)
		}
	}
	const page, bots = "site=shop&url=https://shop.example/p/1", "site=shop&url=https://shop.example/b"
	for path, schema := range map[string]string{"/v1/heatmap": "Heatmap", "/v1/elements": "Elements", "/v1/scroll": "Scroll", "/v1/pages": "Pages", "/v1/trend": "Trend"} {
		f(path, schema, page, `"lag_hits":0`)
		f(path, schema, "site=none&url=https://shop.example/", `"unknown_site"`)
		f(path, schema, "site=quiet&url=https://quiet.example/", `"no_hits_for_url"`)
		f(path, schema, "site=shop&url=https://shop.example/p/2", `"nearest":["https://shop.example/p/1"`)
		f(path, schema, page+"&from=2026-02-01&to=2026-02-28", `"outside_range"`)
		f(path, schema, page+"&vw=320-639", `"other_width"`)
		f(path, schema, page+"&device=mobile", `"other_device"`)
		f(path, schema, page+"&where=x+%3E+9000", `"no_hits"`)
		f(path, schema, bots, `"only_bots"`)
		f(path, "Error", page+"&generation=g9", `"not_found"`)
		f(path, "Error", page+"&where=%28", `"bad_param"`)
	}
	f("/v1/heatmap", "Heatmap", page+"&kind=move", `"other_kind"`)
	f("/v1/elements", "Elements", page+"&cells=1", `"rest":{"hits":1,"cell":8,"points":[[512,1480,1]]}`)
	f("/v1/trend", "Trend", page+"&by=hour", `"2026-01-01T01:00:00+01:00"`)
	f("/v1/trend", "Error", page+"&by=hour&from=2020-01-01&to=2026-01-01", `"from"`)
	f("/v1/trend", "Trend", page+"&window=24h&every=1h", `"window":"1d"`)
	f("/v1/pages", "Pages", "site=shop&window=24h&every=1h", `"every":"1h"`)
	f("/v1/timeline", "Timeline", page+"&from=2026-01-01&to=2026-01-01&step=1h", `"frames":[[1,[[512,1480,1]]]]`)
	f("/v1/timeline", "Timeline", page+"&kind=move&from=2026-01-01&to=2026-01-01", `"frames":[]`)
	var asked struct{ ID string }
	if err := json.Unmarshal(p.Post("/v1/queries", `{"kind":"pages","params":{"site":"shop"}}`), &asked); err != nil {
		t.Fatal(err)
	}
	f("/v1/queries", "Questions", "", asked.ID)
	f("/v1/queries/"+asked.ID, "Question", "", `"start":"beginning"`)
	f("/v1/sites", "Sites", "", `"quiet"`)
	f("/v1/bots", "Bots", "", `"bots"`)
	f("/v1/session", "Session", "", `"expires":null`)
	f("/healthz", "Health", "", "true")
	f("/readyz", "Readiness", "", `"ready":true`)

	p.Post("/v1/generations", `{"rules":"exclude: ['x == 512']","sites":["shop"],"from":"2026-01-01"}`)
	p.WaitGeneration("g2", "ready")
	f("/v1/generations", "Generations", "", `"active":"g1"`)
	f("/v1/generations/g1", "Generation", "", `"state":"active"`)
	f("/v1/generations/g2", "Generation", "", `"excluded_by":[{"rule":"x == 512","hits":1}]`)
	f("/v1/generations/g2", "Generation", "", `"active_counts":{`)
	f("/v1/heatmap", "Heatmap", page+"&generation=g2", `"hits":0`)

	for path := range root.(map[string]any)["paths"].(map[string]any) {
		target := strings.NewReplacer("/queries/{id}", "/queries/"+asked.ID, "{file}", "shop", "{id}", "g1").Replace(path)
		if status, body := p.Request("GET", target, nil, nil, nil); status == http.StatusNotFound {
			t.Errorf("%s is described and not there: %s", path, body)
		}
	}
}
