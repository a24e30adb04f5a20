package main

import (
	"context"
	"sync"

	"heatlog/heatmap"
	"heatlog/journal"
)

// writtenJournal is the journal that hits go to. It may be frozen while they come: those that come meanwhile wait, and go on under
// the new source.
type writtenJournal struct {
	mu sync.RWMutex
	j  *journal.Journal // guarded by mu
}

// now gives the journal as it is. It is closed when it is frozen.
func (w *writtenJournal) now() *journal.Journal {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.j
}

// Put is that of the journal.
func (w *writtenJournal) Put(batches []heatmap.Batch) (wait func() error, err error) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.j.Put(batches)
}

// Prune is that of the journal.
func (w *writtenJournal) Prune(ctx context.Context, o journal.PruneOptions) (journal.PruneReport, error) {
	return w.now().Prune(ctx, o)
}

// Stats is that of the journal.
func (w *writtenJournal) Stats() journal.Stats { return w.now().Stats() }

// freeze ends the journal's source and goes on under a new one.
func (w *writtenJournal) freeze() (*journal.Journal, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	next, err := w.j.Freeze()
	if err != nil {
		return nil, err
	}
	w.j = next
	return next, nil
}
