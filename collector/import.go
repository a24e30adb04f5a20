package collector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// drainImport is how much of a refused import is still read, bytes, so that the client gets to read why.
const drainImport = 64 << 20

// Import answers POST /v1/import, whose caller is authorised already: hits as lines, plain, gzip or zstd, of any length
// in constant memory. The server has to stream request bodies (Server.StreamRequestBody) for that, and for keeping what
// came before a body broke off; a server that buffers them works too, up to its limit.
//
// fasthttp waits for the first 8 KiB of a streamed body, or for Server.MaxRequestBodySize if that is less, before it
// calls the handler, and refuses a body that breaks off in them by itself. Where MaxRequestBodySize is 1 for this route
// (Server.HeaderReceived can set it), every complete line counts.
func (c *Collector) Import(ctx *fasthttp.RequestCtx) {
	c.counts.importRequests.Add(1)
	raw := new(rawBody)
	raw.open(ctx)
	defer raw.finish(drainImport)
	if !ctx.IsPost() {
		ctx.Response.Header.Set(fasthttp.HeaderAllow, "POST")
		answerError(ctx, fasthttp.StatusMethodNotAllowed, apiError{Code: codeMethod, Message: "import takes POST only"})
		return
	}
	id, hasID, bad := importParams(ctx)
	if bad != nil {
		answerError(ctx, fasthttp.StatusBadRequest, *bad)
		return
	}
	body := new(unpacked)
	if err := c.readers.unpack(body, raw, encoding(ctx)); err != nil {
		c.counts.broken.Add(1)
		status, e := unpackError(ctx, err)
		answerError(ctx, status, e)
		return
	}
	defer body.release()
	im := c.newImporter(body)
	defer im.release()
	var status int
	if hasID {
		status = im.batch(id)
	} else {
		status = im.stream()
	}
	c.counts.bytes.Add(uint64(raw.n))
	c.counts.unpacked.Add(uint64(body.n))
	answerJSON(ctx, status, im.answer)
}

// importParams reads the query.
func importParams(ctx *fasthttp.RequestCtx) (id string, hasID bool, bad *apiError) {
	for name, value := range ctx.QueryArgs().All() {
		if string(name) != "batch" {
			return "", false, unknownParam(name)
		}
		if hasID {
			return "", false, &apiError{codeBadParam, "batch is there twice", "batch"}
		}
		id, hasID = string(value), true
	}
	if n := utf8.RuneCountInString(id); hasID && (n < 1 || n > heatmap.MaxBatchID || !utf8.ValidString(id)) {
		return "", false, &apiError{codeBadParam, fmt.Sprintf("batch has %d characters, want 1 to %d of UTF-8", n, heatmap.MaxBatchID), "batch"}
	}
	return id, hasID, nil
}

func unknownParam(name []byte) *apiError {
	field := shorten(name)
	return &apiError{codeBadParam, fmt.Sprintf("unknown parameter %q", field), field}
}

// unpackError is the status and the error for a body that cannot be unpacked.
func unpackError(ctx *fasthttp.RequestCtx, err error) (int, apiError) {
	if errors.Is(err, errEncoding) {
		return fasthttp.StatusUnsupportedMediaType, apiError{Code: codeEncoding, Message: fmt.Sprintf(
			"content-encoding is %q, want gzip, zstd or none", shorten(ctx.Request.Header.ContentEncoding()))}
	}
	return fasthttp.StatusInternalServerError, apiError{Code: codeInternal, Message: err.Error()}
}

// importer is one import under way, with memory that the next one uses again.
type importer struct {
	c      *Collector
	p      parser
	lines  lineReader
	body   *unpacked
	answer importAnswer
	counts [numReasons]uint64
}

func (c *Collector) newImporter(body *unpacked) *importer {
	im, _ := c.importers.Get().(*importer)
	if im == nil {
		im = &importer{c: c, p: newParser(c.o.Sites)}
	}
	im.p.setNow(c.o.Now())
	im.body = body
	im.lines.reset(body)
	im.answer = importAnswer{Errors: []lineError{}}
	im.counts = [numReasons]uint64{}
	return im
}

func (im *importer) release() {
	for r, n := range im.counts {
		im.c.counts.rejected[r].Add(n)
	}
	im.body, im.lines.r = nil, nil
	im.c.importers.Put(im)
}

// reject counts the line that was read last as refused.
func (im *importer) reject(f *fault) {
	im.answer.Rejected++
	im.counts[f.reason]++
	if len(im.answer.Errors) < MaxErrors {
		im.answer.Errors = append(im.answer.Errors, lineError{im.lines.number, im.message(f)})
	}
}

// message is that of f, but for the first line of a body that is packed without saying so.
func (im *importer) message(f *fault) string {
	if im.lines.number == 1 {
		if encoding, ending := im.body.packedAs(); encoding != "" {
			return fmt.Sprintf("the body is %s data, not lines: send it with Content-Encoding: %s, or import a file whose name ends in %s",
				encoding, encoding, ending)
		}
	}
	return f.message()
}

// fail adds why the import went no further to the answer and gives status.
func (im *importer) fail(status int, e apiError) int {
	return im.failAt(im.lines.number, status, e)
}

// failAt is fail for what another line than the last one is the first to suffer from.
func (im *importer) failAt(line, status int, e apiError) int {
	im.answer.Errors = append(im.answer.Errors, lineError{line, e.Message})
	im.answer.Error = &e
	return status
}

// broken is fail for a body that broke off.
func (im *importer) broken(err error) int {
	im.c.counts.broken.Add(1)
	return im.fail(fasthttp.StatusBadRequest, apiError{Code: codeBrokenBody, Message: fmt.Sprintf("line %d is not complete: %v", im.lines.number, err)})
}

// lineTooLong is the fault of a line that was skipped.
func lineTooLong() *fault {
	return &fault{reason: ReasonTooLong, form: formText, field: "the line", want: "is longer than 65536 bytes"}
}

// isBlank reports whether a line has nothing in it.
func isBlank(line []byte) bool {
	return len(line) == 0 || line[0] <= ' ' && len(bytes.TrimSpace(line)) == 0
}

// next parses lines until one is a hit, which it puts into h. The error is that of the body.
func (im *importer) next(h *heatmap.Hit) (lineBytes int, err error) {
	for {
		line, tooLong, err := im.lines.next()
		switch {
		case err != nil:
			return 0, err
		case tooLong:
			im.reject(lineTooLong())
		case isBlank(line):
		case im.p.parseLine(line, h):
			return len(line) + 1, nil
		default:
			im.reject(&im.p.fault)
		}
	}
}

// stream stores the lines in appends of a few thousand hits: while one is being made durable, the next is parsed.
func (im *importer) stream() (status int) {
	pl := newPipeline(im.c)
	bodyErr := im.feed(pl)
	storeErr := pl.finish()
	im.answer.Accepted = pl.stored
	im.c.counts.importAccepted.Add(uint64(pl.stored))
	switch {
	case storeErr != nil:
		return im.notStored(pl.lost, fmt.Errorf("lines from %d on are not stored: %w", pl.lost, storeErr))
	case bodyErr != io.EOF:
		return im.broken(bodyErr)
	}
	return fasthttp.StatusOK
}

// feed parses until the body ends, which is io.EOF, or the journal refuses.
func (im *importer) feed(pl *pipeline) error {
	for {
		g := pl.group(im.lines.number + 1)
		err := im.fill(g)
		if goOn := pl.commit(g); err != nil || !goOn {
			return err
		}
		im.p.setNow(im.c.o.Now())
	}
}

// fill parses lines until g is full. The error is that of the body.
func (im *importer) fill(g *group) error {
	for !g.full() {
		n, err := im.next(g.next())
		if err != nil {
			return err
		}
		g.take(n, im.p.site)
	}
	return nil
}

// notStored is failAt for what the journal or the index did not take.
func (im *importer) notStored(line int, err error) int {
	im.c.storeFailed(err)
	status, e := storeError(err)
	return im.failAt(line, status, e)
}
