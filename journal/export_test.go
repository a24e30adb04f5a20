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
