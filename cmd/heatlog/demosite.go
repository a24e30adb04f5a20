package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/valyala/fasthttp"

	"heatlog/cmd/heatlog/internal/demo"
	"heatlog/collector"
	"heatlog/heatmap"
)

// demoKey is the key of the site that the pages at /demo/ belong to.
const demoKey = "demo"

// openDemo registers the site of the demo pages, and adds to it the origins at which they are now and were not before:
// hits of pages elsewhere would be refused. Origins that somebody gave it stay.
func (s *server) openDemo(c *serveCmd) error {
	site, there := s.sites.Lookup(demoKey)
	if !there {
		site = heatmap.Site{Key: demoKey, Timezone: "UTC"}
	}
	origins, err := s.ownOrigins(c)
	if err != nil {
		return err
	}
	known := len(site.Origins)
	site.Origins = slices.Clone(site.Origins)
	for _, origin := range origins {
		if !slices.Contains(site.Origins, origin) {
			site.Origins = append(site.Origins, origin)
		}
	}
	if there && len(site.Origins) == known {
		return nil
	}
	if err := s.sites.Put(site); err != nil {
		return fmt.Errorf("add origins to site %s: %w", demoKey, err)
	}
	return nil
}

// ownOrigins are the origins at which browsers reach the server's own pages.
func (s *server) ownOrigins(c *serveCmd) ([]string, error) {
	_, port, err := net.SplitHostPort(s.listener.Addr().String())
	if err != nil {
		return nil, fmt.Errorf("find port: %w", err)
	}
	addresses := []string{"http://127.0.0.1:" + port, "http://localhost:" + port, s.baseURL()}
	if c.PublicURL != "" {
		addresses = append(addresses, c.PublicURL.origin())
	}
	for i, address := range addresses {
		if addresses[i], err = collector.NormalOrigin(address); err != nil {
			return nil, fmt.Errorf("find own origins: %w", err)
		}
	}
	return addresses, nil
}

// sendVisitors takes the hits of made visitors of the demo pages in, as an import of them, and gives their number.
func (s *server) sendVisitors(ctx context.Context) (hits int, err error) {
	var lines []byte
	now := time.Now().In(s.sites.Zone(demoKey)) // visitors sleep at night
	for line := range demo.Lines(demo.Options{Origin: s.reached, Site: demoKey, Seed: rand.Uint64(), Now: now}) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		lines = append(lines, line...)
	}
	if s.stopping.Load() {
		return 0, errors.New("the server is stopping")
	}
	var request fasthttp.RequestCtx
	request.Request.Header.SetMethod(fasthttp.MethodPost)
	request.Request.SetBodyRaw(lines)
	s.taker.Import(&request)
	var answer importAnswer
	if err := json.Unmarshal(request.Response.Body(), &answer); err != nil {
		return 0, fmt.Errorf("read answer to demo visitors: %w", err)
	}
	if status := request.Response.StatusCode(); status != fasthttp.StatusOK || answer.Rejected > 0 {
		return int(answer.Accepted), fmt.Errorf("import demo visitors: status %d, %d lines rejected: %.300s", status, answer.Rejected, request.Response.Body())
	}
	return int(answer.Accepted), nil
}
