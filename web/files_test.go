package web

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// madeFiles are files that no change to the pages changes.
func madeFiles() map[string]*file {
	long := []byte(strings.Repeat("long enough to be compressed\n", 100))
	return loadFiles(fstest.MapFS{
		"static/index.html":     {Data: []byte("<!doctype html>app")},
		"static/app.js":         {Data: long},
		"static/hl.js":          {Data: long},
		"static/hl-view.js":     {Data: []byte("short")},
		"static/secret.txt":     {Data: []byte("secret")},
		"demo/index.html":       {Data: []byte("<!doctype html>demo")},
		"demo/shop.html":        {Data: long},
		"demo/demo.css":         {Data: []byte("a{}")},
		"demo/img/hero.svg":     {Data: []byte("<svg/>")},
		"demo/img/index.html":   {Data: []byte("<!doctype html>img")},
		"demo/other.unknown":    {Data: []byte("x")},
		"elsewhere/secret.html": {Data: []byte("secret")},
	})
}

// fileDesk serves madeFiles.
func fileDesk(t testing.TB) *desk {
	d := newDesk(t, nil)
	for path := range embeddedFiles() {
		delete(d.s.routes, path)
	}
	for path, f := range madeFiles() {
		d.s.routes[path] = get(f.serve).public()
	}
	d.s.routes["/demo"] = get(demoRedirect).public()
	return d
}

func TestFiles(t *testing.T) {
	d := fileDesk(t)
	f := func(path, contentType, cache, body string) {
		t.Helper()
		r := d.do("GET", path, "").is(200, body)
		if got := r.header("Content-Type"); got != contentType {
			t.Errorf("%s: type is %q, want %q", path, got, contentType)
		}
		if got := r.header("Cache-Control"); got != cache {
			t.Errorf("%s: Cache-Control is %q, want %q", path, got, cache)
		}
		if r.header("X-Content-Type-Options") != "nosniff" || r.header("Content-Encoding") != "" {
			t.Errorf("%s: %s", path, r.Header.String())
		}
	}
	f("/", "text/html; charset=utf-8", "no-cache", "app")
	f("/?x=1", "text/html; charset=utf-8", "no-cache", "app")
	f("/app.js", "text/javascript; charset=utf-8", "no-cache", "long")
	f("/hl.js?v=7", "text/javascript; charset=utf-8", "public, max-age=300", "long")
	f("/hl-view.js", "text/javascript; charset=utf-8", "no-cache", "short")
	f("/demo/", "text/html; charset=utf-8", "no-cache", "demo")
	f("/demo/shop?utm_source=x", "text/html; charset=utf-8", "no-cache", "long")
	f("/demo/demo.css", "text/css; charset=utf-8", "no-cache", "a{}")
	f("/demo/img/hero.svg", "image/svg+xml", "no-cache", "<svg/>")
	f("/demo/img/", "text/html; charset=utf-8", "no-cache", "img")
	f("/demo/other.unknown", "application/octet-stream", "no-cache", "x")

	if r := d.do("GET", "/demo", ""); r.status != 302 || r.header("Location") != "demo/" {
		t.Errorf("/demo: %s", r.String())
	}
	for _, path := range []string{"/app.css", "/index.html", "/demo/index.html", "/demo/shop.html", "/demo/shop/", "/demo/img", "/secret.txt", "/static/hl.js"} {
		d.do("GET", path, "").is(404, "not_found")
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
		d.do(method, "/hl.js", "").is(405, "method_not_allowed")
	}
}

// TestFilePaths asks for what lies outside of the folders, as files there are.
func TestFilePaths(t *testing.T) {
	d := fileDesk(t)
	for _, base := range []string{"/", "/demo/", "/demo/img/", "/static/"} {
		for _, up := range []string{"../", "%2e%2e/", "..%2f", "%2e%2e%2f", ".%2e/", "..%5c", `..\`, "..;/", "....//", "%252e%252e/", "/", "%00/", "./"} {
			for _, name := range []string{"elsewhere/secret.html", "elsewhere/secret", "static/secret.txt", "secret.txt", "secret", "web.go", "files.go", "etc/passwd"} {
				for n := 1; n <= 4; n++ {
					d.do("GET", base+strings.Repeat(up, n)+name, "").is(404, "not_found")
				}
			}
			// what is left of a path leads to a route that wants its token still
			for n := 1; n <= 4; n++ {
				if r := d.do("GET", base+strings.Repeat(up, n)+"v1/bots", ""); r.status != 404 && r.status != 401 {
					t.Errorf("%s%sv1/bots: %d", base, strings.Repeat(up, n), r.status)
				}
			}
		}
	}
}

func TestFilePolicies(t *testing.T) {
	d := fileDesk(t)
	const none = "default-src 'none'; script-src 'self'; style-src 'self'; "
	for path, wants := range map[string][]string{
		"/":      {none, "connect-src 'self'; ", "base-uri 'none'; ", "form-action 'none'; ", "frame-ancestors 'none'; ", "require-trusted-types-for 'script'; trusted-types 'none'"},
		"/demo/": {none, "img-src 'self'; ", "connect-src 'self'; ", "frame-ancestors 'self'"},
	} {
		got := d.do("GET", path, "").header("Content-Security-Policy")
		for _, want := range wants {
			if !strings.Contains(got, want) {
				t.Errorf("policy of %s is %q, want %q", path, got, want)
			}
		}
		if strings.Contains(got, "unsafe") || strings.Contains(got, "*") {
			t.Errorf("policy of %s is %q", path, got)
		}
	}
	for path, anywhere := range map[string]bool{"/hl.js": true, "/hl-view.js": true, "/app.js": false, "/": false, "/demo/": false, "/demo/demo.css": false} {
		r := d.do("GET", path, "", "Origin: https://shop.example")
		origin, policy := "", "same-origin"
		if anywhere {
			origin, policy = "*", "cross-origin"
		}
		if r.header("Access-Control-Allow-Origin") != origin || r.header("Cross-Origin-Resource-Policy") != policy {
			t.Errorf("%s: %s", path, r.Header.String())
		}
	}
}

func TestFileEncodings(t *testing.T) {
	d := fileDesk(t)
	plain := d.do("GET", "/hl.js", "")
	zipped := d.do("GET", "/hl.js", "", "Accept-Encoding: br, gzip")
	if zipped.header("Content-Encoding") != "gzip" || len(zipped.body) >= len(plain.body) {
		t.Errorf("compressed: %d bytes of %d, %s", len(zipped.body), len(plain.body), zipped.Header.String())
	}
	z, err := gzip.NewReader(strings.NewReader(zipped.body))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(z); string(b) != plain.body || err != nil {
		t.Errorf("unpacked: %d bytes, %v", len(b), err)
	}
	for _, r := range []reply{plain, zipped} {
		if r.header("Vary") != "Accept-Encoding" || !regexp.MustCompile(`^"[\w-]+"$`).MatchString(r.header("ETag")) {
			t.Errorf("header is %s", r.Header.String())
		}
	}
	if plain.header("ETag") == zipped.header("ETag") {
		t.Error("both encodings have the same strong tag")
	}
	if short := d.do("GET", "/hl-view.js", "", "Accept-Encoding: gzip"); short.header("Content-Encoding") != "" || short.header("Vary") != "" {
		t.Errorf("a short file: %s", short.Header.String())
	}
	if again := fileDesk(t).do("GET", "/hl.js", ""); again.header("ETag") != plain.header("ETag") {
		t.Error("the same file has another tag in the next process")
	}
}

func TestFileTags(t *testing.T) {
	d := fileDesk(t)
	plain := d.do("GET", "/hl.js", "").header("ETag")
	zipped := d.do("GET", "/hl.js", "", "Accept-Encoding: gzip").header("ETag")
	f := func(want int, headers ...string) {
		t.Helper()
		r := d.do("GET", "/hl.js", "", headers...)
		if r.status != want || (want == 304) != (r.body == "") {
			t.Errorf("%q: %d with %d bytes, want %d", headers, r.status, len(r.body), want)
		}
		if r.header("ETag") == "" || r.header("Vary") != "Accept-Encoding" || r.header("Cache-Control") != "public, max-age=300" {
			t.Errorf("%q: %s", headers, r.Header.String())
		}
	}
	f(304, "If-None-Match: "+plain)
	f(304, "If-None-Match: W/"+plain)
	f(304, `If-None-Match: "a", `+plain+` , "b"`)
	f(304, `If-None-Match: "a"`, "If-None-Match: "+plain)
	f(304, "If-None-Match: *")
	f(304, "If-None-Match: "+zipped, "Accept-Encoding: gzip")
	f(200, "If-None-Match: "+zipped)
	f(200, "If-None-Match: "+plain, "Accept-Encoding: gzip")
	f(200, "If-None-Match: "+strings.Trim(plain, `"`))
	f(200, `If-None-Match: ""`)
	f(200, "If-None-Match: ")
}

// TestFileHead checks over a connection that HEAD gives the header of GET and no body.
func TestFileHead(t *testing.T) {
	h := start(t, wholeOptions())
	for path := range embeddedFiles() {
		whole, head := h.get(path, "Authorization", ""), h.do("HEAD", path, nil, "Authorization", "")
		if head.StatusCode != 200 || head.body != "" || head.ContentLength != int64(len(whole.body)) || head.Header.Get("ETag") != whole.Header.Get("ETag") {
			t.Errorf("HEAD %s: %d, %d bytes, %v; GET has %d bytes", path, head.StatusCode, len(head.body), head.Header, len(whole.body))
		}
	}
}

// TestEmbeddedFiles checks that the pages and scripts are there and are what their routes say.
func TestEmbeddedFiles(t *testing.T) {
	d := newDesk(t, nil)
	for _, path := range []string{"/", "/app.js", "/app.css", "/hl.js", "/hl-view.js", "/demo/", "/demo/shop", "/demo/product", "/demo/demo.css"} {
		if r := d.do("GET", path, ""); r.status != 200 || len(r.body) == 0 {
			t.Errorf("%s: %d with %d bytes", path, r.status, len(r.body))
		}
	}
	for path, f := range embeddedFiles() {
		if f.contentType == "application/octet-stream" {
			t.Errorf("%s has no type", path)
		}
		if strings.HasPrefix(f.contentType, "text/html") && !bytes.HasPrefix(f.plain.bytes, []byte("<!doctype html>")) {
			t.Errorf("%s is %.30q", path, f.plain.bytes)
		}
	}
}

// TestFilesStayWhole serves one file to many, some of whom would write into what they get.
func TestFilesStayWhole(t *testing.T) {
	d := fileDesk(t)
	f := madeFiles()["/hl.js"]
	before := bytes.Clone(f.plain.bytes)
	for range 3 {
		var ctx fasthttp.RequestCtx
		ctx.Init(&fasthttp.Request{}, nil, nil)
		f.serve(&ctx)
		ctx.Response.AppendBodyString("more")
		ctx.Response.Reset()
		ctx.Response.SetBodyString("other")
	}
	if !bytes.Equal(before, f.plain.bytes) {
		t.Error("the file has changed")
	}
	d.do("GET", "/hl.js", "").is(200, string(before))
}

func TestNoFiles(t *testing.T) {
	if got := loadFiles(fstest.MapFS{}); len(got) != 0 {
		t.Errorf("an empty folder gives %d files", len(got))
	}
}

// TestAppFrames wants the app's policy to name the sites of the moment, and nothing else.
func TestAppFrames(t *testing.T) {
	sites := newFakeSites()
	d := newDesk(t, func(o *Options) { o.Sites = sites })
	frames := func() string {
		t.Helper()
		r := d.do("GET", "/", "")
		_, list, _ := strings.Cut(r.header("Content-Security-Policy"), "frame-src ")
		if again := d.do("GET", "/", "", "If-None-Match: "+r.header("ETag")); again.status != 304 || !strings.HasSuffix(again.header("Content-Security-Policy"), "frame-src "+list) {
			t.Errorf("a browser that has the app is told %d, %q", again.status, again.header("Content-Security-Policy"))
		}
		return list
	}
	f := func(want string, origins ...string) {
		t.Helper()
		sites.list = []heatmap.Site{{Key: "shop", Origins: origins}, {Key: "blog", Origins: []string{"https://blog.example"}}}
		if got := frames(); got != want {
			t.Errorf("with %q the app frames %q, want %q", origins, got, want)
		}
	}
	f("'self' https://blog.example https://shop.example", "https://shop.example", "https://blog.example")
	f("'self' http://127.0.0.1:8085 https://blog.example", "http://127.0.0.1:8085", "https://x;script-src", "https://*.example")
	f("'self' https://blog.example")
	long := make([]string, maxFrameSources/20)
	for i := range long {
		long[i] = fmt.Sprintf("https://s%04d.example", i)
	}
	f("'self' http: https:", long...)
}
