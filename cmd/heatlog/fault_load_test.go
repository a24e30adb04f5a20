package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// faultSite is the site that the load of a fault test is sent for.
const faultSite = "fault"

// faultLoad sends batches, of which each hit has a cell of its own, to a server that is disturbed meanwhile, and keeps a
// ledger of what was acknowledged.
type faultLoad struct {
	t       *testing.T
	token   string
	client  *http.Client
	base    atomic.Pointer[string] // address of the server that runs, nil for none
	stop    atomic.Bool
	running sync.WaitGroup
	clients []*faultClient

	mu       sync.Mutex
	refusals []refusal // of batches by /v1/in, in order; guarded by mu
	lastAck  time.Time // guarded by mu
	broken   int       // requests that got no answer; guarded by mu
}

// refusal is an answer other than success.
type refusal struct {
	status     int
	retryAfter string
	took       time.Duration
}

// faultClient sends one batch after the other.
type faultClient struct {
	l      *faultLoad
	name   string
	bulk   bool // as imports that are safe to repeat
	giveUp bool // a batch that was refused is not sent again
	posts  atomic.Int64

	mu    sync.Mutex
	acked []bool // by batch; one more is under way or was given up; guarded by mu
}

// ledger is what a client knew at one time: which of its batches were acknowledged.
type ledger [][]bool

// newFaultLoad registers the site and makes clients of every sort.
func newFaultLoad(t *testing.T, p *process) *faultLoad {
	t.Helper()
	p.AddSite(faultSite, "UTC", "https://fault.example")
	l := &faultLoad{t: t, token: p.Token(), client: &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	l.clients = []*faultClient{
		{l: l, name: "in"}, {l: l, name: "loose", giveUp: true},
		{l: l, name: "import", bulk: true}, {l: l, name: "loose-import", bulk: true, giveUp: true},
	}
	l.use(p)
	t.Cleanup(l.end)
	return l
}

// use sends what comes to p, nil for no server.
func (l *faultLoad) use(p *process) {
	if p == nil {
		l.base.Store(nil)
		return
	}
	l.base.Store(&p.Base)
}

// start lets every client send.
func (l *faultLoad) start() {
	for _, c := range l.clients {
		l.running.Go(c.run)
	}
}

// end lets every client finish the request that it is at.
func (l *faultLoad) end() {
	l.stop.Store(true)
	l.running.Wait()
}

// ledger gives what is acknowledged now.
func (l *faultLoad) ledger() (all ledger) {
	for _, c := range l.clients {
		c.mu.Lock()
		all = append(all, slices.Clone(c.acked))
		c.mu.Unlock()
	}
	return all
}

// count gives the acknowledged batches.
func (a ledger) count() (n int) {
	for _, acked := range a {
		for _, ok := range acked {
			if ok {
				n++
			}
		}
	}
	return n
}

// waitAcks waits until n more batches are acknowledged, and gives how long that took.
func (l *faultLoad) waitAcks(n int) time.Duration {
	l.t.Helper()
	start, want := time.Now(), l.ledger().count()+n
	for l.ledger().count() < want {
		if time.Since(start) > 60*time.Second {
			l.t.Fatalf("no %d batches were acknowledged in 60 s", n)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(start)
}

// waitAnswers waits until all requests that are under way have their answers, and the ledger knows of them.
func (l *faultLoad) waitAnswers() {
	l.t.Helper()
	start := time.Now()
	for _, c := range l.clients {
		for next := c.posts.Load() + 2; c.posts.Load() < next; time.Sleep(2 * time.Millisecond) {
			if time.Since(start) > 60*time.Second {
				l.t.Fatalf("client %s got no answer in 60 s", c.name)
			}
		}
	}
}

// takeRefusals gives the refusals since the last call.
func (l *faultLoad) takeRefusals() []refusal {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.refusals
	l.refusals = nil
	return taken
}

// run sends until the load ends.
func (c *faultClient) run() {
	for !c.l.stop.Load() {
		c.mu.Lock()
		n := len(c.acked)
		c.acked = append(c.acked, false)
		c.mu.Unlock()
		if c.deliver(n) {
			c.mu.Lock()
			c.acked[n] = true
			c.mu.Unlock()
		}
	}
}

// deliver sends a batch until it is acknowledged, given up or the load ends.
func (c *faultClient) deliver(n int) bool {
	for {
		status := 0
		if base := c.l.base.Load(); base != nil {
			if status = c.post(*base, n); status/100 == 2 {
				return true
			}
		}
		if c.l.stop.Load() || c.giveUp && status != 0 {
			return false
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// post sends a batch once and gives the status of the answer, 0 for none.
func (c *faultClient) post(base string, n int) int {
	to, body, header := c.batchIn(n)
	if c.bulk {
		to, body, header = c.batchImport(n)
	}
	req, err := http.NewRequest("POST", base+to, bytes.NewReader(body))
	if err != nil {
		c.l.t.Error(err)
		return 0
	}
	req.Header = header
	defer c.posts.Add(1)
	start := time.Now()
	resp, err := c.l.client.Do(req)
	if err != nil {
		c.l.mu.Lock()
		c.l.broken++
		c.l.mu.Unlock()
		return 0
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	took := time.Since(start)
	switch {
	case err != nil:
		return 0
	case resp.StatusCode/100 == 2:
		c.l.mu.Lock()
		c.l.lastAck = time.Now()
		c.l.mu.Unlock()
	case resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "":
		c.l.t.Errorf("%s batch %d: status %d, Retry-After %q: %.300s", c.name, n, resp.StatusCode, resp.Header.Get("Retry-After"), answer)
	case !c.bulk:
		c.l.mu.Lock()
		c.l.refusals = append(c.l.refusals, refusal{resp.StatusCode, resp.Header.Get("Retry-After"), took})
		c.l.mu.Unlock()
	}
	return resp.StatusCode
}

// page and cellAt are where a batch's hits lie.
func (c *faultClient) page(n int) string {
	return fmt.Sprintf("https://fault.example/%s/%d", c.name, n%killPages)
}

func (c *faultClient) cellAt(n, i int) cell {
	at := n/killPages*hitsPerBatch + i
	return cell{at % cellsAcross * 8, at / cellsAcross * 8}
}

// batchIn writes a batch as a tracker sends it.
func (c *faultClient) batchIn(n int) (to string, body []byte, header http.Header) {
	b := fmt.Appendf(nil, `{"site":"fault","url":%q,"view":"v","b":"%s-%d","hits":[`, c.page(n), c.name, n)
	for i := range hitsPerBatch {
		at := c.cellAt(n, i)
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"age":%d,"kind":"click","x":%d,"y":%d,"vw":1280,"vh":720}`, i*10, at.x, at.y)
	}
	return "/v1/in", append(b, "]}"...), http.Header{
		"Origin": {"https://fault.example"}, "Content-Type": {"text/plain"}, "User-Agent": {benchAgent},
	}
}

// batchImport writes a batch as an import under a name, its hits over three days and two months.
func (c *faultClient) batchImport(n int) (to string, body []byte, header http.Header) {
	var b []byte
	for i := range hitsPerBatch {
		at := c.cellAt(n, i)
		b = fmt.Appendf(b, `{"t":%d,"site":"fault","url":%q,"kind":"click","x":%d,"y":%d,"vw":1280,"vh":720}`+"\n",
			time.Date(2026, 1, 31+i%3, 12, 0, 0, 0, time.UTC).UnixMilli(), c.page(n), at.x, at.y)
	}
	return fmt.Sprintf("/v1/import?batch=%s-%d", c.name, n), b, http.Header{"Authorization": {"Bearer " + c.l.token}}
}

// check compares what a server counts with a ledger, which may be older than what it counts: acknowledged batches count
// once, the others once or not at all. Then it counts the export at the positions that the answers name.
func (l *faultLoad) check(p *process, known ledger) (violations int) {
	l.t.Helper()
	for m := p.metrics(); m["heatlog_journal_durable_position"] < m["heatlog_journal_end_position"]; m = p.metrics() {
		time.Sleep(10 * time.Millisecond) // acknowledged, but not synced yet
	}
	p.WaitCounted(faultSite)
	complain := func(format string, args ...any) {
		l.t.Helper()
		if violations++; violations <= 10 {
			l.t.Errorf(format, args...)
		}
	}
	answers, positions := map[string]map[cell]int{}, url.Values{"site": {faultSite}}
	for i, c := range l.clients {
		rest := map[string]map[cell]int{}
		for n := range killPages {
			page := c.page(n)
			rest[page] = l.cells(p, page, positions)
			answers[page] = map[cell]int{}
			maps.Copy(answers[page], rest[page])
		}
		c.mu.Lock()
		tried := len(c.acked)
		c.mu.Unlock()
		for n := range tried {
			var seen [hitsPerBatch]int
			for i := range seen {
				at := c.cellAt(n, i)
				seen[i] = rest[c.page(n)][at]
				delete(rest[c.page(n)], at)
			}
			acked := n < len(known[i]) && known[i][n]
			if seen != [hitsPerBatch]int{1, 1, 1, 1, 1} && (acked || seen != [hitsPerBatch]int{}) {
				complain("%s: batch %d, acknowledged %t, counts %v", c.name, n, acked, seen)
			}
		}
		for page, left := range rest {
			if len(left) > 0 {
				complain("%s: page %s has %d cells that were never sent", c.name, page, len(left))
			}
		}
	}
	l.recount(p, answers, positions, complain)
	return violations
}

// cells asks for the clicks of a page and notes the positions that the answer names.
func (l *faultLoad) cells(p *process, page string, positions url.Values) map[cell]int {
	l.t.Helper()
	var a struct {
		Points    [][3]int
		Positions map[string]uint64
	}
	p.Ask("/v1/heatmap", url.Values{"site": {faultSite}, "url": {page}, "limit": {"0"}}, &a)
	for source, n := range a.Positions {
		positions.Set("positions", fmt.Sprintf("%s:%d", source, n))
	}
	cells := map[cell]int{}
	for _, point := range a.Points {
		cells[cell{point[0], point[1]}] = point[2]
	}
	return cells
}

// recount counts the hits of the export below the positions and compares.
func (l *faultLoad) recount(p *process, answers map[string]map[cell]int, positions url.Values, complain func(string, ...any)) {
	l.t.Helper()
	status, body := p.Request("GET", "/v1/export", positions, nil, nil)
	if status != 200 {
		complain("export: status %d: %.300s", status, body)
		return
	}
	counted := map[string]map[cell]int{}
	lines := bufio.NewScanner(bytes.NewReader(body))
	for lines.Scan() {
		var h struct {
			URL  string
			X, Y int
		}
		if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
			complain("export: %v in %.200s", err, lines.Bytes())
			return
		}
		if counted[h.URL] == nil {
			counted[h.URL] = map[cell]int{}
		}
		counted[h.URL][cell{h.X, h.Y}]++
	}
	for page, cells := range answers {
		same := len(cells) == len(counted[page])
		for at, n := range cells {
			same = same && counted[page][at] == n
		}
		if !same {
			complain("page %s: answer has %d cells, the export %d, or they differ", page, len(cells), len(counted[page]))
		}
	}
}

// logTail is the end of what a server has logged.
func (p *process) logTail() string {
	text := p.Log.String()
	return text[max(0, len(text)-4<<10):]
}

// asking asks a server for answers again and again until stop; each must be a success.
type asking struct {
	stop  chan struct{}
	done  chan struct{}
	asked int
	worst time.Duration
	lag   int64 // greatest lag that an answer named
}

// askAlong starts to ask.
func (l *faultLoad) askAlong(p *process) *asking {
	a := &asking{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(a.done)
		for n := 0; ; n++ {
			select {
			case <-a.stop:
				return
			case <-time.After(10 * time.Millisecond):
			}
			query := url.Values{"site": {faultSite}, "url": {l.clients[n%4].page(n)}}
			req, err := http.NewRequest("GET", p.Base+"/v1/heatmap?"+query.Encode(), nil)
			if err != nil {
				l.t.Error(err)
				return
			}
			req.Header.Set("Authorization", "Bearer "+l.token)
			start := time.Now()
			resp, err := l.client.Do(req)
			if err != nil {
				l.t.Errorf("query: %v", err)
				return
			}
			var answer struct {
				Lag *int64 `json:"lag_hits"`
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err == nil {
				err = json.Unmarshal(body, &answer)
			}
			if resp.StatusCode != 200 || err != nil || answer.Lag == nil {
				l.t.Errorf("query: status %d, %v: %.300s\n%s", resp.StatusCode, err, body, p.logTail())
				return
			}
			a.asked++
			a.worst, a.lag = max(a.worst, time.Since(start)), max(a.lag, *answer.Lag)
		}
	}()
	return a
}

// end waits until the last answer is there.
func (a *asking) end() *asking {
	close(a.stop)
	<-a.done
	return a
}
