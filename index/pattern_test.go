package index

import (
	"errors"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"heatlog/heatmap"
)

func mustPattern(t testing.TB, text string) *Pattern {
	t.Helper()
	p, err := CompilePattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPatternMatch(t *testing.T) {
	f := func(pattern, url string, want bool) {
		t.Helper()
		if got := mustPattern(t, pattern).Match(url); got != want {
			t.Errorf("%s matches %s: %t, want %t", pattern, url, got, want)
		}
	}
	f("https://x.example/p", "https://x.example/p", true)
	f("https://x.example/p", "https://x.example/p/", false)
	f("https://x.example/p", "https://x.example/", false)
	f("https://x.example/p/*", "https://x.example/p/1", true)
	f("https://x.example/p/*", "https://x.example/p/", true)
	f("https://x.example/p/*", "https://x.example/p/1/2", false)
	f("https://x.example/p/*", "https://x.example/p/1?a=2", false)
	f("https://x.example/p/*", "https://x.example/p/1#/a", false)
	f("https://x.example/p/*?a=*", "https://x.example/p/1?a=2", true)
	f("https://x.example/p/**", "https://x.example/p/1/2?a=2#/b", true)
	f("https://x.example/**/end", "https://x.example/a/b/end", true)
	f("https://x.example/**/end", "https://x.example/end", false)
	f("https://x.example/**/end", "https://x.example/a/end/b", false)
	f("https://*.example/", "https://x.example/", true)
	f("https://*.example/", "https://a/x.example/", false)
	f("*", "", true)
	f("*", "abc", true)
	f("*", "a/c", false)
	f("**", "", true)
	f("**", "https://x.example/", true)
	f("***", "https://x.example/", true)
	f("****x", "https://x.example/x", true)
	f("**a*b**c", "xx/a-b/c/c", true)
	f("**a*b**c", "xx/a/b/c/c", false)
	f("", "", true)
	f("", "a", false)
	f("**é", "https://x.example/é", true)
	f("HTTPS://X.Example/P/*", "https://x.example/P/1", true)
	f("HTTPS://*.Example/P/*", "https://x.example/P/1", true)
	f("https://**Example/P", "https://x.Example/P", true)
	f("**://X/", "http://X/", true)
}

func TestPatternPrefix(t *testing.T) {
	f := func(pattern, text, prefix string) {
		t.Helper()
		p := mustPattern(t, pattern)
		if p.String() != text || p.Prefix() != prefix || !IsPattern(pattern) {
			t.Errorf("%s is %s with prefix %s, want %s with %s", pattern, p, p.Prefix(), text, prefix)
		}
	}
	f("https://x.example/p/*", "https://x.example/p/*", "https://x.example/p/")
	f("HTTPS://X.Example/P/*/Q", "https://x.example/P/*/Q", "https://x.example/P/")
	f("**", "**", "")
	if IsPattern("https://x.example/") {
		t.Error("a URL without a star is a pattern")
	}
}

func TestPatternLimits(t *testing.T) {
	f := func(text, message string) {
		t.Helper()
		_, err := CompilePattern(text)
		var param *heatmap.ParamError
		if !errors.As(err, &param) || param.Field != "url" || param.Message != message {
			t.Errorf("error %v, want url: %s", err, message)
		}
	}
	f(strings.Repeat("*", 65), "pattern has 65 stars, limit 64")
	f(strings.Repeat("*a", 10_000), "pattern has 10000 stars, limit 64")
	f(strings.Repeat("a", 8193), "pattern has 8193 bytes, limit 8192")
	mustPattern(t, strings.Repeat("*a", 64)+strings.Repeat("b", 8192-128))
}

// TestPatternLinear holds that the worst patterns take a time in proportion to the URL.
func TestPatternLinear(t *testing.T) {
	url := strings.Repeat("a", heatmap.MaxURL)
	for _, text := range []string{strings.Repeat("*a", 64) + "b", strings.Repeat("**a", 32) + "b", "**" + strings.Repeat("a", 4000) + "*b"} {
		p := mustPattern(t, text)
		start := time.Now()
		if p.Match(url) {
			t.Errorf("%.20s matches", text)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%.20s took %v for 8 KiB", text, took)
		}
	}
}

// naivePattern translates a pattern to a regular expression.
func naivePattern(text string) *regexp.Regexp {
	var re strings.Builder
	re.WriteString(`(?s)\A`)
	for i := 0; i < len(text); i++ {
		switch {
		case strings.HasPrefix(text[i:], "**"):
			re.WriteString(".*")
			i++
		case text[i] == '*':
			re.WriteString("[^/?#]*")
		default:
			re.WriteString(regexp.QuoteMeta(text[i : i+1]))
		}
	}
	return regexp.MustCompile(re.String() + `\z`)
}

func checkPattern(t *testing.T, text, url string) {
	t.Helper()
	p, err := CompilePattern(text)
	if err != nil {
		return
	}
	want := naivePattern(p.String()).MatchString(url)
	if got := p.Match(url); got != want {
		t.Errorf("%q matches %q: %t, want %t", text, url, got, want)
	}
	if want && !strings.HasPrefix(url, p.Prefix()) {
		t.Errorf("%q matches %q that does not begin with %q", text, url, p.Prefix())
	}
}

func TestPatternAgainstRegexp(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	word := func(letters string, n int) string {
		b := make([]byte, rng.IntN(n))
		for i := range b {
			b[i] = letters[rng.IntN(len(letters))]
		}
		return string(b)
	}
	for range 50_000 {
		checkPattern(t, word("ab/*", 8), word("ab/?", 10))
	}
	for range 2000 { // more states than a word has bits
		pad := strings.Repeat("ab", 10+rng.IntN(60))
		checkPattern(t, word("ab/*", 6)+"*"+pad+word("ab/*", 6), word("ab", 6)+pad+word("ab", 6))
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("https://x.example/p/*", "https://x.example/p/1")
	f.Add("**a*b**c", "xx/a-b/c/c")
	f.Add("*"+strings.Repeat("ab", 40)+"*", strings.Repeat("ab", 41))
	f.Fuzz(func(t *testing.T, text, url string) {
		for i := range len(text) + len(url) {
			if (text + url)[i] >= 0x80 { // a regular expression reads runes
				return
			}
		}
		if len(text) < 300 && len(url) < 1000 {
			checkPattern(t, text, url)
		}
	})
}

func BenchmarkPattern(b *testing.B) {
	url := "https://shop.example/category/shoes/product/1234567?color=red"
	for _, text := range []string{"https://shop.example/category/*/product/**", "**/product/**"} {
		b.Run(text[:2], func(b *testing.B) {
			p := mustPattern(b, text)
			b.ReportAllocs()
			for b.Loop() {
				if !p.Match(url) {
					b.Fatal("no match")
				}
			}
		})
	}
}
