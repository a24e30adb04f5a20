package index

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
)

// simStore is a store whose answers get lost and whose writes land late.
type simStore struct {
	world   *sim
	docs    map[Ref]Doc
	records map[string][]byte
	late    []Write
	version uint64 // grows with each change, that of a late write too
	calm    bool   // nothing fails any more
}

var errStore = errors.New("no answer")

// calm is the store's records without a failure.
type calm struct{ *simStore }

func (s calm) Record(_ context.Context, name string) ([]byte, error) { return s.records[name], nil }

func (s *simStore) fails(one int) bool { return !s.calm && s.world.rand.IntN(one) == 0 }

func (s *simStore) Load(_ context.Context, refs []Ref) ([]Doc, error) {
	if s.fails(12) {
		return nil, errStore
	}
	docs := make([]Doc, len(refs))
	for i, r := range refs {
		docs[i] = s.docs[r]
		docs[i].Ref = r
	}
	return docs, nil
}

func (s *simStore) Swap(_ context.Context, writes []Write) ([]bool, error) {
	applied := make([]bool, len(writes))
	lost := s.fails(6)
	for i, w := range writes {
		switch {
		case lost && s.fails(3):
			s.late = append(s.late, w)
		case lost && s.fails(2):
		default:
			applied[i] = s.swap(w)
		}
	}
	if lost {
		s.world.counts.LostAnswers++
		return nil, errStore
	}
	return applied, nil
}

func (s *simStore) swap(w Write) bool {
	if s.docs[w.Ref].Watermark != w.Old {
		return false
	}
	s.docs[w.Ref] = Doc{Ref: w.Ref, Watermark: w.New, Blob: w.Blob}
	s.version++
	return true
}

// land lets a late write arrive.
func (s *simStore) land() {
	if len(s.late) == 0 {
		return
	}
	i := s.world.rand.IntN(len(s.late))
	w := s.late[i]
	s.late = slices.Delete(s.late, i, i+1)
	if s.swap(w) {
		s.world.counts.LateWrites++
	}
}

func (s *simStore) Scan(_ context.Context, r Range, fn func(Doc) error) error {
	if s.fails(12) {
		return errStore
	}
	for _, ref := range slices.SortedFunc(maps.Keys(s.docs), compareRefs) {
		d := s.docs[ref]
		in := slices.ContainsFunc(r.Periods, func(p PeriodRange) bool { return p.First <= ref.Period && ref.Period <= p.Last })
		if ref.Generation != r.Generation || ref.Page != r.Page && !(r.IsPrefix && strings.HasPrefix(ref.Page, r.Page)) || !in {
			continue
		}
		if err := fn(d); err != nil {
			return err
		}
	}
	return nil
}

// compareRefs gives the order of Scan.
func compareRefs(a, b Ref) int {
	return cmp.Or(cmp.Compare(a.Page, b.Page), cmp.Compare(a.Period, b.Period), cmp.Compare(a.Source, b.Source))
}

func (s *simStore) Version() uint64 { return s.version }

func (s *simStore) PageVersion(string, string) uint64 { return s.version }

func (s *simStore) Sites(_ context.Context, generation string) ([]string, error) {
	if s.fails(12) {
		return nil, errStore
	}
	return sitesOf(s.docs, generation), nil
}

// sitesOf gives the sites that a generation has documents of.
func sitesOf(docs map[Ref]Doc, generation string) []string {
	sites := make(map[string]bool)
	for r := range docs {
		if r.Generation == generation {
			sites[r.Site] = true
		}
	}
	return slices.Sorted(maps.Keys(sites))
}

func (s *simStore) Drop(_ context.Context, generation string) error {
	if s.fails(12) {
		return errStore
	}
	maps.DeleteFunc(s.docs, func(r Ref, _ Doc) bool { return r.Generation == generation })
	s.version++
	return nil
}

func (s *simStore) Record(_ context.Context, name string) ([]byte, error) {
	if s.fails(12) {
		return nil, errStore
	}
	return s.records[name], nil
}

func (s *simStore) SwapRecord(_ context.Context, name string, old, value []byte) (bool, error) {
	lost := s.fails(8)
	if lost && s.fails(2) {
		return false, errStore
	}
	if string(s.records[name]) != string(old) {
		return false, nil
	}
	if s.records[name] = value; value == nil {
		delete(s.records, name)
	}
	if lost {
		return false, errStore
	}
	return true, nil
}
