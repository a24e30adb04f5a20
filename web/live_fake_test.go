package web

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"heatlog/heatmap"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// fakeLive keeps answers whose hits a test makes.
type fakeLive struct {
	mu    sync.Mutex
	err   error                                  // of Keep
	first func(k *fakeKept)                      // prepares a new answer
	kept  []*fakeKept                            // all that were begun
	asked chan struct{}                          // has a value for every call of Keep
	fixed func(heatmap.Question) *heatmap.Update // what every update is, nil = a map of the hits
}

func newFakeLive() *fakeLive { return &fakeLive{asked: make(chan struct{}, 10_000)} }

func (f *fakeLive) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// Keep begins an answer without hits.
func (f *fakeLive) Keep(_ context.Context, q heatmap.Question) (Kept, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked <- struct{}{}
	if f.err != nil {
		return nil, f.err
	}
	k := &fakeKept{question: q, changed: make(chan struct{}, 1), complete: true, closed: make(chan struct{}), fixed: f.fixed,
		cells: map[[2]int]uint64{}, was: map[[2]int]uint64{}}
	if f.first != nil {
		f.first(k)
	}
	k.signal()
	f.kept = append(f.kept, k)
	return k, nil
}

// last is the answer that was begun last.
func (f *fakeLive) last() *fakeKept {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.kept[len(f.kept)-1]
}

// fakeKept is a map of hits that a test puts into it.
type fakeKept struct {
	question heatmap.Question
	changed  chan struct{}
	closed   chan struct{}
	fixed    func(heatmap.Question) *heatmap.Update

	mu       sync.Mutex
	log      []heatmap.Point   // hits, or cells that were set to a weight of 0
	cells    map[[2]int]uint64 // what log adds up to
	was      map[[2]int]uint64 // what log below wasAt adds up to
	wasAt    int
	told     int // of log
	complete bool
	history  heatmap.Progress
	err      error // of Update
	updates  int
	whole    bool // the next update has all points
	ahead    int  // hits of the log that are not asked for
}

func (k *fakeKept) signal() {
	select {
	case k.changed <- struct{}{}:
	default:
	}
}

// hit adds a hit at a place in px; weight 0 takes the cell away.
func (k *fakeKept) hit(x, y int, weight uint64) {
	k.mu.Lock()
	k.add(heatmap.Point{X: x, Y: y, Weight: weight})
	k.mu.Unlock()
	k.signal()
}

// add is hit before the answer is asked for.
func (k *fakeKept) add(p heatmap.Point) {
	k.log = append(k.log, p)
	addUp(k.cells, p)
}

// change changes the answer in another way.
func (k *fakeKept) change(fn func(k *fakeKept)) {
	k.mu.Lock()
	fn(k)
	k.mu.Unlock()
	k.signal()
}

func (k *fakeKept) Changed() <-chan struct{} { return k.changed }

func (k *fakeKept) Close() { close(k.closed) }

// addUp adds hits to a picture.
func addUp(cells map[[2]int]uint64, hits ...heatmap.Point) {
	for _, p := range hits {
		if at := [2]int{p.X, p.Y}; p.Weight == 0 {
			delete(cells, at)
		} else {
			cells[at] += p.Weight
		}
	}
}

// at is what the hits below a position add up to. The position is not below that of the call before.
func (k *fakeKept) at(position int) map[[2]int]uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	addUp(k.was, k.log[k.wasAt:position]...)
	k.wasAt = position
	return k.was
}

// Update gives the cells that hits came to.
func (k *fakeKept) Update(context.Context) (*heatmap.Update, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.updates++
	if k.err != nil {
		return nil, k.err
	}
	if k.fixed != nil {
		return k.fixed(k.question), nil
	}
	h := &heatmap.Heatmap{Prefix: heatmap.Prefix{Generation: "g1", Positions: map[string]uint64{"ja": uint64(len(k.log) + k.ahead)}}, Page: k.question.Query.URL, Cell: 8}
	u := &heatmap.Update{Heatmap: h, Complete: k.complete, History: k.history, Whole: k.updates == 1 || k.whole}
	k.whole = false
	changed := map[[2]int]bool{}
	for _, p := range k.log[k.told:] {
		changed[[2]int{p.X, p.Y}] = true
	}
	k.told = len(k.log)
	for at, weight := range k.cells {
		h.Hits += weight
		if u.Whole {
			h.Points = append(h.Points, heatmap.Point{X: at[0], Y: at[1], Weight: weight})
		}
	}
	for at := range changed {
		if !u.Whole {
			h.Points = append(h.Points, heatmap.Point{X: at[0], Y: at[1], Weight: k.cells[at]})
		}
	}
	return u, nil
}

// told is a message as a client reads it.
type told struct {
	Event, ID, Token, Generation string
	Positions                    map[string]int
	Version                      uint64
	Complete                     bool
	Hits, Max, Cells             uint64
	Points                       [][3]uint64
	Code, Reason                 string
	RetryMs                      int `json:"retry_ms"`
	History                      *struct {
		Done, Total uint64
		Share       float64
		EtaMs       float64 `json:"eta_ms"`
	}
	all map[string]json.RawMessage
	raw string
}

// follower is a client of a stream of events.
type follower struct {
	t      testing.TB
	resp   *http.Response
	lines  *bufio.Scanner
	cancel context.CancelFunc
	cells  map[[2]int]uint64 // the picture so far
	last   told
}

// listen opens a stream.
func (h *harness) listen(id, after string, headers ...string) *follower {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	target := "http://heatlog" + queriesPath + "/" + id + "/stream"
	if after != "" {
		target += "?after=" + after
	}
	req, err := http.NewRequestWithContext(ctx, "GET", target, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	req.Header.Set("Accept", "text/event-stream")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := h.client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	l := &follower{t: h.t, resp: resp, lines: bufio.NewScanner(resp.Body), cancel: cancel, cells: map[[2]int]uint64{}}
	l.lines.Buffer(nil, 64<<20)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream; charset=utf-8" {
		b, _ := io.ReadAll(resp.Body)
		h.t.Fatalf("stream: %d %s %s", resp.StatusCode, resp.Header.Get("Content-Type"), b)
	}
	return l
}

// read gives the next message; ok is false at the end of the stream.
func (l *follower) read() (m told, ok bool) {
	l.t.Helper()
	event, id := "", ""
	for l.lines.Scan() {
		line := l.lines.Text()
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "event":
			event = value
		case "id":
			id = value
		case "data":
			m = l.parse(value)
			if m.Event != event || m.Token != id {
				l.t.Errorf("event %s with id %s has %s", event, id, value)
			}
			return m, true
		case "retry", "":
		default:
			l.t.Errorf("stream has a line %q", line)
		}
	}
	return m, false
}

// parse reads a message and brings the picture up to date.
func (l *follower) parse(text string) told {
	l.t.Helper()
	m := told{raw: text}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		l.t.Fatalf("message %s: %v", text, err)
	}
	if err := json.Unmarshal([]byte(text), &m.all); err != nil {
		l.t.Fatal(err)
	}
	if m.Event == "snapshot" || m.Event == "reset" {
		clear(l.cells)
	}
	for _, p := range m.Points {
		if at := [2]int{int(p[0]), int(p[1])}; p[2] == 0 {
			delete(l.cells, at)
		} else {
			l.cells[at] = p[2]
		}
	}
	l.last = m
	return m
}

// until reads until a message is as wanted.
func (l *follower) until(what string, is func(m told) bool) told {
	l.t.Helper()
	for {
		m, ok := l.read()
		if !ok {
			l.t.Fatalf("the stream ended (%v) before there was %s; the last message is %s", l.lines.Err(), what, l.last.raw)
		}
		if is(m) {
			return m
		}
	}
}

func (l *follower) event(name string) told {
	l.t.Helper()
	return l.until(name, func(m told) bool { return m.Event == name })
}

// equals compares the picture with another one.
func (l *follower) equals(want map[[2]int]uint64) {
	l.t.Helper()
	if !maps.Equal(l.cells, want) {
		l.t.Errorf("at version %d, positions %v the picture is %v, want %v", l.last.Version, l.last.Positions, l.cells, want)
	}
}

func (l *follower) close() {
	l.cancel()
	l.resp.Body.Close()
}

const heatmapParams = `{"site":"shop","url":"https://shop.example/"}`

// question is an answer to POST /v1/queries.
type question struct {
	ID, URL, Stream, Kind, Start string
	Created                      bool
	Params                       map[string]any
}

// ask asks a question that must be taken.
func (h *harness) ask(body string, headers ...string) (q question) {
	h.t.Helper()
	a := h.do("POST", queriesPath, strings.NewReader(body), headers...)
	if a.StatusCode != 201 {
		h.t.Fatalf("%s: %d %s", body, a.StatusCode, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &q); err != nil {
		h.t.Fatal(err)
	}
	return q
}

func (h *harness) askMap() question {
	h.t.Helper()
	return h.ask(`{"kind":"heatmap","params":` + heatmapParams + `}`)
}

// quick are limits under which a test waits for nothing.
func quick() LiveLimits { return LiveLimits{Tick: time.Millisecond, Beat: 20 * time.Millisecond} }

// startLive starts a server with answers that stay alive.
func startLive(t testing.TB, limits LiveLimits) (*harness, *fakeLive) {
	t.Helper()
	f := newFakeLive()
	o := wholeOptions()
	o.Live, o.LiveLimits = f, limits
	return start(t, o), f
}

// await waits until something is so.
func await(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v there is not yet %s", patience, what)
		}
	}
}
