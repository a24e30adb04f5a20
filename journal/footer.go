package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

const (
	trailerSize  = 16
	trailerMagic = "HSND"
	footerHead   = 32 // bytes before the entries
	footerEntry  = 64 // bytes of an entry
	maxSites     = 1024
	manySites    = math.MaxUint32 // number of sites where they are not listed
)

// blockInfo is an entry of a footer: what a block holds.
type blockInfo struct {
	offset              int64
	base                uint64
	hits, chunks        uint32
	firstAppend         int64
	lastAppend          int64
	firstTime, lastTime int64 // least and greatest time of a hit
	sites               []uint64
}

// footer is the index of a sealed segment.
type footer struct {
	offset int64 // of its chunk
	blocks []blockInfo
	sites  []string // nil if there are too many to list
	many   bool
	hits   uint64
	chunks uint64

	numbers map[string]int // of sites
}

// add notes a block of the segment with the sites in it.
func (f *footer) add(b blockInfo, sites []string) {
	if f.numbers == nil {
		f.numbers = map[string]int{}
	}
	for _, s := range sites {
		n, ok := f.numbers[s]
		if f.many = f.many || !ok && len(f.sites) == maxSites || len(s) > math.MaxUint16; f.many {
			break
		}
		if !ok {
			n = len(f.sites)
			f.numbers[s] = n
			f.sites = append(f.sites, s)
		}
		for len(b.sites) <= n/64 {
			b.sites = append(b.sites, 0)
		}
		b.sites[n/64] |= 1 << (n % 64)
	}
	f.blocks = append(f.blocks, b)
	f.hits += uint64(b.hits)
	f.chunks += uint64(b.chunks)
}

// payload writes the footer.
func (f *footer) payload() []byte {
	le := binary.LittleEndian
	sites := uint32(len(f.sites))
	if f.many {
		sites = manySites
	}
	b := le.AppendUint32(nil, uint32(len(f.blocks)))
	b = le.AppendUint32(b, sites)
	b = le.AppendUint64(b, f.hits)
	b = le.AppendUint64(b, f.chunks)
	b = le.AppendUint64(b, 0)
	for _, e := range f.blocks {
		b = le.AppendUint64(b, uint64(e.offset))
		b = le.AppendUint64(b, e.base)
		b = le.AppendUint32(b, e.hits)
		b = le.AppendUint32(b, e.chunks)
		for _, t := range []int64{e.firstAppend, e.lastAppend, e.firstTime, e.lastTime} {
			b = le.AppendUint64(b, uint64(t))
		}
		b = le.AppendUint64(b, 0)
	}
	if f.many {
		return b
	}
	for _, e := range f.blocks {
		set := append(e.sites, make([]uint64, siteWords(len(f.sites))-len(e.sites))...)
		for _, w := range set {
			b = le.AppendUint64(b, w)
		}
	}
	for _, s := range f.sites {
		b = append(le.AppendUint16(b, uint16(len(s))), s...)
	}
	return b
}

// siteWords is the length of a set of sites in words of 64.
func siteWords(sites int) int { return (sites + 63) / 64 }

var errFooter = errors.New("footer is not sound")

// parseFooter is the inverse of footer.payload.
func parseFooter(b []byte) (f footer, err error) {
	if len(b) < footerHead {
		return f, fmt.Errorf("%w: %d bytes", errFooter, len(b))
	}
	le := binary.LittleEndian
	blocks, sites := int(le.Uint32(b)), le.Uint32(b[4:])
	f.hits, f.chunks, f.many = le.Uint64(b[8:]), le.Uint64(b[16:]), sites == manySites
	if b = b[footerHead:]; blocks > len(b)/footerEntry || !f.many && sites > maxSites {
		return f, fmt.Errorf("%w: %d blocks and %d sites in %d bytes", errFooter, blocks, sites, len(b))
	}
	f.blocks = make([]blockInfo, blocks)
	for i := range f.blocks {
		f.blocks[i] = blockInfo{
			offset: int64(le.Uint64(b)), base: le.Uint64(b[8:]), hits: le.Uint32(b[16:]), chunks: le.Uint32(b[20:]),
			firstAppend: int64(le.Uint64(b[24:])), lastAppend: int64(le.Uint64(b[32:])),
			firstTime: int64(le.Uint64(b[40:])), lastTime: int64(le.Uint64(b[48:])),
		}
		b = b[footerEntry:]
	}
	if !f.many {
		b, err = f.parseSites(b, int(sites))
	}
	if err == nil && len(b) > 0 {
		err = fmt.Errorf("%w: %d bytes behind it", errFooter, len(b))
	}
	return f, err
}

// parseSites reads the sets of sites and their keys.
func (f *footer) parseSites(b []byte, sites int) (rest []byte, err error) {
	le := binary.LittleEndian
	words := siteWords(sites)
	if len(b) < 8*words*len(f.blocks) {
		return nil, fmt.Errorf("%w: sets of sites are cut short", errFooter)
	}
	for i := range f.blocks {
		for range words {
			f.blocks[i].sites = append(f.blocks[i].sites, le.Uint64(b))
			b = b[8:]
		}
	}
	f.numbers = make(map[string]int, sites)
	for range sites {
		if len(b) < 2 || len(b)-2 < int(le.Uint16(b)) {
			return nil, fmt.Errorf("%w: sites are cut short", errFooter)
		}
		n := int(le.Uint16(b))
		f.numbers[string(b[2:2+n])] = len(f.sites)
		f.sites = append(f.sites, string(b[2:2+n]))
		b = b[2+n:]
	}
	return b, nil
}

// trailer writes the last bytes of a sealed segment.
func trailer(footerAt int64) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(footerAt))
	b = binary.LittleEndian.AppendUint32(b, checksum(b))
	return append(b, trailerMagic...)
}

// footer finds and reads the footer of a sealed segment of limit bytes. at is where it is not sound.
func (s *scanner) footer(end uint64) (f footer, at int64, err error) {
	at = max(s.limit-trailerSize, 0)
	b, err := s.bytes(at, int(s.limit-at))
	if err != nil {
		return f, at, err
	}
	if len(b) < trailerSize || string(b[12:]) != trailerMagic || binary.LittleEndian.Uint32(b[8:]) != checksum(b[:8]) {
		return f, at, fmt.Errorf("%w: the segment does not end with a trailer", errFooter)
	}
	offset := int64(binary.LittleEndian.Uint64(b))
	if offset < segmentHeaderSize || offset%chunkAlign != 0 || offset > at-chunkHeaderSize {
		return f, at, fmt.Errorf("%w: trailer leads to %d", errFooter, offset)
	}
	h, err := s.header(offset, end, math.MaxUint64)
	if err != nil {
		return f, offset, err
	}
	if h.kind != chunkFooter || offset+h.size() != at {
		return f, offset, fmt.Errorf("%w: chunk of type %d and %d bytes", errFooter, h.kind, h.size())
	}
	stored, err := s.payload(&h)
	if err != nil {
		return f, offset, err
	}
	f, err = parseFooter(stored)
	if err == nil {
		err = f.check(s.name.base, end, offset)
	}
	f.offset = offset
	return f, offset, err
}

// check compares the footer with what the segment must hold.
func (f *footer) check(base, end uint64, offset int64) error {
	pos, at := base, int64(segmentHeaderSize)
	for i := range f.blocks {
		b := &f.blocks[i]
		if b.base != pos || b.offset < at || b.offset%chunkAlign != 0 || b.hits == 0 {
			return fmt.Errorf("%w: block of position %d at %d, want position %d", errFooter, b.base, b.offset, pos)
		}
		pos, at = b.base+uint64(b.hits), b.offset+chunkHeaderSize
	}
	if pos != end || f.hits != end-base || at > offset {
		return fmt.Errorf("%w: it ends at position %d, want %d", errFooter, pos, end)
	}
	return nil
}

// marks gives the index as a reader uses it.
func (f *footer) marks() []mark {
	marks := make([]mark, 0, len(f.blocks))
	for i := range f.blocks {
		marks = append(marks, mark{f.blocks[i].offset, f.blocks[i].base, f.blocks[i].firstAppend})
	}
	return marks
}

// last gives the append time of the last chunk, 0 = there is none.
func (f *footer) last() int64 {
	if len(f.blocks) == 0 {
		return 0
	}
	return f.blocks[len(f.blocks)-1].lastAppend
}
