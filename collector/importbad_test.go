package collector

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"heatlog/heatmap"
)

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
		for i := range 6 {
			cut := len(packed) * i / 6
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
				if query != "" && encoding == "zstd" {
					continue
				}
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
