package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"unsafe"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// readAhead is how much a reader reads at once, bytes.
const readAhead = 256 << 10

var errCut = errors.New("the segment ends inside a chunk")

// ioError is a failed read, as opposed to damage: the bytes may be fine.
type ioError struct{ error }

func (e ioError) Unwrap() error { return e.error }

// scanner reads the chunks of one segment.
type scanner struct {
	file  File
	name  segmentName
	limit int64 // nothing is read at or after it

	buf []byte // what the file holds from at on
	at  int64
}

// reset prepares for another file.
func (s *scanner) reset(f File, name segmentName, limit int64) {
	*s = scanner{file: f, name: name, limit: limit, buf: s.buf[:0]}
}

// bytes gives n bytes at offset, valid until the next call. The error is errCut if limit or the end of the file is nearer,
// an ioError if the read failed.
func (s *scanner) bytes(offset int64, n int) ([]byte, error) {
	if i := offset - s.at; i >= 0 && i+int64(n) <= int64(len(s.buf)) {
		return s.buf[i : i+int64(n)], nil
	}
	if offset+int64(n) > s.limit {
		return nil, errCut
	}
	want := int(min(int64(max(n, readAhead)), s.limit-offset))
	if cap(s.buf) < want {
		s.buf = make([]byte, want)
	}
	s.buf, s.at = s.buf[:want], offset
	got, err := s.file.ReadAt(s.buf, offset)
	s.buf = s.buf[:got]
	if got >= n {
		return s.buf[:n], nil
	}
	if errors.Is(err, io.EOF) {
		return nil, errCut
	}
	return nil, ioError{fmt.Errorf("read segment %s:%d: %w", s.name, offset, err)}
}

// header reads the header of the chunk at offset, whose first position must be pos and last one below end.
func (s *scanner) header(offset int64, pos, end uint64) (h chunkHeader, err error) {
	b, err := s.bytes(offset, chunkHeaderSize)
	if err != nil {
		return h, err
	}
	h, err = parseChunkHeader(b, offset, s.name.epoch)
	switch {
	case err != nil:
		return h, err
	case h.ofSealed() != s.name.sealed && h.kind <= chunkFooter:
		return h, fmt.Errorf("chunk type %d in %s", h.kind, s.name)
	case h.base != pos:
		return h, fmt.Errorf("chunk of position %d, want %d", h.base, pos)
	case h.end() > end:
		return h, fmt.Errorf("chunk of positions up to %d, want at most %d", h.end(), end)
	case offset+h.size() > s.limit:
		return h, errCut
	}
	return h, nil
}

// payload reads what is stored of a chunk and checks it.
func (s *scanner) payload(h *chunkHeader) ([]byte, error) {
	b, err := s.bytes(h.offset+chunkHeaderSize, padded(int(h.stored)))
	if err != nil {
		return nil, err
	}
	if got := checksum(b); got != h.payloadCRC {
		return nil, fmt.Errorf("payload checksum %08x, want %08x", got, h.payloadCRC)
	}
	return b[:h.stored], nil
}

// resync looks for the next sound chunk at or after offset, of a position from pos to end. gap is where the damage began.
func (s *scanner) resync(gap, offset int64, pos, end uint64) (h chunkHeader, found bool, err error) {
	offset = (offset + chunkAlign - 1) &^ (chunkAlign - 1)
	for ; offset+chunkHeaderSize <= s.limit; offset += chunkAlign {
		b, err := s.bytes(offset, chunkHeaderSize)
		if errors.As(err, new(ioError)) {
			return h, false, err
		}
		if err != nil {
			return h, false, nil
		}
		if binary.LittleEndian.Uint32(b) != chunkMarker {
			continue
		}
		h, err = parseChunkHeader(b, offset, s.name.epoch)
		if err == nil && h.ofSealed() == s.name.sealed && h.base >= pos && h.end() <= end && h.base-pos <= mostHits(offset-gap) {
			return h, true, nil
		}
	}
	return h, false, nil
}

// mostHits is how many hits n bytes can hold, so that a false header cannot move positions far.
func mostHits(n int64) uint64 { return (uint64(n)/chunkHeaderSize + 1) * MaxChunkHits }

// unpacker decompresses payloads. The zero value is ready. It is not safe for concurrent use.
type unpacker struct {
	zstd *zstd.Decoder // made when it is first needed
}

// unpack gives the payload as a string of its own.
func (u *unpacker) unpack(h *chunkHeader, stored []byte) (string, error) {
	raw, err := u.bytes(h, stored)
	if err != nil {
		return "", err
	}
	if len(raw) != int(h.raw) {
		return "", fmt.Errorf("payload of %d bytes, header says %d", len(raw), h.raw)
	}
	return unsafe.String(unsafe.SliceData(raw), len(raw)), nil // nobody else has raw
}

// bytes gives the payload in memory of its own.
func (u *unpacker) bytes(h *chunkHeader, stored []byte) (raw []byte, err error) {
	switch {
	case h.flags&flagS2 != 0:
		n, err := s2.DecodedLen(stored)
		if err == nil && n != int(h.raw) {
			return nil, fmt.Errorf("payload of %d bytes, header says %d", n, h.raw)
		}
		if err == nil {
			raw, err = s2.Decode(make([]byte, n), stored)
		}
		if err != nil {
			return nil, fmt.Errorf("decompress payload: %w", err)
		}
	case h.flags&flagZstd != 0:
		if u.zstd == nil {
			d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(MaxChunk),
				zstd.WithDecodeAllCapLimit(true))
			if err != nil {
				panic("BUG: journal: decompressor options: " + err.Error())
			}
			u.zstd = d
		}
		if raw, err = u.zstd.DecodeAll(stored, make([]byte, 0, h.raw)); err != nil {
			return nil, fmt.Errorf("decompress payload: %w", err)
		}
	default:
		raw = bytes.Clone(stored)
	}
	return raw, nil
}
