package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestKill ends the server with kill -9 again and again while two senders send batches, each until it is acknowledged,
// over both ways in and in both ack modes. In the end every acknowledged batch must be counted exactly once, and one
// that was never acknowledged at most once, whole or not at all. HEATLOG_TORTURE=1 makes it 500 kills.
func TestKill(t *testing.T) {
	kills := 20
	if os.Getenv("HEATLOG_TORTURE") != "" {
		kills = 500
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	c := &campaign{t: t, dir: t.TempDir(), random: rand.New(rand.NewPCG(seed, 0))}
	p := startServer(t, c.dir)
	p.addSite("kill", "UTC", "https://kill.example")
	c.token, _ = p.data.readToken()
	p.stop()
	var senders sync.WaitGroup
	c.senders = []*sender{{c: c, name: "in", post: c.postIn}, {c: c, name: "import", post: c.postImport}}
	for _, s := range c.senders {
		senders.Go(s.run)
	}
	for n := range kills {
		c.killOnce(n)
	}
	c.stop.Store(true)
	last := startServer(t, c.dir)
	c.base.Store(&last.base)
	senders.Wait()
	violations := c.check(last)
	last.kill()
	last = startServer(t, c.dir)
	violations += c.check(last)
	last.stop()
	recordTorture(t, "kill", kills, violations, seed)
}

// campaign is one run of kills on one data folder.
type campaign struct {
	t       *testing.T
	dir     string
	token   string
	random  *rand.Rand
	base    atomic.Pointer[string] // address of the server that runs, nil for none
	stop    atomic.Bool            // senders end after the batch that they are at
	senders []*sender

	complaints int
}

// killOnce runs a server for 0.1 to 1.5 s from its start and kills it.
func (c *campaign) killOnce(n int) {
	mode := [...]string{"sync", "write"}[n%2]
	life := 100*time.Millisecond + time.Duration(c.random.Int64N(int64(1400*time.Millisecond)))
	p, listens := spawnServer(c.t, c.dir, "--ack", mode, "--flush-every", "100ms", "--cache-bytes", "1MiB")
	end := time.After(life)
	select {
	case base, ok := <-listens:
		if !ok {
			<-p.done
			c.t.Fatalf("server ended at start %d:\n%s", n, p.log)
		}
		c.base.Store(&base)
		<-end
	case <-end:
	}
	c.base.Store(nil)
	p.kill()
}

// A batch has hitsPerBatch hits, each in a cell of its own that no other batch has.
const (
	hitsPerBatch = 5
	killPages    = 67 // so many that no page gets more cells than a map keeps apart, however long it takes
	cellsAcross  = 8192
)

// sender sends batches one after the other, each until it is acknowledged.
type sender struct {
	c     *campaign
	name  string
	post  func(base string, s *sender, batch int) bool // reports whether the batch was acknowledged
	acked int                                          // batches 0 to acked-1 are acknowledged
	tried int                                          // batches that were sent at least once
	sends int
}

// run sends until the campaign stops.
func (s *sender) run() {
	for !s.c.stop.Load() {
		s.tried = s.acked + 1
		if s.deliver(s.acked) {
			s.acked++
		}
	}
}

// deliver repeats a batch until it is acknowledged or the campaign stops.
func (s *sender) deliver(batch int) bool {
	for {
		if base := s.c.base.Load(); base != nil {
			s.sends++
			if s.post(*base, s, batch) {
				return true
			}
		}
		if s.c.stop.Load() {
			return false
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// page is the page of a batch.
func (s *sender) page(batch int) string {
	return fmt.Sprintf("https://kill.example/%s/%d", s.name, batch%killPages)
}

// cellAt is the cell of a batch's hit on its page.
func (s *sender) cellAt(batch, i int) cell {
	n := batch/killPages*hitsPerBatch + i
	return cell{n % cellsAcross * 8, n / cellsAcross * 8}
}

// postIn sends a batch as a tracker does.
func (c *campaign) postIn(base string, s *sender, batch int) bool {
	var hits []map[string]any
	for i := range hitsPerBatch {
		at := s.cellAt(batch, i)
		hits = append(hits, map[string]any{"age": i * 10, "kind": "click", "x": at.x, "y": at.y, "vw": 1280, "vh": 720})
	}
	body, err := json.Marshal(map[string]any{"site": "kill", "url": s.page(batch), "view": "v", "b": fmt.Sprint("b", batch), "hits": hits})
	if err != nil {
		c.t.Error(err)
	}
	return c.post(base+"/v1/in", http.Header{"Origin": {"https://kill.example"}, "Content-Type": {"text/plain"},
		"User-Agent": {benchAgent}}, body, 204) // an agent that is no bot
}

// postImport sends a batch as an import that is safe to repeat, its hits over three days and two months.
func (c *campaign) postImport(base string, s *sender, batch int) bool {
	var b bytes.Buffer
	for i := range hitsPerBatch {
		at := s.cellAt(batch, i)
		fmt.Fprintf(&b, `{"t":%d,"site":"kill","url":%q,"kind":"click","x":%d,"y":%d,"vw":1280,"vh":720}`+"\n",
			time.Date(2026, 1, 31+i%3, 12, 0, 0, 0, time.UTC).UnixMilli(), s.page(batch), at.x, at.y)
	}
	return c.post(fmt.Sprintf("%s/v1/import?batch=b%d", base, batch), http.Header{"Authorization": {"Bearer " + c.token}}, b.Bytes(), 200)
}

// post reports whether the server gave the answer that acknowledges. A refusal is a fault of the test.
func (c *campaign) post(to string, header http.Header, body []byte, want int) bool {
	req, err := http.NewRequest("POST", to, bytes.NewReader(body))
	if err != nil {
		c.t.Error(err)
		return false
	}
	req.Header = header
	resp, err := killClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if resp.StatusCode/100 == 4 {
		c.t.Errorf("POST %s: status %d: %s", to, resp.StatusCode, answer)
	}
	return err == nil && resp.StatusCode == want
}

// killClient gives up on a server that was killed between taking a connection and answering.
var killClient = &http.Client{Timeout: 10 * time.Second}

// check compares what the server counts with what was acknowledged.
func (c *campaign) check(p *process) (violations int) {
	c.t.Helper()
	p.waitCounted("kill")
	for _, s := range c.senders {
		counted := map[string]map[cell]int{}
		for n := range killPages {
			counted[s.page(n)] = p.clickCells("kill", s.page(n))
		}
		for batch := range s.tried {
			seen := s.take(counted[s.page(batch)], batch)
			if ok := seen == [hitsPerBatch]int{1, 1, 1, 1, 1} || batch >= s.acked && seen == [hitsPerBatch]int{}; !ok {
				violations++
				c.complain("%s: batch %d of %d acknowledged: counts %v", s.name, batch, s.acked, seen)
			}
		}
		for page, rest := range counted {
			if len(rest) > 0 {
				violations++
				c.complain("%s: page %s has %d cells that were never sent", s.name, page, len(rest))
			}
		}
		if s.acked < 50 {
			c.t.Errorf("%s: only %d batches were acknowledged: the test proves little", s.name, s.acked)
		}
		c.t.Logf("%s: %d batches acknowledged, %d sends", s.name, s.acked, s.sends)
	}
	return violations
}

// complain reports a violation; of many the first say enough.
func (c *campaign) complain(format string, args ...any) {
	c.t.Helper()
	if c.complaints++; c.complaints <= 20 {
		c.t.Errorf(format, args...)
	}
}

// take removes a batch's cells and gives their counts.
func (s *sender) take(cells map[cell]int, batch int) (seen [hitsPerBatch]int) {
	for i := range seen {
		at := s.cellAt(batch, i)
		seen[i] = cells[at]
		delete(cells, at)
	}
	return seen
}

// clickCells asks for every clicked cell of a page.
func (p *process) clickCells(site, page string) map[cell]int {
	p.t.Helper()
	var a struct{ Points [][3]int }
	p.ask("/v1/heatmap", url.Values{"site": {site}, "url": {page}, "limit": {"0"}}, &a)
	cells := map[cell]int{}
	for _, point := range a.Points {
		cells[cell{point[0], point[1]}] = point[2]
	}
	return cells
}
