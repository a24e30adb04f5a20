package replay

import (
	"context"
	"sync"
)

// hold holds a generation up while it is paused. The zero value lets it go.
type hold struct {
	mu   sync.Mutex
	held chan struct{} // guarded by mu; closed when it may go on, nil if it may
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
	held := h.held
	h.mu.Unlock()
	if held == nil {
		return nil
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
