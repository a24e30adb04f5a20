package pebblestore

import (
	"context"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Stats are counts since Open, and sizes at the moment.
type Stats struct {
	Written   uint64 // documents that swaps wrote
	Conflicts uint64 // documents that swaps left because their watermark was another
	Reopened  uint64 // times that a broken database was opened anew

	DiskBytes     uint64 // all files, those too that are about to go
	TableBytes    uint64 // tables, which is what remains after Compact
	Tables        int64
	MemTableBytes uint64
	CacheBytes    int64
	CacheHits     int64
	CacheMisses   int64
	ReadAmp       int    // tables that a read may have to look into
	Debt          uint64 // bytes that wait for compaction
	ReadOnly      bool   // nothing can be written at the moment
}

// Stats gives counts and sizes. It counts no documents: that is a scan. After Close it gives only the counts.
func (s *Store) Stats() Stats {
	st := Stats{Written: s.written.Load(), Conflicts: s.conflicts.Load(), Reopened: s.reopened.Load()}
	s.mu.Lock()
	e := s.engine
	if s.closed || e.fence.broken() != nil {
		s.mu.Unlock()
		st.ReadOnly = true
		return st
	}
	e.users.Add(1)
	s.mu.Unlock()
	defer e.users.Done()
	st.add(e.db.Metrics())
	st.ReadOnly = e.readOnly
	return st
}

func (st *Stats) add(m *pebble.Metrics) {
	for i := range m.Levels {
		st.TableBytes += uint64(m.Levels[i].TablesSize)
		st.Tables += m.Levels[i].TablesCount
	}
	st.DiskBytes = m.DiskSpaceUsage()
	st.MemTableBytes = m.MemTable.Size
	st.CacheBytes, st.CacheHits, st.CacheMisses = m.BlockCache.Size, m.BlockCache.Hits, m.BlockCache.Misses
	st.ReadAmp, st.Debt = m.ReadAmp(), m.Compact.EstimatedDebt
}

// Flush writes what is held in memory to tables.
func (s *Store) Flush(ctx context.Context) error {
	e, err := s.enter(ctx, true)
	if err != nil {
		return err
	}
	defer e.users.Done()
	if err := e.flush(ctx); err != nil {
		return fmt.Errorf("flush store: %w", err)
	}
	return nil
}

// Compact rewrites all tables, so that each document is there once: for measuring, and after a generation was dropped.
func (s *Store) Compact(ctx context.Context) error {
	e, err := s.enter(ctx, true)
	if err != nil {
		return err
	}
	defer e.users.Done()
	err = e.flush(ctx)
	if err == nil {
		err = e.db.Compact(ctx, []byte{0}, []byte{0xff}, false)
	}
	if err != nil {
		return fmt.Errorf("compact store: %w", err)
	}
	return nil
}
