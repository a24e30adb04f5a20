package web

import (
	"encoding/binary"
	"math/rand/v2"
	"regexp"
	"sync"
	"time"

	"github.com/fasthttp/websocket"

	"heatlog/heatmap"
)

// resumePrefix begins the tokens by which a stream goes on, resumeLife is how long one is good for that: longer than any node
// keeps what went.
const (
	resumePrefix = "hlq_"
	resumeLife   = 24 * time.Hour
	resumeBytes  = liveIDBytes + 8 + 8 // ID, incarnation, version
)

// maxShared is how many messages of a version are kept for those who stand where others do. Most stand at the version before.
const maxShared = 16

// liveMessage is a message of a stream. It is encoded once and shared by all who are sent it.
type liveMessage struct {
	frame []byte // as a server-sent event
	text  []byte // the JSON, which is a part of it
	last  bool   // the stream ends with it

	once     sync.Once
	prepared *websocket.PreparedMessage // as a WebSocket message
}

// webSocket is the message as it goes over a WebSocket.
func (m *liveMessage) webSocket() *websocket.PreparedMessage {
	m.once.Do(func() {
		m.prepared, _ = websocket.NewPreparedMessage(websocket.TextMessage, m.text) // fails for unknown types alone
	})
	return m.prepared
}

// message gives what changed since a version, or with 0 everything. n.mu is held.
func (n *node) message(from uint64) *liveMessage {
	if m := n.messages[from]; m != nil {
		return m
	}
	start := time.Now()
	event := "patch"
	if from == 0 {
		event = "snapshot"
	}
	m := n.encode(event, n.version, n.answer.prefix, func(o *object) {
		o.count("version", n.version)
		o.boolean("complete", n.answer.complete)
		n.answer.appendMembers(o, from)
	})
	if len(n.messages) >= maxShared {
		clear(n.messages)
	}
	n.messages[from] = m
	n.spent += time.Since(start)
	n.all.pace.spend(time.Since(start))
	return m
}

// encode makes a message with what every one has. Whoever is sent it was told the version by then, 0 for nothing, which holds the
// prefix of the log. n.mu is held.
func (n *node) encode(event string, version uint64, prefix *heatmap.Prefix, members func(*object)) *liveMessage {
	n.all.encodings.Add(1)
	token := n.token(version)
	dst := append([]byte("event: "), event...)
	dst = append(append(dst, "\nid: "...), token...)
	dst = append(dst, "\ndata: "...)
	begin := len(dst)
	o := object{dst: dst}
	o.open()
	o.text("event", event)
	o.text("id", n.id)
	o.text("token", token)
	o.text("generation", prefix.Generation)
	o.key("positions")
	positions(&o, prefix.Positions)
	o.count("lag_hits", prefix.Lag)
	members(&o)
	o.close()
	end := len(o.dst)
	frame := append(o.dst, "\n\n"...)
	return &liveMessage{frame: frame, text: frame[begin:end]}
}

// progressMembers say how far the answer is.
func (n *node) progressMembers(o *object) {
	o.boolean("complete", n.answer.complete)
	if n.answer.complete || !n.answer.known {
		return
	}
	h := &n.answer.history
	o.key("history")
	o.open()
	o.count("done", h.Hits)
	o.count("total", h.Of)
	o.number("share", shareDone(h), 4)
	o.number("hits_per_s", h.HitsPerSecond, 0)
	o.number("eta_ms", h.ETASeconds*1000, 0)
	o.close()
}

// shareDone is how much of the history is read, 0 to 1.
func shareDone(h *heatmap.Progress) float64 {
	if h.Of == 0 {
		return 0
	}
	return min(1, float64(h.Hits)/float64(h.Of))
}

// bye ends a stream, which can go on where it was. When many are told to come back, each is told another time. n.mu is held.
func (n *node) bye(u *subscriber, g goodbye) *liveMessage {
	told := u.told
	if told == nil {
		told = nothingOf(n.answer.prefix)
	}
	m := n.encode("bye", u.version, told, func(o *object) {
		o.text("code", g.code)
		o.text("reason", g.reason)
		if g.retryMax > 0 {
			o.count("retry_ms", uint64((g.retryMin + rand.N(g.retryMax-g.retryMin)).Milliseconds()))
		}
	})
	m.last = true
	return m
}

// token is what a stream goes on by that was told a version, 0 for nothing.
func (n *node) token(version uint64) string {
	id, _ := tokenBytes(n.id)
	subject := make([]byte, 0, resumeBytes)
	subject = append(subject, id...)
	subject = binary.BigEndian.AppendUint64(subject, n.incarnation)
	subject = binary.BigEndian.AppendUint64(subject, version)
	token, _ := n.all.s.resumes.seal(string(subject), n.all.s.o.Now())
	return token
}

// resumeForm is what a token looks like.
var resumeForm = regexp.MustCompile(`^hlq_[A-Za-z0-9_-]{50}\.[A-Za-z0-9_-]{43}$`)

func badToken(token string) error {
	return badParam("after", "after is "+shorten(token)+", which is no token of this question: begin without it")
}

// resume gives the version that a token was sent with, 0 if the node does not know it any more. The error is that of a token that is
// not one of ours, or of another question.
func (n *node) resume(token string) (version uint64, err error) {
	subject, err := n.all.s.resumes.open(token, n.all.s.o.Now())
	if err == errForged || len(subject) != resumeBytes || tokenText([]byte(subject[:liveIDBytes])) != n.id {
		return 0, badToken(token)
	}
	if err != nil || binary.BigEndian.Uint64([]byte(subject[liveIDBytes:])) != n.incarnation {
		return 0, nil
	}
	return binary.BigEndian.Uint64([]byte(subject[liveIDBytes+8:])), nil
}
