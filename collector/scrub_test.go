package collector

import (
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

func TestScrub(t *testing.T) {
	f := func(url, want string) {
		t.Helper()
		got, err := Scrub(url)
		if err != nil || got != want {
			t.Errorf("%s\n got %s %v\nwant %s", url, got, err, want)
		}
	}
	same := func(url string) { t.Helper(); f(url, url) }
	const (
		host  = "https://shop.example"
		hex32 = "0123456789abcdef0123456789abcdef"
	)
	same(host)
	same(host + "/")
	same("HTTP://Shop.Example:8080/A?B=C#D")
	same(host + "/a@b.cz/" + hex32 + "?q=shoes&q=&&=x&novalue#top")

	// user-info
	f("https://user:secret@shop.example/p", host+"/p")
	f("https://user@shop.example", host)
	f("https://a@b@shop.example:8080?x", host+":8080?x")
	f("https://@[::1]/", "https://[::1]/")
	same(host + "/p?next=x@y")
	same(host + "?a@b")
	same(host + "#@")

	// e-mail addresses
	f(host+"/?email=jan.novak@example.com&x=1", host+"/?email=~&x=1")
	f(host+"/?email=jan.novak%40example.com#x", host+"/?email=~#x")
	f(host+"/?email=%6a%61%6e%40%65x%61mple%2Ecom", host+"/?email=~")
	f(host+"/?e=jan%2Bshop@mail.example.co.uk", host+"/?e=~")
	f(host+"/?e=jan+shop@example.com", host+"/?e=~")
	f(host+"/?q=write+to+jan@example.com+now", host+"/?q=~")
	f(host+"/?q=<jan@example.com>", host+"/?q=~")
	f(host+"/?q=j@x.xn--p1ai", host+"/?q=~")
	f(host+"/?q=j%C3%A1n@p%C5%99%C3%ADklad.cz", host+"/?q=~")
	f(host+"/?next=https://a.example/?m=a@b.cz", host+"/?next=~")
	same(host + "/?q=@handle.name")
	same(host + "/?q=a@localhost")
	same(host + "/?q=npm/@scope/pkg.js")
	same(host + "/?q=pkg@1.2.3")
	same(host + "/?q=a@b.c")
	same(host + "/?jan@example.com=1")

	// card numbers
	f(host+"/?card=4111111111111111", host+"/?card=~")
	f(host+"/?card=4111-1111-1111-1111&a=b", host+"/?card=~&a=b")
	f(host+"/?card=4111+1111+1111+1111", host+"/?card=~")
	f(host+"/?card=4111%201111%201111%201111", host+"/?card=~")
	f(host+"/?card=%34111111111111111", host+"/?card=~")
	f(host+"/?card=4222222222222", host+"/?card=~")             // 13 digits
	f(host+"/?card=6304000000000000000", host+"/?card=~")       // 19 digits
	f(host+"/?card=378282246310005", host+"/?card=~")           // 15 digits
	same(host + "/?card=4111111111111112")                      // fails Luhn's check
	same(host + "/?card=422222222222")                          // 12 digits
	same(host + "/?card=41111111111111111112")                  // 20 digits
	same(host + "/?t=1767225600001")                            // a time that fails it
	same(host + "/?card=4111x111111111111")                     // a letter
	same(host + "/4111111111111111?4111111111111111&a=1#41111") // no value

	// tokens
	f(host+"/?sid="+hex32, host+"/?sid=~")
	f(host+"/?sid="+hex32+"&x=1", host+"/?sid=~&x=1")
	f(host+"/?sid=550e8400-e29b-41d4-a716-446655440000", host+"/?sid=~")
	f(host+"/?jwt=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", host+"/?jwt=~")
	f(host+"/?b64=SGVsbG8sIHdvcmxkISBIZWxsbywgd29ybGQhIQ%3D%3D", host+"/?b64=~")
	f(host+"/?b64=q8vX+2Jk/9sLm0PqRtUvWxYz1234567+aB==", host+"/?b64=~")
	f(host+"/?code="+strings.Repeat("a", 32), host+"/?code=~")
	f(host+"/?code=ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEF", host+"/?code=~")
	f(host+"/?n="+strings.Repeat("7", 32), host+"/?n=~")
	f(host+"/?state=Ya29.a0AfH6SMBx-9dkQw_7Zr3Tt5uV1pLmN0oKjHgFdSaQwErTy", host+"/?state=~")
	same(host + "/?sid=" + hex32[:31])
	same(host + "/?sid=" + hex32 + "!")
	same(host + "/?q=" + hex32[:20] + "%20" + hex32[:20])
	same(host + "/?" + hex32 + "=1")
	same(host + "/" + hex32)

	// long values that are words
	same(host + "/?q=buy-monroe-monroe-72231-sensa-trac-strut-assembly-left")
	same(host + "/?path=/catalogue/Shoes/running/mens/large/blue/")
	same(host + "/?q=how+to+repair+a+wooden+chair+with+glue")
	same(host + "/?utm_campaign=2026_01_winter_sale_newsletter_existing_customers")
	same(host + "/?id=product.variant.colour.blue.size.42.in.stock")
	same(host + "/?q=sony-wh1000xm4xx-and-dell-xps139310-headphones-and-laptop-bundle")
	same(host + "/?q=red-shoes-size-42eu-and-a-blue-hat")
	same(host + "/?date=2026-01-02-2026-01-09-2026-02-02-2026")

	// fragments
	f(host+"/#access_token="+hex32+"&type=x", host+"/#access_token=~&type=x")
	f(host+"/#/login?email=a@b.cz&next=/", host+"/#/login?email=~&next=/")
	f(host+"/?email=a@b.cz#!/x?email=a@b.cz", host+"/?email=~#!/x?email=~")
	same(host + "/#a@b.cz")
	same(host + "/#/user/a@b.cz")
	same(host + "/#cns=1&cns=1?x=2")

	// several at once
	f("http://u:p@shop.example:81/a?x=a@b.cz&y=4111111111111111&z="+hex32+"#q=a@b.cz", "http://shop.example:81/a?x=~&y=~&z=~#q=~")
	f(host+"/?a=%zz%4&b=a%40b.cz%", host+"/?a=%zz%4&b=~")
}

func TestScrubRefuses(t *testing.T) {
	f := func(url, want string) {
		t.Helper()
		if got, err := Scrub(url); err == nil || err.Error() != want {
			t.Errorf("%.40q: %.40q, %v", url, got, err)
		}
	}
	f("shop.example", `scrub url "shop.example": is not a URL of a hit, want an absolute http or https URL`)
	f("http://x/\x00", `scrub url "http://x/\x00": is not a URL of a hit, want a URL without control characters`)
	f("http://", `scrub url "http://": is not a URL of a hit, want a URL with a host name and a port of 0 to 65535`)
	f("http://x/"+strings.Repeat("a", 8192), `scrub url: it is 8201 bytes, limit 8192`)
}

func TestScrubAllocatesNothingWithoutChange(t *testing.T) {
	for _, url := range []string{
		"https://shop.example/p/1?utm_source=x&colour=red#/a?b=c",
		"https://a-very-long-host-name-for-the-shop.and-its-domain.example:8443/?q=%C5%99%C3%ADzek&x=" + strings.Repeat("%20a", 300),
		"http://[2001:db8::1]:80/?card=4111111111111112",
	} {
		if n := testing.AllocsPerRun(100, func() {
			if out, err := Scrub(url); err != nil || out != url {
				t.Fatal(out, err)
			}
		}); n != 0 {
			t.Errorf("%.60s: %v allocations", url, n)
		}
	}
}

// checkScrubbed checks what holds for every URL.
func checkScrubbed(t *testing.T, raw string) {
	t.Helper()
	once, err := Scrub(raw)
	if err != nil {
		return
	}
	twice, err := Scrub(once)
	if err != nil || twice != once {
		t.Fatalf("%q: scrubbed once %q, twice %q, %v", raw, once, twice, err)
	}
	if len(once) > len(raw) {
		t.Fatalf("%q: grew to %q", raw, once)
	}
	u, err := url.Parse(once)
	before, errBefore := url.Parse(raw)
	if errBefore != nil {
		return // Go's parser is stricter than browsers are
	}
	if err != nil || u.User != nil {
		t.Fatalf("%q: scrubbed to %q, %v", raw, once, err)
	}
	if u.Scheme != before.Scheme || u.Host != before.Host || u.EscapedPath() != before.EscapedPath() {
		t.Fatalf("%q: scrubbed to %q", raw, once)
	}
	checkParams(t, before.RawQuery, u.RawQuery)
}

// checkParams checks that a query has the names that it had and values that stayed or became a tilde.
func checkParams(t *testing.T, before, after string) {
	t.Helper()
	a, b := strings.Split(before, "&"), strings.Split(after, "&")
	if len(a) != len(b) {
		t.Fatalf("query %q became %q", before, after)
	}
	for i := range a {
		name, _, hasValue := strings.Cut(a[i], "=")
		if a[i] != b[i] && (!hasValue || b[i] != name+"=~") {
			t.Fatalf("parameter %q became %q", a[i], b[i])
		}
		if _, value, _ := strings.Cut(b[i], "="); strings.HasSuffix(value, "n@example.com") {
			t.Fatalf("parameter %q stayed", b[i])
		}
	}
}

func TestScrubProperties(t *testing.T) {
	pieces := []string{
		"https://", "http://", "shop.example", "u:p@", "@", ":8080", "/", "p/1", "?", "#", "&", "=", "a=", "jan@example.com", "jan%40example.com",
		"4111111111111111", "4111-1111-", "0123456789abcdef0123456789abcdef", "%20", "%", "é", "~", ";", "+", "word-", "[::1]", "\\", " ",
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 50_000 {
		var b strings.Builder
		b.WriteString(pieces[r.IntN(2)])
		for range 1 + r.IntN(12) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		checkScrubbed(t, b.String())
	}
}
