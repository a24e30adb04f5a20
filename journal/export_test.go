package journal

import (
	"encoding/binary"
	"math/rand/v2"

	"heatlog/heatmap"
)

// What the tests outside of the package need of the inside.

const SegmentHeaderSize = segmentHeaderSize

// NewTraffic gives a maker of batches of n hits.
func NewTraffic(seed uint64) func(n int) heatmap.Batch { return newTraffic(seed).batch }

// ImportLines gives n hits in one batch without a name.
func ImportLines(seed uint64, n int) []heatmap.Batch { return importLines(seed, n) }

// WildBatches gives up to n batches with values of every size.
func WildBatches(r *rand.Rand, n int) []heatmap.Batch { return wildBatches(r, n) }

// ChunkInfo is a chunk of a segment that is sound.
type ChunkInfo struct {
	Offset, Size int64
	Base, End    uint64
}

// Chunks gives all chunks of a sound segment.
func Chunks(name string, segment []byte) (chunks []ChunkInfo) {
	n, _ := parseSegmentName(name)
	for offset := int64(segmentHeaderSize); offset < int64(len(segment)); {
		h, err := parseChunkHeader(segment[offset:], offset, n.epoch)
		if err != nil {
			panic(err)
		}
		chunks = append(chunks, ChunkInfo{offset, h.size(), h.base, h.end()})
		offset += h.size()
	}
	return chunks
}

// FixHeader makes the checksum of a segment's header fit it.
func FixHeader(segment []byte) {
	binary.LittleEndian.PutUint32(segment[124:], checksum(segment[:124]))
}

// DecodePayload decodes a payload.
func DecodePayload(s string, hits, appends int, c *heatmap.Chunk) error {
	return new(decoder).payload(s, hits, appends, c)
}

// EncodePayload makes the payload of one append.
func EncodePayload(batches []heatmap.Batch) (payload []byte, hits int) { return encodePayload(batches) }

// SetBlockHits changes how many hits a block has.
func (j *Journal) SetBlockHits(n int) { j.sealer.blockHits = n }

// EncodeBlock makes the payload of one block of chunks and its length before compression.
func EncodeBlock(chunks []heatmap.Chunk) (payload []byte, raw int) {
	b := &blockBuilder{out: columnWriter{zstd: newBlockCompressor()}, most: blockHits}
	for i := range chunks {
		b.add(&chunks[i])
	}
	payload, raw, err := b.flush(nil)
	if err != nil {
		panic(err)
	}
	return payload, raw
}

// DecodeBlock gives the chunks of a block's payload.
func DecodeBlock(payload []byte, raw, chunks, hits int, fields Fields) (all []heatmap.Chunk, err error) {
	d := newBlockDecoder()
	d.want(fields)
	if chunks < 1 || hits > MaxChunkHits || raw > maxBlock {
		return nil, errBlock
	}
	h := chunkHeader{raw: uint32(raw), appends: uint32(chunks), hits: uint32(hits)}
	if err := d.open(payload, &h); err != nil {
		return nil, err
	}
	for d.left > 0 {
		var c heatmap.Chunk
		if err := d.chunk(&c); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// ParseFooter and ParseManifest read what leads to sealed segments and write it again.
func ParseFooter(b []byte) (again []byte, err error) {
	f, err := parseFooter(b)
	if err != nil {
		return nil, err
	}
	return f.payload(), nil
}

func ParseManifest(b []byte) (again []byte, err error) {
	m, err := parseManifest(b, 0xc0ffe)
	if err != nil {
		return nil, err
	}
	return m.text(0xc0ffe), nil
}
