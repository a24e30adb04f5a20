package replay

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"heatlog/heatmap"
	"heatlog/index"
	"heatlog/journal"
)

// Verification is what Options.Verify is to compare.
type Verification struct {
	ID, ActiveID       string
	Generation, Active *index.Index
	Progress           func(done, of uint64) // is told how many hits of the journal are read again; any number of times
}

// Compare compares a generation with the active one as [index.Index.Compare] does.
func Compare(ctx context.Context, v Verification) (*heatmap.Report, error) {
	return v.Generation.Compare(ctx, v.Active, v.Progress)
}

// verifying is how far a comparison is.
type verifying struct{ done, of atomic.Uint64 }

func (v *verifying) tell(done, of uint64) {
	v.done.Store(done)
	v.of.Store(of)
}

// text says how far it is.
func (v *verifying) text() string {
	done, of := v.done.Load(), v.of.Load()
	if of == 0 {
		return "it is being compared: its documents are read"
	}
	return fmt.Sprintf("it is being compared: %d of %d hits of the journal are read again", done, of)
}

// compare compares a generation with the active one and gives what must hold and does not. Any other error means that they
// could not be compared; damage in the journal is a problem, as it does not go away.
func (g *Generations) compare(n *generation) (problem, err error) {
	g.mu.RLock()
	active := g.live[g.record.Active]
	if active == nil {
		g.mu.RUnlock()
		return nil, context.Canceled
	}
	active.users.Add(1)
	g.mu.RUnlock()
	defer active.users.Done()
	n.verify.tell(0, 0)
	report, err := g.options.Verify(n.ctx, Verification{
		ID: n.id, ActiveID: active.id, Generation: n.index, Active: active.index, Progress: n.verify.tell,
	})
	switch {
	case errors.As(err, new(*journal.CorruptError)):
		return err, nil
	case err != nil || report == nil:
		return nil, err
	}
	if err := g.keepReport(n.ctx, n.id, report); err != nil {
		return nil, err
	}
	g.log.Info("generation is compared", "generation", n.id, "with", active.id, "problems", len(report.Problems), "took", time.Duration(report.TookMS)*time.Millisecond)
	for _, warning := range report.Warnings {
		g.log.Warn("comparison of generations", "generation", n.id, "warning", warning)
	}
	if len(report.Warnings) > 0 && len(report.Problems) == 0 {
		if err := g.doNotSwitch(n.ctx, n.id); err != nil {
			return nil, err
		}
	}
	for _, note := range report.Notes {
		g.log.Warn("comparison of generations", "generation", n.id, "note", note)
	}
	if len(report.Problems) > 0 {
		return errors.New(report.Problems[0]), nil
	}
	return nil, nil
}

// doNotSwitch leaves it to a person to switch to a generation that is about to be ready.
func (g *Generations) doNotSwitch(ctx context.Context, id string) error {
	e, ok := g.entry(id)
	if !ok || !e.Activate {
		return nil
	}
	g.log.Warn("generation is not switched to by itself, because of the warnings", "generation", id)
	return g.change(ctx, func(r *record) error {
		e, err := r.get(id)
		if err == nil {
			e.Activate = false
		}
		return err
	})
}

// entry gives what the record has of a generation.
func (g *Generations) entry(id string) (e entry, ok bool) {
	r := g.snapshot()
	if p := r.find(id); p != nil {
		return *p, true
	}
	return e, false
}
