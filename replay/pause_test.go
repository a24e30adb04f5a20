package replay

import (
	"testing"
	"time"

	"heatlog/heatmap"
)

// TestPausedIsStored holds a replay up that stores nothing by itself for an hour, and kills it: it goes on from where it was.
func TestPausedIsStored(t *testing.T) {
	h := newHouse(t)
	h.fill(6000)
	h.adjust = func(o *Options) {
		o.Index.Workers, o.Index.FlushEvery, o.Index.CheckpointEvery, o.ReplayBytes = 1, time.Hour, time.Hour, 64<<20
	}
	h.open()
	id := h.start(heatmap.Replay{})
	at := uint64(0)
	for at == 0 {
		if err := h.g.Resume(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		_ = pause(t.Context(), time.Millisecond)
		if err := h.g.Pause(t.Context(), id); err != nil {
			t.Fatalf("it was built before it was paused: %v", err)
		}
		at = h.standing(id)
	}
	least := at - at/50 // not every end of a chunk is remembered
	for until := time.Now().Add(20 * time.Second); h.g.live[id].index.Stats().Checkpoint < least; _ = pause(t.Context(), time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("paused at %d hits, and stored are %d", at, h.g.live[id].index.Stats().Checkpoint)
		}
	}
	h.open()
	if from := h.standing(id); from < least {
		t.Fatalf("paused at %d hits, after a crash it goes on from %d", at, from)
	}
	if err := h.g.Resume(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	h.await(id, heatmap.StateReady)
	h.close()
	h.same("g1", id)
}

// standing gives how many hits a paused generation has read, when it reads no more and has stored them.
func (h *house) standing(id string) uint64 {
	h.t.Helper()
	last := ^uint64(0)
	for {
		v, err := h.g.Get(h.t.Context(), id)
		if err != nil {
			h.t.Fatal(err)
		}
		if v.Progress.Hits == last {
			return last
		}
		last = v.Progress.Hits
		_ = pause(h.t.Context(), 200*time.Millisecond)
	}
}
