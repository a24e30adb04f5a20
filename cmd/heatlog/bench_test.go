package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/heatlogtest"
)

func TestMedian(t *testing.T) {
	if m := median([]float64{3, 1, 2}); m != 2 {
		t.Errorf("median of 3, 1, 2 is %v", m)
	}
	if m := median([]float64{4, 1, 3, 2}); m != 2 {
		t.Errorf("median of 4, 1, 3, 2 is %v, want the lower middle", m)
	}
	for q, want := range map[float64]float64{0: 1, 0.25: 1, 0.26: 2, 0.99: 4, 1: 4} {
		if got := quantile([]float64{4, 1, 3, 2}, q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
}

func TestFigure(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1.2345: "1.23", 999: "999", 1234: "1,230", 263_456: "263,000", 1_294_000: "1,290,000"} {
		if got := figure(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}

// TestBenchRows looks at how rows are judged.
func TestBenchRows(t *testing.T) {
	f := func(spec benchSpec, values, yardsticks []float64, ratio, reach float64, met bool) {
		t.Helper()
		r := spec.of(&bench{benchRunCmd: &benchRunCmd{}}, &rowSamples{values, yardsticks})
		if r.Ratio != ratio || r.Reach != reach || r.Met != met || r.Value != median(values) || r.Error != "" {
			t.Errorf("%+v, want ratio %v of %v, %v", r, ratio, reach, met)
		}
	}
	f(benchSpec{least: true, reach: 0.5}, []float64{40, 50, 60}, []float64{90, 100, 110}, 0.5, 0.5, true)
	f(benchSpec{least: true, reach: 0.5}, []float64{49}, []float64{100}, 0.49, 0.5, false)
	f(benchSpec{reach: 0.5}, []float64{51}, []float64{100}, 0.51, 0.5, false)
	f(benchSpec{least: true, limit: 50}, []float64{50}, nil, 1, 1, true)
	f(benchSpec{limit: 50}, []float64{75}, nil, 1.5, 1, false)
	f(benchSpec{limit: 50}, []float64{40}, []float64{80}, 0.5, 0.625, true)
	if r := (&benchSpec{reach: 1}).of(&bench{benchRunCmd: &benchRunCmd{}}, &rowSamples{values: []float64{1}}); r.Error == "" || r.Met {
		t.Errorf("a row without yardstick is %+v", r)
	}
}

// TestBenchFiles looks at what is kept from one run to the next, and at rows that could not be measured.
func TestBenchFiles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "sub", "bench.json")
	b := &bench{benchRunCmd: &benchRunCmd{Hits: 30_000_000, Ack: "sync"}, log: new(bytes.Buffer), samples: map[rowID]*rowSamples{},
		failed: map[string]error{"replay": errors.New("no | space")}, refused: map[rowID]error{}}
	b.sample("hot", 4, 0)
	b.sample("hot msgpack", 4, 0)
	b.fail("hot msgpack", errors.New("refused"))
	rows := b.rows()
	if len(rows) != 4 || !strings.Contains(rows[0].Row, "30 million") || rows[1].Error != "refused" || rows[3].Error != "no | space" {
		t.Fatalf("rows %+v", rows)
	}
	if err := unmeasured(rows); err == nil || strings.Count(err.Error(), ";") != 2 {
		t.Errorf("unmeasured rows are %v", err)
	}
	if err := errors.Join(writeRows(name, rows, true), writeRows(name, rows[:1], true)); err != nil {
		t.Fatal(err)
	}
	if kept := readRows(t, name); len(kept) != 4 {
		t.Errorf("%d rows are kept, want 4", len(kept))
	}
	if err := writeRows(name, rows[:1], false); err != nil || len(readRows(t, name)) != 1 {
		t.Errorf("rows of earlier runs stay: %v", err)
	}
	var out bytes.Buffer
	if err := printRows(&out, rows); err != nil || strings.Count(out.String(), "\n") != 5 {
		t.Fatalf("%v: %s", err, out.String())
	}
	if err := writeMarkdown(name+".md", rows, time.Now()); err != nil {
		t.Fatal(err)
	}
	md, err := os.ReadFile(name + ".md")
	if err != nil || strings.Count(string(md), "\n|") != 6 || !strings.Contains(string(md), `no \| space`) {
		t.Errorf("%v: %s", err, md)
	}
}

func readRows(t *testing.T, name string) (rows []map[string]any) {
	t.Helper()
	content, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(content, &rows)
	}
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestBenchParts runs each part with little of everything and looks for its rows in the file. Which goals are met is not looked at.
func TestBenchParts(t *testing.T) {
	for _, part := range benchParts() {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "bench.json")
			cmd := exec.Command(heatlogtest.Binary, "bench", "run", "--row", part.name, "--rounds", "1", "--time", "1s", "--conns", "8", "--asks", "3",
				"--hits", "50000", "--apply-hits", "20000", "--large-hits", "60000", "--memory-hits", "40000", "--analysts", "5", "--scratch", dir,
				"--duckdb", filepath.Join(dir, "none"), "--out", file, "--markdown", filepath.Join(dir, "bench.md"))
			out, err := cmd.CombinedOutput()
			want := map[string]bool{}
			b := &bench{benchRunCmd: &benchRunCmd{Hits: 50_000, ApplyHits: 20_000, LargeHits: 60_000, MemoryHits: 40_000, Analysts: 5, Conns: 8, Ack: "sync"}}
			for _, spec := range benchSpecs() {
				if spec.part == part.name {
					want[spec.name(b)] = true
				}
			}
			failed := 0
			defer func() {
				if t.Failed() {
					t.Logf("%s", out)
				}
			}()
			for _, row := range readRows(t, file) {
				name, _ := row["row"].(string)
				if !want[name] {
					t.Errorf("row %q is not declared", name)
				}
				delete(want, name)
				for _, member := range []string{"value", "yardstick", "ratio", "reach"} {
					if _, ok := row[member].(float64); !ok {
						t.Errorf("row %q has %s %v", name, member, row[member])
					}
				}
				if e, bad := row["error"].(string); bad {
					failed++
					if !mayFail(e) {
						t.Errorf("row %q: %s", name, e)
					}
				} else if unit, _ := row["unit"].(string); strings.Contains("bytes/hit bytes MiB", unit) && row["value"].(float64) <= 0 {
					t.Errorf("row %q is %v", name, row["value"])
				}
			}
			if len(want) > 0 {
				t.Errorf("rows %v are missing", want)
			}
			if (err != nil) != (failed > 0) {
				t.Errorf("with %d rows that failed the bench ends with %v", failed, err)
			}
		})
	}
}

// mayFail reports whether a row may lack its value for that reason: its yardstick is no part of heatlog, or the machine has no dd.
func mayFail(reason string) bool {
	return strings.Contains(reason, "DuckDB is not installed") || strings.Contains(reason, `dd": executable file not found`)
}

// TestBenchEnded ends a bench while its server runs: the folder of its runs does not stay.
func TestBenchEnded(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(heatlogtest.Binary, "bench", "run", "--row", "in", "--time", "1h", "--scratch", dir, "--out", filepath.Join(dir, "out"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var logs []string
	for begin := time.Now(); len(logs) == 0 && time.Since(begin) < time.Minute; time.Sleep(10 * time.Millisecond) {
		logs, _ = filepath.Glob(filepath.Join(dir, "heatlog-bench-*", "log*"))
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != exitFailure {
		t.Errorf("a bench that was ended ends with %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(logs) == 0 || len(left) > 0 {
		t.Errorf("with server logs %q it left %q", logs, left)
	}
}

func TestBenchMisuse(t *testing.T) {
	for _, args := range [][]string{{"--row", "nothing"}, {"--rounds", "0"}, {"--conns", "0"}, {"--time", "0s"}, {"--hits", "10"}} {
		var out, problems bytes.Buffer
		status := run(append([]string{"bench", "run"}, args...), &streams{in: strings.NewReader(""), out: &out, err: &problems})
		if status != exitUsage || problems.Len() == 0 {
			t.Errorf("%q ends with %d: %s", args, status, problems.String())
		}
	}
}
