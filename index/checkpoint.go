package index

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
)

// highMark is the record of how far flushes of a source may have gone in a generation. It is raised before they go, so a
// journal that ends below it is an older copy, whose next positions would be taken for hits that are stored already.
type highMark struct {
	store      Records
	generation string
	source     string

	mu sync.Mutex
	at uint64 // guarded by mu: the record is at least this
}

// firstGeneration is the one that there is if nobody says otherwise.
const firstGeneration = "g1"

func (h *highMark) name() string { return highName(h.generation, h.source) }

func highName(generation, source string) string { return "high/" + generation + "/" + source }

// oldHighName is what the record of the first generation was called while there were no others.
func oldHighName(source string) string { return "high/" + source }

// read gives the record. While there were no other generations, that of the first one had a name without it.
func (h *highMark) read(ctx context.Context) (at uint64, value []byte, err error) {
	if value, err = h.store.Record(ctx, h.name()); err != nil {
		return 0, nil, err
	}
	text := value
	if text == nil && h.generation == firstGeneration {
		if text, err = h.store.Record(ctx, oldHighName(h.source)); err != nil {
			return 0, nil, err
		}
	}
	if text == nil {
		return 0, nil, nil
	}
	if at, err = strconv.ParseUint(string(text), 10, 64); err != nil {
		return 0, nil, fmt.Errorf("read record %s: %q is no position", h.name(), text)
	}
	return at, value, nil
}

// raise makes the record at least to.
func (h *highMark) raise(ctx context.Context, to uint64) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.at < to {
		at, old, err := h.read(ctx)
		if err != nil {
			return err
		}
		if at < to {
			done, err := h.store.SwapRecord(ctx, h.name(), old, strconv.AppendUint(nil, to, 10))
			if err != nil {
				return fmt.Errorf("raise %s to %d: %w", h.name(), to, err)
			}
			if !done {
				continue
			}
			at = to
		}
		h.at = at
	}
	return nil
}

// checkpoint says from where the log must be read again after a crash: every hit below Position is stored. It lies at the
// end of a chunk.
type checkpoint struct {
	Position uint64
	Appended int64  // append time of a chunk that is not behind the one that Position begins, Unix ms; 0 at the very start
	Totals   Totals // of every hit below Position
}

func checkpointName(generation, source string) string {
	return "checkpoint/" + generation + "/" + source
}

// leastDirty gives what is not stored of several shards from that of each, taken at the same position.
func leastDirty(dirty []uint64) uint64 {
	least := dirty[0]
	for _, d := range dirty[1:] {
		if d < least {
			least = d
		}
	}
	return least
}

// readCheckpoint gives the checkpoint and its record. One without totals is of a version that kept none.
func readCheckpoint(ctx context.Context, store Records, generation, source string) (c checkpoint, value []byte, err error) {
	name := checkpointName(generation, source)
	value, err = store.Record(ctx, name)
	if err != nil || value == nil {
		return c, value, err
	}
	position, rest, _ := bytes.Cut(value, []byte(" "))
	appended, totals, hasTotals := bytes.Cut(rest, []byte(" "))
	if c.Position, err = strconv.ParseUint(string(position), 10, 64); err == nil {
		c.Appended, err = strconv.ParseInt(string(appended), 10, 64)
	}
	if c.Totals.Since = c.Position; err == nil && hasTotals {
		c.Totals = Totals{}
		err = json.Unmarshal(totals, &c.Totals)
	}
	if err != nil {
		return checkpoint{}, nil, fmt.Errorf("read record %s: %q is no checkpoint", name, value)
	}
	return c, value, nil
}

// text is the value of the record.
func (c *checkpoint) text() ([]byte, error) {
	totals, err := json.Marshal(&c.Totals)
	return fmt.Appendf(nil, "%d %d %s", c.Position, c.Appended, totals), err
}

// writeCheckpoint moves the record of the checkpoint to c. One that is further already stays: it was true when it was
// written. The mark is raised first, so that a journal which ends below its checkpoint is found out too.
func (h *highMark) writeCheckpoint(ctx context.Context, c checkpoint) error {
	if err := h.raise(ctx, c.Position); err != nil {
		return err
	}
	value, err := c.text()
	if err != nil {
		return err
	}
	for {
		at, old, err := readCheckpoint(ctx, h.store, h.generation, h.source)
		if err != nil {
			return err
		}
		if old != nil && at.Position >= c.Position {
			return nil
		}
		done, err := h.store.SwapRecord(ctx, checkpointName(h.generation, h.source), old, value)
		if err != nil {
			return fmt.Errorf("write checkpoint %d: %w", c.Position, err)
		}
		if done {
			return nil
		}
	}
}
