package mongotest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// The part of MongoDB's wire protocol that a proxy must read: a message is its length (with these four bytes), its id, the
// id that it answers and its kind, int32 each, little endian. An OP_MSG goes on with flags and sections; the section of
// kind 0 is one document, the command or its reply.
const (
	headerBytes = 16
	messageMax  = 64 << 20 // bytes; MongoDB's own bound is 48,000,000

	opReply = 1    // the answer to an opQuery
	opQuery = 2004 // how drivers begin a connection
	opMsg   = 2013

	flagChecksum   = 1 << 0 // four bytes follow the sections
	flagMoreToCome = 1 << 1 // no answer is expected
)

// message is one message as it is on the wire.
type message []byte

func (m message) id() int32      { return int32(binary.LittleEndian.Uint32(m[4:])) }
func (m message) answers() int32 { return int32(binary.LittleEndian.Uint32(m[8:])) }
func (m message) kind() int32    { return int32(binary.LittleEndian.Uint32(m[12:])) }
func (m message) flags() uint32  { return binary.LittleEndian.Uint32(m[headerBytes:]) }

// readMessage reads the next message into a buffer, which grows as needed.
func readMessage(r *bufio.Reader, buffer []byte) (message, error) {
	head, err := r.Peek(headerBytes)
	if err != nil {
		return nil, err
	}
	length := int(int32(binary.LittleEndian.Uint32(head)))
	if length < headerBytes || length > messageMax {
		return nil, fmt.Errorf("message of %d bytes, want %d to %d", length, headerBytes, messageMax)
	}
	if cap(buffer) < length {
		buffer = make([]byte, length)
	}
	m := message(buffer[:length])
	_, err = io.ReadFull(r, m)
	return m, err
}

// body gives the document of an OP_MSG; it shares the message's memory.
func (m message) body() (bson.Raw, error) {
	if m.kind() != opMsg || len(m) < headerBytes+4 {
		return nil, errors.New("not an OP_MSG")
	}
	sections := m[headerBytes+4:]
	if m.flags()&flagChecksum != 0 && len(sections) >= 4 {
		sections = sections[:len(sections)-4]
	}
	for len(sections) > 5 {
		kind, rest := sections[0], sections[1:]
		length := int(int32(binary.LittleEndian.Uint32(rest)))
		if length < 5 || length > len(rest) {
			return nil, fmt.Errorf("section of %d bytes where %d are left", length, len(rest))
		}
		if kind == 0 {
			return bson.Raw(rest[:length]), nil
		}
		sections = rest[length:]
	}
	return nil, errors.New("OP_MSG without a document")
}

// command gives the name of the command that a message holds: its document's first key. "" is another kind of message.
func (m message) command() string {
	body, err := m.body()
	if err != nil || len(body) < 6 {
		return ""
	}
	name, _, _ := bytes.Cut(body[5:], []byte{0})
	return string(name)
}

// newMessage makes an OP_MSG of one document.
func newMessage(id, answers int32, document any) (message, error) {
	body, err := bson.Marshal(document)
	if err != nil {
		return nil, err
	}
	m := make(message, 0, headerBytes+5+len(body))
	for _, field := range []int32{int32(cap(m)), id, answers, opMsg, 0} {
		m = binary.LittleEndian.AppendUint32(m, uint32(field))
	}
	return append(append(m, 0), body...), nil
}

// newReply makes the OP_REPLY of one document.
func newReply(answers int32, document any) (message, error) {
	body, err := bson.Marshal(document)
	if err != nil {
		return nil, err
	}
	m := make(message, 0, headerBytes+20+len(body))
	for _, field := range []int32{int32(cap(m)), 0, answers, opReply, 0, 0, 0, 0, 1} { // … flags, cursor (8 bytes), first document, count
		m = binary.LittleEndian.AppendUint32(m, uint32(field))
	}
	return append(m, body...), nil
}

// replied gives a reply with fields added to its document.
func (m message) replied(more bson.D) (message, error) {
	body, err := m.body()
	if err != nil {
		return nil, err
	}
	elements, err := bson.Marshal(more)
	if err != nil {
		return nil, err
	}
	return replyWith(m, body, elements[4:len(elements)-1]), nil
}

// replyWith gives a reply with elements added to its document, body, as they are on the wire. The reply has no other section.
func replyWith(m message, body bson.Raw, elements []byte) message {
	length := len(body) + len(elements)
	out := make(message, 0, headerBytes+5+length)
	out = append(out, m[:headerBytes]...)
	binary.LittleEndian.PutUint32(out, uint32(cap(out)))
	out = append(out, 0, 0, 0, 0, 0) // flags, and a section of kind 0
	out = binary.LittleEndian.AppendUint32(out, uint32(length))
	out = append(out, body[4:len(body)-1]...)
	return append(append(out, elements...), 0)
}

// answering gives a copy that answers another message.
func (m message) answering(id int32) message {
	out := append(message{}, m...)
	binary.LittleEndian.PutUint32(out[8:], uint32(id))
	return out
}

// ask sends one command over a connection of its own and gives the document that comes back.
func ask(host string, timeout time.Duration, command bson.D) (bson.Raw, error) {
	c, err := net.DialTimeout("tcp", host, timeout)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(timeout)); err != nil {
		return nil, err
	}
	m, err := newMessage(1, 0, command)
	if err != nil {
		return nil, err
	}
	if _, err := c.Write(m); err != nil {
		return nil, err
	}
	reply, err := readMessage(bufio.NewReader(c), nil)
	if err != nil {
		return nil, err
	}
	return reply.body()
}
