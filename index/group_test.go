package index

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"heatlog/heatmap"
)

// pageTester gives a function that compares the page of a URL, and checks that it is its own page.
func pageTester(t *testing.T, rules string) func(url, want string) {
	r := mustParseRules(t, rules)
	return func(url, want string) {
		t.Helper()
		page, err := r.Page(url)
		if err != nil || page != want {
			t.Errorf("page of %s is %s, error %v, want %s", url, page, err, want)
		}
		checkOwnPage(t, r, url)
	}
}

// checkOwnPage checks that the page of a URL is its own page.
func checkOwnPage(t *testing.T, r *Rules, url string) {
	t.Helper()
	page, err := r.Page(url)
	if err != nil {
		return
	}
	if again, err := r.Page(page); err != nil || again != page {
		t.Errorf("page of %q is %q, and that of this %q, error %v", url, page, again, err)
	}
}

func TestGroupCaptures(t *testing.T) {
	f := pageTester(t, `urls:
  groups:
    - {match: "https://shop.example/{lang}/product/*", page: "https://shop.example/{lang}/product/:id"}
    - {match: "https://{brand}.shop.example/**/{name}-{id}", page: "https://shop.example/{brand}/{id}/{name}"}
    - {match: "https://shop.example/search?q={q}", page: "https://shop.example/search?z=1&a={q}"}
`)
	f("https://SHOP.example/en/product/7", "https://shop.example/en/product/:id")
	f("https://shop.example/cs/product/8?utm_source=x", "https://shop.example/cs/product/:id")
	f("https://shop.example/EN/product/7", "https://shop.example/EN/product/:id")
	f("https://shop.example/en/product/7/8", "https://shop.example/en/product/7/8")
	f("https://shop.example/a/en/product/7", "https://shop.example/a/en/product/7")
	f("https://shop.example//product/7", "https://shop.example//product/:id")
	f("https://acme.shop.example/x/y/red-shoe-7", "https://shop.example/acme/7/red-shoe") // the first takes as much as it can
	f("https://shop.example/search?q=a%26b", "https://shop.example/search?a=a%26b&z=1")
	f("https://shop.example/search?q=z&r=1", "https://shop.example/search?a=z&r=1&z=1")
	f("https://shop.example/é\xff/product/7", "https://shop.example/é\xff/product/:id")
}

// TestGroupPagesAreTheirOwn gives URLs at random to rules whose groups and rewrites get into each other's way.
func TestGroupPagesAreTheirOwn(t *testing.T) {
	r := mustParseRules(t, `urls:
  case: lower
  rewrites:
    - {match: "/x(/|$)", replace: "/y$1"}
    - {match: "^https://b\\.", replace: "https://a."}
    - {match: "/(loop)", replace: "/$1$1"}
    - {match: "/gone.*", replace: ""}
    - {match: "^https://a\\.example/nowhere$", replace: "mailto:x"}
  groups:
    - {match: "https://a.example/{p}/1", page: "https://a.example/{p}"}
    - {match: "https://a.example/y/{p}", page: "https://a.example/{p}/2"}
    - {match: "https://c.example/**", page: "https://c.example/"}
    - {match: "https://*.example/{p}/2/{q}", page: "https://{p}.example/{q}/2"}
`)
	rng := rand.New(rand.NewPCG(5, 5))
	pieces := []string{"x", "y", "1", "2", "loop", "gone", "nowhere", "en", "a.example", "c", "X", "index.html", "%7e", "?a=1", "#/x", ""}
	pages, settled := map[string]bool{}, 0
	for range 20_000 {
		var url strings.Builder
		url.WriteString("https://" + []string{"a", "b", "c", "d"}[rng.IntN(4)] + ".example")
		for range rng.IntN(5) {
			url.WriteString("/" + pieces[rng.IntN(len(pieces))])
		}
		checkOwnPage(t, r, url.String())
		_, page, ok := r.counted(r.params.normalURL(url.String()))
		pages[page] = true
		if ok {
			settled++
		}
	}
	if len(pages) < 300 || settled < 10_000 || settled > 19_500 {
		t.Errorf("the URLs are dull: %d pages, %d of 20,000 settled", len(pages), settled)
	}
}

func TestRewrites(t *testing.T) {
	f := pageTester(t, `urls:
  rewrites:
    - {match: '^https://(?:www|m)\.shop\.example/', replace: 'https://shop.example/'}
    - {match: '/catalogue/(?P<id>\d+)$', replace: '/product/${id}'}
    - {match: '_', replace: '-'}
    - {match: '^https://shop\.example/go/(.*)$', replace: '$1'}
    - {match: '/cost/(\d+)', replace: '/cost/$$$1'}
    - {match: '/TWICE', replace: '/once/index.html'}
  groups:
    - {match: 'https://shop.example/product/*', page: 'https://shop.example/product/:id'}
`)
	f("https://www.shop.example/a", "https://shop.example/a")
	f("https://m.shop.example/catalogue/7/", "https://shop.example/product/:id")
	f("https://shop.example/catalogue/7/a", "https://shop.example/catalogue/7/a")
	f("https://shop.example/a_b_c", "https://shop.example/a-b-c")
	f("https://shop.example/go/https://OTHER.example/%7ex/?b=2&a=1", "https://other.example/~x?a=1&b=2")
	f("https://shop.example/go/ftp://other.example/", "https://shop.example/go/ftp://other.example")
	f("https://shop.example/go/https:///x", "https://shop.example/go/https:///x")
	f("https://shop.example/cost/7", "https://shop.example/cost/$7")
	f("https://shop.example/TWICE", "https://shop.example/once")
	f("https://shop.example/go/https://shop.example/go/https://shop.example/a", "https://shop.example/go/https://shop.example/go/https://shop.example/a")
}

// TestRewriteStopsAtLimits checks how many places are replaced, and that no URL becomes longer than a hit's can be.
func TestRewriteStopsAtLimits(t *testing.T) {
	f := pageTester(t, "urls: {rewrites: [{match: _, replace: '-'}]}")
	f("https://h/"+strings.Repeat("_", 32), "https://h/"+strings.Repeat("-", 32))
	long := "https://h/" + strings.Repeat("_", 33) // its result would be rewritten once more
	f(long, long)
	f = pageTester(t, "urls: {rewrites: [{match: /grow$, replace: '/"+strings.Repeat("x", 200)+"'}]}")
	fits := "https://h/" + strings.Repeat("a", heatmap.MaxURL-10-201)
	f(fits+"/grow", fits+"/"+strings.Repeat("x", 200))
	f(fits+"a/grow", fits+"a/grow")
}

// TestUnsettled counts hits of URLs that stay their own because rewrites or groups would not come to rest.
func TestUnsettled(t *testing.T) {
	r := mustParseRules(t, `urls:
  rewrites: [{match: /a, replace: /aa}]
  groups:
    - {match: "https://h/{p}/1", page: "https://h/{p}"}
    - {match: "https://h/x", page: "https://h/y"}
`)
	var b heatmap.Batch
	for _, url := range []string{"https://h/a", "https://h/x/1", "https://h/x", "https://h/p/1", "https://h/x/1"} {
		b.Hits = append(b.Hits, heatmap.Hit{Site: "s", URL: url, Kind: heatmap.KindView})
	}
	s := NewStream(r, nil, StreamOptions{})
	var pages []string
	s.Events(&heatmap.Chunk{Count: len(b.Hits), Batches: []heatmap.Batch{b}}, func(e *Event) { pages = append(pages, e.Page) })
	if got := fmt.Sprint(pages); got != "[https://h/a https://h/x/1 https://h/y https://h/p https://h/x/1]" {
		t.Errorf("pages are %s", got)
	}
	if n := s.Stats().Unsettled; n != 3 {
		t.Errorf("%d hits are unsettled, want 3", n)
	}
}
