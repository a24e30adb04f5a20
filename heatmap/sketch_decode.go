package heatmap

import "encoding/binary"

// blobSketch is a sketch inside a blob: one of the two, or none.
type blobSketch struct {
	hashes []byte
	packed []byte
}

func (c *cursor) sketch() (s blobSketch, err error) {
	n, err := c.uvarint()
	if err != nil {
		return s, err
	}
	if n > ExactVisitors {
		return s, c.failf("%d visitors by themselves, limit %d", n, ExactVisitors)
	}
	size := int(n) * 8
	if n == 0 {
		size = packedRegisters
	}
	if size > len(c.b)-c.off {
		return s, c.fail(errShort)
	}
	p := c.b[c.off : c.off+size]
	if n == 0 {
		return blobSketch{packed: p}, c.checkRanks(p)
	}
	return blobSketch{hashes: p}, c.checkHashes(p)
}

func (c *cursor) checkHashes(p []byte) error {
	last := uint64(0)
	for i := 0; i < len(p); i += 8 {
		h := binary.LittleEndian.Uint64(p[i:])
		if h <= last {
			return c.failf("visitor %016x after %016x, want ascending", h, last)
		}
		last = h
		c.off += 8
	}
	return nil
}

func (c *cursor) checkRanks(p []byte) error {
	any := byte(0)
	for i := 0; i < len(p); i += 3 {
		v := uint32(p[i]) | uint32(p[i+1])<<8 | uint32(p[i+2])<<16
		if max(v&63, v>>6&63, v>>12&63, v>>18) > maxRank {
			return c.failf("register is over %d", maxRank)
		}
		any |= p[i] | p[i+1] | p[i+2]
		c.off += 3
	}
	if any == 0 {
		return c.failf("all registers are 0")
	}
	return nil
}

func (b *blobSketch) mergeInto(s *sketch) {
	if n := len(b.hashes) / 8; n > 0 {
		hashes := make([]uint64, n)
		for i := range hashes {
			hashes[i] = binary.LittleEndian.Uint64(b.hashes[8*i:])
		}
		s.addAll(hashes)
	}
	if b.packed == nil {
		return
	}
	s.needRanks()
	for i := 0; i < registers; i += 4 {
		p := b.packed[i/4*3 : i/4*3+3]
		v := uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16
		r := s.ranks[i : i+4 : i+4]
		r[0] = max(r[0], uint8(v&63))
		r[1] = max(r[1], uint8(v>>6&63))
		r[2] = max(r[2], uint8(v>>12&63))
		r[3] = max(r[3], uint8(v>>18))
	}
}
