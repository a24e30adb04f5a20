package index

import (
	"slices"
	"sync"
)

// Totals say what became of the hits of a source below a position. They are a function of the rules and of the hits from
// Since on: the same however often the index was killed on the way.
//
// Read = RepeatedHits + Excluded + RepeatedClicks + Carried + Views + Clicks + Scrolls + Moves.
type Totals struct {
	Since           uint64   `json:"since,omitzero"` // nothing is known of hits below it: they were pruned, or applied by a version that kept no totals
	Read            uint64   `json:"read"`           // hits
	Batches         uint64   `json:"batches"`        // with hits
	Lost            uint64   `json:"lost,omitzero"`  // hits that could not be read
	RepeatedBatches uint64   `json:"repeated_batches,omitzero"`
	RepeatedHits    uint64   `json:"repeated_hits,omitzero"` // those of repeated batches among them
	Excluded        uint64   `json:"excluded,omitzero"`
	ExcludedBy      []uint64 `json:"excluded_by,omitzero"` // as in StreamStats
	ExprErrors      uint64   `json:"expr_errors,omitzero"`
	RepeatedClicks  uint64   `json:"repeated_clicks,omitzero"` // of repeat_clicks
	Unsettled       uint64   `json:"unsettled,omitzero"`       // as in StreamStats
	Carried         uint64   `json:"carried,omitzero"`         // hits that are not counted, because documents that were carried over hold them
	Views           uint64   `json:"views,omitzero"`           // counted, as what follows
	Clicks          uint64   `json:"clicks,omitzero"`
	Scrolls         uint64   `json:"scrolls,omitzero"`
	Moves           uint64   `json:"moves,omitzero"`
	Bots            uint64   `json:"bots,omitzero"`   // of these
	Dead            uint64   `json:"dead,omitzero"`   // clicks that are dead too
	Bursts          uint64   `json:"bursts,omitzero"` // of rage
}

// Hits is the number of hits that were counted.
func (t *Totals) Hits() uint64 { return t.Views + t.Clicks + t.Scrolls + t.Moves }

// Add adds what became of other hits. Since is left as it is.
func (t *Totals) Add(o *Totals) {
	t.Read += o.Read
	t.Batches += o.Batches
	t.Lost += o.Lost
	t.RepeatedBatches += o.RepeatedBatches
	t.RepeatedHits += o.RepeatedHits
	t.Excluded += o.Excluded
	if n := len(o.ExcludedBy) - len(t.ExcludedBy); n > 0 {
		t.ExcludedBy = append(slices.Clip(t.ExcludedBy), make([]uint64, n)...)
	}
	for i, n := range o.ExcludedBy {
		t.ExcludedBy[i] += n
	}
	t.ExprErrors += o.ExprErrors
	t.RepeatedClicks += o.RepeatedClicks
	t.Unsettled += o.Unsettled
	t.Carried += o.Carried
	t.Views += o.Views
	t.Clicks += o.Clicks
	t.Scrolls += o.Scrolls
	t.Moves += o.Moves
	t.Bots += o.Bots
	t.Dead += o.Dead
	t.Bursts += o.Bursts
}

// ends remembers what became of all hits before some ends of chunks, from the checkpoint on, so that there is one not far
// before any position that the next checkpoint may have. It is safe for concurrent use.
type ends struct {
	mu     sync.Mutex
	list   []checkpoint // guarded by mu; ascending
	stride int          // guarded by mu; one of so many chunks is listed
	beside int          // guarded by mu; chunks since the last one that is listed
	last   checkpoint   // guarded by mu; the end of the last chunk
}

// maxEnds bounds the list: when it is full, every other end is forgotten, and of the next chunks half as many are listed. So
// a checkpoint is at most n/256 chunks earlier than it could be, n being the most chunks that there were behind one.
const maxEnds = 512

// start begins at a checkpoint.
func (e *ends) start(c checkpoint) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list, e.last, e.stride, e.beside = append(e.list[:0], c), c, 1, 0
}

// add adds the end of the next chunk.
func (e *ends) add(c checkpoint) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last = c
	if e.beside++; e.beside < e.stride {
		return
	}
	e.beside = 0
	if len(e.list) == maxEnds {
		e.stride *= 2
		kept := e.list[:0]
		for i := 0; i < maxEnds; i += 2 { // the first one stays
			kept = append(kept, e.list[i])
		}
		clear(e.list[len(kept):])
		e.list = kept
	}
	e.list = append(e.list, c)
}

// before gives the last end that is known at or before a position, which must not be before the start.
func (e *ends) before(position uint64) checkpoint {
	e.mu.Lock()
	defer e.mu.Unlock()
	if position >= e.last.Position {
		return e.last
	}
	i, _ := slices.BinarySearchFunc(e.list, position+1, func(c checkpoint, p uint64) int {
		if c.Position < p {
			return -1
		}
		return 1
	})
	return e.list[max(i-1, 0)]
}

// latest gives the end of the last chunk.
func (e *ends) latest() checkpoint {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last
}

// forget lets go of what lies before a position that before gave.
func (e *ends) forget(position uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := 0
	for i+1 < len(e.list) && e.list[i+1].Position <= position {
		i++
	}
	e.list = slices.Delete(e.list, 0, i)
	if len(e.list) < maxEnds/4 {
		e.stride = max(1, e.stride/2)
	}
}

// at gives the totals at a position if it is the end of a chunk that is still known.
func (e *ends) at(position uint64) (Totals, bool) {
	c := e.before(position)
	return c.Totals, c.Position == position
}
