package collector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// drainIn is how much of a refused batch is still read, bytes.
const drainIn = 1 << 20

// In answers POST and OPTIONS of /v1/in: the tracker's batches, from any origin that is listed for the site. It works
// with servers that stream bodies and with those that do not; MaxBody holds in both.
func (c *Collector) In(ctx *fasthttp.RequestCtx) {
	c.counts.inRequests.Add(1)
	ctx.Response.Header.SetCanonical(varyName, originName)
	origin := ctx.Request.Header.Peek(fasthttp.HeaderOrigin)
	if c.o.Sites.knowsOrigin(origin) {
		allowOrigin(ctx, origin)
	}
	hits, wait := c.in(ctx, origin)
	if wait == nil {
		return
	}
	if err := wait(); err != nil {
		err = c.notAppended(err)
		c.storeFailed(err)
		status, e := notStored(err)
		answerError(ctx, status, e)
		return
	}
	c.counts.inAccepted.Add(uint64(hits))
	ctx.SetStatusCode(fasthttp.StatusNoContent)
}

// in is In up to where the hits are with the journal. If wait is nil the request is answered. The parser is free again
// before anybody waits, so that a few serve any number of connections and stay in the processor's cache.
func (c *Collector) in(ctx *fasthttp.RequestCtx, origin []byte) (hits int, wait func() error) {
	p, _ := c.batches.Get().(*batchParser)
	if p == nil {
		p = &batchParser{parser: newParser(c.o.Sites)}
	}
	defer c.batches.Put(p)
	p.raw.open(ctx)
	defer p.raw.finish(drainIn)
	switch {
	case ctx.IsOptions():
		c.preflight(ctx, origin)
		return 0, nil
	case !ctx.IsPost():
		ctx.Response.Header.Set(fasthttp.HeaderAllow, allowPostOptions)
		answerError(ctx, fasthttp.StatusMethodNotAllowed, apiError{Code: codeMethod, Message: "hits are taken by POST only"})
		return 0, nil
	case c.limited(ctx):
		return 0, nil
	}
	wait, status, e := c.takeBatch(ctx, p, origin)
	if status != 0 {
		answerError(ctx, status, e)
	}
	return len(p.hits), wait
}

// allowOrigin lets the page that sent the request read the answer.
func allowOrigin(ctx *fasthttp.RequestCtx, origin []byte) {
	ctx.Response.Header.SetCanonical(allowOriginName, origin)
	ctx.Response.Header.SetCanonical(exposeName, exposed)
}

// What every answer says, as bytes: fasthttp would copy and normalise strings anew for each.
var (
	varyName        = []byte(fasthttp.HeaderVary)
	originName      = []byte(fasthttp.HeaderOrigin)
	allowOriginName = []byte(fasthttp.HeaderAccessControlAllowOrigin)
	exposeName      = []byte(fasthttp.HeaderAccessControlExposeHeaders)
	exposed         = []byte(fasthttp.HeaderRetryAfter)
)

// limited answers a request whose address has sent too many. It is asked before the body is read. Preflights pass: they
// cost little, and a browser would not let the page see why one was refused.
func (c *Collector) limited(ctx *fasthttp.RequestCtx) bool {
	if c.limit == nil {
		return false
	}
	wait := c.limit.allow(c.o.ClientIP(ctx), c.o.Now())
	if wait <= 0 {
		return false
	}
	c.counts.limited.Add(1)
	seconds := int((wait + time.Second - 1) / time.Second)
	ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, strconv.Itoa(seconds))
	answerError(ctx, fasthttp.StatusTooManyRequests, apiError{Code: codeRateLimited, Message: fmt.Sprintf(
		"more than %v requests/s came from this address, send them again in %d s", c.o.RateLimit, seconds)})
	return true
}

// preflight answers what a browser asks before it sends JSON. It does not say for which site it will be, so the origin
// of any site is good.
func (c *Collector) preflight(ctx *fasthttp.RequestCtx, origin []byte) {
	if !c.o.Sites.knowsOrigin(origin) {
		c.counts.unauthorized.Add(1)
		answerError(ctx, fasthttp.StatusForbidden, apiError{Code: codeOrigin, Message: "origin is not listed for any site"})
		return
	}
	h := &ctx.Response.Header
	h.Set(fasthttp.HeaderAccessControlAllowMethods, "POST")
	h.Set(fasthttp.HeaderAccessControlAllowHeaders, "Content-Type, Content-Encoding")
	h.Set(fasthttp.HeaderAccessControlMaxAge, "86400")
	ctx.SetStatusCode(fasthttp.StatusNoContent)
}

// takeBatch gives one batch to the journal. If it is refused, wait is nil, and status and e are the answer.
func (c *Collector) takeBatch(ctx *fasthttp.RequestCtx, p *batchParser, origin []byte) (wait func() error, status int, e apiError) {
	for name := range ctx.QueryArgs().All() {
		return nil, fasthttp.StatusBadRequest, *unknownParam(name)
	}
	if !isBatchType(ctx.Request.Header.ContentType()) {
		return nil, fasthttp.StatusUnsupportedMediaType, apiError{Code: codeMediaType, Message: fmt.Sprintf(
			"content-type is %q, want text/plain or application/json", shorten(ctx.Request.Header.ContentType()))}
	}
	if status, e := c.readBatch(ctx, p); status != 0 {
		c.counts.broken.Add(1)
		return nil, status, e
	}
	p.now = c.o.Now().UnixMilli()
	if !p.parse(p.body, p.now) {
		c.counts.rejected[p.fault.reason].Add(1)
		message, field := p.faultPlace()
		code := codeBadBatch
		if p.at >= 0 {
			code = codeBadHit
		}
		return nil, fasthttp.StatusBadRequest, apiError{code, message, field}
	}
	return c.storeBatch(ctx, p, origin)
}

// isBatchType reports whether a Content-Type is one that a batch can have, whatever its parameters.
func isBatchType(contentType []byte) bool {
	media, _, _ := bytes.Cut(contentType, []byte{';'})
	media = bytes.TrimSpace(media)
	return bytes.EqualFold(media, []byte("text/plain")) || bytes.EqualFold(media, []byte("application/json"))
}

// readBatch reads the body into p.body. The status is 0 if that worked.
func (c *Collector) readBatch(ctx *fasthttp.RequestCtx, p *batchParser) (int, apiError) {
	raw := &p.raw
	if raw.length > MaxBody {
		return tooLargeBatch()
	}
	name := encoding(ctx)
	if name == "zstd" {
		name = "zstd, which only an import may have" // browsers cannot make it
	}
	body := &p.unpacked
	if err := c.readers.unpack(body, raw, name); err != nil {
		return fasthttp.StatusUnsupportedMediaType, apiError{Code: codeEncoding, Message: fmt.Sprintf(
			"content-encoding is %q, want gzip or none", shorten(ctx.Request.Header.ContentEncoding()))}
	}
	defer body.release()
	var err error
	p.body, err = appendLimited(p.body[:0], body)
	c.counts.bytes.Add(uint64(raw.n))
	c.counts.unpacked.Add(uint64(len(p.body)))
	switch {
	case errors.Is(err, errTooLarge):
		return tooLargeBatch()
	case err != nil:
		return fasthttp.StatusBadRequest, apiError{Code: codeBrokenBody, Message: err.Error()}
	}
	return 0, apiError{}
}

func tooLargeBatch() (int, apiError) {
	return fasthttp.StatusRequestEntityTooLarge, apiError{Code: codeTooLarge, Message: fmt.Sprintf(
		"the body is over the limit of %d bytes", MaxBody)}
}

// appendLimited appends what r gives to dst, which is empty. It is errTooLarge if that is more than MaxBody bytes, as
// they were sent or unpacked.
func appendLimited(dst []byte, r *unpacked) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, make([]byte, max(4<<10, len(dst)))...)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):min(cap(dst), MaxBody+1)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > MaxBody || r.raw.n > MaxBody+4<<10: // the decoder reads ahead
			return dst, errTooLarge
		case err == io.EOF:
			return dst, nil
		case err != nil:
			return dst, err
		}
	}
}

// storeBatch checks that the batch may be sent from where it is and gives it to the journal.
func (c *Collector) storeBatch(ctx *fasthttp.RequestCtx, p *batchParser, origin []byte) (wait func() error, status int, e apiError) {
	site := c.o.Sites.find(bytesOf(p.head.site))
	if site == nil {
		c.counts.unauthorized.Add(1)
		return nil, fasthttp.StatusForbidden, apiError{codeUnknownSite, fmt.Sprintf("site is %.40q, want the key of a registered site", p.head.site), "site"}
	}
	if len(origin) > 0 && !site.lists(origin) {
		c.counts.unauthorized.Add(1)
		c.refused.note(p.head.site, origin)
		ctx.Response.Header.Del(fasthttp.HeaderAccessControlAllowOrigin)
		return nil, fasthttp.StatusForbidden, apiError{Code: codeOrigin, Message: fmt.Sprintf(
			"origin is %q, which is not listed for site %s", shorten(origin), p.head.site)}
	}
	if url, ok := p.foreignPage(site); len(origin) > 0 && ok {
		c.counts.unauthorized.Add(1)
		return nil, fasthttp.StatusForbidden, apiError{Code: codeOrigin, Field: "url", Message: fmt.Sprintf(
			"url is %q, whose origin is not listed for site %s", shorten([]byte(url)), p.head.site)}
	}
	if err := c.o.Admit(len(p.hits)); err != nil {
		c.storeFailed(err)
		return refuse(unavailable())
	}
	visitor, err := c.visitor(ctx, p, site)
	if err != nil {
		c.storeFailed(err)
		return refuse(unavailable())
	}
	agent := p.headerAgent(ctx.Request.Header.UserAgent())
	for i := range p.hits {
		p.hits[i].Visitor, p.hits[i].UserAgent = visitor, agent
	}
	p.batch[0] = heatmap.Batch{Site: p.head.site, Visitor: visitor, ID: p.head.id, Hits: p.hits}
	if wait, err = c.put(addUnused(nil, site), p.batch[:]); err != nil {
		c.storeFailed(err)
		return refuse(notStored(err))
	}
	return wait, 0, apiError{}
}

// refuse is what storeBatch gives for a batch that was not taken.
func refuse(status int, e apiError) (func() error, int, apiError) { return nil, status, e }

// notStored is the status and the error for hits that could not be stored. Anyone may read it, so it does not say why;
// the log does.
func notStored(err error) (int, apiError) {
	if passes(err) {
		return unavailable()
	}
	return fasthttp.StatusInternalServerError, apiError{Code: codeInternal, Message: "hits cannot be stored"}
}

func unavailable() (int, apiError) {
	return fasthttp.StatusServiceUnavailable, apiError{Code: codeUnavailable, Message: "hits cannot be stored now, send them again later"}
}

// headerAgent makes a stored user agent of a header. Most requests have the one of the request before.
func (p *batchParser) headerAgent(header []byte) string {
	if p.agent.matches(header) && len(header) == len(p.agent.token) {
		return p.agent.value
	}
	p.agent.set(header, p.arena.clone(cutUserAgent(bytes.ToValidUTF8(header, []byte("\uFFFD")))))
	return p.agent.value
}

// foreignPage gives the first URL of the batch whose origin the site does not list. Hits of one page share its URL.
func (p *batchParser) foreignPage(site *siteEntry) (url string, ok bool) {
	checked := ""
	for i := range p.hits {
		if url := p.hits[i].URL; url != checked {
			if !site.listsPage(url) {
				return url, true
			}
			checked = url
		}
	}
	return "", false
}
