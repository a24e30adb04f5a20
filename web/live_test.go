package web

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"heatlog/heatmap"
)

func TestLiveStream(t *testing.T) {
	t.Parallel()
	h, f := startLive(t, quick())
	f.first = func(k *fakeKept) { k.add(heatmap.Point{X: 8, Y: 16, Weight: 3}) }
	q := h.askMap()
	if q.Kind != "heatmap" || !q.Created || q.Start != "beginning" || q.URL != "http://heatlog/v1/queries/"+q.ID || q.Stream != "ws://heatlog/v1/queries/"+q.ID+"/stream" {
		t.Errorf("the question is %+v", q)
	}
	if again := h.askMap(); again.ID != q.ID || again.Created {
		t.Errorf("asked again it is %+v", again)
	}
	l := h.listen(q.ID, "", "Accept-Encoding", "gzip")
	defer l.close()
	for name, want := range map[string]string{"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Content-Encoding": ""} {
		if got := l.resp.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	m := l.event("snapshot")
	if m.ID != q.ID || m.Generation != "g1" || m.Positions["ja"] != 1 || !m.Complete || m.Hits != 3 || m.Max != 3 || m.Cells != 1 || m.Version != 1 {
		t.Errorf("the snapshot is %s", m.raw)
	}
	for _, name := range []string{"lag_hits", "site", "url", "kind", "from", "to", "cell", "visitors", "visitors_scope", "views", "thinned", "error", "noise_hits", "took_ms"} {
		if m.all[name] == nil {
			t.Errorf("the snapshot lacks %s: %s", name, m.raw)
		}
	}
	k := f.last()
	k.hit(0, 0, 5)
	m = l.event("patch")
	if len(m.Points) != 1 || m.Points[0] != [3]uint64{0, 0, 5} || m.Max != 5 || m.Cells != 2 || m.Hits != 8 || m.Version != 2 {
		t.Errorf("the patch is %s", m.raw)
	}
	k.hit(0, 0, 0)
	m = l.event("patch")
	if len(m.Points) != 1 || m.Points[0] != [3]uint64{0, 0, 0} || m.Max != 3 || m.Cells != 1 {
		t.Errorf("the patch of a cell that went is %s", m.raw)
	}
	if m := l.event("progress"); !m.Complete || m.History != nil || m.all["version"] != nil {
		t.Errorf("the sign of life is %s", m.raw)
	}
	l.equals(k.at(3))
}

// TestLiveHistory has an answer that converges.
func TestLiveHistory(t *testing.T) {
	t.Parallel()
	h, f := startLive(t, quick())
	f.first = func(k *fakeKept) {
		k.complete = false
		k.history.Hits, k.history.Of, k.history.HitsPerSecond, k.history.ETASeconds = 250, 1000, 500, 1.5
	}
	l := h.listen(h.askMap().ID, "")
	defer l.close()
	if m := l.event("snapshot"); m.Complete {
		t.Errorf("the snapshot is %s", m.raw)
	}
	m := l.event("progress")
	if m.Complete || m.History == nil || m.History.Share != 0.25 || m.History.Done != 250 || m.History.Total != 1000 || m.History.EtaMs != 1500 {
		t.Errorf("progress is %s", m.raw)
	}
	f.last().change(func(k *fakeKept) { k.complete = true })
	if m := l.event("patch"); !m.Complete || len(m.Points) != 0 {
		t.Errorf("the end of history is %s", m.raw)
	}
}

// TestLiveCuts cuts a client off 1,000 times while hits come. Behind each cut its picture is that of the hits below the positions.
func TestLiveCuts(t *testing.T) {
	t.Parallel()
	h, f := startLive(t, LiveLimits{Tick: time.Microsecond, Beat: 5 * time.Millisecond, CallerStreams: 1})
	id := h.askMap().ID
	random := rand.New(rand.NewPCG(7, 7))
	k := f.last()
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		hits := rand.New(rand.NewPCG(8, 8))
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			weight := uint64(1 + hits.IntN(3))
			if hits.IntN(20) == 0 {
				weight = 0
			}
			k.hit(8*hits.IntN(12), 8*hits.IntN(12), weight)
			if hits.IntN(500) == 0 {
				k.change(func(k *fakeKept) { k.whole = true })
			}
			time.Sleep(20 * time.Microsecond)
		}
	})
	l := h.listen(id, "")
	snapshots, patches := 0, 0
	for range 1000 {
		for range 1 + random.IntN(3) {
			switch m, ok := l.read(); {
			case !ok:
				t.Fatalf("the stream ended: %s", l.last.raw)
			case m.Event == "snapshot":
				snapshots++
			case m.Event == "patch":
				patches++
			}
		}
		l.equals(k.at(l.last.Positions["ja"]))
		l.close()
		next := h.listen(id, l.last.Token)
		next.cells, next.last = l.cells, l.last
		l = next
	}
	l.close()
	close(stop)
	wg.Wait()
	if snapshots != 1 || patches < 500 {
		t.Errorf("%d snapshots and %d patches were sent, want 1 and many", snapshots, patches)
	}
}

// TestLiveShared has many who listen to one question: what changes is asked for once, and encoded once for all who stand alike.
func TestLiveShared(t *testing.T) {
	t.Parallel()
	const many, changes = 40, 20
	h, f := startLive(t, LiveLimits{Tick: time.Millisecond, Beat: time.Hour})
	id := h.askMap().ID
	listeners := make([]*follower, many)
	for i := range listeners {
		listeners[i] = h.listen(id, "")
		defer listeners[i].close()
		listeners[i].event("snapshot")
	}
	k := f.last()
	for i := range changes {
		k.hit(8*i, 0, 1)
		for _, l := range listeners {
			l.event("patch")
			l.equals(k.at(i + 1))
		}
	}
	s := h.server.LiveStats()
	if s.Nodes != 1 || s.Streams != many || s.Evaluations != changes+1 || s.Encodings != changes+1 || s.Messages != many*(changes+1) {
		t.Errorf("of %d listeners and %d changes the counts are %+v", many, changes, s)
	}
}

// TestLiveConflation has a client that does not read for a while: it gets one larger patch.
func TestLiveConflation(t *testing.T) {
	t.Parallel()
	h, f := startLive(t, LiveLimits{Tick: time.Millisecond, Beat: time.Hour})
	id := h.askMap().ID
	quickOne := h.listen(id, "")
	defer quickOne.close()
	slow := h.listen(id, "")
	quickOne.event("snapshot")
	token := slow.event("snapshot").Token
	slow.close()
	k := f.last()
	for i := range 50 {
		k.hit(8*(i%5), 0, 1)
		quickOne.event("patch")
	}
	slow = h.listen(id, token)
	defer slow.close()
	if m := slow.event("patch"); len(m.Points) != 5 || m.Version != quickOne.last.Version {
		t.Errorf("the patch after 50 changes of 5 cells is %s", m.raw)
	}
	slow.equals(k.at(50))
}

// TestLiveQuiet has nobody listen: nothing is asked for, and the question ends.
func TestLiveQuiet(t *testing.T) {
	t.Parallel()
	h, f := startLive(t, LiveLimits{Tick: time.Millisecond, Beat: time.Millisecond, Linger: 30 * time.Millisecond})
	id := h.askMap().ID
	k := f.last()
	for range 10 {
		k.hit(0, 0, 1)
	}
	<-k.closed
	if k.updates != 0 {
		t.Errorf("%d updates were asked for while nobody listened", k.updates)
	}
	await(t, "no node", func() bool { return h.server.LiveStats().Nodes == 0 })
	h.refused(h.get(queriesPath+"/"+id), 404, "not_found", "id", "POST it")
	h.refused(h.get(queriesPath+"/"+id+"/stream", "Accept", "text/event-stream"), 404, "not_found", "id", "POST it")
	if again := h.askMap(); again.ID != id || !again.Created {
		t.Errorf("asked again it is %+v, was %s", again, id)
	}
}

func TestLiveList(t *testing.T) {
	t.Parallel()
	h, f := startLive(t, LiveLimits{Tick: time.Millisecond, Beat: time.Hour})
	q := h.askMap()
	l := h.listen(q.ID, "")
	defer l.close()
	l.event("snapshot")
	f.last().hit(0, 0, 2)
	l.event("patch")
	var list struct {
		Queries []map[string]json.RawMessage
	}
	a := h.get(queriesPath)
	if err := json.Unmarshal([]byte(a.body), &list); err != nil || len(list.Queries) != 1 {
		t.Fatalf("%s: %v", a.body, err)
	}
	for name, want := range map[string]string{"id": `"` + q.ID + `"`, "kind": `"heatmap"`, "start": `"beginning"`, "subscribers": "1", "rows": "1",
		"version": "2", "complete": "true", "evaluations": "2", "generation": `"g1"`, "positions": `{"ja":1}`} {
		if got := string(list.Queries[0][name]); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	one := h.get(queriesPath + "/" + q.ID)
	if one.StatusCode != 200 || !strings.Contains(one.body, `"kind":"click"`) {
		t.Errorf("one is %d %s", one.StatusCode, one.body)
	}
}

func TestLiveLimitDefaults(t *testing.T) {
	t.Parallel()
	want := LiveLimits{
		Nodes: 64, Streams: 4096, CallerStreams: 64, Tick: 200 * time.Millisecond, Beat: 5 * time.Second, Linger: 30 * time.Second, WriteLimit: 10 * time.Second,
	}
	if got := (LiveLimits{}).withDefaults(); got != want {
		t.Errorf("defaults are %+v, want %+v", got, want)
	}
	if got := want.withDefaults(); got != want {
		t.Errorf("what is set becomes %+v", got)
	}
	before := time.Now()
	by := newLive(nil, LiveLimits{}).deadline(2 << 20)
	if by.Before(before.Add(30*time.Second)) || by.After(time.Now().Add(30*time.Second)) {
		t.Errorf("2 MiB may take until %v after %v", by, before)
	}
}

// TestLivePause checks how long it is between two evaluations by what one costs.
func TestLivePause(t *testing.T) {
	t.Parallel()
	f := func(tick, spent, want time.Duration) {
		t.Helper()
		q := &liveQuestion{question: heatmap.Question{Ask: heatmap.AskHeatmap}}
		n := newNode(newLive(nil, LiveLimits{Tick: tick}), "", q)
		n.spent = spent
		if _, _, pause := n.heard(); pause != want {
			t.Errorf("with a tick of %v and %v spent it is %v, want %v", tick, spent, pause, want)
		}
	}
	f(0, 0, 200*time.Millisecond)
	f(0, 20*time.Millisecond, 200*time.Millisecond)
	f(0, 50*time.Millisecond, 500*time.Millisecond)
	f(0, time.Second, time.Second)
	f(2*time.Second, time.Second, 2*time.Second)
}

// TestLivePanic has an answer panic when it begins, and when it is asked.
func TestLivePanic(t *testing.T) {
	t.Parallel()
	h, f := startLive(t, quick())
	f.first = func(*fakeKept) { panic("torn") }
	h.refused(h.do("POST", queriesPath, strings.NewReader(`{"kind":"heatmap","params":`+heatmapParams+`}`)), 500, "internal", "")
	f.first = nil
	f.fixed = func(heatmap.Question) *heatmap.Update { panic("torn") }
	l := h.listen(h.askMap().ID, "")
	defer l.close()
	if m := l.event("bye"); m.Code != "gone" || !strings.Contains(m.Reason, "log has the cause") {
		t.Errorf("bye is %s", m.raw)
	}
}
