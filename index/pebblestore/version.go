package pebblestore

import (
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"heatlog/index"
)

// versions count changes of pages' documents. Pages whose names have the same low digits of a hash share a count.
type versions struct {
	all   atomic.Uint64 // changes that may be of any page
	pages [4096]atomic.Uint64
}

func (v *versions) of(site, page string) *atomic.Uint64 {
	return &v.pages[(xxhash.Sum64String(page)^xxhash.Sum64String(site))%uint64(len(v.pages))]
}

// Version tells whether documents have changed, or are being changed: see index.Versioned. No other process has the folder.
func (s *Store) Version() uint64 { return s.version.Load() }

// PageVersion is Version for the documents of one page.
func (s *Store) PageVersion(site, page string) uint64 {
	return s.pages.all.Load() + s.pages.of(site, page).Load()
}

// changed marks the begin or the end of a change that may be of any page.
func (s *Store) changed() {
	s.version.Add(1)
	s.pages.all.Add(1)
}

// changing marks the begin or the end of writes.
func (s *Store) changing(writes []index.Write) {
	s.version.Add(1)
	for i := range writes {
		s.pages.of(writes[i].Site, writes[i].Page).Add(1)
	}
}
