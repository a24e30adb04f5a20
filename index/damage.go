package index

import (
	"log/slog"
	"sync"

	"heatlog/journal"
)

// losses remembers which damage of a source before its checkpoint was told of. The zero value is ready; it is safe for
// concurrent use.
type losses struct {
	mu   sync.Mutex
	told map[place]bool
}

// place is where damage begins.
type place struct {
	position uint64
	offset   int64
}

// tell reports whether damage was not told of before.
func (l *losses) tell(e *journal.CorruptError) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := place{e.From, e.Offset}
	if l.told[at] {
		return false
	}
	if l.told == nil {
		l.told = make(map[place]bool)
	}
	l.told[at] = true
	return true
}

// counted gives what lets a reader go on behind damage that lies before the checkpoint: nothing is to be counted there. It
// logs each once.
func (p *pipeline) counted(checkpoint uint64) func(*journal.CorruptError) bool {
	return func(e *journal.CorruptError) bool {
		if e.To > checkpoint {
			return false
		}
		if p.lost.tell(e) {
			p.options.Logger.Error("journal is damaged where it is counted already: counts stay, but batches in it that are sent again count once more",
				slog.String("segment", e.Segment), slog.Int64("offset", e.Offset), slog.Uint64("lost_hits", e.Lost()), slog.Any("err", e.Err))
		}
		return true
	}
}

// stopped reports whether the source cannot be read any further. What is routed then stays as it is.
func (p *pipeline) stopped() bool { return p.failed.Load() != nil }
