package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// PruneOptions say what Prune deletes: segments that are too old, and the oldest of a journal that is too large.
type PruneOptions struct {
	OlderThan int64 // append time, Unix ms: segments whose hits are all older go; 0 = none for their age
	KeepBytes int64 // the oldest go while the segments are longer together, bytes; 0 = none for the size
	// Below gives the position below which nobody needs a hit any more; asked before each segment. nil = all may go.
	//
	// The caller answers for all who read: the least checkpoint of every generation, the begin of what each of them needs
	// to tell repeats (the last 10-minute bucket of append time before the checkpoint's own: [Log.Before] finds it), what a
	// replay still has to read, and what is not copied to an archive yet.
	Below func() uint64
}

// PruneReport is what Prune did.
type PruneReport struct {
	Segments int    // deleted
	Hits     uint64 // in them
	Bytes    int64
	First    uint64 // first position that is kept
	Until    int64  // the hits were appended before it or then, Unix ms; 0 = none was deleted, or it is unknown
	Held     bool   // Below kept a segment that should go otherwise
	Unsealed bool   // a segment that should go is not sealed
}

// Prune deletes whole sealed segments, the oldest first, and never the last segment. After a crash or an error the
// journal begins at a segment as before, without a gap: MANIFEST is told first, and each file is gone for good before the
// next one goes. Frozen sources stay as they are. A reader that has a deleted segment open reads it to its end; whoever comes later gets a *PrunedError.
func (j *Journal) Prune(ctx context.Context, o PruneOptions) (PruneReport, error) {
	rep, err := j.sealer.prune(ctx, o)
	rep.First = j.First()
	return rep, err
}

func (s *sealer) prune(ctx context.Context, o PruneOptions) (rep PruneReport, err error) {
	if err := s.enter(ctx); err != nil {
		return rep, err
	}
	defer s.leave()
	defer func() { s.counters.prune(ctx, &rep, err) }()
	if err := s.clear(); err != nil {
		return rep, err
	}
	total, sizes, superseded, err := s.files()
	if err != nil {
		return rep, err
	}
	for ctx.Err() == nil {
		at, end, last := s.catalog.oldest()
		if at.segment == nil {
			return rep, nil
		}
		old := o.OlderThan > 0 && last > 0 && last < o.OlderThan
		if large := o.KeepBytes > 0 && total > o.KeepBytes; !old && !large {
			return rep, nil
		}
		if rep.Unsealed = !at.name.sealed; rep.Unsealed {
			return rep, nil
		}
		if rep.Held = o.Below != nil && end > o.Below(); rep.Held {
			return rep, nil
		}
		if superseded, err = s.forget(superseded, end); err == nil {
			err = s.delete(at, end)
		}
		if err != nil {
			return rep, fmt.Errorf("prune segment %s: %w", at.name, err)
		}
		size := sizes[at.name.String()]
		total -= size
		rep.Segments++
		rep.Until = max(rep.Until, last)
		rep.Hits += end - at.segment.base
		rep.Bytes += size
	}
	return rep, context.Cause(ctx)
}

// delete takes the first segment out of MANIFEST, out of the readers' sight and off the disk, in this order.
func (s *sealer) delete(at place, end uint64) error {
	before := s.manifest
	s.manifest.remove(at.name.String())
	s.manifest.first = max(s.manifest.first, end)
	if err := s.save(); err != nil {
		s.manifest, s.unsaved = before, true
		return err
	}
	s.catalog.drop(at.segment)
	s.remove = append(s.remove, at.path)
	s.o.Logger.Info("journal segment is pruned", "segment", at.path, "hits", end-at.segment.base)
	return s.clear()
}

// forget removes superseded segments that begin below end: without the segments that supersede them they would count.
func (s *sealer) forget(superseded []segmentName, end uint64) (rest []segmentName, err error) {
	for _, name := range superseded {
		if name.base < end {
			s.remove = append(s.remove, filepath.Join(s.dir, name.String()))
		} else {
			rest = append(rest, name)
		}
	}
	return rest, s.clear()
}

// files gives the lengths of all segments that count, and the names of those that do not.
func (s *sealer) files() (total int64, sizes map[string]int64, superseded []segmentName, err error) {
	last := s.catalog.durable()
	paths := s.catalog.paths() // later than the position and before the files: what is added in between counts
	entries, err := s.o.FS.List(s.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, nil, nil, fmt.Errorf("list source folder: %w", err)
	}
	sizes = map[string]int64{}
	for _, e := range entries {
		if paths[filepath.Join(s.dir, e.Name)] {
			sizes[e.Name] = e.Size
			total += e.Size
		} else if name, ok := parseSegmentName(e.Name); ok && name.base < last {
			superseded = append(superseded, name)
		}
	}
	return total, sizes, superseded, nil
}
