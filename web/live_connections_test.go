package web

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestLiveConnections has 10,000 connections ask for a stream, under the usual limits: as many as there may be streams get one, others are
// refused, and those beyond MaxConns are told that too. Other requests go on.
func TestLiveConnections(t *testing.T) {
	t.Parallel()
	const all, streams, conns = 10_000, 4096, 8192
	h, _ := startLive(t, LiveLimits{Beat: time.Minute})
	id := h.askMap().ID
	request := "GET " + queriesPath + "/" + id + "/stream HTTP/1.1\r\n" + auth + "Accept: text/event-stream\r\n\r\n"
	var mu sync.Mutex
	statuses, open := map[string]int{}, map[string][]net.Conn{}
	var asking sync.WaitGroup
	places := make(chan struct{}, 64)
	for range all {
		places <- struct{}{}
		asking.Go(func() {
			defer func() { <-places }()
			c, err := h.dial()
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { c.Close() })
			c.SetDeadline(time.Now().Add(patience))
			go io.WriteString(c, request)
			status, err := bufio.NewReaderSize(c, 512).ReadString('\n')
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			status = strings.TrimSpace(status)
			statuses[status]++
			open[status] = append(open[status], c)
		})
	}
	asking.Wait()
	if ok, no := statuses["HTTP/1.1 200 OK"], statuses["HTTP/1.1 503 Service Unavailable"]; ok > streams || ok < streams-1 || ok+no != all {
		t.Fatalf("of %d that ask for a stream the server answers %v, want %d streams", all, statuses, streams)
	}
	if n := h.server.LiveStats().Streams; n > streams {
		t.Errorf("there are %d streams, limit %d", n, streams)
	}
	if n := h.server.conns.count(); n > conns+1 {
		t.Errorf("there are %d connections, limit %d", n, conns)
	}
	for _, c := range open["HTTP/1.1 503 Service Unavailable"] { // one that was refused a stream is free for something else
		go fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		answer := bufio.NewReader(c)
		for {
			line, err := answer.ReadString('\n')
			if err != nil {
				break // it was one beyond MaxConns
			}
			if strings.HasPrefix(line, "HTTP/1.1 200") {
				return
			}
		}
	}
	t.Error("no connection that was refused a stream can ask anything else")
}
