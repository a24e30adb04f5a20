package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// loader posts batches over keep-alive connections. Without a rate each connection sends its next request when the last is
// answered. With one, requests are planned so that hits come evenly, each goes out over a connection that is free, and counts from when it
// was planned: one that has to wait for a free connection is late.
type loader struct {
	address string // HOST:PORT
	batches batchSource
	conns   int
	rate    float64 // hits a second, 0 = as many as are answered
}

// batchSource gives requests to send.
type batchSource interface {
	// next gives a whole request, valid until the next call, and the hits in it; nil at the end.
	next() (request []byte, hits int)
}

// loadResult is what a load came to.
type loadResult struct {
	requests int64 // answered
	hits     int64 // of the requests that were sent
	took     time.Duration
	latency  latencies
}

// run posts until ctx or the batches end. Every answer must be 204.
func (l *loader) run(ctx context.Context) (result loadResult, err error) {
	start := time.Now()
	err = l.drive(ctx, &result)
	result.took = time.Since(start)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	return result, err
}

// repeatedBatches sends the same batches again and again, each time with another number as their id, so that no two are the same batch.
type repeatedBatches struct {
	requests []loadRequest
	turn     int
	number   uint64
}

// loadRequest is a whole request with the place of its number.
type loadRequest struct {
	bytes []byte
	mark  []byte // part of bytes
	hits  int
}

// repeat makes requests of bodies, in which bodyMark stands for the number.
func repeat(address string, bodies [][]byte) *repeatedBatches {
	r := &repeatedBatches{}
	for _, body := range bodies {
		one := loadRequest{bytes: appendRequest(nil, address, benchOrigin, benchAgent, body), hits: bytes.Count(body, []byte(`"kind"`))}
		if at := bytes.Index(one.bytes, []byte(bodyMark)); at >= 0 {
			one.mark = one.bytes[at : at+len(bodyMark)]
		}
		r.requests = append(r.requests, one)
	}
	return r
}

func (r *repeatedBatches) next() (request []byte, hits int) {
	one := &r.requests[r.turn]
	r.turn = (r.turn + 1) % len(r.requests)
	r.number++
	n := r.number
	for i := len(one.mark) - 1; i >= 0; i-- { // in hexadecimal
		one.mark[i] = "0123456789abcdef"[n&15]
		n >>= 4
	}
	return one.bytes, one.hits
}

// appendRequest makes a body a request as a browser sends it.
func appendRequest(dst []byte, address, origin, agent string, body []byte) []byte {
	dst = append(append(dst, "POST /v1/in HTTP/1.1\r\nHost: "...), address...)
	dst = append(append(dst, "\r\nOrigin: "...), origin...)
	dst = append(append(dst, "\r\nContent-Type: text/plain;charset=UTF-8\r\nUser-Agent: "...), agent...)
	dst = strconv.AppendInt(append(dst, "\r\nContent-Length: "...), int64(len(body)), 10)
	return append(append(dst, "\r\n\r\n"...), body...)
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
