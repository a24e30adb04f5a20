package mongotest

import (
	"bufio"
	"net"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// link is one connection of a driver with its connection to the server.
type link struct {
	proxy  *Proxy
	client net.Conn
	done   chan struct{} // closed when the link is

	mu     sync.Mutex
	server net.Conn // nil until dialled
	closed bool
	passed map[int32]passedOn // of commands that were passed on, by their ids: what to do with the reply

	writing sync.Mutex // one writer to client
}

// passedOn is what is to happen to the reply of a command.
type passedOn struct {
	verdict verdict
	writes  bool       // the command is a write
	retried *retryable // the write that the set keeps the reply of, nil without one
}

// lostReply is how long the server's side of a link that was closed is still read for the reply of a write that the set keeps.
const lostReply = 10 * time.Second

// join adds the server's side; false says that the link was closed meanwhile.
func (l *link) join(server net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		server.Close()
		return false
	}
	l.server = server
	return true
}

// close closes both sides, the driver's by a reset: nothing that was sent before is to be read any more.
func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	close(l.done)
	if tcp, ok := l.client.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	l.client.Close()
	if l.server == nil {
		return
	}
	if l.kept() {
		_ = l.server.SetReadDeadline(time.Now().Add(lostReply))
		return
	}
	l.server.Close()
}

// kept says whether the reply of a write is under way that the set keeps; the link is locked.
func (l *link) kept() bool {
	for _, p := range l.passed {
		if p.retried != nil {
			return true
		}
	}
	return false
}

// requests passes commands on until the driver closes.
func (l *link) requests() {
	r := bufio.NewReader(l.client)
	var buffer message
	for {
		m, err := readMessage(r, buffer)
		if err != nil {
			return
		}
		buffer = m
		v := l.proxy.judge(m.command())
		if !l.pause(v.wait) || v.deed == cutRequest {
			return
		}
		if v.deed == fail {
			err = l.refuse(m, v)
		} else {
			err = l.passOrAnswer(m, v)
		}
		if err != nil {
			return
		}
	}
}

// pause waits a time, and while the proxy is stalled; false says that the link was closed meanwhile.
func (l *link) pause(d time.Duration) bool {
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.done:
			return false
		}
	}
	select {
	case <-l.proxy.gate():
		return true
	case <-l.done:
		return false
	}
}

// passOrAnswer passes a command on, unless the proxy is a member of a set that answers it itself.
func (l *link) passOrAnswer(m message, v verdict) error {
	set := l.proxy.set
	if set == nil {
		return l.passOn(m, passedOn{verdict: v})
	}
	reply, err := set.answer(l.proxy.member, m)
	if err != nil {
		return err
	}
	if reply != nil {
		return l.reply(reply, v)
	}
	p := passedOn{verdict: v, writes: writes[m.command()]}
	body, err := m.body()
	if err != nil {
		return err
	}
	if r, ok := retryableOf(body); ok {
		p.retried, p.verdict.labels = &r, labelled(body, v.code)
	}
	return l.passOn(m, p)
}

// passOn sends a command to the server and remembers what is to happen to its reply.
func (l *link) passOn(m message, p passedOn) error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		l.finish(p, nil)
		return net.ErrClosed
	}
	l.passed[m.id()] = p
	l.mu.Unlock()
	_, err := l.server.Write(m)
	return err
}

// finish tells the set the reply of a write that it keeps, nil without one.
func (l *link) finish(p passedOn, reply message) {
	if p.retried != nil {
		l.proxy.set.finish(*p.retried, reply)
	}
}

// refuse answers a command with an error in the server's place.
func (l *link) refuse(m message, v verdict) error {
	if m.flags()&flagMoreToCome != 0 {
		return nil
	}
	var labels bson.A
	if l.proxy.set != nil {
		body, err := m.body()
		if err != nil {
			return err
		}
		labels = labelled(body, v.code)
	}
	reply, err := newMessage(m.id(), m.id(), refusal(v.code, v.codeName, labels))
	if err != nil {
		return err
	}
	return l.answer(reply)
}

// answer sends a message to the driver.
func (l *link) answer(m message) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	_, err := l.client.Write(m)
	return err
}

// replies passes the server's replies on until it closes. Those that a set keeps are read to the last.
func (l *link) replies() {
	defer l.end()
	r := bufio.NewReader(l.server)
	var buffer message
	for {
		m, err := readMessage(r, buffer)
		if err != nil {
			return
		}
		buffer = m
		l.mu.Lock()
		p := l.passed[m.answers()]
		delete(l.passed, m.answers())
		l.mu.Unlock()
		if l.proxy.set != nil {
			m = l.proxy.set.stamped(m, p.writes)
			l.finish(p, m)
		}
		if err := l.reply(m, p.verdict); err != nil && !l.waits() {
			return
		}
	}
}

// reply passes one reply on as was decided; the error ends the link.
func (l *link) reply(m message, v verdict) (err error) {
	if !l.pause(0) {
		return net.ErrClosed
	}
	switch v.deed {
	case dropReply:
		l.close()
		return net.ErrClosed
	case concern:
		more := bson.D{{Key: "writeConcernError", Value: bson.D{
			{Key: "code", Value: v.code}, {Key: "codeName", Value: v.codeName}, {Key: "errmsg", Value: "made by the proxy of a test"},
		}}}
		if len(v.labels) > 0 {
			more = append(more, bson.E{Key: "errorLabels", Value: v.labels})
		}
		m, err = m.replied(more)
	}
	if err == nil {
		err = l.answer(m)
	}
	if err != nil {
		l.close()
	}
	return err
}

// waits says whether a closed link is still to be read for replies that the set keeps.
func (l *link) waits() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept()
}

// end closes the server's side and tells the set of the replies that will not come.
func (l *link) end() {
	l.close()
	l.server.Close()
	l.mu.Lock()
	lost := l.passed
	l.passed = nil
	l.mu.Unlock()
	for _, p := range lost {
		l.finish(p, nil)
	}
}
