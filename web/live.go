package web

import (
	"context"

	"heatlog/heatmap"
)

// LiveReader begins answers that stay alive. Errors are those of Reader, and a *heatmap.UnavailableError where there are too many.
type LiveReader interface {
	Keep(ctx context.Context, q heatmap.Question) (Kept, error)
}

// Kept is an answer that stays alive until it is closed. Update is called by one goroutine at a time.
type Kept interface {
	// Changed has a value when there is something for Update to tell.
	Changed() <-chan struct{}
	// Update tells what changed since it was called before; the first time everything that is known by then, as soon as there is
	// something to tell. An error ends the answer: heatmap.ErrSwitched, heatmap.ErrNewDay and heatmap.ErrRestart mean that the
	// same question must be asked anew.
	Update(ctx context.Context) (*heatmap.Update, error)
	Close()
}
