package main

import (
	"strings"
	"testing"
)

func TestPublicURL(t *testing.T) {
	f := func(in, want, origin string) {
		t.Helper()
		var p publicURL
		if err := p.UnmarshalText([]byte(in)); err != nil || string(p) != want || p.origin() != origin {
			t.Errorf("%q is %q of %q, %v; want %q of %q", in, p, p.origin(), err, want, origin)
		}
	}
	f("https://heat.example", "https://heat.example", "https://heat.example")
	f("https://heat.example/", "https://heat.example", "https://heat.example")
	f("HTTPS://Heat.Example:443//", "https://heat.example", "https://heat.example")
	f("http://heat.example:80", "http://heat.example", "http://heat.example")
	f("http://heat.example:8080/", "http://heat.example:8080", "http://heat.example:8080")
	f("https://example.com/tools/heat/", "https://example.com/tools/heat", "https://example.com")
	f("https://example.com/a b/ž", "https://example.com/a%20b/%C5%BE", "https://example.com")
	f("https://[2001:DB8::1]:8443/x", "https://[2001:db8::1]:8443/x", "https://[2001:db8::1]:8443")
	f("https://xn--hksk-qoa.example", "https://xn--hksk-qoa.example", "https://xn--hksk-qoa.example")
	var none publicURL
	if err := none.UnmarshalText(nil); err != nil || none != "" {
		t.Errorf("nothing is %q, %v", none, err)
	}
	for _, in := range []string{
		"heat.example", "//heat.example", "ftp://heat.example", "https://", "https:heat.example", "https:///heat", "/heat",
		"https://heat.example?", "https://heat.example/?a=b", "https://heat.example/#", "https://heat.example:99999",
		"https://heat.example:x", `https://heat"><script>.example`, "https://héat.example", "https://heat .example", "https://heat.example/\n", " https://heat.example",
	} {
		err := none.UnmarshalText([]byte(in))
		if err == nil || !strings.HasPrefix(err.Error(), "public URL is ") || none != "" {
			t.Errorf("%q is %q, %v", in, none, err)
		}
	}
	if err := none.UnmarshalText([]byte("https://me:secret@heat.example")); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a password: %v", err)
	}
}
