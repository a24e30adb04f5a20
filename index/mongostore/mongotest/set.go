package mongotest

import (
	"encoding/binary"
	"os"
	"strings"
	"sync"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"
)

// Nobody is primary: the argument of Elect.
const Nobody = -1

// Set looks to a driver like a replica set, with sessions, operation times, writes that can be retried and elections. Its
// members are proxies in front of one database, so each can be cut, delayed and so on, and none is ever behind: a write that
// one has acknowledged is at all others. All methods can be called while it is in use.
type Set struct {
	database string
	members  []*Proxy
	hosts    []string

	mu      sync.Mutex
	primary int // a member, or Nobody
	term    uint32
	clock   uint32                // of the operation times: one more with each write
	retried map[string]*lastWrite // by session
}

// lastWrite is the newest write of a session that can be retried: MongoDB carries it out once, however often it comes.
type lastWrite struct {
	number int64
	done   chan struct{} // closed when there is a reply, or the server was lost
	reply  message       // nil until done, and if it was lost
}

// NewSet makes a set of members in front of a fresh database of the peer; it ends with the test. A real server has members of
// its own: there the test is skipped.
func NewSet(t testing.TB, members int) *Set {
	t.Helper()
	if os.Getenv(serverVariable) != "" {
		t.Skipf("%s names a server, which has members of its own", serverVariable)
	}
	uri := Database(t)
	target, err := parseAddress(uri)
	if err != nil {
		t.Fatal(err)
	}
	s := &Set{database: target.database, term: 1, clock: 1, retried: map[string]*lastWrite{}}
	for i := range members {
		p, err := listen(uri, s, i)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		s.members = append(s.members, p)
		s.hosts = append(s.hosts, p.listener.Addr().String())
	}
	for _, p := range s.members { // not before all are known
		p.start()
	}
	return s
}

// URI is the connection string of the set's database. Drivers look for another primary as often as they can.
func (s *Set) URI() string {
	return "mongodb://" + strings.Join(s.hosts, ",") + "/" + s.database + "?replicaSet=rs0&heartbeatFrequencyMS=500"
}

// Member gives the proxy in front of a member, 0 to one less than there are; 0 is primary at first.
func (s *Set) Member(i int) *Proxy { return s.members[i] }

// Elect makes a member primary, or Nobody. What the one before has under way it still carries out and answers.
func (s *Set) Elect(member int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.primary = member
	s.term++
}

// Primary says which member is primary.
func (s *Set) Primary() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.primary
}

// retryable names a write that can be retried.
type retryable struct {
	session string
	number  int64
}

// retryableOf reads the name of a command's write; ok is false where it has none.
func retryableOf(body bson.Raw) (r retryable, ok bool) {
	number, ok := body.Lookup("txnNumber").Int64OK()
	if !ok {
		return r, false
	}
	return retryable{session: string(body.Lookup("lsid").Value), number: number}, true
}

// answer answers a command that a member would not carry out: questions who it is, what only a primary does, and a write that
// was carried out before. Else the reply is nil, and the command is to be passed on.
func (s *Set) answer(member int, m message) (message, error) {
	if m.kind() == opQuery {
		return newReply(m.id(), s.hello(member))
	}
	body, err := m.body()
	if err != nil {
		return nil, err
	}
	command := m.command()
	if opens[command] {
		return newMessage(m.id(), m.id(), s.hello(member))
	}
	if refused := s.refuses(member, command, body); refused != nil {
		return newMessage(m.id(), m.id(), refused)
	}
	if r, ok := retryableOf(body); ok {
		return s.again(m.id(), r)
	}
	return nil, nil
}

// refuses gives the error of a member that is not primary for what only a primary does, nil for the rest.
func (s *Set) refuses(member int, command string, body bson.Raw) bson.D {
	s.mu.Lock()
	defer s.mu.Unlock()
	mode, _ := body.Lookup("$readPreference", "mode").StringValueOK()
	switch {
	case member == s.primary || anywhere[command] || !writes[command] && mode != "" && mode != "primary":
		return nil
	case writes[command]:
		return refusal(CodeNotWritablePrimary, "NotWritablePrimary", labelled(body, CodeNotWritablePrimary))
	}
	return refusal(codeNotPrimaryNoSecondaryOk, "NotPrimaryNoSecondaryOk", nil)
}

// anywhere are the commands that a member takes whatever it is.
var anywhere = map[string]bool{"ping": true, "getMore": true, "killCursors": true, "endSessions": true}

// codeNotPrimaryNoSecondaryOk is the error of a read that only a primary answers.
const codeNotPrimaryNoSecondaryOk = 13435

// labelled gives the labels that a server adds to an error: a write that can be retried is to be, where the error passes with
// a new primary.
func labelled(body bson.Raw, code int32) bson.A {
	if _, ok := retryableOf(body); !ok || !passing[code] {
		return nil
	}
	return bson.A{"RetryableWriteError"}
}

// passing are the codes of errors that pass with a new primary.
var passing = map[int32]bool{
	CodeNotWritablePrimary: true, codeNotPrimaryNoSecondaryOk: true, CodeInterruptedByChange: true, CodePrimarySteppedDown: true,
	CodeShutdownInProgress: true,
}

// refusal is the document of an error.
func refusal(code int32, codeName string, labels bson.A) bson.D {
	d := bson.D{
		{Key: "ok", Value: 0.0}, {Key: "errmsg", Value: "made by the proxy of a test: " + codeName}, {Key: "code", Value: code}, {Key: "codeName", Value: codeName},
	}
	if len(labels) > 0 {
		d = append(d, bson.E{Key: "errorLabels", Value: labels})
	}
	return d
}

// again gives the reply that a write had when it came before, nil if this is the first time.
func (s *Set) again(id int32, r retryable) (message, error) {
	for {
		s.mu.Lock()
		last := s.retried[r.session]
		if last == nil || last.number < r.number {
			s.retried[r.session] = &lastWrite{number: r.number, done: make(chan struct{})}
			s.mu.Unlock()
			return nil, nil
		}
		s.mu.Unlock()
		if last.number > r.number {
			return newMessage(id, id, refusal(codeTransactionTooOld, "TransactionTooOld", nil))
		}
		<-last.done
		if last.reply != nil {
			return last.reply.answering(id), nil
		}
		s.forget(r.session, last)
	}
}

// codeTransactionTooOld is the error of a write that comes after a later one of its session.
const codeTransactionTooOld = 225

// forget takes back a write whose server was lost, so that it can be sent again.
func (s *Set) forget(session string, last *lastWrite) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.retried[session] == last {
		delete(s.retried, session)
	}
}

// finish keeps the reply of a write that can be retried; nil says that there will be none.
func (s *Set) finish(r retryable, reply message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := s.retried[r.session]; last != nil && last.number == r.number && last.reply == nil {
		if reply != nil {
			last.reply = append(message{}, reply...)
		}
		close(last.done)
	}
}

// hello is what a member says of itself.
func (s *Set) hello(member int) bson.D {
	s.mu.Lock()
	defer s.mu.Unlock()
	primary := ""
	if s.primary != Nobody {
		primary = s.hosts[s.primary]
	}
	return memberHello("rs0", s.hosts, s.hosts[member], primary, s.term)
}

// memberHello is the answer of a member of a replica set to hello.
func memberHello(set string, hosts []string, me, primary string, term uint32) bson.D {
	d := bson.D{
		{Key: "setName", Value: set}, {Key: "setVersion", Value: int32(1)}, {Key: "hosts", Value: hosts}, {Key: "me", Value: me},
		{Key: "ismaster", Value: primary == me}, {Key: "isWritablePrimary", Value: primary == me}, {Key: "secondary", Value: primary != me},
		{Key: "logicalSessionTimeoutMinutes", Value: int32(30)},
		{Key: "maxBsonObjectSize", Value: int32(16 << 20)}, {Key: "maxMessageSizeBytes", Value: int32(48_000_000)}, {Key: "maxWriteBatchSize", Value: int32(100_000)},
		{Key: "minWireVersion", Value: int32(0)}, {Key: "maxWireVersion", Value: int32(13)}, {Key: "ok", Value: 1.0},
	}
	if primary != "" {
		d = append(d, bson.E{Key: "primary", Value: primary})
	}
	if primary == me {
		var election bson.ObjectID
		binary.BigEndian.PutUint32(election[8:], term)
		d = append(d, bson.E{Key: "electionId", Value: election})
	}
	return d
}

// stamped gives a reply with the times that members of a set add; a write makes it later.
func (s *Set) stamped(m message, wrote bool) message {
	s.mu.Lock()
	if wrote {
		s.clock++
	}
	at := s.clock
	s.mu.Unlock()
	body, err := m.body()
	if err != nil {
		return m
	}
	signature := bsoncore.NewDocumentBuilder().AppendBinary("hash", 0, make([]byte, 20)).AppendInt64("keyId", 0).Build()
	cluster := bsoncore.NewDocumentBuilder().AppendTimestamp("clusterTime", at, 1).AppendDocument("signature", signature).Build()
	more := bsoncore.AppendTimestampElement(nil, "operationTime", at, 1)
	more = bsoncore.AppendDocumentElement(more, "$clusterTime", cluster)
	return replyWith(m, body, more)
}
