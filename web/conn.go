package web

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// conns are the connections that are open.
type conns struct {
	closed chan struct{} // has room for one: something was removed
	taking time.Duration // for a client to take a piece of an answer
	mu     sync.Mutex
	open   map[*conn]struct{}
}

func newConns() *conns {
	return &conns{taking: stallTime, closed: make(chan struct{}, 1), open: make(map[*conn]struct{})}
}

func (cs *conns) add(c *conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.open[c] = struct{}{}
}

func (cs *conns) remove(c *conn) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	delete(cs.open, c)
	select {
	case cs.closed <- struct{}{}:
	default:
	}
}

func (cs *conns) count() int {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return len(cs.open)
}

// wait waits until no connection is open, which is when their handlers have returned, but no longer than most.
func (cs *conns) wait(most time.Duration) {
	end := time.After(most)
	for cs.count() > 0 {
		select {
		case <-cs.closed:
		case <-end:
			return
		}
	}
}

// hangUp breaks all connections off.
func (cs *conns) hangUp() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for c := range cs.open {
		c.Conn.Close()
	}
}

// listener gives connections whose deadlines move, and keeps account of them.
type listener struct {
	net.Listener
	conns *conns
}

// Accept waits for the next connection.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	own := &conn{Conn: c, among: l.conns}
	if from, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		own.from = *from
		own.from.IP = own.ip[:copy(own.ip[:], from.IP)]
	}
	l.conns.add(own)
	return own, nil
}

// conn bounds how long a client may take for each piece that it sends or takes, where fasthttp bounds the whole. It
// belongs to the goroutine that serves the connection, but for Close.
//
// To set a deadline costs more than to look at the clock, and each request sets three. So one is passed on only if it is nearer
// than what the system has, and a Read that the system ends early goes on with the one that holds; a deadline for writing is
// set ahead by a little more than is needed, so that it holds for the next writes too.
type conn struct {
	net.Conn
	among  *conns
	stall  time.Duration // for one Read; 0 = the deadline that was set holds
	linger atomic.Bool   // the client may be sending still when Close is called
	held   bool          // deadlines for writing are those of whoever writes

	from net.TCPAddr // the other end, if it has such an address: each request asks for it, so it is where the processor looks anyway
	ip   [net.IPv6len]byte

	readBy   time.Time // the deadline of Reads, zero = none
	readEnds time.Time // what the system has of it: the same or earlier
	writeEnd time.Time // the deadline that the system has for writes
}

// RemoteAddr gives the address of the other end.
func (c *conn) RemoteAddr() net.Addr {
	if len(c.from.IP) > 0 {
		return &c.from
	}
	return c.Conn.RemoteAddr()
}

// patient gives every Read until the next SetReadDeadline its own stallTime.
func (c *conn) patient() { c.stall = stallTime }

// SetReadDeadline sets the deadline of all Reads up to the next call, as fasthttp does for each request.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.stall = 0
	return c.setReadBy(t)
}

func (c *conn) setReadBy(t time.Time) error {
	c.readBy = t
	if !t.IsZero() && !c.readEnds.IsZero() && !t.Before(c.readEnds) {
		return nil
	}
	c.readEnds = t
	return c.Conn.SetReadDeadline(t)
}

// SetDeadline sets the deadlines of Reads and writes.
func (c *conn) SetDeadline(t time.Time) error {
	c.stall, c.readBy, c.readEnds, c.writeEnd = 0, t, t, t
	return c.Conn.SetDeadline(t)
}

// SetWriteDeadline sets a deadline that the next Write replaces.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.writeEnd = t
	return c.Conn.SetWriteDeadline(t)
}

// Read reads what is there, or waits for it.
func (c *conn) Read(p []byte) (int, error) {
	if c.stall > 0 {
		if err := c.setReadBy(time.Now().Add(c.stall)); err != nil {
			return 0, withoutAddresses(err)
		}
	}
	for {
		n, err := c.Conn.Read(p)
		if err == nil {
			return n, nil
		}
		if n > 0 || !c.endedEarly(err) {
			return n, withoutAddresses(err)
		}
		c.readEnds = c.readBy
		if err := c.Conn.SetReadDeadline(c.readBy); err != nil {
			return 0, withoutAddresses(err)
		}
	}
}

// endedEarly reports whether the system has ended a Read by a deadline that does not hold any more.
func (c *conn) endedEarly(err error) bool {
	return c.readEnds.Before(c.readBy) && errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(c.readBy)
}

// Write writes p in pieces, each of which the client has stallTime to take, and at most an eighth of it more. One that takes none
// breaks the answer off, and with it an export, which keeps the journal from being pruned as long as it reads.
func (c *conn) Write(p []byte) (n int, err error) {
	for {
		if by := time.Now().Add(c.among.taking); !c.held && c.writeEnd.Before(by) {
			c.writeEnd = by.Add(c.among.taking / 8)
			if err := c.Conn.SetWriteDeadline(c.writeEnd); err != nil {
				return n, withoutAddresses(err)
			}
		}
		m, err := c.Conn.Write(p[n:min(n+writePiece, len(p))])
		n += m
		if err != nil || n == len(p) {
			return n, withoutAddresses(err)
		}
	}
}

// withoutAddresses is err without the addresses that a *net.OpError says: a visitor's is in no log and no answer.
func withoutAddresses(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// Close closes the connection. A client that is still sending what was refused gets a moment to read why: closed at once,
// its unread bytes would make the system throw the answer away.
func (c *conn) Close() error {
	defer c.among.remove(c)
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.linger.Load() && half.CloseWrite() == nil {
		if c.Conn.SetReadDeadline(time.Now().Add(lingerTime)) == nil { // Close may come from another goroutine
			io.CopyN(io.Discard, c.Conn, lingerBytes)
		}
	}
	return c.Conn.Close()
}
