package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// liveServer speaks as a server does of which each stream says what a test wants; a stream that says nothing is not there.
type liveServer struct {
	t       *testing.T
	streams [][]string // messages of each
	refuse  string     // the body of an answer to POST, "" = taken

	mu    sync.Mutex
	posts []string
	after []string // Last-Event-ID of each stream
}

func (l *liveServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case r.Header.Get("Authorization") != "Bearer secret":
		w.WriteHeader(401)
	case r.Method == "POST" && r.URL.Path == "/v1/queries":
		body, _ := io.ReadAll(r.Body)
		l.posts = append(l.posts, string(body))
		if l.refuse != "" {
			w.WriteHeader(400)
			io.WriteString(w, l.refuse)
			return
		}
		w.WriteHeader(201)
		fmt.Fprintf(w, `{"id":"q%d","url":"x","stream":"y"}`, len(l.posts))
	case r.URL.Path == fmt.Sprintf("/v1/queries/q%d/stream", len(l.posts)) && r.Header.Get("Accept") == "text/event-stream":
		l.after = append(l.after, r.Header.Get("Last-Event-ID"))
		messages := l.streams[0]
		l.streams = l.streams[1:]
		if len(messages) == 0 {
			w.WriteHeader(404)
			io.WriteString(w, `{"error":{"code":"not_found","message":"there is no question alive"}}`)
			return
		}
		io.WriteString(w, "retry: 2000\n\n")
		for _, m := range messages {
			fmt.Fprintf(w, "event: x\nid: y\ndata: %s\n\n", m)
		}
	default:
		w.WriteHeader(404)
	}
}

// runLive runs a command against a server.
func runLive(t *testing.T, l *liveServer, args ...string) (out, errs string, code int) {
	t.Helper()
	l.t = t
	server := httptest.NewServer(l)
	defer server.Close()
	var stdout, stderr bytes.Buffer
	code = run(append(args, "--url", server.URL, "--token", "secret"), &streams{out: &stdout, err: &stderr})
	return stdout.String(), stderr.String(), code
}

// TestFollowAnswer cuts a client off, forgets its question, sends it away for a while and at last for good.
func TestFollowAnswer(t *testing.T) {
	t.Parallel()
	l := &liveServer{streams: [][]string{
		{`{"event":"snapshot","token":"t1","points":[[0,0,1]]}`, `{"event":"patch","token":"t2","points":[[0,0,2]]}`},
		{`{"event":"patch","token":"t3"}`, `{"event":"bye","token":"t4","code":"shutdown","reason":"the server is ending","retry_ms":1}`},
		nil,
		{`{"event":"snapshot","token":"u1"}`, `{"event":"bye","token":"u2","code":"ended","reason":"the question was ended"}`},
	}}
	var want strings.Builder
	for _, stream := range l.streams {
		for _, m := range stream {
			want.WriteString(m + "\n")
		}
	}
	out, errs, code := runLive(t, l, "query", "heatmap", "shop", "https://shop.example/", "--follow", "--kind", "move", "--last", "7d", "--start", "now")
	if out != want.String() || code != exitFailure || !strings.Contains(errs, "the server ended the answer: the question was ended") {
		t.Errorf("it ends with %d and prints\n%s%s, want\n%s", code, out, errs, want.String())
	}
	const body = `{"kind":"heatmap","params":{"kind":"move","last":"7d","limit":"0","site":"shop","url":"https://shop.example/"},"start":"now"}`
	if d := cmp.Diff([]string{body, body}, l.posts); d != "" {
		t.Errorf("what was asked (-want +got)\n%s", d)
	}
	if d := cmp.Diff([]string{"", "t2", "t4", ""}, l.after); d != "" {
		t.Errorf("where streams went on (-want +got)\n%s", d)
	}
}

func TestFollowEnds(t *testing.T) {
	t.Parallel()
	l := &liveServer{streams: [][]string{{`{"event":"snapshot","token":"t1"}`, `{"event":"bye","token":"t2","reason":"later","retry_ms":600000}`}}}
	out, errs, code := runLive(t, l, "query", "pages", "shop", "--follow", "--for", "500ms", "--window", "24h", "--every", "2m")
	if code != exitOK || errs != "" || strings.Count(out, "\n") > 2 { // it may be over before it began
		t.Errorf("after its time it ends with %d, %s and %s", code, out, errs)
	}
	l = &liveServer{refuse: `{"error":{"code":"bad_param","message":"unknown name","field":"where"}}`}
	if out, errs, code := runLive(t, l, "query", "trend", "shop", "--follow", "--where", "nothing"); code != exitFailure || out != "" || !strings.Contains(errs, "server answered 400: where: unknown name") {
		t.Errorf("a bad question ends with %d, %s and %s", code, out, errs)
	}
	for _, wrong := range [][]string{
		{"query", "pages", "shop", "--start", "now"}, {"query", "trend", "shop", "--for", "1s"}, {"query", "pages", "shop", "--follow", "--for", "-1s"},
		{"query", "heatmap", "shop", "x", "--follow", "--png", "x.png"},
	} {
		if _, errs, code := runLive(t, &liveServer{}, wrong...); code != exitUsage || !strings.Contains(errs, "--follow") && !strings.Contains(errs, "--for") {
			t.Errorf("%q ends with %d and %s", wrong, code, errs)
		}
	}
}

// TestFollowScreen draws every kind of answer over itself.
func TestFollowScreen(t *testing.T) {
	t.Parallel()
	f := func(kind string, want []string, messages ...string) {
		t.Helper()
		var b bytes.Buffer
		s := newLiveScreen(&b, kind, url.Values{"site": {"shop"}, "url": {"x\x1b[2J"}})
		before := 0
		for _, m := range messages {
			b.Reset()
			if err := s.show(&liveMessage{raw: json.RawMessage(m)}); err != nil {
				t.Fatal(err)
			}
			begin := "\r\x1b[J"
			if before > 0 {
				begin = fmt.Sprintf("\x1b[%dA%s", before, begin)
			}
			text, ok := strings.CutPrefix(b.String(), begin)
			if !ok {
				t.Errorf("%s: %q does not go %d lines up", kind, b.String(), before)
			}
			before = strings.Count(text, "\n")
		}
		_, text, _ := strings.Cut(b.String(), "\x1b[J")
		if d := cmp.Diff(append([]string{kind + " of shop x[2J"}, want...), strings.Split(strings.TrimSuffix(text, "\n"), "\n")); d != "" {
			t.Errorf("%s (-want +got)\n%s", kind, d)
		}
	}
	f("heatmap", []string{"1,205 hits · 3 views · 2 visitors", "       1,204  at 8, 16 px", "           1  at 0, 0 px", "● live · hits below 12 of 1 source · 5 behind"},
		`{"event":"snapshot","complete":true,"points":[[0,0,1],[8,16,7],[8,8,3]],"hits":11}`,
		`{"event":"patch","complete":true,"points":[[8,16,1204],[8,8,0]],"hits":1205,"views":3,"visitors":2}`,
		`{"event":"progress","complete":true,"positions":{"ja":12},"lag_hits":5}`)
	f("elements", []string{"5 hits", "           3  main>a.buy", "           2  #b", "◐ ██████░░░░░░░░░░░░░░░░░░  25 % of 1,000 hits, 500/s, 2s left"},
		`{"event":"snapshot","elements":[{"sel":"#a","check":7,"fixed":true,"hits":9},{"sel":"#b","hits":2}],"hits":11}`,
		`{"event":"patch","elements":[{"sel":"main>a.buy","hits":3}],"gone":[{"sel":"#a","check":7,"fixed":true}],"hits":5}`,
		`{"event":"progress","history":{"done":250,"total":1000,"share":0.25,"hits_per_s":500,"eta_ms":1500}}`)
	f("pages", []string{"", "○ begins anew: day"}, `{"event":"snapshot","pages":[{"url":"a","hits":2}]}`, `{"event":"patch","gone":["a"]}`, `{"event":"reset","reason":"day"}`)
	f("trend", []string{"", "           4  2026-01-02  3 visitors", "           2  2026-01-01  1 visitor", "◐ reading the log"},
		`{"event":"snapshot","buckets":[{"start":"2026-01-01","hits":2,"visitors":1},{"start":"2026-01-02","hits":4,"visitors":3}]}`)
	f("trend", []string{"", "           4  08:00 to 09:00", "● live · hits below 0 of 0 sources · 0 behind"},
		`{"event":"snapshot","complete":true,"buckets":[{"start":"08:00","end":"09:00","hits":4}]}`)
	f("elements", []string{"", "           3  .a #7", "           2  .a fixed", "           1  .b", "◐ reading the log"},
		`{"event":"snapshot","elements":[{"sel":".a","check":7,"hits":3},{"sel":".a","fixed":true,"hits":2},{"sel":".b","check":1,"hits":1}]}`)
	f("scroll", []string{"3 views", "       0 px ████████████████████████ 100.0 %", "      50 px ████████████ 50.0 %", "○ the server is ending"},
		`{"event":"snapshot","views":3,"reach":[[0,1],[50,0.9]]}`, `{"event":"patch","views":3,"reach":[[50,0.5]]}`, `{"event":"bye","reason":"the server is ending"}`)
}

// TestFollowSmallScreen draws on a terminal of few lines and columns.
func TestFollowSmallScreen(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	s := newLiveScreen(&b, "pages", url.Values{"site": {"shop"}})
	s.size = func() (columns, rows int) { return 21, 5 }
	if err := s.show(&liveMessage{raw: json.RawMessage(`{"event":"snapshot","hits":6,"pages":[{"url":"地図地図地図","hits":3},{"url":"b","hits":2},{"url":"c","hits":1}]}`)}); err != nil {
		t.Fatal(err)
	}
	const want = "\r\x1b[Jpages of shop\n6 hits\n           3  地図…\n◐ reading the log\n"
	if b.String() != want {
		t.Errorf("it draws %q, want %q", b.String(), want)
	}
}
