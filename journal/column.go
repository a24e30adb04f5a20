package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

// A column of a block is a run of whole numbers of one meaning. It is stored as planes: all lowest bytes, all second
// bytes, and so on. A plane of zeros is left out. Texts are a column of lengths, whose plane 8 is the texts themselves.
type column byte

// The columns. The numbers are part of the format; the package doc says what they hold.
const (
	colChunkBatches  column = 1
	colChunkAppended column = 2
	colBatchFlags    column = 3
	colBatchRuns     column = 4
	colBatchSuffix   column = 5
	colBatchID       column = 6
	colBatchSite     column = 7
	colBatchVisitor  column = 8
	colRunLength     column = 9
	colRunContext    column = 10
	colRunTime       column = 11
	colCtxPage       column = 12
	colCtxView       column = 13
	colCtxVisitor    column = 14
	colCtxDiff       column = 15
	colCtxAgent      column = 16
	colCtxTags       column = 17
	colCtxViewportH  column = 18
	colCtxDocumentW  column = 19
	colCtxDocumentH  column = 20
	colCtxLayout     column = 21
	colCtxPointer    column = 22
	colPageURL       column = 23
	colPageViewportW column = 24
	colPageElements  column = 25
	colURLSite       column = 26
	colElSelector    column = 27
	colElDiff        column = 28
	colElBoxW        column = 29
	colElBoxH        column = 30
	colElCheck       column = 31
	colElLeft        column = 32
	colElTop         column = 33
	colTagCount      column = 34
	colTag           column = 35
	colHead          column = 40
	colTime          column = 41
	colElement       column = 42
	colAnchorX       column = 43
	colAnchorY       column = 44
	colOffX          column = 45
	colOffY          column = 46
	colX             column = 47
	colY             column = 48
	colScrollY       column = 49
	colDwell         column = 50
	colFlags         column = 51
	colRare          column = 52
	colKind          column = 53
	colPointer       column = 54
	colOddAnchorX    column = 55
	colOddAnchorY    column = 56
	colContainer     column = 57
	colContainerX    column = 58
	colContainerY    column = 59
	colID            column = 60
	colOddX          column = 61
	colOddY          column = 62
	colOddDwell      column = 63
	colFrom          column = 64
	colDepth         column = 65
	colSiteText      column = 80
	colURLText       column = 81
	colViewText      column = 82
	colVisitorText   column = 83
	colAgentText     column = 84
	colTagText       column = 85
	colSelectorText  column = 86
	colContainerText column = 87
	colSuffixText    column = 88
	columns                 = 96 // numbers from here on are of a later version and are left out
)

const (
	textPlane = 8  // the plane of the texts
	planes    = 9  // of a column at most
	entrySize = 12 // of the directory of streams, bytes

	blockCounts = 16                // at the begin of a payload
	payloadHead = 4*blockCounts + 4 // bytes before the directory

	// minCompressed is the length from which a stream is compressed, bytes.
	minCompressed = 48
)

// How a stream is stored.
const (
	streamRaw      = 0
	streamZstd     = 1
	streamConstant = 2 // one byte, repeated
)

// unsigned are the types of columns.
type unsigned interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64
}

// columnWriter collects the streams of a block.
type columnWriter struct {
	zstd    *zstd.Encoder
	dir     []byte
	body    []byte
	raw     int // bytes of all streams
	scratch []byte
}

func (w *columnWriter) reset() { w.dir, w.body, w.raw = w.dir[:0], w.body[:0], 0 }

// payload appends the block's payload: counts, the number of streams, their directory, the streams.
func (w *columnWriter) payload(dst []byte, counts *[blockCounts]uint32) []byte {
	for _, n := range counts {
		dst = binary.LittleEndian.AppendUint32(dst, n)
	}
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(w.dir)/entrySize))
	return append(append(dst, w.dir...), w.body...)
}

// rawSize is the length of the payload if nothing of it were compressed.
func (w *columnWriter) rawSize() int { return payloadHead + len(w.dir) + w.raw }

// stream adds one plane of a column.
func (w *columnWriter) stream(c column, plane byte, b []byte) {
	if len(b) == 0 {
		return
	}
	at := len(w.body)
	encoding := byte(streamRaw)
	switch {
	case isConstant(b):
		encoding = streamConstant
		w.body = append(w.body, b[0])
	case len(b) >= minCompressed:
		encoding = streamZstd
		w.body = w.zstd.EncodeAll(b, w.body)
		runtime.Gosched() // sealing lets others go first
		if len(w.body)-at >= len(b) {
			w.body, encoding = w.body[:at], streamRaw
		}
	}
	if encoding == streamRaw {
		w.body = append(w.body, b...)
	}
	w.dir = append(w.dir, byte(c), plane, encoding, 0)
	w.dir = binary.LittleEndian.AppendUint32(w.dir, uint32(len(b)))
	w.dir = binary.LittleEndian.AppendUint32(w.dir, uint32(len(w.body)-at))
	w.raw += len(b)
}

func isConstant(b []byte) bool {
	for _, v := range b {
		if v != b[0] {
			return false
		}
	}
	return true
}

// put adds a column.
func put[T unsigned](w *columnWriter, c column, values []T) {
	all := T(0)
	for _, v := range values {
		all |= v
	}
	for plane := byte(0); all != 0; plane++ {
		if byte(all) != 0 {
			b := w.scratch[:0]
			for _, v := range values {
				b = append(b, byte(v>>(8*plane)))
			}
			w.scratch = b
			w.stream(c, plane, b)
		}
		all = T(uint64(all) >> 8)
	}
}

// texts are strings one behind the other.
type texts struct {
	lengths []uint32
	bytes   []byte
}

func (t *texts) reset() { t.lengths, t.bytes = t.lengths[:0], t.bytes[:0] }

func (t *texts) add(s string) {
	t.lengths = append(t.lengths, uint32(len(s)))
	t.bytes = append(t.bytes, s...)
}

func (w *columnWriter) texts(c column, t *texts) {
	put(w, c, t.lengths)
	w.stream(c, textPlane, t.bytes)
}

var errBlock = errors.New("block is not sound")

// columnReader takes a block's payload apart.
type columnReader struct {
	zstd   *zstd.Decoder
	arena  []byte // the planes that are not texts
	text   []byte // the texts, in the order of the directory
	all    string // a copy of text
	counts [blockCounts]int
	planes [columns][planes]extent
	err    error
}

// extent is where a plane lies in the arena or in the texts.
type extent struct{ at, n int }

// open reads the directory and decompresses the streams of the wanted columns; the others are as if they were not there.
// Nothing is allocated that limit or the payload does not warrant.
func (r *columnReader) open(payload []byte, limit int, wanted *columnSet) error {
	r.planes, r.err = [columns][planes]extent{}, nil
	if len(payload) < payloadHead {
		return fmt.Errorf("%w: %d bytes", errBlock, len(payload))
	}
	for i := range r.counts {
		r.counts[i] = int(binary.LittleEndian.Uint32(payload[4*i:]))
	}
	n := int(binary.LittleEndian.Uint32(payload[4*blockCounts:]))
	if n > columns*planes || payloadHead+n*entrySize > len(payload) {
		return fmt.Errorf("%w: %d streams in %d bytes", errBlock, n, len(payload))
	}
	dir, body := payload[payloadHead:payloadHead+n*entrySize], payload[payloadHead+n*entrySize:]
	if err := r.reserve(dir, len(body), limit-payloadHead-len(dir), wanted); err != nil {
		return err
	}
	for ; len(dir) > 0; dir = dir[entrySize:] {
		e := parseEntry(dir)
		if wanted.has(e.c) {
			if err := r.stream(e, body[:e.stored]); err != nil {
				return err
			}
		}
		body = body[e.stored:]
	}
	r.all = string(r.text)
	return nil
}

// entry is one of the directory's.
type entry struct {
	c               column
	plane, encoding byte
	raw, stored     int
}

func parseEntry(b []byte) entry {
	le := binary.LittleEndian
	return entry{column(b[0]), b[1], b[2], int(le.Uint32(b[4:])), int(le.Uint32(b[8:]))}
}

// reserve checks the lengths that a directory declares and makes room for the wanted columns.
func (r *columnReader) reserve(dir []byte, body, limit int, wanted *columnSet) error {
	sum, plane, text := 0, 0, 0
	for ; len(dir) > 0; dir = dir[entrySize:] {
		e := parseEntry(dir)
		sum += e.raw
		body -= e.stored
		switch {
		case !wanted.has(e.c):
		case e.plane == textPlane:
			text += e.raw
		default:
			plane += e.raw
		}
		if sum > limit || body < 0 || e.plane >= planes || dir[3] != 0 {
			return fmt.Errorf("%w: stream %d of %d bytes, stored as %d", errBlock, e.c, e.raw, e.stored)
		}
	}
	if sum != limit || body != 0 {
		return fmt.Errorf("%w: streams of %d bytes, want %d; %d bytes behind them", errBlock, sum, limit, body)
	}
	r.arena, r.text = grow(r.arena, plane)[:0], grow(r.text, text)[:0]
	return nil
}

// grow gives a slice of length n, of the memory of s if that is large enough.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// stream decodes one stream to the end of the arena or of the texts.
func (r *columnReader) stream(e entry, stored []byte) error {
	dst := &r.arena
	if e.plane == textPlane {
		dst = &r.text
	}
	at := len(*dst)
	switch {
	case e.encoding == streamRaw && e.raw == e.stored:
		*dst = append(*dst, stored...)
	case e.encoding == streamConstant && e.stored == 1:
		*dst = (*dst)[:at+e.raw]
		fill((*dst)[at:], stored[0])
	case e.encoding == streamZstd:
		b, err := r.zstd.DecodeAll(stored, (*dst)[at:at:at+e.raw])
		if err != nil || len(b) != e.raw {
			return fmt.Errorf("%w: stream %d decompresses to %d bytes, want %d: %w", errBlock, e.c, len(b), e.raw, errors.Join(err))
		}
		*dst = (*dst)[:at+e.raw]
	default:
		return fmt.Errorf("%w: stream %d has encoding %d", errBlock, e.c, e.encoding)
	}
	p := &r.planes[e.c][e.plane]
	if p.n > 0 {
		return fmt.Errorf("%w: stream %d is there twice", errBlock, e.c)
	}
	*p = extent{at, e.raw}
	return nil
}

func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}

// get reads a column of n values into dst, reusing its memory.
func get[T unsigned](r *columnReader, c column, n int, dst []T) []T {
	dst = grow(dst, n)
	first := true
	for plane, p := range r.planes[c][:textPlane] {
		if p.n == 0 {
			continue
		}
		shift := uint(8 * plane)
		if p.n != n || T(1)<<shift == 0 {
			r.fail("column %d has %d values of byte %d, want %d", c, p.n, plane, n)
			break
		}
		src := r.arena[p.at : p.at+p.n]
		if first {
			for i, b := range src[:len(dst)] {
				dst[i] = T(b) << shift
			}
		} else {
			for i, b := range src[:len(dst)] {
				dst[i] |= T(b) << shift
			}
		}
		first = false
	}
	if first {
		clear(dst)
	}
	return dst
}

// fail notes the first thing that is wrong.
func (r *columnReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: "+format, append([]any{errBlock}, args...)...)
	}
}

// texts reads n strings, parts of r.all.
func (r *columnReader) texts(c column, n int, lengths *[]uint32, dst []string) []string {
	*lengths = get(r, c, n, *lengths)
	dst = grow(dst, n)
	p := r.planes[c][textPlane]
	s := r.all[p.at : p.at+p.n]
	for i, l := range *lengths {
		if int(l) > len(s) {
			r.fail("texts of column %d are cut short", c)
			clear(dst[i:])
			return dst
		}
		dst[i], s = s[:l], s[l:]
	}
	if s != "" {
		r.fail("column %d has %d bytes of text too many", c, len(s))
	}
	return dst
}
