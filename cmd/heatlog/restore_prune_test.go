package main

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestRestoreAndPrune puts an older journal back and lets retention delete all of it, over kills: what was counted stays, new
// hits are counted once, answers that read the journal say from where it is kept, and the same copy can be put back again.
func TestRestoreAndPrune(t *testing.T) {
	r := newRestoring(t)
	older := t.TempDir() + "/journal"
	r.imports(500)
	r.copy(r.dir.journal(), older)
	for _, at := range r.imports(300) { // most are flushed, but nothing promises it
		delete(r.must, at)
		r.may[at] = 1
	}
	waitFlushed(t, r.p)
	r.p.Kill()

	source := ""
	for round := range 2 {
		r.copy(older, r.dir.journal())
		r.startPruning()
		r.wantLog("older copy than the store", "end=500")
		r.sends(20)
		for start := time.Now(); !strings.Contains(r.p.Log.String(), "journal was pruned"); time.Sleep(10 * time.Millisecond) {
			if time.Since(start) > 20*time.Second {
				t.Fatalf("nothing is pruned:\n%s", r.p.Log)
			}
		}
		r.wantLog("journal was pruned", "hits=500")
		sources := r.check("pruned")
		for _, end := range []func(*process){(*process).Kill, (*process).Stop} {
			end(r.p)
			r.startPruning()
			if again := r.check("restarted"); len(again) != len(sources) || strings.Contains(r.p.Log.String(), "older copy") {
				t.Errorf("answer names %v, want %v:\n%s", again, sources, r.p.Log)
			}
		}
		var a struct {
			Hits      int
			Positions map[string]uint64
			KeptFrom  map[string]uint64 `json:"kept_from"`
		}
		r.p.Ask("/v1/heatmap", url.Values{"site": {"restore"}, "url": {restoredPage}, "where": {"x >= 0"}}, &a)
		for id, at := range a.KeptFrom {
			if source = id; at != 500 || a.Positions[id] != 500 {
				t.Errorf("source %s is kept from %d to %d, want from 500", id, at, a.Positions[id])
			}
		}
		if len(a.KeptFrom) != 1 || a.Hits != 100 {
			t.Errorf("a scan gives %d hits, kept from %v, want the 100 of the newest source", a.Hits, a.KeptFrom)
		}
		status, body := r.p.Request("GET", "/v1/export", url.Values{"site": {"restore"}, "positions": {source + ":500"}}, nil, nil)
		if status != 410 {
			t.Errorf("export of what was pruned: status %d: %.200s", status, body)
		}
		if out := r.tool("journal", "verify", "--data", string(r.dir)); !strings.Contains(out, "positions 500 to 500, 0 hits") || !strings.Contains(out, "\nok\n") {
			t.Errorf("round %d: journal verify:\n%s", round, out)
		}
		waitFlushed(t, r.p)
		r.p.Kill()
	}
}

// startPruning starts a server that keeps as little of the journal as it can.
func (r *restoring) startPruning() {
	r.t.Helper()
	r.p = startServer(r.t, string(r.dir), "--flush-every", "100ms", "--retention", "1B", "--prune-every", "50ms")
}
