package index

import (
	"cmp"
	"context"
	"fmt"
)

// Needed gives the position below which a generation ("" = the default) needs no hit of a source any more: what lies before
// its checkpoint and before the buckets that tell repeats and bursts after a start. It is 0 where nothing is stored yet.
func Needed(ctx context.Context, store Records, generation string, source Source) (uint64, error) {
	c, _, err := readCheckpoint(ctx, store, cmp.Or(generation, "g1"), source.ID())
	if err != nil {
		return 0, fmt.Errorf("read checkpoint: %w", err)
	}
	since, err := source.Since(c.Appended/bucketMillis*bucketMillis - 2*bucketMillis)
	if err != nil {
		return 0, fmt.Errorf("find begin of bucket: %w", err)
	}
	return min(c.Position, since), nil
}
