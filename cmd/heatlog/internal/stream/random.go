package stream

import (
	"math/big"
	"math/rand/v2"
)

// random draws whole numbers. It uses of math/rand/v2 only the generator, whose sequence is fixed.
type random struct{ rand.PCG }

// newRandom seeds a generator for one purpose.
func newRandom(seed, purpose uint64) *random {
	r := &random{}
	r.Seed(seed, mix(purpose))
	return r
}

// below gives a number from 0 to n-1.
func (r *random) below(n int) int { return int(r.Uint64() >> 32 * uint64(n) >> 32) }

// between gives a number from lo to hi.
func (r *random) between(lo, hi int) int { return lo + r.below(hi-lo+1) }

// oneIn is true once in n times.
func (r *random) oneIn(n int) bool { return r.below(n) == 0 }

// towardsMiddle gives a number from 0 to n-1, most likely n/2: the mean of two draws.
func (r *random) towardsMiddle(n int) int {
	u := r.Uint64()
	return int((u>>32 + u&(1<<32-1)) * uint64(n) >> 33)
}

// mix spreads the bits of x (the finaliser of SplitMix64, Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// zipf gives the cumulated weights of n ranks, that of rank i being proportional to (i+1)^-1.1.
func zipf(n int) []uint64 {
	sums := make([]uint64, n)
	sum := uint64(0)
	for i := range sums {
		sum += (1 << 62) / (uint64(i+1) * tenthRoot(uint64(i+1)))
		sums[i] = sum
	}
	return sums
}

// tenthRoot gives k^0.1 in units of 2^-20, rounded down.
func tenthRoot(k uint64) uint64 {
	target := new(big.Int).Lsh(new(big.Int).SetUint64(k), 200)
	ten, power := big.NewInt(10), new(big.Int)
	lo, hi := uint64(1), uint64(1)<<27 // 2^64 to the 0.1 is below 2^7
	for lo+1 < hi {
		mid := (lo + hi) / 2
		if power.Exp(new(big.Int).SetUint64(mid), ten, nil).Cmp(target) <= 0 {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo
}

// pick draws an index by cumulated weights.
func (r *random) pick(sums []uint64) int {
	at := r.Uint64() % sums[len(sums)-1]
	lo, hi := 0, len(sums)-1
	for lo < hi {
		if mid := (lo + hi) / 2; sums[mid] <= at {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// logNormal draws numbers whose logarithm is normal with a sigma of 1.
type logNormal struct {
	median uint64
	powers [64]uint64 // 2^(i/64) in units of 2^-32
}

func newLogNormal(median uint64) *logNormal {
	l := &logNormal{median: median}
	for i := range l.powers {
		x := new(big.Int).Lsh(big.NewInt(1), uint(64*32+i))
		for range 6 {
			x.Sqrt(x)
		}
		l.powers[i] = x.Uint64()
	}
	return l
}

// draw takes the sum of four uniform numbers, whose deviation is 37837, for a normal one.
func (l *logNormal) draw(r *random) uint64 {
	u := r.Uint64()
	sum := int64(u&0xffff + u>>16&0xffff + u>>32&0xffff + u>>48)
	e := (sum - 2*0xffff) * 5 / 2 // the binary logarithm, in units of 2^-16: 65536 / 37837 / ln 2 = 2.499
	whole := e >> 16
	v := l.median * l.powers[e>>10&63] >> 16
	if whole >= 0 {
		return v << whole >> 16
	}
	return v >> -whole >> 16
}
