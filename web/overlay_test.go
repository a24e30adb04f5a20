package web

import (
	"strings"
	"testing"
	"time"

	"heatlog/heatmap"
)

// twoSites has the sites shop and blog.
func twoSites(o *Options) {
	sites := newFakeSites()
	sites.list = append(sites.list, heatmap.Site{Key: "blog", Origins: []string{"http://blog.example:8080", "https://blog.example"}}, heatmap.Site{Key: "bare"})
	o.Sites = sites
}

// overlayToken is what the link of a site's overlay has, as an Authorization header.
func (d *desk) overlayToken(site string) (header string) {
	token, _ := d.s.overlays.seal(site, d.clock.Now())
	return "Authorization: Bearer " + token
}

const (
	shopOrigin = "Origin: https://shop.example"
	blogOrigin = "Origin: https://blog.example"
	evilOrigin = "Origin: https://evil.example"
)

var readingTargets = []string{"/v1/heatmap?site=shop&url=x", "/v1/elements?site=shop&url=x", "/v1/scroll?site=shop&url=x", "/v1/pages?site=shop", "/v1/trend?site=shop", "/v1/timeline?site=shop&url=x"}

func TestOverlayLinks(t *testing.T) {
	d := newDesk(t, twoSites)
	token, end := d.s.overlays.seal("blog", d.clock.Now())
	f := func(url, wantURL string) {
		t.Helper()
		r := d.do("POST", "/v1/overlay-links", `{"site":"blog","url":"`+url+`"}`, adminToken)
		want := `{"link":"` + strings.ReplaceAll(wantURL, "TOKEN", token) + `","token":"` + token + `","expires":"` + end.UTC().Format(time.RFC3339) + `"}` + "\n"
		if r.status != 201 || r.body != want || r.header("Cache-Control") != "no-store" {
			t.Errorf("%s gives %d %s, want %s", url, r.status, r.body, want)
		}
	}
	f("https://blog.example/a?b=c", "https://blog.example/a?b=c#hl=TOKEN")
	f("https://blog.example", "https://blog.example#hl=TOKEN")
	f("http://blog.example:8080/", "http://blog.example:8080/#hl=TOKEN")
	f("HTTPS://Blog.Example:443/A", "HTTPS://Blog.Example:443/A#hl=TOKEN")
	f("https://blog.example/#", "https://blog.example/#hl=TOKEN")
	f("https://blog.example/#/route?x", "https://blog.example/#hl=TOKEN~/route?x")
	f("https://blog.example/#a#b~c", "https://blog.example/#hl=TOKEN~a#b~c")
	f("https://blog.example/50%", "https://blog.example/50%#hl=TOKEN")
	f("https://blog.example/#hl="+token, "https://blog.example/#hl=TOKEN")
	f("https://blog.example/#hl=old.token~/route", "https://blog.example/#hl=TOKEN~/route")
}

func TestOverlayLinkRefusals(t *testing.T) {
	d := newDesk(t, twoSites)
	f := func(body string, status int, code, field, fragment string) {
		t.Helper()
		r := d.do("POST", "/v1/overlay-links", body, adminToken)
		if r.status != status || !strings.Contains(r.body, `"code":"`+code+`"`) || !strings.Contains(r.body, fragment) ||
			(field != "") != strings.Contains(r.body, `"field":"`+field+`"`) {
			t.Errorf("%.80s gives %d %s, want %d, %s, %s, %s", body, r.status, r.body, status, code, field, fragment)
		}
	}
	f("", 400, "bad_request", "", "body is not")
	f("[]", 400, "bad_request", "", "body is not")
	f(`{"site":"shop","url":"https://shop.example/","days":9}`, 400, "bad_request", "", "unknown member")
	f(`{"site":"shop","url":"https://shop.example/"} x`, 400, "bad_request", "", "more than one")
	f(`{"url":"https://shop.example/"}`, 400, "bad_param", "site", "1 to 32")
	f(`{"site":"Shop","url":"https://shop.example/"}`, 400, "bad_param", "site", "1 to 32")
	f(`{"site":"none","url":"https://shop.example/"}`, 404, "not_found", "site", "no site none")
	f(`{"site":"shop"}`, 400, "bad_param", "url", "want the absolute")
	f(`{"site":"bare","url":"https://x.example/"}`, 400, "bad_param", "url", "lists no origin; give it https://x.example first")
	f(`{"site":"blog","url":"`+"https://blog.example/"+strings.Repeat("x", heatmap.MaxURL)+`"}`, 400, "bad_param", "url", "limit 8192")
	f(`{"site":"blog","url":"`+strings.Repeat("x", maxLinkBody)+`"}`, 413, "too_large", "", "65536")

	other := func(url, fragment string) {
		t.Helper()
		f(`{"site":"blog","url":"`+url+`"}`, 400, "bad_param", "url", fragment)
	}
	const lists = "does not list; it lists http://blog.example:8080, https://blog.example"
	other("https://shop.example/", "the origin of url is https://shop.example, which site blog "+lists)
	other("http://blog.example/", lists)
	other("https://blog.example:8080/", lists)
	other("https://www.blog.example/", lists)
	other("https://blog.example.evil.example/", lists)
	other("https://blog.example./", lists)
	const want = "want the absolute http or https URL"
	for _, url := range []string{"/demo/", "//blog.example/", "blog.example", "https:blog.example", "https:///blog.example", "ftp://blog.example/",
		"javascript:alert(1)//https://blog.example/", "data:text/html,x", `https://blog.example\\@evil.example/`, `https:\\\\blog.example/`, `https://evil.example\\.blog.example/`, `https://blog.example/a\\b`,
		`https://blog.example/\n`, `https://blog\t.example/`, " https://blog.example/", "https://blog.example/a b", "https://blog.example%2f@evil.example/x y", "https://blog%2eexample/"} {
		other(url, want)
	}
	other("https://blog.example@evil.example/", "user name")
	other("https://evil.example@blog.example/", "user name")
	other("https://a:b@blog.example/", "user name")

	d.do("POST", "/v1/overlay-links", "{}").is(401, "unauthorized")
	d.do("POST", "/v1/overlay-links?x=1", "{}", adminToken).is(400, "bad_param")
	d.do("POST", "/v1/overlay-links", "{}", d.signIn(), evilOrigin).is(403, "cross_site")
	d.do("POST", "/v1/overlay-links", `{"site":"shop","url":"https://shop.example/"}`, d.signIn(), ownOrigin).is(201, "#hl=hlo_")
	d.do("POST", "/v1/overlay-links", `{"site":"shop","url":"https://shop.example/"}`, d.overlayToken("shop")).is(403, `"code":"forbidden"`)
}

// TestOverlayToken goes through what an overlay token opens and what it does not.
func TestOverlayToken(t *testing.T) {
	d := newDesk(t, twoSites)
	token := d.overlayToken("shop")
	for _, target := range readingTargets {
		for _, method := range []string{"GET", "HEAD"} {
			d.do(method, target, "", token).is(200, "")
			d.do(method, target, "", token, shopOrigin).is(200, "")
		}
		d.do("GET", strings.Replace(target, "site=shop", "site=%73hop", 1), "", token).is(200, "")
		for _, site := range []string{"site=blog", "site=none", "site=", "site", "site=shop&site=blog", "site=blog&site=shop", "site=shop&%73ite=blog", "site=%62log", "site=shop%00", "site=Shop"} {
			d.do("GET", strings.Replace(target, "site=shop", site, 1), "", token).is(403, `"code":"other_site"`)
		}
		d.do("GET", strings.Replace(target, "site=shop", "", 1), "", token).is(400, `"field":"site"`)
		d.do("GET", strings.Replace(target, "site=shop", "Site=shop", 1), "", token).is(400, `"field":"site"`)
		d.do("GET", strings.Replace(target, "site=shop", "site=shop&site=shop", 1), "", token).is(400, "given twice")
		d.do("POST", target, "", token).is(405, "method_not_allowed")
		for _, origin := range []string{blogOrigin, evilOrigin, "Origin: null", "Origin: http://shop.example", "Origin: https://shop.example:443", "Origin: https://shop.example/", "Origin: https://SHOP.example"} {
			d.do("GET", target, "", token, origin).is(403, `"code":"origin_not_listed"`)
		}
	}
	for _, target := range []string{"GET /v1/sites", "POST /v1/sites", "GET /v1/export?site=shop", "GET /v1/bots", "GET /metrics", "POST /v1/import",
		"GET /v1/session", "DELETE /v1/session", "POST /v1/overlay-links"} {
		method, path, _ := strings.Cut(target, " ")
		d.do(method, path, "", token).is(403, `"code":"forbidden"`)
	}
	d.do("GET", "/v1/none", "", token).is(404, "not_found")
	d.do("GET", readingTargets[0], "", token, "Authorization: Bearer "+testToken).is(401, "unauthorized")
	d.do("GET", readingTargets[0]+"&bogus=1", "", token, shopOrigin).is(400, "bogus")

	d.clock.move(overlayLife - time.Second)
	d.do("GET", readingTargets[0], "", token).is(200, "")
	d.clock.move(time.Second)
	for _, target := range append(readingTargets, "/v1/pages?site=blog", "/v1/bots") {
		d.do("GET", target, "", token).is(401, `"code":"expired"`).is(401, "open it again from the app")
	}
}

// TestOverlayTokenForged uses what is not an overlay token of this server.
func TestOverlayTokenForged(t *testing.T) {
	d := newDesk(t, twoSites)
	good := strings.TrimPrefix(d.overlayToken("shop"), "Authorization: Bearer ")
	f := func(token string) {
		t.Helper()
		d.do("GET", readingTargets[0], "", "Authorization: Bearer "+token).is(401, `"code":"unauthorized"`)
	}
	for i := range good {
		b := []byte(good)
		b[i] ^= 1
		f(string(b))
		f(good[:i])
	}
	ticket := d.s.SignInTicket()
	f(ticket)
	f(overlayPrefix + ticket[len(ticketPrefix):])
	f(overlayPrefix)
	f(overlayPrefix + testToken)
	f(strings.TrimPrefix(newDesk(t, func(o *Options) { o.Key = nil }).overlayToken("shop"), "Authorization: Bearer "))
	f(strings.TrimPrefix(newDesk(t, func(o *Options) { o.Token = "changed" }).overlayToken("shop"), "Authorization: Bearer "))
	d.do("GET", readingTargets[0], "", "Cookie: hls="+good).is(401, "unauthorized")
	newDesk(t, twoSites).do("GET", readingTargets[0], "", "Authorization: Bearer "+good).is(200, "") // after a restart
	newDesk(t, func(o *Options) { o.Token = "" }).do("GET", readingTargets[0], "", "Authorization: Bearer "+good).is(401, "unauthorized")
	newDesk(t, func(o *Options) { o.Sites = nil }).do("GET", readingTargets[0], "", "Authorization: Bearer "+good, shopOrigin).is(403, "origin_not_listed")
}

// TestOverlayTokenShape checks that an admin token which looks like an overlay's is one all the same.
func TestOverlayTokenShape(t *testing.T) {
	d := newDesk(t, func(o *Options) { o.Token = "hlo_admin" })
	d.do("GET", "/v1/bots", "", "Authorization: Bearer hlo_admin").is(200, "")
}

func TestPreflight(t *testing.T) {
	d := newDesk(t, twoSites)
	for _, target := range readingTargets {
		for _, origin := range []string{shopOrigin, blogOrigin, "Origin: http://blog.example:8080"} {
			r := d.do("OPTIONS", target, "", origin, "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: authorization").is(204, "")
			for name, want := range map[string]string{"Access-Control-Allow-Origin": strings.TrimPrefix(origin, "Origin: "), "Access-Control-Allow-Methods": "GET",
				"Access-Control-Allow-Headers": "Authorization", "Access-Control-Max-Age": "600", "Vary": "Origin", "Access-Control-Allow-Credentials": ""} {
				if got := r.header(name); got != want {
					t.Errorf("%s from %s: %s is %q, want %q", target, origin, name, got, want)
				}
			}
		}
		for _, headers := range [][]string{{evilOrigin}, {"Origin: null"}, {"Origin: *"}, {}, {evilOrigin, adminToken}, {ownOrigin, d.signIn()}} {
			r := d.do("OPTIONS", target, "", headers...).is(403, "origin_not_listed")
			if r.header("Access-Control-Allow-Origin") != "" || r.header("Vary") != "Accept-Encoding, Origin" {
				t.Errorf("%q: %s", headers, r.String())
			}
		}
	}
	d.do("OPTIONS", "/v1/sites", "", shopOrigin).is(405, "method_not_allowed")
	newDesk(t, func(o *Options) { o.Sites = nil }).do("OPTIONS", readingTargets[0], "", shopOrigin).is(403, "origin_not_listed")
}

// TestSharedAnswers checks which pages may read which answers.
func TestSharedAnswers(t *testing.T) {
	d := newDesk(t, twoSites)
	token, cookie := d.overlayToken("shop"), d.signIn()
	d.clock.move(-time.Hour)
	expired := d.overlayToken("shop")
	d.clock.move(time.Hour)
	f := func(target string, status int, shared string, headers ...string) {
		t.Helper()
		r := d.do("GET", target, "", headers...).is(status, "")
		if got := r.header("Access-Control-Allow-Origin"); got != shared {
			t.Errorf("%s with %q: allowed origin is %q, want %q", target, headers, got, shared)
		}
		if got := r.header("Vary"); got != "Accept-Encoding, Origin" {
			t.Errorf("%s with %q: Vary is %q", target, headers, got)
		}
		if got := r.header("Access-Control-Allow-Credentials"); got != "" {
			t.Errorf("%s with %q: credentials are allowed: %q", target, headers, got)
		}
	}
	const shop, forged = "https://shop.example", "Authorization: Bearer hlo_forged"
	for _, target := range readingTargets {
		f(target, 200, shop, token, shopOrigin)
		f(target, 200, "", token)
		f(target+"&bogus=1", 400, shop, token, shopOrigin)
		f(target, 401, shop, expired, shopOrigin)
		f(target, 401, "", expired, blogOrigin)
		f(target, 401, "", expired, evilOrigin)
		f(target, 401, shop, forged, shopOrigin)
		f(target, 401, "https://blog.example", forged, blogOrigin)
		f(target, 401, "", forged, evilOrigin)
		f(target, 403, "", token, blogOrigin)
		f(target, 403, "", token, evilOrigin)
		f(strings.Replace(target, "shop", "blog", 1), 403, shop, token, shopOrigin)

		f(target, 200, "", cookie, shopOrigin)
		f(target, 200, "", cookie, evilOrigin)
		f(target, 200, "", adminToken, shopOrigin)
		f(target, 200, "", adminToken, evilOrigin)
		f(target, 401, "", shopOrigin)
		f(target, 401, "", "Authorization: Bearer wrong", shopOrigin)
		f(target, 200, shop, token, shopOrigin, cookie)
	}
	for _, target := range []string{"/v1/sites", "/v1/bots", "/v1/session", "/healthz", "/"} {
		r := d.do("GET", target, "", token, shopOrigin)
		if got := r.header("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s: allowed origin is %q", target, got)
		}
	}
}

// TestSharedPanic checks that even the answer of last resort reaches the overlay.
func TestSharedPanic(t *testing.T) {
	r := newFakeReader()
	r.panics = "broken"
	d := newDesk(t, func(o *Options) { o.Reader = r })
	if got := d.do("GET", readingTargets[0], "", d.overlayToken("shop"), shopOrigin).is(500, "internal").header("Access-Control-Allow-Origin"); got != "https://shop.example" {
		t.Errorf("allowed origin is %q", got)
	}
}
