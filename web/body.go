package web

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/valyala/fasthttp"
)

// readBody reads a request's body of at most limit bytes. fasthttp itself keeps no limit on a streamed body, and its
// PostBody gives an error's text for one that breaks off.
func readBody(ctx *fasthttp.RequestCtx, limit int) ([]byte, error) {
	if len(ctx.Request.Header.Peek("Content-Encoding")) > 0 {
		return nil, badRequest("Content-Encoding is not taken here; send the body as it is")
	}
	stream := ctx.RequestBodyStream()
	if stream == nil {
		return checkedBody(ctx.Request.Body(), limit)
	}
	body, err := io.ReadAll(io.LimitReader(stream, int64(limit)+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, &apiError{status: fasthttp.StatusRequestTimeout, code: "timeout", message: "the body took too long to come"}
	case err != nil:
		return nil, badRequest(fmt.Sprintf("body broke off after %d bytes", len(body)))
	}
	return checkedBody(body, limit)
}

func checkedBody(body []byte, limit int) ([]byte, error) {
	if len(body) > limit {
		return nil, tooLarge(fmt.Sprintf("body is over %d bytes", limit))
	}
	return body, nil
}

// settle sees to what the handler left of the request's body: fasthttp would take it for the next request. A little is
// read; with more the connection ends after the answer.
func settle(ctx *fasthttp.RequestCtx) {
	stream := ctx.RequestBodyStream()
	if stream == nil {
		return
	}
	if _, err := stream.Read(nil); err == io.EOF { // the handler has read it all
		return
	}
	if n := ctx.Request.Header.ContentLength(); n <= maxDiscard && !ctx.Response.ConnectionClose() {
		if _, err := io.CopyN(io.Discard, stream, maxDiscard+1); errors.Is(err, io.EOF) {
			return
		}
	}
	ctx.SetConnectionClose()
	if c, ok := ctx.Conn().(*conn); ok {
		c.linger.Store(true)
	}
}
