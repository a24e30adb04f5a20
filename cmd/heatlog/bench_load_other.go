//go:build !linux

package main

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// drive posts until ctx ends, a goroutine a connection.
func (l *loader) drive(ctx context.Context, result *loadResult) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	results := make([]loadResult, l.conns)
	var done sync.WaitGroup
	planned := &sharedPlan{plan: newPlan(l.rate)}
	for i := range l.conns {
		done.Go(func() {
			if err := l.connection(ctx, i, planned, &results[i]); err != nil {
				cancel(err)
			}
		})
	}
	done.Wait()
	for i := range results {
		result.requests += results[i].requests
		result.latency.add(&results[i].latency)
	}
	return context.Cause(ctx)
}

// sharedPlan is a plan that all connections take from.
type sharedPlan struct {
	mu   sync.Mutex
	plan plan
}

// take waits for the time of the next request; without a rate it is now.
func (p *sharedPlan) take(ctx context.Context) time.Time {
	if p.plan.rate == 0 {
		return time.Now()
	}
	p.mu.Lock()
	at := p.plan.take()
	p.mu.Unlock()
	_ = sleep(ctx, time.Until(at)) // the loop ends with ctx
	return at
}

// connection posts over one connection.
func (l *loader) connection(ctx context.Context, i int, planned *sharedPlan, result *loadResult) error {
	conn, err := net.Dial("tcp", l.address)
	if err != nil {
		return fmt.Errorf("connect: %w", rootOpError(err))
	}
	defer conn.Close()
	requests := l.requests()
	in := make([]byte, 2<<10)
	for n := i; ctx.Err() == nil; n++ {
		begin := planned.take(ctx)
		r := &requests[n%len(requests)]
		r.number(l.next.Add(1))
		if _, err := conn.Write(r.bytes); err != nil {
			return fmt.Errorf("send request: %w", rootOpError(err))
		}
		if err := readNoContent(conn, in); err != nil {
			return err
		}
		result.latency.record(time.Since(begin))
		result.requests++
	}
	return nil
}

// readNoContent reads an answer, which must be 204 without a body.
func readNoContent(conn net.Conn, in []byte) error {
	for have := 0; ; {
		n, err := conn.Read(in[have:])
		if err != nil {
			return fmt.Errorf("read answer: %w", rootOpError(err))
		}
		have += n
		if whole, err := isNoContent(in[:have]); whole || err != nil {
			return err
		}
	}
}
