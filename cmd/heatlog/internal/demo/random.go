package demo

import "math/rand/v2"

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

// percent is true in so many of 100 cases.
func (r *random) percent(n int) bool { return r.below(100) < n }

// bell gives a number around 0 with a standard deviation of sigma, at most 3.5 of them away: the sum of four uniform
// numbers, as a stand-in for a normal one.
func (r *random) bell(sigma int) int {
	u := r.Uint64()
	sum := int(u&0xffff+u>>16&0xffff+u>>32&0xffff+u>>48) - 2*0xffff
	return sum * sigma / 37837 // the deviation of the sum
}

// stay draws how long somebody looks at what is visible, ms: a log-normal number with a median of 2.6 s, in which a bell
// of powers of 2 stands for that of e.
func (r *random) stay() int {
	e := r.bell(1200) // thousandths of a power of 2
	whole := e >> 10
	v := 2600 * (1024 + e&1023) >> 10
	if whole >= 0 {
		return min(v<<whole, 120_000)
	}
	return max(v>>-whole, 250)
}

// pick draws an index by weights, which do not add up to 0.
func (r *random) pick(weights []int) int {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	at, i := r.below(sum)-weights[0], 0
	for at >= 0 {
		i++
		at -= weights[i]
	}
	return i
}

// mix spreads the bits of x (the finaliser of SplitMix64, Steele, Lea and Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
