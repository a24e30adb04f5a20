package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// asker asks a server over a connection that it keeps. It is not safe for concurrent use.
type asker struct {
	client fasthttp.HostClient
	req    fasthttp.Request
	resp   fasthttp.Response
}

// newAsker gives one that asks with the token of a server's data folder.
func newAsker(server *child, d dataDir) (*asker, error) {
	token, err := d.readToken()
	if err != nil {
		return nil, err
	}
	a := &asker{client: fasthttp.HostClient{Addr: server.address(), ReadTimeout: time.Minute, MaxResponseBodySize: 1 << 30}}
	a.req.Header.Set("Authorization", "Bearer "+token)
	a.req.Header.SetHost(server.address())
	return a, nil
}

// ask asks a question and gives the answer, which stays valid until the next one, and how long it took to its last byte.
func (a *asker) ask(q question) (body []byte, took time.Duration, err error) {
	a.req.SetRequestURI(q.uri())
	begin := time.Now()
	if err := a.client.Do(&a.req, &a.resp); err != nil {
		return nil, 0, fmt.Errorf("ask %s: %w", q.uri(), err)
	}
	took = time.Since(begin)
	if status := a.resp.StatusCode(); status != http.StatusOK {
		var e struct{ Error struct{ Message string } }
		_ = json.Unmarshal(a.resp.Body(), &e) // an empty message says little, the status the rest
		message, _, _ := strings.Cut(e.Error.Message, ";")
		return nil, 0, fmt.Errorf("the server refuses it with %d: %s", status, message)
	}
	return a.resp.Body(), took, nil
}

// send posts a body as a browser of the site does, with the token; the answer must have the status.
func (a *asker) send(path string, status int, body []byte) error {
	req, resp := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(resp)
	a.req.Header.CopyTo(&req.Header)
	req.Header.SetMethod(http.MethodPost)
	req.SetRequestURI(path)
	req.Header.SetUserAgent(benchAgent)
	req.Header.Set("Origin", benchOrigin)
	req.Header.SetContentType("text/plain")
	req.SetBody(body)
	if err := a.client.Do(req, resp); err != nil {
		return fmt.Errorf("post to %s: %w", path, err)
	}
	if resp.StatusCode() != status {
		return fmt.Errorf("post to %s: server answered %d: %s", path, resp.StatusCode(), oneLine(string(resp.Body())))
	}
	return nil
}

// hits asks a question and gives the hits that its answer stands for.
func (a *asker) hits(q question) (int, error) {
	body, _, err := a.ask(q)
	if err != nil {
		return 0, err
	}
	var answer struct{ Hits int }
	if err := json.Unmarshal(body, &answer); err != nil {
		return 0, fmt.Errorf("read answer: %w", err)
	}
	return answer.Hits, nil
}

// question is what is asked of the reading API.
type question struct {
	path   string
	params url.Values
}

// The questions are about ninety days that are no whole months: days at both edges and two months between them.
const (
	benchFrom = "2026-01-16"
	benchTo   = "2026-04-15"
)

// mapOf asks for the clicks on a page, or what a pattern matches; more are name and value in turns.
func mapOf(page string, more ...string) question {
	q := question{"/v1/heatmap", url.Values{"site": {benchSite}, "url": {page}, "from": {benchFrom}, "to": {benchTo}}}
	return q.with(more...)
}

// with is the question with other parameters too, name and value in turns.
func (q question) with(more ...string) question {
	params := url.Values{}
	maps.Copy(params, q.params)
	for i := 0; i+1 < len(more); i += 2 {
		params.Set(more[i], more[i+1])
	}
	return question{q.path, params}
}

func (q question) uri() string { return q.path + "?" + q.params.Encode() }

// serveSet starts a server on a set, on a core of its own where there is one, and waits until it is ready.
func (b *bench) serveSet(set *benchSet, flags ...string) (*child, *asker, error) {
	server, err := startChild(b.dir, true, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", string(set.data), "--ack", b.Ack}, flags...)...)
	if err != nil {
		return nil, nil, err
	}
	a, err := newAsker(server, set.data)
	for err == nil {
		if _, _, err = a.ask(question{path: "/readyz"}); err == nil {
			return server, a, nil
		}
		if a.resp.StatusCode() == http.StatusServiceUnavailable {
			err = sleep(context.Background(), 5*time.Millisecond)
		}
	}
	return nil, nil, errors.Join(err, server.stop())
}
