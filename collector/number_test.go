package collector

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// rational is s as an exact number. Exponents beyond 2000 are taken for that: no field tells them apart.
func rational(s string) *big.Rat {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(s), "e")
	r, ok := new(big.Rat).SetString(mantissa)
	if !ok {
		panic("no number: " + s)
	}
	e, _ := strconv.Atoi(exponent) // of what is out of range it gives the nearest
	e = max(e, -math.MaxInt)
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(min(max(e, -e), 2000))), nil)
	if e < 0 {
		return r.Quo(r, new(big.Rat).SetInt(scale))
	}
	return r.Mul(r, new(big.Rat).SetInt(scale))
}

func TestScanNumber(t *testing.T) {
	f := func(s string, want number) {
		t.Helper()
		n, end := scanNumber([]byte(s), 0)
		if end != len(s) || n != want {
			t.Errorf("%s: %+v up to %d, want %+v", s, n, end, want)
		}
	}
	f("0", number{})
	f("-0", number{})
	f("-0.000e5", number{})
	f("7", number{whole: 7})
	f("-7", number{whole: 7, neg: true})
	f("-0.5", number{frac: 5e18, split: true, neg: true})
	f("65535.999999999999999999999999999999", number{whole: 65535, frac: fracUnit - 1, split: true})
	f("6.5535e4", number{whole: 65535})
	f("65535E+0", number{whole: 65535})
	f("655350000000000000000000000000000000000000e-37", number{whole: 65535})
	f("1e-19", number{frac: 1, split: true})
	f("1e-20", number{split: true})
	f("-1e-999999999999999999999999", number{split: true, neg: true})
	f("0e999999999999999999999999", number{})
	f("0.00000000000000000000000001e26", number{whole: 1})
	f("123e-2", number{whole: 1, frac: 23e17, split: true})
	f("1767225600000", number{whole: 1767225600000})
}

func TestScanNumberSaturates(t *testing.T) {
	for _, s := range []string{
		"100000000000000000", "1e17", "1e999999999999999999", "99999999999999999999999999999999999999999", "18446744073709551616",
		"1" + strings.Repeat("0", 60000), "0.1e18",
	} {
		n, end := scanNumber([]byte(s), 0)
		if end != len(s) || n.whole < maxWhole {
			t.Errorf("%.40s: %+v up to %d, want at least %d", s, n, end, uint64(maxWhole))
		}
	}
}

func TestScanNumberGrammar(t *testing.T) {
	for _, s := range []string{"", "-", "+1", ".5", "01", "-01", "00", "1.", "1.e5", "1e", "1e+", "1e-", "-.5", "--1", "NaN", "e5"} {
		if n, end := scanNumber([]byte(s), 0); end >= 0 {
			t.Errorf("%q: %+v up to %d, want no number", s, n, end)
		}
	}
}

// randomNumber writes numbers of all forms that JSON has.
func randomNumber(r *rand.Rand) string {
	var b strings.Builder
	if r.IntN(4) == 0 {
		b.WriteByte('-')
	}
	digits := func(n int) {
		for range n {
			b.WriteByte("0001234567899"[r.IntN(13)])
		}
	}
	if r.IntN(3) == 0 {
		b.WriteByte('0')
	} else {
		b.WriteByte('1' + byte(r.IntN(9)))
		digits(r.IntN(25))
	}
	if r.IntN(2) == 0 {
		b.WriteByte('.')
		digits(1 + r.IntN(30))
	}
	if r.IntN(2) == 0 {
		fmt.Fprintf(&b, "%c%s%d", "eE"[r.IntN(2)], []string{"", "+", "-"}[r.IntN(3)], r.IntN(40))
	}
	return b.String()
}

func TestScanNumberExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		s := randomNumber(r)
		if !json.Valid([]byte(s)) {
			t.Fatalf("%s is no JSON", s)
		}
		n, end := scanNumber([]byte(s), 0)
		if end != len(s) {
			t.Fatalf("%s: read up to %d", s, end)
		}
		checkNumber(t, s, n)
	}
}

// checkNumber compares n with what s is.
func checkNumber(t *testing.T, s string, n number) {
	t.Helper()
	want := rational(s)
	if n.neg != (want.Sign() < 0) {
		t.Fatalf("%s: neg is %v", s, n.neg)
	}
	want.Abs(want)
	whole := new(big.Int).Quo(want.Num(), want.Denom())
	if whole.Cmp(big.NewInt(maxWhole)) >= 0 {
		if n.whole < maxWhole {
			t.Fatalf("%s: whole is %d", s, n.whole)
		}
		return
	}
	rest := want.Sub(want, new(big.Rat).SetInt(whole))
	scaled := new(big.Rat).Mul(rest, new(big.Rat).SetInt(new(big.Int).SetUint64(fracUnit)))
	frac := new(big.Int).Quo(scaled.Num(), scaled.Denom())
	if n.whole != whole.Uint64() || n.frac != frac.Uint64() || n.split != (rest.Sign() != 0) {
		t.Fatalf("%s: %+v, want %v and %v/1e19", s, n, whole, frac)
	}
	checkAnchor(t, s, n)
}

// checkAnchor compares n.anchor with the nearest 65536th.
func checkAnchor(t *testing.T, s string, n number) {
	t.Helper()
	x := rational(s)
	v, ok := n.anchor()
	if inside := x.Sign() >= 0 && x.Cmp(big.NewRat(1, 1)) <= 0; ok != inside {
		t.Fatalf("%s: anchor is inside: %v", s, ok)
	}
	if !ok {
		return
	}
	off := x.Sub(x, big.NewRat(int64(v), 65536))
	if off.Abs(off).Cmp(big.NewRat(1, 131072)) > 0 {
		t.Fatalf("%s: anchor is %d/65536, off by %s", s, v, off.FloatString(10))
	}
}

func TestAnchorRoundsHalfUp(t *testing.T) {
	f := func(s string, want uint32) {
		t.Helper()
		n, _ := scanNumber([]byte(s), 0)
		if v, ok := n.anchor(); !ok || v != want {
			t.Errorf("%s: %d, %v, want %d", s, v, ok, want)
		}
	}
	f("0.00000762939453125", 1) // exactly half a 65536th
	f("0.00000762939453124999", 0)
	f("0.99999999999999999999999", 65536)
	f("1", 65536)
	f("1.000", 65536)
	f("0.5", 32768)
	f("-0", 0)
}

// TestPlainNumbers compares the short ways with the long one, which takes any number.
func TestPlainNumbers(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const bytes = "0123456789012345678901234567890123456789.-+eE,} \"/:"
	plain, anchors := 0, 0
	for range 300_000 {
		b := make([]byte, r.IntN(28))
		for i := range b {
			b[i] = bytes[r.IntN(len(bytes))]
		}
		if r.IntN(2) == 0 {
			b = append([]byte("0."), b...)
		}
		n, end := scanNumber(b, 0)
		if v, e := plainWhole(b, 0); e >= 0 {
			plain++
			if e != end || n.neg || n.split || min(v, maxWhole) != min(n.whole, maxWhole) {
				t.Fatalf("%s: whole %d up to %d, want %+v up to %d", b, v, e, n, end)
			}
		}
		if a, e := plainAnchor(b, 0); e >= 0 {
			anchors++
			want, ok := n.anchor()
			if e != end || !ok || a != want {
				t.Fatalf("%s: anchor %d up to %d, want %d up to %d", b, a, e, want, end)
			}
		}
	}
	if plain < 1000 || anchors < 1000 {
		t.Errorf("%d plain numbers and %d anchors are too few to tell", plain, anchors)
	}
}
