package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"heatlog/journal/journaltest"
)

// TestLiveCuts has clients look on at answers of every kind, over both transports, while hits come in and their connections are cut at any
// byte. Each comes back with the token of the last message that it has whole. After some cuts the senders rest, and what each client has put
// together must be what GET answers at the same positions. The long form has 100,000 cuts.
func TestLiveCuts(t *testing.T) {
	t.Parallel()
	cuts, seed := journaltest.Times(1000, 100_000), journaltest.Seed(t, 0)
	rounds := max(10, cuts/1000) // a client waits for the slowest of a round, and its question ends when nobody looks on for long
	row := journaltest.Begin(t, "cuts of live answers", cuts, seed)
	c := &cutCampaign{t: t, random: rand.New(rand.NewPCG(seed, 9))}
	c.begin()
	defer c.end()
	for round := range rounds {
		c.resting.Lock() // senders finish what they are at
		before := c.posted.Load()
		c.resting.Unlock()
		var busy sync.WaitGroup
		for _, one := range c.clients {
			one.random = rand.New(rand.NewPCG(seed, c.random.Uint64()))
			busy.Go(func() {
				for range cuts / rounds / len(c.clients) {
					one.look(true)
					row.Done(1)
				}
			})
		}
		busy.Wait()
		c.resting.Lock()
		if c.posted.Load() == before {
			t.Error("no hit came in while clients were cut off: the round proves nothing")
		}
		c.sendLast(round)
		for _, one := range c.clients {
			busy.Go(func() { row.Violated(one.settle()) })
		}
		busy.Wait()
		c.resting.Unlock()
		if t.Failed() {
			return
		}
	}
	told, patched := 0, 0
	for _, one := range c.clients {
		told, patched = told+one.told, patched+one.patched
	}
	if patched < told/2 || told < cuts/50 {
		t.Errorf("%d times a client that came back with a token was told something, %d times a patch first: the test proves little", told, patched)
	}
	row.Found("%d hits came in; %d times a client that came back was told something, %d times a patch first", c.posted.Load(), told, patched)
}

// cutCampaign is one server, those who send hits to it and those who look on.
type cutCampaign struct {
	t       *testing.T
	random  *rand.Rand
	server  *process
	clients []*cutClient
	resting sync.RWMutex // held for reading while a batch is under way, for writing while none may be
	stop    atomic.Bool
	posted  atomic.Int64 // hits
	sending sync.WaitGroup
}

const cutOrigin = "https://cuts.example"

// begin starts the server, the senders and, without a connection yet, the clients.
func (c *cutCampaign) begin() {
	c.t.Helper()
	c.server = startServer(c.t, c.t.TempDir(), "--ack", "write", "--flush-every", "200ms", "--cache-bytes", "1MiB", "--segment-bytes", "64KiB")
	c.server.AddSite("cuts", "Europe/Prague", cutOrigin)
	for i := range 2 {
		random := rand.New(rand.NewPCG(c.random.Uint64(), 0))
		c.send(i, random, 0)
		c.sending.Go(func() {
			for n := 1; !c.stop.Load(); n++ {
				c.resting.RLock()
				c.send(i, random, n)
				c.resting.RUnlock()
				time.Sleep(time.Millisecond)
			}
		})
	}
	page := cutOrigin + "/p/1"
	for i, q := range []struct {
		kind   string
		params map[string]string
	}{
		{"heatmap", map[string]string{"url": page}},
		{"heatmap", map[string]string{"url": page}},
		{"heatmap", map[string]string{"url": cutOrigin + "/**", "kind": "rage"}},
		{"heatmap", map[string]string{"url": page, "where": "x < 400 && device == \"desktop\""}},
		{"heatmap", map[string]string{"url": page, "cell": "32", "vw": "640-1279"}},
		{"scroll", map[string]string{"url": page}},
		{"elements", map[string]string{"url": page, "cells": "1"}},
		{"pages", map[string]string{"limit": "10000"}},
		{"trend", map[string]string{"by": "hour"}},
		{"trend", map[string]string{"url": page, "last": "7d"}},
	} {
		q.params["site"] = "cuts"
		one := &cutClient{c: c, kind: q.kind, params: q.params, socket: i%2 == 1}
		if err := one.ask(); err != nil {
			c.t.Fatal(err)
		}
		c.clients = append(c.clients, one)
	}
}

func (c *cutCampaign) end() {
	c.stop.Store(true)
	c.sending.Wait()
	c.server.Stop()
}

// send posts a batch of a view: clicks, some in bursts, at elements and beside them, and a scroll.
func (c *cutCampaign) send(sender int, r *rand.Rand, n int) {
	var hits []map[string]any
	x, y, width := r.IntN(800), r.IntN(2000), 320+r.IntN(3)*480
	for i := range 1 + r.IntN(5) {
		if r.IntN(2) == 0 {
			x, y = r.IntN(800), r.IntN(2000)
		}
		hit := map[string]any{"age": 100 - i*20, "kind": "click", "x": x, "y": y, "vw": width, "vh": 720}
		if r.IntN(2) == 0 {
			maps.Copy(hit, map[string]any{"sel": fmt.Sprintf("main>a.n%d", r.IntN(20)), "ax": 0.5, "ay": float64(r.IntN(10)) / 10, "bw": 100, "bh": 40})
		}
		hits = append(hits, hit)
	}
	hits = append(hits, map[string]any{"age": 0, "kind": "view", "vw": width, "vh": 720},
		map[string]any{"age": 0, "kind": "scroll", "from": 0, "depth": 720 + r.IntN(2000), "y": r.IntN(1000), "dwell": r.IntN(3000), "vw": width, "vh": 720})
	c.post(fmt.Sprintf("%s/p/%d", cutOrigin, r.IntN(3)), fmt.Sprintf("v%d-%d", sender, n/4), fmt.Sprintf("b%d-%d", sender, n), hits)
}

// sendLast posts a batch that changes every answer, so that each is told at once up to where it ends.
func (c *cutCampaign) sendLast(round int) {
	hits := []map[string]any{
		{"age": 0, "kind": "view", "vw": 800, "vh": 720},
		{"age": 0, "kind": "scroll", "from": 0, "depth": 60_000, "y": 0, "dwell": 1000, "vw": 800, "vh": 720},
	}
	for range 3 {
		hits = append(hits, map[string]any{"age": 0, "kind": "click", "x": 200, "y": 100, "vw": 800, "vh": 720, "sel": "main>a.last", "ax": 0.5, "ay": 0.5, "bw": 100, "bh": 40})
	}
	last := fmt.Sprintf("last-%d", round)
	c.post(cutOrigin+"/p/1", last, last, hits)
}

func (c *cutCampaign) post(page, view, id string, hits []map[string]any) {
	body, err := json.Marshal(map[string]any{"site": "cuts", "url": page, "view": view, "b": id, "hits": hits})
	if err != nil {
		c.t.Error(err)
		return
	}
	req, err := http.NewRequest("POST", c.server.Base+"/v1/in", bytes.NewReader(body))
	if err != nil {
		c.t.Error(err)
		return
	}
	req.Header = http.Header{"Origin": {cutOrigin}, "Content-Type": {"text/plain"}, "User-Agent": {benchAgent}}
	resp, err := killClient.Do(req)
	if err != nil {
		c.t.Error(err)
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		answer, _ := io.ReadAll(resp.Body)
		c.t.Errorf("batch: status %d: %s", resp.StatusCode, answer)
	}
	c.posted.Add(int64(len(hits)))
}

// cutClient looks on at one answer.
type cutClient struct {
	c        *cutCampaign
	kind     string
	params   map[string]string
	socket   bool // over a WebSocket, else as events
	random   *rand.Rand
	stream   string // address
	token    string // of the last message that came whole, "" before
	picture  livePicture
	told     int // times that it came back with a token and was told something
	patched  int // times that this was a patch
	returned bool
	left     time.Time // when it looked on last
}

// ask puts the question, at first and when it has ended because nobody looked on.
func (o *cutClient) ask() error {
	body, err := json.Marshal(map[string]any{"kind": o.kind, "params": o.params})
	if err != nil {
		return err
	}
	status, answer := o.c.server.Request("POST", "/v1/queries", nil, http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(body))
	var made struct{ ID string }
	if err := json.Unmarshal(answer, &made); err != nil || status != http.StatusCreated {
		return fmt.Errorf("ask for live %s: status %d: %s", o.kind, status, answer)
	}
	o.stream = o.c.server.Base + "/v1/queries/" + made.ID + "/stream"
	return nil
}

// errCut ends a connection as a network does.
var errCut = errors.New("cut")

// errEnded says that nobody looked on at a question for so long that it must be put again.
var errEnded = errors.New("the question has ended")

// lingers is how long a question stays at least when nobody looks on; heatlog keeps it for half a minute.
const lingers = 25 * time.Second

// look looks on until the connection is cut or until the picture is as it is to be.
func (o *cutClient) look(cut bool) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if cut && o.random.IntN(2) == 0 {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, time.Duration(o.random.IntN(40))*time.Millisecond)
		defer end()
	}
	left := -1 // bytes until the cut
	if cut {
		left = 1 + o.random.IntN(1000)
	}
	o.returned = o.token != ""
	follow := o.events
	if o.socket {
		follow = o.messages
	}
	err := follow(ctx, left)
	if errors.Is(err, errEnded) && time.Since(o.left) > lingers {
		if err = o.ask(); err == nil {
			err = follow(ctx, left)
		}
	}
	o.left = time.Now()
	switch {
	case err == nil, errors.Is(err, errCut), errors.Is(err, errSettled):
	case cut && (ctx.Err() != nil || isTimeout(err)):
	default:
		o.c.t.Errorf("%s %v: %v", o.kind, o.params, err)
	}
}

// isTimeout reports whether an error is that of a deadline, which may come before its context ends.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// errSettled ends looking on.
var errSettled = errors.New("settled")

// take takes a message that came whole.
func (o *cutClient) take(message []byte) error {
	event, err := o.picture.take(o.kind, message)
	if err != nil {
		return err
	}
	if o.returned && event != "progress" {
		o.returned = false
		o.told++
		if event == "patch" {
			o.patched++
		}
	}
	o.token = o.picture.token
	if o.picture.until != nil && maps.Equal(o.picture.positions, o.picture.until) {
		return errSettled
	}
	return nil
}

// events reads server-sent events.
func (o *cutClient) events(ctx context.Context, left int) error {
	req, err := http.NewRequestWithContext(ctx, "GET", o.stream, nil)
	if err != nil {
		return err
	}
	req.Header = http.Header{"Accept": {"text/event-stream"}, "Authorization": {"Bearer " + o.c.server.Token()}}
	if o.token != "" {
		req.Header.Set("Last-Event-ID", o.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return whyNoStream(resp)
	}
	var body io.Reader = resp.Body
	if left >= 0 {
		body = &cutReader{resp.Body, left}
	}
	return readEvents(body, o.take)
}

// whyNoStream tells what is answered in place of a stream.
func whyNoStream(resp *http.Response) error {
	answer, _ := io.ReadAll(resp.Body)
	if resp.StatusCode == http.StatusNotFound {
		return fmt.Errorf("%w: %s", errEnded, answer)
	}
	return fmt.Errorf("status %d: %s", resp.StatusCode, answer)
}

// cutReader breaks off after so many bytes.
type cutReader struct {
	io.Reader
	left int
}

func (r *cutReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, errCut
	}
	n, err := r.Reader.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// messages reads a WebSocket's messages; the cut comes after the message that goes beyond left bytes.
func (o *cutClient) messages(ctx context.Context, left int) error {
	u, err := url.Parse(o.stream)
	if err != nil {
		return err
	}
	u.Scheme = "ws"
	if o.token != "" {
		u.RawQuery = url.Values{"after": {o.token}}.Encode()
	}
	conn, resp, err := websocket.DefaultDialer.DialContext(ctx, u.String(), http.Header{"Authorization": {"Bearer " + o.c.server.Token()}})
	if err != nil {
		if resp != nil {
			err = whyNoStream(resp)
		}
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	for {
		_, message, err := conn.ReadMessage()
		if err != nil {
			return err
		}
		if err := o.take(message); err != nil {
			return err
		}
		if left >= 0 && len(message) >= left {
			return errCut
		}
		left -= min(len(message), max(left, 0))
	}
}

// settle looks on until the picture has what GET answers when all that was posted is in it, and compares both.
func (o *cutClient) settle() (violations int) {
	query := url.Values{}
	for name, value := range o.params {
		query.Set(name, value)
	}
	if o.kind == "heatmap" {
		query.Set("limit", "0")
	}
	if o.kind == "elements" {
		query.Set("limit", "200")
	}
	deadline := time.Now().Add(time.Minute)
	for {
		_, answer := o.c.server.Request("GET", "/v1/"+o.kind, query, nil, nil)
		var want livePicture
		if _, err := want.take(o.kind, answer); err != nil {
			o.c.t.Errorf("GET %s: %v", o.kind, err)
			return 1
		}
		applied := 0.0
		for _, position := range want.positions {
			applied += position
		}
		if int64(applied) < o.c.posted.Load() && time.Now().Before(deadline) {
			time.Sleep(10 * time.Millisecond)
			continue // what was acknowledged is not synced or not applied yet
		}
		o.picture.until = want.positions
		o.look(false)
		o.picture.until = nil
		if difference := o.picture.difference(&want); difference != "" {
			o.c.t.Errorf("live %s %v at %v: %s", o.kind, o.params, want.positions, difference)
			return 1
		}
		return 0
	}
}
