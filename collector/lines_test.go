package collector

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// gotLine is what a lineReader gave.
type gotLine struct {
	Number  int
	Text    string
	TooLong bool
}

func readLines(r io.Reader) (lines []gotLine, number int, err error) {
	var l lineReader
	l.reset(r)
	for {
		line, tooLong, err := l.next()
		if err != nil {
			return lines, l.number, err
		}
		g := gotLine{l.number, string(line), tooLong}
		if tooLong {
			g.Text = ""
		}
		lines = append(lines, g)
	}
}

// naiveLines is what a lineReader should give.
func naiveLines(s string) (lines []gotLine) {
	texts := strings.Split(s, "\n")
	if texts[len(texts)-1] == "" {
		texts = texts[:len(texts)-1]
	}
	for i, text := range texts {
		text = strings.TrimSuffix(text, "\r")
		if i == 0 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		g := gotLine{i + 1, text, len(text) > MaxLine}
		if g.TooLong {
			g.Text = ""
		}
		lines = append(lines, g)
	}
	return lines
}

func TestLineReader(t *testing.T) {
	long := strings.Repeat("x", MaxLine)
	for _, s := range []string{
		"", "\n", "\n\n", "a", "a\n", "a\nb", "a\r\nb\r\n\r\n", "\r\n", "\ufeffa\n\ufeffb", "\ufeff",
		long, long + "\n", long + "\r\n", long + "\r", "\ufeff" + long + "\n", long + "y\n", long + "yy\nz", long + "\nz\n" + long + long + long + long + long + "\nz",
		strings.Repeat(long+"\n", 9), strings.Repeat(long, 9), strings.Repeat("ab\n", 200_000),
	} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "data with EOF": iotest.DataErrReader, "half": iotest.HalfReader, "byte": iotest.OneByteReader,
		} {
			if name == "byte" && len(s) > 2*MaxLine {
				continue
			}
			lines, _, err := readLines(wrap(strings.NewReader(s)))
			if diff := cmp.Diff(naiveLines(s), lines); diff != "" || err != io.EOF {
				t.Fatalf("%.20q (%d bytes) read by the %s: %v %.300s", s, len(s), name, err, diff)
			}
		}
	}
}

func TestLineReaderRandomly(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		var b strings.Builder
		for range r.IntN(30) {
			b.WriteString(strings.Repeat("x", []int{0, 1, 7, MaxLine - 1, MaxLine, MaxLine + 1, MaxLine + 2, readBytes, 400_000}[r.IntN(9)]))
			b.WriteString([]string{"\n", "\r\n", "\r", ""}[r.IntN(4)])
		}
		s := b.String()
		lines, _, err := readLines(&chunkReader{[]byte(s), r})
		if diff := cmp.Diff(naiveLines(s), lines); diff != "" || err != io.EOF {
			t.Fatalf("%d bytes: %v %.300s", len(s), err, diff)
		}
	}
}

// chunkReader gives pieces of random lengths.
type chunkReader struct {
	b []byte
	r *rand.Rand
}

func (c *chunkReader) Read(p []byte) (int, error) {
	if len(c.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 1+c.r.IntN(100_000))], c.b)
	c.b = c.b[n:]
	return n, nil
}

func TestLineReaderBreaksOff(t *testing.T) {
	broken := errors.New("gone")
	f := func(s string, want []gotLine, number int) {
		t.Helper()
		lines, n, err := readLines(io.MultiReader(strings.NewReader(s), iotest.ErrReader(broken)))
		if diff := cmp.Diff(want, lines); diff != "" || err != broken || n != number {
			t.Errorf("%.20q: line %d, %v %s", s, n, err, diff)
		}
	}
	f("", nil, 1)
	f("a", nil, 1)
	f("a\nb", []gotLine{{1, "a", false}}, 2)
	f("a\nb\n", []gotLine{{1, "a", false}, {2, "b", false}}, 3)
	f("a\n"+strings.Repeat("x", 1<<20), []gotLine{{1, "a", false}}, 2)
}

func TestLineReaderStuck(t *testing.T) {
	if _, _, err := readLines(stuck{}); err != io.ErrNoProgress {
		t.Error(err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// TestLineReaderMemory reads a line of 64 MiB.
func TestLineReaderMemory(t *testing.T) {
	var l lineReader
	l.reset(io.MultiReader(io.LimitReader(xes{}, 64<<20), strings.NewReader("\nend")))
	size := cap(l.buf)
	if _, tooLong, err := l.next(); !tooLong || err != nil {
		t.Fatal(tooLong, err)
	}
	line, _, err := l.next()
	if string(line) != "end" || err != nil || l.number != 2 || cap(l.buf) != size {
		t.Error(string(line), err, l.number, fmt.Sprint(cap(l.buf), " bytes"))
	}
}

type xes struct{}

func (xes) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestIsBlank(t *testing.T) {
	for _, s := range []string{"", " ", "\t \r"} {
		if !isBlank([]byte(s)) {
			t.Errorf("%q is not blank", s)
		}
	}
	for _, s := range []string{"x", " x", "{", "\u00a0x"} {
		if isBlank([]byte(s)) || bytes.TrimSpace([]byte(s)) == nil {
			t.Errorf("%q is blank", s)
		}
	}
}
