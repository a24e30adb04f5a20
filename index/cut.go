package index

import (
	"context"
	"io"
	"slices"

	"heatlog/heatmap"
	"heatlog/journal"
)

// CutAt gives a frozen source as if it ended at a position: what lies behind was added to an older copy, at positions that had been given
// out before, so that blobs cannot tell those hits from others.
func CutAt(s Source, end uint64) Source {
	if end >= s.Durable() {
		return s
	}
	return cutSource{s, end}
}

type cutSource struct {
	Source
	end uint64
}

func (s cutSource) First() uint64   { return min(s.Source.First(), s.end) }
func (s cutSource) Durable() uint64 { return s.end }

func (s cutSource) Since(appended int64) (uint64, error) {
	position, err := s.Source.Since(appended)
	return min(position, s.end), err
}

func (s cutSource) Spans(from, to uint64) []journal.Span { return s.Source.Spans(from, min(to, s.end)) }

func (s cutSource) Open(position uint64, fields journal.Fields, passes func(*journal.CorruptError) bool) (Reader, error) {
	if position >= s.end {
		return atEnd{}, nil
	}
	r, err := s.Source.Open(position, fields, passes)
	if err != nil {
		return nil, err
	}
	return &cutReader{r, s.end}, nil
}

// atEnd is a reader with nothing to read.
type atEnd struct{}

func (atEnd) Next(context.Context, *heatmap.Chunk) error { return io.EOF }
func (atEnd) Close() error                               { return nil }

// cutReader ends before the source does. A chunk of a sealed segment may lie on both sides.
type cutReader struct {
	Reader
	end uint64
}

func (r *cutReader) Next(ctx context.Context, c *heatmap.Chunk) error {
	if err := r.Reader.Next(ctx, c); err != nil {
		return err
	}
	if c.Position >= r.end {
		return io.EOF
	}
	if c.End() <= r.end {
		return nil
	}
	keep := int(r.end - c.Position)
	c.Count, c.Batches = keep, slices.Clone(c.Batches) // they may be another reader's too
	for i := range c.Batches {
		b := &c.Batches[i]
		if keep <= len(b.Hits) {
			b.Hits = b.Hits[:keep]
			c.Batches = c.Batches[:i+1]
			break
		}
		keep -= len(b.Hits)
	}
	return nil
}
