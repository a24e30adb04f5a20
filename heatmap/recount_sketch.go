package heatmap

import (
	"encoding/binary"
	"maps"
	"math/bits"
	"slices"
)

// sketchOf encodes a set of visitors: themselves, or what the best of them is in each of 4,096 parts.
func sketchOf(visitors map[uint64]bool) []byte {
	if len(visitors) <= ExactVisitors {
		code := binary.AppendUvarint(nil, uint64(len(visitors)))
		for _, hash := range slices.Sorted(maps.Keys(visitors)) {
			code = binary.LittleEndian.AppendUint64(code, hash)
		}
		return code
	}
	var best [4096]uint32
	for hash := range visitors {
		part, rest := hash>>52, hash<<12
		place := uint32(53)
		if rest != 0 {
			place = uint32(bits.LeadingZeros64(rest)) + 1
		}
		best[part] = max(best[part], place)
	}
	code := []byte{0}
	for i := 0; i < len(best); i += 4 {
		four := best[i] | best[i+1]<<6 | best[i+2]<<12 | best[i+3]<<18
		code = append(code, byte(four), byte(four>>8), byte(four>>16))
	}
	return code
}

// recountCRC8 is the CRC-8 of x^8+x^2+x+1 from 0xff, bit by bit.
func recountCRC8(p []byte) byte {
	c := byte(0xff)
	for _, b := range p {
		c ^= b
		for range 8 {
			carry := c >> 7
			c = c<<1 ^ carry*0x07
		}
	}
	return c
}
