package mongotest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// dialTimeout is how long a proxy waits for its server to accept a connection or to say who is primary.
const dialTimeout = 5 * time.Second

// Proxy stands on loopback between drivers and a server, reads each command and makes faults. Of a replica set it reaches
// whichever member is primary when a connection is made. All methods can be called while it is in use.
type Proxy struct {
	target   address
	uri      string
	listener net.Listener
	set      *Set // nil unless the proxy is a member of one
	member   int
	pumps    sync.WaitGroup

	mu     sync.Mutex
	faults faults
	cut    bool
	closed bool
	open   chan struct{} // closed while messages may pass
	links  map[*link]struct{}
}

// NewProxy makes a proxy in front of the database of a connection string; it ends with the test.
func NewProxy(t testing.TB, uri string) *Proxy {
	t.Helper()
	p, err := Listen(uri)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// Listen makes a proxy for whoever closes it later. It cannot read TLS, and a mongodb+srv:// string does not say where to
// listen for: both are errors.
func Listen(uri string) (*Proxy, error) {
	p, err := listen(uri, nil, 0)
	if err == nil {
		p.start()
	}
	return p, err
}

// start takes connections.
func (p *Proxy) start() { p.pumps.Go(p.accept) }

// listen makes a proxy that takes no connections yet, perhaps one that is a member of a set.
func listen(uri string, set *Set, member int) (*Proxy, error) {
	target, err := parseAddress(uri)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	seen, err := target.proxied(listener.Addr().String())
	if err != nil {
		listener.Close()
		return nil, err
	}
	p := &Proxy{
		target: target, uri: seen.String(), listener: listener, set: set, member: member,
		open: make(chan struct{}), links: map[*link]struct{}{},
	}
	close(p.open)
	return p, nil
}

// URI is the connection string by which a driver goes through the proxy.
func (p *Proxy) URI() string { return p.uri }

// Close ends the proxy and all of its connections.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.listener.Close()
	p.closeLinks()
	p.pumps.Wait()
}

// Cut closes all connections, and each new one at once, until Heal. What the server is carrying out goes on.
func (p *Proxy) Cut() {
	p.mu.Lock()
	p.cut = true
	p.mu.Unlock()
	p.closeLinks()
}

// Stall lets nothing pass in either direction until Heal; connections stay open. A command whose sender gave up meanwhile
// reaches the server then.
func (p *Proxy) Stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.open:
		p.open = make(chan struct{})
	default:
	}
}

// Heal ends all faults: those of Cut, Stall, Delay, of commands that were ordered, and random ones.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
	p.faults = faults{counts: p.faults.counts}
	select {
	case <-p.open:
	default:
		close(p.open)
	}
}

// Delay holds back every command for a time, 0 for none. A command whose sender gives up meanwhile reaches the server late.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults.delay = d
}

// DropReplies lets the next n commands of a name be carried out, swallows their replies and closes their connections. The
// name "" is any command but those that open and watch a connection.
func (p *Proxy) DropReplies(command string, n int) { p.order(command, n, verdict{deed: dropReply}) }

// CutRequests closes the connections of the next n commands of a name before these reach the server; "" as in DropReplies.
func (p *Proxy) CutRequests(command string, n int) { p.order(command, n, verdict{deed: cutRequest}) }

// FailCommand answers the next n commands of a name with an error, and they do not reach the server; "" as in DropReplies.
func (p *Proxy) FailCommand(command string, code int32, codeName string, n int) {
	p.order(command, n, verdict{deed: fail, code: code, codeName: codeName})
}

// WriteConcernErrors lets the next n writes be carried out, and adds a write concern error to their replies.
func (p *Proxy) WriteConcernErrors(code int32, codeName string, n int) {
	p.order("", n, verdict{deed: concern, code: code, codeName: codeName})
}

// Random makes faults at random from now on, the same ones for the same seed and order of commands.
func (p *Proxy) Random(seed uint64, r Rates) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults.rates, p.faults.random = r, rand.New(rand.NewPCG(seed, 0))
}

// Trouble calls fault, which makes one, again and again until stop is closed, and heals what it made. A fault lasts up to lasts, and
// a pause follows of up to rest.
func (p *Proxy) Trouble(r *rand.Rand, stop <-chan struct{}, lasts, rest time.Duration, fault func()) {
	defer p.Heal()
	wait := func(most time.Duration) bool {
		select {
		case <-stop:
			return false
		case <-time.After(time.Duration(r.Int64N(int64(most)))):
			return true
		}
	}
	for {
		fault()
		if !wait(lasts) {
			return
		}
		p.Heal()
		if !wait(rest) {
			return
		}
	}
}

// Counts says what happened until now.
func (p *Proxy) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults.counts
}

// order adds a fault for the next commands of a name.
func (p *Proxy) order(command string, n int, v verdict) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults.orders = append(p.faults.orders, order{command: command, left: n, verdict: v})
}

// judge says what happens to a command.
func (p *Proxy) judge(command string) verdict {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults.judge(command)
}

// gate gives the channel that is closed while messages may pass.
func (p *Proxy) gate() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open
}

// accept serves new connections until the listener is closed.
func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.pumps.Go(func() { p.serve(client) })
	}
}

// serve passes a connection's messages on until one side closes.
func (p *Proxy) serve(client net.Conn) {
	l := &link{proxy: p, client: client, done: make(chan struct{}), passed: map[int32]passedOn{}}
	if !p.add(l) {
		l.close()
		return
	}
	defer p.remove(l)
	defer l.close()
	server, err := p.dial()
	if err != nil || !l.join(server) {
		return
	}
	p.pumps.Go(func() {
		defer l.close()
		l.replies()
	})
	l.requests()
}

// add takes up a connection, unless there is to be none.
func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut || p.closed {
		return false
	}
	p.faults.counts.Connections++
	p.links[l] = struct{}{}
	return true
}

func (p *Proxy) remove(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.links, l)
}

// closeLinks closes all connections.
func (p *Proxy) closeLinks() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.close()
	}
}

// dial connects to the server, or to the member of a replica set that is primary now.
func (p *Proxy) dial() (net.Conn, error) {
	hosts := p.target.hosts
	if len(hosts) == 1 && p.target.option("replicaSet") == "" {
		return net.DialTimeout("tcp", hosts[0], dialTimeout)
	}
	var last error
	for _, host := range hosts {
		said, err := ask(host, dialTimeout, bson.D{{Key: "hello", Value: 1}, {Key: "$db", Value: "admin"}})
		if err != nil {
			last = err
			continue
		}
		if primary, ok := said.Lookup("primary").StringValueOK(); ok {
			return net.DialTimeout("tcp", primary, dialTimeout)
		}
	}
	return nil, fmt.Errorf("no member of %v knows a primary: %w", hosts, last)
}
