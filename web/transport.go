package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// Bounds on connections. A client that is slow or silent costs a goroutine and its buffers until one of them ends it.
const (
	headerBuffer = 16 << 10         // bytes of a request's first line and headers: a url= of 8 KiB fits, mostly escaped
	requestTime  = 10 * time.Second // for a request's header and body, but for an import's
	idleTime     = 60 * time.Second // between the requests of a connection
	stallTime    = 30 * time.Second // for the next bytes of an import, and for a client to take writePiece bytes
	writePiece   = 64 << 10
	lingerTime   = 2 * time.Second // for a client to stop sending what was refused
	lingerBytes  = 64 << 20
	lastWords    = time.Second // for what Shutdown breaks off: to be told, and then to return
)

func (s *Server) transport() *fasthttp.Server {
	handler := fasthttp.RequestHandler(s.Handler)
	if s.o.Around != nil {
		handler = s.o.Around(handler)
	}
	return &fasthttp.Server{
		Handler:       handler,
		ErrorHandler:  s.unreadable,
		ExpectHandler: s.expect,
		Concurrency:   s.o.MaxConns,

		HeaderReceived: streamsAll,

		ReadBufferSize: headerBuffer,
		ReadTimeout:    requestTime,
		IdleTimeout:    idleTime,

		StreamRequestBody:            true,
		DisablePreParseMultipartForm: true, // else forms go to files
		CloseOnShutdown:              true,
		NoDefaultServerHeader:        true,
		SecureErrorLogMessage:        true,
		Logger:                       connLogger{s.o.Logger},
	}
}

const importPath = "/v1/import"

// streamsAll lets an import have its body from the first byte on. fasthttp reads the first 8 KiB of a body itself, and if
// the client goes within them, no handler would see the lines that came.
func streamsAll(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
	if path, _, _ := strings.Cut(string(h.RequestURI()), "?"); path == importPath {
		return fasthttp.RequestConfig{MaxRequestBodySize: 1}
	}
	return fasthttp.RequestConfig{}
}

// Serve answers the requests of l's connections until Shutdown, then returns nil, or until Accept fails, then returns its
// error. It may be called for several listeners.
func (s *Server) Serve(l net.Listener) error {
	if err := s.http.Serve(listener{l, s.conns}); err != nil {
		return fmt.Errorf("serve HTTP on %s: %w", l.Addr(), err)
	}
	return nil
}

// Shutdown ends the streams of answers that stay alive, closes the listeners, lets running requests end and waits for them. When ctx ends first, it cancels queries
// and exports, gives their clients a moment to be told, closes all connections and returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error {
	s.live.shut(ctx)
	err := s.http.ShutdownWithContext(ctx)
	if err != nil {
		err = fmt.Errorf("shut down HTTP server: %w", err)
		s.breakOff()
	}
	s.cancel()
	s.exports.Wait()
	return err
}

// breakOff ends the connections that are left. fasthttp itself would go on serving them.
func (s *Server) breakOff() {
	s.ending.Store(true) // before the answers that cancel brings
	s.cancel()
	s.conns.wait(lastWords)
	s.conns.hangUp()
	s.conns.wait(lastWords)
}

// expect answers "Expect: 100-continue" before a body is sent in vain. Of a body that is on its way all the same a while is
// read, so that its client gets the answer.
func (s *Server) expect(ctx *fasthttp.RequestCtx) int {
	r := s.findRoute(string(ctx.Path()))
	if _, err := s.admit(ctx, r); err != nil {
		s.fail(ctx, err)
		s.shareAnswer(ctx, r)
		if c, ok := ctx.Conn().(*conn); ok {
			c.linger.Store(true)
		}
		return ctx.Response.StatusCode()
	}
	return fasthttp.StatusContinue
}

// unreadable answers a request that could not be read. The error itself is not sent back: it quotes the request.
func (s *Server) unreadable(ctx *fasthttp.RequestCtx, err error) {
	var small *fasthttp.ErrSmallBuffer
	var timeout net.Error
	switch {
	case errors.As(err, &small):
		writeError(ctx, &apiError{status: fasthttp.StatusRequestHeaderFieldsTooLarge, code: "headers_too_large",
			message: fmt.Sprintf("the request's first line and headers are over %d bytes", headerBuffer)})
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		writeError(ctx, tooLarge("body is too large"))
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		writeError(ctx, &apiError{status: fasthttp.StatusRequestTimeout, code: "timeout", message: "the request took too long to come"})
	default:
		writeError(ctx, badRequest("the request is not well-formed HTTP"))
	}
}

// checkFraming refuses a request with both Content-Length and Transfer-Encoding: fasthttp takes the latter, a proxy before
// it may take the former, and what one holds for a body is a request to the other (RFC 9112, 11.2). A Transfer-Encoding of
// HTTP/1.0 is looked for in the raw header: fasthttp goes by the length there.
func checkFraming(h *fasthttp.RequestHeader) error {
	if chunked := h.ContentLength() == -1; !chunked && h.IsHTTP11() {
		return nil
	}
	raw := h.RawHeaders()
	if hasHeader(raw, "Transfer-Encoding") && hasHeader(raw, "Content-Length") {
		e := badRequest("the request has both Content-Length and Transfer-Encoding")
		e.hangUp = true
		return e
	}
	return nil
}

// hasHeader reports whether a line of raw headers has a name.
func hasHeader(raw []byte, name string) bool {
	for len(raw) > 0 {
		if len(raw) > len(name) && raw[len(name)] == ':' && strings.EqualFold(string(raw[:len(name)]), name) {
			return true
		}
		end := bytes.IndexByte(raw, '\n')
		if end < 0 {
			return false
		}
		raw = raw[end+1:]
	}
	return false
}

// connLogger logs what fasthttp says about connections, without the clients' addresses.
type connLogger struct{ l *slog.Logger }

// Printf logs the error among args; without one it is about the server as a whole.
func (c connLogger) Printf(format string, args ...any) {
	for _, a := range args {
		if err, ok := a.(error); ok {
			c.l.Debug("serve connection", "err", withoutAddresses(err))
			return
		}
	}
	c.l.Warn("serve connections", "err", fmt.Sprintf(format, args...))
}
