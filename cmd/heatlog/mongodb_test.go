package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"heatlog/index"
	"heatlog/index/mongostore"
	"heatlog/index/mongostore/mongotest"
)

// newRemote starts a server whose store is a database behind a proxy. If cut, the database is out of reach at the start.
func newRemote(t *testing.T, cut bool, flags ...string) (*restoring, *mongotest.Proxy) {
	t.Helper()
	proxy := mongotest.NewProxy(t, mongotest.Database(t))
	if cut {
		proxy.Cut()
	}
	return newRestoring(t, append([]string{"--store", proxy.URI()}, flags...)...), proxy
}

// waitReady waits until answers are up to date.
func (r *restoring) waitReady() {
	r.t.Helper()
	var body []byte
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var status int
		if status, body = r.p.Request("GET", "/readyz", nil, nil, nil); status == 200 {
			return
		}
	}
	r.t.Fatalf("not ready after 30 s: %s\n%s", body, r.p.Log)
}

// refused expects that a question cannot be answered at present, with a reason.
func (r *restoring) refused(path, reason string) {
	r.t.Helper()
	start := time.Now()
	status, body := r.p.Request("GET", path, url.Values{"site": {"restore"}}, nil, nil)
	if status != 503 || !bytes.Contains(body, []byte(reason)) {
		r.t.Errorf("GET %s: status %d: %s, want 503 with %q", path, status, body, reason)
	}
	if took := time.Since(start); took > readPatience+pingPatience {
		r.t.Errorf("GET %s took %v to be refused", path, took)
	}
}

// TestDatabaseDownAtStart starts without a database, anew, after a crash and with a copy of the folder. Hits are taken; when the
// database is there, all are counted once.
func TestDatabaseDownAtStart(t *testing.T) {
	t.Parallel()
	r, proxy := newRemote(t, true)
	r.imports(50)
	r.sends(5)
	const reason = "the store is out of reach since 20"
	for _, path := range []string{"/readyz", "/v1/pages", "/v1/trend"} {
		r.refused(path, reason)
	}
	if status, body := r.p.Request("GET", "/v1/generations", nil, nil, nil); status != 503 || !bytes.Contains(body, []byte(reason)) {
		t.Errorf("generations: status %d: %s", status, body)
	}
	for _, path := range []string{"/healthz", "/v1/sites", "/metrics", "/", "/hl.js"} {
		if status, body := r.p.Request("GET", path, nil, nil, nil); status != 200 {
			t.Errorf("GET %s: status %d: %.200s", path, status, body)
		}
	}
	proxy.Heal()
	r.waitReady()
	first := r.check("database is there")

	for _, end := range []func(*process){(*process).Kill, (*process).Stop} {
		end(r.p)
		proxy.Cut()
		r.start()
		r.sends(5)
		proxy.Heal()
		r.waitReady()
		if again := r.check("once more"); !slices.Equal(again, first) {
			t.Errorf("answer names %v, want %v: the folder is where it was", again, first)
		}
		waitFlushed(t, r.p)
	}

	proxy.Cut()
	r.p.Kill()
	moved := dataDir(t.TempDir() + "/data")
	r.copy(string(r.dir), string(moved))
	r.dir = moved
	r.start()
	r.wantLog("journal is not where it was written last")
	r.sends(5)
	r.p.Kill() // and what was taken meanwhile is in a folder that is where it was
	r.start()
	r.sends(5)
	proxy.Heal()
	r.waitReady()
	if sources := r.check("copy"); len(sources) != 2 {
		t.Errorf("answer names %v, want the frozen source and a new one", sources)
	}
	r.p.Stop()
	if note, err := moved.readPlace(); err != nil || note.Unasked != nil || note.Cut != nil {
		t.Errorf("note is %+v, %v", note, err)
	}
}

// TestDatabaseDownRolledBack starts a data folder that was rolled back in place while the database is down: what cannot be
// told then comes out when it is back. Nothing is counted at positions that were given out before, and what was not counted
// can be imported.
func TestDatabaseDownRolledBack(t *testing.T) {
	t.Parallel()
	r, proxy := newRemote(t, false)
	r.imports(100)
	r.check("before")
	waitFlushed(t, r.p)
	r.p.Stop()
	segments := map[string][]byte{} // by path
	r.walkSegments(func(path string) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		segments[path] = b
	})
	r.start()
	r.imports(60) // counted, and lost by the journal
	r.check("more")
	waitFlushed(t, r.p)
	r.p.Stop()
	r.walkSegments(func(path string) {
		if segments[path] == nil {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	})
	for path, b := range segments {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}

	proxy.Cut()
	r.start()
	known := maps.Clone(r.must)
	r.sends(20) // 100 hits, of which the first 60 have positions that others had
	r.p.Kill()
	r.start()
	r.sends(10)
	uncounted := r.must
	r.must = known
	proxy.Heal()
	r.waitReady()
	r.wantLog("older copy than the store", "end=100 stored=160")
	r.wantLog("are in no count", "from=100 to=250 hits=150")
	sources := r.check("rolled back")
	if len(sources) != 2 {
		t.Fatalf("answer names %v, want two sources", sources)
	}
	r.sends(5)
	maps.Copy(uncounted, r.must)
	r.check("goes on")
	r.p.Kill()
	r.start()
	r.check("after a crash")

	r.p.Stop()
	note, err := r.dir.readPlace()
	if err != nil || len(note.Cut) != 1 || note.Unasked != nil {
		t.Fatalf("note is %+v, %v", note, err)
	}
	var from []string
	for id, at := range note.Cut {
		from = []string{"--source", id, "--from", strconv.FormatUint(at, 10)}
	}
	lines := r.tool(append([]string{"journal", "dump", "--import", "--data", string(r.dir)}, from...)...)
	if n := strings.Count(lines, "\n"); n != 150 {
		t.Fatalf("%d hits are dumped, want 150", n)
	}
	r.start()
	r.p.Import(strings.NewReader(lines), "")
	r.must = uncounted
	r.check("imported")
	r.p.Stop()
}

// walkSegments calls fn for the files of the journal that hold hits.
func (r *restoring) walkSegments(fn func(path string)) {
	r.t.Helper()
	paths, err := filepath.Glob(filepath.Join(r.dir.journal(), "j*", "*.hj*"))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, path := range paths {
		fn(path)
	}
}

// TestCopyRefused starts a copy of a data folder beside the server that has it, and lets the copy take over when the server stands
// still. Whoever has lost its lease ends; every hit that either has acknowledged and the winner's journal holds is counted once.
func TestCopyRefused(t *testing.T) {
	t.Parallel()
	r, _ := newRemote(t, false)
	r.imports(100)
	r.check("before")
	waitFlushed(t, r.p)
	copied := t.TempDir() + "/data"
	r.copy(string(r.dir), copied)

	second, listens := spawnServer(t, copied, r.flags...)
	if err := second.Await(listens); err == nil {
		t.Fatalf("a copy was started beside its original:\n%s", second.Log)
	}
	if code := second.Cmd.ProcessState.ExitCode(); code != exitFailure {
		t.Errorf("the copy ended with status %d, want %d", code, exitFailure)
	}
	for _, want := range []string{
		"is in use by heatlog on host", fmt.Sprintf("(pid %d, data folder %s, since ", r.p.Cmd.Process.Pid, r.dir), "heatlog: hint: stop that one",
	} {
		if !strings.Contains(second.Log.String(), want) {
			t.Errorf("no %q in what the copy says:\n%s", want, second.Log)
		}
	}
	r.imports(10)
	r.check("the original goes on")
	waitFlushed(t, r.p)
	r.copy(string(r.dir), copied)

	zombie := r.p
	if err := zombie.Cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// What the original takes before it knows is acknowledged, at positions that the copy gives out too.
	original, late := r.dir, r.cells(5)
	taken := make(chan bool, 1)
	go func() { taken <- sendTo(zombie.Base, late) }()
	r.dir = dataDir(copied)
	start := time.Now()
	r.start()
	if took := time.Since(start); took < index.LeaseLost {
		t.Errorf("the copy took over after %v, want %v", took, index.LeaseLost)
	}
	r.sends(10)
	r.check("the copy has taken over")
	if err := zombie.Cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-zombie.Done:
	case <-time.After(20 * time.Second):
		t.Fatalf("the original still runs:\n%s", zombie.Log)
	}
	if log := zombie.Log.String(); !strings.Contains(log, "was taken over by heatlog on host") || zombie.Cmd.ProcessState.ExitCode() != exitFailure {
		t.Errorf("the original ended with status %d:\n%s", zombie.Cmd.ProcessState.ExitCode(), log)
	}
	r.sends(10)
	r.check("the original has ended")
	r.p.Stop()

	r.dir = original
	r.start()
	for _, at := range late {
		r.may[at] = 0
	}
	r.check("the original is back")
	if !<-taken {
		t.Log("the original took nothing after it had lost its lease")
		r.p.Stop()
		return
	}
	r.wantLog("are in no count", "from=110 to=115 hits=5")
	r.p.Stop()
	lines := r.tool("journal", "dump", "--import", "--data", string(r.dir), "--source", zombie.source(t), "--from", "110", "--to", "115")
	r.start()
	r.p.Import(strings.NewReader(lines), "")
	for _, at := range late {
		r.must[at] = 1
	}
	r.check("what only the original had is imported")
	r.p.Stop()
}

// sendTo sends hits as a tracker does, and reports whether they were acknowledged.
func sendTo(base string, cells []cell) bool {
	var hits []map[string]any
	for _, at := range cells {
		hits = append(hits, map[string]any{"age": 0, "kind": "click", "x": at.x, "y": at.y, "vw": 1280, "vh": 720})
	}
	body, err := json.Marshal(map[string]any{"site": "restore", "url": restoredPage, "view": "late", "b": "late", "hits": hits})
	if err != nil {
		return false
	}
	req, err := http.NewRequest("POST", base+"/v1/in", bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header = http.Header{"Origin": {"https://restore.example"}, "Content-Type": {"text/plain"}, "User-Agent": {benchAgent}}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusNoContent
}

// source is the journal's first source, as the log names it.
func (p *process) source(t *testing.T) string {
	t.Helper()
	m := regexp.MustCompile(`index reads the journal" source=(\S+)`).FindStringSubmatch(p.Log.String())
	if m == nil {
		t.Fatalf("no source in the log:\n%s", p.Log)
	}
	return m[1]
}

// TestDatabaseOutage cuts the connection while hits come, more than may wait in memory.
func TestDatabaseOutage(t *testing.T) {
	t.Parallel()
	const cache, pages, atATime = 1 << 20, 8000, 50 // of all pages 8 MB would be held, of 16 parts for each worker 2
	r, proxy := newRemote(t, false, "--cache-bytes", "1MiB")
	r.imports(10)
	r.check("before")
	proxy.Cut()
	var lines bytes.Buffer
	for page := range pages {
		for i := range 5 {
			fmt.Fprintf(&lines, `{"t":1767225600000,"site":"restore","url":"https://restore.example/p%d","kind":"click","x":%d,"y":8,"vw":1280,"vh":720}`+"\n", page, i*8)
		}
		if page%atATime == atATime-1 {
			r.p.Import(&lines, "")
			lines.Reset()
		}
	}
	r.sends(5)
	waited := regexp.MustCompile(`(?m)^heatlog_index_waits_total [1-9]`)
	held := regexp.MustCompile(`(?m)^heatlog_index_held_bytes (\S+)$`)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, body := r.p.Request("GET", "/metrics", nil, nil, nil)
		if n, err := strconv.ParseFloat(string(held.FindSubmatch(body)[1]), 64); err != nil || n > 3*cache {
			t.Fatalf("%v bytes are held, of %d that may be (%v)", n, cache, err)
		}
		if waited.Match(body) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("reading did not wait for the store:\n%s", r.p.Log)
		}
	}
	r.refused("/v1/pages", "the store ")
	r.refused("/readyz", "the store ")
	r.refused("/v1/pages", "the store is out of reach since 20")
	r.sends(5)
	proxy.Heal()
	r.waitReady()
	r.check("database is back")
	var list struct{ Total int }
	r.p.Ask("/v1/pages", url.Values{"site": {"restore"}, "limit": {"1"}}, &list)
	if list.Total != pages+1 {
		t.Errorf("%d pages are counted, want %d", list.Total, pages+1)
	}
	for _, page := range []int{0, 1234, pages - 1} {
		if cells := r.p.clickCells("restore", fmt.Sprint("https://restore.example/p", page)); len(cells) != 5 {
			t.Errorf("page %d has %v", page, cells)
		}
	}
	if n := strings.Count(r.p.Log.String(), "level=ERROR"); n > 20 {
		t.Errorf("%d errors are logged:\n%s", n, r.p.Log)
	}
	r.p.Stop()
}

// TestDatabaseEnds ends a server while it waits for its database, and once that is there: both are clean ends.
func TestDatabaseEnds(t *testing.T) {
	proxy := mongotest.NewProxy(t, mongotest.Database(t))
	c := &serveCmd{Listen: "127.0.0.1:0", Data: dataDir(t.TempDir()), Ack: "write", CacheBytes: 8 << 20, FlushEvery: time.Minute,
		storeFlags: storeFlags{Store: proxy.URI()}}
	for _, reached := range []bool{false, true} {
		proxy.Cut()
		srv, err := openServer(t.Context(), c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- srv.serve(ctx) }()
		if err := srv.ready(); !isOut(err, "nobody answers") {
			t.Errorf("ready says %v", err)
		}
		if reached {
			proxy.Heal()
			for srv.ready() != nil {
				srv.readStats(func(reading) {})
				if sleep(ctx, time.Millisecond) != nil {
					t.Fatal("not ready")
				}
			}
		}
		stop()
		if err := errors.Join(<-served, srv.close()); err != nil {
			t.Errorf("reached %v: it ends with %v", reached, err)
		}
	}
	leases, err := mongostore.Open(proxy.URI(), mongostore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer leases.Close(context.Background())
	note, err := c.Data.readPlace()
	if err != nil {
		t.Fatal(err)
	}
	if lease, err := leases.Record(t.Context(), "lease/"+note.Source); err != nil || lease != nil {
		t.Errorf("lease of %q is %q after the end, %v", note.Source, lease, err)
	}
}

// TestDatabaseStalls lets a database take every request and answer none: questions end all the same.
func TestDatabaseStalls(t *testing.T) {
	t.Parallel()
	r, proxy := newRemote(t, false)
	r.imports(10)
	r.check("before")
	proxy.Stall()
	r.sends(5)
	var asking sync.WaitGroup
	for range 30 { // more than are answered at a time
		asking.Go(func() { r.refused("/v1/pages", "the store ") })
	}
	asking.Wait()
	proxy.Heal()
	r.waitReady()
	r.check("it answers again")
	proxy.Cut()
	if status, body := r.p.Request("GET", "/v1/heatmap", url.Values{"site": {"restore"}, "url": {restoredPage}, "where": {"x >= 0"}}, nil, nil); status != 200 {
		t.Errorf("what is read from the journal: status %d: %s", status, body)
	}
	if err := r.p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-r.p.Done:
	case <-time.After(stopTimeout):
		t.Errorf("it does not end without its database:\n%s", r.p.Log)
	}
}

// TestStoreChanged goes from one sort of store to the other and back. The journal is the record: each counts what it has not
// seen.
func TestStoreChanged(t *testing.T) {
	t.Parallel()
	r := newRestoring(t)
	remote := append(slices.Clone(r.flags), "--store", mongotest.Database(t))
	local := r.flags
	for i := range 4 {
		r.imports(40)
		r.sends(5)
		r.check(fmt.Sprint("store ", i))
		r.p.Stop()
		if r.flags = remote; i%2 == 1 {
			r.flags = local
		}
		r.start()
		if sources := r.check(fmt.Sprint("changed ", i)); len(sources) != 1 {
			t.Errorf("answer names %v, want one source", sources)
		}
	}
	r.p.Stop()
	r.tool(append([]string{"journal", "verify", "--data", string(r.dir)}, remote[2:]...)...)
	out := r.tool(append([]string{"replay", "list", "--offline", "--data", string(r.dir)}, remote[2:]...)...)
	if !strings.Contains(out, "g1") {
		t.Errorf("replay list:\n%s", out)
	}
}
