package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// Leftover is a file of a source that is no part of its journal.
type Leftover struct {
	Source     string
	Name       string // of the file
	Bytes      int64
	Modified   int64 // when it was last written, Unix ms, 0 = unknown
	Unfinished bool  // it is being written, or a crash came: the next Open removes it. The others stay for a person to look at
}

// Leftovers lists the files in dir that opening and sealing have put aside or left unfinished, by source and name. It changes
// nothing and may run while another process writes. A nil fsys is OS.
func Leftovers(fsys FS, dir string) (all []Leftover, err error) {
	if fsys == nil {
		fsys = OS{}
	}
	s, err := findSources(fsys, dir)
	if err != nil {
		return nil, err
	}
	ids := s.active
	for _, f := range s.frozen {
		ids = append(ids, f.source)
	}
	for _, id := range ids {
		of, err := leftoversOf(fsys, filepath.Join(dir, sourceName(id)), id)
		if err != nil {
			return nil, err
		}
		all = append(all, of...)
	}
	return all, nil
}

// leftoversOf lists those in the folder of one source.
func leftoversOf(fsys FS, dir string, source uint64) (all []Leftover, err error) {
	entries, err := fsys.List(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list source folder: %w", err)
	}
	for _, e := range entries {
		unfinished := strings.HasSuffix(e.Name, tmpSuffix)
		if !e.Dir && (unfinished || isAside(e.Name)) {
			all = append(all, Leftover{Source: sourceName(source), Name: e.Name, Bytes: e.Size, Modified: e.Modified, Unfinished: unfinished})
		}
	}
	return all, nil
}

// isAside reports whether a file is one that was put aside: its name is that of a segment or MANIFEST, a suffix, and perhaps
// a number, as freeName makes it.
func isAside(name string) bool {
	if at := strings.LastIndexByte(name, '-'); at >= 0 && strings.Trim(name[at+1:], "0123456789") == "" {
		name = name[:at]
	}
	of, bad := strings.CutSuffix(name, badSuffix)
	torn := false
	if !bad {
		of, torn = strings.CutSuffix(name, tornSuffix)
	}
	_, segment := parseSegmentName(of)
	return (bad || torn) && (segment || of == manifestName)
}

// forgetAside deletes what was put aside and last written before OlderThan. What it holds is older still.
func (p *pruning) forgetAside() error {
	if p.o.OlderThan <= 0 {
		return nil
	}
	for _, s := range p.sources {
		all, err := leftoversOf(s.o.FS, s.dir, s.source)
		if err != nil {
			return err
		}
		for _, l := range all {
			if l.Unfinished || l.Modified == 0 || l.Modified >= p.o.OlderThan {
				continue
			}
			s.remove = append(s.remove, filepath.Join(s.dir, l.Name))
			if err := s.clear(); err != nil {
				return fmt.Errorf("remove %s: %w", l.Name, err)
			}
			p.rep.Aside++
			p.rep.AsideBytes += l.Bytes
			s.o.Logger.Info("file that was put aside is deleted", "source", l.Source, "file", l.Name, "bytes", l.Bytes)
		}
	}
	return nil
}
