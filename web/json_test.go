package web

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"unicode/utf8"

	"heatlog/heatmap"
)

func TestAppendString(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		if got := string(appendString(nil, in)); got != want {
			t.Errorf("%q gives %s, want %s", in, got, want)
		}
	}
	f("", `""`)
	f("a b", `"a b"`)
	f(`"\`, `"\"\\"`)
	f("\n\r\t\b\x00\x1f\x7f", `"\n\r\t\u0008\u0000\u001f\u007f"`)
	f("</script>&", `"\u003c/script\u003e\u0026"`)
	f("a\u2028b\u2029c", `"a\u2028b\u2029c"`)
	f("žluť 🐎", `"žluť 🐎"`)
	f("a\xffb\xc3", `"a\ufffdb\ufffd"`)
	f("\xed\xa0\x80", `"\ufffd\ufffd\ufffd"`) // half of a surrogate pair
	f("\uFFFD", "\"\uFFFD\"")
}

func FuzzAppendString(f *testing.F) {
	for _, seed := range []string{"", "</script>", "\u2028", "\xff", "\x00\"\\"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		b := appendString(nil, in)
		var got string
		if err := json.Unmarshal(b, &got); err != nil || !utf8.Valid(b) {
			t.Fatalf("%q gives %q: %v", in, b, err)
		}
		if want := string([]rune(in)); got != want {
			t.Fatalf("%q reads back as %q, want %q", in, got, want)
		}
	})
}

func TestAppendFloat(t *testing.T) {
	f := func(in float64, places int, want string) {
		t.Helper()
		if got := string(appendFloat(nil, in, places)); got != want {
			t.Errorf("%v gives %s, want %s", in, got, want)
		}
	}
	f(0, 3, "0")
	f(1, 6, "1")
	f(2./3, 6, "0.666667")
	f(1234.5678, 3, "1234.568")
	f(-0.0004, 3, "-0")
	f(1e21, 3, "1000000000000000000000")
	f(math.NaN(), 3, "null")
	f(math.Inf(-1), 3, "null")
	f(math.MaxFloat64, 0, string(appendFloat(nil, math.MaxFloat64, 3)))
}

func randomPoints(n int) []heatmap.Point {
	r := rand.New(rand.NewPCG(1, 2))
	points := make([]heatmap.Point, n)
	for i := range points {
		points[i] = heatmap.Point{X: r.IntN(240) * 8, Y: r.IntN(2000) * 8, Weight: 1 + uint64(n-i)/100}
	}
	return points
}

func TestAppendPoints(t *testing.T) {
	points := append(randomPoints(3000), heatmap.Point{X: math.MinInt, Y: math.MaxInt, Weight: math.MaxUint64}, heatmap.Point{},
		heatmap.Point{X: -1, Y: 10, Weight: 99})
	var got [][3]json.Number
	if err := json.Unmarshal(appendPoints(nil, points), &got); err != nil || len(got) != len(points) {
		t.Fatalf("%d points, %v", len(got), err)
	}
	for i, p := range points {
		want, _ := json.Marshal([]any{p.X, p.Y, p.Weight})
		if b, _ := json.Marshal(got[i]); string(b) != string(want) {
			t.Fatalf("point %d is %s, want %s", i, b, want)
		}
	}
}

func TestAppendDigits(t *testing.T) {
	for v := range uint64(110_000) {
		if got, want := string(appendDigits(nil, v)), strconv.FormatUint(v, 10); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
	if got := string(appendDigits(nil, math.MaxUint64)); got != "18446744073709551615" {
		t.Error(got)
	}
}

func TestAppendPlace(t *testing.T) {
	for units := range 3000 {
		px := float64(units) * heatmap.ThinUnit
		if got, want := string(appendPlace(nil, px)), strconv.FormatFloat(px, 'f', -1, 64); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
}
