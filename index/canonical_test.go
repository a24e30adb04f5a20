package index

import (
	"errors"
	"testing"

	"heatlog/heatmap"
)

func TestCanonicalWhere(t *testing.T) {
	t.Parallel()
	f := func(want string, texts ...string) {
		t.Helper()
		for _, text := range append(texts, want) {
			if got, err := CanonicalWhere(text); got != want || err != nil {
				t.Errorf("%s is written %s, %v, want %s", text, got, err, want)
			}
		}
	}
	f(`x > 1`, ` x>1 `, "x  >\n1", `(x > 1)`)
	f(`"variant:b" in tags`, `'variant:b' in tags`, "(`variant:b` in  tags)")
	f(`x > 1 and y < 2`, `(x>1) and (y<2)`)
	f(`x > 1 and (y < 2 or hour == 3)`, `(x>1)and((y<2)or hour==3)`)
	f(`x > 1 && y < 2`, `x>1&&y<2`)
	f(`not (visitor == "v-77")`, `not(visitor=='v-77')`)
	f(`(x + y) * 2 > 10`, `((x+y)*2)>10`)
	f(`lower(url) contains "cart"`, `lower( url ) contains 'cart'`)
	for _, bad := range []string{"", "x", "nothing > 1", "x >", "let a = 1; a > 0"} {
		var e *heatmap.ParamError
		if got, err := CanonicalWhere(bad); !errors.As(err, &e) || e.Field != "where" || got != "" {
			t.Errorf("%q is written %q, %v", bad, got, err)
		}
	}
}

// TestCanonicalWhereMeans checks that what differs in meaning is written in different ways.
func TestCanonicalWhereMeans(t *testing.T) {
	t.Parallel()
	written := map[string]string{}
	for _, text := range []string{
		"x > 1 and y < 2 or dead", "x > 1 and (y < 2 or dead)", "not dead and rage", "not (dead and rage)", "x - (y - 1) > 0", "x - y - 1 > 0", "x > 1", "x >= 1", "x > 1.0",
		`url == "a b"`, `url == "a  b"`, `url == " a b"`, `url == "a' b"`, "-x ** 2 > 1", "(-x) ** 2 > 1", "(x > 1 ? y : x) > 2", "x > 1 ? y > 2 : x > 2",
	} {
		canonical, err := CanonicalWhere(text)
		if err != nil {
			t.Logf("%s: %v", text, err) // not in the language
			continue
		}
		if other, taken := written[canonical]; taken {
			t.Errorf("%s and %s are both written %s", text, other, canonical)
		}
		written[canonical] = text
	}
	if len(written) < 12 {
		t.Errorf("only %d were written", len(written))
	}
}
