package web

import (
	"io"
	"net"
	"sync"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/valyala/fasthttp"

	"heatlog/heatmap"
)

// A subscriber is a stream that listens to a node. It has no queue: what it is sent next is made of the version that it was sent
// last, when it is ready for it. Its goroutine is the one that serves the connection.
type subscriber struct {
	node    *node
	caller  caller
	version uint64          // that it was told last; guarded by node.mu
	told    *heatmap.Prefix // of the log, that it was told last, nil = none; guarded by node.mu
	beats   uint64          // of node, when it was told last that there is nothing new; guarded by node.mu
	conn    *conn           // nil in a test without a network
	gone    chan struct{}   // closed when the client is
	once    sync.Once
}

// next waits for what to send, nil when the client is gone.
func (u *subscriber) next() *liveMessage {
	for {
		m, wait := u.node.next(u)
		if m != nil {
			u.node.all.messages.Add(1)
			return m
		}
		select {
		case <-wait:
		case <-u.gone:
			return nil
		}
	}
}

// hangUp ends the stream from the server's side.
func (u *subscriber) hangUp() {
	u.once.Do(func() {
		close(u.gone)
		if u.conn != nil {
			u.conn.Conn.Close()
		}
	})
}

// deadline is until when a client may take a message of some bytes.
func (l *live) deadline(bytes int) time.Time {
	return time.Now().Add(l.limits.WriteLimit + l.limits.WriteLimit*time.Duration(bytes)/(1<<20))
}

// sseRetry begins every stream of events: a browser that was cut off comes back after so many ms.
const sseRetry = "retry: 2000\n\n"

// eventStream is a stream as the body of an answer, for the one goroutine that sends it.
type eventStream struct {
	u    *subscriber
	left []byte    // what is to be sent of the message
	last bool      // there is none behind it
	by   time.Time // when the client must have taken the message
	gave time.Time // when Read gave the last bytes, which are written before it is called again
}

// sendEvents makes a stream of server-sent events the answer.
func (s *Server) sendEvents(ctx *fasthttp.RequestCtx, n *node, c caller, version uint64) error {
	on, _ := ctx.Conn().(*conn)
	u, err := s.live.listen(n, c, version, on)
	if err != nil {
		return err
	}
	setHeaders(ctx, "text/event-stream; charset=utf-8")
	ctx.Response.Header.Set("X-Accel-Buffering", "no") // a proxy that gathers would hold patches back
	ctx.Response.ImmediateHeaderFlush = true
	b := &eventStream{u: u}
	b.take([]byte(sseRetry))
	if on != nil {
		on.held = true
	}
	ctx.SetBodyStream(b, -1)
	return nil
}

// take begins to send a message.
func (b *eventStream) take(frame []byte) {
	b.left = frame
	b.by = b.u.node.all.deadline(len(frame))
	b.u.node.all.bytes.Add(uint64(len(frame)))
	if b.u.conn != nil {
		_ = b.u.conn.SetWriteDeadline(b.by) // fails on a connection that is closed, and so will the write
	}
}

// Read gives the next bytes, which it waits for.
func (b *eventStream) Read(p []byte) (int, error) {
	if !b.gave.IsZero() {
		b.u.node.all.pace.wrote(b.gave)
	}
	if len(b.left) == 0 {
		if b.last {
			return 0, io.EOF
		}
		m := b.u.next()
		if m == nil {
			return 0, net.ErrClosed
		}
		b.last = m.last
		b.take(m.frame)
	}
	n := copy(p, b.left)
	if b.left = b.left[n:]; len(b.left) == 0 {
		b.left = nil // the message may be large, and the next one late
	}
	b.gave = time.Now()
	return n, nil
}

// Close ends the stream, whether all was sent or not.
func (b *eventStream) Close() error {
	if c := b.u.conn; c != nil {
		c.held = false
	}
	if !b.last && time.Now().After(b.by) {
		b.u.node.all.cutOff.Add(1)
	}
	b.left = nil
	b.u.node.all.leave(b.u)
	return nil
}

// Bounds on a WebSocket.
const (
	pingEvery     = 20 * time.Second
	pongTime      = 3 * pingEvery // without a word from the client
	maxClientText = 4 << 10       // bytes of a message from the client, none of which means anything
	socketBuffer  = 1 << 10       // bytes, for reading: what is sent needs none
)

// upgrader makes WebSockets. Whether the request may have one is checked before.
var upgrader = websocket.FastHTTPUpgrader{
	ReadBufferSize: socketBuffer, WriteBufferSize: socketBuffer, WriteBufferPool: &sync.Pool{},
	CheckOrigin: func(*fasthttp.RequestCtx) bool { return true },
	Error:       func(*fasthttp.RequestCtx, int, error) {},
}

// sendSocket makes a WebSocket of the connection, over which messages go.
func (s *Server) sendSocket(ctx *fasthttp.RequestCtx, n *node, c caller, version uint64) error {
	if err := s.live.mayListen(c); err != nil {
		return err
	}
	on, _ := ctx.Conn().(*conn)
	err := upgrader.Upgrade(ctx, func(ws *websocket.Conn) {
		if on != nil {
			on.held = true
		}
		s.talk(ws, on, n, c, version)
	})
	if err != nil {
		return badRequest("the request does not open a WebSocket: " + err.Error())
	}
	return nil
}

// talk sends messages over a WebSocket until either side ends it.
func (s *Server) talk(ws *websocket.Conn, on *conn, n *node, c caller, version uint64) {
	u, err := s.live.listen(n, c, version, on)
	if err != nil { // others came first
		s.closeSocket(ws, websocket.CloseTryAgainLater, err.Error())
		return
	}
	defer s.live.leave(u)
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		hear(ws)
		u.hangUp()
	}()
	code, reason := s.sendMessages(ws, u)
	if code != 0 {
		s.closeSocket(ws, code, reason)
		select { // the client's own goodbye, so that it has read ours
		case <-heard:
		case <-time.After(lastWords):
		}
	}
	u.hangUp()
	<-heard
}

// hear reads what a client says, which means nothing, until it is gone or silent for too long.
func hear(ws *websocket.Conn) {
	ws.SetReadLimit(maxClientText)
	alive := func(string) error { return ws.SetReadDeadline(time.Now().Add(pongTime)) }
	ws.SetPongHandler(alive)
	for err := alive(""); err == nil; {
		var message io.Reader
		if _, message, err = ws.NextReader(); err == nil {
			_, err = io.Copy(io.Discard, message)
		}
	}
}

// sendMessages sends what there is to be told until the end, and gives how to close; code 0 if the client does not take it.
func (s *Server) sendMessages(ws *websocket.Conn, u *subscriber) (code int, reason string) {
	pinged := time.Now()
	for {
		m := u.next()
		if m == nil {
			return 0, ""
		}
		by := s.live.deadline(len(m.text))
		s.live.bytes.Add(uint64(len(m.text)))
		if now := time.Now(); now.Sub(pinged) >= pingEvery {
			pinged = now
			if ws.WriteControl(websocket.PingMessage, nil, by) != nil {
				return 0, ""
			}
		}
		_ = ws.SetWriteDeadline(by) // only keeps it for the next write
		begin := time.Now()
		err := ws.WritePreparedMessage(m.webSocket())
		s.live.pace.wrote(begin)
		if err != nil {
			if time.Now().After(by) {
				s.live.cutOff.Add(1)
			}
			return 0, ""
		}
		if m.last {
			return websocket.CloseGoingAway, "bye"
		}
	}
}

// closeSocket says why a WebSocket is closed.
func (s *Server) closeSocket(ws *websocket.Conn, code int, reason string) {
	const most = 120 // bytes of a close frame's text
	frame := websocket.FormatCloseMessage(code, reason[:min(most, len(reason))])
	_ = ws.WriteControl(websocket.CloseMessage, frame, time.Now().Add(lastWords)) // if the client still takes it
}
