package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/s2"
)

const (
	// compressFrom is the length from which a payload is worth the fixed cost of a compression, bytes.
	compressFrom = 1 << 10
	// maxUnitPrefix is the greatest length of a unit's length, bytes.
	maxUnitPrefix = binary.MaxVarintLen32
	// freeChunks is how many chunk buffers a writer keeps.
	freeChunks = 4
)

// appendUnit adds a unit to a payload.
func appendUnit(payload, unit []byte) []byte {
	payload = binary.AppendUvarint(payload, uint64(len(unit)))
	return append(payload, unit...)
}

// chunk is a group as it is written. It is kept until it is durable, so that it can be written again elsewhere.
type chunk struct {
	head  chunkHeader
	frame []byte // header and padded payload
}

// writer writes segments. Only the committer uses it.
//
// Its invariant: what is below the base of the segment in hand is durable in earlier ones, and unsynced holds every chunk
// from the end of what is durable on. A segment that failed is left alone; a new one, with a base at the end of what is
// durable, takes over with all of unsynced in it and supersedes whatever the old one holds from there on. As a segment
// gets its name only when that much of it is synced, at every moment exactly one segment counts for each position.
type writer struct {
	j      *Journal
	dir    string
	packed []byte // for a payload that is compressed

	epoch    uint32 // of the newest segment
	end      uint64 // position after the last chunk in hand
	appended int64  // append time of the last chunk in hand
	settled  int64  // append time of the last chunk that is durable

	file    File     // nil = the next chunk begins a segment
	segment *segment // that of file
	offset  int64    // end of what was written to file
	durable int64    // end of what is synced of file

	unsynced []*chunk
	written  int // how many of unsynced are in file
	bytes    int // in unsynced
	free     []*chunk

	synced  chan syncResult // of the sync in the background
	syncing int             // how many of unsynced that will make durable; 0 = none is under way
	down    bool            // the last attempt to write failed
	begun   int64           // append time of the segment's first chunk, Unix ms
}

type syncResult struct {
	took time.Duration
	err  error
}

func newWriter(j *Journal, f *folder) *writer {
	w := &writer{j: j, dir: f.dir, epoch: f.epoch, appended: f.appended, settled: f.appended, synced: make(chan syncResult, 1)}
	if s := f.last(); s != nil {
		w.end = s.end
	}
	return w
}

// commit makes a chunk of g and writes it. On success it is as durable as Ack says.
func (w *writer) commit(g *group) (base uint64, err error) {
	if w.bytes > w.j.o.MaxPending {
		w.syncNow() // AckWrite on a slow disk: what is kept for writing again stays bounded
	}
	c := w.pack(g)
	w.adopt(c)
	switch {
	case w.file == nil:
	case w.offset+int64(len(c.frame)) > w.j.o.SegmentBytes, w.isOld(c.head.appended):
		w.retire()
	default:
		if err = w.write(c); err == nil && w.j.o.Ack == AckSync {
			err = w.sync()
		}
		if err == nil {
			w.account(g, c)
			return c.head.base, nil
		}
		w.abandon(err)
	}
	if err := w.create(); err != nil {
		w.disown(c)
		return 0, fmt.Errorf("append %d hits: %w: %w", g.hits, ErrUnavailable, err)
	}
	w.account(g, c)
	return c.head.base, nil
}

// isOld reports whether the segment's first append is so long ago that it ends.
func (w *writer) isOld(now int64) bool {
	limit := w.j.o.SegmentAge.Milliseconds()
	return limit > 0 && now-w.begun >= limit
}

// pack makes the payload of a chunk, compressed where that pays. S2 takes a quarter of the time of the fastest zstd and gives
// a fifth more bytes, until the segment is sealed.
func (w *writer) pack(g *group) *chunk {
	c := &chunk{}
	if n := len(w.free); n > 0 {
		c, w.free = w.free[n-1], w.free[:n-1]
	}
	c.head = chunkHeader{kind: chunkHits, raw: uint32(len(g.payload)), hits: uint32(g.hits), appends: uint32(g.appends)}
	var header [chunkHeaderSize]byte
	c.frame = append(c.frame[:0], header[:]...)
	stored := g.payload
	if len(stored) >= compressFrom {
		w.packed = s2.Encode(w.packed[:cap(w.packed)], stored)
		if len(w.packed) < len(stored) {
			stored, c.head.flags = w.packed, flagS2
		}
	}
	c.frame = append(c.frame, stored...)
	if cap(w.packed) > MaxChunk/8 {
		w.packed = nil
	}
	c.head.stored = uint32(len(c.frame) - chunkHeaderSize)
	for len(c.frame)%chunkAlign != 0 {
		c.frame = append(c.frame, 0)
	}
	c.head.payloadCRC = checksum(c.frame[chunkHeaderSize:])
	return c
}

// adopt gives c its position and append time and keeps it.
func (w *writer) adopt(c *chunk) {
	w.appended = max(w.appended, w.j.o.Now().UnixMilli())
	c.head.base, c.head.appended = w.end, w.appended
	w.end = c.head.end()
	w.unsynced = append(w.unsynced, c)
	w.bytes += len(c.frame)
}

// disown forgets the last chunk, whose hits are answered with an error: its positions go to the next one.
func (w *writer) disown(c *chunk) {
	w.unsynced = w.unsynced[:len(w.unsynced)-1]
	w.bytes -= len(c.frame)
	w.end = c.head.base
	w.recycle(c)
}

func (w *writer) recycle(c *chunk) {
	if len(w.free) < freeChunks {
		w.free = append(w.free, c)
	}
}

// account counts a chunk that was accepted.
func (w *writer) account(g *group, c *chunk) {
	w.j.stats.commit(g, c, w.end)
	if w.down {
		w.down = false
		w.j.o.Logger.Info("journal is available again")
	}
}

// place completes the header of c for its place in the segment.
func (c *chunk) place(epoch uint32, offset, durable int64) []byte {
	c.head.epoch, c.head.offset, c.head.durable = epoch, offset, durable
	c.head.put(c.frame)
	return c.frame
}

// write appends the last chunk in hand to the segment.
func (w *writer) write(c *chunk) error {
	if _, err := w.file.Write(c.place(w.epoch, w.offset, w.durable)); err != nil {
		w.file.Truncate(w.offset) // gives the room back; recovery does not need it
		return fmt.Errorf("write segment %s:%d: %w", w.segment.name, w.offset, err)
	}
	w.offset += int64(len(c.frame))
	w.written++
	return nil
}

// sync makes what was written to the segment durable and shows it to readers.
func (w *writer) sync() error {
	if w.syncing > 0 {
		if err := w.settle(<-w.synced); err != nil {
			return err
		}
	}
	if w.written == 0 {
		return nil
	}
	start := time.Now()
	err := w.file.Sync()
	w.syncing = w.written
	return w.settle(syncResult{time.Since(start), err})
}

// settle takes the result of a sync of the first w.syncing chunks.
func (w *writer) settle(r syncResult) error {
	n := w.syncing
	w.syncing = 0
	w.j.stats.sync(r.took)
	if r.err != nil {
		return fmt.Errorf("sync segment %s: %w", w.segment.name, r.err)
	}
	w.publish(n)
	return nil
}

// publish shows the first n unsynced chunks to readers, as they are durable now.
func (w *writer) publish(n int) {
	marks := make([]mark, 0, 8)
	var end uint64
	for _, c := range w.unsynced[:n] {
		marks = append(marks, mark{c.head.offset, c.head.base, c.head.appended})
		w.durable = c.head.offset + int64(len(c.frame))
		w.bytes -= len(c.frame)
		end, w.settled = c.head.end(), c.head.appended
		w.recycle(c)
	}
	w.unsynced = append(w.unsynced[:0], w.unsynced[n:]...)
	w.written -= n
	w.j.catalog.extend(w.segment, end, w.durable, marks)
}

// syncLater starts a sync in the background, or tries to get out of a failure.
func (w *writer) syncLater() {
	switch {
	case w.file == nil:
		if len(w.unsynced) > 0 {
			w.recover()
		}
	case w.written > 0 && w.syncing == 0:
		w.syncing = w.written
		go func(f File) {
			start := time.Now()
			err := f.Sync()
			w.synced <- syncResult{time.Since(start), err}
		}(w.file)
	}
}

// finishSync takes the result of a sync in the background.
func (w *writer) finishSync(r syncResult) {
	if err := w.settle(r); err != nil {
		w.abandon(err)
		w.recover()
	}
}

// syncNow makes all that is in hand durable.
func (w *writer) syncNow() {
	if w.file != nil {
		err := w.sync()
		if err == nil {
			return
		}
		w.abandon(err)
	}
	w.recover()
}

// recover moves all that is not durable into a new segment, if the disk lets it.
func (w *writer) recover() {
	if err := w.create(); err == nil && w.down {
		w.down = false
		w.j.o.Logger.Info("journal is available again")
	}
}

// wantsSync reports whether chunks wait to be synced and nothing is under way that does it.
func (w *writer) wantsSync() bool { return len(w.unsynced) > 0 && w.syncing == 0 }

// retire ends the segment: all of it is synced before the next one begins.
func (w *writer) retire() {
	if err := w.sync(); err != nil {
		w.abandon(err)
		return
	}
	if err := w.file.Close(); err != nil {
		w.j.o.Logger.Warn("close journal segment", "segment", w.segment.path, "err", err)
	}
	w.file = nil
}

// abandon gives up a segment in which a write or a sync failed. It is never written again: after a failed sync it is
// unknown which bytes reached the disk, and a second sync may succeed without them.
func (w *writer) abandon(cause error) {
	if w.syncing > 0 {
		if err := w.settle(<-w.synced); err != nil {
			cause = errors.Join(cause, err)
		}
	}
	w.j.stats.failures.Add(1)
	w.j.o.Logger.Error("journal segment failed, going on in a new one", "segment", w.segment.path, "offset", w.durable, "err", cause)
	w.file.Close() // its content is not trusted any more, so neither is this error
	w.file, w.written = nil, 0
}

// create begins a segment with all chunks in hand and makes it durable.
func (w *writer) create() error {
	name := segmentName{base: w.unsynced[0].head.base, epoch: w.epoch + 1}
	path := filepath.Join(w.dir, name.String())
	f, size, err := w.build(path, name)
	if err == nil {
		if err = w.install(path); err != nil {
			err = errors.Join(err, f.Close())
		}
	}
	if err != nil {
		w.fail(err)
		return err
	}
	w.file, w.offset, w.durable, w.begun = f, size, size, w.unsynced[0].head.appended
	w.segment = &segment{base: name.base, epoch: name.epoch, name: name, path: path, end: w.end, limit: size}
	for _, c := range w.unsynced {
		w.segment.mark(mark{c.head.offset, c.head.base, c.head.appended})
		w.settled = c.head.appended
		w.recycle(c)
	}
	w.unsynced, w.written, w.bytes = w.unsynced[:0], 0, 0
	w.j.catalog.add(w.segment)
	return nil
}

// build writes the new segment under a name that does not count and syncs it.
func (w *writer) build(path string, name segmentName) (f File, size int64, err error) {
	w.epoch = name.epoch // never used twice, whatever comes of it
	f, err = w.j.o.FS.Create(path + tmpSuffix)
	if err != nil {
		return nil, 0, fmt.Errorf("create segment: %w", err)
	}
	h := segmentHeader{
		version: formatVersion, epoch: name.epoch, base: name.base, created: w.j.o.Now().UnixMilli(),
		source: w.j.source, appended: w.settled, incompat: featureS2,
	}
	_, err = f.Write(h.append(nil))
	size = segmentHeaderSize
	for i := 0; i < len(w.unsynced) && err == nil; i++ {
		c := w.unsynced[i]
		_, err = f.Write(c.place(name.epoch, size, 0))
		size += int64(len(c.frame))
	}
	if err == nil {
		start := time.Now()
		err = f.Sync()
		w.j.stats.sync(time.Since(start))
	}
	if err != nil {
		err = fmt.Errorf("write segment %s: %w", name, err)
		return nil, 0, errors.Join(err, f.Close(), w.j.o.FS.Remove(path+tmpSuffix))
	}
	return f, size, nil
}

// install gives the new segment its name. If that name may not be durable it is taken back; should it be there after a
// restart all the same, it holds what was in hand, once.
func (w *writer) install(path string) error {
	if err := w.j.o.FS.Rename(path+tmpSuffix, path); err != nil {
		return fmt.Errorf("name segment: %w", errors.Join(err, w.j.o.FS.Remove(path+tmpSuffix)))
	}
	if err := w.j.o.FS.SyncDir(w.dir); err != nil {
		return fmt.Errorf("sync source folder: %w", errors.Join(err, w.j.o.FS.Remove(path)))
	}
	return nil
}

// fail notes that nothing can be written now; only the first time is logged.
func (w *writer) fail(err error) {
	w.j.stats.failures.Add(1)
	if !w.down {
		w.j.o.Logger.Error("journal is unavailable until a write succeeds", "err", err)
	}
	w.down = true
}

// close makes all that is in hand durable and ends the segment in order.
func (w *writer) close() error {
	if len(w.unsynced) > 0 {
		w.syncNow()
	}
	if n := len(w.unsynced); n > 0 {
		return fmt.Errorf("close journal: %d hits are not synced: %w", w.end-w.unsynced[0].head.base, ErrUnavailable)
	}
	if w.file == nil {
		return nil
	}
	c := &chunk{head: chunkHeader{kind: chunkEnd, base: w.end, appended: w.appended}, frame: make([]byte, chunkHeaderSize)}
	_, err := w.file.Write(c.place(w.epoch, w.offset, w.durable))
	if err == nil {
		err = w.file.Sync()
	}
	if err != nil { // every hit is durable: recovery takes the segment without its end
		w.j.o.Logger.Warn("end journal segment", "segment", w.segment.path, "err", err)
	}
	return w.file.Close()
}
