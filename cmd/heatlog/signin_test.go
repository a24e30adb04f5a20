package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
)

// TestSignInOutlivesRestart follows the link of `heatlog signin`. The session is good after a restart, and only with the
// secret of its cookie: what is kept of it opens nothing.
func TestSignInOutlivesRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startServer(t, dir)
	var out, problems bytes.Buffer
	if code := run([]string{"signin", "--url", p.Base, "--data", dir}, &streams{in: strings.NewReader(""), out: &out, err: &problems}); code != 0 {
		t.Fatal(code, problems.String())
	}
	cookies := wantStatus(t, strings.TrimSpace(out.String()), 303).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies", len(cookies))
	}
	f := func(cookie *http.Cookie, want int) {
		t.Helper()
		req, err := http.NewRequest("GET", p.Base+"/v1/sites", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.AddCookie(cookie)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("status %d, want %d", resp.StatusCode, want)
		}
	}
	f(cookies[0], 200)
	p.Stop()
	p = startServer(t, dir)
	f(cookies[0], 200)
	f(&http.Cookie{Name: cookies[0].Name, Value: strings.Repeat("A", len(cookies[0].Value))}, 401)
	if strings.Contains(p.Log.String(), "hlt_") || strings.Contains(p.Log.String(), cookies[0].Value) {
		t.Errorf("a secret is in the log:\n%s", p.Log)
	}
	for _, name := range []string{p.dir().sessions(), p.dir().key()} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode of %s: %v, %v", name, info, err)
		}
	}
	p.Stop()
}

// TestDemoVisitors has the server make visitors, twice: they are other ones.
func TestDemoVisitors(t *testing.T) {
	p := startServer(t, t.TempDir())
	total := 0
	for range 2 {
		status, answer := p.Request("POST", "/v1/demo", nil, nil, nil)
		var a struct{ Hits int }
		if err := json.Unmarshal(answer, &a); status != 200 || err != nil || a.Hits < 300 {
			t.Fatalf("status %d: %s", status, answer)
		}
		total += a.Hits
	}
	p.WaitCounted("demo")
	var pages struct {
		Pages []struct {
			URL  string
			Hits int
		}
	}
	p.Ask("/v1/pages", url.Values{"site": {"demo"}}, &pages)
	counted := 0
	for _, page := range pages.Pages {
		if counted += page.Hits; !strings.HasPrefix(page.URL, p.Base+"/demo") {
			t.Errorf("page %s is not of the demo", page.URL)
		}
	}
	if counted != total {
		t.Errorf("%d hits are counted, want %d", counted, total)
	}
}
