package mongotest

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// standInVariable makes this test binary a stand-in for mongod.
const standInVariable = "HEATLOG_TEST_STAND_IN"

func TestMain(m *testing.M) {
	if os.Getenv(standInVariable) != "" {
		if err := standIn(os.Args[1:]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// member is a stand-in for one mongod of a replica set: it knows enough to be initiated, to be found and to step down. What
// the members share is in files of the folder above their own.
type member struct {
	shared, me, set string
}

// standIn listens as mongod does, until the process is ended.
func standIn(args []string) error {
	flags := flag.NewFlagSet("mongod", flag.ContinueOnError)
	port := flags.String("port", "", "")
	ip := flags.String("bind_ip", "", "")
	set := flags.String("replSet", "", "")
	dbpath := flags.String("dbpath", "", "")
	flags.Int("oplogSize", 0, "")
	flags.Float64("wiredTigerCacheSizeGB", 0, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if _, err := os.Stat(*dbpath); err != nil {
		return err
	}
	m := member{shared: filepath.Dir(filepath.Dir(*dbpath)), me: *ip + ":" + *port, set: *set}
	listener, err := net.Listen("tcp", m.me)
	if err != nil {
		return err
	}
	for {
		c, err := listener.Accept()
		if err != nil {
			return err
		}
		go m.serve(c)
	}
}

func (m member) serve(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		request, err := readMessage(r, nil)
		if err != nil {
			return
		}
		reply, err := m.answer(request)
		if err != nil {
			fmt.Println(err)
			return
		}
		if _, err := c.Write(reply); err != nil {
			return
		}
	}
}

// answer answers a command, or the query by which drivers begin.
func (m member) answer(request message) (message, error) {
	if request.kind() == opMsg {
		body, err := request.body()
		if err != nil {
			return nil, err
		}
		return newMessage(0, request.id(), m.carryOut(request.command(), body))
	}
	return newReply(request.id(), m.hello())
}

func (m member) carryOut(command string, body bson.Raw) bson.D {
	switch command {
	case "hello", "isMaster", "ismaster":
		return m.hello()
	case "replSetInitiate":
		if m.read("config") != nil {
			return bson.D{{Key: "ok", Value: 0.0}, {Key: "code", Value: 23}, {Key: "codeName", Value: "AlreadyInitialized"}, {Key: "errmsg", Value: "already initialized"}}
		}
		m.write("config", body.Lookup("replSetInitiate").Document())
		m.write("primary", []byte(m.me))
	case "replSetStepDown":
		hosts := m.hosts()
		m.write("primary", []byte(hosts[len(hosts)-1]))
		m.write("elections", append(m.read("elections"), 'x'))
	}
	return bson.D{{Key: "ok", Value: 1.0}}
}

// hello says what the member is.
func (m member) hello() bson.D {
	if m.read("config") == nil {
		return bson.D{{Key: "isreplicaset", Value: true}, {Key: "ismaster", Value: false}, {Key: "minWireVersion", Value: 0}, {Key: "maxWireVersion", Value: 13}, {Key: "ok", Value: 1.0}}
	}
	return memberHello(m.set, m.hosts(), m.me, string(m.read("primary")), uint32(len(m.read("elections"))))
}

// hosts gives the members of the configuration that the set was initiated with.
func (m member) hosts() (hosts []string) {
	var config struct {
		ID      string `bson:"_id"`
		Members []struct {
			ID   int `bson:"_id"`
			Host string
		}
	}
	if err := bson.Unmarshal(m.read("config"), &config); err != nil || config.ID != m.set {
		return nil
	}
	for _, h := range config.Members {
		hosts = append(hosts, h.Host)
	}
	return hosts
}

func (m member) read(name string) []byte {
	b, err := os.ReadFile(filepath.Join(m.shared, name))
	if err != nil {
		return nil
	}
	return b
}

func (m member) write(name string, b []byte) {
	if err := os.WriteFile(filepath.Join(m.shared, name), b, 0o600); err != nil {
		fmt.Println(err)
	}
}

// threePorts finds a port that is free with the next two.
func threePorts(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 20_000 + rand.IntN(10_000)
		free := 0
		for i := range 3 {
			l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port+i))
			if err == nil {
				l.Close()
				free++
			}
		}
		if free == 3 {
			return port
		}
	}
	t.Fatal("no three free ports in a row")
	return 0
}

// script runs deploy/replica-set with stand-ins for mongod.
type script struct {
	t      *testing.T
	dir    string
	mongod string
	port   int // the first of three
	told   int // the port that the script is told, 0 for none
}

func newScript(t *testing.T) *script {
	t.Helper()
	bin := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	mongod := "#!/bin/sh\n" + standInVariable + "=1 exec '" + self + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "mongod"), []byte(mongod), 0o755); err != nil {
		t.Fatal(err)
	}
	s := &script{t: t, dir: filepath.Join(t.TempDir(), "set of members"), mongod: filepath.Join(bin, "mongod"), port: threePorts(t)}
	s.told = s.port
	t.Cleanup(func() {
		if _, err := os.Stat(filepath.Join(s.dir, "port")); err == nil {
			s.run("stop")
		}
	})
	return s
}

func (s *script) run(command string) (string, error) {
	var out, complaints bytes.Buffer
	c := exec.Command("../../../cmd/heatlog/deploy/replica-set", command, s.dir)
	c.Env = append(os.Environ(), "MONGOD="+s.mongod)
	if s.told != 0 {
		c.Env = append(c.Env, "PORT="+strconv.Itoa(s.told))
	}
	c.Stdout, c.Stderr = &out, &complaints
	if err := c.Run(); err != nil {
		return out.String(), fmt.Errorf("%w: %s", err, complaints.String())
	}
	return strings.TrimSpace(out.String()), nil
}

// does expects a command of the script to print something.
func (s *script) does(command, want string) {
	s.t.Helper()
	got, err := s.run(command)
	if err != nil {
		s.t.Fatalf("%s: %v", command, err)
	}
	if got != want {
		s.t.Fatalf("%s printed %q, want %q", command, got, want)
	}
}

// pid reads the process id of a member.
func (s *script) pid(i int) int {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, strconv.Itoa(i), "pid"))
	if err != nil {
		s.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		s.t.Fatal(err)
	}
	return pid
}

// lives says whether a process is there; one that has ended and waits for its parent is not.
func lives(pid int) bool {
	state, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !strings.HasPrefix(string(state), "Z")
}

// TestReplicaSetScript runs the script through: start, start again, step down, stop, start on what is there, stop.
func TestReplicaSetScript(t *testing.T) {
	t.Parallel() // it waits for the most part
	s := newScript(t)
	uri := fmt.Sprintf("mongodb://127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d/?replicaSet=rs0", s.port, s.port+1, s.port+2)
	s.does("start", uri)
	before := s.pid(0)
	s.does("start", uri)
	if s.pid(0) != before {
		t.Error("a second start started a member again")
	}
	s.told = 0 // stop and stepdown know it from start
	s.does("stepdown", fmt.Sprintf("127.0.0.1:%d -> 127.0.0.1:%d", s.port, s.port+2))

	// the pid of member 1 has become another process's
	other := exec.Command("sleep", "600")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait()
	}()
	pids := []int{s.pid(0), s.pid(1), s.pid(2)}
	file := filepath.Join(s.dir, "1", "pid")
	if err := os.WriteFile(file, []byte(strconv.Itoa(other.Process.Pid)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.does("stop", "")
	if lives(pids[0]) || lives(pids[2]) {
		t.Error("a member runs after stop")
	}
	if !lives(other.Process.Pid) || !lives(pids[1]) {
		t.Error("stop ended a process that it did not start")
	}
	if err := os.WriteFile(file, []byte(strconv.Itoa(pids[1])), 0o600); err != nil {
		t.Fatal(err)
	}
	s.told = s.port
	s.does("start", uri)
	s.does("stop", "")
	if lives(pids[1]) {
		t.Error("member 1 runs after stop")
	}
}

// TestReplicaSetScriptErrors looks that what cannot be started is said, and that nothing of it runs on.
func TestReplicaSetScriptErrors(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	f := func(command, want string) {
		t.Helper()
		if _, err := s.run(command); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", command, err, want)
		}
	}
	f("stop", "nothing was started in")
	f("elsewhere", "replica-set stepdown [DIR]")
	taken, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(s.port+1))
	if err != nil {
		t.Fatal(err)
	}
	f("start", "address already in use")
	taken.Close()
	for i := range 3 {
		if _, err := os.Stat(filepath.Join(s.dir, strconv.Itoa(i), "pid")); err == nil {
			t.Errorf("member %d may run on", i)
		}
	}
	s.mongod = filepath.Join(t.TempDir(), "none")
	f("start", "install MongoDB")
}
