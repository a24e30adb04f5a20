package replay

import (
	"context"
	"encoding/json"
	"fmt"

	"heatlog/heatmap"
)

// Report gives what the comparison of a generation with the active one has found. The error is a *heatmap.ParamError if there
// is no such generation, a *heatmap.StateError if it was not compared.
func (g *Generations) Report(ctx context.Context, id string) (*heatmap.Report, error) {
	v, err := g.get(id)
	if err != nil {
		return nil, err
	}
	text, err := g.store.Record(ctx, reportName(v.ID))
	if err != nil {
		return nil, fmt.Errorf("read record %s: %w", reportName(v.ID), err)
	}
	if text == nil {
		return nil, &heatmap.StateError{ID: v.ID, State: v.State, Message: g.noReport(&v)}
	}
	report := new(heatmap.Report)
	if err := json.Unmarshal(text, report); err != nil {
		return nil, fmt.Errorf("read record %s: %w", reportName(v.ID), err)
	}
	return report, nil
}

// noReport says why there is no report, or how far it is.
func (g *Generations) noReport(v *heatmap.Generation) string {
	switch v.State {
	case heatmap.StateBuilding, heatmap.StateCatchingUp:
		return fmt.Sprintf("it is compared when it has read the journal: %d of %d hits are read", v.Progress.Hits, v.Progress.Of)
	case heatmap.StateVerifying:
		g.mu.RLock()
		defer g.mu.RUnlock()
		if n := g.live[v.ID]; n != nil {
			return n.verify.text()
		}
	}
	return "it was not compared with another one"
}

// keepReport stores what a comparison has found.
func (g *Generations) keepReport(ctx context.Context, id string, report *heatmap.Report) error {
	text, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("write record %s: %w", reportName(id), err)
	}
	return g.insist(ctx, "write record "+reportName(id), func(ctx context.Context) error {
		old, err := g.store.Record(ctx, reportName(id))
		if err == nil {
			_, err = g.store.SwapRecord(ctx, reportName(id), old, text)
		}
		return err
	})
}
