package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"
)

// What Verify finds when it compares MANIFEST with the sealed segments.
var (
	// ErrManifest means that MANIFEST is missing or damaged, or lacks a segment: the next Seal makes it anew.
	ErrManifest = errors.New("manifest is incomplete")
	// ErrChanged means that a sealed segment is not the one that MANIFEST lists.
	ErrChanged = errors.New("sealed segment is not the one that was sealed")
	// ErrMissing means that a segment that MANIFEST lists is not there.
	ErrMissing = errors.New("sealed segment is missing")
)

// compareManifest notes in rep where MANIFEST and the sealed segments do not agree.
func (o *opened) compareManifest(ctx context.Context, rep *Report) error {
	note := func(err error, format string, args ...any) {
		rep.Manifest = append(rep.Manifest, fmt.Errorf(format+": %w", append(args, err)...))
	}
	m := &o.manifest
	sealed := o.catalog.sealedThere()
	rep.Sealed = len(sealed)
	switch {
	case m.err != nil:
		note(ErrManifest, "%w", m.err)
	case m.missing && len(sealed) > 0:
		note(ErrManifest, "%s is not there, so nothing tells whether sealed segments are missing or others; the next heatlog journal seal makes it anew from what is there", filepath.Join(o.dir, manifestName))
	}
	there := map[string]bool{}
	for _, at := range sealed {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		there[at.name.String()] = true
		e := m.entry(at.name.String())
		if e == nil {
			if m.err == nil && !m.missing && !o.listedNow(at) {
				note(ErrManifest, "segment %s is not listed", at.path)
			}
			continue
		}
		sum, size, err := sumFile(o.fsys, at.path)
		if errors.Is(err, fs.ErrNotExist) {
			there[at.name.String()] = false // pruned, or missing
			continue
		}
		if err != nil {
			return err
		}
		if sum != e.sum || size != e.bytes {
			note(ErrChanged, "segment %s has %d bytes and SHA-256 %x, want %d bytes and %x", at.path, size, sum[:4], e.bytes, e.sum[:4])
		}
	}
	for i := range m.entries {
		if e := &m.entries[i]; !there[e.name] && o.missing(e) {
			note(ErrMissing, "segment %s, positions up to %d", filepath.Join(o.dir, e.name), e.end)
		}
	}
	return nil
}

// listedNow reports whether a sealed segment that MANIFEST lacked is in it by now, or was pruned: another process may be at it.
func (o *opened) listedNow(at place) bool {
	const (
		tries = 5
		every = 20 * time.Millisecond
	)
	for range tries {
		m, err := readManifest(o.fsys, o.dir, o.source)
		if err == nil && m.entry(at.name.String()) != nil {
			return true
		}
		if f, err := o.fsys.Open(at.path); errors.Is(err, fs.ErrNotExist) {
			return true
		} else if err == nil {
			_ = f.Close()
		}
		time.Sleep(every)
	}
	return false
}

// missing reports whether a segment that MANIFEST lists is not there, and was not pruned since.
func (o *opened) missing(e *manifestEntry) bool {
	f, err := o.fsys.Open(filepath.Join(o.dir, e.name))
	if err == nil {
		_ = f.Close()
		return false // sealed since the folder was listed
	}
	m, err := readManifest(o.fsys, o.dir, o.source)
	return err != nil || m.entry(e.name) != nil
}
