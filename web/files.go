package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/valyala/fasthttp"
)

//go:embed static demo
var embedded embed.FS

// Policies of the pages. None loads anything from elsewhere. The app may be framed by nobody, and frames pages of the
// registered sites; the demo is framed by the app.
const (
	appPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'; frame-src 'self'"
	demoPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)

// maxFrameSources is how long the list of origins that the app may frame can be, bytes: proxies take 4 KiB of headers. Where
// the sites have more, the app may frame any page.
const maxFrameSources = 2 << 10

// revalidated lets a browser keep a file but ask each time whether it is still the one.
const revalidated = "no-cache"

// A file is an embedded file as it is served. What is in it is never changed.
type file struct {
	plain, zipped variant // zipped is empty if it would not be shorter
	contentType   string
	cache         string // Cache-Control
	policy        string // Content-Security-Policy, "" = none
	anywhere      bool   // pages of other origins may load it
}

// variant is one encoding of a file, with a strong ETag of its own.
type variant struct {
	bytes          []byte
	encoding, etag string
}

// embeddedFiles are the files by the path that they are served at. They are compressed once, when the first server of
// the process is made.
var embeddedFiles = sync.OnceValue(func() map[string]*file { return loadFiles(embedded) })

// staticFiles are the files of the folder static, all of which are optional.
func staticFiles() map[string]file {
	return map[string]file{
		"index.html": {policy: appPolicy, cache: revalidated},
		"app.js":     {cache: revalidated},
		"app.css":    {cache: revalidated},
		"hl.js":      {cache: "public, max-age=300", anywhere: true},
		"hl-view.js": {cache: revalidated, anywhere: true},
	}
}

func loadFiles(from fs.FS) map[string]*file {
	files := map[string]*file{}
	for name, f := range staticFiles() {
		if b, err := fs.ReadFile(from, "static/"+name); err == nil {
			files[pagePath("/", name)] = f.fill(name, b)
		}
	}
	fs.WalkDir(from, "demo", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(from, name)
		if err == nil {
			f := file{cache: revalidated, policy: demoPolicy}
			name = strings.TrimPrefix(name, "demo/")
			files[pagePath("/demo/", name)] = f.fill(name, b)
		}
		return err
	})
	return files
}

// pagePath is where a file is served: pages without their .html, and index.html at its folder.
func pagePath(base, name string) string {
	if page, ok := strings.CutSuffix(name, ".html"); ok {
		name = page
		if path.Base(page) == "index" {
			name = strings.TrimSuffix(page, "index")
		}
	}
	return base + name
}

// fill gives a file its content.
func (f file) fill(name string, b []byte) *file {
	f.contentType = contentType(path.Ext(name))
	sum := sha256.Sum256(b)
	tag := tokenText(sum[:12])
	f.plain = variant{b, "", `"` + tag + `"`}
	if zipped := zip(b); len(b) >= minCompress && len(zipped) < len(b) {
		f.zipped = variant{zipped, "gzip", `"` + tag + `-gz"`}
	}
	return &f
}

func zip(b []byte) []byte {
	var buf bytes.Buffer
	w, _ := gzip.NewWriterLevel(&buf, gzip.BestCompression) // the level is a valid one, memory takes every byte
	w.Write(b)
	w.Close()
	return buf.Bytes()
}

func contentType(ext string) string {
	switch ext {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".jpg":
		return "image/jpeg"
	case ".webp":
		return "image/webp"
	case ".ico":
		return "image/x-icon"
	}
	return "application/octet-stream"
}

// serveApp answers with the app, whose policy names the sites of the moment: a browser that has the file takes the policy
// of the answer.
func (s *Server) serveApp(f *file) handler {
	return func(ctx *fasthttp.RequestCtx) error {
		if err := f.serve(ctx); err != nil {
			return err
		}
		ctx.Response.Header.Set("Content-Security-Policy", f.policy+s.frameSources())
		return nil
	}
}

// frameSources are the origins of all sites, as they follow in a policy's frame-src.
func (s *Server) frameSources() string {
	if s.o.Sites == nil {
		return ""
	}
	var origins []string
	for _, site := range s.o.Sites.List() {
		origins = append(origins, site.Origins...)
	}
	slices.Sort(origins)
	var list strings.Builder
	for _, origin := range slices.Compact(origins) {
		if strings.ContainsAny(origin, " ;,'\"*") { // what would end the list, or be more than one origin
			continue
		}
		list.WriteString(" " + origin)
	}
	if list.Len() > maxFrameSources {
		return " http: https:"
	}
	return list.String()
}

// serve answers with a file, or with 304 if the client has it.
func (f *file) serve(ctx *fasthttp.RequestCtx) error {
	b := f.plain
	if f.zipped.bytes != nil && acceptsGzip(&ctx.Request.Header) {
		b = f.zipped
	}
	h := &ctx.Response.Header
	setHeaders(ctx, f.contentType)
	h.Set("Cache-Control", f.cache)
	h.Set("ETag", b.etag)
	if f.zipped.bytes != nil {
		h.Set("Vary", "Accept-Encoding")
	}
	if f.policy != "" {
		h.Set("Content-Security-Policy", f.policy)
		h.Set("Referrer-Policy", "same-origin")
	}
	if f.anywhere {
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	if hasTag(&ctx.Request.Header, b.etag) {
		ctx.SetStatusCode(fasthttp.StatusNotModified)
		return nil
	}
	if b.encoding != "" {
		h.Set("Content-Encoding", b.encoding)
	}
	ctx.Response.SetBodyRaw(b.bytes)
	return nil
}

// hasTag reads If-None-Match (RFC 9110, 13.1.2): a list of tags, whose W/ does not matter here, or *.
func hasTag(h *fasthttp.RequestHeader, etag string) bool {
	for _, line := range h.PeekAll("If-None-Match") {
		for tag := range strings.SplitSeq(string(line), ",") {
			tag = strings.TrimSpace(tag)
			if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
				return true
			}
		}
	}
	return false
}

// demoRedirect leads to the demo's first page, whatever path a proxy has the server under.
func demoRedirect(ctx *fasthttp.RequestCtx) error {
	return redirect(ctx, "demo/", fasthttp.StatusFound)
}

// redirect leads to a place relative to the one that was asked for.
func redirect(ctx *fasthttp.RequestCtx, to string, status int) error {
	setHeaders(ctx, "text/plain; charset=utf-8")
	ctx.Response.Header.Set("Location", to)
	ctx.SetStatusCode(status)
	return nil
}
