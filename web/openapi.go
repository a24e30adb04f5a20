package web

import (
	_ "embed"
	"sync"

	"github.com/valyala/fasthttp"
)

// openAPI describes every route, and is tested against them.
//
//go:embed openapi.json
var openAPI []byte

// openAPIFile is the description as it is served. Tools of other origins may load it.
var openAPIFile = sync.OnceValue(func() *file {
	f := file{cache: revalidated, anywhere: true}.fill("openapi.json", openAPI)
	f.contentType = jsonType
	return f
})

// schemaFile is the JSON Schema of rules as it is served, to editors too.
func schemaFile(text string) *file {
	f := file{cache: revalidated, anywhere: true}.fill("rules-schema.json", []byte(text))
	f.contentType = jsonType
	return f
}

// strictly refuses what a query string may not have, which is everything.
func strictly(h handler) handler {
	return func(ctx *fasthttp.RequestCtx) error {
		if p := parseParams(ctx.URI().QueryString()); p.err != nil {
			return p.err
		}
		return h(ctx)
	}
}
