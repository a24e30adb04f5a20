package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
)

// open opens the file of a place. A segment that was sealed since has another one, which may have to be read from an
// earlier chunk on; one that was pruned is a *PrunedError.
func (c *catalog) open(at place) (File, place, error) {
	for {
		f, err := c.fsys.Open(at.path)
		if err == nil {
			return f, at, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, at, fmt.Errorf("open segment: %w", err)
		}
		now, gone := c.again(at)
		if gone != nil {
			return nil, at, gone
		}
		if now.name == at.name {
			return nil, at, fmt.Errorf("open segment: %w", err)
		}
		at = now
	}
}

// again gives a place anew after its file was not found. Its name is the old one if nothing explains that.
func (c *catalog) again(old place) (place, error) {
	var form *segment
	if c.alone && !old.name.sealed {
		form, _ = loadForm(c.fsys, filepath.Join(filepath.Dir(old.path), old.name.as(true).String()), old.name.as(true), c.source)
	}
	if form != nil {
		c.sealed(old.segment, form)
	} else if c.alone {
		c.forget(old.segment)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.segments); form != nil && c.segments[n-1] == old.segment {
		old.segment.end = max(old.segment.end, form.end) // it grew and became full since
	}
	if !slices.Contains(c.segments, old.segment) {
		if len(c.segments) > 0 && c.segments[0].base > old.pos {
			return place{}, &PrunedError{Position: old.pos, First: c.segments[0].base}
		}
		if len(c.segments) == 0 && c.start > old.pos {
			return place{}, &PrunedError{Position: old.pos, First: c.start}
		}
		return old, nil
	}
	return old.segment.at(old.pos), nil
}

// forget takes segments out that another process has pruned, up to s at most; the last one stays.
func (c *catalog) forget(s *segment) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.segments) > 1 && c.segments[0].base <= s.base && c.gone(c.segments[0]) {
		c.segments = c.segments[1:]
	}
}

// gone reports whether there is no file of a segment any more. The sealed one is there before the other one goes, so it is
// asked for last.
func (c *catalog) gone(s *segment) bool {
	dir := filepath.Dir(s.path)
	for _, name := range []segmentName{s.name, s.name.as(true)} {
		f, err := c.fsys.Open(filepath.Join(dir, name.String()))
		if err == nil {
			_ = f.Close()
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return true
}

// loadForm reads what leads into a sealed segment.
func loadForm(fsys FS, path string, name segmentName, source uint64) (*segment, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, fmt.Errorf("size of segment %s: %w", path, err)
	}
	var sc scanner
	sc.reset(f, name, size)
	s := &segment{base: name.base, epoch: name.epoch, name: name, path: path, limit: wholeFile, bytes: size}
	_, s.end, err = s.loadSealed(&sc, source)
	return s, err
}
