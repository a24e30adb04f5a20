package index

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"syscall"
	"time"
)

// closePatience is how long Close tries a store that gives nothing but errors.
const closePatience = 5 * time.Second

// unstoredError says that the index closes and something cannot be stored.
type unstoredError struct{ err error }

func (e *unstoredError) Error() string {
	return fmt.Sprintf("not all counts are stored, the next start reads what is missing from the journal again: %v", e.err)
}

func (e *unstoredError) Unwrap() error { return e.err }

// persist calls try until it succeeds, waiting longer from time to time. It gives false if the pipeline ends first, and ends
// the pipeline itself on a conflict, and when the index closes and the store cannot be expected to mend.
func (p *pipeline) persist(what string, try func(ctx context.Context) error) bool {
	const longest = 5 * time.Second
	closing := p.closing
	var failing time.Time // since when, of a store that fails while the index closes
	var said complaint
	var told *error // what this call has stored as storeError last
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, longest) {
		err := try(p.ctx)
		if err == nil {
			if told != nil {
				p.storeError.CompareAndSwap(told, nil) // that of another worker, which still fails, stays
			}
			return true
		}
		if errors.Is(err, errConflict) {
			p.stats.conflicts.Add(1)
			p.end(err)
		}
		if p.isClosing() {
			closing, wait = nil, min(wait, 100*time.Millisecond)
			if failing.IsZero() {
				failing = time.Now()
			}
			if errors.Is(err, syscall.EROFS) || time.Since(failing) >= closePatience {
				p.end(&unstoredError{err})
			}
		}
		if p.ctx.Err() != nil {
			return false
		}
		p.stats.storeErrors.Add(1)
		told = &err
		p.storeError.Store(told)
		if said.anew(err) {
			p.options.Logger.Error("store does not answer, trying again", slog.String("what", what), slog.Any("err", err), slog.Duration("wait", wait))
		}
		select {
		case <-time.After(wait):
		case <-closing:
		case <-p.ctx.Done():
			return false
		}
	}
}

// complaintEvery is how often an error that goes on is logged.
const complaintEvery = time.Minute

// complaint is what was logged last of something that is tried again and again.
type complaint struct {
	text string
	at   time.Time
}

// anew reports whether an error is to be logged, and takes it as logged then.
func (c *complaint) anew(err error) bool {
	if text := err.Error(); c.text != text || time.Since(c.at) >= complaintEvery {
		*c = complaint{text, time.Now()}
		return true
	}
	return false
}

// isClosing reports whether the index closes.
func (p *pipeline) isClosing() bool {
	select {
	case <-p.closing:
		return true
	default:
		return false
	}
}
