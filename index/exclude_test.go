package index

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"heatlog/heatmap"
)

// TestCounts follows hits through all rules that leave some out: each counts for the first.
func TestCounts(t *testing.T) {
	r := mustParseRules(t, `
internal_tags: [staff, test]
exclude: ['visitor == "v"', 'x % y == 1']
include: ['kind == "click"', 'dwell % x > 0']
repeat_clicks: {window: 10}
`)
	hit := func(h heatmap.Hit) heatmap.Hit {
		h.Site, h.URL = "s", "https://h/"
		return h
	}
	hits := []heatmap.Hit{
		hit(heatmap.Hit{Kind: heatmap.KindClick, Tags: []string{"a", "test"}, Visitor: "v"}),       // internal_tags
		hit(heatmap.Hit{Kind: heatmap.KindClick, Visitor: "v", X: 1, Y: 2}),                        // exclude[0]
		hit(heatmap.Hit{Kind: heatmap.KindClick, X: 3, Y: 2, Tags: []string{"staffs"}}),            // exclude[1]
		hit(heatmap.Hit{Kind: heatmap.KindClick, X: 3, Y: 0}),                                      // counts: 3 % 0 fails
		hit(heatmap.Hit{Kind: heatmap.KindView, X: 2, Y: 2}),                                       // include: 0 % 2 is 0
		hit(heatmap.Hit{Kind: heatmap.KindView}),                                                   // include: both fail
		hit(heatmap.Hit{Kind: heatmap.KindScroll, X: 2, Y: 2, Dwell: 3, UserAgent: "Googlebot/2"}), // counts, a bot
		hit(heatmap.Hit{Kind: heatmap.KindClick, View: "a", X: 20, Y: 30}),                         // counts
		hit(heatmap.Hit{Kind: heatmap.KindClick, View: "a", X: 21, Y: 30}),                         // repeat_clicks
	}
	s := NewStream(r, nil, StreamOptions{})
	counted := 0
	s.Events(&heatmap.Chunk{Count: len(hits), Batches: []heatmap.Batch{{Hits: hits}}}, func(*Event) { counted++ })
	want := []RuleCount{
		{"internal_tags", "", 1}, {"exclude[0]", `visitor == "v"`, 1}, {"exclude[1]", "x % y == 1", 1}, {"include", "", 2}, {"repeat_clicks", "", 1}, {"bots", "", 1},
	}
	if diff := cmp.Diff(want, r.Counts(s.Stats())); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	if got := s.Stats(); counted != 3 || got.Hits != 3 || got.Excluded != 5 || got.ExprErrors != 3 {
		t.Errorf("%d events, stats %+v; want 3 hits, 5 excluded, 3 errors", counted, got)
	}
}

// TestExcludedCompletesNothing checks that what is left out is no part of a burst, and no sign that a click did something.
func TestExcludedCompletesNothing(t *testing.T) {
	f := func(rules string, bursts, dead int) {
		t.Helper()
		var b heatmap.Batch
		for i := range 3 {
			b.Hits = append(b.Hits, heatmap.Hit{Time: int64(i), Site: "s", URL: "https://h/", View: "v", Kind: heatmap.KindClick, X: uint16(i)})
		}
		b.Hits = append(b.Hits,
			heatmap.Hit{Time: 50, Site: "s", URL: "https://h/", View: "v", Kind: heatmap.KindScroll, Tags: []string{"staff"}},
			heatmap.Hit{Time: 5000, Site: "s", URL: "https://h/", View: "v", Kind: heatmap.KindMove})
		s := NewStream(mustParseRules(t, "dead: {from: log}\n"+rules), nil, StreamOptions{})
		gotBursts, gotDead := 0, 0
		s.Events(&heatmap.Chunk{Count: len(b.Hits), Batches: []heatmap.Batch{b}}, func(e *Event) {
			gotBursts, gotDead = gotBursts+len(e.RageAt)/3, gotDead+len(e.DeadAt)
		})
		if gotBursts != bursts || gotDead != dead {
			t.Errorf("%q: %d bursts and %d dead clicks, want %d and %d", rules, gotBursts, gotDead, bursts, dead)
		}
	}
	f("", 1, 0)
	f("exclude: [x == 1]", 0, 0)
	f("internal_tags: [staff]", 1, 3)
	f("internal_tags: [staff]\nexclude: [x == 1]", 0, 2)
	f("include: ['kind == \"click\"']", 1, 0)
}

// TestExpressionFields holds that the table names what an expression can use, with its type, and that every recorded field
// of a hit can be told by one.
func TestExpressionFields(t *testing.T) {
	env := map[string]reflect.Type{}
	for f := range reflect.TypeFor[hitEnv]().Fields() {
		env[f.Tag.Get("expr")] = f.Type
	}
	types := map[string]string{"bool": "bool", "int": "int", "float": "float64", "string": "string", "[string]": "[]string", "time": "time.Time"}
	for _, f := range ExpressionFields() {
		if got := env[f.Name]; got == nil || got.String() != types[f.Type] || f.Doc == "" {
			t.Errorf("%s is said to be %s, and is %v: %q", f.Name, f.Type, got, f.Doc)
		}
		delete(env, f.Name)
		if _, err := CompileWhere(f.Name + " == " + f.Name); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
	if len(env) > 0 {
		t.Errorf("not in the table: %v", env)
	}
	zero := hitEnvOf(heatmap.Hit{})
	for f := range reflect.TypeFor[heatmap.Hit]().Fields() {
		h := heatmap.Hit{HasCheck: f.Name == "Check", Kind: heatmap.KindMove}
		if f.Name == "Kind" || f.Name == "HasCheck" {
			h.Kind, h.HasCheck = 0, false
		}
		before := hitEnvOf(h)
		setSomething(reflect.ValueOf(&h).Elem().FieldByIndex(f.Index))
		if after := hitEnvOf(h); reflect.DeepEqual(before, after) || reflect.DeepEqual(after, zero) {
			t.Errorf("no expression can tell %s", f.Name)
		}
	}
}

func hitEnvOf(h heatmap.Hit) hitEnv {
	var v hitEnv
	v.set(&Event{Hit: &h})
	return v
}

func setSomething(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Slice:
		v.Set(reflect.ValueOf([]string{"x"}))
	case reflect.Int64:
		v.SetInt(1)
	default:
		v.SetUint(1)
	}
}

// TestFieldsInReadme holds that README.md names all fields and functions.
func TestFieldsInReadme(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "Its names are ")
	section, _, _ = strings.Cut(section, "\n\n")
	for _, name := range append(expressionNames(), expressionBuiltins()...) {
		if !strings.Contains(" "+strings.NewReplacer("`", " ", "\n", " ", ",", " ", ":", " ", ";", " ").Replace(section)+" ", fmt.Sprintf(" %s ", name)) {
			t.Errorf("README.md does not name %s", name)
		}
	}
}

// TestRulesInReadme holds that the rules that README.md shows are rules, with all keys but one.
func TestRulesInReadme(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(text), "```yaml\n")
	block, _, _ = strings.Cut(block, "```")
	mustParseRules(t, block)
	for _, n := range schemaNodes(t) {
		if len(n.path) > 0 && n.path[0] != "algorithms" && !strings.Contains(block, n.path[len(n.path)-1]) && n.path[len(n.path)-1] != "*" {
			t.Errorf("README.md does not show %s", n)
		}
	}
}

// TestWhereErrorsAreCounted asks by an expression that fails on one hit, twice, and by one that fails on none.
func TestWhereErrorsAreCounted(t *testing.T) {
	log := newMemLog()
	x := openTest(t, Options{Store: newMapStore(), Source: log})
	hit := heatmap.Hit{Time: 1_769_500_000_000, Site: testSite, URL: testPage(0), Kind: heatmap.KindClick, X: 4, Y: 2}
	zero := hit
	zero.Y = 0
	log.append(heatmap.Batch{Site: testSite, Hits: []heatmap.Hit{hit, zero, hit}})
	waitApplied(t, x)
	for i, where := range []string{"x % y == 0", "x % y == 0", "x == 4"} {
		a, err := x.Heatmap(t.Context(), heatmap.Query{Site: testSite, URL: testPage(0), Kind: heatmap.KindClick, Where: where})
		if err != nil {
			t.Fatal(err)
		}
		wantHits, wantErrors := []uint64{2, 2, 3}[i], []uint64{1, 2, 2}[i]
		if got := x.Stats().WhereErrors; a.Hits != wantHits || got != wantErrors {
			t.Errorf("%s: %d hits, %d errors so far, want %d and %d", where, a.Hits, got, wantHits, wantErrors)
		}
	}
}
