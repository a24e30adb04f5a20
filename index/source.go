package index

import (
	"context"
	"errors"

	"heatlog/heatmap"
	"heatlog/journal"
)

// Source is a log of hits with positions: a journal, or later a partition of one. Its methods are safe for concurrent
// use.
type Source interface {
	ID() string
	First() uint64                                          // first position that is still kept
	Durable() uint64                                        // position below which nothing can be lost any more
	Since(appended int64) (uint64, error)                   // first position appended at or after a Unix time in ms, Durable if there is none
	Before(appended int64) (last int64, ok bool, err error) // append time of the last hit from before a Unix time in ms that is kept
	// Spans gives the log from a position to another one, which is not part of it, in pieces that a reader can begin at.
	Spans(from, to uint64) []journal.Span
	// Open gives a reader of some fields of the hits, which goes on behind damage that passes reports true of; nil = none.
	// Other fields may be there or not.
	Open(position uint64, fields journal.Fields, passes func(*journal.CorruptError) bool) (Reader, error)
}

// Reader gives the chunks of a source in order. The first may begin before the position that it was opened at.
type Reader interface {
	// Next fills c with the next durable chunk, waiting for one until ctx ends. Strings stay valid when c is reused.
	// At the end of a frozen source the error is io.EOF.
	Next(ctx context.Context, c *heatmap.Chunk) error
	Close() error
}

// JournalSource makes a Source of a journal. If damaged is nil, damage ends a reader with a *journal.CorruptError, but for
// what lies before a checkpoint; else
// damaged is told of it, by each reader that meets it, and reading goes on behind.
func JournalSource(j *journal.Journal, damaged func(*journal.CorruptError)) Source {
	return journalSource{&j.Log, damaged}
}

// FrozenSources makes Sources of a journal's frozen ones, in their order. Damaged is as in JournalSource.
func FrozenSources(j *journal.Journal, damaged func(*journal.CorruptError)) (frozen []Source) {
	for _, l := range j.Frozen() {
		frozen = append(frozen, journalSource{l, damaged})
	}
	return frozen
}

type journalSource struct {
	*journal.Log
	damaged func(*journal.CorruptError)
}

func (s journalSource) ID() string { return s.Source() }

func (s journalSource) Open(position uint64, fields journal.Fields, passes func(*journal.CorruptError) bool) (Reader, error) {
	r, err := s.ReadFields(position, fields)
	if err != nil || s.damaged == nil && passes == nil {
		return r, err
	}
	return &skippingReader{r, passes, s.damaged}, nil
}

// skippingReader goes on behind damage.
type skippingReader struct {
	*journal.Reader
	passes  func(*journal.CorruptError) bool // asked first; may be nil
	damaged func(*journal.CorruptError)      // nil = damage ends reading
}

// Next gives the next chunk that can be read.
func (r *skippingReader) Next(ctx context.Context, c *heatmap.Chunk) error {
	for {
		err := r.Reader.Next(ctx, c)
		var damage *journal.CorruptError
		switch {
		case !errors.As(err, &damage):
			return err
		case r.passes != nil && r.passes(damage):
		case r.damaged != nil:
			r.damaged(damage)
		default:
			return err
		}
		r.Skip()
	}
}
