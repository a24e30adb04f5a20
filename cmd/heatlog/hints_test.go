package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/heatlogtest"
	"heatlog/heatmap"
)

// TestBannerWorks follows what a server prints at its start: it signs a browser in, and pastes the command into a shell
// that knows nothing of the server's flags.
func TestBannerWorks(t *testing.T) {
	f := func(token string) {
		t.Helper()
		t.Chdir(t.TempDir())
		c := &serveCmd{Listen: "127.0.0.1:0", Data: "a folder", Ack: "write", CacheBytes: 8 << 20,
			FlushEvery: time.Minute, AdminToken: token}
		srv, err := openServer(t.Context(), c, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- srv.serve(ctx) }()
		defer func() {
			stop()
			if err := errors.Join(<-served, srv.close()); err != nil {
				t.Error(err)
			}
		}()
		var banner bytes.Buffer
		c.greet(&banner, srv)
		if strings.Contains(banner.String(), srv.token) {
			t.Errorf("the token is in\n%s", banner.String())
		}
		wantStatus(t, bannerLine(t, banner.String(), "sign in"), 303)
		wantStatus(t, bannerLine(t, banner.String(), "demo"), 200)
		_, script, _ := strings.Cut(bannerLine(t, banner.String(), "tag"), `src="`)
		script, _, _ = strings.Cut(script, `"`)
		wantStatus(t, script, 200)
		command := bannerLine(t, banner.String(), "try")
		command = strings.ReplaceAll(command, shellWord(os.Args[0])+" ", heatlogtest.Binary+" ")
		shell := exec.Command("sh", "-c", strings.ReplaceAll(command, "--token TOKEN", "--token "+shellWord(token)))
		shell.Env = []string{"PATH=" + os.Getenv("PATH")}
		if out, err := shell.CombinedOutput(); err != nil || srv.taker.Stats().ImportAccepted == 0 {
			t.Errorf("%v after %s\n%s", err, command, out)
		}
	}
	f("")
	f("secret-token")
	f("it's $HOME; a token")
}

// TestTagSite shows the tag of the operator's own site once there is one.
func TestTagSite(t *testing.T) {
	sites, err := dataDir(t.TempDir()).openSites()
	if err != nil {
		t.Fatal(err)
	}
	srv := &server{sites: sites}
	for _, key := range []string{demoKey, "shop", "zoo"} {
		if err := sites.Put(heatmap.Site{Key: key}); err != nil {
			t.Fatal(err)
		}
		want := key
		if key == "zoo" {
			want = "shop"
		}
		if got := srv.tagSite(); got != want {
			t.Errorf("with site %s the tag is of %s, want %s", key, got, want)
		}
	}
}

// bannerLine gives what stands behind a word of the banner.
func bannerLine(t *testing.T, banner, word string) string {
	t.Helper()
	for line := range strings.Lines(banner) {
		if rest, ok := strings.CutPrefix(line, "  "+word+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	t.Fatalf("no %s in\n%s", word, banner)
	return ""
}

// wantStatus asks for a URL, follows no redirect, and gives the answer.
func wantStatus(t *testing.T, link string, status int) *http.Response {
	t.Helper()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(link)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != status {
		t.Errorf("%s: status %d, want %d", link, resp.StatusCode, status)
	}
	return resp
}

func TestShellWord(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := shellWord(text); got != want {
			t.Errorf("%q is written %s, want %s", text, got, want)
		}
	}
	f("./.bin/heatlog", "./.bin/heatlog")
	f("", "''")
	f("a b", "'a b'")
	f("$HOME", "'$HOME'")
	f("it's", `'it'\''s'`)
	f("~", "'~'")
}

func TestWithScheme(t *testing.T) {
	f := func(address, want string) {
		t.Helper()
		if got := withScheme(address); got != want {
			t.Errorf("%q is taken as %q, want %q", address, got, want)
		}
	}
	f("127.0.0.1:9301", "http://127.0.0.1:9301")
	f("heat.example:80", "http://heat.example:80")
	f("[::1]:9301", "http://[::1]:9301")
	f("https://heat.example:443", "https://heat.example:443")
	f("http://heat.example", "http://heat.example")
	f("nonsense", "nonsense")
	f("mailto:me", "mailto:me")
	f("host:", "host:")
}

// TestHintForFolder looks at which errors tell who must own the data folder.
func TestHintForFolder(t *testing.T) {
	f := func(err error, want string) {
		t.Helper()
		var h *hintError
		if errors.As(hintForFolder("some/data", err), &h) != (want != "") || h != nil && !strings.Contains(h.hint, want) {
			t.Errorf("%v: hint %+v, want %q in it", err, h, want)
		}
	}
	at := func(path string, err error) error {
		return fmt.Errorf("open part: %w", &fs.PathError{Op: "open", Path: path, Err: err})
	}
	f(nil, "")
	f(at("some/data/journal/LOCK", syscall.EACCES), "chown -R USER some/data")
	f(at("./some/data", syscall.EPERM), "must belong to the user")
	f(at("some/data/token", syscall.EROFS), "mounted read-only")
	f(at("some/data/token", syscall.ENOSPC), "")
	f(at("some/rules.yaml", syscall.EACCES), "")
	f(at("/etc/rules.yaml", syscall.EACCES), "")
	f(os.NewSyscallError("bind", syscall.EACCES), "")
	f(withHint(at("some/data/x", syscall.EACCES), "another"), "another")
}

// TestImportGoesOn refuses imports in the middle: the hint says from where to send again.
func TestImportGoesOn(t *testing.T) {
	var status int
	var answer string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	t.Chdir(t.TempDir())
	for _, name := range []string{"a b.ndjson", "a.gz", "a.zst"} {
		if err := os.WriteFile(name, []byte("{}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f := func(hint string, args ...string) {
		t.Helper()
		var problems bytes.Buffer
		code := run(append([]string{"import", "--url", server.URL}, args...), &streams{in: strings.NewReader("{}\n"), out: io.Discard, err: &problems})
		if _, got, _ := strings.Cut(problems.String(), "heatlog: hint: "); code != 1 || !strings.Contains(got, hint) {
			t.Errorf("%q: status %d, stderr %q, want the hint %q", args, code, problems.String(), hint)
		}
	}
	const full = "lines from 8193 on are not stored: no space left on device"
	status, answer = 503, `{"accepted":8190,"rejected":2,"errors":[{"line":7,"message":"x is missing"},{"line":8193,"message":"`+full+
		`"}],"error":{"code":"unavailable","message":"`+full+`"}}`
	f("go on with line 8193 when the server takes hits again: tail -n +8193 'a b.ndjson' | heatlog import -\n", "a b.ndjson")
	f("gzip -dc a.gz | tail -n +8193 | heatlog import -\n", "a.gz")
	f("zstd -dc a.zst | tail -n +8193 | heatlog import -\n", "a.zst")
	f("… | tail -n +8193 | heatlog import -\n", "-")
	f("send the whole file again with the same --batch", "--batch", "b1", "a.gz")
	status, answer = 503, `{"error":{"code":"unavailable","message":"the server is stopping"}}`
	f("its log says more; try again", "a.gz")
}
