package web

import (
	"strings"
	"testing"
)

// TestOpenAPIMistakes plants a mistake in a copy of the description, one at a time: the check that is there for it must find
// it. Each replaces a text wherever it stands.
func TestOpenAPIMistakes(t *testing.T) {
	good := parseAPIDoc(t, openAPI)
	r := apiDesk(t)
	answers := apiDesk(t).record(good)
	r.reader.heatmap.Points = r.reader.heatmap.Points[:1]
	f := func(name, old, new string, check func(*apiDoc) problems, fragment string) {
		t.Helper()
		text := string(openAPI)
		if !strings.Contains(text, old) {
			t.Errorf("%s: the description does not hold %s", name, old)
			return
		}
		found := check(parseAPIDoc(t, []byte(strings.ReplaceAll(text, old, new))))
		if !strings.Contains(strings.Join(found, "\n"), fragment) {
			t.Errorf("%s is not found; found is %q", name, found)
		}
	}
	routes := func(d *apiDoc) problems { return checkRoutes(d, r.d.s) }
	params := func(path string) func(*apiDoc) problems {
		return func(d *apiDoc) problems {
			d.only = path
			return checkParameters(d, r)
		}
	}
	security := func(d *apiDoc) problems { return checkSecurity(d, r) }
	bodies := func(d *apiDoc) problems { return checkBodies(d, r) }
	replies := func(d *apiDoc) problems { return checkAnswers(d, answers) }

	f("a path that is not served", `"/v1/bots": {`, `"/v1/robots": {`, routes, "GET /v1/robots is described and not served")
	f("a route that is not described", `"/v1/bots": {`, `"/v1/robots": {`, routes, "GET /v1/bots is not described")
	f("a path below a name that is not described", `/{id}/pause": {`, `/{id}/halt": {`, routes, "POST /v1/generations/{id}/pause is not described")
	f("a method that is not served", `"delete": {`, `"put": {`, routes, "PUT /v1/session is described and not served")

	f("a parameter under another name", `"name": "device"`, `"name": "gadget"`, params("/v1/trend"), "GET /v1/trend takes [site url from to last vw device")
	f("a parameter that is not taken", `"name": "device"`, `"name": "gadget"`, params("/v1/trend"), "GET /v1/trend: gadget=\"desktop\" has status 400")
	f("a value too few", `"enum": ["day", "hour"], "default"`, `"enum": ["day"], "default"`, params("/v1/trend"), `by="hour" has status 200`)
	f("a value too many", `"enum": ["day", "hour"], "default"`, `"enum": ["day", "hour", "week"], "default"`, params("/v1/trend"), `by="week" has status 400`)
	f("another maximum", `"maximum": 10000,`, `"maximum": 10001,`, params("/v1/pages"), `limit="10001" has status 400`)
	f("another minimum", `"minimum": 1, "maximum": 10000,`, `"minimum": 2, "maximum": 10000,`, params("/v1/pages"), `limit="1" has status 200`)
	f("another multiple", `"maximum": 4096, "multipleOf": 8`, `"maximum": 4096, "multipleOf": 4`, params("/v1/heatmap"), `cell="12" has status 400`)
	f("another length", `"schema": {"type": "string", "maxLength": 1024}`, `"schema": {"type": "string", "maxLength": 1025}`, params("/v1/pages"), `q="aaa`)
	f("needed and not said", "\"description\": \"Key of the site.\",\n        \"required\": true", `"description": "Key of the site."`, params("/v1/pages"), "what it needs is refused")
	f("said and not needed", `"description": "Only pages whose URL contains it. At most 1024 bytes."`, `"description": "", "required": true`, params("/v1/pages"), "does without q")
	f("without what it goes with", `"x-goes-with": "format=png"`, `"x-goes-with": "kind=click"`, params("/v1/heatmap"), `width="1" has status 400`)

	f("open and not said", `"security": [],`, ``, security, `lets "" through`)
	f("an overlay that must not", `"operationId": "bots",`, `"operationId": "bots", "security": [{"overlayToken": []}],`, security, `GET /v1/bots refuses "overlayToken"`)
	f("a body's member that is not taken", `"required": ["key"],`, `"required": [],`, bodies, "a body without key is refused")
	f("a body's member that is needed and not said", `"required": ["site", "url", "b", "hits"]`, `"required": ["site", "url", "hits"]`, bodies, "POST /v1/in: a body without b is refused")

	f("a member that is not described", `"lag_hits": {"type": "integer"`, `"lag": {"type": "integer"`, replies, "lag_hits")
	f("a member of another type", `"start": {"type": "string"`, `"start": {"type": "integer"`, replies, "/buckets/0/start")
	f("a reason that is not described", `{"const": "only_bots"}`, `{"const": "bots"}`, replies, "/why")
	f("a state that is not described", `"building", "catching-up", `, `"building", `, replies, "/state")
	f("a code that is not described", `["other_site", "origin_not_listed"]`, `["other_site"]`, replies, "/error/code")
	f("a status that is not described", `"409": {`, `"410": {`, replies, "answers 409, which is not described")
	f("a status that is never answered", `"409": {`, `"410": {`, replies, "no answer is 410")
	f("a header that is not described", `"Heatlog-Max": {`, `"Heatlog-Most": {`, replies, "header Heatlog-Max is not described")
	f("a header that is missing", `"Retry-After": {`, `"Retry-Later": {`, replies, "header Retry-Later is missing")
	f("a header of a preflight that is not sent", `{"const": "Authorization, Last-Event-ID"}`, `{"const": "Authorization"}`, replies, "Access-Control-Allow-Headers")
	f("another type of content", `"text/plain": {"schema": {"type": "string"}}`, `"text/css": {"schema": {"type": "string"}}`, replies, `content type "text/plain`)
	f("a line's member that is not described", `"fixed": {`, `"stuck": {`, replies, "GET /v1/export")

	f("an example that is wrong", `"took_ms": 3.1`, `"took_ms": "3.1"`, checkExamples, "/took_ms")
	f("a component that is not used", `"examples": ["shop"]},`, `"examples": ["shop"]}, "Unused": {"type": "string"},`, checkReferences, "nothing refers to #/components/schemas/Unused")
	f("a reference to nothing", `"#/components/schemas/Trend"`, `"#/components/schemas/Trends"`, checkReferences, "which is not there")
	f("a server of its own", `"url": ".."`, `"url": "https://heat.example"`, checkForm, "is not relative")
}
