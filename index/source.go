package index

import (
	"context"

	"heatlog/heatmap"
	"heatlog/journal"
)

// Source is a log of hits with positions: a journal, or later a partition of one. Its methods are safe for concurrent
// use.
type Source interface {
	ID() string
	First() uint64                        // first position that is still kept
	Durable() uint64                      // position below which nothing can be lost any more
	Since(appended int64) (uint64, error) // first position appended at or after a Unix time in ms, Durable if there is none
	Open(position uint64) (Reader, error)
}

// Reader gives the chunks of a source in order. The first may begin before the position that it was opened at.
type Reader interface {
	// Next fills c with the next durable chunk, waiting for one until ctx ends. Strings stay valid when c is reused.
	Next(ctx context.Context, c *heatmap.Chunk) error
	Close() error
}

// JournalSource makes a Source of a journal.
func JournalSource(j *journal.Journal) Source { return journalSource{j} }

type journalSource struct{ *journal.Journal }

func (s journalSource) ID() string { return s.Source() }

func (s journalSource) Open(position uint64) (Reader, error) { return s.Read(position) }
