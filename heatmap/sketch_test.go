package heatmap

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
)

func TestVisitorsExact(t *testing.T) {
	for seed := range uint64(5) {
		var d Delta
		for i := range uint64(ExactVisitors) {
			for range 2 {
				d.AddVisitor(false, mix(seed<<32|i))
			}
			if got := d.Visitors(false); got != i+1 {
				t.Fatalf("%d visitors, want %d", got, i+1)
			}
		}
		if d.people.ranks != nil {
			t.Fatal("exact set has become registers")
		}
		d.AddVisitor(false, mix(seed<<32|ExactVisitors))
		d.count(false)
		if d.people.ranks == nil || d.Visitors(false) <= ExactVisitors {
			t.Fatalf("%d visitors past the exact ones", d.Visitors(false))
		}
	}
}

func TestVisitorNobody(t *testing.T) {
	var d Delta
	d.AddVisitor(false, 0)
	d.AddVisitor(true, 0)
	if !d.Empty() {
		t.Error("hash 0 is counted")
	}
}

// TestVisitorsError holds what is promised: within 5 %, at every size.
func TestVisitorsError(t *testing.T) {
	sizes := []int{400, 500, 700, 1000, 2000, 3000, 5000, 8000, 12_000, 20_000, 40_000, 100_000, 300_000, 1_000_000}
	seeds := 40
	if testing.Short() {
		seeds = 8
	}
	squares, n := 0.0, 0.0
	for seed := range uint64(seeds) {
		var s sketch
		have := 0
		for _, size := range sizes {
			if size > 20_000 && seed >= 8 {
				break
			}
			for ; have < size; have++ {
				s.addNoted([]uint64{mix(seed<<40 | uint64(have))})
			}
			off := float64(s.estimate())/float64(size) - 1
			if math.Abs(off) > 0.05 {
				t.Errorf("seed %d: %d visitors counted as %d, %.1f %% off", seed, size, s.estimate(), 100*off)
			}
			squares, n = squares+off*off, n+1
		}
	}
	if rms := math.Sqrt(squares / n); rms > 0.02 {
		t.Errorf("error is %.2f %% in the mean, want about 1.04/sqrt(4096) = 1.63 %%", 100*rms)
	}
}

func TestSketchUnion(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		n := []int{3, 200, 384, 385, 600, 5000}[r.IntN(6)]
		var whole, merged sketch
		parts := make([]sketch, 1+r.IntN(6))
		for range n {
			h := mix(uint64(r.IntN(n)) + seed<<32)
			whole.addNoted([]uint64{h})
			parts[r.IntN(len(parts))].addNoted([]uint64{h})
			parts[r.IntN(len(parts))].addNoted([]uint64{h})
		}
		for _, i := range r.Perm(len(parts)) {
			merged.merge(&parts[i])
		}
		if want, got := whole.append(nil), merged.append(nil); !bytes.Equal(want, got) {
			t.Fatalf("seed %d: union of %d parts differs from the whole, %d hashes", seed, len(parts), n)
		}
		decoded, err := (&cursor{whole.append(nil), 0}).sketch()
		if err != nil {
			t.Fatal(err)
		}
		var back sketch
		decoded.mergeInto(&back)
		if !bytes.Equal(back.append(nil), whole.append(nil)) || back.estimate() != whole.estimate() {
			t.Fatalf("seed %d: decoded sketch differs", seed)
		}
	}
}

// TestSketchExtremes holds the estimator's ends: all registers full, and hashes without a bit after the register's.
func TestSketchExtremes(t *testing.T) {
	s := sketch{ranks: new([registers]uint8)}
	s.rank(0)
	if s.ranks[0] != maxRank {
		t.Errorf("rank of 0 is %d, want %d", s.ranks[0], maxRank)
	}
	s.rank(^uint64(0))
	if s.ranks[registers-1] != 1 {
		t.Errorf("rank of all ones is %d, want 1", s.ranks[registers-1])
	}
	for i := range s.ranks {
		s.ranks[i] = 40
	}
	if got, want := float64(s.estimate()), registers*math.Ldexp(1, 40)*math.Ln2; math.Abs(got/want-1) > 0.5 {
		t.Errorf("registers of 40 are %g visitors, want about %g", got, want)
	}
}
