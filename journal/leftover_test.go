package journal_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"heatlog/journal"
)

// TestLeftovers lists what lies beside the segments, and deletes of it what was put aside and is old, nothing else.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	j, err := journal.Open(dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	mustAppend(t, j, journal.NewTraffic(1)(20))
	infos, err := journal.List(nil, dir)
	if err != nil || len(infos) != 1 {
		t.Fatal(infos, err)
	}
	segment, now := infos[0].Name, time.Now()
	old := now.Add(-100 * 24 * time.Hour)
	limit := now.Add(-90 * 24 * time.Hour).UnixMilli()
	put := func(name string, at time.Time) {
		t.Helper()
		path := filepath.Join(dir, j.Source(), name)
		if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	oldAside := []string{segment + ".torn", segment + ".torn-12", segment + ".bad", "MANIFEST.bad-2"}
	youngAside := []string{segment + ".torn-2", segment + ".bad-3", "MANIFEST.bad"}
	unfinished := []string{segment + ".tmp", segment + ".torn.tmp"}
	strange := []string{"notes.torn", "notes.bad", segment + ".torn-x", segment + ".torn.gz"}
	for _, name := range slices.Concat(oldAside, unfinished, strange) {
		put(name, old)
	}
	for _, name := range youngAside {
		put(name, now)
	}
	there := func(want ...[]string) {
		t.Helper()
		all, err := journal.Leftovers(nil, dir)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, l := range all {
			names = append(names, l.Name)
			when := old
			if slices.Contains(youngAside, l.Name) {
				when = now
			}
			if l.Source != j.Source() || l.Bytes != 5 || l.Modified != when.UnixMilli() || l.Unfinished != slices.Contains(unfinished, l.Name) {
				t.Errorf("leftover %+v", l)
			}
		}
		if want := slices.Sorted(slices.Values(slices.Concat(want...))); !slices.Equal(names, want) {
			t.Errorf("left over are %q, want %q", names, want)
		}
		for _, name := range append(slices.Clone(strange), segment) {
			if _, err := os.Stat(filepath.Join(dir, j.Source(), name)); err != nil {
				t.Error(err)
			}
		}
	}
	there(oldAside, youngAside, unfinished)
	mustPrune(t, j, journal.PruneOptions{KeepBytes: 1})
	there(oldAside, youngAside, unfinished)
	mustPrune(t, j, journal.PruneOptions{OlderThan: old.UnixMilli()})
	there(oldAside, youngAside, unfinished)
	if rep := mustPrune(t, j, journal.PruneOptions{OlderThan: limit}); rep.Aside != len(oldAside) || rep.AsideBytes != int64(5*len(oldAside)) || rep.Segments != 0 {
		t.Errorf("prune: %+v", rep)
	}
	there(youngAside, unfinished)
}
