package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"heatlog/cmd/heatlog/internal/heatlogtest"
	"heatlog/index/mongostore/mongotest"
)

// TestScripts runs the command-line sessions of testdata/script. Beside testscript's own commands they have
//
//	start DIR [FLAG…]   start a server on a data folder; HEATLOG_URL and HEATLOG_DATA lead the client to it
//	crash               end it as a crash does
//	end                 end it with SIGTERM, which must succeed (stop is testscript's own: it ends the script)
//	logged TEXT         the server's log so far contains TEXT
//	waitlog TEXT        the same, within 20 s
//	cut PATTERN         cut the last third but a byte off the only file that the pattern matches
//	flip PATTERN        change one bit in the middle of the only file that the pattern matches
func TestScripts(t *testing.T) { runScripts(t, "script", func(*testscript.Env) {}) }

// TestDatabaseScripts runs those of testdata/mongodb, each with a database of its own, MONGODB.
func TestDatabaseScripts(t *testing.T) {
	var last atomic.Int64
	databases := []string{mongotest.Database(t), mongotest.Database(t)}
	runScripts(t, "mongodb", func(env *testscript.Env) { env.Setenv("MONGODB", databases[last.Add(1)-1]) })
}

// runScripts runs the sessions in a folder of testdata.
func runScripts(t *testing.T, dir string, setup func(*testscript.Env)) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", dir),
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			setup(env)
			env.Values[serverKey{}] = new(*process)
			env.Setenv("PATH", filepath.Dir(heatlogtest.Binary)+string(os.PathListSeparator)+env.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"start": scriptStart, "end": scriptStop, "logged": scriptLogged, "waitlog": scriptWaitLog, "crash": scriptCrash, "cut": scriptCut, "flip": scriptFlip,
		},
	})
}

// serverKey is where a script keeps its running server.
type serverKey struct{}

func scriptStart(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: start DIR [FLAG…]")
	}
	p, listens, err := heatlogtest.Launch(ts.MkAbs(args[0]), args[1:])
	ts.Check(err)
	ts.Defer(p.Kill)
	ts.Check(p.Await(listens))
	*ts.Value(serverKey{}).(**process) = &process{p}
	ts.Setenv("HEATLOG_URL", p.Base)
	ts.Setenv("HEATLOG_DATA", p.Data)
}

func running(ts *testscript.TestScript) *process {
	p := *ts.Value(serverKey{}).(**process)
	if p == nil {
		ts.Fatalf("no server was started")
	}
	return p
}

func scriptStop(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(running(ts).End())
}

func scriptCrash(ts *testscript.TestScript, neg bool, args []string) { running(ts).Kill() }

func scriptLogged(ts *testscript.TestScript, neg bool, args []string) {
	if has := strings.Contains(running(ts).Log.String(), args[0]); has == neg {
		ts.Fatalf("log:\n%s", running(ts).Log)
	}
}

func scriptWaitLog(ts *testscript.TestScript, _ bool, args []string) {
	p, end := running(ts), time.Now().Add(20*time.Second)
	for !strings.Contains(p.Log.String(), args[0]) {
		if time.Now().After(end) {
			ts.Fatalf("log:\n%s", p.Log)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// onlyFile gives the one file that a pattern matches.
func onlyFile(ts *testscript.TestScript, pattern string) string {
	names, err := filepath.Glob(ts.MkAbs(pattern))
	ts.Check(err)
	if len(names) != 1 {
		ts.Fatalf("%s matches %d files, want 1", pattern, len(names))
	}
	return names[0]
}

func scriptCut(ts *testscript.TestScript, neg bool, args []string) {
	name := onlyFile(ts, args[0])
	b, err := os.ReadFile(name)
	ts.Check(err)
	b = bytes.TrimRight(b, "\x00")                        // room that was set aside
	ts.Check(os.WriteFile(name, b[:len(b)*2/3|1], 0o644)) // in a chunk, not between two: they begin at even offsets
}

func scriptFlip(ts *testscript.TestScript, neg bool, args []string) {
	name := onlyFile(ts, args[0])
	b, err := os.ReadFile(name)
	ts.Check(err)
	b[len(bytes.TrimRight(b, "\x00"))/2] ^= 0x10
	ts.Check(os.WriteFile(name, b, 0o644))
}
