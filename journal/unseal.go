package journal

import (
	"context"
	"errors"
	"fmt"
	"io"

	"heatlog/heatmap"
)

// inBlock reports whether the next chunk is in a block that is open.
func (r *Reader) inBlock() bool { return !r.closed && r.block != nil && r.block.left > 0 }

// open takes the block of h apart.
func (r *Reader) open(h *chunkHeader) error {
	stored, err := r.scan.payload(h)
	if err != nil {
		return err
	}
	if r.block == nil {
		r.block = newBlockDecoder()
	}
	r.block.want(r.fields)
	return r.block.open(stored, h)
}

// unseal fills c with the next chunk of the open block; done is false if that lies before the position asked for.
func (r *Reader) unseal(c *heatmap.Chunk) (done bool, err error) {
	from := r.block.pos
	if err := r.block.chunk(c); err != nil { // only a block that was made with wrong content and a right checksum
		r.damage = &CorruptError{Segment: r.path, Offset: r.offset, From: from, To: r.pos, Err: err}
		r.resume = r.offset
		return false, r.damage
	}
	return c.End() > r.from, nil
}

// Since gives the first position whose append time is t or later, Unix ms, Durable if there is none. Hits that were lost
// to damage are passed over.
func (l *Log) Since(t int64) (uint64, error) {
	at := l.catalog.findTime(t)
	if at.segment == nil {
		return l.Durable(), nil
	}
	r, err := newReader(l.catalog, at.pos, false)
	if err != nil {
		return 0, err
	}
	r.fields = 0 // append times are enough
	defer r.Close()
	for {
		h, err := r.head(context.Background())
		switch {
		case errors.Is(err, io.EOF):
			return r.pos, nil
		case errors.As(err, new(*CorruptError)):
			r.Skip()
			continue
		case err != nil:
			return 0, err
		}
		if h.hits > 0 && h.appended >= t {
			pos, err := r.since(&h, t)
			if err == nil || errors.As(err, new(ioError)) {
				return pos, err
			}
		}
		r.step(&h)
	}
}

// since gives the first position of the chunk of h, or inside its block, whose append time is t or later.
func (r *Reader) since(h *chunkHeader, t int64) (uint64, error) {
	if h.kind != chunkBlock {
		return h.base, nil
	}
	if err := r.open(h); err != nil {
		return 0, err
	}
	defer func() { r.block.left = 0 }()
	pos, appended := h.base, r.block.appended
	for i, n := range r.block.chunkHits {
		if appended += int64(r.block.chunkAppended[i]); appended >= t {
			break
		}
		pos += uint64(n)
	}
	return pos, nil
}

// open reads the block of h. Its first append time is before the columns.
func (d *blockDecoder) open(payload []byte, h *chunkHeader) error {
	if h.appends > h.hits || h.appends == 0 {
		return fmt.Errorf("%w: %d chunks of %d hits", errBlock, h.appends, h.hits)
	}
	return d.decode(payload, int(h.raw), int(h.appends), int(h.hits), h.base)
}

// forget lets go of the texts and tags of the last block, but for the memory of the decoder itself.
func (d *blockDecoder) forget() {
	d.left, d.in.all = 0, ""
	for _, s := range [][]string{
		d.sites, d.urls, d.views, d.visitors, d.agents, d.tags, d.selectors, d.containers, d.suffixes, d.ids,
		d.batchIDs, d.batchSites, d.batchVisitors, d.suffixIDs,
	} {
		clear(s[:cap(s)])
	}
	clear(d.tagLists[:cap(d.tagLists)])
}
