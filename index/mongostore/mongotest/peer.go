package mongotest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Environment of the tests.
const (
	serverVariable  = "HEATLOG_TEST_MONGODB" // the connection string of a server to use in place of the peer
	requireVariable = "HEATLOG_TEST_PEER"    // 1: a test that finds no peer fails, and is not skipped
)

const (
	startTimeout = 30 * time.Second // of a peer until it listens; it takes half a second
	peerHeap     = "-Xmx1g"         // of a peer in memory: what its databases may hold
)

// errNoPeer says that the peer is not installed.
var errNoPeer = errors.New("the MongoDB peer is not installed, or is not the one of these sources: run make deps")

// shared is the peer of this test binary.
var shared = sync.OnceValues(func() (*process, error) { return startProcess(0, "") })

// sharedPeer gives the address of this test binary's peer. Without a peer the test is skipped, or fails if it must not.
func sharedPeer(t testing.TB) string {
	t.Helper()
	p, err := shared()
	mustHave(t, err)
	return p.address()
}

// mustHave ends the test where its peer did not start.
func mustHave(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, errNoPeer) && os.Getenv(requireVariable) != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// process is a running peer. It ends when this process does: its standard input is ours to hold.
type process struct {
	cmd  *exec.Cmd
	hold io.Closer // its standard input
	port int
}

// address is where the peer listens.
func (p *process) address() string { return "127.0.0.1:" + strconv.Itoa(p.port) }

// kill ends the process as a crash does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
	_ = p.hold.Close()
}

// startProcess starts a peer on a port of loopback, 0 being a free one: in memory, or in a file.
func startProcess(port int, file string) (*process, error) {
	dir, err := installed()
	if err != nil {
		return nil, err
	}
	args := []string{
		peerHeap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dslf4j.internal.verbosity=ERROR",
		"-cp", dir + string(filepath.ListSeparator) + filepath.Join(dir, "lib", "*"), "Peer", strconv.Itoa(port),
	}
	if file != "" {
		args = append(args, file)
	}
	p := &process{cmd: exec.Command("java", args...)}
	complaints, err := os.CreateTemp("", "mongopeer")
	if err != nil {
		return nil, err
	}
	defer complaints.Close()
	defer os.Remove(complaints.Name())
	p.cmd.Stderr = complaints
	if p.hold, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, said, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p.cmd.Stdout = said
	err = p.cmd.Start()
	said.Close()
	if err != nil {
		return nil, fmt.Errorf("start the MongoDB peer: %w", err)
	}
	if p.port, err = readPort(out); err != nil {
		p.kill()
		text, _ := os.ReadFile(complaints.Name())
		return nil, fmt.Errorf("start the MongoDB peer: %w\n%s", err, text)
	}
	return p, nil
}

// readPort reads the line that a peer prints when it listens.
func readPort(out *os.File) (int, error) {
	if err := out.SetReadDeadline(time.Now().Add(startTimeout)); err != nil {
		return 0, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("it says no port: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(line))
}

// installed gives the folder of the peer, if it is there and was made from these sources.
func installed() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(root, ".bin", "mongopeer")
	for _, name := range []string{"pom.xml", "Peer.java"} {
		want, err := os.ReadFile(filepath.Join(root, "index", "mongostore", "mongotest", "peer", name))
		if err != nil {
			return "", err
		}
		got, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) || err == nil && !bytes.Equal(got, want) {
			return "", errNoPeer
		}
		if err != nil {
			return "", err
		}
	}
	return dir, nil
}

// moduleRoot gives the folder of go.mod: tests run somewhere below it.
func moduleRoot() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		above := filepath.Dir(dir)
		if above == dir {
			return "", fmt.Errorf("no go.mod above %s", start)
		}
		dir = above
	}
}

// Peer is a server of one test alone, whose documents survive its death: it writes them to a file before it answers. It is
// slow (about 1 ms for each write) and its file grows with every one.
type Peer struct {
	t    testing.TB
	file string
	port int
	mu   sync.Mutex
	p    *process // nil while it is down
}

// NewPeer starts a server that ends with the test.
func NewPeer(t testing.TB) *Peer {
	t.Helper()
	p := &Peer{t: t, file: filepath.Join(t.TempDir(), "peer.db")}
	t.Cleanup(p.Kill)
	p.Start()
	return p
}

// URI is the connection string of the server's database, the same after each start.
func (p *Peer) URI() string { return fmt.Sprintf("mongodb://127.0.0.1:%d/heatlog", p.port) }

// Kill ends the server as SIGKILL does; what it has acknowledged is kept.
func (p *Peer) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.p != nil {
		p.p.kill()
		p.p = nil
	}
}

// Start starts the server again where it was; nothing happens while it runs.
func (p *Peer) Start() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.p != nil {
		return
	}
	started, err := startProcess(p.port, p.file)
	mustHave(p.t, err)
	p.p, p.port = started, started.port
}
