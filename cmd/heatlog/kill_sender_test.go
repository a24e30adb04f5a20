package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

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
	idle  atomic.Bool // no batch is under way
}

// run sends until the campaign stops.
func (s *sender) run() {
	for !s.c.stop.Load() {
		if s.c.pause.Load() {
			s.idle.Store(true)
			time.Sleep(time.Millisecond)
			continue
		}
		s.idle.Store(false)
		s.tried = s.acked + 1
		if s.deliver(s.acked) {
			s.acked++
		}
		time.Sleep(s.c.rest)
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
	body, err := json.Marshal(map[string]any{"site": "kill", "url": s.page(batch), "view": "v", "b": fmt.Sprint(s.name, "b", batch), "hits": hits})
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
	return c.post(fmt.Sprintf("%s/v1/import?batch=%sb%d", base, s.name, batch), http.Header{"Authorization": {"Bearer " + c.token}}, b.Bytes(), 200)
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

// take removes a batch's cells and gives their counts.
func (s *sender) take(cells map[cell]int, batch int) (seen [hitsPerBatch]int) {
	for i := range seen {
		at := s.cellAt(batch, i)
		seen[i] = cells[at]
		delete(cells, at)
	}
	return seen
}
