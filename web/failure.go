package web

import (
	"context"
	"errors"
	"log/slog"
	"strconv"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// apiError is an error as the client sees it.
type apiError struct {
	status               int
	code, message, field string
	hangUp               bool // what follows on the connection cannot be trusted
	retryAfter           int  // s, 0 = nothing is said
}

func (e *apiError) Error() string { return e.message }

func badParam(field, message string) *apiError {
	return &apiError{status: fasthttp.StatusBadRequest, code: "bad_param", message: message, field: field}
}

func badRequest(message string) *apiError {
	return &apiError{status: fasthttp.StatusBadRequest, code: "bad_request", message: message}
}

func errInternal() *apiError {
	return &apiError{status: fasthttp.StatusInternalServerError, code: "internal", message: "heatlog could not answer; its log has the cause"}
}

func tooLarge(message string) *apiError {
	return &apiError{status: fasthttp.StatusRequestEntityTooLarge, code: "too_large", message: message}
}

// retryAfter is what a client is told to wait when an answer took too long or the server is ending, s.
const retryAfter = "5"

// fail makes the answer of an error. What is not the client's fault is logged.
func (s *Server) fail(ctx *fasthttp.RequestCtx, err error) {
	e := s.explain(err)
	if e.code == "internal" {
		s.o.Logger.Error("answer request", slog.String("path", string(ctx.Path())), slog.Any("err", err))
	}
	writeError(ctx, e)
}

func (s *Server) explain(err error) *apiError {
	var mine *apiError
	var param *heatmap.ParamError
	var gone *heatmap.GoneError
	var state *heatmap.StateError
	var unavailable *heatmap.UnavailableError
	switch {
	case errors.As(err, &mine):
		return mine
	case errors.As(err, &param) && (param.Field == "generation" || param.Field == "minus_generation"):
		return &apiError{status: fasthttp.StatusNotFound, code: "not_found", message: param.Message, field: param.Field}
	case errors.As(err, &param):
		return badParam(param.Field, param.Message)
	case errors.As(err, &gone):
		return &apiError{status: fasthttp.StatusGone, code: "gone", message: gone.Message, field: gone.Field}
	case errors.As(err, &state):
		return &apiError{status: fasthttp.StatusConflict, code: "conflict", message: state.Error()}
	case errors.As(err, &unavailable):
		return &apiError{status: fasthttp.StatusServiceUnavailable, code: "unavailable", message: unavailable.Message}
	case errors.Is(err, context.DeadlineExceeded):
		return &apiError{status: fasthttp.StatusServiceUnavailable, code: "unavailable",
			message: "the answer took longer than " + s.o.QueryTimeout.String() + "; ask for less (a shorter range, no where) or again later"}
	case errors.Is(err, context.Canceled):
		return &apiError{status: fasthttp.StatusServiceUnavailable, code: "unavailable", message: "the server is ending"}
	}
	return errInternal()
}

// writeError replaces what was written of the answer, but for the Allow header.
func writeError(ctx *fasthttp.RequestCtx, e *apiError) {
	allow := string(ctx.Response.Header.Peek("Allow"))
	ctx.Response.Reset()
	ctx.SetStatusCode(e.status)
	if allow != "" {
		ctx.Response.Header.Set("Allow", allow)
	}
	if e.hangUp {
		ctx.SetConnectionClose()
	}
	switch e.status {
	case fasthttp.StatusUnauthorized:
		ctx.Response.Header.Set("WWW-Authenticate", `Bearer realm="heatlog"`)
	case fasthttp.StatusServiceUnavailable:
		ctx.Response.Header.Set("Retry-After", retryAfter)
	}
	e.setRetryAfter(ctx)
	dst := append([]byte(nil), `{"error":{"code":`...)
	dst = appendString(dst, e.code)
	dst = append(dst, `,"message":`...)
	dst = appendString(dst, e.message)
	if e.field != "" {
		dst = append(dst, `,"field":`...)
		dst = appendString(dst, e.field)
	}
	writeBody(ctx, jsonType, append(dst, "}}\n"...))
}

func (e *apiError) setRetryAfter(ctx *fasthttp.RequestCtx) {
	if e.retryAfter > 0 {
		ctx.Response.Header.Set("Retry-After", strconv.Itoa(e.retryAfter))
	}
}

// shorten quotes what a client gave for a message about it.
func shorten(v string) string {
	const most = 60
	runes := 0
	for i := range v {
		if runes == most {
			return strconv.Quote(v[:i]) + "…"
		}
		runes++
	}
	return strconv.Quote(v)
}
