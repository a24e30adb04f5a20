package web

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// apiDoc is the description of the API as the checks read it.
type apiDoc struct {
	root    map[string]any
	schemas *jsonschema.Compiler
	ready   map[string]*jsonschema.Schema // compiled, by pointer
	only    string                        // what paths of operations begin with
}

const apiDocURL = "https://heatlog.test/openapi.json"

// parseAPIDoc reads a description.
func parseAPIDoc(t testing.TB, text []byte) *apiDoc {
	t.Helper()
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	d := &apiDoc{root: root.(map[string]any), schemas: jsonschema.NewCompiler(), ready: map[string]*jsonschema.Schema{}}
	d.schemas.DefaultDraft(jsonschema.Draft2020)
	d.schemas.AssertFormat()
	d.schemas.AssertContent()
	if err := d.schemas.AddResource(apiDocURL, root); err != nil {
		t.Fatal(err)
	}
	return d
}

// place is a node of the description with its JSON pointer.
type place struct {
	doc     *apiDoc
	node    any
	pointer string
}

func (d *apiDoc) top() place { return place{d, d.root, ""} }

// at follows a path of names, through references.
func (p place) at(names ...string) place {
	for _, name := range names {
		p = p.resolve()
		m, _ := p.node.(map[string]any)
		p = place{p.doc, m[name], p.pointer + "/" + pointerToken(name)}
	}
	return p.resolve()
}

// pointerToken writes a name as a part of a JSON pointer.
func pointerToken(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

func (p place) resolve() place {
	for {
		m, _ := p.node.(map[string]any)
		ref, ok := m["$ref"].(string)
		if !ok {
			return p
		}
		p = p.doc.top()
		for name := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			m, _ := p.node.(map[string]any)
			p = place{p.doc, m[name], p.pointer + "/" + name}
		}
	}
}

func (p place) keys() []string {
	m, _ := p.node.(map[string]any)
	return slices.Sorted(maps.Keys(m))
}

func (p place) has(name string) bool {
	m, _ := p.node.(map[string]any)
	_, ok := m[name]
	return ok
}

func (p place) text(name string) string {
	s, _ := p.at(name).node.(string)
	return s
}

func (p place) items() []place {
	list, _ := p.node.([]any)
	places := make([]place, len(list))
	for i, node := range list {
		places[i] = place{p.doc, node, fmt.Sprint(p.pointer, "/", i)}.resolve()
	}
	return places
}

// validate checks a value against the schema at p.
func (p place) validate(value any) error {
	schema := p.doc.ready[p.pointer]
	if schema == nil {
		var fragment []string
		for name := range strings.SplitSeq(p.pointer, "/") {
			fragment = append(fragment, url.PathEscape(name))
		}
		var err error
		if schema, err = p.doc.schemas.Compile(apiDocURL + "#" + strings.Join(fragment, "/")); err != nil {
			return err
		}
		p.doc.ready[p.pointer] = schema
	}
	return schema.Validate(value)
}

// validateText checks a JSON text against the schema at p.
func (p place) validateText(text string) error {
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return p.validate(value)
}

// operation is a method of a path.
type operation struct {
	path, method string // the method in capitals
	item, op     place
}

func (o *operation) String() string { return o.method + " " + o.path }

// operations are all methods of all paths.
func (d *apiDoc) operations() (list []*operation) {
	for _, path := range d.top().at("paths").keys() {
		item := d.top().at("paths", path)
		for _, method := range item.keys() {
			if method != "parameters" && strings.HasPrefix(path, d.only) {
				list = append(list, &operation{path, strings.ToUpper(method), item, item.at(method)})
			}
		}
	}
	return list
}

// parameters are those of an operation at a place such as "query", by name.
func (o *operation) parameters(in string) map[string]place {
	all := map[string]place{}
	for _, p := range append(o.item.at("parameters").items(), o.op.at("parameters").items()...) {
		if p.text("in") == in {
			all[p.text("name")] = p
		}
	}
	return all
}

// find gives the operation that describes a request.
func (d *apiDoc) find(method, path string) *operation {
	var best *operation
	for _, o := range d.operations() {
		if o.method == method && (o.path == path || best == nil && o.fits(path)) {
			best = o
		}
	}
	return best
}

// fits reports whether a path is one of those that the operation's stands for: {name} is any one segment.
func (o *operation) fits(path string) bool {
	mine, theirs := strings.Split(o.path, "/"), strings.Split(path, "/")
	return slices.EqualFunc(mine, theirs, func(m, t string) bool { return m == t || strings.HasPrefix(m, "{") && t != "" })
}

// target is the operation's path with the examples of its parameters.
func (o *operation) target() string {
	target := o.path
	for name, p := range o.parameters("path") {
		target = strings.ReplaceAll(target, "{"+name+"}", fmt.Sprint(p.at("example").node))
	}
	return target
}

// problems gathers what a check finds.
type problems []string

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

// checkRoutes compares paths and methods with those of a server that has all its parts, both ways.
func checkRoutes(d *apiDoc, s *Server) (found problems) {
	described := map[*operation]bool{}
	for path, r := range s.routes {
		for method := range r.methods {
			o := d.find(method, path)
			if o == nil {
				found.add("%s %s is not described", method, path)
			}
			described[o] = true
		}
	}
	served := map[string]bool{}
	for o := range described {
		if o != nil {
			served[o.String()] = true
		}
	}
	for _, o := range d.operations() {
		if !served[o.String()] {
			found.add("%s is described and not served", o)
		}
	}
	return found
}

// checkReferences follows every reference, and finds components that nothing refers to.
func checkReferences(d *apiDoc) (found problems) {
	used := map[string]bool{}
	walk(d.top(), func(p place) {
		m, _ := p.node.(map[string]any)
		if ref, ok := m["$ref"].(string); ok {
			used[ref] = true
			if p.resolve().node == nil {
				found.add("%s refers to %s, which is not there", p.pointer, ref)
			}
		}
		for _, one := range (place{d, m["security"], ""}).items() {
			for _, name := range one.keys() {
				used["#/components/securitySchemes/"+name] = true
			}
		}
	})
	for _, sort := range d.top().at("components").keys() {
		for _, name := range d.top().at("components", sort).keys() {
			if ref := "#/components/" + sort + "/" + name; !used[ref] {
				found.add("nothing refers to %s", ref)
			}
			delete(used, "#/components/"+sort+"/"+name)
		}
	}
	for ref := range used {
		if strings.Contains(ref, "securitySchemes") {
			found.add("there is no %s", ref)
		}
	}
	return found
}

// walk visits every node, without following references.
func walk(p place, fn func(place)) {
	fn(p)
	switch node := p.node.(type) {
	case map[string]any:
		for _, name := range p.keys() {
			walk(place{p.doc, node[name], p.pointer + "/" + pointerToken(name)}, fn)
		}
	case []any:
		for i := range node {
			walk(place{p.doc, node[i], fmt.Sprint(p.pointer, "/", i)}, fn)
		}
	}
}

// checkForm checks what tools want of a description, beside what the other checks read.
func checkForm(d *apiDoc) (found problems) {
	if !strings.HasPrefix(d.top().text("openapi"), "3.1.") || d.top().at("info").text("title") == "" || d.top().at("info").text("version") == "" {
		found.add("openapi is %q, info %v", d.top().text("openapi"), d.top().at("info").node)
	}
	for _, s := range d.top().at("servers").items() {
		if u, err := url.Parse(s.text("url")); err != nil || u.IsAbs() || u.Host != "" || strings.HasPrefix(u.Path, "/") {
			found.add("server %q is not relative to the document", s.text("url"))
		}
	}
	ids, tags := map[string]bool{}, map[string]bool{}
	for _, tag := range d.top().at("tags").items() {
		tags[tag.text("name")] = true
	}
	for _, o := range d.operations() {
		id := o.op.text("operationId")
		if id == "" || ids[id] || o.op.text("summary") == "" {
			found.add("%s: operationId %q is not its own, or summary is missing", o, id)
		}
		ids[id] = true
		for _, tag := range o.op.at("tags").items() {
			if !tags[fmt.Sprint(tag.node)] {
				found.add("%s has an unknown tag %v", o, tag.node)
			}
		}
		if !strings.HasPrefix(o.path, "/") || len(o.op.at("responses").keys()) == 0 {
			found.add("%s: the path does not begin with /, or has no responses", o)
		}
		for _, status := range o.op.at("responses").keys() {
			if o.op.at("responses", status).text("description") == "" {
				found.add("%s: response %s has no description", o, status)
			}
		}
		_, name, _ := strings.Cut(o.path, "{")
		name, _, _ = strings.Cut(name, "}")
		if _, ok := o.parameters("path")[name]; ok != (name != "") {
			found.add("%s: the parameter of the path is not described, or there is none", o)
		}
	}
	return found
}

// checkExamples validates every example against the schema beside it, or around it.
func checkExamples(d *apiDoc) (found problems) {
	n := 0
	walk(d.top(), func(p place) {
		if strings.Contains(p.pointer, "/properties/") || strings.HasSuffix(p.pointer, "/properties") {
			return // of members that are named like keywords
		}
		if p.has("example") {
			n++
			if err := p.at("schema").validate(p.at("example").node); err != nil {
				found.add("%s: %v", p.pointer, err)
			}
		}
		for _, example := range p.at("examples").items() {
			n++
			if err := p.validate(example.node); err != nil {
				found.add("%s: %v", example.pointer, err)
			}
		}
		if p.has("default") && p.has("type") {
			if err := p.validate(p.at("default").node); err != nil {
				found.add("%s: default: %v", p.pointer, err)
			}
		}
	})
	if n < 40 {
		found.add("only %d examples were found", n)
	}
	return found
}

func report(t *testing.T, found problems) {
	t.Helper()
	for _, p := range found {
		t.Error(p)
	}
}

func TestOpenAPI(t *testing.T) {
	doc := parseAPIDoc(t, openAPI)
	report(t, checkForm(doc))
	report(t, checkReferences(doc))
	report(t, checkExamples(doc))
	report(t, checkRoutes(doc, apiDesk(t).d.s))
}

func TestServeOpenAPI(t *testing.T) {
	d := newDesk(t, nil)
	r := d.do("GET", "/v1/openapi.json", "").is(200, `"openapi": "3.1.0"`)
	if r.body != string(openAPI) || r.header("Content-Type") != jsonType || r.header("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%s, allowed origin %q, %d bytes of %d", r.header("Content-Type"), r.header("Access-Control-Allow-Origin"), len(r.body), len(openAPI))
	}
	if again := d.do("GET", "/v1/openapi.json", "", "If-None-Match: "+r.header("ETag")); again.status != 304 || again.body != "" {
		t.Errorf("asked again: %s", again.String())
	}
	if zipped := d.do("GET", "/v1/openapi.json", "", "Accept-Encoding: gzip"); len(zipped.body)*4 > len(openAPI) {
		t.Errorf("%d bytes are sent for %d", len(zipped.body), len(openAPI))
	}
	d.do("GET", "/v1/openapi.json?x=1", "").is(400, "unknown parameter")
}
