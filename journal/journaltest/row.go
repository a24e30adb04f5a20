package journaltest

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// FormEnv asks for the long forms: 1 for the whole of them, 0.1 for a tenth, short for the short forms told as the
// long ones are, with a line of progress every few seconds and a result. make torture sets it.
const FormEnv = "HEATLOG_TORTURE"

// part is how much of the long form is asked for, 0 for the short form.
func part() float64 {
	f, err := strconv.ParseFloat(os.Getenv(FormEnv), 64)
	if err != nil {
		return 0
	}
	return max(0, min(f, 1))
}

// Form names the form that is asked for: short, long or so much of long.
func Form() string {
	switch p := part(); p {
	case 0:
		return "short"
	case 1:
		return "long"
	default:
		return fmt.Sprintf("%g of long", p)
	}
}

// Torture reports whether the long forms of tests are asked for.
func Torture() bool { return part() > 0 }

// Times gives how often to do something: in the short form, or in the long one as much of it as is asked for.
func Times(short, long int) int {
	if p := part(); p > 0 {
		return max(1, int(float64(long)*p))
	}
	return short
}

// Seed gives the seed of a test: that of HEATLOG_SEED, else short in the short form, else, and where short is 0, one that
// nobody knows.
func Seed(t testing.TB, short uint64) uint64 {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("HEATLOG_SEED"), 10, 64)
	switch {
	case err == nil:
	case short != 0 && !Torture():
		seed = short
	default:
		seed = uint64(time.Now().UnixNano()) % 1e12
	}
	t.Logf("HEATLOG_SEED=%d does the same again", seed)
	return seed
}

// Row is a line of the table of what heatlog must survive: one disaster, brought about many times. It is safe for
// concurrent use.
type Row struct {
	t     testing.TB
	begun time.Time
	total int
	tells bool
	end   chan struct{}

	mu     sync.Mutex
	result Result
	found  []string
}

// Result is what a row has come to.
type Result struct {
	Test       string  `json:"test"`
	Form       string  `json:"form"`       // of [Form]
	Runs       int     `json:"runs"`       // how often the disaster was brought about
	Violations int     `json:"violations"` // of what was promised
	Seconds    float64 `json:"seconds"`
	Seed       uint64  `json:"seed"` // 0 where nothing is left to chance
	Found      string  `json:"found,omitempty"`
}

// Seconds gives the time since begun, to the millisecond.
func Seconds(begun time.Time) float64 { return float64(time.Since(begun).Milliseconds()) / 1000 }

// ResultPrefix begins the line in which a test tells make torture its [Result], as JSON.
const ResultPrefix = "torture-result: "

// Begin begins a row of total times; it ends with the test. A test that fails has one violation at least.
func Begin(t testing.TB, name string, total int, seed uint64) *Row {
	r := &Row{t: t, begun: time.Now(), total: total, end: make(chan struct{}), tells: os.Getenv(FormEnv) != ""}
	r.result = Result{Test: name, Form: Form(), Seed: seed}
	t.Cleanup(r.close)
	if r.tells {
		go r.tell()
	}
	return r
}

// Done counts n times more.
func (r *Row) Done(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Runs += n
}

// Violated counts n violations more.
func (r *Row) Violated(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.Violations += n
}

// Found notes what the row has found.
func (r *Row) Found(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found = append(r.found, fmt.Sprintf(format, args...))
}

// Each calls fn with 0 to n-1, in that order but on all cores at once, and counts each call. It stops after an error and gives
// that of the smallest number, below which all have succeeded; it stops too when the test has failed. Garbage is collected
// seldom meanwhile, as each call leaves a small world behind: of 50,000 of them collecting took up to half the time.
func (r *Row) Each(n int, fn func(i int) error) error {
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	var next, failed atomic.Int64
	failed.Store(int64(n))
	errs := make([]error, runtime.GOMAXPROCS(0))
	at := make([]int64, len(errs))
	var workers sync.WaitGroup
	for w := range errs {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < failed.Load() && !r.t.Failed(); i = next.Add(1) - 1 {
				if errs[w] = fn(int(i)); errs[w] != nil {
					at[w] = i
					for old := failed.Load(); i < old && !failed.CompareAndSwap(old, i); old = failed.Load() {
					}
					return
				}
				r.Done(1)
			}
		})
	}
	workers.Wait()
	var first error
	for w, err := range errs {
		if err != nil && at[w] == failed.Load() {
			first = err
		}
	}
	return first
}

// tell prints a line of progress every few seconds.
func (r *Row) tell() {
	for {
		select {
		case <-r.end:
			return
		case <-time.After(5 * time.Second):
			fmt.Println(r.progress())
		}
	}
}

func (r *Row) progress() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	took, done := time.Since(r.begun), r.result.Runs
	of, left := "", "unknown time"
	if r.total > 0 {
		of = fmt.Sprintf(" of %d", r.total)
	}
	if done > 0 && r.total > 0 {
		left = time.Duration(float64(took) / float64(done) * float64(r.total-done)).Round(time.Second).String()
	}
	return fmt.Sprintf("torture: %s: %d%s, %d violations, after %v, %v left, seed %d", r.result.Test, done, of,
		r.result.Violations, took.Round(time.Second), left, r.result.Seed)
}

// close ends the row with the test and tells the result.
func (r *Row) close() {
	close(r.end)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.t.Failed() {
		r.result.Violations = max(1, r.result.Violations)
	}
	r.result.Seconds, r.result.Found = Seconds(r.begun), strings.Join(r.found, "; ")
	b, err := json.Marshal(r.result)
	if err != nil {
		r.t.Error(err)
		return
	}
	if r.tells && !r.t.Skipped() {
		fmt.Println(ResultPrefix + string(b))
	}
	r.t.Logf("%s", b)
}
