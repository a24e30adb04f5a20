package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/heatlogtest"
	"heatlog/index/mongostore/mongotest"
)

// restoring is a data folder whose parts are put back from copies, with what must be counted in it: every hit has a
// cell of its own.
type restoring struct {
	t     *testing.T
	dir   dataDir
	flags []string // of the server, beside the data folder
	p     *process
	next  int
	must  map[cell]int
	may   map[cell]int // acknowledged, but not in the copy that was put back: counted at most once
}

const restoredPage = "https://restore.example/"

func newRestoring(t *testing.T, flags ...string) *restoring {
	flags = append([]string{"--flush-every", "100ms"}, flags...)
	r := &restoring{t: t, dir: dataDir(t.TempDir()), flags: flags, must: map[cell]int{}, may: map[cell]int{}}
	r.start()
	r.p.AddSite("restore", "UTC", "https://restore.example")
	return r
}

func (r *restoring) start() {
	r.t.Helper()
	r.p = startServer(r.t, string(r.dir), r.flags...)
}

// cells gives n cells that nobody else has.
func (r *restoring) cells(n int) (cells []cell) {
	for range n {
		cells = append(cells, cell{r.next % 150 * 8, r.next / 150 * 8})
		r.next++
	}
	return cells
}

// imports n hits.
func (r *restoring) imports(n int) (cells []cell) {
	r.t.Helper()
	var b bytes.Buffer
	cells = r.cells(n)
	for _, at := range cells {
		fmt.Fprintf(&b, `{"t":%d,"site":"restore","url":%q,"kind":"click","x":%d,"y":%d,"vw":1280,"vh":720}`+"\n",
			time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC).UnixMilli(), restoredPage, at.x, at.y)
		r.must[at]++
	}
	r.p.Import(&b, "")
	return cells
}

// sends batches of hits as trackers do, each acknowledged.
func (r *restoring) sends(batches int) {
	r.t.Helper()
	for range batches {
		var hits []map[string]any
		for _, at := range r.cells(5) {
			hits = append(hits, map[string]any{"age": 0, "kind": "click", "x": at.x, "y": at.y, "vw": 1280, "vh": 720})
			r.must[at]++
		}
		body, err := json.Marshal(map[string]any{"site": "restore", "url": restoredPage, "view": "v", "b": fmt.Sprint("b", r.next), "hits": hits})
		if err != nil {
			r.t.Fatal(err)
		}
		status, answer := r.p.Request("POST", "/v1/in", nil, http.Header{
			"Origin": {"https://restore.example"}, "Content-Type": {"text/plain"}, "User-Agent": {benchAgent},
		}, bytes.NewReader(body))
		if status != 204 {
			r.t.Fatalf("POST /v1/in: status %d: %s", status, answer)
		}
	}
}

// check compares what is counted, and gives the sources that an answer names.
func (r *restoring) check(when string) []string {
	r.t.Helper()
	r.p.WaitCounted("restore")
	got := r.p.clickCells("restore", restoredPage)
	for at, n := range r.must {
		if got[at] != n {
			r.t.Errorf("%s: cell %v is %d, want %d", when, at, got[at], n)
		}
		delete(got, at)
	}
	for at, n := range got {
		if n > r.may[at] {
			r.t.Errorf("%s: cell %v is %d, want at most %d", when, at, n, r.may[at])
		}
	}
	var a struct{ Positions map[string]uint64 }
	r.p.Ask("/v1/heatmap", url.Values{"site": {"restore"}, "url": {restoredPage}}, &a)
	return slices.Sorted(maps.Keys(a.Positions))
}

func (r *restoring) copy(from, to string) {
	r.t.Helper()
	if err := os.RemoveAll(to); err != nil {
		r.t.Fatal(err)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		r.t.Fatal(err)
	}
}

// tool runs heatlog and gives what it prints.
func (r *restoring) tool(args ...string) string {
	r.t.Helper()
	out, err := exec.Command(heatlogtest.Binary, args...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("heatlog %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// TestRestoreJournal puts an older journal beside the newer store, after a stop and after a crash: what was counted stays,
// new hits are counted exactly once, over restarts and further copies.
func TestRestoreJournal(t *testing.T) {
	t.Parallel()
	t.Run("stop", func(t *testing.T) { restoreJournal(t, (*process).Stop, pebbleStore) })
	t.Run("kill", func(t *testing.T) { restoreJournal(t, (*process).Kill, pebbleStore) })
	t.Run("mongodb", func(t *testing.T) { restoreJournal(t, (*process).Stop, mongotest.Database(t)) })
}

func restoreJournal(t *testing.T, end func(*process), store string) {
	r := newRestoring(t, "--store", store)
	older := t.TempDir() + "/journal"
	r.imports(500)
	r.copy(r.dir.journal(), older) // while the server runs
	lost := r.imports(300)
	r.check("before")
	waitFlushed(t, r.p)
	end(r.p)

	r.copy(older, r.dir.journal())
	r.start()
	r.wantLog("older copy than the store", `end=500 stored=800 missing_hits_at_most=300`)
	for _, at := range lost { // nearly all were flushed, but nothing promises it
		delete(r.must, at)
		r.may[at] = 1
	}
	r.sends(200) // 1,000 hits: from below where the older source ended to above
	sources := r.check("restored")
	if len(sources) != 2 {
		t.Fatalf("answer names %v, want two sources", sources)
	}
	for i, end := range []func(*process){(*process).Kill, (*process).Stop, (*process).Kill} {
		end(r.p)
		r.start()
		if again := r.check(fmt.Sprint("restart ", i)); !slices.Equal(again, sources) {
			t.Errorf("restart %d: answer names %v, want %v", i, again, sources)
		}
		if strings.Contains(r.p.Log.String(), "older copy") {
			t.Errorf("restart %d froze a journal:\n%s", i, r.p.Log)
		}
	}
	r.inspect(sources)
	r.exports()

	waitFlushed(t, r.p)
	r.p.Stop()
	r.copy(older, r.dir.journal()) // the same copy once more: the second source is gone
	r.start()
	r.wantLog("older copy than the store", `end=500`)
	r.wantLog("a journal that is not there", sources[0], sources[1])
	r.sends(20)
	if again := r.check("restored twice"); len(again) != 3 {
		t.Errorf("answer names %v, want three sources", again)
	}
	r.p.Stop()
	if err := os.RemoveAll(r.dir.journal()); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.wantLog("a journal that is not there")
	r.sends(20)
	if again := r.check("journal gone"); len(again) != 4 {
		t.Errorf("answer names %v, want four sources", again)
	}
	r.p.Stop()
}

// wantLog expects a line with a text and one of others in the log.
func (r *restoring) wantLog(text string, others ...string) {
	r.t.Helper()
	has := func(line string) bool {
		return strings.Contains(line, text) && (others == nil || slices.ContainsFunc(others, func(o string) bool { return strings.Contains(line, o) }))
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) { // it comes through a pipe
		for line := range strings.Lines(r.p.Log.String()) {
			if has(line) {
				return
			}
		}
	}
	r.t.Errorf("no %q with one of %q in the log:\n%s", text, others, r.p.Log)
}

// waitFlushed waits until all that is counted is stored.
func waitFlushed(t *testing.T, p *process) {
	t.Helper()
	empty := regexp.MustCompile(`(?m)^heatlog_index_held_bytes 0$`)
	for range 1000 {
		_, body := p.Request("GET", "/metrics", nil, nil, nil)
		if empty.Match(body) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("live counts are not stored after 10 s")
}

// inspect looks at both sources with the tools.
func (r *restoring) inspect(sources []string) {
	r.t.Helper()
	for _, name := range []string{"list", "verify", "dump"} {
		args := []string{"journal", name, "--data", string(r.dir)}
		if name == "verify" {
			args = append(args, r.flags[2:]...)
		}
		out := r.tool(args...)
		for _, source := range sources {
			if !strings.Contains(out, source) {
				r.t.Errorf("journal %s does not show %s:\n%.500s", name, source, out)
			}
		}
		if name == "dump" && strings.Count(out, "\n") != 1500 {
			r.t.Errorf("%d hits dumped, want 1500", strings.Count(out, "\n"))
		}
		if name == "verify" && !(strings.Contains(out, "500 hits") && strings.Contains(out, "1000 hits")) {
			r.t.Errorf("journal verify:\n%s", out)
		}
	}
}

// exports reads all that the journal has, and what it has below positions of both sources.
func (r *restoring) exports() {
	r.t.Helper()
	f := func(positions string, status, lines int) {
		r.t.Helper()
		q := url.Values{"site": {"restore"}}
		set(q, "positions", positions)
		code, body := r.p.Request("GET", "/v1/export", q, nil, nil)
		if n := bytes.Count(body, []byte("\n")); code != status || status == 200 && n != lines {
			r.t.Errorf("export at %q: status %d, %d lines, want %d, %d: %.300s", positions, code, n, status, lines, body)
		}
	}
	var a struct{ Positions map[string]uint64 }
	r.p.Ask("/v1/heatmap", url.Values{"site": {"restore"}, "url": {restoredPage}}, &a)
	var older, newer string
	for source, position := range a.Positions {
		switch {
		case position == 1000:
			newer = source
		case position >= 500 && position <= 800: // as far as it is known that all was stored
			older = source
		}
	}
	if older == "" || newer == "" {
		r.t.Fatalf("positions %v", a.Positions)
	}
	f("", 200, 1500)
	f(older+":500,"+newer+":1000", 200, 1500)
	f(older+":10,"+newer+":20", 200, 30)
	f(older+":10", 200, 10)
	f(older+":501", 400, 0)
	f(newer+":1001", 400, 0)
	var h struct {
		Hits      int
		Positions map[string]uint64
	}
	r.p.Ask("/v1/heatmap", url.Values{"site": {"restore"}, "url": {restoredPage}, "where": {"x >= 0"}}, &h)
	if h.Hits != 1500 || h.Positions[older] != 500 || h.Positions[newer] != 1000 {
		r.t.Errorf("scan: %+v", h)
	}
}

// TestRestoreAll puts back a whole older data folder, and an older store beside the newer journal: nothing is frozen, and
// all that the journal has is counted.
func TestRestoreAll(t *testing.T) {
	t.Parallel()
	r := newRestoring(t)
	copied := t.TempDir() + "/data"
	r.imports(400)
	r.check("before")
	r.p.Stop()
	r.copy(string(r.dir), copied)
	r.start()
	r.sends(100)
	r.p.Stop()
	newer := t.TempDir() + "/journal"
	r.copy(r.dir.journal(), newer)

	r.copy(dataDir(copied).store(), r.dir.store())
	r.start()
	if sources := r.check("older store"); len(sources) != 1 {
		t.Errorf("answer names %v, want one source", sources)
	}
	r.p.Stop()

	kept := maps.Clone(r.must)
	r.copy(copied, string(r.dir))
	maps.DeleteFunc(r.must, func(at cell, _ int) bool { return at.y/8*150+at.x/8 >= 400 })
	r.start()
	if sources := r.check("older folder"); len(sources) != 1 {
		t.Errorf("answer names %v, want one source", sources)
	}
	r.p.Stop()
	r.must = kept
	r.copy(newer, r.dir.journal()) // and the journal as it was: only the store is older
	r.start()
	if sources := r.check("newer journal"); len(sources) != 1 {
		t.Errorf("answer names %v, want one source", sources)
	}
	r.p.Stop()
}
