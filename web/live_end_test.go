package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"

	"heatlog/heatmap"
)

// TestLiveReset has the answer begin anew for every reason, once after it could not for a while.
func TestLiveReset(t *testing.T) {
	t.Parallel()
	h, f := startLive(t, quick())
	l := h.listen(h.ask(`{"kind":"heatmap","params":`+heatmapParams+`,"start":"now"}`).ID, "")
	defer l.close()
	l.event("snapshot")
	<-f.asked
	for _, r := range []struct {
		err    error
		reason string
	}{{heatmap.ErrSwitched, "generation"}, {heatmap.ErrNewDay, "day"}, {heatmap.ErrRestart, "restart"}} {
		f.fail(&heatmap.UnavailableError{Message: "the store is away"})
		old := f.last()
		old.hit(0, 0, 1)
		l.event("patch")
		token := l.last.Token
		old.change(func(k *fakeKept) { k.err = r.err })
		if m := l.event("reset"); m.Reason != r.reason {
			t.Errorf("%v is told as %s", r.err, m.raw)
		}
		<-old.closed
		for range 2 {
			<-f.asked
		}
		l.event("progress")
		f.fail(nil)
		if m := l.event("snapshot"); len(m.Points) != 0 {
			t.Errorf("behind the reset there is %s", m.raw)
		}
		if start := f.last().question.Start; start.Now || start.At == 0 {
			t.Errorf("it is asked anew from %+v", start)
		}
		late := h.listen(l.last.ID, token) // one that was away
		if m, _ := late.read(); m.Event != "reset" || m.Reason != r.reason {
			t.Errorf("who comes back is told %s", m.raw)
		}
		late.event("snapshot")
		late.close()
		for len(f.asked) > 0 {
			<-f.asked
		}
	}
	if s := h.server.LiveStats(); s.Resets != 3 || s.Nodes != 1 {
		t.Errorf("the counts are %+v", s)
	}
}

// TestLiveBye has the answer end in every way.
func TestLiveBye(t *testing.T) {
	t.Parallel()
	f := func(code, fragment string, retry bool, end func(h *harness, f *fakeLive, id string)) {
		t.Helper()
		h, live := startLive(t, quick())
		id := h.askMap().ID
		l := h.listen(id, "")
		defer l.close()
		l.event("snapshot")
		end(h, live, id)
		m := l.event("bye")
		if m.Code != code || !strings.Contains(m.Reason, fragment) || (m.RetryMs > 0) != retry {
			t.Errorf("want %s with %q, retry %v: %s", code, fragment, retry, m.raw)
		}
		if m, ok := l.read(); ok || l.lines.Err() != nil {
			t.Errorf("%s: behind the end there is %q, %v", code, m.raw, l.lines.Err())
		}
		await(t, "no node", func() bool { s := h.server.LiveStats(); return s.Nodes == 0 && s.Streams == 0 })
		<-live.last().closed
	}
	fails := func(err error) func(*harness, *fakeLive, string) {
		return func(_ *harness, f *fakeLive, _ string) { f.last().change(func(k *fakeKept) { k.err = err }) }
	}
	f("ended", "was ended", false, func(h *harness, _ *fakeLive, id string) {
		if a := h.do("DELETE", queriesPath+"/"+id, nil); a.StatusCode != 204 {
			t.Errorf("DELETE: %d %s", a.StatusCode, a.body)
		}
	})
	f("too_many", "1000000 rows", true, fails(&heatmap.UnavailableError{Message: "the answer has over 1000000 rows"}))
	f("gone", "there is no generation g2", false, fails(&heatmap.ParamError{Field: "generation", Message: "there is no generation g2"}))
	f("gone", "log has the cause", true, fails(errors.New("blob is torn")))
	f("gone", "pruned", false, func(_ *harness, f *fakeLive, _ string) {
		f.fail(&heatmap.GoneError{Field: "start", Message: "the hits were pruned"})
		f.last().change(func(k *fakeKept) { k.err = heatmap.ErrRestart })
	})
	f("shutdown", "ending", true, func(h *harness, _ *fakeLive, _ string) {
		go h.server.Shutdown(context.Background())
	})
}

// startLiveTCP starts a server with answers that stay alive on a real port: in memory a write does not end when its connection does.
func startLiveTCP(t *testing.T, f *fakeLive, limits LiveLimits) *harness {
	t.Helper()
	o := wholeOptions()
	o.Live, o.LiveLimits = f, limits
	return startTCP(t, o)
}

// dialSocket opens a stream as a WebSocket.
func (h *harness) dialSocket(id, query string, headers ...string) (*websocket.Conn, *http.Response, error) {
	header := http.Header{"Authorization": {"Bearer " + testToken}}
	for i := 0; i < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	d := websocket.Dialer{NetDial: func(string, string) (net.Conn, error) { return h.dial() }}
	return d.Dial("ws://heatlog"+queriesPath+"/"+id+"/stream"+query, header)
}

func TestLiveWebSocket(t *testing.T) {
	t.Parallel()
	f := newFakeLive()
	h := startLiveTCP(t, f, quick())
	id := h.askMap().ID
	ws, _, err := h.dialSocket(id, "")
	if err != nil {
		t.Fatal(err)
	}
	l := &follower{t: t, cells: map[[2]int]uint64{}}
	next := func(event string) told {
		t.Helper()
		for {
			ws.SetReadDeadline(time.Now().Add(patience))
			kind, text, err := ws.ReadMessage()
			if err != nil || kind != websocket.TextMessage {
				t.Fatalf("message of type %d, %v", kind, err)
			}
			if m := l.parse(string(text)); m.Event == event {
				return m
			}
		}
	}
	next("snapshot")
	f.last().hit(8, 8, 2)
	token := next("patch").Token
	l.equals(f.last().at(1))
	if err := ws.WriteMessage(websocket.TextMessage, []byte("it means nothing")); err != nil {
		t.Error(err)
	}
	next("progress")
	ws.Close()
	await(t, "no stream", func() bool { return h.server.LiveStats().Streams == 0 })

	f.last().hit(8, 8, 1)
	if ws, _, err = h.dialSocket(id, "?after="+token); err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	next("patch")
	l.equals(f.last().at(2))
	if err := ws.WriteMessage(websocket.TextMessage, make([]byte, maxClientText+1)); err != nil {
		t.Error(err)
	}
	await(t, "the end of who says too much", func() bool { return h.server.LiveStats().Streams == 0 })

	if ws, _, err = h.dialSocket(id, ""); err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	next("snapshot")
	go h.server.Shutdown(context.Background())
	if m := next("bye"); m.Code != "shutdown" || m.RetryMs == 0 {
		t.Errorf("bye is %s", m.raw)
	}
	if _, _, err := ws.ReadMessage(); !websocket.IsCloseError(err, websocket.CloseGoingAway) {
		t.Errorf("it is closed with %v", err)
	}
}

// TestLiveSocketOrigin lets pages of the server itself open a WebSocket, and what is no page.
func TestLiveSocketOrigin(t *testing.T) {
	t.Parallel()
	h, _ := startLive(t, quick())
	id := h.askMap().ID
	cookie := "hls=" + h.server.sessions.create("")
	f := func(want int, headers ...string) {
		t.Helper()
		ws, resp, err := h.dialSocket(id, "", headers...)
		if resp == nil {
			t.Fatal(err)
		}
		if resp.StatusCode != want {
			t.Errorf("%q: status %d, want %d", headers, resp.StatusCode, want)
		}
		if err == nil {
			ws.Close()
		}
	}
	f(101)
	f(101, "Origin", "http://heatlog")
	f(403, "Origin", "https://evil.example")
	f(101, "Authorization", "", "Cookie", cookie, "Origin", "http://heatlog")
	f(403, "Authorization", "", "Cookie", cookie, "Origin", "https://shop.example")
	f(403, "Authorization", "", "Cookie", cookie)
	f(401, "Authorization", "", "Origin", "http://heatlog")
	token, _ := h.server.overlays.seal("shop", h.server.o.Now())
	f(101, "Authorization", "Bearer "+token, "Origin", "https://shop.example")
	f(403, "Authorization", "Bearer "+token, "Origin", "https://evil.example")
}

func TestLiveTokens(t *testing.T) {
	t.Parallel()
	h, f := startLive(t, quick())
	id := h.askMap().ID
	other := h.ask(`{"kind":"pages","params":{"site":"shop"}}`).ID
	k := f.kept[0]
	k.hit(0, 0, 1)
	l := h.listen(id, "")
	token := l.event("snapshot").Token
	l.close()
	refused := func(id, after string, headers ...string) {
		t.Helper()
		target := queriesPath + "/" + id + "/stream"
		if after != "" {
			target += "?after=" + after
		}
		h.refused(h.get(target, append(headers, "Accept", "text/event-stream")...), 400, "bad_param", "after", "no token of this question")
	}
	refused(other, token)
	refused(id, token[:len(token)-2]+"AA")
	refused(id, "hlq_x")
	refused(id, strings.Replace(token, "hlq_", "hlo_", 1))
	overlay, _ := h.server.overlays.seal("shop", h.server.o.Now())
	refused(id, overlay)
	refused(id, "", "Last-Event-ID", "1")
	h.refused(h.get(queriesPath+"/"+id+"/stream?after="), 400, "bad_param", "after", "empty")
	h.refused(h.get(queriesPath+"/"+id+"/stream?since="+token), 400, "bad_param", "since")
	h.refused(h.get(queriesPath+"/"+id+"/stream"), 406, "not_acceptable", "", "text/event-stream")

	l = h.listen(id, "", "Last-Event-ID", token)
	k.hit(0, 0, 1)
	if m, _ := l.read(); m.Event != "patch" && m.Event != "progress" {
		t.Errorf("who comes back with a header is told %s", m.raw)
	}
	l.close()
	h.do("DELETE", queriesPath+"/"+id, nil)
	if again := h.askMap().ID; again != id {
		t.Errorf("the ID is %s, was %s", again, id)
	}
	l = h.listen(id, token) // of a node that is gone
	defer l.close()
	if m, _ := l.read(); m.Event != "snapshot" && m.Event != "progress" {
		t.Errorf("with a token of another time it is told %s", m.raw)
	}
}

// TestLiveTokenTells cuts a stream at its reset, and lets another one end before it took what changed: the token and the positions of the
// last message are those of what was told by then, whatever the answer is meanwhile, and whoever comes back lacks nothing.
func TestLiveTokenTells(t *testing.T) {
	t.Parallel()
	h, f := startLive(t, quick())
	id := h.askMap().ID
	looker := h.listen(id, "")
	defer looker.close()
	looker.event("snapshot")
	token := looker.last.Token
	f.last().change(func(k *fakeKept) { k.err = heatmap.ErrSwitched })
	looker.event("snapshot")
	k := f.last()
	k.hit(8, 8, 3)
	looker.event("patch")
	late := h.listen(id, token)
	m := late.event("reset")
	late.close()
	if len(m.Positions) != 0 {
		t.Errorf("a reset holds %s", m.raw)
	}
	late = h.listen(id, m.Token)
	defer late.close()
	if m, _ := late.read(); m.Event != "snapshot" {
		t.Errorf("behind its reset it is told %s", m.raw)
	}
	late.equals(k.at(1))

	h.server.live.mu.Lock()
	n := h.server.live.byID[id]
	h.server.live.mu.Unlock()
	secret := h.server.sessions.create("")
	slow, err := h.server.live.listen(n, caller{session: secret}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer h.server.live.leave(slow)
	is := func(m *liveMessage, event string) (is told) {
		if err := json.Unmarshal(m.text, &is); err != nil || is.Event != event {
			t.Errorf("want %s, it is told %s, %v", event, m.text, err)
		}
		return is
	}
	was := is(slow.next(), "snapshot")
	k.hit(16, 8, 1)
	looker.event("patch")
	if err := h.server.sessions.revoke(secret); err != nil {
		t.Fatal(err)
	}
	n.beat()
	bye := is(slow.next(), "bye")
	if bye.Positions["ja"] != was.Positions["ja"] {
		t.Errorf("bye of who was told up to %v is at %v", was.Positions, bye.Positions)
	}
	back := h.listen(id, bye.Token)
	defer back.close()
	m, _ = back.read()
	if m.Event != "patch" || len(m.Points) != 1 {
		t.Errorf("who comes back is told %s", m.raw)
	}
	still, err := h.server.live.listen(n, caller{}, m.Version, nil) // nothing is new to it when the question ends
	if err != nil {
		t.Fatal(err)
	}
	defer h.server.live.leave(still)
	n.end(goodbye{code: byeEnded})
	if bye := is(still.next(), "bye"); bye.Positions["ja"] != m.Positions["ja"] {
		t.Errorf("bye of who came back at %v is at %v", m.Positions, bye.Positions)
	}
}

// TestLivePositions lets the log grow by what changes nothing in the answer: its positions follow.
func TestLivePositions(t *testing.T) {
	t.Parallel()
	h, f := startLive(t, quick())
	l := h.listen(h.askMap().ID, "")
	defer l.close()
	l.event("snapshot")
	k := f.last()
	k.mu.Lock()
	k.ahead = 50 // nobody is told of it
	k.mu.Unlock()
	l.until("positions of 50", func(m told) bool { return m.Event == "progress" && m.Positions["ja"] == 50 })
}

// TestLiveRights ends streams whose callers may not read any more.
func TestLiveRights(t *testing.T) {
	t.Parallel()
	h, _ := startLive(t, quick())
	id := h.askMap().ID
	secret := h.server.sessions.create("")
	l := h.listen(id, "", "Authorization", "", "Cookie", "hls="+secret)
	defer l.close()
	l.event("snapshot")
	l.event("progress")
	if err := h.server.sessions.revoke(secret); err != nil {
		t.Fatal(err)
	}
	if m := l.event("bye"); m.Code != "expired" || m.RetryMs != 0 {
		t.Errorf("bye is %s", m.raw)
	}
	token, _ := h.server.overlays.seal("shop", h.server.o.Now().Add(-overlayLife+2*time.Second)) // the clock moves by 1.5 ms whenever it is read
	l = h.listen(id, "", "Authorization", "Bearer "+token)
	defer l.close()
	l.event("snapshot")
	for range 2000 {
		h.server.o.Now()
	}
	if m := l.event("bye"); m.Code != "expired" {
		t.Errorf("bye is %s", m.raw)
	}
}

// TestLiveLimits goes to every limit. What is beyond is refused with a reason, and everything else goes on.
func TestLiveLimits(t *testing.T) {
	t.Parallel()
	limits := quick()
	limits.Nodes, limits.Streams, limits.CallerStreams = 2, 4, 2
	h, f := startLive(t, limits)
	refused := func(a answer, fragment string) {
		t.Helper()
		h.refused(a, 503, "unavailable", "", fragment)
		if a.Header.Get("Retry-After") == "" {
			t.Errorf("%s has no Retry-After", a.body)
		}
	}
	post := func(page string) answer {
		return h.do("POST", queriesPath, strings.NewReader(`{"kind":"scroll","params":{"site":"shop","url":"`+page+`"}}`))
	}
	unheard := h.askMap().ID
	heard := h.ask(`{"kind":"heatmap","params":{"site":"shop","url":"https://shop.example/heard"}}`).ID
	l := h.listen(heard, "")
	defer l.close()
	l.event("snapshot")
	third := h.ask(`{"kind":"heatmap","params":{"site":"shop","url":"https://shop.example/third"}}`).ID
	h.refused(h.get(queriesPath+"/"+unheard), 404, "not_found", "id") // it made room
	second := h.listen(third, "")
	defer second.close()
	second.event("snapshot")
	refused(post("/4"), "site shop has 2 questions alive")
	if other := h.ask(`{"kind":"pages","params":{"site":"blog"}}`); !other.Created {
		t.Errorf("another site has %+v", other)
	}

	stream := func(headers ...string) answer {
		return h.get(queriesPath+"/"+heard+"/stream", append(headers, "Accept", "text/event-stream")...)
	}
	token, _ := h.server.overlays.seal("shop", h.server.o.Now())
	overlay := []string{"Authorization", "Bearer " + token}
	for range 2 {
		l := h.listen(heard, "", overlay...)
		defer l.close()
		l.event("snapshot")
	}
	if s := h.server.LiveStats(); s.Streams != 4 {
		t.Errorf("there are %d streams, want 4", s.Streams)
	}
	refused(stream(), "there are 4 streams")
	second.close()
	await(t, "a free place", func() bool { return h.server.LiveStats().Streams == 3 })
	refused(stream(overlay...), "this token or session has 2 streams")
	if _, resp, err := h.dialSocket(heard, "", overlay...); err == nil || resp == nil || resp.StatusCode != 503 {
		t.Errorf("a WebSocket beyond the limit: %v", err)
	}
	if a := h.get("/v1/pages?site=shop"); a.StatusCode != 200 {
		t.Errorf("another request is answered %d", a.StatusCode)
	}
	if s := h.server.LiveStats(); s.Refused != 4 {
		t.Errorf("%d were refused, want 4", s.Refused)
	}
	f.fail(&heatmap.UnavailableError{Message: "256 questions are kept, which is the limit"})
	h.do("DELETE", queriesPath+"/"+third, nil)
	refused(post("/5"), "256 questions are kept")
	f.fail(&heatmap.ParamError{Field: "where", Message: "unknown name"})
	h.refused(post("/6"), 400, "bad_param", "where", "unknown name")
}

// TestLiveStalled has clients that take nothing: others go on, a stalled one costs next to nothing, and is cut off in the end.
func TestLiveStalled(t *testing.T) {
	t.Parallel()
	f := newFakeLive()
	f.first = func(k *fakeKept) {
		for i := range 200_000 { // more than the system keeps for a connection
			k.add(heatmap.Point{X: 8 * (i % 500), Y: 8 * (i / 500), Weight: 1_000_000_007})
		}
	}
	h := startLiveTCP(t, f, LiveLimits{Tick: time.Millisecond, Beat: 20 * time.Millisecond, WriteLimit: time.Second})
	id := h.askMap().ID
	target := "GET " + queriesPath + "/" + id + "/stream HTTP/1.1\r\nHost: heatlog\r\nAuthorization: Bearer " + testToken + "\r\n"
	const each = 3
	for i := range 2 * each {
		c, err := h.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.(*net.TCPConn).SetReadBuffer(4096)
		how := "Accept: text/event-stream\r\n\r\n"
		if i%2 == 1 {
			how = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
		}
		if _, err := io.WriteString(c, target+how); err != nil {
			t.Fatal(err)
		}
	}
	l := h.listen(id, "")
	defer l.close()
	l.event("snapshot")
	for i := range 20 {
		f.last().hit(0, 0, uint64(i+1))
		l.event("patch")
	}
	await(t, "the end of those who take nothing", func() bool { return h.server.LiveStats().CutOff == 2*each })
	if s := h.server.LiveStats(); s.Streams != 1 {
		t.Errorf("there are %d streams, want 1", s.Streams)
	}
	l.equals(f.last().at(200_020))
}
