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
	return addSites(serverFlags{URL: server.base, Data: d}, stream.New(stream.Options{Sites: 1, Pages: 1}))
}

// addSites registers the sites of a stream.
func addSites(f serverFlags, s *stream.Stream) error {
	cl, err := f.client()
	if err != nil {
		return err
	}
	for _, site := range s.Sites() {
		body, err := json.Marshal(site)
		if err != nil {
			return fmt.Errorf("encode site: %w", err)
		}
		resp, err := cl.do(context.Background(), http.MethodPost, "/v1/sites", nil,
			http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(body))
		if err != nil {
			return err
		}
		if err := resp.Body.Close(); err != nil {
			return err
		}
	}
	return nil
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

// bodyMark stands for the batch's id in every body.
const bodyMark = "00000000000000ff"

// benchBodies makes n tracker's batches of hitsABatch hits each, with bodyMark as their ids.
func benchBodies(n int) [][]byte { return benchBodiesOf(n, hitsABatch) }

// benchBodiesOf makes n tracker's batches of so many hits each.
func benchBodiesOf(n, hits int) [][]byte {
	return bodiesOf(stream.New(stream.Options{Seed: 1, Sites: 1, HitsPerView: 200}), n, hits)
}

// bodiesOf makes n tracker's batches of so many hits each, cut from longer ones of a stream.
func bodiesOf(s *stream.Stream, n, hits int) (bodies [][]byte) {
	for len(bodies) < n {
		var b heatmap.Batch
		if s.Next(&b); len(b.Hits) == hitsABatch {
			b.ID = bodyMark
			at := len(bodies) % (len(b.Hits) - hits + 1)
			b.Hits = b.Hits[at : at+hits]
			bodies = append(bodies, stream.AppendBatchJSON(nil, &b, s.Time()))
		}
	}
	return bodies
}
