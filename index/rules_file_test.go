package index

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const exampleRules = `urls:
  drop_params: [utm_*, gclid, fbclid, msclkid]
  # keep_params: []                              # absent = off; [] = drop all; a list = drop all others
  groups:
    - match: https://shop.example/product/*      # over the normalised URL, same * and ** as in url=
      page: https://shop.example/product/:id     # the page that they are counted as
exclude:                                         # expressions over a hit; true = left out of every count
  - visitor == "v-77"
  - url contains "/internal/"
sites:
  shop: {timezone: Europe/Prague}
`

func TestParseRulesExample(t *testing.T) {
	r := mustParseRules(t, exampleRules)
	page, err := r.Page("https://SHOP.example/product/7/?utm_source=x")
	if want := "https://shop.example/product/:id"; err != nil || page != want {
		t.Errorf("page %s, error %v, want %s", page, err, want)
	}
	if r.Zone("shop").String() != "Europe/Prague" || r.Zone("other") != nil {
		t.Errorf("zones %v and %v, want Europe/Prague and none", r.Zone("shop"), r.Zone("other"))
	}
	if len(r.exclude) != 2 {
		t.Errorf("%d expressions, want 2", len(r.exclude))
	}
}

func TestParseRulesErrors(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, err := ParseRules([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%q\n got %v\nwant %s", text, err, want)
		}
	}
	f("urlz: 1", `rules 1:1: unknown key "urlz", want one of algorithms, bots, cell, dead, exclude, include, internal_tags, rage, repeat_clicks, sites, urls`)
	f("urls:\n  drops: []", `rules 2:3: urls: unknown key "drops", want one of case, drop_params, groups, keep_params, rewrites, trailing_slash`)
	f("urls: 3", `rules 1:7: urls: a number is not a mapping, want one such as urls: {drop_params: [utm_*]}`)
	f("- urls", `rules 1:1: a list is not a mapping, want one such as exclude: ['visitor == "v-77"']`)
	f("urls", `rules 1:1: a text is not a mapping, want one such as exclude: ['visitor == "v-77"']`)
	f("sites: {shop: UTC}", `rules 1:15: sites.shop: a text is not a mapping, want one such as sites: {shop: {timezone: Europe/Prague}}`)
	f("algorithms:", `rules 1:13: algorithms: nothing is not a list, want one such as algorithms: [`+Algorithms()[0]+"]")
	f("cell:", `rules 1:7: cell: nothing is not a whole number`)
	f("urls:\n  drop_params: [a, 1]", `rules 2:20: urls.drop_params: a number is not a text, quote it if it is meant as one`)
	f("urls:\n  drop_params: [true]", `rules 2:17: urls.drop_params: a truth value is not a text, quote it if it is meant as one`)
	f("urls:\n  drop_params: [[a]]", `rules 2:17: urls.drop_params: a list is not a text, quote it if it is meant as one`)
	f("urls: {drop_params: ['']}", `rules 1:22: urls.drop_params: text has 0 bytes, want 1 to 256`)
	f("urls: {keep_params: a}", `rules 1:21: urls.keep_params: a text is not a list, want one such as keep_params: [id]`)
	f("urls: {keep_params: ~}", `rules 1:21: urls.keep_params: nothing is not a list, want one such as keep_params: [id]`)
	f("urls: {drop_params: [\"a\\0\"]}", `rules 1:22: urls.drop_params: text "a\x00" has control characters`)
	f("urls: {groups: [{match: 'https://h/*'}]}", `rules 1:17: urls.groups: a group needs match and page`)
	f("urls: {groups: [{match: 'https://h/*', page: shop}]}", `rules 1:46: urls.groups: page: url "shop" is not an absolute http or https URL`)
	f("urls: {groups: [{match: 'https://h/*', page: 'http://h/*'}]}", `rules 1:46: urls.groups: page "http://h/*" has a star`)
	f("urls: {groups: [{match: '"+strings.Repeat("*", 65)+"', page: 'http://h/'}]}", `rules 1:25: urls.groups: pattern has 65 stars, limit 64`)
	f("urls:\n  groups:\n  - {match: 'https://h/a/*', page: 'https://h/b/x'}\n  - {match: 'https://h/b/*', page: 'https://h/c'}",
		`rules 3:36: urls.groups: page "https://h/b/x" is itself counted as "https://h/c": put a group that matches it and names it as its page before`)
	f("exclude: [foo == 1]", `rules 1:11: exclude: expression "foo == 1": 1:1: unknown name foo; known are `+strings.Join(expressionNames(), ", ")+"; functions are "+strings.Join(expressionBuiltins(), ", "))
	f("exclude:\n- kind == 'view'\n- x + 1", `rules 3:3: exclude: expression "x + 1": 1:1: expected bool, but got int`)
	f("sites: {Shop: {}}", `rules 1:9: sites: site key "Shop" is not 1 to 32 of a-z, 0-9 and '-'`)
	f("sites:\n  shop: {timezone: Mars/Base}", `rules 2:20: sites.shop.timezone: time zone "Mars/Base" is not known`)
	f("sites: {shop: {timezone: Local}}", `rules 1:26: sites.shop.timezone: time zone "Local" is not known`)
	f("sites: {shop: {zone: UTC}}", `rules 1:16: sites.shop: unknown key "zone", want one of timezone`)
	f("bots: {headless: yes}", `rules 1:18: bots.headless: a text is not true or false`)
	f("bots: {patterns: ['!']}", `rules 1:18: bots.patterns: a pattern is only a !`)
	f("algorithms: [canon/2]", `rules 1:14: algorithms: algorithm "canon/2" is not known, want one of `+strings.Join(Algorithms(), ", "))
	f("bots: {}\nbots: {}", `rules 2:1: mapping key "bots" already defined at [1:1]`)
	f("bots: {}\n---\nbots: {}", `rules 3:5: rules are more than one document`)
	f("urls: &a {}\nbots: *a", `rules 1:7: urls: an anchor, alias or tag is not a mapping, want one such as urls: {drop_params: [utm_*]}`)
	f("urls: !!map {}", `rules 1:7: urls: an anchor, alias or tag is not a mapping, want one such as urls: {drop_params: [utm_*]}`)
	f("urls: [", `rules 1:7: sequence end token ']' not found`)
	f("urls: \xff", `rules are not UTF-8`)
	f(strings.Repeat("#", MaxRules+1), `rules have 262145 bytes, limit 262144`)
	f("exclude: ["+strings.Repeat("bot,", 101)+"]", `rules 1:10: exclude: list has 101 items, limit 100`)
}

// TestRuleForms holds that each mapping and list of a rules file has a form, which is right where it stands.
func TestRuleForms(t *testing.T) {
	forms, seen := ruleForms(), map[string]bool{"": true}
	for _, n := range schemaNodes(t) {
		switch list, kind := slices.Contains(n.path, "*"), fmt.Sprint(n.schema["type"]); {
		case list, !strings.Contains(kind, "array") && !strings.Contains(kind, "object"), len(n.path) == 0:
			continue
		}
		key := n.String()
		seen[key] = true
		text := forms[key]
		if len(n.path) == 2 {
			text = n.path[0] + ": {" + text + "}"
		}
		if _, err := ParseRules([]byte(text)); err != nil || !strings.HasPrefix(forms[key], n.path[len(n.path)-1]+": ") {
			t.Errorf("form of %s is %q: %v", key, forms[key], err)
		}
	}
	for key := range forms {
		if !seen[key] {
			t.Errorf("there is a form of %q, which is no mapping or list", key)
		}
	}
}

// TestRulesLeftOut holds that a key without a value is the same as none.
func TestRulesLeftOut(t *testing.T) {
	for _, key := range []string{"urls", "internal_tags", "exclude", "include", "sites", "bots", "rage", "dead", "repeat_clicks"} {
		if r := mustParseRules(t, key+":\n"); !bytes.Equal(r.Spec(), DefaultRules().Spec()) {
			t.Errorf("%s without a value is\n%s", key, r.Spec())
		}
	}
}

// TestParseRulesTime holds that no file takes long.
func TestParseRulesTime(t *testing.T) {
	for _, piece := range []string{"[", "{", "[a,", "- ", "a: ", "? ", "{a: [", "a%: b\n", "- >\n b\n\n", "&a ", "!!a ", "a: b\n", "- - a\n"} {
		var text strings.Builder
		for i := 0; text.Len()+len(piece)+8 < MaxRules; i++ {
			text.WriteString(strings.ReplaceAll(piece, "%", fmt.Sprint(i)))
		}
		start := time.Now()
		if _, err := ParseRules([]byte(text.String())); err == nil {
			t.Errorf("%q over and over makes rules", piece)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%q over and over takes %v", piece, took)
		}
	}
}

func TestSpec(t *testing.T) {
	equal := func(a, b string, want bool) {
		t.Helper()
		if got := bytes.Equal(mustParseRules(t, a).Spec(), mustParseRules(t, b).Spec()); got != want {
			t.Errorf("%q and %q have equal specs: %t, want %t", a, b, got, want)
		}
	}
	equal("", "# nothing\n", true)
	equal("", "---\n...\n", true)
	equal("", "urls: {drop_params: [msclkid, UTM_*, gclid, fbclid, gclid]}", true)
	equal("", "urls: {drop_params: []}", false)
	equal("", "urls: {keep_params: []}", false)
	equal("urls: {keep_params: []}", "urls: {keep_params: [a]}", false)
	equal("", "urls: {groups: []}\nexclude: []\nsites: {shop: {}}\nbots: {headless: false, patterns: []}", true)
	equal("", "sites: {shop: {timezone: UTC}}", false)
	equal("", "bots: {headless: true}", false)
	equal("", "exclude: [bot]", false)
	equal("", "include: []\ninternal_tags: []\ncell: 8\nrage: {radius: 24}\ndead: {from: tracker, window: 5}\nrepeat_clicks: {radius: 5}", true)
	equal("exclude: [bot]", "include: [bot]", false)
	equal("internal_tags: [b, a, b]", "internal_tags: [a, b]", true)
	equal("internal_tags: [A]", "internal_tags: [a]", false)
	equal("dead: {from: log}", "dead: {from: log, window: 2000}", true)
	equal("dead: {from: log}", "dead: {from: log, window: 2001}", false)
	equal("urls: {rewrites: [{match: a, replace: b}]}", "urls: {rewrites: [{match: a, replace: c}]}", false)
	equal("urls: {groups: [{match: 'https://H/{a}/*', page: 'https://H/{a}/'}]}", "urls: {groups: [{match: 'https://h/{a}/*', page: 'https://h/{a}'}]}", true)
	equal("exclude:\n- 'bot'", "exclude: [\"bot\"]", true)
	equal("sites: {a: {timezone: UTC}, b: {timezone: UTC}}", "sites: {b: {timezone: UTC}, a: {timezone: UTC}}", true)
	equal("urls: {groups: [{match: HTTP://H, page: 'http://H?'}]}", "urls: {groups: [{page: 'http://h/', match: 'http://h/'}]}", true)
	for _, text := range []string{"", exampleRules, RulesSample(), "urls: {keep_params: []}", "exclude: [\"ua matches '\\\\\\\\d\\\\u2028é<&>' or\\n\\tbot\"]"} {
		checkSpec(t, mustParseRules(t, text))
	}
}

// checkSpec checks that the canonical text reads back to the same.
func checkSpec(t *testing.T, r *Rules) {
	t.Helper()
	again, err := ParseRules(r.Spec())
	if err != nil {
		t.Errorf("read back: %v\n%s", err, r.Spec())
		return
	}
	if !bytes.Equal(again.Spec(), r.Spec()) {
		t.Errorf("spec\n%s\nreads back as\n%s", r.Spec(), again.Spec())
	}
}

func TestSpecGolden(t *testing.T) {
	const want = `{
  "algorithms": [
    "bots/1",
    "canon/1",
    "dead/1",
    "device/1",
    "elements/1",
    "grid/1",
    "hll/1",
    "rage/1",
    "repeats/2",
    "sampled/1"
  ],
  "urls": {
    "drop_params": [
      "fbclid",
      "gclid",
      "msclkid",
      "utm_*"
    ],
    "case": "keep",
    "trailing_slash": "remove",
    "rewrites": [],
    "groups": []
  },
  "internal_tags": [],
  "exclude": [],
  "include": [],
  "sites": {},
  "bots": {
    "headless": false,
    "patterns": []
  },
  "rage": {
    "clicks": 3,
    "radius": 24,
    "window": 1000
  },
  "dead": {
    "from": "tracker",
    "window": 2000
  },
  "repeat_clicks": {
    "window": 0,
    "radius": 8
  },
  "cell": 8
}
`
	if got := string(DefaultRules().Spec()); got != want {
		t.Errorf("spec of the default rules is\n%s", got)
	}
}

// TestSpecOfBefore holds that rules as the first build recorded them still mean what they did.
func TestSpecOfBefore(t *testing.T) {
	const before = `{"algorithms":["bots/1","canon/1","device/1","grid/1","hll/1","rage/1","repeats/2"],` +
		`"urls":{"drop_params":["fbclid","gclid","msclkid","utm_*"],"groups":[]},"exclude":[],"sites":{},"bots":{"headless":false,"patterns":[]}}`
	spec := func(text string) []byte {
		t.Helper()
		r, err := parseRules([]byte(text), keyless()...)
		if err != nil {
			t.Fatal(err)
		}
		return r.Spec()
	}
	if !sameRules([]byte(before), spec("")) {
		t.Error("the default rules of before are other rules now")
	}
	if sameRules([]byte(before), DefaultRules().Spec()) {
		t.Error("what was counted without anchors goes on with them")
	}
	for _, other := range []string{"exclude: [bot]", "cell: 16", "rage: {clicks: 4}", "dead: {from: log}", "repeat_clicks: {window: 1}", "urls: {case: lower}"} {
		if sameRules([]byte(before), spec(other)) {
			t.Errorf("%s makes the default rules of before", other)
		}
	}
	if sameRules([]byte(strings.Replace(before, "repeats/2", "repeats/1", 1)), spec("")) {
		t.Error("another algorithm makes the same rules")
	}
	if sameRules(nil, spec("")) || sameRules([]byte("urlz: 1"), spec("")) {
		t.Error("what is no spec is the same rules")
	}
}

// TestOpenRefusesLostAlgorithm starts with a store whose counts were made by an algorithm that this build does not have.
func TestOpenRefusesLostAlgorithm(t *testing.T) {
	f := func(spec, want string) {
		t.Helper()
		store := newMapStore()
		if ok, err := store.SwapRecord(t.Context(), "generation/g1", nil, []byte(spec)); err != nil || !ok {
			t.Fatal(ok, err)
		}
		if _, err := Open(t.Context(), Options{Store: store, Source: newMemLog()}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("record %.40q: %v, want %s", spec, err, want)
		}
	}
	spec := string(DefaultRules().Spec())
	f(strings.Replace(spec, "repeats/2", "repeats/1", 1), "this build does not have repeats/1: start with an empty store to count the whole journal again")
	f(strings.Replace(spec, `"cell": 8`, `"cell": 16`, 1), "start with the rules that made it, or with an empty store")
	f("{", "recorded rules: ")
}

func TestPage(t *testing.T) {
	r := mustParseRules(t, `urls:
  groups:
    - {match: 'https://x.example/p/special', page: 'https://x.example/p/special'}
    - {match: 'https://x.example/p/*', page: 'https://x.example/p/:id'}
    - {match: 'https://x.example/**', page: 'https://x.example/rest'}
`)
	f := func(url, want, wantErr string) {
		t.Helper()
		page, err := r.Page(url)
		if err == nil && wantErr != "" || err != nil && err.Error() != wantErr || page != want {
			t.Errorf("page of %q is %q, error %v, want %q, error %s", url, page, err, want, wantErr)
		}
		if page == "" {
			return
		}
		if again, err := r.Page(page); err != nil || again != page {
			t.Errorf("page of %q is %q, and that of this %q, error %v", url, page, again, err)
		}
	}
	f("https://x.example/p/special/?utm_a=1", "https://x.example/p/special", "")
	f("https://x.example/p/7", "https://x.example/p/:id", "")
	f("https://x.example/p/7/8", "https://x.example/rest", "")
	f("http://x.example/p/7", "http://x.example/p/7", "")
	f("ftp://x.example/", "", `url "ftp://x.example/" is not an absolute http or https URL`)
	f("/p/7", "", `url "/p/7" is not an absolute http or https URL`)
	f("", "", `url "" is not an absolute http or https URL`)
	f("https://x.example/\n", "", `url "https://x.example/\n" has control characters`)
	f("https://x.example/"+strings.Repeat("a", 8192), "", `url has 8210 bytes, limit 8192`)
}

func FuzzRules(f *testing.F) {
	f.Add(exampleRules)
	f.Add(RulesSample())
	f.Add("bots: {headless: true, patterns: ['!a', b]}\nsites:\n  a: {timezone: UTC}\n")
	f.Add("exclude:\n  - |\n    bot or\n    x > 3\n  - \"kind == 'view'\"\n")
	f.Add(string(DefaultRules().Spec()))
	f.Fuzz(func(t *testing.T, text string) {
		start := time.Now()
		r, err := ParseRules([]byte(text))
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%d bytes took %v", len(text), took)
		}
		switch {
		case err == nil:
			checkSpec(t, r)
		case !strings.HasPrefix(err.Error(), "rules "):
			t.Errorf("error %v", err)
		}
	})
}

// TestParseSpec reads recorded rules: those of an older build that mean the same, and none that another algorithm counted by,
// whether this build lacks it or has it beside.
func TestParseSpec(t *testing.T) {
	spec := string(DefaultRules().Spec())
	f := func(recorded, want string) {
		t.Helper()
		r, err := ParseSpec([]byte(recorded))
		switch {
		case want == "" && err == nil && string(r.Spec()) == spec:
		case want != "" && err != nil && strings.Contains(err.Error(), want):
		default:
			t.Errorf("%.80q: %v, want %q", recorded, err, want)
		}
	}
	f(spec, "")
	f(`{"algorithms":["canon/1","elements/1","rage/1","sampled/1"]}`, "")
	f(strings.Replace(spec, "repeats/2", "repeats/1", 1), "this build does not have repeats/1")
	f(strings.Replace(spec, "dead/1", "dead-log/1", 1), "this build counts the same rules otherwise than by dead-log/1")
	f("{", "recorded rules: ")
	f(`{"urlz":1}`, `recorded rules 1:2: unknown key "urlz"`)
	before := strings.Replace(spec, ",\n    \"sampled/1\"", "", 1)
	if r, err := ParseSpec([]byte(before)); err != nil || r.sampled || !r.elements || string(r.Spec()) != before {
		t.Errorf("rules from before sampled/1 are read as\n%s\n%v", r.Spec(), err)
	}
	without := strings.Replace(before, "    \"elements/1\",\n", "", 1)
	if r, err := ParseSpec([]byte(without)); err != nil || r.elements || r.sampled || string(r.Spec()) != without {
		t.Errorf("rules from before elements/1 are read as\n%s\n%v", r.Spec(), err)
	}
	if !SameKeys([]byte(without), []byte(spec)) || SameKeys([]byte(spec), mustParseRules(t, "cell: 16").Spec()) || SameKeys(nil, nil) {
		t.Error("keys are compared otherwise than by their values")
	}
	if r, again := DefaultRules(), mustParseRules(t, without); !r.elements || !r.sampled || !again.elements || !again.sampled {
		t.Error("rules that are written now do not count anchors or sampled hits")
	}
	if sameRules([]byte(strings.Replace(spec, "dead/1", "dead-log/1", 1)), []byte(spec)) {
		t.Error("rules that another algorithm counted by are the same")
	}
}
