package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStopWithRequestsUnderWay ends a server while an import hangs: it must end in bounded time and with status 0, what
// was acknowledged before must be counted after.
func TestStopWithRequestsUnderWay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startServer(t, dir)
	p.AddSite("shop", "UTC", "https://shop.example")
	line := `{"t":1767225600000,"site":"shop","url":"https://shop.example/","kind":"click","x":1,"y":1}` + "\n"
	p.Import(strings.NewReader(strings.Repeat(line, 10)), "")

	token := p.Token()
	body, hang := io.Pipe()
	defer hang.Close()
	req, err := http.NewRequest("POST", p.Base+"/v1/import", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	go func() {
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
		}
	}()
	if _, err := fmt.Fprint(hang, line); err != nil {
		t.Fatal(err)
	}
	for p.metrics()["heatlog_import_requests_total"] < 2 { // until the server is at it
		time.Sleep(5 * time.Millisecond)
	}
	begin := time.Now()
	if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done:
	case <-time.After(requestTimeout + 15*time.Second):
		t.Fatalf("server still runs %v after SIGTERM:\n%s", time.Since(begin), p.Log)
	}
	if code := p.Cmd.ProcessState.ExitCode(); code != 0 {
		t.Fatalf("exit status %d:\n%s", code, p.Log)
	}
	for _, text := range []string{"heatlog stops", "requests were broken off", "heatlog stopped"} {
		if !strings.Contains(p.Log.String(), text) {
			t.Errorf("log lacks %q:\n%s", text, p.Log)
		}
	}
	p = startServer(t, dir)
	p.WaitCounted("shop")
	var a struct{ Hits int }
	p.Ask("/v1/heatmap", url.Values{"site": {"shop"}, "url": {"https://shop.example/"}, "limit": {"0"}}, &a)
	if a.Hits != 10 && a.Hits != 11 { // the line of the broken request may have been stored
		t.Errorf("%d hits, want the 10 that were acknowledged and at most one more", a.Hits)
	}
	p.Stop()
}

// TestStopWhileSealing ends a server that is sealing a segment: it stops at once, and the next one leaves nothing half done.
func TestStopWhileSealing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startServer(t, dir)
	p.AddSite("made", "UTC", "https://made.example")
	p.AddSite("site-0", "UTC", "https://site-0.example")
	lines := streamedSet(300_000).lines
	hits := bytes.Count(lines, []byte("\n"))
	p.Import(bytes.NewReader(lines), "")
	p.WaitCounted("site-0")
	p.Stop()
	line := `{"t":1767225600000,"site":"made","url":"https://made.example/","kind":"view"}` + "\n"
	p = startServer(t, dir)
	p.Import(strings.NewReader(line), "") // begins a segment: the one before is full
	for p.metrics()["heatlog_journal_sealing"] == 0 {
		if p.metrics()["heatlog_journal_sealed_segments_total"] > 0 {
			t.Skip("the segment was sealed before anyone saw it")
		}
	}
	begin := time.Now()
	p.Stop()
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("the server took %v to stop", took)
	}
	t.Logf("stopped in %v, sealed: %v", time.Since(begin).Round(time.Millisecond), strings.Contains(p.Log.String(), "journal segment is sealed"))
	p = startServer(t, dir)
	for end := time.Now().Add(150 * time.Second); p.metrics()["heatlog_journal_unsealed_bytes"] > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the segment is not sealed after 150 s:\n%s", p.Log)
		}
	}
	var a struct{ Hits int }
	p.Ask("/v1/pages", url.Values{"site": {"site-0"}, "bots": {"1"}, "where": {"true"}}, &a)
	if a.Hits != hits {
		t.Errorf("%d hits, sent %d", a.Hits, hits)
	}
	p.Stop()
	for _, pattern := range []string{"*.tmp", "*.bad*", "*.torn*"} {
		if names, err := filepath.Glob(filepath.Join(p.dir().journal(), "*", pattern)); len(names) > 0 || err != nil {
			t.Errorf("left behind: %q, %v", names, err)
		}
	}
}
