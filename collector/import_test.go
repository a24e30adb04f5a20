package collector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// packer gives a writer that compresses for a Content-Encoding.
func packer(t testing.TB, w io.Writer, encoding string) io.WriteCloser {
	t.Helper()
	switch encoding {
	case "gzip":
		return gzip.NewWriter(w)
	case "zstd":
		zw, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		return zw
	}
	return nopCloser{w}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// pack compresses b.
func pack(t testing.TB, b []byte, encoding string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := packer(t, &out, encoding)
	_, err := w.Write(b)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// wantHits parses lines on their own.
func wantHits(t testing.TB, lines []byte) (hits []heatmap.Hit) {
	t.Helper()
	p := testParser(t)
	for line := range bytes.Lines(lines) {
		var h heatmap.Hit
		if !p.parseLine(line, &h) {
			t.Fatal(p.fault.message())
		}
		hits = append(hits, h)
	}
	return hits
}

// checkHits compares many hits. cmp is slow, so it only says what differs.
func checkHits(t testing.TB, want, got []heatmap.Hit) {
	t.Helper()
	if !reflect.DeepEqual(want, got) {
		t.Errorf("hits: %.600s", cmp.Diff(want, got))
	}
}

// checkStored checks that the journal has want, in order.
func (r *rig) checkStored(want []heatmap.Hit) {
	r.t.Helper()
	checkHits(r.t, want, r.journal.hits())
}

func TestImportEncodings(t *testing.T) {
	body := linesOf(10_000, clickLine)
	want := wantHits(t, body)
	f := func(encoding string, packed []byte, length int) {
		t.Helper()
		r := newRig(t, nil)
		resp := r.do("POST", "/v1/import", bytes.NewReader(packed), length, "Content-Encoding: "+encoding)
		if a := decodeAnswer(t, resp.body); resp.status != 200 || a.Accepted != len(want) || a.Rejected != 0 || a.Errors == nil || a.Error != nil {
			t.Errorf("%s: %d %s", encoding, resp.status, resp.body)
		}
		r.checkStored(want)
		for _, b := range r.journal.batches {
			if b.ID != "" || b.Site != "" || b.Visitor != "" || len(b.Hits) > MaxAppendHits {
				t.Errorf("%s: batch %q of %d hits", encoding, b.ID, len(b.Hits))
			}
		}
		if s := r.c.Stats(); s.ImportAccepted != 10_000 || s.ImportRequests != 1 || s.Bytes != uint64(len(packed)) || s.UnpackedBytes != uint64(len(body)) {
			t.Errorf("%s: %+v", encoding, s)
		}
	}
	members := func(encoding string) []byte {
		return append(pack(t, body[:len(body)/3], encoding), pack(t, body[len(body)/3:], encoding)...)
	}
	for _, length := range []bool{true, false} {
		f := func(encoding string, packed []byte) {
			t.Helper()
			if length {
				f(encoding, packed, len(packed))
			} else {
				f(encoding, packed, -1)
			}
		}
		f("", body)
		f("identity", body)
		f("gzip", pack(t, body, "gzip"))
		f("GZip", members("gzip"))
		f("x-gzip", pack(t, body, "gzip"))
		f("zstd", pack(t, body, "zstd"))
		f("zstd", members("zstd"))
	}
}

func TestImportWithoutStreaming(t *testing.T) {
	r := newRig(t, func(_ *Options, s *fasthttp.Server) { s.StreamRequestBody, s.HeaderReceived = false, nil })
	body := linesOf(100, moveLine)
	if status, a := r.importBody("", pack(t, body, "gzip"), "Content-Encoding: gzip"); status != 200 || a.Accepted != 100 {
		t.Error(status, a)
	}
	r.checkStored(wantHits(t, body))
}

func TestImportLines(t *testing.T) {
	good := clickLine(1)
	f := func(body string, want importAnswer) {
		t.Helper()
		r := newRig(t, nil)
		if want.Errors == nil {
			want.Errors = []lineError{}
		}
		status, a := r.importBody("", []byte(body))
		if diff := cmp.Diff(want, a); diff != "" || status != 200 {
			t.Errorf("%.60q: %d %s", body, status, diff)
		}
		if n := len(r.journal.hits()); n != want.Accepted {
			t.Errorf("%.60q: stored %d", body, n)
		}
	}
	missing := func(line int) lineError { return lineError{line, "t is missing"} }
	f("", importAnswer{})
	f("\n\n \r\n\t\n", importAnswer{})
	f(good, importAnswer{Accepted: 1})
	f(good+"\n", importAnswer{Accepted: 1})
	f("\ufeff"+good+"\r\n"+good+"\r\n", importAnswer{Accepted: 2})
	f("{}\n\n"+good+"\n\n{}", importAnswer{Accepted: 1, Rejected: 2, Errors: []lineError{missing(1), missing(5)}})
	f(good+"\n\ufeff"+good, importAnswer{Accepted: 1, Rejected: 1, Errors: []lineError{{2, "malformed JSON at byte 1: not a value"}}})
	f(good+good, importAnswer{Rejected: 1, Errors: []lineError{{1, fmt.Sprintf("malformed JSON at byte %d: something follows the object", len(good)+1)}}})
	long := good[:len(good)-1] + `,"a":"` + strings.Repeat("a", MaxLine) + `"}`
	f(long+"\n"+good, importAnswer{Accepted: 1, Rejected: 1, Errors: []lineError{{1, "the line is longer than 65536 bytes"}}})
	f(good+"\n"+long+long+long+long+long, importAnswer{Accepted: 1, Rejected: 1, Errors: []lineError{{2, "the line is longer than 65536 bytes"}}})
	f(good+strings.Repeat(" ", MaxLine-len(good))+"\n", importAnswer{Accepted: 1})
	f(good+strings.Repeat(" ", MaxLine-len(good)+1)+"\n", importAnswer{Rejected: 1, Errors: []lineError{{1, "the line is longer than 65536 bytes"}}})
	var first []lineError
	for i := range MaxErrors {
		first = append(first, missing(i+1))
	}
	f(strings.Repeat("{}\n", 250)+good, importAnswer{Accepted: 1, Rejected: 250, Errors: first})
}

// TestImportBadInput sends each sort of bad line between two good ones, and checks what becomes of all three.
func TestImportBadInput(t *testing.T) {
	f := func(line string, reason Reason, message string) {
		t.Helper()
		r := newRig(t, nil)
		before := r.c.Stats()
		body := clickLine(1) + "\n" + line + "\n" + clickLine(2) + "\n"
		status, a := r.importBody("", []byte(body))
		want := importAnswer{Accepted: 2, Rejected: 1, Errors: []lineError{{2, message}}}
		if diff := cmp.Diff(want, a); diff != "" || status != 200 {
			t.Errorf("%.60q: %d %s", line, status, diff)
		}
		r.checkStored(wantHits(t, []byte(clickLine(1)+"\n"+clickLine(2)+"\n")))
		wantStats := before
		wantStats.ImportRequests, wantStats.ImportAccepted = 1, 2
		wantStats.Bytes, wantStats.UnpackedBytes = uint64(len(body)), uint64(len(body))
		wantStats.Rejected[reason.String()] = 1
		if diff := cmp.Diff(wantStats, r.c.Stats()); diff != "" {
			t.Errorf("%.60q: %s", line, diff)
		}
	}
	const span = ", want 946684800000 (2000-01-01) to 1767398400000 (24 h ahead), ms since 1970"
	f(`{"t":`, ReasonMalformedJSON, "malformed JSON at byte 6: a value is missing")
	f(`<xml/>`, ReasonMalformedJSON, "malformed JSON at byte 1: not a value")
	f(valid+`"x":NaN}`, ReasonMalformedJSON, fmt.Sprintf("malformed JSON at byte %d: not a value", len(valid)+5))
	f(valid+`"view":"`+"\xff"+`"}`, ReasonMalformedJSON, fmt.Sprintf("malformed JSON at byte %d: invalid UTF-8", len(valid)+9))
	f(valid+`"url":"http://x/\ud800"}`, ReasonMalformedJSON, fmt.Sprintf("malformed JSON at byte %d: lone surrogate", len(valid)+17))
	f(valid+`"x":"12"}`, ReasonWrongType, `x is "12", want a number`)
	f(valid+`"site":{"a":1}}`, ReasonWrongType, `site is {"a":1}, want a string`)
	f(`[]`, ReasonWrongType, `the line is [], want an object`)
	f(valid+`"x":-1}`, ReasonOutOfRange, "x is -1, want 0 to 65535")
	f(valid+`"y":1e9}`, ReasonOutOfRange, "y is 1e9, want 0 to 65535")
	f(valid+`"ax":1.01}`, ReasonOutOfRange, "ax is 1.01, want 0 to 1")
	f(valid+`"kind":"rage"}`, ReasonBadValue, `kind is "rage", want view, click, scroll or move`)
	f(`{"site":"shop"}`, ReasonMissingField, "t is missing")
	f(valid+`"t":0}`, ReasonBadTime, "t is 0"+span)                         // 1970
	f(valid+`"t":4102444800000}`, ReasonBadTime, "t is 4102444800000"+span) // 2100
	f(valid+`"site":"nobody"}`, ReasonUnknownSite, `site is "nobody", want the key of a registered site`)
	f(valid+`"url":"/p/1"}`, ReasonBadURL, `url is "/p/1", want an absolute http or https URL`)
	f(valid+`"url":"http://x/\u0007"}`, ReasonBadURL, `url is "http://x/\u0007", want a URL without control characters`)
	f(valid+`"url":"http://x/`+strings.Repeat("a", 60<<10)+`"}`, ReasonTooLong, "url is 61449 bytes, limit 8192")
	f(valid+`"url":"http://x/`+strings.Repeat("a", 64<<10)+`"}`, ReasonTooLong, "the line is longer than 65536 bytes")
}

func TestImportRefusesRequests(t *testing.T) {
	r := newRig(t, nil)
	before := r.c.Stats()
	f := func(method, query string, status int, want apiError, headers ...string) {
		t.Helper()
		resp := r.do(method, "/v1/import"+query, strings.NewReader(clickLine(1)), len(clickLine(1)), headers...)
		if resp.status != status {
			t.Errorf("%s %s: %d %s", method, query, resp.status, resp.body)
		}
		if diff := cmp.Diff(want, decodeError(t, resp.body)); diff != "" {
			t.Errorf("%s %s: %s", method, query, diff)
		}
	}
	f("PUT", "", 405, apiError{"method_not_allowed", "import takes POST only", ""})
	f("POST", "?site=shop", 400, apiError{"bad_param", `unknown parameter "site"`, "site"})
	f("POST", "?batch=a&b=1", 400, apiError{"bad_param", `unknown parameter "b"`, "b"})
	f("POST", "?batch=", 400, apiError{"bad_param", "batch has 0 characters, want 1 to 64 of UTF-8", "batch"})
	f("POST", "?batch="+strings.Repeat("a", 65), 400, apiError{"bad_param", "batch has 65 characters, want 1 to 64 of UTF-8", "batch"})
	f("POST", "?batch=%ff", 400, apiError{"bad_param", "batch has 1 characters, want 1 to 64 of UTF-8", "batch"})
	f("POST", "?batch=a&batch=b", 400, apiError{"bad_param", "batch is there twice", "batch"})
	f("POST", "", 415, apiError{"unsupported_encoding", `content-encoding is "br", want gzip, zstd or none`, ""}, "Content-Encoding: br")
	f("POST", "", 415, apiError{"unsupported_encoding", `content-encoding is "gzip, gzip", want gzip, zstd or none`, ""}, "Content-Encoding: gzip, gzip")
	r.checkStored(nil)
	before.ImportRequests, before.Broken = 9, 2
	if diff := cmp.Diff(before, r.c.Stats()); diff != "" {
		t.Error(diff)
	}
}

// TestImportDamaged cuts and flips packed bodies: what is stored are the first lines, all of them complete, and the answer
// says that something is wrong.
func TestImportDamaged(t *testing.T) {
	body := linesOf(3000, moveLine)
	want := wantHits(t, body)
	f := func(encoding, name string, packed []byte, sureToFail bool) {
		t.Helper()
		r := newRig(t, nil)
		status, a := r.importBody("", packed, "Content-Encoding: "+encoding)
		hits := r.journal.hits()
		if len(hits) > len(want) || a.Accepted != len(hits) {
			t.Fatalf("%s %s: accepted %d, stored %d", encoding, name, a.Accepted, len(hits))
		}
		if status != 400 {
			if sureToFail || status != 200 {
				t.Errorf("%s %s: %d", encoding, name, status)
			}
			return
		}
		r.checkStored(append([]heatmap.Hit(nil), want[:len(hits)]...))
		if a.Error == nil || a.Error.Code != codeBrokenBody || len(a.Errors) != 1 || a.Errors[0].Line != len(hits)+1 || a.Errors[0].Message != a.Error.Message {
			t.Errorf("%s %s: %+v", encoding, name, a)
		}
		if n := r.c.Stats().Broken; n != 1 {
			t.Errorf("%s %s: %d broken", encoding, name, n)
		}
	}
	for _, encoding := range []string{"gzip", "zstd"} {
		packed := pack(t, body, encoding)
		for i := range 12 {
			cut := len(packed) * i / 12
			f(encoding, fmt.Sprint("cut at ", cut), packed[:cut], true)
		}
		f(encoding, "without the last byte", packed[:len(packed)-1], true)
		f(encoding, "with garbage behind", append(bytes.Clone(packed), "garbage"...), true)
		sum := bytes.Clone(packed)
		sum[len(sum)-2] ^= 1 // of the checksum, or the length
		f(encoding, "with another checksum", sum, true)
	}
	f("zstd", "plain", body, true)
	f("gzip", "plain", body, true)
}

func TestImportZstdWindow(t *testing.T) {
	var packed bytes.Buffer
	w, err := zstd.NewWriter(&packed, zstd.WithWindowSize(2*MaxZstdWindow), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		w.Write(linesOf(1000, clickLine))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, nil)
	if status, a := r.importBody("", packed.Bytes(), "Content-Encoding: zstd"); status != 400 || a.Accepted != 0 || !strings.Contains(a.Error.Message, "window size exceeded") {
		t.Error(status, a)
	}
}

// TestImportBreaksOff closes connections in the middle of bodies.
func TestImportBreaksOff(t *testing.T) {
	line := clickLine(1) + "\n"
	one := wantHits(t, []byte(line))
	f := func(name, request string, want []heatmap.Hit, errorLine int) {
		t.Helper()
		r := newRig(t, nil)
		resp := r.raw("POST /v1/import HTTP/1.1\r\nHost: x\r\n" + request)
		a := decodeAnswer(t, resp.body)
		r.checkStored(want)
		if resp.status != 400 || a.Accepted != len(want) || a.Rejected != 0 || len(a.Errors) != 1 || a.Errors[0].Line != errorLine ||
			!strings.Contains(a.Error.Message, "breaks off") || a.Error.Code != codeBrokenBody {
			t.Errorf("%s: %d %s", name, resp.status, resp.body)
		}
	}
	chunk := func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }
	const chunked = "Transfer-Encoding: chunked\r\n\r\n"
	f("length, in a line", "Content-Length: 100000\r\n\r\n"+line+line[:30], one, 2)
	f("length, after a line", "Content-Length: 100000\r\n\r\n"+line, one, 2)
	f("length, in the first line", "Content-Length: 100000\r\n\r\n"+line[:30], nil, 1)
	f("length, whole line without its end", fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(line), line[:len(line)-1]), nil, 1)
	f("chunked, between chunks", chunked+chunk(line), one, 2)
	f("chunked, before the first chunk", chunked, nil, 1)
	f("chunked, in a chunk", chunked+chunk(line)+"1000\r\n"+line[:30], one, 2)
	f("chunked, in a chunk's size", chunked+chunk(line)+"10", one, 2)
	f("chunked, after a chunk's size", chunked+chunk(line)+"10\r\n", one, 2)
	f("chunked, bad size", chunked+chunk(line)+"zz\r\n", one, 2)
	packed := pack(t, []byte(line), "gzip")
	f("packed, in the trailer", fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(packed), packed[:len(packed)-4]), one, 2)

	r := newRig(t, nil)
	if resp := r.raw("POST /v1/import HTTP/1.1\r\nHost: x\r\n" + chunked + chunk(line) + "0\r\n\r\n"); resp.status != 200 {
		t.Errorf("a chunked body that ends: %d %s", resp.status, resp.body)
	}
}

// TestImportKeepsConnectionsRight sends two requests at once: what is left of the first's body may not be read as the
// second.
func TestImportKeepsConnectionsRight(t *testing.T) {
	line := clickLine(1) + "\n"
	second := fmt.Sprintf("POST /v1/import HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(line), line)
	f := func(name, first string, want int) {
		t.Helper()
		r := newRig(t, nil)
		r.raw(first + second)
		if n := len(r.journal.hits()); n != want {
			t.Errorf("%s: stored %d, want %d", name, n, want)
		}
	}
	smuggled := "POST /v1/import HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
	f("refused, drained", fmt.Sprintf("POST /v1/import?x=1 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", len(smuggled), smuggled), 1)
	f("refused, chunked", fmt.Sprintf("POST /v1/import?x=1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled), 1)
	f("taken, chunked", fmt.Sprintf("POST /v1/import HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(line), line), 2)
}

// TestImportBomb unpacks much more than there is memory for in the limits below.
func TestImportBomb(t *testing.T) {
	bombs := map[string]func(w io.Writer){
		"one line": func(w io.Writer) { io.Copy(w, io.LimitReader(xes{}, 96<<20)) },
		"blank lines": func(w io.Writer) {
			blank := bytes.Repeat([]byte{'\n'}, 1<<20)
			for range 96 {
				w.Write(blank)
			}
		},
		"long lines": func(w io.Writer) {
			line := []byte(`{"a":"` + strings.Repeat("a", MaxLine-10) + "\"}\n")
			for range 1500 {
				w.Write(line)
			}
		},
	}
	for name, write := range bombs {
		for _, encoding := range []string{"gzip", "zstd"} {
			for _, query := range []string{"", "?batch=a"} {
				t.Run(name+" "+encoding+" "+query, func(t *testing.T) { importBomb(t, write, encoding, query) })
			}
		}
	}
}

func importBomb(t *testing.T, write func(io.Writer), encoding, query string) {
	var packed bytes.Buffer
	w := packer(t, &packed, encoding)
	write(w)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, nil)
	r.importBody(query, linesOf(100, clickLine)) // what is made once
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	status, a := r.importBody(query, packed.Bytes(), "Content-Encoding: "+encoding)
	runtime.ReadMemStats(&after)
	if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > 32 {
		t.Errorf("%d MiB were allocated", mib)
	}
	if wantStatus := map[string]int{"": 200, "?batch=a": 413}[query]; status != wantStatus && (status != 200 || a.Rejected != 1) {
		t.Errorf("status %d, %d rejected", status, a.Rejected)
	}
	if n := len(r.journal.hits()); n != 100 || a.Accepted != 0 {
		t.Errorf("%d hits stored, %d accepted", n-100, a.Accepted)
	}
}

// TestImportParsesWhileAppending has a journal that does not take the first append before the whole body is read.
func TestImportParsesWhileAppending(t *testing.T) {
	body := linesOf(groupsInFlight*MaxAppendHits-1, moveLine)
	read := make(chan struct{})
	j := &memJournal{before: func(int) error {
		select {
		case <-read:
			return nil
		case <-time.After(20 * time.Second):
			return errors.New("the body was not read meanwhile")
		}
	}}
	c := New(Options{Journal: j, Sites: testSites(t)})
	ctx := &fasthttp.RequestCtx{}
	ctx.Request.Header.SetMethod("POST")
	ctx.Request.SetBodyStream(io.MultiReader(bytes.NewReader(body), onRead(func() { close(read) })), len(body))
	c.Import(ctx)
	if ctx.Response.StatusCode() != 200 || j.appends != groupsInFlight {
		t.Errorf("%d appends, %s", j.appends, ctx.Response.Body())
	}
	checkHits(t, wantHits(t, body), j.hits())
}

// onRead is an empty reader that calls itself.
type onRead func()

func (f onRead) Read([]byte) (int, error) { f(); return 0, io.EOF }

func TestImportJournalUnavailable(t *testing.T) {
	full := errors.New("no space left on device")
	for _, passing := range []bool{true, false} {
		r := newRig(t, func(o *Options, _ *fasthttp.Server) {
			o.Unavailable = func(err error) bool { return passing && err == full }
		})
		calls := 0
		r.journal.before = func(int) error {
			if calls++; calls > 2 {
				return full
			}
			return nil
		}
		body := linesOf(10*MaxAppendHits, moveLine)
		resp := r.do("POST", "/v1/import", bytes.NewReader(body), len(body))
		a := decodeAnswer(t, resp.body)
		status, code, retry := 503, codeUnavailable, retryAfter
		if !passing {
			status, code, retry = 500, codeInternal, ""
		}
		const message = "lines from 8193 on are not stored: append hits: no space left on device"
		if resp.status != status || a.Accepted != 2*MaxAppendHits || a.Error.Code != code || a.Error.Message != message ||
			string(resp.header.Peek("Retry-After")) != retry || calls != 3 {
			t.Errorf("%d %+v after %d calls", resp.status, a, calls)
		}
		r.checkStored(wantHits(t, body)[:2*MaxAppendHits])
		if s := r.c.Stats(); s.StoreErrors != 1 || s.ImportAccepted != 2*MaxAppendHits {
			t.Errorf("%+v", s)
		}
	}
}

func TestImportMarksSitesFirst(t *testing.T) {
	r := newRig(t, nil)
	shop, news := r.c.o.Sites.find([]byte("shop")), r.c.o.Sites.find([]byte("news"))
	var used []bool
	r.journal.before = func(int) error { used = append(used, shop.used.Load(), news.used.Load()); return nil }
	body := append(linesOf(MaxAppendHits, clickLine), linesOf(10, moveLine)...)
	r.importBody("", body)
	r.importBody("?batch=b", body)
	if diff := cmp.Diff([]bool{true, false, true, true, true, true, true, true}, used); diff != "" {
		t.Error(diff)
	}
	r = newRig(t, nil)
	r.importBody("", []byte(valid+`"y":-1}`))
	if r.c.o.Sites.find([]byte("shop")).used.Load() {
		t.Error("a site was marked that has no hits")
	}
}

func TestImportWaitsToBeAdmitted(t *testing.T) {
	full := errors.New("the set of repeats is full")
	calls := 0
	admit := func(hits int) error {
		if calls++; calls < 4 {
			return full
		}
		return nil
	}
	r := newRig(t, func(o *Options, _ *fasthttp.Server) { o.Admit = admit })
	if status, a := r.importBody("", linesOf(10, clickLine)); status != 200 || a.Accepted != 10 || calls != 4 {
		t.Error(status, a, calls)
	}
	r = newRig(t, func(o *Options, _ *fasthttp.Server) {
		o.Admit, o.AdmitWait = func(int) error { return full }, time.Millisecond
	})
	for _, query := range []string{"", "?batch=a"} {
		status, a := r.importBody(query, linesOf(10, clickLine))
		if status != 503 || a.Accepted != 0 || !strings.Contains(a.Error.Message, "wait to be admitted: the set of repeats is full") {
			t.Error(status, a)
		}
	}
	r.checkStored(nil)
}
