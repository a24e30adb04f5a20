package collector

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// testNow is the server's clock in tests: 2026-01-02T00:00:00Z.
var testNow = time.UnixMilli(1_767_312_000_000)

// memJournal keeps copies of what is appended.
type memJournal struct {
	mu      sync.Mutex
	batches []heatmap.Batch
	appends int
	before  func(hits int) error // called before each append
}

func (j *memJournal) Put(batches []heatmap.Batch) (wait func() error, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, b := range batches {
		n += len(b.Hits)
	}
	if j.before != nil {
		if err := j.before(n); err != nil {
			return func() error { return err }, nil
		}
	}
	j.appends++
	for _, b := range batches {
		b.Hits = slices.Clone(b.Hits)
		j.batches = append(j.batches, b)
	}
	return func() error { return nil }, nil
}

func (j *memJournal) hitsLocked() (hits []heatmap.Hit) {
	for _, b := range j.batches {
		hits = append(hits, b.Hits...)
	}
	return hits
}

// hits gives all hits in order.
func (j *memJournal) hits() []heatmap.Hit {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.hitsLocked()
}

// testSites gives a register with shop and news.
func testSites(t testing.TB) *Sites {
	t.Helper()
	s, err := OpenSites(filepath.Join(t.TempDir(), "sites.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, site := range []heatmap.Site{
		{Key: "shop", Origins: []string{"https://shop.example"}, Timezone: "Europe/Prague"},
		{Key: "news", Origins: []string{"https://news.example"}},
	} {
		if err := s.Put(site); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// rig is a collector behind a server that listens on the loopback interface.
type rig struct {
	t       testing.TB
	c       *Collector
	journal *memJournal
	addr    string
}

// newRig starts a server. change may alter the options and the server.
func newRig(t testing.TB, change func(o *Options, s *fasthttp.Server)) *rig {
	t.Helper()
	r := &rig{t: t, journal: &memJournal{}}
	o := Options{Journal: r.journal, Sites: testSites(t), Now: func() time.Time { return testNow }}
	s := &fasthttp.Server{
		StreamRequestBody: true, DisablePreParseMultipartForm: true,
		HeaderReceived: func(*fasthttp.RequestHeader) fasthttp.RequestConfig {
			return fasthttp.RequestConfig{MaxRequestBodySize: 1}
		},
	}
	if change != nil {
		change(&o, s)
	}
	r.c = New(o)
	s.Handler = func(ctx *fasthttp.RequestCtx) {
		switch string(ctx.Path()) {
		case "/v1/import":
			r.c.Import(ctx)
		case "/v1/in":
			r.c.In(ctx)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = l.Addr().String()
	done := make(chan error, 1)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := errors.Join(s.Shutdown(), <-done); err != nil {
			t.Error(err)
		}
	})
	return r
}

// response is what a test looks at of an answer.
type response struct {
	status int
	header *fasthttp.ResponseHeader
	body   string
}

// do sends a request with headers as "Name: value".
func (r *rig) do(method, path string, body io.Reader, length int, headers ...string) response {
	r.t.Helper()
	req, resp := fasthttp.AcquireRequest(), &fasthttp.Response{}
	defer fasthttp.ReleaseRequest(req)
	req.SetRequestURI("http://" + r.addr + path)
	req.Header.SetMethod(method)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	if body != nil {
		req.SetBodyStream(body, length)
	}
	if err := fasthttp.Do(req, resp); err != nil {
		r.t.Fatalf("%s %s: %v", method, path, err)
	}
	return response{resp.StatusCode(), &resp.Header, string(resp.Body())}
}

// importBody imports a body that ends.
func (r *rig) importBody(query string, body []byte, headers ...string) (int, importAnswer) {
	r.t.Helper()
	resp := r.do("POST", "/v1/import"+query, bytes.NewReader(body), len(body), headers...)
	return resp.status, decodeAnswer(r.t, resp.body)
}

func decodeAnswer(t testing.TB, body string) (a importAnswer) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatalf("answer %q: %v", body, err)
	}
	return a
}

// decodeError gives the error that every route answers with.
func decodeError(t testing.TB, body string) apiError {
	t.Helper()
	var v struct{ Error apiError }
	if err := json.Unmarshal([]byte(body), &v); err != nil || v.Error.Code == "" || v.Error.Message == "" {
		t.Fatalf("answer %q is no error: %v", body, err)
	}
	return v.Error
}

// raw sends bytes as they are, closes that half of the connection and gives the answer.
func (r *rig) raw(request string) response {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, request); err != nil {
		r.t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		r.t.Fatal(err)
	}
	b, err := io.ReadAll(conn)
	if err != nil {
		r.t.Fatal(err)
	}
	head, body, _ := strings.Cut(string(b), "\r\n\r\n")
	var status int
	if _, err := fmt.Sscanf(head, "HTTP/1.1 %d", &status); err != nil {
		r.t.Fatalf("answer %q: %v", b, err)
	}
	return response{status: status, body: body}
}

// clickLine is the first example of the API, with an own tail.
func clickLine(i int) string {
	return fmt.Sprintf(`{"t":%d,"site":"shop","url":"https://shop.example/p/%d?utm_source=x","kind":"click","x":%d,"y":%d,`+
		`"vw":1280,"vh":720,"dw":1265,"dh":5400,"sel":"main>a.buy","ax":0.25,"ay":0.5,"fixed":false,`+
		`"view":"a1b2","visitor":"v-77","ua":"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0","tags":["variant:b"]}`,
		1767225600000+i, i/50, i%1280, i*7%5400)
}

// moveLine is a short line of the sort that recordings are full of.
func moveLine(i int) string {
	return fmt.Sprintf(`{"t":%d,"site":"news","url":"http://localhost/page.php?q=buy-canoe-paddle-72231-alu-shaft#cns=1&cns=1","kind":"move",`+
		`"x":%d,"y":%d,"vw":1280,"vh":1137,"dw":1280,"dh":2821,"visitor":"p%03d","view":"p%03d-b2-t9"}`,
		1671197308306+i*13, i*3%1280, i*5%2821, i/1000, i/1000)
}

// linesOf joins n lines, each with its newline.
func linesOf(n int, line func(int) string) []byte {
	var b bytes.Buffer
	for i := range n {
		b.WriteString(line(i))
		b.WriteByte('\n')
	}
	return b.Bytes()
}
