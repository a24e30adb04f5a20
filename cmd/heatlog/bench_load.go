package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// loader posts batches over keep-alive connections. Without a rate each connection sends its next request when the last is
// answered. With one, requests are planned evenly in time, each goes out over a connection that is free, and counts from when it
// was planned: one that has to wait for a free connection is late.
type loader struct {
	address string // HOST:PORT
	bodies  [][]byte
	mark    []byte // the piece of each body that is overwritten with a number, so that no two requests are the same batch
	conns   int
	rate    float64       // requests a second, 0 = as many as are answered
	next    atomic.Uint64 // number of the next request
}

// loadResult is what a load came to.
type loadResult struct {
	requests int64 // answered
	took     time.Duration
	latency  latencies
}

// run posts until ctx ends. Every answer must be 204.
func (l *loader) run(ctx context.Context) (result loadResult, err error) {
	start := time.Now()
	err = l.drive(ctx, &result)
	result.took = time.Since(start)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	return result, err
}

// loadRequest is a whole request with the place of its number.
type loadRequest struct {
	bytes []byte
	mark  []byte // part of bytes
}

// requests makes each body a request.
func (l *loader) requests() []loadRequest {
	rs := make([]loadRequest, len(l.bodies))
	for i, body := range l.bodies {
		var b bytes.Buffer
		fmt.Fprintf(&b, "POST /v1/in HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nContent-Type: text/plain;charset=UTF-8\r\nUser-Agent: %s\r\nContent-Length: %d\r\n\r\n",
			l.address, benchOrigin, benchAgent, len(body))
		b.Write(body)
		r := loadRequest{bytes: b.Bytes()}
		if at := bytes.Index(r.bytes, l.mark); at >= 0 && len(l.mark) > 0 {
			r.mark = r.bytes[at : at+len(l.mark)]
		}
		rs[i] = r
	}
	return rs
}

// number writes n, in hexadecimal, over the mark.
func (r *loadRequest) number(n uint64) {
	for i := len(r.mark) - 1; i >= 0; i-- {
		r.mark[i] = "0123456789abcdef"[n&15]
		n >>= 4
	}
}

// isNoContent reports whether b is a whole answer, which must be 204 without a body.
func isNoContent(b []byte) (whole bool, err error) {
	if !bytes.Contains(b, []byte("\r\n\r\n")) {
		return false, nil
	}
	if !bytes.HasPrefix(b, []byte("HTTP/1.1 204")) {
		return false, fmt.Errorf("server answered %q", b)
	}
	return true, nil
}
