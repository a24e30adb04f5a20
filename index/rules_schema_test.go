package index

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaNode is an object of the JSON Schema, with the place in a rules file that it is about: "*" stands for an item of a
// list, and for the entry of a site.
type schemaNode struct {
	path   []string
	schema map[string]any
}

func (n schemaNode) String() string { return strings.Join(n.path, ".") }

// schemaNodes gives every schema of RulesSchema that is about a place, references followed.
func schemaNodes(t *testing.T) []schemaNode {
	t.Helper()
	var root map[string]any
	if err := json.Unmarshal([]byte(RulesSchema()), &root); err != nil {
		t.Fatal(err)
	}
	defs := root["$defs"].(map[string]any)
	var nodes []schemaNode
	var walk func(path []string, schema map[string]any)
	walk = func(path []string, schema map[string]any) {
		if ref, ok := schema["$ref"].(string); ok {
			merged := maps.Clone(defs[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any))
			maps.Copy(merged, schema)
			schema = merged
		}
		nodes = append(nodes, schemaNode{path, schema})
		properties, _ := schema["properties"].(map[string]any)
		for name, p := range properties {
			walk(append(slices.Clone(path), name), p.(map[string]any))
		}
		for _, rest := range []string{"items", "additionalProperties"} {
			if s, ok := schema[rest].(map[string]any); ok {
				walk(append(slices.Clone(path), "*"), s)
			}
		}
	}
	walk(nil, root)
	return nodes
}

// schemaBase is the sample with all keys, as JSON has it.
func schemaBase(t *testing.T) map[string]any {
	t.Helper()
	text := strings.Replace(RulesSample(), "# keep_params", "keep_params", 1) + "algorithms: [canon/1]\n"
	var base map[string]any
	if err := yaml.Unmarshal([]byte(text), &base); err != nil {
		t.Fatal(err)
	}
	return asJSON(t, base).(map[string]any)
}

// asJSON gives a value as a JSON decoder would.
func asJSON(t *testing.T, value any) any {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(RulesSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("rules.json", doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("rules.json")
}

// with gives a copy of a document with a value at a place; "*" is the first item, or the entry shop.
func with(doc any, path []string, value any) any {
	if len(path) == 0 {
		return value
	}
	switch d := doc.(type) {
	case map[string]any:
		key := path[0]
		if key == "*" {
			key = "shop"
		}
		c := maps.Clone(d)
		c[key] = with(d[key], path[1:], value)
		return c
	case []any:
		c := slices.Clone(d)
		c[0] = with(d[0], path[1:], value)
		return c
	}
	return doc
}

// at gives the value at a place.
func at(doc any, path []string) any {
	for _, key := range path {
		switch d := doc.(type) {
		case map[string]any:
			if key == "*" {
				key = "shop"
			}
			doc = d[key]
		case []any:
			doc = d[0]
		}
	}
	return doc
}

func parseJSONRules(t *testing.T, doc any) error {
	t.Helper()
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ParseRules(text)
	return err
}

// TestSchemaKeys holds that the parser and the schema have the same keys at each place.
func TestSchemaKeys(t *testing.T) {
	base, schema := schemaBase(t), compileSchema(t)
	objects := 0
	for _, n := range schemaNodes(t) {
		properties, ok := n.schema["properties"].(map[string]any)
		if !ok {
			continue
		}
		objects++
		doc := with(base, append(slices.Clone(n.path), "colour"), "red")
		want := fmt.Sprintf(`unknown key "colour", want one of %s`, strings.Join(slices.Sorted(maps.Keys(properties)), ", "))
		if err := parseJSONRules(t, doc); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: parser says %v, schema %s", n, err, want)
		}
		if schema.Validate(asJSON(t, doc)) == nil {
			t.Errorf("%s: schema takes an unknown key", n)
		}
	}
	if objects != 9 {
		t.Errorf("%d objects are walked, want 9", objects)
	}
}

// TestSchemaValues puts values of every type, and on both sides of every limit, at each place: the parser takes nothing that the
// schema refuses, and refuses nothing that the schema takes but texts whose meaning is wrong.
func TestSchemaValues(t *testing.T) {
	base, schema := schemaBase(t), compileSchema(t)
	if err := schema.Validate(base); err != nil {
		t.Fatalf("the sample: %v", err)
	}
	tried := 0
	for _, n := range schemaNodes(t) {
		if len(n.path) == 0 {
			continue
		}
		old := at(base, n.path)
		if old == nil {
			t.Errorf("%s: the sample has no value", n)
		}
		for _, value := range append(schemaProbes(n.schema, old), old) {
			doc := with(base, n.path, value)
			said, parsed := schema.Validate(asJSON(t, doc)), parseJSONRules(t, doc)
			tried++
			if said == nil && parsed != nil && !hasMeaning(n, value) || said != nil && parsed == nil {
				t.Errorf("%s: %.60v: schema says %v, parser %v", n, value, said, parsed)
			}
		}
	}
	t.Logf("%d values", tried)
	for _, n := range schemaNodes(t) {
		if required, ok := n.schema["required"].([]any); ok {
			for _, name := range required {
				item := maps.Clone(at(base, n.path).(map[string]any))
				delete(item, name.(string))
				doc := with(base, n.path, item)
				if schema.Validate(asJSON(t, doc)) == nil || parseJSONRules(t, doc) == nil {
					t.Errorf("%s: taken without %s", n, name)
				}
			}
		}
	}
}

// hasMeaning reports whether a value of the right type and length can still be wrong.
func hasMeaning(n schemaNode, value any) bool {
	_, isText := value.(string)
	switch n.path[len(n.path)-1] {
	case "match", "replace", "page", "timezone":
		return isText
	}
	list, _ := value.([]any)
	return (n.path[0] == "exclude" || n.path[0] == "include") && (isText || len(list) == 1)
}

// schemaProbes gives values of which a schema takes some: of every type, and around every limit that it names.
func schemaProbes(schema map[string]any, old any) []any {
	probes := []any{
		nil, true, false, -1, 0, 1, 2, 3, 7, 8, 9, 16, 32, 64, 128, 1 << 40, 1.5, "", "a", "!", "Local", "keep", "lower", "remove", "tracker", "log", "canon/1", "8",
		[]any{}, []any{"a"}, []any{1}, map[string]any{}, map[string]any{"a": 1},
	}
	limit := func(key string) (int, bool) {
		n, ok := schema[key].(float64)
		return int(n), ok
	}
	for _, key := range []string{"minimum", "maximum"} {
		if n, ok := limit(key); ok {
			probes = append(probes, n-1, n, n+1)
		}
	}
	for _, key := range []string{"minLength", "maxLength"} {
		if n, ok := limit(key); ok && n > 0 {
			probes = append(probes, strings.Repeat("a", n-1), strings.Repeat("a", n), strings.Repeat("a", n+1))
		}
	}
	if n, ok := limit("maxItems"); ok {
		item := old.([]any)[0]
		probes = append(probes, slices.Repeat([]any{item}, n), slices.Repeat([]any{item}, n+1))
	}
	return probes
}

// TestSchemaSites compares keys of sites, which the schema tells by a pattern.
func TestSchemaSites(t *testing.T) {
	schema := compileSchema(t)
	for _, key := range []string{"shop", "a-1", "-", "Shop", "", "a_b", "a.b", "žluť", strings.Repeat("a", 32), strings.Repeat("a", 33)} {
		doc := map[string]any{"sites": map[string]any{key: map[string]any{}}}
		if said, parsed := schema.Validate(asJSON(t, doc)), parseJSONRules(t, doc); (said == nil) != (parsed == nil) {
			t.Errorf("%q: schema says %v, parser %v", key, said, parsed)
		}
	}
}

// TestSchemaCorpus judges the files of testdata/rules: both must take those that begin with good, the parser must refuse
// those that begin with bad or meaning, and the schema those that begin with bad.
func TestSchemaCorpus(t *testing.T) {
	schema := compileSchema(t)
	files, err := filepath.Glob("testdata/rules/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, error %v", len(files), err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var doc any
		if err := yaml.Unmarshal(text, &doc); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_, parsed := ParseRules(text)
		said := schema.Validate(asJSON(t, doc))
		sort, _, _ := strings.Cut(filepath.Base(name), "-")
		if (parsed == nil) != (sort == "good") || (said == nil) != (sort != "bad") {
			t.Errorf("%s: schema says %v, parser %v", name, said, parsed)
		}
		if parsed != nil && !strings.HasPrefix(parsed.Error(), "rules ") {
			t.Errorf("%s: %v names no place", name, parsed)
		}
	}
}

// TestSchemaDefaults compares the defaults that the schema names with those that hold.
func TestSchemaDefaults(t *testing.T) {
	for _, n := range schemaNodes(t) {
		value, ok := n.schema["default"]
		if !ok {
			continue
		}
		doc := any(map[string]any{})
		for i := range n.path {
			doc = with(doc, n.path[:i], map[string]any{})
		}
		doc = with(doc, n.path, value)
		text, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(mustParseRules(t, string(text)).Spec()), string(DefaultRules().Spec()); got != want {
			t.Errorf("%s: %v is not the default", n, value)
		}
	}
}

// TestSampleHasEveryKey holds that the sample names every key, and that what it calls a default is one.
func TestSampleHasEveryKey(t *testing.T) {
	base := schemaBase(t)
	for _, n := range schemaNodes(t) {
		if len(n.path) > 0 && at(base, n.path) == nil {
			t.Errorf("the sample has no %s", n)
		}
	}
	mustParseRules(t, RulesSample())
}
