package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// followFlags let an answer stay alive.
type followFlags struct {
	Follow bool          `help:"Keep the answer up to date: one JSON object a line for each message of the server, on a terminal the greatest rows, until Ctrl-C."`
	Start  string        `help:"Where in the log a followed answer begins: beginning, now or an RFC 3339 time." placeholder:"beginning"`
	For    time.Duration `help:"How long to follow; without it until Ctrl-C." placeholder:"DURATION" name:"for"`
}

// windowFlags ask for a window of time that slides.
type windowFlags struct {
	Window string `help:"Count over a window of time that slides, such as 24h." placeholder:"SPAN"`
	Every  string `help:"How often there is a window, such as 2m." placeholder:"SPAN"`
}

func (f *windowFlags) add(query url.Values) {
	set(query, "window", f.Window)
	set(query, "every", f.Every)
}

// Bounds of following.
const (
	followSilence  = 30 * time.Second // without a message a stream is taken for lost: there is one every 5 s
	followRetry    = time.Second      // before a stream is opened again, twice as long each time
	followRetryMax = 15 * time.Second
	maxFollowed    = 256 << 20 // bytes of a message
)

// check refuses flags that go with --follow alone.
func (f *followFlags) check() error {
	if !f.Follow && (f.Start != "" || f.For != 0) {
		return &misuse{errors.New("--start and --for go with --follow alone")}
	}
	if f.For < 0 {
		return &misuse{fmt.Errorf("--for is %v, it must be above 0", f.For)}
	}
	return nil
}

// liveMessage is a message of a stream, as far as following it needs.
type liveMessage struct {
	Event, Token, Reason, Code string
	RetryMs                    *int64 `json:"retry_ms"`
	raw                        []byte
}

// follower asks one question and listens to it, whatever happens to connections.
type follower struct {
	client *client
	body   []byte // of POST /v1/queries
	id     string
	token  string // of the last message
	show   func(m *liveMessage) error
	tell   func(err error) // of an outage
}

// follow shows what becomes of an answer until ctx ends, the time is up or the server ends it.
func (f *followFlags) follow(flags *serverFlags, s *streams, kind string, query url.Values) error {
	cl, err := flags.client()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if f.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.For)
		defer cancel()
	}
	body, err := f.question(kind, query)
	if err != nil {
		return err
	}
	one := &follower{client: cl, body: body, show: newShown(s.out, kind, query), tell: func(err error) { fmt.Fprintf(s.err, "heatlog: %v; trying again\n", err) }}
	if err := one.run(ctx); ctx.Err() == nil {
		return err
	}
	return nil
}

// question is the body that asks it.
func (f *followFlags) question(kind string, query url.Values) ([]byte, error) {
	params := map[string]string{}
	for name := range query {
		params[name] = query.Get(name)
	}
	body := map[string]any{"kind": kind, "params": params}
	if f.Start != "" {
		body["start"] = f.Start
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode question: %w", err)
	}
	return text, nil
}

// run asks and listens, again and again while the server can be expected to come back.
func (f *follower) run(ctx context.Context) error {
	heard, told, retry := false, false, followRetry
	for {
		before := f.token
		wait, err := f.once(ctx)
		if err != nil && (!heard && f.token == "" || !mayPass(err)) {
			return err
		}
		if heard = heard || f.token != ""; f.token != before {
			told, retry = false, followRetry
		}
		if err != nil && !told && ctx.Err() == nil {
			f.tell(err)
			told = true
		}
		if wait == 0 {
			wait = retry/2 + rand.N(retry/2)
			retry = min(2*retry, followRetryMax)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// mayPass reports whether it is worth trying again after an error.
func mayPass(err error) bool {
	var refused *apiError
	if errors.As(err, &refused) {
		return refused.Status >= http.StatusInternalServerError
	}
	var over *goneError
	return !errors.As(err, &over)
}

// goneError says that the server ended the question for good.
type goneError struct{ reason string }

func (e *goneError) Error() string { return "the server ended the answer: " + e.reason }

// once listens to one stream to its end, for which it asks the question if it must. It gives how long the server asks to wait.
func (f *follower) once(ctx context.Context) (wait time.Duration, err error) {
	if f.id == "" {
		if err := f.ask(ctx); err != nil {
			return 0, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(followSilence, cancel)
	defer silence.Stop()
	header := http.Header{"Accept": {"text/event-stream"}}
	if f.token != "" {
		header.Set("Last-Event-ID", f.token)
	}
	resp, err := f.client.do(ctx, http.MethodGet, "/v1/queries/"+f.id+"/stream", nil, header, nil)
	if isStatus(err, http.StatusNotFound, http.StatusBadRequest) { // it ended while nobody listened
		f.id, f.token = "", ""
		return time.Millisecond, f.ask(ctx)
	}
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return f.listen(resp.Body, silence)
}

func isStatus(err error, statuses ...int) bool {
	var refused *apiError
	if !errors.As(err, &refused) {
		return false
	}
	return slices.Contains(statuses, refused.Status)
}

// ask asks the question.
func (f *follower) ask(ctx context.Context) error {
	resp, err := f.client.do(ctx, http.MethodPost, "/v1/queries", nil, http.Header{"Content-Type": {"application/json"}}, bytes.NewReader(f.body))
	if isStatus(err, http.StatusNotFound) && !strings.Contains(err.Error(), "generation") {
		return withHint(err, "the server is too old to keep answers alive; ask without --follow")
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var asked struct{ ID string }
	if err := json.NewDecoder(resp.Body).Decode(&asked); err != nil {
		return fmt.Errorf("read answer of /v1/queries: %w", err)
	}
	f.id = asked.ID
	return nil
}

// listen shows the messages of a stream. One that breaks off is no error.
func (f *follower) listen(stream io.Reader, silence *time.Timer) (wait time.Duration, err error) {
	var last *liveMessage // a goodbye
	var failed error
	_ = readEvents(stream, func(data []byte) error {
		silence.Reset(followSilence)
		m := liveMessage{raw: data}
		if failed = json.Unmarshal(data, &m); failed != nil {
			failed = fmt.Errorf("it sent %.60q: %w", data, failed)
			return failed
		}
		f.token = m.Token
		if failed = f.show(&m); failed == nil && m.Event == "bye" {
			last = &m
			return io.EOF
		}
		return failed
	})
	switch {
	case failed != nil:
		return 0, &goneError{failed.Error()}
	case last != nil:
		return f.bye(last)
	}
	return 0, nil
}

// readEvents gives the data of each server-sent event of a live answer, valid until the next one, until the stream ends or each gives an
// error, which it returns. What was cut off is none.
func readEvents(stream io.Reader, each func(data []byte) error) error {
	lines := bufio.NewScanner(stream)
	lines.Buffer(nil, maxFollowed)
	lines.Split(wholeLines)
	for lines.Scan() {
		if data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: ")); ok {
			if err := each(data); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}

// wholeLines splits a stream into lines as bufio.ScanLines does, but leaves out a last one without its end.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if atEOF && bytes.IndexByte(data, '\n') < 0 {
		return len(data), nil, nil
	}
	return bufio.ScanLines(data, atEOF)
}

// bye says what to do at the end of a stream.
func (f *follower) bye(m *liveMessage) (wait time.Duration, err error) {
	if m.RetryMs == nil {
		return 0, &goneError{m.Reason}
	}
	return max(time.Millisecond, time.Duration(*m.RetryMs)*time.Millisecond), nil
}
