package index

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"heatlog/heatmap"
)

// craftedRules are rules that are allowed, and take as long as rules can for some URLs; the URLs are such ones.
func craftedRules() (rules map[string]string, urls []string) {
	many := func(n int, f func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(f(i))
		}
		return b.String()
	}
	rewrites := func(match, replace string) string {
		return "urls:\n  rewrites:\n" + many(maxRewrites, func(i int) string {
			return fmt.Sprintf("    - {match: '%s[YZ%d]', replace: '%s'}\n", match, i, replace)
		})
	}
	groups := func(n int, match, page string) string {
		return "urls:\n  groups:\n" + many(n, func(i int) string {
			return fmt.Sprintf("    - {match: '%s', page: '%s'}\n", match, strings.ReplaceAll(page, "%d", strconv.Itoa(i)))
		})
	}
	rules = map[string]string{
		"nested stars":     rewrites(`(a*)*(a*)*(.*)*`, "b"),
		"counted repeats":  rewrites(`(a?){20}(a|aa){20}`, "b"),
		"many places":      rewrites(`[ac](.*[YZ])?|`, "b"),
		"many starts":      rewrites(`[ac].*[ac].*[ac].*`, "b"),
		"growth":           rewrites(`([ac]+)|`, "$1$1"),
		"stars in groups":  groups(maxRuleGroups, `https://shop.example/**/a**a**Z**x0`, `https://shop.example/:%d`),
		"long groups":      groups(25, `https://shop.example/**`+strings.Repeat("a", 8000)+`*x0`, `https://shop.example/:%d`),
		"captures":         groups(1, `https://shop.example/{a}a`+strings.Repeat("**a", 25)+`{b}/x0`, `https://shop.example/-/{a}/{b}/%d`),
		"2000 same starts": groups(maxRuleGroups, `https://shop.example/*a*a*a*Z*x0`, `https://shop.example/:%d`),
	}
	for _, tail := range []string{strings.Repeat("a", 9000), strings.Repeat("a/", 5000), strings.Repeat("ab", 5000), strings.Repeat("aZ", 4500) + "/x0", strings.Repeat("a", 9000) + "Z"} {
		url := "https://shop.example/" + tail
		for n := 50; n < heatmap.MaxURL-8; n += n / 4 {
			urls = append(urls, url[:n]+"a/x0")
		}
	}
	return rules, urls
}

// TestWorkOfAURL tells the time of the worst URLs under the worst rules that are allowed, and holds that these are bounded: without,
// a URL took up to half a second, now it is one to four milliseconds.
func TestWorkOfAURL(t *testing.T) {
	givesUp := []string{"nested stars", "counted repeats", "stars in groups", "growth", "2000 same starts"} // nothing else bounds these
	rules, urls := craftedRules()
	for name, text := range rules {
		r := mustParseRules(t, text)
		var worst time.Duration
		given := 0
		for _, url := range urls {
			took := time.Hour
			for range 3 {
				begin := time.Now()
				_, _, ok := r.counted(r.params.normalURL(url))
				took = min(took, time.Since(begin))
				if !ok {
					given++
				}
			}
			worst = max(worst, took)
		}
		t.Logf("%s: %v, of %d URLs %d are left as they are", name, worst, len(urls), given/3)
		if given == 0 && slices.Contains(givesUp, name) {
			t.Errorf("%s: every URL is worked at to the end", name)
		}
	}
}

// TestWorkIsEnough holds that what rules are for is far from the bounds: fifty rewrites and two thousand groups of usual
// kinds, with usual URLs.
func TestWorkIsEnough(t *testing.T) {
	var text strings.Builder
	text.WriteString("urls:\n  rewrites:\n")
	for i := range maxRewrites {
		fmt.Fprintf(&text, "    - {match: '^https?://(www%d|m%d)\\.shop\\.example/', replace: 'https://shop.example/'}\n", i, i)
	}
	text.WriteString("  groups:\n")
	for i := range maxRuleGroups {
		fmt.Fprintf(&text, "    - {match: 'https://shop.example/{lang}/**/cat-%d/*', page: 'https://shop.example/{lang}/cat-%d/:id'}\n", i, i)
	}
	r := mustParseRules(t, text.String())
	for _, n := range []int{1, 100, 1900} {
		tail := strings.Repeat("a/", n/2)
		url, page, ok := r.counted("https://m49.shop.example/cs/" + tail + "x/cat-1999/77")
		if want := "https://shop.example/cs/cat-1999/:id"; page != want || !ok || url != "https://shop.example/cs/"+tail+"x/cat-1999/77" {
			t.Errorf("%d bytes more: %.80s is %.80s, settled %v, want %s", n, url, page, ok, want)
		}
	}
}

// TestWorkIsOver holds what becomes of a URL that takes too much: it stays as it is, is its own page, and is told.
func TestWorkIsOver(t *testing.T) {
	r := mustParseRules(t, "urls:\n  rewrites: [{match: 'a([bc]|d)*', replace: x}]\n  groups: [{match: 'https://h/{p}z', page: 'https://h/{p}'}]")
	for _, c := range []struct {
		url, page string
		ok        bool
	}{
		{"https://h/a", "https://h/x", true},
		{"https://h/" + strings.Repeat("a", 32), "https://h/" + strings.Repeat("x", 32), true},
		{"https://h/" + strings.Repeat("a", 8000), "https://h/" + strings.Repeat("a", 8000), false},
	} {
		if _, page, ok := r.counted(c.url); page != c.page || ok != c.ok {
			t.Errorf("%.40s is %.40s, settled %v, want %.40s, %v", c.url, page, ok, c.page, c.ok)
		}
	}
	work := maxRewriteWork
	if _, ok := mustParseRules(t, "urls: {rewrites: [{match: a, replace: "+strings.Repeat("b", 256)+"}]}").rewrites[0].apply(strings.Repeat("a", 1024)+strings.Repeat("b", maxRewritten), &work); ok {
		t.Error("a result over the limit is taken")
	}
}

// TestNeededText holds that a text without which a regular expression is not even tried is in all that it matches.
func TestNeededText(t *testing.T) {
	f := func(match, want string) {
		t.Helper()
		re, _, err := compileRegexp(match)
		if err != nil {
			t.Fatal(err)
		}
		r, err := compileRewrite(re, "")
		if err != nil || r.needed != want {
			t.Errorf("%s needs %q, error %v, want %q", match, r.needed, err, want)
		}
	}
	f(`^https://www\.`, "https://www.")
	f(`[?&]sid=[^&]*`, "sid=")
	f(`(ab)+c`, "ab")
	f(`(?i)sid`, "")
	f(`(abc)?d`, "d")
	f(`(abc)*`, "")
	f(`abc|abd`, "ab")
	f(`a{2,3}b`, "a")
	f(`.*`, "")
	words := []string{"a", "b", "ab", "(a|b)", "a?", "(ab)*", "b+", "[ab]", ".", "(?i:A)", "a{2}", "^", "$"}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var match, url strings.Builder
		for range 1 + rng.IntN(5) {
			match.WriteString(words[rng.IntN(len(words))])
		}
		for range rng.IntN(8) {
			url.WriteByte("abA"[rng.IntN(3)])
		}
		re := regexp.MustCompile(strings.NewReplacer("^?", "^", "^*", "^").Replace(match.String()))
		r, err := compileRewrite(re, "")
		if err != nil {
			t.Fatal(err)
		}
		if re.MatchString(url.String()) && !strings.Contains(url.String(), r.needed) {
			t.Fatalf("%s matches %q, which lacks %q", re, url.String(), r.needed)
		}
	}
}
