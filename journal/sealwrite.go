package journal

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"math"

	"github.com/klauspost/compress/zstd"

	"heatlog/heatmap"
)

// sealedWriter writes a sealed segment.
type sealedWriter struct {
	file   File
	name   segmentName
	block  blockBuilder
	info   blockInfo // of the block in hand
	footer footer
	offset int64
	pos    uint64
	sum    hash.Hash // SHA-256 of all that was written
	buf    []byte
}

func newBlockCompressor() *zstd.Encoder {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
		zstd.WithSingleSegment(true), zstd.WithAllLitEntropyCompression(true), zstd.WithWindowSize(4<<20))
	if err != nil {
		panic("BUG: journal: compressor options: " + err.Error())
	}
	return z
}

// newSealedWriter begins a segment in an empty file.
func newSealedWriter(f File, h *segmentHeader, z *zstd.Encoder, blockHits int) (*sealedWriter, error) {
	w := &sealedWriter{file: f, name: segmentName{h.base, h.epoch, true}, pos: h.base, sum: sha256.New()}
	w.block.out.zstd, w.block.most = z, blockHits
	return w, w.write(h.append(nil))
}

func (w *sealedWriter) write(b []byte) error {
	if _, err := w.file.Write(b); err != nil {
		return fmt.Errorf("write segment %s:%d: %w", w.name, w.offset, err)
	}
	w.sum.Write(b)
	w.offset += int64(len(b))
	return nil
}

// add takes the next chunk of the segment. It keeps nothing of c.
func (w *sealedWriter) add(c *heatmap.Chunk) error {
	if w.block.hits > 0 && w.block.hits+c.Count > w.block.most {
		if err := w.flush(); err != nil {
			return err
		}
	}
	w.note(c)
	w.block.add(c)
	if w.block.full() {
		return w.flush()
	}
	return nil
}

// note takes what the footer says of a block.
func (w *sealedWriter) note(c *heatmap.Chunk) {
	i := &w.info
	if i.hits == 0 {
		*i = blockInfo{offset: w.offset, base: c.Position, firstAppend: c.Appended, firstTime: math.MaxInt64, lastTime: math.MinInt64}
	}
	i.hits += uint32(c.Count)
	i.chunks++
	i.lastAppend = c.Appended
	for b := range c.Batches {
		for h := range c.Batches[b].Hits {
			t := c.Batches[b].Hits[h].Time
			i.firstTime, i.lastTime = min(i.firstTime, t), max(i.lastTime, t)
		}
	}
}

// flush writes the block in hand.
func (w *sealedWriter) flush() error {
	sites := w.block.sites.list()
	payload, raw, err := w.block.flush(append(w.buf[:0], make([]byte, chunkHeaderSize)...))
	if err != nil {
		return fmt.Errorf("seal block of position %d: %w", w.info.base, err)
	}
	w.buf = payload
	h := chunkHeader{kind: chunkBlock, raw: uint32(raw), hits: w.info.hits, appends: w.info.chunks, base: w.pos, appended: w.info.lastAppend}
	if err := w.chunk(&h); err != nil {
		return err
	}
	w.pos = h.end()
	w.footer.add(w.info, sites)
	w.info = blockInfo{}
	return nil
}

// chunk completes the header of the chunk whose payload is in buf and writes it.
func (w *sealedWriter) chunk(h *chunkHeader) error {
	h.stored, h.epoch, h.offset = uint32(len(w.buf)-chunkHeaderSize), w.name.epoch, w.offset
	for len(w.buf)%chunkAlign != 0 {
		w.buf = append(w.buf, 0)
	}
	h.payloadCRC = checksum(w.buf[chunkHeaderSize:])
	h.put(w.buf)
	return w.write(w.buf)
}

// finish writes what is in hand and the footer.
func (w *sealedWriter) finish() error {
	if w.info.hits > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	at := w.offset
	w.buf = append(append(w.buf[:0], make([]byte, chunkHeaderSize)...), w.footer.payload()...)
	h := chunkHeader{kind: chunkFooter, raw: uint32(len(w.buf) - chunkHeaderSize), base: w.pos, appended: w.footer.last()}
	if h.raw > maxBlock {
		return fmt.Errorf("seal footer of %d bytes: %w", h.raw, errSealLimit)
	}
	if err := w.chunk(&h); err != nil {
		return err
	}
	if err := w.write(trailer(at)); err != nil {
		return err
	}
	return w.file.Sync()
}

// list gives the texts in order.
func (d *dict) list() []string {
	all := make([]string, len(d.index))
	for s, n := range d.index {
		all[n] = s
	}
	return all
}

// sameChunk reports whether two chunks are equal in all that a reader can see.
func sameChunk(a, b *heatmap.Chunk) error {
	if a.Position != b.Position || a.Appended != b.Appended || a.Count != b.Count || len(a.Batches) != len(b.Batches) {
		return fmt.Errorf("%w: chunk of position %d", errDifferent, a.Position)
	}
	pos := a.Position
	for i := range a.Batches {
		x, y := &a.Batches[i], &b.Batches[i]
		if x.Site != y.Site || x.Visitor != y.Visitor || x.ID != y.ID || len(x.Hits) != len(y.Hits) {
			return fmt.Errorf("%w: batch of position %d", errDifferent, pos)
		}
		for h := range x.Hits {
			if !sameHit(&x.Hits[h], &y.Hits[h]) {
				return fmt.Errorf("%w: hit of position %d", errDifferent, pos)
			}
			pos++
		}
	}
	return nil
}

var errDifferent = errors.New("sealed segment does not give back what was sealed")

func sameHit(a, b *heatmap.Hit) bool {
	return sameGroup(a, b) && a.Time == b.Time && a.Layout == b.Layout && a.Kind == b.Kind && a.Pointer == b.Pointer && a.Flags == b.Flags &&
		a.X == b.X && a.Y == b.Y && a.Depth == b.Depth && a.From == b.From && a.Dwell == b.Dwell && a.ID == b.ID &&
		a.Selector == b.Selector && a.AnchorX == b.AnchorX && a.AnchorY == b.AnchorY && a.BoxW == b.BoxW && a.BoxH == b.BoxH &&
		a.Check == b.Check && a.HasCheck == b.HasCheck &&
		a.Container == b.Container && a.ContainerX == b.ContainerX && a.ContainerY == b.ContainerY
}
