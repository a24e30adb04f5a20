package collector

import (
	"encoding/json"

	"github.com/valyala/fasthttp"
)

// retryAfter is what a 503 asks clients to wait, seconds.
const retryAfter = "2"

// apiError is an error as every route answers it.
type apiError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Field   string `json:"field,omitempty"`
}

// Codes of answers that are no 2xx.
const (
	codeBadParam     = "bad_param"
	codeBadHit       = "bad_hit"
	codeBadBatch     = "bad_batch"
	codeBrokenBody   = "broken_body"
	codeTooLarge     = "too_large"
	codeMediaType    = "unsupported_media_type"
	codeEncoding     = "unsupported_encoding"
	codeMethod       = "method_not_allowed"
	codeUnknownSite  = "unknown_site"
	codeOrigin       = "origin_not_listed"
	codeRateLimited  = "rate_limited"
	codeUnavailable  = "unavailable"
	codeInternal     = "internal"
	allowPostOptions = "POST, OPTIONS"
)

// lineError is one refused line in the answer to an import.
type lineError struct {
	Line    int    `json:"line"`
	Message string `json:"message"`
}

// importAnswer is the answer to an import; Error is there unless the status is 200. The last of Errors then says the same;
// where lines could not be stored, and the import has no name, its line is the first of them.
type importAnswer struct {
	Accepted int         `json:"accepted"`
	Rejected int         `json:"rejected"`
	Errors   []lineError `json:"errors"`
	Error    *apiError   `json:"error,omitempty"`
}

// answerJSON sends v.
func answerJSON(ctx *fasthttp.RequestCtx, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("BUG: answer cannot be encoded: " + err.Error())
	}
	ctx.SetStatusCode(status)
	ctx.SetContentType("application/json")
	ctx.Response.Header.Set("X-Content-Type-Options", "nosniff")
	if status == fasthttp.StatusServiceUnavailable {
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, retryAfter)
	}
	ctx.SetBody(b)
}

// answerError sends an error.
func answerError(ctx *fasthttp.RequestCtx, status int, e apiError) {
	answerJSON(ctx, status, struct {
		Error apiError `json:"error"`
	}{e})
}

// storeError is the status and the error for hits that could not be stored.
func storeError(err error) (int, apiError) {
	if passes(err) {
		return fasthttp.StatusServiceUnavailable, apiError{Code: codeUnavailable, Message: err.Error()}
	}
	return fasthttp.StatusInternalServerError, apiError{Code: codeInternal, Message: err.Error()}
}
