package replay

import (
	"context"
	"sync"
)

// hold holds a generation up while it is paused. The zero value lets it go.
type hold struct {
	mu    sync.Mutex
	held  chan struct{} // guarded by mu; closed when it may go on, nil if it may
	stood func()        // guarded by mu; if there is one, called whenever a reader begins to wait
}

// notify makes f what is called whenever a reader begins to wait.
func (h *hold) notify(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.stood = f
}

func (h *hold) set(on bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case on && h.held == nil:
		h.held = make(chan struct{})
	case !on && h.held != nil:
		close(h.held)
		h.held = nil
	}
}

// wait returns when the generation may go on, or with the error of ctx.
func (h *hold) wait(ctx context.Context) error {
	h.mu.Lock()
	held, stood := h.held, h.stood
	h.mu.Unlock()
	if held == nil {
		return nil
	}
	if stood != nil {
		stood()
	}
	select {
	case <-held:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// on reports whether the generation is held up.
func (h *hold) on() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.held != nil
}
