package mongostore

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// fakeSet is a replica set of a primary and a secondary, as far as a driver sees it: it says who it is, gives answers that
// tests put together, and notes what it was sent. The peer of the other tests has neither sessions nor members.
type fakeSet struct {
	hosts [2]string // primary, secondary
	// answer gives the answer to a command, nil being an empty one that is fine; ok, times and cursors are added to it.
	answer func(member int, name string, command bson.Raw) bson.D
	// hello changes what a member says of itself.
	hello func(member int, h bson.D) bson.D

	mu   sync.Mutex
	sent []sentCommand // guarded by mu
	time uint32        // guarded by mu: seconds of the next operation time
}

// sentCommand is what a member was sent.
type sentCommand struct {
	member int
	name   string
	body   bson.Raw
}

func newFakeSet(t *testing.T) *fakeSet {
	f := &fakeSet{time: 100}
	for member := range f.hosts {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		f.hosts[member] = l.Addr().String()
		var open sync.WaitGroup
		open.Go(func() { f.serve(l, member) })
		t.Cleanup(func() { _ = l.Close(); open.Wait() })
	}
	return f
}

func (f *fakeSet) uri() string {
	return "mongodb://" + f.hosts[0] + "," + f.hosts[1] + "/heatlog?replicaSet=rs0"
}

// commands gives what was sent to read and write, in order, and forgets it.
func (f *fakeSet) commands() []sentCommand {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.sent
	f.sent = nil
	return slices.DeleteFunc(all, func(c sentCommand) bool { return c.name == "endSessions" })
}

func (f *fakeSet) serve(l net.Listener, member int) {
	var all sync.WaitGroup
	defer all.Wait()
	var mu sync.Mutex
	var conns []net.Conn
	defer func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		mu.Lock()
		conns = append(conns, c)
		mu.Unlock()
		all.Go(func() {
			defer c.Close()
			for f.message(c, member) == nil {
			}
		})
	}
}

// Codes of the wire protocol.
const (
	opReply = 1
	opQuery = 2004
	opMsg   = 2013
)

// message reads one message and answers it.
func (f *fakeSet) message(c net.Conn, member int) error {
	var head [16]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return err
	}
	length := binary.LittleEndian.Uint32(head[:])
	if length < 16 || length > 48<<20 {
		return io.ErrUnexpectedEOF // not of this protocol: TLS
	}
	body := make([]byte, length-16)
	if _, err := io.ReadFull(c, body); err != nil {
		return err
	}
	var out []byte
	op := binary.LittleEndian.Uint32(head[12:])
	switch op {
	case opQuery:
		name := bytes.IndexByte(body[4:], 0)
		doc, _, _ := bsoncore.ReadDocument(body[4+name+1+8:])
		out = append(make([]byte, 4+8+4), 1, 0, 0, 0)
		out = append(out, f.reply(member, bson.Raw(doc))...)
		op = opReply
	case opMsg:
		doc, _, _ := bsoncore.ReadDocument(body[5:]) // section 0 comes first
		out = append(make([]byte, 5), f.reply(member, bson.Raw(doc))...)
	default:
		return io.ErrUnexpectedEOF
	}
	answer := binary.LittleEndian.AppendUint32(nil, uint32(16+len(out)))
	answer = append(answer, 0, 0, 0, 0)
	answer = append(answer, head[4:8]...)
	answer = binary.LittleEndian.AppendUint32(answer, op)
	_, err := c.Write(append(answer, out...))
	return err
}

func (f *fakeSet) reply(member int, command bson.Raw) bson.Raw {
	elements, _ := command.Elements()
	name := elements[0].Key()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.time++
	var d bson.D
	switch name {
	case "hello", "isMaster", "ismaster":
		d = bson.D{
			{Key: "ismaster", Value: member == 0}, {Key: "isWritablePrimary", Value: member == 0}, {Key: "secondary", Value: member != 0}, {Key: "helloOk", Value: true},
			{Key: "setName", Value: "rs0"}, {Key: "hosts", Value: f.hosts}, {Key: "primary", Value: f.hosts[0]}, {Key: "me", Value: f.hosts[member]},
			{Key: "maxBsonObjectSize", Value: 16 << 20}, {Key: "maxMessageSizeBytes", Value: 48_000_000}, {Key: "maxWriteBatchSize", Value: 100_000},
			{Key: "minWireVersion", Value: 0}, {Key: "maxWireVersion", Value: 17}, {Key: "logicalSessionTimeoutMinutes", Value: 30},
		}
		if f.hello != nil {
			d = f.hello(member, d)
		}
	default:
		f.sent = append(f.sent, sentCommand{member, name, bytes.Clone(command)})
		if f.answer != nil {
			d = f.answer(member, name, command)
		}
		if d == nil && name == "find" {
			d = found()
		}
	}
	if len(d) == 0 || d[0].Key != "ok" {
		d = append(bson.D{{Key: "ok", Value: 1}}, d...)
	}
	at := bson.Timestamp{T: f.time}
	d = append(d, bson.E{Key: "operationTime", Value: at}, bson.E{Key: "$clusterTime", Value: bson.D{{Key: "clusterTime", Value: at},
		{Key: "signature", Value: bson.D{{Key: "hash", Value: bson.Binary{Data: make([]byte, 20)}}, {Key: "keyId", Value: int64(1)}}}}})
	raw, err := bson.Marshal(d)
	if err != nil {
		panic(err)
	}
	return raw
}

// found is the answer to a find, to its end.
func found(docs ...bson.Raw) bson.D {
	docs = append([]bson.Raw{}, docs...)
	return bson.D{{Key: "cursor", Value: bson.D{{Key: "id", Value: int64(0)}, {Key: "ns", Value: "heatlog.docs"}, {Key: "firstBatch", Value: docs}}}}
}

// failed is the answer to a command that fails.
func failed(code int, name, message string) bson.D {
	return bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: code}, {Key: "codeName", Value: name}, {Key: "errmsg", Value: message}}
}

// isFormat reports whether a command reads the format record, and what the answer is where there is one.
func isFormat(name string, command bson.Raw) (bson.D, bool) {
	collection, _ := command.Lookup("find").StringValueOK()
	if name != "find" || collection != "records" {
		return nil, false
	}
	raw, err := bson.Marshal(bson.D{{Key: idField, Value: formatRecord}, {Key: valueField, Value: binaryOf([]byte(formatName + formatVersion))}})
	if err != nil {
		panic(err)
	}
	return found(raw), true
}
