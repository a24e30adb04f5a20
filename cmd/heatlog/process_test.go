package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
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

// heatlogBinary is the program under test, built once by TestMain.
var heatlogBinary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "heatlog-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	heatlogBinary = filepath.Join(dir, "heatlog")
	build := exec.Command("go", "build", "-trimpath", "-o", heatlogBinary, ".")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build heatlog:", err)
		return 1
	}
	defer chrome.Close()
	return m.Run()
}

// process is a running `heatlog serve`.
type process struct {
	t    testing.TB
	cmd  *exec.Cmd
	base string // http://127.0.0.1:PORT
	data dataDir
	log  *logBuffer
	done chan struct{} // closed when the process has ended
}

// logBuffer keeps what a process writes.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startServer starts `heatlog serve` on a data folder and a free loopback port, and waits until it listens.
func startServer(t testing.TB, data string, flags ...string) *process {
	t.Helper()
	p, listens := spawnServer(t, data, flags...)
	if err := p.await(listens); err != nil {
		t.Fatal(err)
	}
	return p
}

// spawnServer starts `heatlog serve`; the channel gives its address when it listens, and is closed when it ends.
func spawnServer(t testing.TB, data string, flags ...string) (*process, <-chan string) {
	t.Helper()
	p, listens, err := spawn(data, flags)
	if err != nil {
		t.Fatal(err)
	}
	p.t = t
	t.Cleanup(p.kill)
	return p, listens
}

// spawn starts `heatlog serve` for whoever kills it later.
func spawn(data string, flags []string) (*process, <-chan string, error) {
	args := append([]string{"serve", "--listen", "127.0.0.1:0", "--data", data}, flags...)
	p := &process{cmd: exec.Command(heatlogBinary, args...), data: dataDir(data), log: &logBuffer{}, done: make(chan struct{})}
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, nil, err
	}
	listens := make(chan string, 1)
	go func() {
		defer close(p.done)
		defer p.cmd.Wait()
		defer close(listens)
		findAddress(out, listens)
	}()
	return p, listens, nil
}

// await waits until the server listens.
func (p *process) await(listens <-chan string) error {
	select {
	case base, ok := <-listens:
		if ok {
			p.base = base
			return nil
		}
		<-p.done
		return fmt.Errorf("server ended at start:\n%s", p.log)
	case <-time.After(30 * time.Second):
		p.kill()
		return fmt.Errorf("server does not listen after 30 s:\n%s", p.log)
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

// kill ends the process as a crash does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop ends the process as an operator does, and expects it to end well.
func (p *process) stop() {
	p.t.Helper()
	if err := p.end(); err != nil {
		p.t.Fatal(err)
	}
}

// end sends SIGTERM and waits for an exit with status 0.
func (p *process) end() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-time.After(45 * time.Second):
		p.kill()
		return fmt.Errorf("server still runs 45 s after SIGTERM:\n%s", p.log)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("server ended with status %d after SIGTERM:\n%s", code, p.log)
	}
	return nil
}

// request sends one request with the admin token and gives status and body.
func (p *process) request(method, path string, query url.Values, header http.Header, body io.Reader) (int, []byte) {
	p.t.Helper()
	token, err := p.data.readToken()
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequest(method, p.base+path+"?"+query.Encode(), body)
	if err != nil {
		p.t.Fatal(err)
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
		p.t.Fatalf("%s %s: %v\n%s", method, path, err, p.log)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatalf("%s %s: read answer: %v", method, path, err)
	}
	return resp.StatusCode, answer
}

// ask gets a JSON answer, which must be a success, into to.
func (p *process) ask(path string, query url.Values, to any) {
	p.t.Helper()
	status, body := p.request("GET", path, query, nil, nil)
	if status != 200 {
		p.t.Fatalf("GET %s?%s: status %d: %s", path, query.Encode(), status, body)
	}
	if err := json.Unmarshal(body, to); err != nil {
		p.t.Fatalf("GET %s: %v in %.200s", path, err, body)
	}
}

// addSite registers a site.
func (p *process) addSite(key, zone string, origins ...string) {
	p.t.Helper()
	body, err := json.Marshal(map[string]any{"key": key, "origins": origins, "timezone": zone})
	if err != nil {
		p.t.Fatal(err)
	}
	status, answer := p.request("POST", "/v1/sites", nil, http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(body))
	if status/100 != 2 {
		p.t.Fatalf("add site %s: status %d: %s", key, status, answer)
	}
}

// importHits sends lines and expects all of them to be accepted.
func (p *process) importHits(lines io.Reader, encoding string) int64 {
	p.t.Helper()
	header := http.Header{}
	if encoding != "" {
		header.Set("Content-Encoding", encoding)
	}
	status, body := p.request("POST", "/v1/import", nil, header, lines)
	var a importAnswer
	if err := json.Unmarshal(body, &a); status != 200 || err != nil || a.Rejected != 0 {
		p.t.Fatalf("import: status %d: %.500s", status, body)
	}
	return a.Accepted
}

// waitCounted waits until answers hold every hit that is durable, for as long as they come nearer to that.
func (p *process) waitCounted(site string) {
	p.t.Helper()
	least, moved := uint64(math.MaxUint64), time.Now()
	for ; ; time.Sleep(20 * time.Millisecond) {
		var a struct {
			Lag *uint64 `json:"lag_hits"`
		}
		p.ask("/v1/pages", url.Values{"site": {site}, "limit": {"1"}}, &a)
		if a.Lag == nil {
			p.t.Fatal("answer of /v1/pages lacks lag_hits")
		}
		switch {
		case *a.Lag == 0:
			return
		case *a.Lag < least:
			least, moved = *a.Lag, time.Now()
		case time.Since(moved) > 30*time.Second:
			p.t.Fatalf("answers lag by %d hits and have not come nearer for 30 s:\n%s", *a.Lag, p.log)
		}
	}
}
