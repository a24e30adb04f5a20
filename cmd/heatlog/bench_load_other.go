//go:build !linux

package main

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// drive posts until ctx or the batches end, a goroutine a connection.
func (l *loader) drive(ctx context.Context, result *loadResult) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	results := make([]loadResult, l.conns)
	var done sync.WaitGroup
	shared := &sharedBatches{source: l.batches, plan: newPlan(l.rate)}
	for i := range l.conns {
		done.Go(func() {
			if err := l.connection(ctx, shared, &results[i]); err != nil {
				cancel(err)
			}
		})
	}
	done.Wait()
	for i := range results {
		result.requests += results[i].requests
		result.hits += results[i].hits
		result.latency.add(&results[i].latency)
	}
	return context.Cause(ctx)
}

// sharedBatches are batches, and a plan, that all connections take from.
type sharedBatches struct {
	mu     sync.Mutex
	source batchSource
	plan   plan
}

// take waits for the time of the next request, which without a rate is now, and appends it to dst; nil at the end.
func (s *sharedBatches) take(ctx context.Context, dst []byte) (request []byte, hits int, begin time.Time) {
	s.mu.Lock()
	request, hits = s.source.next()
	if request != nil {
		request = append(dst, request...)
	}
	begin = time.Now()
	if s.plan.rate > 0 {
		begin = s.plan.at()
		s.plan.hits += int64(hits)
	}
	s.mu.Unlock()
	_ = sleep(ctx, time.Until(begin)) // the loop ends with ctx
	return request, hits, begin
}

// connection posts over one connection.
func (l *loader) connection(ctx context.Context, shared *sharedBatches, result *loadResult) error {
	conn, err := net.Dial("tcp", l.address)
	if err != nil {
		return fmt.Errorf("connect: %w", rootOpError(err))
	}
	defer conn.Close()
	var request []byte
	in := make([]byte, 2<<10)
	for ctx.Err() == nil {
		next, hits, begin := shared.take(ctx, request[:0])
		if next == nil {
			return nil
		}
		request = next
		if _, err := conn.Write(request); err != nil {
			return fmt.Errorf("send request: %w", rootOpError(err))
		}
		if err := readNoContent(conn, in); err != nil {
			return err
		}
		result.latency.record(time.Since(begin))
		result.requests++
		result.hits += int64(hits)
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
