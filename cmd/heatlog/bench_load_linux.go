package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"
)

// A goroutine a connection would take as much of the processor as the server that is measured; so one thread asks the
// system which connections have answers.

// loadConn is one connection.
type loadConn struct {
	file  *os.File // keeps fd open
	fd    int
	begin time.Time // of the request under way
	in    []byte    // of its answer so far
	left  []byte    // what could not be sent yet
}

// loadPoller is a load under way.
type loadPoller struct {
	*loader
	result *loadResult
	poll   int
	conns  []loadConn
	idle   []int // conns without a request under way
	ended  bool  // there are no more batches
	plan   plan
}

// drive posts until ctx or the batches end.
func (l *loader) drive(ctx context.Context, result *loadResult) (err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p := &loadPoller{loader: l, result: result, conns: make([]loadConn, l.conns), plan: newPlan(l.rate)}
	if p.poll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("make load: %w", err)
	}
	defer func() {
		_ = syscall.Close(p.poll)
		for i := range p.conns {
			if f := p.conns[i].file; f != nil {
				_ = f.Close() // what was sent is counted
			}
		}
	}()
	for i := range p.conns {
		if err := p.connect(i); err != nil {
			return err
		}
	}
	p.plan.begin = time.Now()
	if l.rate == 0 {
		p.idle = nil
		for i := range p.conns {
			if err := p.send(i, time.Now()); err != nil {
				return err
			}
		}
	}
	return p.loop(ctx)
}

// connect opens the i-th connection.
func (p *loadPoller) connect(i int) error {
	conn, err := net.Dial("tcp", p.address)
	if err != nil {
		return fmt.Errorf("connect: %w", rootOpError(err))
	}
	defer conn.Close() // the file is a connection of its own
	c := &p.conns[i]
	if c.file, err = conn.(*net.TCPConn).File(); err != nil {
		return fmt.Errorf("connect: %w", rootOpError(err))
	}
	c.fd, c.in = int(c.file.Fd()), make([]byte, 0, 2<<10)
	if err := syscall.SetNonblock(c.fd, true); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	p.idle = append(p.idle, i)
	e := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)}
	if err := syscall.EpollCtl(p.poll, syscall.EPOLL_CTL_ADD, c.fd, &e); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return nil
}

// loop sends what is planned and reads what has come.
func (p *loadPoller) loop(ctx context.Context) error {
	events := make([]syscall.EpollEvent, 256)
	for ctx.Err() == nil && (!p.ended || len(p.idle) < len(p.conns)) {
		for now := time.Now(); !p.ended && len(p.idle) > 0 && p.plan.due(now); {
			i := p.idle[len(p.idle)-1]
			p.idle = p.idle[:len(p.idle)-1]
			if err := p.send(i, p.plan.at()); err != nil {
				return err
			}
		}
		n, err := syscall.EpollWait(p.poll, events, p.plan.wait(len(p.idle) > 0))
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("wait for answers: %w", err)
		}
		for _, e := range events[:max(n, 0)] {
			if err := p.ready(int(e.Fd), e.Events); err != nil {
				return err
			}
		}
	}
	return context.Cause(ctx)
}

// ready goes on with a connection.
func (p *loadPoller) ready(i int, events uint32) error {
	c := &p.conns[i]
	if events&syscall.EPOLLOUT != 0 {
		if err := p.write(i, c.left); err != nil || events&^syscall.EPOLLOUT == 0 {
			return err
		}
	}
	n, err := syscall.Read(c.fd, c.in[len(c.in):cap(c.in)])
	switch {
	case errors.Is(err, syscall.EAGAIN) || errors.Is(err, syscall.EINTR):
		return nil
	case err != nil:
		return fmt.Errorf("read answer: %w", err)
	case n == 0:
		return fmt.Errorf("read answer: %w", io.ErrUnexpectedEOF)
	}
	c.in = c.in[:len(c.in)+n]
	whole, err := isNoContent(c.in)
	if err != nil || !whole {
		return err
	}
	now := time.Now()
	p.result.latency.record(now.Sub(c.begin))
	p.result.requests++
	c.in = c.in[:0]
	if p.rate == 0 {
		return p.send(i, now)
	}
	p.idle = append(p.idle, i)
	return nil
}

// send posts the next batch over the i-th connection, if there is one.
func (p *loadPoller) send(i int, begin time.Time) error {
	request, hits := p.batches.next()
	if request == nil {
		p.ended = true
		p.idle = append(p.idle, i)
		return nil
	}
	p.conns[i].begin = begin
	p.plan.hits += int64(hits)
	p.result.hits = p.plan.hits
	return p.write(i, request)
}

// write sends b, and keeps what the system does not take now.
func (p *loadPoller) write(i int, b []byte) error {
	c := &p.conns[i]
	n, err := syscall.Write(c.fd, b)
	if err != nil && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR) {
		return fmt.Errorf("send request: %w", err)
	}
	waited := len(c.left) > 0
	c.left = append([]byte(nil), b[max(n, 0):]...)
	if waits := len(c.left) > 0; waits != waited {
		e := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(i)}
		if waits {
			e.Events |= syscall.EPOLLOUT
		}
		if err := syscall.EpollCtl(p.poll, syscall.EPOLL_CTL_MOD, c.fd, &e); err != nil {
			return fmt.Errorf("send request: %w", err)
		}
	}
	return nil
}
