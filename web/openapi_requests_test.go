package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// probes are values of which each parameter takes some, on both sides of every limit.
func probes() []string {
	list := []string{
		"", "-", "-1", "1.5", "0.5", "0.999999", "1.0", "1.000001", ".5", "1.", "1e-1", "+0.5", "00.5", "0.5.5", "x", "shop", "Shop", "a b", "žluť", "click", "move", "rage", "dead", "view", "scroll", "json", "png", "msgpack",
		"desktop", "tablet", "mobile", "phone", "day", "hour", "week", "true", "false", "yes", "2026-01-01", "2026-02-30", "2026-1-1",
		"2026-01-01T08:00:00Z", "2026-01-01T08:00:00+01:00", "2026-01-01T08:00:00", "320-767", "0-65535", "1-", "320", "ja:1", "ja:1,jb:2", "JA:1", "ja",
	}
	for _, n := range []int{0, 1, 2, 7, 8, 9, 12, 16, 100, 128, 129, 4095, 4096, 4097, 4104, 10_000, 10_001, 65_536, 65_537, 100_000, 100_001, 1 << 30, 1<<30 + 1} {
		list = append(list, fmt.Sprint(n))
	}
	for _, n := range []int{32, 33, 64, 65, 256, 257, 1024, 1025, 4096, 4097, 8192, 8193} {
		list = append(list, strings.Repeat("a", n))
	}
	return list
}

// fits reports whether a parameter's schema has room for a value as it stands in a query string.
func fits(parameter place, value string) bool {
	schema := parameter.at("schema")
	if schema.text("type") == "integer" {
		if _, err := parseDigits(value, 1<<62); err != nil {
			return false
		}
		return schema.validate(json.Number(value)) == nil
	}
	if schema.text("type") == "number" {
		return strings.Trim(value, "0123456789.") == "" && json.Valid([]byte(value)) && schema.validate(json.Number(value)) == nil
	}
	return schema.validate(value) == nil
}

// request sends an operation what it needs and the query, with the body that is its example.
func (r *recorder) request(o *operation, query url.Values, headers ...string) reply {
	target := o.target()
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	body := ""
	for _, media := range o.op.at("requestBody", "content").keys() {
		body = exampleText(o.op.at("requestBody", "content", media, "example").node)
		headers = append(headers, "Content-Type: "+media)
		break
	}
	r.addresses++
	return r.d.from(fmt.Sprintf("10.1.%d.%d", r.addresses>>8&255, r.addresses&255), o.method, target, body, headers...)
}

// exampleText is an example as it is sent.
func exampleText(example any) string {
	if text, ok := example.(string); ok {
		return text
	}
	b, err := json.Marshal(example)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// refuses reports whether an answer refuses a parameter.
func refuses(answer reply, name string) bool {
	if answer.status != 400 {
		return false
	}
	var e struct{ Error struct{ Field string } }
	return json.Unmarshal([]byte(answer.body), &e) != nil || e.Error.Field == name // a page has no field
}

// needed are the parameters without which an operation refuses a request, with their examples.
func (o *operation) needed() url.Values {
	query := url.Values{}
	for name, p := range o.parameters("query") {
		if required, _ := p.at("required").node.(bool); required {
			query.Set(name, fmt.Sprint(p.at("example").node))
		}
	}
	return query
}

// isStrict reports whether an operation refuses query parameters that it does not know.
func (o *operation) isStrict() bool {
	return o.method != "HEAD" && o.method != "OPTIONS" && (strings.HasPrefix(o.path, "/v1/") || o.path == "/signin")
}

// checkParameters asks each operation for every value of probes in each of its parameters, and in those that it does not
// have: what is described is taken, and nothing else.
func checkParameters(d *apiDoc, r *recorder) (found problems) {
	names := map[string]bool{"colour": true, "Site": true, "s%69te": true}
	for _, o := range d.operations() {
		for name := range o.parameters("query") {
			names[name] = true
		}
	}
	for _, o := range d.operations() {
		if !o.isStrict() {
			continue
		}
		if a := r.request(o, o.needed(), adminToken); a.status == 400 {
			found.add("%s: what it needs is refused: %.200s", o, a.body)
		}
		mine := o.parameters("query")
		if taken, told := r.takes(o); told && !slices.Equal(slices.Sorted(slices.Values(taken)), slices.Sorted(maps.Keys(mine))) {
			found.add("%s takes %v, described are %v", o, taken, slices.Sorted(maps.Keys(mine)))
		}
		for name := range names {
			if _, known := mine[name]; known {
				continue
			}
			query := o.needed()
			query.Set(name, "1")
			if a := r.request(o, query, adminToken); !refuses(a, name) {
				found.add("%s takes %s, which is not described: %d", o, name, a.status)
			}
		}
		for name, p := range mine {
			found = append(found, checkParameter(o, r, name, p)...)
		}
	}
	return found
}

// takes gives the parameters that an operation itself says that it has, to whom it refuses one.
func (r *recorder) takes(o *operation) (names []string, told bool) {
	var e struct{ Error struct{ Message string } }
	a := r.request(o, url.Values{"colour": {"1"}}, adminToken)
	if json.Unmarshal([]byte(a.body), &e) != nil {
		return nil, false
	}
	_, list, told := strings.Cut(e.Error.Message, "; this route has ")
	list = strings.TrimPrefix(list, "none")
	return strings.FieldsFunc(list, func(c rune) bool { return c == ',' || c == ' ' }), told
}

func checkParameter(o *operation, r *recorder, name string, p place) (found problems) {
	base := o.needed()
	required := base.Has(name)
	if base.Del(name); required && !refuses(r.request(o, base, adminToken), name) {
		found.add("%s does without %s", o, name)
	}
	if with, value, ok := strings.Cut(p.text("x-goes-with"), "="); ok {
		base.Set(name, fmt.Sprint(p.at("example").node))
		if !refuses(r.request(o, base, adminToken), name) {
			found.add("%s takes %s without %s=%s", o, name, with, value)
		}
		if with == "format" {
			base.Set("width", "16")
		}
		if value == formatPNG {
			base.Set("height", "16")
		}
		base.Set(with, value)
	}
	for _, value := range append(probes(), fmt.Sprint(p.at("example").node)) {
		base.Set(name, value)
		if a := r.request(o, base, adminToken); refuses(a, name) == fits(p, value) {
			found.add("%s: %s=%.40q has status %d, but described it is %v: %.200s", o, name, value, a.status, fits(p, value), a.body)
		}
	}
	base[name] = []string{base.Get(name), base.Get(name)}
	if !refuses(r.request(o, base, adminToken), name) {
		found.add("%s takes %s twice", o, name)
	}
	return found
}

// checkSecurity asks each operation with every way in: it lets through what is described, and nothing else.
func checkSecurity(d *apiDoc, r *recorder) (found problems) {
	for _, o := range d.operations() {
		schemes := o.schemes()
		for scheme, headers := range map[string][]string{
			"": nil, "adminToken": {adminToken}, "overlayToken": {r.d.overlayToken("shop")}, "session": {r.d.from("10.2.0.1", "POST", "/v1/session", rightBody).cookie(), ownOrigin},
		} {
			a := r.request(o, o.needed(), headers...)
			open := len(schemes) == 0
			refused := a.status == 401 || a.status == 403
			switch {
			case open && (o.op.at("responses").has("401") || o.op.at("responses").has("403")):
				// what it refuses is another thing
			case open || slices.Contains(schemes, scheme):
				if refused {
					found.add("%s refuses %q: %.200s", o, scheme, a.body)
				}
			case !refused:
				found.add("%s lets %q through: %d", o, scheme, a.status)
			}
		}
	}
	return found
}

// checkBodies sends each operation's example, and that with a member too many or too few.
func checkBodies(d *apiDoc, r *recorder) (found problems) {
	send := func(o *operation, media string, body any) int {
		r.addresses++
		return r.d.from(fmt.Sprintf("10.3.%d.%d", r.addresses>>8&255, r.addresses&255), o.method, o.target(), exampleText(body), adminToken, "Content-Type: "+media).status
	}
	for _, o := range d.operations() {
		for _, media := range o.op.at("requestBody", "content").keys() {
			content := o.op.at("requestBody", "content", media)
			example := content.at("example").node
			if status := send(o, media, example); status >= 400 && status != 401 {
				found.add("%s: the example has status %d", o, status)
			}
			if content.at("schema").has("x-line") {
				if err := content.at("schema", "x-line").validateText(exampleText(example)); err != nil {
					found.add("%s: the example's line: %v", o, err)
				}
			}
			members, ok := example.(map[string]any)
			if !ok {
				continue
			}
			try := func(what string, body map[string]any) {
				refused := send(o, media, body) == 400
				if valid := content.at("schema").validate(body) == nil; valid == refused {
					found.add("%s: a body %s is refused: %v, but described it is %v", o, what, refused, valid)
				}
			}
			more := maps.Clone(members)
			more["colour"] = "red"
			try("with a member too many", more)
			for name := range members {
				fewer := maps.Clone(members)
				delete(fewer, name)
				try("without "+name, fewer)
				fewer[name] = true
				try("with true for "+name, fewer)
			}
		}
	}
	return found
}

func TestOpenAPIRequests(t *testing.T) {
	doc := parseAPIDoc(t, openAPI)
	r := apiDesk(t)
	r.reader.heatmap.Points = r.reader.heatmap.Points[:1] // as many as the least limit
	report(t, checkParameters(doc, r))
	report(t, checkSecurity(doc, r))
	report(t, checkBodies(doc, r))
}
