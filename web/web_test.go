package web

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttputil"

	"heatlog/heatmap"
)

const testToken = "t0ken"

// fakeReader gives fixed answers and keeps the last query.
type fakeReader struct {
	heatmap      *heatmap.Heatmap
	scroll       *heatmap.Scroll
	elements     *heatmap.ElementList
	pages        *heatmap.PageList
	trend        *heatmap.Trend
	timeline     *heatmap.Timeline
	err          error
	minusWhy     *heatmap.Why    // of a difference whose minus side is empty
	minusSampled heatmap.Sampled // of a difference
	block        bool            // wait for the end of the context
	panics       any

	mu    sync.Mutex
	last  heatmap.Query
	minus heatmap.Query // of the last difference
	asks  chan struct{} // has room for one: a query came
}

func (f *fakeReader) asked(ctx context.Context, q heatmap.Query) error {
	f.mu.Lock()
	f.last = q
	f.mu.Unlock()
	select {
	case f.asks <- struct{}{}:
	default:
	}
	if f.panics != nil {
		panic(f.panics)
	}
	if f.block {
		<-ctx.Done()
		return ctx.Err()
	}
	return f.err
}

// awaitQuery waits for the next query, or takes one that came.
func (f *fakeReader) awaitQuery() { <-f.asks }

func (f *fakeReader) query() heatmap.Query {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

func (f *fakeReader) Heatmap(ctx context.Context, q heatmap.Query) (*heatmap.Heatmap, error) {
	return f.heatmap, f.asked(ctx, q)
}

// sample makes all answers say that some of their hits are sampled.
func (f *fakeReader) sample(s heatmap.Sampled) {
	f.heatmap.Sampled, f.scroll.Sampled, f.elements.Sampled, f.trend.Sampled, f.pages.Sampled = s, s, s, s, s
	f.pages.Pages[0].Sampled, f.minusSampled = s, s
}

// Difference gives the fixed map, less a fixed one.
func (f *fakeReader) Difference(ctx context.Context, q, minus heatmap.Query) (*heatmap.Difference, error) {
	f.mu.Lock()
	f.minus = minus
	f.mu.Unlock()
	shown := *f.heatmap
	shown.Points = nil
	other := &heatmap.Heatmap{Prefix: prefix(), Page: "https://shop.example/:id", Hits: 4, Visitors: 2, Views: 4, Cell: 16, Why: f.minusWhy, Sampled: f.minusSampled}
	other.Generation, other.KeptFrom = "g2", map[string]uint64{"ja": 5}
	if other.Why != nil {
		other.Hits = 0
	}
	points := heatmap.Subtract(f.heatmap.Points, shown.Hits, []heatmap.Point{{X: 0, Y: 0, Weight: 4}}, other.Hits)
	return &heatmap.Difference{Shown: &shown, Minus: other, Cell: 16, Points: points}, f.asked(ctx, q)
}

func (f *fakeReader) Scroll(ctx context.Context, q heatmap.Query) (*heatmap.Scroll, error) {
	return f.scroll, f.asked(ctx, q)
}

func (f *fakeReader) Elements(ctx context.Context, q heatmap.Query) (*heatmap.ElementList, error) {
	return f.elements, f.asked(ctx, q)
}

func (f *fakeReader) Pages(ctx context.Context, q heatmap.Query) (*heatmap.PageList, error) {
	return f.pages, f.asked(ctx, q)
}

func (f *fakeReader) Trend(ctx context.Context, q heatmap.Query) (*heatmap.Trend, error) {
	return f.trend, f.asked(ctx, q)
}

// Timeline gives the fixed one.
func (f *fakeReader) Timeline(ctx context.Context, q heatmap.Query) (*heatmap.Timeline, error) {
	return f.timeline, f.asked(ctx, q)
}

func day(s string) heatmap.Date {
	d, err := heatmap.ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

func prefix() heatmap.Prefix {
	return heatmap.Prefix{Generation: "g1", Positions: map[string]uint64{"jb": 7, "ja": 181200}, Lag: 3}
}

func newFakeReader() *fakeReader {
	return &fakeReader{
		asks: make(chan struct{}, 1),
		heatmap: &heatmap.Heatmap{
			Prefix: prefix(), Page: "https://shop.example/p/1", Hits: 12, Visitors: 5, Views: 9, Cell: 8,
			Points: []heatmap.Point{{X: 512, Y: 1480, Weight: 9}, {X: 0, Y: 0, Weight: 3}},
			From:   day("2026-01-01"), To: day("2026-01-31"), Dated: true,
		},
		scroll: &heatmap.Scroll{
			Prefix: prefix(), Page: "https://shop.example/p/1", Views: 3, Reach: []float64{1, 2. / 3}, Attention: []float64{1200, 0.5},
			FoldAverage: 720.5, FoldP50: 720, Visitors: 2, From: day("2026-01-01"), To: day("2026-01-31"), Dated: true,
		},
		elements: &heatmap.ElementList{
			Prefix: prefix(), Page: "https://shop.example/p/1", Hits: 12, Visitors: 5, Views: 9, Cell: 8, InnerSize: 4, OtherElements: 1, OtherHits: 2, Unnamed: 1, Rest: 1,
			RestPoints: []heatmap.Point{{X: 512, Y: 1480, Weight: 1}},
			Elements: []heatmap.ElementCount{
				{
					ElementName: heatmap.ElementName{Selector: "main>a.buy", Check: 4711, HasCheck: true, Fixed: true}, Hits: 7, Rage: 3, Dead: 1,
					Cells: []heatmap.InnerCount{{Cell: heatmap.InnerCellOf(40, 8, 0, 0), Hits: 7}},
				},
				{ElementName: heatmap.ElementName{Selector: "#<b>"}, Hits: 2, Cells: []heatmap.InnerCount{{Cell: heatmap.InnerCellOf(4, 4, 0, 0), Hits: 2}}},
			},
			From: day("2026-01-01"), To: day("2026-01-31"), Dated: true,
		},
		pages: &heatmap.PageList{
			Prefix: prefix(), Total: 120, Hits: 21,
			Pages: []heatmap.PageCount{{Page: "https://shop.example/", Hits: 21, Views: 6, Clicks: 7, Scrolls: 5, Move: 3, Rage: 2, Dead: 1}},
		},
		timeline: &heatmap.Timeline{
			Prefix: prefix(), Page: "https://shop.example/p/1", Zone: time.FixedZone("Asia/Kolkata", 19_800), Start: 1_767_205_800_000, Step: 600_000, Steps: 144, Cell: 8, Hits: 4,
			Frames: []heatmap.Frame{{Step: 51, Points: []heatmap.Point{{X: 512, Y: 1480, Weight: 3}}}, {Step: 52, Points: []heatmap.Point{{X: 0, Y: 8, Weight: 1}}}},
			From:   day("2026-01-01"), To: day("2026-01-01"),
		},
		trend: &heatmap.Trend{
			Prefix: prefix(), Page: "**", Zone: time.FixedZone("Asia/Kolkata", 19_800), Hits: 5, Views: 2, Visitors: 2,
			Buckets: []heatmap.TrendBucket{
				{Start: 1_767_205_800_000, Views: 2, Clicks: 1, Scrolls: 1, Moves: 1, Rage: 3, Dead: 1, Visitors: 2}, {Start: 1_767_292_200_000},
			},
			From: day("2026-01-01"), To: day("2026-01-02"), Dated: true,
		},
	}
}

// testClock moves on by 1.5 ms each time that it is read.
func testClock() func() time.Time {
	var mu sync.Mutex
	now := time.UnixMilli(1_767_225_600_000)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(1500 * time.Microsecond)
		return now
	}
}

// harness is a server and a client of it.
type harness struct {
	t      testing.TB
	server *Server
	client *http.Client
	dial   func() (net.Conn, error)
}

// start serves on a listener in memory.
func start(t testing.TB, o Options) *harness {
	t.Helper()
	l := fasthttputil.NewInmemoryListener()
	return startOn(t, o, l, l.Dial)
}

// startTCP serves on a port, for clients that get an answer while they still send: it takes a connection of which one half closes.
func startTCP(t testing.TB, o Options) *harness {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return startOn(t, o, l, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) })
}

func startOn(t testing.TB, o Options, l net.Listener, dial func() (net.Conn, error)) *harness {
	t.Helper()
	if o.Token == "" {
		o.Token = testToken
	}
	if o.Now == nil {
		o.Now = testClock()
	}
	if r, ok := o.Reader.(*fakeReader); ok {
		o.Difference = r.Difference
	}
	h := &harness{t: t, server: New(o), dial: dial}
	h.client = &http.Client{Transport: &http.Transport{
		DialContext:        func(context.Context, string, string) (net.Conn, error) { return dial() },
		DisableCompression: true,
	}}
	served := make(chan error, 1)
	go func() { served <- h.server.Serve(l) }()
	t.Cleanup(func() {
		h.client.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		h.server.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return h
}

// answer is a response that was read to its end.
type answer struct {
	*http.Response
	body string
}

// do sends a request with the token unless a header "Authorization" is given; headers are pairs, an empty value removes.
func (h *harness) do(method, target string, body io.Reader, headers ...string) answer {
	h.t.Helper()
	req, err := http.NewRequest(method, "http://heatlog"+target, body)
	if err != nil {
		h.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testToken)
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := h.client.Do(req)
	if err != nil {
		h.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatalf("%s %s: read body: %v", method, target, err)
	}
	return answer{resp, string(b)}
}

func (h *harness) get(target string, headers ...string) answer {
	h.t.Helper()
	return h.do("GET", target, nil, headers...)
}

// refused checks that an answer is an error of that status, code and field whose message has all fragments.
func (h *harness) refused(a answer, status int, code, field string, fragments ...string) {
	h.t.Helper()
	var e struct {
		Error struct{ Code, Message, Field string }
	}
	d := json.NewDecoder(strings.NewReader(a.body))
	d.DisallowUnknownFields()
	if err := d.Decode(&e); err != nil {
		h.t.Errorf("body %q is not an error: %v", a.body, err)
		return
	}
	if a.StatusCode != status || e.Error.Code != code || e.Error.Field != field {
		h.t.Errorf("status %d, code %q, field %q, want %d, %q, %q (%s)", a.StatusCode, e.Error.Code, e.Error.Field, status, code, field, a.body)
	}
	for _, f := range fragments {
		if !strings.Contains(e.Error.Message, f) {
			h.t.Errorf("message %q lacks %q", e.Error.Message, f)
		}
	}
	if got := a.Header.Get("Content-Type"); got != "application/json; charset=utf-8" {
		h.t.Errorf("content type of an error is %q", got)
	}
}

// logBuffer is a logger's output that may be read while it is written.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func text(body string) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString(body) }
}

func wholeOptions() Options {
	reader := newFakeReader()
	return Options{
		Reader: reader, Timeline: reader.Timeline,
		Sites:  newFakeSites(),
		Export: func(context.Context, heatmap.Query, map[string]uint64, func(*heatmap.Hit) error) error { return nil },
		AppendLine: func(dst []byte, h *heatmap.Hit) []byte {
			return append(append(dst, h.ID...), '\n')
		},
		Bots:    func() []string { return []string{"Googlebot", "<bot>"} },
		Schema:  `{"type":"object"}`,
		Import:  text("import"),
		In:      text("in"),
		Metrics: text("metrics"),
	}
}
