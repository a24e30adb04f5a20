package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"heatlog/heatmap"
)

func (h *harness) request(method, target string) *http.Request {
	h.t.Helper()
	req, err := http.NewRequest(method, "http://heatlog"+target, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	return req
}

// connect opens a connection that ends with the test.
func (h *harness) connect() net.Conn {
	h.t.Helper()
	c, err := h.dial()
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// raw sends bytes and gives everything that comes back until the server closes the connection.
func (h *harness) raw(request string) string {
	h.t.Helper()
	c := h.connect()
	go io.WriteString(c, request)
	b, err := io.ReadAll(c)
	if err != nil {
		h.t.Errorf("read answer of %.80q: %v after %q", request, err, b)
	}
	return string(b)
}

const auth = "Host: x\r\nAuthorization: Bearer t0ken\r\n"

func TestUnreadableRequests(t *testing.T) {
	h := start(t, wholeOptions())
	f := func(request string, status int, code string) {
		t.Helper()
		got := h.raw(request)
		resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(got)), nil)
		if err != nil {
			t.Errorf("%.80q: %v in %q", request, err, got)
			return
		}
		b, _ := io.ReadAll(resp.Body)
		h.refused(answer{resp, string(b)}, status, code, "")
		if strings.Contains(string(b), "hostile") || resp.Header.Get("Server") != "" {
			t.Errorf("%.80q: answer is %q", request, got)
		}
		if strings.Count(got, "HTTP/1.1 ") != 1 {
			t.Errorf("%.80q: more than one answer: %q", request, got)
		}
	}
	f("hostile\r\n\r\n", 400, "bad_request")
	f("GET / HTTP/1.1\r\nhost\r\n\r\n", 400, "bad_request")
	f("GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, "bad_request")
	f("GET / HTTP/1.1\r\nHost: x\r\nA: "+strings.Repeat("hostile", headerBuffer/7)+"\r\n\r\n", 431, "headers_too_large")
	f("GET /?"+strings.Repeat("hostile", headerBuffer/7)+" HTTP/1.1\r\nHost: x\r\n\r\n", 431, "headers_too_large")

	const smuggled = "0\r\n\r\nGET /v1/bots HTTP/1.1\r\nHost: x\r\n\r\n"
	f("POST /v1/in HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"+smuggled, 400, "bad_request")
	f("POST /v1/in HTTP/1.0\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"+smuggled, 400, "bad_request")
	f("POST /v1/in HTTP/1.1\r\nHost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n"+smuggled, 400, "bad_request")
	f("POST /v1/import HTTP/1.1\r\n"+auth+"Transfer-Encoding: gzip\r\n\r\n"+smuggled, 400, "bad_request")
}

// TestLeftBody checks that what a handler leaves of a body is never taken for a request.
func TestLeftBody(t *testing.T) {
	h := start(t, wholeOptions()) // whose Import reads nothing
	const next = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	f := func(body string, want int) {
		t.Helper()
		sized := fmt.Sprintf("POST /v1/import HTTP/1.1\r\n%sContent-Length: %d\r\n\r\n%s%s", auth, len(body), body, next)
		chunked := fmt.Sprintf("POST /v1/import HTTP/1.1\r\n%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n%s", auth, len(body), body, next)
		for _, request := range []string{sized, chunked} {
			got := h.raw(request)
			if n := strings.Count(got, "HTTP/1.1 200 OK"); n != want || !strings.Contains(got, "import") || strings.Contains(got, "401") {
				t.Errorf("%d answers to %.60q, want %d: %q", n, request, want, got)
			}
		}
	}
	f("GET /v1/bots HTTP/1.1\r\nHost: x\r\n\r\n", 2) // a little: read, and the connection goes on
	f(strings.Repeat("GET /v1/bots HTTP/1.1\r\nHost: x\r\n\r\n", 20_000), 1)
}

func TestExpectContinue(t *testing.T) {
	o := wholeOptions()
	o.Import = func(ctx *fasthttp.RequestCtx) {
		b, err := io.ReadAll(ctx.RequestBodyStream())
		fmt.Fprintf(ctx, "got %s %v", b, err)
	}
	h := start(t, o)
	f := func(request, want string) {
		t.Helper()
		if got := h.raw(request); !strings.HasPrefix(got, want) {
			t.Errorf("%.100q gives %q, want %q", request, got, want)
		}
	}
	const expect = "Expect: 100-continue\r\nConnection: close\r\n"
	f("POST /v1/import HTTP/1.1\r\n"+auth+expect+"Content-Length: 3\r\n\r\nabc", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
	f("POST /v1/import HTTP/1.1\r\nHost: x\r\n"+expect+"Content-Length: 3\r\n\r\n", "HTTP/1.1 401 ")
	f("POST /v1/sites HTTP/1.1\r\n"+auth+expect+"Content-Length: 65537\r\n\r\n", "HTTP/1.1 413 ")
	if got := h.raw("POST /v1/sites HTTP/1.1\r\n" + auth + expect + "Content-Length: 65537\r\n\r\n"); !strings.Contains(got, "application/json") ||
		!strings.HasSuffix(got, `{"error":{"code":"too_large","message":"body is 65537 bytes, limit 65536"}}`+"\n") {
		t.Errorf("a body that is too large: %q", got)
	}
	f("POST /v1/none HTTP/1.1\r\n"+auth+expect+"Content-Length: 3\r\n\r\n", "HTTP/1.1 404 ")
}

// TestStuckConnections opens connections that send nothing, half a header, or half a body, and asks beside them.
func TestStuckConnections(t *testing.T) {
	o := wholeOptions()
	o.Import = func(ctx *fasthttp.RequestCtx) { io.Copy(io.Discard, ctx.RequestBodyStream()) }
	h := start(t, o)
	for i := range 200 {
		c := h.connect()
		switch i % 4 {
		case 1:
			io.WriteString(c, "GET /v1/bots HTTP/1.1\r\nHost: x\r\n")
		case 2:
			io.WriteString(c, "POST /v1/import HTTP/1.1\r\n"+auth+"Content-Length: 1000000\r\n\r\n{")
		case 3:
			io.WriteString(c, "POST /v1/import HTTP/1.1\r\n"+auth+"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")
		}
	}
	begin := time.Now()
	for range 50 {
		if a := h.get("/v1/heatmap?site=shop&url=x"); a.StatusCode != 200 {
			t.Fatalf("status %d", a.StatusCode)
		}
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("50 answers beside stuck connections took %v", took)
	}
	h.closeAll()
	if n := h.server.conns.count(); n != 0 {
		t.Errorf("%d connections are open after Shutdown", n)
	}
}

// closeAll shuts the server down without patience.
func (h *harness) closeAll() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.server.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		h.t.Errorf("Shutdown with stuck connections: %v", err)
	}
}

func TestMaxConns(t *testing.T) {
	o := wholeOptions()
	o.MaxConns = 2
	var log logBuffer
	o.Logger = log.logger()
	h := start(t, o)
	kept := []net.Conn{h.connect(), h.connect()}
	for _, c := range kept {
		io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := h.raw(""); !strings.HasPrefix(got, "HTTP/1.1 503 ") {
		t.Errorf("third connection gets %q", got)
	}
	for end := time.Now().Add(10 * time.Second); log.String() == "" && time.Now().Before(end); time.Sleep(time.Millisecond) {
	} // it is written after the answer
	if !strings.Contains(log.String(), "level=WARN") || !strings.Contains(log.String(), "2 concurrent connections") {
		t.Errorf("log is %q", log.String())
	}
}

// stallingConn is a connection whose deadlines are recorded.
type stallingConn struct {
	net.Conn
	read, written []time.Time
	writes        []int
	early         int // Reads that end by a deadline first
}

func (c *stallingConn) SetReadDeadline(t time.Time) error { c.read = append(c.read, t); return nil }
func (c *stallingConn) SetWriteDeadline(t time.Time) error {
	c.written = append(c.written, t)
	return nil
}
func (c *stallingConn) Read([]byte) (int, error) {
	if c.early > 0 {
		c.early--
		return 0, &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}
	}
	return 1, nil
}
func (c *stallingConn) Write(p []byte) (int, error) {
	c.writes = append(c.writes, len(p))
	return len(p), nil
}

// TestConnDeadlines checks when the deadlines that hold are passed on to the system.
func TestConnDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		under := &stallingConn{}
		c := &conn{Conn: under, among: newConns()}
		b := make([]byte, 1)
		begin := time.Now()
		at := func(d time.Duration) time.Time { return begin.Add(d) }
		read := func(wantErr error, want ...time.Time) {
			t.Helper()
			if _, err := c.Read(b); err != wantErr {
				t.Errorf("Read: %v, want %v", err, wantErr)
			}
			if !slices.EqualFunc(under.read, want, time.Time.Equal) {
				t.Errorf("deadlines %v, want %v", under.read, want)
			}
		}
		c.SetReadDeadline(at(10 * time.Second))
		read(nil, at(10*time.Second))
		c.SetReadDeadline(at(60 * time.Second)) // later: what the system has ends first
		c.SetReadDeadline(at(20 * time.Second))
		read(nil, at(10*time.Second))
		under.early = 1
		time.Sleep(10 * time.Second)
		read(nil, at(10*time.Second), at(20*time.Second)) // ended early, goes on
		under.early = 1
		time.Sleep(10 * time.Second)
		read(os.ErrDeadlineExceeded, at(10*time.Second), at(20*time.Second))
		under.read = nil
		c.SetReadDeadline(at(1 * time.Second)) // nearer: at once
		c.SetReadDeadline(time.Time{})         // none: at once
		c.SetReadDeadline(at(50 * time.Second))
		read(nil, at(1*time.Second), time.Time{}, at(50*time.Second))

		under.read = nil
		c.patient()
		read(nil) // it is 20 s, and the system has 50 s
		time.Sleep(time.Second)
		read(nil)
		under.early = 1
		read(nil, at(21*time.Second+stallTime))
	})
}

// endpoint is a listener whose connections come from one address.
type endpoint struct {
	net.Listener
	net.Conn
	from net.Addr
}

func (e endpoint) Accept() (net.Conn, error) { return e, nil }
func (e endpoint) Close() error              { return nil }
func (e endpoint) RemoteAddr() net.Addr      { return e.from }

// TestRemoteAddr checks that a connection knows the other end, whatever kind of address that has.
func TestRemoteAddr(t *testing.T) {
	for _, from := range []net.Addr{
		&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9}, &net.TCPAddr{IP: net.IP{192, 0, 2, 1}, Port: 9},
		&net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 9, Zone: "eth0"}, &net.TCPAddr{Port: 9}, &net.UnixAddr{Name: "@", Net: "unix"},
	} {
		c, err := listener{endpoint{from: from}, newConns()}.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got := c.RemoteAddr(); !reflect.DeepEqual(got, from) {
			t.Errorf("other end is %v, want %v", got, from)
		}
	}
}

// TestWriteDeadlines checks that each piece has stallTime, at most an eighth more, and that not each sets a deadline.
func TestWriteDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		under := &stallingConn{}
		c := &conn{Conn: under, among: newConns()}
		n, err := c.Write(make([]byte, 2*writePiece+1))
		if n != 2*writePiece+1 || err != nil || len(under.written) != 1 || !slices.Equal(under.writes, []int{writePiece, writePiece, 1}) {
			t.Errorf("Write: %d, %v, deadlines %v, pieces %v", n, err, under.written, under.writes)
		}
		for range 100 {
			if n, err := c.Write([]byte("x")); n != 1 || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
			last := under.written[len(under.written)-1]
			if d := time.Until(last); d < stallTime || d > stallTime+stallTime/8 {
				t.Fatalf("a piece has %v, want %v to an eighth more", d, stallTime)
			}
			time.Sleep(time.Second)
		}
		if n := len(under.written); n < 20 || n > 40 {
			t.Errorf("%d deadlines in 100 s", n)
		}
		if n, err := c.Write(nil); n != 0 || err != nil {
			t.Errorf("Write of nothing: %d, %v", n, err)
		}
	})
}

// TestRefusedUpload checks over TCP that a client which sends all of a large body before it reads gets the answer.
func TestRefusedUpload(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := New(wholeOptions())
	go s.Serve(l)
	defer s.Shutdown(context.Background())
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const length = 8 << 20
	_, err = fmt.Fprintf(c, "POST /v1/import HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", length, strings.Repeat("x", length))
	if err != nil {
		t.Errorf("the upload is cut: %v", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 401 || !resp.Close {
		t.Errorf("status %d, close %v", resp.StatusCode, resp.Close)
	}
}

func TestShutdown(t *testing.T) {
	l := fasthttputil.NewInmemoryListener()
	running, release := make(chan bool), make(chan bool)
	o := Options{Token: testToken, Bots: func() []string {
		running <- true
		<-release
		return nil
	}}
	s := New(o)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	c, err := l.Dial()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET /v1/bots HTTP/1.1\r\n"+auth+"\r\n")
	<-running
	down := make(chan error, 1)
	go func() { down <- s.Shutdown(context.Background()) }()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	select {
	case err := <-down:
		t.Errorf("Shutdown came before a running request's end: %v", err)
	default:
	}
	close(release)
	if b, err := io.ReadAll(c); err != nil || !strings.Contains(string(b), `{"bots":[]}`) || !strings.Contains(string(b), "Connection: close") {
		t.Errorf("answer is %q, %v", b, err)
	}
	if err := <-down; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// TestShutdownBreaksOff ends an export whose client takes nothing.
func TestShutdownBreaksOff(t *testing.T) {
	h := start(t, exportOptions(func(_ context.Context, _ heatmap.Query, _ map[string]uint64, fn func(*heatmap.Hit) error) (err error) {
		for err == nil {
			err = fn(&heatmap.Hit{ID: "x"})
		}
		return err
	}))
	resp, err := h.client.Do(h.request("GET", "/v1/export?site=shop"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	h.closeAll()
	if _, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the export ends with %v", err)
	}
	if n := h.server.conns.count(); n != 0 {
		t.Errorf("%d connections are open after Shutdown", n)
	}
}

// TestShutdownTells checks that a query which is broken off is answered, and that this alone takes no waiting.
func TestShutdownTells(t *testing.T) {
	r := newFakeReader()
	r.block = true
	h := start(t, Options{Reader: r})
	query := h.connect()
	io.WriteString(query, "GET /v1/pages?site=shop HTTP/1.1\r\n"+auth+"\r\n")
	r.awaitQuery()
	begin := time.Now()
	h.closeAll()
	if took := time.Since(begin); took >= lastWords {
		t.Errorf("Shutdown took %v", took)
	}
	b, err := io.ReadAll(query)
	if err != nil || !strings.HasPrefix(string(b), "HTTP/1.1 503 ") || !strings.Contains(string(b), "the server is ending") {
		t.Errorf("the answer is %q, %v", b, err)
	}
}

// TestNoAddresses makes errors of real connections: neither a handler nor a log sees whose they are.
func TestNoAddresses(t *testing.T) {
	broken := make(chan error, 1)
	var log logBuffer
	s := New(Options{Token: testToken, Logger: log.logger(), Import: func(ctx *fasthttp.RequestCtx) {
		ctx.Conn().SetReadDeadline(time.Unix(1, 0))
		_, err := io.Copy(io.Discard, ctx.RequestBodyStream())
		broken <- err
	}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go s.Serve(l)
	defer s.Shutdown(context.Background())
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	io.WriteString(c, "POST /v1/import HTTP/1.1\r\n"+auth+"Transfer-Encoding: chunked\r\n\r\n")
	if err := <-broken; !errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("the body's error is %v", err)
	}
	if strings.Contains(log.String(), "127.0.0.1") {
		t.Errorf("log is %q", log.String())
	}
}

func TestLogHasNoAddresses(t *testing.T) {
	var log logBuffer
	l := connLogger{log.logger()}
	l.Printf("error when serving connection %q<->%q: %v", "127.0.0.1:1", "203.0.113.9:5", errors.New("broken"))
	l.Printf("error when serving connection %q<->%q: %v", "127.0.0.1:1", "203.0.113.9:5",
		fmt.Errorf("read: %w", &net.OpError{Op: "read", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(203, 0, 113, 9)}, Err: errors.New("reset")}))
	if got := log.String(); strings.Contains(got, "203.0.113.9") || !strings.Contains(got, "broken") || !strings.Contains(got, "err=reset") {
		t.Errorf("log is %q", got)
	}
}

// TestImportThatBreaksOff shows that an import's handler gets the few bytes that came before the client went.
func TestImportThatBreaksOff(t *testing.T) {
	got := make(chan string, 1)
	o := wholeOptions()
	o.Import = func(ctx *fasthttp.RequestCtx) {
		b, _ := io.ReadAll(ctx.RequestBodyStream())
		got <- string(b)
	}
	h := start(t, o)
	c := h.connect()
	if _, err := io.WriteString(c, "POST /v1/import?x=1 HTTP/1.1\r\n"+auth+"Content-Length: 500\r\n\r\nfirst line\nhalf"); err != nil {
		t.Fatal(err)
	}
	c.Close()
	select {
	case body := <-got:
		if body != "first line\nhalf" {
			t.Errorf("the handler got %q", body)
		}
	case <-time.After(20 * time.Second):
		t.Error("the handler was not called")
	}
}
