package heatmap

import (
	"math"
	"math/bits"
	"slices"
	"unsafe"
)

// ExactVisitors is the number of distinct visitors up to which they are counted exactly.
const ExactVisitors = 384

// Above ExactVisitors a set of visitors is a HyperLogLog sketch of 4,096 registers: its standard error is 1.6 %, so that
// the promised 5 % are three of them. With half the registers it would be 2.3 %, and one answer in 35 would miss.
const (
	sketchBits = 12
	registers  = 1 << sketchBits
	maxRank    = 64 - sketchBits + 1

	registersBytes = int(unsafe.Sizeof([registers]uint8{}))
)

// sketch is a set of visitors' hashes: themselves, ascending, or the registers once there were more than ExactVisitors
// distinct ones. Which of the two, and all of its bytes, depend on the set alone.
type sketch struct {
	hashes []uint64
	ranks  *[registers]uint8 // if set, hashes is nil
}

func (s *sketch) empty() bool { return len(s.hashes) == 0 && s.ranks == nil }

func (s *sketch) bytes() int {
	if s.ranks != nil {
		return registersBytes
	}
	return cap(s.hashes) * 8
}

// addNoted adds hashes in any order, whose order it changes.
func (s *sketch) addNoted(noted []uint64) {
	if len(noted) == 0 {
		return
	}
	slices.Sort(noted)
	fresh := slices.Compact(noted)
	if len(s.hashes) == 0 && s.ranks == nil && len(fresh) <= ExactVisitors {
		s.hashes = slices.Clone(fresh)
		return
	}
	s.addAll(fresh)
}

// addAll adds distinct hashes in ascending order.
func (s *sketch) addAll(hashes []uint64) {
	if s.ranks == nil {
		union := mergeHashes(make([]uint64, 0, len(s.hashes)+len(hashes)), s.hashes, hashes)
		if len(union) <= ExactVisitors {
			s.hashes = union
			return
		}
		s.needRanks()
	}
	for _, h := range hashes {
		s.rank(h)
	}
}

// mergeHashes appends what is in a or b, both distinct and ascending.
func mergeHashes(dst, a, b []uint64) []uint64 {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] < b[0]:
			dst, a = append(dst, a[0]), a[1:]
		case a[0] > b[0]:
			dst, b = append(dst, b[0]), b[1:]
		default:
			dst, a, b = append(dst, a[0]), a[1:], b[1:]
		}
	}
	return append(append(dst, a...), b...)
}

func (s *sketch) needRanks() {
	if s.ranks != nil {
		return
	}
	s.ranks = new([registers]uint8)
	for _, h := range s.hashes {
		s.rank(h)
	}
	s.hashes = nil
}

// rank raises the register that the hash's first bits name to the place of the first one among the others.
func (s *sketch) rank(hash uint64) {
	r := uint8(bits.LeadingZeros64(hash<<sketchBits|1<<(sketchBits-1)) + 1)
	p := &s.ranks[hash>>(64-sketchBits)]
	*p = max(*p, r)
}

// merge adds what o has.
func (s *sketch) merge(o *sketch) {
	if o.ranks != nil {
		s.needRanks()
		for i, r := range o.ranks {
			s.ranks[i] = max(s.ranks[i], r)
		}
		return
	}
	if len(o.hashes) > 0 {
		s.addAll(o.hashes)
	}
}

// clone copies a sketch.
func (s *sketch) clone() sketch {
	c := sketch{hashes: slices.Clone(s.hashes)}
	if s.ranks != nil {
		ranks := *s.ranks
		c.ranks = &ranks
	}
	return c
}

// estimate gives the size of the set. For registers it is algorithm 6, the improved raw estimator, of Otmar Ertl, New
// cardinality estimation algorithms for HyperLogLog sketches, arXiv:1702.01284: without bias over the whole range, and
// without tables.
func (s *sketch) estimate() uint64 {
	if s.ranks == nil {
		return uint64(len(s.hashes))
	}
	var count [maxRank + 1]int
	for _, r := range s.ranks {
		count[r]++
	}
	const m = float64(registers)
	z := m * tau(1-float64(count[maxRank])/m)
	for k := maxRank - 1; k >= 1; k-- {
		z = 0.5 * (z + float64(count[k]))
	}
	z += m * sigma(float64(count[0])/m)
	return max(ExactVisitors+1, uint64(math.Round(m*m/(2*math.Ln2*z))))
}

// sigma and tau are the series of the paper for the registers that are empty and those that are full.
func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		last := z
		z += x * y
		y += y
		if z == last {
			return z
		}
	}
}

func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		last := z
		y *= 0.5
		z -= (1 - x) * (1 - x) * y
		if z == last {
			return z / 3
		}
	}
}
