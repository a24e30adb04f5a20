package journal

import (
	"context"
	"errors"

	"heatlog/heatmap"
)

// Before gives the append time, Unix ms, of the last hit that was appended earlier than t; ok is false if no such hit is
// kept. Hits that were lost to damage are passed over.
func (l *Log) Before(t int64) (appended int64, ok bool, err error) {
	end, err := l.Since(t)
	if err != nil {
		return 0, false, err
	}
	var c heatmap.Chunk
	for end > l.First() {
		err := l.chunkOf(end-1, &c)
		var damage *CorruptError
		switch {
		case err == nil:
			return c.Appended, true, nil
		case errors.As(err, &damage):
			end = min(end-1, damage.From)
		case errors.As(err, new(*PrunedError)) && end <= l.First()+1:
			return 0, false, nil // pruned in between
		default:
			return 0, false, err
		}
	}
	return 0, false, nil
}

// chunkOf fills c with the chunk that holds a durable position, without the fields of its hits. The error is a *CorruptError if that is lost.
func (l *Log) chunkOf(pos uint64, c *heatmap.Chunk) error {
	r, err := newReader(l.catalog, pos, false)
	if err != nil {
		return err
	}
	defer r.Close()
	r.fields = 0
	for {
		err := r.Next(context.Background(), c)
		var damage *CorruptError
		if !errors.As(err, &damage) || damage.To > pos {
			return err
		}
		r.Skip()
	}
}
