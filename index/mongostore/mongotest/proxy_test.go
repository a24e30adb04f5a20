package mongotest

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// stub is a server that carries out whatever it is told, says how many commands it has had, and remembers their names.
type stub struct {
	listener net.Listener
	mu       sync.Mutex
	had      []string
	links    sync.WaitGroup
}

func newStub(t *testing.T) *stub {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &stub{listener: listener}
	s.links.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			s.links.Go(func() { s.serve(c) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		s.links.Wait()
	})
	return s
}

func (s *stub) uri() string { return "mongodb://" + s.listener.Addr().String() + "/db" }

func (s *stub) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		m, err := readMessage(r, nil)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.had = append(s.had, m.command())
		document := bson.D{{Key: "n", Value: int32(len(s.had))}, {Key: "primary", Value: s.listener.Addr().String()}, {Key: "ok", Value: 1.0}}
		s.mu.Unlock()
		reply, err := newMessage(1000+m.id(), m.id(), document)
		if err != nil {
			return
		}
		if _, err := c.Write(reply); err != nil {
			return
		}
	}
}

// commands gives the names of what the server has had.
func (s *stub) commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.had)
}

// caller is a driver's side of one connection.
type caller struct {
	t  *testing.T
	c  net.Conn
	r  *bufio.Reader
	id int32
}

func call(t *testing.T, p *Proxy) *caller {
	t.Helper()
	a, err := parseAddress(p.URI())
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", a.hosts[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &caller{t: t, c: c, r: bufio.NewReader(c)}
}

// send sends a command with a section of documents behind it, as drivers do.
func (c *caller) send(command string) {
	c.t.Helper()
	c.id++
	m, err := newMessage(c.id, 0, bson.D{{Key: command, Value: "docs"}, {Key: "$db", Value: "db"}})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.c.Write(m); err != nil {
		c.t.Logf("write %s: %v", command, err)
	}
}

// reply reads a reply, for at most a time; the error is io.EOF if the connection was closed.
func (c *caller) reply(wait time.Duration) (bson.Raw, error) {
	c.t.Helper()
	if err := c.c.SetReadDeadline(time.Now().Add(wait)); err != nil {
		c.t.Fatal(err)
	}
	m, err := readMessage(c.r, nil)
	if err != nil {
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			err = io.EOF
		}
		return nil, err
	}
	if m.answers() != c.id {
		c.t.Fatalf("the reply answers %d, want %d", m.answers(), c.id)
	}
	return m.body()
}

// soon is more than a reply on loopback takes, and never waited for where all is well.
const soon = 20 * time.Second

// ask sends a command and gives its reply.
func (c *caller) ask(command string) (bson.Raw, error) {
	c.t.Helper()
	c.send(command)
	return c.reply(soon)
}

// works expects a command to be carried out.
func (c *caller) works(command string) bson.Raw {
	c.t.Helper()
	body, err := c.ask(command)
	if err != nil {
		c.t.Fatalf("%s: %v", command, err)
	}
	if body.Lookup("ok").Double() != 1 {
		c.t.Fatalf("%s: %v", command, body)
	}
	return body
}

// closes expects the connection to be closed in place of a reply.
func (c *caller) closes(command string) {
	c.t.Helper()
	if body, err := c.ask(command); !errors.Is(err, io.EOF) {
		c.t.Fatalf("%s: got %v, %v; want a closed connection", command, body, err)
	}
}

// TestFaults shows each fault as a driver and the server see it.
func TestFaults(t *testing.T) {
	f := func(name string, make func(t *testing.T, p *Proxy), reached []string, counts Counts) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			s := newStub(t)
			p := NewProxy(t, s.uri())
			make(t, p)
			if got := s.commands(); !slices.Equal(got, reached) {
				t.Errorf("the server had %v, want %v", got, reached)
			}
			if got := p.Counts(); got != counts {
				t.Errorf("counted %+v, want %+v", got, counts)
			}
		})
	}
	f("none", func(t *testing.T, p *Proxy) {
		c := call(t, p)
		c.works("hello")
		if n := c.works("find").Lookup("n").Int32(); n != 2 {
			t.Errorf("the reply is not the server's: %d", n)
		}
	}, []string{"hello", "find"}, Counts{Connections: 1, Commands: 1})

	f("cut and heal", func(t *testing.T, p *Proxy) {
		c := call(t, p)
		c.works("find")
		p.Cut()
		c.closes("insert")
		if late, err := net.Dial("tcp", p.listener.Addr().String()); err == nil { // a reset may come before or after
			(&caller{t: t, c: late, r: bufio.NewReader(late)}).closes("insert")
		}
		p.Heal()
		call(t, p).works("update")
	}, []string{"find", "update"}, Counts{Connections: 2, Commands: 2})

	f("delay", func(t *testing.T, p *Proxy) {
		p.Delay(60 * time.Millisecond)
		c := call(t, p)
		start := time.Now()
		c.works("find")
		if took := time.Since(start); took < 60*time.Millisecond {
			t.Errorf("answered after %v", took)
		}
		p.Delay(0)
		c.works("find")
	}, []string{"find", "find"}, Counts{Connections: 1, Commands: 2, Delayed: 1})

	f("dropped replies", func(t *testing.T, p *Proxy) {
		p.DropReplies("update", 1)
		p.DropReplies("", 1)
		c := call(t, p)
		c.works("hello")
		c.closes("update")
		call(t, p).closes("find")
		call(t, p).works("update")
	}, []string{"hello", "update", "find", "update"}, Counts{Connections: 3, Commands: 3, DroppedReplies: 2})

	f("cut requests", func(t *testing.T, p *Proxy) {
		p.CutRequests("", Always)
		for range 3 {
			c := call(t, p)
			c.works("isMaster")
			c.closes("find")
		}
		p.Heal()
		call(t, p).works("find")
	}, []string{"isMaster", "isMaster", "isMaster", "find"}, Counts{Connections: 4, Commands: 4, CutRequests: 3})

	f("failed command", func(t *testing.T, p *Proxy) {
		p.FailCommand("update", CodeNotWritablePrimary, "NotWritablePrimary", 2)
		c := call(t, p)
		for range 2 {
			body, err := c.ask("update")
			if err != nil {
				t.Fatal(err)
			}
			if body.Lookup("ok").Double() != 0 || body.Lookup("code").Int32() != 10107 || body.Lookup("codeName").StringValue() != "NotWritablePrimary" {
				t.Errorf("got %v", body)
			}
		}
		c.works("find")
		c.works("update")
	}, []string{"find", "update"}, Counts{Connections: 1, Commands: 4, Failed: 2})

	f("write concern error", func(t *testing.T, p *Proxy) {
		p.WriteConcernErrors(CodeShutdownInProgress, "ShutdownInProgress", 1)
		c := call(t, p)
		if _, err := c.works("find").LookupErr("writeConcernError"); err == nil {
			t.Error("a read got a write concern error")
		}
		body := c.works("update")
		if body.Lookup("n").Int32() != 2 || body.Lookup("writeConcernError", "code").Int32() != 91 {
			t.Errorf("got %v", body)
		}
		c.works("update")
	}, []string{"find", "update", "update"}, Counts{Connections: 1, Commands: 3, WriteConcernErrors: 1})
}

func TestStall(t *testing.T) {
	s := newStub(t)
	p := NewProxy(t, s.uri())
	c, gone := call(t, p), call(t, p)
	c.works("hello")
	gone.works("hello")
	p.Stall()
	c.send("find")
	gone.send("update")
	if body, err := c.reply(50 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, %v while stalled", body, err)
	}
	gone.c.Close()
	p.Heal()
	if _, err := c.reply(soon); err != nil {
		t.Error(err)
	}
	for end := time.Now().Add(soon); !slices.Contains(s.commands(), "update"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the command of a sender that gave up did not arrive")
		}
	}
}

// TestRandomFaults looks that a seed gives its faults again, all kinds of them, and only as often as told.
func TestRandomFaults(t *testing.T) {
	rates := Rates{CutRequest: 0.05, DropReply: 0.05, NotPrimary: 0.1, WriteConcernError: 0.1, Delay: 0.01, MaxDelay: time.Millisecond}
	run := func(seed uint64) Counts {
		s := newStub(t)
		p := NewProxy(t, s.uri())
		p.Random(seed, rates)
		c := call(t, p)
		for range 1000 {
			if _, err := c.ask("update"); err != nil {
				c = call(t, p)
			}
		}
		got := p.Counts()
		if want := 1000 - got.CutRequests - got.Failed; len(s.commands()) != want {
			t.Errorf("the server had %d commands, want %d", len(s.commands()), want)
		}
		return got
	}
	got := run(7)
	for _, f := range []struct {
		name string
		n    int
		rate float64
	}{
		{"cut requests", got.CutRequests, rates.CutRequest}, {"dropped replies", got.DroppedReplies, rates.DropReply}, {"failed", got.Failed, rates.NotPrimary},
		{"write concern errors", got.WriteConcernErrors, rates.WriteConcernError}, {"delayed", got.Delayed, rates.Delay},
	} {
		if want := 1000 * f.rate; float64(f.n) < want/2 || float64(f.n) > want*2 {
			t.Errorf("%d %s of 1000, want about %.0f", f.n, f.name, want)
		}
	}
	if again := run(7); again != got {
		t.Errorf("the same seed made %+v, and %+v before", again, got)
	}
	if other := run(8); other == got {
		t.Error("another seed made the same faults")
	}
}

// TestProxyEnds looks that nothing of a proxy runs on when it is closed, whatever its connections wait for.
func TestProxyEnds(t *testing.T) {
	s := newStub(t)
	before := runtime.NumGoroutine()
	for range 20 {
		p, err := Listen(s.uri())
		if err != nil {
			t.Fatal(err)
		}
		c, slow := call(t, p), call(t, p)
		c.works("hello")
		p.Delay(time.Hour)
		slow.send("find")
		p.Stall()
		c.send("find")
		p.Close()
		p.Cut()
		p.Close()
	}
	for end := time.Now().Add(soon); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
}

// TestProxyFindsPrimary reaches whichever member of a replica set is primary, and no other.
func TestProxyFindsPrimary(t *testing.T) {
	s := newStub(t)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down := nobody.Addr().String()
	nobody.Close()
	p := NewProxy(t, "mongodb://u:p@"+down+","+s.listener.Addr().String()+"/db?replicaSet=rs0&compressors=zstd&w=1")
	call(t, p).works("find")
	if got, want := s.commands(), []string{"hello", "find"}; !slices.Equal(got, want) {
		t.Errorf("the primary had %v, want %v", got, want)
	}
	if got, want := p.URI(), "mongodb://u:p@"+p.listener.Addr().String()+"/db?w=1&directConnection=true"; got != want {
		t.Errorf("URI is %s, want %s", got, want)
	}
}

func TestProxyErrors(t *testing.T) {
	f := func(uri, want string) {
		t.Helper()
		p, err := Listen(uri)
		if err == nil {
			p.Close()
			t.Errorf("%s: no error", uri)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", uri, err, want)
		}
	}
	f("mongodb+srv://cluster/db", "mongodb:// and not mongodb+srv://")
	f("mongodb://h/db?tls=true", "tls=true")
	f("mongodb:///db", "no host")
	f("http://h", "mongodb://…")
}
