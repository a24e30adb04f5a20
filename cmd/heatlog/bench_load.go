package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// loader posts batches over keep-alive connections, each of which sends its next request when the last is answered.
type loader struct {
	address string // HOST:PORT
	bodies  [][]byte
	mark    []byte // the piece of each body that is overwritten with a number, so that no two requests are the same batch
	conns   int
	next    atomic.Uint64 // number of the next request
}

// loadResult is what a load came to.
type loadResult struct {
	requests int64
	took     time.Duration
	latency  latencies
}

// run posts until ctx ends. Every answer must be 204.
func (l *loader) run(ctx context.Context) (loadResult, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	results := make([]loadResult, l.conns)
	start := time.Now()
	var done sync.WaitGroup
	for i := range l.conns {
		done.Go(func() {
			if err := l.connection(ctx, i, &results[i]); err != nil {
				cancel(err)
			}
		})
	}
	done.Wait()
	sum := loadResult{took: time.Since(start)}
	for i := range results {
		sum.requests += results[i].requests
		sum.latency.add(&results[i].latency)
	}
	err := context.Cause(ctx)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	return sum, err
}

// connection posts over one connection.
func (l *loader) connection(ctx context.Context, i int, result *loadResult) error {
	conn, err := net.Dial("tcp", l.address)
	if err != nil {
		return fmt.Errorf("connect: %w", rootOpError(err))
	}
	defer conn.Close()
	requests := l.requests()
	answers := bufio.NewReaderSize(conn, 1<<10)
	for n := i; ctx.Err() == nil; n++ {
		r := &requests[n%len(requests)]
		r.number(l.next.Add(1))
		begin := time.Now()
		if _, err := conn.Write(r.bytes); err != nil {
			return fmt.Errorf("send request: %w", rootOpError(err))
		}
		if err := readNoContent(answers); err != nil {
			return err
		}
		result.latency.record(time.Since(begin))
		result.requests++
	}
	return nil
}

// loadRequest is a whole request with the place of its number.
type loadRequest struct {
	bytes []byte
	mark  []byte // part of bytes
}

// requests makes each body a request of this connection's own.
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

// readNoContent reads an answer, which must be 204 without a body.
func readNoContent(r *bufio.Reader) error {
	status, err := r.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 204")) {
		line := string(bytes.TrimSpace(status))
		rest, _ := io.ReadAll(io.LimitReader(r, int64(r.Buffered())))
		return fmt.Errorf("server answered %q: %s", line, rest)
	}
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("read answer: %w", err)
		}
		if len(line) <= 2 {
			return nil
		}
	}
}

// latencies counts times in buckets that are at most 1/16 wide, from 1 µs on.
type latencies struct {
	counts [40 * 16]int64
}

// record counts one time.
func (l *latencies) record(d time.Duration) {
	us := max(16, uint64(d.Microseconds()*16)) // in 1/16 µs
	shift := bits.Len64(us) - 5
	l.counts[min(len(l.counts)-1, shift*16+int(us>>shift)-16)]++
}

// add counts everything that o counted.
func (l *latencies) add(o *latencies) {
	for i, n := range o.counts {
		l.counts[i] += n
	}
}

// quantile gives the upper bound of the bucket that holds the share q of all times.
func (l *latencies) quantile(q float64) time.Duration {
	var all, seen int64
	for _, n := range l.counts {
		all += n
	}
	for i, n := range l.counts {
		if seen += n; n > 0 && float64(seen) >= q*float64(all) {
			return time.Duration(uint64(i%16+17)<<(i/16)) * time.Microsecond / 16
		}
	}
	return 0
}
