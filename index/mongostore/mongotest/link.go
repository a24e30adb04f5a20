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
	judged map[int32]verdict // of the commands that were passed on, by their ids: what to do with the reply

	writing sync.Mutex // one writer to client
}

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
	if l.server != nil {
		l.server.Close()
	}
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
			err = l.passOn(m, v)
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

// passOn sends a command to the server and remembers what is to happen to its reply.
func (l *link) passOn(m message, v verdict) error {
	if v.deed != pass {
		l.mu.Lock()
		l.judged[m.id()] = v
		l.mu.Unlock()
	}
	_, err := l.server.Write(m)
	return err
}

// refuse answers a command with an error in the server's place.
func (l *link) refuse(m message, v verdict) error {
	if m.flags()&flagMoreToCome != 0 {
		return nil
	}
	reply, err := newMessage(m.id(), m.id(), bson.D{
		{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: "made by the proxy of a test: " + v.codeName},
		{Key: "code", Value: v.code}, {Key: "codeName", Value: v.codeName},
	})
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

// replies passes the server's replies on until it closes.
func (l *link) replies() {
	r := bufio.NewReader(l.server)
	var buffer message
	for {
		m, err := readMessage(r, buffer)
		if err != nil {
			return
		}
		buffer = m
		if !l.pause(0) {
			return
		}
		l.mu.Lock()
		v := l.judged[m.answers()]
		delete(l.judged, m.answers())
		l.mu.Unlock()
		switch v.deed {
		case dropReply:
			return
		case concern:
			m, err = m.replied(bson.E{Key: "writeConcernError", Value: bson.D{
				{Key: "code", Value: v.code}, {Key: "codeName", Value: v.codeName}, {Key: "errmsg", Value: "made by the proxy of a test"},
			}})
		}
		if err == nil {
			err = l.answer(m)
		}
		if err != nil {
			return
		}
	}
}
