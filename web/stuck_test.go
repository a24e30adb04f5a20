package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// tcpServer is a server on a real port whose requests must come within most.
func tcpServer(t *testing.T, o Options, most time.Duration) (address string, s *Server) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s = New(o)
	if s.http.ReadTimeout != requestTime || s.http.IdleTimeout != idleTime {
		t.Errorf("limits are %v and %v, want %v and %v", s.http.ReadTimeout, s.http.IdleTimeout, requestTime, idleTime)
	}
	s.http.ReadTimeout = most
	go s.Serve(l)
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.Shutdown(ctx)
	})
	return l.Addr().String(), s
}

// readingIn reads a batch as the way in for hits does.
func readingIn(ctx *fasthttp.RequestCtx) {
	if _, err := io.Copy(io.Discard, ctx.RequestBodyStream()); err != nil {
		ctx.SetStatusCode(fasthttp.StatusBadRequest)
		return
	}
	ctx.SetStatusCode(fasthttp.StatusNoContent)
}

// stuckRequests stop where a client that is slow or hostile may stop.
var stuckRequests = []string{
	"",
	"P",
	"POST /v1/in HTTP/1.1\r\nHost: x\r\nContent-",
	"POST /v1/in HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n",
	"POST /v1/in HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("{", 20_000),
	"POST /v1/in HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
	"POST /v1/in HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n",
	"POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{",
}

// TestThousandStuck holds 1,000 connections that stop in the middle of a request. Others are answered meanwhile, and the
// stuck ones are ended when their time is up.
func TestThousandStuck(t *testing.T) {
	const stuck, most = 1000, 2 * time.Second
	o := wholeOptions()
	o.Token, o.In = testToken, readingIn
	address, s := tcpServer(t, o, most)
	first := time.Now()
	conns := make([]net.Conn, stuck)
	for i := range conns {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns[i] = c
		if _, err := io.WriteString(c, stuckRequests[i%len(stuckRequests)]); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	var slowest time.Duration
	for range 100 {
		asked := time.Now()
		resp, err := http.Post("http://"+address+"/v1/in", "text/plain", strings.NewReader(`{"site":"shop"}`))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 204 {
			t.Fatalf("status %d", resp.StatusCode)
		}
		slowest = max(slowest, time.Since(asked))
	}
	http.DefaultClient.CloseIdleConnections()
	held := s.conns.count()
	t.Logf("100 batches beside %d connections took %v, the slowest %v", held, time.Since(begin), slowest)
	if time.Since(first) < most && held < stuck {
		t.Errorf("only %d connections were held", held)
	}
	if slowest > most {
		t.Errorf("a batch took %v", slowest)
	}

	var wg sync.WaitGroup
	for i, c := range conns {
		wg.Go(func() {
			c.SetReadDeadline(begin.Add(5 * most))
			b, err := io.ReadAll(c)
			if err != nil {
				t.Errorf("%.60q is not ended: %v", stuckRequests[i%len(stuckRequests)], err)
			}
			if len(b) > 0 && !strings.HasPrefix(string(b), "HTTP/1.1 4") {
				t.Errorf("%.60q gets %.60q", stuckRequests[i%len(stuckRequests)], b)
			}
		})
	}
	wg.Wait()
	s.conns.wait(5 * lingerTime)
	if n := s.conns.count(); n != 0 {
		t.Errorf("%d connections are open still", n)
	}
}

// TestDripping sends a byte now and then, which moves no deadline: the whole request has its time, and no more.
func TestDripping(t *testing.T) {
	const most = 300 * time.Millisecond
	o := wholeOptions()
	o.Token, o.In = testToken, readingIn
	address, _ := tcpServer(t, o, most)
	f := func(begin, drop string, status int) {
		t.Helper()
		started := time.Now()
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, begin)
		stop := make(chan bool)
		defer close(stop)
		go func() {
			tick := time.NewTicker(most / 20)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
					io.WriteString(c, drop) // fails when it is over
				}
			}
		}()
		c.SetReadDeadline(time.Now().Add(20 * most))
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Errorf("%.60q: %v after %v", begin, err, time.Since(started))
			return
		}
		if resp.StatusCode != status || time.Since(started) < most {
			t.Errorf("%.60q: %d after %v, want %d", begin, resp.StatusCode, time.Since(started), status)
		}
	}
	f("GET /healthz HTTP/1.1\r\nHost: x\r\nA: ", "x", 408)
	f("POST /v1/in HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", "x", 408)
	f("POST /v1/in HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", 400)
	f("POST /v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", "x", 408)
}

// TestStalledExport has a client that asks for an export and takes nothing of it, but keeps its connection open: the export
// ends, and what it reads is free again.
func TestStalledExport(t *testing.T) {
	for _, accept := range []string{"", "Accept-Encoding: gzip\r\n"} {
		ended := make(chan error, 1)
		var log logBuffer
		random := rand.NewChaCha8([32]byte{})
		o := exportOptions(func(_ context.Context, _ heatmap.Query, _ map[string]uint64, fn func(*heatmap.Hit) error) (err error) {
			id := make([]byte, 8<<10)
			for err == nil { // until no buffer on the way has room, and then some
				random.Read(id) // it does not pack
				err = fn(&heatmap.Hit{ID: string(id)})
			}
			ended <- err
			return err
		})
		o.Logger, o.Token = log.logger(), testToken
		address, s := tcpServer(t, o, requestTime)
		if s.conns.taking != stallTime {
			t.Errorf("a client has %v for a piece, want %v", s.conns.taking, stallTime)
		}
		s.conns.taking = 200 * time.Millisecond
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "GET /v1/export?site=shop HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n", testToken, accept)
		select {
		case err := <-ended:
			if !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("%q: the export ends with %v", accept, err)
			}
		case <-time.After(stallTime - 5*time.Second):
			t.Fatalf("%q: the export of a client that takes nothing goes on", accept)
		}
		s.exports.Wait()
		s.conns.wait(10 * time.Second)
		if n := s.conns.count(); n != 0 {
			t.Errorf("%q: %d connections are open still", accept, n)
		}
		c.Close()
		if strings.Contains(log.String(), "level=ERROR") {
			t.Errorf("%q: a client that stalls is logged: %s", accept, log.String())
		}
	}
}
