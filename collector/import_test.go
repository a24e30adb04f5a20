package collector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
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
	body := linesOf(MaxAppendHits+500, clickLine)
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
		if s := r.c.Stats(); s.ImportAccepted != MaxAppendHits+500 || s.ImportRequests != 1 || s.Bytes != uint64(len(packed)) || s.UnpackedBytes != uint64(len(body)) {
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

// TestImportPackedUnsaid sends packed lines without Content-Encoding: the first error says so, the others are as ever.
func TestImportPackedUnsaid(t *testing.T) {
	r := newRig(t, nil)
	f := func(body, first string, rejected int) {
		t.Helper()
		status, a := r.importBody("", []byte(body))
		if status != 200 || a.Accepted != 0 || a.Rejected != rejected || a.Errors[0].Line != 1 || a.Errors[0].Message != first {
			t.Errorf("%.20q: status %d, %+v, want %q", body, status, a, first)
		}
		if rejected > 1 && !strings.HasPrefix(a.Errors[1].Message, "malformed JSON") {
			t.Errorf("%.20q: second error %q", body, a.Errors[1].Message)
		}
	}
	const (
		gzipped = "the body is gzip data, not lines: send it with Content-Encoding: gzip, or import a file whose name ends in .gz"
		zstded  = "the body is zstd data, not lines: send it with Content-Encoding: zstd, or import a file whose name ends in .zst"
	)
	f("\x1f\x8b\x08\x00abc", gzipped, 1)
	f("\x1f\x8b\nabc\nabc", gzipped, 3)
	f("\x1f\x8b"+strings.Repeat("a", 2*MaxLine)+"\nabc", gzipped, 2)
	f("\x28\xb5\x2f\xfdabc\nabc", zstded, 2)
	f("\x1f\nabc", "malformed JSON at byte 1: not a value", 2)
	f("\x28\xb5\x2f", "malformed JSON at byte 1: not a value", 1)
	_, a := r.importBody("?batch=b", []byte("\x1f\x8b\nabc"))
	if a.Rejected != 2 || a.Errors[0].Message != gzipped {
		t.Errorf("as a batch: %+v", a)
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

// TestImportBoundsAppends sends lines that are long: the journal gets fewer at once.
func TestImportBoundsAppends(t *testing.T) {
	wide := strings.Repeat(" ", 60<<10) + clickLine(1) + "\n"
	n := 2 * MaxAppendBytes / len(wide)
	r := newRig(t, nil)
	if status, a := r.importBody("", []byte(strings.Repeat(wide, n))); status != 200 || a.Accepted != n {
		t.Error(status, a)
	}
	for _, b := range r.journal.batches {
		if len(b.Hits)*len(wide) > MaxAppendBytes {
			t.Errorf("an append of %d lines of %d bytes", len(b.Hits), len(wide))
		}
	}
}

// TestImportClock has a long import, during which a day passes: lines that came ahead of time are good later.
func TestImportClock(t *testing.T) {
	now := testNow
	r := newRig(t, func(o *Options, _ *fasthttp.Server) {
		o.Now = func() time.Time { now = now.Add(12 * time.Hour); return now }
	})
	ahead := strings.Replace(valid, "1767225600000", fmt.Sprint(testNow.Add(48*time.Hour).UnixMilli()), 1) + `"y":1}` + "\n"
	body := ahead + string(linesOf(MaxAppendHits, moveLine)) + ahead
	status, a := r.importBody("", []byte(body))
	if status != 200 || a.Accepted != MaxAppendHits+1 || a.Rejected != 1 || a.Errors[0].Line != 1 {
		t.Error(status, a)
	}
}

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
			string(resp.header.Peek("Retry-After")) != retry || calls != 3 || a.Errors[len(a.Errors)-1] != (lineError{8193, message}) {
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
