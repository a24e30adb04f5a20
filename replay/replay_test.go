package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/journal/journaltest"
)

const excludeSome = `exclude: ['x < 600']`

// TestIdentity replays with the same rules while hits arrive and everything is killed again and again: each blob and every
// count of the new generation is equal to the old one's, and so the comparison of both says. The long form has 100 million hits.
func TestIdentity(t *testing.T) {
	const rounds = 30
	h := newHouse(t)
	before, perRound, atATime, step := 2000, 40, 1, uint64(0)
	if journaltest.Torture() {
		before, perRound, atATime = journaltest.Times(0, 16_000_000), journaltest.Times(0, 220_000), 100 // batches of 4.5 hits in the mean
		step = uint64(journaltest.Times(0, 3_000_000))
		if onMongoDB(t) { // a million hits: the database of the tests lies in memory and has one core
			before, perRound, step = before/100, perRound/100, step/100
		}
		h.reopenWith(64 << 20)
		h.adjust = func(o *Options) {
			o.Index.CacheBytes, o.ReplayBytes, o.Index.FlushEvery, o.Index.CheckpointEvery = 64<<20, 256<<20, time.Second, time.Second
		}
	}
	row := journaltest.Begin(t, rowName(t, "identity replay, killed while hits arrive"), rounds, 0)
	h.fillBy(before, atATime)
	h.open()
	id := h.start(heatmap.Replay{})
	for round := range rounds {
		h.fillBy(perRound, atATime)
		h.awaitStep(id, step)
		if round%3 == 0 {
			_ = pause(t.Context(), time.Duration(round)*time.Millisecond)
		}
		if round == 20 {
			if _, err := h.journal.Seal(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		h.open()
		row.Done(1)
	}
	h.await(id, heatmap.StateReady)
	r, err := h.g.Report(t.Context(), id)
	if err != nil || !r.OK() || len(r.Notes) > 0 || r.Pages.Changed+r.Pages.Appeared+r.Pages.Disappeared > 0 {
		t.Errorf("report: %v\n%s", err, r)
	}
	h.awaitAll()
	v, err := h.g.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if c := v.Counts; c.Read != h.journal.Durable() || c.Read != c.RepeatedHits+c.Excluded+c.Carried+c.Hits || c.RepeatedHits == 0 || c.Since != nil {
		t.Errorf("counts do not add up to %d: %+v", h.journal.Durable(), c)
	}
	h.close()
	h.same("g1", id)
	row.Found("%d hits, %d documents equal byte for byte, compared in %d ms", v.Counts.Read, len(h.docs(id)), r.TookMS)
}

// TestWorkers builds with 1, 2, 7 and 16 workers: equal blobs.
func TestWorkers(t *testing.T) {
	h := newHouse(t)
	h.fill(3000)
	if _, err := h.journal.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	var first map[string][]byte
	for _, workers := range []int{1, 2, 7, 16} {
		h.adjust = func(o *Options) { o.Index.Workers = workers }
		h.newStore()
		h.open()
		id := h.start(heatmap.Replay{Rules: excludeSome})
		h.await(id, heatmap.StateReady)
		h.awaitAll()
		h.close()
		h.g = nil
		docs := h.docs(id)
		if first == nil {
			first = docs
		}
		if len(docs) < 90 || !maps.EqualFunc(first, docs, slices.Equal) {
			t.Fatalf("%d workers give %d documents that differ from those of one, %d", workers, len(docs), len(first))
		}
	}
}

// TestSwitchUnderLoad switches there and back while many ask: no question fails, and each answer is of the generation that it
// names.
func TestSwitchUnderLoad(t *testing.T) {
	h := newHouse(t)
	h.fill(1500)
	h.open()
	id := h.start(heatmap.Replay{Rules: excludeSome})
	h.await(id, heatmap.StateReady)
	h.awaitAll()
	want := make(map[string]uint64)
	for _, id := range []string{"g1", id} {
		a, err := h.g.Pages(t.Context(), heatmap.Query{Site: testSite, Generation: id})
		if err != nil || a.Generation != id {
			t.Fatal(a, err)
		}
		want[id] = a.Hits
	}
	if want["g1"] == want[id] {
		t.Fatal("both generations have equal counts: the test proves nothing")
	}
	var askers sync.WaitGroup
	var stop atomic.Bool
	var answers [2]atomic.Int64
	for range 4 {
		askers.Go(func() {
			for !stop.Load() {
				a, err := h.g.Pages(t.Context(), heatmap.Query{Site: testSite})
				if err != nil {
					t.Error(err)
					return
				}
				if a.Hits != want[a.Generation] {
					t.Errorf("answer of %d hits at %+v, %v; want %v", a.Hits, a.Prefix, err, want)
					return
				}
				b, err := h.g.Heatmap(t.Context(), heatmap.Query{Site: testSite, URL: "https://shop.example/**"})
				if err != nil {
					t.Error(err)
					return
				}
				if want[b.Generation] == 0 {
					t.Errorf("answer of %d hits at %+v, %v", b.Hits, b.Prefix, err)
					return
				}
				if a.Generation == "g1" {
					answers[0].Add(1)
				} else {
					answers[1].Add(1)
				}
			}
		})
	}
	for n := range 40 {
		to := []string{id, "g1"}[n%2]
		if err := h.g.Activate(t.Context(), to); err != nil {
			t.Fatal(err)
		}
		if v, err := h.g.Get(t.Context(), ""); err != nil || v.ID != to || v.State != heatmap.StateActive {
			t.Fatalf("active is %+v, %v; want %s", v, err, to)
		}
		for before := answers[1-n%2].Load(); answers[1-n%2].Load() == before && !t.Failed(); {
			_ = pause(t.Context(), time.Millisecond)
		}
	}
	stop.Store(true)
	askers.Wait()
}

// TestActivateRaces lets two processes switch to the same generation at once: exactly one does.
func TestActivateRaces(t *testing.T) {
	h := newHouse(t)
	h.fill(200)
	h.open()
	for _, want := range []string{"g2", "g3"} {
		if id := h.start(heatmap.Replay{}); id != want {
			t.Fatalf("started %s, want %s", id, want)
		}
		h.await(want, heatmap.StateReady)
	}
	other, err := Open(t.Context(), h.options())
	if err != nil {
		t.Fatal(err)
	}
	defer other.abort()
	for other.Ready() != nil {
		_ = pause(t.Context(), time.Millisecond)
	}
	for n := range 30 {
		to := []string{"g2", "g3", "g1"}[n%3]
		var won atomic.Int64
		var racers sync.WaitGroup
		for _, g := range []*Generations{h.g, other} {
			for range 2 {
				racers.Go(func() {
					err := g.Activate(t.Context(), to)
					if err == nil {
						won.Add(1)
					} else if !errors.As(err, new(*heatmap.StateError)) {
						t.Errorf("activate: %v", err)
					}
				})
			}
		}
		racers.Wait()
		if won.Load() != 1 {
			t.Fatalf("%d have switched to %s, want 1", won.Load(), to)
		}
		r := h.g.snapshot()
		active := 0
		for _, e := range r.Generations {
			if e.State == heatmap.StateActive {
				active++
			}
		}
		if active != 1 || r.find(to).State != heatmap.StateActive {
			t.Fatalf("%d are active: %+v", active, r)
		}
	}
}

// TestStates refuses what does not go in a state.
func TestStates(t *testing.T) {
	h := newHouse(t)
	h.fill(300)
	hold := make(chan struct{})
	h.adjust = func(o *Options) {
		o.Verify = func(ctx context.Context, v Verification) (*heatmap.Report, error) {
			select {
			case <-hold:
			case <-ctx.Done():
			}
			return &heatmap.Report{Generation: v.ID, Active: v.ActiveID}, ctx.Err()
		}
	}
	g := h.open()
	f := func(what string, err error, want bool) {
		t.Helper()
		if got := err == nil; got != want || !want && !errors.As(err, new(*heatmap.StateError)) {
			t.Errorf("%s: %v", what, err)
		}
	}
	ctx := t.Context()
	f("drop the active one", g.Drop(ctx, "g1"), false)
	f("pause the active one", g.Pause(ctx, "g1"), false)
	f("activate the active one", g.Activate(ctx, "g1"), false)
	id := h.start(heatmap.Replay{})
	h.await(id, heatmap.StateVerifying)
	f("activate while verifying", g.Activate(ctx, id), false)
	f("pause while verifying", g.Pause(ctx, id), false)
	for range MaxGenerations - 2 {
		h.start(heatmap.Replay{})
	}
	_, err := g.Start(ctx, heatmap.Replay{})
	f("one more than there may be", err, false)
	f("drop while verifying", g.Drop(ctx, "g3"), true)
	h.awaitGone("g3")
	if v, err := g.Start(ctx, heatmap.Replay{}); err != nil || v.ID != "g5" {
		t.Errorf("started %+v, %v, want g5", v, err)
	}
	close(hold)
	h.await(id, heatmap.StateReady)
	h.await("g5", heatmap.StateReady)
	f("activate", g.Activate(ctx, id), true)
	f("drop the new active one", g.Drop(ctx, id), false)
	f("drop the retired one", g.Drop(ctx, "g1"), true)
	h.awaitGone("g1")
	for _, err := range []error{g.Activate(ctx, "g9"), g.Drop(ctx, "g1"), g.Pause(ctx, "")} {
		if p := (*heatmap.ParamError)(nil); !errors.As(err, &p) || p.Field != "generation" {
			t.Errorf("a generation that is not there: %v", err)
		}
	}
	for field, p := range map[string]heatmap.Replay{
		"rules": {Rules: "no_such_key: 1"}, "from": {From: heatmap.DateOf(time.Now().UnixMilli(), time.UTC) + 2},
	} {
		_, err := g.Start(ctx, p)
		if bad := (*heatmap.ParamError)(nil); !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("start %+v: %v", p, err)
		}
	}
	g = h.open()
	if v, err := g.Get(ctx, ""); err != nil || v.ID != id {
		t.Errorf("after a restart %+v is active, %v", v, err)
	}
}

// TestScope counts a part anew, by which the rest does not change, and goes there and back.
func TestScope(t *testing.T) {
	h := newHouse(t)
	h.fill(300)
	g := h.open()
	h.awaitAll()
	from := heatmap.DateOf(h.clock.Load(), time.UTC) - 1
	bound := heatmap.Bound{Set: true, IsDate: true, Date: from}
	hits := func(q heatmap.Query) uint64 {
		t.Helper()
		q.Site, q.Bots = testSite, true
		a, err := g.Pages(t.Context(), q)
		if err != nil || a.Hits == 0 {
			t.Fatal(a, err)
		}
		return a.Hits
	}
	all, late := hits(heatmap.Query{}), hits(heatmap.Query{From: bound})
	id := h.start(heatmap.Replay{Rules: excludeSome, Sites: []string{testSite}, From: from, Activate: true})
	h.await(id, heatmap.StateActive)
	h.awaitAll()
	v, err := g.Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	c := v.Counts
	if want := (heatmap.Carried{Site: testSite, From: "g1", Before: from.String(), Hits: all - late}); len(v.Carried) != 1 || v.Carried[0] != want {
		t.Errorf("carried is %+v, want %+v", v.Carried, want)
	}
	if got := hits(heatmap.Query{}); got != all-late+c.Hits || c.Excluded == 0 || c.Carried != all-late || c.Hits+c.Excluded != late {
		t.Errorf("%d hits, %d of them from %v on, are %d by other rules with counts %+v", all, late, from, got, c)
	}
	if got := hits(heatmap.Query{From: bound}); got != c.Hits {
		t.Errorf("%d hits from %v on, want %d", got, from, c.Hits)
	}
	if got := hits(heatmap.Query{Where: "x >= 0"}); got >= all-late+c.Hits {
		t.Errorf("a scan finds %d hits: it reads the journal by the rules of its generation, days before %v too", got, from)
	}
	if err := g.Activate(t.Context(), "g1"); err != nil || hits(heatmap.Query{}) != all {
		t.Errorf("back to g1: %v", err)
	}
	if err := g.Drop(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	h.awaitGone(id)
}

// TestPause holds a replay up over a crash.
func TestPause(t *testing.T) {
	h := newHouse(t)
	h.fill(3000)
	h.adjust = func(o *Options) { o.Index.Workers = 1 }
	h.open()
	id := h.start(heatmap.Replay{})
	if err := h.g.Pause(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	h.open()
	v, err := h.g.Get(t.Context(), id)
	if err != nil || !v.Paused || v.State != heatmap.StateBuilding {
		t.Fatalf("after a crash %+v, %v", v, err)
	}
	if _, err := h.g.Pages(t.Context(), heatmap.Query{Site: testSite, Generation: id}); !errors.As(err, new(*heatmap.ParamError)) {
		t.Errorf("a paused generation answers: %v", err)
	}
	at := v.Progress.Hits
	_ = pause(t.Context(), 50*time.Millisecond)
	if v, _ = h.g.Get(t.Context(), id); v.Progress.Hits > at && v.Progress.Hits == v.Progress.Of {
		t.Errorf("a paused generation went on from %d to %d", at, v.Progress.Hits)
	}
	if err := h.g.Resume(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	h.await(id, heatmap.StateReady)
	h.awaitAll()
	h.close()
	h.same("g1", id)
}

// damage flips a byte in the middle of the oldest segment.
func (h *house) damage() string {
	h.t.Helper()
	files, err := filepath.Glob(filepath.Join(h.dir, "*", "*.hj*"))
	if err != nil || len(files) < 2 {
		h.t.Fatalf("segments %v, %v", files, err)
	}
	slices.Sort(files)
	data, err := os.ReadFile(files[0])
	if err != nil {
		h.t.Fatal(err)
	}
	data[len(data)/2] ^= 0x55
	if err := os.WriteFile(files[0], data, 0o600); err != nil {
		h.t.Fatal(err)
	}
	return filepath.Base(files[0])
}

// TestDamage replays a journal that is damaged.
func TestDamage(t *testing.T) {
	h := newHouse(t)
	h.fill(1500)
	h.open()
	h.awaitAll()
	h.close()
	h.g = nil
	if err := h.journal.Close(); err != nil {
		t.Fatal(err)
	}
	segment := h.damage()
	h.openJournal()
	g := h.open()
	id := h.start(heatmap.Replay{})
	var v heatmap.Generation
	for v.State != heatmap.StateFailed {
		var err error
		if v, err = g.Get(t.Context(), id); err != nil || v.State == heatmap.StateReady {
			t.Fatalf("%+v, %v", v, err)
		}
		_ = pause(t.Context(), time.Millisecond)
	}
	if !strings.Contains(v.Reason, segment+":") {
		t.Errorf("it failed because %q, want segment %s and the offset", v.Reason, segment)
	}
	if err := g.Activate(t.Context(), id); !errors.As(err, new(*heatmap.StateError)) {
		t.Errorf("a failed generation becomes active: %v", err)
	}
	h.open()
	if v, err := h.g.Get(t.Context(), id); err != nil || v.State != heatmap.StateFailed || v.Reason == "" {
		t.Errorf("after a restart it is %+v, %v", v, err)
	}
	if err := h.g.Drop(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	h.awaitGone(id)
	id = h.start(heatmap.Replay{SkipDamaged: true})
	v = h.await(id, heatmap.StateReady)
	for v.Counts.Read+v.Counts.LostHits < h.journal.Durable() {
		v = h.await(id, heatmap.StateReady)
	}
	if v.Counts.LostHits == 0 || v.Counts.Read+v.Counts.LostHits != h.journal.Durable() {
		t.Errorf("read %d, lost %d of %d", v.Counts.Read, v.Counts.LostHits, h.journal.Durable())
	}
	lost := v.Counts.LostHits
	h.open()
	if v, err := h.g.Get(t.Context(), id); err != nil || v.Counts.LostHits > lost {
		t.Errorf("after a crash %+v, %v; %d were lost", v.Counts, err, lost)
	}
}

// TestStoreDown takes the store away while states must move.
func TestStoreDown(t *testing.T) {
	h := newHouse(t)
	h.fill(500)
	h.open()
	id := h.start(heatmap.Replay{Activate: true})
	for n := range 8 {
		h.store.down.Store(n%2 == 0)
		_ = pause(t.Context(), 30*time.Millisecond)
	}
	h.store.down.Store(true)
	if err := h.g.Activate(t.Context(), "g1"); err == nil {
		t.Error("switched without a store")
	}
	if _, err := h.g.Start(t.Context(), heatmap.Replay{}); err == nil {
		t.Error("started without a store")
	}
	h.store.down.Store(false)
	h.await(id, heatmap.StateActive)
	h.awaitAll()
	h.close()
	h.same("g1", id)
}

// TestDropResumed kills while a generation is dropped, which the next start ends; who still reads it reads on.
func TestDropResumed(t *testing.T) {
	h, id := readyHouse(t, 500)
	if err := h.g.Activate(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	h.store.dropFail.Store(true)
	n, err := h.g.take("g1")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.g.Drop(t.Context(), "g1"); err != nil {
		t.Fatal(err)
	}
	if _, err := h.g.Pages(t.Context(), heatmap.Query{Site: testSite, Generation: "g1"}); !errors.As(err, new(*heatmap.ParamError)) {
		t.Errorf("a dropped generation answers: %v", err)
	}
	if a, err := n.index.Pages(t.Context(), heatmap.Query{Site: testSite}); err != nil || a.Hits == 0 {
		t.Errorf("who has begun to ask gets %+v, %v", a, err)
	}
	n.users.Done()
	calls := h.store.calls.Load()
	for h.store.calls.Load() < calls+20 {
		_ = pause(t.Context(), time.Millisecond)
	}
	if len(h.docs("g1")) == 0 {
		t.Fatal("the test proves nothing")
	}
	h.store.dropFail.Store(false)
	h.open()
	h.awaitGone("g1")
	if list := h.g.List(); len(list) != 1 || list[0].ID != id || list[0].State != heatmap.StateActive {
		t.Errorf("left are %+v", list)
	}
}

// TestExpire drops a retired generation when its time is over, and not one that was switched back to.
func TestExpire(t *testing.T) {
	h := newHouse(t)
	h.fill(100)
	var now atomic.Int64
	now.Store(1_770_000_000_000)
	h.adjust = func(o *Options) {
		o.KeepRetired = time.Hour
		o.Index.Now = func() time.Time { return time.UnixMilli(now.Load()) }
	}
	h.open()
	id := h.start(heatmap.Replay{})
	h.await(id, heatmap.StateReady)
	for _, to := range []string{id, "g1", id, "g1"} {
		for h.g.Activate(t.Context(), to) != nil {
			_ = pause(t.Context(), time.Millisecond)
		}
		now.Add(30 * time.Minute.Milliseconds())
	}
	h.await(id, heatmap.StateRetired)
	now.Add(29 * time.Minute.Milliseconds())
	_ = h.g.expire() // it may be at it just now
	h.await(id, heatmap.StateRetired)
	now.Add(time.Minute.Milliseconds())
	_ = h.g.expire() // it may be at it just now
	h.awaitGone(id)
	h.await("g1", heatmap.StateActive)
}

// TestTakeOver opens what was there before there were several generations.
func TestTakeOver(t *testing.T) {
	h := newHouse(t)
	h.fill(200)
	rules, err := index.ParseRules([]byte(excludeSome))
	if err != nil {
		t.Fatal(err)
	}
	o := h.options()
	ix := o.Index
	ix.Rules = rules
	ix.Source, _ = o.Sources(nil)
	h.awaitDurable()
	x, err := index.Open(t.Context(), ix)
	if err != nil {
		t.Fatal(err)
	}
	for x.Lag() > 0 {
		_ = pause(t.Context(), time.Millisecond)
	}
	if err := x.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	source := h.journal.Source()
	name := "high/g1/" + source
	high, err := h.store.Record(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string][]byte{"high/" + source: high, "checkpoint/g1/" + source: fmt.Appendf(nil, "%s %d", high, h.clock.Load())} {
		old, _ := h.store.Record(t.Context(), name)
		if done, err := h.store.SwapRecord(t.Context(), name, old, value); err != nil || !done {
			t.Fatal(done, err)
		}
	}
	if err := index.DeleteRecord(t.Context(), h.store, name); err != nil {
		t.Fatal(err)
	}
	before := h.docs("g1")
	g := h.open()
	h.awaitAll()
	list := g.List()
	if len(list) != 1 || list[0].ID != "g1" || list[0].State != heatmap.StateActive || list[0].Spec != specHash(rules.Spec()) {
		t.Fatalf("taken over: %+v", list)
	}
	if c := list[0].Counts; len(c.Since) != 1 || fmt.Sprint(c.Since[0].Position) != string(high) {
		t.Errorf("counts are of %+v, want since %s", c.Since, high)
	}
	h.close()
	h.g = nil
	if after := h.docs("g1"); !maps.EqualFunc(before, after, slices.Equal) {
		t.Error("the blobs have changed")
	}
	if _, err := h.store.SwapRecord(t.Context(), "high/"+source, high, []byte("99999999")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), h.options()); !errors.As(err, new(*index.JournalBehindError)) {
		t.Errorf("a journal behind the old record of high: %v", err)
	}
}

// TestBehindAnother refuses a journal that ends below what another generation than the active one has stored.
func TestBehindAnother(t *testing.T) {
	h, id := readyHouse(t, 100)
	h.close()
	h.g = nil
	name := "high/" + id + "/" + h.journal.Source()
	old, err := h.store.Record(t.Context(), name)
	if err != nil || old == nil {
		t.Fatal(old, err)
	}
	if _, err := h.store.SwapRecord(t.Context(), name, old, []byte("99999999")); err != nil {
		t.Fatal(err)
	}
	behind := (*index.JournalBehindError)(nil)
	if _, err := Open(t.Context(), h.options()); !errors.As(err, &behind) || behind.High != 99999999 {
		t.Fatalf("open: %v", err)
	}
	next, err := h.journal.Freeze()
	if err != nil {
		t.Fatal(err)
	}
	h.journal = next
	h.open()
	h.fill(100)
	h.awaitAll()
	h.close()
	h.same("g1", id)
}

// TestNeeded keeps what a generation needs that has just begun.
func TestNeeded(t *testing.T) {
	h := newHouse(t)
	h.fill(400)
	h.open()
	h.awaitAll()
	below, err := h.g.Needed(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id := h.start(heatmap.Replay{})
	if n := below(h.journal.Source()); n != 0 {
		t.Errorf("hits below %d may go though %s has just begun", n, id)
	}
}

// TestVerify lets a generation fail by what the comparison has found, and asks again when it could not be made.
func TestVerify(t *testing.T) {
	h := newHouse(t)
	h.fill(100)
	var asked atomic.Int64
	var problems []string
	h.adjust = func(o *Options) {
		o.Verify = func(_ context.Context, v Verification) (*heatmap.Report, error) {
			if asked.Add(1) < 3 {
				return nil, errDown
			}
			if v.ID != "g2" && v.ID != "g3" || v.ActiveID != "g1" || v.Active == v.Generation {
				t.Errorf("asked to compare %+v", v)
			}
			return &heatmap.Report{Generation: v.ID, Active: v.ActiveID, Problems: problems}, nil
		}
	}
	h.open()
	id := h.start(heatmap.Replay{})
	h.await(id, heatmap.StateReady)
	if asked.Load() != 3 {
		t.Errorf("asked %d times, want 3", asked.Load())
	}
	h.g.abort()
	h.g, problems = nil, []string{"page has 3 hits, want 4"}
	h.open()
	id = h.start(heatmap.Replay{Activate: true})
	var v heatmap.Generation
	for v.State != heatmap.StateFailed {
		var err error
		if v, err = h.g.Get(t.Context(), id); err != nil || v.State == heatmap.StateActive {
			t.Fatalf("%+v, %v", v, err)
		}
		_ = pause(t.Context(), time.Millisecond)
	}
	if v.Reason != problems[0] {
		t.Errorf("it failed because %q", v.Reason)
	}
}
