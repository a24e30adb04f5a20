package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"heatlog/heatmap"
)

// SegmentInfo describes a segment of a journal.
type SegmentInfo struct {
	Source     string
	Name       string // of the file
	Epoch      uint32 // number of the segment, ascending with its age
	Bytes      int64
	Base, End  uint64 // positions: of its first hit, after its last
	Created    int64  // Unix ms, 0 = unknown
	First      int64  // append time of the first chunk, Unix ms, 0 = unknown
	Last       int64  // append time of the last chunk that could be read, Unix ms, 0 = there is none
	Chunks     int    // that could be read
	Frozen     bool   // of a source that is never written again
	Sealed     bool   // rewritten for good; it does not grow
	Superseded bool   // given up before anything in it was durable: nothing in it counts
	Damaged    bool   // a header in it is damaged, or it is missing
	Missing    bool   // MANIFEST lists it, and it is not there
	TailBytes  int64  // behind the last chunk: being written now, torn by a crash, or failed and written again in the next segment
}

// opened is a journal that is read without its lock.
type opened struct {
	fsys FS
	*folder
	catalog *catalog
	frozen  *frozenSource // nil if the source is written

	nameless bool // it has segments and no IDENTITY
}

// freeze notes that the source is frozen.
func (o *opened) freeze(f frozenSource) { o.frozen, o.catalog.start = &f, f.startOf(o.folder) }

// maxTries bounds how often a folder is read anew whose files another process replaces.
const maxTries = 20

// openToRead loads the sources in dir without a change to them, frozen ones first, in the order in which they were frozen.
// A nil fsys is OS.
func openToRead(fsys FS, dir string) (all []*opened, err error) {
	if fsys == nil {
		fsys = OS{}
	}
	s, err := findSources(fsys, dir)
	if err != nil {
		return nil, err
	}
	for _, f := range s.frozen {
		o, err := openSource(fsys, dir, f.source)
		if err != nil {
			return nil, err
		}
		o.freeze(f)
		all = append(all, o)
	}
	for _, source := range s.active {
		o, err := openSource(fsys, dir, source)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no journal in %s", dir)
	}
	return all, nil
}

// openSource loads one source.
func openSource(fsys FS, dir string, source uint64) (*opened, error) {
	sub := filepath.Join(dir, sourceName(source))
	named, err := checkIdentity(fsys, sub, source)
	if err != nil {
		return nil, err
	}
	f, err := loadFolder(fsys, sub, source)
	for tries := 1; errors.Is(err, fs.ErrNotExist) && tries < maxTries; tries++ {
		f, err = loadFolder(fsys, sub, source) // a segment was sealed or pruned in between
	}
	if err != nil {
		return nil, fmt.Errorf("load journal %s: %w", dir, err)
	}
	c := newCatalog(fsys)
	c.source, c.alone = source, true
	c.segments = f.segments
	return &opened{fsys: fsys, folder: f, catalog: c, nameless: !named && f.epoch > 0}, nil
}

// List describes the segments of the journal in dir, frozen sources first, and of each source oldest first and those that do
// not count at the end. It reads all headers, changes nothing and may run while another process writes. A nil fsys is OS.
func List(fsys FS, dir string) (infos []SegmentInfo, err error) {
	all, err := openToRead(fsys, dir)
	if err != nil {
		return nil, err
	}
	for _, o := range all {
		of, err := o.list()
		if err != nil {
			return nil, err
		}
		infos = append(infos, of...)
	}
	return infos, nil
}

// list describes the segments of one source.
func (o *opened) list() (infos []SegmentInfo, err error) {
	if infos, err = o.describeAll(); err != nil {
		return nil, err
	}
	for _, file := range o.superseded {
		name, _ := parseSegmentName(file)
		infos = append(infos, SegmentInfo{
			Source: sourceName(o.source), Name: file, Epoch: name.epoch, Base: name.base, End: name.base, Superseded: true, Frozen: o.frozen != nil,
		})
	}
	return infos, nil
}

// describeAll describes all segments that count. Those that are pruned meanwhile are left out.
func (o *opened) describeAll() (infos []SegmentInfo, err error) {
	for tries := 0; ; tries++ {
		infos = infos[:0]
		for _, s := range o.segments {
			info, err := o.describe(s)
			if errors.As(err, new(*PrunedError)) {
				continue
			}
			if errors.Is(err, fs.ErrNotExist) && tries < maxTries { // even the one that was the last
				break
			}
			if err != nil {
				return nil, err
			}
			infos = append(infos, info)
		}
		if n := len(infos); len(o.segments) == 0 || n > 0 && infos[n-1].Epoch == o.last().epoch {
			return infos, nil
		}
		if err := o.reload(); err != nil {
			return nil, err
		}
	}
}

// describe reads the headers of one segment.
func (o *opened) describe(s *segment) (SegmentInfo, error) {
	if s.missing() {
		return SegmentInfo{
			Source: sourceName(o.source), Name: s.name.String(), Sealed: true, Epoch: s.epoch, Base: s.base, End: s.end, Last: s.last,
			Frozen: o.frozen != nil, Damaged: true, Missing: true,
		}, nil
	}
	f, at, err := o.catalog.open(s.at(s.base))
	if err != nil {
		return SegmentInfo{}, err
	}
	info := SegmentInfo{
		Source: sourceName(o.source), Name: at.name.String(), Sealed: at.name.sealed, Epoch: s.epoch, Base: s.base, End: s.end,
		First: s.appended, Damaged: s.damage != nil, Frozen: o.frozen != nil,
	}
	defer f.Close()
	if info.Bytes, err = f.Size(); err != nil {
		return info, fmt.Errorf("size of segment %s: %w", s.path, err)
	}
	var sc scanner
	sc.reset(f, at.name, info.Bytes)
	if h, err := sc.segmentHeader(o.source); err == nil {
		info.Created = h.created
	}
	end, err := sc.each(s.base, s.end, func(h *chunkHeader) {
		info.Chunks += chunksOf(h)
		info.Last = h.appended
	}, func() { info.Damaged = true })
	if info.TailBytes = info.Bytes - end; at.name.sealed {
		info.TailBytes = 0 // the footer
	}
	return info, err
}

// chunksOf is the number of chunks in a chunk of any type.
func chunksOf(h *chunkHeader) int {
	if h.kind == chunkBlock {
		return int(h.appends)
	}
	return 1
}

// each gives the headers of all chunks of hits from position pos to end, and the offset behind them and the mark of an
// orderly end. damaged is called where one is not sound.
func (s *scanner) each(pos, end uint64, chunk func(*chunkHeader), damaged func()) (offset int64, err error) {
	offset = min(segmentHeaderSize, s.limit)
	for {
		h, err := s.header(offset, pos, end)
		switch {
		case fatal(err) != nil:
			return offset, err
		case err != nil && pos >= end:
			return offset, nil
		case err != nil:
			damaged()
			found := false
			if h, found, err = s.resync(offset, offset+chunkAlign, pos, end); err != nil || !found {
				return s.limit, err
			}
		}
		if h.hits > 0 {
			chunk(&h)
		}
		offset, pos = h.offset+h.size(), h.end()
	}
}

// Report is what Verify found in one source.
type Report struct {
	Frozen      bool // the source is never written again
	Source      string
	Segments    int
	Chunks      int
	Hits        uint64 // that can be read
	First, End  uint64 // positions: of the first hit kept when reading began, after the last
	Pruned      uint64 // hits that were deleted before they were read
	StoredBytes int64  // of all segments that count
	Lost        uint64 // hits that damage cost
	Damages     []*CorruptError
	TailBytes   int64 // behind the last sound chunk, being written now or torn: nothing vouches that it was ever durable
	Repeated    int64 // bytes behind the end of older segments: writes that failed and were done again in the next one
	Superseded  []string
	Sealed      int       // segments that are sealed
	Manifest    []error   // where MANIFEST and the sealed segments do not agree; no hit depends on it
	Identity    error     // wraps ErrIdentity if the folder has lost its IDENTITY: all can be read, and no journal opens there
	Others      []*Report // of the frozen sources, in the order in which they were frozen
}

// Verify reads all of the journal in dir, checks every checksum and decodes every hit. Damage is in the report, each piece
// also passed to found as it is met; nil means not to. The error is that of a read that failed or of ctx. Verify changes
// nothing and may run while another process writes. A nil fsys is OS.
//
// The report is that of the source that is written, or if a crash left none, of the one frozen last; those of the frozen
// sources before it are in Others.
func Verify(ctx context.Context, fsys FS, dir string, found func(*CorruptError)) (*Report, error) {
	all, err := openToRead(fsys, dir)
	if err != nil {
		return nil, err
	}
	var reports []*Report
	for _, o := range all {
		rep, err := o.check(ctx, found)
		if err != nil {
			return nil, err
		}
		reports = append(reports, rep)
	}
	last := reports[len(reports)-1]
	last.Others = reports[:len(reports)-1]
	return last, nil
}

// check verifies one source.
func (o *opened) check(ctx context.Context, found func(*CorruptError)) (*Report, error) {
	infos, err := o.describeAll()
	if err != nil {
		return nil, err
	}
	rep := &Report{
		Source: sourceName(o.source), Frozen: o.frozen != nil, Segments: len(infos), TailBytes: o.tail.torn(), Superseded: o.superseded,
	}
	if o.nameless {
		rep.Identity = noIdentity(o.dir)
	}
	for i := range infos {
		rep.StoredBytes += infos[i].Bytes
		if i < len(infos)-1 {
			rep.Repeated += infos[i].TailBytes
		}
	}
	if err := o.compareManifest(ctx, rep); err != nil {
		return nil, err
	}
	rep.First = o.catalog.first() // some may have been pruned in between
	err = o.read(ctx, rep.First, func(c *heatmap.Chunk) error {
		rep.Chunks++
		rep.Hits += uint64(c.Count)
		return nil
	}, func(from, to uint64) { rep.Pruned += to - from }, func(e *CorruptError) {
		rep.Damages = append(rep.Damages, e)
		rep.Lost += e.Lost()
		if found != nil {
			found(e)
		}
	})
	rep.End = o.catalog.durable() // the last segment may have been sealed in between, and hold more
	return rep, err
}

// Range is a part of a journal.
type Range struct {
	Source string // "" = all, the frozen ones first, in the order in which they were frozen
	From   uint64 // first position, of each source
	To     uint64 // the position after the last, 0 = to the end
}

// Dump gives every hit of a part of the journal in dir, in order, as a line of text without its newline. Where
// there is more than one source, every line begins with its source and ":". The
// line is valid only during the call; an error of fn ends the dump and is returned. Damage is passed to damaged and left
// out; a nil damaged makes it the error instead. Dump changes nothing and may run while another process writes. A nil
// fsys is OS.
func Dump(ctx context.Context, fsys FS, dir string, r Range, fn func(line []byte) error, damaged func(*CorruptError)) error {
	all, err := openToRead(fsys, dir)
	if err != nil {
		return err
	}
	var line []byte
	return r.each(ctx, all, func(o *opened, pos uint64, appended int64, b *heatmap.Batch, h *heatmap.Hit) error {
		line = line[:0]
		if len(all) > 1 {
			line = append(append(line, sourceName(o.source)...), ':')
		}
		line = appendLine(line, pos, appended, b, h)
		return fn(line)
	}, damaged)
}

// Hits gives the same hits as Dump. They are valid only during the call.
func Hits(ctx context.Context, fsys FS, dir string, r Range, fn func(h *heatmap.Hit) error, damaged func(*CorruptError)) error {
	all, err := openToRead(fsys, dir)
	if err != nil {
		return err
	}
	return r.each(ctx, all, func(_ *opened, _ uint64, _ int64, _ *heatmap.Batch, h *heatmap.Hit) error { return fn(h) }, damaged)
}

// errRangeEnd ends reading where a range does.
var errRangeEnd = errors.New("end of range")

// each calls fn for the hits of the range, in order.
func (r Range) each(ctx context.Context, all []*opened, fn func(o *opened, pos uint64, appended int64, b *heatmap.Batch, h *heatmap.Hit) error, damaged func(*CorruptError)) error {
	known := false
	for _, o := range all {
		if r.Source != "" && r.Source != sourceName(o.source) {
			continue
		}
		known = true
		if len(all) > 1 && o.catalog.durable() < r.From {
			continue
		}
		from := max(r.From, o.catalog.first())
		err := o.read(ctx, from, func(c *heatmap.Chunk) error {
			pos := c.Position
			for b := range c.Batches {
				for h := range c.Batches[b].Hits {
					if r.To > 0 && pos >= r.To {
						return errRangeEnd
					}
					if pos >= from {
						if err := fn(o, pos, c.Appended, &c.Batches[b], &c.Batches[b].Hits[h]); err != nil {
							return err
						}
					}
					pos++
				}
			}
			return nil
		}, func(_, to uint64) { from = max(from, to) }, damaged)
		if err != nil && !errors.Is(err, errRangeEnd) {
			return err
		}
	}
	if !known {
		return fmt.Errorf("journal has no source %s", r.Source)
	}
	return nil
}

// read gives all chunks from position from on. Where hits are deleted before they are read, pruned is told, and reading goes
// on behind. Damage is an error if damaged is nil.
func (o *opened) read(ctx context.Context, from uint64, chunk func(*heatmap.Chunk) error, pruned func(from, to uint64), damaged func(*CorruptError)) error {
	count := func(c *heatmap.Chunk) error {
		from = max(from, c.End())
		return chunk(c)
	}
	for tries := 0; ; tries++ {
		start := from
		err := o.readOn(ctx, from, count, damaged)
		if errors.Is(err, fs.ErrNotExist) && tries < maxTries { // even the segment that was the last one was pruned
			err = o.reload()
			if first := o.catalog.first(); err == nil && first > from {
				err = &PrunedError{Position: from, First: first}
			} else if err == nil {
				continue
			}
		}
		gone := (*PrunedError)(nil)
		if !errors.As(err, &gone) {
			return err
		}
		if from = gone.First; from > start {
			tries = 0
		}
		pruned(gone.Position, from)
	}
}

// reload reads the folder anew, after another process has changed it.
func (o *opened) reload() error {
	now, err := openSource(o.fsys, filepath.Dir(o.dir), o.source)
	if err == nil {
		if o.frozen != nil {
			now.freeze(*o.frozen)
		}
		*o = *now
	}
	return err
}

// readOn reads until hits are missing because they were pruned.
func (o *opened) readOn(ctx context.Context, from uint64, chunk func(*heatmap.Chunk) error, damaged func(*CorruptError)) error {
	r, err := newReader(o.catalog, from, false)
	if err != nil {
		return err
	}
	defer r.Close()
	var c heatmap.Chunk
	for ctx.Err() == nil {
		err := r.Next(ctx, &c)
		if corrupt := (*CorruptError)(nil); errors.As(err, &corrupt) && damaged != nil {
			damaged(corrupt)
			r.Skip()
			continue
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = chunk(&c)
		}
		if err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}
