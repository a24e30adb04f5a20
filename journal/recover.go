package journal

import (
	"errors"
	"fmt"
	"math"
)

// tail is what recovery finds in the last segment: its longest prefix that can be trusted.
type tail struct {
	end      uint64 // position after the last hit
	limit    int64  // end of the last chunk, bytes
	size     int64  // of the file, bytes; what lies between limit and size is torn
	vouched  int64  // bytes below it were synced before the last chunk was written
	appended int64  // append time of the last chunk, Unix ms; 0 = there is none
	ended    bool   // the writer closed it in order
	marks    []mark
	damages  []*CorruptError // inside the prefix
}

// torn is the number of bytes behind the prefix.
func (t *tail) torn() int64 { return t.size - t.limit }

// gap is a place where the chunks do not go on, with the prefix before it.
type gap struct {
	before tail
	err    error
	resume chunkHeader // the next sound chunk, if found
	found  bool
}

// scanTail finds the longest prefix of the last segment that can be trusted. It is the one rule of recovery:
//
// Chunks are read in order, payloads too. Where one is not sound, the next sound one is looked for. A chunk says how much
// of the segment was durable before it was written. What is not sound and lies below the greatest such offset is
// damage: it stays and is reported. What is not sound and lies above it is a write that a crash tore: the prefix ends
// there, for nothing behind it was acknowledged. An error means that the file could not be read.
func scanTail(sc *scanner, path string) (tail, error) {
	t := tail{end: sc.name.base, limit: segmentHeaderSize, size: sc.limit}
	if sc.limit < segmentHeaderSize {
		t.limit = 0
		return t, nil
	}
	var gaps []gap
	for t.limit < sc.limit {
		h, err := sc.header(t.limit, t.end, math.MaxUint64)
		bodyErr := error(nil)
		if err == nil {
			_, bodyErr = sc.payload(&h)
		}
		if stop := fatal(err, bodyErr); stop != nil {
			return t, stop
		}
		if err == nil && bodyErr == nil {
			t.accept(&h)
			continue
		}
		g := gap{before: t, err: errors.Join(err, bodyErr)}
		if bodyErr != nil { // the header is sound: it tells where the next chunk is
			t.vouched = max(t.vouched, h.durable)
			g.resume, g.found = h, true
			t.limit, t.end = h.offset+h.size(), h.end()
			gaps = append(gaps, g)
			continue
		}
		if g.resume, g.found, err = sc.resync(t.limit, t.limit+chunkAlign, t.end, math.MaxUint64); err != nil {
			return t, err
		}
		gaps = append(gaps, g)
		if !g.found {
			break
		}
		t.limit, t.end = g.resume.offset, g.resume.base
	}
	return t.cut(gaps, path), nil
}

// fatal picks out the errors that are not damage.
func fatal(errs ...error) error {
	for _, err := range errs {
		if errors.As(err, new(ioError)) || errors.Is(err, errChunkType) {
			return err
		}
	}
	return nil
}

// accept adds a sound chunk.
func (t *tail) accept(h *chunkHeader) {
	if n := len(t.marks); h.hits > 0 && (n == 0 || h.offset >= t.marks[n-1].offset+markEvery) {
		t.marks = append(t.marks, mark{h.offset, h.base, h.appended})
	}
	t.limit, t.end = h.offset+h.size(), h.end()
	t.vouched = max(t.vouched, h.durable)
	t.appended = max(t.appended, h.appended)
	t.ended = h.kind == chunkEnd
}

// cut ends the prefix at the first gap that no chunk vouches for; the gaps before it are damage.
func (t tail) cut(gaps []gap, path string) tail {
	for _, g := range gaps {
		if g.before.limit >= t.vouched {
			g.before.vouched, g.before.damages = t.vouched, t.damages
			return g.before
		}
		to := g.resume.base
		if g.resume.offset == g.before.limit { // its payload is damaged
			to = g.resume.end()
		}
		t.damages = append(t.damages, &CorruptError{
			Segment: path, Offset: g.before.limit, From: g.before.end, To: to, Err: g.err,
		})
	}
	return t
}

// repair makes a recovered last segment durable: what is torn is kept beside it and cut off, and what no chunk vouches
// for is written again, since after a failed sync the system may take bytes for clean that never reached the disk.
func repair(fsys FS, path string, t *tail) (kept string, err error) {
	f, err := fsys.OpenWrite(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if t.torn() > 0 {
		if kept, err = keepTorn(fsys, f, path, t); err != nil {
			return "", fmt.Errorf("%w: %w", errKeep, err)
		}
		if err := f.Truncate(t.limit); err != nil {
			return "", fmt.Errorf("cut torn tail of %s: %w", path, err)
		}
	}
	if t.vouched < t.limit && !t.ended {
		if err := rewrite(f, t.vouched, t.limit); err != nil {
			return "", fmt.Errorf("rewrite tail of %s: %w", path, err)
		}
	}
	if err := f.Sync(); err != nil {
		return "", fmt.Errorf("sync %s: %w", path, err)
	}
	return kept, nil
}

// rewrite writes the bytes from offset to end as they are.
func rewrite(f File, offset, end int64) error {
	buf := make([]byte, min(end-offset, readAhead))
	for offset < end {
		b := buf[:min(int64(len(buf)), end-offset)]
		if n, err := f.ReadAt(b, offset); n < len(b) {
			return err
		}
		if _, err := f.WriteAt(b, offset); err != nil {
			return err
		}
		offset += int64(len(b))
	}
	return nil
}

// errKeep means that a torn tail could not be copied, so that it must not be cut off.
var errKeep = errors.New("keep torn tail")

// keepTorn copies the torn tail of f into a new file beside it and returns that file's path.
func keepTorn(fsys FS, f File, path string, t *tail) (kept string, err error) {
	if kept, err = freeName(fsys, path+tornSuffix); err != nil {
		return "", err
	}
	out, err := fsys.Create(kept + tmpSuffix)
	if err != nil {
		return "", err
	}
	err = copyRange(out, f, t.limit, t.size)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err == nil {
		err = fsys.Rename(kept+tmpSuffix, kept)
	}
	if err != nil {
		return "", errors.Join(err, fsys.Remove(kept+tmpSuffix))
	}
	return kept, nil
}

func copyRange(dst, src File, offset, end int64) error {
	buf := make([]byte, min(end-offset, readAhead))
	for offset < end {
		b := buf[:min(int64(len(buf)), end-offset)]
		if n, err := src.ReadAt(b, offset); n < len(b) {
			return err
		}
		if _, err := dst.Write(b); err != nil {
			return err
		}
		offset += int64(len(b))
	}
	return nil
}
