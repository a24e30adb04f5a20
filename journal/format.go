package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
)

// Sizes and limits of the format.
const (
	segmentHeaderSize = 128
	chunkHeaderSize   = 64
	chunkAlign        = 8 // every chunk begins at a multiple of it, bytes

	// MaxChunk is the greatest length of a payload before compression, bytes.
	MaxChunk = 16 << 20
	// MaxChunkHits is the greatest number of hits of a chunk, and so of one Append.
	MaxChunkHits = 1 << 16
	// MaxAppend is the greatest encoded length of what one Append takes, bytes.
	MaxAppend = 8 << 20

	formatVersion = 1
	segmentMagic  = "heatlogJ"
	chunkMarker   = 0x4b4e4348 // "HCNK"
	segmentSuffix = ".hj"
	sealedMagic   = "heatlogS"
	sealedSuffix  = ".hjs"
	badSuffix     = ".bad"
	tornSuffix    = ".torn"
	tmpSuffix     = ".tmp"
)

// The types of chunks and their flags.
const (
	chunkHits   = 1
	chunkEnd    = 2
	chunkBlock  = 3
	chunkFooter = 4

	flagZstd      = 1 << 0
	flagS2        = 1 << 1
	flagIgnorable = 1 << 7
)

// The feature bits that this code knows.
const (
	featureS2 uint64 = 1 << 0 // chunks may be S2 blocks

	knownIncompat        = featureS2
	knownRoCompat uint64 = 0
)

// castagnoli is the table of CRC-32C.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// segmentHeader is the first 128 bytes of a segment.
type segmentHeader struct {
	sealed                     bool
	version                    uint16
	epoch                      uint32
	base                       uint64
	created                    int64 // Unix ms
	incompat, roCompat, compat uint64
	source                     uint64
	appended                   int64  // append time of the chunk before the segment, Unix ms
	end                        uint64 // sealed: position after the last hit
}

func (h *segmentHeader) append(dst []byte) []byte {
	at := len(dst)
	dst = append(dst, make([]byte, segmentHeaderSize)...)
	b := dst[at:]
	copy(b, segmentMagic)
	if h.sealed {
		copy(b, sealedMagic)
	}
	le := binary.LittleEndian
	le.PutUint16(b[8:], h.version)
	le.PutUint16(b[10:], segmentHeaderSize)
	le.PutUint32(b[12:], h.epoch)
	le.PutUint64(b[16:], h.base)
	le.PutUint64(b[24:], uint64(h.created))
	le.PutUint64(b[32:], h.incompat)
	le.PutUint64(b[40:], h.roCompat)
	le.PutUint64(b[48:], h.compat)
	le.PutUint64(b[56:], h.source)
	le.PutUint64(b[64:], uint64(h.appended))
	le.PutUint64(b[72:], h.end)
	le.PutUint32(b[124:], checksum(b[:124]))
	return dst
}

// parseSegmentHeader reads a header and checks it against the name of its file. An error of type *VersionError means
// that the segment is sound but of a later format, any other one that the header is damaged.
func parseSegmentHeader(b []byte, name segmentName, source uint64) (h segmentHeader, err error) {
	if len(b) < segmentHeaderSize {
		return h, fmt.Errorf("segment header is %d bytes, want %d", len(b), segmentHeaderSize)
	}
	b = b[:segmentHeaderSize]
	le := binary.LittleEndian
	if magic := name.magic(); string(b[:8]) != magic {
		return h, fmt.Errorf("segment header begins with %x, want %x", b[:8], magic)
	}
	if got, want := le.Uint32(b[124:]), checksum(b[:124]); got != want {
		return h, fmt.Errorf("segment header checksum %08x, want %08x", got, want)
	}
	h = segmentHeader{
		sealed: name.sealed, end: le.Uint64(b[72:]), version: le.Uint16(b[8:]), epoch: le.Uint32(b[12:]), base: le.Uint64(b[16:]), created: int64(le.Uint64(b[24:])),
		incompat: le.Uint64(b[32:]), roCompat: le.Uint64(b[40:]), compat: le.Uint64(b[48:]),
		source: le.Uint64(b[56:]), appended: int64(le.Uint64(b[64:])),
	}
	if h.version != formatVersion || h.incompat&^knownIncompat != 0 {
		return h, &VersionError{Segment: name.String(), Version: h.version, Incompat: h.incompat &^ knownIncompat}
	}
	if n := le.Uint16(b[10:]); n != segmentHeaderSize {
		return h, fmt.Errorf("segment header length %d, want %d", n, segmentHeaderSize)
	}
	if h.epoch != name.epoch || h.base != name.base {
		return h, fmt.Errorf("segment header is that of %s", segmentName{h.base, h.epoch, h.sealed})
	}
	if h.source != source {
		return h, fmt.Errorf("segment header names source %s, want %s", sourceName(h.source), sourceName(source))
	}
	return h, nil
}

// chunkHeader is the first 64 bytes of a chunk.
type chunkHeader struct {
	kind, flags byte
	stored      uint32 // payload in the file, bytes, without padding
	raw         uint32 // payload after decompression, bytes
	hits        uint32
	appends     uint32
	epoch       uint32
	base        uint64
	appended    int64 // Unix ms
	durable     int64 // bytes of the segment below it were synced before the chunk was written
	payloadCRC  uint32
	offset      int64 // where the chunk begins
}

// put writes the header into b.
func (h *chunkHeader) put(b []byte) {
	b = b[:chunkHeaderSize]
	le := binary.LittleEndian
	le.PutUint32(b[0:], chunkMarker)
	b[4], b[5] = h.kind, h.flags
	le.PutUint16(b[6:], chunkHeaderSize)
	le.PutUint32(b[8:], h.stored)
	le.PutUint32(b[12:], h.raw)
	le.PutUint32(b[16:], h.hits)
	le.PutUint32(b[20:], h.epoch)
	le.PutUint64(b[24:], h.base)
	le.PutUint64(b[32:], uint64(h.appended))
	le.PutUint64(b[40:], uint64(h.durable))
	le.PutUint32(b[48:], h.payloadCRC)
	le.PutUint32(b[52:], uint32(h.offset/chunkAlign))
	le.PutUint32(b[56:], h.appends)
	le.PutUint32(b[60:], checksum(b[:60]))
}

var (
	errMarker    = errors.New("no chunk marker")
	errZeros     = errors.New("zeros instead of a chunk")
	errChunkType = errors.New("chunk type is unknown, it needs a later heatlog")
)

// parseChunkHeader reads the header of a chunk at offset and checks everything that can be checked without its
// neighbours.
func parseChunkHeader(b []byte, offset int64, epoch uint32) (h chunkHeader, err error) {
	b = b[:chunkHeaderSize]
	le := binary.LittleEndian
	if le.Uint32(b) != chunkMarker {
		if len(bytes.TrimLeft(b, "\x00")) == 0 {
			return h, errZeros
		}
		return h, errMarker
	}
	if got, want := le.Uint32(b[60:]), checksum(b[:60]); got != want {
		return h, fmt.Errorf("chunk header checksum %08x, want %08x", got, want)
	}
	h = chunkHeader{
		kind: b[4], flags: b[5], stored: le.Uint32(b[8:]), raw: le.Uint32(b[12:]), hits: le.Uint32(b[16:]),
		epoch: le.Uint32(b[20:]), base: le.Uint64(b[24:]), appended: int64(le.Uint64(b[32:])),
		durable: int64(le.Uint64(b[40:])), payloadCRC: le.Uint32(b[48:]),
		offset: int64(le.Uint32(b[52:])) * chunkAlign, appends: le.Uint32(b[56:]),
	}
	switch {
	case le.Uint16(b[6:]) != chunkHeaderSize:
		err = fmt.Errorf("chunk header length %d, want %d", le.Uint16(b[6:]), chunkHeaderSize)
	case h.epoch != epoch:
		err = fmt.Errorf("chunk of epoch %08x, want %08x", h.epoch, epoch)
	case h.offset != offset:
		err = fmt.Errorf("chunk of offset %d", h.offset)
	case h.raw > h.limit() || h.stored > h.raw:
		err = fmt.Errorf("payload of %d bytes, stored as %d, limit %d", h.raw, h.stored, h.limit())
	case h.hits > MaxChunkHits:
		err = fmt.Errorf("chunk of %d hits, limit %d", h.hits, MaxChunkHits)
	case h.durable < 0 || h.durable > offset:
		err = fmt.Errorf("durable offset %d is after the chunk", h.durable)
	case h.base+uint64(h.hits) < h.base:
		err = fmt.Errorf("position %d overflows", h.base)
	case h.kind > chunkFooter && h.flags&flagIgnorable == 0:
		err = fmt.Errorf("%w: %d", errChunkType, h.kind)
	case h.kind != chunkHits && h.kind != chunkBlock && h.hits != 0:
		err = fmt.Errorf("chunk type %d with %d hits", h.kind, h.hits)
	}
	return h, err
}

// ofSealed reports whether the chunk belongs into a sealed segment.
func (h *chunkHeader) ofSealed() bool { return h.kind == chunkBlock || h.kind == chunkFooter }

// limit is the greatest length of the payload before compression, bytes.
func (h *chunkHeader) limit() uint32 {
	if h.ofSealed() {
		return maxBlock
	}
	return MaxChunk
}

// end is the position after the chunk's last hit.
func (h *chunkHeader) end() uint64 { return h.base + uint64(h.hits) }

// size is the length of the chunk in the file, padding included, bytes.
func (h *chunkHeader) size() int64 { return chunkHeaderSize + int64(padded(int(h.stored))) }

// padded rounds n up to the alignment of chunks.
func padded(n int) int { return (n + chunkAlign - 1) &^ (chunkAlign - 1) }

// segmentName is what the name of a segment's file says.
type segmentName struct {
	base   uint64
	epoch  uint32
	sealed bool
}

// String gives the name of the file: 20 digits, '-', 8 hexadecimal digits, ".hj" or ".hjs".
func (n segmentName) String() string {
	suffix := segmentSuffix
	if n.sealed {
		suffix = sealedSuffix
	}
	return fmt.Sprintf("%020d-%08x%s", n.base, n.epoch, suffix)
}

// magic is how the segment begins.
func (n segmentName) magic() string {
	if n.sealed {
		return sealedMagic
	}
	return segmentMagic
}

// as gives the name of the segment's other form.
func (n segmentName) as(sealed bool) segmentName { return segmentName{n.base, n.epoch, sealed} }

// parseSegmentName is the inverse of String.
func parseSegmentName(s string) (n segmentName, ok bool) {
	stem, ok := strings.CutSuffix(s, segmentSuffix)
	sealed := false
	if !ok {
		stem, sealed = strings.CutSuffix(s, sealedSuffix)
	}
	if !ok && !sealed || len(stem) != 29 || stem[20] != '-' {
		return n, false
	}
	base, err1 := strconv.ParseUint(stem[:20], 10, 64)
	epoch, err2 := strconv.ParseUint(stem[21:], 16, 32)
	n = segmentName{base, uint32(epoch), sealed}
	return n, err1 == nil && err2 == nil && n.String() == s
}

// sourceName gives the public form of a source id: "j" and 16 hexadecimal digits.
func sourceName(id uint64) string { return fmt.Sprintf("j%016x", id) }

// parseSourceName is the inverse of sourceName.
func parseSourceName(s string) (id uint64, ok bool) {
	if len(s) != 17 || s[0] != 'j' {
		return 0, false
	}
	id, err := strconv.ParseUint(s[1:], 16, 64)
	return id, err == nil && sourceName(id) == s
}
