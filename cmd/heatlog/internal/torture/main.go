// Torture runs the tests of what heatlog must survive in their long forms, one row after the other, and writes what each
// has found to .bench/torture.json when it ends. It goes on after a row that found a violation, and ends with status 1 then.
//
//	go run ./cmd/heatlog/internal/torture [-rows 'kill power'] [-seed N] [-part 0.1] [-short] [-fuzztime 10m]
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"heatlog/journal/journaltest"
)

// row is tests of a package that are run together.
type row struct{ name, in, tests string }

var rows = []row{
	{"cut", "./journal", "TestCutAtEveryByte|TestCutSealedAtEveryByte|TestDamagedManifest"},
	{"flip", "./journal", "TestFlipBits|TestFlipSealedBits"},
	{"nth", "./journal", "TestEveryOperationFails|TestEveryOperationOfSealingFails"},
	{"nthstore", "./index", "TestFailEveryStoreOperation"},
	{"crash", "./journal", "TestCrashesUnderLoad|TestFailedSyncIsFinal|TestSeal"},
	{"bugs", "./index", "TestSimulationFindsPlantedBugs"},
	{"schedules", "./index", "TestSimulation"},
	{"ill", "./index", "TestStoreIll"},
	{"power", "./cmd/heatlog", "TestFaultPowerCut"},
	{"kill", "./cmd/heatlog", "TestKill"},
	{"disk", "./cmd/heatlog", "TestFaultDiskFull|TestFaultReadOnly|TestFaultSyncFails"},
	{"process", "./cmd/heatlog", "TestFaultSecondProcess|TestFaultStopUnderLoad|TestFaultRestart"},
	{"start", "./cmd/heatlog", "TestFaultHalfWritten"},
	{"clock", "./cmd/heatlog", "TestFaultClockJumps|TestFaultClockDays"},
	{"cache", "./cmd/heatlog", "TestTorture"},
	{"identity", "./replay", "TestIdentity|TestKillEveryState"},
	{"live", "./cmd/heatlog", "TestLiveCuts"},
	{"mongodb", "./cmd/heatlog", "TestKillMongoDB"},
	{"mongoset", "./cmd/heatlog", "TestKillMongoDBSet"},
	{"mongostore", "./index/mongostore", "TestHistory|TestHistoryOfSet|TestPlantedBugsAreFound"},
	{"mongoindex", "./index", "TestMongoDBFaults|TestMongoDBElections|TestMongoDBIll|TestMongoDBForeignDocuments"},
	{"mongoreplay", "./replay", "TestMongoDB"},
}

// line is what .bench/torture.json has of a row.
type line struct {
	journaltest.Result
	Commit string `json:"commit"`
	Date   string `json:"date"` // when it ended
}

// run is one call of the program.
type run struct {
	seed     string
	fuzztime time.Duration
	all      bool // fuzz targets, not those of decoders only
	commit   string

	mu         sync.Mutex // targets are fuzzed two at a time
	violations int
}

func main() {
	var r run
	only := flag.String("rows", "", "rows to run, parted by blanks; all without it")
	part := flag.Float64("part", 1, "how much of the long form")
	short := flag.Bool("short", false, "the short form")
	flag.StringVar(&r.seed, "seed", "", "seed of a run that is to be done again")
	flag.DurationVar(&r.fuzztime, "fuzztime", 0, "how long each decoder is fuzzed; 10 min, or 5 s in the short form")
	flag.BoolVar(&r.all, "all", false, "fuzz every target, not only decoders")
	flag.Parse()
	form := fmt.Sprint(*part)
	if *short {
		form = "short"
		r.fuzztime = cmp.Or(r.fuzztime, 5*time.Second)
	}
	r.fuzztime = cmp.Or(r.fuzztime, time.Duration(*part*float64(10*time.Minute)))
	if err := os.Setenv(journaltest.FormEnv, form); err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := r.start(ctx, strings.Fields(*only)); err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(1)
	}
}

// start runs the rows that are asked for.
func (r *run) start(ctx context.Context, only []string) error {
	known := []string{"fuzz"}
	for _, row := range rows {
		known = append(known, row.name)
	}
	for _, name := range only {
		if !slices.Contains(known, name) {
			return fmt.Errorf("no row %q; there are %s", name, strings.Join(known, " "))
		}
	}
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return fmt.Errorf("git describe: %w", err)
	}
	r.commit = strings.TrimSpace(string(out))
	for _, row := range rows {
		if len(only) == 0 || slices.Contains(only, row.name) {
			r.test(ctx, row)
		}
	}
	if len(only) == 0 || slices.Contains(only, "fuzz") {
		if err := r.fuzz(ctx); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if r.violations > 0 {
		return fmt.Errorf("%d violations", r.violations)
	}
	return nil
}

// test runs the tests of a row.
func (r *run) test(ctx context.Context, row row) {
	fmt.Printf("torture: %s: go test -run '^(%s)$' %s\n", row.name, row.tests, row.in)
	begun, before, told, last := time.Now(), r.violations, 0, []string(nil)
	err := r.goTest(ctx, func(text string) {
		if result, ok := strings.CutPrefix(text, journaltest.ResultPrefix); ok {
			told++
			r.take(result)
			return
		}
		if strings.HasPrefix(text, "torture: ") {
			fmt.Println(text)
			return
		}
		if last = append(last, text); len(last) > 200 {
			last = last[1:]
		}
	}, "-v", "-run", "^("+row.tests+")$", row.in)
	result := journaltest.Result{Test: row.name, Form: journaltest.Form(), Seconds: journaltest.Seconds(begun)}
	switch {
	case ctx.Err() != nil:
	case err != nil:
		fmt.Println(strings.Join(last, "\n"))
		if r.violations == before {
			result.Violations, result.Found = 1, fmt.Sprintf("%s: %v", row.tests, err)
			r.write(result)
		}
	case told == 0:
		result.Found = "skipped: " + reason(last)
		r.write(result)
	}
}

// reason finds why a test was skipped.
func reason(output []string) string {
	for i, text := range output {
		if strings.HasPrefix(text, "--- SKIP") && i > 0 {
			return strings.TrimSpace(output[i-1])
		}
	}
	return "no test of the row ran"
}

// take writes a result that a test has told.
func (r *run) take(text string) {
	var result journaltest.Result
	if err := json.Unmarshal([]byte(text), &result); err != nil {
		result = journaltest.Result{Test: text, Violations: 1, Found: err.Error()}
	}
	r.write(result)
}

// write puts a result into .bench/torture.json, in the place of an older one of the same name and form.
func (r *run) write(result journaltest.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.violations += result.Violations
	fmt.Printf("torture: %s: done, %d in %.0f s, %d violations, seed %d: %s\n", result.Test, result.Runs, result.Seconds,
		result.Violations, result.Seed, result.Found)
	if err := store(line{result, r.commit, time.Now().UTC().Format(time.RFC3339)}); err != nil {
		r.violations++
		fmt.Fprintln(os.Stderr, "torture:", err)
	}
}

func store(l line) error {
	name := filepath.Join(".bench", "torture.json")
	var lines []line
	b, err := os.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(b, &lines)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read %s: %w", name, err)
	}
	lines = slices.DeleteFunc(lines, func(old line) bool { return old.Test == l.Test && old.Form == l.Form })
	if b, err = json.MarshalIndent(append(lines, l), "", "  "); err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, append(b, '\n'), 0o644))
}
