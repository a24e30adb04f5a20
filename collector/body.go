package collector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/valyala/fasthttp"
)

// rawBody reads a request's body as it was sent, and tells a body that ended from one that broke off.
type rawBody struct {
	ctx    *fasthttp.RequestCtx
	r      io.Reader
	length int64 // as announced, -1 = chunked
	n      int64 // bytes read
	err    error // sticky
}

// open works for servers that stream bodies and for those that do not.
func (b *rawBody) open(ctx *fasthttp.RequestCtx) {
	*b = rawBody{ctx: ctx, r: ctx.RequestBodyStream(), length: int64(ctx.Request.Header.ContentLength())}
	if b.r == nil {
		body := ctx.Request.Body()
		b.r, b.length = bytes.NewReader(body), int64(len(body))
	}
}

// Read gives io.EOF only if the body is complete.
func (b *rawBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.r.Read(p)
	b.n += int64(n)
	if err == io.EOF && !b.complete() {
		err = io.ErrUnexpectedEOF
	}
	b.err = err
	return n, err
}

// complete tells, after the stream has given io.EOF, whether that was the end of the body. fasthttp's stream gives
// io.EOF as well when the connection was closed before the announced length, or between two chunks. In the first case
// the count tells. In the second, a stream that has seen the last chunk does not touch the connection again, and one
// that has not runs into a deadline that has passed.
func (b *rawBody) complete() bool {
	if b.length >= 0 {
		return b.n == b.length
	}
	conn := b.ctx.Conn()
	if conn.SetReadDeadline(time.Unix(1, 0)) != nil {
		return false
	}
	var one [1]byte
	_, err := b.r.Read(one[:])
	return conn.SetReadDeadline(time.Time{}) == nil && err == io.EOF
}

// finish reads what is left of the body, at most limit bytes, so that a client that still sends can read the answer. If
// the body did not end it has the connection closed: the next request on it would begin in the middle of this body.
func (b *rawBody) finish(limit int64) {
	if b.err == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(b, limit))
	}
	if b.err == nil {
		_, _ = b.Read(make([]byte, 1))
	}
	if b.err != io.EOF {
		b.ctx.SetConnectionClose()
	}
}

// readerPool keeps decompressors, which are dear to make.
type readerPool struct{ gzip, zstd sync.Pool }

// errEncoding is the error for a Content-Encoding that is not taken.
var errEncoding = errors.New("unknown content encoding")

// encoding gives the Content-Encoding of a request in lower case: "", gzip or zstd, or others.
func encoding(ctx *fasthttp.RequestCtx) string {
	e := strings.ToLower(strings.TrimSpace(string(ctx.Request.Header.ContentEncoding())))
	switch e {
	case "identity":
		return ""
	case "x-gzip":
		return "gzip"
	}
	return e
}

// unpacked is a body after decompression. Its errors say what is wrong with the body.
type unpacked struct {
	raw     *rawBody
	name    string // of the encoding
	r       io.Reader
	n       int64   // bytes given
	head    [4]byte // the first of them
	release func()
}

// unpack makes u decode a body. The error is errEncoding.
func (p *readerPool) unpack(u *unpacked, raw *rawBody, encoding string) error {
	*u = unpacked{raw: raw, name: encoding, release: func() {}}
	switch encoding {
	case "":
		u.r = raw
	case "gzip":
		u.r = &gzipBody{raw: raw, pool: &p.gzip}
		u.release = u.r.(*gzipBody).release
	case "zstd":
		return p.openZstd(u)
	default:
		return errEncoding
	}
	return nil
}

// Read gives io.EOF only if the body and all frames in it are complete.
func (u *unpacked) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	if u.n < int64(len(u.head)) {
		copy(u.head[u.n:], p[:n])
	}
	u.n += int64(n)
	switch {
	case err == nil:
		return n, nil
	case err == io.EOF && (u.name == "" || u.raw.n > 0):
		return n, io.EOF
	case err == io.EOF:
		err = io.ErrUnexpectedEOF // not even a header
	}
	if rawErr := u.raw.err; rawErr != nil && rawErr != io.EOF {
		return n, fmt.Errorf("the body breaks off after %d bytes: %w", u.raw.n, rawErr)
	}
	return n, fmt.Errorf("the %s data of the body is damaged: %w", u.name, err)
}

// packedAs gives the encoding that a body without Content-Encoding begins as, and the ending of such files; "" for none.
func (u *unpacked) packedAs() (encoding, ending string) {
	switch {
	case u.name != "":
		return "", ""
	case bytes.HasPrefix(u.head[:], []byte("\x1f\x8b")):
		return "gzip", ".gz"
	case bytes.HasPrefix(u.head[:], []byte("\x28\xb5\x2f\xfd")):
		return "zstd", ".zst"
	}
	return "", ""
}

// gzipBody reads one or more gzip members. The header is read by the first Read, so that its errors come from there.
type gzipBody struct {
	raw  *rawBody
	pool *sync.Pool
	r    *gzip.Reader
}

func (g *gzipBody) Read(p []byte) (int, error) {
	if g.r != nil {
		return g.r.Read(p)
	}
	r, _ := g.pool.Get().(*gzip.Reader)
	if r == nil {
		r = new(gzip.Reader)
	}
	g.r = r
	if err := r.Reset(g.raw); err != nil {
		return 0, err
	}
	return r.Read(p)
}

func (g *gzipBody) release() {
	if g.r == nil {
		return
	}
	_ = g.r.Reset(eof{}) // lets go of the request
	g.pool.Put(g.r)
	g.r = nil
}

// eof is an empty reader. It is no io.ByteReader, so that the gzip reader's buffer lets go of the body too.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// openZstd takes a decoder that has no goroutines of its own, so that it need not be closed.
func (p *readerPool) openZstd(u *unpacked) error {
	d, _ := p.zstd.Get().(*zstd.Decoder)
	if d == nil {
		var err error
		d, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(MaxZstdWindow))
		if err != nil {
			return fmt.Errorf("make zstd decoder: %w", err)
		}
	}
	if err := d.Reset(u.raw); err != nil {
		return fmt.Errorf("reset zstd decoder: %w", err)
	}
	u.r = d
	u.release = func() {
		if d.Reset(nil) == nil {
			p.zstd.Put(d)
		}
	}
	return nil
}
