package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"

	"heatlog/cmd/heatlog/internal/stream"
	"heatlog/heatmap"
)

// addBenchSite registers the site that the load sends hits of.
func addBenchSite(server *child, d dataDir) error {
	f := serverFlags{URL: server.base, Data: d}
	cl, err := f.client()
	if err != nil {
		return err
	}
	body, err := json.Marshal(stream.New(stream.Options{Sites: 1, Pages: 1}).Sites()[0])
	if err != nil {
		return fmt.Errorf("encode site: %w", err)
	}
	resp, err := cl.do(context.Background(), http.MethodPost, "/v1/sites", nil,
		http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(body))
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// runSelf runs this program with args to its end.
func runSelf(args ...string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	if out, err := exec.Command(self, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("heatlog %s: %w: %s", args[0], err, bytes.TrimSpace(out))
	}
	return nil
}

// benchHits gives the bench's hits in the order in which a server would take them.
type benchHits struct {
	stream *stream.Stream
	left   int
}

// newBenchHits gives n hits of one site: 2,000 pages and 120 days, whatever n is.
func newBenchHits(n int) *benchHits {
	return &benchHits{stream.New(stream.Options{Seed: 1, Sites: 1, Hits: uint64(n)}), n}
}

// next gives the next batches with at least hits hits in all, or what is left; nothing at the end.
func (h *benchHits) next(hits int) (batches []heatmap.Batch) {
	for got := 0; got < hits && h.left > 0; {
		var b heatmap.Batch
		h.stream.Next(&b)
		b.Hits = b.Hits[:min(len(b.Hits), h.left)]
		h.left -= len(b.Hits)
		got += len(b.Hits)
		batches = append(batches, b)
	}
	return batches
}

// bodyMark stands for the batch's id in every body.
const bodyMark = "00000000000000ff"

// benchBodies makes n tracker's batches of hitsABatch hits each, with bodyMark as their ids.
func benchBodies(n int) (bodies [][]byte) {
	s := stream.New(stream.Options{Seed: 1, Sites: 1, HitsPerView: 200})
	for len(bodies) < n {
		var b heatmap.Batch
		if s.Next(&b); len(b.Hits) == hitsABatch {
			b.ID = bodyMark
			bodies = append(bodies, stream.AppendBatchJSON(nil, &b, s.Time()))
		}
	}
	return bodies
}
