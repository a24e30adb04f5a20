package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// frozenSuffix ends the name of the file that says that a source is frozen. It lies beside the source's folder and not in
// it, so that a source stays frozen whose folder is put back from a copy.
const frozenSuffix = ".frozen"

// Log is the hits of one source, to be read. Its methods are safe for concurrent use.
type Log struct {
	source  uint64
	catalog *catalog
	sealer  *sealer
}

// Source is the random id that the source got when it was created: "j" and 16 hexadecimal digits.
func (l *Log) Source() string { return sourceName(l.source) }

// Durable is the position below which every hit is synced. It never goes back, and readers see what is below it.
func (l *Log) Durable() uint64 { return l.catalog.durable() }

// First is the first position that is kept.
func (l *Log) First() uint64 { return l.catalog.first() }

// Frozen gives the sources that are never written again, in the order in which they were frozen. A reader of one gets
// io.EOF at its end. They are valid until Close; whoever has a reader open then can read on.
func (j *Journal) Frozen() []*Log { return j.frozen }

// Freeze ends the journal's source for good and gives a journal that goes on under a new one, from position 0. The lock
// is kept; j is closed, whatever happens. It is for a journal that turns out to be an older copy, whose next positions
// were given out before. What was in it is among [Journal.Frozen] of the new one.
//
// The file that says so is durable before the new source is made, and a start without a source that can be written makes
// one. So a crash at any step leaves the journal as it was or frozen, and a start that finds it as it was freezes it again.
func (j *Journal) Freeze() (*Journal, error) {
	dir := filepath.Dir(j.sealer.dir)
	err := ErrClosed
	j.closeOnce.Do(func() {
		j.end()
		err = j.closeErr
		if err == nil {
			err = freeze(j.o.FS, dir, j.source, j.Durable())
		}
		if err == nil {
			var next *Journal
			if next, err = openLocked(dir, j.lock, j.o); err == nil {
				j.next = next
				return
			}
		}
		err = errors.Join(err, j.lock.Close())
		j.closeErr = err
	})
	if err != nil {
		return nil, fmt.Errorf("freeze journal %s: %w", j.Source(), err)
	}
	return j.next, nil
}

// freeze notes that a source which ends at a position is frozen.
func freeze(fsys FS, dir string, source, end uint64) error {
	s, err := findSources(fsys, dir)
	if err != nil {
		return err
	}
	order := uint64(1)
	for _, f := range s.frozen {
		order = max(order, f.order+1)
	}
	path := filepath.Join(dir, sourceName(source)+frozenSuffix)
	text := fmt.Sprintf("heatlog journal 1\nfrozen %s\norder %d\nend %d\n", sourceName(source), order, end)
	if err := writeFile(fsys, path, []byte(text)); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := fsys.SyncDir(dir); err != nil {
		return fmt.Errorf("sync journal folder: %w", err)
	}
	return nil
}

// frozenSource is a source that is never written again.
type frozenSource struct{ source, order, end uint64 }

// startOf gives the position after the last hit of a frozen source, for when no segment is left that would tell it.
func (s frozenSource) startOf(f *folder) uint64 { return max(s.end, f.manifest.first) }

// sources are those whose folders are in a journal's folder.
type sources struct {
	frozen []frozenSource // in the order in which they were frozen
	active []uint64       // the one that is written; none in a new journal and when a crash came after a freeze
}

// findSources lists the sources in the journal's folder, none if there is no folder.
func findSources(fsys FS, dir string) (s sources, err error) {
	entries, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("list journal folder: %w", err)
	}
	for _, e := range entries {
		id, isSource := parseSourceName(e.Name)
		if !isSource || !e.Dir {
			continue
		}
		marker := e.Name + frozenSuffix
		if !slices.ContainsFunc(entries, func(e Entry) bool { return e.Name == marker }) {
			s.active = append(s.active, id)
			continue
		}
		order, end, err := readMarker(fsys, filepath.Join(dir, marker))
		if err != nil {
			return s, err
		}
		s.frozen = append(s.frozen, frozenSource{id, order, end})
	}
	slices.SortFunc(s.frozen, func(a, b frozenSource) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.source, b.source))
	})
	if len(s.active) > 1 {
		return s, fmt.Errorf("journal folder %s holds more than one source that is not frozen: %s, %s", dir,
			sourceName(s.active[0]), sourceName(s.active[1]))
	}
	return s, nil
}

// readMarker gives the order and the end in a file that says that a source is frozen, 0 if it is damaged: that it is there
// counts.
func readMarker(fsys FS, path string) (order, end uint64, err error) {
	f, err := fsys.Open(path)
	if err != nil {
		return 0, 0, fmt.Errorf("open %s: %w", path, err)
	}
	defer f.Close()
	b := make([]byte, 256)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, 0, fmt.Errorf("read %s: %w", path, err)
	}
	for line := range strings.Lines(string(b[:n])) {
		_, _ = fmt.Sscanf(line, "order %d", &order)
		_, _ = fmt.Sscanf(line, "end %d", &end)
	}
	return order, end, nil
}

// newLog makes the log of a frozen source's repaired folder.
func newLog(s frozenSource, f *folder, o Options) *Log {
	c := newCatalog(o.FS)
	c.segments, c.start, c.frozen, c.closed = f.segments, s.startOf(f), true, io.EOF
	return &Log{f.source, c, newSealer(o, f, c)}
}
