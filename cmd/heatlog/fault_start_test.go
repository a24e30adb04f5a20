package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/heatlogtest"
	"heatlog/journal/journaltest"
)

// TestFaultHalfWritten starts a server on data folders of which one file is cut, emptied, garbage or gone. It either
// starts and counts what was there, or refuses with an error that names the file and a hint, and in no case does it
// delete or change a hit that it could not read.
func TestFaultHalfWritten(t *testing.T) {
	t.Parallel()
	whole := filepath.Join(t.TempDir(), "whole")
	want := makeDataFolder(t, whole)
	harms := []string{"gone", "cut in half", "garbage"}
	if journaltest.Torture() {
		harms = append(harms, "empty", "cut by a byte", "garbage behind")
	}
	var rows []string
	files := filesOf(t, whole)
	row := journaltest.Begin(t, "half-written files", len(files)*len(harms), 0)
	for _, name := range files {
		size := fileSize(t, filepath.Join(whole, name))
		for _, harm := range harms {
			if size < 2 && strings.HasPrefix(harm, "cut") || filepath.Base(name) == "LOCK" && harm != "gone" && harm != "garbage" {
				continue
			}
			dir := filepath.Join(t.TempDir(), "data")
			copyFolder(t, whole, dir)
			if err := harmFile(filepath.Join(dir, name), harm); err != nil {
				t.Fatal(err)
			}
			before := readFolder(t, filepath.Join(dir, "journal"))
			rows = append(rows, fmt.Sprintf("%-62s %-14s %s", name, harm, startHarmed(t, dir, name, harm, want)))
			checkKept(t, name, harm, before, dir)
			row.Done(1)
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d starts\n%s", len(rows), strings.Join(rows, "\n"))
}

// makeDataFolder makes a data folder with sealed and other segments and everything else that a server keeps, and gives
// the hits of the site.
func makeDataFolder(t *testing.T, dir string) (hits int) {
	t.Helper()
	p := startServer(t, dir, "--flush-every", "100ms")
	p.AddSite("made", "Europe/Prague", "https://made.example")
	p.Import(bytes.NewReader(makeLines(2_000)), "")
	p.WaitCounted("made")
	p.signInOnce()
	p.Stop()
	for n := range 3 { // each start begins a segment and a table
		p = startServer(t, dir, "--flush-every", "100ms")
		p.Import(strings.NewReader(fmt.Sprintf(`{"t":1767225600000,"site":"made","url":"https://made.example/%d","kind":"click","x":1,"y":1}`+"\n", n)), "")
		p.WaitCounted("made")
		p.Stop()
	}
	if out, err := runCommand(heatlogtest.Binary, "journal", "seal", "--data", dir); err != nil {
		t.Fatal(out, err)
	}
	p = startServer(t, dir, "--flush-every", "100ms")
	for _, seed := range []string{"a", "b"} {
		p.Import(strings.NewReader(fmt.Sprintf(`{"t":1767225600000,"site":"made","url":"https://made.example/%s","kind":"click","x":1,"y":1}`+"\n", seed)), "")
	}
	p.WaitCounted("made")
	time.Sleep(400 * time.Millisecond) // the counts are stored
	for p.metrics()["heatlog_journal_unsealed_segments"] > 0 || p.metrics()["heatlog_journal_sealing"] > 0 {
		time.Sleep(10 * time.Millisecond) // else the kill leaves half a seal
	}
	hits = p.hitsOf("made")
	p.Kill()
	return hits
}

// signInOnce has a session made, and a hit that a tracker sends, which needs a salt.
func (p *process) signInOnce() {
	p.T.Helper()
	link, err := exec.Command(heatlogtest.Binary, "signin", "--url", p.Base, "--data", p.Data).Output()
	if err != nil {
		p.T.Fatal(err)
	}
	resp, err := killClient.Get(strings.Fields(string(link))[slices.IndexFunc(strings.Fields(string(link)), func(s string) bool { return strings.HasPrefix(s, "http") })])
	if err != nil {
		p.T.Fatal(err)
	}
	resp.Body.Close()
	status, answer := p.Request("POST", "/v1/in", nil, http.Header{"Content-Type": {"text/plain"}, "User-Agent": {benchAgent}},
		strings.NewReader(`{"site":"made","url":"https://made.example/in","view":"v","b":"b","hits":[{"age":0,"kind":"click","x":1,"y":1,"vw":1280,"vh":720}]}`))
	if status != 204 {
		p.T.Fatalf("status %d: %s", status, answer)
	}
}

// hitsOf is the number of hits of a site over all pages, -1 if there is no answer.
func (p *process) hitsOf(site string) int {
	p.T.Helper()
	var a struct{ Hits int }
	status, body := p.Request("GET", "/v1/pages", map[string][]string{"site": {site}, "limit": {"1"}, "bots": {"1"}}, nil, nil)
	if err := json.Unmarshal(body, &a); status != 200 || err != nil {
		return -1
	}
	return a.Hits
}

// startHarmed starts a server on a harmed folder and says what came of it.
func startHarmed(t *testing.T, dir, name, harm string, want int) string {
	t.Helper()
	p, listens := spawnServer(t, dir, "--flush-every", "100ms")
	if err := p.Await(listens); err != nil {
		text := p.Log.String()
		if strings.Contains(text, "panic") || strings.Contains(text, "goroutine ") {
			t.Errorf("%s, %s: panic:\n%s", name, harm, text)
		}
		if !strings.Contains(text, "heatlog: hint: ") {
			t.Errorf("%s, %s: refused without a hint:\n%s", name, harm, text)
		}
		return "refused: " + lastError(text)
	}
	defer p.Kill()
	var list struct{ Sites []struct{ Key string } }
	p.Ask("/v1/sites", nil, &list)
	known := slices.ContainsFunc(list.Sites, func(s struct{ Key string }) bool { return s.Key == "made" })
	if !known {
		if name != "sites.json" {
			t.Errorf("%s, %s: the site is gone", name, harm)
		}
		p.AddSite("made", "Europe/Prague", "https://made.example")
	}
	var hits int
	for start := time.Now(); time.Since(start) < 3*time.Second; time.Sleep(20 * time.Millisecond) {
		hits = p.hitsOf("made")
		if _, text := p.ready(); hits == want || strings.Contains(text, "read journal") {
			break
		}
	}
	status, text := p.ready()
	damaged := strings.Contains(p.Log.String(), "damaged")
	switch {
	case hits == want && known && damaged:
		return "starts, exact, the log tells of damage"
	case hits == want && known:
		return "starts, exact"
	case hits == want:
		return "starts without sites, exact when the site is added again"
	case status == 503 || damaged:
		return fmt.Sprintf("starts, says so: %d of %d hits, %s", hits, want, strings.TrimSpace(text))
	}
	t.Errorf("%s, %s: %d hits, want %d, and nothing says why:\n%s", name, harm, hits, want, p.Log)
	return "WRONG"
}

// lastError is the line of stderr that says why a command failed.
func lastError(text string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, "heatlog: "); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "?"
}

// checkKept fails if a file of the journal that was there before a start is neither there, nor under another name, nor sealed.
func checkKept(t *testing.T, name, harm string, before map[string][]byte, dir string) {
	t.Helper()
	after := readFolder(t, filepath.Join(dir, "journal"))
	var all [][]byte
	for _, b := range after {
		all = append(all, b)
	}
	for path, b := range before {
		if base := filepath.Base(path); base == "LOCK" || base == "MANIFEST" || len(b) == 0 {
			continue
		}
		if _, sealed := after[path+"s"]; sealed && path != filepath.ToSlash(strings.TrimPrefix(name, "journal/")) {
			continue // by the start, which reads all of it before
		}
		kept := slices.ContainsFunc(all, func(a []byte) bool { return bytes.Contains(a, b) || bytes.HasPrefix(b, a) && len(a) > 0 })
		if !kept {
			t.Errorf("%s, %s: the start lost %s", name, harm, path)
		}
	}
}

func filesOf(t *testing.T, dir string) (names []string) {
	t.Helper()
	for name := range readFolder(t, dir) {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// readFolder gives the files below a folder.
func readFolder(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		files[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func copyFolder(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// harmFile does harm to a file.
func harmFile(path, harm string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	n := info.Size()
	garbage := bytes.Repeat([]byte("\x00garbage\xff"), int(max(n, 9)/9)+1)
	switch harm {
	case "gone":
		return os.Remove(path)
	case "empty":
		return os.Truncate(path, 0)
	case "cut in half":
		return os.Truncate(path, n/2)
	case "cut by a byte":
		return os.Truncate(path, n-1)
	case "garbage":
		return os.WriteFile(path, garbage[:max(n, 9)], info.Mode())
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(garbage[:min(100, len(garbage))])
	return errors.Join(err, f.Close())
}
