package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"time"

	"github.com/klauspost/compress/zstd"

	"heatlog/heatmap"
)

// SealReport is what Seal did.
type SealReport struct {
	Segments    int    // sealed
	Hits        uint64 // in them
	Before      int64  // their length before, bytes
	After       int64  // and after
	Listed      int    // sealed ones that MANIFEST lacked and that it lists now
	Unsound     int    // segments that stay as they are, because they are damaged or cannot be sealed
	UnsoundErrs []error
}

// sealer rewrites full segments, keeps MANIFEST and prunes.
type sealer struct {
	o         Options
	dir       string
	source    uint64
	catalog   *catalog
	blockHits int
	counters  sealCounters

	cancel  context.CancelFunc // of what runs in the background, nil if nothing does
	stopped chan struct{}

	turn     chan struct{} // holds a token while files are changed, which guards the rest
	zstd     *zstd.Encoder
	manifest manifest
	unsaved  bool            // manifest is not what MANIFEST says
	remove   []string        // paths that count no more, but could not be removed
	unsound  map[uint64]bool // bases of segments that cannot be sealed
}

func newSealer(o Options, f *folder, c *catalog) *sealer {
	return &sealer{
		o: o, dir: f.dir, source: f.source, catalog: c, manifest: f.manifest, blockHits: blockHits, unsound: map[uint64]bool{},
		turn: make(chan struct{}, 1),
	}
}

// start seals in the background whenever a segment is full, while nobody else has the slot. It is done by a thread of the
// lowest priority, which in addition lets every other goroutine go first, each time that it has compressed or read a little:
// priorities of threads say nothing of who gets one of the runtime's few.
func (s *sealer) start(slot chan struct{}) {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.stopped = cancel, make(chan struct{})
	go func() {
		defer close(s.stopped)
		yieldThread()
		s.run(ctx, slot)
	}()
}

// stop ends what runs in the background.
func (s *sealer) stop() {
	if s.cancel != nil {
		s.cancel()
		<-s.stopped
	}
	s.turn <- struct{}{}
	defer s.leave()
	if s.zstd != nil {
		s.zstd.Close()
		s.zstd = nil
	}
}

// enter waits for the turn to change files. Who waits longest is next.
func (s *sealer) enter(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *sealer) leave() { <-s.turn }

// sealRetry is how long the background waits after a failure.
const sealRetry = time.Minute

func (s *sealer) run(ctx context.Context, slot chan struct{}) {
	failed := "" // what was logged last
	for ctx.Err() == nil {
		err := s.background(ctx, slot)
		if err != nil && ctx.Err() == nil {
			if failed != err.Error() {
				failed = err.Error()
				s.o.Logger.Error("sealing failed, trying again", "err", err, "wait", sealRetry)
			}
			pause(ctx, sealRetry)
			continue
		}
		if failed != "" && ctx.Err() == nil {
			failed = ""
			s.o.Logger.Info("sealing works again")
		}
		select {
		case <-s.catalog.added:
		case <-ctx.Done():
		}
	}
}

// background seals what is full when it is this source's turn: one at a time, so that memory is bounded.
func (s *sealer) background(ctx context.Context, slot chan struct{}) error {
	select {
	case slot <- struct{}{}:
		defer func() { <-slot }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	_, err := s.seal(ctx, s.o.SealRate)
	return err
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Seal rewrites every full segment that is not sealed yet, one block at a time, and lists it in MANIFEST. Readers and
// writers go on. The last segment is never full. A damaged segment stays as it is and is in the report; the error is that
// of a read or write that failed, or the cause of ctx, after which nothing is lost and Seal can be called again.
//
// The last segment of a frozen source is full.
func (j *Journal) Seal(ctx context.Context) (rep SealReport, err error) {
	for _, l := range j.logs() {
		r, err := l.sealer.seal(ctx, 0)
		rep.add(r)
		if err != nil {
			return rep, err
		}
	}
	return rep, nil
}

// add sums the reports of two sources.
func (r *SealReport) add(o SealReport) {
	r.Segments += o.Segments
	r.Hits += o.Hits
	r.Before += o.Before
	r.After += o.After
	r.Listed += o.Listed
	r.Unsound += o.Unsound
	r.UnsoundErrs = append(r.UnsoundErrs, o.UnsoundErrs...)
}

// seal does so at a rate of so many bytes a second, 0 = no limit.
func (s *sealer) seal(ctx context.Context, rate int64) (rep SealReport, err error) {
	s.counters.begin()
	defer func() { s.counters.end(ctx, err) }()
	for pos, more := uint64(0), true; more; {
		if pos, more, err = s.next(ctx, pos, rate, &rep); err != nil {
			return rep, err
		}
	}
	return rep, nil
}

// next seals the first full segment from position pos on, or brings MANIFEST up to date if there is none; more is false
// then. Between two segments others have their turn.
func (s *sealer) next(ctx context.Context, pos uint64, rate int64, rep *SealReport) (end uint64, more bool, err error) {
	if err := s.enter(ctx); err != nil {
		return pos, false, err
	}
	defer s.leave()
	if ctx.Err() != nil {
		return pos, false, context.Cause(ctx)
	}
	if err := s.clear(); err != nil {
		return pos, false, err
	}
	at, end := s.catalog.unsealed(pos)
	switch {
	case at.segment == nil:
		return pos, false, s.list(rep)
	case rate > 0 && s.unsound[at.segment.base]:
		return end, true, nil
	}
	err = s.segment(ctx, at, end, rate, rep)
	if corrupt := (*CorruptError)(nil); errors.As(err, &corrupt) || errors.Is(err, errSealLimit) || errors.Is(err, errDifferent) {
		s.skip(at, err, rep)
	} else if err != nil {
		return pos, false, fmt.Errorf("seal segment %s: %w", at.name, err)
	}
	return end, true, nil
}

// skip notes a segment that cannot be sealed. It is logged once.
func (s *sealer) skip(at place, err error, rep *SealReport) {
	rep.Unsound++
	rep.UnsoundErrs = append(rep.UnsoundErrs, err)
	if !s.unsound[at.segment.base] {
		s.unsound[at.segment.base] = true
		s.o.Logger.Error("segment cannot be sealed and stays as it is", "segment", at.path, "err", err)
	}
}

// clear removes files that count no more and could not be removed before.
func (s *sealer) clear() error {
	for len(s.remove) > 0 {
		if err := s.o.FS.Remove(s.remove[0]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove segment: %w", err)
		}
		if err := s.o.FS.SyncDir(s.dir); err != nil {
			return fmt.Errorf("sync source folder: %w", err)
		}
		s.remove = s.remove[1:]
	}
	return nil
}

// segment seals one segment. Until the new file has its name for good nothing else changes, so that one of the two is
// there whatever happens.
func (s *sealer) segment(ctx context.Context, at place, end uint64, rate int64, rep *SealReport) error {
	name := at.name.as(true)
	path := filepath.Join(s.dir, name.String())
	before, err := s.size(at.path)
	if err != nil {
		return err
	}
	e, err := s.write(ctx, path+tmpSuffix, at, end, rate)
	var form *segment
	if err == nil {
		form, err = s.verify(ctx, path+tmpSuffix, at, end, rate)
	}
	if err == nil {
		err = s.o.FS.Rename(path+tmpSuffix, path)
	}
	if err != nil {
		return errors.Join(err, ignoreMissing(s.o.FS.Remove(path+tmpSuffix)))
	}
	if err := s.o.FS.SyncDir(s.dir); err != nil { // the old file is still there
		return fmt.Errorf("sync source folder: %w", errors.Join(err, s.o.FS.Remove(path)))
	}
	form.name, form.path = name, path
	s.catalog.sealed(at.segment, form)
	s.remove = append(s.remove, at.path)
	s.manifest.put(e)
	s.unsaved = true
	if err := s.save(); err != nil {
		return err
	}
	rep.Segments++
	rep.Hits += end - at.segment.base
	rep.Before += before
	rep.After += e.bytes
	s.counters.segment(end-at.segment.base, before, e.bytes)
	s.o.Logger.Info("journal segment is sealed", "segment", path, "hits", end-at.segment.base, "bytes", e.bytes)
	return s.clear()
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (s *sealer) size(path string) (int64, error) {
	f, err := s.o.FS.Open(path)
	if err != nil {
		return 0, fmt.Errorf("open segment: %w", err)
	}
	defer f.Close()
	return f.Size()
}

// write makes the sealed form of a segment in a file and syncs it.
func (s *sealer) write(ctx context.Context, path string, at place, end uint64, rate int64) (e manifestEntry, err error) {
	if s.zstd == nil {
		s.zstd = newBlockCompressor()
	}
	f, err := s.o.FS.Create(path)
	if err != nil {
		return e, fmt.Errorf("create segment: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := segmentHeader{
		sealed: true, version: formatVersion, epoch: at.segment.epoch, base: at.segment.base, created: s.o.Now().UnixMilli(),
		source: s.source, appended: s.before(at), end: end,
	}
	w, err := newSealedWriter(f, &h, s.zstd, s.blockHits)
	if err != nil {
		return e, err
	}
	err = s.each(ctx, at, end, rate, w.add)
	if err == nil {
		err = w.finish()
	}
	e = manifestEntry{name: w.name.String(), end: end, last: w.footer.last(), bytes: w.offset}
	w.sum.Sum(e.sum[:0])
	return e, err
}

// before gives the append time before the segment, as its header says.
func (s *sealer) before(at place) int64 {
	f, err := s.o.FS.Open(at.path)
	if err != nil {
		return 0
	}
	defer f.Close()
	var sc scanner
	sc.reset(f, at.name, segmentHeaderSize)
	h, err := sc.segmentHeader(s.source)
	if err != nil {
		return 0
	}
	return h.appended
}

// paceBytes is how much of a segment is read between looks at the clock and at ctx, bytes: about a block.
const paceBytes = 256 << 10

// each gives the chunks of a segment from its start to end, at a rate of so many bytes a second, 0 = no limit.
func (s *sealer) each(ctx context.Context, at place, end uint64, rate int64, fn func(*heatmap.Chunk) error) error {
	r, err := newReader(s.catalog, at.segment.base, false)
	if err != nil {
		return err
	}
	defer r.Close()
	var c heatmap.Chunk
	start, from := time.Now(), int64(0)
	for c.End() < end {
		if err := r.Next(ctx, &c); err != nil {
			return err
		}
		if err := fn(&c); err != nil {
			return err
		}
		runtime.Gosched()
		bytes := r.offset - from
		if bytes < paceBytes {
			continue
		}
		if rate > 0 {
			pause(ctx, time.Duration(float64(bytes)/float64(rate)*float64(time.Second))-time.Since(start))
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		start, from = time.Now(), r.offset
	}
	return nil
}

// verify reads a sealed file through a reader and compares all that it gives with the segment that it was made of.
func (s *sealer) verify(ctx context.Context, path string, at place, end uint64, rate int64) (form *segment, err error) {
	name := at.name.as(true)
	if err := checkSealed(s.o.FS, path, name, s.source); errors.As(err, new(ioError)) {
		return nil, err
	} else if err != nil {
		return nil, fmt.Errorf("%w: %w", errDifferent, err)
	}
	form, err = loadForm(s.o.FS, path, name, s.source)
	if err != nil {
		return nil, err
	}
	form.end = end
	alone := newCatalog(s.o.FS)
	alone.segments = []*segment{form}
	r, err := newReader(alone, name.base, false)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var got heatmap.Chunk
	err = s.each(ctx, at, end, 4*rate, func(want *heatmap.Chunk) error {
		if err := r.Next(ctx, &got); err != nil {
			if corrupt := (*CorruptError)(nil); errors.As(err, &corrupt) {
				err = fmt.Errorf("%w: %w", errDifferent, err)
			}
			return err
		}
		return sameChunk(want, &got)
	})
	if err == nil {
		if err = r.Next(ctx, &got); errors.Is(err, io.EOF) {
			err = nil
		}
	}
	return form, err
}

// save writes MANIFEST. A damaged one is kept under another name.
func (s *sealer) save() error {
	path := filepath.Join(s.dir, manifestName)
	if s.manifest.err != nil {
		bad, err := freeName(s.o.FS, path+badSuffix)
		if err == nil {
			err = s.o.FS.Rename(path, bad)
		}
		if err != nil {
			return fmt.Errorf("put damaged manifest aside: %w", err)
		}
		s.manifest.err = nil
	}
	if err := writeFile(s.o.FS, path, s.manifest.text(s.source)); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	s.manifest.missing, s.unsaved = false, false
	if err := s.o.FS.SyncDir(s.dir); err != nil {
		return fmt.Errorf("sync source folder: %w", err)
	}
	return nil
}

// list brings MANIFEST up to date: sealed segments that it lacks are read and listed if they are sound.
func (s *sealer) list(rep *SealReport) error {
	sealed, ends, lasts := s.catalog.allSealed()
	if s.manifest.err != nil || s.manifest.missing && len(sealed) > 0 {
		s.manifest.first, s.unsaved = s.catalog.first(), true
	}
	for i, at := range sealed {
		if s.manifest.entry(at.name.String()) != nil {
			continue
		}
		if err := checkSealed(s.o.FS, at.path, at.name, s.source); err != nil {
			if errors.As(err, new(ioError)) {
				return fmt.Errorf("list segment %s: %w", at.name, err)
			}
			s.skip(at, err, rep)
			continue
		}
		e := manifestEntry{name: at.name.String(), end: ends[i], last: lasts[i]}
		var err error
		if e.sum, e.bytes, err = sumFile(s.o.FS, at.path); err != nil {
			return fmt.Errorf("list segment %s: %w", at.name, err)
		}
		s.manifest.put(e)
		rep.Listed++
		s.unsaved = true
	}
	if !s.unsaved {
		return nil
	}
	return s.save()
}
