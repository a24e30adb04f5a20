package index

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// mapStore is a store in memory. Package pebblestore imports this one, so these tests cannot use it.
type mapStore struct {
	mu      sync.Mutex
	docs    map[Ref]Doc
	records map[string][]byte
	version atomic.Uint64
}

func (s *mapStore) Version() uint64 { return s.version.Load() }

func (s *mapStore) PageVersion(string, string) uint64 { return s.version.Load() }

func newMapStore() *mapStore {
	return &mapStore{docs: make(map[Ref]Doc), records: make(map[string][]byte)}
}

func (s *mapStore) Load(_ context.Context, refs []Ref) ([]Doc, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	docs := make([]Doc, len(refs))
	for i, r := range refs {
		docs[i] = s.docs[r]
		docs[i].Ref = r
	}
	return docs, nil
}

func (s *mapStore) Swap(_ context.Context, writes []Write) ([]bool, error) {
	s.version.Add(1)
	defer s.version.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	applied := make([]bool, len(writes))
	for i, w := range writes {
		if s.docs[w.Ref].Watermark == w.Old {
			s.docs[w.Ref] = Doc{Ref: w.Ref, Watermark: w.New, Blob: w.Blob}
			applied[i] = true
		}
	}
	return applied, nil
}

func (s *mapStore) Scan(_ context.Context, r Range, fn func(Doc) error) error {
	for i, p := range r.Periods {
		if i > 0 && p.First <= r.Periods[i-1].Last {
			return fmt.Errorf("periods %v are not ascending", r.Periods)
		}
	}
	s.mu.Lock()
	var found []Doc
	for ref, d := range s.docs {
		page := ref.Page == r.Page || r.IsPrefix && strings.HasPrefix(ref.Page, r.Page)
		period := r.Periods == nil || slices.ContainsFunc(r.Periods, func(p PeriodRange) bool { return p.First <= ref.Period && ref.Period <= p.Last })
		if ref.Generation == r.Generation && (ref.Site == r.Site || r.AllSites) && page && period {
			found = append(found, d)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(found, func(a, b Doc) int {
		return cmp.Or(cmp.Compare(a.Page, b.Page), cmp.Compare(a.Period, b.Period), cmp.Compare(a.Source, b.Source))
	})
	for _, d := range found {
		if err := fn(d); err != nil {
			return err
		}
	}
	return nil
}

func (s *mapStore) Sites(_ context.Context, generation string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sitesOf(s.docs, generation), nil
}

func (s *mapStore) Drop(_ context.Context, generation string) error {
	s.version.Add(1)
	defer s.version.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.docs, func(r Ref, _ Doc) bool { return r.Generation == generation })
	return nil
}

func (s *mapStore) Record(_ context.Context, name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records[name], nil
}

func (s *mapStore) SwapRecord(_ context.Context, name string, old, value []byte) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	have := s.records[name]
	if string(have) != string(old) || (have == nil) != (old == nil) {
		return false, nil
	}
	if s.records[name] = value; value == nil {
		delete(s.records, name)
	}
	return true, nil
}
