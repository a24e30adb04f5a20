package journal

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"heatlog/heatmap"
)

// Ack says what an Append that returned without an error promises.
type Ack uint8

// What an Append can promise.
const (
	AckSync  Ack = iota // synced to the disk: survives a power cut
	AckWrite            // handed to the operating system: survives the end of the process, synced every SyncEvery
)

// Options change how a journal works. The zero value works.
type Options struct {
	FS           FS               // nil = OS
	Now          func() time.Time // nil = time.Now
	Logger       *slog.Logger     // nil = discard
	Ack          Ack              // default AckSync
	SegmentBytes int64            // a segment is ended before it grows over this, bytes; default 64 MiB, 4 KiB to 16 GiB
	SegmentAge   time.Duration    // a segment is ended by the first append so long after the segment's first; default 0 = at any age
	SyncEvery    time.Duration    // AckWrite: how long written hits may stay unsynced; default 200 ms
	Seal         bool             // seal full segments in the background
	SealRate     int64            // bytes of full segments that are sealed in the background each second; default 8 MiB
	MaxPending   int              // encoded bytes that wait to be durable; Append blocks while there are more; default 32 MiB
}

const (
	defaultSegmentBytes = 64 << 20
	defaultSyncEvery    = 200 * time.Millisecond
	defaultMaxPending   = 32 << 20
	defaultSealRate     = 8 << 20
)

func (o Options) withDefaults() Options {
	o.FS = cmp.Or[FS](o.FS, OS{})
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.SegmentBytes = cmp.Or(o.SegmentBytes, defaultSegmentBytes)
	o.SyncEvery = cmp.Or(o.SyncEvery, defaultSyncEvery)
	o.MaxPending = cmp.Or(o.MaxPending, defaultMaxPending)
	o.SealRate = cmp.Or(o.SealRate, defaultSealRate)
	return o
}

func (o Options) check() error {
	switch {
	case o.SegmentBytes < 4<<10 || o.SegmentBytes > 16<<30:
		return fmt.Errorf("segment size is %d bytes, want 4 KiB to 16 GiB", o.SegmentBytes)
	case o.SegmentAge < 0:
		return fmt.Errorf("segment age is %v, want more than 0", o.SegmentAge)
	case o.SyncEvery < 0:
		return fmt.Errorf("sync interval is %v, want more than 0", o.SyncEvery)
	case o.MaxPending < 0:
		return fmt.Errorf("pending bytes are %d, want more than 0", o.MaxPending)
	case o.SealRate < 0:
		return fmt.Errorf("seal rate is %d bytes a second, want more than 0", o.SealRate)
	case o.Ack > AckWrite:
		return fmt.Errorf("ack mode %d is unknown", o.Ack)
	}
	return nil
}

// Journal is an open journal: the log of the source that is written, and those of sources that are frozen. Its methods are safe for concurrent use.
type Journal struct {
	Log      // of the source that is written
	o        Options
	lock     io.Closer
	frozen   []*Log
	queue    *queue
	encoders sync.Pool // of *encoder
	stats    counters

	closeOnce sync.Once
	closeErr  error
	next      *Journal      // that Freeze has made
	stopped   chan struct{} // closed when the committer has ended; it then has set closeErr
}

// Open opens the journal in dir, which is made if it does not exist, takes its lock and repairs what a crash left. What is
// repaired or damaged is told to the Logger; damage does not keep a journal from opening. The error wraps ErrLocked if
// another process has it open and is a *VersionError if it was written by a later version.
func Open(dir string, o Options) (*Journal, error) {
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if err := o.FS.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("make journal folder: %w", err)
	}
	lock, err := o.FS.Lock(filepath.Join(dir, lockName))
	if err != nil {
		return nil, fmt.Errorf("lock journal folder %s: %w", dir, err)
	}
	j, err := openLocked(dir, lock, o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open journal %s: %w", dir, err), lock.Close())
	}
	return j, nil
}

// openLocked opens the journal of a folder whose lock is held, and makes a source to write to if there is none.
func openLocked(dir string, lock io.Closer, o Options) (*Journal, error) {
	sources, err := findSources(o.FS, dir)
	if err != nil {
		return nil, err
	}
	var frozen []*Log
	for _, s := range sources.frozen {
		f, err := openFolder(dir, s.source, o)
		if err != nil {
			return nil, err
		}
		frozen = append(frozen, newLog(s, f, o))
	}
	if len(sources.active) == 0 {
		sources.active = []uint64{newSource()}
		if err := createSource(o.FS, dir, sources.active[0]); err != nil {
			return nil, err
		}
	}
	f, err := openFolder(dir, sources.active[0], o)
	if err != nil {
		return nil, err
	}
	return start(f, frozen, lock, o), nil
}

// openFolder opens a source's folder and repairs it.
func openFolder(dir string, source uint64, o Options) (*folder, error) {
	sub := filepath.Join(dir, sourceName(source))
	hasIdentity, err := checkIdentity(o.FS, sub, source)
	if err != nil {
		return nil, err
	}
	f, err := loadFolder(o.FS, sub, source)
	if err != nil {
		return nil, err
	}
	if !hasIdentity && f.epoch > 0 {
		return nil, noIdentity(sub)
	}
	if !hasIdentity { // a crash came between the folder and the file
		if err := createSource(o.FS, dir, source); err != nil {
			return nil, err
		}
	}
	if f.readOnly {
		return nil, ErrReadOnly
	}
	return f, f.repair(o)
}

func noIdentity(dir string) error {
	return fmt.Errorf("source folder %s has segments but no %s: %w", dir, identityName, ErrIdentity)
}

// repair removes what was never finished, makes the last segment sound and durable, and logs what it found.
func (f *folder) repair(o Options) error {
	for _, name := range f.leftovers {
		err := o.FS.Remove(filepath.Join(f.dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // IDENTITY may have been finished since
			return fmt.Errorf("remove leftover: %w", err)
		}
	}
	if err := f.unpair(o); err != nil {
		return err
	}
	for _, s := range f.segments {
		if s.damage != nil {
			o.Logger.Error("journal segment is damaged", "segment", s.path, "offset", s.damageAt, "err", s.damage)
		}
	}
	if f.manifest.missing && slices.ContainsFunc(f.segments, func(s *segment) bool { return s.name.sealed }) {
		o.Logger.Warn("journal has no MANIFEST, sealing makes it anew from the segments that are there: one that is missing is not told any more",
			"path", filepath.Join(f.dir, manifestName))
	}
	if f.manifest.err != nil {
		o.Logger.Error("journal manifest is damaged, sealing makes it anew", "err", f.manifest.err)
	}
	for _, d := range f.tail.damages {
		o.Logger.Error("journal is damaged", "segment", d.Segment, "offset", d.Offset, "hits", d.Lost(), "err", d.Err)
	}
	if s := f.last(); s != nil && !s.name.sealed {
		if err := f.repairTail(s, o); err != nil {
			return err
		}
	}
	return syncFolders(o.FS, f.dir)
}

// unpair clears up where a crash came between the two forms of a segment.
func (f *folder) unpair(o Options) error {
	for _, name := range f.unsound {
		path := filepath.Join(f.dir, name)
		bad, err := freeName(o.FS, path+badSuffix)
		if err == nil {
			err = o.FS.Rename(path, bad)
		}
		if err != nil {
			return fmt.Errorf("put unsound segment aside: %w", err)
		}
		o.Logger.Error("sealed segment is not sound, the one that it was made of counts", "segment", path, "kept", bad)
	}
	if len(f.sealedOver) == 0 {
		return nil
	}
	if err := o.FS.SyncDir(f.dir); err != nil { // the name of the sealed one must last longer than the other
		return fmt.Errorf("sync source folder: %w", err)
	}
	for _, name := range f.sealedOver {
		if err := o.FS.Remove(filepath.Join(f.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove sealed segment's source: %w", err)
		}
	}
	return nil
}

// repairTail repairs the last segment. When there is no room to keep a torn tail it stays where it is: the next segment
// supersedes it all the same.
func (f *folder) repairTail(s *segment, o Options) error {
	torn := f.tail.torn()
	kept, err := repair(o.FS, s.path, &f.tail)
	if errors.Is(err, errKeep) {
		o.Logger.Error("journal tail is torn and stays in place", "segment", s.path, "offset", f.tail.limit, "bytes", torn, "err", err)
		whole := f.tail
		whole.size = whole.limit
		_, err = repair(o.FS, s.path, &whole)
	} else if err == nil && torn > 0 {
		o.Logger.Warn("journal tail was torn by a crash and is cut off",
			"segment", s.path, "offset", f.tail.limit, "bytes", torn, "kept", kept)
	}
	return err
}

// start makes the journal of a repaired folder and starts its committer.
func start(f *folder, frozen []*Log, lock io.Closer, o Options) *Journal {
	j := &Journal{Log: Log{source: f.source, catalog: newCatalog(o.FS)}, o: o, frozen: frozen, lock: lock, stopped: make(chan struct{})}
	j.encoders.New = func() any { return newEncoder() }
	j.catalog.segments = f.segments
	j.queue = newQueue(o.MaxPending)
	j.sealer = newSealer(o, f, j.catalog)
	w := newWriter(j, f)
	j.stats.end.Store(w.end)
	go func() {
		defer close(j.stopped)
		j.closeErr = newCommitter(j, w).run()
	}()
	slot := make(chan struct{}, 1)
	for _, l := range j.logs() {
		if o.Seal {
			l.sealer.start(slot)
		}
	}
	return j
}

// logs gives the logs of all sources, the one that is written last.
func (j *Journal) logs() []*Log { return append(slices.Clip(j.frozen), &j.Log) }

// Append writes batches, in order and in one chunk, and returns the position after their last hit when they are as durable
// as Options.Ack says. Batches without hits are left out; an Append without hits returns the end of the journal. It blocks
// while more than Options.MaxPending bytes wait. The batches are not kept.
//
// The error wraps ErrTooLarge, ErrUnavailable or ErrClosed. After ErrUnavailable the hits are not in the journal, but a
// restart may find them there, once.
func (j *Journal) Append(batches []heatmap.Batch) (end uint64, err error) {
	g, hits, err := j.put(batches)
	if err != nil {
		return 0, err
	}
	if g == nil {
		return j.stats.end.Load(), nil
	}
	if err := g.wait(); err != nil {
		return 0, err
	}
	return g.base + uint64(hits), nil
}

// Put is Append in two halves, for who wants to use the batches' memory again meanwhile: it returns when they are not needed
// any more, and wait when they are as durable as Options.Ack says. Either may give an error. wait may be called any number of times.
func (j *Journal) Put(batches []heatmap.Batch) (wait func() error, err error) {
	g, _, err := j.put(batches)
	if err != nil {
		return nil, err
	}
	if g == nil {
		return func() error { return nil }, nil
	}
	return g.ended, nil
}

// put encodes batches and queues them: g is nil if they have no hits, end is the number of hits in g up to theirs. The encoder
// is free again before anybody waits, so that a few serve any number of appends and stay in the processor's cache.
func (j *Journal) put(batches []heatmap.Batch) (g *group, end int, err error) {
	e := j.encoders.Get().(*encoder)
	defer j.encoders.Put(e)
	unit, hits := e.unit(batches)
	if hits == 0 {
		return nil, 0, nil
	}
	if err := checkAppend(unit, hits); err != nil {
		return nil, 0, err
	}
	return j.queue.append(unit, hits)
}

// Close commits what Append has taken, ends the segment in order and gives up the lock. Readers that have reached the tail
// get ErrClosed. The error tells that hits were promised by AckWrite but could not be synced.
func (j *Journal) Close() error {
	j.closeOnce.Do(func() {
		j.end()
		j.closeErr = errors.Join(j.closeErr, j.lock.Close())
	})
	return j.closeErr
}

// end ends everything but the lock.
func (j *Journal) end() {
	for _, l := range j.logs() {
		l.sealer.stop()
	}
	j.queue.close()
	<-j.stopped
	j.catalog.close(ErrClosed)
}
