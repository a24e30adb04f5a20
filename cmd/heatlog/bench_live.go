package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"heatlog/cmd/heatlog/internal/stream"
)

// What the part live measures with.
const (
	liveRate        = 20_000 // hits that come in each second while patches are waited for
	liveQuestions   = 10
	liveSubscribers = 1000
	liveTick        = 200 * time.Millisecond // the shortest that the server has
	liveEvery       = 7 * time.Millisecond   // between the hits that are looked for: in step with no tick
)

// runLive measures how soon a hit is on the sockets of those who look on, and what many of them cost those who bring hits.
func (b *bench) runLive() error {
	bodies := benchBodies(200)
	undo, err := pinSelf()
	if err != nil {
		return err
	}
	defer undo()
	for range b.Rounds {
		if err := b.onServer(func(server *child, d dataDir) error { return b.liveDelay(server, d, bodies) }); err != nil {
			return err
		}
		if err := b.onServer(func(server *child, d dataDir) error { return b.liveMany(server, d, bodies) }); err != nil {
			return err
		}
	}
	return nil
}

// liveDelay posts single hits on the hottest page, at places of their own, while others come in, and gives how long after its 204 each is on
// the socket of one who looks on.
func (b *bench) liveDelay(server *child, d dataDir, bodies [][]byte) error {
	a, err := newAsker(server, d)
	if err != nil {
		return err
	}
	looking, cancel := context.WithCancel(context.Background())
	defer cancel()
	var seen places
	watch, err := subscribe(looking, server, d, hotPage(), func(data []byte) error { return seen.note(data, time.Now()) })
	if err != nil {
		return err
	}
	ctx, end := context.WithTimeout(looking, b.Time+time.Second)
	defer end()
	failed := make(chan error, 1)
	go func() {
		_, err := b.newLoader(server, bodies, liveRate).run(ctx)
		failed <- err
	}()
	n := 0
	for ; ctx.Err() == nil && n < maxLivePlaces; n++ {
		x, y := livePlace(n)
		body := fmt.Appendf(nil, `{"site":%q,"url":%q,"view":"w%d","b":"live-%d","hits":[{"age":0,"kind":"click","x":%d,"y":%d}]}`, benchSite, hotPage(), n, n, x, y)
		if err := a.send("/v1/in", http.StatusNoContent, body); err != nil {
			return err
		}
		seen.answered(n, time.Now())
		_ = sleep(ctx, liveEvery) // it ends with the loop
	}
	err = errors.Join(<-failed, seen.wait(n, 10*time.Second))
	cancel()
	if err := errors.Join(err, watch.end()); err != nil {
		return fmt.Errorf("%w; the server logged: %s", err, server.logged())
	}
	times := seen.times()
	b.note("live: %d hits looked for, p50 %.1f ms, p99 %.1f ms", len(times), median(times), quantile(times, 0.99))
	b.sample("live p50", median(times), 0)
	b.sample("live p99", quantile(times, 0.99), 0)
	return nil
}

// The places of hits that are looked for are cells far below where the load clicks.
const (
	livePlaceY    = 40_000
	maxLivePlaces = 100_000
)

func livePlace(n int) (x, y int) { return n % 200 * 8, livePlaceY + n/200*8 }

// places are when hits were answered, and when they were seen, by their numbers.
type places struct {
	mu             sync.Mutex
	answeredAt, at []time.Time // guarded by mu
	found          int         // guarded by mu
}

func (p *places) grow(n int) {
	for len(p.at) <= n {
		p.at, p.answeredAt = append(p.at, time.Time{}), append(p.answeredAt, time.Time{})
	}
}

func (p *places) answered(n int, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.grow(n)
	p.answeredAt[n] = at
}

// note takes a message that came at a time.
func (p *places) note(data []byte, at time.Time) error {
	var message struct{ Points [][3]float64 }
	if err := json.Unmarshal(data, &message); err != nil {
		return fmt.Errorf("read message: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, point := range message.Points {
		if point[1] < livePlaceY {
			continue
		}
		n := int(point[1]-livePlaceY)/8*200 + int(point[0])/8
		if p.grow(n); p.at[n].IsZero() {
			p.at[n] = at
			p.found++
		}
	}
	return nil
}

// wait waits until so many were seen.
func (p *places) wait(n int, most time.Duration) error {
	for end := time.Now().Add(most); ; time.Sleep(5 * time.Millisecond) {
		p.mu.Lock()
		found := p.found
		p.mu.Unlock()
		if found >= n {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%d of %d hits were not told within %v", n-found, n, most)
		}
	}
}

// times gives how long after its answer each was seen, ms; 0 where it was before.
func (p *places) times() (times []float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, at := range p.at {
		times = append(times, max(0, ms(at.Sub(p.answeredAt[i]))))
	}
	return times
}

// liveMany has many look on at a few pages while as many hits come in as the server takes, beside the same without them.
func (b *bench) liveMany(server *child, d dataDir, bodies [][]byte) error {
	alone, err := b.load(server, bodies)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var messages atomic.Int64
	pages := stream.New(benchStream(b.Hits))
	var all []*subscriber
	for i := range liveSubscribers {
		_, page := pages.Page(i % liveQuestions)
		one, err := subscribe(ctx, server, d, page, func(data []byte) error {
			if bytes.HasPrefix(data, []byte(`{"event":"patch"`)) {
				messages.Add(1)
			}
			return nil
		})
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	a, err := newAsker(server, d)
	if err != nil {
		return err
	}
	before, err := evaluationsOf(a)
	if err != nil {
		return err
	}
	begin := time.Now()
	with, err := b.load(server, bodies)
	took, told := time.Since(begin), messages.Load()
	after, err2 := evaluationsOf(a)
	cancel()
	err = errors.Join(err, err2)
	for _, one := range all {
		err = errors.Join(err, one.end())
	}
	if err != nil {
		return fmt.Errorf("%w; the server logged: %s", err, server.logged())
	}
	b.note("live: %d look on: %d patches in %v, %d evaluations; %.0f requests/s come in, alone %.0f", liveSubscribers, told, took.Round(time.Millisecond),
		after-before, with.perSecond, alone.perSecond)
	b.sample("live evaluations", float64(after-before)/(float64(took)/float64(liveTick)+1), 0)
	b.sample("live kept", hitsABatch*with.perSecond, hitsABatch*alone.perSecond)
	return nil
}

// evaluationsOf gives how often the server has computed something for those who look on.
func evaluationsOf(a *asker) (n int64, err error) {
	body, _, err := a.ask(question{path: "/v1/queries"})
	if err != nil {
		return 0, err
	}
	var list struct {
		Queries []struct{ Evaluations int64 }
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return 0, fmt.Errorf("read list of queries: %w", err)
	}
	for _, q := range list.Queries {
		n += q.Evaluations
	}
	return n, nil
}

// subscriber looks on at a map.
type subscriber struct{ done chan error }

// subscribe asks for the live map of a page, and tells of each message until ctx ends. It returns when the first one has come.
func subscribe(ctx context.Context, server *child, d dataDir, page string, tell func(data []byte) error) (*subscriber, error) {
	token, err := d.readToken()
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(map[string]any{"kind": "heatmap", "params": map[string]string{"site": benchSite, "url": page}})
	if err != nil {
		return nil, fmt.Errorf("make question: %w", err)
	}
	var made struct{ ID string }
	if err := liveRequest(ctx, http.MethodPost, server.base+"/v1/queries", token, body, func(r *http.Response) error {
		return json.NewDecoder(r.Body).Decode(&made)
	}); err != nil {
		return nil, err
	}
	s := &subscriber{done: make(chan error, 1)}
	first := make(chan struct{})
	var once sync.Once
	go func() {
		s.done <- liveRequest(ctx, http.MethodGet, server.base+"/v1/queries/"+made.ID+"/stream", token, nil, func(r *http.Response) error {
			return readEvents(r.Body, func(data []byte) error {
				once.Do(func() { close(first) })
				return tell(data)
			})
		})
	}()
	select {
	case <-first:
		return s, nil
	case err := <-s.done:
		return nil, errors.Join(errors.New("a live answer ended before its first message"), err)
	}
}

// end waits until the subscriber has ended; the end of its context is no error.
func (s *subscriber) end() error {
	if err := <-s.done; err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// liveRequest sends a request and reads its answer, which must be a success.
func liveRequest(ctx context.Context, method, address, token string, body []byte, read func(*http.Response) error) error {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body == nil {
		req.Header.Set("Accept", "text/event-stream")
	} else {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return readAPIError(resp)
	}
	return read(resp)
}
