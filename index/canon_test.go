package index

import (
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
)

// canonCases gives the golden pairs of canon/1.
func canonCases(t testing.TB) [][2]string {
	t.Helper()
	text, err := os.ReadFile("testdata/canon-1.txt")
	if err != nil {
		t.Fatal(err)
	}
	var cases [][2]string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		raw, want, ok := strings.Cut(line, "\t")
		if !ok {
			want = raw
		}
		cases = append(cases, [2]string{raw, want})
	}
	return cases
}

func TestCanonGolden(t *testing.T) {
	params := &DefaultRules().params
	for _, c := range canonCases(t) {
		if got := params.normalURL(c[0]); got != c[1] {
			t.Errorf("%s\n got %s\nwant %s", c[0], got, c[1])
		}
	}
}

// randomURL makes URLs of pieces that canon/1 has something to do with.
func randomURL(rng *rand.Rand) string {
	pieces := []string{
		"a", "b", "A", "/", "/", "//", "index.html", "/index.html", "?", "&", "&", "=", "#", "#/", "#!", "%", "%4", "%41", "%7e", "%2f",
		"%3f", "%31", "%26", "utm_x", "gclid", "1", ".", "+", "é", ":80", ":", "@", "[::1]", "*", "\xff",
	}
	var url strings.Builder
	url.WriteString([]string{"http://", "https://", "HTTP://"}[rng.IntN(3)])
	if rng.IntN(4) > 0 {
		url.WriteString("Shop.Example")
	}
	for range rng.IntN(14) {
		url.WriteString(pieces[rng.IntN(len(pieces))])
	}
	return url.String()
}

func TestCanonIsItsOwn(t *testing.T) {
	params := &mustParseRules(t, "urls: {drop_params: [a*], keep_params: [b*, '*m_*']}").params
	rng := rand.New(rand.NewPCG(2, 2))
	plain := &DefaultRules().params
	paths := &mustParseRules(t, "urls: {case: lower, trailing_slash: keep}").params
	for i := 0; i < 300_000 && !t.Failed(); i++ {
		checkCanon(t, plain, randomURL(rng))
		checkCanon(t, params, randomURL(rng))
		checkCanon(t, paths, randomURL(rng))
	}
}

// checkCanon checks what holds of every URL.
func checkCanon(t *testing.T, params *urlParams, raw string) {
	t.Helper()
	got := params.normalURL(raw)
	if again := params.normalURL(got); again != got {
		t.Errorf("%q gives %q, and that %q", raw, got, again)
	}
	if len(got) > len(raw)+1 {
		t.Errorf("%q gives the longer %q", raw, got)
	}
	if _, _, ok := cutScheme(raw); !ok && got != raw {
		t.Errorf("%q is no http URL and gives %q", raw, got)
	}
}

// TestCanonParamsOrder checks that the order of parameters does not matter.
func TestCanonParamsOrder(t *testing.T) {
	params := &DefaultRules().params
	rng := rand.New(rand.NewPCG(3, 3))
	for range 2000 {
		var list []string
		for range 1 + rng.IntN(6) {
			list = append(list, []string{"a", "b", "a-", "", "utm_a"}[rng.IntN(5)]+[]string{"", "=", "=1", "=12", "=%41"}[rng.IntN(5)])
		}
		want := params.normalURL("http://h/?" + strings.Join(list, "&"))
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		if got := params.normalURL("http://h/?" + strings.Join(list, "&")); got != want {
			t.Fatalf("%q: got %s, want %s", list, got, want)
		}
	}
}

func TestCanonParams(t *testing.T) {
	f := func(rules, raw, want string) {
		t.Helper()
		if got := mustParseRules(t, rules).params.normalURL(raw); got != want {
			t.Errorf("%s: %s gives %s, want %s", rules, raw, got, want)
		}
	}
	const url = "https://x.example/?utm_a=1&a=2&b=3&B=4&sess_id=5"
	f("urls: {drop_params: []}", url, "https://x.example/?B=4&a=2&b=3&sess_id=5&utm_a=1")
	f("urls: {drop_params: ['*_id', b]}", url, "https://x.example/?a=2&utm_a=1")
	f("urls: {drop_params: ['*s*_*d']}", url, "https://x.example/?B=4&a=2&b=3&utm_a=1")
	f("urls: {drop_params: ['*']}", url, "https://x.example/")
	f("urls: {keep_params: []}", url, "https://x.example/")
	f("urls: {keep_params: [A, utm_a]}", url, "https://x.example/?a=2")
	f("urls: {keep_params: ['*']}", url, "https://x.example/?B=4&a=2&b=3&sess_id=5")
	f("urls: {keep_params: [b*]}", "https://x.example/p/?a=1#x", "https://x.example/p")
}

func TestCanonPath(t *testing.T) {
	f := func(rules, raw, want string) {
		t.Helper()
		if got := mustParseRules(t, rules).params.normalURL(raw); got != want {
			t.Errorf("%s: %s gives %s, want %s", rules, raw, got, want)
		}
	}
	f("", "https://x.example/A/b/", "https://x.example/A/b")
	f("urls: {case: keep, trailing_slash: remove}", "https://x.example/A/b/", "https://x.example/A/b")
	f("urls: {case: lower}", "HTTPS://X.example/A/%41/%c3%89/É/INDEX.HTML?Q=A#!/A", "https://x.example/a/a/%C3%89/É?Q=A#!/A")
	f("urls: {trailing_slash: keep}", "https://x.example/a/", "https://x.example/a/")
	f("urls: {trailing_slash: keep}", "https://x.example/a", "https://x.example/a")
	f("urls: {trailing_slash: keep}", "https://x.example/a//", "https://x.example/a//")
	f("urls: {trailing_slash: keep}", "https://x.example", "https://x.example/")
	f("urls: {trailing_slash: keep}", "https://x.example/index.html", "https://x.example/")
	f("urls: {trailing_slash: keep}", "https://x.example/a/index.html?b", "https://x.example/a/?b")
	f("urls: {trailing_slash: keep}", "https://x.example/index.html/index.html", "https://x.example/index.html/")
}

func TestMatchParam(t *testing.T) {
	f := func(pattern, name string, want bool) {
		t.Helper()
		if got := matchParam(pattern, []byte(name)); got != want {
			t.Errorf("%q matches %q: %t, want %t", pattern, name, got, want)
		}
	}
	f("", "", true)
	f("", "a", false)
	f("a", "", false)
	f("*", "", true)
	f("**", "Abc", true)
	f("a*c", "AbC", true)
	f("a*c", "abcd", false)
	f("*ab*ab", "xababyab", true)
	f("*ab*ab", "xab", false)
	f("a*b*c", "a-b-b-c", true)
	f("a**", "a", true)
}

func FuzzCanon(f *testing.F) {
	for _, c := range canonCases(f) {
		f.Add(c[0])
	}
	params := &DefaultRules().params
	f.Fuzz(func(t *testing.T, raw string) {
		checkCanon(t, params, raw)
		if !strings.Contains(raw, "#") {
			if got, want := params.normalURL(raw+"#x"), params.normalURL(raw); got != want && strings.Contains(raw, "://") && got != raw+"#x" {
				t.Errorf("%q gives %q with a fragment, %q without", raw, got, want)
			}
		}
	})
}

func BenchmarkCanon(b *testing.B) {
	params := &DefaultRules().params
	for _, url := range []string{"https://shop.example/p/1", "https://shop.example/category/shoes/?utm_source=mail&utm_medium=x&page=2&color=red#top"} {
		b.Run(url[21:24], func(b *testing.B) {
			b.SetBytes(int64(len(url)))
			b.ReportAllocs()
			for b.Loop() {
				params.normalURL(url)
			}
		})
	}
}

func TestCanonCasesDiffer(t *testing.T) {
	cases := canonCases(t)
	raws := make([]string, len(cases))
	for i, c := range cases {
		raws[i] = c[0]
	}
	slices.Sort(raws)
	if len(raws) < 60 || len(slices.Compact(raws)) != len(cases) {
		t.Errorf("%d golden cases, want 60 and no two the same", len(cases))
	}
}
