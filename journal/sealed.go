package journal

import (
	"errors"
	"fmt"
	"math"
)

// loadSealed reads header and footer of a sealed segment. What is not sound of them is its damage; the blocks are found
// without. end is the position after its last hit, as far as they tell.
func (s *segment) loadSealed(sc *scanner, source uint64) (h segmentHeader, end uint64, err error) {
	h, err = sc.segmentHeader(source)
	switch {
	case errors.As(err, new(*VersionError)), errors.As(err, new(ioError)):
		return h, 0, err
	case err != nil:
		s.damage, s.damageAt, h = err, 0, segmentHeader{}
	case h.end < s.base:
		s.damage, h.end = fmt.Errorf("segment header ends at position %d, before %d", h.end, s.base), 0
	}
	end = h.end
	if s.damage != nil {
		end = sc.footerEnd()
	}
	f, at, err := sc.footer(end)
	if errors.As(err, new(ioError)) {
		return h, 0, err
	}
	if err != nil {
		if s.damage == nil {
			s.damage, s.damageAt = err, at
		}
		return h, end, nil
	}
	s.footer, s.marks, s.last = &f, f.marks(), f.last()
	if len(s.marks) > 0 {
		s.appended = s.marks[0].appended
	}
	return h, end, nil
}

// footerEnd gives the position at which the footer says that the segment ends, 0 if there is none that is sound.
func (s *scanner) footerEnd() uint64 {
	b, err := s.bytes(max(s.limit-trailerSize, 0), int(min(s.limit, trailerSize)))
	if err != nil || len(b) < trailerSize {
		return 0
	}
	offset := int64(uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 | uint64(b[4])<<32 | uint64(b[5])<<40)
	if offset > s.limit-chunkHeaderSize {
		return 0
	}
	b, err = s.bytes(offset, chunkHeaderSize)
	if err != nil {
		return 0
	}
	h, err := parseChunkHeader(b, offset, s.name.epoch)
	if err != nil || h.kind != chunkFooter {
		return 0
	}
	return h.base
}

// blocksEnd gives the position after the last block that is sound.
func (s *scanner) blocksEnd() (end uint64, appended int64, err error) {
	end = s.name.base
	_, err = s.each(end, math.MaxUint64, func(h *chunkHeader) { end, appended = h.end(), h.appended }, func() {})
	return end, appended, err
}

// checkSealed reads all of a sealed segment and checks every checksum. The error is an ioError if it could not be read.
func checkSealed(fsys FS, path string, name segmentName, source uint64) error {
	f, err := fsys.Open(path)
	if err != nil {
		return ioError{err}
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return ioError{err}
	}
	var sc scanner
	sc.reset(f, name, size)
	s := &segment{base: name.base, epoch: name.epoch, name: name, path: path}
	h, end, err := s.loadSealed(&sc, source)
	if err == nil {
		err = s.damage
	}
	offset, pos := int64(segmentHeaderSize), h.base
	for err == nil && pos < end {
		var c chunkHeader
		if c, err = sc.header(offset, pos, end); err == nil {
			_, err = sc.payload(&c)
		}
		if err == nil && c.kind != chunkBlock {
			err = errFooter
		}
		offset, pos = offset+c.size(), c.end()
	}
	return err
}
