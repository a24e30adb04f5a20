package journal

import (
	"context"
	"errors"
	"fmt"
	"io"

	"heatlog/heatmap"
)

// Reader gives the chunks of a journal in order. It is not safe for concurrent use; several readers of one journal are.
type Reader struct {
	catalog *catalog
	from    uint64 // chunks that end at or before it are left out
	follow  bool   // wait at the tail; else io.EOF
	fields  Fields // that are wanted

	segment *segment    // nil before the first one
	name    segmentName // of the form of it that is read
	path    string
	offset  int64  // where the next chunk begins
	pos     uint64 // its first position
	end     uint64 // of segment, when last looked at
	marked  int64  // offset of the last mark that was passed on

	scan    scanner
	*parser // nil when closed

	damage *CorruptError // what Next returns until Skip
	resume int64         // where Skip goes on; the position is damage.To
	closed bool
}

// parser takes chunks and blocks apart. It is handed on from a reader that is closed to a new one, so that one that reads a
// single span does not begin by making memory for it.
type parser struct {
	buf    []byte // the scanner's
	unpack unpacker
	decode decoder
	block  *blockDecoder // of sealed segments, made when it is first needed; pos is behind the block that it holds
}

// forget lets go of all that was read.
func (p *parser) forget() {
	p.decode.s, p.decode.shared = "", heatmap.Hit{}
	clear(p.decode.strings[:cap(p.decode.strings)])
	if p.block != nil {
		p.block.forget()
	}
}

// Read gives a reader whose first chunk is the one that holds pos, and so may begin before it, or the next one that is
// appended if pos is Durable. The error wraps ErrPosition if pos is before First, then it is a *PrunedError, or after Durable.
func (l *Log) Read(pos uint64) (*Reader, error) { return newReader(l.catalog, pos, true) }

// ReadFields is Read for who needs some fields of the hits only. Each of the others is as it was recorded or zero. Of sealed segments only
// the columns that the fields need are decompressed; damage is found as by Read, since a checksum is that of a whole block.
func (l *Log) ReadFields(pos uint64, fields Fields) (*Reader, error) {
	r, err := l.Read(pos)
	if r != nil {
		r.fields = fields
	}
	return r, err
}

func newReader(c *catalog, pos uint64, follow bool) (*Reader, error) {
	at, err := c.find(pos)
	if err != nil {
		return nil, err
	}
	r := &Reader{catalog: c, from: pos, follow: follow, fields: AllFields, pos: pos, parser: c.parser()}
	r.scan.buf = r.buf
	if at.segment == nil {
		return r, nil
	}
	if err := r.enter(at); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Close gives up the reader's file. What Next filled stays valid.
func (r *Reader) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	r.buf = r.scan.buf
	r.parser.forget()
	r.catalog.leave(r.parser)
	r.parser = nil
	return r.leave()
}

func (r *Reader) leave() error {
	if r.scan.file == nil {
		return nil
	}
	err := r.scan.file.Close()
	r.scan.file = nil
	return err
}

// enter opens a segment at a place in it.
func (r *Reader) enter(at place) error {
	if err := r.leave(); err != nil {
		return fmt.Errorf("close segment: %w", err)
	}
	if st := r.catalog.look(at.segment); st.damage == ErrMissing {
		r.segment, r.name, r.path, r.offset, r.pos, r.end = at.segment, at.name, at.path, 0, at.pos, st.end
		r.damaged(ErrMissing, st.end, 0)
		return nil
	}
	f, at, err := r.catalog.open(at)
	if err != nil {
		return err
	}
	r.segment, r.name, r.path = at.segment, at.name, at.path
	r.offset, r.pos, r.marked = at.offset, at.pos, at.offset
	r.scan.reset(f, at.name, 0)
	st := r.catalog.look(at.segment)
	if err := r.bound(st); err != nil {
		return err
	}
	if st.damage != nil && at.offset == segmentHeaderSize && st.end > r.from {
		r.damage = &CorruptError{Segment: at.path, Offset: st.damageAt, From: at.pos, To: at.pos, Err: st.damage}
		r.resume = segmentHeaderSize
	}
	return nil
}

// bound takes over how far the segment may be read.
func (r *Reader) bound(st state) error {
	r.end, r.scan.limit = st.end, st.limit
	if st.limit != wholeFile {
		return nil
	}
	size, err := r.scan.file.Size()
	if err != nil {
		return fmt.Errorf("size of segment %s: %w", r.path, err)
	}
	r.scan.limit = size
	return nil
}

// Next fills c with the next chunk, reusing its slices, and waits for one at the tail until ctx ends. The strings of c are
// parts of one string that is never reused; the hits of all batches of c are one array that the next call with the same
// c overwrites. The error is a *CorruptError for damage, and the same one again until Skip is called; ErrClosed when the
// journal was closed and all of it was read; io.EOF at the end of a frozen source; a *PrunedError when what comes next was deleted; the cause of ctx; or that of a
// failed read, which the next call tries again.
func (r *Reader) Next(ctx context.Context, c *heatmap.Chunk) error {
	for {
		if r.inBlock() {
			if done, err := r.unseal(c); done || err != nil {
				return err
			}
			continue
		}
		h, err := r.head(ctx)
		if err != nil {
			return err
		}
		if h.hits == 0 || h.end() <= r.from {
			r.step(&h)
			continue
		}
		if h.kind == chunkBlock {
			err = r.open(&h)
		} else {
			err = r.load(&h, c)
		}
		if err == nil {
			r.step(&h)
			if h.kind == chunkBlock {
				continue
			}
			return nil
		}
		if errors.As(err, new(ioError)) {
			return err
		}
		r.damaged(err, h.end(), h.offset+h.size())
	}
}

// Skip goes on behind the damage that Next returned. What is left out is CorruptError.From to To.
func (r *Reader) Skip() {
	if r.damage != nil {
		r.offset, r.pos, r.damage = r.resume, r.damage.To, nil
	}
}

// head gives the header of the next chunk and waits for one.
func (r *Reader) head(ctx context.Context) (h chunkHeader, err error) {
	for {
		if err := r.ready(ctx); err != nil {
			return h, err
		}
		h, err := r.scan.header(r.offset, r.pos, r.end)
		if err == nil {
			return h, nil
		}
		if errors.As(err, new(ioError)) {
			return h, err
		}
		if err := r.lost(err); err != nil {
			return h, err
		}
	}
}

// ready returns when there is a chunk to read at offset.
func (r *Reader) ready(ctx context.Context) error {
	for {
		switch {
		case r.closed:
			return ErrClosed
		case r.damage != nil:
			return r.damage
		case r.segment != nil && r.pos < r.end:
			return nil
		}
		st := r.catalog.look(r.segment)
		switch {
		case r.segment != nil && r.pos < st.end:
			if err := r.bound(st); err != nil {
				return err
			}
		case st.next.segment != nil && r.segment != nil && st.next.pos > r.pos:
			return &PrunedError{Position: r.pos, First: st.next.pos}
		case st.next.segment != nil:
			if err := r.enter(st.next); err != nil {
				return err
			}
		case r.segment != nil && st.pruned > r.pos:
			return &PrunedError{Position: r.pos, First: st.pruned}
		case !r.follow:
			return io.EOF
		case st.closed != nil:
			return st.closed
		default:
			select {
			case <-st.changed:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
}

// lost looks for the next sound chunk behind a damaged one.
func (r *Reader) lost(cause error) error {
	h, found, err := r.scan.resync(r.offset, r.offset+chunkAlign, r.pos, r.end)
	switch {
	case err != nil:
		return err
	case found:
		r.damaged(cause, h.base, h.offset)
	default:
		r.damaged(cause, r.end, r.scan.limit)
	}
	return nil
}

// damaged notes damage from the next chunk to position to; the reader goes on at offset resume. Damage before the position
// that was asked for is none of the caller's business.
func (r *Reader) damaged(cause error, to uint64, resume int64) {
	r.damage = &CorruptError{Segment: r.path, Offset: r.offset, From: r.pos, To: to, Err: cause}
	r.resume = resume
	if to <= r.from {
		r.Skip()
	}
}

// step goes to the next chunk.
func (r *Reader) step(h *chunkHeader) {
	if h.offset >= r.marked+markEvery && h.kind == chunkHits {
		r.marked = h.offset
		r.catalog.passed(r.segment, r.name, mark{h.offset, h.base, h.appended})
	}
	r.offset, r.pos = h.offset+h.size(), h.end()
}

// load reads and decodes the chunk of h into c.
func (r *Reader) load(h *chunkHeader, c *heatmap.Chunk) error {
	stored, err := r.scan.payload(h)
	if err != nil {
		return err
	}
	s, err := r.unpack.unpack(h, stored)
	if err != nil {
		return err
	}
	c.Position, c.Appended = h.base, h.appended
	return r.decode.payload(s, int(h.hits), int(h.appends), c)
}
