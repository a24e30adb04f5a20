package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"heatlog/cmd/heatlog/internal/heatlogtest"
	"heatlog/journal"
)

// damageRig is a server with a journal of short segments. Batch n is the hit of position n, a click in a cell of its own.
type damageRig struct {
	*process
	data string
}

func (r *damageRig) start(flags ...string) {
	r.T.Helper()
	r.process = startServer(r.T, r.data, append([]string{"--segment-bytes", "4096"}, flags...)...)
}

func newDamageRig(t *testing.T, flags ...string) *damageRig {
	t.Helper()
	r := &damageRig{process: &process{&heatlogtest.Server{T: t}}, data: filepath.Join(t.TempDir(), "data")}
	r.start(flags...)
	r.AddSite("shop", "UTC", "https://shop.example")
	return r
}

// send sends batches.
func (r *damageRig) send(from, to int) {
	r.T.Helper()
	header := http.Header{"Content-Type": {"text/plain"}, "User-Agent": {benchAgent}, "Origin": {"https://shop.example"}}
	for n := from; n < to; n++ {
		body := fmt.Sprintf(`{"site":"shop","url":"https://shop.example/","view":"v%d","b":"b%d","hits":[{"age":0,"kind":"click","x":%d,"y":%d,"vw":1280,"vh":720}]}`,
			n%7, n, n%100*8, n/100*8)
		if status, answer := r.Request("POST", "/v1/in", nil, header, strings.NewReader(body)); status != 204 {
			r.T.Fatalf("batch %d: status %d: %s", n, status, answer)
		}
	}
}

// damageAnswer is what is asked for.
type damageAnswer struct {
	Points    [][3]int
	Hits      int
	Lag       uint64 `json:"lag_hits"`
	Positions map[string]uint64
}

// check compares the counts of batches 0 to n-1.
func (r *damageRig) check(n int, want func(batch int) int) (a damageAnswer) {
	r.T.Helper()
	r.Ask("/v1/heatmap", url.Values{"site": {"shop"}, "url": {"https://shop.example/"}, "limit": {"0"}}, &a)
	counts := map[int]int{}
	for _, p := range a.Points {
		counts[p[1]/8*100+p[0]/8] = p[2]
	}
	for batch := range n {
		if counts[batch] != want(batch) {
			r.T.Errorf("batch %d counts %d times, want %d", batch, counts[batch], want(batch))
		}
		delete(counts, batch)
	}
	if len(counts) > 0 {
		r.T.Errorf("cells that were never sent: %v", counts)
	}
	return a
}

func once(int) int { return 1 }

// segments gives the files of the journal's segments, when all that are full are sealed.
func (r *damageRig) segments() []string {
	r.T.Helper()
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		files, err := filepath.Glob(filepath.Join(r.data, "journal", "j*", "*.hj*"))
		if err != nil {
			r.T.Fatal(err)
		}
		files = slices.DeleteFunc(files, func(f string) bool { return !strings.HasSuffix(f, ".hj") && !strings.HasSuffix(f, ".hjs") })
		slices.Sort(files)
		unsealed := slices.IndexFunc(files, func(f string) bool { return strings.HasSuffix(f, ".hj") })
		if len(files) > 5 && unsealed == len(files)-1 {
			return files
		}
		if time.Since(start) > 30*time.Second {
			r.T.Fatalf("not sealed after 30 s: %q\n%s", files, r.Log)
		}
	}
}

// flip damages a block of a segment and says what is lost. No server may run.
func (r *damageRig) flip(path string) (lost *journal.CorruptError) {
	r.T.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		r.T.Fatal(err)
	}
	b[300] ^= 1 // behind the header of the segment and of its first block
	if err := os.WriteFile(path, b, 0o600); err != nil {
		r.T.Fatal(err)
	}
	_, err = journal.Verify(r.T.Context(), nil, filepath.Join(r.data, "journal"), func(e *journal.CorruptError) {
		if lost == nil || e.Lost() > 0 {
			lost = e
		}
	})
	if err != nil || lost == nil || lost.Lost() == 0 || lost.Segment != path {
		r.T.Fatalf("%s is damaged: %v, %v", path, lost, err)
	}
	return lost
}

// tells checks that the log names what is lost, once.
func (r *damageRig) tells(message string, lost *journal.CorruptError) {
	r.T.Helper()
	for start := time.Now(); !strings.Contains(r.Log.String(), message); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > 30*time.Second {
			break // what is counted is ready before it is read for repeats
		}
	}
	n := 0
	for line := range strings.Lines(r.Log.String()) {
		if !strings.Contains(line, message) {
			continue
		}
		n++
		for _, part := range []string{"segment=" + lost.Segment, fmt.Sprint("offset=", lost.Offset, " "), fmt.Sprint("lost_hits=", lost.Lost(), " ")} {
			if !strings.Contains(line, part) {
				r.T.Errorf("the log does not tell %q: %s", part, line)
			}
		}
	}
	if n != 1 {
		r.T.Errorf("the log tells %d times %q:\n%s", n, message, r.Log)
	}
}

// TestFaultDamageCounted damages a sealed segment from the middle of what a start reads to tell repeats. The answers hold all
// of it, and only what is lost can count twice.
func TestFaultDamageCounted(t *testing.T) {
	const sent = 400
	r := newDamageRig(t, "--flush-every", "50ms")
	r.send(0, sent)
	segments := r.segments()
	r.WaitCounted("shop")
	r.Stop()
	lost := r.flip(segments[len(segments)/2])
	for _, flags := range [][]string{nil, {"--skip-damaged"}, nil} {
		r.start(flags...)
		waitReady(t, r.process)
		if a := r.check(sent, once); a.Lag != 0 {
			t.Errorf("%d hits are not counted", a.Lag)
		}
		r.tells("journal is damaged where it is counted already", lost)
		r.Kill()
	}
	r.start()
	r.send(0, sent)
	r.WaitCounted("shop")
	want := func(batch int) int {
		if n := uint64(batch); n >= lost.From && n < lost.To {
			return 2
		}
		return 1
	}
	r.check(sent, want)
	r.Kill()
	r.start("--skip-damaged")
	r.WaitCounted("shop")
	r.check(sent, want)
	r.Stop()
}

// TestFaultDamageUncounted damages a sealed segment that is not counted yet. Without --skip-damaged counting stops
// there: the server says so and goes on taking hits and answering from what is counted. With it exactly what is
// lost is missing, and counts when it is sent again.
func TestFaultDamageUncounted(t *testing.T) {
	r := newDamageRig(t, "--flush-every", "50ms")
	r.send(0, 100)
	r.WaitCounted("shop")
	r.Stop()
	r.start("--flush-every", "1h")
	const sent = 500
	r.send(100, sent)
	segments := r.segments()
	r.Kill()
	lost := r.flip(segments[len(segments)-3])
	if lost.From <= 100 {
		t.Fatalf("%v is counted already", lost)
	}
	all := sent
	stopped := func(when string) {
		t.Helper()
		var status int
		var text string
		for start := time.Now(); !strings.Contains(text, filepath.Base(lost.Segment)); time.Sleep(10 * time.Millisecond) {
			if status, text = r.ready(); time.Since(start) > 30*time.Second {
				t.Fatalf("%s: the reason is not told: %d %s\n%s", when, status, text, r.Log)
			}
		}
		place := fmt.Sprintf("%s:%d:", lost.Segment, lost.Offset)
		if status != 503 || !strings.Contains(text, place) || !strings.Contains(text, fmt.Sprintf("hits %d to %d are lost", lost.From, lost.To-1)) {
			t.Errorf("%s: ready is %d %s, want 503 with %s", when, status, text, place)
		}
		a := r.check(all, func(batch int) int {
			if uint64(batch) < lost.From {
				return 1
			}
			return 0
		})
		if len(a.Positions) != 1 || a.Lag != uint64(all)-lost.From {
			t.Errorf("%s: positions %v, lag %d; want %d of %d", when, a.Positions, a.Lag, lost.From, all)
		}
		for _, position := range a.Positions {
			if position != lost.From {
				t.Errorf("%s: position %d, want %d", when, position, lost.From)
			}
		}
	}
	r.start("--flush-every", "50ms")
	stopped("after the crash")
	for range 3 {
		r.send(all, all+20)
		all += 20
		stopped("while hits come in")
	}
	r.Stop()
	r.start()
	stopped("after a stop in order")
	r.Kill()
	r.start("--skip-damaged", "--flush-every", "50ms")
	r.WaitCounted("shop")
	waitReady(t, r.process)
	r.check(all, func(batch int) int {
		if n := uint64(batch); n >= lost.From && n < lost.To {
			return 0
		}
		return 1
	})
	r.tells("journal is damaged, going on behind", lost)
	r.send(0, all)
	r.WaitCounted("shop")
	r.check(all, once)
	r.Stop()
	r.start()
	r.WaitCounted("shop")
	r.check(all, once)
	r.tells("journal is damaged where it is counted already", lost)
	r.Stop()
}
