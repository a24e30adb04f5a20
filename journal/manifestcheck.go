package journal

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
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
	sealed, _, _ := o.catalog.allSealed()
	rep.Sealed = len(sealed)
	switch {
	case m.err != nil:
		note(ErrManifest, "%w", m.err)
	case m.missing && len(sealed) > 0:
		note(ErrManifest, "open %s", filepath.Join(o.dir, manifestName))
	}
	there := map[string]bool{}
	for _, at := range sealed {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		there[at.name.String()] = true
		e := m.entry(at.name.String())
		if e == nil {
			if m.err == nil && !m.missing {
				note(ErrManifest, "segment %s is not listed", at.path)
			}
			continue
		}
		sum, size, err := sumFile(o.fsys, at.path)
		if err != nil {
			return err
		}
		if sum != e.sum || size != e.bytes {
			note(ErrChanged, "segment %s has %d bytes and SHA-256 %x, want %d bytes and %x", at.path, size, sum[:4], e.bytes, e.sum[:4])
		}
	}
	for i := range m.entries {
		if e := &m.entries[i]; !there[e.name] {
			note(ErrMissing, "segment %s, positions up to %d", filepath.Join(o.dir, e.name), e.end)
		}
	}
	return nil
}
