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
	OlderThan int64 // append time, Unix ms: segments whose hits are all older go, and older files that were put aside; 0 = none for their age
	KeepBytes int64 // the oldest go while the segments are longer together, bytes; 0 = none for the size
	// Below gives the position of a source below which nobody needs a hit any more; asked before each segment. nil = all may go.
	//
	// The caller answers for all who read: the least checkpoint of every generation, the begin of what each of them needs
	// to tell repeats (the last 10-minute bucket of append time before the checkpoint's own: [Log.Before] finds it), what a
	// replay still has to read, and what is not copied to an archive yet. Of a frozen source that is counted to its end
	// nothing is needed.
	Below func(source string) uint64
}

// PruneReport is what Prune did.
type PruneReport struct {
	Segments int    // deleted, of all sources
	Hits     uint64 // in them
	Bytes    int64
	First    uint64 // first position that is kept of the source that is written; [Log.First] tells it of frozen ones
	Until    int64  // the hits were appended before it or then, Unix ms; 0 = none was deleted, or it is unknown
	Held     bool   // Below kept a segment that should go otherwise
	Unsealed bool   // a segment that should go is not sealed

	Aside      int   // files deleted that were put aside: torn tails, and what was not sound
	AsideBytes int64 // of them
}

// Prune deletes whole sealed segments of all sources, the oldest first, and never the last segment of the source that is
// written. Of a frozen source all can go; it then ends where it ended, and begins there too. After a crash or an error each
// source begins at a segment as before, without a gap: MANIFEST is told first, and each file is gone for good before the
// next one goes. A reader that has a deleted segment open reads it to its end; whoever comes later gets a *PrunedError.
//
// For their size, newer segments do not go in place of older ones that are held or not sealed yet. A segment of a frozen
// source that cannot be sealed, because it is damaged, keeps only its own source.
func (j *Journal) Prune(ctx context.Context, o PruneOptions) (rep PruneReport, err error) {
	p := &pruning{o: o}
	defer func() {
		rep = p.rep
		rep.First = j.First()
		j.sealer.counters.prune(ctx, &rep, err)
	}()
	for _, l := range j.logs() {
		if err := l.sealer.enter(ctx); err != nil {
			return rep, err
		}
		defer l.sealer.leave()
		if err := p.add(l.sealer); err != nil {
			return rep, err
		}
	}
	for ctx.Err() == nil {
		s := p.oldest()
		if s == nil {
			return rep, p.forgetAside()
		}
		if err := p.segment(s); err != nil {
			return rep, fmt.Errorf("prune segment %s: %w", s.at.path, err)
		}
	}
	return rep, context.Cause(ctx)
}

// pruning is one run of Prune, which has the turn of all sources.
type pruning struct {
	o       PruneOptions
	sources []*pruned
	total   int64 // length of all segments that count, bytes
	rep     PruneReport
}

// pruned is a source that is pruned.
type pruned struct {
	*sealer
	sizes      map[string]int64
	superseded []segmentName
	done       bool // nothing more of it goes

	at   place // its first segment if that is full, with the position after it and the append time of its end
	end  uint64
	last int64
}

func (p *pruning) add(s *sealer) error {
	if err := s.clear(); err != nil {
		return err
	}
	total, sizes, superseded, err := s.files()
	if err != nil {
		return err
	}
	p.total += total
	p.sources = append(p.sources, &pruned{sealer: s, sizes: sizes, superseded: superseded})
	return nil
}

// oldest gives the source whose first segment is the oldest, nil if there is none left that may go.
func (p *pruning) oldest() (oldest *pruned) {
	for _, s := range p.sources {
		if s.done {
			continue
		}
		if s.at, s.end, s.last = s.catalog.oldest(); s.at.segment == nil {
			s.done = true
		} else if oldest == nil || s.last < oldest.last {
			oldest = s
		}
	}
	return oldest
}

// segment deletes the first segment of a source, or notes that and why it stays.
func (p *pruning) segment(s *pruned) error {
	old := p.o.OlderThan > 0 && s.last > 0 && s.last < p.o.OlderThan
	large := p.o.KeepBytes > 0 && p.total > p.o.KeepBytes
	switch {
	case !old && !large:
		s.done = true
		return nil
	case !s.at.name.sealed:
		p.rep.Unsealed, s.done = true, true
		if !s.catalog.frozen || !s.stuck(s.at) {
			p.o.KeepBytes = 0
		}
		return nil
	case p.o.Below != nil && s.end > p.o.Below(sourceName(s.source)):
		p.rep.Held, s.done = true, true
		p.o.KeepBytes = 0
		return nil
	}
	err := s.forget()
	if err == nil {
		err = s.delete(s.at, s.end)
	}
	if err != nil {
		return err
	}
	size := s.sizes[s.at.name.String()]
	p.total -= size
	p.rep.Segments++
	p.rep.Until = max(p.rep.Until, s.last)
	p.rep.Hits += s.end - s.at.segment.base
	p.rep.Bytes += size
	return nil
}

// stuck reports whether a segment cannot be sealed.
func (s *sealer) stuck(at place) bool {
	return s.unsound[at.segment.base] || s.catalog.look(at.segment).damage != nil
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

// forget removes superseded segments that begin below the end of the first one, or all with the last one: without the
// segments that supersede them they would count.
func (s *pruned) forget() error {
	var rest []segmentName
	for _, name := range s.superseded {
		if name.base < s.end || s.end == s.catalog.durable() {
			s.remove = append(s.remove, filepath.Join(s.dir, name.String()))
		} else {
			rest = append(rest, name)
		}
	}
	s.superseded = rest
	return s.clear()
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
		} else if name, ok := parseSegmentName(e.Name); ok && (name.base < last || s.catalog.frozen) {
			superseded = append(superseded, name)
		}
	}
	return total, sizes, superseded, nil
}
