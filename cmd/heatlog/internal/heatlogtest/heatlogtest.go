// Package heatlogtest builds the program and runs servers of it, for tests that look at heatlog from outside.
package heatlogtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Binary is the program under test; Run builds it.
var Binary string

// Run builds the program, runs the tests of a package and gives the status to exit with.
func Run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "heatlog-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	Binary = filepath.Join(dir, "heatlog")
	build := exec.Command("go", "build", "-trimpath", "-o", Binary, "heatlog/cmd/heatlog")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build heatlog:", err)
		return 1
	}
	return m.Run()
}

// Server is a running `heatlog serve`. Its methods fail the test.
type Server struct {
	T    testing.TB
	Cmd  *exec.Cmd
	Base string // http://127.0.0.1:PORT
	Data string // folder
	Log  *LogBuffer
	Done chan struct{} // closed when the process has ended
}

// LogBuffer keeps what a process writes.
type LogBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *LogBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *LogBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Start starts `heatlog serve` on a data folder and a free loopback port, and waits until it listens.
func Start(t testing.TB, data string, flags ...string) *Server {
	t.Helper()
	p, listens := Spawn(t, data, flags...)
	if err := p.Await(listens); err != nil {
		t.Fatal(err)
	}
	return p
}

// Spawn starts `heatlog serve`; the channel gives its address when it listens, and is closed when it ends.
func Spawn(t testing.TB, data string, flags ...string) (*Server, <-chan string) {
	t.Helper()
	p, listens, err := Launch(data, flags)
	if err != nil {
		t.Fatal(err)
	}
	p.T = t
	t.Cleanup(p.Kill)
	return p, listens
}

// Launch starts `heatlog serve` for whoever kills it later.
func Launch(data string, flags []string) (*Server, <-chan string, error) {
	args := append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data}, flags...)
	p := &Server{Cmd: exec.Command(Binary, args...), Data: data, Log: &LogBuffer{}, Done: make(chan struct{})}
	p.Cmd.Stderr = p.Log
	out, err := p.Cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := p.Cmd.Start(); err != nil {
		return nil, nil, err
	}
	listens := make(chan string, 1)
	go func() {
		defer close(p.Done)
		defer p.Cmd.Wait()
		defer close(listens)
		findAddress(out, listens)
	}()
	return p, listens, nil
}

// Await waits until the server listens.
func (p *Server) Await(listens <-chan string) error {
	select {
	case base, ok := <-listens:
		if ok {
			p.Base = base
			return nil
		}
		<-p.Done
		return fmt.Errorf("server ended at start:\n%s", p.Log)
	case <-time.After(30 * time.Second):
		p.Kill()
		return fmt.Errorf("server does not listen after 30 s:\n%s", p.Log)
	}
}

// findAddress reads a server's output to its end and passes on the address in it.
func findAddress(out io.Reader, listens chan<- string) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if base, ok := strings.CutPrefix(lines.Text(), "heatlog listens on "); ok {
			listens <- base
		}
	}
}

// Kill ends the process as a crash does.
func (p *Server) Kill() {
	_ = p.Cmd.Process.Kill()
	<-p.Done
}

// Stop ends the process as an operator does, and expects it to end well.
func (p *Server) Stop() {
	p.T.Helper()
	if err := p.End(); err != nil {
		p.T.Fatal(err)
	}
}

// End sends SIGTERM and waits for an exit with status 0.
func (p *Server) End() error {
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.Done:
	case <-time.After(45 * time.Second):
		p.Kill()
		return fmt.Errorf("server still runs 45 s after SIGTERM:\n%s", p.Log)
	}
	if code := p.Cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("server ended with status %d after SIGTERM:\n%s", code, p.Log)
	}
	return nil
}

// Token gives the admin token, "" before the server has made one.
func (p *Server) Token() string {
	p.T.Helper()
	b, err := os.ReadFile(filepath.Join(p.Data, "token"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.T.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// Request sends one request with the admin token and gives status and body.
func (p *Server) Request(method, path string, query url.Values, header http.Header, body io.Reader) (int, []byte) {
	p.T.Helper()
	token := p.Token()
	req, err := http.NewRequest(method, p.Base+path+"?"+query.Encode(), body)
	if err != nil {
		p.T.Fatal(err)
	}
	req.Header = header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	if req.Header.Get("Authorization") == "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.T.Fatalf("%s %s: %v\n%s", method, path, err, p.Log)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		p.T.Fatalf("%s %s: read answer: %v", method, path, err)
	}
	return resp.StatusCode, answer
}

// Ask gets a JSON answer, which must be a success, into to.
func (p *Server) Ask(path string, query url.Values, to any) {
	p.T.Helper()
	status, body := p.Request("GET", path, query, nil, nil)
	if status != 200 {
		p.T.Fatalf("GET %s?%s: status %d: %s", path, query.Encode(), status, body)
	}
	if err := json.Unmarshal(body, to); err != nil {
		p.T.Fatalf("GET %s: %v in %.200s", path, err, body)
	}
}

// AddSite registers a site.
func (p *Server) AddSite(key, zone string, origins ...string) {
	p.T.Helper()
	body, err := json.Marshal(map[string]any{"key": key, "origins": origins, "timezone": zone})
	if err != nil {
		p.T.Fatal(err)
	}
	status, answer := p.Request("POST", "/v1/sites", nil, http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(body))
	if status/100 != 2 {
		p.T.Fatalf("add site %s: status %d: %s", key, status, answer)
	}
}

// Import sends lines and expects all of them to be accepted.
func (p *Server) Import(lines io.Reader, encoding string) int64 {
	p.T.Helper()
	header := http.Header{}
	if encoding != "" {
		header.Set("Content-Encoding", encoding)
	}
	status, body := p.Request("POST", "/v1/import", nil, header, lines)
	var a struct{ Accepted, Rejected int64 }
	if err := json.Unmarshal(body, &a); status != 200 || err != nil || a.Rejected != 0 {
		p.T.Fatalf("import: status %d: %.500s", status, body)
	}
	return a.Accepted
}

// WaitCounted waits until answers hold every hit that is durable, for as long as they come nearer to that.
func (p *Server) WaitCounted(site string) {
	p.T.Helper()
	least, moved := uint64(math.MaxUint64), time.Now()
	for ; ; time.Sleep(20 * time.Millisecond) {
		var a struct {
			Lag *uint64 `json:"lag_hits"`
		}
		p.Ask("/v1/pages", url.Values{"site": {site}, "limit": {"1"}}, &a)
		if a.Lag == nil {
			p.T.Fatal("answer of /v1/pages lacks lag_hits")
		}
		switch {
		case *a.Lag == 0:
			return
		case *a.Lag < least:
			least, moved = *a.Lag, time.Now()
		case time.Since(moved) > 30*time.Second:
			p.T.Fatalf("answers lag by %d hits and have not come nearer for 30 s:\n%s", *a.Lag, p.Log)
		}
	}
}

// Post sends JSON that must be taken, and gives the answer.
func (p *Server) Post(path, body string) []byte {
	p.T.Helper()
	status, answer := p.Request("POST", path, nil, nil, strings.NewReader(body))
	if status >= 300 {
		p.T.Fatalf("POST %s: status %d: %s", path, status, answer)
	}
	return answer
}

// WaitGeneration waits until a generation is in a state.
func (p *Server) WaitGeneration(id, state string) {
	p.T.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var g struct{ State, Reason string }
		p.Ask("/v1/generations/"+id, nil, &g)
		if g.State == state {
			return
		}
		if g.State == "failed" || time.Now().After(end) {
			p.T.Fatalf("generation %s is %s, want %s: %s", id, g.State, state, g.Reason)
		}
	}
}
