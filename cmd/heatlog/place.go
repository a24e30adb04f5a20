package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"heatlog/journal"
)

// placeNote is what a data folder remembers of the run before, for a start at which the store cannot be asked whether the journal
// is an older copy. Such a journal must not get hits at positions that were given out before.
type placeNote struct {
	Source string `json:"source"`          // the journal's, when it was written last
	Place  string `json:"place,omitempty"` // of that source's folder, "" = unknown

	// Unasked gives of each source the position from which hits were taken while the store could not be asked. It is empty once
	// the store was asked.
	Unasked map[string]uint64 `json:"unasked,omitempty"`

	// Cut gives of frozen sources the position from which hits are in no count: they were taken unasked, and the journal
	// turned out to be an older copy.
	Cut map[string]uint64 `json:"cut,omitempty"`
}

func (d dataDir) place() string { return filepath.Join(string(d), "place.json") }

// readPlace reads the note, an empty one where there is none.
func (d dataDir) readPlace() (n placeNote, err error) {
	b, err := os.ReadFile(d.place())
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &n)
	}
	if err != nil {
		return n, withHint(fmt.Errorf("read %s: %w", d.place(), err), "put a copy of the file back, or start without it once the store can be reached")
	}
	return n, nil
}

// writePlace replaces the note, durably.
func (d dataDir) writePlace(n placeNote) error {
	b, err := json.Marshal(&n)
	if err == nil {
		err = replaceFile(d.place(), append(b, '\n'))
	}
	if err == nil {
		err = syncFolder(string(d))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", d.place(), err)
	}
	return nil
}

// syncFolder makes the names in a folder durable.
func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// sourceFolder is the folder of a source of the journal.
func (d dataDir) sourceFolder(source string) string { return filepath.Join(d.journal(), source) }

// judgedEnd is where the journal ends as far as the store was asked about it.
func (n *placeNote) judgedEnd(j *journal.Journal) uint64 {
	if end, ok := n.Unasked[j.Source()]; ok {
		return min(end, j.Durable())
	}
	return j.Durable()
}

// isHome reports whether a journal is where it was written last, so that nobody else can have written it on from there.
func (n *placeNote) isHome(d dataDir, j *journal.Journal) bool {
	if n.Source == "" && j.Durable() == 0 {
		return true // it was just made
	}
	place, err := folderPlace(d.sourceFolder(j.Source()))
	return err == nil && n.Source == j.Source() && n.Place == place
}

// settle notes that a journal is written here, from which positions on hits are taken unasked (nil if the store was asked), and
// which sources are cut.
func (n *placeNote) settle(d dataDir, j *journal.Journal, unasked, cut map[string]uint64) error {
	next := placeNote{Source: j.Source(), Unasked: unasked, Cut: cut}
	next.Place, _ = folderPlace(d.sourceFolder(j.Source())) // none is never home
	if next.Place == n.Place && next.Source == n.Source && maps.Equal(next.Unasked, n.Unasked) && maps.Equal(next.Cut, n.Cut) {
		return nil // the file says so already
	}
	if err := d.writePlace(next); err != nil {
		return err
	}
	*n = next
	return nil
}
