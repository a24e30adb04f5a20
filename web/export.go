package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

const (
	exportBuffer = 64 << 10               // bytes of lines that are sent at a time
	exportFlush  = 500 * time.Millisecond // after so long a line is sent with what waits before it, however little
)

// export streams hits. The answer's header waits for the first lines, so that what is wrong from the start gets a status
// of its own; what goes wrong later breaks the body off.
func (s *Server) export(ctx *fasthttp.RequestCtx) error {
	q, positions, err := parseExportQuery(ctx.URI().QueryString())
	if err != nil {
		return err
	}
	zip := acceptsGzip(&ctx.Request.Header)
	if ctx.IsHead() {
		exportHeaders(ctx, zip)
		return nil
	}
	body := s.startExport(q, positions, zip)
	if _, err := body.Peek(1); err != nil && !errors.Is(err, io.EOF) {
		body.Close()
		return err
	}
	exportHeaders(ctx, zip)
	ctx.SetBodyStream(body, -1)
	return nil
}

func exportHeaders(ctx *fasthttp.RequestCtx, zip bool) {
	setHeaders(ctx, "application/x-ndjson")
	ctx.Response.Header.Set("Vary", "Accept-Encoding")
	if zip {
		ctx.Response.Header.Set("Content-Encoding", "gzip")
	}
}

// exportBody is the reading end of an export. An error that it gives in place of io.EOF makes fasthttp close the
// connection without the last chunk.
type exportBody struct {
	*bufio.Reader
	pipe   *io.PipeReader
	cancel context.CancelFunc
}

// Close ends the export, if it still runs.
func (b *exportBody) Close() error {
	b.cancel()
	return b.pipe.Close()
}

func (s *Server) startExport(q heatmap.Query, positions map[string]uint64, zip bool) *exportBody {
	r, w := io.Pipe()
	ctx, cancel := context.WithCancel(s.base)
	s.exports.Go(func() {
		defer cancel()
		err := s.runExport(ctx, q, positions, newLineWriter(w, zip, s.o.Now))
		w.CloseWithError(err) // nil is io.EOF
	})
	return &exportBody{Reader: bufio.NewReader(r), pipe: r, cancel: cancel}
}

func (s *Server) runExport(ctx context.Context, q heatmap.Query, positions map[string]uint64, w *lineWriter) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("export hits: panic: %v\n%s", p, debug.Stack())
		}
		if err != nil && w.sent && !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, context.Canceled) {
			s.o.Logger.Error("export hits", "site", q.Site, "err", err) // later than any answer could say so
		}
	}()
	err = s.o.Export(ctx, q, positions, func(h *heatmap.Hit) error {
		w.line = s.o.AppendLine(w.line[:0], h)
		return w.writeLine()
	})
	if err != nil {
		return err
	}
	return w.close()
}

// lineWriter gathers lines and sends them on, compressed or not, when there are enough or it is time.
type lineWriter struct {
	to   io.Writer // the pipe
	zip  *gzip.Writer
	now  func() time.Time
	line []byte
	buf  []byte
	last time.Time // when something was sent
	sent bool      // something was
}

func newLineWriter(to io.Writer, zip bool, now func() time.Time) *lineWriter {
	w := &lineWriter{to: to, now: now, buf: make([]byte, 0, exportBuffer), last: now()}
	if zip {
		w.zip, _ = gzip.NewWriterLevel(to, gzip.BestSpeed) // the level is a valid one
	}
	return w
}

func (w *lineWriter) writeLine() error {
	if n := len(w.line); n == 0 || w.line[n-1] != '\n' {
		w.line = append(w.line, '\n')
	}
	w.buf = append(w.buf, w.line...)
	if len(w.buf) < exportBuffer && w.now().Sub(w.last) < exportFlush {
		return nil
	}
	return w.flush()
}

func (w *lineWriter) flush() error {
	w.last = w.now()
	w.sent = true
	buf := w.buf
	w.buf = w.buf[:0]
	if w.zip == nil {
		_, err := w.to.Write(buf)
		return err
	}
	if _, err := w.zip.Write(buf); err != nil {
		return err
	}
	return w.zip.Flush()
}

// close sends the rest. A compressed stream gets its end only here, so that one that breaks off is seen to.
func (w *lineWriter) close() error {
	if len(w.buf) > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	if w.zip != nil {
		return w.zip.Close()
	}
	return nil
}
