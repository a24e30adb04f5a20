package replay

import (
	"context"
	"errors"
	"testing"
	"time"

	"heatlog/heatmap"
)

// TestKeptEndsWithItsGeneration switches and drops generations under answers that are kept.
func TestKeptEndsWithItsGeneration(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.fill(50)
	g := h.open()
	keep := func(generation string) *Kept {
		k, err := g.Keep(t.Context(), heatmap.Question{Ask: heatmap.AskPages, Query: heatmap.Query{Site: testSite, Generation: generation}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(k.Close)
		return k
	}
	active, named := keep(""), keep("g1")
	if u, err := active.Update(t.Context()); err != nil || u.Prefix().Generation != "g1" || u.Pages.Total == 0 {
		t.Errorf("update %+v, %v", u, err)
	}
	id := h.start(heatmap.Replay{})
	h.await(id, heatmap.StateReady)
	if err := g.Activate(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	waitEnd(t, active, heatmap.ErrSwitched)
	if _, err := named.Update(t.Context()); err != nil {
		t.Errorf("the answer of a named generation ended with %v when another one became active", err)
	}
	next := keep("")
	if u, err := next.Update(t.Context()); err != nil || u.Prefix().Generation != id {
		t.Errorf("asked anew: %+v, %v", u, err)
	}
	if err := g.Drop(t.Context(), "g1"); err != nil {
		t.Fatal(err)
	}
	waitEnd(t, named, heatmap.ErrSwitched)
	h.awaitGone("g1")
	h.close()
	waitEnd(t, next, heatmap.ErrRestart)
	if _, err := g.Keep(t.Context(), heatmap.Question{Ask: heatmap.AskPages, Query: heatmap.Query{Site: testSite}}); err == nil {
		t.Error("a closed house keeps an answer")
	}
}

// waitEnd waits until an answer says that it has changed and ends with an error.
func waitEnd(t *testing.T, k *Kept, want error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		select {
		case <-k.Changed():
		case <-ctx.Done():
			t.Fatalf("answer did not end with %v", want)
		}
		_, err := k.Update(ctx)
		if errors.Is(err, want) {
			return
		}
		if err != nil {
			t.Fatalf("answer ended with %v, want %v", err, want)
		}
	}
}
