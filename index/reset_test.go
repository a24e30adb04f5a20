package index

import (
	"sync"
	"testing"

	"heatlog/heatmap"
)

// TestPartBesideReset takes parts while the reducer is reset, as a worker does of which nobody expects anything any more.
func TestPartBesideReset(t *testing.T) {
	every := func(id heatmap.LayerID) (heatmap.LayerID, bool) { return id, true }
	elements := &elementSum{names: make(elementNames)}
	elements.sum.sel = every
	for name, r := range map[string]reducer{
		"sum": newSum(every, heatmap.KindClick), "elements": elements,
		"trend": newTrend(new(plan)), "pages": &pageCounts{plan: new(plan)}, "layers": new(layerTable), "days": new(daysSeen),
	} {
		var live heatmap.Delta // without hits: their plans are empty
		var late sync.WaitGroup
		for range 2 {
			late.Go(func() {
				for range 100 {
					r.part(&live)
				}
			})
		}
		for range 100 {
			r.reset()
		}
		late.Wait()
		t.Log(name)
	}
}
